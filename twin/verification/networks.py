"""Nodal networks: closed forms and the published four-node correlation case."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from twin.verification.registry import Check, ReferenceCase

CELSIUS = 273.15


def lumped_cooling() -> Iterator[Check]:
    """A node that radiates to 0 K: T⁻³ = T₀⁻³ + 3εσAt/(mc)."""
    from solvers.integrator import integrate
    from solvers.network import Network

    net = Network({"plate": 1780.0}, boundaries=["space"], radiators=[("plate", "space", 0.34)])
    state = np.array([300.0, 0.0])
    for step in integrate(net, state, 0.0, 3600.0, tolerance=1e-7):
        state = step.end
    yield Check("temperature at 3600 s, K", 186.5584, float(state[0]), 1e-4)


def loop_radiator() -> Iterator[Check]:
    """Coolant that cools along a radiator whose wall follows it: dT/dA = −ηεσT⁴/(ṁc)."""
    from solvers.network import Network, Stream

    count, flow, area = 2000, 4700.0, 100.0
    fluid = [f"fluid-{i}" for i in range(1, count + 1)]
    walls = {f"wall-{i}": 0.0 for i in range(1, count + 1)}
    chain = ["inlet", *fluid]
    net = Network(
        dict.fromkeys(fluid, 0.0) | walls,
        boundaries=["inlet", "space"],
        radiators=[(wall, "space", 0.95 * 0.9 * area / count) for wall in walls],
        streams=[Stream(a, b, {wall: 1.0}) for a, b, wall in zip(chain, fluid, walls)],
        drains=[fluid[-1]],
    )
    # A perfect film: the fluid leaves each segment at its wall's temperature.
    net.set_flow(np.full(count, flow), np.full(count, 1e3 * flow))
    guess = np.full(len(net.names), 305.0)
    guess[net.index["inlet"]], guess[net.index["space"]] = 310.0, 0.0
    temperature, _ = net.eliminate(guess, np.inf, guess)
    outlet = float(temperature[net.index[fluid[-1]]])
    yield Check("outlet temperature, K", 301.0201, outlet, 1e-4, True)
    yield Check("heat rejected, W", 42205.33, flow * (310.0 - outlet), 1e-3, True)


def four_nodes(capacity: tuple[float, float, float] = (3000.0, 2500.0, 2000.0)) -> Iterator[Check]:
    """Four nodes with linear and radiative conductors, 100 W on the first."""
    from solvers.integrator import integrate
    from solvers.network import Network

    net = Network(
        dict(zip(("1", "2", "3"), capacity)),
        boundaries=["4"],
        conductors=[("1", "2", 8.0), ("1", "3", 6.0), ("1", "4", 5.0)],
        radiators=[("2", "4", 0.04), ("2", "3", 0.08), ("3", "4", 0.03)],
    )
    net.heat_input = np.array([100.0, 0.0, 0.0])
    expected = {1000.0: (30.1915, 27.9020, 27.7710), 7200.0: (38.2943, 37.7058, 37.7034)}
    state, time = np.full(4, 20.0 + CELSIUS), 0.0
    for stop, values in expected.items():
        for step in integrate(net, state, time, stop, tolerance=1e-4):
            state = step.end
        time = stop
        for node, value in enumerate(values):
            yield Check(f"node {node + 1} at {stop:g} s, °C", value, float(state[node]) - CELSIUS, 0.01)


CASES = (
    ReferenceCase(
        "lumped-cooling", "one node radiating to 0 K", "closed form of dT/dt ∝ −T⁴", lumped_cooling
    ),
    ReferenceCase("loop-radiator", "coolant along a radiator", "closed form of dT/dA ∝ −T⁴", loop_radiator),
    ReferenceCase("four-nodes", "GL/GR network heated at a node", "four-node correlation case", four_nodes),
)
