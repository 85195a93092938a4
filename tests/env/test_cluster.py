"""The job scripts of cluster/: their form, how they resume, and how they come back into the queue."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "cluster").glob("*.sbatch"))
KNOWN = {
    "job-name", "nodes", "ntasks", "ntasks-per-node", "cpus-per-task", "mem", "mem-per-cpu", "time", "signal",
    "requeue", "open-mode", "output",
}  # fmt: skip


def test_there_are_scripts() -> None:
    assert {p.stem for p in SCRIPTS} == {"full-fe", "sizing-sweep", "recertify"}


@pytest.mark.parametrize("script", [*SCRIPTS, ROOT / "cluster/common.sh"], ids=lambda path: path.name)
def test_bash_reads_it(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_options_of_sbatch_come_first_and_are_known(script: Path) -> None:
    lines = script.read_text().splitlines()
    assert lines[0] == "#!/bin/bash"
    code = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    options = [i for i, line in enumerate(lines) if line.startswith("#SBATCH")]
    assert options
    assert max(options) < code  # sbatch stops reading at the first command
    names = {re.match(r"#SBATCH --([\w-]+)", lines[i])[1] for i in options}  # type: ignore[index]
    assert names <= KNOWN


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck() -> None:
    files = [*SCRIPTS, ROOT / "cluster/common.sh"]
    done = subprocess.run(["shellcheck", "-x", *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder in which env/run runs commands as they are, and scontrol writes down what it is told."""
    for name in ("cluster", "env", "bin", "out"):
        (tmp_path / name).mkdir()
    shutil.copy(ROOT / "cluster/common.sh", tmp_path / "cluster")
    shutil.copy(ROOT / "cluster/full-fe.sbatch", tmp_path / "cluster")
    programs = {
        "env/run": 'exec "$@"',
        "bin/mpirun": 'shift 2; exec "$@"',
        # A run that ends with 138 when it is told to by SIGUSR1, as twin run does.
        "bin/twin": "echo \"$@\" >> told\ntrap 'exit 138' USR1\nfor _ in $(seq 40); do sleep 0.1; done",
        "bin/scontrol": 'echo "$@" > requeued',
    }
    for name, body in programs.items():
        path = tmp_path / name
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(0o755)
    return tmp_path


def submit(checkout: Path) -> subprocess.Popen[str]:
    env = {
        "PATH": f"{checkout / 'bin'}:{os.environ['PATH']}",
        "SLURM_SUBMIT_DIR": str(checkout),
        "SLURM_JOB_ID": "7",
        "SLURM_NTASKS": "2",
    }
    return subprocess.Popen(
        ["bash", checkout / "cluster/full-fe.sbatch", "cases/a.yaml", "--duration", "24h"],
        cwd=checkout,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
    )


def test_a_job_out_of_time_is_put_back_and_goes_on(checkout: Path) -> None:
    job = submit(checkout)
    end = time.monotonic() + 20.0
    while not (checkout / "told").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(0.3)
    job.send_signal(signal.SIGUSR1)
    assert job.wait(timeout=20) == 138
    assert (checkout / "requeued").read_text().split() == ["requeue", "7"]
    (checkout / "out/a-7/checkpoints").mkdir(parents=True)
    again = submit(checkout)
    assert again.wait(timeout=20) == 0
    first, second = (checkout / "told").read_text().splitlines()
    assert first == "run cases/a.yaml --thermal full --no-pictures --duration 24h --out out/a-7"
    assert second == f"{first} --resume"


def test_a_job_that_ends_well_is_not_put_back(checkout: Path) -> None:
    assert submit(checkout).wait(timeout=20) == 0
    assert not (checkout / "requeued").exists()


def test_a_certification_comes_back_the_next_night_with_what_it_was_given(checkout: Path) -> None:
    shutil.copy(ROOT / "cluster/recertify.sbatch", checkout / "cluster")
    for name, body in {
        "bin/sbatch": 'printf "%s\\n" "$@" > submitted',
        "bin/python": 'echo "$@" >> told; exit 1',
    }.items():
        (checkout / name).write_text(f"#!/bin/bash\n{body}\n")
        (checkout / name).chmod(0o755)
    env = {
        "PATH": f"{checkout / 'bin'}:{os.environ['PATH']}",
        "SLURM_SUBMIT_DIR": str(checkout),
        "SLURM_JOB_PARTITION": "night",
        "SLURM_CPUS_PER_TASK": "2",
        "SLURM_MEM_PER_NODE": "3072",
        "REPEAT": "1",
    }
    words = ["bash", checkout / "cluster/recertify.sbatch", "cases/a.yaml", "cases/b.yaml"]
    done = subprocess.run(words, cwd=checkout, env=env, check=False)
    assert done.returncode == 1  # one that fails does not keep the others from being looked at
    told = (checkout / "told").read_text().splitlines()
    assert told == ["cluster/recertify.py cases/a.yaml", "cluster/recertify.py cases/b.yaml"]
    assert (checkout / "submitted").read_text().split() == [
        "--begin=tomorrow", "--export=ALL", "--partition=night", "--cpus-per-task=2", "--mem=3072",
        "cluster/recertify.sbatch", "cases/a.yaml", "cases/b.yaml",
    ]  # fmt: skip


def test_the_container_is_made_of_the_inputs_of_the_environment() -> None:
    text = (ROOT / "cluster/dawndusk.def").read_text()
    inside = set(re.findall(r"^    (env/\S+) ", text, re.MULTILINE))
    assert inside == {
        f"env/{name}" for name in ("debian-packages.txt", "requirements.lock", "install.py", "hdf5_order.py")
    }
    assert all((ROOT / name).is_file() for name in inside)
    # The same suite as env/debian-root.sh builds.
    assert "debian:trixie-slim" in text
    assert "DAWNDUSK_SUITE:-trixie" in (ROOT / "env/debian-root.sh").read_text()
