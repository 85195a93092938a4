"""Battery cell: equivalent-circuit tables and limits."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

type Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BatteryCellParameters:
    r"""Equivalent circuit of a cell: OCV(SOC, T) behind R0(SOC, T) and one optional RC pair.

    .. math:: V = U(s, T) - U_{RC} - I R_0(s, T), \qquad \tau\,\dot U_{RC} = I R_1 - U_{RC}

    with I positive on discharge [1]_.

    Attributes
    ----------
    capacity : float
        Charge between the ends of the OCV table, new cell, C (ampere second).
    state_of_charge : array_like, shape (K,)
        Points of the OCV table, increasing from 0 to 1.
    open_circuit_voltage : array_like, shape (K,)
        At the reference temperature, V, increasing.
    voltage_min, voltage_max : float
        Limits of the terminal voltage, V.
    discharge_current_max, charge_current_max : float
        Limits of the current, A (both positive).
    resistance : array_like, shape () or (T, S)
        Series resistance R0 of the new cell, ohm.
    resistance_temperature : array_like, shape (T,)
        Rows of `resistance`, K, increasing.
    resistance_state_of_charge : array_like, shape (S,)
        Columns of `resistance`, increasing.
    rc_resistance : float
        R1, ohm; 0 leaves the pair out.
    rc_time_constant : float
        τ = R1·C1, s.
    entropic_coefficient : array_like, shape (K,), optional
        dU/dT at the points of the OCV table, V/K; without it there is no reversible heat.
    reference_temperature : float
        Temperature of the OCV table, K.
    coulombic_efficiency : float
        Share of the charging current that is stored; the rest is heat.
    charge_temperature_range, discharge_temperature_range : (float, float)
        Cell temperatures between which current may flow, K.
    mass : float
        kg.
    specific_heat : float
        J/(kg K).

    Raises
    ------
    ValueError
        If tables or limits do not fit together.

    References
    ----------
    .. [1] G. L. Plett, "Battery Management Systems, vol. I: Battery Modeling", Artech House, 2015, ch. 2.
    """

    capacity: float
    state_of_charge: npt.ArrayLike
    open_circuit_voltage: npt.ArrayLike
    voltage_min: float
    voltage_max: float
    discharge_current_max: float
    charge_current_max: float
    resistance: npt.ArrayLike
    resistance_state_of_charge: npt.ArrayLike = (0.5,)
    resistance_temperature: npt.ArrayLike = (298.15,)
    rc_resistance: float = 0.0
    rc_time_constant: float = 30.0
    entropic_coefficient: npt.ArrayLike | None = None
    reference_temperature: float = 298.15
    coulombic_efficiency: float = 1.0
    charge_temperature_range: tuple[float, float] = (273.15, 333.15)
    discharge_temperature_range: tuple[float, float] = (253.15, 333.15)
    mass: float = 1.0
    specific_heat: float = 1000.0
    _tables: _Tables = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("capacity", "discharge_current_max", "charge_current_max", "rc_time_constant", "mass"):
            self._check(name, getattr(self, name) > 0.0, "a positive number")
        self._check("specific_heat", self.specific_heat > 0.0, "a positive number")
        self._check("rc_resistance", self.rc_resistance >= 0.0, "a resistance not below 0 (ohm)")
        self._check("reference_temperature", self.reference_temperature > 0.0, "a temperature (K)")
        self._check("coulombic_efficiency", 0.0 < self.coulombic_efficiency <= 1.0, "a fraction in (0, 1]")
        for name in ("charge_temperature_range", "discharge_temperature_range"):
            low, high = getattr(self, name)
            self._check(name, 0.0 < low < high, "two temperatures (K), the lower one first")
        object.__setattr__(self, "_tables", self._checked_tables())

    def _check(self, name: str, holds: bool | np.bool_, expected: str) -> None:
        if not holds:
            raise ValueError(f"BatteryCellParameters.{name}: {getattr(self, name)!r}, expected {expected}")

    def _checked_tables(self) -> _Tables:
        soc = np.array(self.state_of_charge, dtype=float)
        ocv = np.array(self.open_circuit_voltage, dtype=float)
        entropic = np.array(
            0.0 if self.entropic_coefficient is None else self.entropic_coefficient, dtype=float
        )
        if self.entropic_coefficient is None:
            entropic = np.zeros_like(ocv)
        rows = np.atleast_1d(np.array(self.resistance_temperature, dtype=float))
        columns = np.atleast_1d(np.array(self.resistance_state_of_charge, dtype=float))
        resistance = np.array(self.resistance, dtype=float)
        if resistance.ndim == 0:
            resistance = np.full((rows.size, columns.size), float(resistance))
        self._check(
            "state_of_charge",
            soc.ndim == 1 and soc.size >= 2 and soc[0] == 0.0 and soc[-1] == 1.0 and np.all(np.diff(soc) > 0),
            "increasing points from 0 to 1",
        )
        self._check(
            "open_circuit_voltage",
            ocv.shape == soc.shape and np.all(np.diff(ocv) >= 0) and ocv[0] > 0,
            f"{soc.size} positive voltages, not decreasing with state of charge",
        )
        self._check("entropic_coefficient", entropic.shape == soc.shape, f"{soc.size} values (V/K)")
        # Below half the open-circuit voltage a cell is past its maximum power, where a power has two
        # currents.
        half = 0.5 * ocv[-1]
        self._check(
            "voltage_min",
            half < self.voltage_min < self.voltage_max,
            f"a voltage between half the highest open-circuit voltage ({half:.3f} V) and voltage_max",
        )
        self._check("resistance_temperature", np.all(np.diff(rows) > 0), "increasing temperatures (K)")
        self._check("resistance_state_of_charge", np.all(np.diff(columns) > 0), "increasing points")
        self._check(
            "resistance",
            resistance.shape == (rows.size, columns.size)
            and np.all(np.isfinite(resistance))
            and np.all(resistance > 0.0),
            f"positive resistances (ohm), shape ({rows.size}, {columns.size})",
        )
        return _Tables(soc, ocv, entropic, resistance, rows, columns)

    @property
    def energy(self) -> float:
        """Energy at the open-circuit voltage between empty and full, new cell, reference temperature, J."""
        return float(self.capacity * self._tables.ocv_integral[-1])

    @property
    def nominal_voltage(self) -> float:
        """Mean open-circuit voltage, V."""
        return float(self._tables.ocv_integral[-1])

    def voltage_at(self, state_of_charge: Array, temperature: Array) -> Array:
        """Return the open-circuit voltage, V, shape (...)."""
        tables = self._tables
        voltage = np.interp(state_of_charge, tables.soc, tables.ocv)
        if not tables.reversible:
            return voltage
        slope = np.interp(state_of_charge, tables.soc, tables.entropic)
        return voltage + slope * (temperature - self.reference_temperature)

    def integrals_at(self, state_of_charge: Array) -> tuple[Array, Array]:
        """Integrate OCV (at the reference temperature) and dU/dT over state of charge from 0, V and V/K.

        The tables are linear between points, so the integrals are exact parabolas per segment.
        """
        tables = self._tables
        segment = tables.segment(state_of_charge)
        into = state_of_charge - tables.soc[segment]

        def integral(values: Array, slopes: Array, cumulative: Array) -> Array:
            return cumulative[segment] + into * (values[segment] + 0.5 * slopes[segment] * into)

        return (
            integral(tables.ocv, tables.ocv_slope, tables.ocv_integral),
            integral(tables.entropic, tables.entropic_slope, tables.entropic_integral),
        )

    def means_between(self, start: Array, end: Array) -> tuple[Array, Array]:
        """Average OCV (at the reference temperature) and dU/dT over the charge between two states, V and V/K.

        Exact for the linear tables; the value at the middle where both states share a segment, so that
        small differences keep their digits.
        """
        tables = self._tables
        middle = 0.5 * (start + end)
        ocv = np.interp(middle, tables.soc, tables.ocv)
        entropic = np.interp(middle, tables.soc, tables.entropic) if tables.reversible else np.zeros_like(ocv)
        crossing = tables.segment(start) != tables.segment(end)
        if np.any(crossing):
            first, last = self.integrals_at(start[crossing]), self.integrals_at(end[crossing])
            span = start[crossing] - end[crossing]
            ocv[crossing] = (first[0] - last[0]) / span
            entropic[crossing] = (first[1] - last[1]) / span
        return ocv, entropic

    def resistance_at(self, state_of_charge: Array, temperature: Array) -> Array:
        """Return the series resistance of the new cell, ohm, shape (...): bilinear, held beyond the table."""
        tables = self._tables
        row, along_row = _locate(tables.resistance_rows, temperature)
        column, along_column = _locate(tables.resistance_columns, state_of_charge)
        table = tables.resistance
        below = np.minimum(row + 1, table.shape[0] - 1)
        right = np.minimum(column + 1, table.shape[1] - 1)
        upper = table[row, column] * (1.0 - along_column) + table[row, right] * along_column
        lower = table[below, column] * (1.0 - along_column) + table[below, right] * along_column
        return upper * (1.0 - along_row) + lower * along_row


class _Tables:
    """Arrays of a cell with what is derived from them, computed once."""

    def __init__(
        self, soc: Array, ocv: Array, entropic: Array, resistance: Array, rows: Array, columns: Array
    ):
        self.soc, self.ocv, self.entropic = soc, ocv, entropic
        self.resistance, self.resistance_rows, self.resistance_columns = resistance, rows, columns
        self.reversible = bool(np.any(entropic != 0.0))
        width = np.diff(soc)
        self.ocv_slope, self.entropic_slope = np.diff(ocv) / width, np.diff(entropic) / width
        self.ocv_integral = np.append(0.0, np.cumsum(0.5 * (ocv[1:] + ocv[:-1]) * width))
        self.entropic_integral = np.append(0.0, np.cumsum(0.5 * (entropic[1:] + entropic[:-1]) * width))
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    def segment(self, state_of_charge: Array) -> npt.NDArray[np.intp]:
        """Index of the table's segment that a state of charge lies in."""
        return np.clip(np.searchsorted(self.soc, state_of_charge, side="right") - 1, 0, self.soc.size - 2)


def _locate(points: Array, values: Array) -> tuple[npt.NDArray[np.intp], Array]:
    """Segment and fraction along it, clipped to the table."""
    if points.size == 1:
        return np.zeros(np.shape(values), dtype=np.intp), np.zeros(np.shape(values))
    clipped = np.clip(values, points[0], points[-1])
    segment = np.clip(np.searchsorted(points, clipped, side="right") - 1, 0, points.size - 2)
    return segment, (clipped - points[segment]) / (points[segment + 1] - points[segment])
