"""Refuse a mesh that would give wrong answers, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from meshes.mesh import CELL_FACETS, Floats, Integers, Mesh, MeshError, cell_measures, shell_normals

#: a cell whose measure is below this share of (longest edge) ** dimension counts as having none
DEGENERATE = 1e-10
#: nodes closer than this share of the mesh's diagonal count as the same place
COINCIDENT = 1e-9


def check(
    mesh: Mesh, regions: Iterable[str] = (), lines: Iterable[str] = (), facets: Iterable[str] = ()
) -> Mesh:
    """Return the mesh if it can be used.

    Parameters
    ----------
    mesh : Mesh
    regions, lines, facets : iterable of str, optional
        Names that must exist and not be empty.

    Raises
    ------
    MeshError
        With every problem found: numbers that are not finite, cells that refer to missing nodes, cells
        without area or volume, inverted cells, neighbours with opposite fronts, branching shells, duplicate
        or unused nodes, parts that no hinge connects, tube lines off the mesh edges, missing names.
    """
    problems = list(_numbers(mesh))
    if not problems:  # the other checks compute with the points and cells
        problems = list(_shapes(mesh))
    if not problems:
        neighbours = list(_neighbours(mesh))
        problems = [*neighbours, *_nodes(mesh), *_parts(mesh), *_lines(mesh), *_overlaps(mesh)]
    for what, group, wanted in (
        ("region", mesh.regions, regions),
        ("tube line", mesh.lines, lines),
        ("boundary", mesh.facets, facets),
    ):
        problems += [
            f"no {what} named {name!r}; the mesh has: {', '.join(group) or 'none'}"
            for name in wanted
            if name not in group or not len(group[name])
        ]
    if problems:
        raise MeshError("the mesh cannot be used: " + "; ".join(problems))
    return mesh


def _numbers(mesh: Mesh) -> Iterator[str]:
    if not mesh.cell_count:
        yield f"it has no {mesh.cell_type} cells"
    bad = np.flatnonzero(~np.isfinite(mesh.points).all(axis=1))
    if len(bad):
        first = bad[0]
        yield f"{len(bad)} nodes are not at finite coordinates, first node {first}: {mesh.points[first]}"
    for what, group, limit in (
        ("cells", {"": mesh.cells}, mesh.node_count),
        ("tube line", mesh.lines, mesh.node_count),
        ("boundary", mesh.facets, mesh.node_count),
        ("hinge", mesh.hinges, mesh.node_count),
        ("region", mesh.regions, mesh.cell_count),
    ):
        for name, numbers in group.items():
            outside = numbers[(numbers < 0) | (numbers >= limit)]
            if len(outside):
                label = f"{what} {name!r}" if name else what
                yield f"{label} refer to number {outside[0]}, but numbers run from 0 to {limit - 1}"


def _shapes(mesh: Mesh) -> Iterator[str]:
    corner = mesh.points[mesh.cells]
    longest = np.zeros(mesh.cell_count)
    for shift in range(1, mesh.cells.shape[1]):
        span = np.linalg.norm(corner - np.roll(corner, shift, axis=1), axis=2)
        np.maximum(longest, span.max(axis=1), out=longest)
    smallest, signed = _extreme_measures(mesh)
    what = "area" if mesh.dimension == 2 else "volume"
    flat = np.flatnonzero(np.abs(signed) <= DEGENERATE * longest**mesh.dimension)
    if len(flat):
        yield f"{len(flat)} cells have no {what}, first cell {flat[0]} near {_place(mesh, flat[0])}"
    inverted = np.flatnonzero(
        (smallest < -DEGENERATE * longest**mesh.dimension) & ~np.isin(np.arange(mesh.cell_count), flat)
    )
    if len(inverted):
        yield (
            f"{len(inverted)} cells are inverted or folded, first cell {inverted[0]} "
            f"near {_place(mesh, inverted[0])}; reorder its vertices"
        )


def _extreme_measures(mesh: Mesh) -> tuple[Floats, Floats]:
    """Smallest corner Jacobian of each cell, and the cell's own area or volume."""
    measure = cell_measures(mesh)
    corner = mesh.points[mesh.cells]
    if mesh.cell_type in ("triangle", "tetrahedron"):
        return measure, measure
    if mesh.cell_type == "quadrilateral":
        normal = shell_normals(mesh) / np.maximum(measure, np.finfo(float).tiny)[:, None]
        corners = [
            np.einsum(
                "ij,ij->i",
                np.cross(corner[:, (v + 1) % 4] - corner[:, v], corner[:, v - 1] - corner[:, v]),
                normal,
            )
            for v in range(4)
        ]
        return np.min(corners, axis=0), measure
    # around each vertex of a hexahedron: its three neighbours, right-handed
    around = ((1, 3, 4), (2, 0, 5), (3, 1, 6), (0, 2, 7), (7, 5, 0), (4, 6, 1), (5, 7, 2), (6, 4, 3))
    corners = [np.linalg.det(corner[:, list(three)] - corner[:, [v]]) for v, three in enumerate(around)]
    return np.min(corners, axis=0), measure


def facet_numbers(mesh: Mesh) -> tuple[Integers, Integers]:
    """Facets of all cells, (m facets, v) as ordered in their cell, and numbers that equal ones share."""
    local = np.array(CELL_FACETS[mesh.cell_type])
    facets = mesh.cells[:, local].reshape(-1, local.shape[1])
    ordered = np.sort(facets, axis=1)
    if local.shape[1] == 2:
        keys = ordered[:, 0] * mesh.node_count + ordered[:, 1]
        _, numbers = np.unique(keys, return_inverse=True)
    else:
        _, numbers = np.unique(ordered, axis=0, return_inverse=True)
    return facets, numbers.reshape(-1)


def _neighbours(mesh: Mesh) -> Iterator[str]:
    facets, numbers = facet_numbers(mesh)
    owners = np.bincount(numbers)
    per_cell = len(CELL_FACETS[mesh.cell_type])
    crowded = np.flatnonzero(owners[numbers] > 2)
    if len(crowded):
        yield (
            f"{np.count_nonzero(owners > 2)} {'edges' if mesh.dimension == 2 else 'faces'} are shared by "
            "more "
            f"than two cells, first at cell {crowded[0] // per_cell} near "
            f"{_place(mesh, crowded[0] // per_cell)}; make separate pieces and join them by a hinge"
        )
    if mesh.dimension == 2:
        forward = np.bincount(numbers, weights=facets[:, 0] < facets[:, 1])
        same_way = (owners == 2) & (forward != 1.0)
        flipped = np.flatnonzero(same_way[numbers])
        if len(flipped):
            yield (
                f"cells on the two sides of {np.count_nonzero(same_way)} edges face opposite ways "
                "(inverted), "
                f"first at cell {flipped[0] // per_cell} near {_place(mesh, flipped[0] // per_cell)}; "
                "reverse its vertices"
            )


def _nodes(mesh: Mesh) -> Iterator[str]:
    used = np.zeros(mesh.node_count, dtype=bool)
    used[mesh.cells] = True
    if not used.all():
        unused = np.flatnonzero(~used)
        yield f"{len(unused)} nodes belong to no cell, first node {unused[0]}"
    diagonal = float(np.linalg.norm(np.ptp(mesh.points, axis=0)))
    pairs = cKDTree(mesh.points).query_pairs(COINCIDENT * diagonal, output_type="ndarray")
    if len(pairs) and mesh.hinges:
        # three panels may meet along one hinge, so ask for a chain of hinges rather than for the very pair
        group = _components(mesh.node_count, np.concatenate(list(mesh.hinges.values())))
        pairs = pairs[group[pairs[:, 0]] != group[pairs[:, 1]]]
    if len(pairs):
        one, other = pairs[0]
        yield (
            f"{len(pairs)} pairs of nodes lie at the same place, first {one} and {other} "
            f"at {mesh.points[one]}; merge them, or name them as a hinge"
        )


def _parts(mesh: Mesh) -> Iterator[str]:
    edges = [
        np.stack([mesh.cells[:, 0], mesh.cells[:, vertex]], axis=1)
        for vertex in range(1, mesh.cells.shape[1])
    ]
    group = _components(mesh.node_count, np.concatenate([*edges, *(pairs for pairs in mesh.hinges.values())]))
    cell_group = group[mesh.cells[:, 0]]
    parts = np.unique(cell_group)
    if len(parts) > 1:
        described = []
        for part in parts[:4]:
            inside = np.flatnonzero(cell_group == part)
            names = [
                name
                for name, cells in mesh.regions.items()
                if len(cells) and (cell_group[cells] == part).any()
            ]
            described.append(
                f"{len(inside)} cells ({', '.join(names[:3]) or 'no region'}) near {_place(mesh, inside[0])}"
            )
        more = "" if len(parts) <= 4 else f" and {len(parts) - 4} more"
        yield f"it falls into {len(parts)} parts that no hinge connects: " + ", ".join(described) + more


def _components(count: int, edges: Integers) -> Integers:
    graph = coo_array((np.ones(len(edges), dtype=np.int8), (edges[:, 0], edges[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _lines(mesh: Mesh) -> Iterator[str]:
    if not mesh.lines:
        return
    on_lines = np.zeros(mesh.node_count, dtype=bool)
    for nodes in mesh.lines.values():
        on_lines[nodes] = True
    touched = mesh.cells[on_lines[mesh.cells].sum(axis=1) >= 2]
    edges = np.concatenate(list(_cell_edges(mesh, touched)))
    known = np.unique(np.sort(edges, axis=1) @ [mesh.node_count, 1])
    for name, nodes in mesh.lines.items():
        if len(nodes) < 2:
            yield f"tube line {name!r} has {len(nodes)} nodes, two or more are needed"
            continue
        steps = np.sort(np.stack([nodes[:-1], nodes[1:]], axis=1), axis=1) @ [mesh.node_count, 1]
        off = np.flatnonzero(~np.isin(steps, known))
        if len(off):
            one, other = nodes[off[0]], nodes[off[0] + 1]
            yield (
                f"tube line {name!r} leaves the mesh edges {len(off)} times, first between nodes {one} "
                f"and {other} at {mesh.points[one]}"
            )


def _cell_edges(mesh: Mesh, cells: Integers) -> Iterator[Integers]:
    faces = [tuple(range(cells.shape[1]))] if mesh.dimension == 2 else list(CELL_FACETS[mesh.cell_type])
    for face in faces:
        for a, b in zip(face, face[1:] + face[:1], strict=True):
            yield cells[:, [a, b]]


def _overlaps(mesh: Mesh) -> Iterator[str]:
    try:
        _ = mesh.cell_tags
    except MeshError as error:
        yield str(error)


def _place(mesh: Mesh, cell: int) -> str:
    x, y, z = mesh.points[mesh.cells[cell]].mean(axis=0)
    return f"({x:.4g}, {y:.4g}, {z:.4g}) m"
