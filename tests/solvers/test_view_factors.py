"""View factors against closed forms and an independent code; reciprocity, closure and invariance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from meshes import radiator_panel
from solvers.polygon_factors import polygon_view_factor
from solvers.ray_casting import RaySettings, visible_shares
from solvers.surfaces import SurfaceError, Surfaces, face_node_shares, group_cells
from solvers.view_factor_cache import cached_ray_view_factors, content_hash
from solvers.view_factors import (
    ViewFactors,
    enforce_closure,
    exact_view_factors,
    ray_view_factors,
    require_closed,
)

SQUARE = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
UPRIGHT = np.array([[0.0, 0, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1]])
RAYS = RaySettings(rays=16384, seed=3)


def facing(distance):
    return (SQUARE + np.array([0, 0, distance]))[::-1]


def box(cells, size=(1.0, 1.0, 1.0)):
    """Inside of a box, each wall cut into cells × cells."""
    grid = np.linspace(0.0, 1.0, cells + 1)
    polygons = []
    for axis in range(3):
        for side in (0.0, 1.0):
            for i in range(cells):
                for j in range(cells):
                    flat = [
                        [grid[i], grid[j]],
                        [grid[i + 1], grid[j]],
                        [grid[i + 1], grid[j + 1]],
                        [grid[i], grid[j + 1]],
                    ]
                    corners = np.insert(np.array(flat), axis, side, axis=1)
                    outward = np.cross(corners[1] - corners[0], corners[2] - corners[0])[axis] > 0
                    polygons.append((corners[::-1] if outward == (side == 1.0) else corners) * np.array(size))
    return Surfaces.from_polygons(polygons)


def disk(radius, height, corners, up):
    """Regular polygon of the same area as the disk, cut into triangles, as one patch."""
    angle = 2 * np.pi * np.arange(corners) / corners
    radius = radius * np.sqrt(2 * np.pi / corners / np.sin(2 * np.pi / corners))
    rim = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full(corners, height)], axis=1)
    middle = np.array([0.0, 0.0, height])
    turned = [(middle, rim[k], rim[(k + 1) % corners]) for k in range(corners)]
    return [np.array(t if up else t[::-1]) for t in turned]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (SQUARE, facing(1.0), 0.19982490),
        (SQUARE, facing(0.1), 0.82699452),
        (SQUARE, UPRIGHT, 0.20004378),
        (UPRIGHT, SQUARE, 0.20004378),
    ],
)
def test_squares(first, second, expected):
    """Parallel and perpendicular unit squares (Howell, catalog C-11 and C-14, to eight digits)."""
    assert polygon_view_factor(first, second) == pytest.approx(expected, abs=6e-9)
    by_rays = ray_view_factors(Surfaces.from_polygons([first, second]), RAYS)
    bound = 4.0 * np.sqrt(expected * (1.0 - expected) / RAYS.rays)
    assert abs(by_rays.factors[0, 1] - expected) < bound
    assert abs(by_rays.factors[0, 1] - expected) < 4.0 * by_rays.factor_errors[0, 1]


def test_coaxial_disks():
    """Coaxial disks of radius equal to their distance: 0.38196601 (Howell C-41), polygons of many corners."""
    corners = 64
    polygons = disk(1.0, 0.0, corners, True) + disk(1.0, 1.0, corners, False)
    scene = Surfaces.from_polygons(polygons)
    scene = Surfaces(scene.points, scene.polygons, np.repeat([0, 1], corners))
    assert ray_view_factors(scene, RAYS).factors[0, 1] == pytest.approx(0.38196601, abs=0.003)
    # the polygon differs from the circle by O(1/corners²)
    assert exact_view_factors(scene).factors[0, 1] == pytest.approx(0.38196601, abs=1e-4)


def test_sphere_seen_by_a_small_plate():
    """A small plate that faces a sphere of radius R at 3 R sees 1/9 of it."""
    sphere = _sphere(24, 48)
    plate = 0.01 * (SQUARE - np.array([0.5, 0.5, 0.0])) - np.array([0, 0, 3.0])
    scene = Surfaces.from_polygons([plate, *sphere])
    grouped = Surfaces(scene.points, scene.polygons, np.concatenate([[0], np.ones(len(sphere), int)]))
    for factors in (exact_view_factors(scene), ray_view_factors(grouped, RAYS)):
        assert factors.factors[[0]].sum() == pytest.approx(1 / 9, abs=2e-3)


def _sphere(rows, columns):
    theta, phi = np.linspace(0, np.pi, rows + 1), np.linspace(0, 2 * np.pi, columns + 1)

    def place(i, j):
        return np.array(
            [np.sin(theta[i]) * np.cos(phi[j]), np.sin(theta[i]) * np.sin(phi[j]), np.cos(theta[i])]
        )

    triangles = []
    for i in range(rows):
        for j in range(columns):
            a, b, c, d = place(i, j), place(i + 1, j), place(i + 1, j + 1), place(i, j + 1)
            if i > 0:
                triangles.append(np.array([a, c, d]))
            if i < rows - 1:
                triangles.append(np.array([a, b, c]))
    return triangles


@pytest.mark.parametrize("angle", [5.0, 40.0, 90.0, 137.0])
def test_sharp_and_wide_corners(angle):
    """Squares sharing an edge: the factor equals the sum over their nine-fold cut parts (additivity)."""
    turn = np.array([[np.cos(np.radians(angle)), 0, 0], [0, 1, 0], [np.sin(np.radians(angle)), 0, 0]])
    other = np.array([SQUARE[0], SQUARE[3], SQUARE[2], SQUARE[1]]) @ turn.T
    parts = [SQUARE / 3 + np.array([i / 3, j / 3, 0.0]) for i in range(3) for j in range(3)]
    total = sum(polygon_view_factor(part, other) for part in parts) / 9
    assert polygon_view_factor(SQUARE, other) == pytest.approx(total, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0.3, 30.0),
    st.floats(-2.0, 2.0),
    st.floats(-60.0, 60.0),
    st.floats(0.1, 10.0),
    st.integers(0, 2**31),
)
def test_reciprocity_and_invariance(distance, aside, tilt, scale, seed):
    """A₁F₁₂ = A₂F₂₁; rotation, translation and scale change nothing, near and far."""
    other = (SQUARE * [2.0, 0.7, 1.0])[::-1] @ Rotation.from_euler("x", tilt, degrees=True).as_matrix().T
    other = other + np.array([aside, 0.0, distance])
    factor = polygon_view_factor(SQUARE, other)
    assert polygon_view_factor(other, SQUARE) * 1.4 == pytest.approx(factor, abs=1e-8)
    turn = Rotation.random(random_state=seed).as_matrix().T
    moved = [scale * (polygon @ turn + [3.0, -2.0, 1.0]) for polygon in (SQUARE, other)]
    assert polygon_view_factor(*moved) == pytest.approx(factor, abs=1e-8)
    scene = exact_view_factors(Surfaces.from_polygons([SQUARE, other]))
    assert scene.factors[0, 1] == pytest.approx(factor, rel=2e-4, abs=1e-9)


def test_area_rules_agree_with_the_contour():
    """Gauss points on areas agree with the contour integral where they take over from it."""
    for distance in (4.3, 6.0, 14.3):
        for shift in (0.0, 3.0):
            other = facing(distance) + np.array([shift, 0.0, 0.0])
            scene = exact_view_factors(Surfaces.from_polygons([SQUARE, other]))
            assert scene.factors[0, 1] == pytest.approx(polygon_view_factor(SQUARE, other), abs=1e-7)


def test_parts_behind_the_plane_do_not_count():
    """A square half behind the other's plane exchanges as its front half does."""
    through = UPRIGHT * [1.0, 1.0, 2.0] - [0.5, 0.0, 1.0]
    front_half = UPRIGHT - [0.5, 0.0, 0.0]
    assert polygon_view_factor(SQUARE, through) == pytest.approx(
        polygon_view_factor(SQUARE, front_half), abs=1e-12
    )
    assert polygon_view_factor(SQUARE, SQUARE + np.array([5.0, 0, 0])) == 0.0


def test_against_pyviewfactor():
    """Every pair of a box of 96 patches agrees with pyviewfactor, an independent code."""
    pyviewfactor = pytest.importorskip("pyviewfactor")
    pyvista = pytest.importorskip("pyvista")
    scene = box(4, (1.0, 0.7, 1.4))
    cells = np.column_stack([np.full(len(scene.polygons), 4), scene.polygons]).ravel()
    mesh = pyvista.PolyData(scene.points, cells)
    theirs = pyviewfactor.compute_viewfactor_matrix(mesh, skip_obstruction=True).T
    assert np.abs(exact_view_factors(scene).factors.toarray() - theirs).max() < 2e-5


def test_box_closes_exactly():
    """Inside a box every row sums to one by the exact formula, to 1e-6 before and 1e-10 after closing."""
    factors = exact_view_factors(box(4))
    assert np.abs(factors.space / factors.areas).max() < 1e-6
    closed = require_closed(factors)
    np.testing.assert_allclose(closed.factors.sum(axis=1), 1.0, atol=1e-10)
    assert not closed.space.any()


def test_rays_agree_with_the_exact_formula_within_their_errors():
    """In a box, the spread of (rays - exact) / stated error is about one, and nothing is far out."""
    scene = box(3, (1.0, 2.0, 0.5))
    rays, exact = ray_view_factors(scene, RaySettings(rays=4096, seed=1)), exact_view_factors(scene)
    error = rays.exchange_errors.toarray()
    score = ((rays.exchange - exact.exchange).toarray() / np.where(error > 0, error, np.inf))[error > 0]
    assert 0.3 < score.std() < 1.5
    assert np.abs(score).max() < 6.0
    assert abs(rays.exchange - rays.exchange.T).max() == 0.0
    np.testing.assert_allclose(rays.row_sums, 1.0, atol=1e-10)


def test_obstruction():
    """A plate midway between two squares hides them from each other; a half plate hides a known part."""
    low, high = SQUARE, facing(1.0)
    wide = SQUARE * [3.0, 3.0, 1.0] + [-1.0, -1.0, 0.5]
    hidden = Surfaces.from_polygons([low, high, wide], sides=["front", "front", "both"])
    assert ray_view_factors(hidden, RAYS).exchange[0, 1] == 0.0
    assert exact_view_factors(hidden, visibility_rays=64).exchange[0, 1] == 0.0
    small = SQUARE * [0.4, 0.4, 1.0] + [0.3, 0.3, 0.5]
    partly = Surfaces.from_polygons([low, high, small], sides=["front", "front", "both"])
    by_rays, by_shares = ray_view_factors(partly, RAYS), exact_view_factors(partly, visibility_rays=4096)
    assert 0.05 < by_rays.factors[0, 1] < 0.19
    assert by_shares.factors[0, 1] == pytest.approx(by_rays.factors[0, 1], abs=0.004)
    share, error = visible_shares(partly, np.array([0]), np.array([1]), 4096, RAYS)
    assert by_rays.factors[0, 1] / 0.19982490 == pytest.approx(share[0], abs=0.02)
    assert 0.0 < error[0] < 0.02


def test_two_sides():
    """The back of a two-sided plate sees what is behind it; faces are fronts first, then backs."""
    scene = Surfaces.from_polygons(
        [SQUARE, facing(1.0), SQUARE - [0, 0, 1.0]], sides=["both", "front", "front"]
    )
    np.testing.assert_array_equal(scene.face_patch, [0, 1, 2, 0])
    np.testing.assert_array_equal(scene.face_sign, [1, 1, 1, -1])
    for factors in (exact_view_factors(scene), ray_view_factors(scene, RAYS)):
        matrix = factors.factors.toarray()
        assert matrix[0, 1] == pytest.approx(0.19982490, abs=0.003)
        assert matrix[3, 2] == pytest.approx(0.19982490, abs=0.003)
        assert matrix[0, 2] == matrix[3, 1] == 0.0


def test_seed_decides_not_the_batches():
    """Same seed, same numbers, however the work is cut; another seed, other numbers."""
    scene = box(2)
    first = ray_view_factors(scene, RaySettings(rays=1024, seed=5))
    again = ray_view_factors(scene, RaySettings(rays=1024, seed=5, batch=3000))
    other = ray_view_factors(scene, RaySettings(rays=1024, seed=6))
    assert abs(first.exchange - again.exchange).max() == 0.0
    assert abs(first.exchange - other.exchange).max() > 0.0


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 12), st.integers(0, 2**31), st.floats(0.0, 0.1))
def test_closure_is_least_change(count, seed, noise):
    """Rows close, symmetry and zeros stay, nothing turns negative, and a closed matrix is left alone."""
    generator = np.random.default_rng(seed)
    weight = generator.random((count, count)) * (generator.random((count, count)) > 0.4)
    weight = weight + weight.T + np.eye(count) * 0.1
    area = weight.sum(axis=1) * (1.2 + 0.3 * generator.random(count))
    true = ViewFactors.from_factors(area, weight / area[:, None])
    kept = enforce_closure(true)
    assert abs(kept.exchange - true.exchange).max() < 1e-12
    change = 1.0 + noise * generator.standard_normal(weight.shape)
    change = np.triu(change) + np.triu(change, 1).T
    noisy = ViewFactors(
        area,
        true.exchange.multiply(change).tocsr(),
        true.space,
        true.exchange * max(noise, 1e-3),
        true.space * 1e-3,
    )
    closed = enforce_closure(noisy)
    np.testing.assert_allclose(closed.row_sums, 1.0, atol=1e-11)
    assert abs(closed.exchange - closed.exchange.T).max() == 0.0
    assert closed.exchange.data.min() > 0.0
    np.testing.assert_array_equal(closed.exchange.toarray() == 0, weight == 0)


def test_cache(tmp_path):
    """The second call reads the file; other settings or geometry have another; a broken file is made anew."""
    scene = Surfaces.from_polygons([SQUARE, facing(1.0)])
    first = cached_ray_view_factors(tmp_path, scene, RaySettings(rays=64))
    (stored,) = tmp_path.iterdir()
    written = stored.stat().st_mtime_ns
    again = cached_ray_view_factors(tmp_path, scene, RaySettings(rays=64, batch=17))
    assert stored.stat().st_mtime_ns == written
    assert abs(first.exchange - again.exchange).max() == 0.0
    np.testing.assert_array_equal(first.space, again.space)
    stored.write_bytes(stored.read_bytes()[:100])
    rebuilt = cached_ray_view_factors(tmp_path, scene, RaySettings(rays=64))
    assert abs(first.exchange - rebuilt.exchange).max() == 0.0
    cached_ray_view_factors(tmp_path, scene, RaySettings(rays=128))
    assert len(list(tmp_path.iterdir())) == 2
    assert content_hash(scene, "a") != content_hash(Surfaces.from_polygons([SQUARE, facing(1.1)]), "a")


def test_mesh_patches():
    """Cells of a panel grouped into patches keep its area; shares of the nodes of a face sum to one."""
    mesh = radiator_panel(2.0, 1.0, 0.1)
    scene = Surfaces.from_mesh(mesh, group_cells(mesh, 0.5))
    assert scene.patch_count == 8
    np.testing.assert_allclose(scene.patch_areas, 0.25, rtol=1e-9)
    shares = face_node_shares(scene)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-12)
    assert shares.shape == (16, mesh.node_count)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Surfaces.from_polygons([SQUARE[:2]]), "polygon 0 has 2 corners"),
        (lambda: Surfaces.from_polygons([SQUARE * 0.0]), r"polygon 0 \(patch 0\) has no area"),
        (
            lambda: Surfaces.from_polygons([SQUARE + np.diag([0, 0.1, 0, 0])[:, [0, 2, 1]]]),
            "is not flat",
        ),
        (lambda: Surfaces.from_polygons([SQUARE[[0, 2, 1, 3]]]), "no area|concave or its corners cross"),
        (lambda: Surfaces.from_polygons([SQUARE], sides="inside"), "front, back or both, not 'inside'"),
        (lambda: Surfaces(SQUARE, [[0, 1, 2, 7]], [0]), "points 0 to 3"),
        (lambda: Surfaces(SQUARE, [[0, 1, 2, 3]], [1]), r"without gaps; missing \[0\]"),
        (
            lambda: ray_view_factors(Surfaces.from_polygons([SQUARE, facing(1.0)[::-1]])),
            "the back of patch 1",
        ),
        (
            lambda: require_closed(exact_view_factors(Surfaces.from_polygons([SQUARE, UPRIGHT]))),
            "2 of 2 faces see out",
        ),
        (
            lambda: ViewFactors.from_factors([1.0, 2.0], [[0, 0.5], [0.5, 0]]),
            "faces 0 and 1 are not reciprocal",
        ),
        (
            lambda: ViewFactors.from_factors([1.0, 1.0], [[0.6, 0.5], [0.5, 0]]),
            "face 0 must not be negative nor sum",
        ),
        (lambda: RaySettings(rays=100), "multiple of the 8 replicates, not 100"),
        (lambda: polygon_view_factor(SQUARE[:2], SQUARE), "first polygon must have shape"),
    ],
)
def test_refused(build, message):
    """Surfaces, settings and enclosures that cannot be used are refused with the reason."""
    with pytest.raises((SurfaceError, ValueError), match=message):
        build()


def test_overlapping_surfaces_are_refused():
    """Three plates that fill each other's view without obstruction add up to more than one."""
    stack = [SQUARE, facing(0.01), facing(0.02)]
    with pytest.raises(SurfaceError, match=r"would send .*set visibility_rays"):
        exact_view_factors(Surfaces.from_polygons(stack, sides=["front", "front", "front"]))
