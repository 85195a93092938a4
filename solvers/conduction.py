"""The conduction operator of a model: its matrix, joints, fixed nodes and linear solvers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from petsc4py import PETSc

from solvers.boundary_conditions import FixedTemperature, evaluate
from solvers.coupling import MeshCoupling
from solvers.discretization import Discretization
from solvers.linear import LinearSolver, Preconditioner, StageSolver, stage_solver

Array = NDArray[np.float64]


class Conduction:
    """Conduction between the nodes, with prescribed temperatures and joints.

    Parameters
    ----------
    discretization : Discretization
    preconditioner : {"auto", "jacobi", "lu", "multigrid", "boomeramg"}
    """

    def __init__(self, discretization: Discretization, preconditioner: Preconditioner):
        self.discretization = discretization
        self.preconditioner: Preconditioner = preconditioner
        self.nonlinear = discretization.factor is not None
        self.matrix = discretization.conduction_matrix()
        self.fixed: list[FixedTemperature] = []
        self.fixed_dofs: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        diagonal = self.matrix.getDiagonal()
        self.largest = float(diagonal.max()[1])
        """Largest conductance of a node to its neighbours [W/K]."""
        diagonal.destroy()
        self._joints: list[PETSc.Mat] = []
        self._x, self._y = self.matrix.createVecRight(), self.matrix.createVecLeft()
        self._stage: StageSolver | None = None
        self._steady: LinearSolver | None = None

    def fix(self, condition: FixedTemperature) -> None:
        """Prescribe temperatures."""
        self.fixed.append(condition)
        self.fixed_dofs = np.unique(np.concatenate([c.dofs for c in self.fixed]))
        self.forget_solvers()

    def impose(self, temperature: Array, time: float) -> None:
        """Write the prescribed temperatures at a time [s] into a field."""
        for condition in self.fixed:
            temperature[condition.dofs] = evaluate(condition.value, time)

    def join(self, pairs: NDArray[np.int64], conductance: Array) -> None:
        """Add conductances [W/K] between node pairs."""
        joint = self.discretization.pair_matrix(pairs, conductance)
        if self.nonlinear:
            self._joints.append(joint)
        else:
            self.matrix.axpy(1.0, joint, structure=PETSc.Mat.Structure.DIFFERENT_NONZERO_PATTERN)
            joint.destroy()
        self.forget_solvers()

    def heat_out(self, temperature: Array) -> Array:
        """Return the heat conducted away from each owned node [W] (valid until the next call)."""
        if not self.nonlinear:
            # The vector borrows the array instead of copying it.
            self._x.placeArray(temperature)
            self.matrix.mult(self._x, self._y)
            self._x.resetArray()
            return np.asarray(self._y.array)
        out = self.discretization.update_conduction(self.matrix, temperature)
        self._x.array[:] = temperature
        for joint in self._joints:
            joint.mult(self._x, self._y)
            out += self._y.array
        return out

    def all_matrices(self) -> list[PETSc.Mat]:
        """Return the matrices whose sum conducts."""
        return [self.matrix, *self._joints]

    def _cleared(self) -> PETSc.Mat:
        """Return a copy of the matrix whose fixed rows and columns are those of the identity."""
        matrix = self.matrix.duplicate(copy=True)
        for joint in self._joints:
            matrix.axpy(1.0, joint, structure=PETSc.Mat.Structure.DIFFERENT_NONZERO_PATTERN)
        offset = matrix.getOwnershipRange()[0]
        matrix.zeroRowsColumns((self.fixed_dofs + offset).astype(PETSc.IntType), diag=1.0)
        return matrix

    def stage(self, couplings: list[MeshCoupling]) -> StageSolver:
        """Return the solver of the stages of a transient; fresh each time where conductivity changes."""
        if self.nonlinear and self._stage is not None:
            self._stage.destroy()
            self._stage = None
        if self._stage is None:
            self._stage = stage_solver(self._cleared(), couplings, self.preconditioner)
        return self._stage

    def steady(self, couplings: list[MeshCoupling]) -> LinearSolver:
        """Return the solver of steady states."""
        if self._steady is None:
            self._steady = LinearSolver(self._cleared(), couplings, self.preconditioner)
        return self._steady

    def renew_steady(self) -> None:
        """Bring a temperature-dependent operator to the temperatures of the last :meth:`heat_out`."""
        if self.nonlinear and self._steady is not None:
            self._steady.replace(self._cleared())

    def forget_solvers(self) -> None:
        """Drop solvers that were made for other conditions."""
        for solver in (self._stage, self._steady):
            if solver is not None:
                solver.destroy()
        self._stage = self._steady = None
