"""One implicit stage on the nodes: heat balance, Newton's method and what it says when it fails."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from solvers.conduction import Conduction
from solvers.coupling import MeshCoupling
from solvers.errors import ConvergenceError
from solvers.kernels import node_balance
from solvers.linear import global_sums
from solvers.loads import NodeLoads
from solvers.storage import Storage

Array = NDArray[np.float64]

ROUNDING = 4.0 * float(np.finfo(float).eps)
"""Relative rounding of a node's sum: differences of like temperatures carry that of the temperatures themselves."""

LINEAR_SHARE = 0.6
"""Part of the tolerance that a linear solve may use up."""


class StageSystem:
    """``(H(T) − H(start))/step = loads − conduction − emission + couplings`` at the owned nodes.

    Parameters
    ----------
    storage : Storage
    loads : NodeLoads
    conduction : Conduction
    couplings : list of MeshCoupling
    tolerance : float
        Norm of the unbalanced heat relative to the norm of the heat that flows.
    """

    def __init__(
        self,
        storage: Storage,
        loads: NodeLoads,
        conduction: Conduction,
        couplings: list[MeshCoupling],
        tolerance: float,
    ):
        self.storage, self.loads, self.conduction, self.couplings = storage, loads, conduction, couplings
        self.tolerance = tolerance
        self.comm = conduction.discretization.comm
        self.residual: Array = np.zeros(loads.owned)
        self.diagonal: Array = np.zeros(loads.owned)
        self.rounding = 0.0
        """Imbalance that rounding alone explains, after :meth:`balance` [W]."""
        # Heat left by Newton's method per square of what it started from: how far it pays to solve its linear system.
        self._curvature = 0.0

    def forget_history(self) -> None:
        """Drop what was learnt from earlier solves."""
        self._curvature = 0.0

    def balance(self, temperature: Array, start: Array, step: float) -> tuple[float, float]:
        """Set `residual` [W] and `diagonal` [W/K] at a temperature; return the norms of what is missing and what flows.

        The loads must have been gathered and the couplings have been given the step.
        """
        loads, storage = self.loads, self.storage
        conducted = self.conduction.heat_out(temperature)
        rate = 0.0 if np.isinf(step) else 1.0 / step
        residual, diagonal = self.residual, self.diagonal
        missing, stored, emitted, loaded, level, squares = node_balance(
            temperature, start, storage.constant, rate, loads.radiating, loads.film, loads.load, conducted,
            residual, diagonal,
        )  # fmt: skip
        flows = [stored, emitted, loaded]
        if storage.curves and rate > 0.0:
            gained, slope = storage.varying(temperature, start)
            level += float(np.sum((rate * slope * temperature) ** 2))
            residual -= rate * gained
            diagonal += rate * slope
            flows.append(float(gained @ gained) * rate**2)
        for coupling in self.couplings:
            heat = coupling.heat(temperature)
            residual += heat
            diagonal += coupling.diagonal
            flows.append(float(heat @ heat))
        fixed = self.conduction.fixed_dofs
        if self.conduction.fixed:
            flows.append(float(conducted @ conducted))
            residual[fixed] = 0.0
            diagonal[fixed] = 0.0
        if self.conduction.fixed or self.couplings or storage.curves:
            missing = float(residual @ residual)
        missing, level, squares, *flows = global_sums(self.comm, missing, level, squares, *flows)
        self.rounding = ROUNDING * float(np.sqrt(level) + self.conduction.largest * np.sqrt(squares))
        return float(np.sqrt(missing)), float(np.sqrt(np.sum(flows)))

    def solve(self, start: Array, step: float, time: float, guess: Array) -> Array:
        """Solve a stage by Newton's method.

        Parameters
        ----------
        start, guess : (owned,) arrays
            Temperatures at the start of the stage and the first guess [K].
        step, time : float
            Length and end of the stage [s].

        Raises
        ------
        ConvergenceError
            With the time and the node that is farthest from balance.
        """
        self.loads.gather(time)
        temperature = guess.copy()
        self.conduction.impose(temperature, time)
        missing, flow = self.balance(temperature, start, step)
        for _ in range(30):
            target = max(self.tolerance * flow, self.rounding)
            if missing <= target:
                return temperature
            if not np.isfinite(missing):
                break
            solver = self.conduction.stage(self.couplings)
            solver.set_diagonal(self.diagonal)
            allowed = LINEAR_SHARE * max(target, min(self._curvature * missing**2, 0.1 * missing))
            temperature += solver.solve(self.residual, missing, allowed)
            previous = missing
            missing, flow = self.balance(temperature, start, step)
            if missing > 1e3 * previous:
                break
            # What is left beyond the linear solve's own error comes from the curvature of T⁴.
            seen = max(missing - max(3.0 * allowed, 1e-5 * previous), 0.0) / previous**2
            self._curvature = max(seen, 0.5 * self._curvature)
        raise ConvergenceError(self.where(f"step to t = {time:g} s", missing, flow), time)

    def where(self, moment: str, missing: float, flow: float) -> str:
        """Return what is out of balance at which node."""
        residual = self.residual
        worst = int(np.argmax(np.abs(residual))) if residual.size else 0
        size = float(np.abs(residual[worst])) if residual.size else 0.0
        node = int(self.conduction.discretization.node_of_dof[worst]) if residual.size else -1
        _, rank = self.comm.allreduce((size, self.comm.rank), op=MPI.MAXLOC)
        node, size = self.comm.bcast((node, size), root=rank)
        return (
            f"{moment}: heat balance stays {missing:.3g} W off against {flow:.3g} W that flow "
            f"(tolerance {self.tolerance:g}); the worst node is {node} with {size:.3g} W"
        )
