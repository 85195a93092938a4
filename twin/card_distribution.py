"""How a quantity is distributed over the cards of each sub-center, in one pass over millions of them."""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

EXACT_CARDS = 20_000
"""Up to this many cards of a sub-center quantiles come from the sorted values."""

CHUNKS = 16
"""Parts of the fleet that are counted side by side; a fixed number, so that threads change nothing."""


@dataclass(frozen=True)
class CardDistribution:
    """Cards of each sub-center by value.

    Attributes
    ----------
    start, width : float
        Lower edge of the first bin and width of every bin.
    counts : (sub_center, bin) int array
        Values beyond the ends are in the end bins.
    lowest, highest : (sub_center,) arrays
        Extremes; NaN for a sub-center without cards.
    """

    start: float
    width: float
    counts: NDArray[np.int64]
    lowest: Array
    highest: Array

    def quantiles(self, shares: ArrayLike) -> Array:
        """Return quantiles, linear inside a bin and exact at the ends, shape (sub_center, share)."""
        wanted = np.atleast_1d(np.asarray(shares, dtype=float))
        edges = self.start + self.width * np.arange(self.counts.shape[1] + 1)
        out = np.full((len(self.counts), wanted.size), np.nan)
        for center, counts in enumerate(self.counts):
            total = counts.sum()
            if total:
                below = np.concatenate([[0], np.cumsum(counts)])
                filled = np.flatnonzero(counts)
                # Between filled bins the cumulative count is flat: its ends alone make it invertible.
                x = np.concatenate([edges[filled], edges[filled + 1]])
                y = np.concatenate([below[filled], below[filled + 1]])
                order = np.lexsort((x, y))
                values = np.interp(wanted * total, y[order], x[order])
                out[center] = np.clip(values, self.lowest[center], self.highest[center])
        return out

    def pooled(self) -> CardDistribution:
        """Return all sub-centers as one."""
        return CardDistribution(
            self.start,
            self.width,
            self.counts.sum(axis=0, keepdims=True),
            np.array([np.nanmin(self.lowest)]) if self.counts.any() else np.array([np.nan]),
            np.array([np.nanmax(self.highest)]) if self.counts.any() else np.array([np.nan]),
        )

    def histogram(self, edges: Array) -> NDArray[np.int64]:
        """Return counts between edges, which must be edges of bins too, shape (sub_center, edge − 1)."""
        at = np.rint((edges - self.start) / self.width).astype(int)
        below = np.concatenate([np.zeros((len(self.counts), 1), int), np.cumsum(self.counts, axis=1)], axis=1)
        return np.diff(below[:, at], axis=1)


def distribution_of(
    values: NDArray[np.float32],
    module_start: NDArray[np.int64],
    sub_center: NDArray[np.int64],
    sub_centers: int,
    start: float,
    width: float,
    bins: int,
) -> CardDistribution:
    """Count cards by value.

    Parameters
    ----------
    values : (card,) float32 array
    module_start : (module + 1,) int array
        Cards of module m are ``module_start[m]:module_start[m + 1]``.
    sub_center : (module,) int array
        Of each module.
    sub_centers : int
    start, width : float
        Bins, in the unit of the values.
    bins : int
    """
    counts = np.zeros((CHUNKS, sub_centers, bins), np.int64)
    lowest, highest = np.full((CHUNKS, sub_centers), np.inf), np.full((CHUNKS, sub_centers), -np.inf)
    _count(
        values, module_start, sub_center, np.float32(start), np.float32(1.0 / width), counts, lowest, highest
    )
    low, high = lowest.min(axis=0), highest.max(axis=0)
    empty = low > high
    low[empty] = high[empty] = np.nan
    return CardDistribution(start, width, counts.sum(axis=0), low, high)


def quantiles_of(
    distribution: CardDistribution,
    values: NDArray[np.float32],
    center_of_card: NDArray[np.integer] | None,
    shares: ArrayLike,
) -> tuple[Array, Array]:
    """Return quantiles per sub-center and over all cards, shapes (sub_center, share) and (share,).

    Parameters
    ----------
    distribution : CardDistribution
        Of `values`.
    values : (card,) float32 array
    center_of_card : (card,) int array or None
        Given where cards are few: quantiles are then those of the sorted values.
    shares : array_like
    """
    wanted = np.atleast_1d(np.asarray(shares, dtype=float))
    if center_of_card is None:
        return distribution.quantiles(wanted), distribution.pooled().quantiles(wanted)[0]
    out = np.full((len(distribution.counts), wanted.size), np.nan)
    for center in range(len(out)):
        members = values[center_of_card == center]
        if members.size:
            out[center] = np.quantile(members, wanted)
    return out, np.quantile(values, wanted)


@nb.njit(parallel=True, cache=True)
def _count(values, module_start, sub_center, start, per_width, counts, lowest, highest):  # type: ignore[no-untyped-def]
    chunks, _, bins = counts.shape
    modules = sub_center.size
    last = np.float32(bins - 1)
    for chunk in nb.prange(chunks):
        for m in range(chunk * modules // chunks, (chunk + 1) * modules // chunks):
            center = sub_center[m]
            low, high = np.float32(np.inf), np.float32(-np.inf)
            row = counts[chunk, center]
            for c in range(module_start[m], module_start[m + 1]):
                value = values[c]
                low, high = min(low, value), max(high, value)
                place = min(max((value - start) * per_width, np.float32(0.0)), last)
                row[np.uint32(place)] += 1
            lowest[chunk, center] = min(lowest[chunk, center], low)
            highest[chunk, center] = max(highest[chunk, center], high)
