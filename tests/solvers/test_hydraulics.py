"""Hydraulic networks against textbook examples and closed forms; pumps; cold coolant."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from solvers.errors import ConvergenceError, ModelError
from solvers.fluids import Fluid, fluid, friction_factor, pressure_drop
from solvers.hydraulics import (
    STANDARD_GRAVITY,
    Branch,
    CheckValve,
    HydraulicNetwork,
    Loss,
    PumpCurve,
    Tube,
    Valve,
)


def plain(density=1000.0, viscosity=1e-3):
    """A liquid of constant properties."""
    both = np.ones(2)
    return Fluid(
        "plain",
        1e5,
        np.array([200.0, 500.0]),
        density * both,
        4e3 * both,
        viscosity * both,
        both,
        100.0,
        600.0,
    )


@dataclass(frozen=True)
class Quadratic:
    """h = K·Q|Q| with Q in place of the mass flow, as hand calculations have it."""

    resistance: float

    def drop(self, mass_flow, density, viscosity):
        return self.resistance * mass_flow * np.abs(mass_flow), 2.0 * self.resistance * np.abs(mass_flow)


@dataclass(frozen=True)
class Rise:
    """A fixed difference between two reservoirs."""

    height: float

    def drop(self, mass_flow, density, viscosity):
        return np.asarray(-self.height), np.asarray(0.0)


def test_two_reservoirs_and_three_loops_of_a_hardy_cross_example():
    """Seven pipes between two reservoirs 10 ft apart (Michigan Tech, CE 3620 lecture 9, iteration 16; ft and ft³/s)."""
    pipes = {
        "1": ("A", "n1", 0.38), "2": ("n1", "n2", 2.89), "3": ("n1", "n4", 2.53), "4": ("n4", "n2", 12.13),
        "5": ("n3", "n2", 2.17), "6": ("n3", "n4", 2.89), "7": ("B", "n3", 0.94),
    }  # fmt: skip
    branches = [Branch(name, a, b, [Quadratic(k)]) for name, (a, b, k) in pipes.items()]
    branches.append(Branch("level", "B", "A", [Rise(10.0)]))
    circuit = HydraulicNetwork(branches, "A", {"n1": 2.0, "n2": 4.0, "n3": 1.0, "n4": 3.0})
    flow = circuit.solve(plain(), 300.0).mass_flow
    assert [flow[n] for n in ("2", "4", "3")] == pytest.approx([2.13, 0.32, 2.16], abs=0.011)
    assert flow["1"] + flow["7"] == pytest.approx(10.0)
    loop = pipes["2"][2] * flow["2"] ** 2 - pipes["4"][2] * flow["4"] ** 2 - pipes["3"][2] * flow["3"] ** 2
    assert loop == pytest.approx(0.0, abs=1e-8)


def test_parallel_turbulent_tubes_share_by_length():
    """Equal drops of Darcy-Weisbach in two tubes of 10 and 40 m (White, Fluid Mechanics, 6.10), solved by bisection."""
    liquid, total = fluid("Ammonia", 25e5), 0.2
    branches = [Branch("short", "a", "b", [Tube(10.0, 8e-3)]), Branch("long", "a", "b", [Tube(40.0, 8e-3)])]
    state = HydraulicNetwork(branches, "b", {"a": -total}).solve(liquid, 300.0)

    def gap(short):
        drops = pressure_drop(liquid, np.array([short, total - short]), 8e-3, np.array([10.0, 40.0]), 300.0)
        return drops[0] - drops[1]

    assert state.mass_flow["short"] == pytest.approx(brentq(gap, 0.01, 0.19, xtol=1e-14), rel=1e-9)
    assert state.mass_flow["short"] + state.mass_flow["long"] == pytest.approx(total)
    # Between the limits of laminar (4) and fully rough (2) flow.
    assert 2.0 < state.mass_flow["short"] / state.mass_flow["long"] < 4.0


def test_laminar_network_is_linear():
    """Hagen-Poiseuille: 128μLṁ/(πρD⁴), series and parallel resistances add as in a circuit (White, eq. 6.12)."""
    liquid = plain(viscosity=0.1)
    branches = [
        Branch("in", "a", "b", [Tube(2.0, 0.01)]),
        Branch("one", "b", "c", [Tube(3.0, 0.01)]),
        Branch("two", "b", "c", [Tube(3.0, 0.01, parallel=2)]),
    ]
    state = HydraulicNetwork(branches, "c", {"a": -1e-3}).solve(liquid, 300.0)
    per_metre = 128.0 * 0.1 / (np.pi * 1000.0 * 0.01**4)
    assert state.pressure["a"] == pytest.approx(per_metre * 1e-3 * (2.0 + 3.0 / 3.0), rel=1e-9)
    assert state.mass_flow["two"] == pytest.approx(2e-3 / 3.0, rel=1e-9)


def loop(pumps, liquid_loss=10.0):
    lines = [Branch(f"pump-{i}", "in", "out", [pump, CheckValve(2.0, 0.02)]) for i, pump in enumerate(pumps)]
    return HydraulicNetwork(
        [*lines, Branch("circuit", "out", "in", [Tube(5.0, 0.01), Loss(liquid_loss, 0.02)])], reference="in"
    )


CURVE = PumpCurve.through(30.0, 2.2e-4, 25.0, efficiency=0.3)


def test_pump_works_where_its_curve_meets_the_circuit():
    """Operating point by bisection on head; electrical power = Δp·Q/η (White, eq. 11.4)."""
    liquid = fluid("Ammonia", 25e5)
    density = float(liquid.at(300.0)[0])
    state = loop([CURVE]).solve(liquid, 300.0)

    def gap(volume):
        flow = density * volume
        velocity = volume / (np.pi * 0.02**2 / 4.0)
        needed = pressure_drop(liquid, flow, 0.01, 5.0, 300.0) + 12.0 * density * velocity**2 / 2.0
        return float(density * STANDARD_GRAVITY * CURVE.head(volume) - needed)

    volume = brentq(gap, 1e-6, 5e-4, xtol=1e-16)
    assert state.mass_flow["circuit"] == pytest.approx(density * volume, rel=1e-8)
    rise = density * STANDARD_GRAVITY * CURVE.head(volume)
    assert state.power["pump-0"] == pytest.approx(rise * volume / 0.3, rel=1e-8)


def test_affinity_laws_hold_for_a_quadratic_circuit():
    """Q ∝ n, Δp ∝ n², P ∝ n³ (White, eq. 11.28)."""
    liquid = plain()
    branch = Branch("circuit", "out", "in", [Loss(10.0, 0.02)])
    states = []
    for speed in (1.0, 0.5):
        pump = PumpCurve(30.0, 1e8, 0.4, speed)
        states.append(
            HydraulicNetwork([Branch("pump", "in", "out", [pump]), branch], "in").solve(liquid, 300.0)
        )
    full, half = states
    assert half.mass_flow["pump"] == pytest.approx(full.mass_flow["pump"] / 2.0, rel=1e-9)
    assert half.pressure["out"] == pytest.approx(full.pressure["out"] / 4.0, rel=1e-9)
    assert half.power["pump"] == pytest.approx(full.power["pump"] / 8.0, rel=1e-9)


def test_loss_of_one_of_two_pumps():
    """The check valve of the failed pump closes; the other runs out on its curve and keeps most of the flow."""
    liquid = fluid("Ammonia", 25e5)
    stopped = PumpCurve(CURVE.shutoff_head, CURVE.resistance, CURVE.efficiency, speed=0.0)
    both, one, none = (
        loop(pumps).solve(liquid, 300.0) for pumps in ([CURVE, CURVE], [CURVE, stopped], [stopped, stopped])
    )
    assert both.mass_flow["pump-0"] == pytest.approx(both.mass_flow["pump-1"])
    assert 0.6 < one.mass_flow["circuit"] / both.mass_flow["circuit"] < 0.9
    assert one.mass_flow["pump-0"] > 1.2 * both.mass_flow["pump-0"]
    assert abs(one.mass_flow["pump-1"]) < 2e-3 * one.mass_flow["pump-0"]
    alone = loop([CURVE]).solve(liquid, 300.0)
    assert one.mass_flow["circuit"] == pytest.approx(alone.mass_flow["circuit"], rel=2e-3)
    assert none.mass_flow["circuit"] == pytest.approx(0.0, abs=1e-9) and none.power["pump-0"] == 0.0


def test_cold_branch_starves():
    """40 % propylene glycol: in laminar flow the shares go as 1/viscosity, here 320 K against 260 K."""
    liquid = fluid("INCOMP::MPG[0.4]", 2e5)
    branches = [Branch(n, "a", "b", [Tube(6.0, 6e-3)]) for n in ("warm", "cold")]
    circuit = HydraulicNetwork(branches, "b", {"a": -0.004})
    alike = circuit.solve(liquid, 300.0).mass_flow
    state = circuit.solve(liquid, {"warm": 320.0, "cold": 260.0}).mass_flow
    assert alike["warm"] == pytest.approx(alike["cold"])
    kinematic = [float(liquid.at(t)[2] / liquid.at(t)[0]) for t in (320.0, 260.0)]
    assert state["warm"] / state["cold"] == pytest.approx(kinematic[1] / kinematic[0], rel=1e-6)
    assert state["warm"] / state["cold"] > 10.0


@settings(max_examples=40, deadline=None)
@given(st.floats(0.0, 1.0), st.floats(230.0, 320.0))
def test_bypass_valve_takes_more_as_it_opens(opening, temperature):
    """Flows balance at any opening, the shut valve included, and the bypass never passes more than when it is open."""
    liquid = fluid("Ammonia", 25e5)

    def circuit(at):
        return HydraulicNetwork(
            [
                Branch("pump", "in", "out", [CURVE]),
                Branch("plates", "out", "hot", [Loss(8.0, 0.02)]),
                Branch("radiator", "hot", "in", [Tube(20.0, 8e-3, parallel=12)]),
                Branch("bypass", "hot", "in", [Valve(4.0, 0.02, at)]),
            ],
            "in",
        ).solve(liquid, temperature)

    state, wide = circuit(opening), circuit(1.0)
    flow = state.mass_flow
    assert flow["radiator"] + flow["bypass"] == pytest.approx(flow["pump"], rel=1e-9)
    assert 0.0 <= flow["bypass"] <= wide.mass_flow["bypass"] * (1.0 + 1e-9)
    assert flow["pump"] <= wide.mass_flow["pump"] * (1.0 + 1e-9)
    if opening == 0.0:
        assert flow["bypass"] == 0.0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_random_networks_balance(seed):
    """Kirchhoff: flows balance at every node, drops around every branch, in laminar and turbulent flow alike."""
    random = np.random.default_rng(seed)
    count = int(random.integers(2, 12))
    names = [f"n{i}" for i in range(count)]
    ends = [(i, i + 1) for i in range(count - 1)] + [
        tuple(random.choice(count, 2, replace=False)) for _ in range(count)
    ]
    size = [(10 ** random.uniform(-1, 2), 10 ** random.uniform(-2.5, -1.5)) for _ in ends]
    branches = [
        Branch(f"b{k}", names[a], names[b], [Tube(*size[k]), Loss(2.0, 0.02)])
        for k, (a, b) in enumerate(ends)
    ]
    drawn = {name: float(random.normal(scale=0.1)) for name in names[1:]}
    liquid = fluid("Ammonia", 25e5)
    state = HydraulicNetwork(branches, names[0], drawn).solve(liquid, 300.0)
    net = dict.fromkeys(names, 0.0)
    for branch in branches:
        net[branch.source] -= state.mass_flow[branch.name]
        net[branch.target] += state.mass_flow[branch.name]
    assert [net[n] for n in names[1:]] == pytest.approx([drawn[n] for n in names[1:]], abs=1e-9)
    rho, _, mu, _ = liquid.at(300.0)
    drops = {
        b.name: sum(float(c.drop(state.mass_flow[b.name], rho, mu)[0]) for c in b.components)
        for b in branches
    }
    gaps = [state.pressure[b.source] - state.pressure[b.target] - drops[b.name] for b in branches]
    assert np.max(np.abs(gaps)) <= 1e-8 * max(map(abs, drops.values()))


def test_guess_of_a_moment_ago_takes_fewer_steps():
    liquid = fluid("Ammonia", 25e5)
    cold = loop([CURVE, CURVE])
    first = cold.solve(liquid, 300.0)
    again = cold.solve(liquid, 301.0, guess=first)
    assert again.iterations < first.iterations
    assert again.mass_flow["circuit"] == pytest.approx(
        cold.solve(liquid, 301.0).mass_flow["circuit"], rel=1e-9
    )


@pytest.mark.parametrize(
    "component", [Tube(3.0, 8e-3, 1e-5), Loss(3.0, 0.02), Valve(2.0, 0.02, 0.3), CheckValve(2.0, 0.02), CURVE]
)
@pytest.mark.parametrize("flow", [-0.3, -1e-4, 1e-4, 0.013, 0.3])
def test_slopes_are_derivatives(component, flow):
    density, viscosity = np.asarray(600.0), np.asarray(1.3e-4)
    near = 1e-4 * flow
    high, low = (component.drop(np.asarray(flow + d), density, viscosity)[0] for d in (near, -near))
    assert component.drop(np.asarray(flow), density, viscosity)[1] == pytest.approx(
        (high - low) / (2 * near), rel=1e-4
    )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Tube(0.0, 1.0), "tube: length"),
        (lambda: Valve(1.0, 0.01, 1.5), "valve opening"),
        (lambda: PumpCurve.through(10.0, 1e-4, 12.0), "pump: head"),
        (lambda: HydraulicNetwork([Branch("x", "a", "b", [])] * 2, "a"), "'x' is named twice"),
        (lambda: HydraulicNetwork([Branch("x", "a", "b", [])], "c"), "node 'c'"),
        (
            lambda: HydraulicNetwork([Branch("x", "a", "b", [Valve(1, 1, 0)])], "a", {"b": 1.0}),
            "drawn at 'b'",
        ),
        (
            lambda: HydraulicNetwork(
                [Branch("x", "a", "b", [Valve(1, 1, 0)]), Branch("p", "b", "c", [CURVE])], "a"
            ),
            "pump of 'p' has no open way",
        ),
        (lambda: loop([CURVE]).solve(plain(), {"circuit": 300.0}), "no temperature for branch 'pump-0'"),
    ],
)
def test_bad_circuits_are_refused(build, message):
    with pytest.raises(ModelError, match=message):
        build()


def test_no_convergence_names_the_branch():
    with pytest.raises(ConvergenceError, match=r"branch '(pump-0|circuit)' keeps"):
        loop([CURVE]).solve(plain(), 300.0, iterations=1)


def test_smooth_factor_is_that_of_the_tube():
    """Tube uses Churchill's factor: Δp = f·L/D·ρv²/2."""
    density, viscosity, flow = 600.0, 1.3e-4, 0.05
    velocity = flow / (density * np.pi * 4e-3**2)
    reynolds = density * velocity * 8e-3 / viscosity
    expected = friction_factor(reynolds) * 3.0 / 8e-3 * density * velocity**2 / 2.0
    drop, _ = Tube(3.0, 8e-3).drop(np.asarray(flow), np.asarray(density), np.asarray(viscosity))
    assert drop == pytest.approx(expected)
