"""Building blocks of reduced models: sampling, modes, tables, dense algebra in lanes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from solvers.errors import ConvergenceError
from solvers.hyper_reduction import nonnegative_weights, sample_radiation
from solvers.reduced_lanes import LANES, combine, factorize, gather, scatter, substitute
from solvers.reduced_modes import modes_of
from solvers.reduced_panel import Box, OutsideTraining
from solvers.reduced_tables import separate, tabulate
from solvers.reduced_training import regime_flows

RANDOM = np.random.default_rng(3)


def test_weights_reach_the_residual_of_an_independent_solver():
    """Against scipy.optimize.nnls (Lawson & Hanson) on a problem that has an exact solution."""
    matrix = RANDOM.uniform(0.0, 1.0, (30, 80))
    target = matrix @ np.ones(80)
    found = nonnegative_weights(matrix, target, 1e-6)
    _, residual = nnls(matrix, target)
    assert np.all(found.weights > 0.0)
    assert np.linalg.norm(matrix[:, found.nodes] @ found.weights - target) <= 1e-6 * np.linalg.norm(target)
    assert residual <= 1e-6 * np.linalg.norm(target)
    assert len(found.nodes) <= 31


def test_weights_that_cannot_be_found_are_refused():
    with pytest.raises(ConvergenceError, match="miss the training integrals"):
        nonnegative_weights(np.array([[1.0], [0.0]]), np.array([0.0, 1.0]), 1e-6)


def test_samples_integrate_the_fourth_power():
    """∫ v T⁴ over a strip: the linear part by all nodes, the rest by few, for fields not in the training set."""
    x = np.linspace(0.0, 1.0, 401)
    area = np.full(401, 1.0 / 401)
    basis = np.stack([np.ones(401), x, x**2], axis=1)
    fields = basis @ (np.array([[300.0], [0.0], [0.0]]) + RANDOM.normal(0.0, 20.0, (3, 40)))
    samples = sample_radiation(basis, area, fields, 1e-4)
    assert len(samples.nodes) < 40
    assert samples.weights.min() > 0.0
    new = basis @ (np.array([290.0, 0.0, 0.0]) + RANDOM.normal(0.0, 10.0, 3))
    exact = basis.T @ (area * new**4)
    level = float(area @ new)
    linear = basis.T @ (area * (4.0 * level**3 * new - 3.0 * level**4))
    at, own = samples.nodes, new[samples.nodes]
    rest = own**4 - 4.0 * level**3 * own + 3.0 * level**4
    sampled = linear + basis[at].T @ (samples.weights * area[at] * rest)
    assert sampled == pytest.approx(exact, rel=1e-6)


def test_modes_are_the_fewest_that_hold_the_snapshots():
    """Fields of three shapes and a level: four modes, orthonormal in the capacity, the first of them constant."""
    x = np.linspace(0.0, 1.0, 60)
    shapes = np.stack([np.ones(60), np.sin(3.0 * x), x**2, np.exp(-4.0 * x)], axis=1)
    snapshots = shapes @ RANDOM.normal(0.0, 30.0, (4, 200))
    capacity, weights = RANDOM.uniform(1.0, 2.0, 60), np.full(60, 1.0 / 60.0)
    found = modes_of(snapshots, weights, capacity, 1e-6, 40)
    assert found.basis.shape == (60, 4)
    assert found.error <= 1e-6
    assert found.basis.T @ (capacity[:, None] * found.basis) == pytest.approx(np.eye(4), abs=1e-9)
    assert np.ptp(found.basis[:, 0]) < 1e-12
    few = modes_of(snapshots, weights, capacity, 1e-6, 3)
    assert few.basis.shape == (60, 3) and few.error > 0.1


@given(st.integers(1, 11), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_lanes_solve_every_system_by_itself(n, seed):
    """LU without pivoting in lanes against numpy.linalg.solve."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(n, n, LANES)) + 4.0 * n * np.eye(n)[:, :, None]
    right = random.normal(size=(n, LANES))
    expected = np.stack([np.linalg.solve(matrix[..., k], right[:, k]) for k in range(LANES)], axis=1)
    factors, solution = matrix.copy(), right.copy()
    factorize(factors, n)
    substitute(factors, solution, n)
    assert solution == pytest.approx(expected, rel=1e-10, abs=1e-12)


@given(st.integers(1, 10), st.integers(1, 10), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_lanes_multiply(rows, columns, seed):
    """Products in lanes against numpy."""
    random = np.random.default_rng(seed)
    table, vectors = random.normal(size=(rows, columns)), random.normal(size=(columns, LANES))
    out = np.empty((rows, LANES))
    gather(table, vectors, out)
    assert out == pytest.approx(table @ vectors, abs=1e-12)
    factor, back = random.normal(size=LANES), np.ones((columns, LANES))
    scatter(table, out.copy(), factor, back)
    assert back == pytest.approx(1.0 + factor * (table.T @ table @ vectors), abs=1e-10)
    terms, weights = random.normal(size=(columns, columns, 8)), random.normal(size=(8, LANES))
    matrix = np.empty((columns + 2, columns + 2, LANES))
    combine(terms, weights, matrix)
    assert matrix[:columns, :columns] == pytest.approx(terms @ weights, abs=1e-12)


def test_table_finds_a_kink_and_terms_keep_sums():
    """A matrix whose law changes at a Reynolds number; rows of every term sum to zero as in every matrix."""
    kinds = np.array([[[1.0, -1.0], [-1.0, 1.0]], [[1.0, -1.0], [0.0, 0.0]]])

    def viscosity(kelvin):
        return 1.0 + 0.01 * (350.0 - kelvin)

    def coefficients(flow, kelvin):
        reynolds = flow / viscosity(kelvin)
        film = np.where(reynolds < 0.5, 4.0, 4.0 + 30.0 * (reynolds - 0.5))
        return np.stack([film, flow], axis=1)

    table = tabulate(coefficients, viscosity, (0.1, 2.0), (250.0, 350.0), 1e-3, 200)
    assert table.error <= 2e-3
    # The kink at Re = 0.5 lies at one flow of the grid whatever the temperature, and the points are densest there.
    kink = 0.5 * viscosity(300.0)
    gaps = np.diff(np.log(table.flow))
    at = int(np.searchsorted(table.flow, kink)) - 1
    assert gaps[at] == gaps.min() < 0.5 * gaps.max()
    found, terms = separate(table.values, kinds, 1e-9)
    expected = np.einsum("abk,kij->abij", table.values, kinds)
    assert np.einsum("abk,kij->abij", found, terms) == pytest.approx(expected, rel=1e-6, abs=1e-8)
    assert np.abs(terms.sum(axis=2)).max() < 1e-12
    # A part of the table holds its flows.
    part = table.between((0.3, 0.6))
    assert len(part.flow) < len(table.flow)
    assert part.flow[0] * part.viscosity.max() <= 0.3 and part.flow[-1] * part.viscosity.min() >= 0.6


def test_regimes_cover_the_range_and_overlap():
    flows = regime_flows(0.01, 1.0, 4, 1.1)
    assert flows[0][0] <= 0.01 and flows[-1][1] >= 1.0
    assert all(a[1] > b[0] for a, b in pairwise(flows))


def test_box_names_parameter_module_value_and_range():
    box = Box((0.0, 500.0), (0.4, 1.0), (0.01, 0.1), (250.0, 350.0))
    box.check("absorbed", [0.0, 500.0], "W/m²")
    with pytest.raises(OutsideTraining, match=r"absorbed of module 1 is 600 W/m², outside the 0 to 500"):
        box.check("absorbed", [10.0, 600.0], "W/m²")
    with pytest.raises(OutsideTraining, match="module 0 is nan"):
        box.check("inlet_temperature", [np.nan], "K")
