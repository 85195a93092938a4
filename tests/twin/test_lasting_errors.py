"""The spread that lasting errors leave against the exact Gaussian answer, and how a spread is restored."""

import numpy as np
import pytest

from twin.assimilation import LastingErrors, restore_spread, sensitivity
from twin.assimilation.parameters import centred_normals

H = np.array([[1.0, 0.2], [0.0, 3.0], [0.5, -1.0]])
PRIOR = np.array([0.3, 0.1])
BIAS = np.array([0.05, 0.2, 0.1])


def ensemble(count=1, members=24):
    draws = centred_normals((count, 2, members), np.random.default_rng(0))
    return PRIOR[:, None] * draws


def test_sensitivity_of_a_linear_model():
    theta = ensemble(5)
    found = sensitivity(theta + 1.0, H @ theta + 7.0)
    assert found == pytest.approx(np.broadcast_to(H, found.shape), abs=1e-5)


def test_spread_is_that_of_many_looks_with_errors_that_stay():
    """10⁵ readings with a little noise and one error for each sensor that never changes: the exact posterior."""
    theta = ensemble()
    errors = LastingErrors(1, 2, 100.0)
    for _ in range(3):
        errors.add(sensitivity(theta, H @ theta), BIAS[None] ** 2)
    # Joint Gaussian of (parameters, sensor errors) after n readings y = H θ + b + e.
    looks, noise = 1e5, 0.1
    both = np.hstack([H, np.eye(3)])
    information = np.diag(np.concatenate([PRIOR, BIAS]) ** -2.0) + looks * both.T @ both / noise**2
    exact = np.sqrt(np.diag(np.linalg.inv(information))[:2])
    assert errors.spread(PRIOR)[0] == pytest.approx(exact, rel=1e-3)


def test_without_sensors_the_prior_stays():
    theta = ensemble(2)
    errors = LastingErrors(2, 2, 100.0)
    errors.add(sensitivity(theta, H @ theta), np.array([[np.nan] * 3, BIAS**2]))
    spread = errors.spread(PRIOR)
    assert spread[0] == pytest.approx(PRIOR) and (spread[1] < PRIOR).all()
    assert list(errors.weight) == [0.0, 1.0]


def test_two_looks_tell_more_than_one():
    theta = ensemble()
    errors = LastingErrors(1, 2, 100.0)
    errors.add(sensitivity(theta, H @ theta), BIAS[None] ** 2)
    assert (errors.spread(PRIOR, 2.0) < errors.spread(PRIOR)).all()


def test_restored_spread():
    """A parameter that shows well keeps its mean; one that does not goes back towards the prior."""
    members = 0.01 * centred_normals((1, 2, 24), np.random.default_rng(1)) + np.array([[[-0.1], [0.1]]])
    found = restore_spread(members, np.array([[0.02, 0.02]]), np.zeros(2), np.array([1.0, 0.02]))
    assert found.std(axis=2, ddof=1) == pytest.approx(np.full((1, 2), 0.02))
    assert found.mean(axis=2)[0] == pytest.approx([-0.1, 0.1 * 0.25], rel=1e-3)


def test_a_wider_ensemble_is_left_alone():
    members = ensemble(3)
    found = restore_spread(members, np.full((3, 2), 0.01), np.ones(2), PRIOR)
    assert found == pytest.approx(members)
