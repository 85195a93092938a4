"""Exchange between the surfaces of modules: against the general solver, conserved, and in a run."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from meshes import ModuleGeometry
from solvers.band_exchange import BandExchange
from solvers.constants import STEFAN_BOLTZMANN
from solvers.radiation import SurfaceExchange as GeneralExchange
from solvers.view_factors import ViewFactors
from twin.module_view import ModuleView, PoseWeights, ViewSettings
from twin.plant import Plant
from twin.simulation import Simulation, simulate
from twin.surface_exchange import FaceCoatings, SurfaceExchange, band_absorption, interpolation_weights

GEOMETRY = ModuleGeometry(1.5, 1.5, 1.5, 2, 2.0, 3.0, 4, "parallel", 4, 2.0, 1.0, 0.5, 0.1)
FACES = ["edge_on", "anti_edge_on", "sun", "anti_sun", "zenith", "nadir", "ram"]
AREA = np.array([12.0, 12.0, 16.0, 16.0, 2.0, 1.0, 2.25])
PART = np.array([0, 0, 1, 2, 3, 3, 3])


@pytest.fixture(scope="module")
def view():
    """Table with two poses."""
    table = ModuleView(
        GEOMETRY, FACES, AREA, 1.118, 8, settings=ViewSettings(sun_rays=64, earth_directions=16, earth_rays=2)
    )
    table._cast([(6, 2), (7, 3)])
    return table


def coatings(seed, modules=1):
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.02, 1.0, (2, modules, AREA.size))
    values[:, :, 1] = values[:, :, 0]
    values[:, :, 2:] = values[:, :1, 2:]
    return FaceCoatings(*values)


def general(view, row):
    """View factors of a pose with the insulated rest of the body as a face of its own."""
    exchange = view.exchange[row]
    area = np.append(AREA, max(view.insulated[row], 1e-9))
    none = csr_array(exchange.shape)
    return ViewFactors(area, csr_array(exchange), area - exchange.sum(axis=1), none, np.zeros(area.size))


def gather():
    return (np.arange(4)[:, None] == PART).astype(float)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_as_the_general_solver(view, seed):
    """Absorbed light, absorbed infrared and 𝓕 of one pose equal `solvers.radiation`, an independent solution."""
    paint = coatings(seed)
    exchange = SurfaceExchange(view, np.zeros(1, int), paint, np.ones(1))
    rng = np.random.default_rng(seed + 1)
    sunlight, infrared = rng.uniform(0.0, 1400.0, (1, 7)), rng.uniform(0.0, 300.0, (1, 7))
    at = PoseWeights(np.array([[1]]), np.ones((1, 1)))
    factors = general(view, 1)
    bands = [
        BandExchange(factors, np.append(values[0], 0.0)) for values in (paint.absorptance, paint.emissivity)
    ]
    wanted = sum(
        band.absorbed(np.append(flux[0] * AREA, 0.0))[:7] for band, flux in zip(bands, (sunlight, infrared))
    )
    np.testing.assert_allclose(exchange.absorbed(sunlight, infrared, at)[0], gather() @ wanted, rtol=1e-9)
    solver = GeneralExchange(factors, np.append(paint.emissivity[0], 1e-9))
    between = gather() @ solver.exchange_matrix[:7, :7] @ gather().T
    np.testing.assert_allclose(exchange.between(at)[0], between, atol=1e-6 * between.max())


@given(st.integers(0, 10_000), st.floats(0.0, 1.0))
@settings(max_examples=20, deadline=None)
def test_conserved(view, seed, part):
    """What one part gives the other receives, and no part gives more than it radiates, for any coating and pose."""
    paint = coatings(seed, 5)
    area = np.linspace(0.5, 1.5, 5)
    exchange = SurfaceExchange(view, np.array([0, 1, 0, 1, 1]), paint, area, 0.9)
    at = PoseWeights(np.array([[0, 1], [1, 0]]), np.array([[part, 1 - part], [0.5, 0.5]]))
    between = exchange.between(at)
    np.testing.assert_allclose(between, np.swapaxes(between, 1, 2), rtol=0, atol=1e-12)
    assert (between > -1e-12).all()
    radiated = (paint.emissivity * AREA) @ gather().T
    radiated[:, 0] *= 0.9 * area
    assert (between.sum(axis=2) <= radiated * (1 + 1e-9)).all()
    # light: no more is absorbed than arrives
    sunlight = np.full((2, 7), 100.0)
    arriving = 100.0 * AREA.sum() * np.maximum(area, 1.0)
    assert (exchange.absorbed(sunlight, 0 * sunlight, at).sum(axis=1) <= arriving).all()


def test_black_faces_only_exchange_what_they_see(view):
    """Without reflections K is the identity and 𝓕 is the view factor."""
    area = np.append(AREA, 1.0)
    black = np.ones(8)
    absorbed = band_absorption(view.exchange[0], area, black)
    np.testing.assert_allclose(absorbed, np.eye(8), atol=1e-12)


def test_interpolation_is_exact_for_cubics():
    x = np.linspace(0.0, 1.0, 11)
    weights = interpolation_weights(x)
    levels = 0.5 - 0.5 * np.cos(np.pi * np.arange(4) / 3.0)
    for power in range(4):
        np.testing.assert_allclose(weights @ levels**power, x**power, atol=1e-12)


def test_two_plates_by_hand():
    """Radiator before array, all else black and empty: 𝓕 of two gray faces from their resistances (Modest, ch. 5).

    A F is 3 m² between the radiator's front (12 m², ε 0.8) and the array's front (16 m², ε 0.5), the rest goes to
    space: three nodes, solved by hand with what each receives, H_1 = F_12 J_2 and H_2 = F_21 J_1.
    """
    table = ModuleView(GEOMETRY, FACES[:4], AREA[:4], 1.118, 8)
    table.exchange = np.zeros((1, 5, 5))
    table.exchange[0, 0, 2] = table.exchange[0, 2, 0] = 3.0
    table.insulated = np.zeros(1)
    paint = FaceCoatings(np.full((1, 4), 0.3), np.array([[0.8, 0.8, 0.5, 0.9]]))
    between = SurfaceExchange(table, np.zeros(1, int), paint, np.ones(1)).between(
        PoseWeights(np.array([[0]]), np.ones((1, 1)))
    )[0]
    f12, f21 = 3.0 / 12.0, 3.0 / 16.0
    # face 1 at σT⁴ = 1, face 2 cold: J1 = 0.8 + 0.2 F12 J2, J2 = 0.5 F21 J1
    j1 = 0.8 / (1.0 - 0.2 * f12 * 0.5 * f21)
    assert between[0, 1] == pytest.approx(16.0 * 0.5 * f21 * j1, rel=1e-6)
    assert between[0, 0] == pytest.approx(12.0 * 0.8 * f12 * 0.5 * f21 * j1, rel=1e-5)
    assert between[0, 2] == 0.0


@pytest.fixture(scope="module")
def runs(satellite):
    """Ten minutes into the eclipse, with surfaces that see each other and without."""
    return {
        choice: list(simulate(satellite("mission.duration=20 min", f"numerics.exchange={choice}")))
        for choice in ("surfaces", "none")
    }


def test_energy_in_a_run(runs):
    """Design bar 1e-6 of what is absorbed; no joule is lost between surfaces."""
    for ticks in runs.values():
        assert abs(ticks[-1].ledger.plant_residual) < 1e-7
        assert np.abs(ticks[-1].ledger.residual).max() < 1e-7
    assert all(t.groups[0].surface_exchange[0] == 0.0 for t in runs["none"])


def test_radiator_takes_heat_from_the_array(runs):
    """As large as view factors say: Σ X σT⁴ with the temperatures of the tick, and the radiator has less to spare."""
    tick = runs["surfaces"][0]
    gained = tick.groups[0].surface_exchange[0]
    radiated = 2 * 9.6 * 0.8 * STEFAN_BOLTZMANN * 310.0**4
    assert 0.005 * radiated < gained < 0.1 * radiated
    margins = {choice: ticks[-1].groups[0].margin[0] for choice, ticks in runs.items()}
    assert margins["none"] - 0.05 < margins["surfaces"] < margins["none"]
    # the array's back faces a warmer body than space
    warm = {choice: ticks[-1].groups[0].thermal.temperatures["array"][0] for choice, ticks in runs.items()}
    assert 0.1 < warm["surfaces"] - warm["none"] < 5.0


def test_array_in_the_shadow_of_the_radiator(satellite):
    """An array that keeps to zenith while a radiator stands across loses more of its power than of its sunlight."""
    case = satellite(
        "mission.duration=1 min",
        "module_classes.satellite.solar_array.orientation=zenith",
        "module_classes.satellite.radiator.orientation=ram",
        "module_classes.satellite.radiator.width=6 m",
        "module_classes.satellite.radiator.height=2 m",
        "module_classes.satellite.radiator.tubes.count=6",
    )
    plant = Plant.build(case)
    group = plant.groups[0]
    ticks = list(plant.track.ticks(0.0, plant.orbits[0].period))[::12]
    faces = [t.faces[0] for t in ticks if t.faces[0].cell_flux[0] > 100.0]
    area = np.array([f.direct[0, 2] / f.cell_flux[0] for f in faces])
    strings = np.array([f.strings[0] for f in faces])
    assert area.min() < 0.95 and (area <= 1.0 + 1e-12).all()
    assert (strings <= area + 0.01).all() and strings.min() < area.min() - 0.03
    power, bright = (
        np.array([group.array_point(f).power[0] for f in each])
        for each in (faces, [replace(f, strings=1.0) for f in faces])
    )
    some = bright > 10.0
    np.testing.assert_allclose((power / np.maximum(bright, 1.0))[some], strings[some], rtol=0.01)


def test_means_over_an_orbit_start_the_run(satellite):
    """The balance a run starts from holds the exchange of the whole orbit."""
    simulation = Simulation(Plant.build(satellite("mission.duration=1 min")))
    simulation.settle()
    temperature = simulation.plant.groups[0].temperature
    assert temperature["array_back"][0] < temperature["array"][0]
    assert 250.0 < temperature["panel_mean"][0] < 320.0
