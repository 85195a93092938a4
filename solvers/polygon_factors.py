"""View factors between flat convex polygons by the contour integral, free of sampling error.

For two polygons that see each other whole,

    A₁ F₁₂ = 1/(2π) Σ_edges a of 1 Σ_edges b of 2 (a · b) ∫₀¹ ∫₀¹ ln r ds dt

(Stokes' theorem twice: Sparrow, J. Heat Transfer 85 (1963) 81; closed for polygons by Schröder and
Hanrahan, SIGGRAPH 1993, 163). Here the inner integral is closed in all cases, the outer one for
parallel edges; for skew edges it is done by Gauss-Legendre points drawn towards the closest approach, where
the integrand has its only (weak) singularity. Polygons partly behind each other's plane are clipped first.
Pairs far
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

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_GAUSS_NODES, _GAUSS_WEIGHTS = 0.5 * (_NODES + 1.0), 0.5 * _WEIGHTS
# Radon's seven points, exact to degree five, and the three of degree two (Strang and Fix 1973)
_ROOT = math.sqrt(15.0)
_IN, _OUT = (6.0 - _ROOT) / 21.0, (6.0 + _ROOT) / 21.0
_INNER, _OUTER = (155.0 - _ROOT) / 1200.0, (155.0 + _ROOT) / 1200.0
_TRIANGLE_FINE = np.array(
    [
        [1 / 3, 1 / 3, 9 / 40],
        [_IN, _IN, _INNER], [_IN, 1 - 2 * _IN, _INNER], [1 - 2 * _IN, _IN, _INNER],
        [_OUT, _OUT, _OUTER], [_OUT, 1 - 2 * _OUT, _OUTER], [1 - 2 * _OUT, _OUT, _OUTER],
    ]
)  # fmt: skip
_TRIANGLE_COARSE = np.array([[1 / 6, 1 / 6, 1 / 3], [1 / 6, 2 / 3, 1 / 3], [2 / 3, 1 / 6, 1 / 3]])


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
        area = float(
            np.linalg.norm(
                0.5 * np.cross(array - array[0], np.roll(array, -1, axis=0) - array[0]).sum(axis=0)
            )
        )
        if not area > 0.0:
            raise ValueError(f"the {name} polygon has no area")
        corners.append(array)
        areas.append(area)
    return float(_clipped_exchange(corners[0], corners[1])) / areas[0]


class PolygonSides:
    """Radiating sides of flat polygons, prepared for the exchange between many pairs of them.

    Parameters
    ----------
    corners : (k, 4, 3) float
        Corners of triangles (the fourth unused) and quadrilaterals [m].
    corner_count : (k,) int
    signs : (k,) int
        1 where the front radiates, -1 where the back does.
    """

    def __init__(self, corners: Floats, corner_count: Integers, signs: Integers):
        area_vector = 0.5 * np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
        self.normals = signs[:, None] * area_vector / np.linalg.norm(area_vector, axis=1)[:, None]
        used = corner_count[:, None] > np.arange(4)
        self.centres = np.einsum("pc,pcx->px", used / corner_count[:, None], corners)
        self.radii = np.linalg.norm(corners - self.centres[:, None], axis=2).max(axis=1)
        # corners in the order that is counter-clockwise seen from the radiating side
        back = signs < 0
        turn = np.where(back[:, None] & used, corner_count[:, None] - 1 - np.arange(4), np.arange(4))
        self.corners = np.take_along_axis(corners, turn[:, :, None], axis=1)
        self.corner_count = corner_count
        self.fine, self.coarse = area_points(corners, corner_count)

    def candidates(self, start: int, stop: int) -> tuple[Integers, Integers]:
        """Pairs (i, j), start ≤ i < stop and j > i, of which neither is wholly behind the other's plane."""
        begin = _count_candidates(
            start, stop, self.corners, self.corner_count, self.normals, self.centres, self.radii
        )
        pointer = np.concatenate([[0], np.cumsum(begin)])
        second = np.empty(pointer[-1], dtype=np.int64)
        _fill_candidates(
            start, pointer, second, self.corners, self.corner_count, self.normals, self.centres, self.radii
        )
        return np.repeat(np.arange(start, stop), np.diff(pointer)), second

    def exchange(self, first: Integers, second: Integers) -> Floats:
        """Exchange areas A₁F₁₂ of pairs of sides with nothing in between, shape (pairs,) [m²]."""
        return np.asarray(
            _many(
                first, second, self.corners, self.corner_count, self.normals, self.centres, self.radii,
                self.fine, self.coarse,
            ),
            dtype=np.float64,
        )  # fmt: skip


def area_points(corners: Floats, corner_count: Integers) -> tuple[Floats, Floats]:
    """Quadrature points of triangles and quadrilaterals, fine (p, 9, 4) and coarse (p, 4, 4).

    Each point is x, y, z [m] and its area [m²]; a triangle leaves the last places empty (no area).
    Triangles: degree 5 and 2. Quadrilaterals: Gauss products of degree 5 and 3 on the bilinear map.
    """
    triangle = corner_count == 3
    rules = []
    for size, rule, order in ((9, _TRIANGLE_FINE, 3), (4, _TRIANGLE_COARSE, 2)):
        points = np.zeros((len(corners), size, 4))
        a, b, c = (corners[triangle, None, i] for i in range(3))
        u, v, share = rule[:, :1], rule[:, 1:2], rule[:, 2]
        points[triangle, : len(rule), :3] = (1.0 - u - v) * a + u * b + v * c
        points[triangle, : len(rule), 3] = share * 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=2)
        a, b, c, d = (corners[~triangle, None, i] for i in range(4))
        node, weight = np.polynomial.legendre.leggauss(order)
        u, v = (0.5 * (grid.reshape(-1, 1) + 1.0) for grid in np.meshgrid(node, node, indexing="ij"))
        along, across = (1.0 - v) * (b - a) + v * (c - d), (1.0 - u) * (d - a) + u * (c - b)
        points[~triangle, :, :3] = (1.0 - v) * ((1.0 - u) * a + u * b) + v * ((1.0 - u) * d + u * c)
        points[~triangle, :, 3] = (
            0.25 * np.outer(weight, weight).ravel() * np.linalg.norm(np.cross(along, across), axis=2)
        )
        rules.append(points)
    return rules[0], rules[1]


@njit(cache=True)
def _facing(i, j, corners, corner_count, normals, centres, radii):  # type: ignore[no-untyped-def]
    """Whether some corner of each polygon is in front of the other's plane; spheres decide most."""
    tolerance = 1e-10 * (radii[i] + radii[j])
    for a, b in ((i, j), (j, i)):
        height = 0.0
        for axis in range(3):
            height += (centres[b, axis] - centres[a, axis]) * normals[a, axis]
        if height <= -radii[b]:
            return False
        if height <= radii[b]:
            _, high = _heights(corners[b], corner_count[b], centres[a], normals[a])
            if high <= tolerance:
                return False
    return True


@njit(cache=True, parallel=True)
def _count_candidates(  # type: ignore[no-untyped-def]
    start, stop, corners, corner_count, normals, centres, radii
):
    number = np.zeros(stop - start, dtype=np.int64)
    for row in prange(stop - start):
        count = 0
        for j in range(start + row + 1, len(radii)):
            count += _facing(start + row, j, corners, corner_count, normals, centres, radii)
        number[row] = count
    return number


@njit(cache=True, parallel=True)
def _fill_candidates(  # type: ignore[no-untyped-def]
    start, pointer, second, corners, corner_count, normals, centres, radii
):
    for row in prange(len(pointer) - 1):
        at = pointer[row]
        for j in range(start + row + 1, len(radii)):
            if _facing(start + row, j, corners, corner_count, normals, centres, radii):
                second[at] = j
                at += 1


@njit(cache=True, parallel=True)
def _many(  # type: ignore[no-untyped-def]
    first, second, corners, corner_count, normals, centres, radii, fine, coarse
):
    result = np.zeros(len(first))
    for k in prange(len(first)):
        p, q = first[k], second[k]
        p_corners, q_corners = corners[p, : corner_count[p]], corners[q, : corner_count[q]]
        reach = radii[p] + radii[q]
        p_low, _ = _heights(p_corners, corner_count[p], centres[q], normals[q])
        q_low, _ = _heights(q_corners, corner_count[q], centres[p], normals[p])
        if min(p_low, q_low) >= -1e-10 * reach:  # otherwise they must be clipped
            square = 0.0
            for i in range(3):
                square += (centres[q, i] - centres[p, i]) ** 2
            if square > (VERY_FAR * reach) ** 2:
                result[k] = _area_quadrature(coarse[p], coarse[q], normals[p], normals[q])
                continue
            if square > (FAR * reach) ** 2:
                result[k] = _area_quadrature(fine[p], fine[q], normals[p], normals[q])
                continue
        result[k] = _clipped_exchange(p_corners, q_corners)
    return result


@njit(cache=True)
def _dot(a, b):  # type: ignore[no-untyped-def]
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(cache=True)
def _heights(corners, count, origin, normal):  # type: ignore[no-untyped-def]
    """Lowest and highest corner above a plane."""
    low, high = math.inf, -math.inf
    for i in range(count):
        height = 0.0
        for axis in range(3):
            height += (corners[i, axis] - origin[axis]) * normal[axis]
        low, high = min(low, height), max(high, height)
    return low, high


@njit(cache=True)
def _area_quadrature(p, q, p_normal, q_normal):  # type: ignore[no-untyped-def]
    """∫∫ cosθ₁ cosθ₂ / (π r²) by points on both areas."""
    total = 0.0
    for i in range(p.shape[0]):
        part = 0.0
        for j in range(q.shape[0]):
            d0, d1, d2 = q[j, 0] - p[i, 0], q[j, 1] - p[i, 1], q[j, 2] - p[i, 2]
            p_cosine = d0 * p_normal[0] + d1 * p_normal[1] + d2 * p_normal[2]
            q_cosine = d0 * q_normal[0] + d1 * q_normal[1] + d2 * q_normal[2]
            square = d0 * d0 + d1 * d1 + d2 * d2
            part -= q[j, 3] * p_cosine * q_cosine / (square * square)
        total += p[i, 3] * part
    return max(0.0, total / math.pi)


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
        radius = max(radius, math.sqrt(_dot(polygon[i] - centre, polygon[i] - centre)))
    return vector, centre, radius


@njit(cache=True)
def _clip(polygon, origin, normal, tolerance):  # type: ignore[no-untyped-def]
    """Part of a convex polygon in front of a plane (Sutherland and Hodgman 1974)."""
    n = polygon.shape[0]
    height = np.empty(n)
    low, high = 0.0, 0.0
    for i in range(n):
        value = _dot(polygon[i] - origin, normal)
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
def _clipped_exchange(p, q):  # type: ignore[no-untyped-def]
    p_vector, p_centre, p_radius = _plane(p)
    q_vector, q_centre, q_radius = _plane(q)
    tolerance = 1e-10 * (p_radius + q_radius)
    q_seen = _clip(q, p_centre, p_vector / math.sqrt(_dot(p_vector, p_vector)), tolerance)
    if q_seen.shape[0] < 3:
        return 0.0
    p_seen = _clip(p, q_centre, q_vector / math.sqrt(_dot(q_vector, q_vector)), tolerance)
    if p_seen.shape[0] < 3:
        return 0.0
    return max(0.0, _contour(p_seen, q_seen))


@njit(cache=True)
def _contour(p, q):  # type: ignore[no-untyped-def]
    n, m = p.shape[0], q.shape[0]
    total = 0.0
    for i in range(n):
        a0 = p[i]
        a = p[(i + 1) % n] - a0
        aa = _dot(a, a)
        if aa == 0.0:
            continue
        for j in range(m):
            b0 = q[j]
            b = q[(j + 1) % m] - b0
            bb = _dot(b, b)
            ab = _dot(a, b)
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
    length = math.sqrt(_dot(a, a))
    start = _dot(b0 - a0, a) / length
    stop = _dot(b0 + b - a0, a) / length
    across = b0 - a0 - start * a / length
    d = math.sqrt(_dot(across, across))
    d = 0.0 if d < 1e-12 * (length + abs(start) + abs(stop)) else d
    value = (
        _log_second(stop, d)
        - _log_second(start, d)
        - _log_second(stop - length, d)
        + _log_second(start - length, d)
    )
    return value / (length * (stop - start))


@njit(cache=True)
def _log_second(w, d):  # type: ignore[no-untyped-def]
    """Evaluate the function whose second derivative in w is ln √(w² + d²)."""
    square = w * w + d * d
    if square == 0.0:
        return 0.0
    value = 0.25 * (w * w - d * d) * math.log(square) - 0.75 * w * w
    if d > 0.0:
        value += d * w * math.atan(w / d)
    return value


@njit(cache=True)
def _log_first(v, d):  # type: ignore[no-untyped-def]
    """Evaluate the function whose derivative in v is ln √(v² + d²)."""
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
    length = math.sqrt(_dot(b, b))
    share, gap = _closest(a0, a, b0, b)
    span = math.sqrt(_dot(a, a))
    total = 0.0
    for side in range(2):
        extent = 1.0 - share if side == 0 else -share
        if abs(extent) < 1e-14:
            continue
        # far edges need no drawing in; close ones get a node density that rises towards the singular point
        power = 1 if gap > abs(extent) * span else 4
        for k in range(_GAUSS_NODES.shape[0]):
            u = _GAUSS_NODES[k]
            s = share + extent * u**power
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
    aa, bb, ab = _dot(a, a), _dot(b, b), _dot(a, b)
    aw, bw = _dot(a, w), _dot(b, w)
    s = (ab * bw - bb * aw) / (aa * bb - ab * ab)
    s = min(1.0, max(0.0, s))
    t = (ab * s + bw) / bb
    t = min(1.0, max(0.0, t))
    s = min(1.0, max(0.0, (ab * t - aw) / aa))
    gap = w + s * a - t * b
    return s, math.sqrt(_dot(gap, gap))
