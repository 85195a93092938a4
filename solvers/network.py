"""Nodal thermal networks: linear and radiative conductors, coolant streams, boundary nodes and ports.

The thermal-network method of spacecraft analysis (GL and GR conductors between lumped nodes) with coolant streams that
exchange heat by the exact exponential (NTU) law, as in ECSS-E-HB-31-03A and Incropera, ch. 11. A *port* is a node whose
temperature another solver owns, such as a tube node of a finite-element panel: the network takes its temperature and
gives back the heat that flows into it and the derivative of that heat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import SuperLU, splu

from solvers.constants import STEFAN_BOLTZMANN
from solvers.errors import ConvergenceError, ModelError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Stream:
    """A coolant stream from node `source` to node `target` along a wall.

    Attributes
    ----------
    source, target : str
        Nodes the fluid leaves and enters.
    walls : mapping of str to float
        Wall nodes and their weights (which sum to 1); empty for an adiabatic line.
    """

    source: str
    target: str
    walls: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Blocks of the exchange matrix between free nodes and ports, and the magnitude of the free rows."""

    free: sparse.csc_matrix
    size: sparse.csr_array
    to_ports: sparse.csr_matrix
    from_ports: sparse.csr_matrix
    ports: sparse.csr_matrix


class Network:
    """A thermal network of lumped nodes.

    Parameters
    ----------
    capacity : mapping of str to float
        Free nodes with their heat capacity [J/K]; 0 for a node without storage.
    boundaries : sequence of str
        Nodes of prescribed temperature.
    ports : sequence of str
        Nodes whose temperature another solver owns.
    conductors : sequence of (str, str, float)
        Linear conductors (a, b, conductance [W/K]).
    radiators : sequence of (str, str, float)
        Radiative conductors (a, b, ε·A·F [m²]).
    streams : sequence of Stream
        Coolant streams; their flow and conductance are set by :meth:`set_flow`.
    drains : sequence of str
        Free nodes at the open end of a once-through line, which fluid leaves at their temperature.
    stefan_boltzmann : float
        [W/m²K⁴].

    Raises
    ------
    ModelError
        For an unknown node, a negative capacity or conductance, or wall weights that do not sum to 1.
    """

    def __init__(
        self,
        capacity: Mapping[str, float],
        *,
        boundaries: Sequence[str] = (),
        ports: Sequence[str] = (),
        conductors: Sequence[tuple[str, str, float]] = (),
        radiators: Sequence[tuple[str, str, float]] = (),
        streams: Sequence[Stream] = (),
        drains: Sequence[str] = (),
        stefan_boltzmann: float = STEFAN_BOLTZMANN,
    ):
        self.names: tuple[str, ...] = (*capacity, *boundaries, *ports)
        self.index = {name: i for i, name in enumerate(self.names)}
        if len(self.index) != len(self.names):
            twice = next(n for n in self.names if self.names.count(n) > 1)
            raise ModelError(f"node {twice!r} is named twice in the network")
        for name, value in capacity.items():
            if not value >= 0.0:
                raise ModelError(f"node {name!r}: heat capacity {value} J/K; expected 0 or more")
        self.free = len(capacity)
        self.ports = slice(self.free + len(boundaries), len(self.names))
        self.capacity: Array = np.array(list(capacity.values()), dtype=float)
        self.sigma = stefan_boltzmann
        self.streams = tuple(streams)
        self._linear = self._laplacian(conductors, "conductor", "W/K")
        self._radiative = self._laplacian(radiators, "radiative conductor", "m²")
        touching = self._radiative[self.ports]
        if touching.nnz:
            name = self.names[self.ports.start + int(touching.tocoo().row[0])]
            raise ModelError(f"radiative conductor at port {name!r}: radiation of a port belongs to its own solver")
        self._radiative_size = abs(self._radiative[: self.free])
        self._stream_matrices()
        self._drains = [self._node(name, "drain") for name in drains]
        self._factor: SuperLU | None = None
        self._factor_step = np.nan
        self._set_coupling(self._linear)
        self.capacity_rate: Array = np.zeros(len(self.streams))
        self.heat_input: Array = np.zeros(self.free)

    def _node(self, name: str, what: str) -> int:
        try:
            return self.index[name]
        except KeyError:
            raise ModelError(f"{what}: no node {name!r}; the nodes are {', '.join(self.names[:12])} ...") from None

    def _laplacian(self, conductors: Sequence[tuple[str, str, float]], what: str, unit: str) -> sparse.csr_array:
        """Return the matrix that turns temperatures into the heat leaving each node."""
        n = len(self.names)
        if not conductors:
            return sparse.csr_array((n, n))
        for a, b, value in conductors:
            if not value >= 0.0:
                raise ModelError(f"{what} {a!r}-{b!r}: {value} {unit}; expected 0 or more")
        a = np.array([self._node(c[0], what) for c in conductors])
        b = np.array([self._node(c[1], what) for c in conductors])
        g = np.array([c[2] for c in conductors], dtype=float)
        rows, cols = np.concatenate([a, b, a, b]), np.concatenate([a, b, b, a])
        return sparse.csr_array((np.concatenate([g, g, -g, -g]), (rows, cols)), shape=(n, n))

    def _stream_matrices(self) -> None:
        n, m = len(self.names), len(self.streams)
        source = np.array([self._node(s.source, "stream") for s in self.streams], dtype=int)
        target = np.array([self._node(s.target, "stream") for s in self.streams], dtype=int)
        rows, cols, weights = [], [], []
        for i, s in enumerate(self.streams):
            if s.walls and abs(sum(s.walls.values()) - 1.0) > 1e-12:
                raise ModelError(f"stream {s.source!r}-{s.target!r}: wall weights must sum to 1")
            for wall, weight in s.walls.items():
                rows.append(i)
                cols.append(self._node(wall, "stream wall"))
                weights.append(weight)
        every = np.arange(m)
        self._source = sparse.csr_array((np.ones(m), (every, source)), shape=(m, n))
        self._target = sparse.csr_array((np.ones(m), (every, target)), shape=(m, n))
        self._wall = sparse.csr_array((weights, (rows, cols)), shape=(m, n))
        self._has_wall = np.array([bool(s.walls) for s in self.streams])

    def set_flow(self, capacity_rate: Array, wall_conductance: Array) -> None:
        """Set the flow of every stream.

        Along a stream ``T_out = T_wall + (T_in − T_wall)·exp(−NTU)``, NTU = UA/(ṁc) (Incropera, eq. 11.35a); a
        stopped stream carries nothing and gives nothing.

        Parameters
        ----------
        capacity_rate : (stream,) array
            Mass flow times specific heat [W/K], 0 or more.
        wall_conductance : (stream,) array
            UA between the fluid and its wall [W/K].

        Raises
        ------
        ModelError
            If a flow is negative or flows do not balance at a node (which would lose energy).
        """
        rate = np.asarray(capacity_rate, dtype=float)
        if not np.all(rate >= 0.0) or not np.all(np.asarray(wall_conductance) >= 0.0):
            raise ModelError("stream flows and wall conductances must be 0 or more; reverse the stream instead")
        net = (self._target.T @ rate - self._source.T @ rate)[: self.free]
        net[self._drains] = 0.0
        if np.any(np.abs(net) > 1e-9 * max(rate.max(initial=0.0), 1e-300)):
            worst = int(np.argmax(np.abs(net)))
            raise ModelError(
                f"flow does not balance at node {self.names[worst]!r}: {net[worst]:+.6g} W/K more in than out"
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            ntu = np.where(rate > 0.0, wall_conductance / np.where(rate > 0.0, rate, 1.0), 0.0)
        exchanged = rate * -np.expm1(-np.where(self._has_wall, ntu, 0.0))
        give = sparse.diags_array(exchanged) @ (self._source - self._wall)
        # Heat that leaves: the wall receives ε·w·(T_in − T_wall); the target gets w·(T_out − T_target).
        carried = sparse.diags_array(rate) @ (self._target - self._source) + give
        self._set_coupling(sparse.csr_array(self._linear + self._target.T @ carried - self._wall.T @ give))
        self.capacity_rate = rate

    def _set_coupling(self, coupling: sparse.csr_array) -> None:
        """Keep the matrix of linear exchange and the blocks that every solve needs."""
        n, ports = self.free, self.ports
        self._coupling = coupling
        self._blocks = _Blocks(
            free=sparse.csc_matrix(coupling[:n, :n]),
            size=abs(coupling[:n]),
            to_ports=sparse.csr_matrix(coupling[ports, :n]),
            from_ports=sparse.csr_matrix(coupling[:n, ports]),
            ports=sparse.csr_matrix(coupling[ports, ports]),
        )
        self._factor = None

    def heat_out(self, temperature: Array) -> Array:
        """Return the heat that leaves each node through conductors and streams [W], shape (node,)."""
        fourth = np.abs(temperature) ** 3 * temperature
        return np.asarray(self._coupling @ temperature + self.sigma * (self._radiative @ fourth))

    def solve_stage(self, start: Array, step: float, time: float, guess: Array) -> Array:
        """Solve ``C (T − start)/step = heat_input − heat_out(T)`` (see `StageProblem`); all-node vectors.

        Boundary and port temperatures are taken from `guess` (their rate is not the network's business).
        """
        del time
        temperature, _ = self.eliminate(start, step, guess)
        return temperature

    def eliminate(
        self, start: Array, step: float, guess: Array, *, tolerance: float = 1e-12, iterations: int = 50
    ) -> tuple[Array, SuperLU | None]:
        """Solve the free nodes for given boundary and port temperatures; return them and the factorised Jacobian.

        Parameters
        ----------
        start, guess : (node,) arrays
            Temperatures at the start of the stage and the first guess, which holds the boundary and port values [K].
        step : float
            Length of the stage [s]; ``inf`` for a steady state.
        tolerance : float
            Residual relative to the heat that flows.
        iterations : int
            Newton steps allowed.

        Raises
        ------
        ConvergenceError
            Names the node with the largest imbalance.
        """
        n = self.free
        temperature = guess.copy()
        if n == 0:
            return temperature, None
        storage = np.zeros(n) if np.isinf(step) else self.capacity / step
        if self._factor is None or self._factor_step != step:
            self._factorize(storage, temperature[:n], step)
        previous = np.inf
        for _ in range(iterations):
            stored = storage * (temperature[:n] - start[:n])
            residual = self.heat_input - self.heat_out(temperature)[:n] - stored
            size = np.abs(temperature)
            scale = self._blocks.size @ size + self.sigma * (self._radiative_size @ size**4) + np.abs(self.heat_input)
            # Differences of temperatures near each other carry the rounding of the temperatures themselves.
            scale += np.abs(stored) + 1e-3 * storage * size[:n]
            worst = float(np.max(np.abs(residual) / (scale + 1e-300)))
            if worst > 0.1 * previous:
                # The factorisation is of another state: renew it.
                self._factorize(storage, temperature[:n], step)
            previous = worst
            assert self._factor is not None
            temperature[:n] += self._factor.solve(residual)
            if worst <= tolerance:
                return temperature, self._factor
        node = self.names[int(np.argmax(np.abs(residual)))]
        raise ConvergenceError(f"network: node {node!r} keeps an imbalance of {np.max(np.abs(residual)):.3g} W")

    def _factorize(self, storage: Array, temperature: Array, step: float) -> None:
        n = self.free
        jacobian = self._blocks.free + sparse.diags(storage)
        if self._radiative.nnz:
            slope = 4.0 * self.sigma * np.abs(temperature) ** 3
            jacobian = jacobian + self._radiative[:n, :n] @ sparse.diags(slope)
        try:
            self._factor = splu(sparse.csc_matrix(jacobian))
        except RuntimeError as error:
            isolated = np.flatnonzero(np.asarray(abs(jacobian).sum(axis=1)).ravel() == 0.0)
            name = self.names[int(isolated[0])] if isolated.size else "?"
            raise ModelError(f"the network is singular: node {name!r} has no way for heat to leave") from error
        self._factor_step = step

    def port_slope(self, factor: SuperLU | None, change: Array) -> Array:
        """Return how the heat into the ports changes with the port temperatures (the Schur complement).

        Parameters
        ----------
        factor : SuperLU
            From :meth:`eliminate`.
        change : (port,) or (port, k) array
            Change of the port temperatures [K].

        Returns
        -------
        (port,) or (port, k) array
            Change of the heat that flows into the ports [W].
        """
        blocks = self._blocks
        if factor is None:
            return -np.asarray(blocks.ports @ change)
        response = factor.solve(-np.asarray(blocks.from_ports @ change))
        return -np.asarray(blocks.ports @ change + blocks.to_ports @ response)

    def port_conductance(self) -> Array:
        """Return the conductance between each port and its neighbours held at their temperature [W/K]."""
        return np.asarray(self._blocks.ports.diagonal())

    def max_norm(self, values: Array) -> float:
        """Return the largest absolute value among the free nodes."""
        return float(np.max(np.abs(values[: self.free]), initial=0.0))
