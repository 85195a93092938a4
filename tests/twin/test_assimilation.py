"""The ensemble filter against the exact Kalman filter, and its statistics against their distributions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from twin.assimilation import (
    AdaptiveInflation,
    BoundedParameters,
    ConsistencyMonitor,
    analyse,
    innovation_statistics,
    relaxed_spread,
    restore_spread,
    transform,
)
from twin.assimilation.parameters import centred_normals

RANDOM = np.random.default_rng(3)


def ensemble_of(mean, covariance, members, random):
    """Members whose sample mean and covariance are exactly the given ones."""
    shape = (len(mean), len(mean[0]), members)
    return mean[:, :, None] + np.linalg.cholesky(covariance) @ centred_normals(shape, random)


def sample_covariance(states):
    anomaly = states - states.mean(axis=2, keepdims=True)
    return anomaly @ anomaly.transpose(0, 2, 1) / (states.shape[2] - 1)


def kalman(mean, covariance, operator, observed, variance):
    """Textbook Kalman update, one local analysis after the other."""
    means, covariances = [], []
    for m, p, y, r in zip(mean, covariance, observed, variance):
        h, y, r = operator[np.isfinite(y)], y[np.isfinite(y)], r[np.isfinite(y)]
        gain = p @ h.T @ np.linalg.inv(h @ p @ h.T + np.diag(r))
        means.append(m + gain @ (y - h @ m))
        covariances.append(p - gain @ h @ p)
    return np.array(means), np.array(covariances)


def test_one_analysis_is_the_kalman_update():
    """Linear, Gaussian, sample moments exact: mean and covariance of the analysis to rounding."""
    count, states, seen, members = 40, 4, 6, 12
    root = RANDOM.normal(size=(count, states, states))
    covariance = root @ root.transpose(0, 2, 1) + 0.1 * np.eye(states)
    mean, operator = RANDOM.normal(size=(count, states)), RANDOM.normal(size=(seen, states))
    observed, variance = RANDOM.normal(size=(count, seen)), RANDOM.uniform(0.1, 2.0, (count, seen))
    observed[::3, 2] = np.nan
    prior = ensemble_of(mean, covariance, members, RANDOM)
    posterior = transform(prior, analyse(operator @ prior, observed, variance))
    expected, spread = kalman(mean, covariance, operator, observed, variance)
    assert posterior.mean(axis=2) == pytest.approx(expected, abs=1e-9)
    assert sample_covariance(posterior) == pytest.approx(spread, abs=1e-9)


def test_twenty_cycles_of_state_and_parameter_follow_the_kalman_filter():
    """Damped temperature with an unknown constant heat (joint estimation), observed temperature only."""
    count, members, cycles = 30, 8, 20
    step = np.array([[0.9, 0.5], [0.0, 1.0]])
    operator, variance = np.array([[1.0, 0.0]]), np.full((count, 1), 0.04)
    mean, covariance = np.zeros((count, 2)), np.broadcast_to(np.diag([1.0, 4.0]), (count, 2, 2)).copy()
    truth = RANDOM.normal(size=(count, 2)) * [1.0, 2.0]
    members_now = ensemble_of(mean, covariance, members, RANDOM)
    for _ in range(cycles):
        truth = truth @ step.T
        observed = truth[:, :1] + 0.2 * RANDOM.normal(size=(count, 1))
        mean, covariance = mean @ step.T, step @ covariance @ step.T
        mean, covariance = kalman(mean, covariance, operator, observed, variance)
        members_now = step @ members_now
        members_now = transform(members_now, analyse(operator @ members_now, observed, variance))
    assert members_now.mean(axis=2) == pytest.approx(mean, abs=1e-8)
    assert sample_covariance(members_now) == pytest.approx(covariance, abs=1e-8)
    error = (truth - mean)[:, 1] / np.sqrt(covariance[:, 1, 1])
    assert np.mean(np.abs(error) < 1.645) > 0.7  # 30 parameters: 90 % within, five sigma of the count allowed


def test_with_process_noise_the_filter_approaches_the_kalman_filter():
    """Many members: variance and mean within sampling error of the exact filter."""
    count, members = 12, 120
    mean, covariance = np.zeros((count, 1)), np.ones((count, 1, 1))
    states = ensemble_of(mean, covariance, members, RANDOM)
    operator = np.ones((1, 1))
    for _ in range(15):
        observed = RANDOM.normal(size=(count, 1))
        states = 0.95 * states + 0.3 * centred_normals(states.shape, RANDOM)
        mean, covariance = 0.95 * mean, 0.95**2 * covariance + 0.09
        mean, covariance = kalman(mean, covariance, operator, observed, np.full((count, 1), 0.25))
        states = transform(states, analyse(states, observed, np.full((count, 1), 0.25)))
    assert states.mean(axis=2) == pytest.approx(mean, abs=0.12)
    assert sample_covariance(states) == pytest.approx(covariance, rel=0.2)


def test_late_observation_counts_as_if_it_came_in_time():
    """Without noise in between, an observation of an earlier time gives the same analysis afterwards (Sakov 2010)."""
    count, members = 10, 7
    step, operator = np.array([[1.0, 0.3], [-0.2, 0.9]]), np.array([[1.0, 0.0]])
    prior = ensemble_of(np.zeros((count, 2)), np.broadcast_to(np.eye(2), (count, 2, 2)), members, RANDOM)
    seen, variance = RANDOM.normal(size=(count, 1)), np.full((count, 1), 0.5)
    then = operator @ prior
    in_time = step @ transform(prior, analyse(then, seen, variance))
    late = transform(step @ prior, analyse(then, seen, variance))
    assert late == pytest.approx(in_time, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 20), st.integers(1, 9))
def test_analysis_keeps_means_finite_and_never_adds_spread(seed, members, observations):
    """The spread of an observed quantity falls, and an analysis without observations changes nothing."""
    random = np.random.default_rng(seed)
    states = random.normal(size=(3, 5, members)) * 10.0 ** random.integers(-3, 4)
    predicted = random.normal(size=(3, observations, members))
    observed = random.normal(size=(3, observations))
    observed[0] = np.nan
    done = analyse(predicted, observed, np.full((3, observations), 0.1))
    after, seen = transform(states, done), transform(predicted, done)
    assert np.isfinite(after).all()
    assert after[0] == pytest.approx(states[0], rel=1e-9, abs=1e-9 * np.abs(states).max())
    assert np.all(seen.var(axis=2) <= predicted.var(axis=2) * (1.0 + 1e-9))


def test_inflation_multiplies_the_prior_covariance():
    mean, covariance = np.zeros((1, 2)), np.diag([1.0, 2.0])[None]
    states = ensemble_of(mean, covariance, 9, RANDOM)
    observed, variance = np.array([[1.0, np.nan]]), np.ones((1, 2))
    after = transform(states, analyse(states, observed, variance, 1.5))
    expected, spread = kalman(mean, 1.5 * covariance, np.eye(2), observed, variance)
    assert after.mean(axis=2) == pytest.approx(expected, abs=1e-9)
    assert sample_covariance(after) == pytest.approx(spread, abs=1e-9)


def test_adaptive_inflation_finds_a_spread_that_is_too_small():
    """True prior variance 1.44 times the ensemble's: the factor settles near 1.44; at an honest spread near 1."""
    count, members = 300, 20
    for truth, expected in ((1.44, 1.44), (1.0, 1.0)):
        factor, rule = np.ones(count), AdaptiveInflation(lowest=0.5, highest=3.0)
        for _ in range(150):
            states = centred_normals((count, 3, members), RANDOM)
            observed = RANDOM.normal(size=(count, 3)) * np.sqrt(truth + 0.25)
            factor = rule.update(factor, states, observed, np.full((count, 3), 0.25))
        assert factor.mean() == pytest.approx(expected, rel=0.08)


def test_relaxation_returns_spread_and_keeps_means():
    prior, posterior = RANDOM.normal(size=(4, 3, 10)), 0.2 * RANDOM.normal(size=(4, 3, 10)) + 1.0
    wanted = relaxed_spread(prior, posterior, 0.5)
    after = restore_spread(posterior, wanted, np.zeros(3), np.full(3, 1e6))
    assert after.mean(axis=2) == pytest.approx(posterior.mean(axis=2))
    half = 0.5 * (prior.std(axis=2, ddof=1) + posterior.std(axis=2, ddof=1))
    assert after.std(axis=2, ddof=1) == pytest.approx(half)


def test_normalised_innovations_follow_chi_square():
    """Consistent ensembles: the sum is chi-square (Kolmogorov-Smirnov); leaving one out is what the formula says."""
    count, seen, members = 2000, 4, 400
    root = np.array([[1.0, 0.0], [0.7, 0.5], [0.2, 0.9], [0.1, 0.1]])
    states = root @ centred_normals((count, 2, members), RANDOM)
    truth = (root @ RANDOM.normal(size=(count, 2, 1)))[:, :, 0]
    observed = truth + 0.5 * RANDOM.normal(size=(count, seen))
    variance = np.full((count, seen), 0.25)
    found = innovation_statistics(states, observed, variance)
    assert stats.kstest(found.total, stats.chi2(seen).cdf).pvalue > 0.001
    without = observed.copy()
    without[:, 2] = np.nan
    fewer = innovation_statistics(states, without, variance)
    assert found.total - fewer.total == pytest.approx(found.against_others[:, 2] ** 2, abs=1e-9)
    assert fewer.number.tolist() == [3] * count and np.isnan(fewer.scaled[:, 2]).all()


def test_a_lying_sensor_is_told_from_a_changed_plant():
    """Three sensors of one temperature: a biased one departs from the others, a real change does not single one out."""
    states = np.broadcast_to(centred_normals((1, 1, 12), RANDOM), (2, 3, 12))
    observed = np.array([[3.0, 0.0, 0.0], [3.0, 3.0, 3.0]])
    found = innovation_statistics(states, observed, np.full((2, 3), 0.04))
    assert np.abs(found.against_others[0, 0]) > 10.0 and found.without_worst()[0] < 1.0
    assert np.abs(found.against_others[1]).max() < 1.0 and found.without_worst()[1] > 8.0


def test_monitor_tells_consistent_from_overconfident():
    """p-values of consistent filters are near uniform; with half the noise that is there they vanish."""
    count, members = 400, 60
    for noise, believed in ((0.5, 0.25), (0.5, 0.06)):
        monitor = ConsistencyMonitor(count, memory=15.0)
        for _ in range(60):
            states = 0.3 * centred_normals((count, 3, members), RANDOM)
            truth = 0.3 * RANDOM.normal(size=(count, 3))
            observed = truth + noise * RANDOM.normal(size=(count, 3))
            monitor.add(innovation_statistics(states, observed, np.full((count, 3), believed)))
        chance = monitor.probability()
        if believed == 0.25:
            assert monitor.ratio.mean() == pytest.approx(1.0, abs=0.05)
            assert 0.01 < np.mean(chance < 0.05) < 0.12
        else:
            assert np.mean(chance < 0.01) > 0.95


def bounds():
    return BoundedParameters(
        ("emissivity", "flow"), [1.0, 1.0], [0.5, 0.6], [1.2, 1.1], [0.05, 0.03], [0.01, 0.02]
    )


@given(st.floats(0.51, 1.19), st.floats(0.61, 1.09))
def test_transform_and_back(emissivity, flow):
    values = np.array([[[emissivity], [flow]]])
    assert bounds().values(bounds().free(values)) == pytest.approx(values, rel=1e-9)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2))
def test_any_free_number_is_within_bounds(free):
    values = bounds().values(np.array(free)[None, :, None])[0, :, 0]
    assert np.all(values >= [0.5, 0.6]) and np.all(values <= [1.2, 1.1])


def test_prior_has_the_spread_asked_for_and_independent_parameters():
    free = bounds().draw(50, 16, np.random.default_rng(1))
    values = bounds().values(free)
    assert values.std(axis=2, ddof=1).mean(axis=0) == pytest.approx([0.05, 0.03], rel=0.06)
    covariance = sample_covariance(free)
    assert np.abs(covariance[:, 0, 1]).max() < 1e-12
    walked = bounds().walk(free, 86400.0)
    assert walked.mean(axis=2) == pytest.approx(free.mean(axis=2), abs=1e-12)
    expected = np.hypot(free.std(axis=2, ddof=1), [0.01, 0.02])
    assert walked.std(axis=2, ddof=1) == pytest.approx(expected, rel=1e-9)


def test_new_noise_knows_nothing_of_what_is_there():
    """Noise drawn apart from other rows has no chance correlation with them, and unit covariance."""
    there = RANDOM.normal(size=(5, 4, 20))
    noise = centred_normals((5, 6, 20), RANDOM, apart_from=there)
    assert sample_covariance(noise) == pytest.approx(np.broadcast_to(np.eye(6), (5, 6, 6)), abs=1e-9)
    both = sample_covariance(np.concatenate([there, noise], axis=1))
    assert np.abs(both[:, :4, 4:]).max() < 1e-9


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"lowest": [1.1, 0.6]}, "parameter emissivity: nominal value 1, expected between 1.1"),
        ({"spread": [0.1, -1.0]}, "parameter flow: negative spread"),
        ({"drift": [0.1]}, "drift: shape"),
    ],
)
def test_bad_parameters_are_named(change, match):
    given = {
        "nominal": [1.0, 1.0], "lowest": [0.5, 0.6], "highest": [1.2, 1.1], "spread": [0.1, 0.1], "drift": [0.0, 0.0],
    }  # fmt: skip
    with pytest.raises(ValueError, match=match):
        BoundedParameters(("emissivity", "flow"), **(given | change))


@pytest.mark.parametrize(
    ("predicted", "observed", "variance", "match"),
    [
        (np.zeros((1, 2, 1)), np.zeros((1, 2)), np.ones((1, 2)), "2 members or more"),
        (np.zeros((1, 2, 3)), np.zeros((1, 3)), np.ones((1, 2)), "observed: shape"),
        (np.zeros((1, 2, 3)), np.zeros((1, 2)), np.zeros((1, 2)), "variance: expected values above 0"),
    ],
)
def test_bad_input_is_refused(predicted, observed, variance, match):
    with pytest.raises(ValueError, match=match):
        analyse(predicted, observed, variance)
