"""The closed form of a sub-center's radiator from the same design and orbit as the coupled model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.constants import STEFAN_BOLTZMANN
from solvers.fluids import fluid, tube_film_coefficient
from solvers.reduced_panel import ReducedPanel
from twin.card_model import CardParameters, card_power
from twin.ensemble import Ensemble
from twin.ensemble_cards import CardSample
from twin.module_group import ModuleGroup
from twin.sizing.closed_form import AreaSteps, LoopDesign, area_steps, effective_sink, supply_for_junction

Array = NDArray[np.float64]

__all__ = ["closed_form", "loop_design"]


def loop_design(group: ModuleGroup, panel: ReducedPanel, sample: int, absorbed: float) -> LoopDesign:
    """Return a module's loop as the closed forms see it.

    Parameters
    ----------
    group : ModuleGroup
    panel : ReducedPanel
    sample : int
        Place of the module in the group.
    absorbed : float
        Mean flux absorbed per radiating face [W/m²].
    """
    p = group.thermal_design
    emissivity = float(group.thermal_values["emissivity"][sample]) * p.view_to_space
    faces = 2 if p.two_sided else 1
    flow = float(group.mass_flow[sample])
    half = 0.5 * p.width / p.tubes
    panels = float(group.thermal_values["panels"][sample])
    liquid = fluid(p.fluid, p.pressure)
    in_tube = flow / panels / (1 if p.arrangement == "serpentine" else p.tubes)
    film = float(tube_film_coefficient(liquid, in_tube, p.tube_diameter, p.supply_temperature + 5.0))
    tube_area_per_panel_area = np.pi * p.tube_diameter * p.tubes / p.width
    return LoopDesign(
        capacity_rate=flow * panel.specific_heat,
        emissivity=emissivity,
        faces=faces,
        sink=effective_sink(absorbed, emissivity),
        fin_number=faces * emissivity * STEFAN_BOLTZMANN * half**2 / (p.conductivity * p.thickness),
        film=film * tube_area_per_panel_area,
    )


def closed_form(ensemble: Ensemble, sample: int, junction_limit: float, coolant_limit: float) -> AreaSteps:
    """Return the closed forms for the kind of module that needs the largest radiator; areas per module.

    Parameters
    ----------
    ensemble : Ensemble
    sample : int
    junction_limit, coolant_limit : float
        [K]; the limit that asks for the colder supply counts.

    Notes
    -----
    Cards work at the mean activity of the orbit, the deciding ones at the 99 % quantile of the spread and at its end,
    their leakage at the limit, that of the others at the junction of a usual card; fluxes are the means of the orbit;
    the pump's heat is in, exchange with the body is not.
    """
    ticks = [t for t in ensemble.ticks if t.time >= 0.0]
    weight = np.array([t.dt for t in ticks]) / sum(t.dt for t in ticks)
    factor = {
        n: float(ensemble.samples.of(n, ensemble.count)[sample]) for n in ("card_power", "card_resistance")
    }
    activity = np.array([ensemble.activity_of(t.time, t.dt, 1)[0] for t in ticks])
    mean_activity = weight @ activity.reshape(len(ticks), ensemble.count, -1)[:, sample]
    found = []
    for number, (kind, group) in enumerate(zip(ensemble.kinds, ensemble.groups)):
        faces = 2 if group.thermal_design.two_sided else 1
        surfaces = ensemble.surfaces[number]
        flux = []
        for t in ticks:
            surfaces.sunlight = t.sun_plate.direct[ensemble.environment_of, 0]
            heat_of = surfaces.heat(t.faces[number], group.temperature)
            flux.append((heat_of.radiator_front[sample], heat_of.radiator_back[sample]))
        absorbed = float((weight @ np.array(flux)).sum()) / faces
        loop = loop_design(group, ensemble.thermals[number].panel, sample, absorbed)
        card, cards = group.card, group.design.racks.cards
        deciding = _deciding_cards(ensemble, number, sample, junction_limit)
        asked = np.array([mean_activity[j] if j >= 0 else 0.0 for j, _ in kind.jobs])
        resistance = card.junction_resistance * factor["card_resistance"]
        more = factor["card_power"]
        # Most cards are colder than the deciding one, by what their junctions rise less over the same plate.
        limit, power, spread = deciding[0]
        plate_temperature = limit - resistance * spread * float(
            _drawn(card, asked, limit, more * power).max()
        )
        mean_power, junction = 0.0, limit
        for _ in range(3):
            mean_power = float(
                np.array([share for _, share in kind.jobs]) @ _drawn(card, asked, junction, more)
            )
            junction = plate_temperature + resistance * mean_power
        overhead = group.overhead_power
        supply_loss = _supply_loss(group, cards * mean_power + overhead)
        plate = cards * mean_power + overhead + supply_loss
        supplies = [
            supply_for_junction(
                limit,
                float(_drawn(card, asked, limit, more * power).max()),
                resistance * spread,
                plate,
                loop.capacity_rate,
                float(group.thermal_values["plate_conductance"][sample]),
            )
            for limit, power, spread in deciding
        ]
        supply = min(supplies)
        heat = plate + float(group.pump_power[sample])
        supply = min(supply, coolant_limit - heat / loop.capacity_rate)
        found.append(area_steps(heat, supply, loop))
    return max(found, key=lambda steps: steps.film)


def _deciding_cards(
    ensemble: Ensemble, number: int, sample: int, junction_limit: float
) -> list[tuple[float, float, float]]:
    """Limits of the junction with factors on power and resistance of the card that decides on each.

    The limit of the case is one for the 99 % quantile. The hottest card, for which its job waits, must stay below the
    temperature at which it lowers its clock.
    """
    card = ensemble.groups[number].card
    mine = ensemble.lots.row == number * ensemble.count + sample
    tail = CardSample.of(card, 4096, int(ensemble.lots.population[mine].max()))
    most = np.argmax(tail.power_factor[: tail.counts[0]] * tail.resistance_factor[: tail.counts[0]])
    return [
        (limit, float(tail.power_factor[place]), float(tail.resistance_factor[place]))
        for limit, place in ((junction_limit, int(most)), (card.target_temperature, -2))
    ]


def _drawn(card: CardParameters, activity: Array, junction: float, factor: float) -> Array:
    """Power of a card at activities [W]; the factor is on leakage and switching, as the spread between cards is."""
    varying = card_power(card, activity, 1.0, junction) - card.resident_power
    return np.minimum(card.resident_power + factor * varying, card.power_limit)


def _supply_loss(group: ModuleGroup, power: float) -> float:
    """Heat of the supplies of the cards that goes to the coolant [W]."""
    if group.design.bus.conversion.card_supply_heat_to != "coolant":
        return 0.0
    wanted = np.full(1, power)
    return float((group.bus.card_supply.input_for(wanted) - wanted)[0])
