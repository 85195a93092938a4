"""Sun-synchronous and Keplerian orbits against published numbers and analytic properties."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.kepler import EARTH_J2, SecularElements, solve_kepler, sun_synchronous_inclination
from twin.orbit import EARTH_GRAVITATIONAL_PARAMETER, EARTH_RADIUS, TROPICAL_YEAR, Orbit
from twin.shadow import beta_angle
from twin.sun import days_since_j2000, mean_sun_right_ascension

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("altitude", "inclination", "period", "lowest", "highest"),
    [
        (700e3, 98.19, 98.77, 58.4, 86.9),
        (750e3, 98.39, 99.82, 58.2, 86.9),
        (800e3, 98.60, 100.87, 58.0, 86.8),
    ],
)
def test_sun_synchronous_table(altitude, inclination, period, lowest, highest):
    """Reference table of the project (Vallado's J2 forms), LTAN 18: inclination, period, beta."""
    orbit = Orbit.from_altitude(altitude, 18.0, EPOCH)
    assert math.degrees(orbit.inclination) == pytest.approx(inclination, abs=0.0055)
    assert orbit.period / 60.0 == pytest.approx(period, abs=0.0055)
    beta = np.degrees(beta_angle(orbit.propagate(np.arange(0.0, TROPICAL_YEAR, 7200.0))))
    assert beta.min() == pytest.approx(lowest, abs=0.06)
    assert beta.max() == pytest.approx(highest, abs=0.06)


def test_dawn_node_mirrors_beta():
    """Reference table of the project: with LTAN 06 beta runs from about -90 to about -58 degrees."""
    orbit = Orbit.from_altitude(750e3, 6.0, EPOCH)
    beta = np.degrees(beta_angle(orbit.propagate(np.arange(0.0, TROPICAL_YEAR, 7200.0))))
    assert beta.min() == pytest.approx(-90.0, abs=0.2)
    assert beta.max() == pytest.approx(-58.2, abs=0.1)


def test_inclination_of_landsat():
    """USGS, Landsat 8 handbook: 705 km at the equator, sun-synchronous at 98.2 degrees, period 99 minutes."""
    assert math.degrees(sun_synchronous_inclination(705e3)) == pytest.approx(98.2, abs=0.05)


def test_local_mean_time_of_the_node_is_kept():
    """Definition: the node's hour angle from the mean Sun stays at LTAN, a year after the epoch too."""
    orbit = Orbit.from_altitude(750e3, 10.5, EPOCH)
    for days in (0.0, 180.0, 365.0):
        # At a crossing of the equator the position is along the node.
        time = days * 86400.0 + np.linspace(0.0, 2.0 * orbit.nodal_period, 20001)
        states = orbit.propagate(time)
        z = states.position[:, 2]
        crossing = int(np.flatnonzero((z[:-1] < 0.0) & (z[1:] >= 0.0))[0])
        position = states.position[crossing]
        mean_sun = float(mean_sun_right_ascension(days_since_j2000(EPOCH) + time[crossing] / 86400.0))
        angle = math.atan2(position[1], position[0]) - mean_sun
        hours = (12.0 + angle * 12.0 / math.pi) % 24.0
        assert hours == pytest.approx(10.5, abs=0.01)


def test_local_time_of_the_node_of_a_real_satellite():
    """RADARSAT-2: ascending node at 18:00 local time (Canadian Space Agency), held within minutes."""
    orbit = Orbit.from_tle(
        "1 32382U 07061A   26045.51879905  .00000009  00000+0  20529-4 0  9993",
        "2 32382  98.5813  54.1883 0001160  83.1201 277.0113 14.29981438948423",
    )
    assert orbit.local_time_of_node(0.0) == pytest.approx(18.0, abs=0.1)
    assert Orbit.from_altitude(700e3, 6.25, EPOCH).local_time_of_node(9e4) == pytest.approx(6.25, abs=1e-3)


def test_starts_at_the_ascending_node_and_returns_after_a_nodal_period():
    """Definition of phase zero and of the nodal period."""
    orbit = Orbit.from_altitude(750e3, 18.0, EPOCH)
    states = orbit.propagate([0.0, orbit.nodal_period])
    assert states.position[:, 2] == pytest.approx([0.0, 0.0], abs=1.0)
    assert np.all(states.velocity[:, 2] > 0.0)
    assert orbit.nodal_period == pytest.approx(orbit.period, rel=2e-3)
    assert orbit.nodal_period > orbit.period


def test_node_rate_of_the_space_station_class():
    """Vallado (4th ed.), section 9.4: 51.6 degrees at 400 km drifts about -5.0 degrees a day."""
    elements = SecularElements(EPOCH, EARTH_RADIUS + 400e3, 0.0, math.radians(51.6), 0.0, 0.0, 0.0)
    assert math.degrees(elements.node_rate) * 86400.0 == pytest.approx(-5.0, abs=0.05)
    critical = SecularElements(EPOCH, 26_600e3, 0.7, math.acos(math.sqrt(0.2)), 0.0, 0.0, 0.0)
    assert critical.perigee_rate == pytest.approx(0.0, abs=1e-18)  # critical inclination 63.43 degrees


def test_kepler_equation_of_vallado():
    """Vallado (4th ed.), example 2-1: M = 235.4 degrees, e = 0.4, E = 220.512074767522 degrees."""
    found = float(solve_kepler(math.radians(235.4), 0.4))
    assert math.degrees(found) == pytest.approx(220.512074767522, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.floats(-50.0, 50.0), st.floats(0.0, 0.97))
def test_kepler_equation_is_solved(mean_anomaly, eccentricity):
    """Property: the solution satisfies E - e sin E = M, on the right revolution."""
    found = float(solve_kepler(mean_anomaly, eccentricity))
    assert found - eccentricity * math.sin(found) == pytest.approx(mean_anomaly, abs=1e-11)


def test_state_to_elements_of_vallado():
    """Vallado (4th ed.), example 2-5: position and velocity to classical elements (p = 11 067.790 km ...)."""
    position = 1e3 * np.array([6524.834, 6862.875, 6448.296])
    velocity = 1e3 * np.array([4.901327, 5.533756, -1.976341])
    elements = Orbit.from_state(position, velocity, EPOCH, j2=0.0).propagator
    assert isinstance(elements, SecularElements)
    assert elements.semi_major_axis == pytest.approx(36_127.343e3, rel=2e-6)
    assert elements.eccentricity == pytest.approx(0.832853, abs=2e-6)
    assert math.degrees(elements.inclination) == pytest.approx(87.870, abs=1e-3)
    assert math.degrees(elements.node) == pytest.approx(227.898, abs=1e-3)
    assert math.degrees(elements.argument_of_perigee) == pytest.approx(53.38, abs=1e-2)


@settings(max_examples=50, deadline=None)
@given(
    st.floats(0.0, 0.3),
    st.floats(0.0, math.pi),
    st.floats(0.0, 6.28),
    st.floats(0.0, 6.28),
    st.floats(0.0, 6.28),
)
def test_elements_and_state_are_inverse(eccentricity, inclination, node, perigee, anomaly):
    """Property: the orbit through a state passes through it, and keeps energy and momentum (no J2)."""
    elements = SecularElements(EPOCH, 11e6, eccentricity, inclination, node, perigee, anomaly, j2=0.0)
    time = np.linspace(0.0, 2e4, 7)
    position, velocity = elements.position_velocity(time)
    again = Orbit.from_state(position[0], velocity[0], EPOCH, j2=0.0).propagate(time)
    np.testing.assert_allclose(again.position, position, atol=0.2)
    energy = 0.5 * np.sum(velocity**2, axis=1) - EARTH_GRAVITATIONAL_PARAMETER / again.radius
    np.testing.assert_allclose(energy, -0.5 * EARTH_GRAVITATIONAL_PARAMETER / 11e6, rtol=1e-9)
    momentum = np.cross(position, velocity)
    np.testing.assert_allclose(momentum - momentum[0], 0.0, atol=1e-9 * np.linalg.norm(momentum[0]))


def test_velocity_is_the_derivative_of_position():
    """Central difference of the position, with J2 drift and eccentricity."""
    elements = SecularElements(EPOCH, 7.2e6, 0.02, 1.7, 0.4, 1.1, 0.3, j2=EARTH_J2)
    time, step = np.linspace(0.0, 86400.0, 50), 0.5
    before, _ = elements.position_velocity(time - step)
    after, _ = elements.position_velocity(time + step)
    _, velocity = elements.position_velocity(time)
    np.testing.assert_allclose(velocity, (after - before) / (2.0 * step), atol=2e-3)


def test_shifted_leads_along_the_same_orbit():
    """A shift by 90 degrees is the same motion a quarter of a period earlier (circular orbit, no J2)."""
    elements = SecularElements(EPOCH, 7.1e6, 0.0, 1.7, 0.4, 0.0, 0.0, j2=0.0)
    orbit = Orbit(elements, EPOCH)
    ahead = orbit.shifted(0.5 * math.pi).propagate([0.0, 100.0])
    later = orbit.propagate(np.array([0.0, 100.0]) + 0.25 * orbit.period)
    np.testing.assert_allclose(ahead.position, later.position, atol=1e-2)


def test_starting_moves_the_clock_and_not_the_satellite():
    """The same instant gives the same state whichever epoch seconds are counted from."""
    orbit = Orbit.from_altitude(750e3, 18.0, EPOCH)
    later = orbit.starting(datetime(2026, 6, 21, tzinfo=UTC))
    offset = orbit.seconds_at(later.epoch)
    a, b = orbit.propagate([offset + 1234.0]), later.propagate([1234.0])
    np.testing.assert_allclose(a.position, b.position, atol=1e-3)
    np.testing.assert_allclose(a.sun_direction, b.sun_direction, atol=1e-12)
    assert later.instant_at(0.0) == later.epoch


def test_chunks_cover_the_span_once():
    """Chunked states are the states: same times, none twice, the end excluded."""
    orbit = Orbit.from_altitude(750e3, 18.0, EPOCH)
    parts = list(orbit.chunks(5.0, 1005.0, 10.0, chunk_size=33))
    np.testing.assert_allclose(np.concatenate([part.time for part in parts]), np.arange(5.0, 1005.0, 10.0))
    assert max(len(part) for part in parts) == 33
    whole = orbit.propagate(np.arange(5.0, 1005.0, 10.0))
    np.testing.assert_allclose(np.concatenate([part.position for part in parts]), whole.position, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((750e3, 64800.0), "clock reading in hours"),
        ((750.0, 18.0), "given in metres"),
        ((9000e3, 18.0), "150 to 5970 km"),
    ],
)
def test_wrong_units_are_refused(arguments, message):
    """Altitude in kilometres or local time in seconds is caught."""
    with pytest.raises(ValueError, match=message):
        Orbit.from_altitude(*arguments, EPOCH)


def test_open_and_impossible_orbits_are_refused():
    """Escape velocity, a perigee in the atmosphere, a negative size, and a step that is not positive."""
    with pytest.raises(ValueError, match="closed orbit"):
        Orbit.from_state([7e6, 0.0, 0.0], [0.0, 12e3, 0.0], EPOCH)
    with pytest.raises(ValueError, match="perigee"):
        Orbit.from_altitude(750e3, 18.0, EPOCH, eccentricity=0.12)
    with pytest.raises(ValueError, match="semi-major axis"):
        SecularElements(EPOCH, -6.0e6, 0.0, 1.0, 0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="positive interval"):
        next(Orbit.from_altitude(750e3, 18.0, EPOCH).chunks(0.0, 1.0, 0.0))
