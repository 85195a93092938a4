"""The pieces of a sizing as functions that run on workers, and the sizing of a sub-center put together from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from twin.case import Case
from twin.sizing.design_case import DesignCase, find_design_case
from twin.sizing.nominal_area import NominalArea, nominal_area
from twin.sizing.panels import Panels
from twin.sizing.studies import area_curve, area_of_draws, trade, what_ifs, years

Array = NDArray[np.float64]

__all__ = ["ChunkAreas", "design_and_nominal", "size_chunk", "study"]


@dataclass(frozen=True, eq=False)
class ChunkAreas:
    """Areas of a part of the samples: factors on the design, NaN where no area is enough.

    Attributes
    ----------
    first : int
        Place of the first sample.
    area : array
    binding : int array
        Index into `twin.sizing.limits.CONSTRAINTS`.
    evaluations : int
    """

    first: int
    area: Array
    binding: NDArray[np.int64]
    evaluations: int


def design_and_nominal(case: Case, panels: Panels, center: int) -> tuple[DesignCase, NominalArea]:
    """Find the design case of a sub-center and its areas without uncertainty."""
    found = find_design_case(case, center, panels)
    return found, nominal_area(case, center, found, panels)


def size_chunk(
    case: Case,
    panels: Panels,
    center: int,
    found: DesignCase,
    age: float,
    first: int,
    draws: Mapping[str, Array],
    guess: Array,
) -> ChunkAreas:
    """Find the areas of some draws."""
    sized = area_of_draws(case, center, found, panels, draws, age, guess)
    return ChunkAreas(first, sized.area, sized.binding, sized.flights)


def study(
    case: Case,
    panels: Panels,
    name: str,
    center: int,
    found: DesignCase,
    needed: float,
    draws: Mapping[str, Array],
) -> xr.Dataset:
    """Do one of the studies: ``what_if``, ``curve``, ``years``, ``trade``."""
    if name == "what_if":
        return what_ifs(case, center, found, panels)
    if name == "curve":
        return area_curve(case, center, found, panels, draws, needed)
    if name == "years":
        return years(case, center, found, panels)
    shifts, flows = np.array([-10.0, -5.0, 0.0, 5.0]), np.array([0.8, 1.0, 1.2])
    return trade(case, center, found, panels, needed, shifts, flows)
