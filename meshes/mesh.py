"""Plain meshes: numpy arrays with named regions, tube lines, facets and hinges.

Everything that builds or reads geometry returns a `Mesh`; nothing here needs dolfinx, so that a
laptop without it can build, check, size and write every mesh of the plant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: vertices per cell and topological dimension of the cells in use; vertices in the order of VTK
CELL_VERTICES = {"triangle": 3, "quadrilateral": 4, "tetrahedron": 4, "hexahedron": 8}
CELL_DIMENSION = {"triangle": 2, "quadrilateral": 2, "tetrahedron": 3, "hexahedron": 3}

#: facets of each cell as local vertex numbers (edges of shells, faces of solids, normals outwards)
CELL_FACETS: dict[str, tuple[tuple[int, ...], ...]] = {
    "triangle": ((0, 1), (1, 2), (2, 0)),
    "quadrilateral": ((0, 1), (1, 2), (2, 3), (3, 0)),
    "tetrahedron": ((0, 2, 1), (0, 1, 3), (1, 2, 3), (0, 3, 2)),
    "hexahedron": ((0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)),
}


class MeshError(ValueError):
    """A mesh, or a request for one, that cannot be used; the message says what, where and the fix."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """A shell or solid mesh with names.

    Parameters
    ----------
    points : (n, 3) float
        Node coordinates [m].
    cells : (m, k) int
        Vertex numbers of each cell, in VTK order. The normal of a shell cell, by the right-hand rule,
        is its *front* face.
    cell_type : {"triangle", "quadrilateral", "tetrahedron", "hexahedron"}
    regions : mapping of name to (r,) int
        Cell numbers of each named region.
    lines : mapping of name to (l,) int
        Node numbers of each tube line in the direction of flow; consecutive nodes share a mesh edge.
    facets : mapping of name to (f, v) int
        Node numbers of the facets of each named boundary: pairs on shells, faces on solids.
    hinges : mapping of name to (h, 2) int
        Pairs of nodes of separate pieces that a joint's conductance connects.
    """

    points: Floats
    cells: Integers
    cell_type: str
    regions: Mapping[str, Integers] = field(default_factory=dict)
    lines: Mapping[str, Integers] = field(default_factory=dict)
    facets: Mapping[str, Integers] = field(default_factory=dict)
    hinges: Mapping[str, Integers] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.cell_type not in CELL_VERTICES:
            raise MeshError(f"cell_type must be one of {', '.join(CELL_VERTICES)}, not {self.cell_type!r}")
        set_field = object.__setattr__
        set_field(self, "points", np.ascontiguousarray(self.points, dtype=np.float64))
        set_field(self, "cells", np.ascontiguousarray(self.cells, dtype=np.int64))
        if self.points.ndim != 2 or self.points.shape[1] != 3:
            raise MeshError(f"points must have shape (n, 3), not {self.points.shape}")
        vertices = CELL_VERTICES[self.cell_type]
        if self.cells.ndim != 2 or self.cells.shape[1] != vertices:
            raise MeshError(f"{self.cell_type} cells must have shape (m, {vertices}), not {self.cells.shape}")
        for group in ("regions", "lines", "facets", "hinges"):
            entries = getattr(self, group)
            set_field(
                self, group, {name: np.asarray(value, dtype=np.int64) for name, value in entries.items()}
            )

    @property
    def node_count(self) -> int:
        """Number of nodes."""
        return len(self.points)

    @property
    def cell_count(self) -> int:
        """Number of cells."""
        return len(self.cells)

    @property
    def dimension(self) -> int:
        """Topological dimension of the cells: 2 for shells, 3 for solids."""
        return CELL_DIMENSION[self.cell_type]

    @cached_property
    def cell_tags(self) -> NDArray[np.int32]:
        """Region number of each cell, shape (m,): 1 + position in ``regions``; 0 where no region claims it.

        Raises
        ------
        MeshError
            If two regions claim the same cell.
        """
        tags = np.zeros(self.cell_count, dtype=np.int32)
        names = list(self.regions)
        for number, (name, cells) in enumerate(self.regions.items(), start=1):
            taken = tags[cells]
            if taken.any():
                other = names[int(taken[taken > 0][0]) - 1]
                shared = np.count_nonzero(taken)
                raise MeshError(f"regions {other!r} and {name!r} share {shared} cells; a cell has one region")
            tags[cells] = number
        return tags

    def line_lengths(self, name: str) -> Floats:
        """Length of each edge of a tube line, shape (l - 1,) [m]."""
        return np.linalg.norm(np.diff(self.points[self.line(name)], axis=0), axis=1)

    def line(self, name: str) -> Integers:
        """Node numbers of a tube line in the direction of flow."""
        return _named(self.lines, name, "tube line")

    def region(self, name: str) -> Integers:
        """Cell numbers of a region."""
        return _named(self.regions, name, "region")

    def facet(self, name: str) -> Integers:
        """Node numbers of the facets of a named boundary."""
        return _named(self.facets, name, "boundary")

    def moved(self, rotation: Floats | None = None, translation: Floats | None = None) -> Mesh:
        """Return the mesh rotated about the origin by a (3, 3) matrix and then shifted [m]."""
        points = self.points if rotation is None else self.points @ np.asarray(rotation, dtype=float).T
        if translation is not None:
            points = points + np.asarray(translation, dtype=float)
        return replace(self, points=points)

    def with_prefix(self, prefix: str) -> Mesh:
        """Return the mesh with ``prefix`` before every name."""
        return replace(
            self,
            regions={prefix + name: value for name, value in self.regions.items()},
            lines={prefix + name: value for name, value in self.lines.items()},
            facets={prefix + name: value for name, value in self.facets.items()},
            hinges={prefix + name: value for name, value in self.hinges.items()},
        )


def _named(group: Mapping[str, Integers], name: str, what: str) -> Integers:
    if name not in group:
        raise MeshError(f"no {what} named {name!r}; the mesh has: {', '.join(group) or 'none'}")
    return group[name]


def shell_normals(mesh: Mesh) -> Floats:
    """Area vectors of shell cells (area times unit front normal), shape (m, 3) [m²].

    Half the cross product of the edges of a triangle, or of the diagonals of a quadrilateral.
    """
    corner = mesh.points[mesh.cells]
    if mesh.cell_type == "triangle":
        return 0.5 * np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    if mesh.cell_type == "quadrilateral":
        return 0.5 * np.cross(corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 1])
    raise MeshError(f"cells of type {mesh.cell_type} have no normal; only shells have")


def cell_measures(mesh: Mesh) -> Floats:
    """Area [m²] of shell cells (never negative) or signed volume [m³] of solid cells, shape (m,)."""
    if mesh.dimension == 2:
        return np.linalg.norm(shell_normals(mesh), axis=1)
    corner = mesh.points[mesh.cells]
    if mesh.cell_type == "tetrahedron":
        edges = corner[:, 1:] - corner[:, :1]
        return np.linalg.det(edges) / 6.0
    # Hexahedron by the divergence theorem: a sum over its faces, exact for planar faces.
    volume = np.zeros(mesh.cell_count)
    for face in CELL_FACETS["hexahedron"]:
        a, b, c, d = (corner[:, vertex] for vertex in face)
        volume += np.einsum("ij,ij->i", (a + b + c + d) / 4.0, 0.5 * np.cross(c - a, d - b)) / 3.0
    return volume


def boundary_facets(mesh: Mesh) -> Integers:
    """Facets that belong to one cell only, shape (f, v), ordered as in their cell (outward on solids)."""
    local = np.array(CELL_FACETS[mesh.cell_type])
    facets = mesh.cells[:, local].reshape(-1, local.shape[1])
    _, first, counts = np.unique(np.sort(facets, axis=1), axis=0, return_index=True, return_counts=True)
    return facets[np.sort(first[counts == 1])]


def join(pieces: Mapping[str, Mesh], hinges: Mapping[str, Integers] | None = None) -> Mesh:
    """Put separate pieces of the same cell type into one mesh; names get ``piece/`` in front.

    No nodes are merged: a joint is a node pair with a conductance. Shells that meet in a T would
    otherwise branch, which dolfinx 0.9 gets wrong where a partition cuts the joint.

    Parameters
    ----------
    pieces : mapping of name to Mesh
    hinges : mapping of name to (k, 2) int, optional
        Extra node pairs in the numbering of the joined mesh (`node_offsets`).
    """
    if not pieces:
        raise MeshError("no pieces to join")
    types = {piece.cell_type for piece in pieces.values()}
    if len(types) > 1:
        raise MeshError(f"pieces of one mesh must have one cell type, not {', '.join(sorted(types))}")
    offsets = node_offsets(pieces)
    cell_offset = 0
    regions: dict[str, Integers] = {}
    lines: dict[str, Integers] = {}
    facets: dict[str, Integers] = {}
    pairs: dict[str, Integers] = {}
    for name, piece in pieces.items():
        named = piece.with_prefix(f"{name}/")
        regions |= {key: value + cell_offset for key, value in named.regions.items()}
        lines |= {key: value + offsets[name] for key, value in named.lines.items()}
        facets |= {key: value + offsets[name] for key, value in named.facets.items()}
        pairs |= {key: value + offsets[name] for key, value in named.hinges.items()}
        cell_offset += piece.cell_count
    return Mesh(
        points=np.concatenate([piece.points for piece in pieces.values()]),
        cells=np.concatenate([piece.cells + offsets[name] for name, piece in pieces.items()]),
        cell_type=types.pop(),
        regions=regions,
        lines=lines,
        facets=facets,
        hinges=pairs | dict(hinges or {}),
    )


def node_offsets(pieces: Mapping[str, Mesh]) -> dict[str, int]:
    """Find the number of the first node of each piece in the mesh that `join` makes of them."""
    starts = np.concatenate([[0], np.cumsum([piece.node_count for piece in pieces.values()])])
    return {name: int(start) for name, start in zip(pieces, starts, strict=False)}
