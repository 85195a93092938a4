"""Flat radiator panels with tube lines on mesh edges."""

from __future__ import annotations

from typing import Literal

import numpy as np

from meshes.mesh import Floats, Integers, Mesh, MeshError
from meshes.structured import graded_axis, node_at, plane_boundaries, plane_points, plane_triangles

Arrangement = Literal["parallel", "serpentine"]


def radiator_panel(
    width: float,
    height: float,
    cell_size: float,
    tubes: int = 0,
    arrangement: Arrangement = "parallel",
    end_margin: float | None = None,
    tube_cell_size: float | None = None,
    growth: float = 1.2,
) -> Mesh:
    """Rectangular panel in the plane z = 0, front face along +z, width along x, height along y.

    Tubes run along y, evenly spaced by ``width / tubes``. ``parallel``: lines ``tube-0`` … flow along +y
    between ``inlet-manifold`` (fed at the first tube) and ``outlet-manifold`` (drained at the last
    tube, so that every path has the same length), both along +x. ``serpentine``: one line ``tube-0``
    whose passes alternate in direction, joined by bends.

    Parameters
    ----------
    width, height : float
        Size along x and y [m].
    cell_size : float
        Largest cell edge along an axis [m].
    tubes : int
        Number of parallel tubes, or of passes of the serpentine; 0 for a bare panel.
    arrangement : {"parallel", "serpentine"}
    end_margin : float, optional
        Distance of manifolds or bends from the lower and upper sides [m]; half the tube
        spacing, at most an eighth of the height, unless given.
    tube_cell_size : float, optional
        Cell size across the tubes at a tube [m]; uniform cells unless given.
    growth : float
        Ratio of neighbouring cells away from the tubes.

    Returns
    -------
    Mesh
        Right triangles in region ``panel``; boundaries ``left``, ``right``, ``bottom``, ``top``.

    Raises
    ------
    MeshError
        For sizes that are not positive, a negative number of tubes, an unknown arrangement, or
        a margin that leaves no room for tubes.
    """
    for name, value in (("width", width), ("height", height), ("cell size", cell_size)):
        if not (np.isfinite(value) and value > 0.0):
            raise MeshError(f"panel {name} must be positive and finite, not {value} m")
    if tubes < 0 or tubes != int(tubes):
        raise MeshError(f"number of tubes must be 0 or more, not {tubes}")
    if arrangement not in ("parallel", "serpentine"):
        raise MeshError(f"tube arrangement must be parallel or serpentine, not {arrangement!r}")
    if end_margin is None:
        end_margin = min(0.5 * width / max(tubes, 1), height / 8.0)
    if not 0.0 <= end_margin < 0.5 * height:
        raise MeshError(f"end margin must lie in [0, {0.5 * height}) m (half the height), not {end_margin} m")

    tube_x = width * (np.arange(tubes) + 0.5) / max(tubes, 1)
    tube_y = np.array([end_margin, height - end_margin])
    x = graded_axis([0.0, *tube_x, width], cell_size, tube_x, tube_cell_size, growth)
    y = graded_axis([0.0, *(tube_y if tubes else ()), height], cell_size)
    columns, rows = len(x) - 1, len(y) - 1
    cells = plane_triangles(columns, rows)
    return Mesh(
        points=plane_points(x, y),
        cells=cells,
        cell_type="triangle",
        regions={"panel": np.arange(len(cells))},
        lines=_tube_lines(x, y, tube_x, tube_y, arrangement) if tubes else {},
        facets=plane_boundaries(columns, rows),
    )


def _tube_lines(
    x: Floats, y: Floats, tube_x: Floats, tube_y: Floats, arrangement: str
) -> dict[str, Integers]:
    """Node numbers of tubes and manifolds in the direction of flow."""
    node = np.arange(len(x) * len(y), dtype=np.int64).reshape(len(y), len(x))
    column = [node_at(x, coordinate) for coordinate in tube_x]
    low, high = (node_at(y, coordinate) for coordinate in tube_y)
    if arrangement == "parallel":
        lines = {f"tube-{number}": node[low : high + 1, at] for number, at in enumerate(column)}
        if len(column) > 1:
            lines["inlet-manifold"] = node[low, column[0] : column[-1] + 1]
            lines["outlet-manifold"] = node[high, column[0] : column[-1] + 1]
        return lines
    path = []
    for number, at in enumerate(column):
        upwards = number % 2 == 0
        stretch = node[low : high + 1, at]
        path.append(stretch if upwards else stretch[::-1])
        if number + 1 < len(column):
            path.append(node[high if upwards else low, at + 1 : column[number + 1]])
    return {"tube-0": np.concatenate(path)}
