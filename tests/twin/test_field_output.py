"""FE fields on disk, read back with pyvista and with meshio, which is another implementation."""

from __future__ import annotations

from pathlib import Path

import meshio
import numpy as np
import pytest
import pyvista as pv

from twin.errors import BadInput
from twin.field_output import FieldSeries
from twin.results.replace import partial_path

POINTS = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]])


def write(folder: Path, times: list[float]) -> None:
    with FieldSeries.create(folder) as fields:
        fields.add_mesh("panel", POINTS, "triangle", TRIANGLES)
        for time in times:
            temperature = 300.0 + time * np.arange(4)
            fields.write(
                "panel", time, {"temperature": ("K", temperature), "flux": ("W m-2", np.array([1.0, 2.0]))}
            )


def test_pyvista_reads_the_series(tmp_path: Path) -> None:
    write(tmp_path / "fields", [0.0, 10.0, 12.345678901])
    reader = pv.get_reader(tmp_path / "fields" / "panel.pvd")
    assert list(reader.time_values) == [0.0, 10.0, 12.345678901]
    reader.set_active_time_point(1)
    grid = reader.read()[0]
    np.testing.assert_allclose(grid.points, POINTS)
    np.testing.assert_allclose(grid.point_data["temperature"], [300, 310, 320, 330])
    np.testing.assert_allclose(grid.cell_data["flux"], [1, 2])
    array = grid.point_data.get_array("temperature").VTKObject
    assert array.GetInformation().Get(array.UNITS_LABEL()) == "K"


def test_another_reader_agrees(tmp_path: Path) -> None:
    write(tmp_path / "fields", [3.0])
    mesh = meshio.read(tmp_path / "fields" / "panel" / "panel_000000.vtu")
    np.testing.assert_allclose(mesh.points, POINTS)
    np.testing.assert_array_equal(mesh.cells_dict["triangle"], TRIANGLES)
    np.testing.assert_allclose(mesh.point_data["temperature"], [300, 303, 306, 309])


def test_resume_continues_after_the_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "fields"
    with pytest.raises(KeyboardInterrupt), FieldSeries.create(folder) as fields:
        fields.add_mesh("panel", POINTS, "triangle", TRIANGLES)
        for time in (0.0, 10.0, 20.0):
            fields.write("panel", time, {"temperature": ("K", np.full(4, time))})
        raise KeyboardInterrupt
    assert not folder.exists()
    with FieldSeries.resume(folder, until=10.0) as fields:
        fields.add_mesh("panel", POINTS, "triangle", TRIANGLES)
        fields.write("panel", 25.0, {"temperature": ("K", np.full(4, 25.0))})
    reader = pv.get_reader(folder / "panel.pvd")
    assert list(reader.time_values) == [0.0, 10.0, 25.0]
    reader.set_active_time_point(2)
    assert reader.read()[0].point_data["temperature"][0] == 25.0
    with pytest.raises(BadInput, match="without --resume"):
        FieldSeries.resume(tmp_path / "none", until=0.0)


def test_failure_keeps_the_fields_that_were(tmp_path: Path) -> None:
    folder = tmp_path / "fields"
    write(folder, [1.0])
    with pytest.raises(RuntimeError), FieldSeries.create(folder):
        raise RuntimeError("solver failed")
    assert list(pv.get_reader(folder / "panel.pvd").time_values) == [1.0]
    assert partial_path(folder).exists()
    write(folder, [2.0])
    assert list(pv.get_reader(folder / "panel.pvd").time_values) == [2.0]
    assert not partial_path(folder).exists()


def test_wrong_arrays_are_named(tmp_path: Path) -> None:
    fields = FieldSeries.create(tmp_path / "fields")
    with pytest.raises(ValueError, match="cell 'trangle'"):
        fields.add_mesh("panel", POINTS, "trangle", TRIANGLES)
    with pytest.raises(ValueError, match=r"expected shape \(point, 3\), got \(4, 2\)"):
        fields.add_mesh("panel", POINTS[:, :2], "triangle", TRIANGLES)
    with pytest.raises(ValueError, match="point indices 0…3"):
        fields.add_mesh("panel", POINTS, "triangle", TRIANGLES + 1)
    with pytest.raises(ValueError, match="call add_mesh"):
        fields.write("panel", 0.0, {})
    fields.add_mesh("panel", POINTS, "triangle", TRIANGLES)
    with pytest.raises(ValueError, match="expected 4 points or 2 cells, got shape"):
        fields.write("panel", 0.0, {"temperature": ("K", np.ones(3))})
    fields.write("panel", 5.0, {})
    with pytest.raises(ValueError, match="expected more than 5 s"):
        fields.write("panel", 5.0, {})
