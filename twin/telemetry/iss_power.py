"""What the station's power telemetry says of the Sun: eclipses, orbit, and the power of an array by its angles.

The bus of a channel sits at one of three voltages: about 151.2 V while the battery discharges, 151.7 V while it is
charged, 158 to 161 V when it is full and the array holds the bus alone. The current in the recording is that to the
loads of the channel: it flows in the shadow as well. So the power of the array itself is not measured; how soon
it fills the battery after a shadow is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.errors import RunFailed
from twin.intervals import Intervals
from twin.kepler import EARTH_GRAVITATIONAL_PARAMETER, EARTH_RADIUS
from twin.telemetry.iss import CHANNELS, IssRecording

__all__ = ["ArrayFit", "ShadowOrbit", "available_power", "discharging", "eclipses", "fit_array", "fit_orbit",
           "incidence_cosine", "load_power", "time_to_full"]  # fmt: skip

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

STEP = 10.0
"""Of the time grid [s]: the recording's own."""

FULL = 156.0
"""Bus voltage above which the battery is full and the array holds the bus [V]."""

SHORTEST = 300.0
"""Shadows and fillings shorter than this are flicker [s]."""


def discharging(recording: IssRecording, channel: str, time: Floats) -> Mask:
    """Whether the battery of a channel feeds the bus at given times [s].

    The two low levels of the voltage are told apart by their own means (k-means of two classes): they differ by
    0.4 V and from channel to channel.
    """
    series = recording[f"channel_{channel}_voltage"]
    low = series.value[series.value < 155.0]
    levels = np.percentile(low, [20.0, 80.0])
    for _ in range(50):
        nearest = np.abs(low[:, None] - levels).argmin(axis=1)
        levels = np.array([low[nearest == k].mean() for k in (0, 1)])
    return np.asarray(series.at(time) < levels.mean())


def eclipses(recording: IssRecording, channels: tuple[str, ...] = CHANNELS) -> Intervals:
    """Return when the station is in shadow: all channels discharge at once, for at least five minutes.

    One channel alone also discharges in sunlight, when its array is turned away.
    """
    time = np.arange(0.0, recording.stop, STEP)
    dark = np.all([discharging(recording, channel, time) for channel in channels], axis=0)
    return _spans(time, dark, SHORTEST)


def _spans(time: Floats, mask: Mask, shortest: float) -> Intervals:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    start, stop = edges[::2], np.minimum(edges[1::2], time.size - 1)
    spans = Intervals(time[start], time[stop])
    long = spans.duration >= shortest
    return Intervals(spans.start[long], spans.stop[long])


@dataclass(frozen=True)
class ShadowOrbit:
    """A circular orbit that fits the shadows.

    Attributes
    ----------
    period : float
        From shadow to shadow [s].
    noon : float
        Time of a passage nearest to the Sun [s].
    altitude : float
        Above the equatorial radius [m].
    beta_angle : float
        Between the Sun and the orbit plane; its sign does not show [rad].
    scatter : float
        Root mean square of entries and exits about even spacing [s].
    """

    period: float
    noon: float
    altitude: float
    beta_angle: float
    scatter: float


def fit_orbit(shadows: Intervals) -> ShadowOrbit:
    """Return the orbit with these shadows.

    Raises
    ------
    RunFailed
        With fewer than three shadows.

    Notes
    -----
    Kepler's third law for the semi-major axis a, and for the half angle of the shadow of a cylinder
    ``cos(half) = sqrt(a² − R²) / (a cos β)`` (Wertz and Larson, Space Mission Analysis and Design, 3rd ed., 5.1).
    Entries and exits are spaced evenly each on their own, as the angle to the Sun changes from day to day.
    """
    if len(shadows) < 3:
        raise RunFailed(f"recording: {len(shadows)} shadows; an orbit needs at least three")
    middle = 0.5 * (shadows.start + shadows.stop)
    spacing = np.diff(middle)
    number = np.concatenate([[0.0], np.cumsum(np.rint(spacing / np.median(spacing)))])
    period, first = np.polyfit(number, middle, 1)
    rest = [edge - np.polyval(np.polyfit(number, edge, 1), number) for edge in (shadows.start, shadows.stop)]
    axis = float((EARTH_GRAVITATIONAL_PARAMETER * (period / (2.0 * math.pi)) ** 2) ** (1.0 / 3.0))
    half = math.pi * float(np.median(shadows.duration)) / period
    cosine = math.sqrt(axis**2 - EARTH_RADIUS**2) / axis / math.cos(half)
    scatter = float(np.sqrt(np.mean(np.square(rest))))
    return ShadowOrbit(
        float(period), float(first + 0.5 * period), axis - EARTH_RADIUS, math.acos(min(cosine, 1.0)), scatter
    )


def incidence_cosine(
    recording: IssRecording, channel: str, orbit: ShadowOrbit, zero: float, time: Floats
) -> Floats:
    """Cosine of the angle between the Sun and the normal of an array, 0 where the Sun is behind it [1].

    Parameters
    ----------
    recording : IssRecording
    channel : str
        ``1a`` or ``2a``.
    orbit : ShadowOrbit
    zero : float
        Reading of the beta gimbal when the array's normal lies in the orbit plane [rad].
    time : (n,) array
        [s].

    Notes
    -----
    The alpha joint turns the arrays about the normal of the orbit, the beta gimbal tilts each out of the plane:
    ``cos = cos(α − α_sun) cos β cos b + sin β sin b``. The alpha joint follows the Sun most of the time, so that its
    median lead over even motion is where the Sun is. The joint of the port side (2A) is not recorded; it is taken to
    turn as the starboard one does.
    """
    joint = recording["alpha_joint_angle"]
    angle = np.interp(time, joint.time, np.unwrap(joint.value))
    motion = 2.0 * math.pi * (time - orbit.noon) / orbit.period
    lead = np.angle(np.exp(1j * (angle - motion)))
    turns = np.abs(np.gradient(angle, time) * orbit.period / (2.0 * math.pi) - 1.0) < 0.2
    sun = np.angle(np.mean(np.exp(1j * lead[turns])))
    tilt = recording[f"array_{channel}_angle"].at(time) - zero
    beta = orbit.beta_angle
    cosine = np.cos(lead - sun) * math.cos(beta) * np.cos(tilt) + math.sin(beta) * np.sin(tilt)
    return np.maximum(cosine, 0.0)


def load_power(recording: IssRecording, channel: str, time: Floats) -> Floats:
    """Power that a channel gives to its loads [W]."""
    voltage, current = (recording[f"channel_{channel}_{what}"].at(time) for what in ("voltage", "current"))
    return np.asarray(voltage * current)


def time_to_full(recording: IssRecording, channel: str, shadows: Intervals) -> Floats:
    """Time from the end of each shadow until the battery is full, NaN where the next shadow comes first [s]."""
    series = recording[f"channel_{channel}_voltage"]
    ends = np.concatenate([shadows.start[1:], [recording.stop]])
    out = np.full(len(shadows), np.nan)
    for i, (begin, end) in enumerate(zip(shadows.stop, ends)):
        time = np.arange(begin + 60.0, end, STEP)
        full = _spans(time, np.asarray(series.at(time) > FULL), SHORTEST)
        if len(full):
            out[i] = full.start[0] - begin
    return out


@dataclass(frozen=True)
class ArrayFit:
    """An array as its battery shows it.

    Attributes
    ----------
    power : float
        Facing the Sun [W].
    zero : float
        See `incidence_cosine` [rad].
    recharge : float
        Energy needed to fill the battery over the energy it gave in the shadow.
    error : float
        Root mean square of the times to full [s].
    left_out_error : float
        The same for each shadow with a fit to the others [s].
    """

    power: float
    zero: float
    recharge: float
    error: float
    left_out_error: float


def available_power(
    recording: IssRecording, channel: str, orbit: ShadowOrbit, fit: ArrayFit, shadows: Intervals, time: Floats
) -> Floats:
    """Power that an array can give over time, none in the shadow [W]."""
    cosine = incidence_cosine(recording, channel, orbit, fit.zero, time)
    return np.where(shadows.contains(time), 0.0, fit.power * cosine)


def fit_array(
    recording: IssRecording, channel: str, orbit: ShadowOrbit, shadows: Intervals, angles: bool = True
) -> ArrayFit:
    """Fit power, zero of the gimbal and recharge of an array to the times at which its battery is full again.

    Parameters
    ----------
    recording : IssRecording
    channel : str
    orbit : ShadowOrbit
    shadows : Intervals
    angles : bool
        Whether the recorded angles are used; without them the array always faces the Sun, for comparison.
    """
    time = np.arange(0.0, recording.stop, STEP)
    load, seen = load_power(recording, channel, time), time_to_full(recording, channel, shadows)
    known = np.flatnonzero(np.isfinite(seen))
    zeros = np.radians(np.arange(0.0, 360.0, 5.0)) if angles else np.zeros(1)
    table = []
    for zero in zeros:
        cosine = incidence_cosine(recording, channel, orbit, zero, time) if angles else np.ones_like(time)
        table += [(zero, *row) for row in _predictions(time, load, cosine, shadows, known, recording.stop)]
    zero_of, power_of, recharge_of = (np.array([row[k] for row in table]) for k in range(3))
    errors = np.array([row[3] for row in table]) - seen[known]
    # A prediction of never is as wrong as a whole orbit.
    squares = np.where(np.isfinite(errors), errors, orbit.period) ** 2
    best = int(np.argmin(squares.sum(axis=1)))
    others = squares.sum(axis=1, keepdims=True) - squares
    left_out = squares[np.argmin(others, axis=0), np.arange(known.size)]
    return ArrayFit(
        float(power_of[best]),
        float(zero_of[best]),
        float(recharge_of[best]),
        float(np.sqrt(squares[best].mean())),
        float(np.sqrt(left_out.mean())),
    )


def _predictions(
    time: Floats, load: Floats, cosine: Floats, shadows: Intervals, known: NDArray[np.int64], stop: float
) -> list[tuple[float, float, Floats]]:
    """Times to full for a grid of powers and recharges: rows (power, recharge, (known,) times)."""
    ends = np.concatenate([shadows.start[1:], [stop]])
    recharges = np.arange(0.5, 2.01, 0.1)
    out = []
    for power in np.arange(9e3, 30e3, 0.75e3):
        times = np.full((recharges.size, known.size), np.nan)
        for column, i in enumerate(known):
            dark = (time >= shadows.start[i]) & (time < shadows.stop[i])
            lit = (time >= shadows.stop[i]) & (time < ends[i])
            taken = load[dark].sum() * STEP
            gained = np.maximum.accumulate(np.cumsum(power * cosine[lit] - load[lit]) * STEP)
            at = np.searchsorted(gained, recharges * taken)
            times[:, column] = np.where(at < gained.size, at * STEP, np.nan)
        out += [(float(power), float(recharge), row) for recharge, row in zip(recharges, times)]
    return out
