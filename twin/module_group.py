"""Modules of one class: their arrays, batteries, buses and thermal models, advanced together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin import battery, component_models, power_bus, solar_array
from twin.attitude import Orientation
from twin.battery import BatteryState, BatteryStep
from twin.case.module_class import ModuleClass
from twin.counter_random import counter_normals
from twin.environment_track import ARRAY_FRONT, FaceFluxes, TickEnvironment
from twin.full_thermal import FullThermal
from twin.group_thermal import PLATE_CONTENT, GroupThermal, HeatLoads, ThermalTick
from twin.group_tick import GroupTick
from twin.module_geometry import face_orientations
from twin.module_heat import balance_temperature, heat_loads, radiator_now
from twin.module_parameters import ThermalParameters
from twin.module_power import PowerOutlook, PowerRequest
from twin.module_surfaces import ModuleSurfaces, SurfaceHeat
from twin.module_variation import ModuleVariation
from twin.power_bus import BusFlows
from twin.radiator_margin import radiator_margin, temperature_margin
from twin.solar_array import ArrayFlows, ArrayPoint

if TYPE_CHECKING:
    from twin.case.components import Coating
    from twin.compute import FleetTick
    from twin.module_view import ModuleView
    from twin.relay_network import RelayTick

Array = NDArray[np.float64]
type ThermalModelMaker = Callable[[ThermalParameters, Mapping[str, Array]], GroupThermal]

MARGIN_TIME = 900.0
"""Time over which needed and used radiator are averaged for the margin [s]."""

STORED_AGE_TEMPERATURE = 293.15
"""Temperature at which batteries are taken to have aged before the run [K]."""

_SPREAD_STREAMS = {
    "emissivity": 0x5EED_0400,
    "absorptance": 0x5EED_0401,
    "array_power": 0x5EED_0402,
    "mass_flow": 0x5EED_0403,
}


@dataclass
class ModuleGroup:
    """N modules of one class.

    Attributes
    ----------
    name : str
        Of the class.
    design : ModuleClass
    modules : slice
        Their places among all modules of the plant.
    sub_center : (N,) int array
    age : (N,) array
        At the start of the run [s].
    altitude : float
        For the radiation that the cells have seen [m].
    tolerance : float
        Of the thermal solver.
    seed : int
        Of the manufacturing spread.
    variation : ModuleVariation
        Beside that spread.
    thermal_model : callable
        From the thermal design of the class and what differs between modules to their thermal model; finite elements
        for each module by default.
    view : ModuleView, optional
        What the surfaces of a module see of each other; nothing by default.
    """

    name: str
    design: ModuleClass
    modules: slice
    sub_center: NDArray[np.int64]
    age: Array
    altitude: float
    tolerance: float
    seed: int = 0
    variation: ModuleVariation = field(default_factory=ModuleVariation)
    thermal_model: ThermalModelMaker | None = None
    view: ModuleView | None = None
    thermal: GroupThermal = field(init=False)
    radiator_use: Array | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        d, count = self.design, self.sub_center.size
        self.array = component_models.solar_array(d, self.altitude)
        self.battery = component_models.battery(d)
        self.bus = component_models.bus(d)
        self.card = component_models.card(d, d.racks.card.description or self.name)
        self._array_back = self._coatings(d.solar_array.back_coating)
        body = (
            np.array([self._coatings(f.coating) for f in d.body.faces]).reshape(-1, count, 2).swapaxes(0, 1)
        )
        self._body_radiating = body[:, :, 1] @ np.array([f.area for f in d.body.faces])
        self.surfaces = ModuleSurfaces(d, self.array, self.sub_center, self._array_back, body, self.view)
        self.thermal_design = component_models.thermal(d, float(self.age[0]))
        self._apply_variation()
        if self.thermal_model is None:
            self.thermal = FullThermal.of_class(
                self.thermal_design, count, self.tolerance, **self.thermal_values
            )
        else:
            self.thermal = self.thermal_model(self.thermal_design, self.thermal_values)
        fresh = BatteryState.at_rest(d.battery.initial_state_of_charge, count)
        state, _ = battery.age(
            self.battery, fresh, np.full(count, STORED_AGE_TEMPERATURE), np.zeros(count), self.age
        )
        lost = (1.0 - self.variation.of("battery_capacity", count)) * state.health.capacity_fraction
        health = replace(state.health, calendar_loss=state.health.calendar_loss + lost)
        self.battery_state = replace(state, health=health)
        self.temperature = {
            place: np.full(count, d.coolant_loop.supply_temperature)
            for place in ("array", "array_back", "battery", "body", "cold_plate", "panel_mean")
        }

    def _apply_variation(self) -> None:
        """Set what spread and variation change in the design."""
        d, count = self.design, self.count

        def factor(name: str) -> Array:
            spread = self._spread(name) if name in _SPREAD_STREAMS else 1.0
            return spread * self.variation.of(name, count)

        self.remaining = factor("array_power") * solar_array.remaining_factor(self.array, self.age)
        self.mass_flow = d.coolant_loop.mass_flow * factor("mass_flow")
        coatings = self._coatings(d.radiator.coating)
        self._radiator_absorptance = np.minimum(coatings[:, 0] * factor("absorptance"), 1.0)
        self._radiator_emittance = np.minimum(coatings[:, 1] * factor("emissivity"), 1.0)
        self.thermal_values = {
            "emissivity": self._radiator_emittance,
            "panels": d.radiator.panels * factor("radiator_area"),
            "plate_conductance": self.thermal_design.plate_conductance * factor("plate_conductance"),
            "array_back_emissivity": self._array_back[:, 1],
            "body_radiating_area": self._body_radiating,
        }
        area = self.radiator_area / d.radiator.panel_area
        self.surfaces.set_radiator(self._radiator_absorptance, self._radiator_emittance, area)

    def vary(self, variation: ModuleVariation) -> None:
        """Change the modules between ticks, as faults and estimates do.

        Parameters
        ----------
        variation : ModuleVariation
            In place of the present one. `card_power` is the fleet's to apply (`twin.plant.Plant.vary`).

        Raises
        ------
        ValueError
            If the capacity of batteries would change: that is settled when the group is built.
        """
        before, after = (v.of("battery_capacity", self.count) for v in (self.variation, variation))
        if not np.array_equal(before, after):
            raise ValueError("variation battery_capacity: cannot change during a run; ageing does that")
        self.variation = variation
        self._apply_variation()
        self.thermal.vary(**self.thermal_values)

    def _coatings(self, coating: Coating) -> Array:
        """Absorptance and emittance at the modules' ages, shape (module, 2)."""
        ages, place = np.unique(self.age, return_inverse=True)
        return np.array([component_models.coating_at(coating, age) for age in ages])[place]

    def _spread(self, name: str) -> Array:
        """Log-normal factors with mean 1 of the modules; that of a module depends on seed and place only."""
        sigma = getattr(self.design.spread, name)
        normal = counter_normals(self.seed, _SPREAD_STREAMS[name], self.modules.stop)[self.modules]
        return np.exp(sigma * normal - 0.5 * sigma**2)

    # -- what it is -------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """Modules."""
        return int(self.sub_center.size)

    @property
    def orientations(self) -> list[Orientation]:
        """Orientation of every face, in the order of the flux arrays."""
        return face_orientations(self.design)

    @property
    def radiator_area(self) -> Array:
        """Radiator area of each module, one face [m²]."""
        return self.design.radiator.panel_area * self.variation.of("radiator_area", self.count)

    @property
    def pump_power(self) -> Array:
        """Electrical power of each module's pump, whose speed gives the flow [W]."""
        from solvers.coolant import Pump

        loop = self.design.coolant_loop
        pump = Pump(loop.mass_flow, loop.pump.pressure_rise, loop.pump.efficiency)
        # Affinity laws: flow follows the speed, power its cube.
        return pump.power(1.0, self.thermal.coolant_density) * (self.mass_flow / loop.mass_flow) ** 3

    @property
    def supply_temperature(self) -> Array:
        """Coolant temperature at the inlet of the cold plates now, (module,) [K]."""
        return self.thermal.temperatures()["supply"]

    @property
    def supply_capacity(self) -> Array:
        """Heat capacity of the coolant there, (module,) [J/K]."""
        mass = (1.0 - PLATE_CONTENT) * self.design.coolant_loop.inventory_mass
        return np.full(self.count, mass * self.thermal.coolant_specific_heat)

    @property
    def overhead_power(self) -> float:
        """Power of hosts, memory and network per module [W]."""
        return self.design.racks.cards * self.design.racks.overhead_power

    def essential_demands(self, relay: RelayTick) -> dict[str, Array]:
        """Demand of everything but the cards [W]."""
        values = (
            np.full(self.count, self.design.bus.housekeeping_power),
            self.pump_power,
            relay.power[self.modules],
        )
        return dict(zip(power_bus.LOADS, values))

    # -- one tick ---------------------------------------------------------------------------------

    def array_point(self, faces: FaceFluxes) -> ArrayPoint:
        """Return what the arrays can give; reflected sunlight heats them but is not counted as power."""
        at = self.sub_center
        return solar_array.maximum_power(
            self.array,
            faces.array_flux[at],
            faces.incidence_cosine[at, ARRAY_FRONT],
            self.temperature["array"],
            self.remaining * self._strings(faces),
        )

    def _strings(self, faces: FaceFluxes) -> Array:
        """Power of the arrays over that without shadow on them."""
        return np.broadcast_to(faces.strings, faces.array_flux.shape)[self.sub_center]

    def power_outlook(self, env: TickEnvironment, point: ArrayPoint, relay: RelayTick) -> PowerOutlook:
        """Return what arrays, batteries and loads bring to the bus before the cards run."""
        d, temperature, racks = self.design, self.temperature["battery"], self.design.racks
        limits = battery.power_limits(self.battery, self.battery_state, temperature, env.dt)
        most = racks.cards * self.card.power_limit + self.overhead_power
        idle = racks.cards * (self.card.resident_power + self.card.leakage_power) + self.overhead_power
        energy, full = (
            battery.deliverable_energy(self.battery, state, most, temperature)
            for state in (self.battery_state, self._full_battery())
        )

        def each(value: float) -> Array:
            return np.full(self.count, value)

        return PowerOutlook(
            solar=point.power,
            essential=self.essential_demands(relay),
            most=each(most),
            idle=each(idle),
            overhead=each(self.overhead_power),
            limit=each(np.inf if d.bus.power_cap is None else d.bus.power_cap),
            time_to_eclipse=np.asarray(env.outlook.time_to_eclipse)[self.sub_center],
            duration=np.asarray(env.outlook.duration)[self.sub_center],
            energy=energy,
            full_energy=full,
            discharge=limits.discharge,
            charge=limits.charge,
        )

    def card_cap(self, env: TickEnvironment, point: ArrayPoint, relay: RelayTick) -> Array:
        """Return the cap on the power of the cards of each module on a bus of its own [W]."""
        return self.power_outlook(env, point, relay).card_cap(self.bus, self.design.bus.eclipse_policy)

    def _full_battery(self) -> BatteryState:
        full = np.full(self.count, self.battery.state_of_charge_max)
        return BatteryState(full, np.zeros(self.count), self.battery_state.health)

    def power_request(
        self, env: TickEnvironment, point: ArrayPoint, cards: FleetTick, relay: RelayTick
    ) -> PowerRequest:
        """Return what arrays, batteries and loads bring to the bus once the cards have run."""
        compute = cards.power[self.modules] + self._overhead(cards)
        limits, reserve = (
            battery.power_limits(self.battery, self.battery_state, self.temperature["battery"], env.dt, floor)
            for floor in (None, 0.0)
        )
        demands = {**self.essential_demands(relay), "compute": compute}
        return PowerRequest(point.power, demands, limits.discharge, limits.charge, reserve.discharge)

    def _overhead(self, cards: FleetTick) -> Array:
        """Power of the hosts: those of failed cards are off."""
        return self.overhead_power * np.divide(cards.cards_running[self.modules], self.design.racks.cards)

    def advance(
        self,
        env: TickEnvironment,
        faces: FaceFluxes,
        point: ArrayPoint,
        cap: Array,
        cards: FleetTick,
        relay: RelayTick,
        flows: BusFlows | None = None,
        loop_heat: Array | None = None,
    ) -> GroupTick:
        """Advance batteries and temperatures with the power that the cards drew.

        Parameters
        ----------
        env, faces, point, cap, cards, relay
            Of the tick.
        flows : BusFlows, optional
            Where the bus is shared (`twin.interconnect`); by default every module balances its own.
        loop_heat : (module,) array, optional
            Heat that the loops get from other modules [W].
        """
        if flows is None:
            flows = self.power_request(env, point, cards, relay).dispatch(self.bus)
        if loop_heat is None:
            loop_heat = np.zeros(self.count)
        card_heat, overhead = cards.heat_to_coolant[self.modules], self._overhead(cards)
        battery_step = battery.step(
            self.battery,
            self.battery_state,
            flows.battery_power,
            self.temperature["battery"],
            env.dt,
            state_of_charge_floor=0.0,
        )
        array = solar_array.draw_power(self.array, point, flows.solar_used)
        exported = flows.load_supplied["relay"] * relay.light_share[self.modules]
        surfaces = self.surfaces.heat(faces, self.temperature)
        loads = self._loads(surfaces, flows, battery_step, array, card_heat + overhead, exported, loop_heat)
        thermal = self.thermal.step(loads, self.mass_flow, env.time, env.dt, env.jump)
        # What surfaces of the module take from each other neither came in nor left.
        thermal = replace(
            thermal,
            absorbed=thermal.absorbed - surfaces.gained_by_radiator,
            emitted=thermal.emitted - surfaces.gained,
        )
        self.battery_state = battery_step.state
        self.temperature = {place: thermal.temperatures[place] for place in self.temperature}
        return GroupTick(
            point=point,
            array=array,
            flows=flows,
            battery=battery_step,
            thermal=thermal,
            card_cap=cap,
            overhead=overhead,
            exported=exported,
            loop_heat=loop_heat,
            absorbed=surfaces.absorbed + thermal.absorbed,
            surface_exchange=surfaces.gained_by_radiator,
            shadow_factor=self._strings(faces),
            margin=self._margin(thermal, surfaces, env.dt),
        )

    def settle(self, faces: FaceFluxes, card_power: Array, relay: RelayTick) -> None:
        """Start from the thermal balance of mean fluxes, with the cards at a guessed power [W]."""
        point = self.array_point(faces)
        zero = np.zeros(self.count)
        demands = {**self.essential_demands(relay), "compute": card_power + self.overhead_power}
        flows = power_bus.dispatch(self.bus, point.power, demands, zero, zero)
        array = solar_array.draw_power(self.array, point, flows.solar_used)
        heat = card_power + self.overhead_power
        surfaces = self.surfaces.heat(faces, self.temperature)
        loads = self._loads(surfaces, flows, None, array, heat, zero, zero)
        if self.view is not None:
            # The array is far from where it starts; what it gives others is that of its own balance.
            self._guess_array_temperature(loads)
            surfaces = self.surfaces.heat(faces, self.temperature)
            loads = self._loads(surfaces, flows, None, array, heat, zero, zero)
        self.thermal.settle(loads, self.mass_flow)
        now = self.thermal.temperatures()
        self.temperature = {place: now[place] for place in self.temperature}

    def _guess_array_temperature(self, loads: HeatLoads) -> None:
        """Put the arrays where both faces together radiate their heat."""
        radiating = self.array.area * (self.array.front_emissivity + self._array_back[:, 1])
        kelvin = balance_temperature(loads.nodes["array-front"] + loads.nodes["array-back"], radiating)
        self.temperature |= {"array": kelvin, "array_back": kelvin}

    # -- heat -------------------------------------------------------------------------------------

    def _loads(
        self,
        surfaces: SurfaceHeat,
        flows: BusFlows,
        battery_step: BatteryStep | None,
        array: ArrayFlows,
        plate_heat: Array,
        exported: Array,
        loop_heat: Array,
    ) -> HeatLoads:
        """Return the heat into the panels and every lumped node."""
        heat = np.zeros(self.count) if battery_step is None else battery_step.heat
        where = self.design.bus.conversion.card_supply_heat_to
        return heat_loads(surfaces, flows, array, heat, plate_heat, exported, loop_heat, where)

    def _margin(self, thermal: ThermalTick, surfaces: SurfaceHeat, dt: float) -> Array:
        now = radiator_now(self.design, self._radiator_emittance, thermal, surfaces)
        if self.radiator_use is None:
            self.radiator_use = now
        # While the load swings, valve and panel lag each other: the margin is that of a mean.
        self.radiator_use += -np.expm1(-dt / MARGIN_TIME) * (now - self.radiator_use)
        return radiator_margin(*self.radiator_use[:2])

    def temperature_margin(self) -> Array:
        """Return by how much the supply could be colder than its set point, (module,) [K] (see `radiator_margin`)."""
        assert self.radiator_use is not None, "no tick yet"
        _, used, rise, sink = self.radiator_use
        return temperature_margin(self.design.coolant_loop.supply_temperature, rise, used, sink)
