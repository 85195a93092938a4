"""Linear solvers for conduction with a diagonal that changes, and a preconditioner kept while it serves."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray
from petsc4py import PETSc

from solvers.coupling import MeshCoupling
from solvers.errors import ConvergenceError
from solvers.multigrid import SINGLE_PRECISION_END, Multigrid

Array = NDArray[np.float64]
Preconditioner = Literal["auto", "jacobi", "lu", "multigrid", "boomeramg"]

#: below this size (dofs) a factorisation costs less than the iterations it saves
LU_SIZE = 40_000


class StageSolver(Protocol):
    """Solves (K + diagonal − couplings)·x = b again and again.

    Attributes
    ----------
    iterations : int
        Of the last solve.
    """

    iterations: int

    def set_diagonal(self, extra: Array) -> None:
        """Set the operator to K + diag(extra)."""
        ...

    def solve(self, rhs: Array, norm: float, absolute: float) -> Array:
        """Solve until the residual norm is below `absolute`, or as far as the method goes; `norm` is that of `rhs`."""
        ...

    def destroy(self) -> None:
        """Free the PETSc objects."""
        ...


def stage_solver(
    matrix: PETSc.Mat, couplings: list[MeshCoupling], preconditioner: Preconditioner
) -> StageSolver:
    """Return the solver for the stages of a transient; takes the matrix over.

    Parameters
    ----------
    matrix : PETSc.Mat
        K with fixed rows and columns already cleared.
    couplings : list of MeshCoupling
    preconditioner : {"auto", "jacobi", "lu", "multigrid", "boomeramg"}
        ``auto``: a factorisation for small problems, multigrid in single precision for large ones.
    """
    if preconditioner == "auto":
        preconditioner = "lu" if matrix.getSize()[0] <= LU_SIZE else "multigrid"
    if preconditioner == "multigrid" and not couplings:
        return MultigridSolver(matrix)
    return LinearSolver(matrix, couplings, preconditioner)


class MultigridSolver:
    """Conjugate gradients and multigrid in single precision for a symmetric operator.

    One call reduces the residual by at most six digits; Newton's residuals, in double precision, do the rest.

    Parameters
    ----------
    matrix : PETSc.Mat
        Taken over.
    """

    def __init__(self, matrix: PETSc.Mat):
        self.matrix = matrix
        self.iterations = 0
        self._grid: Multigrid | None = None
        self._digits = np.nan
        self._reference = 0.0

    def set_diagonal(self, extra: Array) -> None:
        """Set the operator to K + diag(extra); levels that no longer serve are built anew."""
        if self._grid is None or self._digits < 0.6 * self._reference:
            self._grid = Multigrid(self.matrix, extra)
            self._reference = 0.0
        else:
            self._grid.set_diagonal(extra)

    def solve(self, rhs: Array, norm: float, absolute: float) -> Array:
        """Solve until the residual norm is below `absolute`, or as far as single precision goes."""
        assert self._grid is not None
        relative = max(absolute / norm, SINGLE_PRECISION_END)
        solution = self._grid.solve(rhs, norm, relative)
        self.iterations = self._grid.iterations
        # Digits gained per iteration; the first ones of a solve come cheap.
        if self.iterations > 3:
            self._digits = -np.log10(relative) / self.iterations
            self._reference = self._reference or self._digits
        return np.multiply(solution, norm, dtype=np.float64)

    def destroy(self) -> None:
        """Free the PETSc objects."""
        self.matrix.destroy()


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
        K with fixed rows and columns already cleared; taken over.
    couplings : list of MeshCoupling
        Non-symmetric exchange with a network; makes the method GMRES instead of conjugate gradients.
    preconditioner : {"auto", "jacobi", "lu", "multigrid"}
        ``auto``: a factorisation for small problems, hypre's BoomerAMG for large ones.
    """

    def __init__(self, matrix: PETSc.Mat, couplings: list[MeshCoupling], preconditioner: Preconditioner):
        self.comm = matrix.comm.tompi4py()
        self.matrix = matrix
        self.base_diagonal: Array = matrix.getDiagonal().array.copy()
        self._diagonal = self.matrix.createVecRight()
        self.right, self.solution = self.matrix.createVecLeft(), self.matrix.createVecRight()
        self.couplings = couplings
        size = matrix.getSize()[0]
        if preconditioner == "auto":
            preconditioner = "lu" if size <= LU_SIZE else "boomeramg"
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
            pc.setType("python")
        elif self.preconditioner == "boomeramg":
            pc.setType("hypre")
            pc.setHYPREType("boomeramg")
            options = PETSc.Options()
            prefix = f"dawndusk_{id(self):x}_"
            self.ksp.setOptionsPrefix(prefix)
            for key, value in {
                "strong_threshold": 0.25,
                "coarsen_type": "HMIS",
                "interp_type": "ext+i",
            }.items():
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
        if self.preconditioner == "multigrid" and not reuse:
            self.ksp.getPC().setPythonContext(Multigrid(self.matrix, np.zeros_like(extra)))

    def replace(self, matrix: PETSc.Mat) -> None:
        """Take over another K of the same layout."""
        self.base_diagonal = matrix.getDiagonal().array.copy()
        matrix.copy(self.matrix, structure=PETSc.Mat.Structure.SAME_NONZERO_PATTERN)
        matrix.destroy()

    def solve(self, rhs: Array, norm: float, absolute: float) -> Array:
        """Solve for `rhs` until the residual norm is below `absolute`; return the owned entries.

        Raises
        ------
        ConvergenceError
            If the iterations run out, or the numbers are not finite.
        """
        del norm
        self.right.array[:] = rhs
        self.ksp.setTolerances(rtol=1e-13, atol=absolute, max_it=2000)
        self.ksp.solve(self.right, self.solution)
        self.iterations = self.ksp.getIterationNumber()
        if not self._fresh:
            self._fresh, self._reference = True, self.iterations
        reason = self.ksp.getConvergedReason()
        if reason < 0 and reason != PETSc.KSP.ConvergedReason.DIVERGED_MAX_IT:
            raise ConvergenceError(
                f"linear solve failed (PETSc reason {reason}) after {self.iterations} iterations"
            )
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
    comm.Allreduce(MPI.IN_PLACE, local, op=MPI.SUM)
    return local
