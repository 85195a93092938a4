"""The project's own table of jobs, in CSV.

One job per line, with a header. Columns:

========================  ========================================================================
``name``                  name of the job
``kind``                  ``training``, ``inference`` or ``batch``
``cards``                 cards it needs, all at once
``submit_time``           when it enters the queue [s]
``duration``              run time at full pace [s]; empty or ``inf`` for a service
``estimate``              run time told to the scheduler [s]; empty for ``duration`` (optional)
``power_per_card``        power that admission reckons with [W]; empty for 0 (optional)
``activity``              constant activity, 0 to 1; empty for the kind's own profile (optional)
========================  ========================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from twin.activity import BatchActivity
from twin.job import Job
from twin.traces.repairs import Repairs, TraceError, check_columns, first_bad, numeric, read_csv

_NEEDED = ["name", "kind", "cards", "submit_time", "duration"]
_OPTIONAL = ["estimate", "power_per_card", "activity"]


def read_job_csv(path: Path) -> tuple[list[Job], Repairs]:
    """Read jobs from the project's CSV.

    Repaired and counted: submit times out of order (sorted), activity out of [0, 1] (clipped), estimates
    below 0 (left out), missing submit times (0).

    Parameters
    ----------
    path : Path
        CSV file.

    Returns
    -------
    list of Job
        In order of submission.
    Repairs
        What was mended.

    Raises
    ------
    TraceError
        If a column is missing or a row has no name, an unknown kind, no cards or a duration that is not
        positive. Rows count from 0 below the header.
    """
    path = Path(path)
    if not path.is_file():
        raise TraceError(f"{path}: no such file; expected a CSV with the columns {', '.join(_NEEDED)}")
    repairs = Repairs()
    frame = read_csv(path, skipinitialspace=True)
    check_columns(path, list(frame.columns), _NEEDED, _OPTIONAL, repairs)
    first_bad(path, "name", frame["name"], frame["name"].isna().to_numpy(), "a name")
    kinds = ("training", "inference", "batch")
    first_bad(
        path, "kind", frame["kind"], ~frame["kind"].isin(kinds).to_numpy(), f"one of {', '.join(kinds)}"
    )
    cards = numeric(path, frame, "cards")
    first_bad(
        path,
        "cards",
        cards,
        ~((cards >= 1) & (cards < 2**53) & (cards == np.floor(cards))),
        "a whole number >= 1",
    )
    duration = numeric(path, frame, "duration")
    duration = np.where(np.isnan(duration), np.inf, duration)
    first_bad(path, "duration", duration, ~(duration > 0.0), "seconds > 0, or empty for a service")
    submit = numeric(path, frame, "submit_time")
    repairs.add("submit_time missing, set to 0", int(np.isnan(submit).sum()))
    submit = np.nan_to_num(submit, nan=0.0)
    blank = np.full(len(frame), np.nan)
    estimate = numeric(path, frame, "estimate") if "estimate" in frame else blank
    repairs.add("estimate not positive, duration taken", int((estimate <= 0.0).sum()))
    estimate = np.where(estimate > 0.0, estimate, duration)
    power = numeric(path, frame, "power_per_card") if "power_per_card" in frame else blank
    first_bad(path, "power_per_card", power, power < 0.0, "W >= 0")
    activity = numeric(path, frame, "activity") if "activity" in frame else blank
    repairs.add("activity out of [0, 1], clipped", int(((activity < 0.0) | (activity > 1.0)).sum()))
    repairs.add("submit_time out of order, sorted", int((np.diff(submit) < 0.0).sum()))
    jobs = [
        Job(
            name=str(frame["name"].iloc[i]),
            kind=frame["kind"].iloc[i],
            cards=int(cards[i]),
            duration=float(duration[i]),
            submit_time=float(submit[i]),
            estimate=float(estimate[i]),
            power_per_card=0.0 if np.isnan(power[i]) else float(power[i]),
            activity=None if np.isnan(activity[i]) else BatchActivity(float(np.clip(activity[i], 0.0, 1.0))),
        )
        for i in np.argsort(submit, kind="stable")
    ]
    return jobs, repairs


def write_job_csv(path: Path, jobs: Sequence[Job]) -> None:
    """Write jobs to the project's CSV; profiles other than a constant one are left to the kind's own.

    Parameters
    ----------
    path : Path
        File to write.
    jobs : sequence of Job
        The jobs.
    """
    frame = pd.DataFrame(
        {
            "name": [j.name for j in jobs],
            "kind": [j.kind for j in jobs],
            "cards": [j.cards for j in jobs],
            "submit_time": [j.submit_time for j in jobs],
            "duration": [j.duration for j in jobs],
            "estimate": [j.estimate for j in jobs],
            "power_per_card": [j.power_per_card for j in jobs],
            "activity": [j.activity.level if isinstance(j.activity, BatchActivity) else None for j in jobs],
        }
    )
    frame.to_csv(path, index=False)
