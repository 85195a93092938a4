"""A few cards that stand for many, against all of them."""

import numpy as np
import pytest

from twin.compute import CARDS, CardFleet
from twin.ensemble_cards import CardLots, CardSample, SampledFleet

COUNT = 200_000


def flown(fleet, plate):
    tick = None
    for _ in range(8):
        tick = fleet(plate)
    return tick


@pytest.fixture(scope="module")
def everyone():
    """All cards of a large module at three plate temperatures, at rest after 80 s: some cards held back, or many."""
    results = {}
    for plate in (325.0, 334.0, 340.0):
        fleet = CardFleet(CARDS["h100-sxm"], [COUNT], temperature=plate + 20.0, seed=4)
        fleet.assign(np.zeros(COUNT, np.int32), 1)
        results[plate] = flown(
            lambda p, f=fleet: f.advance(1.0, 10, np.full((10, 1), 0.9), np.full(1, p)), plate
        )
    return results


def sampled(cards, plate):
    zero = np.zeros(1, int)
    lots = CardLots(zero, zero, zero, np.ones(1), np.array([COUNT]))
    fleet = SampledFleet([CARDS["h100-sxm"]], np.array([COUNT]), lots, 1, cards)
    fleet.start(np.array([plate + 20.0]))
    return flown(
        lambda p: fleet.advance(1.0, 10, np.full((10, 1), 0.9), np.full(1, p), np.full(1, np.inf)), plate
    )


@pytest.mark.parametrize("plate", [325.0, 334.0, 340.0])
def test_quantiles_and_heat(everyone, plate):
    """48 cards: power to 0.4 %, 99 % quantile to 0.3 K and hottest to 1 K, throttled share to two and a half points."""
    all_cards, few = everyone[plate], sampled(48, plate)
    assert few.power[0] == pytest.approx(all_cards.power[0], rel=4e-3)
    assert few.junction_temperature_p99[0] == pytest.approx(all_cards.junction_temperature_p99[0], abs=0.3)
    assert few.junction_temperature_max[0] == pytest.approx(all_cards.junction_temperature_max[0], abs=1.0)
    assert few.throttled_fraction_thermal[0] == pytest.approx(
        all_cards.throttled_fraction_thermal[0], abs=0.025
    )


def test_convergence(everyone):
    """The error of the throttled share falls with the number of cards."""
    plate = 340.0
    true = everyone[plate].throttled_fraction_thermal[0]
    errors = [abs(sampled(n, plate).throttled_fraction_thermal[0] - true) for n in (16, 128, 512)]
    assert errors[0] < 0.05
    assert max(errors[1:]) < 0.01


def test_sample_has_the_moments_of_the_population():
    card = CARDS["h100-sxm"]
    sample = CardSample.of(card, 512, 10**6)
    weight = np.repeat(sample.weights / sample.counts, sample.counts)
    assert weight.sum() == pytest.approx(1.0)
    assert weight @ sample.power_factor == pytest.approx(1.0, abs=2e-3)
    assert weight @ sample.resistance_factor == pytest.approx(1.0, abs=2e-3)
    log = np.log(sample.resistance_factor)
    assert np.sqrt(weight @ log**2) == pytest.approx(card.resistance_spread, rel=0.05)


def test_no_spread_makes_all_cards_alike():
    from dataclasses import replace

    card = replace(CARDS["h100-sxm"], power_spread=0.0, resistance_spread=0.0)
    sample = CardSample.of(card, 16, 1000)
    assert np.all(sample.power_factor == 1.0) and np.all(sample.resistance_factor == 1.0)


def even(plate, pace):
    """Cards of two modules at two plate temperatures, in one job or in two replicas."""
    one, both = np.ones(2), np.full(2, COUNT)
    lots = CardLots(np.arange(2), np.zeros(2, int), np.array(pace), one, both)
    fleet = SampledFleet([CARDS["h100-sxm"]] * 2, both, lots, max(pace) + 1, 48)
    fleet.start(np.array(plate) + 20.0)
    for _ in range(8):
        fleet.advance(1.0, 10, np.full((10, max(pace) + 1), 0.7), np.array(plate), np.full(2, np.inf))
    return fleet


def test_waiting_for_the_hottest_card_counts():
    """One card in 5000 is held back and its job loses 3 % of its pace: so much of all card-hours, as with all cards."""
    plate = 334.0
    everyone = CardFleet(CARDS["h100-sxm"], [COUNT], temperature=plate + 20.0, seed=4)
    everyone.assign(np.zeros(COUNT, np.int32), 1)
    tick = flown(lambda p: everyone.advance(1.0, 10, np.full((10, 1), 0.7), np.full(1, p)), plate)
    assert tick.throttled_fraction_thermal[0] < 1e-3
    lost = 1.0 - tick.job_pace[0]
    assert lost > 0.02
    together = even([plate, plate], [0, 0])
    assert together.lot_throttled == pytest.approx([lost, lost], abs=0.02)
    assert np.all(even([330.0, 330.0], [0, 0]).lot_throttled == 0.0)


def test_a_hot_module_slows_its_job_but_no_other_replica():
    job, replicas = even([334.0, 325.0], [0, 0]), even([334.0, 325.0], [0, 1])
    assert job.lot_throttled[0] == job.lot_throttled[1] > 0.02
    assert replicas.lot_throttled[0] > 0.02 and replicas.lot_throttled[1] == 0.0
