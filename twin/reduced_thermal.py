"""Reduced thermal model of all modules of a group at once, behind the interface of the full one.

Needs no finite elements once the panel is trained (`twin.reduced_training`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.reduced import LoopParameters, ReducedLoops, ReducedPanel
from twin.errors import BadInput
from twin.module_parameters import ThermalParameters
from twin.module_thermal import PLATE_CONTENT, VALVE_LIMIT, VALVE_TIME, HeatLoads, ThermalTick, panel_mesh

if TYPE_CHECKING:
    from meshes.mesh import Mesh
    from solvers.coolant import LiquidLimitEvent

Array = NDArray[np.float64]

PANEL_FIELDS = (
    "panels", "width", "height", "thickness", "conductivity", "conductivity_across", "density", "specific_heat",
    "two_sided", "tubes", "arrangement", "tube_diameter", "mesh_size", "fluid", "pressure", "supply_temperature",
)  # fmt: skip
"""What all modules of a group must share."""

_VALVE_TOLERANCE = 1e-5


def loop_parameters(modules: Sequence[ThermalParameters], specific_heat: float) -> LoopParameters:
    """Return the loops of modules as arrays.

    Parameters
    ----------
    modules : sequence of ThermalParameters
    specific_heat : float
        Of the coolant [J/kgK].
    """

    def each(value: Callable[[ThermalParameters], float]) -> Array:
        return np.array([value(p) for p in modules], dtype=float)

    return LoopParameters(
        emissivity=each(lambda p: p.emissivity * p.view_to_space),
        reservoir_capacity=each(lambda p: (1.0 - PLATE_CONTENT) * p.inventory_mass * specific_heat),
        outlet_capacity=each(lambda p: PLATE_CONTENT * p.inventory_mass * specific_heat),
        plate_capacity=each(lambda p: p.cold_plate_capacity),
        body_capacity=each(lambda p: p.body_capacity),
        battery_capacity=each(lambda p: p.battery_capacity),
        array_capacity=each(lambda p: p.array_capacity),
        plate_conductance=each(lambda p: p.plate_conductance),
        body_conductance=each(lambda p: p.body_conductance),
        battery_conductance=each(lambda p: p.battery_conductance),
        array_conductance=each(lambda p: p.array_conductance),
        body_area=each(lambda p: p.body_radiating_area),
        front_area=each(lambda p: p.array_front_emissivity * p.array_area),
        back_area=each(lambda p: p.array_back_emissivity * p.array_area),
        panels=each(lambda p: p.panels),
    )


class ReducedThermal:
    """N modules of one class with reduced panels (a `twin.module_thermal.GroupThermal`).

    Parameters
    ----------
    parameters : sequence of ThermalParameters
        One per module; panels and coolant alike, all else may differ.
    panel : ReducedPanel
        Trained for them (`twin.reduced_training.reduced_panel`).

    Raises
    ------
    BadInput
        If the panels of the modules differ.
    OutsideTraining
        If an emissivity lies outside the range the panel was trained for.
    """

    def __init__(self, parameters: Sequence[ThermalParameters], panel: ReducedPanel):
        self.parameters = list(parameters)
        first = self.parameters[0]
        for i, p in enumerate(self.parameters):
            for name in PANEL_FIELDS:
                if getattr(p, name) != getattr(first, name):
                    raise BadInput(
                        f"reduced model: module {i} has {name} {getattr(p, name)!r}, module 0 has "
                        f"{getattr(first, name)!r}; modules of a class share their panels (make two classes)"
                    )
        self.panel = panel
        self.loops = ReducedLoops(
            panel, loop_parameters(self.parameters, panel.specific_heat), first.supply_temperature
        )
        self.supply = first.supply_temperature
        self.bypass = np.zeros(self.count)
        self._target = np.full(self.count, np.nan)
        self._span = np.nan

    @property
    def count(self) -> int:
        """Modules."""
        return len(self.parameters)

    @property
    def certificate(self) -> dict[str, Any]:
        """Errors of the reduced against the full model, and the range they hold in."""
        ranges = {f.name: list(getattr(self.panel.box, f.name)) for f in fields(self.panel.box)}
        return {**self.panel.certificate, "range": ranges}

    @property
    def coolant_density(self) -> float:
        """Of the coolant at the supply temperature [kg/m³]."""
        return self.panel.coolant_density

    # -- valve ------------------------------------------------------------------------------------

    def valve_target(self) -> Array:
        """Share past the radiator that would hold the supply temperature, (module,)."""
        hot, cold = self.loops.node("return"), self.loops.observe()["outlet"]
        gap = hot - cold
        share = np.clip((self.supply - cold) / np.where(gap > 1e-9, gap, 1.0), 0.0, VALVE_LIMIT)
        return np.where(gap > 1e-9, share, np.where(hot < self.supply, VALVE_LIMIT, 0.0))

    def _move_valve(self, dt: float) -> Array:
        """Let the valves follow their set points over a step; return their mean positions."""
        target = self.valve_target()
        slope = np.where(np.isnan(self._target), 0.0, (target - self._target) / self._span)
        ahead = np.clip(target + 0.5 * slope * dt, 0.0, VALVE_LIMIT)
        self._target, self._span = target, dt
        decay = np.exp(-dt / VALVE_TIME)
        mean = ahead + (self.bypass - ahead) * (1.0 - decay) * VALVE_TIME / dt
        self.bypass = ahead + (self.bypass - ahead) * decay
        return mean

    # -- running ----------------------------------------------------------------------------------

    def _absorbed(self, loads: HeatLoads) -> Array:
        """Absorbed flux of the radiating faces together [W/m²]."""
        total = np.broadcast_to(np.asarray(loads.radiator_front, dtype=float), (self.count,))
        return total + loads.radiator_back if self.panel.faces == 2 else total

    def settle(self, loads: HeatLoads, mass_flow: ArrayLike) -> None:
        """Go to the steady state of constant loads, with the valves where they hold the supply temperature."""
        absorbed = self._absorbed(loads)

        def opening(bypass: Array) -> Array:
            # Film coefficients follow the inlet temperature that they bring about.
            for _ in range(2):
                self.loops.settle(loads.nodes, absorbed, mass_flow, bypass)
            return self.valve_target() - bypass

        low, high = np.zeros(self.count), np.full(self.count, VALVE_LIMIT)
        at_low, at_high = opening(low), opening(high)
        # A closed valve that is too warm, or an open one that is too cold, is where the valve stays.
        stays = ~((at_low > 0.0) & (at_high < 0.0))
        end = high.copy()
        while np.any(~stays & (high - low > _VALVE_TOLERANCE)):
            middle = 0.5 * (low + high)
            value = opening(np.where(stays, end, middle))
            low, high = np.where(value > 0.0, middle, low), np.where(value > 0.0, high, middle)
        self.bypass = np.where(stays, np.where(at_low <= 0.0, 0.0, end), 0.5 * (low + high))
        opening(self.bypass)
        self.loops.check_inlet()
        self._target = np.full(self.count, np.nan)

    def step(self, loads: HeatLoads, mass_flow: ArrayLike, time: float, dt: float, jump: bool) -> ThermalTick:
        """Advance all modules by one implicit step; parameters as `ModuleThermal.step`."""
        del time, jump
        absorbed = self._absorbed(loads)
        mean = self._move_valve(dt)
        account = self.loops.step(loads.nodes, absorbed, mass_flow, mean, dt)
        taken_in = absorbed * self.panel.area.sum() * self.loops.panels
        return ThermalTick(
            temperatures=self.temperatures(),
            heat_rejected=account.emitted - taken_in,
            emitted=account.emitted + account.node_emitted,
            absorbed=taken_in,
            coolant_heat=account.coolant_heat,
            stored=account.stored,
            bypass_fraction=self.bypass.copy(),
        )

    def temperatures(self) -> dict[str, Array]:
        """Return the temperatures now by place, arrays (module,) [K]."""
        seen, node = self.loops.observe(), self.loops.node
        return {
            "panel_min": seen["min"],
            "panel_mean": seen["mean"],
            "panel_max": seen["max"],
            "supply": node("reservoir"),
            "return": node("return"),
            "radiator_outlet": seen["outlet"],
            "cold_plate": node("cold-plate"),
            "body": node("body"),
            "battery": node("battery"),
            "array": node("array-front"),
        }

    def liquid_limits(self, time: float) -> list[tuple[int, LiquidLimitEvent]]:
        """Return (module, event) wherever the coolant freezes or boils now."""
        from solvers.coolant import LiquidLimitEvent

        freezing, boiling = self.panel.liquid_range
        places = {name: self.loops.node(name) for name in ("reservoir", "plate-outlet", "return")}
        places["radiator outlet"] = self.loops.observe()["outlet"]
        events = []
        for place, values in places.items():
            for i in np.flatnonzero(values <= freezing):
                events.append((int(i), LiquidLimitEvent(place, time, float(values[i]), "freezing", freezing)))
            for i in np.flatnonzero(values >= boiling):
                events.append((int(i), LiquidLimitEvent(place, time, float(values[i]), "boiling", boiling)))
        return events

    # -- state ------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Array]:
        """Return all that a restart needs."""
        return {
            "modes": self.loops.modes.copy(),
            "nodes": self.loops.nodes.copy(),
            "regime": self.loops.regime.copy(),
            "bypass": self.bypass.copy(),
            "valve_target": self._target.copy(),
            "valve_span": np.array(self._span),
        }

    def restore(self, saved: Mapping[str, Array]) -> None:
        """Continue from a snapshot."""
        self.loops.modes = np.array(saved["modes"], dtype=float)
        self.loops.nodes = np.array(saved["nodes"], dtype=float)
        self.loops.regime = np.array(saved["regime"], dtype=np.int64)
        self.bypass = np.array(saved["bypass"], dtype=float)
        self._target = np.array(saved["valve_target"], dtype=float)
        self._span = float(saved["valve_span"])

    def assume(
        self, panel: Array, fluid: Array, nodes: Mapping[str, float], bypass: float, mass_flow: float
    ) -> None:
        """Put every module into a known state.

        Parameters
        ----------
        panel, fluid : (n,), (f,) arrays
            Temperatures of one panel and of the coolant in its tubes [K].
        nodes : mapping of node to K
        bypass : float
        mass_flow : float
            [kg/s].
        """
        self.loops.assume(panel, fluid, nodes, mass_flow * (1.0 - bypass) / self.parameters[0].panels)
        self.bypass = np.full(self.count, bypass)
        self._target = np.full(self.count, np.nan)

    def panel_mesh(self) -> Mesh:
        """Return the mesh of the radiator panels of a module."""
        return panel_mesh(self.parameters[0])

    def panel_field(self, module: int) -> Array:
        """Return the temperature of every mesh node of a module's panels [K]."""
        return np.tile(self.loops.field(module)[0], self.parameters[0].panels)
