"""Under MPI a message is printed once, and a process that fails alone does not leave the others waiting."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALONE = """
from solvers import parallel
from twin.cli import _tell
from twin.errors import RunFailed
if parallel.rank() == 1:
    parallel.end_together.__defaults__ = (1.0,)
    _tell(RunFailed("the disk of this node is gone"), 1)
parallel.barrier()
"""

pytestmark = pytest.mark.skipif(not shutil.which("mpirun"), reason="no mpirun")


def mpirun(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["mpirun", "-n", "2", "--oversubscribe", sys.executable, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_bad_input_is_told_once():
    done = mpirun("-m", "twin", "run", "cases/experimental-satellite.yaml", "--set", "mission.agee=5 yr")
    assert done.returncode == 2
    assert done.stderr.count("unknown key 'agee'") == 1


def test_a_process_that_fails_alone_ends_all():
    done = mpirun("-c", ALONE)
    assert done.returncode == 1
    assert "process 1, alone:" in done.stderr
    assert done.stderr.count("the disk of this node is gone") == 1
