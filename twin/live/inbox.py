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

LEAP = 900.0
"""Times further ahead of the open bins than this must last before they are believed [s]: a clock may have jumped."""

PERSISTENT = 12
"""Different times for which they, or others after them, must have come."""

_COLUMNS = ("parameter", "time", "value", "quality")


class Inbox:
    """Holds samples that are ahead of the open bins, and starts the grid with the first ones.

    A lone wrong clock moves nothing: for every step of the time several parameters must agree, and a leap of time must
    last. Until then samples from after it are held; they are dropped when samples from before it go on.

    Parameters
    ----------
    aligner : Aligner
    grid : CycleGrid
    """

    def __init__(self, aligner: Aligner, grid: CycleGrid):
        self._aligner, self._grid = aligner, grid
        self._quorum = max(4, aligner.parameters // 20)
        self._held: list[Samples] = []
        self._known = 0
        self._others: set[float] = set()

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
        fresh = np.arange(len(time)) >= self._known
        self._held, self._known = [], 0
        horizon = (grid.time if np.isfinite(grid.time) else 0.0) + FARTHEST
        sane = np.isfinite(time) & (time < horizon) & (time >= 0.0)
        if not sane.all():
            self._drop(parameter[~sane])
            parameter, time, value, quality, fresh = (
                v[sane] for v in (parameter, time, value, quality, fresh)
            )
        if not grid.started:
            if time.size == 0:
                return None
            enough = min(self._quorum, max(len(time) // 2, 1))
            grid.start(float(np.sort(time)[min(len(time) - 1, enough)]))
        far = time > grid.open_until + LEAP
        if far.any() and self._wrong(parameter, time, far, fresh):
            self._drop(parameter[far])
            parameter, time, value, quality = (v[~far] for v in (parameter, time, value, quality))
            far = far[~far]
        inside = time <= grid.open_until
        if inside.all():
            aligner.add(parameter, time, value, quality)
        else:
            aligner.add(parameter[inside], time[inside], value[inside], quality[inside])
            rest = ~inside
            self._held.append((parameter[rest], time[rest], value[rest], quality[rest]))
            self._known = int(rest.sum())
        believed = ~inside & ~(far & (np.unique(time[far]).size < PERSISTENT))
        return self._watermark(parameter[believed], time[believed])

    def _drop(self, parameter: NDArray[np.int32]) -> None:
        """Count samples as invalid."""
        nothing = np.full(len(parameter), np.nan)
        self._aligner.add(parameter, nothing, nothing)

    def _wrong(
        self, parameter: NDArray[np.int32], time: Array, far: NDArray[np.bool_], fresh: NDArray[np.bool_]
    ) -> bool:
        """Whether samples from after a leap of time are of a wrong clock; all in the order in which they came."""
        last = int(np.flatnonzero(far)[-1])
        if fresh[last]:
            self._others = set()
        self._others |= set(np.unique(time[last + 1 :][fresh[last + 1 :]]).tolist())
        lasting = np.unique(time[far]).size >= PERSISTENT
        alone = np.unique(parameter[far]).size < self._quorum
        return (lasting and alone) or (not lasting and len(self._others) >= PERSISTENT)

    def _watermark(self, parameter: NDArray[np.int32], time: Array) -> float:
        """Return the time that enough parameters have come to, by what is in the bins and what is ahead of them [s]."""
        newest = self._aligner.newest.copy()
        known = (parameter >= 0) & (parameter < newest.size)
        np.maximum.at(newest, parameter[known], time[known])
        newest = newest[np.isfinite(newest)]
        if not newest.size:
            return -np.inf
        k = min(self._quorum, newest.size) - 1
        return float(-np.partition(-newest, k)[k])

    # -- state ------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, NDArray]:
        """Return all that a restart needs."""
        if not self._held:
            return {}
        saved = {name: np.concatenate([held[i] for held in self._held]) for i, name in enumerate(_COLUMNS)}
        return saved | {"others": np.array(sorted(self._others)), "known": np.array(self._known)}

    def restore(self, saved: Mapping[str, NDArray]) -> None:
        """Continue from a snapshot."""
        held = tuple(np.array(saved[name]) for name in _COLUMNS) if "time" in saved else None
        self._held = [] if held is None else [held]  # type: ignore[list-item]
        self._known = int(saved.get("known", np.array(0)))
        self._others = set(saved["others"].tolist()) if "others" in saved else set()
