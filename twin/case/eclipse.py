"""How long the longest eclipse of a year is, from the orbit's plane alone.

A case is checked with this closed form before anything runs; `twin.shadow` finds the events of a run.
"""

from __future__ import annotations

import math
from datetime import datetime

__all__ = ["OrbitPlane", "longest_eclipse", "plane_from_ltan", "plane_from_tle"]

EARTH_RADIUS = 6378137.0
"""Equatorial radius (m), WGS 84."""
GRAVITATIONAL_PARAMETER = 3.986004418e14
"""Of the Earth (m³/s²), WGS 84."""
J2 = 1.08262668e-3
"""Second zonal harmonic of the Earth, EGM96."""
_DAY = 86400.0
_TROPICAL_YEAR_DAYS = 365.2422
_J2000 = datetime.fromisoformat("2000-01-01T12:00:00+00:00")


class OrbitPlane:
    """A circular orbit's size and the direction of its normal over time.

    Parameters
    ----------
    semi_major_axis : float
        m.
    inclination : float
        rad.
    node : float
        Right ascension of the ascending node at the epoch, rad.
    epoch : datetime
        Aware, UTC.
    """

    def __init__(self, semi_major_axis: float, inclination: float, node: float, epoch: datetime) -> None:
        self.semi_major_axis = semi_major_axis
        self.inclination = inclination
        self.node = node
        self.epoch_days = (epoch - _J2000).total_seconds() / _DAY

    def days_since_epoch(self, instant: datetime) -> float:
        """Days from the epoch of the elements to an instant."""
        return (instant - _J2000).total_seconds() / _DAY - self.epoch_days

    @property
    def period(self) -> float:
        """Keplerian period, s."""
        return 2.0 * math.pi * math.sqrt(self.semi_major_axis**3 / GRAVITATIONAL_PARAMETER)

    @property
    def node_rate(self) -> float:
        """Secular drift of the node by J2, rad/s (Vallado, eq. 9-37, e = 0)."""
        mean_motion = 2.0 * math.pi / self.period
        return (
            -1.5 * J2 * mean_motion * (EARTH_RADIUS / self.semi_major_axis) ** 2 * math.cos(self.inclination)
        )

    def beta(self, days: float) -> float:
        """Angle from the orbit's plane to the Sun, rad, `days` after J2000."""
        node = self.node + self.node_rate * (days - self.epoch_days) * _DAY
        normal = (
            math.sin(self.inclination) * math.sin(node),
            -math.sin(self.inclination) * math.cos(node),
            math.cos(self.inclination),
        )
        return math.asin(sum(n * s for n, s in zip(normal, _sun(days), strict=True)))

    def eclipse(self, beta: float) -> float:
        """Time in a cylindrical shadow per orbit, s: half-angle acos[√(a² − R²)/(a cos β)]."""
        a = self.semi_major_axis
        ratio = math.sqrt(max(a * a - EARTH_RADIUS**2, 0.0)) / (a * max(math.cos(beta), 1e-12))
        return 0.0 if ratio >= 1.0 else self.period * math.acos(ratio) / math.pi


def _sun(days: float) -> tuple[float, float, float]:
    """Direction of the Sun, good to 0.01° (Astronomical Almanac, low-precision formulas)."""
    anomaly = math.radians(357.528 + 0.9856003 * days)
    longitude = math.radians(
        280.460 + 0.9856474 * days + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2.0 * anomaly)
    )
    obliquity = math.radians(23.439 - 4e-7 * days)
    return (
        math.cos(longitude),
        math.cos(obliquity) * math.sin(longitude),
        math.sin(obliquity) * math.sin(longitude),
    )


def plane_from_ltan(altitude: float, ltan: float, epoch: datetime) -> OrbitPlane:
    """Sun-synchronous plane: altitude (m) and local time of the ascending node (h)."""
    a = EARTH_RADIUS + altitude
    mean_motion = math.sqrt(GRAVITATIONAL_PARAMETER / a**3)
    drift = 2.0 * math.pi / (_TROPICAL_YEAR_DAYS * _DAY)
    cosine = -2.0 * a * a * drift / (3.0 * mean_motion * J2 * EARTH_RADIUS**2)
    days = (epoch - _J2000).total_seconds() / _DAY
    mean_sun = math.radians(280.460 + 0.9856474 * days)
    return OrbitPlane(a, math.acos(max(cosine, -1.0)), mean_sun + math.radians(15.0 * (ltan - 12.0)), epoch)


def plane_from_tle(line1: str, line2: str) -> OrbitPlane:
    """Plane of a two-line element set; the mean motion gives the size."""
    year = int(line1[18:20])
    century = 1900 if year >= 57 else 2000
    start = datetime.fromisoformat(f"{century + year}-01-01T00:00:00+00:00").timestamp()
    epoch = datetime.fromtimestamp(start + (float(line1[20:32]) - 1.0) * _DAY, tz=_J2000.tzinfo)
    mean_motion = float(line2[52:63]) * 2.0 * math.pi / _DAY
    a = (GRAVITATIONAL_PARAMETER / mean_motion**2) ** (1.0 / 3.0)
    return OrbitPlane(a, math.radians(float(line2[8:16])), math.radians(float(line2[17:25])), epoch)


def longest_eclipse(plane: OrbitPlane, start: datetime) -> float:
    """Longest eclipse (s) within a year of `start`; zero where there is none."""
    first = (start - _J2000).total_seconds() / _DAY
    return max(plane.eclipse(plane.beta(first + day)) for day in range(366))
