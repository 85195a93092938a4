# A Python that already has dolfinx: used as it is when it has our packages, else under a venv with them.
# shellcheck shell=bash disable=SC2154

has_packages() {
    "$1" - "$project/pyproject.toml" 2>/dev/null <<'PY'
import re, sys, tomllib
from importlib.metadata import version
from pathlib import Path
names = tomllib.loads(Path(sys.argv[1]).read_text())["project"]["dependencies"]
for name in names:
    version(re.match(r"[\w.-]+", name).group())
PY
}

venv=""
if ! has_packages "$python"; then
    venv=$cache/venv-$(digest "$python $("$python" -V)" "$here/requirements.lock")
    if [ ! -e "$venv/complete" ]; then
        lock "$venv"
        if [ ! -e "$venv/complete" ]; then
            # A venv cannot be renamed (its scripts name their place), so the stamp comes last instead.
            rm -rf "$venv"
            say "building an environment over $python ($origin) in $venv"
            "$python" -m venv --system-site-packages "$venv"
            run_logged "$venv.log" "Python packages" "$venv/bin/python" "$here/install.py" "$here/requirements.lock" ||
                die "the packages could not be installed; see above"
            touch "$venv/complete"
        fi
        unlock
    fi
fi

enter_overlay() {
    export_common
    local bin=${venv:+$venv/bin}
    export PATH="${bin:-$(dirname "$python")}:$here/bin:$PATH"
    exec "$@"
}
