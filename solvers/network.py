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
from numpy.typing import ArrayLike, NDArray

from solvers import network_kernels as kernels
from solvers.constants import STEFAN_BOLTZMANN
from solvers.errors import ConvergenceError, ModelError
from solvers.fluids import EnthalpyScale
from solvers.network_pattern import Elimination, Pattern

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

_LARGEST_CHANGE = 2.0
"""Newton may triple the temperature of a radiating network in one step, not more: T⁴ overshoots from the cold side."""


@dataclass(frozen=True)
class Stream:
    """A coolant stream from node `source` to node `target` along a wall.

    Attributes
    ----------
    source, target : str
        Nodes the fluid leaves and enters when its flow is positive. The fluid that stands in the line belongs
        to the node downstream.
    walls : mapping of str to float
        Wall nodes and their weights (which sum to 1); empty for an adiabatic line. Each wall has its weight's
        part of the conductance.
    """

    source: str
    target: str
    walls: Mapping[str, float] = field(default_factory=dict)


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
    enthalpy : EnthalpyScale, optional
        Specific heat that varies with temperature. The value of every node at an end of a stream is then its
        *enthalpy temperature*: heat carried and stored is exact with the constant specific heat of the scale, and
        :meth:`temperature` turns values into temperatures. Without it the specific heat is constant.

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
        enthalpy: EnthalpyScale | None = None,
    ):
        self.names: tuple[str, ...] = (*capacity, *boundaries, *ports)
        self.index = {name: i for i, name in enumerate(self.names)}
        if len(self.index) != len(self.names):
            twice = next(n for n in self.names if self.names.count(n) > 1)
            raise ModelError(f"node {twice!r} is named twice in the network")
        for name, value in capacity.items():
            if not 0.0 <= value < np.inf:
                raise ModelError(f"node {name!r}: heat capacity {value} J/K; expected 0 or more")
        self.free = len(capacity)
        self.ports = slice(self.free + len(boundaries), len(self.names))
        self.capacity: Array = np.array(list(capacity.values()), dtype=float)
        self.sigma = stefan_boltzmann
        self.streams = tuple(streams)
        self.enthalpy = enthalpy
        self._drains = np.array([self._node(name, "drain") for name in drains], dtype=int)
        linear = self._pairs(conductors, "conductor", "W/K")
        radiative = self._pairs(radiators, "radiative conductor", "m²")
        at_port = radiative[0][radiative[0] >= self.ports.start]
        if at_port.size:
            name = self.names[int(at_port[0])]
            raise ModelError(
                f"radiative conductor at port {name!r}: radiation of a port belongs to its own solver"
            )
        self._read_streams()
        self._pattern = Pattern(
            len(self.names), np.concatenate([linear[0], radiative[0], self._stream_pairs()])
        )
        self._conduction = self._laplacian(*linear)
        self._radiation = self._laplacian(*radiative) * self.sigma
        self._radiates = bool(np.any(self._radiation))
        self._place_streams()
        self._elimination = Elimination(self._pattern, self.free)
        self._allocate()
        self.capacity_rate: Array = np.zeros(len(self.streams))
        self.heat_input: Array = np.zeros(self.free)

    # -- building ---------------------------------------------------------------------------------

    def _node(self, name: str, what: str) -> int:
        try:
            return self.index[name]
        except KeyError:
            raise ModelError(
                f"{what}: no node {name!r}; the nodes are {', '.join(self.names[:12])} ..."
            ) from None

    def _pairs(
        self, conductors: Sequence[tuple[str, str, float]], what: str, unit: str
    ) -> tuple[Integers, Array]:
        """Return the node pairs and the values of conductors."""
        for a, b, value in conductors:
            if not 0.0 <= value < np.inf:
                raise ModelError(f"{what} {a!r}-{b!r}: {value} {unit}; expected 0 or more")
        ends = [(self._node(a, what), self._node(b, what)) for a, b, _ in conductors]
        return np.array(ends, dtype=np.int64).reshape(-1, 2), np.array(
            [c[2] for c in conductors], dtype=float
        )

    def _laplacian(self, pairs: Integers, value: Array) -> Array:
        """Return the data of the matrix that turns temperatures into the heat leaving each node."""
        a, b = pairs.T
        data = np.zeros(self._pattern.entries)
        for rows, columns, sign in ((a, a, 1.0), (b, b, 1.0), (a, b, -1.0), (b, a, -1.0)):
            np.add.at(data, self._pattern.places(rows, columns), sign * value)
        return data

    def _read_streams(self) -> None:
        self._source = np.array([self._node(s.source, "stream") for s in self.streams], dtype=np.int64)
        self._target = np.array([self._node(s.target, "stream") for s in self.streams], dtype=np.int64)
        walls, weights, starts = [], [], [0]
        for s in self.streams:
            if s.walls and abs(sum(s.walls.values()) - 1.0) > 1e-12:
                raise ModelError(f"stream {s.source!r}-{s.target!r}: wall weights must sum to 1")
            if any(weight < 0.0 for weight in s.walls.values()):
                raise ModelError(f"stream {s.source!r}-{s.target!r}: wall weights must be 0 or more")
            walls += [self._node(wall, "stream wall") for wall in s.walls]
            weights += list(s.walls.values())
            starts.append(len(walls))
        self._wall = np.array(walls, dtype=np.int64)
        self._weight = np.array(weights, dtype=float)
        self._wall_start = np.array(starts, dtype=np.int64)
        self._wall_stream = np.repeat(np.arange(len(self.streams)), np.diff(self._wall_start))
        self._scaled = np.zeros(len(self.names), dtype=np.bool_)
        if self.enthalpy is not None:
            self._scaled[self._source] = self._scaled[self._target] = True
            if np.any(self._scaled[self._wall]):
                name = self.names[int(self._wall[self._scaled[self._wall]][0])]
                raise ModelError(
                    f"node {name!r} is a wall and carries fluid: its value cannot be an enthalpy"
                )

    def _stream_pairs(self) -> Integers:
        u, d = self._source[self._wall_stream], self._target[self._wall_stream]
        ends = [(self._source, self._target), (self._wall, u), (self._wall, d)]
        return np.concatenate([np.column_stack(pair) for pair in ends]).astype(np.int64)

    def _place_streams(self) -> None:
        places, u, d, w = self._pattern.places, self._source, self._target, self._wall
        self._along = np.column_stack([places(d, d), places(d, u), places(u, u), places(u, d)])
        u, d = u[self._wall_stream], d[self._wall_stream]
        self._at_wall = np.column_stack(
            [places(w, w), places(w, u), places(w, d), places(u, w), places(d, w)]
        )

    def _allocate(self) -> None:
        n, entries = len(self.names), self._pattern.entries
        self._carried: Array = np.zeros(entries)
        self._exchange: Array = self._conduction.copy()
        self._jacobian: Array = np.zeros(entries)
        self._residual: Array = np.zeros(self.free)
        self._temperature: Array = np.zeros(n)
        self._slope: Array = np.ones(n)
        self._net: Array = np.zeros(n)
        self._factor_step = np.nan
        scale = self.enthalpy
        self._scale = (0.0, 1.0, np.zeros(0)) if scale is None else (scale.first, scale.spacing, scale.table)

    # -- state ------------------------------------------------------------------------------------

    @property
    def fluid_nodes(self) -> Integers:
        """Positions of the nodes that coolant passes, in order."""
        return np.unique(np.concatenate([self._source, self._target]))

    def temperature(self, values: Array) -> Array:
        """Return the temperatures of nodal values [K] (the same without an enthalpy scale), shape (node,)."""
        kernels.to_temperature(values, self._scaled, *self._scale, self._temperature, self._slope)
        return self._temperature.copy()

    def values(self, temperature: Array) -> Array:
        """Return the nodal values of temperatures [K], shape (node,)."""
        if self.enthalpy is None:
            return temperature.copy()
        return np.where(self._scaled, self.enthalpy.value(temperature), temperature)

    def set_flow(self, capacity_rate: ArrayLike, wall_conductance: ArrayLike) -> None:
        """Set the flow of every stream.

        Along a stream ``T_out = T_wall + (T_in − T_wall)·exp(−NTU)``, NTU = UA/(ṁc) (Incropera, eq. 11.35a). A
        stream that stops passes smoothly to conduction between the standing fluid, which belongs to the node
        downstream, and the wall (:func:`solvers.network_kernels.stream_exchange`).

        Parameters
        ----------
        capacity_rate : (stream,) array
            Mass flow times specific heat [W/K]; negative from target to source.
        wall_conductance : (stream,) array
            UA between the fluid and its wall, 0 or more [W/K].

        Raises
        ------
        ModelError
            If a number is not finite, a conductance is negative, or flows do not balance at a node (which would
            lose energy).
        """
        rate = np.ascontiguousarray(capacity_rate, dtype=float)
        conductance = np.ascontiguousarray(wall_conductance, dtype=float)
        count = len(self.streams)
        if rate.shape != (count,) or conductance.shape != (count,):
            raise ModelError(f"expected a flow and a conductance for each of the {count} streams")
        if not np.all(np.isfinite(rate)) or not np.all((conductance >= 0.0) & (conductance < np.inf)):
            bad = int(np.argmin(np.isfinite(rate) & (conductance >= 0.0) & (conductance < np.inf)))
            s = self.streams[bad]
            raise ModelError(
                f"stream {s.source!r}-{s.target!r}: flow {rate[bad]} W/K and conductance {conductance[bad]} W/K; "
                "expected finite numbers and a conductance of 0 or more"
            )
        kernels.net_flow(self._source, self._target, rate, self._net)
        net = self._net[: self.free]
        net[self._drains] = 0.0
        if np.any(np.abs(net) > 1e-9 * max(np.abs(rate).max(initial=0.0), 1e-300)):
            worst = int(np.argmax(np.abs(net)))
            raise ModelError(
                f"flow does not balance at node {self.names[worst]!r}: {net[worst]:+.6g} W/K more in than out"
            )
        self._carried[:] = 0.0
        self._exchange[:] = self._conduction
        wall = (self._wall_start, self._weight, self._at_wall)
        kernels.fill_streams(rate, conductance, self._along, *wall, self._carried, self._exchange)
        self._factor_step = np.nan
        self.capacity_rate = rate

    # -- solving ----------------------------------------------------------------------------------

    def _to_temperature(self, values: Array) -> Array:
        if self.enthalpy is None:
            return values
        kernels.to_temperature(values, self._scaled, *self._scale, self._temperature, self._slope)
        return self._temperature

    def _matrices(self) -> tuple[Integers, Integers, Array, Array, Array]:
        p = self._pattern
        return p.indptr, p.indices, self._carried, self._exchange, self._radiation

    def heat_out(self, temperature: Array) -> Array:
        """Return the heat that leaves each node through conductors and streams [W], shape (node,).

        A node counts the heat that streams bring it as negative; what a stream takes away is booked where it arrives.
        """
        out = np.empty(len(self.names))
        values = np.ascontiguousarray(temperature)
        kernels.heat_leaving(*self._matrices(), values, self._to_temperature(values), out)
        return out

    def solve_stage(self, start: Array, step: float, time: float, guess: Array) -> Array:
        """Solve ``C (T − start)/step = heat_input − heat_out(T)`` (see `StageProblem`); all-node vectors.

        Boundary and port temperatures are taken from `guess` (their rate is not the network's business).
        """
        del time
        temperature, _ = self.eliminate(start, step, guess)
        return temperature

    def eliminate(
        self, start: Array, step: float, guess: Array, *, tolerance: float = 1e-12, iterations: int = 100
    ) -> tuple[Array, Elimination | None]:
        """Solve the free nodes for given boundary and port temperatures; return them and the factorised Jacobian.

        A node that nothing enters or leaves keeps its value.

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

        Returns
        -------
        temperature : (node,) array
        factor : Elimination
            For :meth:`port_slope`; holds until the next call or flow.

        Raises
        ------
        ModelError
            If heat has no way out of a node.
        ConvergenceError
            Names the node with the largest imbalance.
        """
        n = self.free
        temperature = guess.copy()
        if n == 0:
            return temperature, None
        storage = np.zeros(n) if np.isinf(step) else self.capacity / step
        previous, worst, where = np.inf, np.inf, 0
        for _ in range(iterations):
            t = self._to_temperature(temperature)
            worst, where = kernels.imbalance(
                *self._matrices(), temperature, t, start, storage, self.heat_input, self._residual
            )
            if self._factor_step != step or worst > 0.1 * previous or (self._radiates and worst > 1e-9):
                # The factorisation is of another flow, step or state; a renewed one is also the exact slope.
                self._factorize(storage, t, step)
            previous = worst
            self._elimination.solve(self._residual)
            self._update(temperature[:n], self._residual)
            if worst <= tolerance:
                return temperature, self._elimination
        raise ConvergenceError(
            f"network: node {self.names[where]!r} keeps an imbalance of {worst:.3g} of the heat that flows there"
        )

    def _update(self, temperature: Array, change: Array) -> None:
        if self._radiates:
            relative = float(np.max(np.abs(change) / np.maximum(np.abs(temperature), 100.0)))
            if relative > _LARGEST_CHANGE:
                change *= _LARGEST_CHANGE / relative
        temperature += change

    def _factorize(self, storage: Array, temperature: Array, step: float) -> None:
        matrices = self._matrices()
        kernels.fill_jacobian(
            *matrices[:2],
            self._pattern.diagonal,
            *matrices[2:],
            temperature,
            self._slope,
            storage,
            self._jacobian,
        )
        bad = self._elimination.factorize(self._jacobian)
        if bad < 0:
            held = np.flatnonzero(
                (self._jacobian[self._pattern.diagonal[: self.free]] == 0.0) & (self.heat_input != 0.0)
            )
            bad = int(held[0]) if held.size else -1
        if bad >= 0:
            raise ModelError(
                f"the network is singular: node {self.names[bad]!r} has no way for heat to leave"
            )
        self._factor_step = step

    def port_slope(self, factor: Elimination | None, change: Array) -> Array:
        """Return how the heat into the ports changes with the port temperatures (the Schur complement).

        Parameters
        ----------
        factor : Elimination
            From :meth:`eliminate`.
        change : (port,) or (port, k) array
            Change of the port temperatures [K].

        Returns
        -------
        (port,) or (port, k) array
            Change of the heat that flows into the ports [W].
        """
        if change.ndim == 2:
            return np.column_stack([self.port_slope(factor, column) for column in change.T])
        p = self._pattern
        matrix = self._exchange if factor is None else self._jacobian
        vector = np.zeros(len(self.names))
        vector[self.ports] = change
        if factor is not None:
            response = np.empty(self.free)
            kernels.rows_times(p.indptr, p.indices, matrix, vector, 0, response)
            factor.solve(response)
            vector[: self.free] = -response
        into = np.empty(self.ports.stop - self.ports.start)
        kernels.rows_times(p.indptr, p.indices, matrix, vector, self.ports.start, into)
        return -into

    def port_conductance(self) -> Array:
        """Return the conductance between each port and its neighbours held at their temperature [W/K]."""
        return self._exchange[self._pattern.diagonal[self.ports]]

    def max_norm(self, values: Array) -> float:
        """Return the largest absolute value among the free nodes."""
        return float(np.max(np.abs(values[: self.free]), initial=0.0))
