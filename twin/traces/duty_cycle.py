"""Reader of GPU duty cycles per container (cluster-trace-v2026-GenAI of alibaba/clusterdata).

A tar archive holds CSV files with the columns ``value`` (percent of the time that the GPU was busy),
``timestamp_anon`` (s) and ``container_ip`` (anonymous name of the container).
"""

from __future__ import annotations

import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from twin.activity import TraceActivity
from twin.traces.repairs import (
    CSV_ERRORS,
    Floats,
    Repairs,
    TraceError,
    check_columns,
    first_bad,
    numeric,
    read_csv,
)

LARGEST_TABLE = 4e9
"""Most that is unpacked from an archive, or laid out on the time axis [bytes]."""


@dataclass(frozen=True)
class DutyCycleTrace:
    """Duty cycle of containers on one time axis.

    Attributes
    ----------
    containers : ndarray of str, shape (container,)
        Names.
    time : ndarray, shape (sample,)
        Time since the first sample, evenly spaced [s].
    duty_cycle : ndarray, shape (sample, container)
        Share of time busy; NaN where the container was not seen [1].
    repairs : Repairs
        What was mended.
    """

    containers: NDArray[np.str_]
    time: Floats
    duty_cycle: Floats
    repairs: Repairs

    def activity(self, container: int, longest_gap: float = 600.0) -> TraceActivity:
        """Activity of one container for a job.

        Parameters
        ----------
        container : int
            Index.
        longest_gap : float
            Gaps up to this length hold the last value, longer ones are idle [s].

        Returns
        -------
        TraceActivity
            Piecewise constant activity, repeated at its end.
        """
        step = float(self.time[1] - self.time[0])
        column = pd.Series(self.duty_cycle[:, container])
        held = column.ffill(limit=max(int(longest_gap // step), 1)).fillna(0.0).to_numpy(float)
        return TraceActivity(np.append(self.time, self.time[-1] + step), np.asarray(held, dtype=np.float64))


def read_duty_cycle(path: Path) -> DutyCycleTrace:
    """Read an archive of duty cycles.

    Repaired and counted: values above 100 (lowered) and below 0 (raised), missing values (left out), times
    out of order (sorted), several values of one container at one time (averaged), gaps (NaN).

    Parameters
    ----------
    path : Path
        A ``.tar.gz`` with CSV files, or one CSV file.

    Returns
    -------
    DutyCycleTrace
        The trace.

    Raises
    ------
    TraceError
        If the file or a column is missing, or a row cannot be repaired.
    """
    path = Path(path)
    if not path.is_file():
        raise TraceError(f"{path}: no such file; expected a tar.gz or CSV of duty cycles")
    repairs = Repairs()
    frame = _read_frames(path)
    check_columns(path, list(frame.columns), ["value", "timestamp_anon", "container_ip"], [], repairs)
    value = numeric(path, frame, "value")
    time = numeric(path, frame, "timestamp_anon")
    first_bad(path, "timestamp_anon", time, ~np.isfinite(time), "a time in s")
    good = np.isfinite(value) & frame["container_ip"].notna().to_numpy()
    repairs.add("value or container missing, row left out", int((~good).sum()))
    repairs.add("value below 0 %, set to 0", int((value[good] < 0.0).sum()))
    repairs.add("value above 100 %, set to 100", int((value[good] > 100.0).sum()))
    value, time = np.clip(value[good], 0.0, 100.0) / 100.0, time[good]
    if np.unique(time).size < 2:
        raise TraceError(
            f"{path}: {np.unique(time).size} distinct times in {len(frame)} rows, expected at least 2"
        )
    names, container = np.unique(frame["container_ip"].to_numpy()[good].astype(str), return_inverse=True)
    per_container = np.lexsort((np.arange(time.size), container))
    backwards = (np.diff(time[per_container]) < 0.0) & (np.diff(container[per_container]) == 0)
    repairs.add("row out of time order within its container, sorted", int(backwards.sum()))
    step = float(np.median(np.diff(np.unique(time))))
    longest = (time.max() - time.min()) / step + 1.0
    if not longest * names.size * 8.0 < LARGEST_TABLE:
        raise TraceError(
            f"{path}: times from {time.min():g} s to {time.max():g} s in steps of {step:g} s make {longest:.3g} rows "
            f"of {names.size} containers; expected times near each other"
        )
    slot = np.round((time - time.min()) / step).astype(np.int64)
    rows = int(slot.max()) + 1
    flat = slot * names.size + container
    count = np.bincount(flat, minlength=rows * names.size)
    repairs.add("several values of a container at one time, averaged", int((count - 1)[count > 1].sum()))
    with np.errstate(invalid="ignore"):
        mean = np.bincount(flat, value, minlength=rows * names.size) / np.where(count > 0, count, np.nan)
    table: Floats = np.asarray(mean, dtype=np.float64).reshape(rows, names.size)
    first, last = np.full(names.size, rows), np.zeros(names.size, np.int64)
    np.minimum.at(first, container, slot)
    np.maximum.at(last, container, slot)
    alive = (np.arange(rows)[:, None] >= first) & (np.arange(rows)[:, None] <= last)
    repairs.add(
        "time without a value while the container lived, left as a gap", int((alive & np.isnan(table)).sum())
    )
    return DutyCycleTrace(names, np.arange(rows, dtype=np.float64) * step, table, repairs)


def _read_frames(path: Path) -> pd.DataFrame:
    """All CSV files of an archive in one table."""
    if path.suffix == ".csv":
        return read_csv(path)
    try:
        with tarfile.open(path) as archive:
            members = [m for m in archive.getmembers() if m.isfile() and m.name.endswith(".csv")]
            size = sum(member.size for member in members)
            if size > LARGEST_TABLE:
                raise TraceError(
                    f"{path}: {size / 1e9:.1f} GB of CSV; at most {LARGEST_TABLE / 1e9:g} GB are read"
                )
            streams = [archive.extractfile(m) for m in members]
            frames = [pd.read_csv(stream) for stream in streams if stream is not None]
    except TraceError:
        raise
    except (tarfile.TarError, EOFError, zlib.error, KeyError, *CSV_ERRORS) as error:
        raise TraceError(f"{path}: not readable as a tar archive of CSV files ({error})") from error
    if not frames:
        raise TraceError(f"{path}: no CSV file in the archive")
    return pd.concat(frames, ignore_index=True)
