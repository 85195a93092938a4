"""From a module down to its racks and cards: what is shown is what the run kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from large_result import CARDS, HOT_CARD, HOTTEST, SLOTS, write_large

from twin.errors import BadInput
from viz.card_maps import CardMaps, has_card_maps
from viz.compose import render_scene
from viz.plant_data import PlantData
from viz.rack_scene import RackScene
from viz.scenes import Choice, make_scene
from viz.session.model import SessionModel
from viz.stage import Pick

JUNCTION = "junction_temperature_max"
HOT = SLOTS * HOT_CARD[0] + HOT_CARD[1]
"""The hottest card, counted from the first of its module."""


@pytest.fixture(scope="module")
def data(large_folder: Path) -> PlantData:
    return PlantData.open(large_folder)


def scene(data: PlantData) -> RackScene:
    made = make_scene(data, Choice("racks", *HOTTEST))
    assert isinstance(made, RackScene)
    return made


def test_every_card_is_known_at_the_worst_moment_and_the_last(data: PlantData, large_folder: Path) -> None:
    maps, index = CardMaps(large_folder), int(data.flat_index[HOTTEST])
    assert maps.times.tolist() == [300.0, 3000.0, 7200.0] and maps.card_times == [300.0, 7200.0]
    worst = maps.at(0.0, index, JUNCTION)
    assert worst.each and worst.values.size == CARDS and int(worst.values.argmax()) == HOT
    assert worst.values.max() == pytest.approx(357.0, abs=0.01)
    held = maps.at(0.0, index, "throttled_fraction_thermal")
    assert held.values.sum() == SLOTS // 4
    between = maps.at(3100.0, index, JUNCTION)
    assert not between.each and between.time == 3000.0
    rack = between.values.reshape(-1, SLOTS)
    assert (rack == rack[:, :1]).all() and int(rack[:, 0].argmax()) == HOT_CARD[0]
    share = maps.at(3100.0, index, "throttled_fraction_thermal").values
    assert share[HOT] == pytest.approx(0.25) and share[0] == 0.0


def test_the_hottest_card_is_where_the_data_says(data: PlantData) -> None:
    """The brightest square of the picture is the card that the run kept as the hottest."""
    racks, paint = scene(data), data.paint(JUNCTION)
    limits = racks.limits(paint)
    image, preset = render_scene(racks, 0, paint, limits, size=(900, 700))
    assert "every card at 5 min" in racks.note
    colour = paint.colours(np.array([357.0]), limits)[0].astype(int)
    near = np.argwhere(np.abs(image.astype(int) - colour).max(axis=2) <= 3)
    assert near.size, "its colour is not in the picture"
    corners, points = racks.outline(Pick(*HOTTEST, HOT)), racks.extent()
    assert corners is not None
    middle = 0.5 * (points.max(axis=0) + points.min(axis=0))
    half = 0.5 * max(
        np.ptp(points[:, 1]) / preset.fill[1], np.ptp(points[:, 0]) / (900 / 700 * preset.fill[0])
    )
    column, row = (corners.mean(axis=0) - middle)[:2] / half * 350
    assert np.abs(near - [350 - row, 450 + column]).max(axis=1).max() < 20
    assert racks.name_of(HOT) == f"rack {HOT_CARD[0]}, card {HOT_CARD[1]}"


def test_a_quantity_that_cards_do_not_have_is_that_of_the_module(data: PlantData) -> None:
    racks, paint = scene(data), data.paint("battery_soc")
    racks.build(_Nothing())
    racks.update(3, paint, racks.limits(paint))
    assert "one colour" in racks.note
    assert np.allclose(racks.shown_values(), data.values_at("battery_soc", 3)[HOTTEST])


class _Nothing:
    """A plotter that draws nothing."""

    window_size = (400, 300)

    def add_mesh(self, *_: object, **__: object) -> None: ...

    def add_point_labels(self, *_: object, **__: object) -> None: ...


def test_a_click_on_a_card_gives_the_course_of_its_rack(data: PlantData) -> None:
    model = SessionModel(data, index=0)
    model.show(Choice("cards"))
    model.select(Pick(*HOTTEST))
    model.show(Choice("racks", *HOTTEST))
    assert model.selected == Pick(*HOTTEST)
    model.plotter.render()
    corners = model.scene.outline(Pick(*HOTTEST, HOT))
    assert corners is not None
    renderer = model.plotter.renderer
    renderer.SetWorldPoint(*corners.mean(axis=0), 1.0)
    renderer.WorldToDisplay()
    x, y, _ = renderer.GetDisplayPoint()
    width, height = model.plotter.render_window.GetSize()
    assert model.pick(x / width, y / height) == Pick(*HOTTEST, HOT)
    words = model.describe_selection()
    assert f"rack {HOT_CARD[0]}, card {HOT_CARD[1]}: 83.85 °C" in words
    line = model.figures("throttling")["quantity"]["data"][0]
    assert line["name"] == "rack 5: its hottest card" and len(line["x"]) == 3
    model.close()


def test_a_result_without_maps_says_so(tmp_path: Path, data: PlantData) -> None:
    write_large(tmp_path, side=3, ticks=2)
    bare = PlantData.open(tmp_path)
    assert not has_card_maps(tmp_path) and "racks" not in bare.scenes
    with pytest.raises(BadInput, match="holds no maps of cards"):
        make_scene(bare, Choice("racks"))
    (tmp_path / "fields/cards").mkdir(parents=True)
    (tmp_path / "fields/cards/layout.npz").write_bytes(b"half")
    with pytest.raises(BadInput, match="maps of cards are damaged"):
        CardMaps(tmp_path)
