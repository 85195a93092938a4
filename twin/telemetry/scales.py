"""Full scale of the sensors of a class of modules, from its design."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twin.case.module_class import ModuleClass

__all__ = ["class_scales"]


def class_scales(design: ModuleClass) -> dict[str, float]:
    """Return the full scale of each `twin.telemetry.quantities.Scale` for one module, SI.

    The array's is that of its cells at the reference flux, 28 °C and normal incidence; that of the loads all
    cards at their limit with hosts, housekeeping, pump and terminals.
    """
    wing, loop, racks, relay = design.solar_array, design.coolant_loop, design.racks, design.relay
    array = wing.area * wing.packing_factor * wing.cell.efficiency * wing.cell.reference_flux
    string = wing.cells_in_series * wing.cell.open_circuit_voltage
    cards = racks.cards * racks.card.power_limit
    # Density 600 kg/m³ (liquid ammonia) gives the largest pump of the fluids in use; a scale, not a result.
    pump = loop.mass_flow / 600.0 * loop.pump.pressure_rise / loop.pump.efficiency
    terminals = 0.0 if relay is None else relay.terminals * relay.terminal.power
    load = cards + racks.cards * racks.overhead_power + design.bus.housekeeping_power + pump + terminals
    battery = max(array, load)
    return {
        "one": 1.0,
        "array_power": array,
        "array_voltage": string,
        "array_current": array / string,
        "load_power": load,
        "card_power": cards,
        "pump_power": pump,
        "mass_flow": loop.mass_flow,
        "pressure": loop.pressure + loop.pump.pressure_rise,
        "bus_voltage": design.bus.voltage,
        "battery_current": battery / design.bus.voltage,
        "battery_voltage": design.bus.voltage,
        "cards": float(racks.cards),
        "relay_power": max(terminals, 1.0),
        "link_rate": 1.0 if relay is None else relay.terminals * relay.terminal.data_rate,
    }
