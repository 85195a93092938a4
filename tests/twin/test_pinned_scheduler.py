"""Backfill with jobs that must run in one sub-center: the same as without where nothing is pinned, and its rules."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.job import Job
from twin.workload import Workload

CENTERS = [0, 0, 1, 1]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_without_pins_it_is_the_compiled_scheduler(data):
    """The list program and the compiled one admit the same jobs to one sub-center, whatever the sequence."""
    jobs = [
        Job(
            f"j{i}",
            "batch",
            data.draw(st.integers(1, 8)),
            duration=float(data.draw(st.integers(1, 20))) * 10.0,
            submit_time=float(data.draw(st.integers(0, 10))) * 10.0,
            power_per_card=100.0,
        )
        for i in range(data.draw(st.integers(1, 10)))
    ]
    budget = data.draw(st.sampled_from([np.inf, 900.0]))
    pinned = [Job(**{**vars(job), "sub_center": 0}) for job in jobs]
    plain, listed = Workload(jobs, [4, 4]), Workload(pinned, [4, 4])
    for time in np.arange(0.0, 600.0, 10.0):
        for work in (plain, listed):
            work.schedule(time, power_budget=budget)
            work.advance(time, 10.0, np.ones(len(jobs)))
    np.testing.assert_array_equal(plain.start_time, listed.start_time)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_pinned_jobs_stay_in_their_sub_center(data):
    centers = st.sampled_from([None, 0, 1])
    jobs = [
        Job(f"j{i}", "batch", data.draw(st.integers(1, 6)), duration=50.0, sub_center=data.draw(centers))
        for i in range(data.draw(st.integers(1, 8)))
    ]
    work = Workload(jobs, [3, 3, 3, 3], sub_center=CENTERS)
    where = np.repeat(CENTERS, 3)
    for time in np.arange(0.0, 900.0, 10.0):
        work.schedule(time)
        for number, job in enumerate(jobs):
            held = np.flatnonzero(work.job_of_card == number)
            assert held.size in (0, job.cards)
            if job.sub_center is not None:
                assert (where[held] == job.sub_center).all()
        work.advance(time, 10.0, np.ones(len(jobs)))
    assert (work.state == 2).all(), "every job gets its turn"


def test_a_reservation_holds_only_cards_of_its_sub_center():
    """The head waits for sub-center 0 until t = 100: a long job may take sub-center 1, but nothing in 0."""
    jobs = [
        Job("running", "batch", 4, duration=100.0, sub_center=0),
        Job("head", "batch", 6, duration=50.0, submit_time=1.0, sub_center=0),
        Job("elsewhere", "batch", 6, duration=1000.0, submit_time=2.0),
        Job("in the way", "batch", 2, duration=1000.0, submit_time=3.0, sub_center=0),
    ]
    work = Workload(jobs, [3, 3, 3, 3], sub_center=CENTERS)
    for time in np.arange(0.0, 200.0, 10.0):
        work.schedule(time)
        work.advance(time, 10.0, np.ones(4))
    np.testing.assert_array_equal(work.start_time, [0.0, 100.0, 10.0, 150.0])


def test_more_cards_than_its_sub_center_has():
    with pytest.raises(ValueError, match="needs 7 cards, sub-center 1 has 6"):
        Workload([Job("a", "batch", 7, sub_center=1)], [3, 3, 3, 3], sub_center=CENTERS)
