"""`env/run` without a build: choice of Python, messages, hashes, locks, removal of old environments."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = (
    "awk",
    "basename",
    "bash",
    "cat",
    "cut",
    "df",
    "dirname",
    "du",
    "flock",
    "grep",
    "id",
    "mkdir",
    "mv",
    "paste",
    "pwd",
)
TOOLS += ("readlink", "rm", "sed", "sha256sum", "sleep", "sync", "tail", "touch", "tr", "true", "uname")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of what env/run needs, in a folder whose name has a space."""
    folder = tmp_path / "a checkout"
    folder.mkdir()
    shutil.copytree(ROOT / "env", folder / "env", symlinks=True)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    """Return the variables of a machine on which nothing is built."""
    path = "/usr/local/bin:/usr/bin:/bin"
    return {
        "HOME": str(tmp_path),
        "PATH": path,
        "DAWNDUSK_CACHE": str(tmp_path / "cache"),
        "DAWNDUSK_ISOLATED": "1",
    } | more


def run(checkout: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    env = environment(checkout.parent, **more)
    return subprocess.run(
        [checkout / "env/run", *words], env=env, capture_output=True, text=True, timeout=60, check=False
    )


def shell(checkout: Path, code: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `code` with the functions of env/lib.sh at hand."""
    start = "set -euo pipefail; here=$PWD/env project=$PWD cache=$DAWNDUSK_CACHE\n"
    start += ". env/lib.sh; . env/debian-root.sh\n"
    env = environment(checkout.parent, **more)
    return subprocess.run(
        ["bash", "-c", start + code],
        env=env,
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def script(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
    return file


def bare_path(folder: Path) -> str:
    """Return a PATH with only the everyday tools on it: no mmdebstrap, no bwrap, no apt-get."""
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool, path="/usr/bin:/bin")
        assert found, f"{tool} is missing on this machine"
        (folder / tool).symlink_to(found)
    return str(folder)


def test_no_command_is_bad_input_and_shows_the_usage(checkout: Path) -> None:
    result = run(checkout)
    assert result.returncode == 2
    assert "usage: env/run CMD" in result.stderr


def test_help_names_the_cache_in_use(checkout: Path) -> None:
    result = run(checkout, "--help")
    assert result.returncode == 0
    assert str(checkout.parent / "cache") in result.stdout


def test_unknown_option(checkout: Path) -> None:
    result = run(checkout, "--whare")
    assert result.returncode == 2
    assert "unknown option --whare" in result.stderr


def test_where_builds_nothing(checkout: Path) -> None:
    result = run(checkout, "--where")
    assert result.returncode == 0
    assert "not built yet" in result.stdout
    assert not (checkout.parent / "cache").exists()


@pytest.mark.parametrize(
    ("changed", "root_changes", "venv_changes"),
    [
        ("env/debian-packages.txt", True, True),
        ("env/requirements.lock", False, True),
        ("env/install.py", False, True),
        ("env/hdf5_order.py", False, True),
        ("pyproject.toml", False, False),
    ],
)
def test_changed_inputs_name_another_environment(
    checkout: Path, changed: str, root_changes: bool, venv_changes: bool
) -> None:
    show = 'echo "$debian_root"; echo "$root_venv"'
    before = shell(checkout, show).stdout.split()
    with (checkout / changed).open("a") as file:
        file.write("\n# another\n")
    after = shell(checkout, show).stdout.split()
    assert len(before) == len(after) == 2
    assert [a != b for a, b in zip(after, before)] == [root_changes, venv_changes]


def test_another_mirror_makes_another_root_and_another_checkout_shares_it(checkout: Path) -> None:
    show = 'echo "$debian_root"'
    here = shell(checkout, show).stdout
    assert shell(checkout, show, DAWNDUSK_MIRROR="http://mirror.example/debian").stdout != here
    copy = shutil.copytree(checkout, checkout.parent / "second", symlinks=True)
    assert shell(copy, show).stdout == here


def test_another_suite_makes_another_root(checkout: Path) -> None:
    show = 'echo "$debian_root"; echo "$packages"; echo "$system"'
    root, packages, system = shell(checkout, show).stdout.splitlines()
    assert system == "Debian 13"
    assert "libosmesa6" in packages
    assert shell(checkout, show, DAWNDUSK_SUITE="trixie").stdout.splitlines()[0] == root
    other, packages, system = shell(checkout, show, DAWNDUSK_SUITE="unstable").stdout.splitlines()
    assert other != root
    assert "libosmesa6" not in packages
    assert system == "Debian unstable"


@pytest.mark.parametrize("suite", ["a b", "../x", "$(id)"])
def test_a_suite_that_is_none_is_bad_input(checkout: Path, suite: str) -> None:
    result = run(checkout, "--where", DAWNDUSK_SUITE=suite)
    assert result.returncode == 2
    assert f"DAWNDUSK_SUITE={suite}: no name of a Debian suite" in result.stderr


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("absent", None, "no such program"),
        ("old", "#!/bin/sh\necho it is Python 3.9.2\n", "but it is Python 3.9.2"),
        ("no-python", "#!/bin/sh\nexit 0\n", "but it is no Python"),
        ("crash", "#!/bin/sh\necho 'cannot open libpython' >&2; exit 127\n", "cannot open libpython"),
    ],
)
def test_a_python_that_does_not_serve_is_bad_input(
    checkout: Path, name: str, body: str | None, reason: str
) -> None:
    python = checkout.parent / name
    if body:
        script(python, body)
    result = run(checkout, "true", DAWNDUSK_PYTHON=str(python))
    assert result.returncode == 2
    assert f"DAWNDUSK_PYTHON={python}" in result.stderr
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_python_without_dolfinx_is_told_apart(checkout: Path) -> None:
    # -I -S: this very interpreter, without any of its packages.
    python = script(checkout.parent / "bare", f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
    result = run(checkout, "true", DAWNDUSK_PYTHON=str(python))
    assert result.returncode == 2
    assert "it has no dolfinx" in result.stderr


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        ("0.8.0", "its dolfinx is 0.8.0"),
        ("0.9.0", "ok"),
        ("0.11.2", "ok"),
        ("0.12.0", "its dolfinx is 0.12.0"),
    ],
)
def test_the_range_of_dolfinx(checkout: Path, version: str, verdict: str) -> None:
    packages = checkout.parent / "packages"
    (packages / "dolfinx").mkdir(parents=True)
    (packages / "dolfinx/__init__.py").write_text(f"__version__ = {version!r}\n")
    # -S: none of the real packages are seen, whose metadata would answer.
    python = script(
        checkout.parent / "python", f'#!/bin/sh\nPYTHONPATH="{packages}" exec "{sys.executable}" -S "$@"\n'
    )
    assert shell(checkout, f'dolfinx_verdict "{python}"').stdout.strip() == verdict


def test_missing_tools_are_told_as_a_command(checkout: Path) -> None:
    path = bare_path(checkout.parent / "bin")
    script(checkout.parent / "bin/apt-get", "#!/bin/sh\nexit 1\n")
    (checkout.parent / "bin/id").unlink()
    script(checkout.parent / "bin/id", "#!/bin/sh\necho 1000\n")  # an ordinary user
    result = run(checkout, "true", PATH=path)
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert "sudo apt-get update && sudo apt-get install -y" in last
    assert all(package in last for package in ("mmdebstrap", "bubblewrap", "uidmap"))


def test_without_apt_conda_is_offered(checkout: Path) -> None:
    result = run(checkout, "true", PATH=bare_path(checkout.parent / "bin"))
    assert result.returncode == 1
    assert "conda env create -f environment.yml" in result.stderr


def test_full_disk_is_seen_before_it_is_filled(checkout: Path) -> None:
    result = shell(checkout, 'has_room . 1000000000 "the environment" "free some"')
    assert result.returncode == 1
    assert "needs 1000000000 GB: free some" in result.stderr
    assert shell(checkout, 'has_room . 0 "nothing" ""').returncode == 0


def test_a_second_builder_waits_for_the_first(checkout: Path) -> None:
    build = 'lock "$cache/venv-x"; echo "start $1"; sleep 0.7; echo "end $1"; unlock'
    code = f"one() {{ ( {build} ); }}; one a & sleep 0.2; one b; wait"
    result = shell(checkout, code)
    assert result.stdout.split("\n")[:4] == ["start a", "end a", "start b", "end b"]
    assert "another build of venv-x is under way; waiting" in result.stderr


def test_a_failed_build_leaves_nothing_that_looks_finished(checkout: Path) -> None:
    result = shell(
        checkout,
        'lock "$cache/venv-x"; begin_partial "$cache/venv-x"; touch "$partial/file"\n'
        'run_logged "$cache/x.log" "the work" sh -c "echo the reason; exit 3" || die "not built"',
    )
    assert result.returncode == 1
    assert "the reason" in result.stderr
    assert not [p.name for p in (checkout.parent / "cache").iterdir() if p.is_dir()]


def test_what_an_interrupted_build_left_is_cleared_by_the_next(checkout: Path) -> None:
    old = checkout.parent / "cache/venv-x.partial.123/deep"
    old.mkdir(parents=True)
    code = 'begin_partial "$cache/venv-x"; touch "$partial/file"; finish_partial "$cache/venv-x"'
    assert shell(checkout, code).returncode == 0
    assert [p.name for p in (checkout.parent / "cache").iterdir()] == ["venv-x"]


SLOW_TRAPS = 'trap() { sleep 0.3; builtin trap "$@"; }\n'  # a busy machine, as far as signals are concerned


@pytest.mark.parametrize(
    ("number", "status", "before"),
    [
        (signal.SIGINT, 130, ""),
        (signal.SIGTERM, 143, ""),
        (signal.SIGTERM, 143, SLOW_TRAPS),
        (signal.SIGKILL, -9, ""),
    ],
    ids=["int", "term", "term-on-a-busy-machine", "kill"],
)
def test_no_part_of_a_stopped_build_lives_on(
    checkout: Path, number: signal.Signals, status: int, before: str
) -> None:
    start = "set -euo pipefail; here=$PWD/env project=$PWD cache=$DAWNDUSK_CACHE; . env/lib.sh\n" + before
    work = 'sh -c \'sleep 300 & echo $! >"$0"; wait\' "$cache/pid"'
    code = f'lock "$cache/venv-x"; begin_partial "$cache/venv-x"; run_logged "$cache/log" work {work}'
    env = environment(checkout.parent)
    # A shell that inherits an ignored SIGINT (tests run in the background) cannot trap it.
    process = subprocess.Popen(
        ["bash", "-c", start + code],
        env=env,
        cwd=checkout,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    cache = checkout.parent / "cache"
    child = _wait_for(lambda: (cache / "pid").exists() and (cache / "pid").read_text().strip())
    process.send_signal(number)
    assert process.wait(timeout=20) == status
    _wait_for(lambda: not _alive(int(child)))
    _wait_for(
        lambda: subprocess.run(["flock", "-n", cache / "venv-x.lock", "true"], check=False).returncode == 0
    )
    assert not (cache / "venv-x").exists()
    if number != signal.SIGKILL:
        assert not list(cache.glob("*.partial.*"))


def test_a_signal_before_the_number_of_the_job_is_noted_ends_the_job_too(checkout: Path) -> None:
    start = 'earlier="" job=""; set -m; trap "echo \\$!" EXIT; trap "abandon 143" TERM; sleep 300 & '
    code = start + "trap 'kill -TERM $$' DEBUG; job=$!; echo missed"  # a signal just before job=$!
    result = shell(checkout, code)
    assert result.returncode == 143, result.stderr
    assert "missed" not in result.stdout
    _wait_for(lambda: not _alive(int(result.stdout)))


def test_a_log_that_is_gone_does_not_end_the_work(checkout: Path) -> None:
    code = 'run_logged "$cache/log" work sh -c \'rm "$0"; sleep 1\' "$cache/log"; echo done'
    (checkout.parent / "cache").mkdir()
    result = shell(checkout, code)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "done\n"


def _alive(pid: int) -> bool:
    try:
        return "(sleep) Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def _wait_for(condition, seconds: float = 15):  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return value


def test_clean_removes_the_others_and_keeps_what_is_used(checkout: Path) -> None:
    cache = checkout.parent / "cache"
    for name in ("root-old", "venv-old", "venv-used", "venv-built", "venv-dead.partial.7", "forms"):
        (cache / name).mkdir(parents=True)
        (cache / name / "file").write_text("x")
    current = [
        Path(line).name for line in shell(checkout, 'echo "$debian_root"; echo "$root_venv"').stdout.split()
    ]
    for name in current:
        (cache / name).mkdir()
    (cache / "venv-old.log").write_text("x")
    code = '( mark_used "$cache/venv-used"; exec sleep 20 ) & a=$!\n'
    code += '( lock "$cache/venv-built"; exec sleep 20 ) & b=$!\n'
    code += "sleep 0.3; env/run --clean; kill $a $b"
    result = shell(checkout, code)
    kept = sorted(p.name for p in cache.iterdir() if p.is_dir())
    assert kept == sorted(["forms", "venv-built", "venv-used", *current])
    assert "root-old (" in result.stdout
    assert "venv-used is in use; kept" in result.stderr
    assert "venv-built is being built; kept" in result.stderr
    assert "nothing to remove" not in result.stdout
    for name in ("venv-used", "venv-built"):
        shutil.rmtree(cache / name)
    run(checkout, "--clean")
    assert "nothing to remove" in run(checkout, "--clean").stdout


def test_threads_under_an_mpi_launcher(checkout: Path) -> None:
    show = 'export_common; echo "${OMP_NUM_THREADS:-unset} ${NUMBA_NUM_THREADS:-unset}"'
    assert shell(checkout, show).stdout.split() == ["unset", "unset"]
    assert shell(checkout, show, OMPI_COMM_WORLD_SIZE="1").stdout.split() == ["unset", "unset"]
    assert shell(checkout, show, OMPI_COMM_WORLD_SIZE="2").stdout.split() == ["1", "1"]
    slurm = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_CPUS_PER_TASK": "8", "OMP_NUM_THREADS": "2"}
    assert shell(checkout, show, **slurm).stdout.split() == ["2", "8"]


def test_mpirun_of_the_environment_calls_the_next_one_on_the_path(checkout: Path) -> None:
    bin_folder = checkout / "env/bin"
    script(checkout.parent / "mpi/mpirun", '#!/bin/sh\necho "$OMP_NUM_THREADS $NUMBA_NUM_THREADS $*"\n')
    env = {"PATH": f"{bin_folder}:{checkout.parent / 'mpi'}:/usr/bin:/bin", "NUMBA_NUM_THREADS": "3"}
    result = subprocess.run(
        [bin_folder / "mpirun", "-n", "2", "a b"], env=env, capture_output=True, text=True, check=False
    )
    assert result.stdout == "1 3 -n 2 a b\n"
    env["PATH"] = str(bare_path(checkout.parent / "none"))
    result = subprocess.run([bin_folder / "mpiexec"], env=env, capture_output=True, text=True, check=False)
    assert result.returncode == 127
    assert "no mpiexec on the path" in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_an_environment_built_by_another_user_is_used_and_not_written_to(checkout: Path) -> None:
    cache = checkout.parent / "cache"
    cache.mkdir(mode=0o555)
    result = shell(checkout, 'export_common; echo "$DAWNDUSK_CACHE"; echo "$NUMBA_CACHE_DIR"')
    own = checkout.parent / ".cache/dawndusk"
    assert result.stdout.splitlines() == [str(own), str(own / "numba")]


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck() -> None:
    files = [*(ROOT / "env").glob("*.sh"), *(ROOT / "env/bin").iterdir(), ROOT / "env/run", ROOT / ".ci/run"]
    result = subprocess.run(
        ["shellcheck", "-x", *files], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout


def _bwrap_works() -> bool:
    bwrap = shutil.which("bwrap")
    return bool(bwrap) and subprocess.run([bwrap, "--bind", "/", "/", "true"], check=False).returncode == 0


@pytest.mark.skipif(not _bwrap_works(), reason="bubblewrap is not here, as inside the environment itself")
def test_a_folder_in_place_of_the_root_is_entered(checkout: Path) -> None:
    """The host's own /usr serves as the root: what is tested is the way in."""
    root, venv = shell(checkout, 'echo "$debian_root"; echo "$root_venv"').stdout.split()
    for folder in (f"{root}/etc", f"{root}/var/lib", f"{venv}/bin"):
        Path(folder).mkdir(parents=True)
    Path(root, "usr").symlink_to("/usr")
    Path(root, "etc/os-release").write_text("NAME=test\n")
    result = run(
        checkout, "sh", "-c", 'pwd; echo "$DAWNDUSK_ACTIVE" "$PYTHONPATH"; exit 7', PWD=str(Path.cwd())
    )
    assert result.returncode == 7, result.stderr
    assert result.stdout.splitlines() == [str(Path.cwd()), f"{venv} {checkout}"]


def test_nothing_in_the_repository_names_a_package_registry() -> None:
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    # Split, so that this file is not its own finding.
    hosts = ["pypi" + ".org", "pythonhosted" + ".org", "deb.debian" + ".org", "conda.anaconda" + ".org"]
    words = [word for host in hosts for word in ("-e", host)]
    command = ["git", "-c", "safe.directory=*", "grep", "-lIiF", *words]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode in (0, 1), result.stderr
    assert not result.stdout, f"these files name a registry host: {result.stdout.split()}"
