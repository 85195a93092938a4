"""`size(case)`: how much radiator every sub-center needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.case import Case
from twin.ensemble import Ensemble, Samples
from twin.sizing.area import size_samples
from twin.sizing.closed_form import AreaSteps
from twin.sizing.design_case import DesignCase, design_orbit, find_design_case, with_orientation
from twin.sizing.limits import CONSTRAINTS, limits_of
from twin.sizing.margins import MarginPolicy, margin_policy
from twin.sizing.nominal import closed_form
from twin.sizing.panels import Panels

Array = NDArray[np.float64]
Watch = Callable[[str, float], None]


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


@dataclass(frozen=True, eq=False)
class SubCenterSizing:
    """The sizing of one sub-center.

    Attributes
    ----------
    name : str
    design_area : float
        Of all its radiators, one face [m²].
    design_case : DesignCase
    nominal : NominalArea
    """

    name: str
    design_area: float
    design_case: DesignCase
    nominal: NominalArea

    def closed_area(self, age: int) -> float:
        """Closed form for the whole sub-center at an age, all modules like the one that needs most [m²]."""
        return self.nominal.closed[age].film / self.nominal.module_area * self.design_area


@dataclass(frozen=True, eq=False)
class Sizing:
    """The sizing of a case.

    Attributes
    ----------
    case : Case
    margin : MarginPolicy
    sub_centers : tuple of SubCenterSizing
    """

    case: Case
    margin: MarginPolicy
    sub_centers: tuple[SubCenterSizing, ...]


def nominal_area(case: Case, center: int, found: DesignCase, panels: Panels) -> NominalArea:
    """Find the areas at the ages of the case, in the design case, beside the closed forms."""
    spec, policy = case.sizing, margin_policy(case.sizing.margin)
    ages = np.array(spec.ages)
    count = ages.size
    turned = with_orientation(case, found.orientation)
    samples = Samples(age=np.tile(ages, 2), pointing=found.pointing)
    ensemble = Ensemble(turned, center, samples, 2 * count, design_orbit(case, found), panels, spec.cards)
    margins = np.repeat([0.0, policy.temperature], count)
    guess = np.clip(np.nanmax(np.where(np.isfinite(found.area), found.area, np.nan)), 0.3, 3.0)
    sized = size_samples(ensemble, margins, guess)
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


def size(case: Case, panels: Panels | None = None, watch: Watch | None = None) -> Sizing:
    """Size the radiators of all sub-centers of a case.

    Parameters
    ----------
    case : Case
    panels : Panels, optional
        Reduced panels of the module classes; trained if they are not in the cache.
    watch : callable, optional
        Called with what is being done and the share done.

    Raises
    ------
    RunFailed
        If no area meets the requirement; names the binding constraint.
    """
    tell = watch or (lambda what, share: None)
    panels = panels or Panels(progress=lambda what, share: tell(f"training: {what}", 0.0))
    done = []
    for center, part in enumerate(case.sub_centers):
        share = center / len(case.sub_centers)
        tell(f"{part.name}: design case", share)
        found = find_design_case(case, center, panels)
        tell(f"{part.name}: area", share + 0.7 / len(case.sub_centers))
        nominal = nominal_area(case, center, found, panels)
        area = sum(g.count * case.module_classes[g.class_].radiator.panel_area for g in part.modules)
        done.append(SubCenterSizing(part.name, area, found, nominal))
    tell("done", 1.0)
    return Sizing(case, margin_policy(case.sizing.margin), tuple(done))
