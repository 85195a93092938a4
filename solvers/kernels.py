"""Fused loops over nodes: one pass over memory instead of one per operation."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"})
def node_balance(
    temperature: Array,
    start: Array,
    storage: Array,
    radiating: Array,
    film: Array,
    load: Array,
    conducted: Array,
    residual: Array,
    diagonal: Array,
) -> tuple[float, float, float, float]:
    """Heat balance of every node in one pass.

    Parameters
    ----------
    temperature, start : (n,) arrays
        Now and at the start of the stage [K].
    storage : (n,) array
        Capacity over step length [W/K].
    radiating : (n,) array
        σ·ε·A [W/K⁴].
    film : (n,) array
        Convective conductance [W/K].
    load, conducted : (n,) arrays
        Heat put in and heat conducted away [W].
    residual, diagonal : (n,) arrays
        Overwritten with the heat missing from the balance [W] and the node's own slope [W/K].

    Returns
    -------
    tuple of float
        Sums of squares of residual, storage term, emission and load, for the convergence test [W²].
    """
    missing = stored2 = emitted2 = loaded2 = 0.0
    for i in range(temperature.size):
        t = temperature[i]
        cube = radiating[i] * abs(t) ** 3
        stored = storage[i] * (t - start[i])
        emitted = cube * t
        r = load[i] - stored - conducted[i] - emitted - film[i] * t
        residual[i] = r
        diagonal[i] = storage[i] + 4.0 * cube + film[i]
        missing += r * r
        stored2 += stored * stored
        emitted2 += emitted * emitted
        loaded2 += load[i] * load[i]
    return missing, stored2, emitted2, loaded2
