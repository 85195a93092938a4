"""Reduced models of radiator panels and their coolant loops: POD-Galerkin with hyper-reduced radiation, in batches.

A panel with its tubes has the discrete balance

    C dT/dt = f − ε R(T) − A(ṁ, T_in) T + ṁc·b·T_return

(T: nodes of the panel and of the coolant in it). With few modes, T = V q and VᵀCV = 1, Galerkin's projection keeps what
the full model has: A + Aᵀ is positive semidefinite, so nothing grows; R is sampled with weights of 0 or more, so it
stays monotone; and the constant vector is a mode, so that one of the equations *is* the heat balance and the ledger
closes to rounding. A depends on the flow and the inlet temperature through a table of matrices, interpolated with
weights that sum to one, which keeps all this.

The rest of the loop (reservoir, cold plate, body, battery, solar wing) is small and is not reduced at all.
`solvers.reduced_training` makes the panels; nothing here needs dolfinx.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers import reduced_kernels as kernels
from solvers.constants import SPACE_TEMPERATURE, STEFAN_BOLTZMANN
from solvers.errors import ConvergenceError, ModelError

Array = NDArray[np.float64]

NODES = ("reservoir", "plate-outlet", "return", "cold-plate", "body", "battery", "array-front", "array-back")
"""Nodes of a loop in the order of its state."""

_PLACES = ("inlet", "outlet", "mean")

FORMAT = 2
"""Changes when the numbers in a stored model change their meaning."""


class OutsideTraining(ModelError):
    """A reduced model was asked for what it was not trained for; the message names the parameter.

    Parameters
    ----------
    message : str
    parameter : str
        Of `Box`.
    modules : (k,) int array
        Modules outside its range.
    """

    def __init__(self, message: str, parameter: str, modules: NDArray[np.int64]):
        super().__init__(message)
        self.parameter, self.modules = parameter, modules


@dataclass(frozen=True)
class Box:
    """Range in which a reduced panel was trained; each (lowest, highest).

    Attributes
    ----------
    absorbed : (float, float)
        Absorbed flux of both faces together [W/m²].
    emissivity : (float, float)
        Times the view to space.
    mass_flow : (float, float)
        Through a panel [kg/s].
    inlet_temperature : (float, float)
        Of the coolant [K].
    """

    absorbed: tuple[float, float]
    emissivity: tuple[float, float]
    mass_flow: tuple[float, float]
    inlet_temperature: tuple[float, float]

    def check(self, name: str, values: ArrayLike, unit: str) -> None:
        """Refuse values outside the range of a parameter.

        Raises
        ------
        OutsideTraining
            Names the parameter, the module, its value and the range.
        """
        low, high = getattr(self, name)
        each = np.atleast_1d(np.asarray(values, dtype=float))
        slack = 1e-4 * (high - low)
        fits = (each >= low - slack) & (each <= high + slack)
        if fits.all():
            return
        outside = np.flatnonzero(~fits)
        bad = int(outside[0])
        others = f" (and {outside.size - 1} more modules)" if outside.size > 1 else ""
        raise OutsideTraining(
            f"reduced model: {name.replace('_', ' ')} of module {bad} is {each[bad]:.6g} {unit}, outside the "
            f"{low:.6g} to {high:.6g} {unit} it was trained for{others}; run the full model (thermal: full) or train "
            "a wider range",
            name,
            outside,
        )


@dataclass(frozen=True, eq=False)
class Regime:
    """Modes and operators of a panel for a range of flows.

    Attributes
    ----------
    flows : (float, float)
        Mass flow through the panel in which it holds [kg/s].
    basis : (n, r) array
        Modes at the nodes of the panel, in mesh numbering; orthonormal in the heat capacity.
    fluid_basis : (f, r) array
        Modes at the fluid nodes of the tubes.
    flow, temperature : (a,), (b,) arrays
        Grid of the operators: mass flow over relative viscosity [kg/s] and inlet temperature [K].
    viscosity : (b,) array
        Relative viscosity at the temperatures of the grid.
    coefficients, terms : (a, b, k), (k, r, r) arrays
        A = Σₖ coefficientₖ·termₖ [1/s, in the units of the modes].
    samples : (s,) int array
        Nodes at which radiation is evaluated.
    weights : (s,) array
    extremes : (e,) int array
        Nodes among which the coldest and the hottest are found.
    inlet, outlet : int
        Fluid nodes where the coolant enters and leaves.
    errors : (3,) array
        Relative errors of the operators between points of the table and of the training integrals of radiation, and
        error of the training snapshots on the modes [K].
    """

    flows: Array
    basis: Array
    fluid_basis: Array
    flow: Array
    temperature: Array
    viscosity: Array
    coefficients: Array
    terms: Array
    samples: NDArray[np.int64]
    weights: Array
    extremes: NDArray[np.int64]
    inlet: int
    outlet: int
    errors: Array

    @property
    def modes(self) -> int:
        """Number of modes."""
        return self.basis.shape[1]


@dataclass(frozen=True, eq=False)
class ReducedPanel:
    """A radiator panel with its tubes, reduced.

    Attributes
    ----------
    regimes : tuple of Regime
        By rising flow; they overlap. Where two hold up to the same flow, the first has more modes: loops that come into
        its range take it, and pass on to the other when that holds them as well.
    capacity, fluid_capacity : (n,), (f,) arrays
        [J/K].
    area : (n,) array
        Of one face [m²].
    faces : int
        Faces that radiate.
    specific_heat, coolant_density : float
        Of the coolant [J/kgK, kg/m³].
    liquid_range : (float, float)
        Freezing and boiling temperature of the coolant [K].
    box : Box
    calm : float
        Error up to which a loop passes on to fewer modes [K].
    certificate : mapping
        Errors against the full model; see `twin.reduced_training`.
    """

    regimes: tuple[Regime, ...]
    capacity: Array
    fluid_capacity: Array
    area: Array
    faces: int
    specific_heat: float
    coolant_density: float
    liquid_range: tuple[float, float]
    box: Box
    calm: float = 0.06
    certificate: Mapping[str, Any] = field(default_factory=dict)

    @property
    def modes(self) -> int:
        """Largest number of modes of a regime."""
        return max(regime.modes for regime in self.regimes)

    @cached_property
    def transfers(self) -> dict[tuple[int, int], Array]:
        """Modes of one regime from those of another, (to, from) → (r_to, r_from); the heat stored stays the same."""
        return {
            (i, j): a.basis.T @ (self.capacity[:, None] * b.basis)
            + a.fluid_basis.T @ (self.fluid_capacity[:, None] * b.fluid_basis)
            for i, a in enumerate(self.regimes)
            for j, b in enumerate(self.regimes)
            if i != j
        }

    @property
    def calmer(self) -> list[tuple[int, int]]:
        """Pairs of regimes that hold for some of the same flows, from many modes to few."""
        ends = [float(regime.flows[1]) for regime in self.regimes]
        steady = [i for i in range(1, len(ends)) if ends[i] == ends[i - 1]]
        return [(k, i) for i in steady for k in range(i) if ends[k] > self.regimes[i].flows[0]]

    def regime_of(self, flow: Array, now: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the regime for flows [kg/s]: the present one as long as it holds, else the first that does."""
        low, high = np.array([regime.flows for regime in self.regimes]).T
        found = now.copy()
        leaving = np.flatnonzero((flow < low[now]) | (flow > high[now]))
        rate = flow[leaving, None]
        fits = (rate >= low) & (rate <= high)
        # Valves may be beyond all of them on the way to a steady state.
        beyond = np.where(flow[leaving] > high[-1], len(low) - 1, 0)
        found[leaving] = np.where(fits.any(axis=1), np.argmax(fits, axis=1), beyond)
        return found

    def operators(self, number: int) -> kernels.Operators:
        """Return the arrays of a regime that the kernels work on."""
        r, at = self.regimes[number], self.regimes[number].samples
        emission = STEFAN_BOLTZMANN * self.faces * r.weights * self.area[at]
        rows = np.ascontiguousarray(r.basis[at])
        # The linear part of radiation is exact: with all nodes.
        slope = STEFAN_BOLTZMANN * self.faces * r.basis.T @ (self.area[:, None] * r.basis)
        fill = np.zeros((-(len(r.terms) + 1) % 4, *slope.shape))
        terms = np.concatenate([r.terms, slope[None], fill])
        return kernels.Operators(
            flow=r.flow * self.specific_heat,
            temperature=np.ascontiguousarray(r.temperature),
            viscosity=np.ascontiguousarray(r.viscosity),
            coefficients=np.ascontiguousarray(r.coefficients),
            terms=np.ascontiguousarray(np.moveaxis(terms, 0, -1)),
            samples=rows,
            emission=emission,
            emission_rows=np.repeat(emission, kernels.LANES),
            emission_total=STEFAN_BOLTZMANN * self.faces * float(self.area.sum()),
            inlet=np.ascontiguousarray(r.fluid_basis[r.inlet]),
            outlet=np.ascontiguousarray(r.fluid_basis[r.outlet]),
            load=self.area @ r.basis,
            glow=STEFAN_BOLTZMANN * self.faces * (self.area @ r.basis),
            sink=SPACE_TEMPERATURE**4,
        )

    def project(self, panel: Array, fluid: Array, number: int) -> Array:
        """Return the modes of temperatures in a regime: the projection that keeps the heat stored, shape (r,)."""
        r = self.regimes[number]
        return (self.capacity * panel) @ r.basis + (self.fluid_capacity * fluid) @ r.fluid_basis

    def save(self, path: Path) -> None:
        """Write to a file, aside first, so that no reader sees half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {name: getattr(self, name) for name in ("capacity", "fluid_capacity", "area")}
        for k, regime in enumerate(self.regimes):
            arrays |= {f"{k}/{f.name}": np.asarray(getattr(regime, f.name)) for f in fields(regime)}
        notes = {"format": FORMAT, "regimes": len(self.regimes), "box": asdict(self.box)}
        for name in ("faces", "specific_heat", "coolant_density", "liquid_range", "calm"):
            notes[name] = getattr(self, name)
        notes["certificate"] = dict(self.certificate)
        handle, aside = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, notes=np.array(json.dumps(notes)), **arrays)
            Path(aside).replace(path)
        finally:
            Path(aside).unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> ReducedPanel:
        """Read from a file.

        Raises
        ------
        ModelError
            For a file of another format.
        """
        with np.load(path) as stored:
            arrays = {name: stored[name] for name in stored.files}
        notes = json.loads(str(arrays.pop("notes")))
        if notes.pop("format") != FORMAT:
            raise ModelError(f"{path}: reduced model of another format; delete it, and it is trained anew")
        box = Box(**{name: tuple(values) for name, values in notes.pop("box").items()})
        notes["liquid_range"] = tuple(notes["liquid_range"])
        regimes = []
        for k in range(notes.pop("regimes")):
            own = {f.name: arrays.pop(f"{k}/{f.name}") for f in fields(Regime)}
            own |= {name: int(own[name]) for name in ("inlet", "outlet")}
            regimes.append(Regime(**own))
        return cls(regimes=tuple(regimes), **arrays, **notes, box=box)


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
        for number in (kernels.BODY_EMISSION, kernels.FRONT_EMISSION, kernels.BACK_EMISSION):
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
        self.nodes = np.repeat(self._each(temperature)[:, None], kernels.NODES, axis=1)

    def vary(self, loops: LoopParameters) -> None:
        """Give the loops other parameters; their temperatures stay.

        Raises
        ------
        OutsideTraining
            If an emissivity lies outside the training range; nothing is changed.
        """
        table = loops.table()
        self.panel.box.check("emissivity", table[:, kernels.EMISSIVITY], "")
        self._table, self.count = table, len(table)
        self.panels = table[:, kernels.PANELS]
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
        table, weights = self._table, np.zeros((self.count, kernels.NODES))
        for node, row, share in (
            (kernels.RESERVOIR, kernels.RESERVOIR_CAPACITY, 1.0),
            (kernels.PLATE_OUTLET, kernels.OUTLET_CAPACITY, 1.0),
            (kernels.PLATE, kernels.PLATE_CAPACITY, 1.0),
            (kernels.BODY, kernels.BODY_CAPACITY, 1.0),
            (kernels.BATTERY, kernels.BATTERY_CAPACITY, 1.0),
            (kernels.ARRAY_FRONT, kernels.ARRAY_CAPACITY, 0.5),
            (kernels.ARRAY_BACK, kernels.ARRAY_CAPACITY, 0.5),
        ):
            weights[:, node] = share * table[:, row]
        return weights

    def _members(self) -> list[tuple[int, NDArray[np.int64]]]:
        """Regimes in use with the loops in them."""
        return [(int(k), np.flatnonzero(self.regime == k)) for k in np.unique(self.regime)]

    def _state_of(self, number: int, at: NDArray[np.int64]) -> Array:
        count = self.panel.regimes[number].modes
        return _to_blocks(np.concatenate([self.modes[at, :count], self.nodes[at]], axis=1))

    def _take_back(self, number: int, at: NDArray[np.int64], state: Array) -> None:
        count = self.panel.regimes[number].modes
        values = _from_blocks(state, at.size)
        self.modes[at, :count], self.nodes[at] = values[:, :count], values[:, count:]

    def _choose_regimes(self, flow: Array) -> None:
        """Pass loops on whose flow left their regime, and those that need its many modes no longer."""
        self._pass_on(self.panel.regime_of(flow, self.regime))
        for busy, calm, left in self._calmer:
            low, high = self.panel.regimes[calm].flows
            at = np.flatnonzero((self.regime == busy) & (flow >= low) & (flow <= high))
            if not at.size:
                continue
            before = _to_blocks(self.modes[at, : left.shape[1]])
            errors = np.empty((len(before), left.shape[0], kernels.LANES))
            kernels.transfer(left, before, errors)
            new = self.regime.copy()
            new[at[np.abs(_from_blocks(errors, at.size)).max(axis=1) <= self.panel.calm]] = calm
            self._pass_on(new)

    def _pass_on(self, new: NDArray[np.int64]) -> None:
        leaving = np.flatnonzero(new != self.regime)
        pairs = np.stack([self.regime[leaving], new[leaving]], axis=1)
        for old, now in np.unique(pairs, axis=0):
            at = leaving[(pairs[:, 0] == old) & (pairs[:, 1] == now)]
            transfer = self.panel.transfers[int(now), int(old)]
            before = _to_blocks(self.modes[at, : transfer.shape[1]])
            moved = np.empty((len(before), transfer.shape[0], kernels.LANES))
            kernels.transfer(np.ascontiguousarray(transfer), before, moved)
            self.modes[at] = 0.0
            self.modes[at, : transfer.shape[0]] = _from_blocks(moved, at.size)
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
            values = np.empty((len(state), 5, kernels.LANES))
            with _threads(len(state)):
                kernels.observe(self._rows[number], self._candidates[number], state, values)
            found[:, at] = _from_blocks(values, at.size).T
        return dict(zip((*_PLACES, "min", "max"), found))

    # -- running ----------------------------------------------------------------------------------

    def _inputs(
        self, heat: Mapping[str, ArrayLike], absorbed: ArrayLike, mass_flow: ArrayLike, bypass: ArrayLike
    ) -> tuple[Array, ...]:
        flux, rate, past = self._each(absorbed), self._each(mass_flow), self._each(bypass)
        self._choose_regimes(rate * (1.0 - past) / self.panels)
        nodes = np.zeros((self.count, kernels.NODES))
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
        rows = np.empty((kernels.ACCOUNTS, self.count))
        for number, at in self._members():
            state = self._state_of(number, at)
            account = np.empty((len(state), kernels.ACCOUNTS, kernels.LANES))
            blocks = [_to_blocks(values[at]) for values in inputs]
            with _threads(len(state)):
                kernels.advance_loops(
                    self._operators[number], _to_blocks(self._table[at]), state, *blocks, dt, account
                )
            self._take_back(number, at, state)
            rows[:, at] = _from_blocks(account, at.size).T
        _check(rows[kernels.LEFT], "step")
        return LoopAccount(
            rows[kernels.EMITTED], rows[kernels.NODE_EMITTED], rows[kernels.COOLANT_HEAT],
            self._heat_content() - before, rows[kernels.ITERATIONS],
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
            account = np.zeros((len(state), kernels.ACCOUNTS, kernels.LANES))
            blocks = [_to_blocks(values[at]) for values in inputs]
            with _threads(len(state)):
                kernels.settle_loops(
                    self._operators[number], _to_blocks(self._table[at]), state, *blocks, account
                )
            self._take_back(number, at, state)
            _check(_from_blocks(account, at.size)[:, kernels.LEFT], "steady state")

    def _heat_content(self) -> Array:
        """Heat stored, from a reference that drops out of differences [J]."""
        # Sums along a row keep their order whatever the number of rows.
        content = np.sum(self._storage * self.nodes, axis=1)
        for number, at in self._members():
            one = self._ones[number]
            content[at] += self.panels[at] * np.sum(self.modes[at, : one.size] * one, axis=1)
        return content


@contextmanager
def _threads(blocks: int) -> Iterator[None]:
    """Use no more threads than there is work for: waking them costs as much as some blocks."""
    most = numba.get_num_threads()
    numba.set_num_threads(max(1, min(most, blocks // 8)))
    try:
        yield
    finally:
        numba.set_num_threads(most)


def _to_blocks(values: Array) -> Array:
    """(N,) or (N, k) → (block, LANES) or (block, k, LANES); the last loop fills the last block."""
    lanes, count = kernels.LANES, len(values)
    missing = -count % lanes
    if missing:
        values = np.concatenate([values, np.repeat(values[-1:], missing, axis=0)])
    if values.ndim == 1:
        return np.ascontiguousarray(values.reshape(-1, lanes))
    return np.ascontiguousarray(values.reshape(-1, lanes, values.shape[1]).transpose(0, 2, 1))


def _from_blocks(values: Array, count: int) -> Array:
    return values.transpose(0, 2, 1).reshape(-1, values.shape[1])[:count]


def _check(left: Array, what: str) -> None:
    if np.all(left <= 1e-7):
        return
    bad = int(np.argmax(np.where(np.isnan(left), np.inf, left)))
    raise ConvergenceError(
        f"reduced model: {what} of module {bad} does not converge ({left[bad]:.3g} K left)"
    )
