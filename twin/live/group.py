"""Modules of one class as an ensemble: every module is there once per member, with its own parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from solvers.reduced import NODES
from twin.environment_track import TickEnvironment
from twin.group_thermal import VALVE_LIMIT
from twin.group_tick import GroupTick
from twin.module_group import ModuleGroup
from twin.radiator_margin import radiator_margin
from twin.reduced_thermal import ReducedThermal

if TYPE_CHECKING:
    from solvers.reduced_panel import ReducedPanel
    from twin.case.module_class import ModuleClass
    from twin.compute import FleetTick
    from twin.module_parameters import ThermalParameters
    from twin.module_view import ModuleView
    from twin.relay_network import RelayTick

Array = NDArray[np.float64]
type PanelMaker = Callable[[ThermalParameters], ReducedPanel]

RETURN = NODES.index("return")

EXTRA_ROWS = ("bypass", "valve_target", "state_of_charge", "rc_voltage")
"""Rows of the state behind modes and nodes; what the radiator's margin averages follows."""


@dataclass(frozen=True)
class MeasuredCards:
    """Cards as telemetry has them, in place of a `twin.compute.FleetTick`."""

    power: Array
    heat_to_coolant: Array
    cards_running: Array


@dataclass(frozen=True)
class MeasuredRelay:
    """Terminals as telemetry has them, in place of a `twin.relay_network.RelayTick`; all power becomes heat."""

    power: Array
    light_share: Array


class EnsembleGroup(ModuleGroup):
    """Copies of the modules of one class in one sub-center, lane = module · members + member.

    The design without its manufacturing spread: what a module really is, the filter finds out.
    """

    thermal: ReducedThermal

    @classmethod
    def build(
        cls,
        name: str,
        design: ModuleClass,
        age: Array,
        members: int,
        altitude: float,
        tolerance: float,
        panel: PanelMaker,
        view: ModuleView | None,
    ) -> EnsembleGroup:
        """Build the group of a class.

        Parameters
        ----------
        name : str
            Of the class.
        design : ModuleClass
        age : (n,) array
            Of its modules at the start of the mission [s].
        members : int
        altitude : float
            For the radiation the cells have seen [m].
        tolerance : float
            Of the thermal solver.
        panel : callable
            Gives the reduced panel for the thermal parameters of a module.
        view : ModuleView, optional
            What the surfaces of a module see of each other.
        """
        lanes = age.size * members
        even = design.spread.model_copy(update=dict.fromkeys(type(design.spread).model_fields, 0.0))
        design = design.model_copy(update={"spread": even})
        group = cls(
            name, design, slice(0, lanes), np.zeros(lanes, dtype=np.int64), np.repeat(age, members), altitude,
            tolerance, thermal_model=lambda base, values: ReducedThermal.of_class(
                base, len(values["emissivity"]), panel(base), **values
            ),
            view=view,
        )  # fmt: skip
        group.members = members
        group.card_heat = np.zeros(lanes)
        group.now = group.thermal.temperatures()
        group.nominal = {
            "emissivity": group._radiator_emittance.copy(),
            "absorptance": group._radiator_absorptance.copy(),
            "plate_conductance": group.thermal.values["plate_conductance"].copy(),
            "mass_flow": group.mass_flow.copy(),
            "array_power": group.remaining.copy(),
            "battery_capacity": group.battery_state.health.capacity_fraction.copy(),
        }
        return group

    members: int
    nominal: dict[str, Array]
    card_heat: Array
    now: dict[str, Array]

    @property
    def module_count(self) -> int:
        """Modules, each of which is there `members` times."""
        return self.count // self.members

    def emissivity_range(self) -> tuple[float, float]:
        """Factors on the emissivity between which the reduced model holds for all modules."""
        low, high = self.thermal.panel.box.emissivity
        seen = self.nominal["emissivity"] * self.thermal.values["view_to_space"]
        top = min(high / float(seen.max()), 1.0 / float(self.nominal["emissivity"].max()))
        return low / float(seen.min()) * 1.001, top * 0.999

    def flow_range(self) -> tuple[float, float]:
        """Factors on the coolant flow between which the reduced model holds."""
        low, high = self.thermal.panel.box.mass_flow
        rated = self.design.coolant_loop.mass_flow / float(self.thermal.values["panels"].min())
        return low / (1.0 - VALVE_LIMIT) / rated * 1.001, high / rated * 0.999

    def estimate(self, factors: Mapping[str, Array]) -> None:
        """Set the parameters of every lane.

        Parameters
        ----------
        factors : mapping of str to (lane,) array
            On emissivity, absorptance, plate_conductance, mass_flow, array_power and battery_capacity of the design.
        """
        self._radiator_emittance = self.nominal["emissivity"] * factors["emissivity"]
        self._radiator_absorptance = np.minimum(self.nominal["absorptance"] * factors["absorptance"], 1.0)
        self.surfaces.set_radiator(self._radiator_absorptance, self._radiator_emittance, np.ones(self.count))
        self.mass_flow = self.nominal["mass_flow"] * factors["mass_flow"]
        self.remaining = self.nominal["array_power"] * factors["array_power"]

        self.thermal.vary(
            emissivity=self._radiator_emittance,
            plate_conductance=self.nominal["plate_conductance"] * factors["plate_conductance"],
        )
        state = self.battery_state
        capacity = self.nominal["battery_capacity"] * factors["battery_capacity"]
        health = replace(state.health, calendar_loss=1.0 - capacity, cycle_loss=np.zeros_like(capacity))
        self.battery_state = replace(state, health=health)

    def run(
        self,
        env: TickEnvironment,
        faces: int,
        cards: MeasuredCards,
        relay: MeasuredRelay,
        cap: Array | None = None,
    ) -> GroupTick:
        """Advance all lanes by a tick with the power that their cards drew.

        Parameters
        ----------
        env : TickEnvironment
        faces : int
            Place of the group among those of the track.
        cards, relay
            (lane,) arrays.
        cap : (lane,) array, optional
            Cap on the power of the cards [W], for the record.
        """
        self.keep_in_range()
        flux = env.faces[faces]
        tick = self.advance(
            env,
            flux,
            self.array_point(flux),
            np.full(self.count, np.inf) if cap is None else cap,
            # The group reads power, heat and running cards only, which telemetry has as well.
            cast("FleetTick", cards),
            cast("RelayTick", relay),
        )
        self.now = dict(tick.thermal.temperatures)
        return tick

    def area_margin(self) -> Array:
        """Share of the radiator that could be missing now, per lane; NaN before the first tick."""
        if self.radiator_use is None:
            return np.full(self.count, np.nan)
        return np.clip(radiator_margin(*self.radiator_use[:2]), -10.0, 1.0)

    def keep_in_range(self) -> int:
        """Bring lanes back whose coolant left the range the reduced model was trained for; return how many."""
        loops = self.thermal.loops
        low, high = loops.panel.box.inlet_temperature
        hot = loops.nodes[:, RETURN]
        outside = ~((hot >= low) & (hot <= high))
        if outside.any():
            loops.nodes[outside, RETURN] = np.clip(np.nan_to_num(hot[outside], nan=low), low, high)
        return int(outside.sum())

    # -- state ------------------------------------------------------------------------------------

    def pack(self) -> Array:
        """Return the state as (module, row, member); the panels of a module in one regime."""
        loops, m = self.thermal.loops, self.members
        self._one_regime()
        use = np.zeros((0, self.count)) if self.radiator_use is None else self.radiator_use
        target = self.thermal._target
        extra = np.stack(
            [
                self.thermal.bypass,
                np.where(np.isnan(target), self.thermal.bypass, target),
                self.battery_state.state_of_charge,
                self.battery_state.rc_voltage,
                *use,
            ],
            axis=1,
        )
        rows = np.concatenate([loops.modes, loops.nodes, extra], axis=1)
        return rows.reshape(-1, m, rows.shape[1]).transpose(0, 2, 1)

    def unpack(self, state: Array) -> None:
        """Take over a state (module, row, member); fractions are kept within their limits."""
        loops = self.thermal.loops
        rows = state.transpose(0, 2, 1).reshape(self.count, -1)
        modes, nodes = loops.modes.shape[1], loops.nodes.shape[1]
        loops.modes = np.ascontiguousarray(rows[:, :modes])
        loops.nodes = np.ascontiguousarray(rows[:, modes : modes + nodes])
        bypass, target, soc, rc, *use = rows[:, modes + nodes :].T
        self.thermal.bypass = np.clip(bypass, 0.0, VALVE_LIMIT)
        if not np.isnan(self.thermal._span):
            self.thermal._target = np.clip(target, 0.0, VALVE_LIMIT)
        self.battery_state = replace(
            self.battery_state,
            state_of_charge=np.clip(soc, 0.0, self.battery.state_of_charge_max),
            rc_voltage=rc.copy(),
        )
        if self.radiator_use is not None:
            self.radiator_use = np.maximum(np.stack(use), 0.0)
        self.read_temperatures()

    def read_temperatures(self) -> None:
        """Let arrays and batteries see the temperatures of the thermal state."""
        self.now = self.thermal.temperatures()
        self.temperature = {place: self.now[place] for place in self.temperature}

    def take_balance(self, other: EnsembleGroup, lane: NDArray[np.int64]) -> None:
        """Start from the thermal state of lanes of another group of the class, `lane` (lane,) says which."""
        mine, its = self.thermal.loops, other.thermal.loops
        mine.regime, mine.modes, mine.nodes = its.regime[lane], its.modes[lane], its.nodes[lane]
        self.thermal.bypass = other.thermal.bypass[lane].copy()
        self.thermal._target = np.full(self.count, np.nan)
        self.read_temperatures()

    def node_row(self, name: str) -> int:
        """Row of a node in the packed state."""
        return self.thermal.loops.modes.shape[1] + NODES.index(name)

    def extra_row(self, name: str) -> int:
        """Row of one of `EXTRA_ROWS` in the packed state."""
        return self.thermal.loops.modes.shape[1] + len(NODES) + EXTRA_ROWS.index(name)

    def shift(self, offset: Array, *parts: str) -> None:
        """Warm parts of the lanes by an offset (lane,) [K]: nodes by name, and ``panel``."""
        loops = self.thermal.loops
        for part in parts:
            if part != "panel":
                loops.nodes[:, NODES.index(part)] += offset
                continue
            for number in np.unique(loops.regime):
                at = np.flatnonzero(loops.regime == number)
                one = loops._ones[number]
                loops.modes[at, : one.size] += offset[at, None] * one

    def _one_regime(self) -> None:
        """Express the modes of all members of a module in the regime of the first one: only then can they be mixed."""
        loops = self.thermal.loops
        regime = loops.regime.reshape(-1, self.members)
        if (regime == regime[:, :1]).all():
            return
        common = np.repeat(regime[:, 0], self.members)
        for old, new in {(int(o), int(n)) for o, n in zip(loops.regime, common) if o != n}:
            at = np.flatnonzero((loops.regime == old) & (common == new))
            count = loops.panel.regimes[old].modes
            moved = loops.modes[at, :count] @ loops.panel.transfers[new, old].T
            loops.modes[at] = 0.0
            loops.modes[at, : moved.shape[1]] = moved
        loops.regime = common.copy()
