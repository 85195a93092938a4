"""Multigrid and the linear solvers: against a dense factorisation, and convergence that does not depend on the mesh."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("dolfinx")

from meshes.panel import radiator_panel
from solvers.linear import MultigridSolver
from solvers.materials import Material, Section
from solvers.multigrid import Multigrid
from solvers.thermal import ThermalModel


def operator(cells: int, fourier: float, conductivity: object = 167.0) -> tuple:
    """Conduction and the storage for a Fourier number α·Δt/h² of the step."""
    section = Section.of(Material(conductivity, 2700.0, 900.0), 2e-3)
    model = ThermalModel(radiator_panel(1.0, 1.0, 1.0 / cells), {"panel": section})
    step = fourier / (167.0 / (2700.0 * 900.0) * cells**2)
    return model, model.capacity / step


def dense(model, extra):
    pointers, columns, values = model.conduction.matrix.getValuesCSR()
    matrix = np.diag(extra)
    np.add.at(matrix, (np.repeat(np.arange(model.owned), np.diff(pointers)), columns), values)
    return matrix


@settings(max_examples=8, deadline=None)
@given(st.floats(-2.0, 6.0), st.integers(0, 99))
def test_multigrid_solves(log_fourier, seed):
    """Any length of step, a rough right side, against LAPACK."""
    model, extra = operator(30, 10.0**log_fourier)
    rhs = np.random.default_rng(seed).standard_normal(model.owned)
    grid = Multigrid(model.conduction.matrix, extra)
    norm = float(np.linalg.norm(rhs))
    matrix = dense(model, extra)
    solution = norm * grid.solve(rhs, norm, 1e-5).astype(float)
    # Single precision ends at its rounding of A·x, which Newton's next residual then sees.
    rounding = 2.0 * np.finfo(np.float32).eps * np.linalg.norm(matrix, 2) * np.linalg.norm(solution)
    assert np.linalg.norm(rhs - matrix @ solution) <= 1e-5 * norm + rounding


@pytest.mark.parametrize(
    "conductivity", [167.0, np.diag([300.0, 3.0, 1.0])], ids=["isotropic", "orthotropic"]
)
def test_iterations_do_not_grow_with_the_mesh(conductivity):
    """What multigrid is for: twice as fine at the same step takes about as many iterations, Jacobi twice as many."""
    count = []
    for cells in (60, 120, 240):
        model, extra = operator(cells, 200.0 * (cells / 60) ** 2, conductivity)
        rhs = np.random.default_rng(1).standard_normal(model.owned)
        grid = Multigrid(model.conduction.matrix, extra)
        grid.solve(rhs, float(np.linalg.norm(rhs)), 1e-5)
        count.append(grid.iterations)
    assert count[-1] <= 1.6 * count[0] + 1
    assert count[-1] <= 25


def test_cycle_is_symmetric_and_positive():
    """Conjugate gradients need both of a preconditioner."""
    model, extra = operator(40, 300.0)
    grid = Multigrid(model.conduction.matrix, extra)
    rng = np.random.default_rng(3)

    def cycle(vector):
        grid.levels[0].b[:] = vector
        return grid._cycle(0).astype(float)

    for _ in range(5):
        a, b = rng.standard_normal((2, model.owned))
        assert a @ cycle(b) == pytest.approx(b @ cycle(a), rel=2e-4, abs=2e-4)
        assert a @ cycle(a) > 0.0


def test_levels_are_kept_while_they_serve_and_renewed_when_not():
    model, extra = operator(120, 1e4)
    solver = MultigridSolver(model.conduction.matrix.duplicate(copy=True))
    rhs = np.random.default_rng(0).standard_normal(model.owned)
    norm = float(np.linalg.norm(rhs))
    solver.set_diagonal(extra)
    solver.solve(rhs, norm, 1e-5 * norm)
    first = solver._grid
    solver.set_diagonal(1.1 * extra)
    solver.solve(rhs, norm, 1e-5 * norm)
    assert solver._grid is first
    for _ in range(3):
        solver.set_diagonal(1e-4 * extra)
        solver.solve(rhs, norm, 1e-5 * norm)
    assert solver._grid is not first


def test_fixed_nodes_are_left_alone():
    """Rows of the identity: the correction of a held node is its right side, which is zero."""
    section = Section.of(Material(167.0, 2700.0, 900.0), 2e-3)
    model = ThermalModel(radiator_panel(1.0, 1.0, 0.02), {"panel": section}, preconditioner="multigrid")
    model.fix("left", 300.0)
    model.absorb(model.front(), 700.0)
    stage = model.solve_stage(model.state(300.0), 100.0, 100.0, model.state(300.0))
    field = model.field(stage)
    assert np.all(field[np.unique(model.mesh.facet("left"))] == 300.0)
    assert field.max() > 301.0
