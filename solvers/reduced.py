"""Coolant loops around reduced radiator panels, in batches.

The panels are those of `solvers.reduced_panel`; the rest of a loop (reservoir, cold plate, body, battery, solar wing)
is small and is not reduced at all. `solvers.reduced_training` makes the panels; nothing here needs dolfinx.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers import loop_kernels
from solvers import reduced_kernels as kernels
from solvers.constants import STEFAN_BOLTZMANN
from solvers.errors import ConvergenceError, ModelError
from solvers.lane_blocks import from_blocks, threads, to_blocks
from solvers.reduced_lanes import LANES
from solvers.reduced_panel import ReducedPanel

Array = NDArray[np.float64]

NODES = ("reservoir", "plate-outlet", "return", "cold-plate", "body", "battery", "array-front", "array-back")
"""Nodes of a loop in the order of its state."""

_PLACES = ("inlet", "outlet", "mean")


@dataclass(frozen=True, eq=False)
class LoopParameters:
    """What N loops around equal panels are made of: one value each, or one per loop.

    Attributes
    ----------
    emissivity : (N,) array
        Of the panels, times their view to space.
    reservoir_capacity, outlet_capacity, plate_capacity, body_capacity, battery_capacity, array_capacity : (N,) arrays
        Of the coolant in the reservoir and in the cold plates, of the plates, and so on [J/K].
    plate_conductance, body_conductance : (N,) arrays
        Between coolant and cold plates, coolant and body [W/K].
    battery_conductance, array_conductance : (N,) arrays
        Battery to body, front to back of the solar wing [W/K].
    body_area, front_area, back_area : (N,) arrays
        Σ ε·A of body, front and back of the wing [m²].
    panels : (N,) array
        Panels in parallel.
    """

    emissivity: Array
    reservoir_capacity: Array
    outlet_capacity: Array
    plate_capacity: Array
    body_capacity: Array
    battery_capacity: Array
    array_capacity: Array
    plate_conductance: Array
    body_conductance: Array
    battery_conductance: Array
    array_conductance: Array
    body_area: Array
    front_area: Array
    back_area: Array
    panels: Array

    def table(self) -> Array:
        """Return the parameters as the kernels want them, shape (N, PARAMETERS)."""
        rows = [np.asarray(getattr(self, f.name), dtype=float) for f in fields(self)]
        for number in (loop_kernels.BODY_EMISSION, loop_kernels.FRONT_EMISSION, loop_kernels.BACK_EMISSION):
            rows[number] = STEFAN_BOLTZMANN * rows[number]
        return np.stack(np.broadcast_arrays(*rows), axis=1)


@dataclass(frozen=True, eq=False)
class LoopAccount:
    """Where the heat of a step went, one value per loop.

    Attributes
    ----------
    emitted, node_emitted : (N,) arrays
        Mean net emission of the panels, and of body and wing [W].
    coolant_heat : (N,) array
        Mean heat from the cold plates [W].
    stored : (N,) array
        Rise of the heat stored everywhere [J].
    iterations : (N,) array
        Of Newton's method.
    """

    emitted: Array
    node_emitted: Array
    coolant_heat: Array
    stored: Array
    iterations: Array


class ReducedLoops:
    """N coolant loops with reduced panels, advanced together.

    Parameters
    ----------
    panel : ReducedPanel
    loops : LoopParameters
    temperature : float or (N,) array
        To start from [K].

    Attributes
    ----------
    modes : (N, r) array
        Of the panels; beyond the modes of a loop's regime they are zero.
    nodes : (N, NODES) array
        Temperatures of the nodes of `NODES` [K].
    regime : (N,) int array

    Raises
    ------
    OutsideTraining
        If an emissivity lies outside the training range.
    """

    def __init__(self, panel: ReducedPanel, loops: LoopParameters, temperature: ArrayLike):
        self.panel = panel
        self.vary(loops)
        self._operators = [panel.operators(k) for k in range(len(panel.regimes))]
        self._ones, self._rows, self._candidates = [], [], []
        for k, r in enumerate(panel.regimes):
            one = panel.project(np.ones(len(panel.capacity)), np.ones(len(panel.fluid_capacity)), k)
            mean = panel.area @ r.basis / panel.area.sum()
            rows = np.stack([r.fluid_basis[r.inlet], r.fluid_basis[r.outlet], mean])
            self._ones.append(one)
            self._rows.append(rows)
            self._candidates.append(np.ascontiguousarray(r.basis[r.extremes]))
        self._calmer = [(i, j, self._left_behind(i, j)) for i, j in panel.calmer]
        last = len(panel.regimes) - 1
        self.regime = np.full(self.count, last, dtype=np.int64)
        self.modes = np.zeros((self.count, panel.modes))
        self.modes[:, : panel.regimes[last].modes] = np.multiply.outer(
            self._each(temperature), self._ones[last]
        )
        self.nodes = np.repeat(self._each(temperature)[:, None], loop_kernels.NODES, axis=1)

    def vary(self, loops: LoopParameters) -> None:
        """Give the loops other parameters; their temperatures stay.

        Raises
        ------
        OutsideTraining
            If an emissivity lies outside the training range; nothing is changed.
        """
        table = loops.table()
        self.panel.box.check("emissivity", table[:, loop_kernels.EMISSIVITY], "")
        self._table, self.count = table, len(table)
        self.panels = table[:, loop_kernels.PANELS]
        self._storage = self._storage_weights()

    def _left_behind(self, busy: int, calm: int) -> Array:
        """Errors of the modes of one regime on those of another, at sampled nodes and at the ends of the tubes."""
        r, there = self.panel.regimes[busy], self.panel.transfers
        rows = np.concatenate([r.basis[r.samples], r.fluid_basis[[r.inlet, r.outlet]]])
        return np.ascontiguousarray(rows - rows @ there[busy, calm] @ there[calm, busy])

    # -- blocks -----------------------------------------------------------------------------------

    def _each(self, values: ArrayLike) -> Array:
        return np.broadcast_to(np.asarray(values, dtype=float), (self.count,))

    def _storage_weights(self) -> Array:
        """Heat stored per kelvin of the nodes, shape (N, NODES) [J/K]; the panels are counted apart."""
        table, weights = self._table, np.zeros((self.count, loop_kernels.NODES))
        for node, row, share in (
            (loop_kernels.RESERVOIR, loop_kernels.RESERVOIR_CAPACITY, 1.0),
            (loop_kernels.PLATE_OUTLET, loop_kernels.OUTLET_CAPACITY, 1.0),
            (loop_kernels.PLATE, loop_kernels.PLATE_CAPACITY, 1.0),
            (loop_kernels.BODY, loop_kernels.BODY_CAPACITY, 1.0),
            (loop_kernels.BATTERY, loop_kernels.BATTERY_CAPACITY, 1.0),
            (loop_kernels.ARRAY_FRONT, loop_kernels.ARRAY_CAPACITY, 0.5),
            (loop_kernels.ARRAY_BACK, loop_kernels.ARRAY_CAPACITY, 0.5),
        ):
            weights[:, node] = share * table[:, row]
        return weights

    def _members(self) -> list[tuple[int, NDArray[np.int64]]]:
        """Regimes in use with the loops in them."""
        return [(int(k), np.flatnonzero(self.regime == k)) for k in np.unique(self.regime)]

    def _state_of(self, number: int, at: NDArray[np.int64]) -> Array:
        count = self.panel.regimes[number].modes
        return to_blocks(np.concatenate([self.modes[at, :count], self.nodes[at]], axis=1))

    def _take_back(self, number: int, at: NDArray[np.int64], state: Array) -> None:
        count = self.panel.regimes[number].modes
        values = from_blocks(state, at.size)
        self.modes[at, :count], self.nodes[at] = values[:, :count], values[:, count:]

    def _choose_regimes(self, flow: Array) -> None:
        """Pass loops on whose flow left their regime, and those that need its many modes no longer."""
        self._pass_on(self.panel.regime_of(flow, self.regime))
        for busy, calm, left in self._calmer:
            low, high = self.panel.regimes[calm].flows
            at = np.flatnonzero((self.regime == busy) & (flow >= low) & (flow <= high))
            if not at.size:
                continue
            before = to_blocks(self.modes[at, : left.shape[1]])
            errors = np.empty((len(before), left.shape[0], LANES))
            kernels.transfer(left, before, errors)
            new = self.regime.copy()
            new[at[np.abs(from_blocks(errors, at.size)).max(axis=1) <= self.panel.calm]] = calm
            self._pass_on(new)

    def _pass_on(self, new: NDArray[np.int64]) -> None:
        leaving = np.flatnonzero(new != self.regime)
        pairs = np.stack([self.regime[leaving], new[leaving]], axis=1)
        for old, now in np.unique(pairs, axis=0):
            at = leaving[(pairs[:, 0] == old) & (pairs[:, 1] == now)]
            transfer = self.panel.transfers[int(now), int(old)]
            before = to_blocks(self.modes[at, : transfer.shape[1]])
            moved = np.empty((len(before), transfer.shape[0], LANES))
            kernels.transfer(np.ascontiguousarray(transfer), before, moved)
            self.modes[at] = 0.0
            self.modes[at, : transfer.shape[0]] = from_blocks(moved, at.size)
        self.regime = new

    # -- state ------------------------------------------------------------------------------------

    def node(self, name: str) -> Array:
        """Temperature of a node of every loop [K]."""
        return self.nodes[:, NODES.index(name)].copy()

    def assume(self, panel: Array, fluid: Array, nodes: Mapping[str, float], flow: ArrayLike) -> None:
        """Put every loop into a known state.

        Parameters
        ----------
        panel, fluid : (n,), (f,) arrays
            Temperatures of one panel and of the coolant in its tubes [K].
        nodes : mapping of node to K
        flow : float or (N,) array
            Through a panel [kg/s].
        """
        last = np.full(self.count, len(self.panel.regimes) - 1, dtype=np.int64)
        self.regime = self.panel.regime_of(self._each(flow), last)
        self.modes[:] = 0.0
        for number, at in self._members():
            modes = self.panel.project(panel, fluid, number)
            self.modes[at, : len(modes)] = modes
        self.nodes[:] = [nodes[name] for name in NODES]

    def field(self, loop: int) -> tuple[Array, Array]:
        """Return the temperatures of a loop's panel and of the coolant in it [K]."""
        regime = self.panel.regimes[int(self.regime[loop])]
        modes = self.modes[loop, : regime.modes]
        return regime.basis @ modes, regime.fluid_basis @ modes

    def place(self, name: str) -> Array:
        """Temperature of the ``inlet`` or the ``outlet`` of every loop's panels, or their ``mean`` [K]."""
        number, found = _PLACES.index(name), np.empty(self.count)
        for regime, at in self._members():
            row = self._rows[regime][number]
            found[at] = np.sum(self.modes[at, : row.size] * row, axis=1)
        return found

    def observe(self) -> dict[str, Array]:
        """Return inlet and outlet of the panels, and their mean, lowest and highest temperature [K]."""
        found = np.empty((5, self.count))
        for number, at in self._members():
            state = self._state_of(number, at)
            values = np.empty((len(state), 5, LANES))
            with threads(len(state)):
                kernels.observe(self._rows[number], self._candidates[number], state, values)
            found[:, at] = from_blocks(values, at.size).T
        return dict(zip((*_PLACES, "min", "max"), found))

    # -- running ----------------------------------------------------------------------------------

    def _inputs(
        self, heat: Mapping[str, ArrayLike], absorbed: ArrayLike, mass_flow: ArrayLike, bypass: ArrayLike
    ) -> tuple[Array, ...]:
        flux, rate, past = self._each(absorbed), self._each(mass_flow), self._each(bypass)
        self._choose_regimes(rate * (1.0 - past) / self.panels)
        nodes = np.zeros((self.count, loop_kernels.NODES))
        for name, values in heat.items():
            nodes[:, NODES.index(name)] = values
        return nodes, flux, rate * self.panel.specific_heat, past, self.place("inlet")

    def check(self, absorbed: ArrayLike, mass_flow: ArrayLike, bypass: ArrayLike) -> None:
        """Refuse loads, flows and present temperatures of the coolant at the inlet that no training saw.

        Parameters
        ----------
        absorbed : float or (N,) array
            Flux of both faces together [W/m²].
        mass_flow, bypass : float or (N,) arrays
            [kg/s] and share past the radiator.

        Raises
        ------
        OutsideTraining
        """
        box, each = self.panel.box, self._each(mass_flow) * (1.0 - self._each(bypass)) / self.panels
        box.check("absorbed", self._each(absorbed), "W/m²")
        box.check("mass_flow", each, "kg/s")
        box.check("inlet_temperature", self.node("return"), "K")

    def step(
        self,
        heat: Mapping[str, ArrayLike],
        absorbed: ArrayLike,
        mass_flow: ArrayLike,
        bypass: ArrayLike,
        dt: float,
    ) -> LoopAccount:
        """Advance all loops by one implicit step.

        Parameters
        ----------
        heat : mapping of node to W
        absorbed : float or (N,) array
            Flux of both faces together [W/m²].
        mass_flow, bypass : float or (N,) arrays
            [kg/s] and share past the radiator.
        dt : float
            [s].

        Raises
        ------
        OutsideTraining
        ConvergenceError
        """
        if not 0.0 < dt < np.inf:
            raise ModelError(f"step of {dt} s; expected a positive number")
        self.check(absorbed, mass_flow, bypass)
        inputs = self._inputs(heat, absorbed, mass_flow, bypass)
        before = self._heat_content()
        rows = np.empty((loop_kernels.ACCOUNTS, self.count))
        for number, at in self._members():
            state = self._state_of(number, at)
            account = np.empty((len(state), loop_kernels.ACCOUNTS, LANES))
            blocks = [to_blocks(values[at]) for values in inputs]
            with threads(len(state)):
                kernels.advance_loops(
                    self._operators[number], to_blocks(self._table[at]), state, *blocks, dt, account
                )
            self._take_back(number, at, state)
            rows[:, at] = from_blocks(account, at.size).T
        _check(rows[loop_kernels.LEFT], "step")
        return LoopAccount(
            rows[loop_kernels.EMITTED], rows[loop_kernels.NODE_EMITTED], rows[loop_kernels.COOLANT_HEAT],
            self._heat_content() - before, rows[loop_kernels.ITERATIONS],
        )  # fmt: skip

    def settle(
        self,
        heat: Mapping[str, ArrayLike],
        absorbed: ArrayLike,
        mass_flow: ArrayLike,
        bypass: ArrayLike,
        only: NDArray[np.bool_],
    ) -> None:
        """Go to the steady state of constant loads, films at the present inlet temperature; loops marked in `only`.

        On the way to a state that is sought valves and inlets may be anywhere: :meth:`check` is the caller's.
        """
        inputs = self._inputs(heat, absorbed, mass_flow, bypass)
        for number, members in self._members():
            at = members[only[members]]
            if not at.size:
                continue
            state = self._state_of(number, at)
            account = np.zeros((len(state), loop_kernels.ACCOUNTS, LANES))
            blocks = [to_blocks(values[at]) for values in inputs]
            with threads(len(state)):
                kernels.settle_loops(
                    self._operators[number], to_blocks(self._table[at]), state, *blocks, account
                )
            self._take_back(number, at, state)
            _check(from_blocks(account, at.size)[:, loop_kernels.LEFT], "steady state")

    def _heat_content(self) -> Array:
        """Heat stored, from a reference that drops out of differences [J]."""
        # Sums along a row keep their order whatever the number of rows.
        content = np.sum(self._storage * self.nodes, axis=1)
        for number, at in self._members():
            one = self._ones[number]
            content[at] += self.panels[at] * np.sum(self.modes[at, : one.size] * one, axis=1)
        return content


def _check(left: Array, what: str) -> None:
    if np.all(left <= 1e-7):
        return
    bad = int(np.argmax(np.where(np.isnan(left), np.inf, left)))
    raise ConvergenceError(
        f"reduced model: {what} of module {bad} does not converge ({left[bad]:.3g} K left)"
    )
