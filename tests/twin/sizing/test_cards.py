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
    lots = CardLots(np.zeros(1, int), np.zeros(1, int), np.ones(1))
    fleet = SampledFleet([CARDS["h100-sxm"]], np.array([COUNT]), lots, 1, cards, COUNT)
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
