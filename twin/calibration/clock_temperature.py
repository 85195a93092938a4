"""Leakage from clocks at fixed power.

A card that runs a dense kernel at its power limit lowers its clock when it gets warmer, because leakage takes
a larger share of the limit: ``dP_leak/dT dT + dP/df df = 0``. The measured set holds clock, temperature and
power of four V100 cards under one limit (rajesh-s/mlsys-gpu-power-variability). Unknown are the leakage and
one dynamic power per card; clock against temperature at one power fixes only the ratio of leakage slope to
clock slope, so that the voltage curve is an input and its influence is reported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import least_squares

from twin.card_model import CardParameters, card_power, clock_at_power, leakage_power, voltage_ratio
from twin.traces.repairs import Repairs, TraceError, check_columns, first_bad, numeric

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClockTemperatureSet:
    """Measured clock, temperature and power of cards at their power limit.

    Attributes
    ----------
    case : ndarray of str, shape (sample,)
        Experiment.
    card : ndarray of int, shape (sample,)
        Card, from 0.
    clock : ndarray, shape (sample,)
        Clock [Hz].
    temperature : ndarray, shape (sample,)
        Junction temperature [K].
    power : ndarray, shape (sample,)
        Board power [W].
    repairs : Repairs
        What was mended.
    """

    case: NDArray[np.str_]
    card: NDArray[np.int64]
    clock: Floats
    temperature: Floats
    power: Floats
    repairs: Repairs

    def select(self, rows: NDArray[np.bool_]) -> ClockTemperatureSet:
        """Give some of the samples."""
        return ClockTemperatureSet(
            self.case[rows],
            self.card[rows],
            self.clock[rows],
            self.temperature[rows],
            self.power[rows],
            self.repairs,
        )


def read_clock_temperature(path: Path, experiment: str = "sgemm") -> ClockTemperatureSet:
    """Read the V100 set.

    Parameters
    ----------
    path : Path
        CSV with case_num, exp, device, freq (MHz), temp (degC) and pwr (W).
    experiment : str
        Kernel; only ``sgemm`` holds the cards at their limit.

    Returns
    -------
    ClockTemperatureSet
        The samples.

    Raises
    ------
    TraceError
        If the file or a column is missing, or a row holds no positive number.
    """
    if not Path(path).is_file():
        raise TraceError(f"{path}: no such file; expected the V100 clock, temperature and power set")
    repairs = Repairs()
    frame = pd.read_csv(path)
    other = ["ts", "kern_min_start", "kern_max_start", "num_kerns", "kern_sum", "memfreq"]
    check_columns(
        Path(path), list(frame.columns), ["case_num", "exp", "device", "freq", "temp", "pwr"], other, repairs
    )
    columns = {name: numeric(Path(path), frame, name) for name in ("freq", "temp", "pwr")}
    for name, values in columns.items():
        first_bad(Path(path), name, values, ~(values > 0.0), "a number > 0")
    rows = (frame["exp"] == experiment).to_numpy()
    card = np.unique(frame["device"].astype(str).to_numpy(str), return_inverse=True)[1]
    return ClockTemperatureSet(
        frame["case_num"].astype(str).to_numpy(str)[rows],
        card[rows].astype(np.int64),
        columns["freq"][rows] * 1e6,
        columns["temp"][rows] + 273.15,
        columns["pwr"][rows],
        repairs,
    )


@dataclass(frozen=True)
class ClockTemperatureFit:
    """Fitted leakage and dynamic power.

    Attributes
    ----------
    parameters : CardParameters
        With the fitted leakage, and the mean of the cards' dynamic powers.
    card_factor : ndarray, shape (card,)
        Dynamic power of each card over the mean [1].
    clock_error : float
        Root mean square of predicted less measured clock, all samples fitted [Hz].
    held_back_error : float
        The same with each experiment predicted from the others [Hz].
    power_slope : float
        Growth of power with temperature at fixed clock, relative, at the mean of the samples [1/K].
    clock_slope : float
        Change of clock with temperature at fixed power, at the mean of the samples [Hz/K].
    """

    parameters: CardParameters
    card_factor: Floats
    clock_error: float
    held_back_error: float
    power_slope: float
    clock_slope: float


def predicted_clock(parameters: CardParameters, dynamic: Floats, samples: ClockTemperatureSet) -> Floats:
    """Clock of each sample from its power, temperature and card's dynamic power [Hz]."""
    activity = dynamic[samples.card] / parameters.dynamic_power
    ratio = clock_at_power(parameters, samples.power, activity, samples.temperature)
    return np.asarray(ratio * parameters.nominal_clock)


def _solve(start: CardParameters, samples: ClockTemperatureSet, cards: int) -> tuple[CardParameters, Floats]:
    """Leakage and dynamic powers with the smallest squares of the clock errors."""

    def unpack(logarithms: Floats) -> tuple[CardParameters, Floats]:
        values = np.exp(logarithms)
        return replace(start, leakage_power=float(values[0])), values[1:]

    def residual(logarithms: Floats) -> Floats:
        return (predicted_clock(*unpack(logarithms), samples) - samples.clock) / 1e6

    guess = np.log(np.concatenate([[start.leakage_power], np.full(cards, start.dynamic_power)]))
    return unpack(least_squares(residual, guess, x_scale=0.1).x)


def fit_clock_temperature(start: CardParameters, samples: ClockTemperatureSet) -> ClockTemperatureFit:
    """Fit leakage and one dynamic power per card to clocks at fixed power.

    Parameters
    ----------
    start : CardParameters
        Everything that is not fitted: voltage curve, power without leakage, temperature coefficient; and
        first guesses.
    samples : ClockTemperatureSet
        The measured set.

    Returns
    -------
    ClockTemperatureFit
        The fit and its errors.
    """
    cards = int(samples.card.max()) + 1
    parameters, dynamic = _solve(start, samples, cards)
    error = predicted_clock(parameters, dynamic, samples) - samples.clock
    held = np.empty_like(error)
    for case in np.unique(samples.case):
        out = samples.case == case
        known = np.isin(samples.card[out], samples.card[~out])
        fitted = _solve(start, samples.select(~out), cards)
        held[out] = np.where(
            known, predicted_clock(*fitted, samples.select(out)) - samples.clock[out], np.nan
        )
    mean = float(dynamic.mean())
    temperature = float(samples.temperature.mean())
    clock = float(samples.clock.mean()) / parameters.nominal_clock
    fit = replace(parameters, dynamic_power=mean)
    power = float(card_power(fit, 1.0, clock, temperature))
    leakage = float(leakage_power(fit, temperature, voltage_ratio(fit, clock)))
    slope = leakage * fit.leakage_temperature_coefficient
    step = 1e-4
    rise = float(card_power(fit, 1.0, clock + step, temperature)) - float(
        card_power(fit, 1.0, clock - step, temperature)
    )
    return ClockTemperatureFit(
        parameters=fit,
        card_factor=dynamic / mean,
        clock_error=float(np.sqrt(np.mean(error**2))),
        held_back_error=float(np.sqrt(np.nanmean(held**2))),
        power_slope=slope / power,
        clock_slope=-slope / (rise / (2.0 * step)) * fit.nominal_clock,
    )
