"""What held the cards back: the place, the cause and the time that the result has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from large_result import CARDS, FAILED, HOTTEST, NAMES

from twin.results import summary
from viz.plant_data import PlantData
from viz.report_scenes import throttling_beside, throttling_words
from viz.report_throttling import throttled_places


@pytest.fixture(scope="module")
def data(large_folder: Path) -> PlantData:
    return PlantData.open(large_folder)


def with_heat(data: PlantData, change: np.ndarray) -> PlantData:
    """Return the result with other shares throttled by temperature, shape (time, sub_center, module)."""
    tree = data.result.copy()
    module = tree["module"].to_dataset()
    found = module.assign(
        throttled_fraction_thermal=(module.throttled_fraction_thermal.dims, change),
        throttled_fraction_power=0.0 * module.throttled_fraction_power,
    )
    tree["module"] = xr.DataTree(found)
    return PlantData(tree)


def test_the_place_is_found(data: PlantData) -> None:
    """One module, hot at two time stamps: its class, its number, its card-hours and the times are told."""
    values = np.zeros((data.times.size, 4, 64), dtype=np.float32)
    values[10, 2, 5], values[11, 2, 5] = 0.25, 0.5
    (place,) = throttled_places(with_heat(data, values))
    assert (place.sub_center, place.modules, place.worst) == (NAMES[2], "interior", HOTTEST[1])
    step = float(data.times[1] - data.times[0]) / 3600.0
    assert place.card_hours == pytest.approx(0.75 * CARDS * step, rel=1e-6)
    assert (place.peak, place.begin, place.end, place.touched, place.count) == (11, 10, 11, 1, 36)
    assert place.peak_share == pytest.approx(0.5 / 36) and place.worst_share == pytest.approx(
        0.75 / 24, rel=1e-6
    )


def test_card_hours_add_up_to_the_summary(data: PlantData) -> None:
    places, rows = throttled_places(data), {row.name: row for row in summary(data.result)}
    for cause in ("thermal", "power"):
        mine = [place.card_hours for place in places if place.variable == f"throttled_fraction_{cause}"]
        assert (
            sum(mine) == pytest.approx(rows[f"throttled_card_hours_{cause}"].plant, rel=1e-4)
            and sum(mine) > 0
        )


def test_words_name_cause_place_and_time(data: PlantData) -> None:
    words = throttling_words(data.result)
    assert "<b>Temperature</b> took" in words and "most at 2035-06-21" in words and "UTC" in words
    worst = throttled_places(data)[0]
    assert worst.sub_center in words and f"{worst.worst} (" in words
    second = [p for p in throttled_places(data) if p.sub_center == NAMES[FAILED[0]]]
    assert any(p.worst == FAILED[1] and p.worst_share > 0.5 for p in second)


def test_nothing_is_said_to_be_nothing(data: PlantData) -> None:
    quiet = with_heat(data, np.zeros((data.times.size, 4, 64), dtype=np.float32))
    assert throttled_places(quiet) == []
    assert "Nothing: no card was held back" in throttling_words(quiet.result)


def test_maps_go_down_to_the_cards(large_folder: Path) -> None:
    page = throttling_beside(large_folder)
    assert page.count("<img") == 2 and "a square for every card" in page
