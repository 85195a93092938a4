"""Structured grids: axes with exact break points and grading, and the cells of their products."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from meshes.mesh import Floats, Integers, MeshError


def graded_axis(
    breaks: Sequence[float] | Floats,
    cell_size: float,
    fine_at: Sequence[float] | Floats = (),
    fine_size: float | None = None,
    growth: float = 1.2,
) -> Floats:
    """Coordinates along an axis that hit every break point exactly.

    The wished cell size is ``min(cell_size, fine_size + (growth - 1) distance)``, with the distance to
    the nearest point of ``fine_at``; nodes sit at equal steps of the integral of its inverse, so
    that neighbouring cells differ in size by about the factor ``growth``.

    Parameters
    ----------
    breaks : (b,) float
        Coordinates that must be nodes, ends included, increasing [m].
    cell_size : float
        Largest cell [m].
    fine_at : (f,) float, optional
        Coordinates around which cells are small [m].
    fine_size : float, optional
        Cell size there [m]; without it the axis is uniform between break points.
    growth : float
        Ratio of neighbouring cells, above 1.

    Returns
    -------
    (n,) float
        Increasing coordinates [m].

    Raises
    ------
    MeshError
        If a size is not positive or the growth is not above 1.
    """
    if not cell_size > 0.0:
        raise MeshError(f"cell size must be positive, not {cell_size} m")
    if fine_size is not None and not fine_size > 0.0:
        raise MeshError(f"fine cell size must be positive, not {fine_size} m")
    if not growth > 1.0:
        raise MeshError(f"growth must be above 1, not {growth}")
    knots = np.unique(np.asarray(breaks, dtype=float))
    if len(knots) < 2:
        raise MeshError("an axis needs two different ends")
    # Break points closer than rounding would make cells of no area.
    keep = np.concatenate([[True], np.diff(knots) > 1e-9 * (knots[-1] - knots[0])])
    knots = knots[keep]
    pieces = [
        _interval(start, stop, cell_size, np.asarray(fine_at, dtype=float), fine_size, growth)
        for start, stop in pairwise(knots)
    ]
    return np.concatenate([*pieces, knots[-1:]])


def _interval(
    start: float, stop: float, cell_size: float, fine_at: Floats, fine_size: float | None, growth: float
) -> Floats:
    """Nodes of one interval between break points, its end left out."""
    length = stop - start
    if fine_size is None or fine_size >= cell_size or not len(fine_at):
        count = max(1, int(np.ceil(length / cell_size - 1e-9)))
        return start + length * np.arange(count) / count
    sample = np.linspace(start, stop, 2001)
    distance = np.abs(sample[:, None] - fine_at).min(axis=1)
    density = 1.0 / np.minimum(cell_size, fine_size + (growth - 1.0) * distance)
    filled = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(sample))])
    count = max(1, int(np.ceil(filled[-1] - 1e-9)))
    nodes = np.interp(np.arange(count) * filled[-1] / count, filled, sample)
    nodes[0] = start
    return nodes


def plane_points(x: Floats, y: Floats) -> Floats:
    """Nodes of the grid x × y in the plane z = 0, shape (nx ny, 3); x runs fastest [m]."""
    points = np.zeros((len(y), len(x), 3))
    points[..., 0] = x
    points[..., 1] = y[:, None]
    return points.reshape(-1, 3)


def plane_triangles(columns: int, rows: int) -> Integers:
    """Right triangles of a grid of columns × rows cells, shape (2 columns rows, 3), normals along +z.

    Every cell is cut along the same diagonal. Right angles make the linear-element conduction matrix
    an M-matrix (the edge along the diagonal gets no coupling), and with one direction of diagonals each
    inner node owns six triangles, so that the lumped area is the true dual cell; alternating diagonals
    would give neighbours 4 and 8 triangles and a lumped area that jumps by a factor of two.
    """
    node = np.arange((columns + 1) * (rows + 1), dtype=np.int64).reshape(rows + 1, columns + 1)
    triangles = np.empty((rows, columns, 2, 3), dtype=np.int64)
    triangles[:, :, 0, 0] = triangles[:, :, 1, 0] = node[:-1, :-1]
    triangles[:, :, 0, 1] = node[:-1, 1:]
    triangles[:, :, 0, 2] = triangles[:, :, 1, 1] = node[1:, 1:]
    triangles[:, :, 1, 2] = node[1:, :-1]
    return triangles.reshape(-1, 3)


def plane_quadrilaterals(columns: int, rows: int) -> Integers:
    """Quadrilaterals of a grid of columns × rows cells, shape (columns rows, 4), normals along +z."""
    node = np.arange((columns + 1) * (rows + 1), dtype=np.int64).reshape(rows + 1, columns + 1)
    return np.stack([node[:-1, :-1], node[:-1, 1:], node[1:, 1:], node[1:, :-1]], axis=-1).reshape(-1, 4)


def plane_boundaries(columns: int, rows: int) -> dict[str, Integers]:
    """Edges of the four sides, each (k, 2), counter-clockwise seen from +z: bottom, right, top, left."""
    node = np.arange((columns + 1) * (rows + 1), dtype=np.int64).reshape(rows + 1, columns + 1)
    sides = {"bottom": node[0], "right": node[:, -1], "top": node[-1, ::-1], "left": node[::-1, 0]}
    return {name: np.stack([side[:-1], side[1:]], axis=1) for name, side in sides.items()}


def node_at(axis: Floats, coordinate: float) -> int:
    """Position of a coordinate on an axis that was built to hold it.

    Raises
    ------
    MeshError
        If no node lies there.
    """
    position = int(np.argmin(np.abs(axis - coordinate)))
    if abs(axis[position] - coordinate) > 1e-9 * (axis[-1] - axis[0]):
        raise MeshError(f"no grid line at {coordinate} m (nearest {axis[position]} m)")
    return position
