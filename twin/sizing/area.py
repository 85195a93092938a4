"""The area that samples of a sub-center need, on the coupled model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.ensemble import Ensemble, OrbitOutcome
from twin.sizing.area_search import AreaSearch, find_area
from twin.sizing.limits import CONSTRAINTS, excess_of, limits_of

Array = NDArray[np.float64]

__all__ = ["SizedSamples", "size_samples"]


@dataclass(frozen=True, eq=False)
class SizedSamples:
    """Areas that samples need.

    Attributes
    ----------
    area : (sample,) array
        Factor on the area of the design, NaN where no area meets the requirement.
    feasible, at_least : (sample,) bool arrays
        See `twin.sizing.area_search.AreaSearch`.
    binding : (sample,) int array
        Index into `CONSTRAINTS` of what decides.
    search : AreaSearch
    outcome : OrbitOutcome
        Of the last flight, near the areas found.
    """

    area: Array
    feasible: NDArray[np.bool_]
    at_least: NDArray[np.bool_]
    binding: NDArray[np.int64]
    search: AreaSearch
    outcome: OrbitOutcome

    def binding_name(self, sample: int) -> str:
        """Name of what decides for a sample."""
        return CONSTRAINTS[int(self.binding[sample])]


def size_samples(
    ensemble: Ensemble,
    temperature_margin: ArrayLike = 0.0,
    guess: ArrayLike = 1.0,
    tolerance: float = 1.5e-3,
) -> SizedSamples:
    """Find the area that every sample of an ensemble needs.

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
    decides = np.zeros(ensemble.count, dtype=np.int64)
    seen: list[OrbitOutcome] = []

    def evaluate(area: Array) -> Array:
        ensemble.resize(area)
        outcome = ensemble.fly()
        found = excess_of(outcome, limits)
        seen[:] = [outcome]
        # What decides is what is violated with a little less area.
        missed = found.value > 0.0
        decides[missed] = np.argmax(found.each[:, missed], axis=0)
        return found.value

    begin = np.broadcast_to(np.asarray(guess, dtype=float), (ensemble.count,))
    search = find_area(evaluate, begin, low, high, tolerance, close=5e-3)
    return SizedSamples(search.area, search.feasible, search.at_least, decides, search, seen[0])
