"""From the components of a case to the parameters of the physics modules, at the plant's present age."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from twin.battery import BatteryParameters
from twin.battery_ageing import AgeingParameters, CalendarAgeing, CycleAgeing
from twin.battery_cell import BatteryCellParameters
from twin.card_model import CardParameters
from twin.environment import EnvironmentSet
from twin.failures import (
    COMMERCIAL_SINGLE_EVENTS,
    RESISTANT_SINGLE_EVENTS,
    HazardParameters,
    ReliabilityParameters,
)
from twin.ground import GroundStation
from twin.module_parameters import ThermalParameters
from twin.power_bus import BusParameters
from twin.power_converter import ConverterParameters
from twin.radiation_dose import COMMERCIAL_CARD, RADIATION_RESISTANT_CHIP
from twin.relay_network import OutwardTarget
from twin.solar_array import SolarArrayParameters
from twin.solar_cell import CellParameters
from twin.terminal import TerminalParameters

if TYPE_CHECKING:
    from twin.case import Case
    from twin.case.availability import Reliability
    from twin.case.components import BatteryCell, Coating, Terminal
    from twin.case.module_class import Converter, ModuleClass


def environment_set(case: Case) -> EnvironmentSet:
    """Return the Sun and Earth of a case."""
    e = case.environment
    return EnvironmentSet(e.solar_flux, e.albedo, e.earth_infrared, e.scaled_with_distance)


def coating_at(coating: Coating, age: float) -> tuple[float, float]:
    """Return (absorptance, emittance) at an age [s]."""
    life = age / coating.end_of_life
    return coating.absorptance.at(life), coating.emissivity.at(life)


def solar_array(design: ModuleClass, altitude: float) -> SolarArrayParameters:
    """Return the solar wing; radiation at `altitude` [m] above the equatorial radius."""
    wing, cell = design.solar_array, design.solar_array.cell
    rates = np.array(cell.fluence_rate)
    parameters = CellParameters.from_efficiency(
        cell.efficiency,
        power_temperature_coefficient=cell.power_temperature_coefficient,
        area=cell.area,
        open_circuit_voltage=cell.open_circuit_voltage,
        open_circuit_voltage_slope=cell.open_circuit_voltage_slope,
        junctions=cell.junctions,
        reference_flux=cell.reference_flux,
        reference_temperature=cell.reference_temperature,
        absorptance=cell.absorptance,
        emissivity=cell.emissivity,
        fluences=tuple(row[0] for row in cell.remaining_power),
        remaining_power=tuple(row[1] for row in cell.remaining_power),
    )
    return SolarArrayParameters(
        cell=parameters,
        area=wing.area,
        packing_factor=wing.packing_factor,
        cells_in_series=wing.cells_in_series,
        blocking_diode_drop=wing.blocking_diode_drop,
        harness_efficiency=wing.harness_efficiency,
        mppt_efficiency=wing.mppt_efficiency,
        gap_absorptance=wing.gap_absorptance,
        gap_emissivity=wing.gap_emissivity,
        fluence_rate=float(np.interp(altitude, rates[:, 0], rates[:, 1])),
        ageing_rate=cell.ageing_rate,
    )


def battery_cell(cell: BatteryCell) -> BatteryCellParameters:
    """Return a battery cell."""
    soc, voltage = np.array(cell.open_circuit_voltage).T
    table = cell.resistance
    entropic = None if cell.entropic_coefficient is None else np.full(soc.size, cell.entropic_coefficient)
    return BatteryCellParameters(
        capacity=cell.capacity,
        state_of_charge=soc,
        open_circuit_voltage=voltage,
        voltage_min=cell.voltage_min,
        voltage_max=cell.voltage_max,
        discharge_current_max=cell.discharge_current_max,
        charge_current_max=cell.charge_current_max,
        resistance=np.array(table.values).T,
        resistance_state_of_charge=np.array(table.states_of_charge),
        resistance_temperature=np.array(table.temperatures),
        rc_resistance=cell.rc_resistance,
        rc_time_constant=cell.rc_time_constant,
        entropic_coefficient=entropic,
        reference_temperature=cell.reference_temperature,
        coulombic_efficiency=cell.coulombic_efficiency,
        charge_temperature_range=(cell.charge_temperature_min, cell.temperature_max),
        discharge_temperature_range=(cell.discharge_temperature_min, cell.temperature_max),
        mass=cell.mass,
        specific_heat=cell.specific_heat,
    )


def battery(design: ModuleClass) -> BatteryParameters:
    """Return the battery of a module."""
    pack, ageing = design.battery, design.battery.cell.ageing
    calendar = None if ageing.calendar is None else CalendarAgeing(**ageing.calendar.model_dump())
    cycle = None
    if ageing.cycle is not None:
        rates, factors = zip(*ageing.cycle.prefactors)
        values = ageing.cycle.model_dump(exclude={"prefactors"})
        cycle = CycleAgeing(c_rates=rates, prefactors=factors, **values)
    return BatteryParameters.from_energy(
        battery_cell(pack.cell),
        pack.energy,
        design.bus.voltage,
        depth_of_discharge_limit=pack.depth_of_discharge_limit,
        ageing=AgeingParameters(calendar, cycle, ageing.resistance_growth),
    )


def converter(design: Converter, default_rating: float) -> ConverterParameters:
    """Return a converter; without a curve its rating only scales a constant efficiency."""
    points = np.array(design.efficiency)
    rating = design.rated_power if design.rated_power is not None else default_rating
    return ConverterParameters.from_efficiency(rating, points[:, 0], points[:, 1])


def bus(design: ModuleClass) -> BusParameters:
    """Return the conversion chain of a module."""
    chain, racks = design.bus.conversion, design.racks
    full_load = racks.cards * (racks.card.power_limit + racks.overhead_power) + design.bus.housekeeping_power
    return BusParameters(
        solar_regulator=converter(chain.solar_regulator, full_load),
        battery_converter=converter(chain.battery_converter, full_load),
        harness=converter(chain.harness, full_load),
        card_supply=converter(chain.card_supply, full_load),
        voltage=design.bus.voltage,
    )


def card(design: ModuleClass, name: str) -> CardParameters:
    """Return the kind of card of a module, under the operator's own power limit where there is one."""
    values = design.racks.card.model_dump(exclude={"description"})
    if design.racks.power_cap is not None:
        values["power_limit"] = design.racks.power_cap
    return CardParameters(name=name, **values)


def thermal(design: ModuleClass, age: float) -> ThermalParameters:
    """Return the thermal design of a module at an age [s]."""
    wing, loop, sheet = design.radiator, design.coolant_loop, design.radiator.material
    across = sheet.conductivity_across if sheet.conductivity_across is not None else sheet.conductivity
    pack, array, racks = battery(design), design.solar_array, design.racks
    open_view = 1.0 - design.neighbour_view
    body_faces = sum(face.area * coating_at(face.coating, age)[1] for face in design.body.faces)
    cells = array.packing_factor
    return ThermalParameters(
        panels=wing.panels,
        width=wing.width,
        height=wing.height,
        thickness=wing.thickness,
        conductivity=sheet.conductivity,
        conductivity_across=across,
        density=sheet.density,
        specific_heat=sheet.specific_heat,
        emissivity=coating_at(wing.coating, age)[1],
        two_sided=wing.faces == "both",
        view_to_space=open_view,
        tubes=wing.tubes.count,
        arrangement=wing.tubes.arrangement,
        tube_diameter=wing.tubes.inner_diameter,
        mesh_size=wing.mesh_size,
        tube_mesh_size=wing.tube_mesh_size,
        fluid=loop.fluid.fluid,
        pressure=loop.pressure,
        mass_flow=loop.mass_flow,
        supply_temperature=loop.supply_temperature,
        inventory_mass=loop.inventory_mass,
        plate_conductance=racks.cards * loop.cold_plate.conductance_per_card,
        cold_plate_capacity=racks.cards * loop.cold_plate.heat_capacity_per_card,
        body_conductance=loop.body_conductance,
        body_capacity=design.body.heat_capacity,
        body_radiating_area=body_faces,
        battery_capacity=float(pack.heat_capacity),
        battery_conductance=design.battery.conductance_to_body,
        array_area=array.area,
        array_capacity=array.area * array.areal_heat_capacity,
        array_conductance=array.area * array.through_conductance,
        array_front_emissivity=cells * array.cell.emissivity + (1.0 - cells) * array.gap_emissivity,
        array_back_emissivity=coating_at(array.back_coating, age)[1],
    )


def reliability(spec: Reliability) -> ReliabilityParameters:
    """Return what takes the cards of a plant out of service."""
    resistant = spec.card == "radiation_resistant"
    return ReliabilityParameters(
        hazard=HazardParameters(
            random_rate=spec.random_failures,
            weak_fraction=spec.weak_fraction,
            infant_scale=spec.infant_time,
            infant_shape=spec.infant_shape,
            wear_out_scale=spec.wear_out_time,
            wear_out_shape=spec.wear_out_shape,
        ),
        tolerance=RADIATION_RESISTANT_CHIP if resistant else COMMERCIAL_CARD,
        single_events=RESISTANT_SINGLE_EVENTS if resistant else COMMERCIAL_SINGLE_EVENTS,
        other_interrupt_rate=spec.other_interrupts,
        spare_fraction=spec.spare_fraction,
        replacement_time=spec.replacement_time,
    )


def terminal(kind: Terminal) -> TerminalParameters:
    """Return the power of a terminal by state; it draws as much while it acquires as with the link up."""
    return TerminalParameters(
        standby_power=kind.standby_power,
        acquiring_power=kind.power,
        up_power=kind.power,
        heat_fraction=kind.heat_fraction,
        acquisition_time=kind.acquisition_time,
    )


def outward_targets(case: Case) -> list[OutwardTarget]:
    """Return the stations and geostationary relays that terminals may point at."""

    def rate(value: float | None) -> float:
        return math.inf if value is None else value

    return [
        *(
            OutwardTarget(GroundStation(**spec.model_dump(exclude={"data_rate"})), rate(spec.data_rate))
            for spec in case.ground_stations
        ),
        *(OutwardTarget(spec.longitude, rate(spec.data_rate)) for spec in case.relay_satellites),
    ]
