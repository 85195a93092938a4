"""Which card fails or is interrupted when: drawn once, card by card, from counters.

Every card has its own stream of random numbers, addressed by (seed, kind of event, card, how often before).
The times of its events follow from inverting the cumulative hazard, so that they are the same for any step,
any number of threads and any end of the run; a resumed run needs no state.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.counter_exponentials import exponential_thresholds
from twin.failures import ReliabilityParameters, SingleEventRates, conditional_hazard, time_of_hazard

__all__ = ["KINDS", "CardEvents", "EventCalendar", "event_calendar", "jobs_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KINDS = (
    "failed",
    "replaced",
    "uncorrectable_memory_error",
    "functional_interrupt",
    "other_interrupt",
    "silent_error",
)
"""Names of the kinds of event, by code."""

FAILED, REPLACED, MEMORY, FUNCTIONAL, OTHER, SILENT = range(6)
_STREAM = 0x5EED_0100  # apart from the streams of manufacturing spread, which are small numbers
_CHUNK = 1 << 20


@dataclass(frozen=True, eq=False)
class CardEvents:
    """Events of an interval, in order of time.

    Attributes
    ----------
    time : ndarray, shape (n,)
        When [s].
    card : ndarray of int, shape (n,)
        Which card.
    kind : ndarray of int8, shape (n,)
        Code into `KINDS`.
    """

    time: Floats
    card: Ints
    kind: NDArray[np.int8]

    def __len__(self) -> int:
        return int(self.time.size)

    @property
    def failed(self) -> Ints:
        """Cards that are failed at the end of the interval and were not at its start."""
        return self._final(FAILED)

    @property
    def replaced(self) -> Ints:
        """Cards whose slot holds a working spare at the end of the interval after a failure."""
        return self._final(REPLACED)

    @property
    def stopped(self) -> Ints:
        """Cards on which running work was lost: failed or interrupted, each once."""
        return np.unique(self.card[(self.kind != REPLACED) & (self.kind != SILENT)])

    def count(self, kind: str) -> int:
        """How many events of a kind."""
        if kind not in KINDS:
            raise ValueError(f"kind of event is {kind!r}; expected one of {', '.join(KINDS)}")
        return int(np.count_nonzero(self.kind == KINDS.index(kind)))

    def _final(self, kind: int) -> Ints:
        at = np.flatnonzero(self.kind <= REPLACED)
        # The first occurrence in reversed time is the last word on a card.
        cards, last = np.unique(self.card[at][::-1], return_index=True)
        return np.asarray(cards[self.kind[at][::-1][last] == kind])


@dataclass(frozen=True, eq=False)
class EventCalendar:
    """All events of a run.

    Attributes
    ----------
    events : CardEvents
        In order of time.
    cards : int
        Cards of the plant.
    spares_left : ndarray of int, shape (module,)
        Spares at `stop`.
    stop : float
        End of the calendar [s].
    """

    events: CardEvents
    cards: int
    spares_left: Ints
    stop: float

    def draw_events(self, time: float, dt: float) -> CardEvents:
        """Events in ``[time, time + dt)``.

        Parameters
        ----------
        time, dt : float
            Start and length of the interval [s].

        Returns
        -------
        CardEvents
            Views into the calendar.

        Raises
        ------
        ValueError
            If the interval reaches beyond the calendar.
        """
        if not (dt >= 0.0 and time + dt <= self.stop * (1.0 + 1e-12) + 1e-6):
            raise ValueError(
                f"events from {time} s over {dt} s: the calendar ends at {self.stop} s; build a longer one"
            )
        first, last = np.searchsorted(self.events.time, (time, time + dt), side="left")
        at = slice(int(first), int(last))
        return CardEvents(self.events.time[at], self.events.card[at], self.events.kind[at])

    def failed_at(self, time: float) -> NDArray[np.bool_]:
        """Cards that are failed at `time` [s], shape (card,)."""
        out = np.zeros(self.cards, bool)
        past = self.draw_events(0.0, time)
        out[past.failed] = True
        return out


def event_calendar(
    parameters: ReliabilityParameters,
    single_events: SingleEventRates,
    cards_per_module: ArrayLike,
    age: ArrayLike,
    dose_rate: ArrayLike,
    stop: float,
    seed: int = 0,
) -> EventCalendar:
    """Draw all events of a run.

    Parameters
    ----------
    parameters : ReliabilityParameters
        Kind of card, spares and time to replace.
    single_events : SingleEventRates
        Upset rates per card, scalars or (module,) [1/s].
    cards_per_module : array_like of int, shape (module,)
        Cards of each module.
    age : array_like
        Age of the cards at the start, scalar or (module,) [s]; all cards work then.
    dose_rate : array_like
        Behind the shielding, scalar or (module,) [Gy/s].
    stop : float
        End of the run, from time 0 [s].
    seed : int, optional
        Seed.

    Returns
    -------
    EventCalendar
        Events, the same for any `stop` as far as they go.
    """
    counts = np.atleast_1d(np.asarray(cards_per_module, dtype=np.int64))
    if (counts < 0).any() or not stop >= 0.0:
        raise ValueError(f"event calendar: expected counts >= 0 and stop >= 0, got stop {stop} s")
    start = np.concatenate([[0], np.cumsum(counts)])
    old, dose = (np.broadcast_to(np.asarray(v, dtype=float), counts.shape) for v in (age, dose_rate))
    spares = parameters.spares(counts)
    time, card, turn = _failure_chains(parameters, start, spares, old, dose, stop, seed)
    module = np.searchsorted(start, card, side="right") - 1
    order = np.lexsort((turn, card, time))
    time, card, turn, module = time[order], card[order], turn[order], module[order]
    real, replaced, spares_left = _use_spares(card, turn, module, spares, start[-1])
    time, card, replaced = time[real], card[real], replaced[real]
    back = np.where(replaced, time + parameters.replacement_time, np.inf)
    pieces = [(time, card, FAILED), (back[back < stop], card[back < stop], REPLACED)]
    rates = (
        (MEMORY, single_events.uncorrectable_memory_errors),
        (FUNCTIONAL, single_events.functional_interrupts),
        (OTHER, parameters.other_interrupt_rate),
        (SILENT, single_events.silent_errors),
    )
    for kind, rate in rates:
        per_module = np.broadcast_to(np.asarray(rate, dtype=float), counts.shape)
        when, who = _arrivals(per_module, start, stop, seed, _STREAM + kind)
        up = ~_is_down(when, who, time, card, back)
        pieces.append((when[up], who[up], kind))
    when = np.concatenate([p[0] for p in pieces])
    who = np.concatenate([p[1] for p in pieces]).astype(np.int64)
    what = np.concatenate([np.full(p[0].size, p[2], np.int8) for p in pieces])
    order = np.lexsort((what, who, when))
    return EventCalendar(
        CardEvents(when[order], who[order], what[order]), int(start[-1]), spares_left, float(stop)
    )


def jobs_of(job_of_card: ArrayLike, cards: ArrayLike) -> Ints:
    """Jobs that run on cards, each once.

    Parameters
    ----------
    job_of_card : array_like of int, shape (card,)
        Job of every card, -1 for none.
    cards : array_like of int
        Cards.
    """
    jobs = np.unique(np.asarray(job_of_card)[np.asarray(cards, dtype=np.int64)])
    return np.asarray(jobs[jobs >= 0], dtype=np.int64)


def _first_hits(limit: Floats, start: Ints, seed: int, stream: int) -> tuple[Ints, Ints, Floats]:
    """Return (card, module, threshold) of the cards whose first threshold is below their module's limit."""
    cards, modules, thresholds = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
    for first in range(0, int(start[-1]), _CHUNK):
        card = np.arange(first, min(first + _CHUNK, int(start[-1])), dtype=np.int64)
        drawn = exponential_thresholds(seed, stream, card, np.zeros_like(card))
        # Against the largest limit first: modules are looked up for the few that may be hit.
        near = np.flatnonzero(drawn < limit.max(initial=0.0))
        module = np.searchsorted(start, card[near], side="right") - 1
        hit = drawn[near] < limit[module]
        cards.append(card[near[hit]])
        modules.append(module[hit])
        thresholds.append(drawn[near[hit]])
    return np.concatenate(cards), np.concatenate(modules), np.concatenate(thresholds)


def _failure_chains(
    parameters: ReliabilityParameters,
    start: Ints,
    spares: Ints,
    age: Floats,
    dose_rate: Floats,
    stop: float,
    seed: int,
) -> tuple[Floats, Ints, Ints]:
    """Failures (time, card, turn) of every slot if it had all spares of its module to itself."""
    stream = _STREAM + FAILED
    limit = conditional_hazard(parameters, stop, age, age * dose_rate, dose_rate)
    card, module, threshold = _first_hits(limit, start, seed, stream)
    old, rate, most = age[module], dose_rate[module], spares[module]
    begun, service = np.zeros(card.size), old.copy()
    times, cards, turns = [np.empty(0)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    turn = 0
    while card.size:
        # A spare starts at age zero, with the dose of the time it has spent in the dark.
        dose = (old + begun) * rate
        lasted = time_of_hazard(parameters, threshold, stop, service, dose, rate)
        failed = begun + lasted
        within = failed < stop
        times.append(failed[within])
        cards.append(card[within])
        turns.append(np.full(times[-1].size, turn, np.int64))
        turn += 1
        on = within & (most >= turn)
        card, old, rate, most, failed = card[on], old[on], rate[on], most[on], failed[on]
        begun, service = failed + parameters.replacement_time, np.zeros(card.size)
        threshold = exponential_thresholds(seed, stream, card, np.full(card.size, turn, np.int64))
    return np.concatenate(times), np.concatenate(cards), np.concatenate(turns)


@nb.njit(cache=True)
def _use_spares(
    card: Ints, turn: Ints, module: Ints, spares: Ints, cards: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Ints]:
    """Give spares out in order of time; a failure is real if all earlier ones of its slot were replaced."""
    real, replaced = np.zeros(card.size, np.bool_), np.zeros(card.size, np.bool_)
    left = spares.copy()
    alive = np.zeros(cards, np.int64)  # how many spares a slot has used
    for i in range(card.size):
        if turn[i] != alive[card[i]]:
            continue
        real[i] = True
        if left[module[i]] > 0:
            left[module[i]] -= 1
            alive[card[i]] += 1
            replaced[i] = True
    return real, replaced, left


def _arrivals(rate: Floats, start: Ints, stop: float, seed: int, stream: int) -> tuple[Floats, Ints]:
    """Poisson arrivals (time, card) at constant rates per module."""
    card, module, total = _first_hits(rate * stop, start, seed, stream)
    times, cards, turn = [np.empty(0)], [np.empty(0, np.int64)], 0
    while card.size:
        times.append(total / rate[module])
        cards.append(card)
        turn += 1
        total = total + exponential_thresholds(seed, stream, card, np.full(card.size, turn, np.int64))
        within = total < rate[module] * stop
        card, module, total = card[within], module[within], total[within]
    return np.concatenate(times), np.concatenate(cards)


def _is_down(time: Floats, card: Ints, failed: Floats, failed_card: Ints, back: Floats) -> NDArray[np.bool_]:
    """Whether cards are out of service at given times."""
    if failed.size == 0 or time.size == 0:
        return np.zeros(time.size, bool)
    # One sorted sequence of (card, time): failures before queries at the same instant.
    every_card, every_time = np.concatenate([failed_card, card]), np.concatenate([failed, time])
    query = np.arange(every_card.size) >= failed.size
    order = np.lexsort((query, every_time, every_card))
    last = np.maximum.accumulate(np.where(query[order], -1, np.arange(order.size)))
    before = np.full(every_card.size, -1)
    before[order] = np.where(last >= 0, order[np.maximum(last, 0)], -1)
    before = before[failed.size :]
    known = (before >= 0) & (failed_card[before] == card)
    return np.asarray(known & (time < back[before]))
