"""The compiled sub-step of a block of cards.

A block is a scratch array of ``ROWS`` rows of ``BLOCK`` cards in one piece of memory, small enough for the
first-level cache. The loops below have no branches and use constant offsets into that one array, so that the
compiler turns them into vector instructions without checks for overlapping arrays (about 15 times faster than
scalar code). The equations are those of :mod:`twin.card_model`.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

# Columns of a row of card parameters: attributes of CardParameters.
COLUMNS = (
    "idle_power",
    "resident_power",
    "leakage_power",
    "leakage_temperature_coefficient",
    "leakage_reference_temperature",
    "dynamic_power",
    "power_limit",
    "minimum_clock_ratio",
    "voltage_slope",
    "minimum_voltage_ratio",
    "junction_heat_capacity",
    "target_temperature",
    "slowdown_temperature",
    "slowdown_clock_ratio",
    "slowdown_hysteresis",
    "shutdown_temperature",
    "restart_temperature",
    "restart_time",
    "wait_activity_fraction",
)

BLOCK = 256
ROWS = 18
# Rows of a block. The order is the offset, hence the literals.
TEMPERATURE = 0 * BLOCK
HOT = 1 * BLOCK  # 1 while the hardware slowdown is on
TIMER = 2 * BLOCK  # time left until restart [s]
CLOCK = 3 * BLOCK
DECAY = 4 * BLOCK  # exp(-dt / RC)
GAIN = 5 * BLOCK  # R (1 - decay) [K/W]
FACTOR = 6 * BLOCK  # manufacturing factor on leakage and switching
CAP = 7 * BLOCK  # power that this card may draw, negative if failed [W]
ACTIVITY = 8 * BLOCK
PACE = 9 * BLOCK  # pace of the job in the preceding call
BASE = 10 * BLOCK  # temperature-independent power [W]
DRIFT = 11 * BLOCK  # (1 - decay) times plate temperature [K]
CEILING = 12 * BLOCK  # highest clock: 1, or the lowest clock on a card without a job
ENERGY = 13 * BLOCK  # sums over the sub-steps from here on: power [W]
WORK = 14 * BLOCK  # clock times share of time that is not paused
BY_HEAT = 15 * BLOCK  # sub-steps throttled by temperature
BY_POWER = 16 * BLOCK  # sub-steps throttled by power
HELD = 17 * BLOCK  # 1 if the card may meet a limit during the call

WIDTH = 16
"""Cards stepped together with all limits: whole vectors, so that none falls to the scalar rest of a loop."""

# Finite arithmetic only; sums may be reordered for vectors, always in the same way on one machine.
FAST = {"nnan", "ninf", "nsz", "contract", "arcp", "reassoc"}


@nb.njit(inline="always", fastmath=FAST)
def smaller(a: float, b: float) -> float:
    """Give the smaller of two; unlike ``min`` it compiles to one instruction."""
    return a if a < b else b


@nb.njit(inline="always", fastmath=FAST)
def larger(a: float, b: float) -> float:
    """Give the larger of two; unlike ``max`` it compiles to one instruction."""
    return a if a > b else b


@nb.njit(inline="always", fastmath=FAST)
def exponential(x: Any) -> Any:
    """Evaluate exp(x) for x in [-3, 3] to 1e-5 relative: series of x/16, squared four times."""
    y = x * np.float32(0.0625)
    e = y * np.float32(1.0 / 120.0) + np.float32(1.0 / 24.0)
    e = e * y + np.float32(1.0 / 6.0)
    e = e * y + np.float32(0.5)
    e = e * y + np.float32(1.0)
    e = e * y + np.float32(1.0)
    e = e * e
    e = e * e
    e = e * e
    return e * e


@nb.njit(inline="always", fastmath=FAST)
def demand_bound(
    row: F32,
    temperature: float,
    plate: float,
    resistance: float,
    base: float,
    factor: float,
    activity: float,
    ceiling: float,
) -> tuple[float, float]:
    """Bound the power and the temperature of a card over a call if nothing limits it.

    Power grows with temperature only through leakage. From the bound P0 at the shutdown temperature,
    ``T1 = max(T, T_plate + R min(P0, limit))`` bounds the temperature, which gives a lower bound P1 <= P0,
    and so on; two rounds bring it within a few watts.
    """
    v = larger(row[9], np.float32(1.0) - row[8] * (np.float32(1.0) - ceiling))
    fixed = base + factor * row[5] * activity * ceiling * v * v
    leakage = factor * row[2] * v
    hottest = row[15]
    power = fixed + leakage * exponential(row[3] * (hottest - row[4]))
    for _ in range(2):
        hottest = smaller(larger(temperature, plate + resistance * smaller(power, row[6])), row[15])
        power = fixed + leakage * exponential(row[3] * (hottest - row[4]))
    return power, hottest


@nb.njit(fastmath=FAST, error_model="numpy")
def block_demands(s: F32, n: int, row: F32, out: F32) -> None:
    """Upper bounds of the power that each card of a block can draw in the call [W]; 0 if failed."""
    one = np.float32(1.0)
    for i in range(n):
        lost = one / (one - s[DECAY + i])
        power, _ = demand_bound(
            row,
            s[TEMPERATURE + i],
            s[DRIFT + i] * lost,
            s[GAIN + i] * lost,
            s[BASE + i],
            s[FACTOR + i],
            s[ACTIVITY + i],
            s[CEILING + i],
        )
        out[i] = power * np.float32(1.00002) if s[CAP + i] >= np.float32(0.0) else np.float32(0.0)


@nb.njit(fastmath=FAST, error_model="numpy")
def find_held(s: F32, n: int, row: F32) -> int:
    """Mark the cards of a block that may meet a limit during the call; give their number.

    The others are on, not in slowdown, and the bounds of their power and temperature keep clear of the cap and of the
    target temperature.
    """
    one = np.float32(1.0)
    zero = np.float32(0.0)
    count = zero
    for i in range(n):
        lost = one / (one - s[DECAY + i])
        power, hottest = demand_bound(
            row,
            s[TEMPERATURE + i],
            s[DRIFT + i] * lost,
            s[GAIN + i] * lost,
            s[BASE + i],
            s[FACTOR + i],
            s[ACTIVITY + i],
            s[CEILING + i],
        )
        clear = one if power < s[CAP + i] * np.float32(0.99999) else zero
        clear = clear if hottest < row[11] - np.float32(0.01) else zero
        clear = clear if s[TIMER + i] + s[HOT + i] == zero else zero
        s[HELD + i] = one - clear
        count += one - clear
    return int(count)


@nb.njit
def gather_held(s: F32, n: int, out: F32, place: I64) -> int:
    """Copy the held cards of a block to the front of another one; give how many columns are filled.

    The last card is repeated until the columns fill whole vectors; what becomes of the copies is not used.
    """
    count = 0
    for i in range(n):
        if s[HELD + i] > np.float32(0.0):
            place[count] = i
            count += 1
    filled = min(BLOCK, -(-count // WIDTH) * WIDTH)
    for k in range(count, filled):
        place[k] = place[count - 1]
    for row in range(0, HELD, BLOCK):
        for k in range(filled):
            out[row + k] = s[row + place[k]]
    return filled


@nb.njit
def return_held(s: F32, out: F32, place: I64, count: int) -> None:
    """Copy the held cards back to where they were gathered."""
    for row in range(0, HELD, BLOCK):
        for k in range(count):
            s[row + place[k]] = out[row + k]


@nb.njit(fastmath=FAST)
def coast_block(s: F32, n: int, row: F32, dt: float, steps: int) -> None:
    """Advance cards that meet no limit: the clock is at its ceiling throughout."""
    one = np.float32(1.0)
    leak, beta, t_ref, dynamic, slope, v_min, wait = row[2], row[3], row[4], row[5], row[8], row[9], row[18]
    for _ in range(steps):
        for i in range(n):
            t = s[TEMPERATURE + i]
            f = s[CEILING + i]
            v = larger(v_min, one - slope * (one - f))
            factor = s[FACTOR + i]
            working = wait * f + (one - wait) * smaller(s[PACE + i], f)
            switching = dynamic * s[ACTIVITY + i] * working * v
            power = s[BASE + i] + factor * v * (leak * exponential(beta * (t - t_ref)) + switching)
            s[TEMPERATURE + i] = s[DECAY + i] * t + s[DRIFT + i] + s[GAIN + i] * power
            s[ENERGY + i] += power
    for i in range(n):
        s[CLOCK + i] = s[CEILING + i]
        s[WORK + i] += s[CEILING + i] * np.float32(steps)


@nb.njit(fastmath=FAST, error_model="numpy")
def step_block(s: F32, n: int, row: F32, dt: float, steps: int) -> None:
    """Advance a block with all limits.

    The clock follows from two Newton steps for ``P(f) = allowed``, from the clock of the last sub-step. P is convex: a
    step from below lands above the root, from where they fall monotonically, and what is left of the excess is taken
    by pausing, so that the cap holds exactly from the first sub-step on. The second step needs a slope of its own: with
    that of a low clock, where the voltage does not fall any more, it would throw the clock back to where it was.
    """
    one = np.float32(1.0)
    zero = np.float32(0.0)
    two = np.float32(2.0)
    leak, beta, t_ref, dynamic = row[2], row[3], row[4], row[5]
    f_min, slope, v_min = row[7], row[8], row[9]
    t_target, t_slow, f_slow = row[11], row[12], row[13]
    t_release = t_slow - row[14]
    t_shut, t_restart, restart_time, wait = row[15], row[16], row[17], row[18]
    for _ in range(steps):
        for i in range(n):
            t = s[TEMPERATURE + i]
            decay = s[DECAY + i]
            drift = s[DRIFT + i]
            gain = s[GAIN + i]
            cap = s[CAP + i]
            base = s[BASE + i]
            factor = s[FACTOR + i]
            ceiling = s[CEILING + i]
            # Hardware slowdown with hysteresis; shutdown and restart.
            stays = s[HOT + i] if t > t_release else zero
            hot = one if t >= t_slow else stays
            timer = s[TIMER + i]
            counted = larger(timer - dt, zero) if t < t_restart else timer
            timer = restart_time if t >= t_shut else counted
            f_top = smaller(ceiling, f_slow) if hot > zero else ceiling
            # Power that brings the junction to its target at the end of the sub-step.
            thermal_cap = (t_target - decay * t - drift) / gain
            leakage = factor * leak * exponential(beta * (t - t_ref))
            switching = factor * dynamic * s[ACTIVITY + i]
            allowed = smaller(cap, thermal_cap) - base
            f = smaller(s[CLOCK + i], f_top)
            v_line = one - slope * (one - f)
            v = larger(v_min, v_line)
            dv = slope if v_line > v_min else zero
            per_slope = one / (leakage * dv + switching * v * (v + two * f * dv) + np.float32(1e-3))
            f = f - (v * (leakage + switching * f * v) - allowed) * per_slope
            f = smaller(larger(f, f_min), f_top)
            v_line = one - slope * (one - f)
            v = larger(v_min, v_line)
            dv = slope if v_line > v_min else zero
            per_slope = one / (leakage * dv + switching * v * (v + two * f * dv) + np.float32(1e-3))
            f = f - (v * (leakage + switching * f * v) - allowed) * per_slope
            f = smaller(larger(f, f_min), f_top)
            v = larger(v_min, one - slope * (one - f))
            static = base + leakage * v
            # What the clock cannot do, pausing does; a cap below the static power turns the card off.
            duty = smaller(larger((cap - static) / (switching * f * v * v + np.float32(1e-6)), zero), one)
            alive = one if timer <= zero else zero
            on = alive if cap >= static else zero
            working = wait * f + (one - wait) * smaller(s[PACE + i], f)
            power = on * (static + duty * switching * working * v * v)
            pace = f * duty * on
            cause = hot if thermal_cap >= cap else one
            cause = cause if f < np.float32(0.9999) else hot
            cause = one if timer > zero else cause
            held = one if pace < np.float32(0.999) else zero
            held = held if ceiling >= one else zero
            s[TEMPERATURE + i] = decay * t + drift + gain * power
            s[HOT + i] = hot
            s[TIMER + i] = timer
            s[CLOCK + i] = f
            s[ENERGY + i] += power
            s[WORK + i] += pace
            s[BY_HEAT + i] += held * cause
            s[BY_POWER + i] += held * (one - cause)
