"""Scenes against pictures of our own and against the numbers they show.

DAWNDUSK_UPDATE_REFERENCES=1 writes the references anew: look at them before they are committed.
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from large_result import HOTTEST, write_large
from PIL import Image

from twin.errors import BadInput
from viz.assembly import array_centres, exposure_of, grid_cells, grid_shape
from viz.compose import render_scene
from viz.movie import save_movie
from viz.paints import PAINTS, difference, value_limits
from viz.pictures import hottest_module
from viz.plant_data import Comparison, PlantData, earth_rotation
from viz.scenes import Choice, make_scene
from viz.stage import Pick

REFERENCES = Path(__file__).parent / "references"
SIZE = (360, 240)
INDEX = 10


@pytest.fixture(scope="module")
def data(large_folder: Path) -> PlantData:
    return PlantData.open(large_folder)


def picture(data: PlantData, choice: Choice, variable: str, size: tuple[int, int] = SIZE) -> np.ndarray:
    scene = make_scene(data, choice)
    paint = data.paint(variable)
    image, _ = render_scene(scene, INDEX, paint, scene.limits(paint), size=size)
    return image


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("plant", "panel_temperature_mean"),
        ("sub_center", "panel_temperature_mean"),
        ("module", "panel_temperature_mean"),
        ("cards", "throttled_fraction_thermal"),
        ("racks", "junction_temperature_max"),
    ],
)
def test_scene_looks_like_its_reference(data: PlantData, name: str, variable: str) -> None:
    module = HOTTEST[1] if name == "racks" else 0
    image = picture(data, Choice(name, HOTTEST[0], module), variable)
    file = REFERENCES / f"{name}.png"
    if os.environ.get("DAWNDUSK_UPDATE_REFERENCES"):
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(file, optimize=True)
    reference = np.asarray(Image.open(file).convert("RGB")).astype(float)
    apart = np.abs(image.astype(float) - reference).max(axis=2)
    # Other versions of Mesa move edges and letters by a pixel: few pixels may differ much.
    assert apart.mean() < 4.0, "the scene has changed"
    assert (apart > 60).mean() < 0.03, "the scene has changed"


@pytest.mark.parametrize("name", ["plant", "cards"])
def test_the_hottest_module_is_where_the_data_says(data: PlantData, name: str) -> None:
    """The square of the hottest module has the colour of its value, and no other is as hot."""
    assert hottest_module(data, INDEX) == HOTTEST
    variable = "panel_temperature_max"
    paint, scene = data.paint(variable), make_scene(data, Choice(name))
    limits = scene.limits(paint)
    image, preset = render_scene(scene, INDEX, paint, limits, size=(900, 600))
    values = data.values_at(variable, INDEX)
    expected = paint.colours(values[HOTTEST], limits).astype(int)
    near = np.argwhere(np.abs(image.astype(int) - expected).max(axis=2) <= 3)
    assert near.size, "its colour is not in the picture"
    corners = scene.outline(Pick(*HOTTEST))
    assert corners is not None
    right = np.cross(preset.up, preset.view)
    points = scene.extent()
    # Both cameras are parallel: pixels are a linear map of the scene about the middle of its extent.
    middle = np.array(
        [0.5 * (np.ptp(points @ axis) + 2 * (points @ axis).min()) for axis in (right, preset.up)]
    )
    up = np.cross(preset.view, right / np.linalg.norm(right))
    half = 0.5 * max(np.ptp(points @ up) / preset.fill[1], np.ptp(points @ right) / (1.5 * preset.fill[0]))
    place = corners.mean(axis=0)
    column = 450 + 300 * (place @ right - middle[0]) / half
    row = 300 - 300 * (place @ up - middle[1]) / half
    assert np.abs(near - [row, column]).max(axis=1).min() < 8


def test_colours_are_those_of_the_map() -> None:
    paint = PAINTS["panel_temperature_mean"]
    colours = paint.colours(np.array([280.0, 290.0, 300.0, np.nan, 500.0]), (280.0, 300.0))
    table = mpl.colormaps["plasma"]
    for colour, share in zip(colours, (0.0, 0.5, 1.0)):
        assert np.abs(colour - 255 * np.array(table(share)[:3])).max() < 3
    assert (colours[4] == colours[2]).all() and len(set(colours[3].tolist())) > 1
    assert float(paint.shown(np.array(300.0))) == pytest.approx(26.85)


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.floats(200.0, 400.0), min_size=1, max_size=50))
def test_limits_hold_all_of_few_values(values: list[float]) -> None:
    low, high = value_limits(np.array(values), PAINTS["panel_temperature_mean"])
    assert low <= min(values) + 1e-9 and high >= max(values) - 1e-9 and high - low >= 0.0999


def test_one_outlier_does_not_flatten_the_others() -> None:
    values = np.concatenate([np.random.default_rng(1).normal(300.0, 1.0, 5000), [390.0]])
    low, high = value_limits(values, PAINTS["panel_temperature_mean"])
    assert 294 < low < 299 and 301 < high < 310


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(1, 300))
def test_modules_have_places_of_their_own(count: int) -> None:
    cells = grid_cells(np.zeros(count, dtype=int), [0.5])
    rows, columns = grid_shape(count)
    assert len({tuple(cell) for cell in cells.tolist()}) == count
    assert cells[:, 0].max() < rows and cells[:, 1].max() < columns and columns - rows in (0, 1)
    assert np.abs(array_centres(cells, 2.0).mean(axis=0)).max() <= columns


def test_exposed_classes_stand_at_the_edge(data: PlantData) -> None:
    names, codes = data.classes
    views = exposure_of(names, [data.class_parts(name) for name in names])
    cells = grid_cells(codes[0], views)
    corner = cells[codes[0] == names.index("corner")]
    assert sorted(map(tuple, corner.tolist())) == [(0, 0), (0, 7), (7, 0), (7, 7)]
    inner = cells[codes[0] == names.index("interior")]
    assert inner.min() == 1 and inner.max() == 6
    assert exposure_of(["inside", "at the edge", "corner"], [{}, {}, {}]) == [0.75, 0.5, 0.0]


def test_sub_centers_are_a_quarter_of_an_orbit_apart(data: PlantData) -> None:
    moment = data.moment(INDEX)
    unit = moment.position / np.linalg.norm(moment.position, axis=1)[:, None]
    assert np.allclose((unit * np.roll(unit, 1, axis=0)).sum(axis=1), 0.0, atol=1e-9)
    normals = np.cross(moment.position, moment.velocity)
    assert np.allclose(normals, normals[0], rtol=1e-9, atol=1.0)
    # A quarter of an orbit apart the Earth stands in the way of all links between them.
    between = [a for a, b in data.links(moment) if np.linalg.norm(b) < 1e7]
    assert between == []


def test_earth_rotation_at_a_published_epoch() -> None:
    """IERS Conventions 2010: at J2000.0 the angle is 2 pi x 0.7790572732640."""
    from datetime import UTC, datetime

    assert earth_rotation(datetime(2000, 1, 1, 12, tzinfo=UTC)) == pytest.approx(2 * np.pi * 0.7790572732640)


def test_difference_of_two_results(data: PlantData, tmp_path: Path) -> None:
    write_large(tmp_path, side=8, ticks=24, warmer=3.0)
    both = Comparison(PlantData.open(tmp_path), data)
    values = both.values("panel_temperature_mean")
    assert np.allclose(values[np.isfinite(values)], 3.0, atol=1e-3)
    paint = both.paint("panel_temperature_mean")
    assert paint.unit == "K" and both.limits(paint) == pytest.approx((-3.0, 3.0), abs=1e-3)
    assert difference(PAINTS["battery_soc"]).unit == "points"
    scene = make_scene(both, Choice("cards"))
    image, _ = render_scene(scene, INDEX, paint, scene.limits(paint), size=SIZE)
    red, blue = image[..., 0].astype(int), image[..., 2].astype(int)
    assert (red - blue > 60).mean() > 0.2 and (blue - red > 60).mean() < 0.01


def test_plants_that_do_not_match_are_not_compared(data: PlantData, run_folder: Path) -> None:
    with pytest.raises(BadInput, match="two results of the same plant"):
        Comparison(data, PlantData.open(run_folder))


def test_movie_moves(data: PlantData, tmp_path: Path) -> None:
    scene = make_scene(data, Choice("plant"))
    paint = data.paint("panel_temperature_mean")
    save_movie(data, scene, tmp_path / "a.gif", paint, scene.limits(paint), frames=3, size=(240, 160))
    with Image.open(tmp_path / "a.gif") as movie:
        frames = []
        for number in range(3):
            movie.seek(number)
            frames.append(np.asarray(movie.convert("RGB")).astype(int))
    assert all(np.abs(a - b).max() > 100 for a, b in pairwise(frames))


@pytest.mark.parametrize(
    ("variable", "part"), [("battery_soc", "body"), ("solar_array_temperature", "array")]
)
def test_a_module_shows_a_value_at_the_part_that_has_it(data: PlantData, variable: str, part: str) -> None:
    """Cards are in the body, cells on the wings: panels do not take their colours."""
    paint, scene = data.paint(variable), make_scene(data, Choice("module", *HOTTEST))
    limits = scene.limits(paint)
    image, _ = render_scene(scene, INDEX, paint, limits, size=(600, 400))
    colour = paint.colours(data.values_at(variable, INDEX)[HOTTEST], limits).astype(int)
    painted = np.abs(image.astype(int) - colour).max(axis=2) <= 2
    assert 0.002 < painted.mean() < (0.03 if part == "body" else 0.2)
    assert part in scene.note or "solar wings" in scene.note
    plain = np.abs(image.astype(int) - np.array([0x8D, 0x96, 0xA3])).max(axis=2) <= 2
    assert plain.mean() > 0.01, "the panels stay grey"


@pytest.mark.parametrize("camera", ["orbit", "sun", "shadow", "north"])
def test_every_map_is_seen_from_every_camera(data: PlantData, camera: str) -> None:
    """No camera of the plant has a map behind the Earth or out of the picture."""
    paint, scene = data.paint("panel_temperature_mean"), make_scene(data, Choice("plant"))
    limits = scene.limits(paint)
    image, _ = render_scene(scene, INDEX, paint, limits, camera, size=(900, 600))
    values = data.values_at("panel_temperature_mean", INDEX)
    for center in range(4):
        hottest = paint.colours(np.array([np.nanmax(values[center])]), limits)[0].astype(int)
        assert (np.abs(image.astype(int) - hottest).max(axis=2) <= 3).any(), data.sub_centers[center]
