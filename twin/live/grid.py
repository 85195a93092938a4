"""The time of a partition: the ticks of its model, the bins that are open for samples, and the cycles of analyses."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from twin.environment_track import TickEnvironment
from twin.live.align import Aligner
from twin.live.settings import LiveSettings

SPAN = 1800.0
"""Length of the stretches in which the environment is computed ahead [s]."""


class CycleGrid:
    """Ticks and cycles of a partition; every tick has a bin of the aligner.

    Parameters
    ----------
    ticks : callable
        Yields the environment of the ticks of a span [s since mission start].
    aligner : Aligner
    settings : LiveSettings

    Attributes
    ----------
    time : float
        Up to which the model has come [s].
    tick : int
        Ticks so far, the number of the next one.
    cycle : int
        Number of the next cycle since mission start.
    open_until : float
        End of the last open bin [s]; infinitely long ago before the start.
    """

    def __init__(
        self,
        ticks: Callable[[float, float], Iterator[TickEnvironment]],
        aligner: Aligner,
        settings: LiveSettings,
    ):
        self._ticks, self._aligner, self._settings = ticks, aligner, settings
        self._ahead = settings.ticks_ahead
        self._environments: deque[TickEnvironment] = deque()
        self._chunk = 0
        self.time, self.open_until = -np.inf, -np.inf
        self.tick, self.cycle = 0, 0

    @property
    def started(self) -> bool:
        """Whether there was a first sample."""
        return bool(np.isfinite(self.open_until))

    def start(self, first: float) -> None:
        """Let the first cycle begin with the tick that the first samples [s] are in."""
        self.cycle = max(int(np.floor((first - 1e-6) / self._settings.cycle)), 0)
        self.time = self.cycle * self._settings.cycle
        self._chunk = int(self.time // SPAN)
        self._environments.clear()
        self.open_until = self.time
        self.open()

    def open(self) -> None:
        """Have ticks and bins open for the next cycles."""
        self._reach(self.open_until)
        for env in list(self._environments)[: self._ahead]:
            end = env.time + env.dt
            if self.open_until + 1e-6 < end <= self.time + 2.0 * self._settings.cycle + 1e-6:
                self._aligner.open_bin(self.open_until, end)
                self.open_until = end

    def _reach(self, after: float) -> None:
        """Compute the environment of enough ticks that end after a time [s]."""
        while len(self._environments) < self._ahead:
            begin = self._chunk * SPAN
            for env in self._ticks(begin, begin + SPAN):
                if env.time + env.dt > after + 1e-6:
                    self._environments.append(env)
            self._chunk += 1

    def of_cycle(self) -> list[TickEnvironment]:
        """Return the ticks of the next cycle."""
        end = (self.cycle + 1) * self._settings.cycle
        near = 0.011 * self._settings.step
        return [env for env in self._environments if env.time + env.dt <= end + near]

    def advance(self) -> None:
        """Go to the end of the next tick."""
        env = self._environments.popleft()
        self.time = env.time + env.dt
        self.tick += 1

    def next_cycle(self) -> None:
        """Go on to the next cycle."""
        self.cycle += 1
        self.open()

    # -- state ------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, NDArray]:
        """Return all that a restart needs."""
        return {
            "time": np.array(self.time), "tick": np.array(self.tick), "cycle_number": np.array(self.cycle),
            "open_until": np.array(self.open_until),
        }  # fmt: skip

    def restore(self, saved: Mapping[str, NDArray]) -> None:
        """Continue from a snapshot; the environment is computed again."""
        self.time, self.tick = float(saved["time"]), int(saved["tick"])
        self.cycle, self.open_until = int(saved["cycle_number"]), float(saved["open_until"])
        self._environments.clear()
        self._chunk = int(self.time // SPAN)
        self._reach(self.time)
