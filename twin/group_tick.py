"""What the modules of a group did in a tick."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.battery import BatteryStep
from twin.group_thermal import ThermalTick
from twin.power_bus import BusFlows
from twin.solar_array import ArrayFlows, ArrayPoint

Array = NDArray[np.float64]


@dataclass(frozen=True)
class GroupTick:
    """What the modules of a group did in a tick; arrays (module,), powers are means [W].

    Attributes
    ----------
    point : ArrayPoint
        What the arrays could give.
    array : ArrayFlows
    flows : BusFlows
    battery : BatteryStep
    thermal : ThermalTick
    card_cap : ndarray
        Cap on the power of the cards.
    overhead, exported : ndarray
        Power of hosts and network; light that leaves through terminals.
    loop_heat : ndarray
        Heat that the loop got from other modules.
    absorbed : ndarray
        Environmental heat absorbed by all surfaces, the part that becomes electricity included.
    surface_exchange : ndarray
        Heat that the radiator takes up from other surfaces of the module.
    shadow_factor : ndarray
        Power of the array over that without shadow on it [1].
    margin : ndarray
        See `twin.radiator_margin`.
    """

    point: ArrayPoint
    array: ArrayFlows
    flows: BusFlows
    battery: BatteryStep
    thermal: ThermalTick
    card_cap: Array
    overhead: Array
    exported: Array
    loop_heat: Array
    absorbed: Array
    surface_exchange: Array
    shadow_factor: Array
    margin: Array
