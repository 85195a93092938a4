"""FCFS with EASY backfill where some jobs must run in one sub-center.

The rules are those of `twin.scheduler`; cards of different sub-centers are not interchangeable, so that a job
behind the head of the queue only counts against the reservation with the cards that the head could use.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Holding", "Requests", "backfill_pinned"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ANYWHERE = -1


@dataclass(frozen=True, eq=False)
class Requests:
    """What jobs ask for; arrays (job,).

    Attributes
    ----------
    cards : ndarray of int
    power : ndarray
        [W].
    remaining : ndarray
        Run time by estimate [s].
    sub_center : ndarray of int
        Where a job must run, -1 for anywhere.
    """

    cards: Ints
    power: Floats
    remaining: Floats
    sub_center: Ints

    def open_to(self, job: int, cards: Ints) -> int:
        """Cards that a job could use of those in each sub-center."""
        center = int(self.sub_center[job])
        return int(cards.sum() if center == ANYWHERE else cards[center])


@dataclass(frozen=True, eq=False)
class Holding:
    """What a running job holds until its expected end.

    Attributes
    ----------
    end : float
        [s].
    cards : (sub_center,) int array
    power : float
        [W].
    """

    end: float
    cards: Ints
    power: float


def backfill_pinned(
    now: float,
    queue: Ints,
    requests: Requests,
    running: Sequence[Holding],
    free: Ints,
    free_power: float,
    depth: int,
    place: Callable[[int, int], Ints],
) -> Ints:
    """One pass over the queue; jobs that start are placed at once.

    Parameters
    ----------
    now : float
        Time [s].
    queue : ndarray of int, shape (waiting,)
        Waiting jobs, in order.
    requests : Requests
        Of all jobs.
    running : sequence of Holding
        Running jobs.
    free : ndarray of int, shape (sub_center,)
        Free usable cards.
    free_power : float
        Power left in the budget [W].
    depth : int
        How many jobs behind the head are considered.
    place : callable
        Puts a job on free cards, outside of a sub-center (-1 for none) if it can; returns the cards it took in
        each.

    Returns
    -------
    ndarray of int
        Jobs that start, in order.

    Notes
    -----
    Lifka (1995) and Mu'alem and Feitelson (2001), as cited in `twin.scheduler`, with a reservation for the
    cards of the head's sub-center.
    """
    free, holdings, started = np.array(free, np.int64), list(running), []

    def start(job: int, spared: int = ANYWHERE) -> Ints:
        nonlocal free, free_power
        taken = place(job, spared)
        free, free_power = free - taken, free_power - requests.power[job]
        holdings.append(Holding(now + float(requests.remaining[job]), taken, float(requests.power[job])))
        started.append(job)
        return taken

    def fits(job: int) -> bool:
        return bool(requests.cards[job] <= requests.open_to(job, free) and requests.power[job] <= free_power)

    jobs = [int(job) for job in queue]
    while jobs and fits(jobs[0]):
        start(jobs.pop(0))
    if not jobs:
        return np.array(started, np.int64)
    head = jobs[0]
    center = int(requests.sub_center[head])
    shadow, cards, power = math.inf, requests.open_to(head, free), free_power
    for holding in sorted(holdings, key=lambda h: h.end):
        cards, power = cards + requests.open_to(head, holding.cards), power + holding.power
        if cards >= requests.cards[head] and power >= requests.power[head]:
            shadow = max(holding.end, now)
            break
    spare_cards, spare_power = cards - int(requests.cards[head]), power - float(requests.power[head])
    for job in jobs[1 : 1 + depth]:
        if not fits(job):
            continue
        if now + requests.remaining[job] > shadow:
            # A job that does not find its cards elsewhere takes them out of what the reservation leaves over.
            others = free if center == ANYWHERE else np.where(np.arange(free.size) == center, 0, free)
            elsewhere = center != ANYWHERE and requests.open_to(job, others) >= requests.cards[job]
            contested = 0 if elsewhere else int(requests.cards[job])
            if contested > spare_cards or requests.power[job] > spare_power:
                continue
            taken = start(job, center)
            spare_cards -= requests.open_to(head, taken)
            spare_power -= float(requests.power[job])
        else:
            start(job)
    return np.array(started, np.int64)
