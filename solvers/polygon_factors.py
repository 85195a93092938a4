"""View factors between flat convex polygons by the contour integral, free of sampling error.

For two polygons that see each other whole,

    A₁ F₁₂ = 1/(2π) Σ_edges a of 1 Σ_edges b of 2 (a · b) ∫₀¹ ∫₀¹ ln r ds dt

(Stokes' theorem twice: Sparrow, J. Heat Transfer 85 (1963) 81; closed for polygons by Schröder and
Hanrahan, SIGGRAPH 1993, 163). Here the inner integral is closed in all cases, the outer one for
parallel edges; for skew edges it is done by Gauss-Legendre points drawn towards the closest approach, where
the integrand has its only (weak) singularity. Polygons partly behind each other's plane are clipped first. Pairs far
apart, for which the sum over edges cancels, take Gauss points on both areas instead.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: centre distance over sum of radii above which area quadrature is exact enough, by its number of points
FAR, VERY_FAR = 3.0, 10.0

_GAUSS_NODES, _GAUSS_WEIGHTS = (0.5 * (array + shift) for array, shift in zip(np.polynomial.legendre.leggauss(14), (1.0, 0.0)))
# Radon's seven points, exact to degree five, and the three of degree two (Strang and Fix 1973)
_ROOT = math.sqrt(15.0)
_NEAR, _OUT = (6.0 - _ROOT) / 21.0, (6.0 + _ROOT) / 21.0
_SEVEN = np.array(
    [
        [1 / 3, 1 / 3, 9 / 40],
        *[[*place, (155.0 - _ROOT) / 1200.0] for place in ([_NEAR, _NEAR], [_NEAR, 1 - 2 * _NEAR], [1 - 2 * _NEAR, _NEAR])],
        *[[*place, (155.0 + _ROOT) / 1200.0] for place in ([_OUT, _OUT], [_OUT, 1 - 2 * _OUT], [1 - 2 * _OUT, _OUT])],
    ]
)
_THREE = np.array([[1 / 6, 1 / 6, 1 / 3], [1 / 6, 2 / 3, 1 / 3], [2 / 3, 1 / 6, 1 / 3]])


def polygon_view_factor(first: Floats, second: Floats) -> float:
    """View factor from one convex polygon to another with nothing in between.

    Parameters
    ----------
    first, second : (3 or more, 3) float
        Corners, counter-clockwise seen from the radiating side [m].

    Returns
    -------
    float
        F₁₂, the share of diffuse radiation leaving the first that reaches the second.

    Raises
    ------
    ValueError
        If a polygon has fewer than three corners or no area.
    """
    corners = []
    areas = []
    for name, polygon in (("first", first), ("second", second)):
        array = np.ascontiguousarray(polygon, dtype=np.float64)
        if array.ndim != 2 or array.shape[0] < 3 or array.shape[1] != 3:
            raise ValueError(f"the {name} polygon must have shape (3 or more, 3), not {array.shape}")
        area = float(np.linalg.norm(0.5 * np.cross(array - array[0], np.roll(array, -1, axis=0) - array[0]).sum(axis=0)))
        if not area > 0.0:
            raise ValueError(f"the {name} polygon has no area")
        corners.append(array)
        areas.append(area)
    return float(_pair_exchange(corners[0], corners[1])) / areas[0]


def polygon_exchange(
    corners: Floats, corner_count: Integers, signs: Integers, first: Integers, second: Integers
) -> Floats:
    """Exchange areas A₁F₁₂ of many pairs of polygon sides with nothing in between.

    Parameters
    ----------
    corners : (p, 4, 3) float
        Corners of triangles (fourth unused) and quadrilaterals [m].
    corner_count : (p,) int
    signs : (2, k) int
        1 where the front, -1 where the back of the first and of the second polygon of a pair radiates.
    first, second : (k,) int
        Polygons of each pair.

    Returns
    -------
    (k,) float
        Exchange areas [m²].
    """
    return np.asarray(_many(corners, corner_count, signs, first, second), dtype=np.float64)


@njit(cache=True, parallel=True)
def _many(corners, corner_count, signs, first, second):  # type: ignore[no-untyped-def]
    result = np.zeros(len(first))
    for k in prange(len(first)):
        p = _sided(corners[first[k]], corner_count[first[k]], signs[0, k])
        q = _sided(corners[second[k]], corner_count[second[k]], signs[1, k])
        result[k] = _pair_exchange(p, q)
    return result


@njit(cache=True)
def _sided(corners, count, sign):  # type: ignore[no-untyped-def]
    polygon = np.empty((count, 3))
    for i in range(count):
        polygon[i] = corners[i] if sign > 0 else corners[count - 1 - i]
    return polygon


@njit(cache=True)
def _plane(polygon):  # type: ignore[no-untyped-def]
    """Area vector, centre and radius of a polygon."""
    n = polygon.shape[0]
    vector = np.zeros(3)
    centre = np.zeros(3)
    for i in range(n):
        centre += polygon[i] / n
    for i in range(n):
        a = polygon[i] - centre
        b = polygon[(i + 1) % n] - centre
        vector[0] += 0.5 * (a[1] * b[2] - a[2] * b[1])
        vector[1] += 0.5 * (a[2] * b[0] - a[0] * b[2])
        vector[2] += 0.5 * (a[0] * b[1] - a[1] * b[0])
    radius = 0.0
    for i in range(n):
        radius = max(radius, math.sqrt(((polygon[i] - centre) ** 2).sum()))
    return vector, centre, radius


@njit(cache=True)
def _clip(polygon, origin, normal, tolerance):  # type: ignore[no-untyped-def]
    """Part of a convex polygon in front of a plane (Sutherland and Hodgman 1974)."""
    n = polygon.shape[0]
    height = np.empty(n)
    low, high = 0.0, 0.0
    for i in range(n):
        value = ((polygon[i] - origin) * normal).sum()
        height[i] = 0.0 if abs(value) <= tolerance else value
        low = min(low, height[i])
        high = max(high, height[i])
    if high == 0.0:
        return polygon[:0]
    if low == 0.0:
        return polygon
    kept = np.empty((n + 2, 3))
    count = 0
    for i in range(n):
        j = (i + 1) % n
        if height[i] >= 0.0:
            kept[count] = polygon[i]
            count += 1
        if (height[i] > 0.0 and height[j] < 0.0) or (height[i] < 0.0 and height[j] > 0.0):
            share = height[i] / (height[i] - height[j])
            kept[count] = polygon[i] + share * (polygon[j] - polygon[i])
            count += 1
    return kept[:count]


@njit(cache=True)
def _pair_exchange(p, q):  # type: ignore[no-untyped-def]
    vector_p, centre_p, radius_p = _plane(p)
    vector_q, centre_q, radius_q = _plane(q)
    normal_p = vector_p / math.sqrt((vector_p**2).sum())
    normal_q = vector_q / math.sqrt((vector_q**2).sum())
    tolerance = 1e-10 * (radius_p + radius_q)
    q_seen = _clip(q, centre_p, normal_p, tolerance)
    if q_seen.shape[0] < 3:
        return 0.0
    p_seen = _clip(p, centre_q, normal_q, tolerance)
    if p_seen.shape[0] < 3:
        return 0.0
    distance = math.sqrt(((centre_q - centre_p) ** 2).sum())
    if distance > VERY_FAR * (radius_p + radius_q):
        return _area_quadrature(p_seen, q_seen, normal_p, normal_q, _THREE)
    if distance > FAR * (radius_p + radius_q):
        return _area_quadrature(p_seen, q_seen, normal_p, normal_q, _SEVEN)
    return max(0.0, _contour(p_seen, q_seen))


@njit(cache=True)
def _area_quadrature(p, q, normal_p, normal_q, rule):  # type: ignore[no-untyped-def]
    """∫∫ cosθ₁ cosθ₂ / (π r²) with a rule on each triangle of the two fans."""
    points = rule.shape[0]
    total = 0.0
    for i in range(1, p.shape[0] - 1):
        area_p = _triangle_area(p[0], p[i], p[i + 1])
        for j in range(1, q.shape[0] - 1):
            area_q = _triangle_area(q[0], q[j], q[j + 1])
            part = 0.0
            for a in range(points):
                u, v, w = rule[a, 0], rule[a, 1], 1.0 - rule[a, 0] - rule[a, 1]
                x0 = w * p[0, 0] + u * p[i, 0] + v * p[i + 1, 0]
                x1 = w * p[0, 1] + u * p[i, 1] + v * p[i + 1, 1]
                x2 = w * p[0, 2] + u * p[i, 2] + v * p[i + 1, 2]
                for b in range(points):
                    u, v, w = rule[b, 0], rule[b, 1], 1.0 - rule[b, 0] - rule[b, 1]
                    d0 = w * q[0, 0] + u * q[j, 0] + v * q[j + 1, 0] - x0
                    d1 = w * q[0, 1] + u * q[j, 1] + v * q[j + 1, 1] - x1
                    d2 = w * q[0, 2] + u * q[j, 2] + v * q[j + 1, 2] - x2
                    cosine_p = d0 * normal_p[0] + d1 * normal_p[1] + d2 * normal_p[2]
                    cosine_q = -(d0 * normal_q[0] + d1 * normal_q[1] + d2 * normal_q[2])
                    square = d0 * d0 + d1 * d1 + d2 * d2
                    part += rule[a, 2] * rule[b, 2] * cosine_p * cosine_q / (square * square)
            total += area_p * area_q * part
    return max(0.0, total / math.pi)


@njit(cache=True)
def _triangle_area(a, b, c):  # type: ignore[no-untyped-def]
    u0, u1, u2 = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    v0, v1, v2 = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    return 0.5 * math.sqrt((u1 * v2 - u2 * v1) ** 2 + (u2 * v0 - u0 * v2) ** 2 + (u0 * v1 - u1 * v0) ** 2)


@njit(cache=True)
def _contour(p, q):  # type: ignore[no-untyped-def]
    n, m = p.shape[0], q.shape[0]
    total = 0.0
    for i in range(n):
        a0 = p[i]
        a = p[(i + 1) % n] - a0
        aa = (a * a).sum()
        if aa == 0.0:
            continue
        for j in range(m):
            b0 = q[j]
            b = q[(j + 1) % m] - b0
            bb = (b * b).sum()
            ab = (a * b).sum()
            if bb == 0.0 or abs(ab) <= 1e-13 * math.sqrt(aa * bb):
                continue  # edges at right angles contribute nothing
            if aa * bb - ab * ab <= 1e-14 * aa * bb:
                total += ab * _parallel_edges(a0, a, b0, b)
            else:
                total += ab * _skew_edges(a0, a, b0, b)
    return total / (2.0 * math.pi)


@njit(cache=True)
def _parallel_edges(a0, a, b0, b):  # type: ignore[no-untyped-def]
    """Mean of ln r over two parallel edges, closed."""
    length = math.sqrt((a * a).sum())
    start = ((b0 - a0) * a).sum() / length
    stop = ((b0 + b - a0) * a).sum() / length
    across = b0 - a0 - start * a / length
    d = math.sqrt((across * across).sum())
    d = 0.0 if d < 1e-12 * (length + abs(start) + abs(stop)) else d
    value = (
        _log_second(stop, d) - _log_second(start, d) - _log_second(stop - length, d) + _log_second(start - length, d)
    )
    return value / (length * (stop - start))


@njit(cache=True)
def _log_second(w, d):  # type: ignore[no-untyped-def]
    """Function whose second derivative in w is ln √(w² + d²)."""
    square = w * w + d * d
    if square == 0.0:
        return 0.0
    value = 0.25 * (w * w - d * d) * math.log(square) - 0.75 * w * w
    if d > 0.0:
        value += d * w * math.atan(w / d)
    return value


@njit(cache=True)
def _log_first(v, d):  # type: ignore[no-untyped-def]
    """Function whose derivative in v is ln √(v² + d²)."""
    square = v * v + d * d
    if square == 0.0:
        return 0.0
    value = 0.5 * v * math.log(square) - v
    if d > 0.0:
        value += d * math.atan(v / d)
    return value


@njit(cache=True)
def _skew_edges(a0, a, b0, b):  # type: ignore[no-untyped-def]
    """Mean of ln r over two edges: inner integral closed, outer by points drawn to the closest approach."""
    length = math.sqrt((b * b).sum())
    share, gap = _closest(a0, a, b0, b)
    span = math.sqrt((a * a).sum())
    total = 0.0
    for side in range(2):
        start = share if side == 0 else share
        extent = 1.0 - share if side == 0 else -share
        if abs(extent) < 1e-14:
            continue
        # far edges need no drawing in; close ones get a node density that rises towards the singular point
        power = 1 if gap > abs(extent) * span else 4
        for k in range(_GAUSS_NODES.shape[0]):
            u = _GAUSS_NODES[k]
            s = start + extent * u**power
            weight = _GAUSS_WEIGHTS[k] * abs(extent) * power * u ** (power - 1)
            x0, x1, x2 = a0[0] + s * a[0] - b0[0], a0[1] + s * a[1] - b0[1], a0[2] + s * a[2] - b0[2]
            along = (x0 * b[0] + x1 * b[1] + x2 * b[2]) / length
            # from the cross product: the difference of squares would lose half the digits near the line
            c0, c1, c2 = x1 * b[2] - x2 * b[1], x2 * b[0] - x0 * b[2], x0 * b[1] - x1 * b[0]
            d = math.sqrt(c0 * c0 + c1 * c1 + c2 * c2) / length
            total += weight * (_log_first(length - along, d) - _log_first(-along, d))
    return total / length


@njit(cache=True)
def _closest(a0, a, b0, b):  # type: ignore[no-untyped-def]
    """Parameter on the first segment of its closest approach to the second, and the distance there."""
    w = a0 - b0
    aa, bb, ab = (a * a).sum(), (b * b).sum(), (a * b).sum()
    aw, bw = (a * w).sum(), (b * w).sum()
    s = (ab * bw - bb * aw) / (aa * bb - ab * ab)
    s = min(1.0, max(0.0, s))
    t = (ab * s + bw) / bb
    t = min(1.0, max(0.0, t))
    s = min(1.0, max(0.0, (ab * t - aw) / aa))
    gap = w + s * a - t * b
    return s, math.sqrt((gap * gap).sum())
