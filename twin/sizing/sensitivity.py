"""What drives the area: global sensitivities from the samples themselves, with SALib."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

__all__ = ["Sensitivity", "sensitivity"]

LEAST_SAMPLES = 48


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Sensitivities of the area to variables; arrays (variable,).

    Attributes
    ----------
    names : tuple of str
    first, first_confidence : array
        First-order Sobol indices straight from the samples (RBD-FAST: Plischke 2010; Tarantola et al. 2006) [1].
    total, total_confidence : array
        Total Sobol indices of a response surface (Saltelli's estimator) [1]: quadratic, or linear with few samples.
    fit : float
        Share of the variance that the surface explains in cross-validation (R²).
    swing : (variable, 2) array
        Change of the area from a variable at its 5 % and 95 % quantile, others in the middle, relative [1].
    """

    names: tuple[str, ...]
    first: Array
    first_confidence: Array
    total: Array
    total_confidence: Array
    fit: float
    swing: Array


def _terms(points: Array, quadratic: bool) -> Array:
    """Constant, linear and, if wanted, quadratic terms of scaled points."""
    columns = [np.ones(len(points)), *points.T]
    if not quadratic:
        return np.stack(columns, axis=1)
    pairs = combinations_with_replacement(range(points.shape[1]), 2)
    return np.stack([*columns, *(points[:, i] * points[:, j] for i, j in pairs)], axis=1)


def _ridge(points: Array, values: Array, quadratic: bool) -> Array:
    terms = _terms(points, quadratic)
    weight = 1e-6 * len(points) * np.eye(terms.shape[1])
    return np.linalg.solve(terms.T @ terms + weight, terms.T @ values)


def sensitivity(draws: Mapping[str, Array], area: Array, seed: int = 0) -> Sensitivity | None:
    """Return the sensitivities of sampled areas; None with too few samples that have an area.

    Parameters
    ----------
    draws : mapping of variable to (sample,) array
    area : (sample,) array
        NaN where none is enough.
    """
    from SALib.analyze import rbd_fast, sobol  # type: ignore[import-untyped]
    from SALib.sample import sobol as sobol_points  # type: ignore[import-untyped]

    good = np.isfinite(area)
    names = tuple(draws)
    if good.sum() < LEAST_SAMPLES or not names:
        return None
    raw = np.stack([draws[name][good] for name in names], axis=1)
    values = np.log(area[good])
    # Ranks make every variable uniform, as the response surface is sampled.
    ranks = (np.argsort(np.argsort(raw, axis=0), axis=0) + 0.5) / len(raw)
    problem = {"num_vars": len(names), "names": list(names), "bounds": [[0.0, 1.0]] * len(names)}
    rbd = rbd_fast.analyze(problem, ranks, values, M=6 if len(values) > 200 else 4, seed=seed)
    scaled = 2.0 * ranks - 1.0
    terms = 1 + len(names) + len(names) * (len(names) + 1) // 2
    curved = len(values) >= 2 * terms
    fold = np.arange(len(values)) % 5
    predicted = np.empty(len(values))
    for k in range(5):
        fitted = _ridge(scaled[fold != k], values[fold != k], curved)
        predicted[fold == k] = _terms(scaled[fold == k], curved) @ fitted
    fit = 1.0 - float(np.sum((values - predicted) ** 2) / np.sum((values - values.mean()) ** 2))
    surface = _ridge(scaled, values, curved)
    points = sobol_points.sample(problem, 1024, calc_second_order=False, seed=seed)
    indices = sobol.analyze(
        problem,
        _terms(2.0 * points - 1.0, curved) @ surface,
        calc_second_order=False,
        seed=seed,
        num_resamples=50,
    )
    return Sensitivity(
        names,
        np.asarray(rbd["S1"], dtype=float),
        np.asarray(rbd["S1_conf"], dtype=float),
        np.asarray(indices["ST"], dtype=float),
        np.asarray(indices["ST_conf"], dtype=float),
        fit,
        _swing(surface, len(names), curved),
    )


def _swing(surface: Array, count: int, curved: bool) -> Array:
    """Relative change of the area with each variable alone at its 5 % and 95 % quantile."""
    middle = np.zeros((1, count))
    base = float((_terms(middle, curved) @ surface)[0])
    out = np.zeros((count, 2))
    for i in range(count):
        for k, level in enumerate((-0.9, 0.9)):
            point = middle.copy()
            point[0, i] = level
            out[i, k] = np.exp(float((_terms(point, curved) @ surface)[0]) - base) - 1.0
    return out
