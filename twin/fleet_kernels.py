"""Compiled loops over the modules of a fleet of cards.

One call advances every card by several sub-steps. Block by block the cards of a module are copied to a
scratch array, stepped there (:mod:`twin.card_kernels`) and written back, so that memory traffic is paid once
per call and not once per sub-step. All sums belong to one module and are taken in card order: results do not
depend on the number of threads.
"""

from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray

from twin import card_kernels as k
from twin.card_kernels import (
    ACTIVITY,
    BASE,
    BLOCK,
    BY_HEAT,
    BY_POWER,
    CAP,
    CEILING,
    CLOCK,
    DECAY,
    DRIFT,
    ENERGY,
    FACTOR,
    FAST,
    GAIN,
    HOT,
    PACE,
    ROWS,
    TEMPERATURE,
    TIMER,
    WORK,
)

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
U8 = NDArray[np.uint8]

SLOWDOWN = 1  # status bit: hardware slowdown is on
FAILED = 2  # status bit: the card is broken

SPARSE = 3
"""Cards that may meet a limit are stepped apart from the others of their block up to one in so many."""

HISTOGRAM_START = 233.15  # K
HISTOGRAM_WIDTH = 0.25  # K
HISTOGRAM_BINS = 720


@nb.njit(fastmath=FAST)
def share_cap(caps: F32, alive: int, module_cap: float, limit: float) -> None:
    """Share the cap of a module out to its cards.

    On entry `caps` holds an upper bound of each card's demand. Cards get ``min(demand, level)``; the level
    rises by Newton's method from cap / cards, monotonically and from below, so that stopping early keeps the
    sum within the cap. If the demands fit, every card may use its own limit.

    Parameters
    ----------
    caps : ndarray of float32, shape (card,)
        Demand bounds on entry, caps on exit [W].
    alive : int
        Cards that are not failed (a failed card has demand 0).
    module_cap, limit : float
        Cap of the module and limit of one card [W].
    """
    total = 0.0
    for i in range(caps.size):
        caps[i] = k.smaller(caps[i], limit)
        total += np.float64(caps[i])
    if total <= module_cap or alive == 0:
        caps[:] = limit
        return
    level = module_cap / alive
    for _ in range(30):
        water = np.float32(level)
        used = 0.0
        above = 0.0
        for i in range(caps.size):
            used += np.float64(k.smaller(caps[i], water))
            above += 1.0 if caps[i] > water else 0.0
        rest = module_cap - used
        if above == 0.0 or rest <= 1e-6 * module_cap:
            break
        level += rest / above
    share = np.float32(level * (1.0 - 1e-7))  # rounding to float32 must not lift the sum above the cap
    for i in range(caps.size):
        caps[i] = k.smaller(caps[i], share)


@nb.njit
def histogram_quantile(bins: I32, count: int, quantile: float) -> float:
    """Quantile from a histogram, linear inside a bin [K]."""
    target = quantile * count
    below = 0
    for b in range(bins.size):
        if below + bins[b] >= target and bins[b] > 0:
            return HISTOGRAM_START + HISTOGRAM_WIDTH * (b + (target - below) / bins[b])
        below += bins[b]
    return HISTOGRAM_START + HISTOGRAM_WIDTH * bins.size


@nb.njit(fastmath=FAST)
def load_block(
    s: F32, n: int, temperature: F32, restart_timer: F32, clock: F32, decay: F32, gain: F32
) -> None:
    """Copy the state of `n` cards to a block; one short loop per row, so that each is vectorised."""
    for i in range(n):
        s[TEMPERATURE + i] = temperature[i]
    for i in range(n):
        s[TIMER + i] = restart_timer[i]
    for i in range(n):
        s[CLOCK + i] = clock[i]
    for i in range(n):
        s[DECAY + i] = decay[i]
    for i in range(n):
        s[GAIN + i] = gain[i]


@nb.njit(fastmath=FAST)
def load_jobs(
    s: F32,
    n: int,
    row: F32,
    job: I32,
    power_factor: F32,
    status: U8,
    peak_activity: F32,
    pace: F32,
    runs: I64,
) -> int:
    """Copy to a block what depends on the job of each card; neighbours mostly share one.

    Cards ``runs[0, q]`` to ``runs[0, q + 1]`` have the job of column ``runs[1, q]``; gives the number of such runs.
    """
    one = np.float32(1.0)
    last = peak_activity.size - 1
    lo = 0
    count = 0
    while lo < n:
        j = job[lo]
        hi = lo + 1
        while hi < n and job[hi] == j:
            hi += 1
        column = j if j >= 0 else last
        base = row[1] if j >= 0 else row[0]
        ceiling = one if j >= 0 else row[7]
        s[ACTIVITY + lo : ACTIVITY + hi] = peak_activity[column]
        s[PACE + lo : PACE + hi] = pace[column]
        s[BASE + lo : BASE + hi] = base
        s[CEILING + lo : CEILING + hi] = ceiling
        runs[0, count] = lo
        runs[1, count] = column
        count += 1
        lo = hi
    runs[0, count] = n
    for i in range(n):
        s[FACTOR + i] = power_factor[i]
    for i in range(n):
        s[HOT + i] = np.float32(status[i] & SLOWDOWN)
    for i in range(n):
        s[CAP + i] = -one if status[i] & FAILED else row[6]
    return count


@nb.njit(fastmath=FAST)
def load_activity(s: F32, runs: I64, count: int, activity: F32) -> None:
    """Copy the activity of a sub-step to a block."""
    for q in range(count):
        s[ACTIVITY + runs[0, q] : ACTIVITY + runs[0, q + 1]] = activity[runs[1, q]]


@nb.njit(fastmath=FAST)
def load_plate(s: F32, n: int, first: float, slope: float) -> None:
    """Plate temperature along the cards, as its part in the junction's relaxation."""
    for i in range(n):
        s[DRIFT + i] = (np.float32(1.0) - s[DECAY + i]) * (first + slope * np.float32(i))


@nb.njit(fastmath=FAST)
def store_block(
    s: F32,
    n: int,
    temperature: F32,
    restart_timer: F32,
    clock: F32,
    status: U8,
    mean_power: F32,
    mean_pace: F32,
    per_step: float,
) -> tuple[float, float, float, float, float]:
    """Write a block back; give sums of power, temperature change, throttled sub-steps by cause, cards on."""
    energy = 0.0
    rise = 0.0
    thermal = np.float32(0.0)
    limited = np.float32(0.0)
    running = np.float32(0.0)
    for i in range(n):
        energy += np.float64(s[ENERGY + i])
    for i in range(n):
        rise += np.float64(s[TEMPERATURE + i]) - np.float64(temperature[i])
    for i in range(n):
        thermal += s[BY_HEAT + i]
        limited += s[BY_POWER + i]
        running += np.float32(1.0) if s[ENERGY + i] > np.float32(0.0) else np.float32(0.0)
    for i in range(n):
        temperature[i] = s[TEMPERATURE + i]
    for i in range(n):
        restart_timer[i] = s[TIMER + i]
    for i in range(n):
        clock[i] = s[CLOCK + i]
    for i in range(n):
        mean_power[i] = s[ENERGY + i] * per_step
    for i in range(n):
        mean_pace[i] = s[WORK + i] * per_step
    for i in range(n):
        slow = np.uint8(SLOWDOWN) if s[HOT + i] > np.float32(0.0) else np.uint8(0)
        status[i] = (status[i] & np.uint8(FAILED)) | slow
    return energy, rise, np.float64(thermal), np.float64(limited), np.float64(running)


@nb.njit(fastmath=FAST)
def count_temperatures(bins: I32, temperature: F32) -> np.float32:
    """Fill the histogram of a module; give the highest temperature."""
    bins[:] = 0
    hottest = np.float32(0.0)
    for c in range(temperature.size):
        hottest = k.larger(hottest, temperature[c])
    highest = np.float32(bins.size - 1)
    for c in range(temperature.size):
        b = (temperature[c] - np.float32(HISTOGRAM_START)) * np.float32(1.0 / HISTOGRAM_WIDTH)
        bins[np.uint32(k.smaller(k.larger(b, np.float32(0.0)), highest))] += 1
    return hottest


@nb.njit(parallel=True, cache=True, fastmath=FAST, error_model="numpy")
def advance_fleet(
    table: F32,
    module_class: I64,
    module_start: I64,
    run_start: I64,
    run_of_module: I64,
    temperature: F32,
    clock: F32,
    restart_timer: F32,
    status: U8,
    power_factor: F32,
    decay: F32,
    gain: F32,
    job: I32,
    activity: F32,
    peak_activity: F32,
    pace: F32,
    plate_temperature: F32,
    plate_rise: F32,
    power_cap: F64,
    dt: float,
    steps: int,
    chunks: int,
    mean_power: F32,
    mean_pace: F32,
    module_out: F64,
    run_pace: F32,
    histogram: I64,
) -> None:
    """Advance the fleet; arrays over cards, `module_out`, `run_pace` and `histogram` are written in place.

    `module_out` (module, 10): energy drawn [J], energy stored [J], card-steps throttled by heat and by power,
    failed cards, p50, p99 and max of the junction temperature [K], cards that were on, cards stepped with all
    limits. `activity` is (1 or steps, job + 1); its last column is for cards without a job.
    """
    n_modules = module_start.size - 1
    varying = activity.shape[0] > 1
    per_step = np.float32(1.0) / np.float32(steps)
    half = np.float32(0.5)
    for chunk in nb.prange(chunks):
        first = chunk * n_modules // chunks
        last = (chunk + 1) * n_modules // chunks
        s = np.empty(ROWS * BLOCK, np.float32)
        few = np.zeros(ROWS * BLOCK, np.float32)  # of a block, those cards that may meet a limit
        place = np.zeros(BLOCK, np.int64)
        runs = np.zeros((2, BLOCK + 1), np.int64)
        bins = np.empty(HISTOGRAM_BINS, np.int32)
        largest = 0
        for m in range(first, last):
            largest = max(largest, module_start[m + 1] - module_start[m])
        caps = np.empty(largest, np.float32)
        for m in range(first, last):
            start, stop = module_start[m], module_start[m + 1]
            n_cards = stop - start
            row = table[module_class[m]]
            slope = plate_rise[m] / np.float32(max(n_cards, 1))
            capped = power_cap[m] < n_cards * np.float64(row[6])
            failed = 0
            for c in range(start, stop):
                failed += (status[c] & FAILED) >> 1
            first_plate = plate_temperature[m] + half * (slope - plate_rise[m])
            if capped:
                for lo in range(start, stop, BLOCK):
                    n = min(BLOCK, stop - lo)
                    load_block(s, n, temperature[lo:], restart_timer[lo:], clock[lo:], decay[lo:], gain[lo:])
                    load_jobs(s, n, row, job[lo:], power_factor[lo:], status[lo:], peak_activity, pace, runs)
                    load_plate(s, n, first_plate + slope * np.float32(lo - start), slope)
                    k.block_demands(s, n, row, caps[lo - start :])
                share_cap(caps[:n_cards], n_cards - failed, power_cap[m], row[6])
            energy = 0.0
            stored = 0.0
            thermal = 0.0
            limited = 0.0
            running = 0
            full = 0
            for lo in range(start, stop, BLOCK):
                n = min(BLOCK, stop - lo)
                load_block(s, n, temperature[lo:], restart_timer[lo:], clock[lo:], decay[lo:], gain[lo:])
                count = load_jobs(
                    s, n, row, job[lo:], power_factor[lo:], status[lo:], peak_activity, pace, runs
                )
                if capped:
                    for i in range(n):
                        s[CAP + i] = k.smaller(s[CAP + i], caps[lo - start + i])
                load_plate(s, n, first_plate + slope * np.float32(lo - start), slope)
                s[ENERGY:] = np.float32(0.0)
                held = k.find_held(s, n, row)
                apart = 0 < held <= n // SPARSE
                if apart:
                    filled = k.gather_held(s, n, few, place)
                full += held if apart or held == 0 else n
                for step in range(steps if varying else 1):
                    if varying:
                        load_activity(s, runs, count, activity[step])
                        if apart:
                            for i in range(filled):
                                few[ACTIVITY + i] = s[ACTIVITY + place[i]]
                    if apart or held == 0:
                        k.coast_block(s, n, row, dt, 1 if varying else steps)
                    else:
                        k.step_block(s, n, row, dt, 1 if varying else steps)
                    if apart:
                        k.step_block(few, filled, row, dt, 1 if varying else steps)
                if apart:
                    k.return_held(s, few, place, held)
                sums = store_block(
                    s,
                    n,
                    temperature[lo:],
                    restart_timer[lo:],
                    clock[lo:],
                    status[lo:],
                    mean_power[lo:],
                    mean_pace[lo:],
                    per_step,
                )
                energy += sums[0]
                stored += sums[1]
                thermal += sums[2]
                limited += sums[3]
                running += sums[4]
            module_out[m, 0] = energy * np.float64(dt)
            module_out[m, 1] = stored * np.float64(row[10])
            module_out[m, 2] = thermal
            module_out[m, 3] = limited
            module_out[m, 4] = failed
            module_out[m, 8] = running
            module_out[m, 9] = full
            for r in range(run_of_module[m], run_of_module[m + 1]):
                slowest = np.float32(1.0)
                for c in range(run_start[r], run_start[r + 1]):
                    slowest = k.smaller(slowest, mean_pace[c])
                run_pace[r] = slowest
            hottest = count_temperatures(bins, temperature[start:stop])
            module_out[m, 5] = min(histogram_quantile(bins, n_cards, 0.5), np.float64(hottest))
            module_out[m, 6] = min(histogram_quantile(bins, n_cards, 0.99), np.float64(hottest))
            module_out[m, 7] = hottest
            for b in range(HISTOGRAM_BINS):
                histogram[chunk, b] += bins[b]


@nb.njit(cache=True)
def reduce_runs(
    run_job: I32, run_length: I64, run_pace: F32, run_module: I64, activity: F64, n_jobs: int, n_modules: int
) -> tuple[F64, NDArray[np.bool_], F64, F64]:
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
