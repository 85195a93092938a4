"""Nodal networks: exact exchange laws, conservation, limits of flow, Newton against an independent solver."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import root

from solvers.constants import STEFAN_BOLTZMANN
from solvers.errors import ModelError
from solvers.integrator import integrate
from solvers.network import Network, Stream
from solvers.network_kernels import stream_exchange

flows = st.floats(1e-3, 1e4)
conductances = st.floats(0.0, 1e4)
temperatures = st.floats(200.0, 400.0)


def heated_stream(rate, conductance, inlet=350.0, wall=300.0):
    """Outlet temperature and heat into a wall of given temperature."""
    net = Network(
        {"outlet": 0.0},
        boundaries=["inlet"],
        ports=["wall"],
        streams=[Stream("inlet", "outlet", {"wall": 1.0})],
        drains=["outlet"],
    )
    net.set_flow([rate], [conductance])
    values, _ = net.eliminate(np.zeros(3), np.inf, np.array([320.0, inlet, wall]))
    return values[0], -net.heat_out(values)[2]


@settings(deadline=None)
@given(flows, conductances)
def test_stream_along_uniform_wall_is_exact(rate, conductance):
    """Effectiveness 1 − exp(−NTU) for a capacity ratio of 0 (Incropera, eq. 11.35a)."""
    outlet, heat = heated_stream(rate, conductance)
    effectiveness = -np.expm1(-conductance / rate)
    assert (350.0 - outlet) / 50.0 == pytest.approx(effectiveness, abs=1e-11)
    assert heat == pytest.approx(rate * effectiveness * 50.0, rel=1e-9, abs=1e-9)


def exchanger(direction, count, hot=100.0, cold=150.0, conductance=200.0):
    """Two streams along shared massless walls; effectiveness of the hot one."""
    hots, colds = ([f"{name}-{i}" for i in range(count)] for name in ("hot", "cold"))
    walls = [f"wall-{i}" for i in range(count)]
    hot_chain, cold_chain = ["hot-in", *hots], ["cold-in", *colds]
    along = walls if direction == "parallel" else walls[::-1]
    streams = [Stream(a, b, {w: 1.0}) for a, b, w in zip(hot_chain, hots, walls)]
    streams += [Stream(a, b, {w: 1.0}) for a, b, w in zip(cold_chain, colds, along)]
    net = Network(
        dict.fromkeys([*hots, *colds, *walls], 0.0),
        boundaries=["hot-in", "cold-in"],
        streams=streams,
        drains=[hots[-1], colds[-1]],
    )
    # Equal films on both sides of the wall: UA of the exchanger is half of each.
    net.set_flow(np.repeat([hot, cold], count), np.full(2 * count, 2.0 * conductance / count))
    guess = np.full(len(net.names), 300.0)
    guess[net.index["hot-in"]], guess[net.index["cold-in"]] = 400.0, 300.0
    values, _ = net.eliminate(guess, np.inf, guess)
    return (400.0 - values[net.index[hots[-1]]]) / 100.0


@pytest.mark.parametrize("direction", ["parallel", "counter"])
def test_two_streams_approach_the_effectiveness_of_a_heat_exchanger(direction):
    """Parallel flow and counterflow, NTU = 2, C_r = 2/3 (Incropera, eqs. 11.28a and 11.29a), at second order."""
    ntu, ratio = 2.0, 100.0 / 150.0
    if direction == "parallel":
        exact = (1.0 - np.exp(-ntu * (1.0 + ratio))) / (1.0 + ratio)
    else:
        bend = np.exp(-ntu * (1.0 - ratio))
        exact = (1.0 - bend) / (1.0 - ratio * bend)
    coarse, fine = (exchanger(direction, n) - exact for n in (20, 40))
    assert abs(fine) < 1e-3
    assert np.log2(coarse / fine) == pytest.approx(2.0, abs=0.1)


@settings(deadline=None)
@given(st.floats(0.0, 1e6), st.floats(0.0, 1e6))
def test_exchange_coefficients_are_positive_and_meet_the_exact_law(rate, conductance):
    """Both parts keep the matrix an M-matrix; together they are the exact law."""
    entering, standing = stream_exchange(rate, conductance)
    # The source may not give more than it brings.
    assert (
        -1e-12 * max(conductance, rate) <= entering <= rate * (1.0 + 1e-12) and 0.0 <= standing <= conductance
    )
    if rate > 0.0:
        ntu = conductance / rate
        assert entering + standing * np.exp(-ntu) == pytest.approx(
            rate * -np.expm1(-ntu), rel=1e-12, abs=1e-300
        )


@settings(deadline=None)
@given(st.floats(0.5, 500.0), st.lists(st.floats(0.0, 1e5), min_size=2, max_size=12))
def test_heat_grows_with_flow_from_standstill(conductance, rates):
    """From 0 to large flows: finite, monotone, bounded by the conductance times the largest difference."""
    results = [heated_stream(rate, conductance) for rate in sorted(rates)]
    outlets, heats = np.array(results).T
    assert np.all(np.isfinite(outlets)) and np.all(np.isfinite(heats))
    assert np.all(np.diff(heats) >= -1e-9) and np.all(heats <= 50.0 * conductance * (1.0 + 1e-12))
    assert np.all(np.diff(outlets) >= -1e-9) and outlets[0] >= 300.0 - 1e-9


def test_standing_coolant_cools_through_its_film():
    """A stopped tube is a lumped body: T − T_w ∝ exp(−UA·t/C) (Incropera, eq. 5.6)."""
    net = Network(
        {"start": 0.0, "end": 120.0},
        boundaries=["wall"],
        streams=[Stream("start", "end", {"wall": 1.0}), Stream("end", "start")],
    )
    net.set_flow([0.0, 0.0], [0.5, 0.0])
    state = np.array([310.0, 310.0, 270.0])
    for step in integrate(net, state, 0.0, 300.0, tolerance=1e-5):
        state = step.end
    assert state[1] == pytest.approx(270.0 + 40.0 * np.exp(-0.5 * 300.0 / 120.0), abs=1e-3)
    # Nothing reaches the node without capacity: it keeps its value.
    assert state[0] == 310.0


def test_vanishing_flow_tends_to_standstill():
    """The transient of a creeping flow tends to that of none, linearly in the flow."""

    def after(rate):
        net = Network(
            {"a": 50.0, "b": 120.0},
            boundaries=["wall"],
            streams=[Stream("a", "b", {"wall": 1.0}), Stream("b", "a")],
        )
        net.set_flow([rate, rate], [0.5, 0.0])
        return net.eliminate(np.array([320.0, 310.0, 270.0]), 60.0, np.array([320.0, 310.0, 270.0]))[0]

    still = after(0.0)
    gaps = [np.max(np.abs(after(rate) - still)) for rate in (1e-4, 1e-6, 1e-8)]
    assert gaps[0] < 0.05 and gaps[1] < 1.1e-2 * gaps[0] and gaps[2] < 1.1e-2 * gaps[1]


def loop(seed, rates=None):
    """Closed loop with two parallel lines, walls, radiators and conductors; random numbers."""
    random = np.random.default_rng(seed)
    net = Network(
        {name: float(random.uniform(0.0, 500.0)) for name in ("tank", "split", "a", "b", "wall-a", "box")},
        boundaries=["space"],
        ports=["wall-b", "plate"],
        conductors=[
            ("wall-a", "box", float(random.uniform(0, 20))),
            ("box", "plate", float(random.uniform(0, 20))),
        ],
        radiators=[("box", "space", float(random.uniform(0, 3))), ("wall-a", "space", 1.0)],
        streams=[
            Stream("tank", "split", {"plate": 0.3, "box": 0.7}),
            Stream("split", "a", {"wall-a": 1.0}),
            Stream("split", "b", {"wall-b": 1.0}),
            Stream("a", "tank"),
            Stream("b", "tank"),
        ],
    )
    if rates is None:
        rates = random.uniform(0.0, 100.0, 2) * random.choice([-1.0, 0.0, 1.0], 2)
    net.set_flow([sum(rates), *rates, *rates], [*random.uniform(0.0, 300.0, 3), 0.0, 0.0])
    net.heat_input = random.uniform(-100.0, 500.0, net.free)
    return net, random


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_heat_is_conserved_whatever_the_flow(seed):
    """What leaves some nodes arrives at others, to rounding, for any temperatures and directions of flow."""
    net, random = loop(seed)
    temperature = random.uniform(150.0, 400.0, len(net.names))
    heat = net.heat_out(temperature)
    assert abs(heat.sum()) <= 1e-12 * (np.abs(heat).sum() + np.abs(net.capacity_rate).sum() * 400.0)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 1e4))
def test_stage_conserves_heat_and_matches_an_independent_root_finder(seed, step):
    """Heat in = heat stored + heat out of ports and boundaries to rounding; temperatures as scipy.optimize.root."""
    net, random = loop(seed)
    start = random.uniform(250.0, 350.0, len(net.names))
    start[net.index["space"]] = 2.7
    net.capacity = np.maximum(net.capacity, 5.0)
    values, _ = net.eliminate(start, step, start)
    stored = net.capacity @ (values - start)[: net.free] / step
    outside = net.heat_out(values)[net.free :].sum()
    size = (
        net.heat_input.sum() + np.abs(net.heat_out(values)).sum() + 1e-3 * net.capacity.sum() / step * 350.0
    )
    assert net.heat_input.sum() - stored + outside == pytest.approx(0.0, abs=1e-11 * size)

    def missing(free):
        trial = np.concatenate([free, start[net.free :]])
        return (
            net.heat_input
            - net.heat_out(trial)[: net.free]
            - net.capacity / step * (free - start[: net.free])
        )

    independent = root(missing, start[: net.free], tol=1e-12)
    assert values[: net.free] == pytest.approx(independent.x, abs=1e-6)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_slope_at_the_ports_is_the_derivative(seed):
    """The Schur complement against central differences of the eliminated network."""
    net, random = loop(seed)
    net.capacity = np.maximum(net.capacity, 5.0)
    start = random.uniform(250.0, 350.0, len(net.names))

    def into_ports(change):
        guess = start.copy()
        guess[net.ports] += change
        return -net.heat_out(net.eliminate(start, 30.0, guess)[0])[net.ports]

    change = random.normal(size=2)
    difference = (into_ports(1e-2 * change) - into_ports(-1e-2 * change)) / 2e-2
    values, factor = net.eliminate(start, 30.0, start)
    values, factor = net.eliminate(start, 30.0, values)
    assert net.port_slope(factor, change) == pytest.approx(
        difference, rel=1e-3, abs=1e-4 * np.abs(difference).max()
    )
    both = net.port_slope(factor, np.column_stack([change, 2.0 * change]))
    assert both[:, 1] == pytest.approx(2.0 * both[:, 0])


def test_reversed_flow_is_the_network_with_its_streams_turned_round():
    results = []
    for there, rate in ((("left", "right"), -5.0), (("right", "left"), 5.0)):
        streams = [Stream(*there, {"wall": 1.0}), Stream(*there[::-1])]
        net = Network({"left": 30.0, "right": 30.0}, ports=["wall"], streams=streams)
        net.set_flow([rate, rate], [8.0, 0.0])
        start = np.array([320.0, 300.0, 280.0])
        results.append(net.eliminate(start, 3.0, start)[0])
    assert results[0] == pytest.approx(results[1], rel=1e-14)


def test_radiating_network_converges_from_a_bad_guess():
    """ε·σ·A·T⁴ = Q from 0 K and from 5000 K."""
    net = Network({"plate": 0.0}, boundaries=["space"], radiators=[("plate", "space", 0.5)])
    net.heat_input = np.array([400.0])
    exact = (400.0 / 0.5 / STEFAN_BOLTZMANN) ** 0.25
    for guess in (0.0, 5000.0):
        values, _ = net.eliminate(np.zeros(2), np.inf, np.array([guess, 0.0]))
        assert values[0] == pytest.approx(exact, rel=1e-10)


def chain(count, length=1000.0, rate=50.0):
    """Line of equal stirred nodes of total capacity `length` [J/K]."""
    names = [f"cell-{i}" for i in range(count)]
    ends = ["inlet", *names]
    net = Network(
        dict.fromkeys(names, length / count),
        boundaries=["inlet"],
        streams=[Stream(a, b) for a, b in zip(ends, names)],
        drains=[names[-1]],
    )
    net.set_flow(np.full(count, rate), np.zeros(count))
    return net


@pytest.mark.parametrize("count", [4, 16, 64])
def test_temperature_step_arrives_after_the_transport_delay(count):
    """Mean arrival = content/flow as in plug flow; spread = delay/√n (tanks in series, Levenspiel, eq. 14.3)."""
    net = chain(count)
    delay = 1000.0 / 50.0
    state = np.full(count + 1, 300.0)
    state[-1] = 301.0
    times, outlet = [0.0], [0.0]
    for step in integrate(net, state, 0.0, 4.0 * delay, tolerance=1e-4, max_step=0.25):
        times.append(step.time + step.dt)
        outlet.append(step.end[count - 1] - 300.0)
    arrived = np.diff(outlet)
    middle = 0.5 * (np.array(times[1:]) + np.array(times[:-1]))
    mean = middle @ arrived / arrived.sum()
    spread = np.sqrt((middle - mean) ** 2 @ arrived / arrived.sum())
    assert mean == pytest.approx(delay, rel=3e-3 if count > 4 else 2e-2)
    assert spread == pytest.approx(delay / np.sqrt(count), rel=0.05)


def test_factor_of_long_lines_has_no_fill():
    """Minimum degree: a line and a loop cost what their entries are; SuperLU has the same number at best."""
    net = chain(300)
    assert len(net._elimination.column) == 300 + 2 * 299


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_elimination_solves_random_networks(seed):
    """Planned LU against numpy on random conductor networks."""
    random = np.random.default_rng(seed)
    count = int(random.integers(1, 30))
    names = [f"n{i}" for i in range(count)]
    pairs = [(names[a], names[b], 1.0) for a, b in random.integers(0, count, (2 * count, 2)) if a != b]
    net = Network(
        dict.fromkeys(names, 0.0),
        boundaries=["ground"],
        conductors=[*pairs, *((n, "ground", 0.1) for n in names)],
    )
    net.heat_input = random.normal(size=count)
    values, _ = net.eliminate(np.zeros(count + 1), np.inf, np.zeros(count + 1))
    dense = np.column_stack([net.heat_out(unit)[:count] for unit in np.eye(count + 1)[:count]])
    assert values[:count] == pytest.approx(np.linalg.solve(dense, net.heat_input), abs=1e-9)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Network({"a": -1.0}), "node 'a': heat capacity"),
        (lambda: Network({"a": 1.0}, boundaries=["a"]), "named twice"),
        (lambda: Network({"a": 1.0}, conductors=[("a", "b", 1.0)]), "no node 'b'"),
        (lambda: Network({"a": 1.0, "b": 1.0}, conductors=[("a", "b", -1.0)]), "conductor 'a'-'b'"),
        (lambda: Network({"a": 1.0}, ports=["p"], radiators=[("a", "p", 1.0)]), "at port 'p'"),
        (lambda: Network({"a": 1.0, "b": 1.0}, streams=[Stream("a", "b", {"a": 0.4})]), "must sum to 1"),
        (lambda: chain(2).set_flow([1.0, 2.0], [0.0, 0.0]), "balance at node 'cell-0'"),
        (lambda: chain(2).set_flow([1.0, np.nan], [0.0, 0.0]), "stream 'cell-0'-'cell-1'"),
        (lambda: chain(2).set_flow([1.0, 1.0], [0.0, -1.0]), "conductance of 0 or more"),
    ],
)
def test_bad_networks_are_refused(build, message):
    with pytest.raises(ModelError, match=message):
        build()


def test_heat_without_a_way_out_names_the_node():
    net = Network({"lost": 0.0, "a": 0.0}, boundaries=["ground"], conductors=[("a", "ground", 1.0)])
    net.heat_input = np.array([1.0, 0.0])
    with pytest.raises(ModelError, match="'lost' has no way for heat"):
        net.eliminate(np.zeros(3), np.inf, np.zeros(3))
    pair = Network({"one": 0.0, "two": 0.0}, conductors=[("one", "two", 1.0)])
    with pytest.raises(ModelError, match="no way for heat"):
        pair.eliminate(np.zeros(2), np.inf, np.zeros(2))
