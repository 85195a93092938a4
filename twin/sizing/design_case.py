"""Which day, hour, age, environment and attitude ask for the most radiator: found on the coupled model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product

import numpy as np
from numpy.typing import NDArray

from twin import component_models
from twin.attitude import Orientation
from twin.case import Case
from twin.ensemble import DesignOrbit, Ensemble, OrbitOutcome, Samples
from twin.ensemble_kinds import clock_of, jobs_of, kinds_of
from twin.environment import EnvironmentSet
from twin.errors import RunFailed
from twin.orbit import TROPICAL_YEAR
from twin.plant import reference_orbit
from twin.shadow import beta_angle
from twin.sizing.area import fan_areas
from twin.sizing.limits import CONSTRAINTS, TEMPERATURE_SCALE, THROTTLED_SCALE
from twin.sizing.panels import Panels

Array = NDArray[np.float64]

__all__ = ["DesignCase", "design_orbit", "environments_of", "find_design_case", "with_orientation"]

COARSE_STEP = 60.0
"""Thermal step of the search [s]."""

COARSE_CARD_STEP = 2.0

CLEARLY = 2e-3
"""Relative difference of areas that counts when load hours are compared."""

GUESS = 0.8

SEARCH_FAN = 7
"""Areas of each day and condition that fly at once."""

HOURS = 24


@dataclass(frozen=True, eq=False)
class DesignCase:
    """What asks for the most radiator, and all that was compared with it.

    Attributes
    ----------
    start : datetime
        Start of the design orbit.
    environment : str
        Name of the environment set.
    orientation : Orientation
        Of the radiator.
    pointing : float
        Lean of its front towards the Sun [rad].
    load_time : float
        Time of the load at the start of the orbit, since the start of the case's run [s].
    age : float
        [s].
    days : (day,) array of datetime
    beta : (day,) array
        Angle of the Sun over the orbit plane at these days [rad].
    area : (day, environment, age, orientation, pointing) array
        Factor on the design's area that each needs.
    environments, orientations : tuple of str
    ages, pointings : tuple of float
    hours : (hour,) array
        Load hours that were compared [s since the start of the case's run].
    hour_area : (hour,) array
    coldest : datetime
        Day on which the radiator gets coldest.
    panel_min, coolant_min : float
        Coldest of panels and coolant with the largest radiator of the search [K].
    """

    start: datetime
    environment: str
    orientation: Orientation
    pointing: float
    load_time: float
    age: float
    days: tuple[datetime, ...]
    beta: Array
    area: Array
    environments: tuple[str, ...]
    orientations: tuple[str, ...]
    ages: tuple[float, ...]
    pointings: tuple[float, ...]
    hours: Array
    hour_area: Array
    coldest: datetime
    panel_min: float
    coolant_min: float


def environments_of(case: Case) -> dict[str, EnvironmentSet]:
    """Return the environment sets of a sizing by name: that of the case first."""
    found = {"case": component_models.environment_set(case)}
    for number, spec in enumerate(case.sizing.environments, start=1):
        name = spec.description.split(",")[0].strip() or f"set-{number}"
        found[name] = EnvironmentSet(
            spec.solar_flux, spec.albedo, spec.earth_infrared, spec.scaled_with_distance
        )
    return found


def with_orientation(case: Case, orientation: Orientation) -> Case:
    """Return the case with another orientation of all radiators."""
    classes = {
        name: design.model_copy(
            update={"radiator": design.radiator.model_copy(update={"orientation": orientation})}
        )
        for name, design in case.module_classes.items()
    }
    other = case.model_copy(update={"module_classes": classes})
    other._path = case._path
    return other


def design_orbit(case: Case, found: DesignCase) -> DesignOrbit:
    """Return the orbit of a design case at the steps of the case's sizing."""
    return DesignOrbit(
        (found.start,),
        (environments_of(case)[found.environment],),
        load_time=found.load_time,
        step=case.sizing.step,
        card_step=case.sizing.card_step,
    )


def _days(case: Case) -> tuple[datetime, ...]:
    first = datetime(case.mission.start.year, 1, 1, tzinfo=UTC)
    count = case.sizing.days
    # The longest eclipses of dawn-dusk orbits are at the solstices, which are among the days.
    solstice = datetime(first.year, 6, 21, tzinfo=UTC)
    shift = (solstice - first).total_seconds() % (TROPICAL_YEAR / count)
    return tuple(first + timedelta(seconds=shift + k * TROPICAL_YEAR / count) for k in range(count))


def _hottest_hour(case: Case, center: int, period: float) -> float:
    """Start of the orbit with the highest mean load of the jobs, by cards [s since the run's start]."""
    jobs = jobs_of(case)
    if not jobs:
        return 0.0
    weight = np.zeros(len(jobs))
    for kind in kinds_of(case, center):
        for job, share in kind.jobs:
            if job >= 0:
                weight[job] += share * kind.count * kind.design.racks.cards
    clock = clock_of(jobs)
    starts = np.arange(HOURS) * 86400.0 / HOURS
    load = [float(weight @ clock.activity(start, period)) for start in starts]
    return float(starts[int(np.argmax(load))])


def find_design_case(case: Case, center: int, panels: Panels) -> DesignCase:
    """Search for the worst orbit of a sub-center.

    Parameters
    ----------
    case : Case
    center : int
        Index of the sub-center.
    panels : Panels

    Raises
    ------
    RunFailed
        If in every orbit no area meets the requirement; names what decides.

    Notes
    -----
    All combinations of day, environment, age and lean are one batch with the load of the busiest hour; each
    orientation is a batch of its own. The hour is then compared on the worst of them.
    """
    spec = case.sizing
    days, sets = _days(case), environments_of(case)
    pointings = tuple(dict.fromkeys((0.0, spec.pointing)))
    own = next(iter(case.module_classes.values())).radiator.orientation
    orientations = tuple(dict.fromkeys((own, *spec.orientations)))
    grid = list(product(range(len(days)), range(len(sets)), spec.ages, pointings))
    starts = tuple(days[d] for d in range(len(days)) for _ in sets)
    environments = tuple(environment for _ in days for environment in sets.values())
    at = np.array([d * len(sets) + e for d, e, _, _ in grid])
    samples = Samples(age=np.array([row[2] for row in grid]), pointing=np.array([row[3] for row in grid]))
    shape = (len(days), len(sets), len(spec.ages), len(pointings))
    period = reference_orbit(case).period
    areas, coldest = [], []
    hottest = 0.0
    for orientation in orientations:
        turned = case if orientation == own else with_orientation(case, orientation)
        hottest = _hottest_hour(case, center, period)

        def build(some: Samples, count: int, turned: Case = turned, load: float = hottest) -> Ensemble:
            where = np.repeat(at, count // len(grid))
            when = DesignOrbit(starts, environments, where, load, COARSE_STEP, COARSE_CARD_STEP)
            return Ensemble(turned, center, some, count, when, panels, 16)

        def note(ensemble: Ensemble, outcome: OrbitOutcome) -> None:
            # The largest radiator of the fan gets coldest.
            shape = (len(grid), ensemble.count // len(grid))
            coldest.append(
                tuple(v.min(axis=1).reshape(shape)[:, -1] for v in (outcome.panel_min, outcome.coolant_min))
            )

        sized = fan_areas(build, samples, len(grid), guess=GUESS, fan=SEARCH_FAN, first=note)
        if not sized.feasible.any():
            raise RunFailed(_infeasible(case, center, sized.binding, sized.excess))
        areas.append(np.where(sized.feasible, sized.area, np.inf).reshape(shape))
    area = np.stack(areas, axis=3)
    d, e, a, o, p = (int(i) for i in np.unravel_index(int(np.argmax(area)), area.shape))
    found_cold = np.stack([panel for panel, _ in coldest])
    cold_at = int(np.argmin(found_cold) % len(grid))
    names = tuple(sets)
    hours = 3600.0 * np.arange(0.0, HOURS, 2.0)
    turned = case if orientations[o] == own else with_orientation(case, orientations[o])

    def by_hour(some: Samples, count: int) -> Ensemble:
        load = np.repeat(hours, count // hours.size)
        when = DesignOrbit((days[d],), (sets[names[e]],), 0, load, COARSE_STEP, COARSE_CARD_STEP)
        return Ensemble(turned, center, some, count, when, panels, 16)

    worst = Samples(age=spec.ages[a], pointing=pointings[p])
    sized = fan_areas(by_hour, worst, hours.size, guess=float(area[d, e, a, o, p]), fan=SEARCH_FAN)
    hour_area = np.where(sized.feasible, sized.area, np.inf)
    # The busiest hour stands unless another one asks for clearly more.
    best = int(np.argmax(hour_area))
    load_time = float(hours[best]) if hour_area[best] > area[d, e, a, o, p] * (1.0 + CLEARLY) else hottest
    base = reference_orbit(case)
    beta = np.array([float(beta_angle(base.starting(day).propagate(np.zeros(1)))[0]) for day in days])
    return DesignCase(
        start=days[d],
        environment=names[e],
        orientation=orientations[o],
        pointing=pointings[p],
        load_time=load_time,
        age=float(spec.ages[a]),
        days=days,
        beta=beta,
        area=area,
        environments=names,
        orientations=tuple(str(x) for x in orientations),
        ages=tuple(float(x) for x in spec.ages),
        pointings=pointings,
        hours=hours,
        hour_area=hour_area,
        coldest=days[grid[cold_at][0]],
        panel_min=float(found_cold.min()),
        coolant_min=float(min(coolant.min() for _, coolant in coldest)),
    )


def _infeasible(case: Case, center: int, binding: NDArray[np.int64], excess: Array) -> str:
    """Say that no area meets the requirement, what decides, and what may help."""
    constraint = CONSTRAINTS[int(np.bincount(binding, minlength=len(CONSTRAINTS)).argmax())]
    missing = float(np.min(excess))
    by = (
        f"{TEMPERATURE_SCALE * missing:.1f} K"
        if constraint != CONSTRAINTS[1]
        else f"{100.0 * THROTTLED_SCALE * missing:.1f} % of card-hours"
    )
    return (
        f"sub-center '{case.sub_centers[center].name}': no radiator area meets the requirement; binding constraint: "
        f"{constraint}, missed by {by} with the largest area; a lower coolant_loop.supply_temperature, a larger "
        "cold_plate.conductance_per_card, a lower racks.power_cap or a looser sizing.requirement may help"
    )
