"""Environment sets, view factors of the Earth and incident fluxes."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.attitude import face_normals
from twin.environment import (
    ENVIRONMENT_SETS,
    EnvironmentSet,
    EnvironmentSetError,
    earth_view_factor,
    incident_fluxes,
    tabulate_albedo,
)
from twin.kepler import SecularElements
from twin.orbit import EARTH_RADIUS, Orbit
from twin.shadow import eclipse_events, illuminated_fraction
from twin.sun import days_since_j2000, sun_position

EPOCH = datetime(2026, 6, 21, tzinfo=UTC)
CUBE = ["ram", "wake", "orbit_normal", "anti_orbit_normal", "nadir", "zenith"]


@pytest.mark.parametrize(
    ("altitude", "nadir", "edge_on"),
    [(700e3, 0.81199, 0.23287), (750e3, 0.80064, 0.22550), (800e3, 0.78952, 0.21853)],
)
def test_view_factors_of_the_reference_table(altitude, nadir, edge_on):
    """Reference data of the project (closed forms): nadir 1/H^2 and edge-on plates, five digits."""
    ratio = 1.0 + altitude / EARTH_RADIUS
    assert float(earth_view_factor(ratio, 0.0)) == pytest.approx(nadir, abs=5.1e-6)
    assert float(earth_view_factor(ratio, 0.5 * math.pi)) == pytest.approx(edge_on, abs=5.1e-6)


def test_plate_at_three_radii():
    """Verification case 'view factors': a plate facing a sphere of radius R from 3R sees 1/9 of it."""
    assert float(earth_view_factor(3.0, 0.0)) == pytest.approx(1.0 / 9.0, abs=1e-15)


@pytest.mark.parametrize("tilt", [0.3, 0.7, 1.1, 1.5707, 2.0, 2.4, 2.65])
@pytest.mark.parametrize("ratio", [1.05, 1.1176, 1.5, 4.0])
def test_view_factor_by_quadrature(ratio, tilt):
    """Independent integral of cosine over pi, over the part of the Earth's disk before the plate."""
    limb = math.asin(1.0 / ratio)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    angle, azimuth = 0.5 * limb * (nodes + 1.0), 0.5 * math.pi * (nodes + 1.0)
    cosine = np.cos(angle)[:, None] * math.cos(tilt) + np.sin(angle)[:, None] * math.sin(tilt) * np.cos(
        azimuth
    )
    integrand = np.maximum(cosine, 0.0) * np.sin(angle)[:, None] / math.pi
    # Half of the azimuths, twice; a Jacobian of limb/2 and pi/2 from the Gauss intervals.
    reference = 2.0 * (weights @ integrand @ weights) * 0.5 * limb * 0.5 * math.pi
    assert float(earth_view_factor(ratio, tilt)) == pytest.approx(reference, abs=2e-6)


@settings(max_examples=200, deadline=None)
@given(st.floats(1.0001, 50.0), st.floats(0.0, math.pi))
def test_view_factor_bounds_and_balance(ratio, tilt):
    """Properties: 0 to 1/H^2; the sides of a plate differ by the flux vector of a sphere, 1/H^2."""
    front, back = float(earth_view_factor(ratio, tilt)), float(earth_view_factor(ratio, math.pi - tilt))
    assert 0.0 <= front <= 1.0 / ratio**2 + 1e-12
    assert front - back == pytest.approx(math.cos(tilt) / ratio**2, abs=1e-7)


def test_named_sets():
    """ISS design sets, SSP 41000: solar, albedo, Earth infrared; the nominal set is scaled."""
    assert EnvironmentSet.named("cold") == EnvironmentSet(1321.0, 0.20, 206.0, scaled_with_distance=False)
    assert EnvironmentSet.named("mean") == EnvironmentSet(1371.0, 0.31, 241.0, scaled_with_distance=False)
    assert EnvironmentSet.named("hot") == EnvironmentSet(1423.0, 0.40, 286.0, scaled_with_distance=False)
    assert ENVIRONMENT_SETS["nominal"].scaled_with_distance
    with pytest.raises(EnvironmentSetError, match="nominal, mean, hot, cold"):
        EnvironmentSet.named("warm")


def test_solar_flux_through_the_year():
    """Reference data of the project: 1361 W/m2 at 1 au is 1317 in July and 1408 in January."""
    _, distance = sun_position(days_since_j2000(datetime(2026, 1, 1, tzinfo=UTC)) + np.arange(365.0))
    flux = EnvironmentSet.named("nominal").solar_flux_at(distance)
    assert flux.min() == pytest.approx(1317.0, abs=0.6)
    assert flux.max() == pytest.approx(1408.0, abs=0.6)
    assert 180 <= int(flux.argmin()) <= 188
    assert int(flux.argmax()) <= 5
    np.testing.assert_array_equal(EnvironmentSet.named("hot").solar_flux_at(distance), 1423.0)


@pytest.mark.parametrize("values", [(-1.0, 0.3, 240.0), (1361.0, 1.3, 240.0), (1361.0, 0.3, math.nan)])
def test_impossible_sets_are_refused(values):
    """Negative flux, an albedo above one, a value that is not a number."""
    with pytest.raises(EnvironmentSetError, match="expected"):
        EnvironmentSet(*values)


def _cube_in_orbit():
    """Orbit of the published case: 300 km above 6370 km, Keplerian, Sun in the orbital plane."""
    epoch = datetime(2026, 3, 20, 14, 46, tzinfo=UTC)
    direction, _ = sun_position(days_since_j2000(epoch))
    node = math.atan2(direction[0, 1], direction[0, 0])
    elements = SecularElements(epoch, 6670e3, 0.0, math.radians(51.6), node, 0.0, 0.0, j2=0.0)
    return Orbit(elements, epoch)


def test_cube_in_orbit():
    """Verification case 'cube in orbit': black 0.5 m cube, 300 km, S 1370, Earth 288 K, emissivity 0.6.

    Expected: period 5424 s, eclipse 2192 s, 126.9 W of Earth infrared (constant), at most 484 W of sun.
    """
    orbit = _cube_in_orbit()
    assert orbit.period == pytest.approx(5424.0, rel=5e-3)
    events = eclipse_events(orbit, 0.0, orbit.period, "cylindrical", earth_radius=6370e3)
    assert events.duration[0] == pytest.approx(2192.0, rel=5e-3)
    exitance = 0.6 * 5.670374419e-8 * 288.0**4
    environment = EnvironmentSet(1370.0, 0.3, exitance, scaled_with_distance=False)
    states = orbit.propagate(np.arange(0.0, orbit.period, 2.0))
    fluxes = incident_fluxes(states, face_normals(CUBE, states), environment, earth_radius=6370e3)
    infrared = 0.25 * fluxes.earth_infrared.sum(axis=1)
    np.testing.assert_allclose(infrared, 126.9, rtol=5e-3)
    assert 0.25 * fluxes.solar.sum(axis=1).max() == pytest.approx(484.0, rel=5e-3)


def test_fluxes_of_a_face_to_the_sun():
    """In sunlight a face to the Sun gets the solar flux, its back none; in the umbra both get none."""
    orbit = Orbit.from_altitude(750e3, 18.0, EPOCH)
    events = eclipse_events(orbit, 0.0, 6000.0)
    lit, dark = events.penumbra_entry[0] - 100.0, events.middle[0]
    environment = EnvironmentSet.named("nominal")
    states = orbit.propagate([lit, dark])
    fluxes = incident_fluxes(states, face_normals(["sun", "anti_sun"], states), environment)
    assert fluxes.solar[0, 0] == pytest.approx(float(environment.solar_flux_at(states.sun_distance[0])))
    assert fluxes.solar[0, 1] == 0.0
    np.testing.assert_array_equal(fluxes.solar[1], 0.0)
    np.testing.assert_array_equal(fluxes.sunlight, fluxes.solar + fluxes.albedo)


def test_edge_on_panel_has_no_sun_and_little_earth():
    """An edge-on panel: no direct sun; the edge-on view factor times 240 W/m2 on both of its sides."""
    orbit = Orbit.from_altitude(750e3, 18.0, EPOCH)
    states = orbit.propagate(np.linspace(0.0, 6000.0, 61))
    fluxes = incident_fluxes(
        states, face_normals(["edge_on", "anti_edge_on"], states), EnvironmentSet.named("nominal")
    )
    np.testing.assert_allclose(fluxes.solar, 0.0, atol=1e-9)
    np.testing.assert_allclose(fluxes.earth_infrared, 240.0 * 0.22550, rtol=3e-5)


def test_albedo_along_the_terminator():
    """Reference data of the project: 3.716 W/m2 on an edge-on panel, here at beta of 87 degrees.

    A cosine law at the sub-satellite point would give none on half of the orbit.
    """
    orbit = Orbit.from_altitude(750e3, 18.0, datetime(2026, 2, 26, tzinfo=UTC))
    states = orbit.propagate(np.linspace(0.0, orbit.period, 61))
    environment = EnvironmentSet(1361.0, 0.3, 240.0, scaled_with_distance=False)
    fluxes = incident_fluxes(states, face_normals(["edge_on"], states), environment)
    assert fluxes.albedo.mean() == pytest.approx(3.716, rel=0.1)
    assert fluxes.albedo.min() > 1.5


def test_table_and_integral_give_the_same_fluxes():
    """The fast path over a day in the season, circular and eccentric: 0.02 W/m2."""
    environment = EnvironmentSet.named("hot")
    for eccentricity in (0.0, 0.002):
        orbit = Orbit.from_altitude(750e3, 18.0, EPOCH, eccentricity=eccentricity)
        states = orbit.propagate(np.arange(0.0, 86400.0, 60.0))
        normals = face_normals([*CUBE, "sun", "edge_on", [0.3, -0.5, 0.8]], states)
        exact = incident_fluxes(states, normals, environment)
        table = tabulate_albedo(orbit, 0.0, 86400.0)
        fast = incident_fluxes(states, normals, environment, albedo_table=table)
        np.testing.assert_allclose(fast.albedo, exact.albedo, atol=0.02)
        np.testing.assert_array_equal(fast.solar, exact.solar)


def test_given_illumination_is_used():
    """The caller's shadow replaces the computed one."""
    orbit = Orbit.from_altitude(750e3, 18.0, EPOCH)
    states = orbit.propagate(np.arange(0.0, 6000.0, 30.0))
    normals, environment = face_normals(["sun"], states), EnvironmentSet.named("mean")
    light = illuminated_fraction(states.position, states.sun_direction, "cylindrical")
    fluxes = incident_fluxes(states, normals, environment, illumination=light)
    np.testing.assert_allclose(fluxes.solar[:, 0], 1371.0 * light, rtol=1e-12)


def test_closed_body_receives_the_flux_of_a_sphere():
    """Property: averaged over all orientations, a face gets a quarter of a sphere's flux."""
    orbit = Orbit.from_altitude(750e3, 18.0, EPOCH)
    states = orbit.propagate([0.0])
    generator = np.random.default_rng(5)
    directions = generator.normal(size=(40_000, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    environment = EnvironmentSet.named("mean")
    fluxes = incident_fluxes(states, directions[None], environment)
    ratio = float(states.radius[0]) / EARTH_RADIUS
    # Solid angle of the Earth over pi is the sphere's factor; a quarter of it is the mean over faces.
    expected = 241.0 * 2.0 * (1.0 - math.sqrt(1.0 - 1.0 / ratio**2)) / 4.0
    assert fluxes.earth_infrared.mean() == pytest.approx(expected, rel=0.01)
    assert fluxes.solar.mean() == pytest.approx(1371.0 / 4.0, rel=0.02)


def test_shapes_are_checked():
    """Normals of another number of states are refused."""
    orbit = Orbit.from_altitude(750e3, 18.0, EPOCH)
    states = orbit.propagate([0.0, 10.0])
    with pytest.raises(ValueError, match=r"expected \(2, faces, 3\)"):
        incident_fluxes(states, np.zeros((1, 2, 3)), EnvironmentSet.named("mean"))
