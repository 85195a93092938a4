"""Compiled kernels that step a fleet of cards.

One call advances every card by several sub-steps. A block of cards of one module is copied to a scratch array that
stays in the first-level cache, stepped there, and written back, so that memory traffic is paid once per call and
not once per sub-step. The inner loop has no branches and works on one contiguous array with constant offsets,
which lets the compiler use vector instructions without aliasing checks. All sums belong to one module and are taken
in card order: results do not depend on the number of threads.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np

# Columns of the table of card parameters.
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

HOT = 1  # status bit: hardware slowdown is on
FAILED = 2  # status bit: the card is broken

BLOCK = 256  # cards per scratch block: 17 rows of 256 floats are 17 KiB, half of a usual first-level cache
ROWS = 17

HISTOGRAM_START = 233.15  # K
HISTOGRAM_WIDTH = 0.25  # K
HISTOGRAM_BINS = 720

_FAST = {"nnan", "ninf", "nsz", "contract", "arcp", "reassoc"}


@nb.njit(inline="always")
def _mix(x):
    """Finaliser of splitmix64 (Steele, Lea and Flood, OOPSLA 2014): a bijective hash of 64 bits."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@nb.njit(parallel=True, cache=True)
def counter_normals(seed, stream, count):
    """Standard normals that depend on (seed, stream, index) only: Box-Muller on hashed counters."""
    out = np.empty(count, np.float64)
    golden = np.uint64(0x9E3779B97F4A7C15)
    base = _mix(np.uint64(seed) * golden + _mix(np.uint64(stream) + golden))
    for i in nb.prange(count):
        first = _mix(base + np.uint64(2 * i + 1) * golden)
        second = _mix(base + np.uint64(2 * i + 2) * golden)
        u = (np.float64(first >> np.uint64(11)) + 0.5) * 2.0**-53
        v = np.float64(second >> np.uint64(11)) * 2.0**-53
        out[i] = math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * v)
    return out


@nb.njit(inline="always", fastmath=_FAST)
def _exp(x):
    """exp for |x| <= 3 to 1e-5 relative: fourth-order series of x/16, squared four times (stays in vector registers)."""
    y = x * np.float32(1.0 / 16.0)
    e = np.float32(1.0) + y * (
        np.float32(1.0)
        + y
        * (
            np.float32(0.5)
            + y * (np.float32(1.0 / 6.0) + y * (np.float32(1.0 / 24.0) + y * np.float32(1 / 120)))
        )
    )
    e = e * e
    e = e * e
    e = e * e
    return e * e


@nb.njit(fastmath=_FAST)
def _card_caps(
    caps,
    start,
    stop,
    module_cap,
    row,
    temperature,
    power_factor,
    gain,
    decay,
    status,
    job,
    peak_activity,
    plate,
    spread,
):
    """Share the cap of a module out to its cards: caps[i] = min(demand_i, level), with a sum within the cap.

    `demand` is the unlimited power at the hottest junction that the card can reach, hence an upper bound over the
    tick. The water level rises by Newton's method from cap/n, monotonically and from below, so that stopping
    early is safe.
    """
    limit = row[6]
    n = stop - start
    total = 0.0
    alive = 0
    n_jobs = peak_activity.size - 1
    half = np.float32(0.5)
    for i in range(start, stop):
        if status[i] & FAILED:
            caps[i - start] = 0.0
            continue
        alive += 1
        j = job[i]
        base = row[1] if j >= 0 else row[0]
        a = peak_activity[j] if j >= 0 else peak_activity[n_jobs]
        f_top = np.float32(1.0) if j >= 0 else row[7]
        v = max(row[9], np.float32(1.0) - row[8] * (np.float32(1.0) - f_top))
        local = plate + spread * ((i - start + half) / n - half)
        hottest = min(max(temperature[i], local + gain[i] / (np.float32(1.0) - decay[i]) * limit), row[15])
        x = row[3] * (hottest - row[4])
        demand = base + power_factor[i] * (row[2] * v * _exp(x) + a * row[5] * f_top * v * v)
        demand = min(demand * np.float32(1.0001), limit)
        caps[i - start] = demand
        total += demand
    if total <= module_cap or alive == 0:
        for i in range(n):
            caps[i] = limit
        return
    level = module_cap / alive
    for _ in range(30):
        used = 0.0
        above = 0
        for i in range(n):
            if caps[i] > level:
                used += level
                above += 1
            else:
                used += caps[i]
        rest = module_cap - used
        if above == 0 or rest <= 1e-6 * module_cap:
            break
        level += rest / above
    for i in range(n):
        caps[i] = min(caps[i], np.float32(level))


@nb.njit(fastmath=_FAST)
def _step_block(s, n, row, dt, steps):
    """Advance one block by `steps` sub-steps of constant activity. Rows of `s`: see the names at the head of the loop."""
    one = np.float32(1.0)
    zero = np.float32(0.0)
    leak, beta, t_ref, dynamic = row[2], row[3], row[4], row[5]
    f_min, slope, v_min = row[7], row[8], row[9]
    t_target, t_slow, f_slow, hysteresis = row[11], row[12], row[13], row[14]
    t_shut, t_restart, restart_time, wait = row[15], row[16], row[17], row[18]
    t_release = t_slow - hysteresis
    for _ in range(steps):
        for i in range(n):
            t = s[i]
            hot = s[BLOCK + i]
            timer = s[2 * BLOCK + i]
            f_old = s[3 * BLOCK + i]
            decay = s[4 * BLOCK + i]
            gain = s[5 * BLOCK + i]
            factor = s[6 * BLOCK + i]
            cap = s[7 * BLOCK + i]
            activity = s[8 * BLOCK + i]
            pace = s[9 * BLOCK + i]
            base = s[10 * BLOCK + i]
            drift = s[11 * BLOCK + i]  # (1 - decay) * local plate temperature
            # Hardware slowdown with hysteresis, shutdown and restart.
            hot = one if t >= t_slow else (hot if t > t_release else zero)
            timer = restart_time + dt if t >= t_shut else (max(timer - dt, zero) if t < t_restart else timer)
            ceiling = s[16 * BLOCK + i]  # 1, or the lowest clock on a card without a job
            f_top = min(ceiling, f_slow) if hot > zero else ceiling
            # Power that leads to the target temperature at the end of this sub-step, no more.
            thermal_cap = (t_target - decay * t - drift) / gain
            leakage = factor * leak * _exp(beta * (t - t_ref))
            switching = factor * dynamic * activity
            allowed = min(cap, thermal_cap) - base
            # Two Newton steps for the clock at the allowed power, from the last clock.
            f = min(f_old, f_top)
            for _k in range(2):
                v_line = one - slope * (one - f)
                v = max(v_min, v_line)
                dv = slope if v_line > v_min else zero
                excess = leakage * v + switching * f * v * v - allowed
                f = f - excess / (
                    leakage * dv + switching * v * (v + np.float32(2.0) * f * dv) + np.float32(1e-3)
                )
                f = min(max(f, f_min), f_top)
            v = max(v_min, one - slope * (one - f))
            static = base + leakage * v
            full = switching * f * v * v
            # What the clock cannot do, pausing does; a cap below the static power turns the card off.
            duty = min(max((cap - static) / (full + np.float32(1e-6)), zero), one)
            working = wait * f + (one - wait) * min(pace, f)
            on = one if (timer <= zero and cap >= static) else zero
            power = on * (static + duty * switching * working * v * v)
            by_heat = (
                one
                if (timer > zero or (thermal_cap < cap and f < np.float32(0.9999)) or hot > zero)
                else zero
            )
            limited = one if (f * duty * on < np.float32(0.999) and ceiling >= one) else zero
            s[i] = decay * t + drift + gain * power
            s[BLOCK + i] = hot
            s[2 * BLOCK + i] = timer
            s[3 * BLOCK + i] = f
            s[12 * BLOCK + i] += power
            s[13 * BLOCK + i] += f * duty * on
            s[14 * BLOCK + i] += limited * by_heat
            s[15 * BLOCK + i] += limited * (one - by_heat)


@nb.njit(parallel=True, cache=True, fastmath=_FAST)
def advance_fleet(
    table,
    module_class,
    module_start,
    run_start,
    run_of_module,
    temperature,
    clock,
    restart_timer,
    status,
    power_factor,
    decay,
    gain,
    job,
    activity,
    peak_activity,
    pace,
    plate_temperature,
    plate_rise,
    power_cap,
    dt,
    steps,
    chunks,
    mean_power,
    mean_pace,
    module_out,
    run_pace,
    histogram,
):
    """Advance the fleet; the caller's arrays are updated in place.

    `module_out` (module, 9): energy drawn, energy stored, thermal, power and failure card-steps, p50, p99 and max of
    the junction temperature, cards on. `activity` is (1 or steps, job + 1), the last column is for empty cards.
    """
    n_modules = module_start.size - 1
    n_jobs = activity.shape[1] - 1
    rows_of_activity = activity.shape[0]
    for chunk in nb.prange(chunks):
        first = chunk * n_modules // chunks
        last = (chunk + 1) * n_modules // chunks
        s = np.empty(ROWS * BLOCK, np.float32)
        bins = np.empty(HISTOGRAM_BINS, np.int64)
        largest = 0
        for m in range(first, last):
            largest = max(largest, module_start[m + 1] - module_start[m])
        caps = np.empty(largest, np.float32)
        for m in range(first, last):
            start, stop = module_start[m], module_start[m + 1]
            n_cards = stop - start
            row = table[module_class[m]]
            plate = plate_temperature[m]
            rise = plate_rise[m]
            capped = power_cap[m] < n_cards * np.float64(row[6])
            if capped:
                _card_caps(
                    caps, start, stop, power_cap[m], row, temperature, power_factor, gain, decay, status, job,
                    peak_activity, plate, rise,
                )  # fmt: skip
            energy = 0.0
            stored = 0.0
            thermal = 0.0
            limited = 0.0
            failed = 0
            running = 0
            for lo in range(start, stop, BLOCK):
                n = min(BLOCK, stop - lo)
                for i in range(n):
                    c = lo + i
                    s[i] = temperature[c]
                    s[BLOCK + i] = np.float32(status[c] & HOT)
                    s[2 * BLOCK + i] = restart_timer[c]
                    s[3 * BLOCK + i] = clock[c]
                    s[4 * BLOCK + i] = decay[c]
                    s[5 * BLOCK + i] = gain[c]
                    s[6 * BLOCK + i] = power_factor[c]
                    limit = caps[c - start] if capped else row[6]
                    s[7 * BLOCK + i] = np.float32(-1.0) if status[c] & FAILED else limit
                    j = job[c]
                    column = j if j >= 0 else n_jobs
                    s[8 * BLOCK + i] = activity[0, column]
                    s[9 * BLOCK + i] = pace[column]
                    s[10 * BLOCK + i] = row[1] if j >= 0 else row[0]
                    s[16 * BLOCK + i] = np.float32(1.0) if j >= 0 else row[7]
                    local = plate + rise * (
                        np.float32(c - start + 0.5) / np.float32(n_cards) - np.float32(0.5)
                    )
                    s[11 * BLOCK + i] = (np.float32(1.0) - decay[c]) * local
                for i in range(12 * BLOCK, 16 * BLOCK):
                    s[i] = 0.0
                if rows_of_activity == 1:
                    _step_block(s, n, row, dt, steps)
                else:
                    for k in range(steps):
                        for i in range(n):
                            j = job[lo + i]
                            s[8 * BLOCK + i] = activity[k, j if j >= 0 else n_jobs]
                        _step_block(s, n, row, dt, 1)
                per_step = np.float32(1.0) / np.float32(steps)
                for i in range(n):
                    c = lo + i
                    energy += np.float64(s[12 * BLOCK + i])
                    stored += np.float64(s[i]) - np.float64(temperature[c])
                    if status[c] & FAILED:
                        failed += 1
                    else:
                        thermal += np.float64(s[14 * BLOCK + i])
                        limited += np.float64(s[15 * BLOCK + i])
                    temperature[c] = s[i]
                    restart_timer[c] = s[2 * BLOCK + i]
                    clock[c] = s[3 * BLOCK + i]
                    mean_power[c] = s[12 * BLOCK + i] * per_step
                    mean_pace[c] = s[13 * BLOCK + i] * per_step
                    if s[13 * BLOCK + i] > np.float32(0.0):
                        running += 1
                    status[c] = (status[c] & FAILED) | (HOT if s[BLOCK + i] > np.float32(0.0) else 0)
            module_out[m, 0] = energy * dt
            module_out[m, 1] = stored * np.float64(row[10])
            module_out[m, 2] = thermal
            module_out[m, 3] = limited
            module_out[m, 4] = failed
            module_out[m, 8] = running
            for r in range(run_of_module[m], run_of_module[m + 1]):
                slowest = np.float32(1.0)
                for c in range(run_start[r], run_start[r + 1]):
                    slowest = min(slowest, mean_pace[c])
                run_pace[r] = slowest
            # Quantiles of the junction temperature from a histogram, linear inside a bin.
            bins[:] = 0
            hottest = np.float32(0.0)
            for c in range(start, stop):
                t = temperature[c]
                hottest = max(hottest, t)
                b = int((t - np.float32(HISTOGRAM_START)) * np.float32(1.0 / HISTOGRAM_WIDTH))
                bins[min(max(b, 0), HISTOGRAM_BINS - 1)] += 1
            for q in range(2):
                target = (0.5 if q == 0 else 0.99) * n_cards
                below = 0
                value = np.float64(hottest)
                for b in range(HISTOGRAM_BINS):
                    if below + bins[b] >= target:
                        value = HISTOGRAM_START + HISTOGRAM_WIDTH * (b + (target - below) / max(bins[b], 1))
                        break
                    below += bins[b]
                module_out[m, 5 + q] = min(value, np.float64(hottest))
            module_out[m, 7] = hottest
            for b in range(HISTOGRAM_BINS):
                histogram[chunk, b] += bins[b]


@nb.njit(cache=True)
def reduce_runs(run_job, run_length, run_pace, run_module, activity, n_jobs, n_modules):
    """Slowest pace per job, and work done and work asked for per module.

    A run is a stretch of neighbouring cards of one module with the same job.
    """
    job_pace = np.full(n_jobs + 1, np.inf)
    for r in range(run_job.size):
        j = run_job[r]
        if j >= 0:
            job_pace[j] = min(job_pace[j], run_pace[r])
    has_cards = job_pace < np.inf
    for j in range(n_jobs + 1):
        if not has_cards[j]:
            job_pace[j] = 0.0
    done = np.zeros(n_modules)
    asked = np.zeros(n_modules)
    for r in range(run_job.size):
        j = run_job[r]
        if j >= 0:
            asked[run_module[r]] += run_length[r] * activity[j]
            done[run_module[r]] += run_length[r] * activity[j] * job_pace[j]
    return job_pace, has_cards, done, asked
