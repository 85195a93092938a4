"""Failures, single events, checkpoints and capacity against published figures, closed forms and simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from twin.failures import (
    COMMERCIAL_SINGLE_EVENTS,
    FLEET_GPU_FAILURE_RATE,
    FLEET_OTHER_INTERRUPT_RATE,
    RESISTANT_SINGLE_EVENTS,
    HazardParameters,
    ReliabilityParameters,
    capacity_fraction,
    conditional_hazard,
    fleet_rate,
    single_event_rates,
    survival,
    time_of_hazard,
)
from twin.radiation_dose import COMMERCIAL_CARD, RADIATION_RESISTANT_CHIP, YEAR, DoseRangeError
from twin.reliability import (
    CheckpointCosts,
    capacity_over_mission,
    daly_interval,
    goodput,
    job_interrupt_rate,
    module_environment,
    optimal_interval,
    retry_factor,
    young_interval,
)

GROUND = ReliabilityParameters(tolerance=RADIATION_RESISTANT_CHIP, single_events=RESISTANT_SINGLE_EVENTS)
DAY = 86_400.0


def test_fleet_rates_are_the_published_ones():
    """Llama 3: 419 interrupts in 54 days on 16 384 H100, 268 of them GPU, 11 % per GPU-year; one every 3.1 h."""
    assert pytest.approx(0.11, abs=0.001) == FLEET_GPU_FAILURE_RATE * YEAR
    total = FLEET_GPU_FAILURE_RATE + FLEET_OTHER_INTERRUPT_RATE
    assert 1.0 / (total * 16_384) / 3600.0 == pytest.approx(54 * 24 / 419, rel=1e-12)
    with pytest.raises(ValueError, match="fleet rate"):
        fleet_rate(1, 0, 1.0)


def test_single_event_rates_are_the_published_ones():
    """ArXiv 2511.19468 at 150 rad a year: 7.5-10 silent errors, 3.6 memory errors, 0.03 functional interrupts."""
    rates = single_event_rates(COMMERCIAL_SINGLE_EVENTS, 1.5 / YEAR)
    assert 7.5 <= rates.silent_errors * YEAR <= 10.0
    assert rates.uncorrectable_memory_errors * YEAR == pytest.approx(3.6)
    assert rates.functional_interrupts * YEAR == pytest.approx(0.03)
    assert rates.interrupts * YEAR == pytest.approx(3.63)
    with pytest.raises(ValueError, match="proton dose rate"):
        single_event_rates(COMMERCIAL_SINGLE_EVENTS, -1.0)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, 30.0), st.floats(0.0, 30.0), st.floats(0.0, 20.0), st.floats(0.0, 20.0))
def test_survival_falls_with_age_and_dose(t1, t2, d1, d2):
    young, old = sorted((t1 * YEAR, t2 * YEAR))
    little, much = sorted((d1 / YEAR, d2 / YEAR))
    assert 0.0 <= survival(GROUND, old, little) <= survival(GROUND, young, little) <= 1.0
    assert survival(GROUND, old, much) <= survival(GROUND, old, little)


def test_bathtub_has_its_parts():
    """Each part alone is its textbook distribution: mixture of a Weibull, exponential, Weibull (Meeker and Escobar)."""
    far = 1e30
    infant = ReliabilityParameters(HazardParameters(0.0, 0.1, 30 * DAY, 0.5, far), RADIATION_RESISTANT_CHIP)
    age = np.array([0.0, 10.0, 100.0, 1000.0]) * DAY
    expected = 1.0 - 0.1 * stats.weibull_min.cdf(age, 0.5, scale=30 * DAY)
    np.testing.assert_allclose(survival(infant, age, 0.0), expected, rtol=1e-12)
    random = ReliabilityParameters(
        HazardParameters(0.11 / YEAR, 0.0, wear_out_scale=far), RADIATION_RESISTANT_CHIP
    )
    np.testing.assert_allclose(survival(random, age, 0.0), np.exp(-0.11 * age / YEAR), rtol=1e-12)
    wear = ReliabilityParameters(HazardParameters(0.0, 0.0, wear_out_scale=9 * YEAR, wear_out_shape=4.0))
    np.testing.assert_allclose(
        survival(wear, age, 0.0), stats.weibull_min.sf(age, 4.0, scale=9 * YEAR), rtol=1e-12
    )
    # The rate falls, stays and rises again.
    default = ReliabilityParameters()
    rate = np.array([conditional_hazard(default, DAY, a * YEAR, 0.0, 0.0) for a in (0.0, 1.5, 10.0)])
    assert rate[0] > 4.0 * rate[1] and rate[2] > 2.0 * rate[1]


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-6, 2.0), st.floats(0.0, 5.0), st.floats(1.0, 2.0))
def test_time_of_hazard_inverts_and_ignores_its_limit(threshold, age, stretch):
    rate = 6.0 / YEAR
    args = (age * YEAR, age * 6.0, rate)
    limit = 20.0 * YEAR
    time = time_of_hazard(ReliabilityParameters(), threshold, limit, *args)
    if np.isinf(time[0]):
        assert conditional_hazard(ReliabilityParameters(), limit, *args) < threshold
    else:
        assert conditional_hazard(ReliabilityParameters(), time[0], *args) == pytest.approx(
            threshold, rel=1e-6
        )
        assert time_of_hazard(ReliabilityParameters(), threshold, stretch * limit, *args)[0] == time[0]


@pytest.mark.parametrize(("cards", "spares"), [(8, 0.0), (8, 0.25), (256, 0.05), (1, 1.0)])
def test_capacity_is_the_binomial_mean(cards, spares):
    """Against the sum over the binomial distribution (scipy), term by term."""
    parameters = ReliabilityParameters(spare_fraction=spares)
    total = cards + int(parameters.spares(cards))
    for years in (0.5, 3.0, 12.0):
        alive = float(survival(parameters, years * YEAR, 6.0 / YEAR))
        working = np.arange(total + 1)
        expected = (np.minimum(working, cards) * stats.binom.pmf(working, total, alive)).sum() / cards
        assert capacity_fraction(parameters, years * YEAR, 6.0 / YEAR, cards) == pytest.approx(
            expected, rel=1e-9
        )


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 500), st.floats(0.0, 15.0), st.floats(0.0, 15.0), st.floats(0.0, 0.3))
def test_capacity_falls_with_age_and_rises_with_spares(cards, a, b, spares):
    young, old = sorted((a * YEAR, b * YEAR))
    some, none = ReliabilityParameters(spare_fraction=spares), ReliabilityParameters(spare_fraction=0.0)
    value = capacity_fraction(some, young, 1.0 / YEAR, cards)
    assert capacity_fraction(some, old, 1.0 / YEAR, cards) <= value + 1e-12
    assert capacity_fraction(none, young, 1.0 / YEAR, cards) <= value + 1e-12
    assert capacity_fraction(none, young, 1.0 / YEAR, cards) == pytest.approx(
        survival(none, young, 1.0 / YEAR), abs=1e-9
    )


@settings(max_examples=60, deadline=None)
@given(st.floats(0.1, 600.0), st.floats(1e3, 1e7), st.floats(0.0, 600.0))
def test_optimal_interval_is_the_best_and_daly_is_near(write, mean_time, restart):
    """Exact optimum against numerical maximisation; Daly (2006) within 1 % of the goodput; Young for C << M."""
    costs = CheckpointCosts(write, restart)
    best = float(optimal_interval(write, mean_time))
    value = float(goodput(best, costs, mean_time))
    found = optimize.minimize_scalar(
        lambda t: -float(goodput(np.exp(t), costs, mean_time)),
        bounds=(np.log(best) - 2.0, np.log(best) + 2.0),
        method="bounded",
    )
    assert value >= -found.fun * (1.0 - 1e-9)
    assert float(goodput(daly_interval(write, mean_time), costs, mean_time)) >= 0.99 * value
    if write < 1e-4 * mean_time:
        assert young_interval(write, mean_time) == pytest.approx(best, rel=0.02)


def test_goodput_is_that_of_a_simulated_job():
    """Monte Carlo of a job with exponential interrupts, also in writes and restarts; 4 standard errors."""
    mean_time, costs, interval = 2000.0, CheckpointCosts(60.0, 200.0), 400.0
    random = np.random.default_rng(5)
    spent = []
    for _ in range(20_000):
        left, clock = interval + costs.write, 0.0
        while True:
            struck = random.exponential(mean_time)
            if struck >= left:
                clock += left
                break
            clock, left = clock + struck, costs.restart + interval + costs.write
        spent.append(clock)
    spent = np.array(spent)
    error = 4.0 * spent.std() / np.sqrt(spent.size)
    assert interval / float(goodput(interval, costs, mean_time)) == pytest.approx(spent.mean(), abs=error)


def test_effective_training_time_of_the_published_run():
    """Llama 3 reports more than 90 % effective training time with an interrupt every 3.1 h: met with usual costs."""
    mean_time = 1.0 / job_interrupt_rate(FLEET_GPU_FAILURE_RATE + FLEET_OTHER_INTERRUPT_RATE, 16_384)
    for costs in (CheckpointCosts(10.0, 300.0), CheckpointCosts(30.0, 300.0)):
        assert 0.89 < float(goodput(optimal_interval(costs.write, mean_time), costs, mean_time)) < 0.96


def test_retries():
    """One restarted segment: the closed form, 1 for small rates and at least 1 always."""
    assert retry_factor(1e-9, 1.0) == pytest.approx(1.0)
    assert retry_factor(1.0, 1.0) == pytest.approx(np.e - 1.0)
    with pytest.raises(ValueError, match="interval"):
        goodput(0.0, CheckpointCosts(1.0, 1.0), 100.0)
    with pytest.raises(ValueError, match="write"):
        CheckpointCosts(-1.0, 0.0)


def test_mission_of_a_module():
    """Capacity falls over the years; the dose limit falls at 1.6 years; resistant chips stop jobs less."""
    card, chip = ReliabilityParameters(), GROUND
    years = np.linspace(0.0, 10.0, 21)
    costs = CheckpointCosts(30.0, 300.0)
    found = {}
    for parameters in (card, chip):
        environment = module_environment(parameters, 750e3, 5e-3)
        found[parameters.tolerance.name] = capacity_over_mission(
            parameters, environment, years, 256, 1024, costs
        )
    commercial, resistant = found["commercial card"], found["radiation-resistant chip"]
    assert (np.diff(commercial.capacity) <= 1e-12).all() and commercial.capacity[0] == pytest.approx(1.0)
    assert commercial.within_dose_limit.tolist() == (years <= 2.0 / 1.26).tolist()
    assert resistant.within_dose_limit.all()
    assert (resistant.goodput > commercial.goodput).all()
    assert (commercial.useful_capacity <= commercial.capacity).all()
    assert commercial.dose[-1] == pytest.approx(63.0, rel=1e-6)
    with pytest.raises(DoseRangeError):
        module_environment(card, 550e3, 5e-3)


def test_wrong_parameters_are_named():
    with pytest.raises(ValueError, match="weak_fraction"):
        HazardParameters(weak_fraction=1.0)
    with pytest.raises(ValueError, match="Weibull"):
        HazardParameters(infant_shape=0.0)
    with pytest.raises(ValueError, match="spare_fraction"):
        ReliabilityParameters(spare_fraction=-0.1)
    with pytest.raises(ValueError, match="age"):
        survival(ReliabilityParameters(), -1.0, 0.0)
    with pytest.raises(ValueError, match="one card"):
        capacity_fraction(ReliabilityParameters(tolerance=COMMERCIAL_CARD), 1.0, 0.0, 0)
