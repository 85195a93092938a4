"""The search for areas, statistics and fronts, on functions whose answers are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from twin.case.errors import CaseError
from twin.case.sizing import Distribution
from twin.errors import BadInput
from twin.sizing.area_search import find_area
from twin.sizing.sensitivity import sensitivity
from twin.sizing.statistics import area_statistics, exceedance
from twin.sizing.studies import pareto_front
from twin.sizing.uncertainty import check_bounds, draw, quantile_of


@given(st.lists(st.floats(0.45, 2.2), min_size=1, max_size=12), st.floats(0.6, 1.6))
def test_roots_of_all_samples_at_once(roots, guess):
    """Excess that falls with the area, flat where the valve holds and kinked below: every root, from above."""
    root = np.array(roots)

    def excess(area, asked):
        slope = -8.0 * np.log(area / root)
        return np.where(slope > 0.4, 0.4 + 0.3 * (slope - 0.4), np.maximum(slope, -0.7))

    found = find_area(excess, np.full(root.size, guess), 0.5, 2.0, tolerance=1e-3)
    inside = (root > 0.5) & (root <= 2.0)
    assert np.array_equal(found.feasible, root <= 2.0)
    assert np.all(found.area[inside] >= root[inside] * (1.0 - 1e-9))
    assert found.area[inside] == pytest.approx(root[inside], rel=2e-3)
    assert np.all(found.at_least[root <= 0.5])
    assert np.isnan(found.area[root > 2.0]).all()


def test_search_takes_few_evaluations():
    root = np.linspace(0.7, 1.3, 64)
    found = find_area(lambda area, asked: -6.0 * np.log(area / root), 1.02 * root, 0.5, 2.0)
    assert found.evaluations <= 5


@pytest.mark.parametrize(
    "distribution",
    [
        Distribution(deviation=0.05),
        Distribution(deviation=0.05, low=0.98, high=1.2),
        Distribution(shape="uniform", low=0.8, high=1.1),
        Distribution(shape="triangular", low=0.7, high=1.4),
        Distribution(shape="lognormal", deviation=0.2),
    ],
)
def test_draws_follow_their_distribution(distribution):
    """Sobol draws against the quantile function, and that against scipy's own distributions."""
    values = draw({"emissivity": distribution}, 4096, 3)["emissivity"]
    low, high = distribution.ends
    assert low <= values.min() and values.max() <= high
    ranks = (np.arange(values.size) + 0.5) / values.size
    assert np.sort(values) == pytest.approx(quantile_of(distribution, ranks), abs=0.012)
    if distribution.shape == "normal" and distribution.low is None:
        assert values.std() == pytest.approx(stats.truncnorm(-3, 3).std() * 0.05, rel=0.01)


@pytest.mark.parametrize("method", ["sobol", "lhs"])
def test_draws_depend_on_the_seed_only(method):
    some = {"emissivity": Distribution(deviation=0.02), "albedo": Distribution(deviation=0.1)}
    first, again, other = (draw(some, 100, seed, method) for seed in (1, 1, 2))
    assert np.array_equal(first["albedo"], again["albedo"])
    assert not np.array_equal(first["albedo"], other["albedo"])


def test_unphysical_distributions_are_refused(load):
    with pytest.raises(CaseError, match="not physical for emissivity"):
        load("sizing.uncertainty.emissivity={deviation: 0.4}")
    with pytest.raises(CaseError, match="not physical for battery_capacity"):
        load("sizing.uncertainty.battery_capacity={deviation: 0.05}")
    with pytest.raises(CaseError, match="low below high"):
        load("sizing.uncertainty.albedo={shape: uniform, low: 1.2, high: 0.9}")
    with pytest.raises(BadInput, match=r"sizing\.uncertainty\.emissivity.*at most 1"):
        check_bounds(load("sizing.uncertainty.emissivity={deviation: 0.1}"))
    check_bounds(load())


def test_statistics_of_a_known_sample():
    area = np.random.default_rng(0).permutation(np.linspace(0.5, 1.5, 2001))
    found = area_statistics(area)
    assert found.quantiles == pytest.approx([0.55, 1.0, 1.45], abs=1e-3)
    assert np.all(found.low <= found.quantiles) and np.all(found.quantiles <= found.high)
    assert found.running[-1] == pytest.approx(found.quantiles)
    assert exceedance(area, np.array([0.4, 1.0, 1.6])) == pytest.approx([1.0, 0.5, 0.0], abs=1e-3)


def test_infeasible_samples_are_the_largest():
    area = np.concatenate([np.linspace(0.8, 1.0, 90), np.full(10, np.nan)])
    found = area_statistics(area)
    assert found.infeasible == pytest.approx(0.1)
    assert np.isinf(found.quantiles[2]) and np.isfinite(found.quantiles[1])
    assert exceedance(area, np.array([2.0]))[0] == pytest.approx(0.1)


def test_sensitivity_of_a_product():
    """Ln A = Σ cᵢ xᵢ of independent uniform x: Sobol indices cᵢ²/Σc², in closed form."""
    x = stats.qmc.Sobol(3, rng=1).random(512)
    weights = np.array([0.3, 0.1, 0.0])
    area = np.exp(x @ weights)
    found = sensitivity({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2]}, area)
    exact = weights**2 / np.sum(weights**2)
    assert found.total == pytest.approx(exact, abs=0.03)
    assert found.first == pytest.approx(exact, abs=0.06)
    assert found.fit > 0.99
    assert found.swing[0] == pytest.approx(np.exp([-0.135, 0.135]) - 1.0, abs=0.01)
    assert sensitivity({"a": x[:20, 0]}, area[:20]) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30))
def test_front_is_what_no_other_beats(points):
    costs = np.array(points, dtype=float)
    front = pareto_front(costs)
    assert front.any()
    for i, cost in enumerate(costs):
        beaten = any(np.all(other <= cost) and np.any(other < cost) for other in costs)
        assert front[i] == (not beaten)
