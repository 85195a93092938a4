"""Reduced thermal model of all modules of a group at once, behind the interface of the full one.

Needs no finite elements once the panel is trained (`twin.reduced_training`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.reduced import ReducedLoops
from solvers.reduced_panel import ReducedPanel
from twin.errors import BadInput
from twin.group_thermal import VALVE_LIMIT, VALVE_TIME, HeatLoads, ThermalTick
from twin.module_parameters import ThermalParameters
from twin.module_thermal import panel_mesh
from twin.reduced_loops import changed, loop_parameters, spread, values_of

if TYPE_CHECKING:
    from meshes.mesh import Mesh
    from solvers.coolant import LiquidLimitEvent

Array = NDArray[np.float64]

_VALVE_TOLERANCE = 1e-5
_VALVE_TRIALS = 60


class ReducedThermal:
    """N modules of one class with reduced panels (a `twin.group_thermal.GroupThermal`).

    Parameters
    ----------
    parameters : sequence of ThermalParameters
        One per module; kind of panel and coolant alike, all else may differ. For many modules :meth:`of_class` takes
        arrays.
    panel : ReducedPanel
        Trained for them (`twin.reduced_training.reduced_panel`).

    Attributes
    ----------
    values : mapping of field to (module,) array
        What differs between modules (`twin.reduced_loops.VARIABLE_FIELDS`); change it by :meth:`vary`.
    bypass : (module,) array
        Share of the coolant past the radiator.

    Raises
    ------
    BadInput
        If the panels of the modules differ in kind.
    OutsideTraining
        If an emissivity lies outside the range the panel was trained for.
    """

    def __init__(self, parameters: Sequence[ThermalParameters], panel: ReducedPanel):
        values = values_of(parameters)
        self._start(parameters[0], values, panel)

    @classmethod
    def of_class(
        cls, design: ThermalParameters, count: int, panel: ReducedPanel, **values: ArrayLike
    ) -> ReducedThermal:
        """Return many modules of one design.

        Parameters
        ----------
        design : ThermalParameters
        count : int
            Modules.
        panel : ReducedPanel
        **values : float or (module,) array
            Fields of `twin.reduced_loops.VARIABLE_FIELDS` that are other than the design's; `panels` is any number
            above 0.

        Raises
        ------
        BadInput
            Names the field, the module and the value.
        OutsideTraining
        """
        if count < 1:
            raise BadInput(f"reduced model: {count} modules; expected at least one")
        group = cls.__new__(cls)
        group._start(design, spread(design, count, values), panel)
        return group

    def _start(self, design: ThermalParameters, values: dict[str, Array], panel: ReducedPanel) -> None:
        self.design, self.values, self.panel = design, values, panel
        loops = loop_parameters(values, panel.specific_heat)
        self.loops = ReducedLoops(panel, loops, values["supply_temperature"])
        self.bypass = np.zeros(self.count)
        self._target = np.full(self.count, np.nan)
        self._span = np.nan

    def vary(self, **values: ArrayLike) -> None:
        """Change parameters of the modules between steps; temperatures and valves stay as they are.

        Parameters
        ----------
        **values : float or (module,) array
            New values of fields of `twin.reduced_loops.VARIABLE_FIELDS`.

        Raises
        ------
        BadInput
            Names the field, the module and the value; nothing is changed.
        OutsideTraining
            If an emissivity lies outside the training range; nothing is changed.

        Notes
        -----
        Heat in a panel, a plate or coolant that is added or taken away comes and goes with it, at its temperature: no
        step books it.
        """
        after = changed(self.values, values)
        self.loops.vary(loop_parameters(after, self.panel.specific_heat))
        self.values = after

    @property
    def count(self) -> int:
        """Modules."""
        return len(self.values["panels"])

    @property
    def supply(self) -> Array:
        """Set point of the supply temperature of every module [K]."""
        return self.values["supply_temperature"]

    @property
    def certificate(self) -> dict[str, Any]:
        """Errors of the reduced against the full model, and the range they hold in."""
        ranges = {f.name: list(getattr(self.panel.box, f.name)) for f in fields(self.panel.box)}
        return {**self.panel.certificate, "range": ranges}

    @property
    def coolant_density(self) -> float:
        """Of the coolant at the supply temperature [kg/m³]."""
        return self.panel.coolant_density

    @property
    def coolant_specific_heat(self) -> float:
        """Of the coolant at the supply temperature [J/kgK]."""
        return self.panel.specific_heat

    # -- valve ------------------------------------------------------------------------------------

    def valve_target(self) -> Array:
        """Share past the radiator that would hold the supply temperature, (module,)."""
        hot, cold = self.loops.node("return"), self.loops.place("outlet")
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

        def opening(bypass: Array, only: NDArray[np.bool_]) -> Array:
            self.loops.settle(loads.nodes, absorbed, mass_flow, bypass, only)
            return self.valve_target() - bypass

        every, low, high = (
            np.ones(self.count, dtype=bool),
            np.zeros(self.count),
            np.full(self.count, VALVE_LIMIT),
        )
        bypass = low.copy()
        opening(bypass, every)
        at_low = opening(bypass, every)
        # A closed valve that is too warm, or an open one that is too cold, is where the valve stays.
        search = at_low > 0.0
        bypass = np.where(search, high, low)
        at_high = opening(bypass, search)
        search &= at_high < 0.0
        left, side = search.copy(), np.zeros(self.count)
        for _ in range(_VALVE_TRIALS):
            if not left.any():
                break
            # Regula falsi (Illinois); every module by itself, and only until it is there.
            span = np.where(left, at_high - at_low, 1.0)
            bypass = np.where(left, high - at_high * (high - low) / span, bypass)
            value = opening(bypass, left)
            up, down = left & (value > 0.0), left & (value <= 0.0)
            at_high = np.where(up & (side > 0.0), 0.5 * at_high, at_high)
            at_low = np.where(down & (side < 0.0), 0.5 * at_low, at_low)
            low, at_low = np.where(up, bypass, low), np.where(up, value, at_low)
            high, at_high = np.where(down, bypass, high), np.where(down, value, at_high)
            side = np.where(up, 1.0, np.where(down, -1.0, side))
            left &= (np.abs(value) > _VALVE_TOLERANCE) & (high - low > _VALVE_TOLERANCE)
        # Film coefficients follow the inlet temperature that they bring about.
        opening(bypass, every)
        opening(bypass, every)
        self.bypass = bypass
        self.loops.check(absorbed, mass_flow, self.bypass)
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
            "array_back": node("array-back"),
        }

    def liquid_limits(self, time: float) -> list[tuple[int, LiquidLimitEvent]]:
        """Return (module, event) wherever the coolant freezes or boils now."""
        from solvers.coolant import LiquidLimitEvent

        freezing, boiling = self.panel.liquid_range
        places = {name: self.loops.node(name) for name in ("reservoir", "plate-outlet", "return")}
        places["radiator outlet"] = self.loops.place("outlet")
        events = []
        for place, values in places.items():
            for i in np.flatnonzero(values <= freezing):
                events.append((int(i), LiquidLimitEvent(place, time, float(values[i]), "freezing", freezing)))
            for i in np.flatnonzero(values >= boiling):
                events.append((int(i), LiquidLimitEvent(place, time, float(values[i]), "boiling", boiling)))
        return events

    # -- state ------------------------------------------------------------------------------------

    def forget_history(self) -> None:
        """Nothing to drop: a step follows from the state."""

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
        self.loops.assume(panel, fluid, nodes, mass_flow * (1.0 - bypass) / self.values["panels"])
        self.bypass = np.full(self.count, bypass)
        self._target = np.full(self.count, np.nan)

    @property
    def _shown(self) -> int:
        """Whole panels of the design."""
        return max(1, round(self.design.panels))

    def panel_mesh(self) -> Mesh:
        """Return the mesh of the radiator panels of a module."""
        return panel_mesh(replace(self.design, panels=self._shown))

    def panel_field(self, module: int) -> Array:
        """Return the temperature of every mesh node of the panels of the design [K]: those of a module are alike."""
        return np.tile(self.loops.field(module)[0], self._shown)
