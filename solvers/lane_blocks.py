"""Rows of numbers, one per loop, to blocks of `LANES` loops and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numba
import numpy as np
from numpy.typing import NDArray

from solvers.reduced_lanes import LANES

Array = NDArray[np.float64]


@contextmanager
def threads(blocks: int) -> Iterator[None]:
    """Use no more threads than there is work for: waking them costs as much as some blocks."""
    most = numba.get_num_threads()
    numba.set_num_threads(max(1, min(most, blocks // 8)))
    try:
        yield
    finally:
        numba.set_num_threads(most)


def to_blocks(values: Array) -> Array:
    """(N,) or (N, k) → (block, LANES) or (block, k, LANES); the last loop fills the last block."""
    lanes, count = LANES, len(values)
    missing = -count % lanes
    if missing:
        values = np.concatenate([values, np.repeat(values[-1:], missing, axis=0)])
    if values.ndim == 1:
        return np.ascontiguousarray(values.reshape(-1, lanes))
    return np.ascontiguousarray(values.reshape(-1, lanes, values.shape[1]).transpose(0, 2, 1))


def from_blocks(values: Array, count: int) -> Array:
    """(block, k, LANES) → (count, k)."""
    return values.transpose(0, 2, 1).reshape(-1, values.shape[1])[:count]
