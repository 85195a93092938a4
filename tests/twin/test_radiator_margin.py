"""How much radiator is spare."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from twin.radiator_margin import cooling_integral, radiator_margin, radiator_use, temperature_margin


@given(st.floats(250.0, 330.0), st.floats(0.5, 60.0), st.floats(0.0, 230.0))
def test_integral_against_quadrature(cold, rise, sink):
    """∫ dT/(T⁴ − T_s⁴) by adaptive quadrature."""
    expected, _ = quad(lambda t: 1.0 / (t**4 - max(sink, 1e-3) ** 4), cold, cold + rise)
    assert float(cooling_integral(cold, cold + rise, sink)) == pytest.approx(expected, rel=1e-6)


def test_loop_radiator():
    """Reference case loop-radiator: 1 kg/s of 4700 J/kgK from 310 to 301.0201 K takes 100 m² of ε·η = 0.855."""
    area = 4700.0 * float(cooling_integral(301.0201, 310.0, 0.0)) / (0.855 * 5.670374419e-8)
    assert area == pytest.approx(100.0, rel=1e-4)


def test_exactly_enough_has_no_margin():
    assert float(radiator_margin(*radiator_use(300.0, 310.0, 300.0, 0.0, 200.0))) == pytest.approx(
        0.0, abs=1e-12
    )


def test_half_the_flow_cooled_twice_as_far():
    """A radiator that gets half the coolant and meets the target with the mix is used by less than all."""
    hot, target, bypass = 310.0, 300.0, 0.5
    outlet = hot - (hot - target) / (1.0 - bypass)
    margin = float(radiator_margin(*radiator_use(target, hot, outlet, bypass, 200.0)))
    assert 0.0 < margin < 0.3


@given(st.floats(0.0, 20.0))
def test_warmer_outlet_is_less_margin(extra):
    colder = float(radiator_margin(*radiator_use(300.0, 315.0, 290.0, 0.3, 180.0)))
    warmer = float(radiator_margin(*radiator_use(300.0, 315.0, 290.0 + extra, 0.3, 180.0)))
    assert warmer <= colder + 1e-12


def test_too_small_is_negative_and_no_heat_is_all_spare():
    assert float(radiator_margin(*radiator_use(300.0, 320.0, 310.0, 0.0, 200.0))) < 0.0
    assert float(radiator_margin(*radiator_use(300.0, 295.0, 295.0, 0.95, 200.0))) == 1.0
    assert np.isneginf(float(radiator_margin(*radiator_use(190.0, 320.0, 310.0, 0.0, 200.0))))


@given(st.floats(280.0, 330.0), st.floats(1.0, 20.0), st.floats(0.0, 250.0), st.floats(0.4, 2.5))
def test_spare_kelvins_are_where_the_radiator_is_just_enough(target, rise, sink, size):
    """At the supply temperature that the margin names, needed and used radiator are equal."""
    just_enough = float(cooling_integral(target, target + rise, sink))
    spare = float(temperature_margin(target, rise, size * just_enough, sink))
    supply = target - spare
    assert float(cooling_integral(supply, supply + rise, sink)) == pytest.approx(size * just_enough, rel=1e-6)
    assert (spare > 0.0) == (size > 1.0) or size == pytest.approx(1.0)


def test_small_rise_without_a_sink_follows_the_fourth_root():
    """Twice the radiator lowers a nearly isothermal one by T·(1 − 2^−1/4)."""
    area = float(cooling_integral(300.0, 300.01, 0.0))
    assert float(temperature_margin(300.0, 0.01, 2.0 * area, 0.0)) == pytest.approx(
        300.0 * (1 - 2**-0.25), rel=1e-3
    )


def test_no_heat_leaves_all_down_to_the_sink():
    assert float(temperature_margin(300.0, 0.0, 1e-8, 200.0)) == pytest.approx(100.0)
