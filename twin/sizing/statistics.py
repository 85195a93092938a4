"""Quantiles of sampled areas with their confidence, and how they settle with the number of samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

__all__ = ["PROBABILITIES", "AreaStatistics", "area_statistics", "exceedance"]

PROBABILITIES = (0.05, 0.50, 0.95)
"""Quantiles that are reported."""

_RESAMPLES = 400


@dataclass(frozen=True, eq=False)
class AreaStatistics:
    """Statistics of sampled areas.

    Attributes
    ----------
    quantiles : (probability,) array
        At `PROBABILITIES`; infinite where more samples than that have no area at all.
    low, high : (probability,) arrays
        95 % confidence interval from resampling.
    sizes : (n,) int array
        Numbers of samples.
    running : (n, probability) array
        Quantiles of the first so many samples.
    infeasible : float
        Share of samples that no area satisfies.
    """

    quantiles: Array
    low: Array
    high: Array
    sizes: NDArray[np.int64]
    running: Array
    infeasible: float


def _quantiles(values: Array, axis: int = -1) -> Array:
    # Infinite areas are the largest ones: no arithmetic between them and finite ones.
    return np.quantile(values, PROBABILITIES, axis=axis, method="higher")


def area_statistics(area: Array, seed: int = 0) -> AreaStatistics:
    """Return the statistics of areas (sample,); NaN stands for no area."""
    values = np.where(np.isnan(area), np.inf, area)
    count = values.size
    picks = np.random.default_rng(seed).integers(0, count, (_RESAMPLES, count))
    resampled = _quantiles(values[picks])
    low, high = np.quantile(resampled, [0.025, 0.975], axis=1, method="nearest")
    sizes = np.unique(np.geomspace(min(16, count), count, 12).astype(np.int64))
    running = np.array([_quantiles(values[:n]) for n in sizes])
    return AreaStatistics(_quantiles(values), low, high, sizes, running, float(np.mean(np.isinf(values))))


def exceedance(area: Array, grid: Array) -> Array:
    """Return the probability that an area is too small, for areas of a grid: the share of samples that need more."""
    values = np.sort(np.where(np.isnan(area), np.inf, area))
    return 1.0 - np.searchsorted(values, grid, side="right") / values.size
