"""Tubes on meshes, flow split, liquid limits, transport lines, specific heat that varies."""

import CoolProp.CoolProp as coolprop
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshes import radiator_panel
from solvers.coolant import (
    Pump,
    TubeCircuit,
    bypass_share,
    circuit_pressure_drop,
    flow_per_stream,
    liquid_limits,
)
from solvers.coolant_line import PlugFlowLine
from solvers.errors import ModelError
from solvers.fluids import fluid, pressure_drop
from solvers.network import Network, Stream

BORE = 8e-3


def panel_circuit(tubes, manifold=BORE, height=2.0):
    """Tubes between an inlet manifold and an outlet manifold that leaves at the far end (reverse return)."""
    mesh = radiator_panel(1.0, height, 0.1, tubes, "parallel")
    lines = {f"tube-{i}": BORE for i in range(tubes)} | {
        "inlet-manifold": manifold,
        "outlet-manifold": manifold,
    }
    inlet, outlet = int(mesh.line("inlet-manifold")[0]), int(mesh.line("outlet-manifold")[-1])
    return mesh, TubeCircuit.on_lines(mesh, lines, inlet, outlet)


def tube_shares(mesh, circuit, tubes):
    """Share that enters each tube, found on its middle edge."""
    shares = []
    for i in range(tubes):
        path = mesh.line(f"tube-{i}")
        pair = set(path[len(path) // 2 : len(path) // 2 + 2].tolist())
        at = [k for k, edge in enumerate(circuit.edges) if set(circuit.nodes[edge].tolist()) == pair]
        shares.append(circuit.share[at[0]])
    return np.array(shares)


def test_wide_manifolds_share_equally():
    mesh, circuit = panel_circuit(6, manifold=1.0)
    assert tube_shares(mesh, circuit, 6) == pytest.approx(1.0 / 6.0, rel=1e-6)


def test_reverse_return_of_three_tubes():
    """Kirchhoff by hand: the outer tubes get (r + R)/(3R + 2r) each, the inner one the rest; shares are symmetric."""
    mesh, circuit = panel_circuit(3)
    lengths = [mesh.line_lengths(f"tube-{i}").sum() for i in range(3)]
    starts = [mesh.points[mesh.line(f"tube-{i}")[0]] for i in range(3)]
    tube, between = lengths[0], float(np.linalg.norm(starts[1] - starts[0]))
    outer = (between + tube) / (3.0 * tube + 2.0 * between)
    assert tube_shares(mesh, circuit, 3) == pytest.approx([outer, 1.0 - 2.0 * outer, outer], rel=1e-9)


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 8), st.floats(0.001, 0.5))
def test_friction_split_is_symmetric_and_balances(tubes, flow):
    """Reverse return is symmetric at any Reynolds number; flow is kept at every node."""
    mesh, circuit = panel_circuit(tubes)
    balanced = circuit.balanced(fluid("Ammonia", 25e5), flow, 300.0)
    shares = tube_shares(mesh, balanced, tubes)
    assert shares == pytest.approx(shares[::-1], rel=1e-6) and shares.sum() == pytest.approx(1.0)
    net = np.bincount(balanced.edges[:, 1], balanced.share, len(balanced.nodes))
    net -= np.bincount(balanced.edges[:, 0], balanced.share, len(balanced.nodes))
    net[balanced.inlet] += 1.0
    net[balanced.outlet] -= 1.0
    assert np.max(np.abs(net)) < 1e-9


def test_laminar_friction_split_is_that_of_resistances():
    _, circuit = panel_circuit(4)
    liquid = fluid("INCOMP::MPG[0.4]", 2e5)
    assert circuit.balanced(liquid, 1e-4, 300.0).share == pytest.approx(circuit.share, rel=1e-6)


def test_cold_tube_of_a_panel_starves():
    """One tube at 255 K, the others at 310 K: a tenth of the others' flow in 40 % glycol."""
    mesh, circuit = panel_circuit(4, manifold=0.1)
    liquid = fluid("INCOMP::MPG[0.4]", 2e5)
    cold = set(mesh.line("tube-1").tolist())
    temperature = np.array(
        [255.0 if set(circuit.nodes[e].tolist()) <= cold else 310.0 for e in circuit.edges]
    )
    shares = tube_shares(mesh, circuit.balanced(liquid, 0.02, temperature), 4)
    assert shares[1] < 0.1 * shares[0] and shares[0] == pytest.approx(shares[2], rel=1e-3)


def test_pressure_drop_of_a_serpentine_is_that_of_its_length():
    """One tube: Darcy-Weisbach over the whole length."""
    mesh = radiator_panel(1.0, 2.0, 0.1, 4, "serpentine")
    path = mesh.line("tube-0")
    circuit = TubeCircuit.on_lines(mesh, {"tube-0": BORE}, int(path[0]), int(path[-1]))
    liquid = fluid("Ammonia", 25e5)
    length = mesh.line_lengths("tube-0").sum()
    expected = float(pressure_drop(liquid, 0.03, BORE, length, 300.0))
    assert circuit_pressure_drop(circuit, liquid, 0.03, 300.0) == pytest.approx(expected)
    assert circuit.volume().sum() == pytest.approx(np.pi / 4.0 * BORE**2 * length)
    assert circuit.share == pytest.approx(1.0)


def test_pressure_drop_of_parallel_tubes_is_that_of_any_path():
    """Tellegen's sum against the drop down one tube and its stretch of manifold."""
    mesh, circuit = panel_circuit(3)
    liquid, flow = fluid("Ammonia", 25e5), 0.2
    balanced = circuit.balanced(liquid, flow, 300.0)
    drops = pressure_drop(liquid, flow * balanced.share, balanced.diameter, balanced.length, 300.0)
    first, last = mesh.line("tube-0"), mesh.line("outlet-manifold")
    path = set(first.tolist()) | set(last.tolist())
    along = sum(drops[k] for k, e in enumerate(balanced.edges) if set(balanced.nodes[e].tolist()) <= path)
    assert circuit_pressure_drop(balanced, liquid, flow, 300.0) == pytest.approx(along, rel=1e-8)


def test_conductance_is_film_times_wetted_area():
    """Standing coolant keeps the laminar film: Nu·k·π·L (Incropera, eq. 8.53)."""
    _, circuit = panel_circuit(3)
    liquid = fluid("Ammonia", 25e5)
    conductivity = float(liquid.at(300.0)[3])
    assert circuit.conductance(liquid, 0.0, 300.0) == pytest.approx(
        4.36 * conductivity * np.pi * circuit.length
    )
    assert np.all(circuit.conductance(liquid, 0.5, 300.0) >= circuit.conductance(liquid, 0.0, 300.0))
    rates = flow_per_stream([circuit, circuit], 400.0)
    assert rates[0] == pytest.approx(200.0 * circuit.share)


def test_tubes_that_do_not_fit_are_refused():
    mesh, circuit = panel_circuit(2)
    inlet = int(mesh.line("inlet-manifold")[0])
    with pytest.raises(ModelError, match="diameter"):
        TubeCircuit.on_lines(mesh, {"tube-0": 0.0}, inlet, inlet)
    away = int(mesh.line("tube-1")[0])
    with pytest.raises(ModelError, match="outlet node"):
        TubeCircuit.on_lines(mesh, {"tube-0": BORE}, int(mesh.line("tube-0")[0]), away)
    with pytest.raises(ModelError, match="do not connect"):
        TubeCircuit.on_lines(mesh, {"tube-0": BORE, "tube-1": BORE}, int(mesh.line("tube-0")[0]), away)
    with pytest.raises(ModelError, match="flow 0"):
        circuit.balanced(fluid("Ammonia", 25e5), 0.0, 300.0)


@settings(deadline=None)
@given(st.floats(280.0, 330.0), st.floats(280.0, 330.0), st.floats(280.0, 330.0))
def test_bypass_mixes_to_the_target_within_its_limits(target, hot, cold):
    """Mixing rule s·T_hot + (1 − s)·T_cold (energy balance of the valve)."""
    share = bypass_share(target, hot, cold, most=0.95)
    assert 0.0 <= share <= 0.95
    if 0.0 < share < 0.95:
        assert share * hot + (1.0 - share) * cold == pytest.approx(target, abs=1e-6)


def test_pump_obeys_the_affinity_laws():
    """P = Δp·Q/η at the operating point, P ∝ n³ (White, eq. 11.28)."""
    pump = Pump(0.12, 1.5e5, 0.3)
    assert pump.power(1.0, 600.0) == pytest.approx(1.5e5 * 0.12 / 600.0 / 0.3)
    assert pump.power(0.5, 600.0) == pytest.approx(pump.power(1.0, 600.0) / 8.0)


def small_network(enthalpy=None):
    return Network(
        {"tank": 100.0, "tube": 0.0, "wall": 10.0},
        streams=[Stream("tank", "tube", {"wall": 1.0}), Stream("tube", "tank")],
        enthalpy=enthalpy,
    )


def test_liquid_limits_name_place_time_and_temperature():
    """Ammonia at 25 bar boils at 331.3 K; at 5 bar at 277.3 K; its triple point is 195.5 K."""
    liquid, net = fluid("Ammonia", 25e5), small_network()
    assert liquid_limits(net, liquid, np.array([300.0, 310.0, 400.0]), time=5.0) == []
    (event,) = liquid_limits(net, liquid, np.array([190.0, 310.0, 100.0]), time=7.0)
    assert (event.node, event.time, event.temperature, event.limit) == ("tank", 7.0, 190.0, "freezing")
    assert event.limit_temperature == pytest.approx(195.5, abs=0.1)
    events = liquid_limits(net, liquid, np.array([300.0, 332.0, 300.0]), {"tank": 5e5})
    assert [e.node for e in events] == ["tank", "tube"] and {e.limit for e in events} == {"boiling"}
    assert events[0].limit_temperature == pytest.approx(277.3, abs=0.1)
    assert "boiling at 'tank', t = 0 s: 300.00 K" in str(events[0])
    assert len(liquid_limits(net, liquid, np.array([325.0, 310.0, 300.0]), margin=10.0)) == 1
    with pytest.raises(ModelError, match="no coolant at node 'wall'"):
        liquid_limits(net, liquid, np.zeros(3), {"wall": 1e5})


def heated_line(liquid, reference, heat, flow=0.1, inlet=273.15):
    """Outlet temperature of coolant heated from `inlet`, with constant and with true specific heat [K]."""
    outlets = []
    for scale in (None, liquid.enthalpy_scale(reference)):
        specific = float(liquid.at(reference)[1])
        net = Network(
            {"plate": 0.0, "outlet": 0.0},
            boundaries=["inlet"],
            streams=[Stream("inlet", "outlet", {"plate": 1.0})],
            drains=["outlet"],
            enthalpy=scale,
        )
        net.set_flow([flow * specific], [1e3])
        net.heat_input = np.array([heat, 0.0])
        start = net.values(np.full(3, inlet))
        outlets.append(float(net.temperature(net.eliminate(start, np.inf, start)[0])[1]))
    return outlets


def test_enthalpy_scale_follows_the_specific_heat():
    """Ammonia from 0 to 50 °C against CoolProp's enthalpy; with constant c at 25 °C less than 1 % of the rise off."""
    liquid = fluid("Ammonia", 25e5)
    low, high = (float(coolprop.PropsSI("H", "T", t, "P", 25e5, "Ammonia")) for t in (273.15, 323.15))
    constant, exact = heated_line(liquid, 298.15, 0.1 * (high - low))
    assert exact == pytest.approx(323.15, abs=1e-3)
    assert 0.2 < abs(constant - 323.15) < 0.5
    # In the loop of a module, 35 to 45 °C with c at 35 °C.
    low, high = (float(coolprop.PropsSI("H", "T", t, "P", 25e5, "Ammonia")) for t in (308.15, 318.15))
    constant, exact = heated_line(liquid, 308.15, 0.1 * (high - low), inlet=308.15)
    assert exact == pytest.approx(318.15, abs=1e-3) and abs(constant - 318.15) < 0.13


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_heat_is_conserved_with_varying_specific_heat(seed):
    """C_ref·Δθ summed over the loop equals the heat put in, to rounding; port slope is the derivative."""
    random = np.random.default_rng(seed)
    liquid = fluid("Ammonia", 25e5)
    net = small_network(liquid.enthalpy_scale(300.0))
    flow = float(random.uniform(-60.0, 60.0))
    net.set_flow([flow, flow], [float(random.uniform(0.0, 100.0)), 0.0])
    net.heat_input = np.array([0.0, 0.0, float(random.uniform(-500.0, 500.0))])
    start = net.values(random.uniform(280.0, 310.0, 3))
    values, _ = net.eliminate(start, 5.0, start)
    assert net.capacity @ (values - start) / 5.0 == pytest.approx(net.heat_input.sum(), abs=1e-8)
    assert net.values(net.temperature(values)) == pytest.approx(values, abs=1e-9)


def test_a_wall_cannot_be_enthalpy():
    with pytest.raises(ModelError, match="'b' is a wall and carries fluid"):
        Network(
            {"a": 1.0, "b": 1.0},
            streams=[Stream("a", "b", {"b": 1.0})],
            enthalpy=fluid("Ammonia", 25e5).enthalpy_scale(300.0),
        )


def test_plug_flow_keeps_a_step_sharp():
    """A step comes out one content later, in one step of time; a chain of n nodes smears it over delay/√n."""
    line, outlets = PlugFlowLine(10.0, 300.0), []
    for _ in range(20):
        outlets.append(line.outlet(1.0))
        line.push(1.0, 310.0)
    assert outlets == [300.0] * 10 + [310.0] * 10


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 5.0), st.floats(250.0, 350.0)), max_size=60), st.booleans())
def test_plug_flow_conserves_mass_and_heat(pushes, turned):
    line = PlugFlowLine(5.0, 300.0)
    content = line.heat_content
    for mass, temperature in pushes:
        content += mass * (temperature - line.outlet(mass))
        line.push(mass, temperature)
        if turned:
            line.reverse()
    assert line.heat_content == pytest.approx(content, rel=1e-12)
    assert line.parcels[:, 0].sum() == pytest.approx(5.0, rel=1e-12)


def test_plug_flow_refuses_more_than_it_holds():
    line = PlugFlowLine(1.0, 300.0)
    with pytest.raises(ModelError, match="take shorter steps"):
        line.outlet(1.5)
    with pytest.raises(ModelError, match="mass 0"):
        PlugFlowLine(0.0, 300.0)
