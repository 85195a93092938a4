"""Job list of the bench as a data loader of RAPS; imported by RAPS itself, from `raps_worker.py`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from raps.job import Job, job_dict  # type: ignore[import-not-found]
from raps.utils import WorkloadData  # type: ignore[import-not-found]

QUANTA = 15


def load_data(files, **kwargs):  # type: ignore[no-untyped-def]
    rows = json.loads(Path(files[0]).read_text())
    jobs = [
        Job(
            job_dict(
                id=number,
                name=f"job-{number}",
                account="bench",
                nodes_required=row["nodes"],
                scheduled_nodes=[],
                cpu_trace=[0.0],
                # of all cards of a node together
                gpu_trace=[row["activity"] * rows["cards_per_node"]],
                ntx_trace=[],
                nrx_trace=[],
                submit_time=row["submit"],
                start_time=None,
                end_time=None,
                time_limit=row["estimate"],
                expected_run_time=row["duration"],
                trace_quanta=QUANTA,
            )
        )
        for number, row in enumerate(rows["jobs"])
    ]
    return WorkloadData(
        jobs=jobs, telemetry_start=0, telemetry_end=rows["span"], start_date=datetime(2026, 1, 1, tzinfo=UTC)
    )
