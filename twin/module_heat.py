"""Where the heat of a module goes, and what it asks of the radiator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from twin.group_thermal import HeatLoads, ThermalTick
from twin.radiator_margin import radiator_use

if TYPE_CHECKING:
    from twin.case.module_class import ModuleClass
    from twin.module_surfaces import SurfaceHeat
    from twin.power_bus import BusFlows
    from twin.solar_array import ArrayFlows

Array = NDArray[np.float64]


def heat_loads(
    surfaces: SurfaceHeat,
    flows: BusFlows,
    array: ArrayFlows,
    battery_heat: Array,
    plate_heat: Array,
    exported: Array,
    loop_heat: Array,
    card_supply_heat_to: Literal["coolant", "body"],
) -> HeatLoads:
    """Return the heat into the panels and every lumped node: all electricity that does not leave as light, and the Sun.

    Parameters
    ----------
    surfaces : SurfaceHeat
        What the surfaces absorb.
    flows : BusFlows
        Losses and loads of the bus.
    array : ArrayFlows
        Losses of the arrays.
    battery_heat, plate_heat, exported, loop_heat : (module,) array
        Of the batteries; of cards and hosts; light that leaves through terminals; from the loops of other modules [W].
    card_supply_heat_to : {"coolant", "body"}
        Where the heat of the cards' power supply goes.

    Returns
    -------
    HeatLoads
    """
    losses, loads = flows.losses, flows.load_supplied
    electronics = (
        losses["solar_regulator"] + losses["battery_converter"] + losses["harness"] + array.harness_loss
    )
    electronics = electronics + loads["housekeeping"] + loads["relay"] - exported
    if card_supply_heat_to == "coolant":
        plate_heat = plate_heat + losses["card_supply"]
    else:
        electronics = electronics + losses["card_supply"]
    nodes = {
        "array-front": surfaces.array_front - array.cell_power + array.diode_loss,
        "array-back": surfaces.array_back,
        "body": surfaces.body + electronics,
        "battery": battery_heat,
        "cold-plate": plate_heat,
        "reservoir": loads["coolant_pump"] + loop_heat,
    }
    return HeatLoads(surfaces.radiator_front, surfaces.radiator_back, nodes)


def radiator_now(
    design: ModuleClass, emissivity: Array, thermal: ThermalTick, surfaces: SurfaceHeat
) -> Array:
    """Return needed and used radiator [1/K³], rise of the coolant [K] and temperature of the sink [K], (4, module)."""
    from solvers.constants import SPACE_TEMPERATURE, STEFAN_BOLTZMANN

    front, back = surfaces.radiator_front, surfaces.radiator_back
    absorbed = 0.5 * (front + back) if design.radiator.faces == "both" else front
    seen = emissivity * (1.0 - design.neighbour_view)
    sink = (absorbed / (seen * STEFAN_BOLTZMANN) + SPACE_TEMPERATURE**4) ** 0.25
    hot, outlet = thermal.temperatures["return"], thermal.temperatures["radiator_outlet"]
    target = design.coolant_loop.supply_temperature
    needed, used = radiator_use(target, hot, outlet, thermal.bypass_fraction, sink)
    return np.stack([needed, used, hot - thermal.temperatures["supply"], sink])


def balance_temperature(gain: Array, radiating: Array) -> Array:
    """Return where a surface of εA = `radiating` [m²] gives off `gain` [W] [K]."""
    from solvers.constants import STEFAN_BOLTZMANN

    return (np.maximum(gain, 0.0) / (STEFAN_BOLTZMANN * radiating)) ** 0.25
