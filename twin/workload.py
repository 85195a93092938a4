"""Jobs, their place on the cards and what they do over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin import pinned_scheduler, scheduler
from twin.activity import (
    ActivityTable,
)
from twin.job import Job
from twin.job_placement import JobPlacement

__all__ = ["Workload"]

Floats = NDArray[np.float64]
WAITING, RUNNING, DONE = 0, 1, 2


class Workload:
    """Jobs on the cards of the plant: queue, placement, activity and progress.

    Parameters
    ----------
    jobs : sequence of Job
        All jobs of the run; a job keeps its index.
    cards_per_module : array_like of int, shape (module,)
        Cards of each module.
    backfill_depth : int, optional
        How many queued jobs behind the head are considered for backfill.
    sub_center : array_like of int, shape (module,), optional
        Sub-center of each module, for jobs that must run in one; all in sub-center 0 if not given.

    Attributes
    ----------
    job_of_card : ndarray of int32, shape (card,)
        Index of the job on each card, -1 for none.
    state : ndarray of int8, shape (job,)
        0 waiting, 1 running, 2 done.
    progress : ndarray, shape (job,)
        Work done, in seconds at full pace [s].
    start_time, end_time : ndarray, shape (job,)
        When each job last started and when it ended, NaN before [s].
    interruptions : ndarray of int, shape (job,)
        How often each job lost its cards.
    lost_work : ndarray, shape (job,)
        Work that was done again or will be, in seconds at full pace [s].
    ready_time : ndarray, shape (job,)
        When a waiting job may start: its submission, or the end of its restart [s].
    usable : ndarray of bool, shape (card,)
        Cards that may be used, as last given to `schedule`.
    last_pass : float
        Time of the last pass over the queue [s].
    stale : bool
        Whether cards or jobs changed since then.

    Raises
    ------
    ValueError
        If a job needs more cards than there are.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        cards_per_module: ArrayLike,
        backfill_depth: int = 1000,
        sub_center: ArrayLike = 0,
    ) -> None:
        self.jobs = tuple(jobs)
        counts = np.atleast_1d(np.asarray(cards_per_module, dtype=np.int64))
        self.module_start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        total = int(self.module_start[-1])
        self.sub_center = np.broadcast_to(np.asarray(sub_center, dtype=np.int64), counts.shape)
        for job in self.jobs:
            here = total if job.sub_center is None else int(counts[self.sub_center == job.sub_center].sum())
            if job.cards > here:
                where = "the plant" if job.sub_center is None else f"sub-center {job.sub_center}"
                raise ValueError(f"job '{job.name}': needs {job.cards} cards, {where} has {here}")
        self.pinned = np.array([-1 if j.sub_center is None else j.sub_center for j in self.jobs], np.int64)
        self.backfill_depth = backfill_depth
        self.cards = np.array([j.cards for j in self.jobs], np.int64)
        self.power = np.array([j.cards * j.power_per_card for j in self.jobs], float)
        self.duration = np.array([j.duration for j in self.jobs], float)
        self.estimate = np.array([j.duration if j.estimate is None else j.estimate for j in self.jobs], float)
        self.submit_time = np.array([j.submit_time for j in self.jobs], float)
        self.data_rate = np.array([j.data_rate for j in self.jobs], float)
        self.restart_time = np.array([j.restart_time for j in self.jobs], float)
        self._order = np.argsort(self.submit_time, kind="stable")
        self._activity = ActivityTable([j.profile for j in self.jobs])
        self._serves = np.flatnonzero([j.service is not None for j in self.jobs])
        self._service = np.array([self.jobs[j].service for j in self._serves], np.int64)
        self._checkpoint = np.array(
            [getattr(j.profile, "checkpoint_interval", np.inf) for j in self.jobs], dtype=float
        )
        # Requests that are answered stay answered.
        self._checkpoint[[j.kind == "inference" for j in self.jobs]] = 0.0
        n = len(self.jobs)
        self.state = np.zeros(n, np.int8)
        self.progress = np.zeros(n)
        self.start_time = np.full(n, np.nan)
        self.end_time = np.full(n, np.nan)
        self.interruptions = np.zeros(n, np.int64)
        self.lost_work = np.zeros(n)
        self.ready_time = self.submit_time.copy()
        self.job_of_card = np.full(total, -1, np.int32)
        self.usable = np.ones(total, bool)
        self.stale = True
        self.last_pass = -np.inf
        self.recount()

    def recount(self) -> None:
        """Forget what is known of `job_of_card` and `usable` beside them; for those who set these arrays."""
        self._held: dict[int, NDArray[np.int32]] = {}
        self._open: NDArray[np.int64] | None = None

    @property
    def free(self) -> NDArray[np.int64]:
        """Free usable cards of each module, shape (module,)."""
        if self._open is None:
            self._open = scheduler.count_free(self.module_start, self.usable, self.job_of_card)
        return self._open

    @property
    def running(self) -> NDArray[np.bool_]:
        """Jobs that run, shape (job,)."""
        return self.state == RUNNING

    def schedule(
        self,
        time: float,
        usable: ArrayLike | None = None,
        power_budget: float = np.inf,
        preference: ArrayLike | None = None,
    ) -> bool:
        """Start the jobs that can start now.

        Parameters
        ----------
        time : float
            Time [s].
        usable : array_like of bool, shape (card,), optional
            Cards that may be used from now on; a running job with an unusable card is interrupted.
        power_budget : float, optional
            Power that the running jobs may add up to, by their `power_per_card` [W].
        preference : array_like, shape (module,), optional
            Modules with the lowest value are filled first: temperature for heat-aware placement, negative
            power headroom for power-aware placement. By index if not given.

        Returns
        -------
        bool
            Whether `job_of_card` changed.
        """
        changed = False
        if usable is not None:
            self.usable[:] = usable
            self._open = None
            hit = np.unique(self.job_of_card[~self.usable])
            hit = hit[hit >= 0]
            if hit.size:
                self.interrupt(hit, time)
                changed = True
            self.stale = True
        arrived = (self.ready_time > self.last_pass) & (self.ready_time <= time)
        if not (self.stale or arrived.any() or np.isfinite(power_budget)):
            return changed
        self.last_pass = time
        self.stale = False
        queue = self._order[(self.state[self._order] == WAITING) & (self.ready_time[self._order] <= time)]
        if queue.size == 0:
            return changed
        order = np.arange(self.module_start.size - 1)
        if preference is not None:
            order = np.argsort(np.asarray(preference, dtype=float), kind="stable")
        admit = self._admit if (self.pinned < 0).all() else self._admit_pinned
        started = admit(time, queue, self.free, order, power_budget)
        self.state[started] = RUNNING
        self.start_time[started] = time
        return changed or started.size > 0

    def _admit(
        self,
        time: float,
        queue: NDArray[np.int64],
        free: NDArray[np.int64],
        order: NDArray[np.int64],
        budget: float,
    ) -> NDArray[np.int64]:
        """Admit and place jobs that may run anywhere; return those that start."""
        running = np.flatnonzero(self.running)
        remaining = np.maximum(self.estimate - self.progress, 1.0)
        ends = time + remaining[running]
        by_end = np.argsort(ends, kind="stable")
        room = running.size + queue.size
        run_end, run_cards, run_power = np.full(room, np.inf), np.zeros(room, np.int64), np.zeros(room)
        run_end[: running.size] = ends[by_end]
        run_cards[: running.size] = self.cards[running][by_end]
        run_power[: running.size] = self.power[running][by_end]
        started = np.empty(queue.size, np.int64)
        count = scheduler.easy_backfill(
            time, queue, self.cards, self.power, remaining, run_end, run_cards, run_power, running.size,
            int(free.sum()), budget - float(self.power[running].sum()), self.backfill_depth, started,
        )  # fmt: skip
        for job in started[:count]:
            self._place(int(job), order, free)
        return started[:count]

    def _admit_pinned(
        self,
        time: float,
        queue: NDArray[np.int64],
        free: NDArray[np.int64],
        order: NDArray[np.int64],
        budget: float,
    ) -> NDArray[np.int64]:
        """Admit and place jobs of which some must run in one sub-center; return those that start."""
        centers = int(self.sub_center.max()) + 1

        def place(job: int, spared: int) -> NDArray[np.int64]:
            here = order if self.pinned[job] < 0 else order[self.sub_center[order] == self.pinned[job]]
            elsewhere = here[self.sub_center[here] != spared]
            if free[elsewhere].sum() >= self.cards[job]:
                here = elsewhere
            before = free.copy()
            self._place(job, here, free)
            return per_center(before - free)

        def per_center(of_module: NDArray[np.int64]) -> NDArray[np.int64]:
            return np.bincount(self.sub_center, of_module, centers).astype(np.int64)

        held = JobPlacement.of(self.job_of_card, self.module_start, len(self.jobs))
        # What never ends frees nothing to wait for.
        remaining = np.maximum(self.estimate - self.progress, 1.0)
        running = np.flatnonzero(self.running & np.isfinite(remaining))
        holds = np.zeros((len(self.jobs), centers), np.int64)
        np.add.at(holds, (held.job, self.sub_center[held.module]), held.cards)
        return pinned_scheduler.backfill_pinned(
            time,
            queue,
            pinned_scheduler.Requests(self.cards, self.power, remaining, self.pinned),
            [pinned_scheduler.Holding(time + remaining[j], holds[j], self.power[j]) for j in running],
            per_center(free),
            budget - float(self.power[self.running].sum()),
            self.backfill_depth,
            place,
        )

    def _place(self, job: int, order: NDArray[np.int64], free: NDArray[np.int64]) -> None:
        placed = np.empty(int(self.cards[job]), np.int64)
        missing = scheduler.place_gang(
            job, int(self.cards[job]), order, self.module_start, free, self.usable, self.job_of_card, placed
        )
        if missing:
            raise RuntimeError(f"job '{self.jobs[job].name}': {missing} cards missing after admission")
        self._held[job] = placed.astype(np.int32)

    def set_usable(self, cards: ArrayLike, usable: bool) -> None:
        """Give cards back to the scheduler or take them away from it, without a look at the jobs on them.

        Parameters
        ----------
        cards : array_like of int
            Cards.
        usable : bool
            Whether they may be used from now on.
        """
        index = np.unique(np.asarray(cards, dtype=np.int64))
        changed = index[self.usable[index] != usable]
        idle = changed[self.job_of_card[changed] < 0]
        module = np.searchsorted(self.module_start, idle, side="right") - 1
        np.add.at(self.free, module, 1 if usable else -1)
        self.usable[index] = usable
        self.stale = self.stale or index.size > 0

    def activity(self, time: float, duration: float) -> Floats:
        """Mean activity of every job over an interval, 0 for jobs that do not run.

        Replicas that run take over the demand of those of their service that do not, as far as they can.

        Parameters
        ----------
        time, duration : float
            Start and length of the interval [s].

        Returns
        -------
        ndarray, shape (job,)
            Mean activity [1].
        """
        started = np.where(np.isnan(self.start_time), time, self.start_time)
        wanted = self._activity.mean(time, duration, started)
        activity = np.where(self.running, wanted, 0.0)
        if self._serves.size:
            at = self._serves
            cards, up = self.cards[at], self.running[at]
            asked = wanted[at] * ((self.state[at] != DONE) & (self.submit_time[at] <= time))
            demand, serving = (np.bincount(self._service, cards * a) for a in (asked, activity[at]))
            more = np.divide(demand, serving, out=np.ones_like(demand), where=serving > 0.0)
            activity[at] = np.where(up, np.minimum(activity[at] * more[self._service], 1.0), 0.0)
        return activity

    def advance(self, time: float, duration: float, pace: ArrayLike) -> NDArray[np.int64]:
        """Book the work of an interval.

        Parameters
        ----------
        time, duration : float
            Start and length of the interval [s].
        pace : array_like, shape (job,)
            Clock ratio of each job's slowest card [1].

        Returns
        -------
        ndarray of int
            Jobs that ended; their cards are free again. `end_time` is interpolated within the interval.
        """
        rate = np.where(self.running, np.asarray(pace, dtype=float), 0.0)
        before = self.progress
        self.progress = np.minimum(before + rate * duration, self.duration)
        ended = np.flatnonzero(self.running & (self.progress >= self.duration))
        if ended.size:
            self.end_time[ended] = time + (self.duration[ended] - before[ended]) / rate[ended]
            self.state[ended] = DONE
            self._free(ended)
        return ended

    def interrupt(self, jobs: ArrayLike, time: float) -> None:
        """Take jobs off their cards; they go back to their last checkpoint and, after their restart, to the queue.

        Parameters
        ----------
        jobs : array_like of int
            Indices of running jobs.
        time : float
            Now [s].
        """
        index = np.asarray(jobs, dtype=np.int64)
        interval, done = self._checkpoint[index], self.progress[index]
        with np.errstate(invalid="ignore", divide="ignore"):
            kept = np.floor(done / interval) * interval
        # Without checkpoints all is lost; an interval of zero keeps everything.
        kept = np.where(interval > 0.0, np.where(np.isfinite(interval), kept, 0.0), done)
        self.ready_time[index] = time + self.restart_time[index]
        self.lost_work[index] += self.progress[index] - kept
        self.progress[index] = kept
        self.interruptions[index] += 1
        self.state[index] = WAITING
        self._free(index)

    def _free(self, jobs: NDArray[np.int64]) -> None:
        free = self.free
        for job in jobs.tolist():
            held = self._held.pop(job, None)
            if held is None:  # placed before a restart
                held = np.flatnonzero(self.job_of_card == job).astype(np.int32)
            scheduler.release_gang(held, self.module_start, free, self.usable, self.job_of_card)
        self.stale = True
