"""Solar array: power of a wing of cells, its named losses and the heat it keeps.

The chain is cells → strings with blocking diodes → harness → array terminals. What the terminals can give at
most is `electrical_power`; the bus may draw less, and what is not drawn stays in the cells as heat.
The regulator behind the terminals belongs to `twin.power_bus`.

References
----------
.. [1] H. S. Rauschenbach, "Solar Cell Array Design Handbook", Van Nostrand Reinhold, 1980.
.. [2] M. R. Patel, "Spacecraft Power Systems", CRC Press, 2005, ch. 8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.solar_cell import (
    Array,
    CellParameters,
    kelly_ratio,
    max_power_point,
    radiation_factor,
    require,
)

__all__ = [
    "ArrayFlows",
    "ArrayPoint",
    "CellParameters",
    "SolarArrayParameters",
    "absorbed_heat",
    "draw_power",
    "electrical_power",
    "maximum_power",
    "remaining_factor",
]


@dataclass(frozen=True)
class SolarArrayParameters:
    """A wing of one kind of cell.

    Attributes
    ----------
    cell : CellParameters
    area : float
        Panel area, m².
    packing_factor : float
        Cell area over panel area.
    cells_in_series : int
        Cells of a string.
    blocking_diode_drop : float
        Forward voltage of a string's blocking diode, V.
    harness_efficiency : float
        Share of the power that passes the harness at the reference point; the loss grows with the square of
        power.
    mppt_efficiency : float
        Share of the maximum power that the tracker finds. The rest is never extracted: it stays in the cells.
    gap_absorptance, gap_emissivity : float
        Solar absorptance and emissivity of the front between the cells.
    fluence_rate : float
        1-MeV-electron-equivalent fluence behind the cover glass, 1/(m² s).
    ageing_rate : float
        Loss of power for other reasons than radiation (ultraviolet, contamination, micrometeoroids, thermal
        cycling), 1/s: the factor is exp(-rate·age).

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    cell: CellParameters
    area: float
    packing_factor: float = 0.9
    cells_in_series: int = 150
    blocking_diode_drop: float = 0.7
    harness_efficiency: float = 0.98
    mppt_efficiency: float = 0.99
    gap_absorptance: float = 0.6
    gap_emissivity: float = 0.85
    fluence_rate: float = 0.0
    ageing_rate: float = 0.0

    def __post_init__(self) -> None:
        require(self, "area", np.isfinite(self.area) and self.area > 0.0, "a positive area (m²)")
        for name in ("packing_factor", "harness_efficiency", "mppt_efficiency"):
            require(self, name, 0.0 < getattr(self, name) <= 1.0, "a fraction in (0, 1]")
        for name in ("gap_absorptance", "gap_emissivity"):
            require(self, name, 0.0 <= getattr(self, name) <= 1.0, "a fraction in [0, 1]")
        for name in ("blocking_diode_drop", "fluence_rate", "ageing_rate"):
            require(self, name, getattr(self, name) >= 0.0, "a number not below 0")
        require(self, "cells_in_series", self.cells_in_series >= 1, "at least one cell")
        require(
            self,
            "blocking_diode_drop",
            self.blocking_diode_drop < self.cells_in_series * self.cell.max_power_voltage,
            "less than the string's voltage",
        )

    @property
    def cell_count(self) -> float:
        """Number of cells (not rounded: the packing factor already says how much of the panel they cover)."""
        return self.area * self.packing_factor / self.cell.area

    @property
    def string_count(self) -> float:
        """Number of strings in parallel."""
        return self.cell_count / self.cells_in_series

    @property
    def front_absorptance(self) -> float:
        """Solar absorptance of the front, cells and gaps together, when no power is drawn."""
        return (
            self.packing_factor * self.cell.absorptance + (1.0 - self.packing_factor) * self.gap_absorptance
        )

    @property
    def front_emissivity(self) -> float:
        """Emissivity of the front, cells and gaps together."""
        return self.packing_factor * self.cell.emissivity + (1.0 - self.packing_factor) * self.gap_emissivity

    @property
    def rated_cell_power(self) -> float:
        """Power drawn from new cells at the reference flux and temperature, W."""
        return self.cell_count * self.cell.max_power * self.mppt_efficiency

    @property
    def harness_loss_coefficient(self) -> float:
        """Harness loss per square of the power that enters it, 1/W."""
        diode = self.blocking_diode_drop / (self.cells_in_series * self.cell.max_power_voltage)
        return (1.0 - self.harness_efficiency) / (self.rated_cell_power * (1.0 - diode))

    @property
    def rated_power(self) -> float:
        """Power at the terminals of the new array at the reference flux and temperature, W."""
        diode = self.blocking_diode_drop / (self.cells_in_series * self.cell.max_power_voltage)
        return self.rated_cell_power * (1.0 - diode) * self.harness_efficiency


@dataclass(frozen=True)
class ArrayPoint:
    """What an array can give now.

    Attributes
    ----------
    power : ndarray, shape (N,)
        Most that the terminals can give, W.
    cell_power : ndarray, shape (N,)
        Power drawn from the cells for that, W.
    diode_share : ndarray, shape (N,)
        Share of the cells' power lost in the blocking diodes.
    voltage : ndarray, shape (N,)
        String voltage at the cells, V.
    """

    power: Array
    cell_power: Array
    diode_share: Array
    voltage: Array


@dataclass(frozen=True)
class ArrayFlows:
    """Where the power drawn from the cells goes, W, each (N,).

    ``cell_power = power + diode_loss + harness_loss``. The diodes sit on the panel: ``diode_loss`` heats the
    array; ``harness_loss`` heats the harness.
    """

    power: Array
    cell_power: Array
    diode_loss: Array
    harness_loss: Array


def remaining_factor(parameters: SolarArrayParameters, age: npt.ArrayLike) -> Array:
    """Maximum power after some years over that of the new array, at equal flux and temperature.

    Parameters
    ----------
    parameters : SolarArrayParameters
    age : array_like, shape (...)
        Time in orbit, s.

    Returns
    -------
    ndarray, shape (...)
        Radiation factor of the accumulated fluence times exp(-ageing_rate·age), in [0, 1].
    """
    elapsed = np.maximum(np.asarray(age, dtype=float), 0.0)
    return radiation_factor(parameters.cell, parameters.fluence_rate * elapsed) * np.exp(
        -parameters.ageing_rate * elapsed
    )


def maximum_power(
    parameters: SolarArrayParameters,
    solar_flux_on_front: npt.ArrayLike,
    incidence_cosine: npt.ArrayLike,
    temperature: npt.ArrayLike,
    remaining_factor: npt.ArrayLike = 1.0,
    strings_available: npt.ArrayLike = 1.0,
) -> ArrayPoint:
    r"""Most that an array can give, with the voltage and the shares that its losses need.

    Cells are at their maximum-power point (`twin.solar_cell.max_power_point`), found by the tracker to within
    its efficiency. Each string loses :math:`V_d / (N_s V_{mp})` in its blocking diode. The harness loses
    :math:`r P^2`: drawing more than :math:`P = 1/(2r)` through it would deliver less, and the tracker stops
    there.

    Parameters
    ----------
    parameters : SolarArrayParameters
    solar_flux_on_front : array_like, shape (N,)
        Direct solar flux on the front, W/m²: cosine and shadow included.
    incidence_cosine : array_like, shape (N,)
        Cosine of the angle between front normal and Sun; for the losses beyond the cosine law.
    temperature : array_like, shape (N,)
        Cell temperature, K.
    remaining_factor : array_like, shape (N,)
        From `remaining_factor`.
    strings_available : array_like, shape (N,)
        Share of the strings that work. The blocking diode keeps a lost string from draining the others.

    Returns
    -------
    ArrayPoint
    """
    effective = np.maximum(np.asarray(solar_flux_on_front, dtype=float), 0.0) * kelly_ratio(incidence_cosine)
    current, voltage = max_power_point(parameters.cell, effective, temperature)
    # Above 1 for a wing that is better than its kind.
    factor = np.maximum(remaining_factor, 0.0) * np.clip(strings_available, 0.0, 1.0)
    tracked = parameters.cell_count * parameters.mppt_efficiency * factor * current * voltage
    string_voltage = parameters.cells_in_series * voltage
    diode_share = parameters.blocking_diode_drop / np.maximum(
        string_voltage, parameters.blocking_diode_drop + 1e-300
    )
    diode_share = np.minimum(diode_share, 1.0)
    entering = tracked * (1.0 - diode_share)
    loss = parameters.harness_loss_coefficient
    if loss > 0.0:
        entering = np.minimum(entering, 0.5 / loss)
    usable = entering > 0.0
    cell_power = np.where(usable, entering / np.where(usable, 1.0 - diode_share, 1.0), 0.0)
    return ArrayPoint(
        power=entering * (1.0 - loss * entering),
        cell_power=cell_power,
        diode_share=np.where(usable, diode_share, 0.0),
        voltage=string_voltage,
    )


def electrical_power(
    parameters: SolarArrayParameters,
    solar_flux_on_front: npt.ArrayLike,
    incidence_cosine: npt.ArrayLike,
    temperature: npt.ArrayLike,
    remaining_factor: npt.ArrayLike = 1.0,
    strings_available: npt.ArrayLike = 1.0,
) -> Array:
    """Most that the array terminals can give, W, shape (N,); arguments as for `maximum_power`."""
    return maximum_power(
        parameters, solar_flux_on_front, incidence_cosine, temperature, remaining_factor, strings_available
    ).power


def draw_power(parameters: SolarArrayParameters, point: ArrayPoint, power: npt.ArrayLike) -> ArrayFlows:
    """Losses on the way when the bus draws `power` at the terminals.

    Parameters
    ----------
    parameters : SolarArrayParameters
    point : ArrayPoint
        From `maximum_power`.
    power : array_like, shape (N,)
        Power drawn at the terminals, W; clipped to what the array can give.

    Returns
    -------
    ArrayFlows
        The diode share is that of the maximum-power point. A curtailed string runs nearer to its open-circuit
        voltage, with less current: its diode loses slightly less than said here.
    """
    drawn = np.clip(power, 0.0, point.power)
    loss = parameters.harness_loss_coefficient
    root = np.sqrt(np.maximum(1.0 - 4.0 * loss * drawn, 0.0))
    entering = 2.0 * drawn / (1.0 + root)
    cell_power = entering / (1.0 - point.diode_share)
    return ArrayFlows(
        power=drawn,
        cell_power=cell_power,
        diode_loss=cell_power - entering,
        harness_loss=entering - drawn,
    )


def absorbed_heat(
    parameters: SolarArrayParameters, solar_flux_on_front: npt.ArrayLike, cell_power: npt.ArrayLike
) -> Array:
    """Solar heat that stays in the front: absorbed sunlight less the power drawn from the cells.

    Parameters
    ----------
    parameters : SolarArrayParameters
    solar_flux_on_front : array_like, shape (N,)
        W/m², cosine included.
    cell_power : array_like, shape (N,)
        `ArrayFlows.cell_power`, W.

    Returns
    -------
    ndarray, shape (N,)
        W: α·G·A - P.
    """
    return parameters.front_absorptance * np.asarray(
        solar_flux_on_front, dtype=float
    ) * parameters.area - np.asarray(cell_power, dtype=float)
