"""How the modules of a sub-center stand: a near-square array, the exposed classes at its edge.

A case says how many modules of each class there are, and how much of their view their neighbours take. Their
places are an arrangement of the pictures: the class with the freest view gets the corners, and so on inwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from viz.module_geometry import body_edge_of, number, part_of

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

GAP = 1.06
"""Distance of modules relative to the width of their solar wing."""


@dataclass(frozen=True)
class ModuleSize:
    """Sizes of one class of modules in an array [m].

    Attributes
    ----------
    wing : float
        Edge of the square solar wing, whose area is that of the case.
    body : float
        Edge of the body.
    radiator_width, radiator_height : float
        Of all panels together; the product is the area of one face.
    """

    wing: float
    body: float
    radiator_width: float
    radiator_height: float


def grid_shape(count: int) -> tuple[int, int]:
    """Return (rows, columns) of the near-square array of `count` modules."""
    columns = int(np.ceil(np.sqrt(count)))
    return int(np.ceil(count / columns)), columns


def grid_cells(class_codes: Sequence[int] | Ints, exposure: Sequence[float]) -> Ints:
    """Return (row, column) of each module, shape (module, 2).

    Parameters
    ----------
    class_codes : (module,) int array
        Class of each module.
    exposure : sequence of float
        Share of the view that neighbours take, per class: the smallest gets the corners.
    """
    codes = np.asarray(class_codes, dtype=np.int64)
    rows, columns = grid_shape(codes.size)
    row, column = np.divmod(np.arange(codes.size), columns)
    taken = np.zeros((rows + 2, columns + 2), dtype=np.int64)
    taken[row + 1, column + 1] = 1
    around = taken[:-2, 1:-1] + taken[2:, 1:-1] + taken[1:-1, :-2] + taken[1:-1, 2:]
    # Cells with the fewest neighbours first; within a kind row by row, as modules are listed.
    order = np.argsort(around[row, column], kind="stable")
    ranked = np.argsort(np.asarray(exposure, dtype=np.float64)[codes], kind="stable")
    cells = np.empty((codes.size, 2), dtype=np.int64)
    cells[ranked] = np.stack([row[order], column[order]], axis=1)
    return cells


def exposure_of(names: Sequence[str], parts: Sequence[Mapping[str, Any]]) -> list[float]:
    """Return how much of its view the neighbours of each class take, from the case or else from its name."""
    named = {"corner": 0.0, "edge": 0.5, "interior": 1.0}
    views = [part.get("neighbour_view") for part in parts]
    if all(isinstance(view, int | float) for view in views) and len(set(views)) == len(names):
        return [float(view) for view in views if isinstance(view, int | float)]
    return [next((value for word, value in named.items() if word in name.lower()), 0.75) for name in names]


def module_size(parts: Mapping[str, Any], radiator_area: float) -> ModuleSize:
    """Return the sizes of a module of the class `parts` with `radiator_area` [m², one face]."""
    area = number(part_of(parts, "solar_array").get("area"), 4.0 * radiator_area)
    wing = float(np.sqrt(area))
    body = min(body_edge_of(parts, fallback=0.25 * wing), 0.5 * wing)
    radiator = part_of(parts, "radiator")
    row = number(radiator.get("width"), wing) * number(radiator.get("panels"), 1.0)
    width = min(row, 0.92 * wing)
    return ModuleSize(wing, body, width, radiator_area / width)


@dataclass(frozen=True)
class Quads:
    """Rectangles with what they belong to.

    Attributes
    ----------
    corners : (rectangle, 4, 3) array
        Corners in order [m].
    module : (rectangle,) int array
        Position of the module in its sub-center.
    part : (rectangle,) array of str
        ``array`` (cells), ``back`` (back of the array), ``body`` or ``radiator``.
    """

    corners: Floats
    module: Ints
    part: NDArray[np.str_]


def array_centres(cells: Ints, pitch: float) -> Floats:
    """Return the centres of grid cells about the middle of the array, shape (module, 2) [m]."""
    shape = cells.max(axis=0) + 1
    column = (cells[:, 1] - 0.5 * (shape[1] - 1)) * pitch
    row = (0.5 * (shape[0] - 1) - cells[:, 0]) * pitch
    return np.stack([column, row], axis=1)


def array_quads(centres: Floats, sizes: Sequence[ModuleSize], edge_on: Floats) -> Quads:
    """Return the surfaces of an array of modules that face +z.

    Parameters
    ----------
    centres : (module, 2) array
        Places in the plane of the array [m].
    sizes : sequence of ModuleSize
        Of each module.
    edge_on : (2,) array
        Unit vector in the plane along which the radiators lie; they stand on the back (-z).
    """
    count = len(centres)
    wing = np.array([size.wing for size in sizes])
    body = np.array([size.body for size in sizes])
    width = np.array([size.radiator_width for size in sizes])
    height = np.array([size.radiator_height for size in sizes])
    centre = np.column_stack([centres, np.zeros(count)])
    x, y, z = np.eye(3)
    along = np.array([edge_on[0], edge_on[1], 0.0])
    faces = [
        _rectangles(centre, wing, x, wing, y),
        _rectangles(centre - 0.015 * wing[:, None] * z, wing, y, wing, x),
        _rectangles(centre - (1.02 * body)[:, None] * z, body, y, body, x),
    ]
    middle = centre - 0.51 * body[:, None] * z
    for side, across in ((x, y), (-x, -y), (y, -x), (-y, x)):
        faces.append(_rectangles(middle + 0.5 * body[:, None] * side, body, across, body, z))
    lifted = centre - (1.05 * body + 0.5 * height)[:, None] * z
    faces.append(_rectangles(lifted, width, along, height, z))
    labels = ["array", "back", *["body"] * 5, "radiator"]
    return Quads(
        np.concatenate(faces), np.tile(np.arange(count), len(faces)), np.repeat(np.array(labels), count)
    )


def tile_quads(centres: Floats, edge: float, fill: float = 0.94) -> Quads:
    """Return one flat square per module: the map of an array."""
    count = len(centres)
    centre = np.column_stack([centres, np.zeros(count)])
    size = np.full(count, fill * edge)
    x, y = np.eye(3)[:2]
    return Quads(
        _rectangles(centre, size, x, size, y), np.arange(count), np.repeat(np.array(["body"]), count)
    )


def _rectangles(centre: Floats, width: Floats, across: Floats, height: Floats, up: Floats) -> Floats:
    w, h = 0.5 * width[:, None] * across, 0.5 * height[:, None] * up
    return np.stack([centre - w - h, centre + w - h, centre + w + h, centre - w + h], axis=1)
