"""The smallest area that meets a requirement, for many samples at once.

More area never makes the requirement harder to meet, so that every sample brackets its own root; all samples are
evaluated together, whatever their brackets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

__all__ = ["AreaSearch", "find_area"]

SLOPE = -6.0
"""Usual change of the excess per logarithm of the area: T⁴, a quarter of 330 K per 10 K of scale, and fins."""

_MOST_STEP = 0.35
_LEAST_STEP = 0.004


@dataclass(frozen=True, eq=False)
class AreaSearch:
    """Areas found, arrays (sample,).

    Attributes
    ----------
    area : array
        Smallest area that meets the requirement; NaN where none does.
    excess : array
        At that area (at the largest one where none does); 0 where it was taken from a straight line.
    feasible : bool array
    at_least : bool array
        Where the smallest area allowed is enough: the requirement may be met by less.
    evaluations : int
    history : tuple of (area, excess)
        All that was tried.
    """

    area: Array
    excess: Array
    feasible: NDArray[np.bool_]
    at_least: NDArray[np.bool_]
    evaluations: int
    history: tuple[tuple[Array, Array], ...]


def find_area(
    evaluate: Callable[[Array, Bools], Array],
    guess: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    tolerance: float = 1e-3,
    most: int = 25,
    close: float = 2e-3,
    straight: float = 0.0,
) -> AreaSearch:
    """Find the smallest areas with excess of 0 or less.

    Parameters
    ----------
    evaluate : callable
        From areas (sample,) and which of them are asked for (sample,) to excess (sample,), which falls with the area.
        What it says of the others does not matter.
    guess, low, high : array_like
        Where to begin, and between which areas to seek.
    tolerance : float
        Relative, of the area.
    most : int
        Evaluations at most.
    close : float
        An excess between −close and 0 ends the search of a sample.
    straight : float
        Width of a bracket, relative, within which the excess is taken for a straight line: the area is where that is 0.

    Returns
    -------
    AreaSearch
    """
    start = np.asarray(guess, dtype=float)
    shape = start.shape
    bottom, top = (np.log(np.broadcast_to(np.asarray(v, dtype=float), shape)) for v in (low, high))
    x = np.clip(np.log(start), bottom, top)
    short, f_short = np.full(shape, -np.inf), np.full(shape, np.nan)
    enough, f_enough = np.full(shape, np.inf), np.full(shape, np.nan)
    done, history = np.zeros(shape, dtype=bool), []
    for number in range(most):
        f = evaluate(np.exp(x), ~done)
        history.append((np.exp(x), f))
        missed = ~done & (f > 0.0) & (x > short)
        met = ~done & (f <= 0.0) & (x < enough)
        short, f_short = np.where(missed, x, short), np.where(missed, f, f_short)
        enough, f_enough = np.where(met, x, enough), np.where(met, f, f_enough)
        infeasible = np.isfinite(short) & (short >= top - 1e-12)
        smallest = np.isfinite(enough) & (enough <= bottom + 1e-12)
        near = np.isfinite(enough) & (f_enough >= -close)
        between = np.isfinite(short) & np.isfinite(enough) & (enough - short <= straight)
        done |= infeasible | smallest | near | between | (enough - short <= tolerance)
        if done.all():
            break
        x = np.where(done, np.where(infeasible, top, np.where(np.isfinite(enough), enough, x)), x)
        following = _next(short, f_short, enough, f_enough, number, close)
        x = np.where(done, x, np.clip(following, bottom, top))
    infeasible = ~np.isfinite(enough)
    root, excess = enough, np.where(infeasible, f_short, f_enough)
    if straight > 0.0:
        with np.errstate(invalid="ignore"):
            inner = short + (enough - short) * f_short / (f_short - f_enough)
        between = np.isfinite(short) & np.isfinite(enough) & (enough - short <= straight)
        root, excess = np.where(between, inner, enough), np.where(between, 0.0, excess)
    area = np.where(infeasible, np.nan, np.exp(np.where(infeasible, 0.0, root)))
    return AreaSearch(
        area,
        excess,
        ~infeasible,
        np.isfinite(enough) & (enough <= bottom + 1e-12),
        len(history),
        tuple(history),
    )


def _next(short: Array, f_short: Array, enough: Array, f_enough: Array, number: int, close: float) -> Array:
    """Return where to look next (logarithms of areas)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        # One side only: by the usual slope, a little too far so that the other side is found.
        up = short + np.clip(-1.15 * f_short / SLOPE + _LEAST_STEP, _LEAST_STEP, _MOST_STEP)
        down = enough - np.clip(1.15 * f_enough / SLOPE + _LEAST_STEP, _LEAST_STEP, _MOST_STEP)
        width = enough - short
        # Both: the secant, aimed at just below zero; a bisection now and then against curved or flat pieces.
        secant = short + width * (f_short + 0.5 * close) / (f_short - f_enough)
        inside = np.clip(secant, short + 0.02 * width, enough - 0.02 * width)
        if number % 4 == 3:
            inside = short + 0.5 * width
    both = np.isfinite(short) & np.isfinite(enough)
    return np.where(both, inside, np.where(np.isfinite(short), up, down))
