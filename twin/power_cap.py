"""Power caps for compute ahead of and in an eclipse.

The cap goes to the scheduler before the lights go out. It is computed anew every tick from the energy that is
really in the battery and the time that is really left, so that errors of the forecast correct themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from twin.power_bus import LOADS, BusParameters, BusPool
from twin.power_converter import Array

__all__ = ["BatteryOutlook", "EclipseOutlook", "EclipsePolicy", "PowerCaps", "compute_power_cap"]

type EclipsePolicy = Literal["ride_through", "shed", "hybrid"]


@dataclass(frozen=True)
class EclipseOutlook:
    """The present or next eclipse of N modules.

    Attributes
    ----------
    time_to_eclipse : array_like, shape () or (N,)
        s; 0 in an eclipse, infinite when none is in sight.
    duration : array_like, shape () or (N,)
        What is left of the present eclipse, or the length of the next, s.
    """

    time_to_eclipse: npt.ArrayLike
    duration: npt.ArrayLike


@dataclass(frozen=True)
class BatteryOutlook:
    """What N batteries can do for an eclipse, at their terminals.

    Attributes
    ----------
    energy : array_like, shape (N,)
        Deliverable down to the depth-of-discharge limit, J: `twin.battery.deliverable_energy`.
    full_energy : array_like, shape (N,)
        The same when full, J.
    discharge_limit, charge_limit : array_like, shape (N,)
        W: `twin.battery.power_limits`.
    charge_efficiency : float
        Deliverable energy gained per energy charged.
    """

    energy: npt.ArrayLike
    full_energy: npt.ArrayLike
    discharge_limit: npt.ArrayLike
    charge_limit: npt.ArrayLike
    charge_efficiency: float = 0.95


@dataclass(frozen=True)
class PowerCaps:
    """Caps of N modules.

    Attributes
    ----------
    now : ndarray, shape (N,)
        Most that the cards of a module may draw now, W at the cards.
    eclipse : ndarray, shape (N,)
        The same for the present or next eclipse.
    charge_power : ndarray, shape (N,)
        Power at the battery terminals that the cap keeps free for charging, W.
    shortfall : ndarray, shape (N,)
        Energy at the battery terminals that the policy wants for the eclipse and that will not be there, J.
    """

    now: Array
    eclipse: Array
    charge_power: Array
    shortfall: Array


def compute_power_cap(
    parameters: BusParameters,
    policy: EclipsePolicy,
    outlook: EclipseOutlook,
    battery: BatteryOutlook,
    solar_available: npt.ArrayLike,
    demands: Mapping[str, npt.ArrayLike],
    minimum_compute: npt.ArrayLike = 0.0,
    notice: float = 60.0,
    margin: float = 0.05,
    bus_of_module: npt.ArrayLike | None = None,
) -> PowerCaps:
    r"""Cap the power of the cards so that the plant gets through the eclipse as its policy says.

    ===============  ==================================  ===============================================
    policy           in eclipse                          before it, in sunlight
    ===============  ==================================  ===============================================
    `ride_through`   what the battery's power allows     keeps power free to charge for the whole load
    `shed`           `minimum_compute`                   keeps power free to charge for what then remains
    `hybrid`         energy left over time left          the same
    ===============  ==================================  ===============================================

    With E the energy above the depth-of-discharge limit and t the time left of the eclipse, `hybrid` gives
    the cards what is left of :math:`\min(E/t, P_{limit})` behind the battery converter once the other loads
    are served. In sunlight the cards get what the Sun gives behind the regulator, less the other loads, less
    the charging power :math:`[(1 + m) E_{wanted} - E]/(\eta\,t_{eclipse})`: the battery does not feed cards
    while the Sun shines. From `notice` before the eclipse the cap of the eclipse holds, so that jobs can
    write a checkpoint.

    Parameters
    ----------
    parameters : BusParameters
    policy : {'ride_through', 'shed', 'hybrid'}
    outlook : EclipseOutlook
    battery : BatteryOutlook
    solar_available : array_like, shape (N,)
        At the array terminals now, W.
    demands : mapping of str to array_like, shape (N,)
        As for `twin.power_bus.dispatch`, W; `compute` is what the cards would draw without a cap.
    minimum_compute : array_like, shape () or (N,)
        What the cards draw when idle, W.
    notice : float
        s.
    margin : float
        Share of the wanted energy that charging ahead adds on top, for what the plan does not know.
    bus_of_module : array_like of int, shape (N,), optional
        Modules that share a bus share energy, power and cap in proportion to what their cards ask for.

    Returns
    -------
    PowerCaps

    Raises
    ------
    ValueError
        If the policy or a load is unknown, or indices do not fit.
    """
    if policy not in get_args(EclipsePolicy.__value__):
        raise ValueError(f"policy: {policy!r}, expected one of {list(get_args(EclipsePolicy.__value__))}")
    unknown = set(demands) - set(LOADS)
    if unknown:
        raise ValueError(f"demands: unknown load {sorted(unknown)!r}, expected some of {list(LOADS)}")
    sources = (
        solar_available,
        battery.energy,
        battery.full_energy,
        battery.discharge_limit,
        battery.charge_limit,
    )
    solar, energy, full_energy, discharge_limit, charge_limit, idle, ahead, duration, *loads = (
        np.maximum(value, 0.0)
        for value in np.broadcast_arrays(
            *(np.atleast_1d(np.asarray(value, dtype=float)) for value in sources),
            np.asarray(minimum_compute, dtype=float),
            np.asarray(outlook.time_to_eclipse, dtype=float),
            np.asarray(outlook.duration, dtype=float),
            *(np.asarray(demands.get(name, 0.0), dtype=float) for name in LOADS),
        )
    )
    essential, compute = loads[0] + loads[1] + loads[2], loads[3]
    chain = _LoadChain(parameters, BusPool(solar.size, bus_of_module), essential, np.maximum(compute, idle))
    in_sun = ahead > 0.0
    finite = np.where(np.isfinite(duration), duration, 0.0)

    wanted_compute = np.maximum(compute, idle) if policy == "ride_through" else idle
    wanted_power = np.minimum(
        parameters.battery_converter.input_for(chain.power_at_bus(wanted_compute)), discharge_limit
    )
    wanted_energy = wanted_power * finite
    missing = np.clip((1.0 + margin) * wanted_energy - energy, 0.0, np.maximum(full_energy - energy, 0.0))
    planned = in_sun & np.isfinite(ahead)
    # Within the last second there is nothing left to plan.
    horizon = np.where(planned, np.maximum(ahead, 1.0), 1.0)
    charge_power = np.where(
        planned, np.minimum(missing / (battery.charge_efficiency * horizon), charge_limit), 0.0
    )
    gained = charge_power * battery.charge_efficiency * np.where(planned, ahead, 0.0)
    at_entry = np.minimum(energy + gained, np.maximum(full_energy, energy))

    sun_at_bus = parameters.solar_regulator.output_for(solar)
    sunlight_cap = chain.compute_for(sun_at_bus - parameters.battery_converter.input_for(charge_power))

    if policy == "shed":
        eclipse_cap = idle.copy()
    else:
        power = discharge_limit
        if policy == "hybrid":
            power = np.minimum(power, at_entry / np.maximum(finite, 1.0))
        # Penumbra still gives something, and counts only while it does.
        still = np.where(in_sun, 0.0, sun_at_bus)
        eclipse_cap = chain.compute_for(parameters.battery_converter.output_for(power) + still)
    now = np.where(in_sun, sunlight_cap, eclipse_cap)
    now = np.where(in_sun & (ahead <= notice) & (finite > 0.0), np.minimum(now, eclipse_cap), now)
    return PowerCaps(
        now=now,
        eclipse=eclipse_cap,
        charge_power=charge_power,
        shortfall=np.maximum(wanted_energy - at_entry, 0.0),
    )


class _LoadChain:
    """From bus to cards and back, for modules that may share a bus."""

    def __init__(self, parameters: BusParameters, pool: BusPool, essential: Array, compute: Array):
        self.parameters, self.pool, self.essential = parameters, pool, essential
        self.essential_at_bus = parameters.harness.input_for(essential)
        self.compute_share_basis = np.maximum(self.power_at_bus(compute) - self.essential_at_bus, 0.0)

    def power_at_bus(self, compute: Array) -> Array:
        """Return the power at the bus that the other loads and the cards of each module need, W."""
        at_harness = self.essential + self.parameters.card_supply.input_for(compute)
        return self.parameters.harness.input_for(at_harness)

    def compute_for(self, at_bus: Array) -> Array:
        """Return what the cards get from power at the bus once the other loads are served, W."""
        left = np.maximum(self.pool.total(at_bus) - self.pool.total(self.essential_at_bus), 0.0)
        granted = left * self.pool.fraction(self.compute_share_basis)
        behind = self.parameters.harness.output_for(self.essential_at_bus + granted) - self.essential
        return self.parameters.card_supply.output_for(np.maximum(behind, 0.0))
