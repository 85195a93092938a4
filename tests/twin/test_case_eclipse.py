"""The quick closed form with which a case is checked, against the orbit model with which it is run."""

from datetime import UTC, datetime

import pytest

from twin.case.eclipse import longest_eclipse, plane_from_ltan, plane_from_tle
from twin.orbit import Orbit
from twin.season import orbit_year

START = datetime(2026, 1, 1, tzinfo=UTC)
RADARSAT = (
    "1 32382U 07061A   26045.51879905  .00000009  00000+0  20529-4 0  9993",
    "2 32382  98.5813  54.1883 0001160  83.1201 277.0113 14.29981438948423",
)


@pytest.mark.parametrize(("altitude", "ltan"), [(700e3, 18.0), (800e3, 18.0), (750e3, 6.0), (600e3, 10.5)])
def test_sun_synchronous(altitude, ltan):
    year = orbit_year(Orbit.from_altitude(altitude, ltan, START), 2026, "cylindrical")
    longest = max(season.longest for season in year.seasons)
    assert longest_eclipse(plane_from_ltan(altitude, ltan, START), START) == pytest.approx(longest, rel=5e-3)


def test_elements():
    year = orbit_year(Orbit.from_tle(*RADARSAT, epoch=START), 2026, "cylindrical")
    assert longest_eclipse(plane_from_tle(*RADARSAT), START) == pytest.approx(
        year.seasons[0].longest, rel=2e-2
    )
