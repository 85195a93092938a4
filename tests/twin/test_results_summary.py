"""The headline figures of a result against sums done by hand."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from twin.results import ResultLayout, ResultWriter, energy_balance, open_result, summary, tick_weights

START = datetime(2026, 3, 1)


def make(path: Path, *, with_durations: bool = True) -> xr.DataTree:
    layout = ResultLayout(["a", "b"], np.array([0, 1]))
    static = {"plant": {"card_count": 30.0}, "sub_center": {"card_count": np.array([10.0, 20.0])}}
    with ResultWriter.create(path, layout, START, static=static) as writer:
        # Ticks of 10, 30 and 20 s: a plain mean over ticks would be wrong.
        for end, length, load, soc, throttled in (
            (10.0, 10.0, [6.0, 1.0], 0.9, [0.0, 0.0]),
            (40.0, 30.0, [2.0, 1.0], 0.5, [0.5, 0.1]),
            (60.0, 20.0, [0.0, 1.0], 0.7, [0.0, 0.3]),
        ):
            share = (10 * throttled[0] + 20 * throttled[1]) / 30
            plant = {"load_power": sum(load), "battery_soc": soc, "throttled_fraction_thermal": share}
            if with_durations:
                plant["tick_duration"] = length
            parts = {
                "load_power": np.array(load),
                "battery_soc": np.array([soc, soc]),
                "throttled_fraction_thermal": np.array(throttled),
            }
            ledger = {
                "absorbed_energy": 100.0 * end,
                "emitted_energy": 90.0 * end,
                "stored_energy": 7.0 * end,
                "battery_energy": 2.0 * end,
                "energy_residual": 0.01,
            }
            writer.append(end, {"plant": plant, "sub_center": parts, "ledger": ledger})
    return open_result(path)


@pytest.mark.parametrize("with_durations", [True, False])
def test_means_are_weighted_by_tick_length(tmp_path: Path, with_durations: bool) -> None:
    result = make(tmp_path / "result.zarr", with_durations=with_durations)
    np.testing.assert_allclose(tick_weights(result), [10.0, 30.0, 20.0])
    rows = {row.name: row for row in summary(result)}
    assert rows["load_power_mean"].sub_center["a"] == pytest.approx((60 + 60 + 0) / 60)
    assert rows["load_power_mean"].plant == pytest.approx(3.0)
    assert rows["load_power_max"].plant == 7.0
    assert rows["battery_soc_min"].plant == pytest.approx(0.5)
    assert rows["load_power_mean"].units == "W"
    assert "radiator_margin_min" not in rows, "a figure without its variable must not appear"


def test_throttled_card_hours(tmp_path: Path) -> None:
    """Cards x share x hours: 10 x 0.5 x 30 s and 20 x (0.1 x 30 s + 0.3 x 20 s)."""
    rows = {row.name: row for row in summary(make(tmp_path / "result.zarr"))}
    hours = rows["throttled_card_hours_thermal"]
    assert hours.sub_center["a"] == pytest.approx(150 / 3600)
    assert hours.sub_center["b"] == pytest.approx(180 / 3600)
    assert hours.plant == pytest.approx(330 / 3600)
    assert hours.as_dict()["sub_center"] == pytest.approx({"a": 150 / 3600, "b": 180 / 3600})


def test_energy_balance_adds_up(tmp_path: Path) -> None:
    lines = energy_balance(make(tmp_path / "result.zarr"))
    energies = [energy for _, energy, _ in lines]
    np.testing.assert_allclose(energies, [6000.0, 5400.0, 420.0, 120.0, 60.0])
    assert energies[0] == pytest.approx(sum(energies[1:]))
    assert lines[-1][2] == pytest.approx(0.01)
