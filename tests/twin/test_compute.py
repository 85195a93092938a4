"""Fleet of cards: energy, limits, throttling, shutdown, spread and reproducibility."""

from __future__ import annotations

from dataclasses import replace

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.card_model import CARDS, card_power, clock_at_power, junction_temperature_steady
from twin.compute import CardFleet

H100 = CARDS["h100-sxm"]
UNIFORM = replace(H100, power_spread=0.0, resistance_spread=0.0)


def one_job(parameters, cards, temperature=310.0, seed=0, jobs=1):
    fleet = CardFleet(parameters, cards, temperature=temperature, seed=seed)
    fleet.assign(np.arange(fleet.cards) % jobs, jobs)
    return fleet


def test_steady_state_is_that_of_the_card_model():
    """Independent path: Newton on T = T_plate + R P(T) in double precision."""
    fleet = one_job(UNIFORM, [3])
    for _ in range(20):
        tick = fleet.advance(1.0, 10, [0.7], 305.0)
    expected = junction_temperature_steady(UNIFORM, 0.7, 1.0, 305.0)
    assert tick.junction_temperature_max[0] == pytest.approx(expected, abs=2e-3)
    assert tick.power[0] == pytest.approx(3 * float(card_power(UNIFORM, 0.7, 1.0, expected)), rel=1e-5)


@pytest.mark.parametrize(("activity", "cap"), [(0.3, np.inf), (0.95, 1000.0)])
def test_junction_relaxes_exactly_for_any_step(activity, cap):
    """Constant power: T(t) = T_eq + (T0 - T_eq) exp(-t / RC), in one step of 4 s or forty of 0.1 s."""
    no_leakage = replace(UNIFORM, leakage_power=0.0)
    ends = []
    for dt, steps in ((4.0, 1), (0.1, 40)):
        fleet = one_job(no_leakage, [2], temperature=305.0)
        tick = fleet.advance(dt, steps, [activity], 305.0, cap)
        ends.append(float(tick.junction_temperature_max[0]))
    power = min(78.0 + activity * 568.0, cap / 2)
    rc = no_leakage.junction_resistance * no_leakage.junction_heat_capacity
    exact = 305.0 + no_leakage.junction_resistance * power * (1.0 - np.exp(-4.0 / rc))
    assert ends == pytest.approx([exact, exact], abs=5e-3)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 700), min_size=1, max_size=5),
    st.floats(0.0, 1.0),
    st.floats(250.0, 380.0),
    st.floats(0.0, 800.0),
    st.floats(0.05, 50.0),
    st.integers(1, 12),
)
def test_energy_closes_per_module_and_limits_hold(cards, activity, plate, cap_per_card, dt, steps):
    """Drawn = given to the coolant + stored, to rounding; power within cap and card limits."""
    fleet = one_job(H100, cards, temperature=320.0, jobs=3)
    start = fleet.temperature.astype(np.float64)
    cap = cap_per_card * np.asarray(cards, dtype=float)
    tick = fleet.advance(dt, steps, [activity, 0.5 * activity, 0.0], plate, cap)
    energy = tick.power * tick.duration
    residual = energy - tick.heat_to_coolant * tick.duration - tick.stored_energy_change
    size = np.maximum(np.maximum(energy, np.abs(tick.stored_energy_change)), 1.0)
    assert (np.abs(residual) <= 1e-14 * size * 10).all()
    stored = H100.junction_heat_capacity * (fleet.temperature.astype(np.float64) - start)
    per_module = [
        stored[a:b].sum() for a, b in zip(fleet.module_start[:-1], fleet.module_start[1:], strict=True)
    ]
    assert tick.stored_energy_change == pytest.approx(per_module, rel=1e-9, abs=1e-6)
    assert (tick.power <= cap * (1 + 1e-5) + 1e-9).all()
    assert (fleet.mean_power <= H100.power_limit * (1 + 1e-5)).all()
    for share in (tick.throttled_fraction_thermal, tick.throttled_fraction_power, tick.throughput_fraction):
        assert ((share >= 0.0) & (share <= 1.0 + 1e-6)).all()
    assert np.isfinite(fleet.temperature).all()


def test_heat_to_the_coolant_is_that_of_the_resistance():
    """In the steady state the heat flow is (T - T_plate) / R of each card."""
    fleet = one_job(H100, [500])
    for _ in range(20):
        tick = fleet.advance(1.0, 10, [0.5], 300.0)
    flow = ((fleet.temperature - 300.0) / (0.035 * fleet.resistance_factor)).sum()
    assert tick.heat_to_coolant[0] == pytest.approx(flow, rel=1e-4)


def test_capped_clock_is_the_one_of_the_model():
    fleet = one_job(UNIFORM, [4])
    for _ in range(20):
        tick = fleet.advance(1.0, 10, [0.9], 305.0, 2000.0)
    expected = clock_at_power(UNIFORM, 500.0, 0.9, float(tick.junction_temperature_max[0]))
    assert fleet.clock == pytest.approx(np.full(4, float(expected)), abs=1e-3)
    assert tick.power[0] == pytest.approx(2000.0, rel=1e-4)
    assert tick.throttled_fraction_power[0] == pytest.approx(1.0)
    assert tick.throttled_fraction_thermal[0] == 0.0


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(CARDS)),
    st.floats(0.15, 1.0),
    st.floats(0.2, 1.0),
    st.floats(0.0, 1.0),
)
def test_clock_under_a_power_limit_forgets_where_it_was(name, activity, share, before):
    """From any clock, and so also after a deep cut of power: the card model's clock after a few sub-steps.

    Chord steps with the slope of a low clock, where the voltage does not fall further, came back to it for ever.
    """
    card = replace(CARDS[name], power_spread=0.0, resistance_spread=0.0)
    plate = 300.0
    low = float(card_power(card, activity, card.minimum_clock_ratio, plate))
    high = float(card_power(card, activity, 1.0, plate + 20.0))
    cap = low + 5.0 + share * max(high - low - 5.0, 0.0)
    fleet = one_job(card, [1], temperature=plate)
    fleet.clock[:] = card.minimum_clock_ratio + before * (1.0 - card.minimum_clock_ratio)
    for _ in range(3):
        fleet.advance(0.05, 10, [activity], plate, cap)
    allowed = min(cap, card.power_limit)
    expected = clock_at_power(card, allowed, activity, float(fleet.temperature[0]))
    assert float(fleet.clock[0]) == pytest.approx(min(float(expected), 1.0), abs=5e-3)


@settings(max_examples=25, deadline=None)
@given(st.floats(60.0, 700.0), st.floats(0.0, 300.0), st.floats(0.1, 1.0))
def test_tighter_cap_gives_no_more_power(cap, less, activity):
    powers = []
    for share in (cap, max(cap - less, 0.0)):
        fleet = one_job(H100, [64])
        for _ in range(3):
            tick = fleet.advance(1.0, 10, [activity], 305.0, 64 * share)
        powers.append(tick.power[0])
    assert powers[1] <= powers[0] * (1 + 1e-4)


@settings(max_examples=25, deadline=None)
@given(st.floats(290.0, 365.0), st.floats(0.0, 30.0), st.floats(0.2, 1.0))
def test_hotter_coolant_makes_no_job_faster(plate, rise, activity):
    paces = []
    for temperature in (plate, plate + rise):
        fleet = one_job(H100, [64], temperature=temperature)
        for _ in range(4):
            tick = fleet.advance(1.0, 10, [activity], temperature)
        paces.append(tick.job_pace[0])
    assert paces[1] <= paces[0] + 1e-3


def test_module_cap_goes_to_the_cards_that_need_it():
    """Idle cards leave their share to busy ones: the level rises until the sum of the bounds is the cap."""
    fleet = CardFleet(UNIFORM, [10], temperature=305.0)
    fleet.assign([0] * 5 + [-1] * 5, 1)
    for _ in range(10):
        tick = fleet.advance(1.0, 10, [0.9], 305.0, 2500.0)
    assert fleet.mean_power[:5].mean() > 400.0  # an equal split would leave them 250 W
    assert 0.97 * 2500.0 < tick.power[0] <= 2500.0 * (1 + 1e-6)


def test_cap_below_the_static_power_turns_cards_off_and_they_come_back():
    fleet = one_job(UNIFORM, [8])
    tick = fleet.advance(1.0, 10, [0.9], 305.0, 8 * 50.0)
    assert tick.power[0] == 0.0
    assert tick.job_pace[0] == 0.0
    for _ in range(3):
        tick = fleet.advance(1.0, 10, [0.9], 305.0)
    assert tick.job_pace[0] == pytest.approx(1.0)


def test_target_temperature_is_held_by_the_clock():
    fleet = one_job(UNIFORM, [4])
    for _ in range(10):
        tick = fleet.advance(1.0, 10, [0.9], 348.0)
    assert tick.junction_temperature_max[0] == pytest.approx(UNIFORM.target_temperature, abs=0.02)
    assert tick.throttled_fraction_thermal[0] == pytest.approx(1.0)
    assert 0.3 < tick.job_pace[0] < 0.9


def test_slowdown_has_hysteresis():
    """On at 362.15 K, off only 5 K lower."""
    fleet = one_job(UNIFORM, [1], temperature=363.0)
    fleet.advance(0.001, 1, [0.0], 361.0)
    assert fleet.status[0] & 1
    fleet.temperature[:] = 358.0
    fleet.advance(0.001, 1, [0.0], 345.0)
    assert fleet.status[0] & 1
    assert fleet.clock[0] <= UNIFORM.slowdown_clock_ratio + 1e-6
    fleet.temperature[:] = 357.0
    fleet.advance(0.001, 1, [0.0], 345.0)
    assert not fleet.status[0] & 1


def test_starved_card_shuts_down_and_restarts_after_its_time():
    """Coolant at 95 degC: off; back 120 s after the junction has cooled below the restart temperature."""
    fleet = one_job(UNIFORM, [2], temperature=350.0)
    tick = fleet.advance(1.0, 30, [0.9], 369.0)
    assert tick.power[0] < 2 * 700.0
    tick = fleet.advance(1.0, 10, [0.9], 369.0)
    assert tick.power[0] == 0.0
    assert tick.throttled_fraction_thermal[0] == pytest.approx(1.0)
    seconds = 0
    while tick.power[0] == 0.0 and seconds < 400:
        tick = fleet.advance(1.0, 1, [0.9], 310.0)
        seconds += 1
    assert 120 <= seconds <= 140


def test_job_runs_at_the_pace_of_its_slowest_card_and_the_others_wait():
    fleet = CardFleet(UNIFORM, [4, 4], temperature=310.0)
    fleet.assign([0] * 8, 1)
    for _ in range(6):
        tick = fleet.advance(1.0, 10, [0.9], [310.0, 350.0])
    alone = CardFleet(UNIFORM, [4], temperature=310.0)
    alone.assign([0] * 4, 1)
    for _ in range(6):
        free = alone.advance(1.0, 10, [0.9], 310.0)
    assert tick.job_pace[0] == pytest.approx(float(fleet.mean_pace[4:].min()), abs=1e-6)
    assert tick.job_pace[0] < 0.8
    assert tick.power[0] < free.power[0]  # waiting cards draw less
    assert tick.throughput_fraction == pytest.approx([tick.job_pace[0]] * 2)
    assert tick.job_throughput[0] == pytest.approx(0.9 * tick.job_pace[0])


def test_failed_cards_draw_nothing_stop_their_job_and_can_be_repaired():
    fleet = one_job(UNIFORM, [10], jobs=2)
    fleet.fail([0])
    tick = fleet.advance(1.0, 10, [0.5, 0.5], 305.0)
    assert fleet.mean_power[0] == 0.0
    assert tick.failed_fraction[0] == pytest.approx(0.1)
    assert tick.job_pace == pytest.approx([0.0, 1.0])
    assert tick.cards_running[0] == 9
    fleet.repair([0])
    assert fleet.advance(1.0, 10, [0.5, 0.5], 305.0).job_pace == pytest.approx([1.0, 1.0])


def test_spread_is_reproducible_by_card_and_has_the_right_moments():
    a = CardFleet(H100, [200_000], seed=5)
    b = CardFleet(H100, [1000], seed=5)
    assert (a.power_factor[:1000] == b.power_factor).all()
    assert (CardFleet(H100, [1000], seed=6).power_factor != b.power_factor).mean() > 0.99
    for factor, sigma in ((a.power_factor, H100.power_spread), (a.resistance_factor, H100.resistance_spread)):
        assert float(factor.mean()) == pytest.approx(1.0, abs=4 * sigma / np.sqrt(200_000))
        assert float(np.log(factor).std()) == pytest.approx(sigma, rel=0.01)
    assert abs(np.corrcoef(a.power_factor, a.resistance_factor)[0, 1]) < 0.01


def test_results_do_not_depend_on_the_number_of_threads():
    ticks, states = [], []
    threads = numba.get_num_threads()
    try:
        for count in (1, threads):
            numba.set_num_threads(count)
            fleet = one_job(H100, np.full(37, 301), seed=2, jobs=11)
            activity = np.linspace(0.2, 1.0, 11)
            for _ in range(3):
                tick = fleet.advance(1.0, 10, activity, np.linspace(300.0, 360.0, 37), 301 * 550.0)
            ticks.append(tick)
            states.append(fleet.temperature.copy())
    finally:
        numba.set_num_threads(threads)
    assert (states[0] == states[1]).all()
    assert (ticks[0].power == ticks[1].power).all()
    assert (ticks[0].junction_temperature_p99 == ticks[1].junction_temperature_p99).all()


def test_quantiles_agree_with_sorting_to_half_a_bin():
    fleet = one_job(H100, [2000, 5])
    tick = fleet.advance(1.0, 10, [0.8], 305.0)
    for m in range(2):
        cards = fleet.temperature[fleet.module_start[m] : fleet.module_start[m + 1]]
        tolerance = 0.13 if cards.size > 100 else 0.25 + float(np.diff(np.sort(cards)).max())
        assert tick.junction_temperature_p50[m] == pytest.approx(
            float(np.quantile(cards, 0.5)), abs=tolerance
        )
        assert tick.junction_temperature_p99[m] == pytest.approx(
            float(np.quantile(cards, 0.99)), abs=tolerance
        )
        assert tick.junction_temperature_max[m] == cards.max()
    counts, _ = np.histogram(fleet.temperature, fleet.histogram_edges)
    assert np.abs(np.cumsum(counts) - np.cumsum(tick.junction_temperature_histogram)).max() <= 2
    assert tick.junction_temperature_histogram.sum() == fleet.cards


def test_fast_path_gives_what_the_full_step_gives():
    """A module without limits takes the short loop; a single hot card forces its block into the long one."""
    low, other = one_job(UNIFORM, [64]), one_job(UNIFORM, [64])
    other.temperature[0] = 363.0  # in slowdown, hence the long loop
    a = low.advance(1.0, 10, [0.6], 305.0)
    b = other.advance(1.0, 10, [0.6], 305.0)
    assert low.temperature[1:] == pytest.approx(other.temperature[1:], abs=1e-3)
    assert a.power[0] / 64 == pytest.approx(float(other.mean_power[1:].mean()), rel=1e-5)
    assert b.throttled_fraction_thermal[0] > 0.0


@settings(deadline=None, max_examples=25)
@given(
    activity=st.lists(st.floats(0.1, 1.0), min_size=5, max_size=5),
    varying=st.booleans(),
    share=st.floats(0.0, 0.6),
    plate=st.floats(300.0, 350.0),
)
def test_a_card_is_what_it_is_alone(activity, varying, share, plate):
    """Cards that may meet a limit are stepped apart from the others; in a module of its own a card is all there is."""
    count = 300  # a whole block and a part of one
    warm = CardFleet(H100, [count], temperature=320.0, seed=5)
    warm.assign(np.zeros(count, int), 1)
    power = warm.advance(1.0, 10, [max(activity)], plate) and warm.mean_power
    limited = replace(H100, power_limit=float(np.quantile(power, 1.0 - share)))
    rows = np.array(activity, np.float32)[:, None] if varying else np.array([activity[:1]], np.float32)
    fleets = [CardFleet(limited, cards, temperature=320.0, seed=5) for cards in ([count], [1] * count)]
    for fleet in fleets:
        fleet.assign(np.zeros(count, int), 1)
        fleet.fail([7, 280])
        for _ in range(4):
            tick = fleet.advance(1.0, 5, rows, plate)
        assert tick.power.sum() == pytest.approx(float(fleet.mean_power.sum(dtype=float)), rel=1e-6)
    together, alone = fleets
    assert together.temperature == pytest.approx(alone.temperature, abs=2e-3)
    assert together.mean_power == pytest.approx(alone.mean_power, rel=1e-5, abs=1e-3)
    assert together.mean_pace == pytest.approx(alone.mean_pace, abs=1e-4)
    assert np.array_equal(together.status, alone.status)


def test_activity_per_sub_step_matches_single_calls():
    rows = np.random.default_rng(0).uniform(0.1, 1.0, (6, 2)).astype(np.float32)
    whole, single = one_job(H100, [50], jobs=2), one_job(H100, [50], jobs=2)
    tick = whole.advance(1.0, 6, rows, 310.0)
    mean = np.mean([single.advance(1.0, 1, row, 310.0).power[0] for row in rows])
    assert tick.power[0] == pytest.approx(mean, rel=1e-3)
    assert whole.temperature == pytest.approx(single.temperature, abs=0.05)


def test_plate_temperature_rise_warms_the_last_card():
    fleet = one_job(UNIFORM, [9])
    for _ in range(10):
        fleet.advance(1.0, 10, [0.2], 310.0, plate_temperature_rise=18.0)
    assert float(fleet.temperature[-1] - fleet.temperature[0]) == pytest.approx(16.0, abs=0.5)


def test_two_kinds_of_card():
    fleet = CardFleet([UNIFORM, CARDS["v100-sxm2"]], [4, 4], card_class=[0, 1], temperature=305.0)
    fleet.assign(np.zeros(8, int), 1)
    tick = fleet.advance(1.0, 60, [1.0], 305.0)
    assert tick.power[0] > 4 * 600.0
    assert tick.power[1] <= 4 * 300.0 * (1 + 1e-5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: f.advance(0.0, 1, [0.5], 300.0), "expected dt > 0"),
        (lambda f: f.advance(1.0, 1, [0.5, 0.5], 300.0), r"shape \(2,\), expected \(1,\)"),
        (lambda f: f.advance(1.0, 1, [1.5], 300.0), "expected 0..1"),
        (lambda f: f.advance(1.0, 1, [np.nan], 300.0), "expected 0..1"),
        (lambda f: f.advance(1.0, 1, [0.5], [300.0, np.nan]), "module 1 has nan"),
        (lambda f: f.advance(1.0, 1, [0.5], 300.0, -1.0), "power_cap"),
        (lambda f: f.assign([0, 0], 1), "one entry per card"),
        (lambda f: f.assign(np.full(8, 3), 1), r"expected -1\.\.0"),
    ],
)
def test_bad_arguments_say_what_was_expected(call, words):
    fleet = one_job(UNIFORM, [4, 4])
    with pytest.raises(ValueError, match=words):
        call(fleet)
