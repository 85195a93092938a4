"""What parts of a module hide from each other, against figures found by hand and formulas of the handbook."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshes import ModuleGeometry, module_mesh
from twin.environment import earth_view_factor
from twin.errors import BadInput
from twin.module_geometry import ModulePose, clearance, module_surfaces, opposite
from twin.module_view import ModuleView, PoseWeights, ViewSettings, mean_poses
from twin.orbit import EARTH_RADIUS, OrbitStates
from twin.pose_casting import string_power
from twin.sun import ASTRONOMICAL_UNIT

GEOMETRY = ModuleGeometry(
    body_length=1.0,
    body_width=1.0,
    body_height=1.0,
    radiator_panels=2,
    radiator_width=2.0,
    radiator_height=3.0,
    tubes=4,
    arrangement="parallel",
    array_panels=4,
    array_width=2.0,
    array_height=1.0,
    cell_size=0.5,
    standoff=0.5,
)
AREA = np.array([12.0, 12.0, 16.0, 16.0])
RATIO = 1.118


def view(radiator="edge_on", array="sun", geometry=GEOMETRY, body=(), spacing=None, **kwargs):
    faces = [radiator, opposite(radiator), array, opposite(array), *body]
    areas = np.append(AREA, np.ones(len(body)))
    return ModuleView(geometry, faces, areas, RATIO, 16, spacing, **kwargs)


def at_sun(height, angle):
    """State with the Sun so far over the orbit plane and so far from zenith towards ram [rad]; zenith x, ram y."""
    level = math.cos(height)
    sun = np.array([[level * math.cos(angle), level * math.sin(angle), math.sin(height)]])
    radius = RATIO * EARTH_RADIUS
    return OrbitStates(
        np.zeros(1),
        np.array([[radius, 0.0, 0.0]]),
        np.array([[0.0, 7.5e3, 0.0]]),
        sun,
        np.array([ASTRONOMICAL_UNIT]),
    )


def test_drawn_as_the_mesh():
    """With the wings square to each other, rectangles bound the same places as the pieces of `meshes.module`."""
    pose = ModulePose.of(np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0]), np.eye(3))
    surfaces, mesh = module_surfaces(GEOMETRY, pose), module_mesh(GEOMETRY)
    for patch, piece in ((0, "radiator"), (1, "array-")):
        corners = surfaces.corners[surfaces.patch == patch].reshape(-1, 3)
        regions = [ids for name, ids in mesh.regions.items() if name.startswith(piece)]
        drawn = mesh.points[np.unique(mesh.cells[np.concatenate(regions)])]
        np.testing.assert_allclose(corners.min(axis=0), drawn.min(axis=0), atol=1e-9)
        np.testing.assert_allclose(corners.max(axis=0), drawn.max(axis=0), atol=1e-9)
    np.testing.assert_allclose(surfaces.patch_areas[:2], AREA[[0, 2]])
    np.testing.assert_allclose(surfaces.area_vectors[0] / 12.0, [1.0, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(surfaces.area_vectors[1:3, 2], 8.0)


@given(st.floats(-1.4, 1.4), st.floats(0.0, 6.28), st.floats(0.1, 3.0))
@settings(max_examples=30, deadline=None)
def test_wings_keep_clear_of_a_body_that_turns(height, angle, tilt):
    """No corner of a wing comes nearer than the farthest corner of the body, whatever the orientations."""
    normal = np.array(
        [math.cos(height) * math.cos(angle), math.cos(height) * math.sin(angle), math.sin(height)]
    )
    other = np.array([math.sin(tilt), 0.0, math.cos(tilt)])
    pose = ModulePose.of(normal, other, np.eye(3))
    np.testing.assert_allclose(pose.wings @ pose.wings.T, np.eye(3), atol=1e-9)
    surfaces = module_surfaces(GEOMETRY, pose)
    wings = surfaces.corners[surfaces.patch < 2].reshape(-1, 3)
    assert np.linalg.norm(wings, axis=1).min() > 0.5 * math.sqrt(3.0)
    assert abs(surfaces.area_vectors[0] @ other) == pytest.approx(12.0)
    np.testing.assert_allclose(surfaces.area_vectors[1:3] @ normal, 8.0)


def test_array_that_faces_the_sun_has_no_shadow():
    """Every other part lies behind it or edge-on to the Sun."""
    table = view()
    for height, angle in ((1.0, 0.0), (0.9, 2.0), (-0.8, 4.0)):
        shares = table.shares(table.weights(at_sun(height, angle)))
        assert shares.sun[0, 2] == pytest.approx(1.0, abs=1e-3)
        assert shares.strings[0] == pytest.approx(1.0, abs=1e-3)


def test_shadow_of_a_rectangle_on_a_rectangle():
    """Shadow of the radiator on the array, worked out by hand.

    Array normal zenith, radiator normal ram. The radiator stands in the plane x = 0 (x: ram) and runs along the orbit
    normal c, from the clearance of the body on, its width ±3 m along zenith z; the arrays lie in z = 0 along ±x, ±1 m
    wide along c. The point (0, c, z) of the radiator shades (-z s_x / s_z, c - z s_c / s_z): where a ray from a point
    of the array to the Sun crosses x = 0 within the radiator, the point is dark.
    """
    wide = replace(GEOMETRY, radiator_width=6.0, radiator_height=3.0)
    table = view("ram", "zenith", wide, settings=ViewSettings(sun_rays=1 << 15, earth_directions=8))
    table.face_area[:2] = 36.0
    height, angle = math.radians(45.0), math.radians(24.0)  # on the grid: 6 steps of 7.5°, 2 of 12°
    states = at_sun(height, angle)
    zenith, ram, boom = states.sun_direction[0]
    shares = table.shares(table.weights(states))

    reach = clearance(wide)
    # the same by a fine grid of points on the array, traced back to the plane of the radiator
    x = np.concatenate([s * (reach + (np.arange(2000) + 0.5) * 4.0 / 2000) for s in (1.0, -1.0)])
    c = (np.arange(1000) + 0.5) / 500.0 - 1.0
    x, c = np.meshgrid(x, c, indexing="ij")
    way = -x / ram  # to the plane ram = 0
    z, at = way * zenith, c + way * boom
    hidden = (way > 0.0) & (np.abs(z) < 3.0) & (at > reach) & (at < reach + 6.0)
    assert 0.02 < hidden.mean() < 0.5
    assert shares.sun[0, 2] == pytest.approx(1.0 - hidden.mean(), abs=3e-3)
    # strings lie across the wings: lit shares of 16 strips on each
    lit = 1.0 - hidden.reshape(2, 16, -1).mean(axis=2)
    best = max(v * np.mean(lit >= v) for v in lit.ravel())
    assert shares.strings[0] == pytest.approx(best, abs=0.01)
    assert shares.strings[0] < shares.sun[0, 2]


def test_string_power():
    """By hand: what a few dark strings cost, and a shadow along all of them."""
    assert string_power(np.ones(10)) == 1.0
    assert string_power(np.array([1.0] * 8 + [0.5] * 2)) == pytest.approx(0.8)  # dark strings shut
    assert string_power(np.full(10, 0.9)) == pytest.approx(0.9)  # all at a lower voltage
    assert string_power(np.array([0.6] * 9 + [1.0])) == pytest.approx(0.6)
    assert string_power(np.zeros(4)) == 0.0


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=50))
def test_string_power_is_never_above_the_lit_area(lit):
    value = string_power(np.array(lit))
    assert 0.0 <= value <= np.mean(lit) + 1e-12
    assert value >= np.mean(np.array(lit) >= 1.0) - 1e-12


def plates(distance):
    """Array and radiator of a module whose radiator leaves the body at a distance."""
    return replace(GEOMETRY, body_length=1e-3, body_width=1e-3, body_height=1e-3, standoff=distance)


def test_perpendicular_plates_of_the_handbook():
    """Wings square to each other against Howell's C-14, by the algebra of shares.

    Array zenith, radiator ram, hardly a body: the two rectangles have no edge in common, only their planes meet. C-14
    is for rectangles with a common edge; pieces beside each other along it follow by adding and taking away plates.
    """

    def c14(length, height, width):
        """F from a plate `width` by `length` to one `height` by `length` with the common edge `length`."""
        h, w = height / length, width / length
        a = (1 + h * h) * (1 + w * w) / (1 + h * h + w * w)
        b = (w * w * (1 + h * h + w * w) / ((1 + w * w) * (h * h + w * w))) ** (w * w)
        c = (h * h * (1 + h * h + w * w) / ((1 + h * h) * (h * h + w * w))) ** (h * h)
        slant = math.sqrt(h * h + w * w)
        return (
            w * math.atan(1 / w)
            + h * math.atan(1 / h)
            - slant * math.atan(1 / slant)
            + 0.25 * math.log(a * b * c)
        ) / (math.pi * w)

    def exchange(first, second, array, radiator):
        """A F between plates [0, array] in x and [0, radiator] in z, over spans of y beside each other."""
        (a, b), (c, d) = first, second

        def half(span):
            return 0.0 if span == 0.0 else span * array * c14(abs(span), radiator, array)

        return 0.5 * (half(d - a) + half(c - b) - half(c - a) - half(d - b))

    assert c14(1.0, 1.0, 1.0) == pytest.approx(0.20004, abs=1e-5)  # Modest, table of appendix D
    # radiator: y in [r, r + 6], |z| < 1; one array: x in [r, r + 4], y in [-1, 1]
    geometry = plates(2.0)
    table = view("ram", "zenith", geometry)
    weights = table.weights(at_sun(0.5, 0.3))
    between = np.einsum("nk,nkij->nij", weights.weight, table.exchange[weights.row])[0]
    r = clearance(geometry)
    upper = exchange((-1.0, 1.0), (r, r + 6.0), r + 4.0, 1.0) - exchange((-1.0, 1.0), (r, r + 6.0), r, 1.0)
    # front of the radiator looks to +x, front of the array to +z: the upper half of the radiator
    assert between[0, 2] == pytest.approx(upper, rel=2e-3)
    np.testing.assert_allclose(between[:4, :4], between[:4, :4].T)
    np.testing.assert_allclose(between[[0, 0, 1, 1], [2, 3, 2, 3]], upper, rtol=2e-3)  # by symmetry


def test_wings_far_apart_do_not_see_each_other():
    """Exchange falls with the third power of the distance: the array is seen ever more edge-on."""
    seen = []
    for distance in (20.0, 40.0):
        table = view(geometry=plates(distance))
        at = table.weights(at_sun(0.8, 1.0))
        seen.append(float(np.sum(table.exchange[at.row[0, 0]][:2, 2:4])))
    assert seen[1] < 0.02
    # middles of the wings, 2 m and 3 m beyond their roots
    near, far = (math.hypot(distance + 2.0, distance + 3.0) for distance in (20.0, 40.0))
    assert seen[0] / seen[1] == pytest.approx((far / near) ** 3, rel=0.02)


@given(st.floats(-1.5, 1.5), st.floats(0.0, 6.28))
@settings(max_examples=8, deadline=None)
def test_reciprocity_and_closure(height, angle):
    """Exchange areas are symmetric and no face sends more than its area, for any place of the Sun."""
    table = view(
        "zenith", "sun", body=("zenith", "nadir", "sun"), settings=ViewSettings(sun_rays=64, earth_rays=2)
    )
    at = table.weights(at_sun(height, angle))
    assert at.weight.sum() == pytest.approx(1.0) and (at.weight >= -1e-12).all()
    for row in at.row.ravel():
        exchange = table.exchange[row]
        np.testing.assert_allclose(exchange, exchange.T, atol=1e-12)
        assert (exchange >= 0.0).all()
        assert (exchange.sum(axis=1) <= np.append(table.face_area, table.insulated[row]) * (1 + 1e-6)).all()
    shares = table.shares(at)
    for values in (shares.sun, shares.albedo, shares.infrared, shares.strings):
        assert ((values >= 0.0) & (values <= 1.0 + 1e-12)).all()


def test_earth_behind_the_body():
    """A face that looks at nadir past nothing sees all of the Earth; infrared shares weigh the disk by the cosine."""
    table = view("ram", "nadir", settings=ViewSettings(earth_directions=4096, earth_rays=2, sun_rays=64))
    shares = table.shares(table.weights(at_sun(1.0, 0.2)))
    # the array lies in the plane of the body's middle: only the radiator's edge and half the body stand before it
    assert 0.9 < shares.infrared[0, 2] <= 1.0
    cap, ground = table._caster.earth(at_sun(1.0, 0.2))
    solid_angle = 2.0 * math.pi * (1.0 - math.sqrt(1.0 - RATIO**-2))
    for tilt, normal in ((0.0, [-1.0, 0.0, 0.0]), (1.2, [-math.cos(1.2), math.sin(1.2), 0.0])):
        factor = np.maximum(cap @ np.array(normal), 0.0).mean() * solid_angle / math.pi
        assert factor == pytest.approx(float(earth_view_factor(RATIO, tilt)), rel=2e-3)
    assert ground.max() <= 1.0 + 1e-9


def test_modules_side_by_side():
    """Close modules see each other, take view from space, and shade what a single one does not."""
    alone, crowd = view(spacing=None), view(spacing=(12.0, 9.0))
    states = at_sun(0.8, 0.5)
    rows = [t.weights(states).row[0, 0] for t in (alone, crowd)]
    a, b = alone.exchange[rows[0]], crowd.exchange[rows[1]]
    assert b[:4, :4].sum() > 2.0 * a[:4, :4].sum()
    np.testing.assert_allclose(b, b.T, atol=1e-12)
    far = view(spacing=(500.0, 500.0))
    row = far.weights(states).row[0, 0]
    np.testing.assert_allclose(far.exchange[row], a, atol=0.03)
    # facing radiators 12 m apart: opposite rectangles 6 m by 2 m (Howell C-11), and the neighbours of their neighbours
    x, y = 6.0 / 12.0, 2.0 / 12.0
    p, q = 1.0 + x * x, 1.0 + y * y
    facing = (
        2.0
        / (math.pi * x * y)
        * (
            math.log(math.sqrt(p * q / (p + y * y)))
            + x * math.sqrt(q) * math.atan(x / math.sqrt(q))
            + y * math.sqrt(p) * math.atan(y / math.sqrt(p))
            - x * math.atan(x)
            - y * math.atan(y)
        )
    )
    assert b[0, 1] / 12.0 >= 0.9 * facing


def test_modules_that_would_stand_in_each_other():
    with pytest.raises(
        BadInput, match=r"geometry.spacing: 8 m along the solar wings, where a module is 10 m long"
    ):
        view(spacing=(8.0, 20.0))


def test_neighbours_are_counted_once(satellite):
    spacing = "module_classes.satellite.geometry.spacing=[30 m, 20 m]"
    assert satellite(spacing).module_classes["satellite"].geometry.spacing == (30.0, 20.0)
    with pytest.raises(BadInput, match=r"neighbour_view.*counts the modules beside it a second time"):
        satellite(spacing, "module_classes.satellite.neighbour_view=0.05")


def test_table_is_kept(tmp_path):
    """A second table of the same module reads what the first cast; a file cut short is cast anew."""
    first = view(folder=tmp_path)
    states = at_sun(0.7, 0.7)
    wanted = first.shares(first.weights(states))
    (path,) = tmp_path.iterdir()
    second = view(folder=tmp_path)
    assert len(second.sun) == 4
    np.testing.assert_array_equal(second.shares(second.weights(states)).infrared, wanted.infrared)
    path.write_bytes(path.read_bytes()[:100])
    third = view(folder=tmp_path)
    assert len(third.sun) == 0
    np.testing.assert_array_equal(third.shares(third.weights(states)).infrared, wanted.infrared)
    assert view("zenith", folder=tmp_path).key != first.key


def test_mean_of_poses():
    poses = [
        PoseWeights(np.array([[0, 2]]), np.array([[0.25, 0.75]])),
        PoseWeights(np.array([[2, 2]]), np.array([[0.5, 0.5]])),
    ]
    mean = mean_poses(poses, np.array([0.5, 0.5]))
    assert mean.row.tolist() == [[0, 2]]
    np.testing.assert_allclose(mean.weight, [[0.125, 0.875]])
