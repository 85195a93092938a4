"""Liquids and tube correlations against published numbers."""

import CoolProp.CoolProp as coolprop
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from solvers.errors import ModelError
from solvers.fluids import (
    fluid,
    friction_factor,
    friction_slope,
    nusselt_number,
    pressure_drop,
    saturation_temperature,
    tube_film_coefficient,
)

AMMONIA, GLYCOL = "Ammonia", "INCOMP::MPG[0.4]"


@pytest.mark.parametrize(("name", "pressure"), [(AMMONIA, 25e5), (GLYCOL, 2e5), ("Water", 1e5)])
def test_tables_are_as_good_as_their_source(name, pressure):
    """Between the points of the table, every property within 1e-4 of CoolProp."""
    liquid = fluid(name, pressure)
    between = 0.5 * (liquid.temperature[1:] + liquid.temperature[:-1])
    for key, values in zip("DCVL", liquid.at(between)):
        exact = np.asarray(coolprop.PropsSI(key, "T", between, "P", pressure, name))
        assert np.max(np.abs(values / exact - 1.0)) < 1e-4, key


@pytest.mark.parametrize(
    ("temperature", "pressure", "density", "specific_heat", "viscosity", "conductivity"),
    [
        (250.0, 1.6496e5, 668.9, 4483.0, 245e-6, 0.592),
        (280.0, 5.5077e5, 629.2, 4662.0, 176e-6, 0.523),
        (300.0, 10.614e5, 600.2, 4815.0, 141.0e-6, 0.477),
        (320.0, 18.721e5, 568.2, 5024.0, 113.4e-6, 0.431),
    ],
)
def test_saturated_ammonia(temperature, pressure, density, specific_heat, viscosity, conductivity):
    """Thermal-Fluids Central, Thermophysical Properties: Ammonia.

    Its viscosity is older than the correlation in use (Fenghour et al. 1995, 5 % for the liquid) and 8 to 11 % higher.
    """
    assert saturation_temperature(AMMONIA, pressure) == pytest.approx(temperature, abs=0.05)
    rho, heat, mu, k = fluid(AMMONIA, 1.02 * pressure).at(temperature)
    assert rho == pytest.approx(density, rel=2e-3)
    assert heat == pytest.approx(specific_heat, rel=5e-3)
    assert mu == pytest.approx(viscosity, rel=0.11)
    assert k == pytest.approx(conductivity, rel=0.09 if temperature < 260.0 else 0.04)


def test_propylene_glycol():
    """40 % propylene glycol: freezes at −20.6 °C, specific gravity 1.032 at 15.6 °C (Lange's Handbook, table 5.13)."""
    liquid = fluid(GLYCOL, 2e5)
    assert liquid.freezing_temperature == pytest.approx(273.15 - 20.6, abs=0.5)
    assert liquid.at(288.75)[0] / 999.0 == pytest.approx(1.032, rel=5e-3)
    assert saturation_temperature(GLYCOL, np.array([1e5, 2e5])).tolist() == [373.15, 373.15]


def test_ammonia_boils_and_freezes_where_published():
    """Boils at 239.8 K at one atmosphere, triple point 195.5 K (NIST Chemistry WebBook)."""
    liquid = fluid(AMMONIA, 101325.0)
    assert liquid.boiling_temperature == pytest.approx(239.82, abs=0.05)
    assert liquid.freezing_temperature == pytest.approx(195.5, abs=0.1)


@pytest.mark.parametrize(
    ("name", "pressure"), [("Unobtainium", 1e5), (AMMONIA, 1e3), ("INCOMP::MPG[1.4]", 1e5)]
)
def test_what_is_not_liquid_is_refused(name, pressure):
    with pytest.raises(ModelError, match="coolant"):
        fluid(name, pressure)


@pytest.mark.parametrize(
    ("reynolds", "factor"),
    [(4e3, 0.0399), (1e4, 0.0309), (1e5, 0.0180), (1e6, 0.0116), (1e7, 0.0081), (1e8, 0.0059)],
)
def test_friction_of_smooth_tubes(reynolds, factor):
    """Prandtl's values for smooth walls (White, Fluid Mechanics, table after eq. 6.38); Churchill is within 4 %."""
    assert friction_factor(reynolds) == pytest.approx(factor, rel=0.04)


@pytest.mark.parametrize("roughness", [1e-5, 1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("reynolds", [1e4, 2.7e5, 1e7])
def test_friction_of_rough_tubes(reynolds, roughness):
    """Colebrook's equation of the Moody chart, solved here (White, eq. 6.48)."""
    exact = brentq(
        lambda f: f**-0.5 + 2.0 * np.log10(roughness / 3.7 + 2.51 / (reynolds * f**0.5)), 1e-3, 1.0
    )
    assert friction_factor(reynolds, roughness) == pytest.approx(exact, rel=0.035)


def test_laminar_friction():
    """Darcy factor 64/Re, without a limit at no flow: f·Re = 64 (White, eq. 6.13)."""
    assert friction_factor(np.array([1.0, 100.0, 1000.0])) == pytest.approx([64.0, 0.64, 0.064], rel=1e-9)
    assert friction_slope(0.0) == pytest.approx((64.0, 0.0))


@settings(deadline=None)
@given(st.floats(-4.0, 8.0), st.sampled_from([0.0, 1e-4, 1e-2]))
def test_friction_slope_is_the_derivative(logarithm, roughness):
    reynolds = 10.0**logarithm
    high, low = (friction_slope(reynolds * (1.0 + d), roughness)[0] for d in (1e-5, -1e-5))
    product, slope = friction_slope(reynolds, roughness)
    assert product == pytest.approx(reynolds * friction_factor(reynolds, roughness))
    assert slope * reynolds == pytest.approx((high - low) / 2e-5, rel=1e-4, abs=1e-8 * product)


def test_heat_transfer_of_laminar_flow():
    """Nu = 48/11 for uniform heat flux (Incropera, eq. 8.53)."""
    assert nusselt_number([0.0, 500.0, 2300.0], [1.0, 5.0, 50.0]) == pytest.approx(48.0 / 11.0, rel=1e-3)


@pytest.mark.parametrize("prandtl", [0.7, 1.5, 6.0, 50.0])
@pytest.mark.parametrize("reynolds", [2e4, 1e5])
def test_heat_transfer_of_turbulent_flow(reynolds, prandtl):
    """Within the scatter of 25 % that Incropera, 8.5, gives for Dittus-Boelter, Nu = 0.023·Re^0.8·Pr^0.4 (eq. 8.60)."""
    assert nusselt_number(reynolds, prandtl) == pytest.approx(0.023 * reynolds**0.8 * prandtl**0.4, rel=0.25)


def test_heat_transfer_by_hand():
    """Gnielinski with Petukhov's f at Re = 10 000, Pr = 1: (f/8)(Re − 1000), f = (0.790 ln 10⁴ − 1.64)⁻² = 0.03148."""
    assert nusselt_number(1e4, 1.0) == pytest.approx(0.03148 / 8.0 * 9000.0, rel=1e-3)


@settings(deadline=None)
@given(st.lists(st.floats(0.0, 1e6), min_size=2, max_size=20), st.floats(0.6, 200.0))
def test_film_and_friction_grow_with_flow(numbers, prandtl):
    """No step down anywhere between standstill and fully turbulent flow."""
    reynolds = np.sort(numbers)
    assert np.all(np.diff(nusselt_number(reynolds, prandtl)) >= -1e-9)
    liquid = fluid(AMMONIA, 25e5)
    flow = reynolds * 1e-6
    drops = pressure_drop(liquid, flow, 8e-3, 1.0, 300.0)
    films = tube_film_coefficient(liquid, flow, 8e-3, 300.0)
    assert np.all(np.isfinite(drops)) and np.all(np.isfinite(films))
    assert np.all(np.diff(drops) >= -1e-9) and np.all(np.diff(films) >= -1e-9)
    assert pressure_drop(liquid, -flow, 8e-3, 1.0, 300.0) == pytest.approx(-drops)


def test_film_at_standstill_is_finite():
    """4.36 k/D, below the 5.78 k/D of conduction alone in a standing cylinder (square of the first root of J₀)."""
    liquid = fluid(AMMONIA, 25e5)
    conductivity = float(liquid.at(300.0)[3])
    film = tube_film_coefficient(liquid, 0.0, 8e-3, 300.0)
    assert film == pytest.approx(4.36 * conductivity / 8e-3)


@settings(deadline=None)
@given(st.floats(200.0, 330.0), st.floats(210.0, 320.0))
def test_enthalpy_scale_turns_back(temperature, reference):
    scale = fluid(AMMONIA, 25e5).enthalpy_scale(reference)
    assert scale.temperature(scale.value(temperature)) == pytest.approx(temperature, abs=1e-9)
    assert scale.value(reference) == pytest.approx(reference, abs=2e-3)


def test_enthalpy_scale_is_the_enthalpy():
    """Differences of θ times c_ref against CoolProp's own enthalpy, over 200 to 330 K."""
    liquid = fluid(AMMONIA, 25e5)
    scale = liquid.enthalpy_scale(300.0)
    grid = np.linspace(200.0, 330.0, 27)
    exact = np.asarray(coolprop.PropsSI("H", "T", grid, "P", 25e5, AMMONIA))
    ours = scale.specific_heat * scale.value(grid)
    assert np.diff(ours) == pytest.approx(np.diff(exact), rel=2e-5)
    with pytest.raises(ModelError, match="reference temperature"):
        liquid.enthalpy_scale(400.0)
