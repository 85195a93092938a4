# Shared by env/run and its two kinds of environment: messages, hashes, locks, the choice of Python.
# shellcheck shell=bash disable=SC2154

say() { printf 'dawndusk: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

# Hash of the given words and files, short enough for a folder name.
digest() { { printf '%s\n' "$1"; shift; cat "$@"; } | sha256sum | cut -c1-16; }

# The lock of a folder that is about to be built; a second builder waits for the first.
lock() {
    mkdir -p "$cache"
    command -v flock >/dev/null || die "the command flock is missing (package util-linux)"
    exec 9>"$1.lock"
    if ! flock -n 9; then
        say "another build of $(basename "$1") is under way; waiting for it ..."
        flock 9
    fi
}
unlock() { flock -u 9; exec 9>&-; }

# run_logged LOG TITLE CMD...: CMD's output goes to LOG, a terminal sees its last line and the time.
run_logged() {
    local log=$1 title=$2 start=$SECONDS last="" line="" job status=0
    shift 2
    "$@" >"$log" 2>&1 9>&- &
    job=$!
    trap 'kill "$job" 2>/dev/null; exit 130' INT TERM
    while kill -0 "$job" 2>/dev/null; do
        line=$(tail -n 1 "$log" 2>/dev/null | tr -d '\r' | cut -c1-70)
        if [ -t 2 ]; then
            printf '\r\033[Kdawndusk: %s: %d s  %s' "$title" $((SECONDS - start)) "$line" >&2
        elif [ $((SECONDS - start)) -ge "${next_report:-0}" ] && [ "$line" != "$last" ]; then
            say "$title: $((SECONDS - start)) s  $line"
            last=$line next_report=$((SECONDS - start + 15))
        fi
        sleep 0.5
    done
    wait "$job" || status=$?
    trap - INT TERM
    next_report=0
    if [ -t 2 ]; then printf '\r\033[K' >&2; fi
    if [ "$status" -ne 0 ]; then
        say "$title failed after $((SECONDS - start)) s; the end of $log:"
        tail -n 15 "$log" >&2
        return "$status"
    fi
    say "$title: done in $((SECONDS - start)) s"
}

# Does this Python have a dolfinx that the code serves? Looks at the metadata: importing takes a second.
has_dolfinx() {
    "$1" - 2>/dev/null <<'PY'
import importlib.util, re, sys
from importlib.metadata import PackageNotFoundError, version
if importlib.util.find_spec("dolfinx") is None or sys.version_info < (3, 12):
    sys.exit(1)
try:
    v = version("fenics-dolfinx")
except PackageNotFoundError:
    import dolfinx
    v = dolfinx.__version__
major, minor = map(int, re.match(r"(\d+)\.(\d+)", v).groups())
sys.exit(0 if (0, 9) <= (major, minor) < (0, 12) else 1)
PY
}

# Sets python and origin; python stays empty when a root of our own is needed.
choose_python() {
    python="" origin=""
    if [ -n "${DAWNDUSK_PYTHON:-}" ]; then
        command -v "$DAWNDUSK_PYTHON" >/dev/null || die "DAWNDUSK_PYTHON=$DAWNDUSK_PYTHON: no such program"
        has_dolfinx "$DAWNDUSK_PYTHON" || die "DAWNDUSK_PYTHON=$DAWNDUSK_PYTHON: needs Python >= 3.12 with dolfinx >= 0.9 and < 0.12"
        python=$(command -v "$DAWNDUSK_PYTHON") origin="DAWNDUSK_PYTHON"
        return
    fi
    [ -z "${DAWNDUSK_ISOLATED:-}" ] || return 0
    if [ -n "${CONDA_PREFIX:-}" ] && [ -x "$CONDA_PREFIX/bin/python" ] && has_dolfinx "$CONDA_PREFIX/bin/python"; then
        python=$CONDA_PREFIX/bin/python origin="conda environment"
    elif [ -n "${SPACK_ENV:-}" ] && command -v python3 >/dev/null && has_dolfinx "$(command -v python3)"; then
        python=$(command -v python3) origin="Spack environment"
    elif [ -d /usr/lib/python3/dist-packages/dolfinx ] && has_dolfinx /usr/bin/python3; then
        python=/usr/bin/python3 origin="system"
    fi
}

# What every environment sets: the project on the path, MPI quiet on one host, caches outside the checkout.
export_common() {
    export PYTHONPATH="$project${PYTHONPATH:+:$PYTHONPATH}"
    export NUMBA_CACHE_DIR="${NUMBA_CACHE_DIR:-$cache/numba}"
    export DAWNDUSK_CACHE="$cache"
    # On one host shared memory is right and the network probe only warns; a cluster's own setting stays.
    if [ -z "${OMPI_MCA_btl:-}" ] && [ "${SLURM_JOB_NUM_NODES:-${SLURM_NNODES:-1}}" = 1 ]; then
        export OMPI_MCA_btl=self,sm
    fi
    if [ "$(id -u)" = 0 ]; then
        export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    fi
}
