"""Gang scheduling: first come first served with EASY backfill, and the placement of jobs on cards.

EASY [1]_: the job at the head of the queue gets a reservation at the earliest time at which enough resources
will be free, judged by the running jobs' expected ends; a job behind it may start now if it fits and either
ends before that time or needs only what the reservation leaves over. The resources are cards and electrical
power, so that a plant with a power budget admits work by both.

References
----------
.. [1] D. A. Lifka, "The ANL/IBM SP scheduling system", JSSPP 1995; A. W. Mu'alem and D. G. Feitelson,
   "Utilization, predictability, workloads, and user runtime estimates in scheduling the IBM SP2 with
   backfilling", IEEE TPDS 12(6), 2001.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
I32 = NDArray[np.int32]


@nb.njit(cache=True)
def _insert_running(
    run_end: F64, run_cards: I64, run_power: F64, n_run: int, end: float, cards: int, power: float
) -> None:
    """Insert into the arrays of running jobs, which are sorted by expected end."""
    at = np.searchsorted(run_end[:n_run], end, side="right")
    for k in range(n_run, at, -1):
        run_end[k] = run_end[k - 1]
        run_cards[k] = run_cards[k - 1]
        run_power[k] = run_power[k - 1]
    run_end[at] = end
    run_cards[at] = cards
    run_power[at] = power


@nb.njit(cache=True)
def easy_backfill(
    now: float,
    queue: I64,
    cards: I64,
    power: F64,
    estimate: F64,
    run_end: F64,
    run_cards: I64,
    run_power: F64,
    n_run: int,
    free_cards: int,
    free_power: float,
    depth: int,
    started: I64,
) -> int:
    """One pass of FCFS with EASY backfill.

    Parameters
    ----------
    now : float
        Time [s].
    queue : ndarray of int, shape (waiting,)
        Waiting jobs, in order.
    cards, power, estimate : ndarray, shape (job,)
        Cards, power [W] and remaining run time by estimate [s] of every job.
    run_end, run_cards, run_power : ndarray
        Expected end [s], cards and power [W] of the `n_run` running jobs, sorted by end, with room for the
        jobs that start; updated in place.
    n_run : int
        Number of running jobs.
    free_cards : int
        Free cards.
    free_power : float
        Power left in the budget [W].
    depth : int
        How many jobs behind the head are considered.
    started : ndarray of int, shape (waiting,)
        Receives the jobs that start, in order.

    Returns
    -------
    int
        Number of jobs that start.
    """
    count = 0
    i = 0
    while i < queue.size:
        j = queue[i]
        if cards[j] > free_cards or power[j] > free_power:
            break
        _insert_running(run_end, run_cards, run_power, n_run, now + estimate[j], cards[j], power[j])
        n_run += 1
        free_cards -= cards[j]
        free_power -= power[j]
        started[count] = j
        count += 1
        i += 1
    if i == queue.size:
        return count
    head = queue[i]
    shadow = math.inf
    spare_cards, spare_power = free_cards, free_power
    for k in range(n_run):
        spare_cards += run_cards[k]
        spare_power += run_power[k]
        if spare_cards >= cards[head] and spare_power >= power[head]:
            shadow = max(run_end[k], now)
            break
    spare_cards -= cards[head]
    spare_power -= power[head]
    for q in range(i + 1, min(queue.size, i + 1 + depth)):
        if free_cards == 0:
            break
        j = queue[q]
        if cards[j] > free_cards or power[j] > free_power:
            continue
        before = now + estimate[j] <= shadow
        if not before and (cards[j] > spare_cards or power[j] > spare_power):
            continue
        if not before:
            spare_cards -= cards[j]
            spare_power -= power[j]
        _insert_running(run_end, run_cards, run_power, n_run, now + estimate[j], cards[j], power[j])
        n_run += 1
        free_cards -= cards[j]
        free_power -= power[j]
        started[count] = j
        count += 1
    return count


@nb.njit(cache=True)
def place_gang(
    job: int,
    need: int,
    order: I64,
    module_start: I64,
    free_count: I64,
    usable: NDArray[np.bool_],
    job_of_card: I32,
    placed: I64,
) -> int:
    """Put a job on free cards, module by module in the order given.

    The first module in that order that holds the whole job takes it, so that small jobs do not straddle
    modules; a job that fits nowhere whole takes free cards of the modules one after the other.

    Parameters
    ----------
    job, need : int
        Index of the job and the number of cards.
    order : ndarray of int, shape (module,)
        Modules by preference.
    module_start : ndarray of int, shape (module + 1,)
        First card of each module.
    free_count : ndarray of int, shape (module,)
        Free usable cards of each module; updated.
    usable : ndarray of bool, shape (card,)
        Cards that may be used.
    job_of_card : ndarray of int, shape (card,)
        Job of each card, -1 for none; updated.
    placed : ndarray of int, shape (need,) or longer
        Receives the cards of the job.

    Returns
    -------
    int
        Cards that could not be found (0 when the job is placed).
    """
    missing = need
    whole = -1
    for m in order:
        if free_count[m] >= need:
            whole = m
            break
    for at in range(order.size):
        m = whole if whole >= 0 else order[at]
        if free_count[m] > 0:
            for c in range(module_start[m], module_start[m + 1]):
                if missing == 0 or free_count[m] == 0:
                    break
                if job_of_card[c] < 0 and usable[c]:
                    placed[need - missing] = c
                    job_of_card[c] = job
                    free_count[m] -= 1
                    missing -= 1
        if missing == 0 or whole >= 0:
            break
    return missing


@nb.njit(cache=True)
def count_free(module_start: I64, usable: NDArray[np.bool_], job_of_card: I32) -> I64:
    """Free usable cards per module."""
    out = np.zeros(module_start.size - 1, np.int64)
    for m in range(out.size):
        for c in range(module_start[m], module_start[m + 1]):
            if job_of_card[c] < 0 and usable[c]:
                out[m] += 1
    return out


@nb.njit(cache=True)
def release_gang(
    placed: I32, module_start: I64, free_count: I64, usable: NDArray[np.bool_], job_of_card: I32
) -> None:
    """Take a job off its cards.

    Parameters
    ----------
    placed : ndarray of int, shape (card of the job,)
        The cards, as :func:`place_gang` gave them.
    module_start, free_count, usable, job_of_card
        As for :func:`place_gang`.
    """
    m = 0
    for c in placed:
        if not module_start[m] <= c < module_start[m + 1]:
            m = np.searchsorted(module_start, c, side="right") - 1
        job_of_card[c] = -1
        if usable[c]:
            free_count[m] += 1
