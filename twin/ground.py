"""Ground stations: where they are and when they see a satellite.

Stations stand on the WGS 84 ellipsoid and turn with Greenwich mean sidereal time into TEME, the frame of
`twin.orbit`; polar motion (below 15 m on the ground) and refraction (0.1 degree at 10 degrees of elevation)
are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.intervals import Intervals, positive_intervals
from twin.kepler import EARTH_RADIUS
from twin.orbit import Orbit
from twin.sun import SECONDS_PER_DAY, days_since_j2000, greenwich_mean_sidereal_time

__all__ = [
    "GroundStation",
    "Look",
    "Passes",
    "longest_pass",
    "look_angles",
    "passes",
    "station_position",
]

Floats = NDArray[np.float64]

WGS84_FLATTENING = 1.0 / 298.257223563
"""Flattening of the WGS 84 ellipsoid [1]."""

_SAMPLES_PER_ORBIT = 60


@dataclass(frozen=True)
class GroundStation:
    """A station and its weather.

    Attributes
    ----------
    name : str
        Name.
    latitude, longitude : float
        Geodetic latitude and east longitude [rad].
    altitude : float
        Above the ellipsoid [m].
    minimum_elevation : float
        Lowest elevation of use [rad].
    cloud_free_fraction : float
        Share of the time with a cloud-free line of sight; 1 for a radio station [1].
    cloudy_spell : float
        Mean length of a cloudy spell [s]; assumed, clouds last for hours.

    Raises
    ------
    ValueError
        If a value is out of range; degrees in place of radians, for instance.
    """

    name: str
    latitude: float
    longitude: float
    altitude: float = 0.0
    minimum_elevation: float = math.radians(20.0)
    cloud_free_fraction: float = 1.0
    cloudy_spell: float = 6.0 * 3600.0

    def __post_init__(self) -> None:
        if not (abs(self.latitude) <= 0.5 * math.pi and abs(self.longitude) <= 2.0 * math.pi):
            raise ValueError(
                f"ground station {self.name}: latitude {self.latitude}, longitude {self.longitude}; expected "
                "radians within pi/2 and 2 pi"
            )
        if not (-500.0 <= self.altitude <= 10e3 and 0.0 <= self.minimum_elevation < 0.5 * math.pi):
            raise ValueError(
                f"ground station {self.name}: altitude {self.altitude} m, minimum_elevation "
                f"{self.minimum_elevation}; expected metres up to 10 km and radians in [0, pi/2)"
            )
        if not (0.0 <= self.cloud_free_fraction <= 1.0 and self.cloudy_spell > 0.0):
            raise ValueError(
                f"ground station {self.name}: cloud_free_fraction {self.cloud_free_fraction}, cloudy_spell "
                f"{self.cloudy_spell} s; expected a share in [0, 1] and a length above 0"
            )

    @property
    def earth_fixed(self) -> Floats:
        """Position in the Earth-fixed frame, shape (3,) [m] (Vallado, 4th ed., eq. 3-14)."""
        e2 = WGS84_FLATTENING * (2.0 - WGS84_FLATTENING)
        sine, cosine = math.sin(self.latitude), math.cos(self.latitude)
        curvature = EARTH_RADIUS / math.sqrt(1.0 - e2 * sine**2)
        out = (curvature + self.altitude) * cosine
        return np.array(
            [
                out * math.cos(self.longitude),
                out * math.sin(self.longitude),
                (curvature * (1.0 - e2) + self.altitude) * sine,
            ]
        )

    @property
    def zenith(self) -> Floats:
        """Normal of the ellipsoid in the Earth-fixed frame, shape (3,) [1]."""
        cosine = math.cos(self.latitude)
        return np.array(
            [cosine * math.cos(self.longitude), cosine * math.sin(self.longitude), math.sin(self.latitude)]
        )


@dataclass(frozen=True, eq=False)
class Look:
    """Direction from a station to a satellite; arrays (n,).

    Attributes
    ----------
    elevation : ndarray
        Above the horizon of the ellipsoid [rad].
    distance : ndarray
        Slant range [m].
    """

    elevation: Floats
    distance: Floats


def _turned(vector: Floats, sidereal_time: Floats) -> Floats:
    """Turn an Earth-fixed vector into TEME, shape (n, 3)."""
    c, s = np.cos(sidereal_time), np.sin(sidereal_time)
    x, y, z = vector
    return np.stack([c * x - s * y, s * x + c * y, np.full_like(c, z)], axis=1)


def station_position(station: GroundStation, days: ArrayLike) -> Floats:
    """Position of a station in TEME of date.

    Parameters
    ----------
    station : GroundStation
        Station.
    days : array_like, shape (n,)
        Days since 2000 January 1, 12:00 UTC [d].

    Returns
    -------
    ndarray, shape (n, 3)
        Position [m].
    """
    return _turned(station.earth_fixed, greenwich_mean_sidereal_time(np.atleast_1d(np.asarray(days, float))))


def look_angles(station: GroundStation, days: ArrayLike, position: ArrayLike) -> Look:
    """Elevation and range of a satellite.

    Parameters
    ----------
    station : GroundStation
        Station.
    days : array_like, shape (n,)
        Days since 2000 January 1, 12:00 UTC [d].
    position : array_like, shape (n, 3)
        Satellite, TEME of date [m].

    Returns
    -------
    Look
        Elevation and range (geometric: no light time, no refraction).
    """
    sidereal = greenwich_mean_sidereal_time(np.atleast_1d(np.asarray(days, float)))
    line = np.asarray(position, float) - _turned(station.earth_fixed, sidereal)
    distance = np.linalg.norm(line, axis=1)
    sine = np.einsum("ij,ij->i", line, _turned(station.zenith, sidereal)) / distance
    return Look(np.arcsin(np.clip(sine, -1.0, 1.0)), distance)


@dataclass(frozen=True, eq=False)
class Passes:
    """Passes over one station.

    Attributes
    ----------
    station : GroundStation
        Station.
    spans : Intervals
        From rise above the minimum elevation to set [s since the orbit's epoch].
    highest : ndarray, shape (n,)
        Largest elevation [rad], good to a thousandth of a radian.
    nearest : ndarray, shape (n,)
        Smallest range [m].
    """

    station: GroundStation
    spans: Intervals
    highest: Floats
    nearest: Floats


def passes(orbit: Orbit, station: GroundStation, start: float, stop: float) -> Passes:
    """Find every pass over a station, with exact times of rise and set.

    Parameters
    ----------
    orbit : Orbit
        The satellite's orbit.
    station : GroundStation
        Station.
    start, stop : float
        Span, in seconds since the orbit's epoch; passes are cut at its bounds [s].

    Returns
    -------
    Passes
        Times good to a microsecond for the given orbit.

    Notes
    -----
    The sine of the elevation has one maximum per revolution; it is sampled 60 times in each, and see
    `twin.intervals.positive_intervals`.
    """
    epoch = days_since_j2000(orbit.epoch)

    def look(seconds: Floats) -> Look:
        position = orbit.propagate(seconds).position
        return look_angles(station, epoch + seconds / SECONDS_PER_DAY, position)

    def margin(seconds: Floats) -> Floats:
        return np.asarray(look(seconds).elevation - station.minimum_elevation)

    spans = positive_intervals(margin, start, stop, orbit.period / _SAMPLES_PER_ORBIT)
    if len(spans) == 0:
        return Passes(station, spans, np.empty(0), np.empty(0))
    along = np.linspace(0.0, 1.0, 65)
    seen = look((spans.start[:, None] + along * spans.duration[:, None]).ravel())
    shape = (len(spans), along.size)
    return Passes(
        station, spans, seen.elevation.reshape(shape).max(axis=1), seen.distance.reshape(shape).min(axis=1)
    )


def longest_pass(
    radius: float, minimum_elevation: float, angular_rate: float, earth_radius: float = EARTH_RADIUS
) -> float:
    """Duration of a pass through the zenith of a station on a spherical Earth [s].

    Parameters
    ----------
    radius : float
        Radius of the circular orbit [m].
    minimum_elevation : float
        Lowest elevation of use [rad].
    angular_rate : float
        Of the satellite relative to the station, about the Earth's centre [rad/s].
    earth_radius : float, optional
        Distance of the station from the centre [m].

    Notes
    -----
    ``2 [acos(R cos e / a) - e] / rate``: Wertz and Larson, Space Mission Analysis and Design, 3rd ed.,
    chapter 5.
    """
    if not radius > earth_radius:
        raise ValueError(f"orbit radius is {radius:g} m, expected more than the Earth's {earth_radius:g} m")
    ratio = earth_radius * math.cos(minimum_elevation) / radius
    return 2.0 * (math.acos(ratio) - minimum_elevation) / angular_rate
