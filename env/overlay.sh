# A Python that already has dolfinx: used as it is when it has our packages, else under a venv with them.
# shellcheck shell=bash disable=SC2034,SC2154

# Are the project's dependencies there, new enough, and is this the `python` of its folder?
has_packages() {
    "$1" - "$project/pyproject.toml" "$1" 2>/dev/null <<'PY'
import re, sys, tomllib
from importlib.metadata import version
from pathlib import Path

def numbers(text):
    return [int(part) for part in re.match(r"[\d.]*", text).group().split(".") if part]

python = Path(sys.argv[2])
if not all((python.parent / name).exists() and (python.parent / name).resolve() == python.resolve() for name in ("python", "python3")):
    sys.exit(1)
for wanted in tomllib.loads(Path(sys.argv[1]).read_text())["project"]["dependencies"]:
    name, _, least = wanted.partition(">=")
    if numbers(version(name.strip())) < numbers(least.strip()):
        sys.exit(1)
PY
}

# Sets venv: the overlay's place, empty when $python needs none.
name_overlay() {
    root="" venv=""
    has_packages "$python" || venv=$cache/venv-$(digest "$python $("$python" -V)" "$here/requirements.lock" "$here/install.py" "$here/hdf5_order.py")
}

ensure_overlay() {
    if [ -n "$venv" ] && [ ! -e "$venv/complete" ]; then
        lock "$venv"
        if [ ! -e "$venv/complete" ]; then
            # A venv cannot be renamed (its scripts name their place), so the stamp comes last instead.
            rm -rf "$venv"
            trap 'rm -rf "$venv"' EXIT
            say "building an environment over $python ($origin) in $venv"
            "$python" -m venv --system-site-packages "$venv" ||
                die "$python cannot make a venv; on Debian: sudo apt-get install -y python3-venv"
            run_logged "$venv.log" "Python packages" "$venv/bin/python" "$here/install.py" "$here/requirements.lock" ||
                die "the packages could not be installed; see above"
            run_logged "$venv.log" "checking the environment" "$venv/bin/python" -c "$import_check" ||
                die "the environment does not import; see above"
            sync -f "$venv" 2>/dev/null || true
            touch "$venv/complete"
            trap - EXIT
        fi
        unlock
    fi
}

enter_overlay() {
    export_common
    [ "$origin" != system ] || quiet_mpi
    [ -z "$venv" ] || mark_used "$venv"
    export PATH="${venv:+$venv/bin:}$here/bin:${python%/*}:$PATH"
    exec "$@"
}
