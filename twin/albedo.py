"""Sunlight that the Earth reflects onto a face or a small sphere.

The Earth is a diffuse (Lambert) sphere of uniform albedo. What reaches a face is the integral over the part
of the Earth that is lit, above the satellite's horizon and in front of the face. In rings about the
sub-satellite point the integral over azimuth has a closed form; one smooth quadrature remains.
:mod:`twin.albedo_table` is a spline of the same function, for millions of samples.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

__all__ = ["albedo_factor", "sphere_albedo_factor"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
# A smooth map of a panel onto itself that flattens both ends: the integrand starts and stops like
# half-integer powers of the distance to a breakpoint, which the map turns into a smooth function.
_FRACTIONS = 0.5 * (1.0 + _NODES)
_PANEL_NODES = _FRACTIONS**2 * (3.0 - 2.0 * _FRACTIONS)
_PANEL_WEIGHTS = 0.5 * _WEIGHTS * 6.0 * _FRACTIONS * (1.0 - _FRACTIONS)


@njit(cache=True, nogil=True, inline="always")
def _positive_half_width(constant: float, amplitude: float) -> float:
    """Half-width of the azimuths in which constant + amplitude cos(azimuth) is positive."""
    if constant >= amplitude:
        return math.pi
    if constant <= -amplitude:
        return 0.0
    return math.acos(-constant / amplitude)


@njit(cache=True, nogil=True, inline="always")
def _arc(a: float, b: float, c: float, d: float, cp: float, sp: float, start: float, end: float) -> float:
    """Integral of (a + b cos x)(c + d cos(x - p)) from start to end; cp, sp are cos p, sin p."""
    s1, s0 = math.sin(end), math.sin(start)
    c1, c0 = math.cos(end), math.cos(start)
    sine, cosine = s1 - s0, c1 - c0
    double_sine = s1 * c1 - s0 * c0  # half of sin 2x
    double_cosine = c1 * c1 - c0 * c0  # half of cos 2x
    width = end - start
    total = a * c * width + a * d * (sine * cp - cosine * sp) + b * c * sine
    return total + 0.5 * b * d * (cp * width + double_sine * cp - double_cosine * sp)


@njit(cache=True, nogil=True)
def _ring(a: float, b: float, c: float, d: float, azimuth: float) -> float:
    """Integral over the ring of the positive parts of a + b cos x and c + d cos(x - azimuth)."""
    lit = _positive_half_width(a, b)
    seen = _positive_half_width(c, d)
    if lit == 0.0 or seen == 0.0:
        return 0.0
    cp, sp = math.cos(azimuth), math.sin(azimuth)
    if lit == math.pi and seen == math.pi:
        return 2.0 * math.pi * (a * c + 0.5 * b * d * cp)
    total = 0.0
    for turn in (0.0, -2.0 * math.pi, 2.0 * math.pi):
        start = max(-lit, azimuth - seen + turn)
        end = min(lit, azimuth + seen + turn)
        if end > start:
            total += _arc(a, b, c, d, cp, sp, start, end)
    return total


@njit(cache=True, nogil=True)
def _factor(
    distance_ratio: float,
    zenith: float,
    tilt: float,
    azimuth: float,
    nodes: FloatArray,
    weights: FloatArray,
) -> float:
    """Albedo factor of a face: see `albedo_factor`."""
    h = distance_ratio
    horizon = math.acos(1.0 / h)
    if zenith >= 0.5 * math.pi + horizon or tilt >= math.pi - horizon:
        return 0.0
    # Rings where the terminator, or the plane of the face, begins to cut; by their angle from nadir.
    limb = math.asin(1.0 / h)
    terminator = min(abs(0.5 * math.pi - zenith), horizon)
    first = math.atan2(math.sin(terminator), h - math.cos(terminator))
    second = min(abs(0.5 * math.pi - tilt), limb)
    if second < first:
        first, second = second, first
    sz, cz = math.sin(zenith), math.cos(zenith)
    st, ct = math.sin(tilt), math.cos(tilt)
    total = 0.0
    for panel in range(3):
        if panel == 0:
            low, high = 0.0, first
        elif panel == 1:
            low, high = first, second
        else:
            low, high = second, limb
        if high - low < 1e-13:
            continue
        for k in range(nodes.size):
            angle = low + (high - low) * nodes[k]
            sn, cn = math.sin(angle), math.cos(angle)
            # Angle of emission = ring + angle, by the law of sines; from it the ring's angular radius.
            se = min(1.0, h * sn)
            ce = math.sqrt(1.0 - se * se)
            sr, cr = se * cn - ce * sn, ce * cn + se * sn
            seen = _ring(cz * cr, sz * sr, ct * cn, st * sn, azimuth)
            total += weights[k] * (high - low) * seen * sn
    return total / math.pi


@njit(cache=True, nogil=True)
def _factor_kernel(
    distance_ratio: FloatArray,
    zenith: FloatArray,
    tilt: FloatArray,
    azimuth: FloatArray,
    nodes: FloatArray,
    weights: FloatArray,
    factor: FloatArray,
) -> None:
    for i in range(factor.size):
        factor[i] = _factor(distance_ratio[i], zenith[i], tilt[i], azimuth[i], nodes, weights)


@njit(cache=True, nogil=True)
def _sphere_kernel(
    distance_ratio: FloatArray, zenith: FloatArray, nodes: FloatArray, weights: FloatArray, factor: FloatArray
) -> None:
    for i in range(factor.size):
        h = distance_ratio[i]
        horizon, limb = math.acos(1.0 / h), math.asin(1.0 / h)
        factor[i] = 0.0
        if zenith[i] >= 0.5 * math.pi + horizon:
            continue
        terminator = min(abs(0.5 * math.pi - zenith[i]), horizon)
        split = math.atan2(math.sin(terminator), h - math.cos(terminator))
        sz, cz = math.sin(zenith[i]), math.cos(zenith[i])
        for panel in range(2):
            low, high = (0.0, split) if panel == 0 else (split, limb)
            for k in range(nodes.size):
                angle = low + (high - low) * nodes[k]
                sn, cn = math.sin(angle), math.cos(angle)
                se = min(1.0, h * sn)
                ce = math.sqrt(1.0 - se * se)
                lit = _ring(cz * (ce * cn + se * sn), sz * (se * cn - ce * sn), 1.0, 0.0, 0.0)
                factor[i] += weights[k] * (high - low) * lit * sn
        factor[i] /= math.pi


def _check_distance_ratio(distance_ratio: FloatArray) -> None:
    lowest = float(np.min(distance_ratio, initial=np.inf))
    if not lowest > 1.0:
        raise ValueError(f"distance ratio is {lowest:g}; expected more than 1 (above the Earth's surface)")


def albedo_factor(
    distance_ratio: ArrayLike, sun_zenith: ArrayLike, tilt: ArrayLike, azimuth: ArrayLike
) -> FloatArray:
    """Reflected sunlight on a face, over albedo times solar flux.

    Parameters
    ----------
    distance_ratio : array_like
        Distance from the Earth's centre over the Earth's radius [-], more than 1.
    sun_zenith : array_like
        Angle between the Sun and the local zenith [rad], 0 to pi.
    tilt : array_like
        Angle between the face's normal and nadir [rad], 0 to pi.
    azimuth : array_like
        Angle about the vertical from the Sun to the face's normal [rad]; the sign does not matter.

    Returns
    -------
    ndarray
        Flux incident on the face over (albedo · solar flux) [-], of the broadcast shape; error below 1e-6.

    Raises
    ------
    ValueError
        If a distance ratio is not above 1.

    Notes
    -----
    (1/π) ∫ (n_E·s)⁺ (n_E·l) (n·-l)⁺ / d² dA over the visible Earth: Cunningham, F. G. (1961), Earth reflected
    solar radiation input to spherical satellites, NASA TN D-1099; for plates, Gilmore (2002), chapter 2.
    In rings about the sub-satellite point both clamped factors are of the form a + b cos(azimuth).
    """
    arrays = np.broadcast_arrays(
        *(np.asarray(value, dtype=np.float64) for value in (distance_ratio, sun_zenith, tilt, azimuth))
    )
    _check_distance_ratio(arrays[0])
    flat = [np.ascontiguousarray(array).ravel() for array in arrays]
    flat[3] = np.abs(np.mod(flat[3] + math.pi, 2.0 * math.pi) - math.pi)
    factor = np.empty(flat[0].size)
    _factor_kernel(*flat, _PANEL_NODES, _PANEL_WEIGHTS, factor)
    return factor.reshape(arrays[0].shape)


def sphere_albedo_factor(distance_ratio: ArrayLike, sun_zenith: ArrayLike) -> FloatArray:
    """Reflected sunlight intercepted by a small sphere, over albedo, solar flux and cross-section.

    Parameters
    ----------
    distance_ratio : array_like
        Distance from the Earth's centre over the Earth's radius [-], more than 1.
    sun_zenith : array_like
        Angle between the Sun and the local zenith [rad], 0 to pi.

    Returns
    -------
    ndarray
        Intercepted power over (albedo · solar flux · pi r²) [-], of the broadcast shape.

    Raises
    ------
    ValueError
        If a distance ratio is not above 1.

    Notes
    -----
    Cunningham, F. G. (1961). NASA TN D-1099.
    """
    ratio, zenith = np.broadcast_arrays(
        np.asarray(distance_ratio, dtype=np.float64), np.asarray(sun_zenith, dtype=np.float64)
    )
    _check_distance_ratio(ratio)
    factor = np.empty(ratio.size)
    _sphere_kernel(
        np.ascontiguousarray(ratio).ravel(),
        np.ascontiguousarray(zenith).ravel(),
        _PANEL_NODES,
        _PANEL_WEIGHTS,
        factor,
    )
    return factor.reshape(ratio.shape)
