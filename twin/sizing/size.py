"""`size(case)`: how much radiator every sub-center needs, with what margin and confidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from twin.case import Case
from twin.errors import RunFailed
from twin.interconnect import Interconnect
from twin.plant import reference_orbit
from twin.sizing.design_case import DesignCase
from twin.sizing.margins import MarginPolicy, margin_policy
from twin.sizing.nominal_area import NominalArea
from twin.sizing.panels import Panels
from twin.sizing.sensitivity import Sensitivity, sensitivity
from twin.sizing.statistics import AreaStatistics, area_statistics
from twin.sizing.tasks import design_and_nominal, size_chunk, study
from twin.sizing.uncertainty import Method, check_bounds, draw
from twin.sweep_cluster import Done, Workers, run_tasks

Array = NDArray[np.float64]
Watch = Callable[[str, float], None]

__all__ = ["STUDIES", "Sizing", "SizingOptions", "SubCenterSizing", "size"]

STUDIES = ("what_if", "curve", "years", "trade")
"""What is studied beside the areas."""

CHUNK = 256
"""Samples in a task: enough to fill the lanes of the reduced model, few enough to share out."""


@dataclass(frozen=True)
class SizingOptions:
    """How a sizing is done.

    Attributes
    ----------
    samples : int
        Draws of the uncertain variables at every age; 0 for none.
    method : {"sobol", "lhs"}
    studies : tuple of str
        Of `STUDIES`.
    """

    samples: int = 256
    method: Method = "sobol"
    studies: tuple[str, ...] = STUDIES


@dataclass(frozen=True, eq=False)
class SampledArea:
    """Areas of the draws at an age.

    Attributes
    ----------
    age : float
        [s].
    area : (sample,) array
        Factor on the design's; NaN where none is enough or the sample failed.
    binding : (sample,) int array
        What decides; −1 for a sample that failed.
    errors : mapping of sample to str
        Why samples failed, after a second attempt.
    statistics : AreaStatistics
        Of the samples that did not fail.
    sensitivity : Sensitivity or None
    """

    age: float
    area: Array
    binding: NDArray[np.int64]
    errors: Mapping[int, str]
    statistics: AreaStatistics
    sensitivity: Sensitivity | None


@dataclass(frozen=True, eq=False)
class SubCenterSizing:
    """The sizing of one sub-center.

    Attributes
    ----------
    name : str
    design_area : float
        Of all its radiators, one face [m²].
    cards : int
    period : float
        Length of an orbit [s].
    design_case : DesignCase
    nominal : NominalArea
    draws : mapping of variable to (sample,) array
    sampled : tuple of SampledArea
        One per age.
    studies : mapping of name to Dataset
    failures : mapping of study to str
        Why studies are missing.
    """

    name: str
    design_area: float
    cards: int
    period: float
    design_case: DesignCase
    nominal: NominalArea
    draws: Mapping[str, Array] = field(default_factory=dict)
    sampled: tuple[SampledArea, ...] = ()
    studies: Mapping[str, xr.Dataset] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)

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
    certificates : mapping of module class to dict
        Errors of the reduced models against finite elements.
    """

    case: Case
    margin: MarginPolicy
    sub_centers: tuple[SubCenterSizing, ...]
    certificates: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


def size(
    case: Case,
    options: SizingOptions | None = None,
    place: Workers | None = None,
    panels: Panels | None = None,
    watch: Watch | None = None,
) -> Sizing:
    """Size the radiators of all sub-centers of a case.

    Parameters
    ----------
    case : Case
    options : SizingOptions, optional
    place : Workers, optional
        Where tasks run; this process if not given (see `twin.sweep_cluster.workers`).
    panels : Panels, optional
        Reduced panels of the module classes; trained if they are not in the cache.
    watch : callable, optional
        Called with what is being done and the share done.

    Raises
    ------
    BadInput
        If a distribution leaves what is physical, or modules share buses or loops.
    RunFailed
        If no area meets the requirement; names the binding constraint.

    Examples
    --------
    >>> sizing = size(Case.load("cases/gigawatt.yaml"))
    >>> sizing.sub_centers[0].sampled[0].statistics.quantiles
    """
    choice, at = options or SizingOptions(), place or Workers()
    tell = watch or (lambda what, share: None)
    Interconnect.require_none(case, "twin size")
    check_bounds(case)
    trained = panels or Panels()
    # Training is done here, once: workers find the panels loaded.
    for number, design in enumerate(case.module_classes.values()):
        tell("reduced model", 0.02 * number / len(case.module_classes))
        trained(design)
    trained = trained.without_progress()
    common = {0: case, 1: trained}
    first = _first_round(case, common, at, tell)
    count = len(case.sub_centers)
    variables = case.sizing.uncertainty.variables
    draws = draw(variables, choice.samples, case.mission.seed, choice.method)
    sampled = _sampled(case, choice, first, draws, common, at, tell) if draws else [()] * count
    studies, failures = _studies(choice, first, draws, common, at, tell)
    tell("done", 1.0)
    parts = []
    period = reference_orbit(case).period
    for k, part in enumerate(case.sub_centers):
        area = sum(g.count * case.module_classes[g.class_].radiator.panel_area for g in part.modules)
        cards = sum(g.count * case.module_classes[g.class_].racks.cards for g in part.modules)
        found, nominal = first[k]
        parts.append(
            SubCenterSizing(
                part.name, area, cards, period, found, nominal, draws, sampled[k], studies[k], failures[k]
            )
        )
    certificates = {name: trained(design).certificate for name, design in case.module_classes.items()}
    return Sizing(case, margin_policy(case.sizing.margin), tuple(parts), certificates)


def _first_round(
    case: Case, common: Mapping[int, object], at: Workers, tell: Watch
) -> list[tuple[DesignCase, NominalArea]]:
    """Design cases and nominal areas of all sub-centers."""
    count, ended = len(case.sub_centers), 0

    def step(done: Done) -> None:
        nonlocal ended
        ended += 1
        tell(f"design case: {case.sub_centers[done.number].name}", 0.02 + 0.38 * ended / count)

    tell("design cases", 0.02)
    results = run_tasks(at, design_and_nominal, [(k,) for k in range(count)], common, done=step)
    for done in results:
        if done.error:
            raise RunFailed(
                done.error.partition(": ")[2] if done.error.startswith("RunFailed") else done.error
            )
    return [done.value for done in results]


def _chunks(count: int, workers: int, keys: int) -> list[slice]:
    """Parts of the samples of one of several keys: at most `CHUNK` each, and enough of them for all workers."""
    size = max(8, min(CHUNK, int(np.ceil(count * keys / workers))))
    return [slice(first, min(first + size, count)) for first in range(0, count, size)]


def _sampled(
    case: Case,
    choice: SizingOptions,
    first: list[tuple[DesignCase, NominalArea]],
    draws: Mapping[str, Array],
    common: Mapping[int, object],
    at: Workers,
    tell: Watch,
) -> list[tuple[SampledArea, ...]]:
    """Areas of all draws, sub-centers and ages; a small pilot says where the others begin."""
    count, ages = choice.samples, case.sizing.ages
    keys = [(k, a) for k in range(len(first)) for a in range(len(ages))]
    area = np.full((len(keys), count), np.nan)
    binding = np.full((len(keys), count), -1)
    errors: list[dict[int, str]] = [{} for _ in keys]

    def tasks(parts: list[slice], guess: Array) -> list[tuple[int, slice, tuple[object, ...]]]:
        found: list[tuple[int, slice, tuple[object, ...]]] = []
        for number, (k, a) in enumerate(keys):
            for part in parts:
                some = {name: values[part] for name, values in draws.items()}
                found.append((number, part, (k, first[k][0], ages[a], part.start, some, guess[number, part])))
        return found

    def run(jobs: list[tuple[int, slice, tuple[object, ...]]], begin: float, end: float) -> None:
        ended = 0

        def step(done: Done) -> None:
            nonlocal ended
            ended += 1
            number = jobs[done.number][0]
            name = case.sub_centers[keys[number][0]].name
            tell(f"samples: {name}", begin + (end - begin) * ended / len(jobs))

        again = []
        for (number, part, arguments), done in zip(
            jobs, run_tasks(at, size_chunk, [j[2] for j in jobs], common, done=step)
        ):
            if done.error and part.stop - part.start > 1:
                # One bad sample must not take its neighbours along: halves are tried on their own.
                middle = (part.start + part.stop) // 2
                again += [
                    (number, half, _cut(arguments, part, half))
                    for half in (slice(part.start, middle), slice(middle, part.stop))
                ]
            elif done.error:
                errors[number][part.start] = done.error
            else:
                area[number, part] = done.value.area
                binding[number, part] = done.value.binding
        if again:
            run(again, end, end)

    pilot = slice(0, min(count, max(32, 3 * len(draws))))
    nominal = np.array([first[k][1].needed[a] for k, a in keys])
    guess = np.repeat(np.nan_to_num(nominal, nan=1.0)[:, None], count, axis=1)
    run(tasks([pilot], guess), 0.40, 0.45)
    if pilot.stop < count:
        for number in range(len(keys)):
            guess[number] = _linear_guess(draws, area[number], pilot, guess[number])
        rest = [
            slice(s.start + pilot.stop, s.stop + pilot.stop)
            for s in _chunks(count - pilot.stop, at.count, len(keys))
        ]
        run(tasks(rest, guess), 0.45, 0.80)
    out: list[tuple[SampledArea, ...]] = []
    for k in range(len(first)):
        mine = []
        for number, (center, a) in enumerate(keys):
            if center != k:
                continue
            good = binding[number] >= 0
            statistics = area_statistics(area[number, good], case.mission.seed)
            drives = sensitivity(
                {n: v[good] for n, v in draws.items()}, area[number, good], case.mission.seed
            )
            mine.append(
                SampledArea(float(ages[a]), area[number], binding[number], errors[number], statistics, drives)
            )
        out.append(tuple(mine))
    return out


def _cut(arguments: tuple[object, ...], part: slice, half: slice) -> tuple[object, ...]:
    """Arguments of a chunk for a part of its samples."""
    center, found, age, _, some, guess = arguments
    inside = slice(half.start - part.start, half.stop - part.start)
    assert isinstance(some, Mapping) and isinstance(guess, np.ndarray)
    return center, found, age, half.start, {n: v[inside] for n, v in some.items()}, guess[inside]


def _linear_guess(draws: Mapping[str, Array], area: Array, pilot: slice, default: Array) -> Array:
    """Areas from a linear model of the pilot's, in logarithms."""
    points = np.log(np.stack([np.ones(area.size) * np.e, *draws.values()], axis=1))
    known = np.isfinite(area[pilot])
    if known.sum() < points.shape[1] + 4:
        return default
    rows, values = points[pilot][known], np.log(area[pilot][known])
    weight = 1e-8 * np.eye(points.shape[1])
    fit = np.linalg.solve(rows.T @ rows + weight, rows.T @ values)
    return np.exp(np.clip(points @ fit, values.min() - 0.3, values.max() + 0.3))


def _studies(
    choice: SizingOptions,
    first: list[tuple[DesignCase, NominalArea]],
    draws: Mapping[str, Array],
    common: Mapping[int, object],
    at: Workers,
    tell: Watch,
) -> tuple[list[dict[str, xr.Dataset]], list[dict[str, str]]]:
    keys = [(k, name) for k in range(len(first)) for name in choice.studies]
    ended = 0

    def step(done: Done) -> None:
        nonlocal ended
        ended += 1
        tell(f"study: {keys[done.number][1]}", 0.80 + 0.19 * ended / len(keys))

    tasks = []
    for k, name in keys:
        found, nominal = first[k]
        age = int(np.argmin(np.abs(nominal.ages - found.age)))
        needed = float(np.nan_to_num(nominal.needed[age], nan=1.0))
        tasks.append((name, k, found, needed, draws))
    out: list[dict[str, xr.Dataset]] = [{} for _ in first]
    failures: list[dict[str, str]] = [{} for _ in first]
    for (k, name), done in zip(keys, run_tasks(at, study, tasks, common, done=step)):
        if done.error:
            failures[k][name] = done.error
        else:
            out[k][name] = done.value
    return out, failures
