"""Shadow of the Earth against Orekit, closed forms, brute force and the project's reference table."""

import math
import warnings
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.kepler import SecularElements
from twin.orbit import EARTH_RADIUS, TROPICAL_YEAR, Orbit
from twin.shadow import (
    beta_angle,
    critical_beta_angle,
    cylindrical_eclipse_duration,
    eclipse_events,
    illuminated_fraction,
)
from twin.sun import ASTRONOMICAL_UNIT, SOLAR_RADIUS

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
SUN = np.array([1.0, 0.0, 0.0])


def _orekit_orbit(polar: bool) -> Orbit:
    """Orbit of Orekit's EclipseDetectorTest, its GCRF state turned to TEME of date by astropy."""
    coordinates = pytest.importorskip("astropy.coordinates")
    from astropy import units
    from astropy.time import Time
    from astropy.utils import iers

    time = Time("1969-07-28T04:00:00", scale="tt")
    with (
        iers.conf.set_temp("auto_download", False),
        iers.conf.set_temp("iers_degraded_accuracy", "ignore"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        axes = coordinates.GCRS(
            coordinates.CartesianRepresentation(7e6 * np.eye(3) * units.m), obstime=time
        ).transform_to(coordinates.TEME(obstime=time))
        rotation = axes.cartesian.xyz.to_value("m") / 7e6
    position = np.array([-6142438.668, 3492467.560, -25767.25680])
    velocity = np.array([505.8479685, 942.7809215, 7435.922231])
    if polar:  # the same elements with an inclination of 90 degrees in GCRF
        orbit = Orbit.from_state(position, velocity, EPOCH, j2=0.0, gravitational_parameter=3.9860047e14)
        elements = orbit.propagator
        elements = SecularElements(
            **{
                **{name: getattr(elements, name) for name in elements.__dataclass_fields__},
                "inclination": 0.5 * math.pi,
            }
        )
        place, speed = elements.position_velocity(np.zeros(1))
        position, velocity = place[0], speed[0]
    # TT - UTC is about 39 s in 1969; the package's constant 69.184 s then gives the Sun at the right TT.
    epoch = datetime(1969, 7, 28, 3, 58, 50, 816000, tzinfo=UTC)
    return Orbit.from_state(
        rotation @ position, rotation @ velocity, epoch, j2=0.0, gravitational_parameter=3.9860047e14
    )


def test_published_eclipse_of_orekit():
    """Orekit, EclipseDetectorTest: umbra entry at 2303.1835 s, penumbra exit at 4388.155852 s.

    Radii of that case: Sun 696 000 km, Earth 6400 km. Orekit takes the Sun's geometric place; ours has
    20.5" of aberration, which is up to 0.1 s of orbital motion.
    """
    events = eclipse_events(
        _orekit_orbit(polar=False), 0.0, 6000.0, earth_radius=6_400_000.0, solar_radius=696_000_000.0
    )
    assert len(events) == 1
    assert events.umbra_entry[0] == pytest.approx(2303.1835, abs=0.12)
    assert events.penumbra_exit[0] == pytest.approx(4388.155852, abs=0.12)


def test_published_polar_eclipses_of_orekit():
    """Orekit, EclipseDetectorTest.testPolar, spherical Earth: five umbra events in 15 000 s."""
    events = eclipse_events(_orekit_orbit(polar=True), 0.0, 15000.0, solar_radius=696_000_000.0)
    np.testing.assert_allclose(events.umbra_entry, [2274.702, 8189.250, 14103.800], atol=0.15)
    np.testing.assert_allclose(events.umbra_exit[:2], [4317.155, 10232.115], atol=0.15)


@pytest.mark.parametrize(
    ("altitude", "first", "last", "days", "longest", "umbra", "penumbra", "hours"),
    [
        (700e3, (5, 9), (8, 3), 86, 18.78, 18.34, 19.22, 312),
        (750e3, (5, 12), (7, 31), 81, 17.83, 17.37, 18.29, 276),
        (800e3, (5, 14), (7, 29), 76, 16.89, 16.40, 17.38, 243),
    ],
)
def test_eclipse_season_table(altitude, first, last, days, longest, umbra, penumbra, hours):
    """Reference table of the project, LTAN 18: season, longest eclipse, dark hours.

    The table takes the Keplerian period; the flattening of the Earth makes a revolution, and an eclipse,
    0.12 % longer, hence 0.035 min.
    """
    orbit = Orbit.from_altitude(altitude, 18.0, EPOCH)
    events = eclipse_events(orbit, 0.0, TROPICAL_YEAR, "cylindrical")
    start, end = orbit.instant_at(events.middle[0]), orbit.instant_at(events.middle[-1])
    assert (start.month, start.day) == first
    assert (end.month, end.day) == last
    assert (end - start).total_seconds() / 86400.0 == pytest.approx(days, abs=0.75)
    assert events.duration.max() / 60.0 == pytest.approx(longest, abs=0.035)
    assert events.duration.sum() / 3600.0 == pytest.approx(hours, abs=1.0)
    longest_at = orbit.instant_at(events.middle[events.duration.argmax()])
    assert (longest_at.month, longest_at.day) in ((6, 20), (6, 21), (6, 22))
    conical = eclipse_events(orbit, 0.0, TROPICAL_YEAR, "conical")
    assert conical.umbra_duration.max() / 60.0 == pytest.approx(umbra, abs=0.035)
    assert conical.duration.max() / 60.0 == pytest.approx(penumbra, abs=0.035)


@pytest.mark.parametrize(("altitude", "critical"), [(700e3, 64.30), (750e3, 63.48), (800e3, 62.69)])
def test_critical_beta_angle(altitude, critical):
    """Reference table of the project: asin(R/a)."""
    assert math.degrees(critical_beta_angle(EARTH_RADIUS + altitude)) == pytest.approx(critical, abs=0.005)


def test_eclipse_of_the_cube_case():
    """Verification case 'cube in orbit': 300 km, R = 6370 km, Sun in the plane: eclipse 2192 s."""
    assert float(cylindrical_eclipse_duration(0.0, 6670e3, 5424.0, 6370e3)) == pytest.approx(2192.0, abs=1.0)


def test_events_agree_with_the_closed_form_of_a_circular_orbit():
    """Gilmore (2002): (T/pi) acos[sqrt(a2 - R2)/(a cos beta)], for a fixed plane and cylindrical shadow."""
    elements = SecularElements(EPOCH, 7128e3, 0.0, 1.2, 0.7, 0.0, 0.0, j2=0.0)
    orbit = Orbit(elements, EPOCH)
    events = eclipse_events(orbit, 0.0, 86400.0, "cylindrical")
    beta = beta_angle(orbit.propagate(events.middle))
    expected = cylindrical_eclipse_duration(beta, 7128e3, orbit.period)
    # The shadow follows the Sun: relative to it a revolution takes longer by up to T / year = 1.9e-4.
    np.testing.assert_allclose(events.duration / expected - 1.0, 1.9e-4, atol=0.2e-4)


@pytest.mark.parametrize("model", ["conical", "cylindrical"])
def test_contacts_are_where_the_light_changes(model):
    """Consistency: around each contact the illuminated fraction leaves 1, or reaches 0."""
    orbit = Orbit.from_altitude(750e3, 18.0, datetime(2026, 6, 10, tzinfo=UTC), eccentricity=0.01)
    events = eclipse_events(orbit, 0.0, 30_000.0, model)

    def light(seconds):
        states = orbit.propagate(seconds)
        return illuminated_fraction(
            states.position, states.sun_direction, model, sun_distance=states.sun_distance
        )

    for outer, inner, sign in (
        (events.penumbra_entry, events.umbra_entry, 1.0),
        (events.penumbra_exit, events.umbra_exit, -1.0),
    ):
        np.testing.assert_array_equal(light(outer - sign * 1e-4), 1.0)
        assert np.all(light(outer + sign * 0.05) < 1.0)
        np.testing.assert_array_equal(light(inner + sign * 1e-4), 0.0)
        assert np.all(light(inner - sign * 0.05) > 0.0)


def test_grazing_eclipses_are_not_missed():
    """Dense sampling near the edge of the season finds no shadow that the event search did not."""
    orbit = Orbit.from_altitude(750e3, 18.0, EPOCH)
    year = eclipse_events(orbit, 0.0, TROPICAL_YEAR)
    assert year.duration[0] < 120.0  # shorter than the sampling step of the search
    first = year.penumbra_entry[0]
    time = np.arange(first - 3.0 * orbit.period, first + 2.0 * orbit.period, 0.25)
    states = orbit.propagate(time)
    dark = illuminated_fraction(states.position, states.sun_direction, sun_distance=states.sun_distance) < 1.0
    starts = time[1:][dark[1:] & ~dark[:-1]]
    expected = year.penumbra_entry[year.penumbra_entry < time[-1]]
    np.testing.assert_allclose(starts, expected, atol=0.26)


def test_partial_eclipses_have_no_umbra():
    """At the edge of the season the Sun is only partly covered: umbra times are NaN, its duration zero."""
    orbit = Orbit.from_altitude(750e3, 18.0, EPOCH)
    events = eclipse_events(orbit, 0.0, TROPICAL_YEAR)
    assert np.isnan(events.umbra_entry[0])
    assert events.umbra_duration[0] == 0.0
    total = ~np.isnan(events.umbra_entry)
    assert 0 < np.count_nonzero(~total) < 100
    assert np.all(events.penumbra_entry[total] < events.umbra_entry[total])
    assert np.all(events.umbra_entry[total] < events.middle[total])
    assert np.all(events.middle[total] < events.umbra_exit[total])
    assert np.all(events.umbra_exit[total] < events.penumbra_exit[total])


def test_an_eclipse_across_the_span_is_given_whole():
    """A span that starts in mid-eclipse reports the true entry; boundaries are those inside."""
    orbit = Orbit.from_altitude(750e3, 18.0, datetime(2026, 6, 21, tzinfo=UTC))
    whole = eclipse_events(orbit, 0.0, 6000.0)
    cut = eclipse_events(orbit, float(whole.middle[0]), 6000.0)
    assert cut.penumbra_entry[0] == pytest.approx(whole.penumbra_entry[0], abs=1e-5)
    assert cut.boundaries.min() > whole.middle[0]
    assert cut.boundaries.size == 2 + 4 * (len(cut) - 1)


def test_no_eclipse_outside_the_season():
    """Continuous light in March."""
    orbit = Orbit.from_altitude(750e3, 18.0, datetime(2026, 3, 1, tzinfo=UTC))
    events = eclipse_events(orbit, 0.0, 86400.0)
    assert len(events) == 0
    assert events.boundaries.size == 0


def _sampled_fraction(position, distance, count=1500):
    """Share of the Sun's apparent disk that the Earth does not hide, by rays over the spherical cap."""
    to_sun = SUN * distance - position
    size = np.linalg.norm(to_sun)
    axis = to_sun / size
    radius = math.asin(SOLAR_RADIUS / size)
    # Equal areas on the cap: uniform in cosine and in azimuth.
    cosine = 1.0 - (1.0 - math.cos(radius)) * (np.arange(count) + 0.5) / count
    azimuth = 2.0 * math.pi * (np.arange(count) + 0.5) / count
    first = np.cross(axis, [0.0, 0.0, 1.0])
    first /= np.linalg.norm(first)
    second = np.cross(axis, first)
    sine = np.sqrt(1.0 - cosine**2)[:, None]
    rays = (
        cosine[:, None, None] * axis
        + (sine * np.cos(azimuth))[..., None] * first
        + (sine * np.sin(azimuth))[..., None] * second
    )
    along = rays @ -position
    hits = (along > 0.0) & (position @ position - along**2 < EARTH_RADIUS**2)
    return 1.0 - hits.mean()


@pytest.mark.parametrize("depth", [-0.9, -0.5, 0.0, 0.3, 0.8])
@pytest.mark.parametrize("radius", [7128e3, 42164e3])
def test_fraction_is_the_share_of_the_disk(depth, radius):
    """Brute force: two million rays to a uniform disk, against the closed form of the overlap of two caps."""
    earth, sun = math.asin(EARTH_RADIUS / radius), math.asin(SOLAR_RADIUS / (ASTRONOMICAL_UNIT + radius))
    angle = math.pi - (earth + depth * sun)
    position = radius * np.array([math.cos(angle), math.sin(angle), 0.0])
    found = float(illuminated_fraction(position, SUN, sun_distance=ASTRONOMICAL_UNIT)[0])
    assert 0.0 < found < 1.0
    assert found == pytest.approx(_sampled_fraction(position, ASTRONOMICAL_UNIT), abs=1.5e-3)


def test_ring_of_sun_beyond_the_umbra():
    """Past the apex of the umbra (1.38 million km) a ring is left: 1 - (ratio of apparent radii) squared."""
    position = np.array([-1.6e9, 0.0, 0.0])
    found = float(illuminated_fraction(position, SUN)[0])
    assert found == pytest.approx(_sampled_fraction(position, ASTRONOMICAL_UNIT), abs=1e-3)
    assert 0.1 < found < 0.5


@settings(max_examples=200, deadline=None)
@given(st.floats(6.6e6, 5e7), st.floats(0.0, math.pi), st.floats(0.0, 6.28))
def test_fraction_is_bounded_and_symmetric_about_the_sun(radius, angle, turn):
    """Properties: between 0 and 1; the same at every point of a circle about the Sun's axis; light by day."""
    here = radius * np.array([math.cos(angle), math.sin(angle), 0.0])
    there = radius * np.array(
        [math.cos(angle), math.sin(angle) * math.cos(turn), math.sin(angle) * math.sin(turn)]
    )
    fractions = illuminated_fraction(np.stack([here, there]), SUN)
    assert np.all((fractions >= 0.0) & (fractions <= 1.0))
    assert fractions[0] == pytest.approx(fractions[1], abs=1e-6)
    if angle < 0.5 * math.pi:
        assert fractions[0] == 1.0


def test_fraction_grows_out_of_the_shadow():
    """Property: along a path from umbra to sunlight the fraction never falls."""
    radius = 7128e3
    angles = np.pi - np.linspace(1.09, 1.13, 4001)
    fractions = illuminated_fraction(
        radius * np.stack([np.cos(angles), np.sin(angles), 0.0 * angles], axis=1), SUN
    )
    # Rounding of a lens area 7e-5 steradian wide, from cosines near one, leaves 1e-10.
    assert np.all(np.diff(fractions) >= -1e-9)
    assert fractions[0] == 0.0
    assert fractions[-1] == 1.0


def test_cylinder_is_light_or_dark():
    """Vallado (2013), section 5.3.3: dark behind the Earth, within its radius of the Sun's axis."""
    positions = np.array(
        [
            [-7e6, 0.0, 0.0],
            [7e6, 0.0, 0.0],
            [-3e6, 6.37e6, 0.0],
            [-3e6, 6.39e6, 0.0],
            [0.0, 7e6, 0.0],
        ]
    )
    np.testing.assert_array_equal(illuminated_fraction(positions, SUN, "cylindrical"), [0, 1, 0, 1, 1])


def test_bad_arguments_are_refused():
    """A point inside the Earth, an unknown model, a span that runs backwards, an orbit below the surface."""
    with pytest.raises(ValueError, match="inside the radius"):
        illuminated_fraction([6e6, 0.0, 0.0], SUN)
    with pytest.raises(ValueError, match="'conical' or 'cylindrical'"):
        illuminated_fraction([7e6, 0.0, 0.0], SUN, "round")
    orbit = Orbit.from_altitude(750e3, 18.0, EPOCH)
    with pytest.raises(ValueError, match="before its start"):
        eclipse_events(orbit, 10.0, 0.0)
    with pytest.raises(ValueError, match="at least the Earth's"):
        critical_beta_angle(6e6)
