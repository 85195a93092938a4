from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

from twin.errors import BadInput
from viz.fields import read_panel
from viz.module_geometry import ZENITH, Plate, face_normal, module_class_of, module_geometry, sky_at
from viz.picture import save_module_picture
from viz.scene import COLOUR_MAP, load_scene, render

CLASS = {
    "radiator": {"orientation": "edge_on"},
    "solar_array": {"area": 24.0, "orientation": "sun"},
    "body": {"faces": [{"name": "top", "area": 1.2}]},
}
unit_vectors = st.tuples(*[st.floats(-1, 1)] * 3).map(np.array).filter(lambda v: np.linalg.norm(v) > 0.1)


def area(plate: Plate) -> float:
    return float(4 * np.linalg.norm(np.cross(plate.half_width, plate.half_height)))


def test_sky_of_a_known_orbit(result: xr.DataTree) -> None:
    """A quarter of an orbit after the start the satellite is over the pole and the Sun on the horizon."""
    orbit = result["orbit"].to_dataset()
    index = round(5990.0 / 4 / 20.0) - 1
    sky = sky_at(orbit, index, 1.0)
    assert np.linalg.norm(sky.sun) == pytest.approx(1.0)
    assert sky.sun[1] == pytest.approx(-np.sin(np.deg2rad(65.0)), abs=1e-6)
    assert sky.sun[2] == pytest.approx(0.0, abs=0.02)  # on the local horizon
    assert np.rad2deg(sky.earth_angular_radius) == pytest.approx(
        np.rad2deg(np.arcsin(6378e3 / 7128e3)), abs=0.01
    )


@given(sun=unit_vectors)
def test_edge_on_sees_neither_sun_nor_earth(sun: np.ndarray) -> None:
    sun = sun / np.linalg.norm(sun)
    normal = face_normal("edge_on", sun)
    assert np.linalg.norm(normal) == pytest.approx(1.0)
    if np.linalg.norm(np.cross(sun, ZENITH)) > 1e-6:
        assert abs(normal @ sun) < 1e-6 and abs(normal @ ZENITH) < 1e-6


@given(sun=unit_vectors)
def test_parts_have_the_sizes_of_the_case(sun: np.ndarray) -> None:
    sun = sun / np.linalg.norm(sun)
    geometry = module_geometry(CLASS, (2.0, 3.0), 2, sun)
    assert [area(panel) for panel in geometry.panels] == pytest.approx([6.0, 6.0])
    assert sum(area(wing) for wing in geometry.wings) == pytest.approx(24.0)
    assert geometry.body_edge == pytest.approx(np.sqrt(1.2))
    for wing in geometry.wings:
        normal = np.cross(wing.half_width, wing.half_height)
        assert abs(normal @ sun) == pytest.approx(np.linalg.norm(normal))


def test_sizes_with_units_are_understood() -> None:
    """The resolved case may write areas as text."""
    geometry = module_geometry({"solar_array": {"area": "30 m2"}}, (2.0, 3.0), 1, np.array([0.0, -1.0, 0.0]))
    assert sum(area(wing) for wing in geometry.wings) == pytest.approx(30.0)


def test_class_of_a_field(result: xr.DataTree) -> None:
    tree = result.copy()
    tree.attrs = {**tree.attrs, "case": json.dumps({"module_classes": {"core": {"a": 1}, "wing": {"a": 2}}})}
    assert module_class_of(tree, "panel") == ("core", {"a": 1})
    assert module_class_of(tree, "panel-wing") == ("wing", {"a": 2})
    tree.attrs = {"start": result.attrs["start"]}
    assert module_class_of(tree, "panel") == ("", {})


def test_nearest_field_is_read(run_folder: Path) -> None:
    field = read_panel(run_folder, 1000.0)
    assert field.time == 1200.0 and field.name == "panel"
    assert field.area == pytest.approx(6.0)
    assert field.temperature.argmax() == np.argmin(np.hypot(field.points[:, 0] - 1.0, field.points[:, 1]))
    with pytest.raises(BadInput, match="expected one of panel"):
        read_panel(run_folder, 0.0, "wall")


def test_a_colour_means_one_temperature(run_folder: Path) -> None:
    """Half of each panel at one temperature, half at another: the two colours fill about equal areas."""
    scene = load_scene(run_folder, 9000.0)
    left = scene.field.points[:, 0] < 1.0
    temperature = np.where(left, 280.0, 300.0)
    rendering = render(
        replace(scene, field=replace(scene.field, temperature=temperature)), (270.0, 310.0), (600, 400)
    )
    counts = []
    for share in (0.25, 0.75):
        colour = np.array(mpl.colormaps[COLOUR_MAP](share)[:3]) * 255
        counts.append(int((np.abs(rendering.image.astype(float) - colour).max(axis=2) <= 4).sum()))
    assert min(counts) > 2000
    assert 0.6 < counts[0] / counts[1] < 1.7
    assert (
        rendering.compass["Earth"][0] == pytest.approx(0.0, abs=1e-9) and rendering.compass["Earth"][1] < -0.8
    )
    for vector in rendering.compass.values():
        assert np.linalg.norm(vector) == pytest.approx(1.0)


def test_picture_file(run_folder: Path, tmp_path: Path) -> None:
    save_module_picture(run_folder, tmp_path / "deep" / "module.png", 1e9)
    image = imread(tmp_path / "deep" / "module.png")
    assert image.shape[1] > 1200 and image[..., :3].std() > 0.1


def test_rendering_is_quiet(run_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    render(load_scene(run_folder, 0.0), (260.0, 300.0), (120, 80))
    out, err = capfd.readouterr()
    assert out == "" and err == ""
