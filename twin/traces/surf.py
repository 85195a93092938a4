"""Reader of the SURF cluster week: tasks, fragments of processor use, and measured power.

A directory holds ``tasks.parquet`` (id, submission_time, duration ms, cpu_count, cpu_capacity MHz,
mem_capacity), ``fragments.parquet`` (id, duration ms, cpu_count, cpu_usage MHz; the fragments of a task
follow one another from its submission) and ``consumption*.parquet`` (timestamp ms at the end of each interval
since the start of the trace, power_draw W) [1]_.

References
----------
.. [1] atlarge-research/opendt, "SURF workload and consumption traces".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from twin.traces.repairs import (
    Floats,
    Repairs,
    TraceError,
    check_columns,
    first_bad,
    numeric,
    read_parquet,
    sort_by_time,
)


@dataclass(frozen=True)
class SurfTrace:
    """Fragments on a time axis, and the measured power.

    Attributes
    ----------
    task : ndarray of int, shape (fragment,)
        Task of each fragment.
    start, duration : ndarray, shape (fragment,)
        Start since the beginning of the trace, and length [s].
    utilisation : ndarray, shape (fragment,)
        Processor use over the task's capacity [1].
    power_time : ndarray, shape (sample,)
        End of each measured interval [s].
    power : ndarray, shape (sample,)
        Measured power of the cluster [W].
    step : float
        Cadence of the measured power [s].
    length : float
        End of the trace, a whole number of steps [s].
    repairs : Repairs
        What was mended.
    """

    task: NDArray[np.int64]
    start: Floats
    duration: Floats
    utilisation: Floats
    power_time: Floats
    power: Floats
    step: float
    length: float
    repairs: Repairs


def _read_tasks(path: Path, repairs: Repairs) -> tuple[NDArray[np.str_], Floats, Floats]:
    """Ids, submission times [s since the first] and capacities [MHz]."""
    frame = read_parquet(path)
    check_columns(
        path,
        list(frame.columns),
        ["id", "submission_time", "cpu_capacity"],
        ["duration", "cpu_count", "mem_capacity"],
        repairs,
    )
    submitted = pd.to_datetime(frame["submission_time"], errors="coerce", utc=True)
    first_bad(path, "submission_time", frame["submission_time"], submitted.isna().to_numpy(), "a time")
    capacity = numeric(path, frame, "cpu_capacity")
    first_bad(path, "cpu_capacity", capacity, ~(capacity > 0.0), "a capacity > 0")
    ids = frame["id"].astype(str).to_numpy(str)
    repeated = pd.Series(ids).duplicated().to_numpy()
    first_bad(path, "id", ids, repeated, "an id that no earlier row has")
    seconds = np.asarray((submitted - submitted.min()).dt.total_seconds(), dtype=float)
    return ids, seconds, capacity


def _read_power(path: Path, repairs: Repairs) -> tuple[Floats, Floats]:
    """End of each interval [s] and power [W], sorted, without unusable rows."""
    frame = read_parquet(path)
    check_columns(path, list(frame.columns), ["timestamp", "power_draw"], ["host", "energy_usage"], repairs)
    time = numeric(path, frame, "timestamp") / 1000.0
    first_bad(path, "timestamp", time, ~np.isfinite(time), "a time in ms")
    power = numeric(path, frame, "power_draw")
    good = np.isfinite(power) & (power > 0.0)
    repairs.add(
        f"{path.name}: power_draw missing, infinite or not positive, row left out", int((~good).sum())
    )
    time, (power,) = sort_by_time(time[good], (power[good],), repairs, path.name)
    if time.size < 2:
        raise TraceError(f"{path}: {time.size} usable rows of {len(frame)}, expected at least 2")
    gaps = np.round(np.diff(time) / np.median(np.diff(time))) - 1.0
    repairs.add(f"{path.name}: interval without a measurement", int(gaps[gaps > 0].sum()))
    return time, power


def read_surf(directory: Path) -> SurfTrace:
    """Read a directory in the layout of the SURF week.

    Repaired and counted: use that is missing (the task's last value is held), negative (0) or above the
    capacity (the capacity); fragments of unknown tasks (left out); power that is missing or not positive
    (left out); unsorted and repeated times.

    Parameters
    ----------
    directory : Path
        Where the parquet files are.

    Returns
    -------
    SurfTrace
        The trace.

    Raises
    ------
    TraceError
        If a file or column is missing, or a row cannot be repaired.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise TraceError(
            f"{directory}: no such directory; expected tasks, fragments and consumption parquet files"
        )
    repairs = Repairs()
    ids, submitted, capacity = _read_tasks(directory / "tasks.parquet", repairs)
    path = directory / "fragments.parquet"
    frame = read_parquet(path)
    check_columns(path, list(frame.columns), ["id", "duration", "cpu_usage"], ["cpu_count"], repairs)
    task = pd.Index(ids).get_indexer(pd.Index(frame["id"].astype(str)))
    duration = numeric(path, frame, "duration") / 1000.0
    first_bad(path, "duration", duration, ~(np.isfinite(duration) & (duration > 0.0)), "a length > 0 ms")
    usage = numeric(path, frame, "cpu_usage")
    known = task >= 0
    repairs.add(
        "fragments.parquet: fragment of a task that tasks.parquet does not have, left out",
        int((~known).sum()),
    )
    if not known.any():
        raise TraceError(
            f"{path}: none of {len(frame)} fragments belongs to a task of tasks.parquet; check the ids"
        )
    task, duration, usage = task[known], duration[known], usage[known]
    # The fragments of a task keep their order; a stable sort brings together those that are not neighbours.
    if np.count_nonzero(np.diff(task)) + 1 > np.unique(task).size:
        order = np.argsort(task, kind="stable")
        moved = int((np.diff(task) < 0).sum())
        repairs.add("fragments.parquet: tasks interleaved, fragments gathered by task", moved)
        task, duration, usage = task[order], duration[order], usage[order]
    usage = _mend_usage(task, usage, capacity[task], repairs)
    opens = np.append(True, np.diff(task) != 0)
    clock = np.concatenate([[0.0], np.cumsum(duration)[:-1]])
    since = clock - np.repeat(clock[opens], np.diff(np.append(np.flatnonzero(opens), task.size)))
    repairs.add(
        "tasks.parquet: task without fragments, not seen in the load", ids.size - np.unique(task).size
    )
    files = sorted(directory.glob("consumption*.parquet"))
    if not files:
        raise TraceError(f"{directory}: no consumption*.parquet; the model is fitted to measured power")
    pieces = [_read_power(file, repairs) for file in files]
    time, (power,) = sort_by_time(
        np.concatenate([p[0] for p in pieces]),
        (np.concatenate([p[1] for p in pieces]),),
        repairs,
        "consumption",
    )
    step = float(np.median(np.diff(time)))
    start = submitted[task] + since
    length = max(np.ceil((start + duration).max() / step - 1e-6) * step, time[-1])
    return SurfTrace(task, start, duration, usage / capacity[task], time, power, step, float(length), repairs)


def _mend_usage(task: NDArray[np.int64], usage: Floats, capacity: Floats, repairs: Repairs) -> Floats:
    """Hold missing values within a task, lift negative ones to 0, lower those above the capacity."""
    missing = ~np.isfinite(usage)
    if missing.any():
        held = pd.Series(np.where(missing, np.nan, usage)).groupby(task).ffill().fillna(0.0).to_numpy()
        repairs.add("fragments.parquet: cpu_usage missing, last value of the task held", int(missing.sum()))
        usage = np.asarray(held)
    repairs.add("fragments.parquet: cpu_usage negative, set to 0", int((usage < 0.0).sum()))
    repairs.add(
        "fragments.parquet: cpu_usage above the capacity, lowered to it", int((usage > capacity).sum())
    )
    return np.clip(usage, 0.0, capacity)
