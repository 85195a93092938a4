"""Modules on their buses: what their cards may draw, and how power flows once they have drawn it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin import power_bus
from twin.power_bus import BusFlows, BusParameters
from twin.power_cap import BatteryOutlook, EclipseOutlook, EclipsePolicy, compute_power_cap

Array = NDArray[np.float64]
type Buses = NDArray[np.int64] | None


@dataclass(frozen=True)
class PowerOutlook:
    """What arrays, batteries and loads bring to the bus before the cards run; (module,) arrays.

    Attributes
    ----------
    solar : ndarray
        Available at the array terminals [W].
    essential : mapping of load to ndarray
        Demand of everything but the cards [W].
    most, idle : ndarray
        Of cards and hosts, at their limit and without work [W].
    overhead : ndarray
        Hosts, memory and network [W].
    limit : ndarray
        Cap of the case on all loads together, infinite where there is none [W].
    time_to_eclipse, duration : ndarray
        Of the present or next eclipse [s].
    energy, full_energy : ndarray
        Of the batteries: deliverable now, and when full [J].
    discharge, charge : ndarray
        Power limits of the batteries [W].
    """

    solar: Array
    essential: Mapping[str, Array]
    most: Array
    idle: Array
    overhead: Array
    limit: Array
    time_to_eclipse: Array
    duration: Array
    energy: Array
    full_energy: Array
    discharge: Array
    charge: Array

    def card_cap(self, bus: BusParameters, policy: EclipsePolicy, buses: Buses = None) -> Array:
        """Return what bus, battery and policy leave to the cards of each module, (module,) [W].

        Parameters
        ----------
        bus : BusParameters
        policy : EclipsePolicy
        buses : (module,) int array, optional
            Bus of each module; its own by default.
        """
        caps = compute_power_cap(
            bus,
            policy,
            EclipseOutlook(self.time_to_eclipse, self.duration),
            BatteryOutlook(self.energy, self.full_energy, self.discharge, self.charge),
            self.solar,
            {**self.essential, "compute": self.most},
            self.idle,
            bus_of_module=buses,
        )
        # What the bus can carry at the very most, so that no card draws power that is not there.
        demands = {**self.essential, "compute": 2.0 * self.most}
        reach = power_bus.dispatch(
            bus, self.solar, demands, self.discharge, self.charge, bus_of_module=buses
        ).load_supplied["compute"]
        cap = np.minimum(np.minimum(caps.now, reach), self.limit - sum(self.essential.values()))
        return np.maximum(cap - self.overhead, 0.0)


@dataclass(frozen=True)
class PowerRequest:
    """What arrays, batteries and loads bring to the bus once the cards have run; (module,) arrays [W].

    Attributes
    ----------
    solar : ndarray
        Available at the array terminals.
    demands : mapping of load to ndarray
    discharge, charge, reserve : ndarray
        Power limits of the batteries; `reserve` is the discharge limit for all loads but compute.
    """

    solar: Array
    demands: Mapping[str, Array]
    discharge: Array
    charge: Array
    reserve: Array

    def dispatch(self, bus: BusParameters, buses: Buses = None) -> BusFlows:
        """Balance the buses."""
        return power_bus.dispatch(
            bus, self.solar, self.demands, self.discharge, self.charge, self.reserve, buses
        )


def joined[T: (PowerOutlook, PowerRequest)](parts: Sequence[T]) -> T:
    """Put those of several groups of modules one behind the other."""
    return _combined(type(parts[0]), lambda pick: np.concatenate([pick(part) for part in parts]), parts[0])


def part_of(flows: BusFlows, modules: slice) -> BusFlows:
    """Return the flows of some modules; those of a shared bus balance over its modules only."""
    return _combined(BusFlows, lambda pick: pick(flows)[modules], flows)


def _combined[T](kind: type[T], make: Callable[[Callable[[Any], Array]], Array], pattern: Any) -> T:
    """Build a record of arrays, and mappings of arrays, field by field."""
    values: dict[str, Any] = {}
    for field in fields(pattern):
        name, like = field.name, getattr(pattern, field.name)
        if isinstance(like, Mapping):
            inner = {key: make(lambda part, n=name, k=key: getattr(part, n)[k]) for key in like}  # type: ignore[misc]
            values[name] = MappingProxyType(inner)
        else:
            values[name] = make(lambda part, n=name: getattr(part, n))  # type: ignore[misc]
    return kind(**values)
