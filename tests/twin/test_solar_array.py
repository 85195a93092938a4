"""Solar cells and arrays against datasheets, published numbers, pvlib and limits."""

import numpy as np
import pvlib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin import solar_cell, solar_cell_diode
from twin.solar_array import (
    CellParameters,
    SolarArrayParameters,
    absorbed_heat,
    draw_power,
    electrical_power,
    maximum_power,
    remaining_factor,
)

YEAR = 365.25 * 86400.0

# AZUR SPACE 3G30A, average BOL at 1367 W/m² and 28 °C, with its temperature gradients.
AZUR_3G30A = CellParameters(
    area=30.18e-4,
    short_circuit_current=0.5196,
    max_power_current=0.5029,
    open_circuit_voltage=2.690,
    max_power_voltage=2.409,
    short_circuit_current_slope=0.36e-3,
    max_power_current_slope=0.24e-3,
    open_circuit_voltage_slope=-6.2e-3,
    max_power_voltage_slope=-6.7e-3,
)
ARRAY = SolarArrayParameters(AZUR_3G30A, area=20.0)
LOSSLESS = SolarArrayParameters(
    AZUR_3G30A,
    area=24 * 12 * 30.18e-4,
    packing_factor=1.0,
    cells_in_series=24,
    blocking_diode_drop=0.0,
    harness_efficiency=1.0,
    mppt_efficiency=1.0,
)
fluxes = st.floats(0.0, 3000.0)
temperatures = st.floats(50.0, 500.0)
cosines = st.floats(0.0, 1.0)


def test_cell_efficiency_is_the_datasheet_s():
    """29.3 % = 2.409 V × 0.5029 A / (1367 W/m² × 30.18 cm²), AZUR SPACE 3G30A."""
    assert AZUR_3G30A.efficiency == pytest.approx(0.2937, abs=2e-4)


def test_published_array_at_80_celsius():
    """24s12p of 3G30A, 80 °C, 1 sun: 305.9 W, Voc 56.82 V, Isc 6.460 A (documentation of `solarcell` 0.2)."""
    hot = 353.15
    power = electrical_power(LOSSLESS, np.array([1367.0]), 1.0, hot)
    assert power[0] == pytest.approx(305.9, rel=1e-3)
    assert 24 * solar_cell.open_circuit_voltage(AZUR_3G30A, 1367.0, hot) == pytest.approx(56.82, abs=0.01)
    assert 12 * solar_cell.short_circuit_current(AZUR_3G30A, 1367.0, hot) == pytest.approx(6.460, abs=1e-3)


def test_kelly_cosine_table():
    """Patel, Spacecraft Power Systems: 30° 0.866, 50° 0.635, 60° 0.450, 80° 0.100, 85° 0."""
    angles = np.radians([0.0, 30.0, 50.0, 60.0, 80.0, 85.0, 89.0])
    kelly = np.cos(angles) * solar_cell.kelly_ratio(np.cos(angles))
    np.testing.assert_allclose(kelly, [1.0, 0.8660, 0.635, 0.450, 0.100, 0.0, 0.0], atol=1e-4)


def test_kelly_is_a_cosine_up_to_30_degrees_and_never_above_it():
    cosine = np.linspace(-1.0, 1.0, 2001)
    ratio = solar_cell.kelly_ratio(cosine)
    assert np.all((ratio >= 0.0) & (ratio <= 1.0)) and np.all(np.diff(ratio) >= 0.0)
    np.testing.assert_allclose(ratio[cosine > np.cos(np.radians(30.0))], 1.0)


def test_radiation_points_of_the_datasheet():
    """XTJ-class triple junction: 0.89 at 5e14 and 0.84 at 1e15 1-MeV e/cm² (datasheet)."""
    factors = solar_cell.radiation_factor(AZUR_3G30A, np.array([0.0, 5e18, 7e18, 1e19]))
    np.testing.assert_allclose(factors[[0, 1, 3]], [1.0, 0.89, 0.84], rtol=1e-12)
    assert 0.84 < factors[2] < 0.89


@given(st.lists(st.floats(0.0, 1e30), min_size=2, max_size=20))
def test_more_fluence_never_more_power(fluence):
    factors = solar_cell.radiation_factor(AZUR_3G30A, np.sort(fluence))
    assert np.all((factors >= 0.0) & (factors <= 1.0)) and np.all(np.diff(factors) <= 1e-12)


def test_remaining_factor_after_years():
    """One decade of the datasheet's fluence and 0.5 % a year of other losses: 0.84 · exp(-0.05)."""
    array = SolarArrayParameters(AZUR_3G30A, area=1.0, fluence_rate=1e18 / YEAR, ageing_rate=0.005 / YEAR)
    np.testing.assert_allclose(
        remaining_factor(array, np.array([0.0, 10 * YEAR])), [1.0, 0.84 * np.exp(-0.05)]
    )


@pytest.mark.parametrize("temperature", [273.15, 301.15, 333.15, 373.15])
def test_one_diode_curve_agrees_with_the_point_model(temperature):
    """One-diode fit through pvlib: Pmp exact at the reference, 0.5 % of the datasheet's slopes 0–100 °C."""
    model = solar_cell_diode.fit_single_diode(AZUR_3G30A)
    current, voltage = solar_cell_diode.max_power_point(model, 1367.0, temperature)
    point = np.prod(solar_cell.max_power_point(AZUR_3G30A, 1367.0, temperature))
    tolerance = 1e-8 if temperature == 301.15 else 5e-3
    assert float(current * voltage) == pytest.approx(float(point), rel=tolerance)


def test_one_diode_curve_passes_through_the_datasheet():
    """Isc, Voc, (Vmp, Imp) and dVoc/dT; solved by pvlib's Lambert-W and Newton paths."""
    model = solar_cell_diode.fit_single_diode(AZUR_3G30A)
    il, i0, rs, rsh, a = model.at(1367.0, 301.15)
    curve = pvlib.pvsystem.singlediode(il, i0, rs, rsh, a, method="lambertw")
    for name, value in {"i_sc": 0.5196, "v_oc": 2.690, "i_mp": 0.5029, "v_mp": 2.409}.items():
        assert float(np.squeeze(curve[name])) == pytest.approx(value, rel=2e-5), name
    near = solar_cell_diode.voltage_at_current(model, 0.0, 1367.0, np.array([300.15, 302.15]))
    assert np.diff(near)[0] / 2.0 == pytest.approx(-6.2e-3, rel=1e-6)


def test_irradiance_law_agrees_with_the_one_diode_curve():
    """Point model against pvlib's curve from 0.3 to 1.05 suns: within 1 %."""
    model = solar_cell_diode.fit_single_diode(AZUR_3G30A)
    flux = np.array([400.0, 700.0, 1000.0, 1200.0, 1420.0])
    curve = np.prod(solar_cell_diode.max_power_point(model, flux, 301.15), axis=0)
    point = np.prod(solar_cell.max_power_point(AZUR_3G30A, flux, 301.15), axis=0)
    np.testing.assert_allclose(point, curve, rtol=0.01)


def test_no_one_diode_curve_for_impossible_points():
    with pytest.raises(ValueError, match="no one-diode curve"):
        solar_cell_diode.fit_single_diode(
            CellParameters(30e-4, 0.52, 0.3, 2.7, 1.0, 1e-4, 1e-4, -6e-3, -6e-3, absorptance=0.9)
        )


def test_parallel_strings_agree_with_the_point_model_and_lose_one():
    """Equal strings: the published 305.9 W within 0.5 %; a dark one behind its blocking diode costs 1/12."""
    model = solar_cell_diode.fit_single_diode(AZUR_3G30A)
    flux, hot = np.full(12, 1367.0), np.full(12, 353.15)
    whole = solar_cell_diode.parallel_strings_power(model, 24, flux, hot)
    assert whole == pytest.approx(305.9, rel=5e-3)
    flux[3] = 0.0
    assert solar_cell_diode.parallel_strings_power(model, 24, flux, hot) == pytest.approx(
        whole * 11 / 12, rel=1e-5
    )
    lost = electrical_power(LOSSLESS, np.array([1367.0]), 1.0, 353.15, strings_available=11 / 12)
    assert lost[0] == pytest.approx(electrical_power(LOSSLESS, [1367.0], 1.0, 353.15)[0] * 11 / 12)


def test_mismatched_strings_give_less_than_each_at_its_best():
    model = solar_cell_diode.fit_single_diode(AZUR_3G30A)
    temperature = np.array([250.0, 370.0])
    together = solar_cell_diode.parallel_strings_power(model, 24, np.full(2, 1367.0), temperature)
    apart = 24 * np.sum(np.prod(solar_cell_diode.max_power_point(model, 1367.0, temperature), axis=0))
    assert 0.7 * apart < together < 0.995 * apart


@given(fluxes, temperatures, temperatures, cosines)
def test_hotter_never_more_power(flux, one, other, cosine):
    power = electrical_power(ARRAY, np.full(2, flux), cosine, np.sort([one, other]))
    assert power[1] <= power[0] * (1.0 + 1e-12)


@given(fluxes, fluxes, temperatures, cosines)
def test_more_light_never_less_power(one, other, temperature, cosine):
    power = electrical_power(ARRAY, np.sort([one, other]), cosine, temperature)
    assert power[1] >= power[0] * (1.0 - 1e-12)


@given(fluxes, temperatures, cosines, cosines)
def test_steeper_never_less_power(normal_flux, temperature, one, other):
    cosine = np.sort([one, other])
    power = electrical_power(ARRAY, normal_flux * cosine, cosine, temperature)
    assert power[1] >= power[0] * (1.0 - 1e-12)


@given(fluxes, temperatures, cosines, st.floats(0.0, 1.0), st.floats(0.0, 2.0), st.floats(0.0, 1.0))
def test_power_drawn_goes_to_named_places(flux, temperature, cosine, factor, wanted, strings):
    """Cells = terminals + diodes + harness to rounding, no loss negative, and never more than is absorbed."""
    point = maximum_power(ARRAY, np.array([flux]), cosine, temperature, factor, strings)
    flows = draw_power(ARRAY, point, wanted * point.power)
    assert flows.cell_power == pytest.approx(flows.power + flows.diode_loss + flows.harness_loss, rel=1e-12)
    assert flows.diode_loss >= 0.0 and flows.harness_loss >= -1e-12 * flows.power
    assert flows.power <= point.power
    assert flows.cell_power <= point.cell_power * (1.0 + 1e-9)
    assert absorbed_heat(ARRAY, flux, flows.cell_power) >= -1e-9


def test_full_draw_costs_what_the_maximum_says():
    point = maximum_power(ARRAY, np.array([1361.0, 200.0]), 1.0, np.array([320.0, 250.0]))
    flows = draw_power(ARRAY, point, point.power)
    np.testing.assert_allclose(flows.cell_power, point.cell_power, rtol=1e-12)


def test_losses_at_the_reference_point():
    """Rated power = cells × tracker × (1 - drop / string voltage) × harness, by hand."""
    cells = 20.0 * 0.9 / 30.18e-4
    by_hand = cells * 2.409 * 0.5029 * 0.99 * (1 - 0.7 / (150 * 2.409)) * 0.98
    assert ARRAY.rated_power == pytest.approx(by_hand, rel=1e-12)
    assert electrical_power(ARRAY, [1367.0], 1.0, 301.15)[0] == pytest.approx(by_hand, rel=1e-12)


def test_curtailed_array_is_hotter():
    """What is not drawn stays: α·G·A - P, so curtailing 1 W of cells adds 1 W of heat."""
    point = maximum_power(ARRAY, np.array([1361.0]), 1.0, 320.0)
    full, none = draw_power(ARRAY, point, point.power), draw_power(ARRAY, point, 0.0)
    difference = absorbed_heat(ARRAY, 1361.0, none.cell_power) - absorbed_heat(ARRAY, 1361.0, full.cell_power)
    assert difference == pytest.approx(full.cell_power)
    assert absorbed_heat(ARRAY, 1361.0, 0.0) == pytest.approx((0.9 * 0.91 + 0.1 * 0.6) * 1361.0 * 20.0)


@pytest.mark.parametrize("flux", [-1e9, 0.0, 1e-300, 1e12, 1e100])
@pytest.mark.parametrize("temperature", [0.0, 3.0, 300.0, 1e4, 1e12])
def test_absurd_inputs_stay_finite(flux, temperature):
    point = maximum_power(ARRAY, np.array([flux]), np.array([1.0]), np.array([temperature]))
    flows = draw_power(ARRAY, point, np.array([1e300]))
    for value in (*vars(point).values(), *vars(flows).values()):
        assert np.all(np.isfinite(value)) and np.all(value >= 0.0)


def test_cell_from_efficiency_has_that_efficiency_and_slope():
    """29.8 % and -0.22 %/K are met at the reference point."""
    cell = CellParameters.from_efficiency(0.298, power_temperature_coefficient=-2.2e-3)
    assert cell.efficiency == pytest.approx(0.298, rel=1e-12)
    array = SolarArrayParameters(
        cell, 1.0, 1.0, blocking_diode_drop=0.0, harness_efficiency=1.0, mppt_efficiency=1.0
    )
    power = electrical_power(array, np.full(3, 1367.0), 1.0, np.array([300.15, 301.15, 302.15]))
    assert (power[2] - power[0]) / 2.0 / power[1] == pytest.approx(-2.2e-3, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("packing_factor", 1.2),
        ("area", 0.0),
        ("mppt_efficiency", 0.0),
        ("ageing_rate", -1.0),
        ("cells_in_series", 0),
    ],
)
def test_bad_arrays_are_named(name, value):
    with pytest.raises(ValueError, match=name):
        SolarArrayParameters(**{"cell": AZUR_3G30A, "area": 1.0, name: value})


def test_bad_radiation_table_is_named():
    with pytest.raises(ValueError, match="fluences"):
        CellParameters.from_efficiency(0.3, fluences=(1e19, 5e18), remaining_power=(0.9, 0.8))
