"""Solar cells: datasheet electrical model, incidence and radiation damage.

The model is the point model that arrays are sized with: the maximum-power current and voltage
of the datasheet, moved linearly in temperature, proportionally (current) and logarithmically
(voltage) in irradiance. Everything is per cell, vectorised over any shape.

References
----------
.. [1] H. S. Rauschenbach, "Solar Cell Array Design Handbook", Van Nostrand Reinhold, 1980, ch. 9.
.. [2] M. R. Patel, "Spacecraft Power Systems", CRC Press, 2005, ch. 8 (Kelly cosine).
.. [3] B. E. Anspaugh, "GaAs Solar Cell Radiation Handbook", JPL Publication 96-9, 1996.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

BOLTZMANN_OVER_CHARGE = 8.617333262e-5
"""k/q, volt per kelvin (CODATA 2018, exact)."""

# Kelly cosine [2]_: what a covered cell really delivers beyond ~50 degrees; nothing beyond 85 degrees.
_KELLY_ANGLES = np.radians([0.0, 30.0, 50.0, 60.0, 80.0, 85.0])
_KELLY_COSINES = np.array([1.0, np.cos(np.radians(30.0)), 0.635, 0.450, 0.100, 0.0])
# Interpolating the ratio to the true cosine keeps the law smooth and exact where it is a cosine.
_KELLY_RATIOS = np.append(np.minimum(_KELLY_COSINES[:-1] / np.cos(_KELLY_ANGLES[:-1]), 1.0), 0.0)

type Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CellParameters:
    """Datasheet of a solar cell, at the reference flux and temperature, before irradiation.

    Attributes
    ----------
    area : float
        Cell area, m².
    short_circuit_current, max_power_current : float
        A.
    open_circuit_voltage, max_power_voltage : float
        V.
    short_circuit_current_slope, max_power_current_slope : float
        Change with temperature, A/K (positive).
    open_circuit_voltage_slope, max_power_voltage_slope : float
        Change with temperature, V/K (negative).
    absorptance : float
        Solar absorptance of the covered cell when no power is drawn.
    emissivity : float
        Hemispherical emissivity of the covered cell.
    reference_flux : float
        W/m².
    reference_temperature : float
        K.
    junctions : int
        Junctions in series; scales the logarithmic change of voltage with irradiance.
    ideality : float
        Mean diode ideality of the junctions.
    lowest_temperature : float
        Below this temperature (K) the datasheet's slopes no longer hold and power is held constant.
    fluences : tuple of float
        1-MeV-electron-equivalent fluences of the radiation table, 1/m², increasing.
    remaining_power : tuple of float
        Remaining maximum-power factors at these fluences, not increasing.

    Raises
    ------
    ValueError
        If a number is outside what the model can describe.
    """

    area: float
    short_circuit_current: float
    max_power_current: float
    open_circuit_voltage: float
    max_power_voltage: float
    short_circuit_current_slope: float
    max_power_current_slope: float
    open_circuit_voltage_slope: float
    max_power_voltage_slope: float
    absorptance: float = 0.91
    emissivity: float = 0.85
    reference_flux: float = 1367.0
    reference_temperature: float = 301.15
    junctions: int = 3
    ideality: float = 1.0
    lowest_temperature: float = 120.0
    fluences: tuple[float, ...] = (5e18, 1e19)
    remaining_power: tuple[float, ...] = (0.89, 0.84)
    _damage_curve: PchipInterpolator | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        for name in (
            "area",
            "short_circuit_current",
            "max_power_current",
            "open_circuit_voltage",
            "max_power_voltage",
            "reference_flux",
            "reference_temperature",
            "junctions",
            "ideality",
            "lowest_temperature",
        ):
            require(self, name, getattr(self, name) > 0.0, "a positive number")
        for name in ("absorptance", "emissivity"):
            require(self, name, 0.0 < getattr(self, name) <= 1.0, "a number in (0, 1]")
        require(
            self, "max_power_voltage", self.max_power_voltage < self.open_circuit_voltage, "less than Voc"
        )
        require(
            self, "max_power_current", self.max_power_current < self.short_circuit_current, "less than Isc"
        )
        require(
            self,
            "max_power_voltage_slope",
            self.max_power_voltage_slope / self.max_power_voltage
            + self.max_power_current_slope / self.max_power_current
            < 0.0,
            "negative enough that power falls with temperature",
        )
        require(
            self,
            "absorptance",
            self.efficiency <= self.absorptance,
            f"at least the efficiency {self.efficiency:.3f}",
        )
        fluences = np.asarray(self.fluences, dtype=float)
        factors = np.asarray(self.remaining_power, dtype=float)
        require(
            self,
            "fluences",
            fluences.ndim == 1
            and fluences.size > 0
            and fluences[0] > 0
            and bool(np.all(np.diff(fluences) > 0)),
            "positive and increasing (1/m²; 1e15 1/cm² is 1e19 1/m²)",
        )
        require(
            self,
            "remaining_power",
            factors.shape == fluences.shape
            and bool(np.all((factors > 0) & (factors <= 1)))
            and bool(np.all(np.diff(factors) <= 0)),
            f"{fluences.size} factors in (0, 1], not increasing",
        )
        onset = fluences[0] / 10.0
        curve = PchipInterpolator(
            np.append(0.0, np.log10(1.0 + fluences / onset)), np.append(1.0, factors), extrapolate=False
        )
        object.__setattr__(self, "_damage_curve", curve)

    @property
    def max_power(self) -> float:
        """Maximum power at the reference point, W."""
        return self.max_power_voltage * self.max_power_current

    @property
    def efficiency(self) -> float:
        """Efficiency at the reference point."""
        return self.max_power / (self.reference_flux * self.area)

    @classmethod
    def from_efficiency(
        cls,
        efficiency: float,
        *,
        power_temperature_coefficient: float = -2.2e-3,
        area: float = 30.18e-4,
        open_circuit_voltage: float = 2.70,
        open_circuit_voltage_slope: float = -6.2e-3,
        **datasheet: float | int | tuple[float, ...],
    ) -> Self:
        """Cell known by its efficiency only; the rest has the proportions of a triple-junction datasheet.

        Parameters
        ----------
        efficiency : float
            At the reference flux and temperature.
        power_temperature_coefficient : float
            Relative change of maximum power, 1/K (negative).
        area : float
            m².
        open_circuit_voltage : float
            V.
        open_circuit_voltage_slope : float
            V/K.
        **datasheet
            Any other attribute of the class.

        Raises
        ------
        ValueError
            If the numbers do not describe a cell.
        """
        if not 0.0 < efficiency < 1.0:
            raise ValueError(f"efficiency: {efficiency!r}, expected a fraction in (0, 1)")
        # Vmp/Voc, Imp/Isc and the relative slopes of current are those of the 3G30A datasheet
        # (docs/theory/power.md).
        voltage = 0.8955 * open_circuit_voltage
        flux = float(datasheet.get("reference_flux", 1367.0))  # type: ignore[arg-type]
        current = efficiency * flux * area / voltage
        short_circuit = current / 0.9679
        return cls(
            area=area,
            short_circuit_current=short_circuit,
            max_power_current=current,
            open_circuit_voltage=open_circuit_voltage,
            max_power_voltage=voltage,
            short_circuit_current_slope=6.9e-4 * short_circuit,
            max_power_current_slope=4.8e-4 * current,
            open_circuit_voltage_slope=open_circuit_voltage_slope,
            max_power_voltage_slope=(power_temperature_coefficient - 4.8e-4) * voltage,
            **datasheet,  # type: ignore[arg-type]
        )


def require(owner: object, name: str, holds: bool, expected: str) -> None:
    """Raise ValueError with class, attribute, value and what was expected, unless a condition holds."""
    if not holds:
        known = {item.name for item in fields(owner)}  # type: ignore[arg-type]
        value = getattr(owner, name) if name in known else None
        raise ValueError(f"{type(owner).__name__}.{name}: {value!r}, expected {expected}")


def kelly_ratio(incidence_cosine: npt.ArrayLike) -> Array:
    """Ratio of the Kelly cosine to the cosine.

    A covered cell follows the cosine law to about 50 degrees; beyond, reflection at the cover and edges cost
    more than the cosine, and it delivers nothing beyond 85 degrees [2]_.

    Parameters
    ----------
    incidence_cosine : array_like, shape (...)
        Cosine of the angle between the front normal and the Sun.

    Returns
    -------
    ndarray, shape (...)
        In [0, 1]; 0 for light from behind.
    """
    cosine = np.clip(np.asarray(incidence_cosine, dtype=float), -1.0, 1.0)
    return np.interp(np.arccos(cosine), _KELLY_ANGLES, _KELLY_RATIOS)


def max_power_point(
    cell: CellParameters, effective_flux: npt.ArrayLike, temperature: npt.ArrayLike
) -> tuple[Array, Array]:
    r"""Find current and voltage at maximum power of an unirradiated cell.

    .. math::
        I_{mp} = g\,[I_{mp,0} + a\,(T - T_0)], \qquad
        V_{mp} = V_{mp,0} + b\,(T - T_0) + \frac{n m k T}{q} \ln g, \qquad g = G / G_0

    with m junctions of ideality n [1]_.

    Parameters
    ----------
    cell : CellParameters
    effective_flux : array_like, shape (...)
        Solar flux that the cell converts (incidence losses taken off), W/m².
    temperature : array_like, shape (...)
        Cell temperature, K.

    Returns
    -------
    current : ndarray, shape (...)
        A, at least 0.
    voltage : ndarray, shape (...)
        V, at least 0.
    """
    suns = np.maximum(np.asarray(effective_flux, dtype=float), 0.0) / cell.reference_flux
    held = np.maximum(np.asarray(temperature, dtype=float), cell.lowest_temperature)
    rise = held - cell.reference_temperature
    current = suns * np.maximum(cell.max_power_current + cell.max_power_current_slope * rise, 0.0)
    lit = suns > 0.0
    logarithm = np.log(np.where(lit, suns, 1.0))
    thermal_voltage = cell.ideality * cell.junctions * BOLTZMANN_OVER_CHARGE * held
    voltage = cell.max_power_voltage + cell.max_power_voltage_slope * rise + thermal_voltage * logarithm
    return current, np.where(lit, np.maximum(voltage, 0.0), 0.0)


def open_circuit_voltage(
    cell: CellParameters, effective_flux: npt.ArrayLike, temperature: npt.ArrayLike
) -> Array:
    """Open-circuit voltage of an unirradiated cell, V; same law and arguments as `max_power_point`."""
    suns = np.maximum(np.asarray(effective_flux, dtype=float), 0.0) / cell.reference_flux
    held = np.maximum(np.asarray(temperature, dtype=float), cell.lowest_temperature)
    lit = suns > 0.0
    thermal_voltage = cell.ideality * cell.junctions * BOLTZMANN_OVER_CHARGE * held
    voltage = (
        cell.open_circuit_voltage
        + cell.open_circuit_voltage_slope * (held - cell.reference_temperature)
        + thermal_voltage * np.log(np.where(lit, suns, 1.0))
    )
    return np.where(lit, np.maximum(voltage, 0.0), 0.0)


def short_circuit_current(
    cell: CellParameters, effective_flux: npt.ArrayLike, temperature: npt.ArrayLike
) -> Array:
    """Short-circuit current of an unirradiated cell, A; same law and arguments as `max_power_point`."""
    suns = np.maximum(np.asarray(effective_flux, dtype=float), 0.0) / cell.reference_flux
    held = np.maximum(np.asarray(temperature, dtype=float), cell.lowest_temperature)
    rise = held - cell.reference_temperature
    return suns * np.maximum(cell.short_circuit_current + cell.short_circuit_current_slope * rise, 0.0)


def radiation_factor(cell: CellParameters, fluence: npt.ArrayLike) -> Array:
    r"""Remaining maximum-power factor after a fluence.

    Damage goes as :math:`1 - C \log_{10}(1 + \phi/\phi_0)` [3]_: the datasheet's points are interpolated
    monotonically (PCHIP) over :math:`\log_{10}(1 + \phi/\phi_0)`, with the onset :math:`\phi_0` one decade
    below the first point, the factor 1 at zero fluence, and the last segment's slope kept beyond the table,
    down to 0.

    Parameters
    ----------
    cell : CellParameters
    fluence : array_like, shape (...)
        1-MeV-electron-equivalent fluence behind the cover glass, 1/m².

    Returns
    -------
    ndarray, shape (...)
        In [0, 1].
    """
    onset = cell.fluences[0] / 10.0
    decades = np.log10(1.0 + np.maximum(np.asarray(fluence, dtype=float), 0.0) / onset)
    curve = cell._damage_curve
    assert curve is not None
    knots = curve.x
    inside = curve(np.minimum(decades, knots[-1]))
    last, before = curve(knots[-1]), curve(knots[-2])
    slope = (last - before) / (knots[-1] - knots[-2])
    beyond = np.maximum(decades - knots[-1], 0.0)
    return np.clip(inside + slope * beyond, 0.0, 1.0)
