"""Closed forms of the radiator area: the sanity check beside the coupled model, and what explains the difference.

Each step takes one more effect in: a radiator at one temperature, coolant that cools down on its way, fins between the
tubes, the film in the tubes. All are steady, with the means of the design orbit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.constants import SPACE_TEMPERATURE, STEFAN_BOLTZMANN
from twin.errors import BadInput
from twin.radiator_margin import cooling_integral

Array = NDArray[np.float64]

__all__ = [
    "AreaSteps", "LoopDesign", "area_steps", "effective_sink", "fin_efficiency", "isothermal_area",
    "loop_area", "panel_flux", "supply_for_junction",
]  # fmt: skip

_POINTS = 64


def effective_sink(absorbed: float, emissivity: float) -> float:
    """Return the temperature at which a face emits what it absorbs from Sun and Earth [K].

    Parameters
    ----------
    absorbed : float
        Mean flux absorbed per face [W/m²].
    emissivity : float
        Times the view to space.
    """
    return float((absorbed / (emissivity * STEFAN_BOLTZMANN) + SPACE_TEMPERATURE**4) ** 0.25)


def panel_flux(
    temperature: float, emissivity: float, faces: int, sink: float, efficiency: float = 1.0
) -> float:
    """Return the net heat that a square metre of panel sheds [W/m²] (Gilmore 2002, chapter 6).

    Parameters
    ----------
    temperature, sink : float
        Of the panel at the tubes, and effective of what it sees [K].
    emissivity : float
    faces : int
        Faces that radiate.
    efficiency : float
        Of the fins.
    """
    return faces * emissivity * efficiency * STEFAN_BOLTZMANN * (temperature**4 - sink**4)


def fin_efficiency(number: float, sink_ratio: float = 0.0) -> float:
    """Return the efficiency of a radiating fin.

    Parameters
    ----------
    number : float
        N = faces·εσT_b³L²/(kt), with L half the distance between tubes.
    sink_ratio : float
        Sink over base temperature.

    Notes
    -----
    θ″ = N(θ⁴ − s⁴), θ(0) = 1, θ′(1) = 0; η = −θ′(0)/(N(1 − s⁴)) (Lieblein 1959, NASA TN D-196).
    """
    from scipy.integrate import solve_bvp

    if number < 1e-9:
        return 1.0
    x = np.linspace(0.0, 1.0, 41)
    fourth = sink_ratio**4
    result = solve_bvp(
        lambda _, y: np.stack([y[1], number * (np.abs(y[0]) ** 3 * y[0] - fourth)]),
        lambda a, b: np.array([a[0] - 1.0, b[1]]),
        x,
        np.stack([np.full(x.size, 1.0 / (1.0 + 0.4 * number)) ** x, np.zeros(x.size)]),
        tol=1e-8,
    )
    return float(-result.sol(0.0)[1] / (number * (1.0 - fourth)))


def isothermal_area(heat: float, temperature: float, emissivity: float, faces: int, sink: float) -> float:
    """Return the area of a radiator at one temperature, infinite where it does not exceed the sink [m²]."""
    flux = panel_flux(temperature, emissivity, faces, sink)
    return heat / flux if flux > 0.0 else np.inf


@dataclass(frozen=True)
class LoopDesign:
    """A radiator on a coolant loop, as the closed forms see it.

    Attributes
    ----------
    capacity_rate : float
        Mass flow times specific heat [W/K].
    emissivity : float
        Times the view to space.
    faces : int
    sink : float
        Effective, per face [K].
    fin_number : float
        N·T_b⁻³ = faces·εσL²/(kt) of the fins [1/K³]; 0 for none.
    film : float
        Conductance of the films in the tubes per panel area [W/m²K]; infinite for none.
    """

    capacity_rate: float
    emissivity: float
    faces: int
    sink: float
    fin_number: float = 0.0
    film: float = np.inf


def loop_area(heat: float, supply: float, loop: LoopDesign, efficiency: float = 1.0) -> float:
    """Return the area that cools the coolant from where the heat brings it back to the supply temperature [m²].

    Parameters
    ----------
    heat : float
        [W].
    supply : float
        Coolant at the radiator's outlet [K].
    loop : LoopDesign
        Without fins and films.
    efficiency : float
        Constant efficiency of the fins.

    Notes
    -----
    ṁc dT/dA = −faces·ηεσ(T⁴ − T_s⁴); see `twin.radiator_margin.cooling_integral`.
    """
    integral = float(cooling_integral(supply, supply + heat / loop.capacity_rate, loop.sink))
    return loop.capacity_rate * integral / (loop.faces * efficiency * loop.emissivity * STEFAN_BOLTZMANN)


def _wall_flux(coolant: float, loop: LoopDesign, fins: bool, films: bool) -> float:
    """Net heat per panel area at a coolant temperature, the wall behind the film and the fin behind the wall [W/m²]."""
    wall = coolant
    flux = 0.0
    for _ in range(50):
        efficiency = fin_efficiency(loop.fin_number * wall**3, min(loop.sink / wall, 0.999)) if fins else 1.0
        flux = panel_flux(wall, loop.emissivity, loop.faces, loop.sink, efficiency)
        following = coolant - flux / loop.film if films and np.isfinite(loop.film) else coolant
        if abs(following - wall) < 1e-4:
            break
        wall = 0.5 * (wall + following)
    return flux


def _integrated_area(heat: float, supply: float, loop: LoopDesign, fins: bool, films: bool) -> float:
    """Area of a loop whose panel has fins and films: ∫ ṁc dT / q(T) [m²]."""
    points, weights = np.polynomial.legendre.leggauss(5)
    rise = heat / loop.capacity_rate
    flux = np.array([_wall_flux(supply + 0.5 * rise * (1.0 + p), loop, fins, films) for p in points])
    if np.any(flux <= 0.0):
        return np.inf
    return float(0.5 * heat * np.sum(weights / flux))


@dataclass(frozen=True)
class AreaSteps:
    """Closed forms, each with one more effect; areas [m²].

    Attributes
    ----------
    supply : float
        Coolant supply temperature that the limit allows [K].
    heat : float
        That the radiator must shed [W].
    sink : float
        Effective sink [K].
    isothermal : float
        At the mean coolant temperature.
    loop : float
        With the coolant cooling on its way.
    fins : float
        With the fins between tubes.
    film : float
        With the film in the tubes: the closed form that stands beside the coupled model.
    """

    supply: float
    heat: float
    sink: float
    isothermal: float
    loop: float
    fins: float
    film: float


def area_steps(heat: float, supply: float, loop: LoopDesign) -> AreaSteps:
    """Return the closed forms for a heat [W] and the supply temperature to hold [K]."""
    if not heat > 0.0:
        raise BadInput(f"radiator: heat to shed is {heat:g} W, expected more than 0")
    mean = supply + 0.5 * heat / loop.capacity_rate
    return AreaSteps(
        supply,
        heat,
        loop.sink,
        isothermal_area(heat, mean, loop.emissivity, loop.faces, loop.sink),
        loop_area(heat, supply, loop),
        _integrated_area(heat, supply, loop, fins=True, films=False),
        _integrated_area(heat, supply, loop, fins=True, films=True),
    )


def supply_for_junction(
    limit: float,
    card_power: float,
    resistance: float,
    plate_heat: float,
    capacity_rate: float,
    conductance: float,
) -> float:
    """Return the coolant supply temperature at which a junction is at its limit [K].

    Parameters
    ----------
    limit : float
        Of the junction [K].
    card_power : float
        Of the card that decides [W].
    resistance : float
        Of its junction to the cold plate [K/W].
    plate_heat : float
        Of all cold plates together [W].
    capacity_rate : float
        Of the coolant [W/K].
    conductance : float
        Of all cold plates to the coolant [W/K].

    Notes
    -----
    One plate temperature along the coolant: Q = ṁc(1 − e^(−UA/ṁc))(T_plate − T_supply).
    """
    effectiveness = -np.expm1(-conductance / capacity_rate)
    return float(limit - resistance * card_power - plate_heat / (capacity_rate * effectiveness))
