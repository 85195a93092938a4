"""Loops over compressed rows in single precision, fused so that every vector is read once.

The diagonal is kept apart. Columns are unsigned: a signed index costs a test for counting from the end, which for
rows of five entries is a third of the time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse

Single = NDArray[np.float32]
Unsigned = NDArray[np.uint32]


class Rows(NamedTuple):
    """Compressed rows.

    Attributes
    ----------
    pointers : (row + 1,) array
    columns : (entry,) array
    values : (entry,) array
    """

    pointers: Unsigned
    columns: Unsigned
    values: Single

    @classmethod
    def of(cls, matrix: sparse.csr_array) -> Rows:
        """Convert a sparse array."""
        return cls(
            matrix.indptr.astype(np.uint32), matrix.indices.astype(np.uint32), matrix.data.astype(np.float32)
        )


@njit(cache=True, fastmath=True)
def smooth(rows: Rows, diagonal: Single, weight: Single, b: Single, x: Single, out: Single) -> None:
    """Overwrite `out` with a damped Jacobi sweep, x + w·(b − A·x)."""
    pointers, columns, values = rows
    for i in range(diagonal.size):
        total = np.float32(0.0)
        for k in range(pointers[i], pointers[i + 1]):
            total += values[k] * x[columns[k]]
        out[i] = x[i] + weight[i] * (b[i] - diagonal[i] * x[i] - total)


@njit(cache=True, fastmath=True)
def restrict_residual(rows: Rows, diagonal: Single, b: Single, x: Single, spread: Rows, out: Single) -> None:
    """Overwrite `out` with Pᵀ·(b − A·x); the residual itself is never stored."""
    pointers, columns, values = rows
    first, targets, shares = spread
    out[:] = np.float32(0.0)
    for i in range(diagonal.size):
        total = np.float32(0.0)
        for k in range(pointers[i], pointers[i + 1]):
            total += values[k] * x[columns[k]]
        residual = b[i] - diagonal[i] * x[i] - total
        for k in range(first[i], first[i + 1]):
            out[targets[k]] += shares[k] * residual


@njit(cache=True, fastmath=True)
def prolong_add(spread: Rows, coarse: Single, x: Single) -> None:
    """Add P·coarse to x."""
    first, targets, shares = spread
    for i in range(first.size - 1):
        total = np.float32(0.0)
        for k in range(first[i], first[i + 1]):
            total += shares[k] * coarse[targets[k]]
        x[i] += total


@njit(cache=True, fastmath=True)
def multiply_dot(rows: Rows, diagonal: Single, x: Single, out: Single) -> float:
    """Overwrite `out` with A·x; return x·A·x over the rows."""
    pointers, columns, values = rows
    total = 0.0
    for i in range(diagonal.size):
        image = diagonal[i] * x[i]
        for k in range(pointers[i], pointers[i + 1]):
            image += values[k] * x[columns[k]]
        out[i] = image
        total += image * x[i]
    return total


@njit(cache=True, fastmath=True)
def advance_solution(
    step: np.float32, direction: Single, image: Single, x: Single, residual: Single
) -> float:
    """Add step·direction to x and take step·image from the residual; return the residual's sum of squares."""
    total = 0.0
    for i in range(x.size):
        x[i] += step * direction[i]
        residual[i] -= step * image[i]
        total += residual[i] * residual[i]
    return total


@njit(cache=True, fastmath=True)
def dot(a: Single, b: Single) -> float:
    """Return a·b, summed in double precision."""
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@njit(cache=True, fastmath=True)
def new_direction(share: np.float32, preconditioned: Single, direction: Single) -> None:
    """Overwrite `direction` with preconditioned + share·direction."""
    for i in range(preconditioned.size):
        direction[i] = preconditioned[i] + share * direction[i]
