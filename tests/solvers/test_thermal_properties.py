"""Properties that depend on temperature, and heaters with thermostats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp

pytest.importorskip("dolfinx")

from meshes.mesh import join
from meshes.panel import radiator_panel
from solvers.constants import STEFAN_BOLTZMANN
from solvers.integrator import advance
from solvers.materials import Layer, Material, Section, Tabulated
from solvers.thermal import ThermalModel

CURVE = Tabulated((200.0, 280.0, 300.0, 400.0), (0.7, 1.0, 1.6, 1.2))


@given(st.floats(50.0, 600.0))
def test_integral_of_a_table_is_exact(temperature):
    """Against adaptive quadrature."""
    kinks = [t for t in CURVE.temperature if min(200.0, temperature) < t < max(200.0, temperature)]
    expected = quad(lambda t: float(CURVE(np.array(t))), 200.0, temperature, points=kinks or None)[0]
    assert float(CURVE.integral(np.array(temperature))) == pytest.approx(expected, rel=1e-8, abs=1e-8)


@pytest.mark.parametrize(
    "factor", [Tabulated((250.0, 450.0), (0.9, 1.3)), lambda T: 0.9 + 0.002 * (T - 250.0)]
)
def test_conductivity_by_kirchhoff(factor):
    """Fixed ends, k(T): the Kirchhoff transform ∫k dT is linear along the bar (Carslaw & Jaeger, § 1.6)."""
    mesh = radiator_panel(1.0, 0.1, 0.02)
    model = ThermalModel(mesh, {"panel": Section.of(Material(50.0, conductivity_factor=factor), 1e-3)})
    model.fix("left", 280.0)
    model.fix("right", 420.0)
    field = model.field(model.solve_steady(350.0))

    def kirchhoff(t):
        return 0.9 * (t - 250.0) + 0.001 * (t - 250.0) ** 2

    share = (kirchhoff(field) - kirchhoff(280.0)) / (kirchhoff(420.0) - kirchhoff(280.0))
    assert share == pytest.approx(mesh.points[:, 0], abs=2e-5)


def test_joint_with_conductivity_that_depends_on_temperature():
    """Two plates in series with a joint: the same heat flows through all three."""
    factor = Tabulated((250.0, 450.0), (0.9, 1.3))
    half = radiator_panel(0.5, 0.1, 0.05)
    pairs = np.column_stack([np.unique(half.facet("right")), np.unique(half.facet("left")) + half.node_count])
    mesh = join({"a": half, "b": half.moved(translation=np.array([0.6, 0.0, 0.0]))}, hinges={"hinge": pairs})
    section = Section.of(Material(50.0, conductivity_factor=factor), 1e-3)
    model = ThermalModel(mesh, {"a/panel": section, "b/panel": section})
    model.connect("hinge", 0.02)
    model.fix("a/left", 280.0)
    model.fix("b/right", 420.0)
    state = model.solve_steady(350.0)
    field = model.field(state)
    gap = field[pairs[:, 1]] - field[pairs[:, 0]]
    through_joint = float(np.sum(0.02 / len(pairs) * gap))
    nodes = model.discretization.owned_dofs(np.unique(mesh.facet("b/right")))[1]
    assert float(model.conduction.heat_out(state)[nodes].sum()) == pytest.approx(through_joint, rel=1e-7)


def cooling_plate(specific_heat_factor: Tabulated | None) -> ThermalModel:
    metal = Material(167.0, 2700.0, 900.0, specific_heat_factor=specific_heat_factor)
    model = ThermalModel(
        radiator_panel(0.2, 0.2, 0.1),
        {"panel": Section([Layer(metal, 1e-3), Layer(Material(167.0, 2700.0, 900.0), 1e-3)])},
        tolerance=1e-12,
    )
    model.radiate(model.front(), 0.8, 0.0)
    return model


def test_specific_heat_that_depends_on_temperature():
    """A plate that cools uniformly, against an ODE solver: c(T) dT/dt = −εσT⁴."""
    model = cooling_plate(CURVE)
    state = model.state(380.0)
    for step in model.integrate(state, 0.0, 4000.0, tolerance=1e-4):
        state = step.end

    def rate(_, t):
        return -0.8 * STEFAN_BOLTZMANN * t**4 / (2700.0 * 900.0 * 1e-3 * (1.0 + CURVE(t)))

    expected = solve_ivp(rate, (0.0, 4000.0), [380.0], rtol=1e-10, atol=1e-10, max_step=5.0).y[0, -1]
    assert state == pytest.approx(expected, abs=0.01)


@settings(max_examples=10, deadline=None)
@given(st.floats(1.0, 3000.0), st.floats(220.0, 390.0))
def test_enthalpy_is_conserved_to_rounding(dt, start):
    """Heat stored, by the exact integral of c(T), equals heat lost, whatever step and start."""
    model = cooling_plate(CURVE)
    begin = model.state(start)
    taken = advance(model, begin, 0.0, dt)
    balance = model.balance(taken, begin)
    assert balance.emitted > 0.0
    assert abs(balance.residual) <= 1e-9 * balance.emitted
    gained = (
        2700.0
        * 900.0
        * 1e-3
        * 0.04
        * (CURVE.integral(taken.end[0]) - CURVE.integral(start) + taken.end[0] - start)
    )
    assert balance.stored == pytest.approx(float(gained), rel=1e-7)


def heated_plate() -> ThermalModel:
    model = ThermalModel(
        radiator_panel(0.2, 0.2, 0.1),
        {"panel": Section.of(Material(167.0, 2700.0, 900.0), 1e-3)},
        tolerance=1e-12,
    )
    model.radiate(model.front(), 0.8, 0.0)
    return model


def test_thermostat_switches_on_time():
    """A plate that cools to 280 K, is heated to 290 K, and so on: switch times in closed form.

    Cooling by radiation alone, T⁻³ = T₀⁻³ + 3εσt/c; heating against it by quadrature of c dT/(q − εσT⁴).
    """
    model = heated_plate()
    heater = model.heat(model.front(), power=30.0, sensor=model.front(), on_below=280.0, off_above=290.0)
    capacity, loss = 2700.0 * 900.0 * 1e-3, 0.8 * STEFAN_BOLTZMANN
    cool_first = capacity / (3.0 * loss) * (280.0**-3 - 300.0**-3)
    warm = quad(lambda t: capacity / (30.0 / 0.04 - loss * t**4), 280.0, 290.0)[0]
    cool = capacity / (3.0 * loss) * (280.0**-3 - 290.0**-3)
    expected = np.cumsum([cool_first, warm, cool, warm])
    switched, was_on, state = [], heater.is_on, model.state(300.0)
    assert not was_on
    for step in model.integrate(state, 0.0, expected[-1] + 10.0, tolerance=1e-4, max_step=200.0):
        state = step.end
        if heater.is_on != was_on:
            switched.append(step.time + step.dt)
            was_on = heater.is_on
            reading = heater.temperature(state)
            assert reading == pytest.approx(280.0 if was_on else 290.0, abs=2e-3)
    assert switched == pytest.approx(expected, abs=0.1)


def test_thermostat_by_a_node_starts_on_when_cold():
    model = heated_plate()
    heater = model.heat(model.front(), 30.0, sensor=4, on_below=280.0, off_above=290.0)
    next(model.integrate(model.state(270.0), 0.0, 1.0))
    assert heater.is_on
    assert heater.flux.value == pytest.approx(30.0 / 0.04)
