"""CCSDS unsegmented time code (CUC): a byte that says what follows, 4 octets of seconds, 3 of fractions.

Seconds of International Atomic Time since 1958 January 1, the epoch that CCSDS 301.0-B-4 recommends (section
3.2); 3 octets of fractions resolve 60 ns. The code runs out in 2094.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["P_FIELD", "TICKS_PER_SECOND", "from_ticks", "tai_seconds", "to_ticks", "utc_of"]

P_FIELD = 0b0_001_11_11
"""No second octet, level 1 (epoch 1958), 4 octets of seconds, 3 octets of fractions (301.0-B-4, 3.2.2)."""

TICKS_PER_SECOND = 2**24

_EPOCH = datetime(1958, 1, 1, tzinfo=UTC)

# First days with one more second between atomic time and UTC, which were 10 s apart on 1972 January 1 (IERS
# Bulletin C). None has been announced since 2017; a later one is not known to this table.
_LEAP_YEARS = {
    1: (1973, 1974, 1975, 1976, 1977, 1978, 1979, 1980, 1988, 1990, 1991, 1996, 1999, 2006, 2009, 2017),
    7: (1972, 1981, 1982, 1983, 1985, 1992, 1993, 1994, 1997, 2012, 2015),
}
_LEAPS = tuple(date(year, month, 1) for month, years in _LEAP_YEARS.items() for year in years)


def _leap_seconds(moment: datetime) -> int:
    if moment.year < 1972:
        raise ValueError(f"time code: {moment:%Y-%m-%d}; expected 1972 or later, when UTC has whole seconds")
    return 10 + sum(day <= moment.date() for day in _LEAPS)


def tai_seconds(moment: datetime) -> float:
    """Atomic seconds from 1958 January 1 to a moment [s]; UTC when it has no zone.

    Raises
    ------
    ValueError
        If it is before 1972 or beyond what 4 octets hold (2094).
    """
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    seconds = (utc - _EPOCH).total_seconds() + _leap_seconds(utc)
    if seconds >= 2.0**32:
        raise ValueError(f"time code: {utc:%Y-%m-%d} is beyond 2094, where 4 octets of seconds end")
    return seconds


def utc_of(seconds: float) -> datetime:
    """UTC of atomic seconds since 1958; the inverse of `tai_seconds`, to a microsecond."""
    from datetime import timedelta

    guess = _EPOCH + timedelta(seconds=seconds - 10.0)
    for _ in range(2):
        guess = _EPOCH + timedelta(seconds=seconds - _leap_seconds(guess))
    return guess


def to_ticks(seconds: ArrayLike) -> NDArray[np.int64]:
    """Round seconds to ticks of 2^-24 s."""
    return np.asarray(np.rint(np.asarray(seconds, dtype=float) * TICKS_PER_SECOND), dtype=np.int64)


def from_ticks(ticks: ArrayLike) -> NDArray[np.float64]:
    """Return the seconds of ticks, exact up to 2^53 ticks (17 years)."""
    return np.asarray(np.asarray(ticks, dtype=np.int64) / TICKS_PER_SECOND, dtype=float)
