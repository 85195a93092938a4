"""Coolants and convective heat transfer in tubes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.errors import ModelError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fluid:
    """A liquid at a fixed pressure, tabulated over temperature.

    Attributes
    ----------
    name : str
        As CoolProp knows it, e.g. ``"Ammonia"`` or ``"INCOMP::MPG[0.4]"`` (40 % propylene glycol in water).
    pressure : float
        [Pa].
    temperature : (n,) array
        Table points [K], within the liquid's range.
    density, specific_heat, viscosity, conductivity : (n,) arrays
        [kg/m³, J/kgK, Pa s, W/mK].
    freezing_temperature, boiling_temperature : float
        Where the liquid ends [K].
    """

    name: str
    pressure: float
    temperature: Array
    density: Array
    specific_heat: Array
    viscosity: Array
    conductivity: Array
    freezing_temperature: float
    boiling_temperature: float

    def at(self, temperature: ArrayLike) -> tuple[Array, Array, Array, Array]:
        """Return (density, specific heat, viscosity, conductivity) at temperatures, held at the table's ends."""
        t = np.asarray(temperature, dtype=float)
        tables = (self.density, self.specific_heat, self.viscosity, self.conductivity)
        values = tuple(np.interp(t, self.temperature, table) for table in tables)
        return values[0], values[1], values[2], values[3]

    def enthalpy_scale(self, reference: float) -> EnthalpyScale:
        """Return the scale on which this liquid carries heat with its specific heat at a reference temperature [K]."""
        if not self.temperature[0] < reference < self.temperature[-1]:
            raise ModelError(
                f"coolant {self.name!r}: reference temperature {reference} K; expected one between "
                f"{self.temperature[0]:.1f} and {self.temperature[-1]:.1f} K"
            )
        t, heat = self.temperature, self.specific_heat
        enthalpy = np.concatenate([[0.0], np.cumsum(0.5 * (heat[1:] + heat[:-1]) * np.diff(t))])
        specific_heat = float(np.interp(reference, t, heat))
        value = reference + (enthalpy - np.interp(reference, t, enthalpy)) / specific_heat
        grid = np.linspace(value[0], value[-1], 4 * len(t))
        return EnthalpyScale(
            specific_heat, float(grid[0]), float(grid[1] - grid[0]), np.interp(grid, value, t)
        )


@dataclass(frozen=True, eq=False)
class EnthalpyScale:
    """Enthalpy of a liquid written as a temperature: θ = T_ref + (h − h_ref)/c_ref.

    Heat carried by a flow is ṁ·c_ref·θ and heat stored m·c_ref·θ, exactly, whatever the specific heat does.

    Attributes
    ----------
    specific_heat : float
        c_ref [J/kgK].
    first, spacing : float
        Grid of θ [K].
    table : (n,) array
        Temperature at the grid points [K]; continued in a straight line beyond.
    """

    specific_heat: float
    first: float
    spacing: float
    table: Array

    def value(self, temperature: ArrayLike) -> Array:
        """Return θ at temperatures [K]."""
        t = np.asarray(temperature, dtype=float)
        k = np.clip(np.searchsorted(self.table, t, side="right") - 1, 0, len(self.table) - 2)
        part = (t - self.table[k]) / (self.table[k + 1] - self.table[k])
        return np.asarray(self.first + self.spacing * (k + part))

    def temperature(self, value: ArrayLike) -> Array:
        """Return temperatures at θ [K]."""
        position = (np.asarray(value, dtype=float) - self.first) / self.spacing
        k = np.clip(np.floor(position).astype(int), 0, len(self.table) - 2)
        return np.asarray(self.table[k] + (position - k) * (self.table[k + 1] - self.table[k]))


def saturation_temperature(name: str, pressure: ArrayLike) -> Array:
    """Return the temperature at which a pure liquid boils [K] at pressures [Pa] (CoolProp).

    An incompressible mixture has no vapour data: the upper end of its correlations is returned.
    """
    import CoolProp.CoolProp as coolprop

    pascal = np.asarray(pressure, dtype=float)
    if name.startswith("INCOMP::"):
        return np.full(pascal.shape, float(coolprop.PropsSI("Tmax", "T", 0, "P", 0, name)))
    try:
        flat = [float(coolprop.PropsSI("T", "P", p, "Q", 0, name)) for p in pascal.ravel()]
    except ValueError as error:
        raise ModelError(f"coolant {name!r} has no boiling point at one of the pressures: {error}") from error
    return np.array(flat).reshape(pascal.shape)


@lru_cache(maxsize=32)
def fluid(name: str, pressure: float, points: int = 400) -> Fluid:
    """Tabulate a liquid from CoolProp (Bell et al. 2014, doi 10.1021/ie4033999).

    Parameters
    ----------
    name : str
    pressure : float
        [Pa].
    points : int
        Table length; 400 keep the interpolation error of every property below 1e-4,
        1e-5 but for the viscosity of glycol mixtures.

    Raises
    ------
    ModelError
        For a fluid that CoolProp does not know, or that is not liquid at this pressure.
    """
    import CoolProp.CoolProp as coolprop  # takes two seconds: only who needs a table waits for it

    try:
        if name.startswith("INCOMP::"):
            low = float(coolprop.PropsSI("Tmin", "T", 0, "P", 0, name))
            high = float(coolprop.PropsSI("Tmax", "T", 0, "P", 0, name))
            freezing = max(low, float(coolprop.PropsSI("T_FREEZE", "T", 300.0, "P", pressure, name)))
            low = freezing
        else:
            freezing = float(coolprop.PropsSI("Ttriple", name))
            low, high = freezing, float(coolprop.PropsSI("T", "P", pressure, "Q", 0, name))
    except ValueError as error:
        raise ModelError(f"coolant {name!r} at {pressure:g} Pa: {error}") from error
    if not low < high:
        raise ModelError(f"coolant {name!r} is not liquid at {pressure:g} Pa")
    grid = np.linspace(low + 0.01, high - 0.01, points)
    density, heat, viscosity, conductivity = (
        np.asarray(coolprop.PropsSI(key, "T", grid, "P", pressure, name), dtype=float) for key in "DCVL"
    )
    return Fluid(name, pressure, grid, density, heat, viscosity, conductivity, freezing, high)


def nusselt_number(reynolds: ArrayLike, prandtl: ArrayLike) -> Array:
    """Return the Nusselt number of fully developed tube flow.

    Laminar: 4.36 (uniform heat flux), Re < 2300; turbulent: Gnielinski with the Petukhov friction factor, Re > 4000;
    between, linear in Re (Incropera, eqs. 8.53 and 8.62; Gnielinski 2013,
    doi 10.1016/j.ijheatmasstransfer.2013.04.015).

    Parameters
    ----------
    reynolds, prandtl : array_like
        Any broadcastable shapes.
    """
    re = np.asarray(reynolds, dtype=float)
    pr = np.asarray(prandtl, dtype=float)
    laminar = 4.36

    def gnielinski(r: Array) -> Array:
        f = (0.790 * np.log(r) - 1.64) ** -2
        return np.asarray((f / 8) * (r - 1000) * pr / (1 + 12.7 * np.sqrt(f / 8) * (pr ** (2 / 3) - 1)))

    share = np.clip((re - 2300.0) / 1700.0, 0.0, 1.0)
    turbulent = gnielinski(np.maximum(re, 4000.0))
    return np.asarray((1.0 - share) * laminar + share * turbulent)


def friction_factor(reynolds: ArrayLike, relative_roughness: float = 0.0) -> Array:
    """Return the Darcy friction factor for any Reynolds number (Churchill, Chem. Eng. 84 (1977) 91)."""
    re = np.maximum(np.asarray(reynolds, dtype=float), 1e-6)
    a = (-2.457 * np.log((7.0 / np.maximum(re, 1.0)) ** 0.9 + 0.27 * relative_roughness)) ** 16
    b = (37530.0 / re) ** 16
    return np.asarray(8.0 * ((8.0 / re) ** 12 + (a + b) ** -1.5) ** (1.0 / 12.0))


def friction_slope(reynolds: ArrayLike, relative_roughness: float = 0.0) -> tuple[Array, Array]:
    """Return f·Re, which is 64 where the flow stops, and its derivative by Re (Churchill's factor, differentiated)."""
    re = np.maximum(np.asarray(reynolds, dtype=float), 1e-6)
    swirl = np.maximum(re, 1.0)
    inner = (7.0 / swirl) ** 0.9
    argument = inner + 0.27 * relative_roughness
    logarithm = -2.457 * np.log(argument)
    a, b = logarithm**16, (37530.0 / re) ** 16
    laminar, turbulent = (8.0 / re) ** 12, (a + b) ** -1.5
    total = laminar + turbulent
    # d ln(argument)/dRe = −0.9·inner/(Re·argument); below Re = 1 the turbulent term is held.
    a_slope = np.where(re > 1.0, 16.0 * logarithm**15 * 2.457 * 0.9 * inner / (swirl * argument), 0.0)
    total_slope = -12.0 * laminar / re - 1.5 * (a + b) ** -2.5 * (a_slope - 16.0 * b / re)
    factor = 8.0 * total ** (1.0 / 12.0)
    return np.asarray(factor * re), np.asarray(factor + re * factor * total_slope / (12.0 * total))


def tube_film_coefficient(
    liquid: Fluid, mass_flow: ArrayLike, diameter: ArrayLike, temperature: ArrayLike
) -> Array:
    """Return the film coefficient of tube flow [W/m²K].

    At no flow it is the laminar one: 4.36 k/D; conduction alone in a standing liquid settles at
    Nu = 5.78, the square of the first root of J₀ (Carslaw & Jaeger, Conduction of Heat in Solids, 7.6).

    Parameters
    ----------
    liquid : Fluid
    mass_flow : array_like
        In one tube, either way [kg/s].
    diameter : array_like
        Inner [m].
    temperature : array_like
        Of the fluid [K].
    """
    _, heat, viscosity, conductivity = liquid.at(temperature)
    bore = np.asarray(diameter, dtype=float)
    reynolds = 4.0 * np.abs(np.asarray(mass_flow, dtype=float)) / (np.pi * bore * viscosity)
    return np.asarray(nusselt_number(reynolds, viscosity * heat / conductivity) * conductivity / bore)


def pressure_drop(
    liquid: Fluid,
    mass_flow: ArrayLike,
    diameter: ArrayLike,
    length: ArrayLike,
    temperature: ArrayLike,
    relative_roughness: float = 0.0,
) -> Array:
    """Return the friction pressure drop of a tube, f·(L/D)·ρv²/2 [Pa] (Darcy-Weisbach), with the sign of the flow."""
    density, _, viscosity, _ = liquid.at(temperature)
    flow, bore = np.asarray(mass_flow, dtype=float), np.asarray(diameter, dtype=float)
    area = np.pi * bore**2 / 4.0
    product, _ = friction_slope(np.abs(flow) * bore / (area * viscosity), relative_roughness)
    return np.asarray(product * viscosity * np.asarray(length) * flow / (2.0 * bore**2 * density * area))
