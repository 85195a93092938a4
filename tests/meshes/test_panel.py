"""Radiator panels: areas, tube lines, quality, and the M-matrix that the maximum principle needs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshes import MeshError, radiator_panel
from meshes.checks import check
from meshes.mesh import boundary_facets, cell_measures, shell_normals
from meshes.quality import corner_angles, summarize
from meshes.structured import graded_axis

lengths = st.floats(0.2, 20.0)


@settings(max_examples=40, deadline=None)
@given(lengths, lengths, st.integers(0, 9), st.sampled_from(["parallel", "serpentine"]), st.booleans())
def test_panel_is_whole_and_non_obtuse(width, height, tubes, arrangement, graded):
    """Any panel passes the checks, has the area of its rectangle, faces +z and has no obtuse angle."""
    fine = width / 60 if graded else None
    mesh = check(
        radiator_panel(width, height, max(width, height) / 12, tubes, arrangement, tube_cell_size=fine)
    )
    assert cell_measures(mesh).sum() == pytest.approx(width * height, rel=1e-12)
    assert (shell_normals(mesh)[:, 2] > 0).all()
    assert corner_angles(mesh).max() <= np.pi / 2 + 1e-9


def test_parallel_tubes_run_between_the_manifolds():
    """Tubes start on the inlet manifold, end on the outlet manifold, have equal lengths and even spacing."""
    mesh = radiator_panel(3.0, 2.0, 0.13, tubes=4, end_margin=0.2)
    for number in range(4):
        line = mesh.line(f"tube-{number}")
        start, stop = mesh.points[line[0]], mesh.points[line[-1]]
        np.testing.assert_allclose(start, [0.375 + 0.75 * number, 0.2, 0.0], atol=1e-12)
        np.testing.assert_allclose(stop, [0.375 + 0.75 * number, 1.8, 0.0], atol=1e-12)
        assert line[0] in mesh.line("inlet-manifold")
        assert line[-1] in mesh.line("outlet-manifold")
    assert mesh.line_lengths("inlet-manifold").sum() == pytest.approx(2.25)


def test_serpentine_length():
    """Length of a serpentine: n passes and n - 1 bends."""
    mesh = check(radiator_panel(3.0, 2.0, 0.1, tubes=5, arrangement="serpentine", end_margin=0.25))
    assert mesh.line_lengths("tube-0").sum() == pytest.approx(5 * 1.5 + 4 * 0.6)


def test_conduction_matrix_is_an_m_matrix():
    """Off-diagonals of the linear-element Laplacian are never positive (cotangent formula)."""
    mesh = radiator_panel(2.0, 1.0, 0.2, tubes=3, tube_cell_size=0.03)
    angles = corner_angles(mesh)
    cotangent = np.cos(angles) / np.sin(angles)
    assert (-0.5 * cotangent <= 1e-12).all()


def test_boundaries_cover_the_rim():
    """The four named sides together are the edges that belong to one cell only."""
    mesh = radiator_panel(2.0, 1.0, 0.3, tubes=2)
    named = np.concatenate(list(mesh.facets.values()))
    rim = boundary_facets(mesh)
    assert {tuple(sorted(edge)) for edge in named.tolist()} == {tuple(sorted(edge)) for edge in rim.tolist()}


@given(
    st.lists(st.floats(0.0, 1.0), min_size=2, max_size=6, unique=True).filter(lambda b: np.ptp(b) > 0.01),
    st.floats(0.01, 0.5),
    st.floats(0.05, 1.0),
)
def test_graded_axis_hits_breaks_and_sizes(breaks, size, share):
    """Break points are nodes, the axis increases, and no cell is larger than asked."""
    axis = graded_axis(breaks, size, breaks, share * size)
    assert (np.diff(axis) > 0).all()
    assert np.diff(axis).max() <= size * 1.02
    assert np.abs(axis[:, None] - np.array(breaks)).min(axis=0).max() < 1e-8


def test_graded_axis_growth():
    """Cells grow by about the wished factor away from the fine point, starting from the fine size."""
    size = np.diff(graded_axis([0.0, 1.0], 0.1, [0.0], 0.005, growth=1.3))
    assert size[0] < 0.0065
    assert (size[1:] / size[:-1]).max() < 1.4


def test_million_cells():
    """A panel of a million cells comes out with its tubes, whole."""
    mesh = radiator_panel(10.0, 20.0, 0.02, tubes=20)
    assert mesh.cell_count > 1_000_000
    assert mesh.cells.max() == mesh.node_count - 1


def test_summary_reads_like_the_panel():
    """The printed summary has the counts, the area, the tube length and the angles of right triangles."""
    summary = summarize(radiator_panel(2.0, 1.0, 0.25, tubes=1, end_margin=0.25))
    assert summary.measures == {"panel": pytest.approx(2.0)}
    assert summary.line_lengths == {"tube-0": pytest.approx(0.5)}
    assert summary.angle_maximum == pytest.approx(np.pi / 2)
    assert "64 triangle cells, 45 nodes" in str(summary)
    assert "45.0 … 90.0°" in str(summary)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": -1.0}, "panel width must be positive and finite, not -1.0 m"),
        ({"height": float("nan")}, "panel height must be positive"),
        ({"cell_size": 0.0}, "panel cell size must be positive"),
        ({"tubes": -2}, "number of tubes must be 0 or more, not -2"),
        ({"arrangement": "spiral"}, "parallel or serpentine, not 'spiral'"),
        ({"end_margin": 0.5}, "end margin must lie in"),
        ({"growth": 1.0, "tube_cell_size": 0.01}, "growth must be above 1"),
        ({"tube_cell_size": -0.1}, "fine cell size must be positive"),
    ],
)
def test_refused_panels(change, message):
    """A request that makes no panel is refused with the value."""
    request = {"width": 2.0, "height": 1.0, "cell_size": 0.1, "tubes": 2} | change
    with pytest.raises(MeshError, match=message):
        radiator_panel(**request)
