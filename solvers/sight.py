"""What some faces of a scene see: each other, and points far away, when copies of them stand around.

A scene may hold several equal sets of surfaces, such as modules side by side. Rays then start from the faces of
one set only, and what they meet counts by its place within a set: with copies at the same temperatures, what a face
gives to a copy it gets from another one, so that exchange is booked as if it stayed within one set.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from solvers.ray_casting import RayScene, RaySettings, random_shifts, sobol_sample
from solvers.surfaces import Floats, Integers, Sides, SurfaceError, Surfaces
from solvers.view_factors import ViewFactors, enforce_closure, exact_view_factors


def repeated(surfaces: Surfaces, offsets: Floats) -> tuple[Surfaces, Integers]:
    """Put copies of surfaces beside them.

    Parameters
    ----------
    surfaces : Surfaces
    offsets : (n, 3) float
        Of each copy, the original at zero not among them [m].

    Returns
    -------
    Surfaces
        The original first, then the copies.
    (F,) int
        Face of the original that each face is a copy of.
    """
    shifts = np.concatenate([np.zeros((1, 3)), np.reshape(np.asarray(offsets, dtype=float), (-1, 3))])
    count, vertices = len(shifts), len(surfaces.points)
    points = (surfaces.points[None] + shifts[:, None]).reshape(-1, 3)
    step = np.arange(count, dtype=np.int64)
    polygons = np.where(
        surfaces.polygons[None] < 0, -1, surfaces.polygons[None] + vertices * step[:, None, None]
    )
    patch = surfaces.patch[None] + surfaces.patch_count * step[:, None]
    sides: Sequence[Sides] = tuple(surfaces.sides) * count  # type: ignore[assignment]
    whole = Surfaces(points, polygons.reshape(-1, 4), patch.ravel(), sides)
    side = (whole.face_sign < 0).astype(int)
    original = surfaces.face_of_side[whole.face_patch % surfaces.patch_count, side]
    return whole, original.astype(np.int64)


def view_factors_among_copies(
    surfaces: Surfaces, offsets: Floats, visibility_rays: int = 512, seed: int = 0
) -> ViewFactors:
    """View factors of surfaces with equal copies around them, by exact formula and rays for what stands between.

    Parameters
    ----------
    surfaces : Surfaces
    offsets : (n, 3) float
        Of the copies [m]; for reciprocity there is one at -d for each at d.
    visibility_rays : int
        Per pair of faces.
    seed : int

    Returns
    -------
    ViewFactors
        Of the faces of one set, symmetric and closed; what goes to a copy counts as going to the original.

    Raises
    ------
    SurfaceError
        If the copies do not stand evenly around, or surfaces cut each other.
    """
    shifts = np.reshape(np.asarray(offsets, dtype=float), (-1, 3))
    for shift in shifts:
        if np.linalg.norm(shifts + shift, axis=1).min() > 1e-6 * surfaces.size:
            raise SurfaceError(f"a copy at {shift.tolist()} m needs one at the opposite place")
    whole, original = repeated(surfaces, shifts)
    found = exact_view_factors(whole, visibility_rays, RaySettings(seed=seed))
    count = surfaces.face_count
    own = np.array([int(np.flatnonzero(original == face)[0]) for face in range(count)])
    gather = csr_array((np.ones(len(original)), (np.arange(len(original)), original)))
    exchange = csr_array(found.exchange[own] @ gather)
    variance = csr_array(found.exchange_errors[own].power(2) @ gather)
    area = surfaces.face_areas
    # copies at +d and -d were cast with other rays: their mean is the estimate of both
    exchange, variance = 0.5 * (exchange + exchange.T), 0.25 * (variance + variance.T)
    space = area - exchange.sum(axis=1)
    errors = csr_array(variance.power(0.5))
    spread = np.sqrt(np.asarray(variance.sum(axis=1)).ravel())
    factors = ViewFactors(area, csr_array(exchange), np.maximum(space, 0.0), errors, spread)
    return enforce_closure(factors) if (space < 0.0).any() else factors


def visible_shares_of_directions(
    scene: RayScene, faces: Integers, directions: Floats, points: int, seed: int = 0
) -> Floats:
    """Share of each face from which a point far away in some direction is in sight.

    Parameters
    ----------
    scene : RayScene
    faces : (f,) int
        Faces of the scene.
    directions : (n, 3) float
        Towards the points, unit vectors.
    points : int
        Rays per face and direction.
    seed : int

    Returns
    -------
    (n, f) float
        0 for directions behind a face.
    """
    start, clear, normals = points_in_sight(scene, faces, directions, points, seed)
    del start
    ahead = directions @ normals.T > 0.0
    return np.where(ahead, clear.mean(axis=2), 0.0)


def points_in_sight(
    scene: RayScene, faces: Integers, directions: Floats, points: int, seed: int = 0
) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """Points on faces, and whether each sees far away in some directions.

    Parameters
    ----------
    scene, faces, directions, points, seed
        As for `visible_shares_of_directions`.

    Returns
    -------
    (n, f, points, 3) float
        The points [m].
    (n, f, points) bool
        Whether nothing is in the way. Directions behind a face are not cast: True.
    (f, 3) float
        Normals of the faces.
    """
    toward = np.atleast_2d(np.asarray(directions, dtype=float))
    count, number = len(toward), len(faces)
    shifts = random_shifts(RaySettings(2, 2, seed), count * number, 2, stream=3)[:, :1]
    start, normal = scene.points_on(np.tile(faces, count), sobol_sample(points, 2), shifts)
    ray = np.repeat(toward, number * points, axis=0)
    normals = normal.reshape(count, number, points, 3)[0, :, 0]
    lit = np.flatnonzero(np.einsum("ij,ij->i", ray, normal) > 0.0)
    clear = np.ones(len(ray), bool)
    if lit.size:
        clear[lit] = ~scene.blocked(start[lit], 4.0 * scene.surfaces.size * ray[lit])
    return (
        (start + scene.middle).reshape(count, number, points, 3),
        clear.reshape(count, number, points),
        normals,
    )
