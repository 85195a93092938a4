"""Studies of a sub-center in its design orbit: uncertainty, what-ifs, trade, throttling over area, years."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from twin import component_models
from twin.case import Case
from twin.ensemble import Ensemble, OrbitOutcome, Samples
from twin.environment import ENVIRONMENT_SETS
from twin.sizing.area import SizedSamples, fan_areas, size_samples
from twin.sizing.design_case import DesignCase, design_orbit, with_orientation
from twin.sizing.panels import Panels

Array = NDArray[np.float64]

__all__ = [
    "WHAT_IFS", "area_curve", "area_of_draws", "pareto_front", "trade", "what_ifs", "years",
]  # fmt: skip

YEAR = 365.25 * 86400.0

CURVE_DRAWS = 32
"""Draws with which throttling over area is averaged."""

CURVE_AREAS = 13


def _ensemble(
    case: Case, center: int, found: DesignCase, panels: Panels, samples: Samples, count: int
) -> Ensemble:
    turned = with_orientation(case, found.orientation)
    return Ensemble(turned, center, samples, count, design_orbit(case, found), panels, case.sizing.cards)


def _needed(
    case: Case, center: int, found: DesignCase, panels: Panels, samples: Samples, count: int
) -> SizedSamples:
    """Areas that a few samples need."""
    return fan_areas(lambda s, n: _ensemble(case, center, found, panels, s, n), samples, count, guess=0.85)


def _weights(ensemble: Ensemble) -> Array:
    cards = np.array([kind.count * kind.design.racks.cards for kind in ensemble.kinds], dtype=float)
    return cards / cards.sum()


def area_of_draws(
    case: Case,
    center: int,
    found: DesignCase,
    panels: Panels,
    draws: Mapping[str, Array],
    age: float,
    guess: Array,
) -> SizedSamples:
    """Return the areas that draws of the uncertain variables need at an age [s]."""
    count = guess.size
    samples = Samples(age=age, pointing=found.pointing, **dict(draws))
    return size_samples(_ensemble(case, center, found, panels, samples, count), guess=guess)


def area_curve(
    case: Case, center: int, found: DesignCase, panels: Panels, draws: Mapping[str, Array], needed: float
) -> xr.Dataset:
    """Return throttled card-hours over the area, mean and quantiles over draws.

    Parameters
    ----------
    draws : mapping of variable to (draw,) array
        The first `CURVE_DRAWS` are used.
    needed : float
        Area that the nominal sample needs at the same age: the curve is about it.
    """
    count = min(CURVE_DRAWS, len(next(iter(draws.values())))) if draws else 1
    factors = needed * np.linspace(0.82, 1.2, CURVE_AREAS)
    some = {name: np.tile(values[:count], factors.size) for name, values in draws.items()}
    samples = Samples(age=found.age, pointing=found.pointing, radiator_area=np.repeat(factors, count), **some)
    ensemble = _ensemble(case, center, found, panels, samples, count * factors.size)
    low, high = ensemble.area_bounds()
    ensemble.resize(np.clip(ensemble.samples.of("radiator_area", ensemble.count), low, high))
    outcome = ensemble.fly()
    weights = _weights(ensemble)
    held = (outcome.throttled @ weights).reshape(factors.size, count)
    lost = 1.0 - (outcome.work @ weights).reshape(factors.size, count)
    junction = outcome.junction_p99.max(axis=1).reshape(factors.size, count)
    return xr.Dataset(
        {
            "throttled_fraction": ("area_factor", held.mean(axis=1)),
            "throttled_fraction_p95": ("area_factor", np.quantile(held, 0.95, axis=1)),
            "throttling_probability": ("area_factor", np.mean(held > 1e-4, axis=1)),
            "work_lost": ("area_factor", lost.mean(axis=1)),
            "junction_temperature_p99": ("area_factor", junction.mean(axis=1)),
        },
        {"area_factor": factors},
    )


@dataclass(frozen=True)
class WhatIf:
    """Something that may happen.

    Attributes
    ----------
    name : str
    meaning : str
        In words, with what is assumed.
    """

    name: str
    meaning: str


WHAT_IFS = (
    WhatIf("baseline", "design as it is"),
    WhatIf("pump loss", "one of two pumps stops, the other one gives 60 % of the flow"),
    WhatIf("panel lost", "one panel of every module is shut off"),
    WhatIf(
        "loop punctured",
        "one of two loops is empty: half the panels, half the flow, half the cold plates' conductance",
    ),
    WhatIf("coating aged early", "the radiator's coating is at its end of life in year 2"),
    WhatIf("load +20 %", "cards draw a fifth more at the same work"),
    WhatIf("hot environment", "the hot set: Sun, albedo and infrared"),
    WhatIf("lean 5°", "the radiator's front leans by 5° towards the Sun"),
    WhatIf("eclipse: ride through", "cards run on through the shadow"),
    WhatIf("eclipse: shed", "cards idle in the shadow"),
    WhatIf("eclipse: hybrid", "cards get what the battery can spare"),
)
"""What is asked."""

POLICIES = {"ride through": "ride_through", "shed": "shed", "hybrid": "hybrid"}


def _what_if_samples(case: Case, center: int, found: DesignCase) -> dict[str, dict[str, float]]:
    design = case.module_classes[case.sub_centers[center].modules[0].class_]
    panels = design.radiator.panels
    at_two, at_end = (
        component_models.coating_at(design.radiator.coating, age)
        for age in (2.0 * YEAR, design.radiator.coating.end_of_life)
    )
    now, hot = component_models.environment_set(case), ENVIRONMENT_SETS["hot"]
    return {
        "baseline": {},
        "pump loss": {"mass_flow": 0.6},
        "panel lost": {"radiator_area": 1.0 - 1.0 / panels if panels > 1 else 0.5},
        "loop punctured": {"radiator_area": 0.5, "mass_flow": 0.5, "plate_conductance": 0.5},
        "coating aged early": {
            "age": 2.0 * YEAR, "absorptance": at_end[0] / at_two[0], "emissivity": at_end[1] / at_two[1],
        },
        "load +20 %": {"card_power": 1.2},
        "hot environment": {
            "solar_flux": hot.solar_flux / now.solar_flux, "albedo": hot.albedo / now.albedo,
            "earth_infrared": hot.earth_infrared / now.earth_infrared,
        },
        "lean 5°": {"pointing": float(np.radians(5.0))},
    }  # fmt: skip


def what_ifs(case: Case, center: int, found: DesignCase, panels: Panels) -> xr.Dataset:
    """Return what the design does, and what area it would need, if something happens."""
    changes = _what_if_samples(case, center, found)
    rows = _flown(case, center, found, panels, list(changes.values()))
    parts = [rows]
    for policy in POLICIES.values():
        classes = {
            name: d.model_copy(update={"bus": d.bus.model_copy(update={"eclipse_policy": policy})})
            for name, d in case.module_classes.items()
        }
        other = case.model_copy(update={"module_classes": classes})
        other._path = case._path
        parts.append(_flown(other, center, found, panels, [{}]))
    names = [what.name for what in WHAT_IFS]
    data = xr.concat(parts, "what_if").assign_coords(what_if=names)
    return data.assign(meaning=("what_if", [what.meaning for what in WHAT_IFS]))


def _flown(
    case: Case, center: int, found: DesignCase, panels: Panels, changes: list[dict[str, float]]
) -> xr.Dataset:
    """Fly variants of the design, then find the area that each would need."""
    count = len(changes)
    base = {"age": found.age, "pointing": found.pointing}
    names = sorted({name for change in changes for name in change} | set(base))
    values = {name: np.array([change.get(name, base.get(name, 1.0)) for change in changes]) for name in names}
    samples = Samples(**values)
    ensemble = _ensemble(case, center, found, panels, samples, count)
    low, high = ensemble.area_bounds()
    own = samples.of("radiator_area", count)
    ensemble.resize(np.clip(own, low, high))
    outcome = ensemble.fly()
    sized = _needed(case, center, found, panels, samples, count)
    # What is left of the panels must be enough: there must have been more of them.
    return _response(ensemble, outcome).assign(needed=("what_if", sized.area / own))


def _response(ensemble: Ensemble, outcome: OrbitOutcome) -> xr.Dataset:
    """What people ask of a flight, by variant."""
    weights = _weights(ensemble)
    lost = outcome.lost.any(axis=1)

    def of(values: Array) -> tuple[str, Array]:
        return "what_if", np.where(lost, np.nan, values)

    return xr.Dataset(
        {
            "throttled_fraction": ("what_if", np.where(lost, 1.0, outcome.throttled @ weights)),
            "throttled_fraction_power": of(outcome.throttled_power @ weights),
            "work": ("what_if", np.where(lost, 0.0, outcome.work @ weights)),
            "junction_temperature_p99": of(outcome.junction_p99.max(axis=1)),
            "junction_temperature_max": of(outcome.junction_max.max(axis=1)),
            "coolant_supply_temperature_max": of(outcome.supply_max.max(axis=1)),
            "coolant_return_temperature_max": of(outcome.return_max.max(axis=1)),
            "panel_temperature_min": of(outcome.panel_min.min(axis=1)),
            "battery_soc_min": of(outcome.soc_min.min(axis=1)),
        }
    )


def years(case: Case, center: int, found: DesignCase, panels: Panels, last: int = 10) -> xr.Dataset:
    """Return the area needed, and what the design does, year by year from launch."""
    count = last + 1
    age = np.arange(count) * YEAR
    samples = Samples(age=age, pointing=found.pointing)
    ensemble = _ensemble(case, center, found, panels, samples, count)
    response = _response(ensemble, ensemble.fly()).rename(what_if="year")
    sized = _needed(case, center, found, panels, samples, count)
    return response.assign(needed=("year", sized.area)).assign_coords(year=np.arange(count, dtype=float))


def trade(
    case: Case, center: int, found: DesignCase, panels: Panels, needed: float, shifts: Array, flows: Array
) -> xr.Dataset:
    """Return area, throttled share, supply temperature, flow and mass of variants of the design.

    Parameters
    ----------
    needed : float
        Area that the nominal sample needs: the variants are about it.
    shifts : (shift,) array
        Of the supply set point [K].
    flows : (flow,) array
        Factors on the coolant flow.
    """
    factors = needed * np.linspace(0.80, 1.25, 10)
    area, shift, flow = (x.ravel() for x in np.meshgrid(factors, shifts, flows, indexing="ij"))
    samples = Samples(
        age=found.age, pointing=found.pointing, radiator_area=area, supply_temperature=shift, mass_flow=flow
    )
    ensemble = _ensemble(case, center, found, panels, samples, area.size)
    low, high = ensemble.area_bounds()
    area = np.clip(area, low, high)
    ensemble.resize(area)
    outcome = ensemble.fly()
    weights = _weights(ensemble)
    counts = np.array([kind.count for kind in ensemble.kinds], dtype=float)
    panel_area = np.array([kind.design.radiator.panel_area for kind in ensemble.kinds])
    wing_area = np.array([kind.design.solar_array.area for kind in ensemble.kinds])
    masses = case.sizing.masses
    radiator = area * float(counts @ panel_area) * (masses.radiator + masses.coolant_line)
    # The wing that the present load needs: the design's, in proportion to what cards and pump draw.
    pump = np.stack([group.pump_power for group in ensemble.groups], axis=1)
    draw = (outcome.card_power + pump) @ counts
    reference = draw[np.argmin(np.abs(area - needed) + np.abs(shift) + np.abs(flow - 1.0))]
    array = float(counts @ wing_area) * masses.array * draw / reference
    throttled = np.where(outcome.lost.any(axis=1), 1.0, outcome.throttled @ weights)
    limit = np.max(outcome.junction_p99, axis=1)
    base = min(kind.design.coolant_loop.supply_temperature for kind in ensemble.kinds)
    mass = radiator + array
    front = pareto_front(np.stack([area, np.round(throttled, 5), mass], axis=1))
    return xr.Dataset(
        {
            "area_factor": ("variant", area),
            "throttled_fraction": ("variant", throttled),
            "work_lost": ("variant", 1.0 - outcome.work @ weights),
            "supply_set_point": ("variant", base + shift),
            "flow_factor": ("variant", flow),
            "mass": ("variant", mass),
            "junction_temperature_p99": ("variant", limit),
            "non_dominated": ("variant", front),
        }
    )


def pareto_front(costs: Array) -> NDArray[np.bool_]:
    """Return which rows no other row beats or equals in every column, one of equals excepted.

    Parameters
    ----------
    costs : (variant, cost) array
        Less is better.
    """
    count = len(costs)
    front = np.ones(count, dtype=bool)
    for i in range(count):
        no_worse = np.all(costs <= costs[i], axis=1)
        better = np.any(costs < costs[i], axis=1)
        front[i] = not np.any(no_worse & better)
    return front
