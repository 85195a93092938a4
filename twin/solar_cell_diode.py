"""Full current–voltage curve of a solar cell: one-diode model through pvlib.

The point model of `twin.solar_cell` gives maximum power, which is all that the plant needs at each tick. The
curve answers what a point cannot: strings in different light or at different temperatures on one bus, and the
power at an operating voltage that is not the optimum.

References
----------
.. [1] W. De Soto, S. A. Klein and W. A. Beckman, "Improvement and validation of a model for photovoltaic
array
   performance", Solar Energy 80 (2006) 78–88.
.. [2] J. W. Bishop, "Computer simulation of the effects of electrical mismatches in photovoltaic cell
   interconnection circuits", Solar Cells 25 (1988) 73–89.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pvlib import pvsystem
from scipy.optimize import brentq, least_squares

from twin.solar_cell import BOLTZMANN_OVER_CHARGE, Array, CellParameters

__all__ = [
    "SingleDiodeParameters",
    "fit_single_diode",
    "max_power_point",
    "parallel_strings_power",
    "voltage_at_current",
]

_CELSIUS = 273.15
_FIT_TOLERANCE = 1e-3


@dataclass(frozen=True)
class SingleDiodeParameters:
    """One-diode equivalent of a (multi-junction) cell at its reference point.

    Attributes
    ----------
    photocurrent, saturation_current : float
        A.
    series_resistance, shunt_resistance : float
        ohm.
    modified_ideality : float
        Ideality summed over the junctions times kT/q, V.
    band_gap : float
        Effective band gap, eV, that gives the datasheet's slope of the open-circuit voltage.
    photocurrent_slope : float
        A/K.
    reference_flux : float
        W/m².
    reference_temperature : float
        K.
    """

    photocurrent: float
    saturation_current: float
    series_resistance: float
    shunt_resistance: float
    modified_ideality: float
    band_gap: float
    photocurrent_slope: float
    reference_flux: float
    reference_temperature: float

    def at(self, effective_flux: npt.ArrayLike, temperature: npt.ArrayLike) -> tuple[Array, ...]:
        """Translate to a flux (W/m²) and temperature (K) as De Soto does [1]_.

        Returns
        -------
        tuple of ndarray
            Photocurrent, saturation current, series resistance, shunt resistance and modified ideality, in
            the order in which pvlib takes them.
        """
        flux = np.maximum(np.asarray(effective_flux, dtype=float), 1e-9 * self.reference_flux)
        translated = pvsystem.calcparams_desoto(
            flux,
            np.asarray(temperature, dtype=float) - _CELSIUS,
            alpha_sc=self.photocurrent_slope,
            a_ref=self.modified_ideality,
            I_L_ref=self.photocurrent,
            I_o_ref=self.saturation_current,
            R_sh_ref=self.shunt_resistance,
            R_s=self.series_resistance,
            EgRef=self.band_gap,
            dEgdT=0.0,
            irrad_ref=self.reference_flux,
            temp_ref=self.reference_temperature - _CELSIUS,
        )
        return tuple(np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in translated)))


def fit_single_diode(cell: CellParameters) -> SingleDiodeParameters:
    """Fit the one-diode model to the four points and the voltage slope of a datasheet.

    Photocurrent, saturation current, series resistance and modified ideality meet short circuit, open
    circuit, the maximum-power point and the zero slope of power there; the shunt is what is left where that
    needs none. The effective band gap meets dVoc/dT.

    Parameters
    ----------
    cell : CellParameters

    Returns
    -------
    SingleDiodeParameters

    Raises
    ------
    ValueError
        If no one-diode curve passes through the datasheet's points to 0.1 %.
    """
    short, best = cell.short_circuit_current, cell.max_power_current
    open_voltage, best_voltage = cell.open_circuit_voltage, cell.max_power_voltage

    def circuit(unknowns: Array) -> tuple[float, float, float, float]:
        series, shunt_conductance, ideality = unknowns
        # Short circuit and open circuit fix photocurrent and saturation current exactly.
        at_open = np.exp(-open_voltage / ideality)
        dark = np.exp((short * series - open_voltage) / ideality) - at_open
        share = 1.0 - dark
        saturation = (
            (short * (1.0 + series * shunt_conductance) - shunt_conductance * open_voltage) / share * at_open
        )
        photocurrent = saturation * (1.0 / at_open - 1.0) + shunt_conductance * open_voltage
        return photocurrent, saturation, series, shunt_conductance

    def residual(unknowns: Array) -> Array:
        photocurrent, saturation, series, shunt_conductance = circuit(unknowns)
        ideality = unknowns[2]
        across = best_voltage + best * series
        diode = saturation * np.exp(across / ideality)
        current = photocurrent - diode + saturation - shunt_conductance * across
        conductance = diode / ideality + shunt_conductance
        slope = -conductance / (1.0 + conductance * series)
        return np.array([(current - best) / best, slope * best_voltage / best + 1.0, 1e-6 * unknowns[0], 0.0])

    thermal = cell.junctions * BOLTZMANN_OVER_CHARGE * cell.reference_temperature
    resistance_scale = open_voltage / short
    lower = np.array([0.0, 0.0, 0.3 * thermal])
    upper = np.array([0.3 * resistance_scale, 0.3 / resistance_scale, 5.0 * thermal])
    solution = least_squares(
        residual,
        x0=np.array([0.01 * resistance_scale, 1e-3 / resistance_scale, 1.2 * thermal]),
        bounds=(lower, upper),
        x_scale=np.array([0.01 * resistance_scale, 1e-3 / resistance_scale, thermal]),
        xtol=1e-14,
        ftol=1e-14,
        gtol=1e-14,
    )
    photocurrent, saturation, series, shunt_conductance = circuit(solution.x)
    worst = float(np.max(np.abs(solution.fun[:2])))
    if not worst < _FIT_TOLERANCE or not saturation > 0.0:
        raise ValueError(
            f"cell: no one-diode curve passes through Isc {short} A, ({best_voltage} V, {best} A) and Voc "
            f"{open_voltage} V (residual {worst:.2e}); check the datasheet's points"
        )

    def with_gap(gap: float) -> SingleDiodeParameters:
        return SingleDiodeParameters(
            photocurrent=float(photocurrent),
            saturation_current=float(saturation),
            series_resistance=float(series),
            shunt_resistance=float(1.0 / max(shunt_conductance, 1e-9)),
            modified_ideality=float(solution.x[2]),
            band_gap=gap,
            photocurrent_slope=cell.short_circuit_current_slope,
            reference_flux=cell.reference_flux,
            reference_temperature=cell.reference_temperature,
        )

    def voltage_slope_error(gap: float) -> float:
        model = with_gap(gap)
        near = cell.reference_temperature + np.array([-1.0, 1.0])
        low, high = voltage_at_current(model, 0.0, cell.reference_flux, near)
        return float(0.5 * (high - low) - cell.open_circuit_voltage_slope)

    return with_gap(brentq(voltage_slope_error, 0.05, 20.0, xtol=1e-9))


def voltage_at_current(
    model: SingleDiodeParameters,
    current: npt.ArrayLike,
    effective_flux: npt.ArrayLike,
    temperature: npt.ArrayLike,
) -> Array:
    """Return the cell voltage at a current, V, shape (...).

    Parameters
    ----------
    model : SingleDiodeParameters
    current : array_like, shape (...)
        A.
    effective_flux : array_like, shape (...)
        W/m².
    temperature : array_like, shape (...)
        K.
    """
    photocurrent, saturation, series, shunt, ideality = model.at(effective_flux, temperature)
    return np.asarray(
        pvsystem.v_from_i(current, photocurrent, saturation, series, shunt, ideality), dtype=float
    )


def max_power_point(
    model: SingleDiodeParameters, effective_flux: npt.ArrayLike, temperature: npt.ArrayLike
) -> tuple[Array, Array]:
    """Find current (A) and voltage (V) at maximum power; arguments as for `voltage_at_current`."""
    translated = model.at(effective_flux, temperature)
    shape = translated[0].shape
    point = pvsystem.max_power_point(*(np.atleast_1d(value) for value in translated), method="newton")
    return (
        np.asarray(point["i_mp"], dtype=float).reshape(shape),
        np.asarray(point["v_mp"], dtype=float).reshape(shape),
    )


def parallel_strings_power(
    model: SingleDiodeParameters,
    cells_in_series: int,
    effective_flux: npt.ArrayLike,
    temperature: npt.ArrayLike,
    blocking_diode_drop: float = 0.0,
) -> float:
    """Find the maximum power of strings in parallel that see different light or temperature.

    All strings share one voltage; each delivers its current there, and its blocking diode keeps a weak string
    from drawing current. The optimum over the voltage is found on the summed curve.

    Parameters
    ----------
    model : SingleDiodeParameters
    cells_in_series : int
        Cells of a string, all alike.
    effective_flux, temperature : array_like, shape (strings,)
        W/m² and K.
    blocking_diode_drop : float
        V.

    Returns
    -------
    float
        W behind the blocking diodes.
    """
    translated = [np.atleast_1d(value)[:, np.newaxis] for value in model.at(effective_flux, temperature)]
    photocurrent, saturation, series, shunt, ideality = translated
    top = float(np.max(voltage_at_current(model, 0.0, effective_flux, temperature)))
    low, high = 0.0, max(cells_in_series * top - blocking_diode_drop, 0.0)
    best = 0.0
    # Several maxima are possible: narrow a grid around the best point instead of following a slope.
    for _ in range(4):
        voltage = np.linspace(low, high, 201)
        per_cell = (voltage + blocking_diode_drop) / cells_in_series
        current = pvsystem.i_from_v(
            per_cell[np.newaxis, :], photocurrent, saturation, series, shunt, ideality
        )
        power = voltage * np.sum(np.maximum(current, 0.0), axis=0)
        place = int(np.argmax(power))
        best = float(power[place])
        low, high = voltage[max(place - 2, 0)], voltage[min(place + 2, voltage.size - 1)]
    return best
