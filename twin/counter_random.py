"""Random numbers from counters: number i of a stream is a hash of (seed, stream, i).

The numbers do not depend on the order or the number of threads that ask for them, and a part of a stream can
be drawn without the rest.
"""

from __future__ import annotations

import math
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

_GOLDEN = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: consecutive multiples are spread evenly


@nb.njit(inline="always")
def _mix(x: Any) -> Any:
    """Finaliser of splitmix64 (Steele, Lea and Flood, OOPSLA 2014), a bijective hash of 64 bits."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@nb.njit(parallel=True, cache=True)
def counter_normals(seed: int, stream: int, count: int) -> F64:
    """Draw the first numbers of a stream of standard normals.

    Box-Muller transform of two hashed counters per number.

    Parameters
    ----------
    seed, stream : int
        Which stream; not negative.
    count : int
        How many.

    Returns
    -------
    ndarray, shape (count,)
        Standard normals.
    """
    out = np.empty(count, np.float64)
    golden = np.uint64(_GOLDEN)
    base = _mix(np.uint64(seed) * golden + _mix(np.uint64(stream) + golden))
    for i in nb.prange(count):
        first = _mix(base + np.uint64(2 * i + 1) * golden)
        second = _mix(base + np.uint64(2 * i + 2) * golden)
        u = (np.float64(first >> np.uint64(11)) + 0.5) * 2.0**-53
        v = np.float64(second >> np.uint64(11)) * 2.0**-53
        out[i] = math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * v)
    return out
