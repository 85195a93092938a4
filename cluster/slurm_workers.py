"""Start Dask workers as SLURM jobs, run a command with `--scheduler` on them, and end them with it.

env/run python cluster/slurm_workers.py --jobs 4 --cores 8 --memory 16GB -- twin sweep CASE --vary KEY=0:1:8
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def cluster(given: argparse.Namespace) -> Any:
    """Return the cluster; its workers are started through env/run, and have one thread each."""
    from dask_jobqueue.slurm import SLURMCluster

    return SLURMCluster(
        cores=given.cores,
        processes=given.cores,
        memory=given.memory,
        walltime=given.time,
        queue=given.partition,
        account=given.account,
        python=f"{ROOT}/env/run python",
        job_script_prologue=[
            f"cd {ROOT}",
            "export OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1",
        ],
        # Workers leave before their time is over, one after the other, and new ones take over what they had.
        worker_extra_args=["--lifetime", given.lifetime, "--lifetime-stagger", "2m"],
        local_directory=given.scratch,
        log_directory=str(ROOT / "out/workers"),
    )


def main() -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=4, help="worker jobs")
    parser.add_argument("--cores", type=int, default=8, help="workers of a job, one core each")
    parser.add_argument("--memory", default="16GB", help="of a job")
    parser.add_argument("--time", default="02:00:00", help="limit of a job")
    parser.add_argument("--lifetime", default="110m", help="of a worker, less than --time")
    parser.add_argument("--partition")
    parser.add_argument("--account")
    parser.add_argument(
        "--scratch", default="/tmp", help="folder of the nodes for what does not fit into memory"
    )
    parser.add_argument("--script", action="store_true", help="print the job script and leave")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- CMD ...")
    given = parser.parse_args()
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not command and not given.script:
        parser.error("no command; expected -- twin sweep CASE ...")
    with cluster(given) as workers:
        if given.script:
            print(workers.job_script())
            return 0
        workers.scale(jobs=given.jobs)
        return subprocess.run([*command, "--scheduler", workers.scheduler_address], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
