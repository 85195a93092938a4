"""Counted quantiles against NumPy's sorted ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.card_distribution import distribution_of, quantiles_of

SHARES = np.array([0.0, 0.01, 0.5, 0.99, 1.0])


def fleet(seed, modules=12, per_module=4000):
    random = np.random.default_rng(seed)
    counts = random.integers(1, per_module, modules)
    start = np.concatenate([[0], np.cumsum(counts)])
    center = random.integers(0, 3, modules)
    center[:3] = [0, 1, 2]
    values = random.normal(np.repeat(320.0 + 10.0 * center, counts), 4.0).astype(np.float32)
    return values, start, center, np.repeat(center, counts)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_quantiles_are_those_of_the_sorted_values(seed):
    values, start, center, of_card = fleet(seed)
    counted = distribution_of(values, start, center, 3, 233.15, 0.05, 3200)
    assert counted.counts.sum() == values.size
    found, whole = quantiles_of(counted, values, None, SHARES)
    exact, exact_whole = quantiles_of(counted, values, of_card, SHARES)
    np.testing.assert_allclose(exact[1], np.quantile(values[of_card == 1], SHARES))
    np.testing.assert_allclose(found[:, [0, -1]], exact[:, [0, -1]])
    np.testing.assert_allclose(whole[[0, -1]], exact_whole[[0, -1]])
    # In between a value within a bin of which there are as many cards as the share says, give or take one.
    for c in range(3):
        members = np.sort(values[of_card == c])
        for share, value in zip(SHARES, found[c]):
            at_most = np.searchsorted(members, value + 0.051, side="right")
            below = np.searchsorted(members, value - 0.051, side="left")
            assert below - 1 <= share * members.size <= at_most + 1


def test_histogram_adds_up_bins_and_keeps_the_ends():
    values = np.array([200.0, 240.0, 300.0, 300.1, 500.0], np.float32)
    counted = distribution_of(values, np.array([0, 5]), np.array([0]), 1, 233.15, 0.05, 3200)
    kept = counted.histogram(np.arange(233.15, 394.15, 2.0))
    assert kept.sum() == 5
    assert kept[0, 0] == 1 and kept[0, -1] == 1
    assert counted.lowest[0] == 200.0 and counted.highest[0] == 500.0


def test_a_sub_center_without_cards_is_nan():
    counted = distribution_of(np.ones(4, np.float32), np.array([0, 4]), np.array([1]), 2, 0.0, 0.1, 100)
    quantiles = counted.quantiles([0.5])
    assert np.isnan(quantiles[0, 0])
    assert quantiles[1, 0] == pytest.approx(1.0)
