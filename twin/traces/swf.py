"""Reader of the Standard Workload Format.

Lines of 18 fields, comments with ``;`` [1]_. Used here: 1 job number, 2 submit time (s), 4 run time (s), 5
allocated processors, 8 requested processors, 9 requested time (s), 11 status. A missing value is -1.

References
----------
.. [1] D. G. Feitelson, "The Standard Workload Format", Parallel Workloads Archive, version 2.2.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twin.job import Job
from twin.traces.repairs import Repairs, TraceError

_FIELDS = 18
_LARGEST = 1e15  # still whole in a float


def read_swf(path: Path, cards_per_processor: float = 1.0) -> tuple[list[Job], Repairs]:
    """Read jobs from a file in the Standard Workload Format.

    Repaired and counted: jobs without run time or processors (left out: they were cancelled before they ran),
    requested time missing or shorter than the run time (the run time), submit times out of order (sorted).

    Parameters
    ----------
    path : Path
        SWF file.
    cards_per_processor : float
        Cards per processor of the trace; counts are rounded up [1].

    Returns
    -------
    list of Job
        Batch jobs in order of submission.
    Repairs
        What was mended.

    Raises
    ------
    TraceError
        If a line does not have 18 numbers or a submit time is negative; the row is its line number.
    """
    path = Path(path)
    if not path.is_file():
        raise TraceError(f"{path}: no such file; expected Standard Workload Format")
    repairs = Repairs()
    rows = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        text = line.partition(";")[0].split()
        if not text:
            continue
        if len(text) != _FIELDS:
            raise TraceError(f"{path}: row {number}: {len(text)} fields, expected {_FIELDS}")
        try:
            row = [float(item) for item in text]
        except ValueError as error:
            raise TraceError(f"{path}: row {number}: {error}") from None
        if not all(abs(item) < _LARGEST for item in row):
            raise TraceError(f"{path}: row {number}: a number is not finite or above {_LARGEST:g}")
        if not row[1] >= 0.0:
            raise TraceError(f"{path}: row {number}: submit time {row[1]}, expected seconds >= 0")
        rows.append(row)
    if not rows:
        raise TraceError(f"{path}: no jobs; expected lines of {_FIELDS} numbers")
    table = np.array(rows)
    processors = np.where(table[:, 4] > 0, table[:, 4], table[:, 7])
    runs = (table[:, 3] > 0) & (processors > 0)
    repairs.add("job without run time or processors, left out", int((~runs).sum()))
    table, processors = table[runs], processors[runs]
    repairs.add("submit time out of order, sorted", int((np.diff(table[:, 1]) < 0).sum()))
    order = np.argsort(table[:, 1], kind="stable")
    table, processors = table[order], processors[order]
    short = table[:, 8] < table[:, 3]
    repairs.add("requested time missing or below the run time, run time taken", int(short.sum()))
    estimate = np.where(short, table[:, 3], table[:, 8])
    cards = np.maximum(1, np.ceil(processors * cards_per_processor - 1e-9)).astype(int)
    jobs = [
        Job(
            f"{int(row[0])}",
            "batch",
            int(n),
            duration=float(row[3]),
            submit_time=float(row[1]),
            estimate=float(e),
        )
        for row, n, e in zip(table, cards, estimate, strict=True)
    ]
    return jobs, repairs
