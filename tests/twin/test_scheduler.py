"""EASY backfill against a plain implementation, and its guarantees."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin import scheduler
from twin.job import Job
from twin.workload import Workload


def easy_by_the_book(now, queue, cards, estimate, running, free):
    """Mu'alem and Feitelson 2001, section 2.2, as a list program. `running` holds (end, cards)."""
    started, running, queue = [], list(running), list(queue)
    while queue and cards[queue[0]] <= free:
        job = queue.pop(0)
        started.append(job)
        free -= cards[job]
        running.append((now + estimate[job], cards[job]))
    if not queue:
        return started
    head = queue[0]
    available, shadow = free, np.inf
    for end, freed in sorted(running, key=lambda r: r[0]):
        available += freed
        if available >= cards[head]:
            shadow = max(end, now)
            break
    extra = available - cards[head]
    for job in queue[1:]:
        if cards[job] > free:
            continue
        if now + estimate[job] <= shadow:
            pass
        elif cards[job] <= extra:
            extra -= cards[job]
        else:
            continue
        started.append(job)
        free -= cards[job]
    return started


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_easy_matches_the_plain_program(data):
    total = data.draw(st.integers(4, 60))
    jobs = data.draw(st.integers(1, 25))
    cards = np.array(data.draw(st.lists(st.integers(1, total), min_size=jobs, max_size=jobs)), np.int64)
    estimate = np.array(data.draw(st.lists(st.integers(1, 50), min_size=jobs, max_size=jobs)), float)
    running, used = [], 0
    for end in data.draw(st.lists(st.integers(1, 60), max_size=6, unique=True)):
        size = data.draw(st.integers(1, total))
        if used + size <= total:
            running.append((float(end), size))
            used += size
    running.sort()
    room = len(running) + jobs
    run_end, run_cards, run_power = np.full(room, np.inf), np.zeros(room, np.int64), np.zeros(room)
    run_end[: len(running)] = [r[0] for r in running]
    run_cards[: len(running)] = [r[1] for r in running]
    started = np.empty(jobs, np.int64)
    count = scheduler.easy_backfill(
        0.0, np.arange(jobs), cards, np.zeros(jobs), estimate, run_end, run_cards, run_power, len(running),
        total - used, np.inf, 1000, started,
    )  # fmt: skip
    assert started[:count].tolist() == easy_by_the_book(
        0.0, range(jobs), cards, estimate, running, total - used
    )
    assert cards[started[:count]].sum() <= total - used


def test_backfill_does_not_delay_the_head_of_the_queue():
    """10 cards; the head needs 8 and may start at t = 100: a long job of 3 must wait, a short one not."""
    jobs = [
        Job("running", "batch", 6, duration=100.0),
        Job("head", "batch", 8, duration=50.0),
        Job("long", "batch", 3, duration=500.0),
        Job("short", "batch", 4, duration=90.0),
        Job("narrow", "batch", 2, duration=500.0),
    ]
    w = Workload(jobs, [10])
    w.schedule(0.0)
    assert w.state.tolist() == [1, 0, 0, 1, 0]
    w.advance(0.0, 100.0, np.ones(5))
    w.schedule(100.0)
    assert w.start_time[1] == 100.0
    assert w.state.tolist() == [2, 1, 0, 2, 1]  # the narrow one fits beside the head


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=8), st.integers(1, 60), st.integers(0, 3))
def test_placement_uses_free_cards_once_and_whole_modules_first(modules, need, taken):
    start = np.concatenate([[0], np.cumsum(modules)]).astype(np.int64)
    job_of_card = np.full(start[-1], -1, np.int32)
    job_of_card[:taken] = 7
    usable = np.ones(start[-1], bool)
    free = scheduler.count_free(start, usable, job_of_card)
    before = free.copy()
    cards = np.full(need, -1)
    missing = scheduler.place_gang(3, need, np.arange(len(modules)), start, free, usable, job_of_card, cards)
    placed = int((job_of_card == 3).sum())
    assert placed + missing == need
    assert (missing > 0) == (need > before.sum())
    assert (free == scheduler.count_free(start, usable, job_of_card)).all()
    assert (job_of_card[:taken] == 7).all()
    if (before >= need).any():
        assert (free != before).sum() == 1
    assert sorted(cards[:placed]) == np.flatnonzero(job_of_card == 3).tolist()
    scheduler.release_gang(cards[:placed], start, free, usable, job_of_card)
    assert (free == before).all()
    assert (job_of_card == 3).sum() == 0


def test_running_jobs_stay_sorted():
    end, cards, power = np.full(5, np.inf), np.zeros(5, np.int64), np.zeros(5)
    for k, value in enumerate([5.0, 2.0, 9.0, 2.0, 1.0]):
        scheduler._insert_running(end, cards, power, k, value, k + 1, 10.0 * k)
    assert end.tolist() == [1.0, 2.0, 2.0, 5.0, 9.0]
    assert cards.tolist() == [5, 2, 4, 1, 3]
    assert power == pytest.approx([40.0, 10.0, 30.0, 0.0, 20.0])
