"""Smoothed aggregation: coarse levels of a conduction matrix from the matrix alone.

P. Vaněk, J. Mandel, M. Brezina, Computing 56 (1996) 179, with two liberties that heat conduction allows: entries are
strong by comparison with the largest of their row, so that storage on the diagonal hides nothing, and
the interpolation is smoothed by the conduction part only, so that a uniform temperature stays one on every level.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from mpi4py import MPI
from numba import njit
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[np.float64]
Integers = NDArray[np.int32]
Wide = NDArray[np.int64]

STRENGTH = 0.2
"""An entry is strong above this share of the geometric mean of the largest entries of its row and column."""

DAMPING = 2.0 / 3.0
"""Of the Jacobi sweep that smooths the interpolation."""


@njit(cache=True)
def _largest(pointers: Integers, columns: Integers, values: Array, out: Array) -> None:
    """Overwrite the owned part of `out` with the largest magnitude among each row's negative entries."""
    for i in range(pointers.size - 1):
        out[i] = 0.0
        for k in range(pointers[i], pointers[i + 1]):
            if columns[k] != i:
                out[i] = max(out[i], -values[k])


@njit(cache=True)
def _strong(
    pointers: Integers, columns: Integers, values: Array, largest: Array, strength: float
) -> NDArray[np.bool_]:
    keep = np.zeros(values.size, np.bool_)
    for i in range(pointers.size - 1):
        for k in range(pointers[i], pointers[i + 1]):
            j = columns[k]
            if j != i and values[k] < 0.0:
                keep[k] = values[k] * values[k] > strength * strength * largest[i] * largest[j]
    return keep


@njit(cache=True)
def _aggregate(pointers: Integers, columns: Integers, strong: NDArray[np.bool_]) -> tuple[Integers, int]:
    """Group owned nodes; -1 for those without strong neighbours. Columns from the row count on are other processes'."""
    n = pointers.size - 1
    group = np.full(n, -1, np.int32)
    count = 0
    for i in range(n):
        free, neighbours = group[i] < 0, 0
        for k in range(pointers[i], pointers[i + 1]):
            if strong[k] and columns[k] < n:
                neighbours += 1
                free = free and group[columns[k]] < 0
        if free and neighbours > 0:
            group[i] = count
            for k in range(pointers[i], pointers[i + 1]):
                if strong[k] and columns[k] < n:
                    group[columns[k]] = count
            count += 1
    first = group.copy()
    for i in range(n):
        if first[i] < 0:
            best = 0.0
            for k in range(pointers[i], pointers[i + 1]):
                if strong[k] and columns[k] < n and first[columns[k]] >= 0 and best == 0.0:
                    group[i], best = first[columns[k]], 1.0
    for i in range(n):
        if group[i] < 0:
            alone = True
            for k in range(pointers[i], pointers[i + 1]):
                if strong[k]:
                    alone = False
                    if columns[k] < n and group[columns[k]] < 0:
                        group[columns[k]] = count
            # A node without strong neighbours (one of fixed temperature) needs no coarse level.
            if not alone:
                group[i] = count
                count += 1
    return group, count


@njit(cache=True)
def _smoothed(
    pointers: Integers,
    columns: Integers,
    values: Array,
    strong: NDArray[np.bool_],
    group: Wide,
    damping: float,
) -> tuple[Wide, Wide, Array]:
    n = pointers.size - 1
    starts = np.zeros(n + 1, np.int64)
    where = np.empty(values.size + n, np.int64)
    share = np.empty(values.size + n, np.float64)
    end = 0
    for i in range(n):
        begin = end
        if group[i] >= 0:
            total = 0.0
            for k in range(pointers[i], pointers[i + 1]):
                if strong[k] and group[columns[k]] >= 0:
                    total -= values[k]
            where[end], share[end] = group[i], 1.0 - damping if total > 0.0 else 1.0
            end += 1
            for k in range(pointers[i], pointers[i + 1]):
                if strong[k] and group[columns[k]] >= 0:
                    target, weight = group[columns[k]], -damping * values[k] / total
                    found = False
                    for p in range(begin, end):
                        if where[p] == target:
                            share[p] += weight
                            found = True
                    if not found:
                        where[end], share[end] = target, weight
                        end += 1
        starts[i + 1] = end
    return starts, where[:end].copy(), share[:end].copy()


def interpolation(
    rows: sparse.csr_array, exchange: Callable[[NDArray[Any]], None], comm: MPI.Comm
) -> tuple[sparse.csr_array, int]:
    """Return the interpolation from aggregates of strongly connected nodes, shape (owned, aggregates of all processes).

    Aggregates do not reach across processes, but the smoothing does.

    Parameters
    ----------
    rows : (owned, owned + ghosts) sparse array
        Rows of conduction plus storage; symmetric, positive definite.
    exchange : callable
        Fills the ghosts of an array of owned and ghost values. Collective.
    comm : MPI.Comm

    Returns
    -------
    (owned, aggregates of all processes) sparse array
        This process's aggregates are numbered from the sum of those of the processes before it.
    int
        Number of this process's aggregates.
    """
    n, length = rows.shape
    pointers, columns = rows.indptr.astype(np.int32), rows.indices.astype(np.int32)
    largest = np.zeros(length)
    _largest(pointers, columns, rows.data, largest)
    exchange(largest)
    strong = _strong(pointers, columns, rows.data, largest, STRENGTH)
    own, count = _aggregate(pointers, columns, strong)
    counts = comm.allgather(count)
    offset = sum(counts[: comm.rank])
    group = np.full(length, -1, np.int64)
    group[:n] = np.where(own >= 0, own + offset, -1)
    exchange(group)
    starts, where, share = _smoothed(pointers, columns, rows.data, strong, group, DAMPING)
    return sparse.csr_array((share, where, starts), shape=(n, sum(counts))), count
