"""What modules share: a bus over which they help each other with power, a heat main between their coolant loops.

A heat main carries heat from loops that are warmer than the others to those that are colder. Each module has an
exchanger of conductance G between its supply line and the main; the main stores nothing, so that it takes the mean
temperature of the supply lines weighted by G, and what the modules give it they get back:

    T_main = Σ G_i T_i / Σ G_i,   q_i = G_i (T_main − T_i),   Σ q_i = 0

Heat is exchanged with the temperatures of the start of a step. So that a long step cannot carry a loop past the main,
a conductance is replaced by what it moves on average over the step, C/Δt (1 − exp(−G Δt/C)), with C the heat capacity
of the coolant at the supply line: a well-mixed store that relaxes to the main (lumped capacitance: Incropera et al.,
"Fundamentals of Heat and Mass Transfer", ch. 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.errors import BadInput
from twin.module_power import PowerOutlook, PowerRequest, joined, part_of

if TYPE_CHECKING:
    from twin.case import Case
    from twin.compute import FleetTick
    from twin.environment_track import TickEnvironment
    from twin.module_group import ModuleGroup
    from twin.power_bus import BusFlows
    from twin.relay_network import RelayTick
    from twin.solar_array import ArrayPoint

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Interconnect:
    """What the modules of a plant share.

    Attributes
    ----------
    bus : (module,) int array or None
        Bus of each module; None where each has its own.
    main : (module,) int array
        Heat main of each module.
    conductance : float
        Of the exchanger between a module's loop and its main [W/K]; 0 where there is none.
    """

    bus: Ints | None
    main: Ints
    conductance: float = 0.0

    @staticmethod
    def require_none(case: Case, command: str) -> None:
        """Refuse a case whose modules share something, for commands that look at modules one by one.

        Raises
        ------
        BadInput
            Names the key and what leaves it out.
        """
        chosen = case.interconnect
        if chosen.bus != "module":
            raise BadInput(
                f"interconnect.bus: '{chosen.bus}': {command} takes every module on a bus of its own; "
                "expected module (--set interconnect.bus=module)"
            )
        if chosen.loop_conductance > 0.0:
            raise BadInput(
                f"interconnect.loop_conductance: {chosen.loop_conductance:g} W/K: {command} takes every coolant loop "
                "by itself; expected 0 W/K (--set interconnect.loop_conductance='0 W/K')"
            )

    @classmethod
    def of_case(cls, case: Case, sub_center: Ints) -> Interconnect:
        """Return that of a case, for modules in sub-centers `sub_center` (module,)."""
        chosen = case.interconnect
        shared = {"module": None, "sub_center": sub_center, "plant": np.zeros_like(sub_center)}
        return cls(shared[chosen.bus], sub_center, chosen.loop_conductance)

    def card_caps(
        self,
        groups: Sequence[ModuleGroup],
        env: TickEnvironment,
        points: Sequence[ArrayPoint],
        relay: RelayTick,
    ) -> list[Array]:
        """Return what the cards of each module may draw, per group [W]."""
        if self.bus is None:
            return [group.card_cap(env, point, relay) for group, point in zip(groups, points)]
        whole: PowerOutlook = joined([g.power_outlook(env, p, relay) for g, p in zip(groups, points)])
        first = groups[0]
        caps = whole.card_cap(first.bus, first.design.bus.eclipse_policy, self.bus)
        return [caps[group.modules] for group in groups]

    def dispatch(
        self,
        groups: Sequence[ModuleGroup],
        env: TickEnvironment,
        points: Sequence[ArrayPoint],
        cards: FleetTick,
        relay: RelayTick,
    ) -> list[BusFlows]:
        """Return the flows of power for what the cards drew, per group."""
        requests = [group.power_request(env, p, cards, relay) for group, p in zip(groups, points)]
        if self.bus is None:
            return [request.dispatch(group.bus) for group, request in zip(groups, requests)]
        whole: PowerRequest = joined(requests)
        flows = whole.dispatch(groups[0].bus, self.bus)
        return [part_of(flows, group.modules) for group in groups]

    def loop_heat(self, groups: Sequence[ModuleGroup], dt: float) -> list[Array]:
        """Return the heat that each loop gets from its main over a step, per group [W]."""
        if self.conductance == 0.0:
            return [np.zeros(group.count) for group in groups]
        supply = np.concatenate([group.supply_temperature for group in groups])
        capacity = np.concatenate([group.supply_capacity for group in groups])
        heat = main_heat(supply, capacity, self.conductance, self.main, dt)
        return [heat[group.modules] for group in groups]


def main_heat(
    temperature: Array, capacity: Array, conductance: float | Array, main: Ints, dt: float
) -> Array:
    """Heat that loops get from their heat mains over a step.

    Parameters
    ----------
    temperature : (N,) array
        Of the coolant where the exchangers are [K].
    capacity : (N,) array
        Heat capacity of that coolant [J/K].
    conductance : float or (N,) array
        Of the exchangers [W/K].
    main : (N,) int array
        Heat main of each loop.
    dt : float
        [s].

    Returns
    -------
    (N,) array
        [W]; sums to zero over each main.
    """
    mean = capacity / dt * -np.expm1(-np.asarray(conductance) * dt / capacity)
    total = np.bincount(main, mean)
    level = np.bincount(main, mean * temperature) / np.where(total > 0.0, total, 1.0)
    return mean * (level[main] - temperature)
