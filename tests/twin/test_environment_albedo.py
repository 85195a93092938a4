"""Sunlight reflected by the Earth: against brute-force integration, closed forms and published figures."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.albedo import albedo_factor, sphere_albedo_factor
from twin.albedo_table import AlbedoTable
from twin.environment import earth_view_factor
from twin.orbit import EARTH_RADIUS

RATIO = 1.0 + 750e3 / EARTH_RADIUS
HORIZON = math.acos(1.0 / RATIO)
LIMIT = 0.5 * math.pi + HORIZON


def _by_surface_integral(ratio, zenith, normals, count=900):
    """Sum over patches of the Earth: lit, above the horizon, in front of the face. Normals may be [sphere].

    Frame: z up, Sun in the x-z plane. Equal steps in the cosine of the Earth angle, and in azimuth.
    """
    lowest = 1.0 / ratio
    cosine = lowest + (1.0 - lowest) * (np.arange(count) + 0.5) / count
    azimuth = 2.0 * math.pi * (np.arange(2 * count) + 0.5) / (2 * count)
    sine = np.sqrt(1.0 - cosine**2)[:, None]
    patch = np.stack(
        [sine * np.cos(azimuth), sine * np.sin(azimuth), np.repeat(cosine[:, None], 2 * count, axis=1)],
        axis=-1,
    )
    area = (1.0 - lowest) / count * math.pi / count
    line = np.array([0.0, 0.0, ratio]) - patch
    distance = np.linalg.norm(line, axis=-1)
    line /= distance[..., None]
    lit = np.maximum(patch @ np.array([math.sin(zenith), 0.0, math.cos(zenith)]), 0.0)
    seen = np.maximum(np.einsum("ijk,ijk->ij", patch, line), 0.0)
    arriving = lit * seen / distance**2 * area / math.pi
    if normals is None:
        return arriving.sum()
    return np.array([(arriving * np.maximum(-line @ normal, 0.0)).sum() for normal in normals])


def _normal(tilt, azimuth):
    return np.array([math.sin(tilt) * math.cos(azimuth), math.sin(tilt) * math.sin(azimuth), -math.cos(tilt)])


def test_figures_at_the_terminator():
    """Reference data of the project, 750 km, Lambert 0.3, 1361 W/m2, Sun at the horizon [W/m2]."""
    source = 0.3 * 1361.0
    nadir, towards, along, away = source * albedo_factor(
        RATIO,
        0.5 * math.pi,
        [0.0, 0.5 * math.pi, 0.5 * math.pi, 0.5 * math.pi],
        [0.0, 0.0, 0.5 * math.pi, math.pi],
    )
    assert nadir == pytest.approx(12.392, abs=6e-4)
    assert towards == pytest.approx(11.673, abs=6e-4)
    assert along == pytest.approx(3.716, abs=6e-4)
    assert away == pytest.approx(0.0, abs=1e-9)
    assert source * float(sphere_albedo_factor(RATIO, 0.5 * math.pi)) == pytest.approx(19.760, abs=6e-4)


@pytest.mark.parametrize("zenith_degrees", [0.0, 40.0, 75.0, 90.0, 105.0, 114.0])
def test_brute_force_integral(zenith_degrees):
    """1.6 million patches of the Earth against the rings, for faces in all directions and a sphere."""
    zenith = math.radians(zenith_degrees)
    pairs = [(0.0, 0.0), (0.6, 1.0), (1.2, 0.3), (1.2, 2.8), (1.57, 0.0), (1.9, 0.1), (2.3, 1.5), (2.6, 0.2)]
    reference = _by_surface_integral(RATIO, zenith, [_normal(*pair) for pair in pairs])
    found = albedo_factor(RATIO, zenith, [pair[0] for pair in pairs], [pair[1] for pair in pairs])
    scale = float(sphere_albedo_factor(RATIO, zenith))
    np.testing.assert_allclose(found, reference, rtol=2e-3, atol=3e-4 * scale)
    assert scale == pytest.approx(_by_surface_integral(RATIO, zenith, None), rel=1e-3)


def test_nadir_plate_under_a_high_sun():
    """Closed form while the whole visible cap is lit: radiance is linear in position, so integrate one ring.

    With nothing clamped, the flux on a nadir plate is cos(zenith) times that under an overhead Sun.
    """
    zenith = np.linspace(0.0, 0.5 * math.pi - HORIZON, 7)
    factor = albedo_factor(RATIO, zenith, 0.0, 0.0)
    np.testing.assert_allclose(factor, factor[0] * np.cos(zenith), rtol=1e-9)


def test_far_away_it_is_the_phase_law_of_a_lambert_sphere():
    """Lambert (1760): far from the sphere, flux on a facing plate is (2/3) albedo S phase(zenith) / H^2."""
    ratio = 1e4
    zenith = np.linspace(0.0, math.pi - 0.01, 12)
    phase = (np.sin(zenith) + (math.pi - zenith) * np.cos(zenith)) / math.pi
    np.testing.assert_allclose(
        albedo_factor(ratio, zenith, 0.0, 0.0) * ratio**2, 2.0 / 3.0 * phase, atol=2e-4
    )


def test_night_and_hidden_earth_give_nothing():
    """No lit ground above the horizon, or a face turned away from all of the Earth."""
    assert albedo_factor(RATIO, LIMIT + 1e-9, 0.0, 0.0) == 0.0
    assert albedo_factor(RATIO, math.pi, 0.5, 0.0) == 0.0
    assert albedo_factor(RATIO, 0.3, math.pi - HORIZON + 1e-9, 0.0) == 0.0
    assert albedo_factor(RATIO, LIMIT - 1e-3, 0.0, 0.0) > 0.0


@settings(max_examples=150, deadline=None)
@given(st.floats(1.02, 8.0), st.floats(0.0, math.pi), st.floats(0.0, math.pi), st.floats(-7.0, 7.0))
def test_bounds_and_symmetry(ratio, zenith, tilt, azimuth):
    """Properties: never above the view factor of the Earth, never negative, even and periodic in azimuth."""
    factor = float(albedo_factor(ratio, zenith, tilt, azimuth))
    assert -1e-12 <= factor <= float(earth_view_factor(ratio, tilt)) + 2e-6
    assert factor == pytest.approx(float(albedo_factor(ratio, zenith, tilt, -azimuth)), abs=2e-6)
    assert factor == pytest.approx(
        float(albedo_factor(ratio, zenith, tilt, azimuth + 2.0 * math.pi)), abs=2e-6
    )


@settings(max_examples=50, deadline=None)
@given(st.floats(1.05, 3.0), st.floats(0.0, 2.5), st.floats(0.0, math.pi), st.floats(0.0, math.pi))
def test_opposite_faces_differ_by_a_vector(ratio, zenith, tilt, azimuth):
    """Property: E(n) - E(-n) is linear in n, the sum of its parts along the vertical and the Sun."""

    def net(t, a):
        return float(
            albedo_factor(ratio, zenith, t, a) - albedo_factor(ratio, zenith, math.pi - t, a + math.pi)
        )

    expected = math.cos(tilt) * net(0.0, 0.0) + math.sin(tilt) * math.cos(azimuth) * net(0.5 * math.pi, 0.0)
    assert net(tilt, azimuth) == pytest.approx(expected, abs=3e-6)


def test_table_is_within_its_stated_error():
    """The spline against the integral at random angles: 1e-5 of albedo x solar flux (0.004 W/m2)."""
    generator = np.random.default_rng(3)
    count = 60_000
    zenith = generator.uniform(0.0, math.pi, count)
    tilt, azimuth = generator.uniform(0.0, math.pi, (2, count))
    table = AlbedoTable.build(RATIO, RATIO)
    found = table.factor(np.full(count, RATIO), zenith, tilt[:, None], azimuth[:, None])[:, 0]
    error = np.abs(found - albedo_factor(RATIO, zenith, tilt, azimuth))
    assert error.max() < 1e-5
    assert np.sqrt(np.mean(error**2)) < 1e-6


def test_table_over_a_range_of_distances():
    """Three layers carry the radius of a near-circular orbit (30 km either side) within 3e-5."""
    generator = np.random.default_rng(4)
    count = 30_000
    half = 30e3 / EARTH_RADIUS
    ratio = generator.uniform(RATIO - half, RATIO + half, count)
    zenith = generator.uniform(0.0, LIMIT, count)
    tilt, azimuth = generator.uniform(0.0, math.pi, (2, count))
    table = AlbedoTable.build(RATIO - half, RATIO + half)
    found = table.factor(ratio, zenith, tilt[:, None], azimuth[:, None])[:, 0]
    assert np.abs(found - albedo_factor(ratio, zenith, tilt, azimuth)).max() < 3e-5


def test_bad_arguments_are_refused():
    """Below the surface; an empty, wide or exceeded table."""
    with pytest.raises(ValueError, match="above the Earth"):
        albedo_factor(0.9, 0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="above the Earth"):
        sphere_albedo_factor(1.0, 0.0)
    with pytest.raises(ValueError, match="lowest <= highest"):
        AlbedoTable.build(1.2, 1.1)
    with pytest.raises(ValueError, match="albedo_factor"):
        AlbedoTable.build(1.1, 1.2)
    table = AlbedoTable.build(1.1, 1.1, (12, 12, 8))
    with pytest.raises(ValueError, match="outside the albedo table"):
        table.factor(np.array([1.11]), np.array([0.0]), np.zeros((1, 1)), np.zeros((1, 1)))
