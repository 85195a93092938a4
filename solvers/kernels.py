"""Fused loops over nodes: one pass over memory instead of one per operation."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
_FAST = {"contract", "reassoc", "nsz"}


@njit(cache=True, fastmath=_FAST)
def node_balance(
    temperature: Array,
    start: Array,
    capacity: Array,
    rate: float,
    radiating: Array,
    film: Array,
    load: Array,
    conducted: Array,
    residual: Array,
    diagonal: Array,
) -> tuple[float, float, float, float, float, float]:
    """Heat balance of every node in one pass.

    Parameters
    ----------
    temperature, start : (n,) arrays
        Now and at the start of the stage [K].
    capacity : (n,) array
        Heat capacity [J/K].
    rate : float
        One over the length of the stage [1/s]; 0 for a steady state.
    radiating : (n,) array
        σ·ε·A [W/K⁴].
    film : (n,) array
        Convective conductance [W/K]; empty where nothing convects.
    load, conducted : (n,) arrays
        Heat put in and heat conducted away [W].
    residual, diagonal : (n,) arrays
        Overwritten with the heat missing from the balance [W] and the node's own slope [W/K].

    Returns
    -------
    tuple of float
        Sums of squares of residual, storage term, emission and load, for the convergence test [W²]; of capacity over
        step times temperature [W²] and of the temperature [K²], which bound the rounding.
    """
    missing = stored2 = emitted2 = loaded2 = level2 = temperature2 = 0.0
    for i in range(temperature.size):
        t = temperature[i]
        cube = radiating[i] * (t * t * abs(t))
        conductance = rate * capacity[i]
        stored = conductance * (t - start[i])
        emitted = cube * t
        r = load[i] - stored - conducted[i] - emitted
        slope = conductance + 4.0 * cube
        residual[i] = r
        diagonal[i] = slope
        missing += r * r
        stored2 += stored * stored
        emitted2 += emitted * emitted
        loaded2 += load[i] * load[i]
        level2 += conductance * conductance * t * t
        temperature2 += t * t
    if film.size > 0:
        missing = 0.0
        for i in range(temperature.size):
            residual[i] -= film[i] * temperature[i]
            diagonal[i] += film[i]
            missing += residual[i] * residual[i]
    return missing, stored2, emitted2, loaded2, level2, temperature2


@njit(cache=True, fastmath=_FAST)
def add_product(factor: float, first: Array, second: Array, out: Array) -> None:
    """Add factor·first·second to `out`."""
    for i in range(out.size):
        out[i] += factor * first[i] * second[i]


@njit(cache=True, fastmath=_FAST)
def combine_rates(start: Array, step: float, weights: Array, rates: tuple[Array, ...], out: Array) -> None:
    """Overwrite `out` with start + step·Σ weights·rates, for four rates."""
    first, second, third, fourth = rates
    a, b, c, d = step * weights[0], step * weights[1], step * weights[2], step * weights[3]
    for i in range(out.size):
        out[i] = start[i] + a * first[i] + b * second[i] + c * third[i] + d * fourth[i]


@njit(cache=True, fastmath=_FAST)
def difference_rate(end: Array, start: Array, step: float, out: Array) -> None:
    """Overwrite `out` with (end − start)/step."""
    factor = 1.0 / step
    for i in range(out.size):
        out[i] = factor * (end[i] - start[i])


@njit(cache=True, fastmath=_FAST)
def blend(first: Array, second: Array, share: float, out: Array) -> None:
    """Overwrite `out` with first + share·(second − first)."""
    for i in range(out.size):
        out[i] = first[i] + share * (second[i] - first[i])


@njit(cache=True)
def largest(values: Array) -> float:
    """Return the largest absolute value; not finite where any value is not."""
    found = 0.0
    for i in range(values.size):
        size = abs(values[i])
        if not size <= found:
            found = size
            if not np.isfinite(size):
                break
    return found
