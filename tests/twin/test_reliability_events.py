"""Events of a run: statistics, reproducibility, spares, and driving the fleet and the workload."""

import dataclasses
from itertools import pairwise

import numba
import numpy as np
import pytest
from scipy import stats

from twin.card_events import KINDS, CardEvents, EventCalendar, event_calendar, jobs_of
from twin.compute import CARDS, CardFleet
from twin.counter_exponentials import exponential_thresholds
from twin.failures import (
    HazardParameters,
    ReliabilityParameters,
    SingleEventRates,
    capacity_fraction,
    survival,
)
from twin.job import Job
from twin.radiation_dose import RADIATION_RESISTANT_CHIP, YEAR
from twin.reliability import module_environment, plant_calendar
from twin.workload import Workload

DAY = 86_400.0
QUIET = SingleEventRates(np.zeros(()), np.zeros(()), np.zeros(()))
EXPONENTIAL = ReliabilityParameters(
    hazard=HazardParameters(2.0 / YEAR, 0.0, wear_out_scale=1e6 * YEAR),
    tolerance=RADIATION_RESISTANT_CHIP,
    other_interrupt_rate=0.0,
    spare_fraction=0.0,
)


def calendar(parameters=None, cards=(512,) * 8, stop=2.0 * YEAR, seed=3, age=0.0) -> EventCalendar:
    parameters = ReliabilityParameters() if parameters is None else parameters
    return plant_calendar(parameters, module_environment(parameters, 750e3, 5e-3), cards, age, stop, seed)


def same(a: CardEvents, b: CardEvents) -> bool:
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in ("time", "card", "kind"))


def test_thresholds_are_standard_exponentials():
    """Kolmogorov-Smirnov against the exponential distribution, over members and over turns."""
    members = np.arange(50_000)
    drawn = exponential_thresholds(1, 2, members, np.zeros_like(members))
    assert stats.kstest(drawn, "expon").pvalue > 1e-3
    turns = exponential_thresholds(1, 2, np.full(50_000, 7), members)
    assert stats.kstest(turns, "expon").pvalue > 1e-3
    assert abs(np.corrcoef(drawn, turns)[0, 1]) < 0.02
    np.testing.assert_array_equal(
        drawn[100:200], exponential_thresholds(1, 2, members[100:200], np.zeros(100, int))
    )


def test_first_failures_follow_the_survival_function():
    """Failing times of 20 000 cards against the closed-form survival (Kolmogorov-Smirnov), bathtub, dose and age."""
    parameters = dataclasses.replace(ReliabilityParameters(), spare_fraction=0.0)
    age, dose_rate = 0.5 * YEAR, 6.3 / YEAR
    found = event_calendar(parameters, QUIET, [20_000], age, dose_rate, 40.0 * YEAR, 11)
    failed = found.events.time[found.events.kind == 0]
    assert failed.size == 20_000  # all worn out by then

    def distribution(time):
        return 1.0 - survival(parameters, age + time, dose_rate) / survival(parameters, age, dose_rate)

    assert stats.kstest(failed, distribution).pvalue > 1e-3


def test_interrupts_are_poisson():
    """Counts per card have the mean and variance of a Poisson process; arrival times are uniform."""
    parameters = dataclasses.replace(
        EXPONENTIAL, hazard=HazardParameters(0.0, 0.0, wear_out_scale=1e9 * YEAR)
    )
    rates = SingleEventRates(np.array(0.0), np.array(5.0 / YEAR), np.array(0.0))
    found = event_calendar(parameters, rates, [4000], 0.0, 0.0, YEAR, 4)
    assert found.events.count("uncorrectable_memory_error") == len(found.events)
    per_card = np.bincount(found.events.card, minlength=4000)
    assert per_card.mean() == pytest.approx(5.0, rel=0.03)
    assert per_card.var() == pytest.approx(5.0, rel=0.08)
    assert stats.kstest(found.events.time / YEAR, "uniform").pvalue > 1e-3


def test_same_events_for_any_threads_step_and_length_of_run():
    whole = calendar(stop=YEAR)
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        assert same(whole.events, calendar(stop=YEAR).events)
    finally:
        numba.set_num_threads(threads)
    half = calendar(stop=0.5 * YEAR)
    assert same(half.events, whole.draw_events(0.0, 0.5 * YEAR))
    for steps in (7, 400):
        edges = np.linspace(0.0, YEAR, steps + 1)
        pieces = [whole.draw_events(a, b - a) for a, b in pairwise(edges)]
        assert sum(map(len, pieces)) == len(whole.events)
        assert np.concatenate([p.card for p in pieces]).tolist() == whole.events.card.tolist()
    assert not same(whole.events, calendar(stop=YEAR, seed=4).events)
    with pytest.raises(ValueError, match="calendar ends"):
        whole.draw_events(YEAR, 10.0)


def test_another_module_changes_nothing():
    """Cards are addressed by index: modules added behind leave the events of the others alone."""
    few, more = calendar(cards=(512,) * 2), calendar(cards=(512,) * 4)
    mine = more.events.card < 1024
    assert np.array_equal(few.events.time, more.events.time[mine])


def test_spares_and_slots():
    """Never more replacements than spares, each a replacement time after its failure; failed slots stay silent."""
    parameters = ReliabilityParameters(spare_fraction=0.1)
    found = calendar(parameters, stop=6.0 * YEAR)
    kind, card, time = found.events.kind, found.events.card, found.events.time
    module = card // 512
    used = np.bincount(module[kind == 1], minlength=8)
    assert (used <= 51).all() and (used + found.spares_left >= 50).all() and used.max() == 51
    down = {}
    for t, c, k in zip(time, card, kind):
        if k == 0:
            assert c not in down
            down[c] = t
        elif k == 1:
            assert t - down.pop(c) == pytest.approx(parameters.replacement_time, rel=1e-9)
        else:
            assert c not in down
    assert set(np.flatnonzero(found.failed_at(6.0 * YEAR))) == set(down)


def test_capacity_without_spares_is_the_survival():
    """4096 cards against the closed form, 4 standard errors."""
    parameters = dataclasses.replace(ReliabilityParameters(), spare_fraction=0.0)
    found = calendar(parameters, stop=5.0 * YEAR)
    rate = module_environment(parameters, 750e3, 5e-3).dose_rate
    for years in (0.1, 1.0, 5.0):
        expected = float(survival(parameters, years * YEAR, rate))
        error = 4.0 * np.sqrt(expected * (1.0 - expected) / 4096)
        assert 1.0 - found.failed_at(years * YEAR).mean() == pytest.approx(expected, abs=error)


def test_cold_spares_follow_the_death_process():
    """Exponential cards, n slots, s cold spares: a pure death process (Barlow and Proschan)."""
    n, modules, years, rate = 16, 400, 0.5, 2.0
    parameters = dataclasses.replace(EXPONENTIAL, spare_fraction=0.25, replacement_time=0.0)
    found = event_calendar(parameters, QUIET, [n] * modules, 0.0, 0.0, years * YEAR * 1.0001, 9)
    measured = 1.0 - found.failed_at(years * YEAR).mean()
    # Master equation: states 0..s spares used at rate n r, then n..0 working.
    s = 4
    leave = np.array([n * rate] * (s + 1) + [k * rate for k in range(n - 1, 0, -1)] + [0.0])
    working = np.array([n] * (s + 1) + list(range(n - 1, -1, -1)))
    generator = np.diag(-leave) + np.diag(leave[:-1], 1)
    from scipy.linalg import expm

    state = expm(years * generator)[0]
    expected, square = state @ working, state @ working**2
    error = 4.0 * np.sqrt((square - expected**2) / modules) / n
    assert measured == pytest.approx(expected / n, abs=error)
    warm = float(capacity_fraction(parameters, years * YEAR, 0.0, n))
    assert expected / n > warm - 1e-12  # cold spares last longer than warm ones


def test_events_drive_fleet_and_workload():
    """The order of a tick: fail and replace cards, interrupt their jobs, schedule on what is left."""
    counts = [8, 8]
    fleet, load = (
        CardFleet(CARDS["h100-sxm"], counts),
        Workload([Job("a", "batch", 8), Job("b", "batch", 8)], counts),
    )
    load.schedule(0.0)
    fleet.assign(load.job_of_card, 2)
    events = CardEvents(np.array([1.0, 2.0, 3.0]), np.array([3, 9, 9]), np.array([0, 0, 1], np.int8))
    assert (
        events.failed.tolist() == [3]
        and events.replaced.tolist() == [9]
        and events.stopped.tolist() == [3, 9]
    )
    fleet.fail(events.failed)
    fleet.repair(events.replaced)
    load.interrupt(jobs_of(load.job_of_card, events.stopped), 0.0)
    load.schedule(10.0, usable=~fleet.failed)
    assert load.interruptions.tolist() == [1, 1]
    assert load.running.tolist() == [True, False]  # 15 cards are left for two gangs of 8
    assert 3 not in np.flatnonzero(load.job_of_card == 0)


def test_last_word_on_a_card():
    """A card that is replaced and fails again within an interval counts as failed only."""
    events = CardEvents(np.arange(4.0), np.array([5, 5, 5, 6]), np.array([0, 1, 0, 5], np.int8))
    assert events.failed.tolist() == [5] and events.replaced.tolist() == [] and events.stopped.tolist() == [5]
    assert events.count("silent_error") == 1 and KINDS[5] == "silent_error"
    with pytest.raises(ValueError, match="expected one of"):
        events.count("explosion")
    with pytest.raises(ValueError, match="counts"):
        event_calendar(EXPONENTIAL, QUIET, [-1], 0.0, 0.0, 1.0)
    empty = event_calendar(EXPONENTIAL, QUIET, [0, 4], 0.0, 0.0, 0.0)
    assert len(empty.events) == 0 and not empty.failed_at(0.0).any()
