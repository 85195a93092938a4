"""A year of an orbit: beta angle, eclipse seasons, and the heat that reaches faces of the spacecraft."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from twin.attitude import Orientation, face_normals
from twin.environment import EnvironmentSet, incident_fluxes, tabulate_albedo
from twin.orbit import EARTH_RADIUS, TROPICAL_YEAR, Orbit
from twin.shadow import EclipseEvents, ShadowModel, beta_angle, eclipse_events
from twin.sun import SECONDS_PER_DAY

FloatArray = NDArray[np.float64]

__all__ = [
    "EclipseSeason",
    "FluxHistory",
    "OrbitYear",
    "flux_history",
    "group_seasons",
    "orbit_year",
    "year_span",
]

_GAP = 2.0 * SECONDS_PER_DAY
"""Eclipses further apart than this [s] belong to different seasons."""


@dataclass(frozen=True)
class EclipseSeason:
    """A run of revolutions that all have an eclipse.

    Attributes
    ----------
    start, end : datetime
        First entry into, and last exit from, the shadow (UTC).
    eclipses : int
        Number of eclipses.
    longest : float
        Longest time without full sunlight [s].
    longest_umbra : float
        Longest time in full shadow [s].
    longest_at : datetime
        Middle of the longest eclipse (UTC).
    dark_time : float
        Total time without full sunlight [s].
    umbra_time : float
        Total time in full shadow [s].
    """

    start: datetime
    end: datetime
    eclipses: int
    longest: float
    longest_umbra: float
    longest_at: datetime
    dark_time: float
    umbra_time: float

    @property
    def days(self) -> float:
        """Length of the season [d]."""
        return (self.end - self.start).total_seconds() / SECONDS_PER_DAY


def group_seasons(orbit: Orbit, events: EclipseEvents) -> tuple[EclipseSeason, ...]:
    """Gather eclipses into seasons: runs without a gap of two days.

    Parameters
    ----------
    orbit : Orbit
        The orbit that the events are of.
    events : EclipseEvents
        Eclipses in order.
    """
    if len(events) == 0:
        return ()
    breaks = np.flatnonzero(np.diff(events.middle) > _GAP) + 1
    seasons = []
    for part in np.split(np.arange(len(events)), breaks):
        longest = int(part[np.argmax(events.duration[part])])
        seasons.append(
            EclipseSeason(
                start=orbit.instant_at(events.penumbra_entry[part[0]]),
                end=orbit.instant_at(events.penumbra_exit[part[-1]]),
                eclipses=int(part.size),
                longest=float(events.duration[longest]),
                longest_umbra=float(events.umbra_duration[part].max()),
                longest_at=orbit.instant_at(events.middle[longest]),
                dark_time=float(events.duration[part].sum()),
                umbra_time=float(events.umbra_duration[part].sum()),
            )
        )
    return tuple(seasons)


@dataclass(frozen=True)
class OrbitYear:
    """Beta angle and eclipses of one calendar year.

    Attributes
    ----------
    orbit : Orbit
        The orbit.
    start, stop : float
        First and last instant of the year, in seconds since the orbit's epoch [s].
    time : ndarray, shape (day,)
        Noon of each day, seconds since the orbit's epoch [s].
    beta : ndarray, shape (day,)
        Beta angle [rad] at those instants.
    events : EclipseEvents
        Eclipses of the year.
    seasons : tuple of EclipseSeason
        Seasons that begin in the year, each followed to its end (which may be in the next year), or the whole
        year where eclipses never stop.
    """

    orbit: Orbit
    start: float
    stop: float
    time: FloatArray
    beta: FloatArray
    events: EclipseEvents
    seasons: tuple[EclipseSeason, ...]

    @property
    def dark_time(self) -> float:
        """Time without full sunlight in the year [s]."""
        return float(self.events.duration.sum())

    @property
    def umbra_time(self) -> float:
        """Time in full shadow in the year [s]."""
        return float(self.events.umbra_duration.sum())


def year_span(orbit: Orbit, year: int) -> tuple[float, float]:
    """First and last instant of a calendar year (UTC), in seconds since the orbit's epoch [s]."""
    start = orbit.seconds_at(datetime(year, 1, 1, tzinfo=UTC))
    return start, orbit.seconds_at(datetime(year + 1, 1, 1, tzinfo=UTC))


def orbit_year(
    orbit: Orbit, year: int, model: ShadowModel = "conical", *, earth_radius: float = EARTH_RADIUS
) -> OrbitYear:
    """Beta angle, eclipses and eclipse seasons of a calendar year.

    Parameters
    ----------
    orbit : Orbit
        The orbit; its elements need not be of that year.
    year : int
        Calendar year (UTC).
    model : {"conical", "cylindrical"}
        Shape of the shadow.
    earth_radius : float
        Radius of the Earth [m].

    Raises
    ------
    ValueError
        If the shadow model is unknown.
    PropagationError
        If SGP4 cannot carry the elements through the year.
    """
    start, stop = year_span(orbit, year)
    noon = start + SECONDS_PER_DAY * (0.5 + np.arange(round((stop - start) / SECONDS_PER_DAY)))
    beta = beta_angle(orbit.propagate(noon))
    events = eclipse_events(orbit, start, stop, model, earth_radius=earth_radius)
    return OrbitYear(
        orbit,
        start,
        stop,
        np.asarray(noon, dtype=np.float64),
        beta,
        events,
        _seasons(orbit, events, model, earth_radius),
    )


def _seasons(
    orbit: Orbit, events: EclipseEvents, model: ShadowModel, earth_radius: float
) -> tuple[EclipseSeason, ...]:
    if len(events) == 0:
        return ()
    running_at_start = events.penumbra_entry[0] - events.start < _GAP
    running_at_stop = events.stop - events.penumbra_exit[-1] < _GAP
    if not running_at_start and not running_at_stop:
        return group_seasons(orbit, events)
    if running_at_start and running_at_stop and np.all(np.diff(events.middle) <= _GAP):
        return group_seasons(orbit, events)
    # Look beyond the year for the ends of what runs across it.
    first = events.start - (_GAP if running_at_start else 0.0)
    last = events.stop + (TROPICAL_YEAR if running_at_stop else 0.0)
    wider = eclipse_events(orbit, first, last, model, earth_radius=earth_radius)
    return tuple(
        season
        for season in group_seasons(orbit, wider)
        if events.start <= orbit.seconds_at(season.start) < events.stop
    )


@dataclass(frozen=True)
class FluxHistory:
    """Incident flux on faces, averaged over intervals (a day, by default).

    Attributes
    ----------
    time : ndarray, shape (interval,)
        Middle of each interval, seconds since the orbit's epoch [s].
    solar, albedo, earth_infrared : ndarray, shape (interval, face)
        Mean incident flux in each interval [W/m2].
    largest : ndarray, shape (face,)
        Largest total flux in the whole span [W/m2].
    samples : int
        Number of instants evaluated.
    """

    time: FloatArray
    solar: FloatArray
    albedo: FloatArray
    earth_infrared: FloatArray
    largest: FloatArray
    samples: int

    @property
    def total(self) -> FloatArray:
        """Mean total flux in each interval [W/m2], shape (interval, face)."""
        return np.asarray(self.solar + self.albedo + self.earth_infrared)


def flux_history(
    orbit: Orbit,
    orientations: Sequence[Orientation],
    environment: EnvironmentSet,
    start: float,
    stop: float,
    *,
    step: float = 10.0,
    interval: float = SECONDS_PER_DAY,
    earth_radius: float = EARTH_RADIUS,
) -> FluxHistory:
    """Incident flux on faces over a long span, in bounded memory and on all processors.

    Parameters
    ----------
    orbit : Orbit
        The orbit.
    orientations : sequence
        Orientation of each face, see `twin.attitude.face_normals`.
    environment : EnvironmentSet
        The Sun and the Earth.
    start, stop : float
        Span, in seconds since the orbit's epoch [s].
    step : float
        Time between instants evaluated [s].
    interval : float
        Averaging interval [s].
    earth_radius : float
        Radius of the Earth [m].

    Raises
    ------
    ValueError
        If the span is empty, or the step is not shorter than the interval.
    """
    if not stop > start or not 0.0 < step <= interval:
        raise ValueError(
            f"span {start:g} to {stop:g} s, step {step:g} s, interval {interval:g} s; "
            "expected start < stop and 0 < step <= interval"
        )
    table = tabulate_albedo(orbit, start, stop, earth_radius=earth_radius)
    edges = start + interval * np.arange(math.ceil((stop - start) / interval - 1e-9))

    def average(first: float) -> tuple[FloatArray, FloatArray, int]:
        sums, largest, count = np.zeros((3, len(orientations))), np.zeros(len(orientations)), 0
        for states in orbit.chunks(float(first), min(float(first) + interval, stop), step):
            fluxes = incident_fluxes(
                states,
                face_normals(orientations, states),
                environment,
                albedo_table=table,
                earth_radius=earth_radius,
            )
            parts = (fluxes.solar, fluxes.albedo, fluxes.earth_infrared)
            sums += np.stack([part.sum(axis=0) for part in parts])
            largest = np.maximum(largest, (parts[0] + parts[1] + parts[2]).max(axis=0))
            count += len(states)
        return sums / count, largest, count

    with ThreadPoolExecutor(max_workers=os.process_cpu_count()) as pool:  # kernels run outside Python's lock
        results = list(pool.map(average, edges))
    means = np.stack([result[0] for result in results])
    return FluxHistory(
        time=edges + 0.5 * np.minimum(interval, stop - edges),
        solar=means[:, 0],
        albedo=means[:, 1],
        earth_infrared=means[:, 2],
        largest=np.stack([result[1] for result in results]).max(axis=0),
        samples=sum(result[2] for result in results),
    )
