# Shared by env/run and its two kinds of environment: messages, hashes, locks, the choice of Python.
# shellcheck shell=bash disable=SC2034,SC2154

say() { printf 'dawndusk: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }
bad_input() { say "$@"; exit 2; }

# Hash of the given words and files, short enough for a folder name.
digest() { { printf '%s\n' "$1"; shift; cat "$@"; } | sha256sum | cut -c1-16; }

# The lock of a folder that is about to be built; a second builder waits for the first.
lock() {
    mkdir -p "$cache" || die "cannot write to $cache; name another folder with DAWNDUSK_CACHE"
    command -v flock >/dev/null || die "the command flock is missing (package util-linux)"
    while :; do
        exec 9>"$1.lock"
        if ! flock -n 9; then
            say "another build of $(basename "$1") is under way; waiting for it ..."
            flock 9
        fi
        # `env/run --clean` may have removed the file that we waited for.
        [ /proc/self/fd/9 -ef "$1.lock" ] && return
    done
}
unlock() { flock -u 9; exec 9>&-; }

# Says that FOLDER is in use for as long as this process and its children live; `--clean` leaves it then.
mark_used() {
    if { exec 8<"$1"; } 2>/dev/null; then flock -n -s 8 2>/dev/null || true; fi
}

# has_room FOLDER GIGABYTES WHAT: stop before a disk is filled.
has_room() {
    local free
    free=$(df -Pk "$1" | awk 'NR == 2 {print $4}')
    [ "${free:-0}" -ge $(($2 * 1000000)) ] || die "$1 has $((${free:-0} / 1000000)) GB free and $3 needs $2 GB: $4"
}

# Nothing of a process group may outlive a build that was stopped: ask, wait, insist.
stop_group() {
    local end=$((SECONDS + 30))
    kill -TERM -- "-$1" 2>/dev/null || return 0
    while [ $SECONDS -lt $end ]; do
        kill -0 -- "-$1" 2>/dev/null || return 0
        sleep 0.2
    done
    kill -KILL -- "-$1" 2>/dev/null || true
}

abandon() { # abandon STATUS: what a signal does to a build
    trap '' INT TERM HUP
    if [ -t 2 ]; then printf '\r\033[K' >&2; fi
    say "stopped; cleaning up ..."
    # The signal may have come between the start of the job and the note of its number.
    [ -n "$job" ] || [ "${!:-}" = "$earlier" ] || job=$!
    [ -z "$job" ] || stop_group "$job"
    exit "$1"
}

# run_logged LOG TITLE CMD...: CMD's output goes to LOG, a terminal sees its last line and the time.
run_logged() {
    local log=$1 title=$2 start=$SECONDS last="" line="" next_report=0 watch status=0
    shift 2
    job="" earlier=${!:-}
    : >"$log" # there before anybody looks at it
    # Before the job starts: a signal that comes first would leave it behind.
    trap 'abandon 130' INT
    trap 'abandon 143' TERM
    trap 'abandon 129' HUP
    set -m # a process group of its own, so that all of it can be stopped
    "$@" </dev/null >"$log" 2>&1 8<&- 9>&- &
    job=$!
    set +m
    # If we are killed without a chance to act, this ends the job, and holds the lock until it has ended.
    (
        trap '' INT HUP
        trap 'exit 0' TERM
        while kill -0 $$ && kill -0 "$job"; do sleep 1; done
        kill -0 $$ || stop_group "$job"
    ) </dev/null >/dev/null 2>&1 &
    watch=$!
    while kill -0 "$job" 2>/dev/null; do
        line=$(tail -n 1 "$log" 2>/dev/null | tr -d '\r' | cut -c1-70) || line="" # no log is no failure
        if [ -t 2 ]; then
            printf '\r\033[Kdawndusk: %s: %d s  %s' "$title" $((SECONDS - start)) "$line" >&2
        elif [ $((SECONDS - start)) -ge "$next_report" ] && [ "$line" != "$last" ]; then
            say "$title: $((SECONDS - start)) s  $line"
            last=$line next_report=$((SECONDS - start + 15))
        fi
        sleep 0.5
    done
    wait "$job" || status=$?
    kill "$watch" 2>/dev/null || true
    trap - INT TERM HUP
    if [ -t 2 ]; then printf '\r\033[K' >&2; fi
    if [ "$status" -ne 0 ]; then
        say "$title failed after $((SECONDS - start)) s; the end of $log:"
        tail -n 15 "$log" >&2 || true
        return "$status"
    fi
    say "$title: done in $((SECONDS - start)) s"
}

# begin_partial FOLDER: a fresh $partial beside it, gone again if the build does not end well.
begin_partial() {
    rm -rf "$1".partial.*
    partial=$1.partial.$$
    trap 'rm -rf "$partial"' EXIT
    mkdir -p "$partial"
}

# Only a folder whose data has reached the disk gets its final name.
finish_partial() {
    sync -f "$partial" 2>/dev/null || true
    mv -T "$partial" "$1"
    trap - EXIT
}

# remove_others CACHE KEEP...: environments of other inputs; those being built or used stay.
remove_others() {
    local cache=$1 names="" keep=" " entry name size found=""
    shift
    for entry in "$@"; do [ -z "$entry" ] || keep+="${entry##*/} "; done
    for entry in "$cache"/root-* "$cache"/venv-*; do
        [ -e "$entry" ] || continue
        name=${entry##*/} name=${name%%.*}
        case " $names " in *" $name "*) ;; *) names+=" $name" ;; esac
    done
    for name in $names; do
        case $keep in *" $name "*) continue ;; esac
        found=yes
        if [ "$(id -u)" != 0 ] && [ -n "$(find "$cache" -maxdepth 1 -name "$name*" ! -user "$(id -u)")" ]; then
            say "$name belongs to another user; kept"
            continue
        fi
        exec 9>"$cache/$name.lock"
        if ! flock -n 9; then
            say "$name is being built; kept"
            continue
        fi
        if [ -d "$cache/$name" ]; then
            exec 8<"$cache/$name"
            if ! flock -n -x 8; then
                say "$name is in use; kept"
                continue
            fi
            size=$(du -sh "$cache/$name" 2>/dev/null | cut -f1)
            # Its name goes first, so that an interrupted removal leaves nothing that looks finished.
            mv -T "$cache/$name" "$cache/$name.partial.$$"
            exec 8<&-
        else
            size="leftovers"
        fi
        rm -rf "$cache/$name".partial.* "$cache/$name.log" "$cache/$name.lock"
        exec 9>&-
        echo "removed $cache/$name ($size)"
    done
    [ -n "$found" ] || echo "nothing to remove in $cache"
}

# Does this Python have a dolfinx that the code serves? Prints "ok" or the reason why not.
# Looks at the metadata: importing takes a second.
dolfinx_verdict() {
    "$1" - 2>&1 <<'PY' | tail -n 1
import importlib.util, re, sys

def verdict():
    if sys.version_info < (3, 12):
        return "it is Python " + ".".join(map(str, sys.version_info[:3]))
    from importlib.metadata import PackageNotFoundError, version
    if importlib.util.find_spec("dolfinx") is None:
        return "it has no dolfinx"
    try:
        v = version("fenics-dolfinx")
    except PackageNotFoundError:
        import dolfinx
        v = dolfinx.__version__
    major, minor = map(int, re.match(r"(\d+)\.(\d+)", v).groups())
    return "ok" if (0, 9) <= (major, minor) < (0, 12) else "its dolfinx is " + v

print(verdict())
PY
}
has_dolfinx() { [ "$(dolfinx_verdict "$1" || true)" = ok ]; }

# Where Debian and Ubuntu put it: asking Python every time would be slower.
system_has_dolfinx() { [ -e /usr/lib/petsc/lib/python3/dist-packages/dolfinx ] || [ -e /usr/lib/python3/dist-packages/dolfinx ]; }

# Sets python and origin; python stays empty when a root of our own is needed.
choose_python() {
    local why
    python="" origin=""
    if [ -n "${DAWNDUSK_PYTHON:-}" ]; then
        python=$(command -v "$DAWNDUSK_PYTHON") || bad_input "DAWNDUSK_PYTHON=$DAWNDUSK_PYTHON: no such program; name a Python that has dolfinx, or unset it"
        case $python in
            /*) ;;
            */*) python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python") ;;
            *) bad_input "DAWNDUSK_PYTHON=$DAWNDUSK_PYTHON: not a program in a file; name a Python that has dolfinx, or unset it" ;;
        esac
        why=$(dolfinx_verdict "$python" || true)
        [ "$why" = ok ] || bad_input "DAWNDUSK_PYTHON=$DAWNDUSK_PYTHON: needs Python >= 3.12 with dolfinx >= 0.9 and < 0.12, but ${why:-it is no Python}"
        origin="DAWNDUSK_PYTHON"
        return
    fi
    [ -z "${DAWNDUSK_ISOLATED:-}" ] && [ -z "${DAWNDUSK_ACTIVE:-}" ] || return 0
    if [ -n "${CONDA_PREFIX:-}" ] && [ -x "$CONDA_PREFIX/bin/python" ] && has_dolfinx "$CONDA_PREFIX/bin/python"; then
        python=$CONDA_PREFIX/bin/python origin="conda environment"
    elif [ -n "${SPACK_ENV:-}" ] && command -v python3 >/dev/null && has_dolfinx "$(command -v python3)"; then
        python=$(command -v python3) origin="Spack environment"
    elif [ -n "${VIRTUAL_ENV:-}" ] && [ -x "$VIRTUAL_ENV/bin/python3" ] && has_dolfinx "$VIRTUAL_ENV/bin/python3"; then
        python=$VIRTUAL_ENV/bin/python3 origin="virtual environment"
    elif system_has_dolfinx && has_dolfinx /usr/bin/python3; then
        python=/usr/bin/python3 origin="system"
    fi
}

# Fingerprint of all that numba compiles. It looks itself only at the file of a function, not at those that it calls:
# without this a change in one kernel would leave others as they were compiled before.
compiled_sources() {
    (cd "$project" && grep -lrE '^@(compiled|threaded|intrinsic|(nb\.|numba\.)?njit)' --include='*.py' meshes solvers twin | sort |
        xargs cat | sha256sum | cut -c1-16)
}

# What every environment sets: the project on the path, caches outside the checkout, one thread per MPI rank.
export_common() {
    local variable own=$cache
    # An environment that somebody built for all: what this user compiles goes to a folder of their own.
    [ ! -d "$cache" ] || [ -w "$cache" ] || own=${XDG_CACHE_HOME:-$HOME/.cache}/dawndusk
    export PYTHONPATH="$project${PYTHONPATH:+:$PYTHONPATH}"
    export NUMBA_CACHE_DIR="${NUMBA_CACHE_DIR:-$own/numba/$(compiled_sources)}"
    export DAWNDUSK_CACHE="$own"
    # Started by an MPI launcher (mpirun inside has env/bin/mpirun for this): ranks share the cores already.
    if [ "${OMPI_COMM_WORLD_SIZE:-${PMI_SIZE:-${SLURM_STEP_NUM_TASKS:-1}}}" -gt 1 ] 2>/dev/null; then
        for variable in OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS NUMBA_NUM_THREADS; do
            [ -n "${!variable:-}" ] || export "$variable=${SLURM_CPUS_PER_TASK:-1}"
        done
    fi
    if [ "$(id -u)" = 0 ]; then
        export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    fi
}

# For the Open MPI of Debian 13: on one host shared memory is right and the network probe only warns.
quiet_mpi() {
    if [ -z "${OMPI_MCA_btl:-}" ] && [ "${SLURM_JOB_NUM_NODES:-${SLURM_NNODES:-1}}" = 1 ]; then
        export OMPI_MCA_btl=self,sm
    fi
}
