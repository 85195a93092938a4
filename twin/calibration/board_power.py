"""Comparison with the board power of H100 and H200 runs.

The recordings hold power only; what the card was asked to do is not known. The comparison therefore splits
each run into plateaus (power above or below the middle of its range). The activity of a plateau is set from
the median of its first half; everything else is prediction: the second half, how fast power rises and falls,
the creep while the card warms and the tail while it cools, and all idle stretches. Short plateaus inherit the
activity of the one before. The recorded value is a mean over the sensor's window of one second.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from twin.card_model import CardParameters
from twin.compute import CardFleet
from twin.traces.gpu_power import GpuPowerTrace

Floats = NDArray[np.float64]

STEP = 0.1  # s, of the simulation
WINDOW = 1.0  # s, over which the board's sensor averages
SETTLED = 4.0  # s after an edge before a plateau is looked at
LEARN = 0.5  # share of a plateau that sets its activity
SHORTEST = 3.0  # s of samples that are enough to set an activity


@dataclass(frozen=True)
class BoardComparison:
    """Measured and modelled power of one card.

    Attributes
    ----------
    name : str
        Run and card.
    time, measured, modelled : ndarray, shape (sample,)
        Time [s], measured and modelled power [W].
    predicted : ndarray of bool, shape (sample,)
        Samples that did not set an activity.
    plateaus : int
        Plateaus whose activity was set.
    """

    name: str
    time: Floats
    measured: Floats
    modelled: Floats
    predicted: NDArray[np.bool_]
    plateaus: int

    @property
    def rms(self) -> float:
        """Root mean square error of the predicted samples [W]."""
        return float(np.sqrt(np.mean((self.modelled - self.measured)[self.predicted] ** 2)))

    @property
    def mape(self) -> float:
        """Mean absolute percentage error of the predicted samples [%]."""
        error = np.abs(self.modelled - self.measured) / self.measured
        return float(100.0 * np.mean(error[self.predicted]))

    @property
    def energy_error(self) -> float:
        """Relative error of the energy over the predicted samples [%]."""
        measured = float(np.mean(self.measured[self.predicted]))
        return 100.0 * (float(np.mean(self.modelled[self.predicted])) - measured) / measured


def edges(time: Floats, power: Floats) -> tuple[Floats, bool]:
    """Find the times at which the load is switched, and whether it is on at first.

    The averaged power crosses the middle half a window after the switch; the crossing is interpolated.
    """
    middle = 0.5 * (np.percentile(power, 1.0) + np.percentile(power, 99.0))
    on = power > middle
    at = np.flatnonzero(on[1:] != on[:-1])
    share = (middle - power[at]) / (power[at + 1] - power[at])
    return time[at] + share * (time[at + 1] - time[at]) - 0.5 * WINDOW, bool(on[0])


def simulate(parameters: CardParameters, plate_temperature: float, activity: Floats) -> Floats:
    """Power of one card over sub-steps of :data:`STEP`, by the fleet's own kernels.

    Parameters
    ----------
    parameters : CardParameters
        The card; its manufacturing spread is not used.
    plate_temperature : float
        Temperature of the cold plate [K].
    activity : ndarray, shape (step,)
        Activity [1].

    Returns
    -------
    ndarray, shape (step,)
        Power [W].
    """
    fleet = CardFleet(
        replace(parameters, power_spread=0.0, resistance_spread=0.0), [1], temperature=plate_temperature
    )
    fleet.assign([0], 1)
    fleet.advance(10.0, 60, [float(activity[0])], plate_temperature)  # steady state of the first activity
    return np.array([fleet.advance(STEP, 1, [a], plate_temperature).power[0] for a in activity])


def warmed_power(parameters: CardParameters, plate_temperature: float, activity: Floats) -> Floats:
    """Give the same as :func:`simulate` for a card that meets no limit, quickly enough for fitting."""
    p = parameters
    decay = float(np.exp(-STEP / (p.junction_resistance * p.junction_heat_capacity)))
    beta, reference = p.leakage_temperature_coefficient, p.leakage_reference_temperature
    out = np.empty(activity.size)
    temperature = plate_temperature
    for _ in range(50):
        power = (
            p.resident_power
            + p.leakage_power * np.exp(beta * (temperature - reference))
            + activity[0] * p.dynamic_power
        )
        temperature = plate_temperature + p.junction_resistance * power
    switching = p.resident_power + activity * p.dynamic_power
    for k, fixed in enumerate(switching):
        power = fixed + p.leakage_power * np.exp(beta * (temperature - reference))
        out[k] = power
        steady = plate_temperature + p.junction_resistance * power
        temperature = steady + (temperature - steady) * decay
    return out


def sensed(power: Floats, time: Floats) -> Floats:
    """Give readings at `time` of a sensor that averages over the window before [W]."""
    integral = np.concatenate([[0.0], np.cumsum(power) * STEP])
    axis = np.arange(integral.size) * STEP
    before = np.maximum(time - WINDOW, 0.0)
    length = np.maximum(time - before, STEP)
    return np.asarray(
        (np.interp(np.maximum(time, before + STEP), axis, integral) - np.interp(before, axis, integral))
        / length
    )


def plateau_activity(
    parameters: CardParameters, plate_temperature: float, time: Floats, power: Floats
) -> tuple[Floats, NDArray[np.bool_], int]:
    """Activity over sub-steps, which samples set it, and how many plateaus they set.

    A plateau's activity is what the steady model needs for the median of its learning samples.
    """
    switches, on = edges(time, power)
    bounds = np.concatenate([[time[0]], switches, [time[-1] + STEP]])
    grid = np.arange(0.0, time[-1] + STEP, STEP)
    activity = np.zeros(grid.size)
    learning = np.zeros(time.size, bool)
    last = np.nan
    count = 0
    p = parameters
    for start, stop in pairwise(bounds):
        if on:
            rows = (time >= start + SETTLED) & (time < start + LEARN * (stop - start))
            if rows.sum() * np.median(np.diff(time)) >= SHORTEST:
                level = float(np.median(power[rows]))
                excess = plate_temperature + p.junction_resistance * level - p.leakage_reference_temperature
                leakage = p.leakage_power * np.exp(p.leakage_temperature_coefficient * excess)
                last = float(np.clip((level - p.resident_power - leakage) / p.dynamic_power, 0.0, 1.0))
                learning |= rows
                count += 1
            if np.isfinite(last):
                activity[(grid >= start) & (grid < stop)] = last
            else:
                # Nothing to go by yet: not counted as predicted.
                learning |= (time >= start) & (time < stop + SETTLED)
        on = not on
    return activity, learning, count


def compare(
    parameters: CardParameters, plate_temperature: float, trace: GpuPowerTrace, card: int
) -> BoardComparison:
    """Model one card of a run.

    Parameters
    ----------
    parameters : CardParameters
        The card.
    plate_temperature : float
        Assumed temperature of the cold plate [K].
    trace : GpuPowerTrace
        The recording.
    card : int
        Which card of it.

    Returns
    -------
    BoardComparison
        Measured and modelled power.
    """
    time, power = trace.time - trace.time[0], trace.power[:, card]
    activity, learning, count = plateau_activity(parameters, plate_temperature, time, power)
    modelled = sensed(simulate(parameters, plate_temperature, activity), time)
    predicted = ~learning & (time >= WINDOW)
    return BoardComparison(f"{trace.name}, card {card}", time, power, modelled, predicted, count)


def fit_board(
    start: CardParameters, plate_temperature: float, trace: GpuPowerTrace, card: int, stop: float
) -> CardParameters:
    """Fit resident power, leakage and heat capacity to plateaus, creep and tails of the start of a run.

    Junction resistance and plate temperature are inputs: power alone fixes the product of leakage slope and
    resistance, and the time constant.

    Parameters
    ----------
    start : CardParameters
        First guesses and everything that is not fitted.
    plate_temperature : float
        Assumed temperature of the cold plate [K].
    trace : GpuPowerTrace
        The recording.
    card : int
        Which card.
    stop : float
        End of the part that is fitted [s].

    Returns
    -------
    CardParameters
        With the three fitted values.
    """
    time = trace.time - trace.time[0]
    rows = time < stop
    time, power = time[rows], trace.power[rows, card]
    switches, _ = edges(time, power)
    # Within a second of an edge the reading says when the load was switched, not how the card responds.
    clear = (np.abs(time[:, None] - switches[None, :] - 0.5 * WINDOW).min(axis=1) > WINDOW) & (time > WINDOW)

    def unpack(x: Floats) -> CardParameters:
        values = np.exp(x)
        return replace(
            start,
            resident_power=float(values[0]),
            leakage_power=float(values[1]),
            junction_heat_capacity=float(values[2]),
        )

    def residual(x: Floats) -> Floats:
        card_parameters = unpack(x)
        activity, _, _ = plateau_activity(card_parameters, plate_temperature, time, power)
        return (sensed(warmed_power(card_parameters, plate_temperature, activity), time) - power)[clear]

    guess = np.log([start.resident_power, start.leakage_power, start.junction_heat_capacity])
    return unpack(least_squares(residual, guess, loss="soft_l1", f_scale=2.0, diff_step=1e-3).x)
