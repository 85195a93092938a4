"""Meshes that would give wrong answers are refused with the reason."""

from dataclasses import replace

import numpy as np
import pytest

from meshes import Mesh, MeshError, join, radiator_panel
from meshes.checks import check

PANEL = radiator_panel(2.0, 1.0, 0.25, tubes=2)


def _moved_point(node, place):
    points = PANEL.points.copy()
    points[node] = place
    return replace(PANEL, points=points)


def _reversed_cell(cell):
    cells = PANEL.cells.copy()
    cells[cell] = cells[cell][::-1]
    return replace(PANEL, cells=cells)


TETRAHEDRON = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 1, 2, 3]], "tetrahedron")
APART = join({"one": PANEL, "two": PANEL.moved(translation=np.array([0.0, 0.0, 1.0]))})
TOUCHING = join({"one": PANEL, "two": PANEL.moved(translation=np.array([2.0, 0.0, 0.0]))})
BRANCHING = Mesh(
    [[0, 0, 0], [0, 1, 0], [1, 0, 0], [-1, 0, 0], [0, 0, 1]], [[0, 2, 1], [0, 1, 3], [0, 1, 4]], "triangle"
)


@pytest.mark.parametrize(
    ("mesh", "message"),
    [
        (_moved_point(7, np.nan), r"1 nodes are not at finite coordinates, first node 7"),
        (_moved_point(0, PANEL.points[1]), r"cells have no area, first cell"),
        (_reversed_cell(5), r"face opposite ways \(inverted\)"),
        (replace(TETRAHEDRON, cells=np.array([[0, 2, 1, 3]])), r"inverted or folded, first cell 0"),
        (APART, r"falls into 2 parts that no hinge connects: 80 cells \(one/panel\)"),
        (TOUCHING, r"6 pairs of nodes lie at the same place"),
        (BRANCHING, r"1 edges are shared by more than two cells"),
        (
            replace(PANEL, points=np.vstack([PANEL.points, [5.0, 5.0, 5.0]])),
            r"1 nodes belong to no cell, first node 54",
        ),
        (replace(PANEL, cells=PANEL.cells + 1), r"cells refer to number 54, but numbers run from 0 to 53"),
        (replace(PANEL, lines={"bad": np.array([0, 40])}), r"tube line 'bad' leaves the mesh edges 1 times"),
        (replace(PANEL, lines={"dot": np.array([0])}), r"tube line 'dot' has 1 nodes"),
        (
            replace(PANEL, regions={"a": np.array([0, 1]), "b": np.array([1])}),
            r"regions 'a' and 'b' share 1 cells",
        ),
        (Mesh(np.zeros((0, 3)), np.zeros((0, 3)), "triangle"), r"it has no triangle cells"),
    ],
)
def test_refused(mesh, message):
    """Each defect is named, with its number and place."""
    with pytest.raises(MeshError, match=message):
        check(mesh)


def test_every_problem_is_reported_at_once():
    """Two independent defects appear in one message."""
    with pytest.raises(MeshError, match=r"tube line 'bad'.*no region named 'wing'; the mesh has: panel"):
        check(replace(PANEL, lines={"bad": np.array([0, 40])}), regions=["wing"])


def test_hinged_parts_are_accepted():
    """Two panels side by side are one structure when a hinge joins the nodes that touch."""
    right, left = PANEL.facet("right"), PANEL.facet("left")
    ends = np.stack(
        [np.append(right[:, 0], right[-1, 1]), np.append(left[:, 0], left[-1, 1])[::-1] + PANEL.node_count],
        axis=1,
    )
    mesh = replace(TOUCHING, hinges={"hinge": ends})
    np.testing.assert_array_equal(mesh.points[ends[:, 0]], mesh.points[ends[:, 1]])
    assert check(mesh) is mesh


def test_good_meshes_pass():
    """A panel and a right-handed tetrahedron pass."""
    check(PANEL, regions=["panel"], lines=["tube-1"], facets=["left"])
    check(TETRAHEDRON)


def test_names_asked_for_must_exist():
    """Asking for a name that is missing lists those that exist."""
    with pytest.raises(MeshError, match="no tube line named 'tube-9'; the mesh has: tube-0, tube-1"):
        PANEL.line("tube-9")
    with pytest.raises(MeshError, match="cell_type must be one of triangle"):
        Mesh(np.zeros((1, 3)), np.zeros((1, 3)), "wedge")
    with pytest.raises(MeshError, match=r"points must have shape \(n, 3\)"):
        Mesh(np.zeros((1, 2)), np.zeros((1, 3)), "triangle")
