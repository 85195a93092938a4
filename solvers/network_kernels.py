"""Compiled loops of the nodal network: streams into the matrix, heat, and sparse LU on a fixed pattern.

Every matrix of a network shares one symmetric sparsity pattern, so that a new flow or a new temperature only writes
numbers. The Jacobian of a network is a column diagonally dominant M-matrix (heat that leaves a node arrives at another,
or is stored), hence elimination without pivoting is stable (Golub & Van Loan, Matrix Computations, 4.1.1) and the
elimination can be planned once.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@njit(cache=True)
def stream_exchange(capacity_rate: float, conductance: float) -> tuple[float, float]:
    """Return (a, b) [W/K] of the heat ``a·(T_in − T_wall) + b·(T_fluid − T_wall)`` that a stream gives.

    In steady flow ``a + b·exp(−NTU) = ṁc·(1 − exp(−NTU))``, which is the exact law; a stream that
    slows down passes smoothly to the conductance between the fluid that stands in the tube and the wall.

    Parameters
    ----------
    capacity_rate : float
        ṁc, 0 or more [W/K].
    conductance : float
        UA between fluid and wall [W/K].
    """
    if conductance <= 1e-300:
        return 0.0, 0.0
    if capacity_rate <= 1e-3 * conductance:
        # exp(-1000): the fluid leaves at the temperature of the wall.
        return capacity_rate, conductance * np.exp(-10.0 * capacity_rate / conductance)
    ntu = conductance / capacity_rate
    standing = conductance * np.exp(-10.0 * capacity_rate / conductance)
    return capacity_rate * -np.expm1(-ntu) - standing * np.exp(-ntu), standing


@njit(cache=True)
def net_flow(source: Integers, target: Integers, rate: Array, net: Array) -> None:
    """Sum what flows into each node less what flows out [W/K] into `net`."""
    net[:] = 0.0
    for i in range(rate.size):
        net[source[i]] -= rate[i]
        net[target[i]] += rate[i]


@njit(cache=True)
def fill_streams(
    rate: Array,
    conductance: Array,
    along: Integers,
    wall_start: Integers,
    weight: Array,
    at_wall: Integers,
    carried: Array,
    exchange: Array,
) -> None:
    """Add the streams to the matrices of carried and exchanged heat.

    Parameters
    ----------
    rate, conductance : (stream,) arrays
        ṁc, negative against the direction of the stream, and UA [W/K].
    along : (stream, 4) array
        Places in the pattern of (target, target), (target, source), (source, source), (source, target).
    wall_start : (stream + 1,) array
        First wall of each stream.
    weight : (wall,) array
        Share of a stream's conductance at each of its walls.
    at_wall : (wall, 5) array
        Places of (wall, wall), (wall, source), (wall, target), (source, wall), (target, wall).
    carried, exchange : (entry,) arrays
        Matrices that are added to.
    """
    for i in range(rate.size):
        flow = abs(rate[i])
        forward = rate[i] >= 0.0
        down_down = along[i, 0] if forward else along[i, 2]
        down_up = along[i, 1] if forward else along[i, 3]
        carried[down_down] += flow
        carried[down_up] -= flow
        entering, standing = stream_exchange(flow, conductance[i])
        for j in range(wall_start[i], wall_start[i + 1]):
            a, b = weight[j] * entering, weight[j] * standing
            wall_up = at_wall[j, 1] if forward else at_wall[j, 2]
            wall_down = at_wall[j, 2] if forward else at_wall[j, 1]
            down_wall = at_wall[j, 4] if forward else at_wall[j, 3]
            exchange[down_up] += a
            exchange[down_down] += b
            exchange[down_wall] -= a + b
            exchange[at_wall[j, 0]] += a + b
            exchange[wall_up] -= a
            exchange[wall_down] -= b


@njit(cache=True)
def to_temperature(
    values: Array,
    scaled: NDArray[np.bool_],
    first: float,
    spacing: float,
    table: Array,
    t: Array,
    slope: Array,
) -> None:
    """Turn the nodes' values into temperatures [K] and their slope: liquid nodes may be kept as enthalpy."""
    last = table.size - 2
    for i in range(values.size):
        t[i], slope[i] = values[i], 1.0
        if last >= 0 and scaled[i]:
            position = (values[i] - first) / spacing
            k = min(max(int(np.floor(position)), 0), last)
            rise = table[k + 1] - table[k]
            t[i] = table[k] + (position - k) * rise
            slope[i] = rise / spacing


@njit(cache=True)
def heat_leaving(
    indptr: Integers,
    indices: Integers,
    carried: Array,
    exchange: Array,
    radiation: Array,
    values: Array,
    t: Array,
    out: Array,
) -> None:
    """Heat that leaves each node [W]; `radiation` holds σ·ε·A·F [W/K⁴]."""
    for i in range(out.size):
        total = 0.0
        for e in range(indptr[i], indptr[i + 1]):
            k = indices[e]
            total += carried[e] * values[k] + exchange[e] * t[k]
            if radiation[e] != 0.0:
                total += radiation[e] * abs(t[k]) ** 3 * t[k]
        out[i] = total


@njit(cache=True)
def fill_jacobian(
    indptr: Integers,
    indices: Integers,
    diagonal: Integers,
    carried: Array,
    exchange: Array,
    radiation: Array,
    t: Array,
    slope: Array,
    storage: Array,
    jacobian: Array,
) -> None:
    """Derivative of the heat that leaves, and is stored in, each node [W/K]."""
    for i in range(indptr.size - 1):
        for e in range(indptr[i], indptr[i + 1]):
            k = indices[e]
            value = exchange[e] * slope[k]
            if radiation[e] != 0.0:
                # Below 1 K the slope of T⁴ is no help.
                value += 4.0 * radiation[e] * max(abs(t[k]), 1.0) ** 3 * slope[k]
            jacobian[e] = carried[e] + value
    for i in range(storage.size):
        jacobian[diagonal[i]] += storage[i]


@njit(cache=True)
def factorize(
    order: Integers,
    place: Integers,
    indptr: Integers,
    indices: Integers,
    jacobian: Array,
    lu_start: Integers,
    lu_column: Integers,
    lu_diagonal: Integers,
    lu: Array,
    work: Array,
) -> int:
    """LU of the free block in the planned order; return -1, or the node without a way for heat to leave.

    A node that nothing enters or leaves keeps its value.
    """
    n = order.size
    for i in range(n):
        row = order[i]
        for q in range(lu_start[i], lu_start[i + 1]):
            work[lu_column[q]] = 0.0
        for e in range(indptr[row], indptr[row + 1]):
            if indices[e] < n:
                work[place[indices[e]]] = jacobian[e]
        size = abs(work[i])
        for q in range(lu_start[i], lu_diagonal[i]):
            k = lu_column[q]
            if work[k] != 0.0:
                factor = work[k] / lu[lu_diagonal[k]]
                work[k] = factor
                for p in range(lu_diagonal[k] + 1, lu_start[k + 1]):
                    work[lu_column[p]] -= factor * lu[p]
        if size == 0.0 and work[i] == 0.0:
            work[i] = 1.0
        elif not work[i] > 1e-14 * size:
            return row
        for q in range(lu_start[i], lu_start[i + 1]):
            lu[q] = work[lu_column[q]]
    return -1


@njit(cache=True)
def substitute(
    order: Integers,
    lu_start: Integers,
    lu_column: Integers,
    lu_diagonal: Integers,
    lu: Array,
    right: Array,
    work: Array,
) -> None:
    """Overwrite `right` (by node) with the solution of the factorised system."""
    n = order.size
    for i in range(n):
        value = right[order[i]]
        for q in range(lu_start[i], lu_diagonal[i]):
            value -= lu[q] * work[lu_column[q]]
        work[i] = value
    for i in range(n - 1, -1, -1):
        value = work[i]
        for q in range(lu_diagonal[i] + 1, lu_start[i + 1]):
            value -= lu[q] * work[lu_column[q]]
        work[i] = value / lu[lu_diagonal[i]]
        right[order[i]] = work[i]


@njit(cache=True)
def imbalance(
    indptr: Integers,
    indices: Integers,
    carried: Array,
    exchange: Array,
    radiation: Array,
    values: Array,
    t: Array,
    start: Array,
    storage: Array,
    heat_input: Array,
    residual: Array,
) -> tuple[float, int]:
    """Write the heat missing at each free node [W]; return the largest relative to what flows there, and where."""
    worst, where = 0.0, 0
    for i in range(residual.size):
        stored = storage[i] * (values[i] - start[i])
        missing = heat_input[i] - stored
        # Differences of temperatures near each other carry the rounding of the temperatures themselves.
        scale = abs(heat_input[i]) + abs(stored) + 1e-3 * storage[i] * abs(values[i]) + 1e-300
        for e in range(indptr[i], indptr[i + 1]):
            k = indices[e]
            flow = carried[e] * values[k]
            give = exchange[e] * t[k]
            missing -= flow + give
            scale += abs(flow) + abs(give)
            if radiation[e] != 0.0:
                radiated = radiation[e] * abs(t[k]) ** 3 * t[k]
                missing -= radiated
                scale += abs(radiated)
        residual[i] = missing
        ratio = abs(missing) / scale
        if not ratio <= worst:
            worst, where = ratio, i
    return worst, where


@njit(cache=True)
def rows_times(
    indptr: Integers, indices: Integers, data: Array, vector: Array, first: int, out: Array
) -> None:
    """Multiply the rows from `first` on with a vector."""
    for i in range(out.size):
        total = 0.0
        for e in range(indptr[first + i], indptr[first + i + 1]):
            total += data[e] * vector[indices[e]]
        out[i] = total
