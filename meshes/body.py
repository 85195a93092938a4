"""Bodies: a box of walls, and solid cold plates."""

from __future__ import annotations

import numpy as np

from meshes.mesh import Floats, Integers, Mesh, MeshError, join, node_offsets
from meshes.structured import graded_axis, node_at, plane_boundaries, plane_points, plane_triangles

#: outward axis and sign of the walls of a box
WALLS = {"x-": (0, -1), "x+": (0, 1), "y-": (1, -1), "y+": (1, 1), "z-": (2, -1), "z+": (2, 1)}

#: corners of the six tetrahedra of a hexahedron around its main diagonal (Kuhn): neighbours fit
_KUHN = ((0, 1, 2, 6), (0, 2, 3, 6), (0, 3, 7, 6), (0, 7, 4, 6), (0, 4, 5, 6), (0, 5, 1, 6))


def body_box(length: float, width: float, height: float, cell_size: float) -> Mesh:
    """Six walls of a box about the origin, fronts outwards, each a piece of its own.

    Parameters
    ----------
    length, width, height : float
        Size along x, y and z [m].
    cell_size : float
        Largest cell edge along an axis [m].

    Returns
    -------
    Mesh
        Pieces ``x-`` … ``z+`` with region ``wall``; one hinge for each of the twelve edges, such as
        ``x-|y+``.
    """
    sizes = _positive({"length": length, "width": width, "height": height, "cell size": cell_size})[:3]
    axes = [graded_axis([-0.5 * size, 0.5 * size], cell_size) for size in sizes]
    pieces = {name: _wall(axes, axis, sign) for name, (axis, sign) in WALLS.items()}
    offsets = node_offsets(pieces)
    hinges = {}
    names = list(WALLS)
    for one in range(6):
        for other in range(one + 1, 6):
            pairs = _common_nodes(pieces[names[one]], pieces[names[other]])
            if len(pairs):
                shift = [offsets[names[one]], offsets[names[other]]]
                hinges[f"{names[one]}|{names[other]}"] = pairs + np.array(shift)
    return join(pieces, hinges)


def cold_plate(
    length: float, width: float, thickness: float, cell_size: float, layers: int = 2, channels: int = 0
) -> Mesh:
    """Solid plate of hexahedra with coolant channels along x on mesh edges half-way through.

    Parameters
    ----------
    length, width, thickness : float
        Size along x, y and z [m].
    cell_size : float
        Largest cell edge along x and y [m].
    layers : int
        Cells through the thickness; even where there are channels.
    channels : int
        Lines ``channel-0`` … evenly spaced along y, flow along +x.

    Returns
    -------
    Mesh
        Region ``plate``; boundaries ``x-`` … ``z+`` with outward faces.

    Raises
    ------
    MeshError
        For sizes or numbers that make no plate.
    """
    _positive({"length": length, "width": width, "thickness": thickness, "cell size": cell_size})
    if layers < 1 or channels < 0 or (channels and layers % 2):
        raise MeshError(
            f"{layers} layers and {channels} channels: at least one layer, and an even number of them where "
            "channels run half-way through"
        )
    middle = width * (np.arange(channels) + 0.5) / max(channels, 1)
    x = graded_axis([0.0, length], cell_size)
    y = graded_axis([0.0, *middle, width], cell_size)
    z = np.linspace(0.0, thickness, layers + 1)
    grid = np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1)
    node = np.arange(grid[..., 0].size, dtype=np.int64).reshape(grid.shape[:3])
    low, high = slice(None, -1), slice(1, None)
    corner = [(low, low, low), (high, low, low), (high, high, low), (low, high, low)]
    corner += [(a, b, high) for a, b, _ in corner]
    cells = np.stack([node[place] for place in corner], axis=-1).reshape(-1, 8)
    half = layers // 2
    return Mesh(
        points=grid.reshape(-1, 3),
        cells=cells,
        cell_type="hexahedron",
        regions={"plate": np.arange(len(cells))},
        lines={f"channel-{k}": node[:, node_at(y, at), half] for k, at in enumerate(middle)},
        facets={name: _side(node, axis, sign) for name, (axis, sign) in WALLS.items()},
    )


def tetrahedra(mesh: Mesh) -> Mesh:
    """Cut every hexahedron into six tetrahedra; names of regions, lines and boundaries are kept.

    Raises
    ------
    MeshError
        If the cells are not hexahedra.
    """
    if mesh.cell_type != "hexahedron":
        raise MeshError(f"hexahedra are expected, not cells of type {mesh.cell_type}")
    cells = mesh.cells[:, np.array(_KUHN)].reshape(-1, 4)
    faces = {}
    # a boundary's quadrilateral is cut along the same diagonal as its cell: look which triangles exist
    known = {tuple(sorted(face)) for face in _tetrahedron_faces(cells)}
    for name, facets in mesh.facets.items():
        cut = [
            piece
            for a, b, c, d in facets.tolist()
            for piece in (
                [(a, b, c), (a, c, d)] if tuple(sorted((a, b, c))) in known else [(a, b, d), (b, c, d)]
            )
        ]
        faces[name] = np.array(cut, dtype=np.int64).reshape(-1, 3)
    regions = {name: (6 * ids[:, None] + np.arange(6)).ravel() for name, ids in mesh.regions.items()}
    return Mesh(mesh.points, cells, "tetrahedron", regions, mesh.lines, faces, mesh.hinges)


def _tetrahedron_faces(cells: Integers) -> list[tuple[int, ...]]:
    corners = ((0, 1, 2), (0, 1, 3), (1, 2, 3), (0, 2, 3))
    return [tuple(face) for local in corners for face in cells[:, local].tolist()]


def _side(node: Integers, axis: int, sign: int) -> Integers:
    """Quadrilaterals of one side of a block, outward."""
    face = np.take(node, -1 if sign > 0 else 0, axis=axis)
    quads = np.stack([face[:-1, :-1], face[1:, :-1], face[1:, 1:], face[:-1, 1:]], axis=-1).reshape(-1, 4)
    # taking the middle axis away leaves (x, z), which is left-handed about +y
    outward = (sign > 0) != (axis == 1)
    return quads if outward else quads[:, ::-1]


def _wall(axes: list[Floats], axis: int, sign: int) -> Mesh:
    """One wall of a box, triangles with the front outwards."""
    first, second = ((axis + 1) % 3, (axis + 2) % 3) if sign > 0 else ((axis + 2) % 3, (axis + 1) % 3)
    u, v = axes[first], axes[second]
    flat = plane_points(u, v)
    points = np.empty_like(flat)
    points[:, first], points[:, second] = flat[:, 0], flat[:, 1]
    points[:, axis] = axes[axis][-1 if sign > 0 else 0]
    cells = plane_triangles(len(u) - 1, len(v) - 1)
    return Mesh(
        points,
        cells,
        "triangle",
        {"wall": np.arange(len(cells))},
        facets=plane_boundaries(len(u) - 1, len(v) - 1),
    )


def _common_nodes(first: Mesh, second: Mesh) -> Integers:
    """Pairs of nodes at the same place; the axes are shared, so coordinates are equal to the bit."""
    _, one, other = np.intersect1d(
        first.points.view("f8,f8,f8").ravel(), second.points.view("f8,f8,f8").ravel(), return_indices=True
    )
    return np.stack([one, other], axis=1).astype(np.int64)


def _positive(values: dict[str, float]) -> list[float]:
    for name, value in values.items():
        if not (np.isfinite(value) and value > 0.0):
            raise MeshError(f"{name} must be positive and finite, not {value} m")
    return list(values.values())
