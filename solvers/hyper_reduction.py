"""Hyper-reduction by energy-conserving sampling and weighting (ECSW).

An integral over a mesh, Σᵢ areaᵢ·fᵢ, is replaced by a weighted sum over few of its nodes, with weights of 0 or more
that reproduce the integrals of a training set. With such weights a monotone nonlinearity stays monotone after the
reduction: radiation still only takes heat from what is warmer than its surroundings.

References
----------
C. Farhat, P. Avery, T. Chapman, J. Cortial, Int. J. Numer. Meth. Eng. 98 (2014) 625, doi 10.1002/nme.4668.
C. Lawson, R. Hanson, Solving Least Squares Problems (1974), ch. 23.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from solvers.errors import ConvergenceError, ModelError

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Samples:
    """Few nodes that stand for all.

    Attributes
    ----------
    nodes : (s,) int array
    weights : (s,) array
        Above 0; they multiply the area of a node.
    error : float
        Norm of what the training integrals are missed by, relative to their norm.
    """

    nodes: Integers
    weights: Array
    error: float


MOST_SAMPLES = 400


def nonnegative_weights(matrix: Array, target: Array, tolerance: float, most: int = MOST_SAMPLES) -> Samples:
    """Find few weights of 0 or more with ``matrix·weights ≈ target`` (Lawson & Hanson's NNLS, stopped early).

    Parameters
    ----------
    matrix : (row, n) array
    target : (row,) array
    tolerance : float
        Relative residual at which to stop.
    most : int
        Weights allowed.

    Raises
    ------
    ConvergenceError
        If the tolerance is not reached.
    """
    return _weights_of_products(matrix.T @ matrix, matrix.T @ target, float(target @ target), tolerance, most)


def _weights_of_products(square: Array, aim: Array, norm: float, tolerance: float, most: int) -> Samples:
    """Find weights from MᵀM, Mᵀt and tᵀt: their rounding, 1e-8 of the norm, is below any tolerance of use."""
    if not norm > 0.0:
        raise ModelError("hyper-reduction: the training integrals are all zero")
    scale = np.sqrt(np.diag(square))
    usable = scale > 1e-14 * scale.max()
    unit = np.where(usable, scale, 1.0)
    square, aim = square / np.multiply.outer(unit, unit), aim / unit
    passive, weights = np.zeros(len(aim), dtype=bool), np.zeros(len(aim))
    error = 1.0
    while error > tolerance and passive.sum() < most:
        at = np.flatnonzero(passive)
        gain = np.where(usable & ~passive, aim - weights[at] @ square[at], -np.inf)
        best = int(np.argmax(gain))
        if gain[best] <= 1e-13 * norm:
            break
        passive[best] = True
        weights = _solve_passive(square, aim, passive, weights)
        if not weights[best] > 0.0:
            break  # only rounding is left to gain
        at = np.flatnonzero(passive)
        left = norm - 2.0 * weights[at] @ aim[at] + weights[at] @ square[np.ix_(at, at)] @ weights[at]
        error = float(np.sqrt(max(float(left), 0.0) / norm))
    if error > 100.0 * tolerance:
        raise ConvergenceError(
            f"hyper-reduction: {int(passive.sum())} samples miss the training integrals by {error:.2g} "
            f"(tolerance {tolerance:g}); loosen the tolerance or use fewer modes"
        )
    nodes = np.flatnonzero(weights > 0.0)
    return Samples(nodes, weights[nodes] / scale[nodes], error)


def _solve_passive(square: Array, aim: Array, passive: NDArray[np.bool_], weights: Array) -> Array:
    """Least squares on the passive set; whose weight would be negative leaves it (`passive` is changed)."""
    while True:
        at = np.flatnonzero(passive)
        if not at.size:
            return np.zeros_like(weights)
        trial = _solve_normal(square[np.ix_(at, at)], aim[at])
        moved = np.zeros_like(weights)
        if np.all(trial > 0.0):
            moved[at] = trial
            return moved
        # Walk towards the solution until the first weight reaches zero, and drop it.
        old, bad = weights[at], trial <= 0.0
        reach = old[bad] / np.maximum(old[bad] - trial[bad], 1e-300)
        moved[at] = np.maximum(old + reach.min() * (trial - old), 0.0)
        moved[at[np.flatnonzero(bad)[np.argmin(reach)]]] = 0.0
        weights = moved
        passive &= weights > 0.0


def _solve_normal(square: Array, aim: Array) -> Array:
    try:
        return np.asarray(cho_solve(cho_factor(square), aim))
    except np.linalg.LinAlgError:  # columns that depend on each other
        return np.linalg.lstsq(square, aim, rcond=1e-15)[0]


def sample_radiation(basis: Array, area: Array, temperatures: Array, tolerance: float) -> Samples:
    """Choose the nodes at which the reduced radiation is evaluated.

    T⁴ = 4L³T − 3L⁴ + ψ at a level L of the field. The linear part is integrated exactly; the samples reproduce the
    integrals of the rest, ψ ≥ 0, against every mode.

    Parameters
    ----------
    basis : (n, r) array
        Modes at the nodes of the panel.
    area : (n,) array
        Of one face per node [m²].
    temperatures : (n, snapshot) array
        Training fields [K].
    tolerance : float
        Relative error of the integrals of ψ over the training fields.
    """
    scaled = temperatures / temperatures.mean()
    level = ((area @ scaled**4) / area.sum()) ** 0.25
    rest = scaled**4 - 4.0 * level**3 * scaled + 3.0 * level**4
    modes = basis / np.sqrt((area @ basis**2) / area.sum())
    # Few fields span the rests of all snapshots.
    root = np.sqrt(area / area.sum())[:, None]
    left, size, _ = np.linalg.svd(root * rest, full_matrices=False)
    keep = size > max(0.1 * tolerance, 1e-7) * size[0]
    fields = left[:, keep] / root * (size[keep] / size[0])
    targets = (area[:, None] * fields).T @ modes
    # On fine meshes every few nodes are choice enough.
    choice = np.arange(0, len(area), max(1, len(area) // 2000))
    each, own, part = fields[choice], modes[choice], area[choice]
    # A row of the system for every field on every mode would fill the memory; its products are products of two small
    # ones. Areas too, if not as closely: so the samples are spread over the panel.
    square = np.multiply.outer(part, part) * ((each @ each.T) * (own @ own.T) + 1e-4)
    aim = part * (np.sum((each @ targets) * own, axis=1) + 1e-4 * area.sum())
    norm = float(np.sum(targets**2) + 1e-4 * area.sum() ** 2)
    found = _weights_of_products(square, aim, norm, tolerance, MOST_SAMPLES)
    return Samples(choice[found.nodes], found.weights, found.error)
