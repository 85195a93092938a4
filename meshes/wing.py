"""Wings of several panels joined by hinges: radiators and solar arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from meshes.mesh import Floats, Integers, Mesh, MeshError, join, node_offsets
from meshes.panel import Arrangement, radiator_panel


def radiator_wing(
    panels: int,
    width: float,
    height: float,
    cell_size: float,
    tubes: int = 0,
    arrangement: Arrangement = "parallel",
    gap: float = 0.0,
    fold_angles: Sequence[float] | Floats = (),
    end_margin: float | None = None,
    tube_cell_size: float | None = None,
    growth: float = 1.2,
) -> Mesh:
    """Panels one behind the other along y, each a piece of its own, joined by hinges.

    Parameters
    ----------
    panels : int
        Number of panels.
    width, height, cell_size, tubes, arrangement, end_margin, tube_cell_size, growth
        Of each panel; see `radiator_panel`.
    gap : float
        Distance between neighbours [m].
    fold_angles : (panels - 1,) float, optional
        Angle by which each hinge folds what follows it towards its front [rad]; flat unless given.

    Returns
    -------
    Mesh
        Pieces ``panel-0`` …; hinges ``hinge-0`` … pair the nodes of a panel's top with those of the next
        one's bottom.

    Raises
    ------
    MeshError
        For a number of panels below one, a negative gap, or a wrong number of fold angles.
    """
    if panels < 1 or panels != int(panels):
        raise MeshError(f"number of panels must be 1 or more, not {panels}")
    if not gap >= 0.0:
        raise MeshError(f"gap between panels must be 0 or more, not {gap} m")
    angles = np.zeros(panels - 1) if len(fold_angles) == 0 else np.asarray(fold_angles, dtype=float)
    if angles.shape != (panels - 1,):
        raise MeshError(f"{panels} panels have {panels - 1} hinges, but {len(angles)} fold angles are given")
    panel = radiator_panel(width, height, cell_size, tubes, arrangement, end_margin, tube_cell_size, growth)
    pieces: dict[str, Mesh] = {}
    root, angle = np.zeros(3), 0.0
    for number in range(panels):
        along = np.array([0.0, np.cos(angle), np.sin(angle)])
        pieces[f"panel-{number}"] = panel.moved(_about_x(angle), root)
        root = root + height * along
        if number + 1 < panels:
            root = root + gap * along
            angle += float(angles[number])
    offsets = node_offsets(pieces)
    top, bottom = facet_nodes(panel, "top")[::-1], facet_nodes(panel, "bottom")
    hinges = {
        f"hinge-{number}": np.stack(
            [top + offsets[f"panel-{number}"], bottom + offsets[f"panel-{number + 1}"]], 1
        )
        for number in range(panels - 1)
    }
    return join(pieces, hinges)


def solar_wing(panels: int, width: float, height: float, cell_size: float, gap: float = 0.0) -> Mesh:
    """Bare panels one behind the other along y, cells on the front; see `radiator_wing`."""
    return radiator_wing(panels, width, height, cell_size, gap=gap)


def facet_nodes(mesh: Mesh, name: str) -> Integers:
    """Nodes of a boundary whose edges follow each other, in that order."""
    edges = mesh.facet(name)
    if edges.shape[1] != 2 or (edges[:-1, 1] != edges[1:, 0]).any():
        raise MeshError(f"boundary {name!r} is not one chain of edges")
    return np.append(edges[:, 0], edges[-1, 1])


def hinge_shares(mesh: Mesh, name: str) -> Floats:
    """Share of each node pair in the length of a hinge, shape (k,); sums to one.

    A hinge's conductance [W/K] times the share is the conductance of the pair.
    """
    if name not in mesh.hinges:
        raise MeshError(f"no hinge named {name!r}; the mesh has: {', '.join(mesh.hinges) or 'none'}")
    nodes = mesh.hinges[name][:, 0]
    if len(nodes) < 2:
        return np.ones(len(nodes))
    length = np.linalg.norm(np.diff(mesh.points[nodes], axis=0), axis=1)
    share = np.zeros(len(nodes))
    share[:-1] += 0.5 * length
    share[1:] += 0.5 * length
    return share / share.sum()


def nearest_hinge(mesh: Mesh, first: Integers, second: Integers, reach: float) -> Integers:
    """Pair each of some nodes with the nearest of others, for joints of pieces with different meshes.

    Parameters
    ----------
    mesh : Mesh
    first, second : (a,), (b,) int
        Nodes on the two sides.
    reach : float
        Largest distance of a pair [m].

    Returns
    -------
    (k, 2) int

    Raises
    ------
    MeshError
        If no pair lies within reach.
    """
    from scipy.spatial import cKDTree

    distance, nearest = cKDTree(mesh.points[second]).query(mesh.points[first])
    close = distance <= reach
    if not close.any():
        raise MeshError(
            f"no nodes within {reach} m of each other (nearest {distance.min():.4g} m): nothing to join"
        )
    return np.stack([first[close], second[nearest[close]]], axis=1)


def with_hinge(mesh: Mesh, name: str, pairs: Integers) -> Mesh:
    """Return the mesh with one more hinge."""
    if name in mesh.hinges:
        raise MeshError(f"the mesh already has a hinge named {name!r}")
    return replace(mesh, hinges={**mesh.hinges, name: pairs})


def _about_x(angle: float) -> Floats:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, cosine, -sine], [0.0, sine, cosine]])
