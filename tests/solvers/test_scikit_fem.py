"""A radiating panel by scikit-fem, assembled and solved by code that shares nothing with ours but the mesh."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("dolfinx")
pytest.importorskip("skfem")

import skfem
from scipy.integrate import solve_ivp
from scipy.sparse import diags_array
from scipy.sparse.linalg import spsolve
from skfem.models.poisson import laplace, mass

from meshes.panel import radiator_panel
from solvers.constants import STEFAN_BOLTZMANN
from solvers.materials import Material, Section
from solvers.thermal import ThermalModel

WIDTH, HEIGHT, THICKNESS, EMISSIVITY, SINK = 1.0, 0.5, 1.5e-3, 0.85, 180.0
METAL = Material(150.0, 2700.0, 900.0)


def heat(x):
    return 300.0 + 700.0 * np.exp(-((x - 0.3) ** 2) / 0.02)


def ours(cell: float):
    mesh = radiator_panel(WIDTH, HEIGHT, cell)
    model = ThermalModel(mesh, {"panel": Section.of(METAL, THICKNESS)}, tolerance=1e-11)
    model.radiate(model.front(), EMISSIVITY, SINK)
    model.radiate(model.back(), EMISSIVITY, SINK)
    model.absorb(model.front(), model.discretization.scatter(heat(mesh.points[:, 0])))
    model.fix("left", 320.0)
    return mesh, model


def assembled(mesh):
    """Conduction by scikit-fem; consistent mass and full quadrature of the radiation, not ours at the vertices."""
    basis = skfem.Basis(
        skfem.MeshTri(mesh.points[:, :2].T.copy(), mesh.cells.T.copy()), skfem.ElementTriP1(), intorder=6
    )
    stiffness = METAL.conductivity * THICKNESS * laplace.assemble(basis)

    @skfem.LinearForm
    def net_heat(v, w):
        return (heat(w.x[0]) - 2.0 * EMISSIVITY * STEFAN_BOLTZMANN * (w.T**4 - SINK**4)) * v

    @skfem.BilinearForm
    def slope(u, v, w):
        return 8.0 * EMISSIVITY * STEFAN_BOLTZMANN * w.T**3 * u * v

    return basis, stiffness, net_heat, slope


def test_steady_panel():
    """Both converge to the same field as h²: Richardson extrapolation of the difference of the two quadratures."""
    gaps = []
    for cell in (0.05, 0.025):
        mesh, model = ours(cell)
        field = model.field(model.solve_steady(300.0))
        basis, stiffness, net_heat, slope = assembled(mesh)
        free = np.setdiff1d(np.arange(mesh.node_count), np.unique(mesh.facet("left")))
        other = np.full(mesh.node_count, 320.0)
        for _ in range(20):
            T = basis.interpolate(other)
            residual = net_heat.assemble(basis, T=T) - stiffness @ other
            jacobian = (stiffness + slope.assemble(basis, T=T)).tocsc()
            change = spsolve(jacobian[free][:, free], residual[free])
            other[free] += change
            if np.abs(change).max() < 1e-10:
                break
        gaps.append(np.abs(field - other).max())
    assert np.ptp(field) > 20.0
    assert gaps[1] < 0.15
    assert gaps[0] / gaps[1] == pytest.approx(4.0, rel=0.25)


def test_transient_panel():
    """Lumped equations assembled by scikit-fem, stepped by SciPy's Radau at 1e-9: the same to our error tolerance."""
    mesh, model = ours(0.1)
    state = model.state(300.0)
    for step in model.integrate(state, 0.0, 1500.0, tolerance=1e-4):
        state = step.end
    basis, stiffness, _, _ = assembled(mesh)
    area = np.asarray(mass.assemble(basis).sum(axis=1)).ravel()
    # A row sum of the consistent mass and vertex quadrature are the same for linear triangles.
    assert model.field(model.front().node_area) == pytest.approx(area)
    held = np.unique(mesh.facet("left"))
    capacity = METAL.volumetric_heat_capacity * THICKNESS * area
    put_in = area * (heat(mesh.points[:, 0]) + 2.0 * EMISSIVITY * STEFAN_BOLTZMANN * SINK**4)

    def rate(_, t):
        change = (put_in - 2.0 * EMISSIVITY * STEFAN_BOLTZMANN * area * t**4 - stiffness @ t) / capacity
        change[held] = 0.0
        return change

    def jacobian(_, t):
        rows = (
            -(stiffness + diags_array(8.0 * EMISSIVITY * STEFAN_BOLTZMANN * area * t**3)).toarray()
            / capacity[:, None]
        )
        rows[held] = 0.0
        return rows

    start = np.full(mesh.node_count, 300.0)
    start[held] = 320.0
    reference = solve_ivp(rate, (0.0, 1500.0), start, method="Radau", jac=jacobian, rtol=1e-9, atol=1e-9).y[
        :, -1
    ]
    assert model.field(state) == pytest.approx(reference, abs=5e-3)
