"""Panels of a wing: the pieces of one mesh, side by side in a picture, and probed by a click."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from viz.fields import PanelField, field_times, read_panel
from viz.module_geometry import module_geometry
from viz.module_view import ModuleView
from viz.plant_data import PlantData
from viz.session.model import SessionModel


def wing(count: int, width: float = 1.0, height: float = 2.0) -> PanelField:
    """Panels of 3 x 4 points one behind the other, panel k at 300 + 10 k kelvin; their points are shuffled."""
    x, y = np.meshgrid(np.linspace(0, width, 3), np.linspace(0, height, 4), indexing="ij")
    flat = np.column_stack([x.ravel(), y.ravel(), 0 * x.ravel()])
    corner = np.array([4 * i + j for i in range(2) for j in range(3)])
    cells = np.concatenate(
        [np.stack([corner, corner + 4, corner + 5], 1), np.stack([corner, corner + 5, corner + 1], 1)]
    )
    points = np.concatenate([flat + np.array([0.0, 1.02 * height * k, 0.0]) for k in range(count)])
    triangles = np.concatenate([cells + 12 * k for k in range(count)])
    temperature = np.repeat(300.0 + 10.0 * np.arange(count), 12)
    order = np.random.default_rng(1).permutation(len(points))
    return PanelField("panel", 0.0, points[order], np.argsort(order)[triangles], temperature[order])


def test_pieces_of_a_mesh_are_its_panels() -> None:
    field = wing(3)
    assert [piece.area for _, piece in field.pieces] == pytest.approx([2.0, 2.0, 2.0])
    assert field.area == pytest.approx(6.0)
    for number, (members, piece) in enumerate(field.pieces):
        assert (piece.temperature == 300.0 + 10.0 * number).all()
        assert np.array_equal(field.temperature[members], piece.temperature)
        assert piece.points[:, 1].min() == pytest.approx(2.04 * number)


def test_panels_stand_side_by_side() -> None:
    """Three panels of a wing are three plates beside each other; each has the temperatures of its own piece."""
    from viz.module_actors import _panels

    field = wing(3)
    sun = np.array([0.3, -0.9, -0.3])
    plates = module_geometry({}, (1.0, 2.0), 3, sun / np.linalg.norm(sun)).panels
    import pyvista as pv

    mesh = _panels(pv, field, plates)
    for number, plate in enumerate(plates):
        corners = plate.corners
        here = mesh.point_data["temperature"] == 300.0 + 10.0 * number
        assert here.sum() == 12
        gap = np.linalg.norm(mesh.points[here][:, None] - corners[None], axis=2).min(axis=0)
        assert gap.max() < 1e-5, "the corners of the plate are corners of the panel"
    assert np.array_equal(field.temperature[mesh.point_data["field_point"]], mesh.point_data["temperature"])


def test_a_click_on_a_panel_probes_its_field(run_folder: Path) -> None:
    """The point that is hit, its temperature now and its course: those of the files."""
    data = PlantData.open(run_folder)
    model = SessionModel(data, "module", index=4)
    scene = model.scene
    assert isinstance(scene, ModuleView) and scene.has_field and scene._actors is not None
    model.set_paint("panel_temperature_mean")
    model.plotter.render()
    mesh = scene._actors.panels.mapper.dataset
    place = np.asarray(mesh.points)[np.asarray(mesh.regular_faces)[len(mesh.regular_faces) // 3]].mean(axis=0)
    renderer = model.plotter.renderer
    renderer.SetWorldPoint(*place, 1.0)
    renderer.WorldToDisplay()
    x, y, _ = renderer.GetDisplayPoint()
    width, height = model.plotter.render_window.GetSize()
    pick = model.pick(x / width, y / height)
    assert pick is not None and pick.point is not None
    field = read_panel(run_folder, float(data.times[4]), scene.field_name)
    assert f"{field.temperature[pick.point] - 273.15:.2f} °C" in model.describe_selection()
    name, times, values = scene.point_series(pick.point)
    assert times.tolist() == field_times(run_folder, scene.field_name) and str(pick.point) in name
    for time, value in zip(times, values, strict=True):
        assert value == read_panel(run_folder, float(time), scene.field_name).temperature[pick.point]
    model.close()
