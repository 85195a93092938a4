"""Meshes from and to files: names survive, and what cannot be used is refused with the reason."""

import importlib.util
import shutil

import meshio
import numpy as np
import pytest
import pyvista

from meshes import MeshError, cold_plate, radiator_panel, read_mesh, write_vtu
from meshes.mesh import cell_measures

GMSH = """$MeshFormat
4.1 0 8
$EndMeshFormat
$PhysicalNames
3
1 1 "tube"
1 2 "rim"
2 3 "plate"
$EndPhysicalNames
$Entities
0 2 1 0
1 0 0 0 1 1 0 1 1 0
2 0 0 0 1 0 0 1 2 0
1 0 0 0 1 1 0 1 3 0
$EndEntities
$Nodes
1 5 1 5
2 1 0 5
1
2
3
4
5
0 0 0
1 0 0
1 1 0
0 1 0
9 9 9
$EndNodes
$Elements
3 4 1 4
1 1 1 1
1 3 1
1 2 1 1
2 1 2
2 1 2 2
3 1 2 3
4 1 3 4
$EndElements
"""


def _write(path, points, blocks, sets):
    meshio.Mesh(np.asarray(points, dtype=float), blocks, cell_sets=sets).write(path)
    return path


def test_gmsh_names(tmp_path):
    """Physical groups become regions, boundaries and tube lines; nodes of no cell are left out."""
    path = tmp_path / "plate.msh"
    path.write_text(GMSH)
    mesh = read_mesh(path)
    assert (mesh.node_count, mesh.cell_count) == (4, 2)
    np.testing.assert_array_equal(mesh.region("plate"), [0, 1])
    np.testing.assert_array_equal(mesh.facet("rim"), [[0, 1]])
    np.testing.assert_array_equal(mesh.line("tube"), [2, 0])
    assert cell_measures(mesh).sum() == pytest.approx(1.0)


def test_cell_sets_of_other_formats(tmp_path):
    """Element sets of an Abaqus file (solid, hexahedra) become regions."""
    solid = cold_plate(0.2, 0.1, 0.01, 0.05)
    half = np.flatnonzero(solid.points[solid.cells][:, :, 0].mean(axis=1) < 0.1)
    rest = np.setdiff1d(np.arange(solid.cell_count), half)
    path = _write(
        tmp_path / "solid.inp", solid.points, [("hexahedron", solid.cells)], {"warm": [half], "cold": [rest]}
    )
    mesh = read_mesh(path)
    assert set(mesh.regions) == {"warm", "cold"}
    assert cell_measures(mesh).sum() == pytest.approx(2e-4)
    np.testing.assert_array_equal(mesh.region("warm"), half)


SQUARE = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
ALL = {"plate": [np.array([0, 1])]}


@pytest.mark.parametrize(
    ("points", "blocks", "sets", "message"),
    [
        (SQUARE, [("triangle", [[0, 1, 2], [0, 2, 3]])], {}, "it has no named regions"),
        (SQUARE, [("triangle", [[0, 1, 2], [0, 3, 2]])], ALL, r"face opposite ways \(inverted\)"),
        ([*SQUARE[:3], [2, 2, 0]], [("triangle", [[0, 1, 2], [0, 2, 3]])], ALL, "cells have no area"),
        (SQUARE, [("line", [[0, 1]])], {"edge": [np.array([0])]}, "no triangles, quadrilaterals"),
        (
            [*SQUARE, [5, 0, 0], [6, 0, 0], [6, 1, 0]],
            [("triangle", [[0, 1, 2], [4, 5, 6]])],
            ALL,
            "2 parts that no hinge connects",
        ),
    ],
)
def test_refused_files(tmp_path, points, blocks, sets, message):
    """Files without names, with inverted or empty cells, or in parts are refused, and the file is named."""
    blocks = [(kind, np.array(cells)) for kind, cells in blocks]
    path = _write(tmp_path / "bad.inp", points, blocks, sets)
    with pytest.raises(MeshError, match=rf"bad\.inp.*{message}"):
        read_mesh(path)


def test_unreadable_files(tmp_path):
    """Missing, unknown and broken files say which file and why."""
    with pytest.raises(MeshError, match="no mesh file"):
        read_mesh(tmp_path / "absent.msh")
    other = tmp_path / "notes.txt"
    other.write_text("nothing")
    with pytest.raises(MeshError, match=r"cannot be read.*readable are .*msh"):
        read_mesh(other)
    broken = tmp_path / "broken.msh"
    broken.write_text(GMSH[:300])
    with pytest.raises(MeshError, match=r"broken\.msh cannot be read"):
        read_mesh(broken)


def test_cad_without_gmsh(tmp_path):
    """CAD asks for gmsh when it is missing, and for a cell size in any case."""
    part = tmp_path / "part.step"
    part.write_text("ISO-10303-21;")
    with pytest.raises(MeshError, match="needs a positive cell size, not None"):
        read_mesh(part)
    if importlib.util.find_spec("gmsh") is None and shutil.which("gmsh") is None:
        with pytest.raises(MeshError, match=r"gmsh, which is not installed.*optional extra"):
            read_mesh(part, 0.01)
    else:
        with pytest.raises(MeshError, match="gmsh could not mesh it"):
            read_mesh(part, 0.01)


def test_vtu_holds_the_names(tmp_path):
    """ParaView's file has a region number per cell, tube lines as lines, and the names in its field data."""
    mesh = radiator_panel(2.0, 1.0, 0.2, tubes=2)
    names = write_vtu(mesh, tmp_path / "panel.vtu")
    grid = pyvista.read(tmp_path / "panel.vtu")
    assert list(grid.field_data["region_names"]) == list(names.values())
    assert names[1] == "panel"
    assert names[2] == "line tube-0"
    assert grid.n_cells == mesh.cell_count + len(mesh.lines)
    assert (np.asarray(grid.cell_data["region"])[: mesh.cell_count] == 1).all()
    assert grid.extract_cells(np.asarray(grid.celltypes) == 5).area == pytest.approx(2.0)
