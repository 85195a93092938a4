"""Areas without uncertainty: needed and with margins, at every age of the case, beside the closed forms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.case import Case
from twin.ensemble import Ensemble, Samples
from twin.sizing.area import fan_areas
from twin.sizing.closed_design import closed_form
from twin.sizing.closed_form import AreaSteps
from twin.sizing.design_case import DesignCase, design_orbit, with_orientation
from twin.sizing.limits import CONSTRAINTS, limits_of
from twin.sizing.margins import margin_policy
from twin.sizing.panels import Panels

Array = NDArray[np.float64]

__all__ = ["NominalArea", "nominal_area"]


@dataclass(frozen=True, eq=False)
class NominalArea:
    """Areas of a sub-center's radiators without uncertainty; arrays (age,), factors on the design unless in m².

    Attributes
    ----------
    ages : array
        [s].
    needed : array
        Smallest area that meets the requirement.
    required : array
        With the margins of the policy.
    binding : tuple of str
        What decides at each age.
    at_least : bool array
        Where the smallest area of the search is enough.
    closed : tuple of AreaSteps
        Closed forms for one module, per age [m²].
    module_area : float
        Of the design, one face, of the module that decides [m²].
    """

    ages: Array
    needed: Array
    required: Array
    binding: tuple[str, ...]
    at_least: NDArray[np.bool_]
    closed: tuple[AreaSteps, ...]
    module_area: float


def nominal_area(case: Case, center: int, found: DesignCase, panels: Panels) -> NominalArea:
    """Find the areas at the ages of the case, in the design case, beside the closed forms."""
    spec, policy = case.sizing, margin_policy(case.sizing.margin)
    ages = np.array(spec.ages)
    count = ages.size
    turned = with_orientation(case, found.orientation)
    samples = Samples(age=np.tile(ages, 2), pointing=found.pointing)

    def build(some: Samples, number: int) -> Ensemble:
        return Ensemble(turned, center, some, number, design_orbit(case, found), panels, spec.cards)

    margins = np.repeat([0.0, policy.temperature], count)
    guess = np.clip(np.nanmax(np.where(np.isfinite(found.area), found.area, np.nan)), 0.3, 3.0)
    sized = fan_areas(build, samples, 2 * count, margins, guess)
    ensemble = build(Samples(age=ages, pointing=found.pointing, radiator_area=sized.area[:count]), count)
    limits = limits_of(spec.requirement, ensemble)
    closed = tuple(
        closed_form(ensemble, k, float(np.asarray(limits.junction)), float(np.asarray(limits.coolant)))
        for k in range(count)
    )
    return NominalArea(
        ages,
        sized.area[:count],
        sized.area[count:] * (1.0 + policy.heat_load),
        tuple(CONSTRAINTS[int(b)] for b in sized.binding[:count]),
        sized.at_least[:count],
        closed,
        max(kind.design.radiator.panel_area for kind in ensemble.kinds),
    )
