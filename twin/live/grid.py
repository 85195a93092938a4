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
    offset : float
        When the first cycle since mission start begins [s].

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
        offset: float = 0.0,
    ):
        self.offset = offset
        self._ticks, self._aligner, self._settings = ticks, aligner, settings
        self._ahead = settings.ticks_ahead
        self._near = 0.011 * settings.step
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
        self.cycle = max(int(np.floor((first - 1e-6 - self.offset) / self._settings.cycle)), 0)
        self.time = self._edge(self.cycle)
        self._chunk = int((self.time - self.offset) // SPAN)
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
            begin = self.offset + self._chunk * SPAN
            for env in self._ticks(begin, begin + SPAN):
                if env.time + env.dt > after + 1e-6:
                    self._environments.append(env)
            self._chunk += 1

    def _edge(self, cycle: int) -> float:
        """Return when a cycle begins [s]."""
        return self.offset + cycle * self._settings.cycle

    @property
    def next_tick(self) -> TickEnvironment:
        """Environment of the next tick."""
        return self._environments[0]

    @property
    def cycle_begins(self) -> bool:
        """Whether the next tick is the first one of its cycle."""
        return self.time <= self._edge(self.cycle) + self._near

    @property
    def cycle_is_over(self) -> bool:
        """Whether the next tick belongs to the cycle after this one."""
        env = self.next_tick
        return env.time + env.dt > self._edge(self.cycle + 1) + self._near

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
        self._chunk = int(max(self.time - self.offset, 0.0) // SPAN)
        self._reach(self.time)
