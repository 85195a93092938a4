"""Reader of GPU board-power recordings in JSON (eve123xy/power-traces-browser).

One object per file: ``ts`` (s), ``pw`` (W, sum of the GPUs), ``per_gpu`` (name to list of W), ``phases``
(phase, t_start, t_end) and ``run_id``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twin.traces.repairs import Floats, Repairs, TraceError, first_bad, sort_by_time


@dataclass(frozen=True)
class GpuPowerTrace:
    """Board power of the GPUs of one run.

    Attributes
    ----------
    name : str
        Name of the run.
    time : ndarray, shape (sample,)
        Time, increasing [s].
    power : ndarray, shape (sample, gpu)
        Board power [W].
    phases : tuple of (str, float, float)
        Name, start and end of each phase [s].
    repairs : Repairs
        What was mended.
    """

    name: str
    time: Floats
    power: Floats
    phases: tuple[tuple[str, float, float], ...]
    repairs: Repairs


def _series(path: Path, name: str, values: object) -> Floats:
    if not isinstance(values, list):
        raise TraceError(f"{path}: '{name}' is {type(values).__name__}, expected a list of numbers")
    for row, value in enumerate(values):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise TraceError(f"{path}: row {row} of '{name}': {value!r} is not a number")
    try:
        return np.array([np.nan if v is None else v for v in values], dtype=float)
    except OverflowError as error:
        raise TraceError(f"{path}: '{name}': {error}") from None


def read_gpu_power(path: Path) -> GpuPowerTrace:
    """Read one recording.

    Repaired and counted: missing or negative power (interpolated in time), unsorted and repeated times, gaps
    of more than three steps (counted only).

    Parameters
    ----------
    path : Path
        JSON file.

    Returns
    -------
    GpuPowerTrace
        The recording.

    Raises
    ------
    TraceError
        If the file is not JSON of this layout or a row cannot be repaired.
    """
    path = Path(path)
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError:
        raise TraceError(f"{path}: no such file; expected a JSON recording of GPU power") from None
    except (ValueError, RecursionError, OSError) as error:
        raise TraceError(f"{path}: not readable as JSON ({error})") from error
    if not isinstance(data, dict) or "ts" not in data or not ("per_gpu" in data or "pw" in data):
        found = ", ".join(data) if isinstance(data, dict) else type(data).__name__
        raise TraceError(f"{path}: it has {found}; expected an object with 'ts' and 'per_gpu' or 'pw'")
    repairs = Repairs()
    known = {"ts", "pw", "per_gpu", "phases", "run_id", "is_sustained"}
    repairs.unknown_columns += [f"{path.name}: {key}" for key in data if key not in known]
    time = _series(path, "ts", data["ts"])
    first_bad(path, "ts", time, ~np.isfinite(time), "a time in s")
    boards = data.get("per_gpu") or {"0": data.get("pw")}
    if not isinstance(boards, dict):
        raise TraceError(f"{path}: 'per_gpu' is {type(boards).__name__}, expected lists of W by name")
    columns = []
    for name, values in boards.items():
        column = _series(path, f"per_gpu.{name}", values)
        if column.shape != time.shape:
            raise TraceError(f"{path}: per_gpu.{name} has {column.size} rows, 'ts' has {time.size}")
        columns.append(column)
    time, columns = _sorted(path, time, columns, repairs)
    power = np.column_stack([_mend(path, time, column, repairs) for column in columns])
    steps = np.diff(time)
    repairs.add("gap of more than three steps, left as it is", int((steps > 3.0 * np.median(steps)).sum()))
    phases = _phases(path, data.get("phases", []))
    return GpuPowerTrace(str(data.get("run_id", path.stem)), time, power, phases, repairs)


def _phases(path: Path, listed: object) -> tuple[tuple[str, float, float], ...]:
    if not isinstance(listed, list):
        raise TraceError(f"{path}: 'phases' is {type(listed).__name__}, expected a list")
    try:
        return tuple((str(p["phase"]), float(p["t_start"]), float(p["t_end"])) for p in listed)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise TraceError(
            f"{path}: 'phases': {error!r}; expected objects with phase, t_start and t_end in s"
        ) from None


def _sorted(path: Path, time: Floats, columns: list[Floats], repairs: Repairs) -> tuple[Floats, list[Floats]]:
    time, sorted_columns = sort_by_time(time, columns, repairs, path.name)
    if time.size < 2:
        raise TraceError(f"{path}: {time.size} distinct times, expected at least 2")
    return time, list(sorted_columns)


def _mend(path: Path, time: Floats, column: Floats, repairs: Repairs) -> Floats:
    """Interpolate missing and negative values."""
    good: NDArray[np.bool_] = np.isfinite(column) & (column >= 0.0)
    if not good.any():
        raise TraceError(f"{path}: row 0: no usable power in a whole column, expected W >= 0")
    repairs.add("power missing, interpolated", int((~np.isfinite(column)).sum()))
    repairs.add("power negative, interpolated", int((np.isfinite(column) & (column < 0.0)).sum()))
    return np.interp(time, time[good], column[good])
