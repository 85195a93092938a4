"""Optical terminals: state over time, electrical power, heat and light."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.intervals import Intervals

__all__ = [
    "TerminalParameters",
    "TerminalPower",
    "TerminalState",
    "delivered_bits",
    "rated_link_rate",
    "terminal_power",
    "terminal_states",
]

Floats = NDArray[np.float64]


class TerminalState(IntEnum):
    """What a terminal does."""

    OFF = 0
    STANDBY = 1
    ACQUIRING = 2
    UP = 3


@dataclass(frozen=True)
class TerminalParameters:
    """Power of a terminal by state.

    Attributes
    ----------
    off_power, standby_power, acquiring_power, up_power : float
        Electrical power [W].
    heat_fraction : float
        Share of `up_power` that stays on board; the rest leaves as light [1].
    acquisition_time : float
        From seeing the other side until data flow [s].

    Notes
    -----
    Published: 160 W for a terminal of 45 000 km range and 1.8 Gbit/s (Seel et al., IEEE Aerospace 2011, doi
    10.1109/AERO.2011.5747331), 150 W for SILEX. While it acquires, a terminal draws what it draws with the
    link up (assumed).
    """

    off_power: float = 0.0
    standby_power: float = 15.0
    acquiring_power: float = 100.0
    up_power: float = 100.0
    heat_fraction: float = 0.98
    acquisition_time: float = 4.0

    def __post_init__(self) -> None:
        powers = (self.off_power, self.standby_power, self.acquiring_power, self.up_power)
        if not min(powers) >= 0.0 or not 0.0 <= self.heat_fraction <= 1.0 or not self.acquisition_time >= 0.0:
            raise ValueError(
                f"terminal: powers {powers} W, heat_fraction {self.heat_fraction}, acquisition_time "
                f"{self.acquisition_time} s; expected powers and time >= 0 and a share in [0, 1]"
            )


@dataclass(frozen=True, eq=False)
class TerminalPower:
    """Flows of terminals: electrical = heat + light [W], arrays of one shape."""

    electrical: Floats
    heat: Floats
    light: Floats


def terminal_power(parameters: TerminalParameters, state: ArrayLike) -> TerminalPower:
    """Electrical power, heat and emitted light by state.

    Parameters
    ----------
    parameters : TerminalParameters
        Kind of terminal.
    state : array_like of int
        `TerminalState` codes, any shape.

    Returns
    -------
    TerminalPower
        Light leaves only with the link up; while acquiring the beam searches and is booked as heat, on the
        safe side.

    Raises
    ------
    ValueError
        If a code is unknown.
    """
    code = np.asarray(state, dtype=np.int64)
    if code.size and not (code.min() >= 0 and code.max() < len(TerminalState)):
        raise ValueError(
            f"terminal state: codes {code.min()}..{code.max()}, expected 0..{len(TerminalState) - 1}"
        )
    p = parameters
    power = np.array([p.off_power, p.standby_power, p.acquiring_power, p.up_power])
    light = np.array([0.0, 0.0, 0.0, p.up_power * (1.0 - p.heat_fraction)])
    return TerminalPower(power[code], (power - light)[code], light[code])


def terminal_states(
    parameters: TerminalParameters, contacts: Intervals, outages: Intervals, time: ArrayLike
) -> NDArray[np.int8]:
    """State of a terminal at given times.

    Parameters
    ----------
    parameters : TerminalParameters
        Kind of terminal.
    contacts : Intervals
        When the other side is in view.
    outages : Intervals
        When the terminal is out of order; it is off, and acquires anew afterwards.
    time : array_like, shape (n,)
        Times [s].

    Returns
    -------
    ndarray of int8, shape (n,)
        `TerminalState` codes.
    """
    at = np.asarray(time, dtype=float)
    usable = contacts
    if len(contacts) and len(outages):
        usable = contacts.intersection(outages.gaps(float(contacts.start[0]), float(contacts.stop[-1])))
    up = usable.shortened(parameters.acquisition_time)
    state = np.full(at.shape, TerminalState.STANDBY, np.int8)
    state[usable.contains(at)] = TerminalState.ACQUIRING
    state[up.contains(at)] = TerminalState.UP
    state[outages.contains(at)] = TerminalState.OFF
    return state


def delivered_bits(contacts: Intervals, rate: ArrayLike, acquisition_time: float) -> Floats:
    """Bits per contact: rate times what acquisition leaves of it.

    Parameters
    ----------
    contacts : Intervals
        Contacts, n of them.
    rate : array_like
        Rate once locked, scalar or (n,) [bit/s].
    acquisition_time : float
        Time to lock [s].

    Returns
    -------
    ndarray, shape (n,)
        Bits.
    """
    return np.asarray(np.maximum(contacts.duration - acquisition_time, 0.0) * np.asarray(rate, float))


def rated_link_rate(data_rate: float, maximum_range: float, distance: ArrayLike) -> Floats:
    """Rate of a terminal that is known by its rating: full up to its range, nothing beyond [bit/s].

    Parameters
    ----------
    data_rate : float
        Rated rate [bit/s].
    maximum_range : float
        Rated range [m].
    distance : array_like
        Range of the link [m].
    """
    return np.where(np.asarray(distance, float) <= maximum_range, data_rate, 0.0)
