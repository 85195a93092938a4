"""A year of an orbit: seasons and flux histories."""

from datetime import UTC, datetime

import numpy as np
import pytest

from twin.attitude import face_normals
from twin.environment import EnvironmentSet, incident_fluxes
from twin.orbit import Orbit
from twin.season import flux_history, orbit_year, year_span

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
FACES = ["ram", "orbit_normal", "nadir", [0.2, -0.9, 0.4]]


def test_dusk_orbit_has_one_season_in_summer():
    """Reference table of the project, 750 km, LTAN 18: 12 May to 31 July, 81 days, 276 h dark."""
    year = orbit_year(Orbit.from_altitude(750e3, 18.0, EPOCH), 2026, "cylindrical")
    (season,) = year.seasons
    assert (season.start.date().isoformat(), season.end.date().isoformat()) == ("2026-05-12", "2026-07-31")
    assert season.days == pytest.approx(81.0, abs=0.5)
    assert season.dark_time / 3600.0 == pytest.approx(276.0, abs=1.0)
    assert year.dark_time == pytest.approx(season.dark_time)
    assert 1050 <= season.eclipses <= 1250  # about 1050 to 1250 eclipses a year
    assert season.longest_at.date().isoformat() == "2026-06-21"


def test_dawn_orbit_has_one_season_across_the_new_year():
    """Reference data of the project, LTAN 06: 12 November to 29 January, 78 days, given whole."""
    year = orbit_year(Orbit.from_altitude(750e3, 6.0, EPOCH), 2026, "cylindrical")
    (season,) = year.seasons
    assert (season.start.date().isoformat(), season.end.date().isoformat()) == ("2026-11-12", "2027-01-29")
    assert season.days == pytest.approx(78.0, abs=0.6)
    assert np.degrees(year.beta).min() == pytest.approx(-90.0, abs=0.3)
    assert year.events.penumbra_exit[-1] <= year.stop + 1200.0


def test_noon_orbit_is_in_eclipse_all_year():
    """An orbit whose beta stays below the critical angle has one season: the year."""
    year = orbit_year(Orbit.from_altitude(750e3, 10.5, EPOCH), 2026)
    (season,) = year.seasons
    assert season.days == pytest.approx(365.0, abs=0.2)
    assert season.eclipses == pytest.approx(365.0 * 86400.0 / year.orbit.nodal_period, abs=2)


def test_high_dawn_dusk_orbit_has_none():
    """Above about 1390 km a dawn-dusk orbit is never in shadow (critical beta below the least beta)."""
    year = orbit_year(Orbit.from_altitude(1600e3, 18.0, EPOCH), 2026)
    assert year.seasons == ()
    assert year.dark_time == 0.0
    assert year.time.size == 365


def test_the_year_may_differ_from_the_epoch():
    """A year is a calendar year of UTC, leap years included, whatever the epoch."""
    orbit = Orbit.from_altitude(750e3, 18.0, EPOCH)
    start, stop = year_span(orbit, 2028)
    assert stop - start == 366 * 86400.0
    assert orbit.instant_at(start) == datetime(2028, 1, 1, tzinfo=UTC)


def test_history_is_the_mean_of_the_fluxes():
    """Daily means against the exact fluxes of the same instants; largest is the largest."""
    orbit = Orbit.from_altitude(750e3, 18.0, datetime(2026, 6, 20, tzinfo=UTC))
    environment = EnvironmentSet.named("nominal")
    history = flux_history(orbit, FACES, environment, 0.0, 2.5 * 86400.0, step=60.0)
    assert history.samples == 3600
    np.testing.assert_allclose(history.time, np.array([0.5, 1.5, 2.25]) * 86400.0)
    states = orbit.propagate(np.arange(0.0, 86400.0, 60.0))
    fluxes = incident_fluxes(states, face_normals(FACES, states), environment)
    np.testing.assert_allclose(history.solar[0], fluxes.solar.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(history.albedo[0], fluxes.albedo.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(history.earth_infrared[0], fluxes.earth_infrared.mean(axis=0), rtol=1e-12)
    total = fluxes.solar + fluxes.albedo + fluxes.earth_infrared
    assert np.all(history.largest >= total.max(axis=0) - 0.01)
    np.testing.assert_allclose(history.total, history.solar + history.albedo + history.earth_infrared)


def test_history_of_elements_with_a_changing_radius():
    """Real elements (radius varies by kilometres): the table covers the whole span."""
    orbit = Orbit.from_tle(
        "1 25544U 98067A   20045.18587073  .00000950  00000-0  25302-4 0  9990",
        "2 25544  51.6443 242.0161 0004885 264.6060 207.3845 15.49165514212791",
    )
    environment = EnvironmentSet.named("mean")
    history = flux_history(orbit, ["nadir"], environment, 0.0, 20.0 * 86400.0, step=60.0)
    states = orbit.propagate(np.arange(0.0, 86400.0, 60.0))
    fluxes = incident_fluxes(states, face_normals(["nadir"], states), environment)
    assert history.albedo[0, 0] == pytest.approx(fluxes.albedo.mean(), rel=1e-4)


def test_bad_spans_are_refused():
    """An empty span, and a step longer than the averaging interval."""
    orbit = Orbit.from_altitude(750e3, 18.0, EPOCH)
    environment = EnvironmentSet.named("mean")
    with pytest.raises(ValueError, match="start < stop"):
        flux_history(orbit, FACES, environment, 10.0, 10.0)
    with pytest.raises(ValueError, match="step <= interval"):
        flux_history(orbit, FACES, environment, 0.0, 10.0, step=20.0, interval=10.0)
