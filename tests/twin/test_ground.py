"""Ground stations and passes against astropy and closed forms; weather against its statistics."""

import math
import warnings
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from twin.ground import GroundStation, longest_pass, look_angles, passes, station_position
from twin.intervals import Intervals
from twin.kepler import EARTH_RADIUS, SecularElements
from twin.orbit import Orbit
from twin.site_availability import (
    alternating_intervals,
    cloud_free_intervals,
    diversity_availability,
    in_service_intervals,
    link_intervals,
    network_availability,
)
from twin.sun import days_since_j2000

EPOCH = datetime(2026, 6, 21, tzinfo=UTC)
DAY = 86_400.0
EARTH_RATE = 7.292115855e-5
ORBIT = Orbit.from_altitude(750e3, 18.0, EPOCH)
KASHI = GroundStation("Kashi", math.radians(39.5), math.radians(76.0), 1300.0, math.radians(20.0), 0.6)
KIRUNA = GroundStation("Kiruna", math.radians(67.9), math.radians(20.9), 400.0, math.radians(10.0), 0.35)


def astropy_look(station, orbit, seconds):
    """Elevation and range by astropy: TEME to ITRS to the horizon of the station."""
    coordinates = pytest.importorskip("astropy.coordinates")
    from astropy import units
    from astropy.time import Time, TimeDelta
    from astropy.utils import iers

    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("iers_degraded_accuracy", "ignore"):
        warnings.simplefilter("ignore")
        time = Time(orbit.epoch.replace(tzinfo=None), scale="utc") + TimeDelta(seconds * units.s)
        place = coordinates.EarthLocation.from_geodetic(
            station.longitude * units.rad, station.latitude * units.rad, station.altitude * units.m
        )
        position = orbit.propagate(seconds).position.T * units.m
        teme = coordinates.TEME(coordinates.CartesianRepresentation(position), obstime=time)
        itrs = teme.transform_to(coordinates.ITRS(obstime=time)).cartesian.xyz.to_value("m").T
        line = itrs - np.array([v.to_value("m") for v in place.geocentric])
        east_north_up = place.to_geodetic()
        lat, lon = east_north_up.lat.to_value("rad"), east_north_up.lon.to_value("rad")
        up = np.array([math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)])
    distance = np.linalg.norm(line, axis=1)
    return np.arcsin(line @ up / distance), distance


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("station", [KASHI, KIRUNA])
def test_look_angles_agree_with_astropy(station):
    """Elevation within 0.003 degree and range within 100 m (polar motion and UT1 - UTC are left out here)."""
    time = np.linspace(0.0, DAY, 500)
    elevation, distance = astropy_look(station, ORBIT, time)
    found = look_angles(station, days_since_j2000(EPOCH) + time / DAY, ORBIT.propagate(time).position)
    assert np.abs(found.distance - distance).max() < 100.0
    assert np.degrees(np.abs(found.elevation - elevation)).max() < 3e-3


@pytest.mark.filterwarnings("ignore")
def test_passes_agree_with_astropy():
    """Rise and set of every pass of a day within 0.1 s of astropy's elevation crossings, sampled every second."""
    found = passes(ORBIT, KIRUNA, 0.0, DAY)
    time = np.arange(0.0, DAY, 1.0)
    above = astropy_look(KIRUNA, ORBIT, time)[0] - KIRUNA.minimum_elevation
    at = np.flatnonzero((above[1:] > 0.0) != (above[:-1] > 0.0))
    crossing = time[at] + above[at] / (above[at] - above[at + 1])
    np.testing.assert_allclose(
        np.sort(np.concatenate([found.spans.start, found.spans.stop])), crossing, atol=0.1
    )
    assert (found.highest > KIRUNA.minimum_elevation).all() and (found.nearest > 700e3).all()
    assert 8 <= len(found.spans) <= 13  # a polar station sees most of the 14.4 revolutions


def test_overhead_pass_takes_the_closed_form_time():
    """Equatorial orbit over an equatorial station: spherical geometry is exact, the Earth's turn is subtracted."""
    radius, rate = EARTH_RADIUS + 750e3, math.sqrt(3.986004418e14 / (EARTH_RADIUS + 750e3) ** 3)
    elements = SecularElements(EPOCH, radius, 0.0, 1e-9, 0.0, 0.0, 0.0, j2=0.0)
    station = GroundStation("equator", 0.0, 0.5, 0.0, math.radians(15.0))
    found = passes(Orbit(elements, EPOCH), station, 0.0, DAY)
    whole = found.spans.duration[1:-1]
    np.testing.assert_allclose(whole, longest_pass(radius, math.radians(15.0), rate - EARTH_RATE), rtol=2e-6)
    np.testing.assert_allclose(found.nearest, 750e3, rtol=1e-3)
    assert found.highest.max() == pytest.approx(0.5 * math.pi, abs=0.02)
    with pytest.raises(ValueError, match="orbit radius"):
        longest_pass(1.0, 0.1, 1e-3)


def test_no_pass_of_a_dawn_dusk_orbit_is_longer_than_the_closed_form():
    """Upper bound with the smallest angular rate (orbit less Earth) at the pole's radius, over three days."""
    found = passes(ORBIT, KIRUNA, 0.0, 3 * DAY)
    rate = 2.0 * math.pi / ORBIT.period
    longest = longest_pass(ORBIT.semi_major_axis, KIRUNA.minimum_elevation, rate - EARTH_RATE, 6.357e6)
    assert 0.75 * longest < found.spans.duration.max() < longest


def test_station_on_the_ellipsoid():
    """WGS 84 at 45 degrees: radius 6367.489 km (published); at the pole 6356.752 km; turns once per sidereal day."""
    middle = GroundStation("middle", math.radians(45.0), 0.0)
    assert np.linalg.norm(middle.earth_fixed) == pytest.approx(6367489.5, abs=1.0)
    assert GroundStation("pole", math.radians(90.0), 0.0).earth_fixed[2] == pytest.approx(6356752.3, abs=0.1)
    turned = station_position(middle, [9000.0, 9000.0 + 86164.0905 / DAY])
    np.testing.assert_allclose(turned[0], turned[1], atol=1.0)


@settings(max_examples=8, deadline=None)
@given(st.floats(0.0, 0.8), st.floats(0.02, 0.4))
def test_higher_minimum_elevation_means_less_contact(low, more):
    from dataclasses import replace

    wide = passes(ORBIT, replace(KASHI, minimum_elevation=low), 0.0, DAY).spans
    narrow = passes(ORBIT, replace(KASHI, minimum_elevation=low + more), 0.0, DAY).spans
    assert narrow.total <= wide.total
    assert narrow.intersection(wide).total == pytest.approx(narrow.total, abs=1e-3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"latitude": 39.5}, "radians"),
        ({"altitude": 1e5}, "10 km"),
        ({"cloud_free_fraction": 60.0}, "cloud_free_fraction"),
    ],
)
def test_wrong_stations_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        GroundStation(**{"name": "X", "latitude": 0.1, "longitude": 0.2, **values})


def test_weather_has_its_statistics():
    """Share of clear time and exponential spells, over 3000 days; independent stations; any length of run alike."""
    stop = 3000 * DAY
    clear = cloud_free_intervals(KASHI, 0, stop, seed=2)
    assert clear.total / stop == pytest.approx(0.6, abs=0.02)
    cloudy = clear.gaps(0.0, stop).duration[1:-1]
    assert stats.kstest(cloudy, "expon", args=(0.0, KASHI.cloudy_spell)).pvalue > 1e-3
    shorter = cloud_free_intervals(KASHI, 0, 30 * DAY, seed=2)
    np.testing.assert_array_equal(shorter.start, clear.within(0.0, 30 * DAY).start)
    other = cloud_free_intervals(KASHI, 1, stop, seed=2)
    both = clear.intersection(other).total / stop
    assert both == pytest.approx(0.36, abs=0.03)
    starts_clear = [
        len(i) and i.start[0] == 0.0 for i in (cloud_free_intervals(KASHI, k, DAY, 5) for k in range(500))
    ]
    assert np.mean(starts_clear) == pytest.approx(0.6, abs=0.08)


def test_always_and_never():
    assert alternating_intervals(1.0, 1.0, DAY, 0, 0, 0).total == DAY
    assert len(alternating_intervals(0.0, 1.0, DAY, 0, 0, 0)) == 0
    with pytest.raises(ValueError, match="share"):
        alternating_intervals(1.2, 1.0, DAY, 0, 0, 0)
    outages = in_service_intervals(0.99, 3600.0, 0, 3000 * DAY, 1)
    assert outages.total / (3000 * DAY) == pytest.approx(0.99, abs=0.002)


def test_site_diversity():
    """Three sites of 60 % give 93.6 % (by hand); more sites never less."""
    assert diversity_availability([0.6, 0.6, 0.6]) == pytest.approx(0.936)
    assert diversity_availability([0.5, 1.0]) == 1.0
    with pytest.raises(ValueError, match="shares"):
        diversity_availability([1.5])


def test_network_is_the_mean_over_weather():
    """Expected availability of two stations against 200 drawn weathers."""
    seen = [passes(ORBIT, s, 0.0, 3 * DAY) for s in (KASHI, KIRUNA)]
    expected = network_availability(seen, 0.0, 3 * DAY)
    drawn = [
        link_intervals(
            seen, [cloud_free_intervals(s, k, 3 * DAY, seed) for k, s in enumerate((KASHI, KIRUNA))]
        ).total
        for seed in range(200)
    ]
    assert expected == pytest.approx(np.mean(drawn) / (3 * DAY), rel=0.06)
    always = [Intervals(np.zeros(1), np.full(1, 3 * DAY))] * 2
    assert link_intervals(seen, always).total <= sum(p.spans.total for p in seen)
    with pytest.raises(ValueError, match="one per station"):
        link_intervals(seen, always[:1])
