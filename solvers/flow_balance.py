"""Newton's method for flows and pressures of a network of resistances.

With the flows eliminated from each linear step this is the global gradient algorithm (Todini & Pilati 1988; Todini &
Rossman, J. Hydraul. Eng. 139 (2013) 511, doi 10.1061/(ASCE)HY.1943-7900.0000703), with a line search on the energy
∫Δp dṁ of the network, which is convex and whose minimum its flows are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from solvers.errors import ConvergenceError

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Drops = Callable[[Array], tuple[Array, Array]]
"""From flows to pressure drops along them and their derivatives [kg/s → Pa, Pa s/kg]."""

_LEAST_SLOPE = 1e-6
"""Slope given to a branch without any resistance, against the pressure scale over the flow scale [1]."""


class UnbalancedBranch(ConvergenceError):
    """The flows did not converge; `branch` is the position of the worst and `off` its imbalance [Pa]."""

    def __init__(self, branch: int, off: float):
        super().__init__(f"flow balance: branch {branch} keeps {off:.3g} Pa out of balance")
        self.branch, self.off = branch, off


@dataclass(frozen=True, eq=False)
class FlowBalance:
    """Topology of a network of resistances.

    Attributes
    ----------
    ends : (branch, 2) array
        Nodes at the upstream and downstream end of positive flow.
    passes : (branch,) array of bool
        False for a shut branch.
    live : (node,) array of bool
        Nodes that open branches connect with the reference.
    drawn : (node,) array
        Mass flow taken out [kg/s]; the reference supplies the rest.
    reference : int
        Node of pressure 0.
    """

    ends: Integers
    passes: NDArray[np.bool_]
    live: NDArray[np.bool_]
    drawn: Array
    reference: int

    def solve(
        self, drops: Drops, start: Array | None = None, tolerance: float = 1e-10, iterations: int = 200
    ) -> tuple[Array, Array, int]:
        """Return the flows [kg/s], the pressures [Pa] and the Newton steps taken.

        Parameters
        ----------
        drops : callable
            Rising with the flow in every branch.
        start : (branch,) array, optional
            Flows to start from; left aside if they do not balance at the nodes.
        tolerance : float
            Largest imbalance of pressure relative to the largest drop.
        iterations : int
            Newton steps allowed.

        Raises
        ------
        UnbalancedBranch
        """
        flow = (
            self._first(drops)
            if start is None or not self._balanced(start)
            else np.where(self.passes, start, 0.0)
        )
        off = np.zeros(len(flow))
        for number in range(iterations):
            drop, slope = drops(flow)
            drop = np.where(self.passes, drop, 0.0)
            scale = float(np.max(np.abs(drop), initial=0.0)) + 1e-9
            least = _LEAST_SLOPE * scale / (float(np.max(np.abs(flow), initial=0.0)) + 1e-9)
            pressure, change = self._newton_step(flow, drop, np.maximum(slope, least))
            lift = pressure[self.ends[:, 0]] - pressure[self.ends[:, 1]]
            flow, whole = self._line_search(drops, flow, change, drop, lift)
            off = np.where(self.passes, lift - drops(flow)[0], 0.0)
            if whole and np.max(np.abs(off), initial=0.0) <= tolerance * scale:
                return flow, pressure, number + 1
        worst = int(np.argmax(np.abs(off)))
        raise UnbalancedBranch(worst, float(np.abs(off[worst])))

    def _balanced(self, flow: Array) -> bool:
        a, b = self.ends.T
        count = len(self.live)
        net = np.bincount(b, flow, count) - np.bincount(a, flow, count) - self.drawn
        net[self.reference] = 0.0
        shut = np.abs(flow[~self.passes])
        size = float(np.max(np.abs(flow), initial=0.0))
        return bool(max(np.max(np.abs(net)), np.max(shut, initial=0.0)) <= 1e-9 * size)

    def _first(self, drops: Drops) -> Array:
        """Flows of the network made linear by its slopes at a small flow."""
        still = np.zeros(len(self.ends))
        drop, _ = drops(still)
        _, slope = drops(np.full(len(self.ends), 1e-3))
        _, change = self._newton_step(still, drop, np.maximum(slope, 1e-6))
        return change

    def _newton_step(self, flow: Array, drop: Array, slope: Array) -> tuple[Array, Array]:
        """Return the pressures and the change of the flows that meet every equation, linearised."""
        a, b = self.ends.T
        count = len(self.live)
        conductance = np.where(self.passes, 1.0 / np.where(self.passes, slope, 1.0), 0.0)
        # Σ out − Σ in + drawn = 0 with flow + change, change = (p_a − p_b − drop)/slope
        constant = flow - conductance * drop
        right = np.bincount(b, constant, count) - np.bincount(a, constant, count) - self.drawn
        rows, columns = np.concatenate([a, b, a, b]), np.concatenate([a, b, b, a])
        data = np.concatenate([conductance, conductance, -conductance, -conductance])
        keep = np.flatnonzero(self.live & (np.arange(count) != self.reference))
        pressure = np.zeros(count)
        if keep.size:
            laplacian = sparse.csr_array((data, (rows, columns)), shape=(count, count))
            pressure[keep] = splu(sparse.csc_matrix(laplacian[keep][:, keep])).solve(right[keep])
        return pressure, conductance * (pressure[a] - pressure[b] - drop)

    @staticmethod
    def _line_search(
        drops: Drops, flow: Array, change: Array, drop: Array, lift: Array
    ) -> tuple[Array, bool]:
        """Return flows that lower the energy along the change, and whether the full step was taken.

        The energy is convex; its slope along a step that keeps the nodes balanced is (Δp − lift)·change for any nodal
        pressures, and with the new ones it is least sensitive to rounding.
        """
        noise = 1e-13 * float((np.abs(drop) + np.abs(lift)) @ np.abs(change))
        length, allowed = 1.0, 0.5 * abs(float((drop - lift) @ change)) + noise
        for _ in range(30):
            trial = flow + length * change
            if float((drops(trial)[0] - lift) @ change) <= allowed:
                break
            length *= 0.5
        return trial, length == 1.0
