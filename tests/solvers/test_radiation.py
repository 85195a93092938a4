"""Gray enclosures against closed forms; conservation, symmetry and derivatives by property."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

import solvers.band_exchange
from meshes import radiator_panel
from solvers.band_exchange import BandExchange
from solvers.constants import STEFAN_BOLTZMANN
from solvers.far_light import absorbed_solar, far_disk_factors, sunlit_cosines
from solvers.radiation import NodalExchange, SurfaceExchange, mean_exchange
from solvers.ray_casting import RaySettings
from solvers.surfaces import SurfaceError, Surfaces, face_node_shares, group_cells
from solvers.view_factors import ViewFactors, exact_view_factors

SQUARE = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
NAN = np.nan


def crossed_strings():
    """Triangle with sides 4, 3 and 5 m, per metre of depth: A_i F_ij = (A_i + A_j - A_k) / 2 (Hottel)."""
    area = np.array([4.0, 3.0, 5.0])
    exchange = np.array([[0.0, 1.0, 3.0], [1.0, 0.0, 2.0], [3.0, 2.0, 0.0]])
    return ViewFactors.from_factors(area, exchange / area[:, None])


def random_enclosure(seed, faces, openness=0.0):
    generator = np.random.default_rng(seed)
    weight = generator.random((faces, faces)) * (generator.random((faces, faces)) > 0.3)
    weight = weight + weight.T + 0.05
    area = weight.sum(axis=1) * (1.0 + openness * generator.random(faces))
    return ViewFactors.from_factors(area, weight / area[:, None])


def test_triangle_cavity():
    """Reference data section 5, triangle-cavity: one temperature and two fluxes given, to 0.01 %."""
    exchange = SurfaceExchange(crossed_strings(), [0.4, 0.6, 0.8])
    state = exchange.solve([300.0, NAN, NAN], [NAN, 2000.0, 1000.0])
    np.testing.assert_allclose(state.temperature, [300.0, 640.683, 598.772], rtol=1e-5)
    np.testing.assert_allclose(state.heat / exchange.areas, [-2750.0, 2000.0, 1000.0], rtol=1e-9)
    np.testing.assert_allclose(state.radiosity - state.irradiation, [-2750.0, 2000.0, 1000.0], rtol=1e-9)


def test_two_plates():
    """Infinite parallel plates: q = σ(T₁⁴ - T₂⁴) / (1/ε₁ + 1/ε₂ - 1); temperatures of two-slabs-gap."""
    plates = ViewFactors.from_factors([1.0, 1.0], [[0.0, 1.0], [1.0, 0.0]])
    exchange = SurfaceExchange(plates, [0.8, 0.6], stefan_boltzmann=5.67037e-8)
    heat, _ = exchange.net_heat([854.187, 445.813])
    np.testing.assert_allclose(heat, [14581.263, -14581.263], rtol=1e-5)


def test_grey_cavity_looks_black():
    """Box with an open side: effective emittance 1 / (1 + A_o/A_w (1/ε - 1)) (Hottel, even irradiation)."""
    walls = [np.insert(SQUARE[:, :2], axis, side, axis=1) for axis in range(3) for side in (0.0, 1.0)][:5]
    centre = np.array([0.5, 0.5, 0.5])
    inward = [
        p if np.dot(np.cross(p[1] - p[0], p[2] - p[0]), centre - p.mean(axis=0)) > 0 else p[::-1]
        for p in walls
    ]
    factors = exact_view_factors(Surfaces.from_polygons(inward))
    assert factors.space.sum() == pytest.approx(1.0, abs=1e-6)
    exchange = SurfaceExchange(factors, 0.5)
    heat, _ = exchange.net_heat(np.full(5, 400.0))
    effective = heat.sum() / (STEFAN_BOLTZMANN * 400.0**4)
    assert effective == pytest.approx(1.0 / (1.0 + (1.0 / 5.0) * (1.0 / 0.5 - 1.0)), abs=0.01)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 12), st.floats(0.05, 1.0))
def test_conservation_and_symmetry(seed, faces, emissivity):
    """Closed: heats sum to zero, none when isothermal, 𝓕 is symmetric, Gebhart rows sum to one."""
    generator = np.random.default_rng(seed)
    values = np.minimum(1.0, emissivity + 0.5 * generator.random(faces))
    exchange = SurfaceExchange(random_enclosure(seed, faces), values)
    temperature = 200.0 + 300.0 * generator.random(faces)
    heat, _ = exchange.net_heat(temperature)
    scale = (values * exchange.areas * STEFAN_BOLTZMANN * temperature**4).sum()
    assert abs(heat.sum()) < 1e-12 * scale
    level, _ = exchange.net_heat(np.full(faces, 300.0))
    assert np.abs(level).max() < 1e-12 * scale
    assert (exchange.exchange_matrix == exchange.exchange_matrix.T).all()
    np.testing.assert_allclose(exchange.gebhart_factors.sum(axis=1), 1.0, rtol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 8))
def test_derivative_and_script_f_against_radiosity(seed, faces):
    """dq/dT equals differences, q that of the textbook radiosity system solved directly (Modest, ch. 5)."""
    generator = np.random.default_rng(seed)
    factors = random_enclosure(seed, faces, openness=0.5)
    emissivity = 0.2 + 0.8 * generator.random(faces)
    exchange = SurfaceExchange(factors, emissivity)
    temperature = 250.0 + 200.0 * generator.random(faces)
    heat, derivative = exchange.net_heat(temperature, {"space": 5.0})
    factor = factors.factors.toarray()
    power = STEFAN_BOLTZMANN * temperature**4
    far = factors.space / factors.areas * 5.0
    radiosity = np.linalg.solve(
        np.eye(faces) - (1 - emissivity)[:, None] * factor, emissivity * power + (1 - emissivity) * far
    )
    direct = factors.areas * (radiosity - factor @ radiosity - far)
    np.testing.assert_allclose(heat, direct, rtol=1e-8, atol=1e-8 * np.abs(power).max())
    step = 1e-3
    for face in range(faces):
        shift = step * np.eye(faces)[face]
        difference = (
            exchange.net_heat(temperature + shift)[0] - exchange.net_heat(temperature - shift)[0]
        ) / (2 * step)
        np.testing.assert_allclose(derivative @ np.eye(faces)[face], difference, rtol=1e-5, atol=1e-5)
    test = generator.random((2, faces))
    assert test[0] @ (derivative @ test[1]) == pytest.approx(test[1] @ (derivative.T @ test[0]))


def test_many_faces_act_as_operator(monkeypatch):
    """The iterative form for many faces gives what the dense one gives."""
    factors = random_enclosure(7, 30, openness=0.3)
    temperature = np.linspace(250.0, 400.0, 30)
    dense, _ = SurfaceExchange(factors, 0.3).net_heat(temperature, {"space": 1.0})
    monkeypatch.setattr(solvers.band_exchange, "DENSE_FACES", 10)
    sparse, _ = SurfaceExchange(factors, 0.3).net_heat(temperature, {"space": 1.0})
    np.testing.assert_allclose(sparse, dense, rtol=1e-10, atol=1e-8)


def test_black_faces_reduce_to_view_factors():
    """With ε = 1 script-F is F and a lone face radiates εσAT⁴ to space."""
    factors = random_enclosure(1, 5, openness=0.4)
    exchange = SurfaceExchange(factors, 1.0)
    np.testing.assert_allclose(exchange.exchange_matrix, factors.exchange.toarray(), rtol=1e-12)
    alone = SurfaceExchange(ViewFactors.from_factors([2.0], [[0.0]]), 0.9)
    heat, _ = alone.net_heat([300.0])
    assert heat[0] == pytest.approx(2.0 * 0.9 * STEFAN_BOLTZMANN * 300.0**4)


def test_earth_as_a_far_surface():
    """Nadir plate at 750 km: view factor 1/H² = 0.80064 and edge-on 0.22550 (reference data section 2)."""
    ratio = (6378.137 + 750.0) / 6378.137
    plate = Surfaces.from_polygons([SQUARE], sides="both")
    towards = [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    factors = far_disk_factors(plate, towards, np.arcsin(1.0 / ratio), RaySettings(rays=65536))
    np.testing.assert_allclose(factors, [[0.80064, 0.0], [0.22550, 0.22550]], atol=2e-4)
    views = exact_view_factors(plate)
    exchange = SurfaceExchange(views, 0.85, far={"earth": views.areas * factors[0]})
    heat, _ = exchange.net_heat([0.0, 0.0], {"earth": 240.0})
    np.testing.assert_allclose(heat, [-0.85 * 0.80064 * 240.0, 0.0], rtol=3e-4)
    assert exchange.far_names == ("earth", "space")


def test_shadow_and_reflection_of_the_sun():
    """Half-shaded plate, and two facing plates: α G A (1 + F₁₂² ρ² + …) as the geometric series says."""
    shade = SQUARE * [0.5, 1.0, 1.0] + [0.0, 0.0, 0.3]
    pair = Surfaces.from_polygons([SQUARE, shade], sides="both")
    cosines = sunlit_cosines(pair, [[0, 0, 1.0], [0, 0, -2.0], [1.0, 0, 1.0]], RaySettings(rays=4096))
    np.testing.assert_allclose(cosines[0], [0.5, 1.0, 0.0, 0.0], atol=0.01)
    np.testing.assert_allclose(cosines[1], [0.0, 0.0, 1.0, 0.0], atol=0.01)
    np.testing.assert_allclose(cosines[2, :2], [0.8 * np.sqrt(0.5), np.sqrt(0.5)], atol=0.01)
    factor = 0.2
    views = ViewFactors.from_factors([1.0, 1.0], [[0.0, factor], [factor, 0.0]])
    band = BandExchange(views, [0.3, 0.6])
    absorbed = absorbed_solar(
        np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([1000.0, 1000.0]), views.areas, band
    )
    round_trip = 1.0 / (1.0 - factor**2 * 0.7 * 0.4)
    np.testing.assert_allclose(
        absorbed[0], [300.0 * round_trip, 600.0 * 0.7 * factor * round_trip], rtol=1e-12
    )
    assert (absorbed[1] == 0.0).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 10))
def test_no_light_is_lost(seed, faces):
    """What arrives is absorbed or leaves through the openings."""
    generator = np.random.default_rng(seed)
    factors = random_enclosure(seed, faces, openness=0.6)
    band = BandExchange(factors, generator.random(faces))
    direct = generator.random(faces)
    irradiation = band.irradiation(direct)
    leaving = (factors.space / factors.areas * band.reflectance * irradiation).sum()
    assert band.absorbed(direct).sum() + leaving == pytest.approx(direct.sum(), rel=1e-10)


def test_nodes_conserve_energy_and_keep_signs():
    """On nodes: total heat is that of the faces for uniform faces, nothing is lost, dq/dT is an M-matrix."""
    mesh = radiator_panel(1.0, 1.0, 0.5)
    scene = Surfaces.from_mesh(mesh, group_cells(mesh, 0.5), sides="front")
    factors = random_enclosure(3, scene.face_count)
    nodal = NodalExchange(SurfaceExchange(factors, 0.6), face_node_shares(scene))
    temperature = 280.0 + 40.0 * np.random.default_rng(0).random(mesh.node_count)
    heat, derivative = nodal.net_heat(temperature)
    scale = np.abs(heat).sum()
    assert abs(heat.sum()) < 1e-12 * scale
    matrix = derivative @ np.eye(mesh.node_count)
    off = matrix - np.diag(np.diag(matrix))
    assert (np.diag(matrix) > 0).all()
    assert off.max() <= 0.0
    assert np.abs(nodal.net_heat(np.full(mesh.node_count, 300.0))[0]).max() < 1e-10


def test_groups_add_up():
    """Faces joined in groups exchange the sum of their parts."""
    factors = random_enclosure(5, 6, openness=0.2)
    joined = mean_exchange(factors, np.array([0, 0, 1, 1, 2, 2]))
    assert joined.areas.sum() == pytest.approx(factors.areas.sum())
    assert joined.exchange[0, 1] == pytest.approx(factors.exchange[:2, 2:4].sum())
    np.testing.assert_allclose(joined.row_sums, 1.0)


CAVITY = crossed_strings()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SurfaceExchange(CAVITY, 0.0), "emissivity is zero on all 3 faces: no heat can be radiated"),
        (
            lambda: SurfaceExchange(CAVITY, [0.5, 1.2, 0.5]),
            r"emissivity of face 1 is 1.2, it must lie in \(0, 1\]",
        ),
        (lambda: SurfaceExchange(CAVITY, [0.5, 0.5, NAN]), "emissivity of face 2 is nan"),
        (lambda: SurfaceExchange(CAVITY, [0.5, 0.0, 0.5]), "emissivity of face 1 is 0.0"),
        (lambda: SurfaceExchange(CAVITY, [0.5, 0.5]), "one for each of the 3 faces"),
        (lambda: BandExchange(CAVITY, 0.0), "faces 0, 1, 2 see only each other and absorb nothing"),
        (
            lambda: SurfaceExchange(CAVITY, 0.5, far={"earth": np.ones(3)}),
            "take 1 m² more of face 0 than goes to",
        ),
        (
            lambda: SurfaceExchange(CAVITY, 0.5).net_heat([1.0, 1.0, 1.0], {"moon": 1.0}),
            "no far surface named 'moon'",
        ),
        (
            lambda: SurfaceExchange(CAVITY, 0.5).solve([300.0, NAN, NAN], [NAN, NAN, 1.0]),
            "face 1 needs either",
        ),
        (lambda: SurfaceExchange(CAVITY, 0.5).solve([NAN] * 3, [1.0, 1.0, -2.0]), "no level of temperature"),
        (
            lambda: SurfaceExchange(CAVITY, 0.5).solve([300.0, 300.0, NAN], [NAN, NAN, -1e4]),
            "cannot take up 10000",
        ),
        (
            lambda: NodalExchange(SurfaceExchange(CAVITY, 0.5), csr_array(np.ones((3, 2)))),
            "face 0 sum to 2, not to 1",
        ),
        (
            lambda: sunlit_cosines(Surfaces.from_polygons([SQUARE]), [[0, 0, 0]]),
            "vectors of three with a length",
        ),
        (
            lambda: far_disk_factors(Surfaces.from_polygons([SQUARE]), [[0, 0, 1]], 2.0),
            "between 0 and π/2, not 2.0",
        ),
    ],
)
def test_refused(build, message):
    """Unphysical surfaces and ill-posed enclosures are refused with face, value and reason."""
    with pytest.raises(SurfaceError, match=message):
        build()
