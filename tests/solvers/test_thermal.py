"""Conduction with radiation in shells and solids: closed forms, symmetry, bounds, balance of heat."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("dolfinx")

from meshes.mesh import Mesh, join
from meshes.panel import radiator_panel
from solvers.constants import STEFAN_BOLTZMANN
from solvers.integrator import advance
from solvers.materials import Layer, Material, Section
from solvers.thermal import ThermalModel

ALUMINIUM = Material(167.0, 2700.0, 900.0)
FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def panel(section: Section | None = None, cell: float = 0.1, **options: float) -> ThermalModel:
    section = section or Section.of(ALUMINIUM, 2e-3)
    return ThermalModel(radiator_panel(1.0, 0.5, cell), {"panel": section}, **options)


def quadrilaterals(columns: int, rows: int) -> Mesh:
    x, y = np.meshgrid(np.linspace(0.0, 1.0, columns + 1), np.linspace(0.0, 0.5, rows + 1))
    node = np.arange(x.size).reshape(x.shape)
    corner = [node[:-1, :-1], node[:-1, 1:], node[1:, 1:], node[1:, :-1]]
    cells = np.stack([c.ravel() for c in corner], axis=1)
    left, right = (np.stack([node[:-1, at], node[1:, at]], axis=1) for at in (0, -1))
    points = np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])
    facets = {"left": left, "right": right}
    return Mesh(points, cells, "quadrilateral", {"panel": np.arange(len(cells))}, facets=facets)


def tetrahedra(count: int) -> Mesh:
    """Unit bar 1 x 0.2 x 0.2 m of tetrahedra, six to a box (Kuhn)."""
    from itertools import permutations

    shape = np.array([count, 2, 2])
    node = np.arange(np.prod(shape + 1)).reshape(shape + 1)
    boxes = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1).reshape(-1, 3)
    cells = []
    for order in permutations(range(3)):
        corners = [boxes]
        for axis in order:
            corners.append(corners[-1] + np.eye(3, dtype=int)[axis])
        tetrahedron = np.stack([node[tuple(c.T)] for c in corners], axis=1)
        even = np.linalg.det(np.eye(3)[list(order)]) > 0
        cells.append(tetrahedron if even else tetrahedron[:, [0, 1, 3, 2]])
    grid = np.stack(np.meshgrid(*(np.arange(n + 1) for n in shape), indexing="ij"), axis=-1)
    points = grid.reshape(-1, 3) * np.array([1.0 / count, 0.1, 0.1])
    all_cells = np.concatenate(cells)
    facets = {}
    for name, at in (("cold", 0.0), ("hot", 1.0)):
        on = np.isclose(points[:, 0], at)
        faces = all_cells[:, [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]].reshape(-1, 3)
        facets[name] = faces[on[faces].all(axis=1)]
    return Mesh(points, all_cells, "tetrahedron", {"bar": np.arange(len(all_cells))}, facets=facets)


def test_uniform_plate_is_at_the_temperature_where_emission_equals_absorption():
    """Stefan-Boltzmann: q = 2εσ(T⁴ − T_sink⁴), uniform whatever the mesh."""
    model = panel()
    model.radiate(model.front(), 0.8, 100.0)
    model.radiate(model.back(), 0.8, 100.0)
    model.absorb(model.front(), 500.0)
    expected = (500.0 / (1.6 * STEFAN_BOLTZMANN) + 100.0**4) ** 0.25
    assert model.solve_steady(300.0) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("guess", [1.0, 50.0, 5000.0])
def test_steady_state_is_found_from_a_bad_guess(guess):
    """Same state as from a good guess; |T|³T is monotone, so there is one only."""
    model = panel()
    model.radiate(model.front(), 0.85)
    x = model.mesh.points[:, 0]
    model.absorb(model.back(), model.discretization.scatter(800.0 * x))
    good = model.solve_steady(300.0)
    assert model.solve_steady(guess) == pytest.approx(good, rel=1e-6)


@pytest.mark.parametrize("preconditioner", ["jacobi", "lu", "multigrid", "boomeramg"])
def test_linear_solvers_agree(preconditioner):
    """A step of a tapered load by every linear solver; the reference is the factorisation at a tight residual."""

    def end(kind: str, tolerance: float) -> np.ndarray:
        model = panel(cell=0.02, preconditioner=kind, tolerance=tolerance)
        model.fix("left", 310.0)
        model.radiate(model.front(), 0.85)
        model.absorb(model.back(), model.discretization.scatter(900.0 * model.mesh.points[:, 1]))
        return advance(model, model.state(290.0), 0.0, 60.0).end

    assert end(preconditioner, 1e-9) == pytest.approx(end("lu", 1e-12), abs=2e-6)


def test_fin_with_convection():
    """Fin equation, adiabatic tip: cosh(m(L − x))/cosh(mL), m² = 2h/(kt) (Incropera, eq. 3.75)."""
    model = panel(cell=0.02)
    for face in (model.front(), model.back()):
        model.convect(face, 5.0, 280.0)
    model.fix("left", 350.0)
    m = np.sqrt(2.0 * 5.0 / (167.0 * 2e-3))
    x = model.mesh.points[:, 0]
    expected = 280.0 + 70.0 * np.cosh(m * (1.0 - x)) / np.cosh(m)
    assert model.field(model.solve_steady(300.0)) == pytest.approx(expected, abs=0.02)


def test_layers_conduct_in_parallel_and_orthotropic_ones_by_direction():
    """k·t of layers adds up (laminate theory); with ends held, Q = Σk_x·t·w·ΔT/L exactly."""
    fibre = Material(np.diag([300.0, 5.0, 1.0]), 1800.0, 800.0)
    section = Section([Layer(ALUMINIUM, 1e-3), Layer(fibre, 0.5e-3), Layer(ALUMINIUM, 1e-3)])
    assert section.heat_capacity == pytest.approx(2e-3 * 2700.0 * 900.0 + 0.5e-3 * 1800.0 * 800.0)
    for sides, conductivity, length, width in (
        (("left", "right"), 300.0, 1.0, 0.5),
        (("bottom", "top"), 5.0, 0.5, 1.0),
    ):
        model = panel(section)
        model.fix(sides[0], 300.0)
        model.fix(sides[1], 320.0)
        state = model.solve_steady(310.0)
        nodes = model.discretization.owned_dofs(np.unique(model.mesh.facet(sides[1])))[1]
        heat = float(model.conduction.heat_out(state)[nodes].sum())
        expected = (2e-3 * 167.0 + 0.5e-3 * conductivity) * width * 20.0 / length
        assert heat == pytest.approx(expected, rel=1e-9)


def test_contact_conductance_across_a_hinge():
    """Two plates in series with a joint: Q = ΔT/(2L/(ktw) + 1/G)."""
    half = radiator_panel(0.5, 0.5, 0.05)
    other = half.moved(translation=np.array([0.51, 0.0, 0.0]))
    pairs = np.column_stack([np.unique(half.facet("right")), np.unique(half.facet("left")) + half.node_count])
    # End nodes stand for half an edge.
    weight = np.ones(len(pairs))
    weight[[0, -1]] = 0.5
    mesh = join({"a": half, "b": other}, hinges={"hinge": pairs})
    section = Section.of(ALUMINIUM, 2e-3)
    model = ThermalModel(mesh, {"a/panel": section, "b/panel": section})
    model.connect(pairs, 3.0 * weight / weight.sum())
    model.fix("a/left", 300.0)
    model.fix("b/right", 340.0)
    state = model.solve_steady(320.0)
    nodes = model.discretization.owned_dofs(np.unique(mesh.facet("a/left")))[1]
    expected = 40.0 / (2.0 * 0.5 / (167.0 * 2e-3 * 0.5) + 1.0 / 3.0)
    assert -float(model.conduction.heat_out(state)[nodes].sum()) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("kind", ["quadrilateral", "tetrahedron"])
def test_linear_profile_on_other_cells(kind):
    """Fixed ends: a linear temperature is in the space of linear elements, so it is exact."""
    if kind == "quadrilateral":
        model, ends = (
            ThermalModel(quadrilaterals(6, 3), {"panel": Section.of(ALUMINIUM, 1e-3)}),
            ("left", "right"),
        )
    else:
        model, ends = ThermalModel(tetrahedra(5), {"bar": ALUMINIUM}), ("cold", "hot")
        assert model.volume().area == pytest.approx(0.04)
        assert model.boundary("hot").area == pytest.approx(0.04)
    model.fix(ends[0], 280.0)
    model.fix(ends[1], 320.0)
    field = model.field(model.solve_steady(300.0))
    assert field == pytest.approx(280.0 + 40.0 * model.mesh.points[:, 0], abs=1e-8)


def test_quadrilaterals_and_triangles_agree_on_a_radiating_panel():
    """Two discretisations of one problem, second order both: they differ by the order of h²."""

    def coldest(model: ThermalModel) -> float:
        model.radiate(model.front(), 0.9)
        model.radiate(model.back(), 0.9)
        model.fix("left", 330.0)
        return model.extremes(model.solve_steady(300.0))[0]

    quads = ThermalModel(quadrilaterals(50, 25), {"panel": Section.of(ALUMINIUM, 2e-3)})
    assert coldest(quads) == pytest.approx(coldest(panel(cell=0.02)), abs=0.02)


def test_symmetric_load_gives_a_symmetric_field():
    """Point reflection maps the panel's triangles onto themselves."""
    model = panel(cell=0.05)
    x, y, _ = model.mesh.points.T
    model.radiate(model.front(), 0.85)
    model.absorb(
        model.back(),
        model.discretization.scatter(400.0 + 300.0 * np.cos(np.pi * x) ** 2 * np.cos(4 * np.pi * y)),
    )
    field = model.field(model.solve_steady(300.0))
    mirror = np.lexsort((-x.round(9), -y.round(9)))
    straight = np.lexsort((x.round(9), y.round(9)))
    assert field[straight] == pytest.approx(field[mirror], abs=1e-6)


@FEW
@given(
    hot=st.floats(250.0, 400.0),
    step=st.floats(0.01, 1e5),
    emissivity=st.floats(0.0, 1.0),
    sink=st.floats(50.0, 240.0),
)
def test_discrete_maximum_principle(hot, step, emissivity, sink):
    """Without sources the temperature stays between start, sink and boundary (Thomée, ch. 15), whatever the step."""
    model = panel(tolerance=1e-12)
    model.fix("left", hot)
    model.radiate(model.front(), emissivity, sink)
    stage = model.solve_stage(model.state(245.0), step, step, model.state(245.0))
    low, high = model.extremes(stage)
    assert min(sink, 245.0) - 1e-6 <= low
    assert high <= hot + 1e-6


@FEW
@given(
    step=st.floats(0.1, 3000.0),
    flux=st.floats(-300.0, 2000.0),
    film=st.floats(0.0, 50.0),
    emissivity=st.floats(0.05, 1.0),
    held=st.booleans(),
)
def test_heat_of_every_step_balances(step, flux, film, emissivity, held):
    """First law over a step: absorbed + convected + fixed − emitted − stored = 0 to the tolerance of the solve."""
    model = panel(tolerance=1e-11)
    model.radiate(model.front(), emissivity, 150.0)
    model.absorb(model.back(), lambda t: flux * (1.0 + 0.2 * np.sin(t)))
    model.convect(model.back(), film, 280.0)
    if held:
        model.fix("left", lambda t: 300.0 + 1e-3 * t)
    start = model.state(300.0)
    taken = advance(model, start, 0.0, step)
    balance = model.balance(taken, start)
    flows = [
        abs(v) for v in (balance.absorbed, balance.emitted, balance.convected, balance.fixed, balance.stored)
    ]
    assert abs(balance.residual) <= 1e-8 * max(flows)


def test_steady_heat_balances():
    """What comes in leaves: ∫q = ∫εσ(T⁴ − T_s⁴)."""
    model = panel()
    model.radiate(model.front(), 0.7, 200.0)
    model.absorb(model.back(), model.discretization.scatter(1000.0 * model.mesh.points[:, 1]))
    absorbed, emitted, _ = model.loads.totals(model.solve_steady(300.0), 0.0)
    assert emitted == pytest.approx(absorbed, rel=1e-8)


def test_loads_follow_values_that_are_assigned_anew():
    """Emissivities and fluxes are parameters: after an assignment the steady state is that of the new ones."""
    model = panel()
    radiation = model.radiate(model.front(), 0.8, 0.0)
    flux = model.absorb(model.front(), 400.0)
    model.solve_steady(300.0)
    radiation.emissivity, flux.value = 0.4, 500.0
    assert model.solve_steady(300.0)[0] == pytest.approx((500.0 / (0.4 * STEFAN_BOLTZMANN)) ** 0.25, rel=1e-8)
    radiation.emissivity = np.full(model.owned, 0.2)
    assert model.solve_steady(300.0)[0] == pytest.approx((500.0 / (0.2 * STEFAN_BOLTZMANN)) ** 0.25, rel=1e-8)
    radiation.emissivity[:] = 0.8
    assert model.solve_steady(300.0)[0] == pytest.approx((500.0 / (0.8 * STEFAN_BOLTZMANN)) ** 0.25, rel=1e-8)
