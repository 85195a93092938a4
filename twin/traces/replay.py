"""Recorded activity for a job of a coupled run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twin.activity import TraceActivity
from twin.card_model import CardParameters
from twin.traces.duty_cycle import read_duty_cycle
from twin.traces.gpu_power import read_gpu_power
from twin.traces.repairs import Floats, Repairs, TraceError, check_columns, numeric, read_csv, sort_by_time

FORMATS = {"gpu-power": (".json",), "duty-cycle": (".tar.gz", ".tgz"), "csv": (".csv",)}
"""Formats of a replayed record and the endings by which they are told."""


def replay_activity(
    path: Path, card: CardParameters, form: str | None = None, speed: float = 1.0, repeat: bool = True
) -> tuple[TraceActivity, Repairs]:
    """Read a record as the activity of a job.

    ======== =====================================================================================
    format   what becomes activity
    ======== =====================================================================================
    gpu-power  mean board power of the recording: (P − static power of the card)/dynamic power
    duty-cycle mean duty cycle over the containers that were seen
    csv        our own: columns ``time`` [s] and ``activity`` [0 to 1], constant to the next row
    ======== =====================================================================================

    Parameters
    ----------
    path : Path
    card : CardParameters
        Kind of card on which it is replayed.
    form : str, optional
        One of `FORMATS`; told from the file's ending unless given.
    speed : float
        Seconds of record per second of run.
    repeat : bool
        Whether the record starts again at its end.

    Raises
    ------
    TraceError
        If the file is not there, its format is unknown, or it cannot be repaired.
    """
    if not path.is_file():
        raise TraceError(f"{path}: there is no such file; trace is relative to the case file")
    chosen = form or next((f for f, ends in FORMATS.items() if path.name.endswith(ends)), None)
    if chosen not in FORMATS:
        raise TraceError(
            f"{path}: format {chosen or 'not told by the ending'}; expected one of {', '.join(FORMATS)}"
        )
    read = {"gpu-power": _from_power, "duty-cycle": _from_duty_cycle, "csv": _from_csv}[chosen]
    time, activity, repairs = read(path, card)
    if time.size < 2:
        raise TraceError(f"{path}: {time.size} samples, expected at least 2")
    outside = (activity < 0.0) | (activity > 1.0)
    repairs.add(f"{path.name}: activity outside 0 to 1, clipped", int(outside.sum()))
    edges = np.append(time, time[-1] + np.median(np.diff(time))) - time[0]
    return TraceActivity(edges / speed, np.clip(activity, 0.0, 1.0), repeat), repairs


def _from_power(path: Path, card: CardParameters) -> tuple[Floats, Floats, Repairs]:
    trace = read_gpu_power(path)
    static = card.resident_power + card.leakage_power
    return trace.time, (trace.power.mean(axis=1) - static) / card.dynamic_power, trace.repairs


def _from_duty_cycle(path: Path, card: CardParameters) -> tuple[Floats, Floats, Repairs]:
    del card
    trace = read_duty_cycle(path)
    seen = ~np.isnan(trace.duty_cycle)
    total = np.where(seen, trace.duty_cycle, 0.0).sum(axis=1)
    mean = np.divide(total, seen.sum(axis=1), out=np.zeros_like(total), where=seen.any(axis=1))
    return trace.time, mean, trace.repairs


def _from_csv(path: Path, card: CardParameters) -> tuple[Floats, Floats, Repairs]:
    del card
    repairs = Repairs()
    frame = read_csv(path)
    check_columns(path, list(frame.columns), ("time", "activity"), (), repairs)
    time, activity = numeric(path, frame, "time"), numeric(path, frame, "activity")
    good = np.isfinite(time) & np.isfinite(activity)
    repairs.add(f"{path.name}: row without a number, dropped", int((~good).sum()))
    time, (activity,) = sort_by_time(time[good], (activity[good],), repairs, path.name)
    return time, activity, repairs
