"""Embree rays between surfaces: shares of what leaves a face, sight between pairs, light from far away.

Sample points are Sobol sequences, shifted at random (Cranley and Patterson 1976) for each face and
each replicate from a counter-based generator (Philox): the result depends on the seed alone, not on the
number of threads or on the order of work. The spread between replicates gives the error of each factor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.stats import qmc

from solvers import ray_kernels as kernels
from solvers.surfaces import Floats, Integers, SurfaceError, Surfaces

Singles = NDArray[np.float32]

#: rays start and end this share of the scene's size off the surfaces, because Embree works in single
# precision
OFFSET = 2e-6

#: share of a face's rays that may slip through the seam between two triangles; they are left out of the count
STRAY = 1e-3


@dataclass(frozen=True)
class RaySettings:
    """How rays are cast.

    Parameters
    ----------
    rays : int
        Rays per face, a multiple of ``replicates``; powers of two sample best.
    replicates : int
        Independent shifts of the sample, at least 2; their spread gives the error.
    seed : int
    batch : int
        Rays that are held in memory at once (it does not change the result).

    Raises
    ------
    ValueError
        For numbers that make no sample.
    """

    rays: int = 8192
    replicates: int = 8
    seed: int = 0
    batch: int = 2_000_000

    def __post_init__(self) -> None:
        if self.replicates < 2:
            raise ValueError(f"replicates must be 2 or more to estimate an error, not {self.replicates}")
        if self.rays < self.replicates or self.rays % self.replicates:
            raise ValueError(f"rays must be a multiple of the {self.replicates} replicates, not {self.rays}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, not {self.seed}")
        if self.batch < 1:
            raise ValueError(f"batch must be positive, not {self.batch}")


@dataclass(frozen=True, eq=False)
class RayFactors:
    """Raw shares found by rays, before reciprocity.

    Attributes
    ----------
    factors : (f, f) csr
        F_ij, share of rays of face i that land on face j.
    errors : (f, f) csr
        Standard error of each, same pattern; never below one ray.
    space, space_errors : (f,) float
        Share that leaves, and its standard error.
    """

    factors: csr_array
    errors: csr_array
    space: Floats
    space_errors: Floats


class RayScene:
    """Surfaces in an Embree scene.

    Parameters
    ----------
    surfaces : Surfaces
    """

    def __init__(self, surfaces: Surfaces):
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        self.surfaces = surfaces
        numbers = surfaces.polygons
        quadrilaterals = np.flatnonzero(numbers[:, 3] >= 0)
        self.triangles = np.concatenate([numbers[:, :3], numbers[quadrilaterals][:, [0, 2, 3]]])
        self.polygon = np.concatenate([np.arange(len(numbers)), quadrilaterals])
        corner = surfaces.points[self.triangles]
        cross = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        self.areas = 0.5 * np.linalg.norm(cross, axis=1)
        # the polygon's normal: a triangle of a quadrilateral with three corners on a line has none of its own
        self.normals = (surfaces.area_vectors / surfaces.polygon_areas[:, None])[self.polygon]
        self.patch = surfaces.patch[self.polygon]
        # about the middle of the scene single precision is at its best
        used = surfaces.points[numbers[numbers >= 0]]
        self.middle = 0.5 * (used.min(axis=0) + used.max(axis=0))
        self.offset = OFFSET * surfaces.size
        # points that no polygon uses may be anywhere; they are pulled in so as not to upset the scene
        points = np.clip(surfaces.points, used.min(axis=0), used.max(axis=0))
        self._scene: Any = EmbreeScene()
        TriangleMesh(self._scene, (points - self.middle).astype(np.float32), self.triangles.astype(np.int32))
        # samples keep off the edges by a few offsets, or they would start on the wrong side of the next wall
        edges = np.linalg.norm(corner - np.roll(corner, 1, axis=1), axis=2).sum(axis=1)
        self._pull = np.minimum(0.5, 2.0 * self.offset * edges / np.maximum(2.0 * self.areas, 1e-300))
        order = np.argsort(self.patch, kind="stable")
        self._order = order
        self._start = np.searchsorted(self.patch[order], np.arange(surfaces.patch_count + 1))
        share = np.concatenate([[0.0], np.cumsum(self.areas[order])])
        self._filled = share

    def first_hit(self, origins: Singles, directions: Singles) -> NDArray[np.int32]:
        """Triangle that each ray meets first, -1 for none; origins about the middle of the scene."""
        return np.asarray(self._scene.run(origins, directions), dtype=np.int32)

    def blocked(self, starts: Floats, rays: Floats) -> NDArray[np.bool_]:
        """Whether something lies on the way from each start to the end of its ray."""
        reach = np.ones(len(rays), dtype=np.float32)
        hit = self._scene.run(starts.astype(np.float32), rays.astype(np.float32), dists=reach)
        return np.asarray(hit) >= 0

    def rays_from(self, faces: Integers, sample: Floats, shifts: Floats) -> tuple[Singles, Singles]:
        """Cosine-distributed rays of some faces.

        Parameters
        ----------
        faces : (b,) int
        sample : (s, 4) float
            Points of the unit cube: two for the place, two for the direction.
        shifts : (b, r, 4) float
            Shift of each face and replicate.

        Returns
        -------
        origins, directions : (b r s, 3) float32
        """
        surfaces = self.surfaces
        rays = len(faces) * shifts.shape[1] * len(sample)
        origins, directions = np.empty((rays, 3), dtype=np.float32), np.empty((rays, 3), dtype=np.float32)
        kernels.cosine_rays(
            origins, directions, sample, shifts, surfaces.face_patch[faces], surfaces.face_sign[faces],
            self._start, self._order, self._filled, surfaces.points - self.middle, self.triangles,
            self.normals, self._pull, self.offset,
        )  # fmt: skip
        return origins, directions

    def points_on(self, faces: Integers, sample: Floats, shifts: Floats) -> tuple[Floats, Floats]:
        """Evenly distributed points just above some faces, and the normals there, both (b r s, 3)."""
        surfaces = self.surfaces
        count = len(faces) * shifts.shape[1] * len(sample)
        points, normals = np.empty((count, 3)), np.empty((count, 3))
        kernels.face_points(
            points, normals, sample, shifts, surfaces.face_patch[faces], surfaces.face_sign[faces],
            self._start, self._order, self._filled, surfaces.points - self.middle, self.triangles,
            self.normals, self._pull, self.offset,
        )  # fmt: skip
        return points, normals

    def face_hit(self, triangles: NDArray[np.int32], directions: Singles) -> NDArray[np.int32]:
        """Face on which each ray lands: -1 for space, -2 for a side that takes no part."""
        hit = np.empty(len(triangles), dtype=np.int32)
        kernels.faces_hit(hit, triangles, directions, self.normals, self.patch, self.surfaces.face_of_side)
        return hit


def sobol_sample(points: int, dimensions: int) -> Floats:
    """First points of the unscrambled Sobol sequence, shape (points, dimensions)."""
    exponent = max(0, math.ceil(math.log2(points)))
    return np.asarray(qmc.Sobol(dimensions, scramble=False).random_base2(exponent)[:points], dtype=np.float64)


def random_shifts(settings: RaySettings, items: int, dimensions: int, stream: int) -> Floats:
    """Shifts of the sample for each item and replicate, shape (items, replicates, dimensions)."""
    generator = np.random.Generator(np.random.Philox(key=[settings.seed, stream]))
    return generator.random((items, settings.replicates, dimensions))


def batches(items: int, rays_per_item: int, batch: int) -> Iterator[slice]:
    """Cut items into slices of about ``batch`` rays."""
    step = max(1, batch // rays_per_item)
    for start in range(0, items, step):
        yield slice(start, min(items, start + step))


def cast_factors(surfaces: Surfaces, settings: RaySettings | None = None) -> RayFactors:
    """View factors by counting where rays land; whatever is in the way obstructs.

    Parameters
    ----------
    surfaces : Surfaces
    settings : RaySettings, optional

    Returns
    -------
    RayFactors

    Raises
    ------
    SurfaceError
        If rays reach a side that takes no part: what it sends back would be unknown.
    """
    settings = settings or RaySettings()
    scene = RayScene(surfaces)
    count = surfaces.face_count
    per_replicate = settings.rays // settings.replicates
    sample = sobol_sample(per_replicate, 4)
    shifts = random_shifts(settings, count, 4, stream=0)
    columns, values, errors, lengths = [], [], [], []
    space, space_errors = np.empty(count), np.empty(count)
    for part in batches(count, settings.rays, settings.batch):
        faces = np.arange(part.start, part.stop)
        origins, directions = scene.rays_from(faces, sample, shifts[part])
        hit = scene.face_hit(scene.first_hit(origins, directions), directions)
        _refuse_blind(scene, faces, hit.reshape(len(faces), -1), origins, directions)
        found, number, mean, error = _tally(hit, len(faces), settings.replicates, per_replicate, count)
        space[part], space_errors[part] = mean[:, 0], error[:, 0]
        keep = np.arange(1, found.shape[1])[None] < number[:, None]
        columns.append(found[:, 1:][keep])
        values.append(mean[:, 1:][keep])
        errors.append(error[:, 1:][keep])
        lengths.append(number - 1)
    pointer = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    column = np.concatenate(columns)
    return RayFactors(
        factors=csr_array((np.concatenate(values), column, pointer), shape=(count, count)),
        errors=csr_array((np.concatenate(errors), column, pointer), shape=(count, count)),
        space=space,
        space_errors=space_errors,
    )


def _refuse_blind(
    scene: RayScene, faces: Integers, hit: NDArray[np.int32], origins: Singles, directions: Singles
) -> None:
    """Stray rays through the seams of single precision are let pass, more are an error in the surfaces."""
    surfaces = scene.surfaces
    lost = np.count_nonzero(hit == -2, axis=1)
    worst = int(np.argmax(lost))
    if lost[worst] <= max(2.0, STRAY * hit.shape[1]):
        return
    ray = worst * hit.shape[1] + int(np.argmax(hit[worst] == -2))
    patch = scene.patch[scene.first_hit(origins[ray : ray + 1], directions[ray : ray + 1])[0]]
    missing = "back" if surfaces.face_of_side[patch, 1] < 0 else "front"
    raise SurfaceError(
        f"{lost[worst] / hit.shape[1]:.2%} of the rays of patch {surfaces.face_patch[faces[worst]]} reach "
        "sides that take "
        f"no part, such as the {missing} of patch {patch}; set sides of patch {patch} to 'both', or reverse "
        "its corners"
    )


def visible_shares(
    surfaces: Surfaces, first: Integers, second: Integers, rays: int, settings: RaySettings
) -> tuple[Floats, Floats]:
    """Share of the exchange between pairs of faces that nothing obstructs, and its standard error.

    Points on the two faces are joined by rays, weighted with cosθ₁ cosθ₂ / r².

    Parameters
    ----------
    surfaces : Surfaces
    first, second : (k,) int
        Faces of each pair.
    rays : int
        Rays per pair.
    settings : RaySettings
        Its seed and batch are used.

    Returns
    -------
    shares, errors : (k,) float
    """
    scene = RayScene(surfaces)
    sample = sobol_sample(rays, 4)
    shares, errors = np.ones(len(first)), np.zeros(len(first))
    # a shift for each pair: with one for each face the errors of a row would not average out
    shifts = np.random.Generator(np.random.Philox(key=[settings.seed, 1])).random((len(first), 2, 1, 2))
    for part in batches(len(first), rays, settings.batch):
        start, normal = scene.points_on(first[part], sample[:, :2], shifts[part, 0])
        stop, other_normal = scene.points_on(second[part], sample[:, 2:], shifts[part, 1])
        ray = stop - start
        square = np.einsum("ij,ij->i", ray, ray)
        weight = np.maximum(np.einsum("ij,ij->i", ray, normal), 0.0)
        weight *= np.maximum(-np.einsum("ij,ij->i", ray, other_normal), 0.0) / np.maximum(square, 1e-300) ** 2
        clear = ~scene.blocked(start, ray)
        weight, clear = weight.reshape(-1, rays), clear.reshape(-1, rays)
        total = weight.sum(axis=1)
        seen = np.where(
            total > 0.0, (weight * clear).sum(axis=1) / np.maximum(total, 1e-300), clear.mean(axis=1)
        )
        shares[part] = seen
        effective = np.maximum(total**2 / np.maximum((weight**2).sum(axis=1), 1e-300), 1.0)
        # a pair seen whole, or not at all, by few rays may still be so in part only: half a ray of doubt
        doubt = (effective * seen + 0.5) / (effective + 1.0)
        errors[part] = np.sqrt(doubt * (1.0 - doubt) / effective)
    return shares, errors


def _tally(
    hit: NDArray[np.int32], faces: int, replicates: int, per_replicate: int, count: int
) -> tuple[NDArray[np.int32], Integers, Floats, Floats]:
    width = min(count, replicates * per_replicate) + 1
    found = np.empty((faces, width), dtype=np.int32)
    mean, error = np.empty((faces, width)), np.empty((faces, width))
    number = np.empty(faces, dtype=np.int64)
    kernels.tally_all(hit, faces, replicates, per_replicate, count, found, mean, error, number)
    return found, number, mean, error
