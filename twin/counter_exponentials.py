"""Exponential random numbers from counters: every card, site or terminal has a sequence of its own.

Number k of member i is a hash of (seed, stream, i, k), whoever asks for it and in whatever order.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np
from numpy.typing import NDArray

from twin.counter_random import _mix as mix_bits

__all__ = ["exponential_thresholds"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_GOLDEN = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: consecutive multiples are spread evenly


@nb.njit(parallel=True, cache=True)
def exponential_thresholds(seed: int, stream: int, members: Ints, turn: Ints) -> Floats:
    """Draw one unit exponential number per member.

    Parameters
    ----------
    seed, stream : int
        Which stream; not negative.
    members, turn : ndarray of int, shape (n,)
        Member, and how many numbers it drew before.

    Returns
    -------
    ndarray, shape (n,)
        Standard exponentials.
    """
    out = np.empty(members.size, np.float64)
    golden = np.uint64(_GOLDEN)
    base = mix_bits(np.uint64(seed) * golden + mix_bits(np.uint64(stream) + golden))
    for i in nb.prange(members.size):
        own = mix_bits(base + np.uint64(members[i] + 1) * golden)
        bits = mix_bits(own + np.uint64(turn[i] + 1) * golden)
        out[i] = -math.log((np.float64(bits >> np.uint64(11)) + 0.5) * 2.0**-53)
    return out
