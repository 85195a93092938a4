"""Keplerian motion about a flattened Earth: mean elements and the secular drift due to J2."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.sun import SECONDS_PER_DAY

FloatArray = NDArray[np.float64]

__all__ = [
    "EARTH_GRAVITATIONAL_PARAMETER",
    "EARTH_J2",
    "EARTH_RADIUS",
    "SUN_SYNCHRONOUS_NODE_RATE",
    "TROPICAL_YEAR",
    "SecularElements",
    "elements_from_state",
    "solve_kepler",
    "sun_synchronous_inclination",
]

EARTH_RADIUS = 6_378_137.0
"""Equatorial radius of the Earth [m], WGS 84; altitudes are counted from it."""

EARTH_GRAVITATIONAL_PARAMETER = 3.986004418e14
"""Gravitational parameter of the Earth [m3/s2], WGS 84."""

EARTH_J2 = 1.08262668e-3
"""Second zonal harmonic of the Earth's gravity [-], EGM96."""

TROPICAL_YEAR = 365.2422 * SECONDS_PER_DAY
"""Mean tropical year [s]."""

SUN_SYNCHRONOUS_NODE_RATE = 2.0 * math.pi / TROPICAL_YEAR
"""Mean motion of the mean Sun along the equator [rad/s]: the rate of a sun-synchronous node."""


def sun_synchronous_inclination(
    altitude: float, eccentricity: float = 0.0, earth_radius: float = EARTH_RADIUS
) -> float:
    """Inclination [rad] at which the node follows the mean Sun.

    Parameters
    ----------
    altitude : float
        Semi-major axis less the Earth's radius [m].
    eccentricity : float
        Eccentricity [-].
    earth_radius : float
        Radius from which the altitude is counted [m].

    Raises
    ------
    ValueError
        If no inclination makes an orbit of this altitude sun-synchronous (above about 5970 km).

    Notes
    -----
    cos i = -2 p² Ω̇ / (3 n J2 R²) with p = a (1 - e²): Vallado, Fundamentals of Astrodynamics and
    Applications, 4th ed., eq. 11-13, first order in J2.
    """
    axis = earth_radius + altitude
    parameter = axis * (1.0 - eccentricity**2)
    mean_motion = math.sqrt(EARTH_GRAVITATIONAL_PARAMETER / axis**3)
    cosine = -2.0 * SUN_SYNCHRONOUS_NODE_RATE * parameter**2
    cosine /= 3.0 * mean_motion * EARTH_J2 * EARTH_RADIUS**2
    if cosine < -1.0:
        raise ValueError(
            f"altitude {altitude / 1e3:g} km has no sun-synchronous inclination; expected less than 5970 km"
        )
    return math.acos(cosine)


@dataclass(frozen=True)
class SecularElements:
    """Mean Keplerian elements with the secular drift that the Earth's flattening (J2) causes.

    Attributes
    ----------
    epoch : datetime
        Epoch of the elements (UTC).
    semi_major_axis : float
        Semi-major axis [m].
    eccentricity : float
        Eccentricity [-].
    inclination, node, argument_of_perigee, mean_anomaly : float
        Angles at the epoch [rad]; the node from the mean equinox of date.
    j2 : float
        Second zonal harmonic [-]; zero gives a Keplerian orbit fixed in space.
    gravitational_parameter : float
        Gravitational parameter of the Earth [m3/s2].

    Notes
    -----
    Rates: Vallado, Fundamentals of Astrodynamics and Applications, 4th ed., eqs. 9-37, 9-39 and 9-41.
    """

    epoch: datetime
    semi_major_axis: float
    eccentricity: float
    inclination: float
    node: float
    argument_of_perigee: float
    mean_anomaly: float
    j2: float = EARTH_J2
    gravitational_parameter: float = EARTH_GRAVITATIONAL_PARAMETER

    def __post_init__(self) -> None:
        if not 0.0 <= self.eccentricity < 1.0:
            raise ValueError(f"eccentricity is {self.eccentricity:g}; a closed orbit needs 0 <= e < 1")
        if not 0.0 <= self.inclination <= math.pi:
            raise ValueError(f"inclination is {self.inclination:g} rad; expected 0 to pi")
        if not self.semi_major_axis > 0.0:
            raise ValueError(f"semi-major axis is {self.semi_major_axis:g} m; expected a positive length")

    @property
    def mean_motion(self) -> float:
        """Keplerian mean motion [rad/s]."""
        return math.sqrt(self.gravitational_parameter / self.semi_major_axis**3)

    @property
    def _flattening_rate(self) -> float:
        parameter = self.semi_major_axis * (1.0 - self.eccentricity**2)
        return 1.5 * self.mean_motion * self.j2 * (EARTH_RADIUS / parameter) ** 2

    @property
    def node_rate(self) -> float:
        """Drift of the ascending node [rad/s]."""
        return -self._flattening_rate * math.cos(self.inclination)

    @property
    def perigee_rate(self) -> float:
        """Drift of the argument of perigee [rad/s]."""
        return self._flattening_rate * (2.0 - 2.5 * math.sin(self.inclination) ** 2)

    @property
    def mean_anomaly_rate(self) -> float:
        """Rate of the mean anomaly [rad/s]: Keplerian motion and drift."""
        drift = math.sqrt(1.0 - self.eccentricity**2) * (1.0 - 1.5 * math.sin(self.inclination) ** 2)
        return self.mean_motion + self._flattening_rate * drift

    @property
    def nodal_period(self) -> float:
        """Time from one ascending node to the next [s]."""
        return 2.0 * math.pi / (self.mean_anomaly_rate + self.perigee_rate)

    def shifted(self, phase: float) -> SecularElements:
        """Give the same orbit with the mean anomaly increased by `phase` [rad]."""
        return replace(self, mean_anomaly=(self.mean_anomaly + phase) % (2.0 * math.pi))

    def position_velocity(self, seconds: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Position [m] and velocity [m/s], both of shape (n, 3), `seconds` after the epoch.

        The velocity includes the drift of the node and of the perigee, so that it is the
        derivative of the position to rounding.
        """
        anomaly = self.mean_anomaly + self.mean_anomaly_rate * seconds
        eccentric = solve_kepler(anomaly, self.eccentricity)
        cosine, sine = np.cos(eccentric), np.sin(eccentric)
        flat = math.sqrt(1.0 - self.eccentricity**2)
        # In the orbit's plane, x towards perigee.
        x = self.semi_major_axis * (cosine - self.eccentricity)
        y = self.semi_major_axis * flat * sine
        speed = self.semi_major_axis * self.mean_anomaly_rate / (1.0 - self.eccentricity * cosine)
        vx = -speed * sine - self.perigee_rate * y
        vy = speed * flat * cosine + self.perigee_rate * x

        perigee = self.argument_of_perigee + self.perigee_rate * seconds
        cp, sp = np.cos(perigee), np.sin(perigee)
        along, across = x * cp - y * sp, x * sp + y * cp
        v_along, v_across = vx * cp - vy * sp, vx * sp + vy * cp
        node = self.node + self.node_rate * seconds
        cn, sn = np.cos(node), np.sin(node)
        ci, si = math.cos(self.inclination), math.sin(self.inclination)
        position = np.empty((seconds.size, 3))
        position[:, 0] = along * cn - across * ci * sn
        position[:, 1] = along * sn + across * ci * cn
        position[:, 2] = across * si
        velocity = np.empty((seconds.size, 3))
        velocity[:, 0] = v_along * cn - v_across * ci * sn - self.node_rate * position[:, 1]
        velocity[:, 1] = v_along * sn + v_across * ci * cn + self.node_rate * position[:, 0]
        velocity[:, 2] = v_across * si
        return position, velocity


def solve_kepler(mean_anomaly: ArrayLike, eccentricity: float) -> FloatArray:
    """Eccentric anomaly [rad] that solves E - e sin E = M, by Newton's method.

    Parameters
    ----------
    mean_anomaly : array_like
        Mean anomaly M [rad].
    eccentricity : float
        Eccentricity e [-], 0 <= e < 1.

    Notes
    -----
    Vallado, Fundamentals of Astrodynamics and Applications, 4th ed., algorithm 2. The start
    M + e sign(sin M) bounds the root from outside, so that Newton's steps are monotone.
    """
    anomaly = np.asarray(mean_anomaly, dtype=np.float64)
    if eccentricity == 0.0:
        return anomaly
    reduced = np.mod(anomaly + math.pi, 2.0 * math.pi) - math.pi
    eccentric = reduced + eccentricity * np.sign(reduced)
    for _ in range(60):
        step = (eccentric - eccentricity * np.sin(eccentric) - reduced) / (
            1.0 - eccentricity * np.cos(eccentric)
        )
        eccentric = eccentric - step
        if np.max(np.abs(step), initial=0.0) < 1e-14:
            break
    return np.asarray(eccentric + (anomaly - reduced))


def elements_from_state(
    position: FloatArray, velocity: FloatArray, epoch: datetime, j2: float, gravitational_parameter: float
) -> SecularElements:
    """Keplerian elements of a position [m] and velocity [m/s], TEME of date.

    The perigee of a circular orbit is put at its node; the node of an equatorial one, on the x axis.

    Raises
    ------
    ValueError
        If the state is not of a closed orbit, or has no orbital plane.

    Notes
    -----
    Vallado, Fundamentals of Astrodynamics and Applications, 4th ed., algorithm 9.
    """
    radius = float(np.linalg.norm(position))
    energy = 0.5 * float(velocity @ velocity) - gravitational_parameter / radius
    momentum = np.cross(position, velocity)
    size = float(np.linalg.norm(momentum))
    if energy >= 0.0 or size == 0.0:
        raise ValueError(
            f"position {position} m with velocity {velocity} m/s is not on a closed orbit of the Earth"
        )
    normal = momentum / size
    node = np.array([-normal[1], normal[0], 0.0])
    node = node / np.linalg.norm(node) if np.linalg.norm(node) > 1e-12 else np.array([1.0, 0.0, 0.0])
    perigee = np.cross(velocity, momentum) / gravitational_parameter - position / radius
    eccentricity = float(np.linalg.norm(perigee))
    if eccentricity < 1e-12:
        eccentricity, perigee = 0.0, node

    def angle(start: FloatArray, end: FloatArray) -> float:
        return math.atan2(float(normal @ np.cross(start, end)), float(start @ end))

    true_anomaly = angle(perigee, position)
    eccentric = 2.0 * math.atan2(
        math.sqrt(1.0 - eccentricity) * math.sin(0.5 * true_anomaly),
        math.sqrt(1.0 + eccentricity) * math.cos(0.5 * true_anomaly),
    )
    return SecularElements(
        epoch=epoch,
        semi_major_axis=-0.5 * gravitational_parameter / energy,
        eccentricity=eccentricity,
        inclination=math.atan2(math.hypot(normal[0], normal[1]), normal[2]),
        node=math.atan2(node[1], node[0]) % (2.0 * math.pi),
        argument_of_perigee=angle(node, perigee) % (2.0 * math.pi),
        mean_anomaly=(eccentric - eccentricity * math.sin(eccentric)) % (2.0 * math.pi),
        j2=j2,
        gravitational_parameter=gravitational_parameter,
    )
