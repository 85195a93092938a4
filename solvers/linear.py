"""Krylov solvers for the conduction operator, with a preconditioner that is kept while it serves."""

from __future__ import annotations

from typing import Literal

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray
from petsc4py import PETSc

from solvers.coupling import MeshCoupling
from solvers.errors import ConvergenceError

Array = NDArray[np.float64]
Preconditioner = Literal["auto", "jacobi", "lu", "multigrid"]

#: below this size (dofs) a factorisation costs less than the iterations it saves
LU_SIZE = 40_000


class _CoupledOperator:
    """y = A x − Σ (coupling.slope(x) + coupling.diagonal·x), as PETSc's Python matrix; A holds the diagonals."""

    def __init__(self, matrix: PETSc.Mat, couplings: list[MeshCoupling]):
        self.matrix, self.couplings = matrix, couplings

    def mult(self, _: PETSc.Mat, x: PETSc.Vec, y: PETSc.Vec) -> None:
        self.matrix.mult(x, y)
        values = x.getArray(readonly=True)
        for coupling in self.couplings:
            y.array -= coupling.slope(values) + coupling.diagonal * values


class LinearSolver:
    """Solves (K + diagonal − couplings)·x = b again and again with a diagonal that changes a little.

    Parameters
    ----------
    matrix : PETSc.Mat
        K with fixed rows and columns already cleared; it is copied.
    couplings : list of Coupling
        Non-symmetric exchange with a network; makes the method GMRES instead of conjugate gradients.
    preconditioner : {"auto", "jacobi", "lu", "multigrid"}
        ``auto``: a factorisation for small problems, Jacobi for large ones in time, multigrid for steady ones.
    steady : bool
        Whether the diagonal lacks the capacity term.
    """

    def __init__(
        self, matrix: PETSc.Mat, couplings: list[MeshCoupling], preconditioner: Preconditioner, steady: bool = False
    ):
        self.comm = matrix.comm.tompi4py()
        self.matrix = matrix.duplicate(copy=True)
        self.base_diagonal: Array = matrix.getDiagonal().array.copy()
        self._diagonal = self.matrix.createVecRight()
        self.right, self.solution = self.matrix.createVecLeft(), self.matrix.createVecRight()
        self.couplings = couplings
        size = matrix.getSize()[0]
        if preconditioner == "auto":
            preconditioner = "lu" if size <= LU_SIZE else ("multigrid" if steady else "jacobi")
        self.preconditioner = preconditioner
        self.operator = self.matrix
        if couplings:
            self.operator = PETSc.Mat().createPython(
                matrix.getSizes(), context=_CoupledOperator(self.matrix, couplings), comm=matrix.comm
            )
            self.operator.setUp()
        self.ksp = PETSc.KSP().create(matrix.comm)
        self.ksp.setOperators(self.operator, self.matrix)
        # GMRES that tolerates a preconditioner of an older diagonal; CG where the operator is symmetric.
        self.ksp.setType("fgmres" if couplings else "cg")
        if couplings:
            self.ksp.setGMRESRestart(60)
        self.ksp.setNormType(PETSc.KSP.NormType.UNPRECONDITIONED)
        self._set_preconditioner()
        self.iterations = 0
        self._fresh = False
        self._reference = 0

    def _set_preconditioner(self) -> None:
        pc = self.ksp.getPC()
        if self.preconditioner == "lu":
            pc.setType("cholesky" if self.comm.size == 1 else "lu")
            if self.comm.size > 1:
                pc.setFactorSolverType("mumps")
        elif self.preconditioner == "multigrid":
            pc.setType("hypre")
            pc.setHYPREType("boomeramg")
            options = PETSc.Options()
            prefix = f"dawndusk_{id(self):x}_"
            self.ksp.setOptionsPrefix(prefix)
            for key, value in {"strong_threshold": 0.25, "coarsen_type": "HMIS", "interp_type": "ext+i"}.items():
                options[f"{prefix}pc_hypre_boomeramg_{key}"] = value
            self.ksp.setFromOptions()
        else:
            pc.setType("jacobi")

    def set_diagonal(self, extra: Array) -> None:
        """Set the operator to K + diag(extra)."""
        np.add(self.base_diagonal, extra, out=self._diagonal.array)
        self.matrix.setDiagonal(self._diagonal)
        costly = self.preconditioner != "jacobi"
        reuse = costly and self._fresh and self.iterations <= self._reference + 8
        self.ksp.getPC().setReusePreconditioner(reuse)
        if not reuse:
            self._fresh = False
        self.ksp.setOperators(self.operator, self.matrix)

    def solve(self, rhs: Array, absolute: float, relative: float = 1e-13, limit: int = 2000) -> Array:
        """Solve for `rhs` until the residual norm is below `absolute`; return the owned entries.

        Raises
        ------
        ConvergenceError
            If the iterations run out, or the numbers are not finite.
        """
        self.right.array[:] = rhs
        self.ksp.setTolerances(rtol=relative, atol=absolute, max_it=limit)
        self.ksp.solve(self.right, self.solution)
        self.iterations = self.ksp.getIterationNumber()
        if not self._fresh:
            self._fresh, self._reference = True, self.iterations
        reason = self.ksp.getConvergedReason()
        if reason < 0 and reason != PETSc.KSP.ConvergedReason.DIVERGED_MAX_IT:
            raise ConvergenceError(f"linear solve failed (PETSc reason {reason}) after {self.iterations} iterations")
        return np.asarray(self.solution.array)

    def destroy(self) -> None:
        """Free the PETSc objects."""
        for thing in (self.ksp, self.matrix, self._diagonal, self.right, self.solution):
            thing.destroy()


def global_sums(comm: MPI.Comm, *values: float) -> Array:
    """Return the sums of a few numbers over all processes."""
    local = np.array(values, dtype=float)
    if comm.size == 1:
        return local
    return np.asarray(comm.allreduce(local, op=MPI.SUM))
