"""Run RAPS (ExaDigiT) on a job list of the bench; started by `bench_replay.py` with a Python that has its packages.

python raps_worker.py RAPS_FOLDER JOBS.json OUT.json
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from datetime import timedelta
from pathlib import Path


def main(folder: Path, jobs: Path, out: Path) -> None:
    """Simulate the span of the list; write wall time, starts and mean power."""
    sys.path[:0] = [str(folder), str(Path(__file__).parent)]
    os.chdir(folder)
    from raps.engine import Engine  # type: ignore[import-not-found]
    from raps.sim_config import SingleSimConfig  # type: ignore[import-not-found]

    rows = json.loads(jobs.read_text())
    began = time.perf_counter()
    config = SingleSimConfig(
        system="frontier",
        replay=[str(jobs)],
        dataloader="raps_jobs",
        workload="replay",
        policy="fcfs",
        backfill="easy",
        time=timedelta(seconds=rows["span"]),
        time_delta=timedelta(seconds=rows["step"]),
        noui=True,
        output="none",
    )
    engine = Engine(config)
    ready = time.perf_counter()
    for _ in engine.run_simulation():
        pass
    wall = time.perf_counter() - ready
    history = [power for _, power in engine.power_manager.history]
    result = {
        "nodes": engine.config["AVAILABLE_NODES"],
        "set_up_s": ready - began,
        "wall_time_s": wall,
        "start": [None if job.start_time is None else float(job.start_time) for job in engine.jobs],
        "mean_power_w": 1e3 * sum(history) / len(history),
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    out.write_text(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]).resolve(), Path(sys.argv[3]).resolve())
