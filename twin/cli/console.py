"""What commands print with: messages, tables, JSON and progress.

Tables and JSON go to standard output, progress and errors to standard error: a pipe carries results only.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

__all__ = [
    "Progress",
    "error_console",
    "output_console",
    "print_error",
    "print_json",
    "print_table",
    "progress",
]


PIPE_WIDTH = 160
"""Columns of output that does not go to a terminal, which has no width of its own."""


def output_console() -> Console:
    """Console for results, on standard output."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(highlight=False, soft_wrap=True, width=width)


def error_console() -> Console:
    """Console for progress and errors, on standard error."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def print_error(error: Exception) -> None:
    """Print an expected error: for a case one line per problem, coloured on a terminal."""
    from twin.case.errors import MOST_SHOWN
    from twin.errors import DawnduskError

    console = error_console()
    problems = getattr(error, "problems", None)
    if not isinstance(problems, tuple):
        kind = "error" if isinstance(error, DawnduskError) else "solver error"
        console.print(f"[bold red]{kind}:[/] {escape(str(error))}")
        return
    for problem in problems[:MOST_SHOWN]:
        key = f" [bold]{escape(problem.key)}[/]:" if problem.key else ""
        console.print(f"[cyan]{escape(problem.place)}[/]:{key} {escape(problem.message)}")
    if len(problems) > 1:
        shown = f", the first {MOST_SHOWN} are shown" if len(problems) > MOST_SHOWN else ""
        console.print(f"[bold red]{len(problems)} problems[/]{shown}")


def print_json(data: Any) -> None:
    """Print data as JSON on standard output."""
    json.dump(data, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, as_json: bool = False
) -> None:
    """Print a table, or the same as JSON: a list with one mapping per row.

    Parameters
    ----------
    title : str
        Above the table.
    columns : sequence of str
        Headings, with units where they have one: `power [kW]`.
    rows : sequence of sequences
        Cells; numbers are aligned to the right.
    as_json : bool
        Print JSON instead.

    Raises
    ------
    ValueError
        If a row has another number of cells than there are columns.
    """
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"a row has {len(row)} cells, expected {len(columns)}: {row!r}")
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left", header_style="bold")
    for i, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[i], int | float) for row in rows)
        written = bool(rows) and all(_WRITTEN_NUMBER.fullmatch(_cell(row[i])) for row in rows)
        table.add_column(escape(name), justify="right" if numeric or written else "left", no_wrap=numeric)
    for row in rows:
        table.add_row(*(escape(_cell(value)) for value in row))
    console = output_console()
    console.print(table, soft_wrap=False)


_WRITTEN_NUMBER = re.compile(r"[≤≥ ]*[-+]?[\d,.]+( ?%)?|–|")
"""What a cell with a number, or with none, looks like."""


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)


LINE_INTERVAL = 60.0
"""Longest silence of a long task that has no terminal [s]."""


class Progress:
    """Position in a long task; `advance` and `update` may be called as often as one likes.

    Parameters
    ----------
    description : str
        What is being done.
    total : float
        Where it ends, in any unit.
    """

    def __init__(self, description: str, total: float) -> None:
        self.description = description
        self.total = total
        self.completed = 0.0

    def advance(self, step: float = 1.0, note: str = "") -> None:
        """Move on by a step."""
        self.update(self.completed + step, note)

    def update(self, completed: float, note: str = "") -> None:
        """Move to a position; `note` says something about now."""
        self.completed = completed
        self._show(note)

    def _show(self, note: str) -> None:
        raise NotImplementedError


class _LineProgress(Progress):
    """One plain line every tenth of the way, and every minute, for logs and pipes."""

    def __init__(self, description: str, total: float, console: Console) -> None:
        super().__init__(description, total)
        self._console = console
        self._start = self._last = time.monotonic()
        self._printed = 0

    def _show(self, note: str) -> None:
        tenth = int(10.0 * min(self.completed / self.total, 1.0) + 1e-9) if self.total > 0.0 else 10
        now = time.monotonic()
        if tenth <= self._printed and now - self._last < LINE_INTERVAL:
            return
        self._printed, self._last = max(tenth, self._printed), now
        words = f"  {note}" if note else ""
        share = 100.0 * min(self.completed / self.total, 1.0) if self.total > 0.0 else 100.0
        self._console.print(
            f"{self.description}: {share:3.0f} %  {now - self._start:.1f} s{words}", markup=False
        )


class _BarProgress(Progress):
    """A bar with the time left, for terminals."""

    def __init__(self, description: str, total: float, bars: RichProgress, task: TaskID) -> None:
        super().__init__(description, total)
        self._bars = bars
        self._task = task

    def _show(self, note: str) -> None:
        self._bars.update(self._task, completed=self.completed, note=note)


@contextmanager
def progress(description: str, total: float) -> Iterator[Progress]:
    """Show how far a long task is: a bar on a terminal, a line every tenth otherwise.

    Parameters
    ----------
    description : str
        What is being done.
    total : float
        Where it ends, in any unit: seconds simulated, samples, orbits.

    Examples
    --------
    >>> with progress("simulating", 3600.0) as shown:
    ...     for time in range(0, 3601, 600):
    ...         shown.update(time)
    """
    console = error_console()
    if not console.is_terminal:
        yield _LineProgress(description, total, console)
        return
    from rich.progress import (
        BarColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Bars(*columns, console=console) as bars:
        yield _BarProgress(description, total, bars, bars.add_task(description, total=total, note=""))


def print_mapping(title: str, values: Mapping[str, Any], *, as_json: bool = False) -> None:
    """Print names and values in two columns, or as a JSON mapping."""
    if as_json:
        print_json(dict(values))
        return
    print_table(title, ("", ""), [(key, value) for key, value in values.items()])
