"""Readings that stand alone: far from what was expected at one time, and back at the next."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ALONE = 8.0
"""Standard deviations from the middle one of a cycle at which a reading stands alone."""

PLAIN = 3.0
"""For how many wild readings the farthest one counts."""


class SpikeWatch:
    """Tells spikes from steps: what stays after it has changed is no spike.

    Parameters
    ----------
    shape : (int, int)
        Modules and sensors.
    """

    def __init__(self, shape: tuple[int, int]):
        self.last = np.full(shape, np.nan)
        self.doubt, self.doubtful = np.zeros(shape), np.full(shape, np.nan)

    def follow(self, gaps: Array, spread: Array) -> tuple[NDArray[np.bool_], Array]:
        """Take in a cycle.

        Parameters
        ----------
        gaps : (tick, module, sensor) array
            Observed less predicted, NaN where nothing was seen.
        spread : (tick, module, sensor) array
            Standard deviation of what is honest about their differences.

        Returns
        -------
        alone : (tick, module, sensor) bool array
            What is left out of the mean of the cycle.
        wild : (module, sensor) array
            Spikes that are sure now: those after which there was a reading that is back. Each counts from 1 for one
            just beyond `ALONE` to `PLAIN` for one that is as many times as far.
        """
        far = self._distance(gaps, spread)
        alone, wild = far > ALONE, np.zeros(self.last.shape)
        for gap, width, distance in zip(gaps, spread, far):
            there = np.isfinite(gap)
            back = there & (np.abs(gap - self.doubtful) > ALONE * width)
            wild += np.where(back, self.doubt, 0.0)
            self.doubt = np.where(there, 0.0, self.doubt)
            left = np.isnan(self.last) | (np.abs(gap - self.last) > ALONE * width)
            new = there & left & (distance > ALONE)
            self.doubt = np.where(new, np.minimum(distance / ALONE, PLAIN), self.doubt)
            self.doubtful = np.where(new, gap, np.where(there, np.nan, self.doubtful))
            self.last = np.where(there, gap, self.last)
        return alone, wild

    def _distance(self, gaps: Array, spread: Array) -> Array:
        """How far gaps are from the middle one of the cycle, and of the last one before where there are few."""
        count = np.isfinite(gaps).sum(axis=0)
        among = np.concatenate([gaps, np.where(count < 3, self.last, np.nan)[None]])
        count = np.isfinite(among).sum(axis=0)
        order = np.sort(np.where(np.isnan(among), np.inf, among), axis=0)
        low = np.take_along_axis(order, np.maximum((count - 1) // 2, 0)[None], axis=0)[0]
        middle = np.where(count >= 3, low, np.nan)
        return np.asarray(np.nan_to_num(np.abs(gaps - middle) / spread))

    # -- state ------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, NDArray]:
        """Return all that a restart needs."""
        return {"last": self.last.copy(), "doubt": self.doubt.copy(), "doubtful": self.doubtful.copy()}

    def restore(self, saved: Mapping[str, NDArray]) -> None:
        """Continue from a snapshot."""
        self.last, self.doubt, self.doubtful = (np.array(saved[n]) for n in ("last", "doubt", "doubtful"))
