from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from astropy.time import Time
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.telemetry.time_code import P_FIELD, from_ticks, tai_seconds, to_ticks, utc_of

MOMENTS = st.datetimes(datetime(1972, 1, 2), datetime(2090, 1, 1))


def test_first_octet_says_level_one_four_and_three_octets():
    # CCSDS 301.0-B-4, 3.2.2: bits 1-3 are 001 for the epoch 1958, 4-5 and 6-7 the octets (less one; fractions).
    assert f"{P_FIELD:08b}" == "00011111"


@settings(deadline=None)
@given(MOMENTS.filter(lambda t: t.year < 2026))
def test_atomic_seconds_agree_with_astropy(moment):
    epoch = Time("1958-01-01T00:00:00", scale="tai")
    seconds = (Time(moment, scale="utc").tai - epoch).to_value("s")
    assert tai_seconds(moment) == pytest.approx(seconds, abs=1e-5)


@given(MOMENTS)
def test_there_and_back(moment):
    assert abs(utc_of(tai_seconds(moment)) - moment.replace(tzinfo=UTC)) <= timedelta(microseconds=2)


@given(st.floats(0.0, 2.0**31))
def test_ticks_resolve_sixty_nanoseconds(seconds):
    assert abs(float(from_ticks(to_ticks(seconds))) - seconds) <= 2.0**-25 + 1e-16 * seconds


def test_moments_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="1972"):
        tai_seconds(datetime(1965, 1, 1))
    with pytest.raises(ValueError, match="2094"):
        tai_seconds(datetime(2095, 1, 1))


def test_leap_second_of_2016():
    before, after = (tai_seconds(datetime(2016, 12, 31, 23, 59, 59)), tai_seconds(datetime(2017, 1, 1)))
    assert after - before == 2.0
    assert np.isclose(after % 86400.0, 37.0)
