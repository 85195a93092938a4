"""The area that samples of a sub-center need, on the coupled model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.ensemble import Ensemble, OrbitOutcome, Samples
from twin.sizing.area_search import find_area
from twin.sizing.limits import CONSTRAINTS, excess_of, limits_of

Array = NDArray[np.float64]

__all__ = ["SizedSamples", "fan_areas", "size_samples"]

FAN = 10
"""Areas at which each sample of a small batch flies at once: a flight of few modules costs as much as one of many."""

FAN_REACH = 0.45
"""Logarithm of the area by which a first fan reaches to both sides."""


FEW = 0.6
"""Share of the samples still sought below which the others are left behind."""

STRAIGHT = 2.0 * FAN_REACH / (FAN - 1) ** 2
"""Bracket within which the excess is a straight line over the logarithm of the area, as at the end of a fan."""


@dataclass(frozen=True, eq=False)
class SizedSamples:
    """Areas that samples need.

    Attributes
    ----------
    area : (sample,) array
        Factor on the area of the design, NaN where no area meets the requirement.
    feasible, at_least : (sample,) bool arrays
        Whether an area is enough, and whether the smallest one allowed already is.
    binding : (sample,) int array
        Index into `CONSTRAINTS` of what decides.
    excess : (sample,) array
        At the area found; where none is enough, at the largest one.
    flights : int
        How often the ensemble flew.
    """

    area: Array
    feasible: NDArray[np.bool_]
    at_least: NDArray[np.bool_]
    binding: NDArray[np.int64]
    excess: Array
    flights: int

    def binding_name(self, sample: int) -> str:
        """Name of what decides for a sample."""
        return CONSTRAINTS[int(self.binding[sample])]


def size_samples(
    ensemble: Ensemble,
    temperature_margin: ArrayLike = 0.0,
    guess: ArrayLike = 1.0,
    tolerance: float = 1.5e-3,
) -> SizedSamples:
    """Find the area that every sample of an ensemble needs, one flight of all after the other.

    Parameters
    ----------
    ensemble : Ensemble
    temperature_margin : float or (sample,) array
        By which limits are lowered [K].
    guess : float or (sample,) array
        Where to begin, as a factor on the area of the design.
    tolerance : float
        Relative, of the area.
    """
    limits = limits_of(ensemble.case.sizing.requirement, ensemble, temperature_margin)
    low, high = ensemble.area_bounds()
    count = ensemble.count
    decides, known = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=bool)
    flying, places, bounds = ensemble, np.arange(count), limits

    def evaluate(area: Array, asked: NDArray[np.bool_]) -> Array:
        nonlocal flying, places, bounds
        if asked.sum() <= FEW * places.size:
            # Most samples have their area: the others go on in an ensemble of their own.
            places = np.flatnonzero(asked)
            flying, bounds = ensemble.part(places), limits.take(places, count)
        flying.resize(area[places])
        found = excess_of(flying.fly(), bounds)
        value = np.full(count, np.nan)
        value[places] = found.value
        # What decides is what is violated with a little less area, or nearest to it where nothing was.
        missed = found.value > 0.0
        says = missed | ~known[places]
        decides[places[says]] = np.argmax(found.each[:, says], axis=0)
        known[places[missed]] = True
        return value

    begin = np.broadcast_to(np.asarray(guess, dtype=float), (count,))
    s = find_area(evaluate, begin, low, high, tolerance, close=5e-3, straight=STRAIGHT)
    return SizedSamples(s.area, s.feasible, s.at_least, decides, s.excess, s.evaluations)


def fan_areas(
    build: Callable[[Samples, int], Ensemble],
    samples: Samples,
    count: int,
    temperature_margin: ArrayLike = 0.0,
    guess: ArrayLike = 1.0,
    fan: int = FAN,
    first: Callable[[Ensemble, OrbitOutcome], None] | None = None,
) -> SizedSamples:
    """Find the area that every sample of a small batch needs: each flies with many areas at once, then with finer ones.

    Parameters
    ----------
    build : callable
        From samples and their number to an ensemble.
    samples : Samples
    count : int
    temperature_margin, guess : float or (sample,) array
        See :func:`size_samples`.
    fan : int
        Areas at a time.
    first : callable, optional
        Called with the ensemble, every sample `fan` times in a row, and its first flight.
    """
    ensemble = build(samples.take(np.repeat(np.arange(count), fan), count), count * fan)
    margin = np.repeat(np.broadcast_to(np.asarray(temperature_margin, dtype=float), (count,)), fan)
    limits = limits_of(ensemble.case.sizing.requirement, ensemble, margin)
    low, high = (np.log(b.reshape(count, fan)[:, 0]) for b in ensemble.area_bounds())
    middle = np.log(np.broadcast_to(np.asarray(guess, dtype=float), (count,)))
    left, right = np.clip(middle - FAN_REACH, low, high), np.clip(middle + FAN_REACH, low, high)
    short, enough = np.full(count, -np.inf), np.full(count, np.inf)
    f_short, f_enough = np.full(count, np.nan), np.full(count, np.nan)
    decides = np.zeros(count, dtype=np.int64)
    rows = np.arange(count)
    flights = 0
    for _ in range(4):
        x = left[:, None] + (right - left)[:, None] * np.linspace(0.0, 1.0, fan)
        ensemble.resize(np.exp(x.ravel()))
        outcome = ensemble.fly()
        flights += 1
        if first is not None and flights == 1:
            first(ensemble, outcome)
        found = excess_of(outcome, limits)
        value = found.value.reshape(count, fan)
        missed = value > 0.0
        last = np.where(missed.any(axis=1), fan - 1 - np.argmax(missed[:, ::-1], axis=1), -1)
        some = last >= 0
        better = some & (x[rows, last] > short)
        short, f_short = np.where(better, x[rows, last], short), np.where(better, value[rows, last], f_short)
        which = np.argmax(found.each.reshape(-1, count, fan)[:, rows, last], axis=0)
        decides = np.where(better, which, decides)
        above = some & (last < fan - 1) | ~some
        place = np.where(some, np.minimum(last + 1, fan - 1), 0)
        closer = above & (x[rows, place] < enough)
        enough = np.where(closer, x[rows, place], enough)
        f_enough = np.where(closer, value[rows, place], f_enough)
        none, all_meet = short >= high - 1e-12, enough <= low + 1e-12
        both = np.isfinite(short) & np.isfinite(enough)
        gap = np.where(both, enough, 0.0) - np.where(both, short, 0.0)
        done = none | all_meet | (both & (gap <= 2.0 * FAN_REACH / (fan - 1) ** 2))
        if done.all():
            break
        step = (right - left) / (fan - 1)
        # Inside the bracket its ends are known; without one the whole range beyond is next.
        left = np.where(both, short + gap / (fan + 1), np.where(np.isfinite(short), short + step, low))
        right = np.where(both, enough - gap / (fan + 1), np.where(np.isfinite(enough), enough - step, high))
        left, right = np.clip(left, low, high), np.clip(right, low, high)
    feasible = np.isfinite(enough)
    with np.errstate(invalid="ignore"):
        between = short + (enough - short) * f_short / (f_short - f_enough)
    at = np.where(np.isfinite(short) & feasible, between, enough)
    area = np.where(feasible, np.exp(np.where(feasible, at, 0.0)), np.nan)
    return SizedSamples(
        area, feasible, feasible & ~np.isfinite(short), decides, np.where(feasible, 0.0, f_short), flights
    )
