"""Power bus: from array and battery terminals to the loads, every loss at a named place.

    array → solar regulator → bus ─ harness → loads by priority (compute through the card supply)
                               ↕
                       battery converter ↔ battery

Modules may share a bus (an index array says which); by default each module has its own.

References
----------
.. [1] M. R. Patel, "Spacecraft Power Systems", CRC Press, 2005, ch. 10 to 12 and 15.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from twin.power_converter import LOSSLESS, Array, ConverterParameters

__all__ = [
    "LOADS",
    "LOSS_PLACES",
    "BusFlows",
    "BusParameters",
    "ConverterParameters",
    "dispatch",
]

LOADS = ("housekeeping", "coolant_pump", "relay", "compute")
"""Loads in the order in which they are served."""

LOSS_PLACES = ("solar_regulator", "battery_converter", "harness", "card_supply")
"""Where the bus turns electricity into heat."""


@dataclass(frozen=True, eq=False)
class BusParameters:
    """Conversion chain of a bus.

    Attributes
    ----------
    solar_regulator : ConverterParameters
        Array terminals → bus.
    battery_converter : ConverterParameters
        Bus ↔ battery terminals, the same curve both ways.
    harness : ConverterParameters
        Bus → all loads of a module. A cable has the quadratic term only.
    card_supply : ConverterParameters
        Harness → cards.
    voltage : float
        V.

    Raises
    ------
    ValueError
        If the voltage is not positive.
    """

    solar_regulator: ConverterParameters = LOSSLESS
    battery_converter: ConverterParameters = LOSSLESS
    harness: ConverterParameters = LOSSLESS
    card_supply: ConverterParameters = LOSSLESS
    voltage: float = 400.0

    def __post_init__(self) -> None:
        if not self.voltage > 0.0:
            raise ValueError(f"BusParameters.voltage: {self.voltage!r}, expected a positive voltage (V)")


@dataclass(frozen=True)
class BusFlows:
    """Power flows of N modules, W, each (N,).

    ``solar_used + battery_power = sum(load_supplied) + sum(losses)`` to rounding, module by module where each
    has its own bus, else over the modules of a bus (`exchange` is what a module gets from the others).

    Attributes
    ----------
    solar_used : ndarray
        Drawn at the array terminals.
    curtailed : ndarray
        Available at the array terminals and left there.
    battery_power : ndarray
        At the battery terminals, positive on discharge.
    load_supplied, shed : Mapping of str to ndarray
        Per load: supplied, and asked for but not supplied.
    losses : Mapping of str to ndarray
        Heat per place of `LOSS_PLACES`.
    exchange : ndarray
        Power that a module gets from the others over a shared bus; sums to zero over each bus.
    """

    solar_used: Array
    curtailed: Array
    battery_power: Array
    load_supplied: Mapping[str, Array]
    shed: Mapping[str, Array]
    losses: Mapping[str, Array]
    exchange: Array

    @property
    def residual(self) -> Array:
        """Sources less sinks, W, (N,): rounding."""
        sinks = sum(self.load_supplied.values()) + sum(self.losses.values())
        return self.solar_used + self.battery_power + self.exchange - sinks


class BusPool:
    """Sums over the modules of a bus and back."""

    def __init__(self, modules: int, bus_of_module: npt.ArrayLike | None):
        self.index: npt.NDArray[np.intp] | None = None
        if bus_of_module is None:
            return
        index = np.asarray(bus_of_module)
        if index.shape != (modules,) or not np.issubdtype(index.dtype, np.integer) or np.any(index < 0):
            raise ValueError(
                f"bus_of_module: {bus_of_module!r}, expected {modules} indices of buses, integers from 0 up"
            )
        self.index = index.astype(np.intp)

    def total(self, values: Array) -> Array:
        """Sum over a module's bus, given to each module, (N,)."""
        if self.index is None:
            return values
        return np.bincount(self.index, weights=values)[self.index]

    def fraction(self, weights: Array) -> Array:
        """Share of each module in its bus, (N,): in proportion to weights, equal parts where all are zero."""
        if self.index is None:
            return np.ones_like(weights)
        total = self.total(weights)
        members = np.bincount(self.index)[self.index]
        return np.where(total > 0.0, weights / np.where(total > 0.0, total, 1.0), 1.0 / members)

    def share(self, wanted: Array, available: Array) -> Array:
        """Share of `wanted`, alike for all modules of a bus, that the bus sum `available` covers, [0, 1]."""
        asked = self.total(wanted)
        some = asked > 0.0
        # The order matters where powers are so small that their ratio overflows.
        enough = available >= asked
        ratio = np.maximum(available, 0.0) / np.where(some & ~enough, asked, 1.0)
        return np.where(some, np.where(enough, 1.0, np.minimum(ratio, 1.0)), 0.0)


def dispatch(
    parameters: BusParameters,
    solar_available: npt.ArrayLike,
    demands: Mapping[str, npt.ArrayLike],
    battery_discharge_limit: npt.ArrayLike,
    battery_charge_limit: npt.ArrayLike,
    reserve_discharge_limit: npt.ArrayLike | None = None,
    bus_of_module: npt.ArrayLike | None = None,
) -> BusFlows:
    """Balance the bus for one step.

    The Sun serves first. Short of power the batteries discharge; with a surplus they charge; what is still
    missing is shed from the last load of `LOADS` backwards; what is still left over is not drawn from the
    array. On a shared bus loads of a kind are served in proportion to what they ask, batteries in proportion
    to what they can.

    Parameters
    ----------
    parameters : BusParameters
    solar_available : array_like, shape (N,)
        At the array terminals, W; below 0 counts as 0.
    demands : mapping of str to array_like, shape (N,)
        Power that the loads of `LOADS` ask for, at the load, W; a missing load asks for nothing.
    battery_discharge_limit, battery_charge_limit : array_like, shape (N,)
        At the battery terminals, W, at least 0: `twin.battery.power_limits`.
    reserve_discharge_limit : array_like, shape (N,), optional
        Discharge limit for all loads but compute, when they may go below the depth-of-discharge limit; at
        least `battery_discharge_limit`.
    bus_of_module : array_like of int, shape (N,), optional
        Bus of each module. By default each has its own.

    Returns
    -------
    BusFlows

    Raises
    ------
    ValueError
        If a demand is unknown, a power is not a finite number, or indices do not fit.
    """
    solar, discharge_limit, charge_limit, reserve_limit, asked = _checked_inputs(
        solar_available, battery_discharge_limit, battery_charge_limit, reserve_discharge_limit, demands
    )
    pool = BusPool(solar.size, bus_of_module)
    regulator, converter = parameters.solar_regulator, parameters.battery_converter

    solar_at_bus = regulator.output_for(solar)
    discharge_at_bus = converter.output_for(discharge_limit)
    reserve_at_bus = np.maximum(converter.output_for(reserve_limit), discharge_at_bus)
    sun = pool.total(solar_at_bus)
    reach = {"compute": sun + pool.total(discharge_at_bus)}
    essential_reach = sun + pool.total(reserve_at_bus)

    # What serving the loads up to each one costs at the bus; classes take their share of it in order.
    at_harness = {
        name: parameters.card_supply.input_for(p) if name == "compute" else p for name, p in asked.items()
    }
    served_to_module = np.zeros_like(solar)
    cumulative, cost_so_far = np.zeros_like(solar), np.zeros_like(solar)
    taken = np.zeros_like(solar)
    in_full: dict[str, npt.NDArray[np.bool_]] = {}
    for name in LOADS:
        cumulative = cumulative + at_harness[name]
        cost = parameters.harness.input_for(cumulative)
        marginal = np.maximum(cost - cost_so_far, 0.0)
        share = pool.share(marginal, reach.get(name, essential_reach) - taken)
        in_full[name] = share >= 1.0
        granted = share * marginal
        served_to_module = served_to_module + granted
        taken = taken + pool.total(granted)
        cost_so_far = cost

    through_harness = parameters.harness.output_for(served_to_module)
    supplied, supplied_at_harness = {}, np.zeros_like(solar)
    for name in LOADS:
        wanted = at_harness[name]
        got = np.minimum(wanted, np.maximum(through_harness - supplied_at_harness, 0.0))
        # What is served in full gets its demand to the last digit, not the round trip through the harness.
        got = np.where(in_full[name], wanted, got)
        if name == "compute":
            delivered = np.where(in_full[name], asked[name], parameters.card_supply.output_for(got))
            supplied[name] = np.minimum(delivered, asked[name])
            got = np.where(supplied[name] > 0.0, got, 0.0)
            card_loss = got - supplied[name]
        else:
            supplied[name] = got
        supplied_at_harness = supplied_at_harness + got
    bus_to_module = parameters.harness.input_for(supplied_at_harness)
    need = pool.total(bus_to_module)

    deficit = np.maximum(need - sun, 0.0)
    from_battery = pool.share(reserve_at_bus, deficit) * reserve_at_bus
    surplus = np.maximum(sun - need, 0.0)
    charge_at_bus = converter.input_for(charge_limit)
    into_battery = pool.share(charge_at_bus, surplus) * charge_at_bus
    charging = converter.output_for(into_battery)
    # Less than the converter's fixed loss charges nothing: leave it in the array.
    into_battery = np.where(charging > 0.0, into_battery, 0.0)
    charging = np.minimum(charging, charge_limit)
    discharging = np.minimum(converter.input_for(from_battery), reserve_limit)

    drawn_at_bus = need + pool.total(into_battery) - pool.total(from_battery)
    from_sun = pool.share(solar_at_bus, drawn_at_bus) * solar_at_bus
    solar_used = np.minimum(regulator.input_for(from_sun), solar)

    net = from_sun + from_battery - into_battery
    return BusFlows(
        solar_used=solar_used,
        curtailed=solar - solar_used,
        battery_power=discharging - charging,
        load_supplied=MappingProxyType(supplied),
        shed=MappingProxyType({name: asked[name] - supplied[name] for name in LOADS}),
        losses=MappingProxyType(
            {
                "solar_regulator": solar_used - from_sun,
                "battery_converter": (discharging - from_battery) + (into_battery - charging),
                "harness": bus_to_module - supplied_at_harness,
                "card_supply": card_loss,
            }
        ),
        exchange=np.zeros_like(solar) if pool.index is None else bus_to_module - net,
    )


def _checked_inputs(
    solar_available: npt.ArrayLike,
    discharge: npt.ArrayLike,
    charge: npt.ArrayLike,
    reserve: npt.ArrayLike | None,
    demands: Mapping[str, npt.ArrayLike],
) -> tuple[Array, Array, Array, Array, dict[str, Array]]:
    unknown = set(demands) - set(LOADS)
    if unknown:
        raise ValueError(f"demands: unknown load {sorted(unknown)!r}, expected some of {list(LOADS)}")
    named = {
        "solar_available": solar_available,
        "battery_discharge_limit": discharge,
        "battery_charge_limit": charge,
        "reserve_discharge_limit": discharge if reserve is None else reserve,
        **{name: demands.get(name, 0.0) for name in LOADS},
    }
    arrays = {name: np.asarray(value, dtype=float) for name, value in named.items()}
    shape = np.broadcast_shapes((1,), *(value.shape for value in arrays.values()))
    for name, value in arrays.items():
        wrong = ~np.isfinite(value)
        if np.any(wrong):
            place = np.flatnonzero(np.broadcast_to(wrong, shape))[:10].tolist()
            raise ValueError(f"{name}: not a finite power for modules {place}, expected watts")
    clean = {name: np.maximum(np.broadcast_to(value, shape), 0.0) for name, value in arrays.items()}
    return (
        clean["solar_available"],
        clean["battery_discharge_limit"],
        clean["battery_charge_limit"],
        np.maximum(clean["reserve_discharge_limit"], clean["battery_discharge_limit"]),
        {name: clean[name] for name in LOADS},
    )
