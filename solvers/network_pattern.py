"""Sparsity pattern of a network and the plan of its elimination, made once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from solvers import network_kernels as kernels

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


class Pattern:
    """Symmetric compressed-row pattern with all diagonal entries.

    Parameters
    ----------
    size : int
        Rows.
    pairs : (pair, 2) array
        Rows and columns that may hold a number; the transposed places come with them.
    """

    def __init__(self, size: int, pairs: Integers):
        every = np.arange(size, dtype=np.int64)
        rows = np.concatenate([pairs[:, 0], pairs[:, 1], every])
        columns = np.concatenate([pairs[:, 1], pairs[:, 0], every])
        self._size = size
        self._keys = np.unique(rows * size + columns)
        self.indices: Integers = self._keys % size if size else self._keys
        counts = np.bincount(self._keys // max(size, 1), minlength=size)
        self.indptr: Integers = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.diagonal = self.places(every, every)

    @property
    def entries(self) -> int:
        """Number of stored places."""
        return len(self._keys)

    def places(self, rows: Integers, columns: Integers) -> Integers:
        """Return where in the data the given entries stand."""
        return np.searchsorted(self._keys, rows * self._size + columns)


class Elimination:
    """LU factors of the leading block of a pattern, refilled in place.

    The order of elimination is minimum degree (George & Liu, SIAM Review 31 (1989) 1), for which tubes and trees fill
    nothing in and each closed loop adds one column.

    Parameters
    ----------
    pattern : Pattern
    size : int
        Rows of the leading block.
    """

    def __init__(self, pattern: Pattern, size: int):
        self.pattern = pattern
        rows = np.repeat(np.arange(len(pattern.indptr) - 1), np.diff(pattern.indptr))
        inside = (rows < size) & (pattern.indices < size) & (rows != pattern.indices)
        rows, columns = rows[inside], pattern.indices[inside]
        self.place = _minimum_degree(size, rows, columns)
        self.order: Integers = np.argsort(self.place)
        self.start, self.column, self.diagonal = _fill(size, self.place[rows], self.place[columns])
        self.factors: Array = np.zeros(len(self.column))
        self._work: Array = np.zeros(size)

    def factorize(self, jacobian: Array) -> int:
        """Factorise; return -1, or the row that has no way out for heat."""
        p = self.pattern
        plan = (self.start, self.column, self.diagonal, self.factors, self._work)
        return kernels.factorize(self.order, self.place, p.indptr, p.indices, jacobian, *plan)

    def solve(self, right: Array) -> None:
        """Overwrite the right-hand side with the solution."""
        plan = (self.start, self.column, self.diagonal, self.factors)
        kernels.substitute(self.order, *plan, right, self._work)


def _minimum_degree(size: int, rows: Integers, columns: Integers) -> Integers:
    """Return the position of each row in the order of elimination."""
    if size < 2 or not rows.size:
        return np.arange(size, dtype=np.int64)
    off = sparse.coo_array((np.full(len(rows), -1.0), (rows, columns)), shape=(size, size))
    degree = np.bincount(rows, minlength=size) + 1.0
    matrix = sparse.csc_matrix(off + sparse.diags_array(degree))
    symmetric = {"SymmetricMode": True}
    return splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=symmetric).perm_c.astype(
        np.int64
    )


def _fill(size: int, rows: Integers, columns: Integers) -> tuple[Integers, Integers, Integers]:
    """Return (row starts, columns, diagonal places) of L + U for rows in the order of elimination."""
    later: list[set[int]] = [set() for _ in range(size)]
    above = columns > rows
    for row, column in zip(rows[above].tolist(), columns[above].tolist()):
        later[row].add(column)
    for row in range(size):
        if later[row]:
            # What remains after a row is gone is coupled through it (elimination tree).
            parent = min(later[row])
            later[parent] |= later[row] - {parent}
    upper = np.array([(row, column) for row in range(size) for column in later[row]], dtype=np.int64).reshape(
        -1, 2
    )
    pattern = Pattern(size, upper)
    return pattern.indptr, pattern.indices, pattern.diagonal
