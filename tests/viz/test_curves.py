from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from twin.result_variables import find_variable
from viz.curves import PLOT_BY_NAME, PLOTS, displayed, eclipse_spans, power_scale, series_of, thin_out


def test_curves_name_variables_of_the_result() -> None:
    for plot in PLOTS:
        for curve in plot.curves:
            group = "ledger" if curve.group == "ledger" else "plant"
            units = find_variable(group, curve.variable).units
            assert units == {"power": "W", "temperature": "K", "share": "1", "residual": "1"}[plot.quantity]


def test_eclipse_spans_are_the_ones_simulated(result: xr.DataTree) -> None:
    """Shadow from 4200 s to 5220 s of each orbit of 5990 s; stamps are whole ticks of 20 s."""
    expected = np.array([[4200.0, 5220.0]]) + 5990.0 * np.arange(3)[:, None]
    np.testing.assert_allclose(eclipse_spans(result), expected, atol=20.0)


@settings(deadline=None)  # a busy machine is no failure
@given(
    values=arrays(np.float64, st.integers(1, 5000), elements=st.floats(-1e6, 1e6)),
    points=st.integers(10, 400),
)
def test_thinning_keeps_extremes_and_order(values: np.ndarray, points: int) -> None:
    time = np.arange(values.size, dtype=float)
    thin_time, thin_values = thin_out(time, values, points)
    assert thin_values.max() == values.max() and thin_values.min() == values.min()
    assert (np.diff(thin_time) > 0).all()
    assert thin_time[0] == time[0] and thin_time[-1] == time[-1]
    assert thin_time.size <= max(points + 2, 1)
    np.testing.assert_array_equal(thin_values, values[thin_time.astype(int)])


def test_values_as_shown(result: xr.DataTree) -> None:
    plot = PLOT_BY_NAME["radiator_temperatures"]
    series = series_of(result, plot)
    shown, label = displayed(series, plot.quantity)
    assert "°C" in label
    np.testing.assert_allclose(shown[0], result["plant/panel_temperature_min"] - 273.15, atol=1e-5)
    plot = PLOT_BY_NAME["power_balance"]
    shown, label = displayed(series_of(result, plot), plot.quantity)
    assert label == "power [kW]"
    np.testing.assert_allclose(shown[0][1:] * 1e3, result["plant/solar_power"], rtol=1e-6)
    assert shown[0][0] == shown[0][1]


def test_a_sub_center_has_its_own_curves(result: xr.DataTree) -> None:
    series = series_of(result, PLOT_BY_NAME["junction_temperatures"], "Borealis")
    expected = result["sub_center/junction_temperature_p50"].isel(sub_center=1)
    np.testing.assert_allclose(series[0].values, expected)
    with pytest.raises(ValueError, match="expected one of Aurora, Borealis"):
        series_of(result, PLOTS[0], "Cassiopeia")


def test_what_a_result_lacks_is_left_out(result: xr.DataTree) -> None:
    names = [series.curve.variable for series in series_of(result, PLOT_BY_NAME["power_balance"])]
    assert names == ["solar_power", "load_power", "battery_power"]  # the fixture sheds no load


def test_power_scale() -> None:
    assert [power_scale(value)[1] for value in (5.0, 5e3, -5e6, 1.2e9)] == ["W", "kW", "MW", "GW"]


def test_eclipse_is_found_where_only_sub_centers_know_it(result: xr.DataTree) -> None:
    tree = result.copy()
    orbit = tree["orbit"].to_dataset()
    fraction = orbit["illuminated_fraction"]
    tree["orbit"] = xr.DataTree(orbit.drop_vars("illuminated_fraction"))
    assert eclipse_spans(tree) == []
    group = tree["sub_center"].to_dataset()
    tree["sub_center"] = xr.DataTree(
        group.assign(illuminated_fraction=fraction.expand_dims(sub_center=2, axis=1))
    )
    assert eclipse_spans(tree) == eclipse_spans(result) != []
