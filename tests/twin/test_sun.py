"""The Sun against astropy and against worked examples."""

import math
import warnings
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from twin.sun import (
    ASTRONOMICAL_UNIT,
    days_since_j2000,
    greenwich_mean_sidereal_time,
    mean_sun_right_ascension,
    sun_position,
)

astropy_time = pytest.importorskip("astropy.time")
coordinates = pytest.importorskip("astropy.coordinates")


@pytest.fixture(autouse=True)
def _offline_astropy():
    from astropy.utils import iers

    with (
        iers.conf.set_temp("auto_download", False),
        iers.conf.set_temp("iers_degraded_accuracy", "ignore"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


def _angle(a, b):
    return np.degrees(np.linalg.norm(np.cross(a, b), axis=-1))


def test_direction_and_distance_agree_with_astropy_from_2020_to_2045():
    """Independent code: astropy's get_sun (ERFA), carried to TEME of date by astropy's own frames."""
    time = astropy_time.Time("2020-01-01T00:00:00", scale="utc") + np.linspace(0.0, 26 * 365.25, 1500)
    reference = coordinates.get_sun(time).transform_to(coordinates.TEME(obstime=time))
    vector = reference.cartesian.xyz.to_value("m").T
    distance = np.linalg.norm(vector, axis=1)
    direction, found = sun_position((time.utc.jd1 - 2451545.0) + time.utc.jd2)
    assert _angle(direction, vector / distance[:, None]).max() < 0.0015  # degree; the bar is 0.01
    np.testing.assert_allclose(found, distance, rtol=3e-5)


def test_worked_example_of_meeus():
    """Meeus, Astronomical Algorithms, example 25.b: 1992 October 13, 0 h TD; apparent place of the Sun."""
    # The example is given from the true equinox: right ascension 13h13m30.749s, declination -7 47 01.74.
    # The equation of the equinoxes (+0.0045 degree x cos obliquity, nutation 15.908") leads to ours.
    days = days_since_j2000(datetime(1992, 10, 13, tzinfo=UTC)) - 69.184 / 86400.0
    direction, distance = sun_position(days)
    right_ascension = math.radians(198.378121) - math.radians(15.908 / 3600.0) * math.cos(
        math.radians(23.4401443)
    )
    declination = -math.radians(7.0 + 47.0 / 60.0 + 1.74 / 3600.0)
    expected = [
        math.cos(declination) * math.cos(right_ascension),
        math.cos(declination) * math.sin(right_ascension),
        math.sin(declination),
    ]
    assert _angle(direction[0], np.array(expected)) < 0.0005
    assert distance[0] / ASTRONOMICAL_UNIT == pytest.approx(0.99760775, abs=2e-5)


def test_many_instants_are_interpolated_to_the_same_values_as_few():
    """Consistency: the interpolated Sun equals the series evaluated one instant at a time."""
    days = np.linspace(9000.0, 9003.0, 2000)
    direction, distance = sun_position(days)
    for i in (0, 3, 777, 1999):
        one_direction, one_distance = sun_position(days[i])
        np.testing.assert_allclose(direction[i], one_direction[0], atol=1e-11)
        np.testing.assert_allclose(distance[i], one_distance[0], rtol=1e-11)


def test_sidereal_time_of_vallado():
    """Vallado, Fundamentals of Astrodynamics (4th ed.), example 3-5: 1992 Aug 20, 12:14 UT1."""
    days = days_since_j2000(datetime(1992, 8, 20, 12, 14, tzinfo=UTC))
    assert math.degrees(float(greenwich_mean_sidereal_time(days))) == pytest.approx(152.578787810, abs=1e-6)


def test_mean_sun_differs_from_the_sun_by_the_equation_of_time():
    """Extremes of the equation of time: -14.2 min in mid-February, +16.4 min in early November (almanacs)."""
    days = days_since_j2000(datetime(2026, 1, 1, tzinfo=UTC)) + np.arange(365.0)
    direction, _ = sun_position(days)
    apparent = np.arctan2(direction[:, 1], direction[:, 0])
    difference = np.angle(np.exp(1j * (mean_sun_right_ascension(days) - apparent)))
    minutes = difference * 720.0 / math.pi
    assert minutes.min() == pytest.approx(-14.2, abs=0.1)
    assert minutes.max() == pytest.approx(16.4, abs=0.1)
    assert 40 <= int(minutes.argmin()) <= 44  # 11 February
    assert 305 <= int(minutes.argmax()) <= 309  # 3 November


def test_days_since_j2000_honours_time_zones():
    """A datetime with a zone and the same instant without one (taken as UTC) give the same day count."""
    local = datetime(2026, 3, 1, 8, tzinfo=timezone(timedelta(hours=8)))
    assert days_since_j2000(local) == days_since_j2000(datetime(2026, 3, 1))
    assert days_since_j2000(datetime(2000, 1, 2, 12)) == 1.0
