"""The Earth's shadow: how much of the Sun is seen, and when eclipses begin and end.

Two models. *Cylindrical*: the Sun is a point at infinity, light or dark. *Conical*: the Sun is a disk, seen
from the satellite's own place; penumbra and umbra are apart. The Earth is a sphere in both; its radius is an
input.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import elementwise

from twin.orbit import EARTH_RADIUS, Orbit, OrbitStates
from twin.sun import ASTRONOMICAL_UNIT, SOLAR_RADIUS

FloatArray = NDArray[np.float64]
ShadowModel = Literal["conical", "cylindrical"]

__all__ = [
    "EclipseEvents",
    "ShadowModel",
    "beta_angle",
    "critical_beta_angle",
    "cylindrical_eclipse_duration",
    "eclipse_events",
    "illuminated_fraction",
]

_SAMPLES_PER_ORBIT = 40
_TIME_TOLERANCE = 1e-6
_FAR = 1e9 * ASTRONOMICAL_UNIT


@njit(cache=True, nogil=True, inline="always")
def _separation(x: float, y: float, z: float, sx: float, sy: float, sz: float) -> float:
    # Angle by the arc tangent: exact near 0 and pi, where the arc cosine loses half the digits.
    cx, cy, cz = y * sz - z * sy, z * sx - x * sz, x * sy - y * sx
    return math.atan2(math.sqrt(cx * cx + cy * cy + cz * cz), x * sx + y * sy + z * sz)


@njit(cache=True, nogil=True, inline="always")
def _arc_cosine(value: float) -> float:
    return math.acos(min(1.0, max(-1.0, value)))


@njit(cache=True, nogil=True)
def _cap_overlap(sun: float, earth: float, separation: float) -> float:
    """Overlap of two spherical caps over the area of the first, for caps that intersect."""
    cs, ce, cc = math.cos(sun), math.cos(earth), math.cos(separation)
    ss, se, sc = math.sin(sun), math.sin(earth), math.sin(separation)
    at_sun = _arc_cosine((ce - cs * cc) / (ss * sc))
    at_earth = _arc_cosine((cs - ce * cc) / (se * sc))
    at_vertex = _arc_cosine((cc - cs * ce) / (ss * se))
    area = 2.0 * (math.pi - at_vertex - at_sun * cs - at_earth * ce)
    # 1 - cos(sun) without cancellation: the Sun's cap is only 7e-5 steradian.
    return area / (4.0 * math.pi * math.sin(0.5 * sun) ** 2)


@njit(cache=True, nogil=True)
def _conical_kernel(
    position: FloatArray,
    direction: FloatArray,
    distance: FloatArray,
    earth_radius: float,
    solar_radius: float,
    fraction: FloatArray,
    contact: FloatArray,
) -> None:
    """Seen fraction of the Sun's disk; and, in `contact`, separation, Earth's and Sun's angular radius."""
    for i in range(position.shape[0]):
        x, y, z = position[i, 0], position[i, 1], position[i, 2]
        d = distance[i]
        sx, sy, sz = direction[i, 0] * d - x, direction[i, 1] * d - y, direction[i, 2] * d - z
        separation = _separation(-x, -y, -z, sx, sy, sz)
        earth = math.asin(min(1.0, earth_radius / math.sqrt(x * x + y * y + z * z)))
        sun = math.asin(solar_radius / math.sqrt(sx * sx + sy * sy + sz * sz))
        contact[i, 0], contact[i, 1], contact[i, 2] = separation, earth, sun
        if separation >= earth + sun:
            fraction[i] = 1.0
        elif separation <= earth - sun:
            fraction[i] = 0.0
        elif separation <= sun - earth:  # beyond the umbra's apex: a ring of Sun is left
            fraction[i] = 1.0 - (math.sin(0.5 * earth) / math.sin(0.5 * sun)) ** 2
        else:
            fraction[i] = min(1.0, max(0.0, 1.0 - _cap_overlap(sun, earth, separation)))


def _sun_disk(model: str, distance: FloatArray, solar_radius: float) -> tuple[FloatArray, float]:
    """Distance and radius of the Sun as the model sees it: the cylinder is the cone of a far point."""
    if model == "conical":
        return distance, solar_radius
    if model == "cylindrical":
        return np.full_like(distance, _FAR), 0.0
    raise ValueError(f"shadow model is {model!r}; expected 'conical' or 'cylindrical'")


def _contact_angles(
    position: FloatArray,
    direction: FloatArray,
    distance: FloatArray,
    solar_radius: float,
    earth_radius: float,
) -> tuple[FloatArray, FloatArray]:
    fraction = np.empty(position.shape[0])
    contact = np.empty((position.shape[0], 3))
    _conical_kernel(position, direction, distance, earth_radius, solar_radius, fraction, contact)
    return fraction, contact


def illuminated_fraction(
    position: ArrayLike,
    sun_direction: ArrayLike,
    model: ShadowModel = "conical",
    *,
    sun_distance: ArrayLike = ASTRONOMICAL_UNIT,
    earth_radius: float = EARTH_RADIUS,
    solar_radius: float = SOLAR_RADIUS,
) -> FloatArray:
    """Fraction of the Sun's disk that the Earth leaves visible.

    Parameters
    ----------
    position : array_like, shape (n, 3) or (3,)
        Position from the Earth's centre [m].
    sun_direction : array_like, shape (n, 3) or (3,)
        Unit vector from the Earth's centre to the Sun [-], in the same frame.
    model : {"conical", "cylindrical"}
        Shape of the shadow.
    sun_distance : array_like, shape (n,) or scalar
        Distance from the Earth's centre to the Sun [m]; only the cone needs it.
    earth_radius, solar_radius : float
        Radii of the two spheres [m].

    Returns
    -------
    ndarray, shape (n,)
        0 in the umbra, 1 in full sunlight [-]. The overlap of the disks is exact, for caps on the sphere of
        view; the Sun's disk is taken as uniform (no limb darkening).

    Raises
    ------
    ValueError
        If the model is unknown or a position is inside the Earth.

    Notes
    -----
    Montenbruck, O., Gill, E. (2000). Satellite Orbits, section 3.4.2, with the planar circles replaced by
    spherical caps (area of the lens: Gauss-Bonnet). Cylinder: Vallado (2013), section 5.3.3.
    """
    place = np.atleast_2d(np.asarray(position, dtype=np.float64))
    sun = np.ascontiguousarray(
        np.broadcast_to(np.atleast_2d(np.asarray(sun_direction, dtype=np.float64)), place.shape)
    )
    lowest = float(np.sqrt(np.min(np.einsum("ij,ij->i", place, place), initial=np.inf)))
    if lowest < earth_radius * (1.0 - 1e-12):
        raise ValueError(
            f"position is {lowest:.0f} m from the Earth's centre, inside the radius {earth_radius:.0f} m"
        )
    distance = np.ascontiguousarray(
        np.broadcast_to(np.asarray(sun_distance, dtype=np.float64), place.shape[:1])
    )
    sun_disk = _sun_disk(model, distance, solar_radius)
    return _contact_angles(np.ascontiguousarray(place), sun, *sun_disk, earth_radius)[0]


def beta_angle(states: OrbitStates) -> FloatArray:
    """Angle between the Sun's direction and the orbital plane.

    Parameters
    ----------
    states : OrbitStates
        n states.

    Returns
    -------
    ndarray, shape (n,)
        Angle [rad], positive when the Sun is on the side of the orbit normal (angular momentum).

    Notes
    -----
    Vallado (2013), section 5.3.3: sin β = h · s.
    """
    normal = np.cross(states.position, states.velocity)
    sine = np.einsum("ij,ij->i", normal, states.sun_direction) / np.linalg.norm(normal, axis=1)
    return np.asarray(np.arcsin(np.clip(sine, -1.0, 1.0)))


def critical_beta_angle(radius: float, earth_radius: float = EARTH_RADIUS) -> float:
    """Beta angle [rad] above which a circular orbit of `radius` [m] stays out of the cylindrical shadow.

    Notes
    -----
    asin(R/a): Gilmore, D. G. (2002). Spacecraft Thermal Control Handbook, vol. 1, chapter 2.
    """
    if not radius >= earth_radius:
        raise ValueError(f"orbit radius is {radius:g} m; expected at least the Earth's, {earth_radius:g} m")
    return math.asin(earth_radius / radius)


def cylindrical_eclipse_duration(
    beta: ArrayLike, radius: float, period: float, earth_radius: float = EARTH_RADIUS
) -> FloatArray:
    """Time in the cylindrical shadow per revolution of a circular orbit.

    Parameters
    ----------
    beta : array_like
        Beta angle [rad].
    radius : float
        Radius of the orbit [m].
    period : float
        Period [s].
    earth_radius : float
        Radius of the Earth [m].

    Returns
    -------
    ndarray
        Duration [s], zero above the critical beta angle.

    Notes
    -----
    (T/π) acos[√(a² - R²)/(a cos β)]: Gilmore (2002), vol. 1, chapter 2.
    """
    cosine = np.cos(np.asarray(beta, dtype=np.float64))
    edge = math.sqrt(radius**2 - earth_radius**2) / radius
    ratio = np.divide(edge, cosine, out=np.ones_like(cosine), where=cosine > edge)
    return np.asarray(period / math.pi * np.arccos(ratio))


@dataclass(frozen=True)
class EclipseEvents:
    """Eclipses of an orbit, in order, as seconds since the orbit's epoch [s].

    Attributes
    ----------
    start, stop : float
        The span that was searched [s]. An eclipse that straddles a bound is given whole.
    penumbra_entry, penumbra_exit : ndarray, shape (eclipse,)
        First and last loss of sunlight [s].
    umbra_entry, umbra_exit : ndarray, shape (eclipse,)
        Full shadow [s]; NaN where the eclipse stays partial. With the cylindrical model, equal to the above.
    middle : ndarray, shape (eclipse,)
        Instant at which the satellite is deepest in the shadow [s].
    """

    start: float
    stop: float
    penumbra_entry: FloatArray
    umbra_entry: FloatArray
    middle: FloatArray
    umbra_exit: FloatArray
    penumbra_exit: FloatArray

    def __len__(self) -> int:
        return int(self.middle.size)

    @property
    def duration(self) -> FloatArray:
        """Time without full sunlight in each eclipse [s], penumbra included."""
        return np.asarray(self.penumbra_exit - self.penumbra_entry)

    @property
    def umbra_duration(self) -> FloatArray:
        """Time in full shadow in each eclipse [s], zero where it stays partial."""
        return np.asarray(np.nan_to_num(self.umbra_exit - self.umbra_entry, nan=0.0))

    @property
    def boundaries(self) -> FloatArray:
        """All contacts within the span [s], sorted: the instants on which time steps should land."""
        every = np.concatenate([self.penumbra_entry, self.umbra_entry, self.umbra_exit, self.penumbra_exit])
        return np.unique(every[(every >= self.start) & (every <= self.stop)])


def eclipse_events(
    orbit: Orbit,
    start: float,
    stop: float,
    model: ShadowModel = "conical",
    *,
    earth_radius: float = EARTH_RADIUS,
    solar_radius: float = SOLAR_RADIUS,
) -> EclipseEvents:
    """Find every eclipse in a span, with exact times of entry and exit.

    Parameters
    ----------
    orbit : Orbit
        The orbit.
    start, stop : float
        Span, in seconds since the orbit's epoch [s].
    model : {"conical", "cylindrical"}
        Shape of the shadow.
    earth_radius, solar_radius : float
        Radii of the two spheres [m].

    Returns
    -------
    EclipseEvents
        Times good to a microsecond for the given orbit and radii.

    Raises
    ------
    ValueError
        If `stop` is before `start` or the model is unknown.

    Notes
    -----
    The margin to the shadow (angle between Sun and Earth's centre less the sum, or difference, of their
    angular radii) has one minimum per revolution. Minima are bracketed by sampling and refined, so that an
    eclipse shorter than the sampling step is found too; each is then bracketed and all are solved at once by
    Chandrupatla's method (Chandrupatla, T. R. (1997), Advances in Engineering Software 28, 145-149).
    """
    if not stop >= start:
        raise ValueError(f"span ends at {stop:g} s, before its start at {start:g} s")
    step = orbit.period / _SAMPLES_PER_ORBIT

    def contact(seconds: FloatArray) -> FloatArray:
        states = orbit.propagate(seconds)
        sun_disk = _sun_disk(model, states.sun_distance, solar_radius)
        return _contact_angles(states.position, states.sun_direction, *sun_disk, earth_radius)[1]

    def margin(seconds: FloatArray, side: FloatArray) -> FloatArray:
        angles = contact(np.ravel(seconds))
        value = angles[:, 0] - angles[:, 1] - np.ravel(side) * angles[:, 2]
        return np.asarray(value.reshape(np.shape(seconds)))

    time = np.arange(start - orbit.period, stop + orbit.period + step, step)
    sampled = np.concatenate([contact(part) for part in np.array_split(time, time.size // 32_768 + 1)])
    intervals = []
    for side in (1.0, -1.0):
        values = sampled[:, 0] - sampled[:, 1] - side * sampled[:, 2]
        intervals.append(_negative_intervals(time, values, margin, side))
    (entry, middle, leave), (umbra_entry, _, umbra_leave) = intervals

    within = (leave > start) & (entry < stop)
    entry, middle, leave = entry[within], middle[within], leave[within]
    darkest_entry, darkest_leave = np.full_like(entry, np.nan), np.full_like(entry, np.nan)
    if entry.size and umbra_entry.size:
        owner = np.searchsorted(entry, umbra_entry, side="right") - 1
        inside = (owner >= 0) & (umbra_leave <= leave[owner] + _TIME_TOLERANCE)
        darkest_entry[owner[inside]] = umbra_entry[inside]
        darkest_leave[owner[inside]] = umbra_leave[inside]
    return EclipseEvents(start, stop, entry, darkest_entry, middle, darkest_leave, leave)


def _negative_intervals(
    time: FloatArray, values: FloatArray, margin: Callable[..., FloatArray], side: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Start, lowest point and end of every interval in which `margin(t, side)` is negative."""
    lowest = np.flatnonzero((values[1:-1] < values[:-2]) & (values[1:-1] <= values[2:])) + 1
    # Between two samples the margin cannot change by more than the angle travelled.
    lowest = lowest[values[lowest] < 4.0 * math.pi / _SAMPLES_PER_ORBIT]
    if lowest.size == 0:
        return np.empty(0), np.empty(0), np.empty(0)
    bracket = (time[lowest - 1], time[lowest], time[lowest + 1])
    minimum = elementwise.find_minimum(
        margin, bracket, args=(side,), tolerances={"xatol": 1e-4, "xrtol": 0.0}
    )
    middle = minimum.x[minimum.f_x < 0.0]

    lit = np.flatnonzero(values > 0.0)
    after = np.searchsorted(time[lit], middle, side="right")
    complete = (after > 0) & (after < lit.size)
    middle, after = middle[complete], after[complete]
    left = np.concatenate([time[lit[after - 1]], middle])
    right = np.concatenate([middle, time[lit[after]]])
    contacts = elementwise.find_root(
        margin, (left, right), args=(side,), tolerances={"xatol": _TIME_TOLERANCE, "xrtol": 0.0, "fatol": 0.0}
    ).x
    return np.asarray(contacts[: middle.size]), np.asarray(middle), np.asarray(contacts[middle.size :])
