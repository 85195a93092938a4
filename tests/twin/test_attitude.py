"""Orientation of faces along the orbit."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from twin.attitude import NAMED_ORIENTATIONS, OrientationError, face_normals, lvlh_axes
from twin.orbit import Orbit, OrbitStates

STATES = Orbit.from_altitude(750e3, 18.0, datetime(2026, 6, 21, tzinfo=UTC)).propagate(
    np.linspace(0.0, 6000.0, 101)
)


def test_lvlh_axes_are_a_right_handed_frame():
    """Definition: x ram, y negative orbit normal, z nadir; orthonormal with determinant one."""
    axes = lvlh_axes(STATES)
    np.testing.assert_allclose(
        axes @ axes.transpose(0, 2, 1), np.broadcast_to(np.eye(3), axes.shape), atol=1e-14
    )
    np.testing.assert_allclose(np.linalg.det(axes), 1.0, atol=1e-14)
    assert np.all(np.einsum("ij,ij->i", axes[:, 0], STATES.velocity) > 0.0)
    assert np.all(np.einsum("ij,ij->i", axes[:, 1], np.cross(STATES.position, STATES.velocity)) < 0.0)
    np.testing.assert_allclose(axes[:, 2], -STATES.position / STATES.radius[:, None], atol=1e-15)


def test_names_equal_their_components():
    """Each fixed name is the LVLH vector it stands for."""
    vectors = {
        "ram": [1, 0, 0],
        "wake": [-2, 0, 0],
        "anti_orbit_normal": [0, 3, 0],
        "orbit_normal": [0, -1, 0],
        "nadir": [0, 0, 5],
        "zenith": [0, 0, -1],
    }
    np.testing.assert_allclose(
        face_normals(list(vectors), STATES), face_normals(list(vectors.values()), STATES), atol=1e-15
    )


def test_all_names_give_unit_normals():
    """Every known name is implemented."""
    normals = face_normals(NAMED_ORIENTATIONS, STATES)
    assert normals.shape == (101, len(NAMED_ORIENTATIONS), 3)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=2), 1.0, atol=1e-14)


def test_sun_and_edge_on():
    """Definition: `sun` faces the Sun; `edge_on` is at right angles to Sun and nadir."""
    sun, back, edge, other = np.moveaxis(
        face_normals(["sun", "anti_sun", "edge_on", "anti_edge_on"], STATES), 1, 0
    )
    np.testing.assert_array_equal(sun, STATES.sun_direction)
    np.testing.assert_array_equal(back, -sun)
    np.testing.assert_array_equal(other, -edge)
    np.testing.assert_allclose(np.einsum("ij,ij->i", edge, STATES.sun_direction), 0.0, atol=1e-14)
    np.testing.assert_allclose(np.einsum("ij,ij->i", edge, STATES.position) / STATES.radius, 0.0, atol=1e-14)
    expected = np.cross(STATES.sun_direction, -STATES.position)
    assert np.all(np.einsum("ij,ij->i", edge, expected) > 0.0)


def test_edge_on_with_the_sun_overhead():
    """Where Sun and nadir are one line, the face along the orbit normal is edge-on to both."""
    states = OrbitStates(
        time=np.zeros(1),
        position=np.array([[7e6, 0.0, 0.0]]),
        velocity=np.array([[0.0, 7.5e3, 0.0]]),
        sun_direction=np.array([[1.0, 0.0, 0.0]]),
        sun_distance=np.array([1.5e11]),
    )
    np.testing.assert_allclose(face_normals(["edge_on"], states)[0, 0], [0.0, 0.0, 1.0], atol=1e-15)


@pytest.mark.parametrize("orientation", ["north", [0, 0, 0], [1, 2], [1, 2, math.nan], None])
def test_unknown_orientations_are_refused(orientation):
    """The message gives what was given and what is known."""
    with pytest.raises(OrientationError, match="edge_on"):
        face_normals([orientation], STATES)
