"""Bad input is refused with the place, the value and the fix; a solve that fails says where and why."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("dolfinx")

from meshes.mesh import join
from meshes.panel import radiator_panel
from solvers.errors import ConvergenceError, ModelError
from solvers.materials import Layer, Material, Section, Tabulated
from solvers.thermal import ThermalModel

METAL = Material(167.0, 2700.0, 900.0)
SECTION = Section.of(METAL, 2e-3)


def panel() -> ThermalModel:
    return ThermalModel(radiator_panel(1.0, 0.5, 0.1), {"panel": SECTION})


@pytest.mark.parametrize("value", [-1.0, 0.0, float("nan"), float("inf")])
def test_conductivity_must_be_positive(value):
    with pytest.raises(ModelError, match=r"conductivity .* positive"):
        Material(value)


@pytest.mark.parametrize(
    "tensor", [np.diag([1.0, -2.0, 3.0]), np.array([[1, 2, 0], [0, 1, 0], [0, 0, 1.0]]), np.eye(2)]
)
def test_conductivity_tensor_must_be_symmetric_and_positive(tensor):
    with pytest.raises(ModelError, match="symmetric positive"):
        Material(tensor)


def test_other_properties_are_checked():
    with pytest.raises(ModelError, match="density -1"):
        Material(1.0, density=-1.0)
    with pytest.raises(ModelError, match="thickness 0"):
        Layer(METAL, 0.0)
    with pytest.raises(ModelError, match="ascend"):
        Tabulated((300.0, 200.0), (1.0, 2.0))
    with pytest.raises(ModelError, match="positive"):
        Tabulated((200.0, 300.0), (1.0, -2.0))


def test_wrong_names_point_to_the_nearest():
    with pytest.raises(ModelError, match=r"'pannel'.*did you mean 'panel'"):
        ThermalModel(radiator_panel(1.0, 0.5, 0.1), {"pannel": SECTION})
    model = panel()
    with pytest.raises(ModelError, match=r"'lefft'.*did you mean 'left'"):
        model.fix("lefft", 300.0)
    with pytest.raises(ModelError, match=r"'rigth'.*did you mean 'right'"):
        model.boundary("rigth")
    with pytest.raises(ModelError, match="no hinge"):
        model.connect("hinge", 1.0)


def test_region_without_property_is_named():
    mesh = join({"a": radiator_panel(1.0, 0.5, 0.1), "b": radiator_panel(1.0, 0.5, 0.1)})
    with pytest.raises(ModelError, match="'b/panel' has no section"):
        ThermalModel(mesh, {"a/panel": SECTION})


def test_shell_needs_a_section():
    with pytest.raises(ModelError, match="needs a Section"):
        ThermalModel(radiator_panel(1.0, 0.5, 0.1), {"panel": METAL})


@pytest.mark.parametrize("emissivity", [-0.1, 1.1, float("nan")])
def test_emissivity_lies_between_zero_and_one(emissivity):
    model = panel()
    with pytest.raises(ModelError, match="emissivity of 'front'"):
        model.radiate(model.front(), emissivity)


def test_no_way_out_for_heat():
    """A steady state needs one; zero emissivity everywhere is none."""
    model = panel()
    model.radiate(model.front(), 0.0)
    model.absorb(model.front(), 100.0)
    with pytest.raises(ModelError, match=r"no way out of region 'panel'.*radiate"):
        model.solve_steady()


def test_no_way_out_of_one_piece():
    """The other piece radiates, which does not help; a joint does."""
    piece = radiator_panel(1.0, 0.5, 0.1)
    mesh = join({"a": piece, "b": piece.moved(translation=np.array([2.0, 0.0, 0.0]))})
    model = ThermalModel(mesh, {"a/panel": SECTION, "b/panel": SECTION})
    model.radiate(model.front("a/panel"), 0.9)
    model.absorb(model.front("b/panel"), 100.0)
    with pytest.raises(ModelError, match=r"no way out of region 'b/panel'"):
        model.solve_steady()
    model.connect(np.array([[0, piece.node_count]]), 1.0)
    model.solve_steady()


def test_thermostat_input():
    model = panel()
    with pytest.raises(ModelError, match="first lower"):
        model.heat(model.front(), 10.0, 0, 300.0, 290.0)
    with pytest.raises(ModelError, match="power -1"):
        model.heat(model.front(), -1.0, 0, 280.0, 290.0)
    with pytest.raises(ModelError, match="exchange has"):
        from solvers.radiation import SurfaceExchange
        from solvers.view_factors import ViewFactors

        faces = ViewFactors.from_factors(np.array([1.0, 1.0]), np.array([[0.0, 1.0], [1.0, 0.0]]))
        model.enclose(SurfaceExchange(faces, np.array([0.5, 0.5])), [model.front(), model.back()])


def test_state_of_the_wrong_length():
    model = panel()
    with pytest.raises(ModelError, match=r"nodal field has shape \(66,\)"):
        model.state(np.zeros(5))


def test_failing_step_says_where_and_keeps_the_last_state():
    """A load that is not a number: time and node are named, and the states before are untouched."""
    model = panel()
    model.radiate(model.front(), 0.9)
    model.absorb(model.front(), lambda t: 100.0 if t < 50.0 else float("nan"))
    state = model.state(300.0)
    with pytest.raises(ConvergenceError, match=r"step to t = .* the worst node is \d+") as caught:
        for step in model.integrate(state, 0.0, 100.0, tolerance=0.1, min_step=1e-2):
            state = step.end
    assert 49.0 < caught.value.time < 51.0
    assert np.all(np.isfinite(state))


def test_failing_steady_solve_keeps_the_last_state():
    model = panel()
    model.radiate(model.front(), 0.9)
    model.absorb(model.front(), float("nan"))
    with pytest.raises(ConvergenceError, match="steady solve") as caught:
        model.solve_steady(300.0)
    assert caught.value.state == pytest.approx(300.0)
