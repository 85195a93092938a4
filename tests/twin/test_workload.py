"""Activity profiles, jobs, queue, progress and interruptions."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.activity import ActivityTable, BatchActivity, InferenceActivity, TraceActivity, TrainingActivity
from twin.card_events import jobs_of
from twin.job import Job, replicas
from twin.scheduler import count_free
from twin.workload import Workload

PROFILES = [
    TrainingActivity(iteration_time=7.0, checkpoint_interval=300.0, checkpoint_duration=40.0),
    InferenceActivity(),
    BatchActivity(0.6),
    TraceActivity(np.array([0.0, 50.0, 80.0, 200.0]), np.array([0.1, 0.9, 0.4])),
]


def instant(profile, time, started):
    """Activity at an instant, written from the definition of each profile."""
    if isinstance(profile, TrainingActivity):
        phase = (time - started) % profile.checkpoint_interval
        rounds = (time - started) // profile.checkpoint_interval
        working = profile.checkpoint_interval - profile.checkpoint_duration
        if phase >= working:
            return profile.checkpoint_activity
        inside = (rounds * working + phase) % profile.iteration_time
        computing = profile.iteration_time * (1.0 - profile.communication_fraction)
        return profile.compute_activity if inside < computing else profile.communication_activity
    if isinstance(profile, InferenceActivity):
        angle = 2.0 * np.pi * (time - profile.peak_time) / 86400.0
        return profile.mean_activity * (
            1.0 + profile.daily_amplitude * np.cos(angle) + profile.half_daily_amplitude * np.cos(2.0 * angle)
        )
    if isinstance(profile, BatchActivity):
        return profile.level
    at = profile.times[0] + (time - profile.times[0]) % (profile.times[-1] - profile.times[0])
    return profile.values[np.searchsorted(profile.times, at, side="right") - 1]


@settings(max_examples=25, deadline=None)
@given(st.floats(0.0, 5000.0), st.floats(1.0, 600.0), st.floats(0.0, 100.0))
def test_mean_activity_is_the_integral_of_the_instant_values(time, duration, started):
    """Against a sum over 20 000 midpoints of the definitions."""
    table = ActivityTable(PROFILES)
    means = table.mean(time, duration, np.full(4, min(started, time)))
    points = time + (np.arange(20_000) + 0.5) / 20_000 * duration
    for k, profile in enumerate(PROFILES):
        expected = np.mean([instant(profile, t, min(started, time)) for t in points[:: 1 if k == 0 else 5]])
        assert means[k] == pytest.approx(expected, abs=2e-3)


def test_daily_mean_of_inference_is_its_mean():
    assert ActivityTable([InferenceActivity(0.5)]).mean(1234.0, 86400.0, [0.0])[0] == pytest.approx(0.5)


def test_demand_of_opposite_regions_cancels():
    """Two equal regions twelve hours apart: the first harmonics cancel."""
    flat = InferenceActivity.from_regions(0.5, [(0.0, 1.0), (np.pi, 1.0)])
    assert flat.daily_amplitude == pytest.approx(0.0, abs=1e-12)
    one = InferenceActivity.from_regions(0.5, [(np.pi / 2.0, 1.0)], amplitude=0.6, local_peak=14.0)
    assert one.daily_amplitude == pytest.approx(0.6)
    assert one.peak_time == pytest.approx(8.0 * 3600.0)  # 14 h local at 90 degrees east is 8 h UTC


def test_trace_without_repeat_holds_its_ends():
    trace = TraceActivity(np.array([10.0, 20.0]), np.array([0.5]), repeat=False)
    assert float(trace.integral(40.0) - trace.integral(0.0)) == pytest.approx(0.5 * 40.0)


def run(workload, until, step=10.0, pace=1.0):
    time = 0.0
    while time < until:
        workload.schedule(time)
        workload.advance(time, step, np.full(len(workload.jobs), pace))
        time += step
    return workload


def test_jobs_run_in_order_and_end_when_their_work_is_done():
    jobs = [
        Job("a", "batch", 6, duration=95.0),
        Job("b", "batch", 6, duration=50.0),
        Job("s", "inference", 2),
    ]
    w = run(Workload(jobs, [4, 4]), 300.0)
    assert w.end_time[0] == pytest.approx(95.0)
    assert w.start_time[1] == pytest.approx(100.0)
    assert w.end_time[1] == pytest.approx(150.0)
    assert w.state.tolist() == [2, 2, 1]
    assert (w.job_of_card >= 0).sum() == 2


def test_half_the_pace_takes_twice_the_time():
    w = run(Workload([Job("a", "batch", 4, duration=95.0)], [4]), 300.0, pace=0.5)
    assert w.end_time[0] == pytest.approx(190.0)


def test_activity_is_zero_unless_running():
    w = Workload(
        [Job("a", "batch", 4, duration=50.0, activity=BatchActivity(0.7)), Job("b", "batch", 4)], [4]
    )
    assert w.activity(0.0, 10.0).tolist() == [0.0, 0.0]
    w.schedule(0.0)
    assert w.activity(0.0, 10.0) == pytest.approx([0.7, 0.0])


def test_failed_cards_send_a_job_back_to_its_checkpoint():
    job = Job("t", "training", 4, duration=1000.0, activity=TrainingActivity(checkpoint_interval=100.0))
    w = Workload([job], [4, 4])
    w.schedule(0.0)
    w.advance(0.0, 250.0, [1.0])
    usable = np.ones(8, bool)
    usable[1] = False
    assert w.schedule(250.0, usable)
    assert w.progress[0] == pytest.approx(200.0)
    assert w.lost_work[0] == pytest.approx(50.0)
    assert w.interruptions[0] == 1
    assert w.state[0] == 1  # restarted on the healthy module
    assert (w.job_of_card == 0).sum() == 4
    assert w.job_of_card[1] == -1


def test_heat_aware_placement_takes_the_coolest_module():
    w = Workload([Job("a", "batch", 3, duration=10.0)], [4, 4, 4])
    w.schedule(0.0, preference=[330.0, 310.0, 320.0])
    assert np.flatnonzero(w.job_of_card == 0).tolist() == [4, 5, 6]


def test_power_budget_delays_jobs():
    jobs = [Job(n, "batch", 2, duration=50.0, power_per_card=500.0) for n in "abc"]
    w = Workload(jobs, [8])
    w.schedule(0.0, power_budget=2100.0)
    assert w.state.tolist() == [1, 1, 0]
    w.advance(0.0, 50.0, np.ones(3))
    w.schedule(50.0, power_budget=2100.0)
    assert w.state.tolist() == [2, 2, 1]


def test_gigantic_job_is_an_error():
    with pytest.raises(ValueError, match="needs 9 cards, the plant has 8"):
        Workload([Job("a", "batch", 9)], [4, 4])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Job("a", "mining", 1), "expected training, inference or batch"),
        (lambda: Job("a", "batch", 0), "expected at least 1"),
        (lambda: Job("a", "batch", 1, duration=-1.0), "duration > 0"),
        (lambda: BatchActivity(1.2), "level is 1.2"),
        (lambda: TrainingActivity(checkpoint_duration=4000.0), "interval > duration"),
        (lambda: InferenceActivity(0.9), "leaves"),
        (lambda: TraceActivity(np.array([0.0, 0.0]), np.array([0.1])), "does not follow"),
        (lambda: TraceActivity(np.array([0.0, 1.0]), np.array([np.nan])), "value nan at index 0"),
    ],
)
def test_bad_input_says_what_was_expected(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def served(cards, replica, **kwargs):
    """A service and the cards of its replicas."""
    whole = Job("service", "inference", cards, activity=InferenceActivity(0.5, 0.0, 0.0), **kwargs)
    return replicas(whole, replica, 0)


def test_replicas_cover_the_service():
    sizes = [job.cards for job in served(20, 8)]
    assert sizes == [8, 8, 4]
    assert {job.name for job in served(20, 8)} == {"service"}


def test_losing_a_card_loses_a_replica():
    """The others serve on and take over its load; once it is back, all share again."""
    workload = Workload([*served(32, 8, restart_time=30.0), Job("batch", "batch", 8)], [48])
    workload.schedule(0.0)
    np.testing.assert_allclose(workload.activity(0.0, 1.0), [0.5, 0.5, 0.5, 0.5, 0.8])
    workload.set_usable([3], False)
    workload.interrupt(jobs_of(workload.job_of_card, [3]), 10.0)
    assert workload.state.tolist() == [0, 1, 1, 1, 1]
    np.testing.assert_allclose(workload.activity(10.0, 1.0), [0.0, 2 / 3, 2 / 3, 2 / 3, 0.8])
    assert not workload.schedule(20.0)
    assert workload.schedule(40.0)
    assert workload.running.all()
    np.testing.assert_allclose(workload.activity(40.0, 1.0)[:4], 0.5)
    # the failed card is left out, and its seven neighbours are not: eight of the nine free ones serve
    assert workload.job_of_card[3] == -1
    assert workload.lost_work.sum() == 0.0


def test_demand_beyond_what_is_left_is_not_served():
    """Cards do no more than full work: with a quarter of the replicas, half the demand waits."""
    workload = Workload(served(32, 8), [32])
    workload.schedule(0.0)
    workload.set_usable(np.arange(24), False)
    workload.interrupt([0, 1, 2], 0.0)
    np.testing.assert_allclose(workload.activity(1.0, 1.0), [0.0, 0.0, 0.0, 1.0])


@given(
    st.lists(
        st.tuples(st.sampled_from(["interrupt", "fail", "repair", "pass", "restart"]), st.integers(0, 39))
    )
)
@settings(max_examples=60, deadline=None)
def test_free_cards_are_counted_as_they_come_and_go(events):
    """The running count equals a count of all cards after any history, and gangs stay whole."""
    jobs = [Job(f"job-{i}", "batch", 1 + 3 * i, sub_center=None) for i in range(5)]
    workload = Workload(jobs, [10, 10, 20])
    for time, (event, card) in enumerate(events):
        if event == "pass":
            workload.schedule(float(time))
        elif event == "restart":
            workload.recount()
        elif event == "interrupt":
            workload.interrupt(jobs_of(workload.job_of_card, [card]), float(time))
        else:
            workload.set_usable([card, card], event == "repair")
            if event == "fail":
                workload.interrupt(jobs_of(workload.job_of_card, [card]), float(time))
        counted = count_free(workload.module_start, workload.usable, workload.job_of_card)
        np.testing.assert_array_equal(workload.free, counted)
        held = np.bincount(workload.job_of_card[workload.job_of_card >= 0], minlength=5)
        np.testing.assert_array_equal(held, np.where(workload.running, workload.cards, 0))


def test_an_interrupt_of_a_small_job_costs_no_scan():
    """A replica of a service on two million cards leaves them in less time than one look at all cards takes."""
    workload = Workload([Job("large", "training", 2_000_000), *served(64, 8)], np.full(2048, 1024))
    workload.schedule(0.0)
    workload.interrupt([1], 0.0)  # compiled

    def timed(call):
        start = perf_counter()
        call()
        return perf_counter() - start

    interrupt = min(timed(lambda job=job: workload.interrupt([job], 1.0)) for job in range(2, 8))
    scan = min(timed(lambda: np.flatnonzero(workload.job_of_card == 1)) for _ in range(3))
    assert interrupt < scan
