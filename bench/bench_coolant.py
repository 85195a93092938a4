"""Coolant network of a radiator wing: new flow, elimination and slope, compared with general sparse matrices.

The peer is the same network on scipy.sparse: matrices multiplied and sliced at every new flow, SuperLU for the free
block. Both solve the same problem; the largest difference of their answers is in the table.

Usage: python bench/bench_coolant.py [--panels 2] [--tubes 12] [--edges 30]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from solvers.network import Network, Stream

RESULTS = Path(__file__).parent / "results" / "coolant.json"
FLOW = 570.0
STEP = 3.0


def wing(panels: int, tubes: int, edges: int) -> tuple[Network, np.ndarray, np.ndarray]:
    """Loop of reservoir, cold plate and parallel tubes whose walls are ports."""
    capacity = {"reservoir": 4e4, "plate-outlet": 0.0, "cold-plate": 4e3, "body": 3e5}
    streams = [Stream("reservoir", "plate-outlet", {"cold-plate": 1.0})]
    rate, conductance = [FLOW], [400.0]
    ports = []
    for tube in range(panels * tubes):
        fluid = [f"fluid.{tube}.{i}" for i in range(edges + 1)]
        walls = [f"wall.{tube}.{i}" for i in range(edges + 1)]
        capacity |= dict.fromkeys(fluid, 15.0)
        ports += walls
        streams.append(Stream("plate-outlet", fluid[0]))
        streams += [
            Stream(a, b, {u: 0.5, v: 0.5}) for a, b, u, v in zip(fluid[:-1], fluid[1:], walls[:-1], walls[1:])
        ]
        streams.append(Stream(fluid[-1], "reservoir"))
        rate += [FLOW / panels / tubes] * (edges + 2)
        conductance += [0.0, *[2.0] * edges, 0.0]
    network = Network(
        capacity,
        boundaries=["space"],
        ports=ports,
        conductors=[("cold-plate", "body", 10.0)],
        radiators=[("body", "space", 3.0)],
        streams=streams,
    )
    network.heat_input[network.index["cold-plate"]] = 5600.0
    return network, np.array(rate), np.array(conductance)


class ScipyNetwork:
    """The same equations on scipy.sparse."""

    def __init__(self, network: Network):
        n, m = len(network.names), len(network.streams)
        self.network, index = network, network.index
        every = np.arange(m)
        ends = np.array([(index[s.source], index[s.target]) for s in network.streams])
        pairs = [(i, index[w], f) for i, s in enumerate(network.streams) for w, f in s.walls.items()]
        row, wall, self.weight = (np.array(column) for column in zip(*pairs))
        self.row, self.pairs = row, np.arange(len(row))
        self.source = sparse.csr_array((np.ones(m), (every, ends[:, 0])), shape=(m, n))
        self.target = sparse.csr_array((np.ones(m), (every, ends[:, 1])), shape=(m, n))
        self.wall = sparse.csr_array((np.ones(len(row)), (self.pairs, wall)), shape=(len(row), n))
        entries = ((0, 0, 1.0), (1, 1, 1.0), (0, 1, -1.0), (1, 0, -1.0))
        body, plate, space = index["body"], index["cold-plate"], index["space"]
        self.linear, self.radiative = (
            sparse.csr_array(
                (
                    [s * value for *_, s in entries],
                    ([pair[a] for a, *_ in entries], [pair[b] for _, b, _ in entries]),
                ),
                shape=(n, n),
            )
            for pair, value in (((plate, body), 10.0), ((body, space), 3.0 * network.sigma))
        )

    def set_flow(self, rate: np.ndarray, conductance: np.ndarray) -> None:
        """Multiply and slice the matrices of a flow."""
        ntu = conductance / rate
        exchanged = (
            rate * -np.expm1(-ntu) - conductance * np.exp(-10.0 / np.maximum(ntu, 0.01)) * np.exp(-ntu)
        )[self.row]
        standing = (conductance * np.exp(-10.0 / np.maximum(ntu, 0.01)))[self.row]
        give = sparse.diags_array(exchanged * self.weight) @ (self.source[self.row] - self.wall)
        give = give + sparse.diags_array(standing * self.weight) @ (self.target[self.row] - self.wall)
        coupling = self.linear + self.target.T @ (sparse.diags_array(rate) @ (self.target - self.source))
        self.coupling = sparse.csr_array(coupling + self.target[self.row].T @ give - self.wall.T @ give)
        n, ports = self.network.free, self.network.ports
        self.free = sparse.csc_matrix(self.coupling[:n, :n])
        self.from_ports = sparse.csr_matrix(self.coupling[:n, ports])
        self.to_ports = sparse.csr_matrix(self.coupling[ports, :n])
        self.ports = sparse.csr_matrix(self.coupling[ports, ports])

    def eliminate(self, start: np.ndarray, step: float, guess: np.ndarray) -> np.ndarray:
        """Newton with SuperLU."""
        net, n, t = self.network, self.network.free, guess.copy()
        storage = net.capacity / step
        for _ in range(20):
            heat = self.coupling @ t + self.radiative @ t**4
            residual = net.heat_input - heat[:n] - storage * (t[:n] - start[:n])
            slope = self.radiative[:n, :n] @ sparse.diags(4.0 * t[:n] ** 3)
            self.factor = splu(sparse.csc_matrix(self.free + slope + sparse.diags(storage)))
            change = self.factor.solve(residual)
            t[:n] += change
            if np.max(np.abs(change)) < 1e-9:
                return t
        raise RuntimeError("no convergence")

    def port_slope(self, change: np.ndarray) -> np.ndarray:
        """Schur complement at the ports."""
        response = self.factor.solve(-(self.from_ports @ change))
        return -(self.ports @ change + self.to_ports @ response)


def best(run: Callable[[], object], repeats: int) -> float:
    """Shortest time of a call [s]."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--panels", type=int, default=2)
    parser.add_argument("--tubes", type=int, default=12)
    parser.add_argument("--edges", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=50)
    options = parser.parse_args()
    network, rate, conductance = wing(options.panels, options.tubes, options.edges)
    peer = ScipyNetwork(network)
    start = np.full(len(network.names), 310.0)
    start[network.index["space"]] = 2.7
    guess = start.copy()
    guess[network.ports] = np.linspace(280.0, 305.0, network.ports.stop - network.ports.start)
    change = np.ones(network.ports.stop - network.ports.start)

    network.set_flow(rate, conductance)
    peer.set_flow(rate, conductance)
    ours, factor = network.eliminate(start, STEP, guess)
    theirs = peer.eliminate(start, STEP, guess)
    difference = float(np.max(np.abs(ours - theirs)))
    slope = float(np.max(np.abs(network.port_slope(factor, change) - peer.port_slope(change))))

    def eliminate_anew() -> None:
        network.set_flow(rate, conductance)
        network.eliminate(start, STEP, guess)

    def peer_anew() -> None:
        peer.set_flow(rate, conductance)
        peer.eliminate(start, STEP, guess)

    rows = []
    for name, run, compare in (
        ("set_flow", lambda: network.set_flow(rate, conductance), lambda: peer.set_flow(rate, conductance)),
        ("set_flow + eliminate", eliminate_anew, peer_anew),
        ("port_slope", lambda: network.port_slope(factor, change), lambda: peer.port_slope(change)),
    ):
        before, after = best(compare, options.repeats), best(run, options.repeats)
        rows.append({"call": name, "scipy_seconds": before, "seconds": after, "ratio": before / after})
        eliminate_anew()
    print(f"{len(network.names)} nodes, {len(network.streams)} streams; best of {options.repeats}")
    for row in rows:
        print(
            f"{row['call']:>22}  scipy {1e3 * row['scipy_seconds']:8.3f} ms   here {1e3 * row['seconds']:8.3f} ms"
            f"   {row['ratio']:6.1f} x"
        )
    print(
        f"largest difference: {difference:.1e} K in temperatures, {slope:.1e} W/K in the slope of the ports"
    )
    RESULTS.parent.mkdir(exist_ok=True)
    report = {
        "nodes": len(network.names),
        "streams": len(network.streams),
        "rows": rows,
        "difference": difference,
    }
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
