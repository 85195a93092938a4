"""Radiating surfaces: flat polygons grouped into patches, each with one or two radiating sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from meshes.mesh import Mesh, shell_normals

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Sides = Literal["front", "back", "both"]

#: largest distance of a quadrilateral's fourth corner from the plane of the others, as a share of its size
FLATNESS = 1e-6


class SurfaceError(ValueError):
    """Surfaces that cannot exchange radiation; the message says which and why."""


@dataclass(frozen=True, eq=False)
class Surfaces:
    """Flat triangles and convex quadrilaterals, grouped into patches of one temperature each.

    The *faces* are what exchanges radiation: first the front faces of the patches that have one, in the
    order of the patches, then the back faces. Front is where the right-hand normal points.

    Parameters
    ----------
    points : (v, 3) float
        Vertices [m].
    polygons : (p, 4) int
        Vertex numbers; -1 in the last place makes a triangle.
    patch : (p,) int
        Patch of each polygon, numbered from 0 without gaps.
    sides : (n,) str, or one str for all
        Radiating sides of each patch: ``front``, ``back`` or ``both``.

    Raises
    ------
    SurfaceError
        For wrong shapes or numbers, polygons without area, bent or concave quadrilaterals.
    """

    points: Floats
    polygons: Integers
    patch: Integers
    sides: Sequence[Sides] | Sides = "front"

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "points", np.ascontiguousarray(self.points, dtype=np.float64))
        set_field(self, "polygons", np.ascontiguousarray(self.polygons, dtype=np.int64))
        set_field(self, "patch", np.ascontiguousarray(self.patch, dtype=np.int64))
        _check_arrays(self)
        count = int(self.patch.max()) + 1
        sides = (self.sides,) * count if isinstance(self.sides, str) else tuple(self.sides)
        if len(sides) != count:
            raise SurfaceError(
                f"{len(sides)} sides given for {count} patches; give one word, or one per patch"
            )
        unknown = sorted(set(sides) - {"front", "back", "both"})
        if unknown:
            raise SurfaceError(f"sides must be front, back or both, not {unknown[0]!r}")
        set_field(self, "sides", sides)
        _check_shapes(self)

    @classmethod
    def from_polygons(cls, polygons: Sequence[Floats], sides: Sequence[Sides] | Sides = "front") -> Surfaces:
        """Make one patch per polygon, each the corners of a triangle or quadrilateral, (3 or 4, 3) [m]."""
        numbers = np.full((len(polygons), 4), -1, dtype=np.int64)
        start = 0
        for row, corners in enumerate(polygons):
            if len(corners) not in (3, 4):
                raise SurfaceError(
                    f"polygon {row} has {len(corners)} corners; triangles and quadrilaterals are known"
                )
            numbers[row, : len(corners)] = np.arange(start, start + len(corners))
            start += len(corners)
        points = np.concatenate([np.asarray(corners, dtype=float) for corners in polygons])
        return cls(points, numbers, np.arange(len(polygons)), sides)

    @classmethod
    def from_mesh(
        cls, mesh: Mesh, patch: Integers | None = None, sides: Sequence[Sides] | Sides = "both"
    ) -> Surfaces:
        """Surfaces of a shell mesh, one patch per cell or as grouped.

        Parameters
        ----------
        mesh : Mesh
            Of triangles or quadrilaterals.
        patch : (m,) int, optional
            Patch of each cell (`group_cells`); every cell is its own patch unless given.
        sides : sequence of str or str
        """
        if mesh.dimension != 2:
            raise SurfaceError(f"surfaces come from shell meshes, not from cells of type {mesh.cell_type}")
        polygons = np.full((mesh.cell_count, 4), -1, dtype=np.int64)
        polygons[:, : mesh.cells.shape[1]] = mesh.cells
        return cls(mesh.points, polygons, np.arange(mesh.cell_count) if patch is None else patch, sides)

    @property
    def patch_count(self) -> int:
        """Number of patches."""
        return len(self.sides)

    @cached_property
    def corner_count(self) -> Integers:
        """Corners of each polygon, 3 or 4, shape (p,)."""
        return np.where(self.polygons[:, 3] < 0, 3, 4)

    @cached_property
    def corners(self) -> Floats:
        """Corner coordinates, shape (p, 4, 3) [m]; the fourth corner of a triangle repeats its third."""
        numbers = self.polygons.copy()
        missing = numbers[:, 3] < 0
        numbers[missing, 3] = numbers[missing, 2]
        return self.points[numbers]

    @cached_property
    def area_vectors(self) -> Floats:
        """Area times front normal of each polygon, shape (p, 3) [m²]."""
        corner = self.corners
        return 0.5 * np.cross(corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 1])

    @cached_property
    def polygon_areas(self) -> Floats:
        """Area of each polygon, shape (p,) [m²]."""
        return np.linalg.norm(self.area_vectors, axis=1)

    @cached_property
    def patch_areas(self) -> Floats:
        """Area of each patch (one side), shape (n,) [m²]."""
        return np.bincount(self.patch, weights=self.polygon_areas, minlength=self.patch_count)

    @cached_property
    def face_patch(self) -> Integers:
        """Patch of each face, shape (f,)."""
        front = [number for number, side in enumerate(self.sides) if side != "back"]
        back = [number for number, side in enumerate(self.sides) if side != "front"]
        return np.array(front + back, dtype=np.int64)

    @cached_property
    def face_sign(self) -> Integers:
        """1 for front faces and -1 for back faces, shape (f,)."""
        front = sum(side != "back" for side in self.sides)
        return np.where(np.arange(len(self.face_patch)) < front, 1, -1)

    @cached_property
    def face_of_side(self) -> Integers:
        """Face number of the front (column 0) and back (1) of each patch, -1 for none; shape (n, 2)."""
        numbers = np.full((self.patch_count, 2), -1, dtype=np.int64)
        numbers[self.face_patch, (self.face_sign < 0).astype(int)] = np.arange(len(self.face_patch))
        return numbers

    @property
    def face_count(self) -> int:
        """Number of radiating faces."""
        return len(self.face_patch)

    @property
    def face_areas(self) -> Floats:
        """Area of each face, shape (f,) [m²]."""
        return self.patch_areas[self.face_patch]

    @cached_property
    def size(self) -> float:
        """Diagonal of the box around all surfaces [m]."""
        used = self.points[self.polygons[self.polygons >= 0]]
        return float(np.linalg.norm(np.ptp(used, axis=0)))


def group_cells(mesh: Mesh, patch_size: float) -> Integers:
    """Group the cells of a shell mesh into patches of about one size, never across regions.

    Cells of one region and nearly one orientation whose centroids fall into the same cube of edge
    ``patch_size`` share a patch.

    Parameters
    ----------
    mesh : Mesh
    patch_size : float
        Edge of the cubes [m].

    Returns
    -------
    (m,) int
        Patch number of each cell, from 0 without gaps.
    """
    if not patch_size > 0.0:
        raise SurfaceError(f"patch size must be positive, not {patch_size} m")
    centroid = mesh.points[mesh.cells].mean(axis=1)
    normal = shell_normals(mesh)
    normal /= np.linalg.norm(normal, axis=1)[:, None]
    # shifted by half a hundredth of a cube so that a plane on a cube's face does not flicker between two
    cube = np.floor((centroid - mesh.points.min(axis=0)) / patch_size + 0.005).astype(np.int64)
    facing = np.rint(normal * 4.0).astype(np.int64)
    keys = np.column_stack([mesh.cell_tags, cube, facing])
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def face_node_shares(surfaces: Surfaces) -> csr_array:
    """Share of each point in the area of each face, by vertex quadrature.

    Parameters
    ----------
    surfaces : Surfaces

    Returns
    -------
    (f, v) csr
        Rows sum to one.
    """
    part = surfaces.polygon_areas / surfaces.corner_count
    used = surfaces.polygons >= 0
    corner_patch = np.repeat(surfaces.patch, surfaces.corner_count)
    weight = np.repeat(part, surfaces.corner_count) / surfaces.patch_areas[corner_patch]
    shape = (surfaces.patch_count, len(surfaces.points))
    by_patch = csr_array(coo_array((weight, (corner_patch, surfaces.polygons[used])), shape=shape))
    return csr_array(by_patch[surfaces.face_patch])


def _check_arrays(surfaces: Surfaces) -> None:
    points, polygons, patch = surfaces.points, surfaces.polygons, surfaces.patch
    if points.ndim != 2 or points.shape[1] != 3:
        raise SurfaceError(f"points must have shape (v, 3), not {points.shape}")
    if polygons.ndim != 2 or polygons.shape[1] != 4 or not len(polygons):
        raise SurfaceError(f"polygons must have shape (p, 4) with p above 0, not {polygons.shape}")
    if patch.shape != (len(polygons),):
        raise SurfaceError(
            f"patch must have one number per polygon, shape ({len(polygons)},), not {patch.shape}"
        )
    if not np.isfinite(points).all():
        raise SurfaceError(f"point {int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])} is not finite")
    if (polygons[:, :3] < 0).any() or (polygons >= len(points)).any():
        raise SurfaceError(f"polygons must refer to points 0 to {len(points) - 1}")
    missing = np.setdiff1d(np.arange(patch.max() + 1), patch)
    if patch.min() < 0 or len(missing):
        raise SurfaceError(f"patches must be numbered from 0 without gaps; missing {missing[:3].tolist()}")


def _check_shapes(surfaces: Surfaces) -> None:
    corner, area = surfaces.corners, surfaces.polygon_areas
    extent = np.linalg.norm(np.ptp(corner, axis=1), axis=1)
    flat = np.flatnonzero(area <= 1e-12 * extent**2)
    if len(flat):
        raise SurfaceError(f"polygon {flat[0]} (patch {surfaces.patch[flat[0]]}) has no area")
    normal = surfaces.area_vectors / area[:, None]
    height = np.abs(np.einsum("pcx,px->pc", corner - corner[:, :1], normal)).max(axis=1)
    bent = np.flatnonzero(height > FLATNESS * extent)
    if len(bent):
        raise SurfaceError(
            f"polygon {bent[0]} (patch {surfaces.patch[bent[0]]}) is not flat: {height[bent[0]]:.3g} m out "
            "of plane; "
            "cut it into triangles"
        )
    turn = np.einsum(
        "pcx,px->pc",
        np.cross(corner - np.roll(corner, 1, axis=1), np.roll(corner, -1, axis=1) - corner),
        normal,
    )
    concave = np.flatnonzero((turn < -1e-9 * extent[:, None] ** 2).any(axis=1))
    if len(concave):
        raise SurfaceError(
            f"polygon {concave[0]} (patch {surfaces.patch[concave[0]]}) is concave or its corners cross; "
            "cut it into triangles or reorder them"
        )
