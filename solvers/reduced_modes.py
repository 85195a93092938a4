"""Modes of a reduced model from snapshots of the full one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CHOSEN = 1600
"""Snapshots that a correlation is made of, at most."""

WITHIN = 0.99
"""Share of the snapshots that the modes hold within the tolerance."""


@dataclass(frozen=True, eq=False)
class Snapshots:
    """What a training set saw.

    Attributes
    ----------
    temperatures : (all, s) array
        Of panel and coolant [K].
    flow : (s,) array
        Through the panel at the time [kg/s].
    """

    temperatures: Array
    flow: Array


@dataclass(frozen=True, eq=False)
class Modes:
    """Modes of a set of snapshots.

    Attributes
    ----------
    basis : (all, r) array
        Orthonormal in the heat capacity; the first is constant.
    error : float
        Error at the worst node that 99 of 100 snapshots stay below [K].
    """

    basis: Array
    error: float


def modes_of(snapshots: Array, weights: Array, capacity: Array, tolerance: float, most: int) -> Modes:
    """Return the fewest modes that hold every node of nearly all snapshots.

    Proper orthogonal decomposition of what is not constant, by the method of snapshots (Sirovich, Q. Appl. Math. 45
    (1987) 561).

    Parameters
    ----------
    snapshots : (all, s) array
        [K].
    weights : (all,) array
        Of the mean square.
    capacity : (all,) array
        [J/K].
    tolerance : float
        Of the error at the worst node, for 99 of 100 snapshots [K].
    most : int
        Modes allowed.
    """
    root = np.sqrt(weights)[:, None]
    one = root / np.linalg.norm(root)
    every = max(1, -(-snapshots.shape[1] // CHOSEN))
    rest = root * snapshots[:, ::every]
    rest -= one @ (one.T @ rest)
    right = np.linalg.eigh(rest.T @ rest)[1][:, ::-1][:, : most - 1]
    left = np.linalg.qr(rest @ right)[0]
    amplitude = left.T @ rest

    def error(count: int) -> float:
        off = np.abs((rest - left[:, :count] @ amplitude[:count]) / root).max(axis=0)
        return float(np.quantile(off, WITHIN))

    low, high = 0, left.shape[1]
    while low < high:
        middle = (low + high) // 2
        if error(middle) <= tolerance:
            high = middle
        else:
            low = middle + 1
    modes = np.concatenate([one, left[:, :high]], axis=1) / root
    gram = modes.T @ (capacity[:, None] * modes)
    lower = np.linalg.cholesky(0.5 * (gram + gram.T))
    return Modes(np.linalg.solve(lower, modes.T).T, error(high))
