"""The coupled run on reduced modules: against finite elements in the same run, and what must not change it."""

from itertools import islice

import numba
import numpy as np
import pytest

pytest.importorskip("dolfinx")

from twin.errors import BadInput
from twin.module_variation import ModuleVariation
from twin.plant import Plant
from twin.results import certificate
from twin.run import RunOptions
from twin.run import run as run_case
from twin.simulation import Simulation

REDUCED = "numerics.thermal=reduced"
SEVERAL = "sub_centers.0.modules.0.count=6"
SPREAD = (
    "module_classes.satellite.spread.emissivity=0.02",
    "module_classes.satellite.spread.array_power=0.02",
)


@pytest.fixture(scope="module")
def run(satellite):
    """Run a variant of the satellite for some ticks and return the simulation with what was seen at each tick."""

    def advance(*settings, ticks=60, prepare=None):
        simulation = Simulation(Plant.build(satellite(*settings)))
        if prepare is not None:
            prepare(simulation.plant)
        simulation.settle()
        stop = ticks * simulation.plant.case.numerics.thermal_step
        seen = [
            np.concatenate(
                [
                    t.groups[0].thermal.temperatures[p]
                    for p in ("panel_mean", "supply", "return", "cold_plate", "body")
                ]
                + [t.cards.junction_temperature_max, t.cards.power]
            )
            for t in simulation.run(stop)
        ]
        return simulation, np.array(seen)

    return advance


def test_reduced_and_full_modules_agree_in_a_run(run):
    """Finite elements in the same coupled run, through the first eclipse of the case: temperatures and power."""
    full, expected = run(ticks=200)
    reduced, found = run(REDUCED, ticks=200)
    assert full.time == reduced.time
    np.testing.assert_allclose(found[:, :-1], expected[:, :-1], atol=0.1)
    np.testing.assert_allclose(found[:, -1], expected[:, -1], rtol=1e-4)
    assert abs(reduced.ledger.plant_residual) < 1e-9


def test_the_certificate_is_in_the_result(satellite, tmp_path):
    """Largest and RMS error against held-out finite-element orbits go with every result of a reduced run."""
    result = run_case(satellite(REDUCED), tmp_path, RunOptions(duration=60.0))
    stored = certificate(result)["satellite"]
    assert 0.0 < stored["rms_error"] < stored["max_error"] < 1.0
    full = run_case(satellite(), tmp_path / "full", RunOptions(duration=20.0))
    assert "certificate" not in full.attrs


def test_half_the_steps_change_little(run):
    """10 s and 1 s against 5 s and 0.5 s; the bar of design.md is 0.2 K."""
    _, coarse = run(REDUCED, ticks=60)
    _, fine = run(REDUCED, "numerics.thermal_step=5 s", "numerics.card_step=0.5 s", ticks=120)
    # Means over whole iterations of the training job, at the same times: within one, plates lag by up to a tick.
    np.testing.assert_allclose(fine[41::2, :-1].mean(axis=0), coarse[20:, :-1].mean(axis=0), atol=0.2)


def test_threads_do_not_change_the_result(run):
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        _, one = run(REDUCED, SEVERAL, *SPREAD, ticks=20)
        numba.set_num_threads(before)
        _, all_of_them = run(REDUCED, SEVERAL, *SPREAD, ticks=20)
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(one, all_of_them)


def test_the_seed_makes_the_spread(run):
    _, first = run(REDUCED, SEVERAL, *SPREAD, ticks=5)
    _, again = run(REDUCED, SEVERAL, *SPREAD, ticks=5)
    _, other = run(REDUCED, SEVERAL, *SPREAD, "mission.seed=77", ticks=5)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_more_radiator_is_never_warmer_and_leaves_more_margin(run):
    area = np.linspace(0.85, 1.6, 6)

    def grow(plant):
        plant.vary(0, ModuleVariation(radiator_area=area))

    simulation, seen = run(REDUCED, SEVERAL, ticks=120, prepare=grow)
    group = simulation.plant.groups[0]
    np.testing.assert_allclose(group.radiator_area, area * group.design.radiator.panel_area)
    junction = seen[-1, 5 * 6 : 6 * 6]
    assert (np.diff(junction) <= 1e-3).all()
    assert (np.diff(group.temperature_margin()) > 0.0).all()
    assert abs(simulation.ledger.plant_residual) < 1e-9


def test_a_darker_coating_in_a_run_keeps_the_books(run):
    """Parameters that change between ticks: temperatures go on from where they were, energy stays booked."""
    simulation, _ = run(REDUCED, SEVERAL, ticks=10)
    group, plant = simulation.plant.groups[0], simulation.plant
    before = group.thermal.temperatures()["panel_mean"]
    plant.vary(0, ModuleVariation(emissivity=0.8, card_power=1.1, mass_flow=0.9))
    np.testing.assert_allclose(group.thermal.temperatures()["panel_mean"], before)
    ticks = list(islice(simulation.run(simulation.time + 600.0), 60))
    assert (ticks[-1].groups[0].thermal.temperatures["panel_mean"] > before).all()
    assert abs(simulation.ledger.plant_residual) < 1e-9


def test_finite_elements_refuse_half_a_panel(run):
    with pytest.raises(BadInput, match="radiator area"):
        run(ticks=1, prepare=lambda plant: plant.vary(0, ModuleVariation(radiator_area=1.5)))
