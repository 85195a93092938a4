"""View factors of a set of surfaces: by rays or by exact formula, made reciprocal and closed, cached.

The exchange areas S_ij = A_i F_ij are kept (symmetric by reciprocity) together with what goes to
space, s_i = A_i F_i,space, so that Σ_j S_ij + s_i = A_i (closure).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, diags_array, triu
from scipy.sparse.linalg import LinearOperator, cg

from solvers.polygon_factors import PolygonSides
from solvers.ray_casting import RaySettings, cast_factors, visible_shares
from solvers.surfaces import Floats, Integers, SurfaceError, Surfaces

#: relative error put on exact factors, so that closure is reached by moving the estimated ones
EXACT_ERROR = 1e-7


@dataclass(frozen=True, eq=False)
class ViewFactors:
    """Exchange areas between faces and with space.

    Parameters
    ----------
    areas : (f,) float
        Face areas [m²].
    exchange : (f, f) csr
        S_ij = A_i F_ij, symmetric [m²].
    space : (f,) float
        s_i = A_i F_i,space [m²].
    exchange_errors : (f, f) csr
        Standard error of S_ij, same pattern [m²].
    space_errors : (f,) float
        Standard error of s_i [m²].
    """

    areas: Floats
    exchange: csr_array
    space: Floats
    exchange_errors: csr_array
    space_errors: Floats

    @classmethod
    def from_factors(cls, areas: Floats, factors: Floats) -> ViewFactors:
        """Known view factors, for example from a handbook.

        Parameters
        ----------
        areas : (f,) float
            [m²], or [m] per metre of depth in two dimensions.
        factors : (f, f) float
            F_ij; what is missing to one in a row goes to space.

        Raises
        ------
        SurfaceError
            If a factor is negative, a row sums to more than one, or A_i F_ij ≠ A_j F_ji.
        """
        area = np.asarray(areas, dtype=float)
        factor = np.asarray(factors, dtype=float)
        if area.ndim != 1 or factor.shape != (len(area), len(area)):
            raise SurfaceError(
                f"{area.shape} areas need ({len(area)}, {len(area)}) factors, not {factor.shape}"
            )
        if not (area > 0.0).all():
            raise SurfaceError(f"area of face {int(np.argmin(area))} must be positive, not {area.min()} m²")
        if (factor < 0.0).any() or (factor.sum(axis=1) > 1.0 + 1e-9).any():
            row = int(np.argmax(np.where((factor < 0.0).any(axis=1), np.inf, factor.sum(axis=1))))
            raise SurfaceError(f"view factors of face {row} must not be negative nor sum to more than 1")
        exchange = area[:, None] * factor
        gap = np.abs(exchange - exchange.T)
        if (gap > 1e-6 * np.minimum(area[:, None], area)).any():
            i, j = np.unravel_index(int(np.argmax(gap)), gap.shape)
            raise SurfaceError(
                f"view factors of faces {i} and {j} are not reciprocal: A F is {exchange[i, j]:.6g} one way "
                "and "
                f"{exchange[j, i]:.6g} m² the other"
            )
        symmetric = csr_array(0.5 * (exchange + exchange.T))
        space = np.maximum(area - symmetric.sum(axis=1), 0.0)
        space[space < 1e-12 * area] = 0.0
        return cls(area, symmetric, space, symmetric * EXACT_ERROR, np.zeros_like(area))

    @property
    def factors(self) -> csr_array:
        """F_ij."""
        return csr_array(diags_array(1.0 / self.areas) @ self.exchange)

    @property
    def factor_errors(self) -> csr_array:
        """Standard error of F_ij."""
        return csr_array(diags_array(1.0 / self.areas) @ self.exchange_errors)

    @property
    def row_sums(self) -> Floats:
        """Σ_j F_ij + F_i,space, shape (f,): one for each face when closed."""
        return (self.exchange.sum(axis=1) + self.space) / self.areas


def ray_view_factors(surfaces: Surfaces, settings: RaySettings | None = None) -> ViewFactors:
    """View factors by ray casting, with obstruction; reciprocal and closed.

    Both faces of a pair estimate S_ij. They are joined with weights 1/A_i, the inverse of their
    variances for equal numbers of rays, that is S_ij = (F_ij + F_ji) A_i A_j / (A_i + A_j).

    Parameters
    ----------
    surfaces : Surfaces
    settings : RaySettings, optional

    Returns
    -------
    ViewFactors
    """
    raw = cast_factors(surfaces, settings)
    area = surfaces.face_areas
    mutual = _upper_sum(raw.factors)
    squares = _upper_sum(csr_array(raw.errors.power(2)))
    if not np.array_equal(mutual.indices, squares.indices):
        raise AssertionError("factors and their errors have different patterns")
    upper = coo_array(mutual)
    harmonic = area[upper.row] * area[upper.col] / (area[upper.row] + area[upper.col])
    exchange = _both_halves(upper, harmonic * mutual.data)
    # a pair that one side never hit still has the uncertainty of about one ray there
    floor = 1.0 / (settings or RaySettings()).rays
    errors = _both_halves(upper, harmonic * np.sqrt(np.maximum(squares.data, 2.0 * floor**2)))
    return enforce_closure(ViewFactors(area, exchange, area * raw.space, errors, area * raw.space_errors))


def exact_view_factors(
    surfaces: Surfaces, visibility_rays: int = 0, settings: RaySettings | None = None, block: int = 4_000_000
) -> ViewFactors:
    """View factors by the contour integral; space takes the rest.

    Parameters
    ----------
    surfaces : Surfaces
    visibility_rays : int
        Rays per pair that measure which share of it is unobstructed; 0 where nothing stands between
        any two faces, such as inside a convex body.
    settings : RaySettings, optional
        Seed and batch of these rays.
    block : int
        Pairs of polygons that are held in memory at once.

    Returns
    -------
    ViewFactors
        Not forced to close: where the surfaces form a closed body, what `space` holds is the error, and
        a row may exceed one by as much as 1e-6 (`require_closed` and `enforce_closure` mend both).

    Raises
    ------
    SurfaceError
        If a face sends more than everything (surfaces that cut each other, or obstruction left out).
    """
    area = surfaces.face_areas
    count = surfaces.face_count
    polygon, face = _polygon_sides(surfaces)
    sides = PolygonSides(surfaces.corners[polygon], surfaces.corner_count[polygon], surfaces.face_sign[face])
    rows, columns, values = [], [], []
    step = max(1, block // len(face))
    for start in range(0, len(face), step):
        first, second = sides.candidates(start, min(len(face), start + step))
        exchange = sides.exchange(first, second)
        one, other = face[first], face[second]
        # a face that sees itself (several polygons) has both orders of each pair of them
        exchange = np.where(one == other, 2.0 * exchange, exchange)
        found = exchange > 0.0
        upper = coo_array((exchange[found], (one[found], other[found])), shape=(count, count))
        upper.sum_duplicates()
        rows.append(upper.row)
        columns.append(upper.col)
        values.append(upper.data)
    summed = coo_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(count, count)
    )
    summed.sum_duplicates()
    row, column, value = summed.row, summed.col, summed.data
    error = EXACT_ERROR * value
    if visibility_rays:
        shares, spread = visible_shares(surfaces, row, column, visibility_rays, settings or RaySettings())
        error = np.hypot(error, value * spread)
        value = value * shares
        seen = value > 0.0
        row, column, value, error = row[seen], column[seen], value[seen], error[seen]
    upper = coo_array((value, (row, column)), shape=(count, count))
    matrix = _both_halves(upper, value)
    errors = _both_halves(upper, error)
    total = matrix.sum(axis=1)
    spread = np.sqrt(np.asarray(errors.power(2).sum(axis=1)))
    crowded = np.flatnonzero(total > area * (1.0 + 1e-4) + 6.0 * spread)
    if len(crowded):
        worst = int(crowded[np.argmax((total / area)[crowded])])
        raise SurfaceError(
            f"face {worst} (patch {surfaces.face_patch[worst]}) would send {total[worst] / area[worst]:.4f} "
            "of what "
            "leaves it: surfaces cut each other, or something stands between them (set visibility_rays)"
        )
    factors = ViewFactors(area, matrix, np.maximum(area - total, 0.0), errors, spread)
    return enforce_closure(factors) if (total > area * (1.0 + 1e-6)).any() else factors


def enforce_closure(
    factors: ViewFactors, closed: bool | None = None, tolerance: float = 1e-12
) -> ViewFactors:
    """Close every row with the smallest change that the errors allow.

    Least squares: minimise Σ_{i≤j} (ΔS_ij / error_ij)² + Σ_i (Δs_i / error_i)² subject to the row sums, which
    gives ΔS_ij = error_ij² (λ_i + λ_j) with one symmetric system for λ (van Leersum, Int. J. Heat Fluid
    Flow 10 (1989) 82; Taylor, Luck, Hodge and Steele, J. Thermophys. Heat Transfer 9 (1995) 660). Zeros
    stay zero, symmetry stays exact and no entry turns negative.

    Parameters
    ----------
    factors : ViewFactors
    closed : bool, optional
        True when the faces form a closed body: what goes to space is then dropped before.
    tolerance : float
        Largest defect of a row, as a share of its area.

    Returns
    -------
    ViewFactors

    Raises
    ------
    SurfaceError
        If no such change closes the rows.
    """
    area = factors.areas
    space, space_variance = factors.space.copy(), factors.space_errors**2
    if closed:
        space[:], space_variance[:] = 0.0, 0.0
    exchange, errors = csr_array(factors.exchange, copy=True), csr_array(factors.exchange_errors)
    upper = coo_array(triu(exchange, format="coo"))
    value, variance = upper.data.copy(), _entries(errors, upper) ** 2
    row, column = upper.row, upper.col
    diagonal = row == column
    for _ in range(60):
        sums = _half_row_sums(row, column, value, diagonal, len(area)) + space
        defect = area - sums
        if np.abs(defect / area).max() <= tolerance:
            break
        multiplier = _multipliers(row, column, variance, diagonal, space_variance, defect, area)
        # each entry may at most lose most of itself in one pass; what is then missing is shared out again
        change = variance * (multiplier[row] + multiplier[column])
        value = np.maximum(value + change, 0.1 * value)
        space = np.maximum(space + space_variance * multiplier, 0.1 * space)
    else:
        worst = int(np.argmax(np.abs(defect / area)))
        raise SurfaceError(
            f"the view factors cannot be closed: those of face {worst} sum to "
            f"{sums[worst] / area[worst]:.6f}; "
            "is the enclosure closed, and are there enough rays?"
        )
    return replace(
        factors, exchange=_both_halves(upper, value), space=space, space_errors=np.sqrt(space_variance)
    )


def require_closed(factors: ViewFactors, tolerance: float = 1e-3) -> ViewFactors:
    """Refuse an enclosure that leaks, and close one that leaks by no more than its errors.

    Parameters
    ----------
    factors : ViewFactors
    tolerance : float
        Largest share of a face that may go to space.

    Raises
    ------
    SurfaceError
        Naming the leaking faces.
    """
    leak = np.abs(1.0 - factors.exchange.sum(axis=1) / factors.areas)
    open_faces = np.flatnonzero(leak > tolerance)
    if len(open_faces):
        named = ", ".join(
            f"{face} ({leak[face]:.4f})" for face in open_faces[np.argsort(-leak[open_faces])][:5]
        )
        raise SurfaceError(
            f"a closed enclosure is required, but {len(open_faces)} of {len(leak)} faces see outside, by "
            "more than "
            f"{tolerance:g} of what leaves them: face {named}; close the gap or give them a far surface"
        )
    return enforce_closure(factors, closed=True, tolerance=1e-10)


def _upper_sum(matrix: csr_array) -> csr_array:
    """Upper triangle of a matrix plus its transpose, columns in order."""
    total = csr_array(triu(csr_array(matrix + matrix.T), format="csr"))
    total.sort_indices()
    return total


def _entries(matrix: csr_array, pattern: coo_array) -> Floats:
    """Values of a sparse matrix at the places of a pattern."""
    return np.asarray(matrix[pattern.row, pattern.col]).ravel()


def _both_halves(upper: coo_array, value: Floats) -> csr_array:
    """Symmetric matrix from its upper triangle."""
    off = upper.row != upper.col
    row = np.concatenate([upper.row, upper.col[off]])
    column = np.concatenate([upper.col, upper.row[off]])
    return csr_array(coo_array((np.concatenate([value, value[off]]), (row, column)), shape=upper.shape))


def _half_row_sums(
    row: Integers, column: Integers, value: Floats, diagonal: NDArray[np.bool_], count: int
) -> Floats:
    total = np.bincount(row, weights=value, minlength=count)
    return total + np.bincount(column[~diagonal], weights=value[~diagonal], minlength=count)


def _multipliers(
    row: Integers,
    column: Integers,
    variance: Floats,
    diagonal: NDArray[np.bool_],
    space: Floats,
    defect: Floats,
    area: Floats,
) -> Floats:
    """Lagrange multipliers of the row sums, by conjugate gradients (the matrix is positive semidefinite)."""
    count = len(area)
    half = csr_array((variance * np.where(diagonal, 0.5, 1.0), (row, column)), shape=(count, count))
    weight = _half_row_sums(row, column, variance, diagonal, count) + space
    # a face that sees nothing at all has nothing that could change
    weight = np.maximum(weight, 1e-30 * area**2)
    transposed = csr_array(half.T)
    # the row with λ_i + λ_i on the diagonal: variance_ii counts twice, once in weight and once here
    operator = LinearOperator(
        (count, count), matvec=lambda x: weight * x + half @ x + transposed @ x, dtype=float
    )
    scale = LinearOperator((count, count), matvec=lambda x: x / weight, dtype=float)
    solution, _ = cg(operator, defect, rtol=1e-13, atol=0.0, maxiter=20 * count + 200, M=scale)
    return np.asarray(solution)


def _polygon_sides(surfaces: Surfaces) -> tuple[Integers, Integers]:
    """Every radiating side of every polygon, ordered by face: its polygon and its face."""
    polygons, faces = [], []
    for column in (0, 1):
        face = surfaces.face_of_side[surfaces.patch, column]
        polygons.append(np.flatnonzero(face >= 0))
        faces.append(face[face >= 0])
    polygon, face = np.concatenate(polygons), np.concatenate(faces)
    order = np.argsort(face, kind="stable")
    return polygon[order], face[order]
