"""Where the faces of a spacecraft point along its orbit.

LVLH axes: x is ram (horizontal, forward), y the negative orbit normal, z nadir.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from twin.errors import BadInput
from twin.orbit import OrbitStates

FloatArray = NDArray[np.float64]
Orientation = str | Sequence[float] | FloatArray

NAMED_ORIENTATIONS = (
    "sun",
    "anti_sun",
    "nadir",
    "zenith",
    "ram",
    "wake",
    "orbit_normal",
    "anti_orbit_normal",
    "edge_on",
    "anti_edge_on",
)
"""Orientations known by name. `edge_on` is unit(sun x nadir): the face sees neither the Sun nor more of
the Earth than it must; `anti_edge_on` is the back of the same panel."""

__all__ = ["NAMED_ORIENTATIONS", "Orientation", "OrientationError", "face_normals", "lvlh_axes"]


class OrientationError(BadInput):
    """An orientation that is neither a known name nor a vector of LVLH components."""


def lvlh_axes(states: OrbitStates) -> FloatArray:
    """Axes of the local-vertical local-horizontal frame.

    Parameters
    ----------
    states : OrbitStates
        n states.

    Returns
    -------
    ndarray, shape (n, 3, 3)
        Unit vectors [-] in the frame of the states; `[:, 0]` ram, `[:, 1]` negative orbit normal,
        `[:, 2]` nadir.

    Notes
    -----
    Wertz, J. R. (ed.) (1978). Spacecraft Attitude Determination and Control, section 2.2: roll, pitch, yaw.
    """
    axes = np.empty((len(states), 3, 3))
    _lvlh_kernel(np.ascontiguousarray(states.position), np.ascontiguousarray(states.velocity), axes)
    return axes


@njit(cache=True, nogil=True)
def _lvlh_kernel(position: FloatArray, velocity: FloatArray, axes: FloatArray) -> None:
    for i in range(position.shape[0]):
        x, y, z = position[i, 0], position[i, 1], position[i, 2]
        u, v, w = velocity[i, 0], velocity[i, 1], velocity[i, 2]
        hx, hy, hz = y * w - z * v, z * u - x * w, x * v - y * u
        momentum = math.sqrt(hx * hx + hy * hy + hz * hz)
        radius = math.sqrt(x * x + y * y + z * z)
        x, y, z = x / radius, y / radius, z / radius
        hx, hy, hz = hx / momentum, hy / momentum, hz / momentum
        axes[i, 0, 0], axes[i, 0, 1], axes[i, 0, 2] = hy * z - hz * y, hz * x - hx * z, hx * y - hy * x
        axes[i, 1, 0], axes[i, 1, 1], axes[i, 1, 2] = -hx, -hy, -hz
        axes[i, 2, 0], axes[i, 2, 1], axes[i, 2, 2] = -x, -y, -z


def _edge_on(axes: FloatArray, sun: FloatArray) -> FloatArray:
    normal = np.cross(sun, axes[:, 2])
    length = np.linalg.norm(normal, axis=1)
    # Sun at the zenith or nadir: every face along the orbit normal is edge-on to both.
    aligned = length < 1e-9
    normal[aligned] = -axes[aligned, 1]
    length[aligned] = 1.0
    return np.asarray(normal / length[:, None])


def _components(orientation: ArrayLike) -> FloatArray:
    try:
        vector = np.asarray(orientation, dtype=np.float64)
    except (TypeError, ValueError):
        vector = np.empty(0)
    if vector.shape != (3,) or not np.isfinite(vector).all() or not np.linalg.norm(vector) > 0.0:
        raise OrientationError(
            f"orientation is {orientation!r}; expected {', '.join(NAMED_ORIENTATIONS)}, "
            "or three LVLH components [ram, -orbit normal, nadir], not all zero"
        )
    return np.asarray(vector / np.linalg.norm(vector))


def face_normals(orientations: Sequence[Orientation], states: OrbitStates) -> FloatArray:
    """Outward unit normals of faces along the orbit.

    Parameters
    ----------
    orientations : sequence
        One entry per face: a name of `NAMED_ORIENTATIONS`, or three LVLH components of any length.
    states : OrbitStates
        n states.

    Returns
    -------
    ndarray, shape (n, face, 3)
        Unit normals [-] in the frame of the states.

    Raises
    ------
    OrientationError
        If a name is unknown or a vector is not three finite components.
    """
    axes = lvlh_axes(states)
    normals = np.empty((len(states), len(orientations), 3))
    for face, orientation in enumerate(orientations):
        match orientation:
            case "sun":
                normals[:, face] = states.sun_direction
            case "anti_sun":
                normals[:, face] = -states.sun_direction
            case "nadir":
                normals[:, face] = axes[:, 2]
            case "zenith":
                normals[:, face] = -axes[:, 2]
            case "ram":
                normals[:, face] = axes[:, 0]
            case "wake":
                normals[:, face] = -axes[:, 0]
            case "orbit_normal":
                normals[:, face] = -axes[:, 1]
            case "anti_orbit_normal":
                normals[:, face] = axes[:, 1]
            case "edge_on":
                normals[:, face] = _edge_on(axes, states.sun_direction)
            case "anti_edge_on":
                normals[:, face] = -_edge_on(axes, states.sun_direction)
            case _:
                normals[:, face] = np.einsum("k,nkj->nj", _components(orientation), axes)
    return normals
