"""Apparent position of the Sun, in the frame in which satellites are propagated.

The frame is TEME, "true equator, mean equinox of date": the frame of SGP4, and the one in which
local mean solar time and the longitude of the node are related by sidereal time alone. Sun and
satellite are therefore compared in one frame, without a precession or nutation left over.

The Sun's longitude and distance follow from the largest periodic terms of VSOP87 [1]_, with nutation,
obliquity and aberration after Meeus [2]_. The ecliptic latitude of the Sun (at most 1.2 arcseconds) is left
out. Against the complete theory, 2020-2045: direction within 0.001 degree, distance within 2e-5.

References
----------
.. [1] Bretagnon, P., Francou, G. (1988). Planetary theories in rectangular and spherical variables:
   VSOP87 solutions. Astronomy and Astrophysics 202, 309-315.
.. [2] Meeus, J. (1998). Astronomical Algorithms, 2nd ed., chapters 22, 25 and 32.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

ASTRONOMICAL_UNIT = 149_597_870_700.0
"""Astronomical unit [m], IAU 2012."""

SOLAR_RADIUS = 695_700_000.0
"""Nominal solar radius [m], IAU 2015 resolution B3."""

J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)
"""2000 January 1, 12:00 UTC: the origin of the day counts in this package."""

TERRESTRIAL_TIME_OFFSET = 69.184
"""TT - UTC [s] since 2017. Using it for any other year moves the Sun by less than 0.0005 degree."""

SECONDS_PER_DAY = 86_400.0

# Heliocentric longitude of the Earth: amplitude [rad], phase [rad], frequency [rad per Julian millennium].
_LONGITUDE_TERMS = np.array(
    [
        [3341656e-8, 4.6692568, 6283.0758500],
        [34894e-8, 4.62610, 12566.15170],
        [3497e-8, 2.7441, 5753.3849],
        [3418e-8, 2.8289, 3.5231],
        [3136e-8, 3.6277, 77713.7715],
        [2676e-8, 4.4181, 7860.4194],
        [2343e-8, 6.1352, 3930.2097],
        [1324e-8, 0.7425, 11506.7698],
        [1273e-8, 2.0371, 529.6910],
        [1199e-8, 1.1096, 1577.3435],
        [990e-8, 5.233, 5884.927],
        [902e-8, 2.045, 26.298],
        [857e-8, 3.508, 398.149],
        [780e-8, 1.179, 5223.694],
        [753e-8, 2.533, 5507.553],
        [505e-8, 4.583, 18849.228],
        [492e-8, 4.205, 775.523],
        [357e-8, 2.920, 0.067],
        [317e-8, 5.849, 11790.629],
    ]
)
_LONGITUDE_TERMS_T = np.array([[206059e-8, 2.678235, 6283.07585], [4303e-8, 2.6351, 12566.1517]])
# Distance of the Earth from the Sun: amplitude [astronomical units], phase, frequency as above.
_DISTANCE_TERMS = np.array(
    [
        [1670700e-8, 3.0984635, 6283.0758500],
        [13956e-8, 3.05525, 12566.15170],
        [3084e-8, 5.1985, 77713.7715],
        [1628e-8, 1.1739, 5753.3849],
        [1576e-8, 2.8469, 7860.4194],
        [925e-8, 5.453, 11506.770],
        [542e-8, 4.564, 3930.210],
    ]
)
_DISTANCE_TERMS_T = np.array([[103019e-8, 1.107490, 6283.075850], [1721e-8, 1.0644, 12566.1517]])

_ARCSECOND = math.pi / 648_000.0
_KNOT_SPACING = 0.125
"""Knots of the interpolated Sun [d]: a cubic between them is exact to 1e-11 rad."""


def days_since_j2000(epoch: datetime) -> float:
    """Days from 2000 January 1, 12:00 UTC to `epoch` [d]; a datetime without a zone is taken as UTC."""
    aware = epoch if epoch.tzinfo is not None else epoch.replace(tzinfo=UTC)
    return (aware - J2000).total_seconds() / SECONDS_PER_DAY


def greenwich_mean_sidereal_time(days: ArrayLike) -> FloatArray:
    """Greenwich mean sidereal time [rad], in 0 to 2 pi.

    Parameters
    ----------
    days : array_like
        Days since 2000 January 1, 12:00 UT1 [d]. UTC may stand in for UT1: they differ by less than 0.9 s.

    Notes
    -----
    IAU 1982 expression, the one that belongs to TEME: Vallado, Fundamentals of Astrodynamics and
    Applications, 4th ed., eq. 3-45.
    """
    elapsed = np.asarray(days, dtype=np.float64)
    centuries = elapsed / 36_525.0
    seconds = 67_310.54841 + (8_640_184.812866 + (0.093104 - 6.2e-6 * centuries) * centuries) * centuries
    turns = seconds / SECONDS_PER_DAY + np.mod(elapsed, 1.0)
    return np.asarray(np.mod(turns, 1.0) * (2.0 * math.pi))


def mean_sun_right_ascension(days: ArrayLike) -> FloatArray:
    """Right ascension [rad] of the fictitious mean Sun, which local mean solar time counts from.

    Parameters
    ----------
    days : array_like
        Days since 2000 January 1, 12:00 UT1 [d].

    Notes
    -----
    By definition of universal time: sidereal time less the hour angle of the mean Sun, UT1 - 12 h.
    """
    elapsed = np.asarray(days, dtype=np.float64)
    hour_angle = np.mod(elapsed, 1.0) * (2.0 * math.pi)
    return np.asarray(np.mod(greenwich_mean_sidereal_time(elapsed) - hour_angle, 2.0 * math.pi))


@njit(cache=True, nogil=True)
def _series(terms: FloatArray, millennia: float) -> float:
    total = 0.0
    for k in range(terms.shape[0]):
        total += terms[k, 0] * math.cos(terms[k, 1] + terms[k, 2] * millennia)
    return total


@njit(cache=True, nogil=True)
def _sun_kernel(
    days: FloatArray,
    longitude_terms: FloatArray,
    longitude_terms_t: FloatArray,
    distance_terms: FloatArray,
    distance_terms_t: FloatArray,
    direction: FloatArray,
    distance: FloatArray,
) -> None:
    for i in range(days.size):
        centuries = days[i] / 36_525.0
        tau = 0.1 * centuries
        earth = 1.75347046 + tau * (6283.31966747 + tau * 52919e-8)
        earth += _series(longitude_terms, tau) + tau * _series(longitude_terms_t, tau)
        radius = 1.00013989 + _series(distance_terms, tau) + tau * _series(distance_terms_t, tau)

        node = math.radians(125.04452 - 1934.136261 * centuries)
        sun_mean = math.radians(280.4665 + 36_000.7698 * centuries)
        moon_mean = math.radians(218.3165 + 481_267.8813 * centuries)
        nutation = _ARCSECOND * (
            -17.20 * math.sin(node)
            - 1.32 * math.sin(2.0 * sun_mean)
            - 0.23 * math.sin(2.0 * moon_mean)
            + 0.21 * math.sin(2.0 * node)
        )
        obliquity = _ARCSECOND * (
            84_381.448
            - 46.8150 * centuries
            + 9.20 * math.cos(node)
            + 0.57 * math.cos(2.0 * sun_mean)
            + 0.10 * math.cos(2.0 * moon_mean)
            - 0.09 * math.cos(2.0 * node)
        )
        # -0.09033": VSOP87's dynamical equinox to FK5; 20.4898": annual aberration, at 1 au.
        apparent = earth + math.pi + nutation - _ARCSECOND * (0.09033 + 20.4898 / radius)
        x = math.cos(apparent)
        y = math.sin(apparent) * math.cos(obliquity)
        # True equinox to mean equinox: a turn about the pole by the equation of the equinoxes.
        turn = nutation * math.cos(obliquity)
        direction[i, 0] = x * math.cos(turn) + y * math.sin(turn)
        direction[i, 1] = y * math.cos(turn) - x * math.sin(turn)
        direction[i, 2] = math.sin(apparent) * math.sin(obliquity)
        distance[i] = radius


def sun_position(days: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Apparent direction and distance of the Sun from the centre of the Earth.

    Parameters
    ----------
    days : array_like, shape (n,)
        Days since 2000 January 1, 12:00 UTC [d].

    Returns
    -------
    direction : ndarray, shape (n, 3)
        Unit vector to the Sun in TEME of date [-], aberration included: where the light comes from.
    distance : ndarray, shape (n,)
        Distance [m].

    Notes
    -----
    Meeus (1998), chapter 25, "higher accuracy", with the series of VSOP87 cut at 3e-6 rad.
    """
    elapsed = np.atleast_1d(np.asarray(days, dtype=np.float64)) + TERRESTRIAL_TIME_OFFSET / SECONDS_PER_DAY
    if elapsed.size < 16:
        return _evaluate(elapsed)
    first = math.floor(elapsed.min() / _KNOT_SPACING)
    knots = math.ceil(elapsed.max() / _KNOT_SPACING) - first + 4
    if elapsed.size < 4 * knots:
        return _evaluate(elapsed)
    # Many instants close together: interpolate between knots on a fixed lattice.
    lattice = np.arange(first - 1, first - 1 + knots, dtype=np.float64)
    knot_direction, knot_distance = _evaluate(_KNOT_SPACING * lattice)
    direction, distance = np.empty((elapsed.size, 3)), np.empty(elapsed.size)
    _interpolate_kernel(elapsed / _KNOT_SPACING - first, knot_direction, knot_distance, direction, distance)
    return direction, distance


def _evaluate(days: FloatArray) -> tuple[FloatArray, FloatArray]:
    direction, distance = np.empty((days.size, 3)), np.empty(days.size)
    _sun_kernel(
        days,
        _LONGITUDE_TERMS,
        _LONGITUDE_TERMS_T,
        _DISTANCE_TERMS,
        _DISTANCE_TERMS_T,
        direction,
        distance,
    )
    return direction, distance * ASTRONOMICAL_UNIT


@njit(cache=True, nogil=True)
def _interpolate_kernel(
    place: FloatArray,
    knot_direction: FloatArray,
    knot_distance: FloatArray,
    direction: FloatArray,
    distance: FloatArray,
) -> None:
    """Cubic through four knots; `place` counts knots from the second one."""
    for i in range(place.size):
        k = int(place[i])
        u = place[i] - k
        w0 = -u * (u - 1.0) * (u - 2.0) / 6.0
        w1 = (u + 1.0) * (u - 1.0) * (u - 2.0) / 2.0
        w2 = -(u + 1.0) * u * (u - 2.0) / 2.0
        w3 = (u + 1.0) * u * (u - 1.0) / 6.0
        for j in range(3):
            direction[i, j] = (
                w0 * knot_direction[k, j]
                + w1 * knot_direction[k + 1, j]
                + w2 * knot_direction[k + 2, j]
                + w3 * knot_direction[k + 3, j]
            )
        distance[i] = (
            w0 * knot_distance[k]
            + w1 * knot_distance[k + 1]
            + w2 * knot_distance[k + 2]
            + w3 * knot_distance[k + 3]
        )
