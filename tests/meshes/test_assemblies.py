"""Wings, boxes, cold plates and whole modules: sizes, joints, and that they pass the checks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshes import (
    MeshError,
    ModuleGeometry,
    body_box,
    check,
    cold_plate,
    hinge_shares,
    module_mesh,
    radiator_wing,
    solar_wing,
    tetrahedra,
)
from meshes.mesh import boundary_facets, cell_measures, shell_normals
from meshes.wing import nearest_hinge, with_hinge

MODULE = ModuleGeometry(1.0, 1.2, 0.8, 2, 3.0, 2.0, 4, "parallel", 2, 1.5, 1.0, 0.25)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 4),
    st.floats(0.5, 3.0),
    st.floats(0.5, 3.0),
    st.lists(st.floats(-2.5, 2.5), min_size=3, max_size=3),
)
def test_wing_folds_at_its_hinges(panels, width, height, angles):
    """Whatever the angles, panels keep their size and paired nodes their place; the structure is one."""
    mesh = check(radiator_wing(panels, width, height, 0.25, tubes=2, fold_angles=angles[: panels - 1]))
    assert cell_measures(mesh).sum() == pytest.approx(panels * width * height)
    assert len(mesh.hinges) == panels - 1
    for name, pairs in mesh.hinges.items():
        np.testing.assert_allclose(mesh.points[pairs[:, 0]], mesh.points[pairs[:, 1]], atol=1e-9)
        shares = hinge_shares(mesh, name)
        assert shares.sum() == pytest.approx(1.0)
        assert (shares > 0).all()


def test_wing_gap_and_fold():
    """A gap moves the next panel along; a right angle turns its front to -y."""
    mesh = radiator_wing(2, 1.0, 2.0, 0.5, gap=0.1, fold_angles=[np.pi / 2])
    second = shell_normals(mesh)[mesh.region("panel-1/panel")]
    assert (second[:, 1] < 0).all()
    np.testing.assert_allclose(mesh.points[:, 2].max(), 2.0)
    apart = mesh.points[mesh.hinges["hinge-0"]]
    np.testing.assert_allclose(np.linalg.norm(apart[:, 1] - apart[:, 0], axis=1), 0.1)
    assert check(solar_wing(3, 2.0, 1.0, 0.3)).lines == {}


def test_box_is_closed_and_faces_outwards():
    """Area vectors of a box sum to zero, ∫ x·n dA is three times its volume, twelve edges are hinged."""
    mesh = check(body_box(1.0, 2.0, 3.0, 0.35))
    vectors = shell_normals(mesh)
    np.testing.assert_allclose(vectors.sum(axis=0), 0.0, atol=1e-12)
    centroid = mesh.points[mesh.cells].mean(axis=1)
    assert np.einsum("ij,ij->", centroid, vectors) == pytest.approx(18.0)
    assert len(mesh.hinges) == 12
    assert all(np.array_equal(mesh.points[p[:, 0]], mesh.points[p[:, 1]]) for p in mesh.hinges.values())


@pytest.mark.parametrize("cut", [lambda mesh: mesh, tetrahedra], ids=["hexahedra", "tetrahedra"])
def test_cold_plate(cut):
    """Volume, named sides outwards (∫ x·n dA = 3 V), channels on edges half-way through."""
    mesh = check(
        cut(cold_plate(0.4, 0.2, 0.01, 0.03, layers=2, channels=3)), lines=["channel-2"], facets=["z+"]
    )
    assert cell_measures(mesh).sum() == pytest.approx(8e-4)
    assert cell_measures(mesh).min() > 0.0
    named = np.concatenate(list(mesh.facets.values()))
    rim = boundary_facets(mesh)
    assert {tuple(sorted(f)) for f in named.tolist()} == {tuple(sorted(f)) for f in rim.tolist()}
    flux = 0.0
    for facets in (named,):
        corner = mesh.points[facets]
        last = corner[:, 3] if facets.shape[1] == 4 else corner[:, 2]
        normal = 0.5 * np.cross(corner[:, 2] - corner[:, 0], last - corner[:, 1])
        flux += np.einsum("ij,ij->", corner.mean(axis=1), normal)
    assert flux == pytest.approx(3 * 8e-4)
    np.testing.assert_allclose(mesh.points[mesh.line("channel-0")][:, 2], 0.005)
    assert mesh.line_lengths("channel-1").sum() == pytest.approx(0.4)


def test_module():
    """A module is one structure: body, radiator and two solar wings of the sizes asked for, cells to +z."""
    mesh = check(module_mesh(MODULE), regions=["radiator/panel-1/panel", "body/z+/wall"])
    area = cell_measures(mesh)
    regions = {name: area[cells].sum() for name, cells in mesh.regions.items()}
    assert sum(value for name, value in regions.items() if name.startswith("array")) == pytest.approx(6.0)
    assert regions["radiator/panel-0/panel"] == pytest.approx(6.0)
    for name in ("array-left/panel-0/panel", "array-right/panel-1/panel"):
        assert (shell_normals(mesh)[mesh.region(name)][:, 2] > 0).all()
    assert (np.abs(shell_normals(mesh)[mesh.region("radiator/panel-0/panel")][:, 0]) > 0).all()
    assert {"radiator-yoke", "array-left-yoke", "array-right-yoke"} <= set(mesh.hinges)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: radiator_wing(0, 1.0, 1.0, 0.5), "number of panels must be 1 or more, not 0"),
        (lambda: radiator_wing(2, 1.0, 1.0, 0.5, gap=-0.1), "gap between panels must be 0 or more"),
        (lambda: radiator_wing(3, 1.0, 1.0, 0.5, fold_angles=[0.1]), "2 hinges, but 1 fold angles"),
        (lambda: body_box(1.0, 0.0, 1.0, 0.5), "width must be positive and finite, not 0.0 m"),
        (lambda: cold_plate(1.0, 1.0, 0.1, 0.5, layers=1, channels=1), "even number of them"),
        (
            lambda: tetrahedra(body_box(1.0, 1.0, 1.0, 0.5)),
            "hexahedra are expected, not cells of type triangle",
        ),
        (lambda: nearest_hinge(body_box(1, 1, 1, 1), np.array([0]), np.array([3]), 0.01), "nothing to join"),
        (lambda: with_hinge(body_box(1, 1, 1, 1), "x-|y-", np.zeros((1, 2))), "already has a hinge named"),
        (lambda: hinge_shares(body_box(1, 1, 1, 1), "door"), "no hinge named 'door'"),
        (
            lambda: module_mesh(ModuleGeometry(1, 1, 1, 1, 1, 1, 0, "parallel", 0, 1, 1, 0.5, 0.0)),
            "standoff must be",
        ),
    ],
)
def test_refused(build, message):
    """Requests that make no structure are refused with the value."""
    with pytest.raises(MeshError, match=message):
        build()
