"""Algebraic multigrid in single precision, as a preconditioner that outlives many time steps.

A correction needs a few digits, not sixteen: single precision halves what is read from memory, which is what counts
at a million unknowns. Levels come from smoothed aggregation (`solvers.aggregation`); one V-cycle with a damped
Jacobi sweep on either side is symmetric, so conjugate gradients may use it. Coarsening ends where storage dominates,
since there Jacobi alone converges: short steps cost one or two levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from mpi4py import MPI
from mpi4py.util.dtlib import from_numpy_dtype
from numpy.typing import NDArray
from petsc4py import PETSc
from scipy import sparse

from solvers.aggregation import interpolation
from solvers.errors import ConvergenceError
from solvers.single_precision import (
    Rows,
    advance_solution,
    dot,
    multiply_dot,
    new_direction,
    prolong_add,
    restrict_residual,
    smooth,
)

Array = NDArray[np.float64]
Single = NDArray[np.float32]

DENSE_SIZE = 600
"""Unknowns (of all processes) below which the coarsest level is solved directly."""

DOMINANCE = 0.7
"""Largest ratio of off-diagonal sum to diagonal at which Jacobi sweeps finish the job."""

COARSEST_SWEEPS = 4

SINGLE_PRECISION_END = 2e-6
"""Reduction of the residual beyond which single precision may no longer follow."""


class Halo:
    """Values of other processes' nodes that the rows of this one refer to.

    Parameters
    ----------
    comm : MPI.Comm
    ranges : (size + 1,) array
        First node of each process, and the end.
    ghosts : (g,) array
        Global numbers of the nodes wanted, ascending.
    """

    def __init__(self, comm: MPI.Intracomm, ranges: NDArray[np.int64], ghosts: NDArray[np.int64]):
        self.ranges, self.nodes = ranges, ghosts
        self.owned = int(ranges[comm.rank + 1] - ranges[comm.rank])
        self.ghosts = ghosts.size
        if comm.size == 1:
            return
        owner = np.searchsorted(ranges, ghosts, side="right") - 1
        wanted = np.bincount(owner, minlength=comm.size)
        asked = comm.alltoall([ghosts[owner == rank] for rank in range(comm.size)])
        sources = np.flatnonzero(wanted).tolist()
        targets = np.flatnonzero([len(a) for a in asked]).tolist()
        self._forward = comm.Create_dist_graph_adjacent(sources, targets)
        self._backward = comm.Create_dist_graph_adjacent(targets, sources)
        self._sent = np.concatenate([np.empty(0, np.int64), *(asked[t] for t in targets)]) - ranges[comm.rank]
        self._sent_counts = [len(asked[t]) for t in targets]
        self._received_counts = wanted[sources].tolist()

    def update(self, values: NDArray[Any]) -> None:
        """Fill the ghosts, which follow the owned values."""
        if not hasattr(self, "_forward"):
            return
        kind = MPI.FLOAT if values.dtype == np.float32 else from_numpy_dtype(values.dtype)
        self._forward.Neighbor_alltoallv(
            [values[self._sent], self._sent_counts, kind], [values[self.owned :], self._received_counts, kind]
        )

    def add_back(self, values: Single) -> None:
        """Add what stands at the ghosts to their owners' values."""
        if not hasattr(self, "_backward"):
            return
        arrived = np.empty(self._sent.size, np.float32)
        self._backward.Neighbor_alltoallv(
            [values[self.owned :], self._received_counts, MPI.FLOAT], [arrived, self._sent_counts, MPI.FLOAT]
        )
        np.add.at(values, self._sent, arrived)


@dataclass(eq=False)
class _Level:
    """Operator, Jacobi weights, interpolation to the next level and work space of a level.

    `halo` is that of the operator, `below` that of the aggregates which the interpolation refers to.
    """

    rows: Rows
    diagonal: Single
    weight: Single
    spread: Rows
    halo: Halo
    below: Halo
    x: Single
    y: Single
    b: Single
    coarse: Single


class Multigrid:
    """V-cycles for K + diagonal, and conjugate gradients with them.

    Parameters
    ----------
    matrix : PETSc.Mat
        K, symmetric, distributed by rows; not changed.
    extra : (owned,) array
        Added to the diagonal of K so that the sum is positive definite.

    Notes
    -----
    :meth:`set_diagonal` changes the operator of the conjugate gradients at once; the levels stay those of the
    diagonal they were built with.
    """

    def __init__(self, matrix: PETSc.Mat, extra: Array):
        self.comm = matrix.comm.tompi4py()
        self.levels: list[_Level] = []
        self._inverse: Single | None = None
        coupled, halo = _local_rows(matrix, self.comm)
        self._base = coupled.diagonal()
        self.iterations = 0
        coupled.setdiag(self._base + extra)
        while True:
            n = halo.owned
            size = self.comm.allreduce(n)
            diagonal = coupled.diagonal()
            off = np.asarray(abs(coupled).sum(axis=1)).ravel() - diagonal
            ratio = float(self.comm.allreduce(float(np.max(off / diagonal, initial=0.0)), op=MPI.MAX))
            p, count, coarse_size = sparse.csr_array((n, 0)), 0, 0
            if ratio >= DOMINANCE and size > DENSE_SIZE:
                p, count = interpolation(coupled, halo.update, self.comm)
                coarse_size = p.shape[1]
            if not 0 < coarse_size <= 0.8 * size:
                nothing = Halo(self.comm, np.zeros(self.comm.size + 1, np.int64), np.empty(0, np.int64))
                self._append(coupled, halo, off, sparse.csr_array((n, 0)), nothing)
                if ratio >= DOMINANCE and size <= DENSE_SIZE:
                    self._solve_directly(coupled, halo)
                break
            ranges = np.concatenate([[0], np.cumsum(self.comm.allgather(count))])
            local, ghosts = _localized(p, ranges, self.comm.rank)
            self._append(coupled, halo, off, local, Halo(self.comm, ranges, ghosts))
            coupled, halo = _galerkin(coupled, halo, p, count, self.comm)
        top = self.levels[0]
        self._direction = np.zeros_like(top.x)
        self._number = np.zeros(1)
        self._image = np.zeros(top.halo.owned, np.float32)
        self._solution = np.zeros(top.halo.owned, np.float32)

    def set_diagonal(self, extra: Array) -> None:
        """Set the operator to K + diag(extra); the preconditioner stays."""
        np.add(self._base, extra, out=self.levels[0].diagonal, casting="unsafe")

    def solve(self, rhs: Array, norm: float, relative: float, limit: int = 200) -> Single:
        """Solve by preconditioned conjugate gradients in single precision (Saad, Iterative Methods, alg. 9.1).

        Parameters
        ----------
        rhs : (owned,) array
        norm : float
            Norm of `rhs` over all processes.
        relative : float
            Reduction of the residual to reach; single precision ends near 1e-6.
        limit : int
            Iterations allowed.

        Returns
        -------
        (owned,) array
            The solution divided by `norm`.
        """
        top = self.levels[0]
        residual, x, direction = top.b, self._solution, self._direction
        # Scaled to one: squares of small numbers would leave the range of single precision.
        np.multiply(rhs, 1.0 / norm, out=residual, casting="unsafe")
        x[:] = 0.0
        direction[:] = 0.0
        previous = np.inf
        for self.iterations in range(1, limit + 1):
            correction = self._cycle(0)
            product = self._sum(dot(residual, correction))
            new_direction(np.float32(product / previous), correction, direction)
            previous = product
            top.halo.update(direction)
            if not np.isfinite(product):
                raise ConvergenceError("multigrid: the numbers are not finite")
            curvature = self._sum(multiply_dot(top.rows, top.diagonal, direction, self._image))
            left = advance_solution(np.float32(product / curvature), direction, self._image, x, residual)
            if self._sum(left) <= relative**2:
                break
        return x

    def _sum(self, value: float) -> float:
        if self.comm.size == 1:
            return value
        self._number[0] = value
        self.comm.Allreduce(MPI.IN_PLACE, self._number)
        return float(self._number[0])

    def _append(
        self, coupled: sparse.csr_array, halo: Halo, off: Array, p: sparse.csr_array, below: Halo
    ) -> None:
        diagonal = coupled.diagonal()
        # With weights 1/(diagonal + off) the spectrum ends at 1 (Gershgorin); 2/1.3 of that damps its upper 70 %
        # most evenly. A node without neighbours is solved by its own diagonal.
        weight = np.where(off > 0.0, 2.0 / 1.3 / (diagonal + off), 1.0 / diagonal)
        length = halo.owned + halo.ghosts
        entries = coupled.copy()
        entries.setdiag(0.0)
        entries.eliminate_zeros()
        work = [
            np.zeros(size, np.float32) for size in (length, length, halo.owned, below.owned + below.ghosts)
        ]
        single = (diagonal.astype(np.float32), weight.astype(np.float32))
        self.levels.append(_Level(Rows.of(entries), *single, Rows.of(p), halo, below, *work))

    def _solve_directly(self, coupled: sparse.csr_array, halo: Halo) -> None:
        size = int(halo.ranges[-1])
        first = int(halo.ranges[self.comm.rank])
        mine = coupled.tocoo()
        columns = np.concatenate([np.arange(first, first + halo.owned), halo.nodes])[mine.col]
        own = sparse.coo_array((mine.data, (mine.row, columns)), shape=(halo.owned, size)).toarray()
        whole = np.concatenate(self.comm.allgather(own))
        self._inverse = np.linalg.inv(whole)[first : first + halo.owned].astype(np.float32)

    def _cycle(self, number: int) -> Single:
        level = self.levels[number]
        rows, diagonal, weight, b, x, y, n = (
            level.rows, level.diagonal, level.weight, level.b, level.x, level.y, level.halo.owned
        )  # fmt: skip
        if number + 1 == len(self.levels) and self._inverse is not None:
            whole = b if self.comm.size == 1 else np.concatenate(self.comm.allgather(b))
            return np.asarray(self._inverse @ whole)
        np.multiply(weight, b, out=x[:n])
        if number + 1 == len(self.levels):
            for _ in range(COARSEST_SWEEPS):
                level.halo.update(x)
                smooth(rows, diagonal, weight, b, x, y)
                x, y = y, x
            return x[:n]
        level.halo.update(x)
        coarse = level.coarse
        restrict_residual(rows, diagonal, b, x, level.spread, coarse)
        level.below.add_back(coarse)
        self.levels[number + 1].b[:] = coarse[: level.below.owned]
        coarse[: level.below.owned] = self._cycle(number + 1)
        level.below.update(coarse)
        prolong_add(level.spread, coarse, x)
        level.halo.update(x)
        smooth(rows, diagonal, weight, b, x, y)
        return y[:n]

    def apply(self, _: PETSc.PC, residual: PETSc.Vec, correction: PETSc.Vec) -> None:
        """Overwrite `correction` with a V-cycle for `residual` (PETSc's name for it)."""
        values = residual.getArray(readonly=True)
        # Scaled to one: squares of small numbers would leave the range of single precision.
        scale = float(np.max(np.abs(values), initial=0.0))
        scale = self.comm.allreduce(scale, op=MPI.MAX)
        if scale == 0.0:
            correction.set(0.0)
            return
        np.multiply(values, 1.0 / scale, out=self.levels[0].b, casting="unsafe")
        np.multiply(self._cycle(0), scale, out=correction.array)


def _localized(
    rows: sparse.csr_array, ranges: NDArray[np.int64], rank: int
) -> tuple[sparse.csr_array, NDArray[np.int64]]:
    """Return rows with global columns as rows with ghost columns behind the owned ones, and the ghosts' numbers."""
    first, last = int(ranges[rank]), int(ranges[rank + 1])
    columns = rows.indices.astype(np.int64)
    mine = (columns >= first) & (columns < last)
    ghosts, number = np.unique(columns[~mine], return_inverse=True)
    local = np.empty(columns.size, np.int32)
    local[mine], local[~mine] = columns[mine] - first, last - first + number
    shape = (rows.shape[0], last - first + ghosts.size)
    return sparse.csr_array((rows.data, local, rows.indptr), shape=shape), ghosts


def _local_rows(matrix: PETSc.Mat, comm: MPI.Intracomm) -> tuple[sparse.csr_array, Halo]:
    """Return this process's rows with ghost columns behind the owned ones, and the halo."""
    pointers, columns, values = matrix.getValuesCSR()
    # Where symmetry cancels an entry, as on right triangles, rounding is left.
    values = np.where(np.abs(values) < 1e-13 * np.abs(values).max(initial=0.0), 0.0, values)
    rows = sparse.csr_array((values, columns, pointers), shape=(len(pointers) - 1, matrix.getSize()[1]))
    rows.eliminate_zeros()
    ranges = np.asarray(matrix.getOwnershipRanges(), dtype=np.int64)
    coupled, ghosts = _localized(rows, ranges, comm.rank)
    return coupled, Halo(comm, ranges, ghosts)


def _galerkin(
    coupled: sparse.csr_array, halo: Halo, p: sparse.csr_array, count: int, comm: MPI.Intracomm
) -> tuple[sparse.csr_array, Halo]:
    """Return Pᵀ·A·P with this process's `count` aggregates as rows."""
    if comm.size == 1:
        product = sparse.csr_array(p.T @ (coupled @ p))
        return product, Halo(comm, np.array([0, count]), np.empty(0, np.int64))
    nodes = np.concatenate([np.arange(halo.owned) + halo.ranges[comm.rank], halo.nodes])
    size = int(halo.ranges[-1])
    rows = sparse.csr_array((coupled.data, nodes[coupled.indices], coupled.indptr), shape=(halo.owned, size))
    a = _distributed(rows, halo.owned, comm)
    b = _distributed(p, count, comm)
    coarse = a.ptap(b)
    result = _local_rows(coarse, comm)
    for matrix in (a, b, coarse):
        matrix.destroy()
    return result


def _distributed(rows: sparse.csr_array, owned_columns: int, comm: MPI.Comm) -> PETSc.Mat:
    """Return rows with global columns as a PETSc matrix, which wants each row sorted."""
    rows.sort_indices()
    csr = (rows.indptr.astype(PETSc.IntType), rows.indices.astype(PETSc.IntType), rows.data)
    sizes = ((rows.shape[0], PETSc.DETERMINE), (owned_columns, rows.shape[1]))
    return PETSc.Mat().createAIJ(sizes, csr=csr, comm=comm)
