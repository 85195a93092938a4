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
    resistance : array_like, shape () or (S, T)
        Series resistance R0 of the new cell, ohm.
    resistance_state_of_charge : array_like, shape (S,)
        Rows of `resistance`, increasing.
    resistance_temperature : array_like, shape (T,)
        Columns of `resistance`, K, increasing.
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
    charge_temperature_min : float
        No charging below this temperature, K.
    temperature_max : float
        No current above this temperature, K.
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
    charge_temperature_min: float = 273.15
    temperature_max: float = 333.15
    mass: float = 1.0
    specific_heat: float = 1000.0
    _soc: Array = field(init=False, repr=False)
    _ocv: Array = field(init=False, repr=False)
    _entropic: Array = field(init=False, repr=False)
    _ocv_integral: Array = field(init=False, repr=False)
    _entropic_integral: Array = field(init=False, repr=False)
    _resistance: Array = field(init=False, repr=False)
    _resistance_soc: Array = field(init=False, repr=False)
    _resistance_temperature: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        soc = np.array(self.state_of_charge, dtype=float)
        ocv = np.array(self.open_circuit_voltage, dtype=float)
        entropic = (
            np.zeros_like(ocv) if self.entropic_coefficient is None else np.array(self.entropic_coefficient)
        )
        entropic = entropic.astype(float)
        rows = np.atleast_1d(np.array(self.resistance_state_of_charge, dtype=float))
        columns = np.atleast_1d(np.array(self.resistance_temperature, dtype=float))
        table = np.array(self.resistance, dtype=float)
        if table.ndim == 0:
            table = np.full((rows.size, columns.size), float(table))

        def check(name: str, holds: bool, expected: str) -> None:
            if not holds:
                raise ValueError(
                    f"BatteryCellParameters.{name}: {getattr(self, name)!r}, expected {expected}"
                )

        for name in ("capacity", "discharge_current_max", "charge_current_max", "rc_time_constant", "mass"):
            check(name, getattr(self, name) > 0.0, "a positive number")
        check("specific_heat", self.specific_heat > 0.0, "a positive number")
        check("rc_resistance", self.rc_resistance >= 0.0, "a resistance not below 0 (ohm)")
        check("coulombic_efficiency", 0.0 < self.coulombic_efficiency <= 1.0, "a fraction in (0, 1]")
        check(
            "state_of_charge",
            soc.ndim == 1
            and soc.size >= 2
            and soc[0] == 0.0
            and soc[-1] == 1.0
            and bool(np.all(np.diff(soc) > 0)),
            "increasing points from 0 to 1",
        )
        check(
            "open_circuit_voltage",
            ocv.shape == soc.shape and bool(np.all(np.diff(ocv) >= 0)) and bool(ocv[0] > 0),
            f"{soc.size} positive voltages, not decreasing with state of charge",
        )
        check("entropic_coefficient", entropic.shape == soc.shape, f"{soc.size} values (V/K)")
        check(
            "voltage_min",
            0.5 * ocv[-1] < self.voltage_min < self.voltage_max,
            # Below half the open-circuit voltage a cell is past its maximum power: power has two currents there.
            f"a voltage between half the highest open-circuit voltage ({0.5 * ocv[-1]:.3f} V) and voltage_max",
        )
        check("resistance_state_of_charge", bool(np.all(np.diff(rows) > 0)), "increasing points")
        check("resistance_temperature", bool(np.all(np.diff(columns) > 0)), "increasing temperatures (K)")
        check(
            "resistance",
            table.shape == (rows.size, columns.size)
            and bool(np.all(table > 0))
            and bool(np.all(np.isfinite(table))),
            f"positive resistances (ohm), shape ({rows.size}, {columns.size})",
        )
        store = {
            "_soc": soc,
            "_ocv": ocv,
            "_entropic": entropic,
            "_ocv_integral": _cumulative(soc, ocv),
            "_entropic_integral": _cumulative(soc, entropic),
            "_resistance": table,
            "_resistance_soc": rows,
            "_resistance_temperature": columns,
        }
        for name, value in store.items():
            value.setflags(write=False)
            object.__setattr__(self, name, value)

    @property
    def energy(self) -> float:
        """Chemical energy between empty and full at the reference temperature, J."""
        return float(self.capacity * self._ocv_integral[-1])

    @property
    def nominal_voltage(self) -> float:
        """Mean open-circuit voltage, V."""
        return float(self._ocv_integral[-1])

    def voltage_at(self, state_of_charge: Array, temperature: Array) -> Array:
        """Open-circuit voltage, V, shape (...)."""
        shift = np.interp(state_of_charge, self._soc, self._entropic) * (
            temperature - self.reference_temperature
        )
        return np.interp(state_of_charge, self._soc, self._ocv) + shift

    def integrals_at(self, state_of_charge: Array) -> tuple[Array, Array]:
        """Integrals of OCV (at the reference temperature) and of dU/dT over state of charge from 0, V and V/K.

        The tables are linear between points, so the integrals are exact parabolas per segment.
        """
        segment = np.clip(
            np.searchsorted(self._soc, state_of_charge, side="right") - 1, 0, self._soc.size - 2
        )
        into = state_of_charge - self._soc[segment]
        width = self._soc[segment + 1] - self._soc[segment]

        def integral(values: Array, cumulative: Array) -> Array:
            slope = (values[segment + 1] - values[segment]) / width
            return cumulative[segment] + into * (values[segment] + 0.5 * slope * into)

        return integral(self._ocv, self._ocv_integral), integral(self._entropic, self._entropic_integral)

    def means_between(self, start: Array, end: Array) -> tuple[Array, Array]:
        """Means of OCV (at the reference temperature) and of dU/dT over the charge between two states, V and V/K.

        Exact for the linear tables; the value at the middle where both states share a segment, so that
        small differences keep their digits.
        """
        last = self._soc.size - 2
        segment = np.clip(np.searchsorted(self._soc, start, side="right") - 1, 0, last)
        other = np.clip(np.searchsorted(self._soc, end, side="right") - 1, 0, last)
        middle = 0.5 * (start + end)
        ocv, entropic = np.interp(middle, self._soc, self._ocv), np.interp(middle, self._soc, self._entropic)
        crossing = segment != other
        if np.any(crossing):
            upper, lower = self.integrals_at(start), self.integrals_at(end)
            span = np.where(crossing, start - end, 1.0)
            ocv = np.where(crossing, (upper[0] - lower[0]) / span, ocv)
            entropic = np.where(crossing, (upper[1] - lower[1]) / span, entropic)
        return ocv, entropic

    def resistance_at(self, state_of_charge: Array, temperature: Array) -> Array:
        """Series resistance of the new cell, ohm, shape (...): bilinear, held beyond the table."""
        row, along_row = _locate(self._resistance_soc, state_of_charge)
        column, along_column = _locate(self._resistance_temperature, temperature)
        table = self._resistance
        next_row = np.minimum(row + 1, table.shape[0] - 1)
        next_column = np.minimum(column + 1, table.shape[1] - 1)
        low = table[row, column] * (1 - along_column) + table[row, next_column] * along_column
        high = table[next_row, column] * (1 - along_column) + table[next_row, next_column] * along_column
        return low * (1 - along_row) + high * along_row


def _cumulative(points: Array, values: Array) -> Array:
    return np.append(0.0, np.cumsum(0.5 * (values[1:] + values[:-1]) * np.diff(points)))


def _locate(points: Array, values: Array) -> tuple[npt.NDArray[np.intp], Array]:
    """Segment and fraction along it, clipped to the table."""
    if points.size == 1:
        return np.zeros(np.shape(values), dtype=np.intp), np.zeros(np.shape(values))
    clipped = np.clip(values, points[0], points[-1])
    segment = np.clip(np.searchsorted(points, clipped, side="right") - 1, 0, points.size - 2)
    return segment, (clipped - points[segment]) / (points[segment + 1] - points[segment])
