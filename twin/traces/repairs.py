"""What readers of traces repair, and how they say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from twin.errors import BadInput

Floats = NDArray[np.float64]


CSV_ERRORS = (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OverflowError, OSError)
"""What pandas raises for a file that is no CSV (UnicodeDecodeError is a ValueError)."""


class TraceError(BadInput):
    """A trace that cannot be repaired; the message names the file, the row and the value."""


@dataclass
class Repairs:
    """Counts of what a reader mended.

    Attributes
    ----------
    counts : dict of str to int
        What was done, and to how many rows.
    unknown_columns : list of str
        Columns that the reader does not use, as ``file: column``.
    """

    counts: dict[str, int] = field(default_factory=dict)
    unknown_columns: list[str] = field(default_factory=list)

    def add(self, what: str, count: int) -> None:
        """Book a repair; nothing is booked for a count of zero."""
        if count:
            self.counts[what] = self.counts.get(what, 0) + int(count)

    @property
    def total(self) -> int:
        """Number of repaired rows."""
        return sum(self.counts.values())

    def lines(self) -> list[str]:
        """Sentences for people: one per kind of repair, one for unknown columns."""
        out = [f"{count} x {what}" for what, count in self.counts.items()]
        if self.unknown_columns:
            out.append("columns not used: " + ", ".join(self.unknown_columns))
        return out


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a parquet file.

    Raises
    ------
    TraceError
        If it is missing or not parquet.
    """
    if not path.is_file():
        raise TraceError(f"{path}: no such file; expected a parquet file")
    try:
        return pd.read_parquet(path)
    except Exception as error:  # a damaged file fails in as many ways as its parser has parts
        raise TraceError(f"{path}: not readable as parquet ({type(error).__name__}: {error})") from error


def read_csv(path: Path, **options: Any) -> pd.DataFrame:
    """Read a CSV file.

    Raises
    ------
    TraceError
        If it is missing or not CSV.
    """
    if not path.is_file():
        raise TraceError(f"{path}: no such file; expected a CSV file")
    try:
        return pd.read_csv(path, **options)
    except CSV_ERRORS as error:
        raise TraceError(f"{path}: not readable as CSV ({error})") from error


def check_columns(
    path: Path, columns: Sequence[str], needed: Sequence[str], optional: Sequence[str], repairs: Repairs
) -> None:
    """Name the columns that are missing (an error) and those that are not used.

    Raises
    ------
    TraceError
        If a needed column is missing.
    """
    missing = [name for name in needed if name not in columns]
    if missing:
        raise TraceError(
            f"{path}: no column {', '.join(missing)}; it has {', '.join(map(str, columns))}; "
            f"expected {', '.join(needed)}"
        )
    known = {*needed, *optional}
    repairs.unknown_columns += [f"{path.name}: {name}" for name in columns if name not in known]


def numeric(path: Path, frame: pd.DataFrame, column: str) -> Floats:
    """Values of a column as floats; missing values become NaN.

    Raises
    ------
    TraceError
        If a value is not a number; the row is named.
    """
    try:
        values = pd.to_numeric(frame[column], errors="coerce").to_numpy(float, na_value=np.nan)
    except (OverflowError, TypeError, ValueError) as error:
        raise TraceError(f"{path}: column {column}: not all are numbers ({error})") from None
    bad = np.flatnonzero(np.isnan(values) & frame[column].notna().to_numpy())
    if bad.size:
        value = frame[column].iloc[bad[0]]
        raise TraceError(f"{path}: row {bad[0]}, column {column}: '{value}' is not a number")
    return values


def first_bad(path: Path, column: str, values: ArrayLike, bad: NDArray[np.bool_], expected: str) -> None:
    """Raise for the first bad row.

    Raises
    ------
    TraceError
        If any entry of `bad` is true.
    """
    rows = np.flatnonzero(bad)
    if rows.size:
        value: Any = np.asarray(values)[rows[0]]
        more = f" (and {rows.size - 1} more)" if rows.size > 1 else ""
        raise TraceError(f"{path}: row {rows[0]}, column {column}: {value}, expected {expected}{more}")


def sort_by_time(
    time: Floats, columns: Sequence[Floats], repairs: Repairs, name: str
) -> tuple[Floats, tuple[Floats, ...]]:
    """Sort rows by time and drop repeated times, keeping the last."""
    if time.size and (np.diff(time) < 0.0).any():
        repairs.add(f"{name}: row out of time order, sorted", int((np.diff(time) < 0.0).sum()))
        order = np.argsort(time, kind="stable")
        time, columns = time[order], tuple(c[order] for c in columns)
    keep = np.append(np.diff(time) > 0.0, True) if time.size else np.zeros(0, bool)
    repairs.add(f"{name}: repeated time, last row kept", int((~keep).sum()))
    return time[keep], tuple(c[keep] for c in columns)
