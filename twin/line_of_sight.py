"""Who sees whom in orbit: lines of sight above the atmosphere, and geostationary relays."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.intervals import Intervals, positive_intervals
from twin.kepler import EARTH_RADIUS
from twin.sun import SECONDS_PER_DAY, greenwich_mean_sidereal_time

__all__ = [
    "ATMOSPHERE_HEIGHT",
    "GEOSTATIONARY_RADIUS",
    "geostationary_position",
    "geostationary_trajectory",
    "grazing_height",
    "intersatellite_contacts",
]

Floats = NDArray[np.float64]

Trajectory = Callable[[Floats], Floats]
"""Positions (n, 3) [m] at times (n,) [s], inertial."""

ATMOSPHERE_HEIGHT = 100e3
"""Height above which a laser passes undisturbed [m]; assumed, the Karman line."""

GEOSTATIONARY_RADIUS = 42_164_170.0
"""Radius of the geostationary orbit [m]."""

_STEP = 60.0  # s; distances and heights of low orbits have extrema a quarter of a revolution apart


def grazing_height(first: ArrayLike, second: ArrayLike, earth_radius: float = EARTH_RADIUS) -> Floats:
    """Lowest height of the straight line between two places above a spherical Earth.

    Parameters
    ----------
    first, second : array_like, shape (n, 3) or (3,)
        Positions from the Earth's centre [m].
    earth_radius : float, optional
        Radius [m].

    Returns
    -------
    ndarray, shape (n,)
        Height, negative where the Earth is in between [m].
    """
    a, b = np.broadcast_arrays(
        np.atleast_2d(np.asarray(first, float)), np.atleast_2d(np.asarray(second, float))
    )
    along = b - a
    length2 = np.maximum(np.einsum("ij,ij->i", along, along), 1e-300)
    place = np.clip(-np.einsum("ij,ij->i", a, along) / length2, 0.0, 1.0)
    return np.asarray(np.linalg.norm(a + place[:, None] * along, axis=1) - earth_radius)


def intersatellite_contacts(
    first: Trajectory,
    second: Trajectory,
    start: float,
    stop: float,
    *,
    lowest_height: float = ATMOSPHERE_HEIGHT,
    maximum_range: float = math.inf,
    step: float = _STEP,
) -> Intervals:
    """Spans in which two satellites see each other above the atmosphere and within range.

    Parameters
    ----------
    first, second : callable
        Positions (n, 3) [m] at times (n,) [s], in one inertial frame, such as
        ``lambda t: orbit.propagate(t).position``.
    start, stop : float
        Span that is searched [s].
    lowest_height : float, optional
        Height that the line of sight must keep [m].
    maximum_range : float, optional
        Longest link [m].
    step : float, optional
        Sampling step [s].

    Returns
    -------
    Intervals
        Contacts, bounds good to a microsecond.
    """

    def height(time: Floats) -> Floats:
        return grazing_height(first(time), second(time)) - lowest_height

    def closeness(time: Floats) -> Floats:
        return np.asarray(maximum_range - np.linalg.norm(first(time) - second(time), axis=1))

    clear = positive_intervals(height, start, stop, step)
    if math.isinf(maximum_range):
        return clear
    return clear.intersection(positive_intervals(closeness, start, stop, step))


def geostationary_position(longitude: float, days: ArrayLike) -> Floats:
    """Position of a geostationary satellite, TEME of date.

    Parameters
    ----------
    longitude : float
        East longitude [rad].
    days : array_like, shape (n,)
        Days since 2000 January 1, 12:00 UTC [d]; ``twin.sun.days_since_j2000(epoch) + seconds / 86400``.

    Returns
    -------
    ndarray, shape (n, 3)
        Position [m].
    """
    angle = greenwich_mean_sidereal_time(np.atleast_1d(np.asarray(days, float))) + longitude
    return GEOSTATIONARY_RADIUS * np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=1)


def geostationary_trajectory(longitude: float, epoch_days: float) -> Trajectory:
    """Trajectory of a geostationary relay at a longitude [rad]; time 0 is `epoch_days` after J2000 [d]."""

    def place(seconds: Floats) -> Floats:
        return geostationary_position(longitude, epoch_days + np.asarray(seconds) / SECONDS_PER_DAY)

    return place
