"""Samples of a partition on their way into the bins of its ticks, and how far they say that the source has come."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from twin.live.align import Aligner
from twin.live.grid import CycleGrid
from twin.live.journal import Samples

Array = NDArray[np.float64]

FARTHEST = 30.0 * 86400.0
"""A time further ahead than this is no time of a sample [s]."""

_COLUMNS = ("parameter", "time", "value", "quality")


class Inbox:
    """Holds samples that are ahead of the open bins, and starts the grid with the first ones.

    A lone wrong clock moves nothing: for every step of the time several parameters must agree.

    Parameters
    ----------
    aligner : Aligner
    grid : CycleGrid
    """

    def __init__(self, aligner: Aligner, grid: CycleGrid):
        self._aligner, self._grid = aligner, grid
        self._quorum = max(4, aligner.parameters // 20)
        self._held: list[Samples] = []

    def put(self, samples: Samples) -> None:
        """Take in samples: parameter, time [s since mission start], value [SI], quality."""
        self._held.append(samples)

    def distribute(self) -> float | None:
        """Put samples into the open bins, hold those ahead of them.

        Returns
        -------
        float or None
            How far the source has come [s]; None before the first samples.
        """
        aligner, grid = self._aligner, self._grid
        if not self._held:
            return float(np.max(aligner.newest, initial=-np.inf)) if grid.tick else None
        parameter, time, value, quality = (np.concatenate(column) for column in zip(*self._held))
        self._held = []
        horizon = (grid.time if np.isfinite(grid.time) else 0.0) + FARTHEST
        sane = np.isfinite(time) & (time < horizon) & (time >= 0.0)
        if not sane.all():
            aligner.add(parameter[~sane], np.full(int((~sane).sum()), np.nan), value[~sane])
            parameter, time, value, quality = (v[sane] for v in (parameter, time, value, quality))
        if not grid.started:
            if time.size == 0:
                return None
            enough = min(self._quorum, max(len(time) // 2, 1))
            grid.start(float(np.sort(time)[min(len(time) - 1, enough)]))
        inside = time <= grid.open_until
        if inside.all():
            aligner.add(parameter, time, value, quality)
        else:
            aligner.add(parameter[inside], time[inside], value[inside], quality[inside])
            rest = ~inside
            self._held.append((parameter[rest], time[rest], value[rest], quality[rest]))
        return self._watermark(time[~inside])

    def _watermark(self, ahead: Array) -> float:
        inside = self._aligner.newest[np.isfinite(self._aligner.newest)]
        best = -np.inf
        if inside.size:
            k = min(self._quorum, inside.size) - 1
            best = float(-np.partition(-inside, k)[k])
        if ahead.size >= self._quorum:
            best = max(best, float(-np.partition(-ahead, self._quorum - 1)[self._quorum - 1]))
        return best

    # -- state ------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, NDArray]:
        """Return all that a restart needs."""
        if not self._held:
            return {}
        return {name: np.concatenate([held[i] for held in self._held]) for i, name in enumerate(_COLUMNS)}

    def restore(self, saved: Mapping[str, NDArray]) -> None:
        """Continue from a snapshot."""
        held = tuple(np.array(saved[name]) for name in _COLUMNS) if "time" in saved else None
        self._held = [] if held is None else [held]  # type: ignore[list-item]
