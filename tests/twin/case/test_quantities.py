"""Units: known conversions, refusals that say the fix, and exact round trips."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from pydantic_core import PydanticCustomError

from twin.case import types
from twin.case.quantities import Quantity
from twin.case.types import (
    ANGLE,
    AREAL_CONDUCTANCE,
    CHARGE,
    DENSITY,
    DURATION,
    ENERGY,
    FLUENCE,
    LENGTH,
    MASS_FLOW,
    POWER,
    PRESSURE,
    RATIO,
    TEMPERATURE,
    TEMPERATURE_COEFFICIENT,
    TEMPERATURE_DIFFERENCE,
    DurationOrOrbits,
    Instant,
    LocalTime,
    OrbitCount,
)

KINDS = [value for value in vars(types).values() if isinstance(value, Quantity)]


@pytest.mark.parametrize(
    ("kind", "text", "si"),
    [
        # NIST SP 811, appendix B: factors of conversion.
        (LENGTH, "750 km", 750e3),
        (LENGTH, "1 in", 0.0254),
        (DURATION, "24h", 86400.0),
        (DURATION, "1 yr", 365.25 * 86400.0),
        (DURATION, "2.5 min", 150.0),
        (POWER, "6 kW", 6000.0),
        (ENERGY, "7 kWh", 7 * 3.6e6),
        (PRESSURE, "25 bar", 2.5e6),
        (PRESSURE, "1 psi", 6894.757293168361),
        (MASS_FLOW, "8200 lb/h", 8200 * 0.45359237 / 3600.0),
        (CHARGE, "50 Ah", 180e3),
        (ANGLE, "90 deg", math.pi / 2.0),
        (ANGLE, "90°", math.pi / 2.0),
        (FLUENCE, "1e15 1/cm2", 1e19),
        (RATIO, "15 %", 0.15),
        (RATIO, 0.15, 0.15),
        (AREAL_CONDUCTANCE, "150 W/m2/K", 150.0),
        (AREAL_CONDUCTANCE, "150 W/(m² K)", 150.0),
        (DENSITY, "2.7 g/cm^3", 2700.0),
        (TEMPERATURE_COEFFICIENT, "-0.22 %/K", -0.0022),
        # Offset scales: 0 degC is 273.15 K, -40 degF is -40 degC.
        (TEMPERATURE, "60 degC", 333.15),
        (TEMPERATURE, "-40 degF", 233.15),
        (TEMPERATURE, "2.8 °C", 275.95),
        (TEMPERATURE, "300 K", 300.0),
        # Inside a compound unit a degree is a difference.
        (TEMPERATURE_COEFFICIENT, "1 1/degC", 1.0),
        (AREAL_CONDUCTANCE, "150 W/m2/°C", 150.0),
        (TEMPERATURE_DIFFERENCE, "5 K", 5.0),
    ],
)
def test_text_becomes_si(kind: Quantity, text: object, si: float) -> None:
    assert kind.parse(text) == pytest.approx(si, rel=1e-12)


@pytest.mark.parametrize(
    ("kind", "text", "problem", "fix"),
    [
        (LENGTH, "3 kg", "is a mass, not a length", "2.5 m"),
        (LENGTH.such_as("750 km"), 750, "has no unit", "write 750 km"),
        (LENGTH, "750", "has no unit", "write 750 m"),
        (LENGTH, "750 kmh", "unknown unit 'kmh'", "2.5 m"),
        (LENGTH, "wide", "is not a number with a unit", "2.5 m"),
        (LENGTH, True, "is not a number with a unit", ""),
        (LENGTH, [1], "is not a number with a unit", ""),
        (LENGTH, "1e999 m", "is not a finite number", ""),
        (LENGTH, "1 m; import os", "unknown unit", ""),
        (LENGTH, "2 m**" + "9" * 70, "unknown unit", ""),
        (DURATION, "3 orbits", "unknown unit 'orbits'", ""),
        (TEMPERATURE, "60 C", "unknown unit 'C'", "write 60 degC"),
        (TEMPERATURE_DIFFERENCE, "5 degC", "is a temperature, not a temperature difference", "write 5 K"),
        (types.RATIO.at_least("0").up_to("1"), 1.2, "is out of range", ""),
        (types.DURATION.at_least("0 s"), "-1 yr", "is out of range", ""),
        (types.LENGTH.above("0 m"), "0 m", "is out of range", ""),
        (types.TEMPERATURE.above("0 K"), "-300 degC", "is out of range", ""),
    ],
)
def test_refused_with_problem_and_fix(kind: Quantity, text: object, problem: str, fix: str) -> None:
    with pytest.raises(PydanticCustomError) as caught:
        kind.parse(text)
    context = caught.value.context or {}
    assert problem in context["problem"]
    assert fix in context["fix"]
    assert kind.kind in context["expected"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_example_is_accepted_and_shown_in_a_unit_that_reads_back(kind: Quantity) -> None:
    si = kind.parse(kind.example)
    assert kind.parse(kind.format(si) if kind.unit else si) == si


@given(
    st.sampled_from([k for k in KINDS if k.unit]),
    st.floats(-1e12, 1e12).filter(lambda x: x == 0 or abs(x) > 1e-12),
)
def test_what_is_written_reads_back_to_the_same_float(kind: Quantity, si: float) -> None:
    bare = Quantity(kind.kind, kind.unit, kind.example, kind.display, difference=kind.difference)
    assert bare.parse(bare.format(si)) == si


@given(st.floats(-273.0, 1e4))
def test_celsius_and_kelvin_differ_by_the_offset_only(celsius: float) -> None:
    assert TEMPERATURE.parse(f"{celsius!r} degC") == pytest.approx(celsius + 273.15, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "hours"), [("18:00", 18.0), ("06:30", 6.5), ("18h", 18.0), ("18.5 h", 18.5), ("00:00:36", 0.01)]
)
def test_local_time(text: str, hours: float) -> None:
    adapter = TypeAdapter(LocalTime)
    assert adapter.validate_python(text) == pytest.approx(hours, abs=1e-12)
    written = adapter.dump_python(adapter.validate_python(text), mode="json")
    assert adapter.validate_python(written) == pytest.approx(hours, abs=1e-12)


@pytest.mark.parametrize("text", ["24:00", "18:60", "18", 18, 1080, "noon", "-1 h", "18 km", "1:2:3:4"])
def test_not_a_local_time(text: object) -> None:
    with pytest.raises(ValueError, match="is not a local time"):
        TypeAdapter(LocalTime).validate_python(text)


def test_durations_in_orbits_stay_orbits_until_the_period_is_known() -> None:
    adapter = TypeAdapter(DurationOrOrbits)
    orbits = adapter.validate_python("3 orbits")
    assert isinstance(orbits, OrbitCount)
    assert orbits == 3.0
    assert adapter.dump_python(orbits, mode="json") == "3 orbits"
    assert adapter.validate_python("1.5 h").total_seconds() == 5400.0
    for text in ("0 orbits", "-1 h", "3", 3, "3 km"):
        with pytest.raises(ValueError):
            adapter.validate_python(text)


def test_instants_are_utc() -> None:
    adapter = TypeAdapter(Instant)
    for text in ("2026-06-21T00:00:00Z", "2026-06-21T02:00:00+02:00", "2026-06-21", "2026-06-21 00:00"):
        assert adapter.dump_python(adapter.validate_python(text), mode="json") == "2026-06-21T00:00:00Z"
    for text in ("21 June 2026", "1926-06-21", 2026, True):
        with pytest.raises(ValueError):
            adapter.validate_python(text)
