"""Progress of a run: the training of its reduced model if that is needed, then the simulated time."""

from __future__ import annotations

import time as clock
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from twin.cli.console import Progress, progress

if TYPE_CHECKING:
    from twin.simulation import Tick


class RunProgress:
    """One bar after the other.

    Parameters
    ----------
    name : str
        Of the case.
    """

    def __init__(self, name: str):
        self._name = name
        self._stack = ExitStack()
        self._shown = ""
        self._bar: Progress | None = None
        self._begun: tuple[float, float] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _show(self, what: str) -> Progress:
        if self._bar is None or self._shown != what:
            self._stack.close()  # a terminal shows one bar at a time
            self._bar, self._shown = self._stack.enter_context(progress(what, 1.0)), what
        return self._bar

    def train(self, what: str, share: float) -> None:
        """Show how far the training of a reduced model is."""
        self._show("training the reduced model (once; it is kept)").update(share, what)

    def watch(self, tick: Tick, stop: float) -> None:
        """Show the simulated time, and its ratio to real time."""
        now = clock.monotonic()
        self._begun = self._begun or (tick.end, now)
        first, since = self._begun
        pace = f", {(tick.end - first) / (now - since):.0f} x real time" if now > since else ""
        note = f"{tick.end / 3600.0:.2f} of {stop / 3600.0:.2f} h{pace}"
        self._show(f"simulating {self._name}").update(tick.end / stop, note)
