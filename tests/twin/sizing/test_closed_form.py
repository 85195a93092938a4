"""Closed forms against published numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.constants import STEFAN_BOLTZMANN
from twin.environment import earth_view_factor
from twin.errors import BadInput
from twin.sizing.closed_form import (
    LoopDesign,
    area_steps,
    effective_sink,
    fin_efficiency,
    isothermal_area,
    loop_area,
    panel_flux,
    supply_for_junction,
)

EARTH, ALTITUDE, OLR = 6378.137e3, 750e3, 240.0


def edge_on_sink(emissivity: float) -> float:
    view = float(earth_view_factor((EARTH + ALTITUDE) / EARTH, np.pi / 2))
    assert view == pytest.approx(0.22550, abs=1e-5)
    return effective_sink(emissivity * OLR * view, emissivity)


@pytest.mark.parametrize(
    ("kelvin", "flux"), [(293.0, 655.0), (313.0, 882.0), (333.0, 1158.0), (353.0, 1487.0)]
)
def test_edge_on_panel(kelvin, flux):
    """Two-sided panel edge-on at 750 km, emissivity 0.9: reference data, section 3; its sink is 176 K."""
    sink = edge_on_sink(0.9)
    assert sink == pytest.approx(176.0, abs=0.5)
    assert panel_flux(kelvin, 0.9, 2, sink) == pytest.approx(flux, abs=1.0)


@pytest.mark.parametrize(("number", "efficiency"), [(0.1, 0.890035), (1.0, 0.533989), (5.0, 0.273762)])
def test_radiating_fin(number, efficiency):
    """Published efficiencies of the fin that radiates into nothing."""
    assert fin_efficiency(number) == pytest.approx(efficiency, rel=1e-4)


def test_fin_with_a_sink_is_better_than_its_number_says():
    assert 1.0 > fin_efficiency(0.5, 0.6) > 0.5
    assert fin_efficiency(0.0) == 1.0


def test_loop_radiator():
    """ṁ 1 kg/s, c 4700, 310 K in, 100 m², ε 0.9, η 0.95, no sink: out at 301.0201 K with 42 205.33 W."""
    loop = LoopDesign(capacity_rate=4700.0, emissivity=0.9, faces=1, sink=1e-6)
    assert loop_area(42205.33, 301.0201, loop, efficiency=0.95) == pytest.approx(100.0, rel=1e-4)


def test_steps_add_one_effect_each():
    loop = LoopDesign(5e3, 0.8, 2, 180.0, fin_number=2e-9, film=500.0)
    steps = area_steps(30e3, 310.0, loop)
    assert steps.isothermal < steps.loop < steps.fins < steps.film
    # Without fin and film resistance the last step is the loop.
    bare = area_steps(30e3, 310.0, LoopDesign(5e3, 0.8, 2, 180.0))
    assert bare.film == pytest.approx(bare.loop, rel=1e-6)


@given(st.floats(1e2, 1e6), st.floats(250.0, 350.0), st.floats(0.3, 1.0))
def test_fast_loop_is_isothermal(heat, kelvin, emissivity):
    """A coolant that hardly cools makes a radiator at one temperature."""
    loop = LoopDesign(1e3 * heat, emissivity, 2, 150.0)
    expected = isothermal_area(heat, kelvin, emissivity, 2, 150.0)
    assert loop_area(heat, kelvin, loop) == pytest.approx(expected, rel=1e-3)


def test_no_area_at_the_sink():
    assert isothermal_area(1.0, 200.0, 0.9, 2, 210.0) == np.inf
    with pytest.raises(BadInput, match="heat to shed"):
        area_steps(0.0, 300.0, LoopDesign(1e3, 0.9, 2, 100.0))


def test_supply_for_junction():
    """By hand: 350 K − 0.05 K/W · 700 W − 7 kW / (1 kW/K · (1 − 1/e)) = 303.926 K."""
    found = supply_for_junction(350.0, 700.0, 0.05, 7e3, 1e3, 1e3)
    assert found == pytest.approx(350.0 - 35.0 - 7.0 / (1.0 - np.exp(-1.0)))


def test_sink_is_where_nothing_is_shed():
    sink = effective_sink(100.0, 0.8)
    assert 0.8 * STEFAN_BOLTZMANN * sink**4 == pytest.approx(100.0, rel=1e-6)
    assert panel_flux(sink, 0.8, 2, sink) == 0.0
