r"""Power of a whole cluster from the processor use of its tasks.

A node's power rises steeply with its first busy core, flattens, and rises again when the second socket wakes,
so that the power of a cluster is not a function of its total use. The model is additive over the running
tasks,

.. math:: P(t) = P_0 + \sum_{k\ \text{running}} g(u_k(t)),

with an unknown curve :math:`g` of a task's use, linear between nodes at the core counts of a 16-core node.
The sums of the hat functions of all running tasks per interval are the features; the node values follow from
ridge regression on standardised features with relative absolute errors as the loss (iteratively reweighted
least squares [1]_), which is the mean absolute percentage error and is robust against faults of the meters.
Features are smoothed by one exponential lag for the averaging of the meters. Time itself is no feature:
nothing in the model can learn "which day it is".

References
----------
.. [1] P. W. Holland and R. E. Welsch, "Robust regression using iteratively reweighted least-squares",
   Communications in Statistics A6, 1977.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import lfilter

from twin.traces.surf import SurfTrace

Floats = NDArray[np.float64]

# Idle and nearly idle tasks apart, then whole cores of a 16-core node.
NODES: tuple[float, ...] = (0.0, 0.01, 0.03, *(core / 16 for core in range(1, 17)))


def interval_sums(start: Floats, duration: Floats, weight: Floats, step: float, intervals: int) -> Floats:
    """Time average over regular intervals of the sum of pieces.

    Parameters
    ----------
    start, duration : ndarray, shape (piece,)
        Start and length of each piece [s].
    weight : ndarray, shape (piece,)
        Value of each piece while it lasts.
    step : float
        Length of an interval [s].
    intervals : int
        Number of intervals, the first starts at 0.

    Returns
    -------
    ndarray, shape (interval,)
        Mean over each interval of the sum of the values of the pieces that are on.
    """
    # The integral of the sum is piecewise linear in time: slopes change at starts and ends. Adding each
    # edge's change as a value and a slope contribution to its interval, and cumulating, is exact for pieces
    # of any length.
    rate = np.zeros(intervals + 2)
    value = np.zeros(intervals + 2)
    for edge, sign in ((start, 1.0), (start + duration, -1.0)):
        at = np.clip(edge / step, 0.0, intervals)
        slot = np.minimum(at.astype(np.int64), intervals)
        signed = sign * weight
        value += np.bincount(slot, signed * (1.0 - (at - slot)), minlength=intervals + 2)
        rate += np.bincount(slot + 1, signed, minlength=intervals + 2)
    return (value + np.cumsum(rate))[:intervals]


def task_features(trace: SurfTrace, nodes: ArrayLike = NODES) -> Floats:
    """Sum hat functions of the use of all running tasks.

    Parameters
    ----------
    trace : SurfTrace
        The trace.
    nodes : array_like, shape (node,)
        Nodes of the hat functions, increasing from 0 to 1 [1].

    Returns
    -------
    ndarray, shape (interval, node)
        Mean over each measured interval. Recording stops in the middle of the last interval, which therefore
        takes the features of the one before it.
    """
    knots = np.asarray(nodes, dtype=float)
    intervals = round(trace.length / trace.step)
    cell = np.clip(np.searchsorted(knots, trace.utilisation, side="right") - 1, 0, knots.size - 2)
    upper = np.clip((trace.utilisation - knots[cell]) / (knots[cell + 1] - knots[cell]), 0.0, 1.0)
    out = np.empty((intervals, knots.size))
    for k in range(knots.size):
        weight = np.where(cell == k, 1.0 - upper, 0.0) + np.where(cell == k - 1, upper, 0.0)
        on = weight > 0.0
        out[:, k] = interval_sums(trace.start[on], trace.duration[on], weight[on], trace.step, intervals)
    if intervals > 1:
        out[-1] = out[-2]
    return out


def lagged(features: Floats, step: float, time_constant: float) -> Floats:
    """First-order lag of each column, started in equilibrium.

    Parameters
    ----------
    features : ndarray, shape (interval, column)
        Values.
    step, time_constant : float
        Interval and time constant of the lag [s]; no lag for 0.

    Returns
    -------
    ndarray, shape (interval, column)
        ``y_n = a y_(n-1) + (1 - a) x_n`` with ``a = exp(-step / time_constant)``.
    """
    if time_constant <= 0.0 or features.shape[0] == 0:
        return features
    a = np.exp(-step / time_constant)
    return np.asarray(lfilter([1.0 - a], [1.0, -a], features, axis=0, zi=a * features[:1])[0])


@dataclass(frozen=True)
class ClusterPowerModel:
    """Fitted power curve of tasks on a cluster.

    Attributes
    ----------
    nodes : ndarray, shape (node,)
        Use at which `task_power` is given [1].
    base_power : float
        Power without tasks, ``P_0`` [W].
    task_power : ndarray, shape (node,)
        Curve ``g`` at the nodes [W].
    time_constant : float
        Lag of the meters [s].
    """

    nodes: Floats
    base_power: float
    task_power: Floats
    time_constant: float

    def predict(self, features: Floats, step: float) -> Floats:
        """Power of the cluster [W], shape (interval,), from features of shape (interval, node)."""
        return np.asarray(self.base_power + lagged(features, step, self.time_constant) @ self.task_power)


def fit_cluster_power(
    features: Floats,
    power: Floats,
    fitted: NDArray[np.bool_],
    step: float,
    nodes: ArrayLike = NODES,
    ridge: float = 1e-3,
    time_constant: float = 45.0,
    floor: float = 0.004,
) -> ClusterPowerModel:
    """Fit the model.

    Parameters
    ----------
    features : ndarray, shape (interval, node)
        From :func:`task_features`, for all intervals (the lag needs what came before).
    power : ndarray, shape (interval,)
        Measured power; entries outside `fitted` are not looked at [W].
    fitted : ndarray of bool, shape (interval,)
        Intervals to fit.
    step : float
        Length of an interval [s].
    nodes : array_like, shape (node,)
        Nodes of the features [1].
    ridge : float
        Penalty on the coefficients of standardised features [1].
    time_constant : float
        Lag of the meters [s].
    floor : float
        Relative error below which the loss is quadratic [1].

    Returns
    -------
    ClusterPowerModel
        The fit.

    Raises
    ------
    ValueError
        If there are fewer intervals than unknowns.
    """
    x, y = lagged(features, step, time_constant)[fitted], power[fitted]
    if y.size <= x.shape[1] + 1:
        raise ValueError(
            f"cluster power: {y.size} measured intervals for {x.shape[1] + 1} unknowns; fit more days"
        )
    mean, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(
        spread > 1e-9, spread, np.inf
    )  # a use that never varies has no effect that could be seen
    design = np.column_stack([np.ones(y.size), (x - mean) / spread])
    penalty = ridge * np.diag([0.0, *np.ones(x.shape[1])])
    weight = 1.0 / y**2
    for _ in range(20):
        weighted = design * weight[:, None]
        normal = design.T @ weighted / y.size + penalty * np.mean(1.0 / y**2)
        coefficients = np.linalg.solve(normal, weighted.T @ y / y.size)
        relative = np.abs(design @ coefficients - y) / y
        weight = floor / np.maximum(relative, floor) / y**2
    slopes = coefficients[1:] / spread
    return ClusterPowerModel(
        np.asarray(nodes, dtype=float), float(coefficients[0] - mean @ slopes), slopes, time_constant
    )


def mape(predicted: ArrayLike, measured: ArrayLike) -> float:
    """Mean absolute percentage error [%]."""
    p, m = np.asarray(predicted, dtype=float), np.asarray(measured, dtype=float)
    return float(100.0 * np.mean(np.abs(p - m) / m))


def held_back_errors(
    features: Floats, power: Floats, measured: NDArray[np.bool_], step: float, block: float, folds: int = 10
) -> Floats:
    """Predict every measured interval by a model that has not seen it.

    Blocks of consecutive intervals are dealt out to `folds` groups (by a fixed shuffle); each group is
    predicted by a fit to the others.

    Parameters
    ----------
    features, power, measured, step
        As in :func:`fit_cluster_power`.
    block : float
        Length of a block [s].
    folds : int
        Number of groups; at most the number of blocks.

    Returns
    -------
    ndarray, shape (measured interval,)
        Absolute relative errors [1].
    """
    which = (np.arange(power.size) * step // block).astype(np.int64)
    blocks = np.unique(which[measured])
    group = np.random.default_rng(1).permutation(blocks.size) % min(folds, blocks.size)
    group_of = np.full(which.max() + 1, -1)
    group_of[blocks] = group
    out = np.full(power.size, np.nan)
    for g in np.unique(group):
        held = measured & (group_of[which] == g)
        model = fit_cluster_power(features, power, measured & ~held, step)
        out[held] = np.abs(model.predict(features, step)[held] - power[held]) / power[held]
    return out[measured]
