"""A whole module: body, radiator wing and solar wings as one shell mesh of hinged pieces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.body import body_box
from meshes.mesh import Integers, Mesh, MeshError, join
from meshes.panel import Arrangement
from meshes.wing import nearest_hinge, radiator_wing, solar_wing, with_hinge


@dataclass(frozen=True)
class ModuleGeometry:
    """Sizes of a module [m].

    Parameters
    ----------
    body_length, body_width, body_height : float
        Box about the origin.
    radiator_panels : int
    radiator_width, radiator_height : float
        Of one panel.
    tubes : int
        Of one panel.
    arrangement : {"parallel", "serpentine"}
    array_panels : int
        Of one of the two solar wings; 0 for none.
    array_width, array_height : float
        Of one panel.
    cell_size : float
    standoff : float
        Length of the yokes between body and wings.
    """

    body_length: float
    body_width: float
    body_height: float
    radiator_panels: int
    radiator_width: float
    radiator_height: float
    tubes: int
    arrangement: Arrangement
    array_panels: int
    array_width: float
    array_height: float
    cell_size: float
    standoff: float = 0.5


def module_mesh(geometry: ModuleGeometry) -> Mesh:
    """Shell mesh of a module.

    The body is a box about the origin. The radiator wing leaves it along +y in the plane x = 0; the
    solar wings leave it along ±x in the plane z = 0, fronts to +z.

    Parameters
    ----------
    geometry : ModuleGeometry

    Returns
    -------
    Mesh
        Pieces ``body``, ``radiator``, ``array-left`` and ``array-right``. Hinges within the pieces keep their
        names; yokes ``radiator-yoke`` and ``array-left-yoke``, … join each root to the nearest wall nodes.

    Raises
    ------
    MeshError
        For sizes that make no module.
    """
    g = geometry
    if not g.standoff > 0.0:
        raise MeshError(f"standoff must be positive, not {g.standoff} m: wings would cut the body")
    size = min(g.cell_size, 0.5 * min(g.body_length, g.body_width, g.body_height))
    pieces = {"body": body_box(g.body_length, g.body_width, g.body_height, size)}
    wing = radiator_wing(
        g.radiator_panels, g.radiator_width, g.radiator_height, g.cell_size, g.tubes, g.arrangement
    )
    upright = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])  # panel x to -z, front to +x
    root = np.array([0.0, 0.5 * g.body_width + g.standoff, 0.5 * g.radiator_width])
    pieces["radiator"] = wing.moved(upright, root)
    yokes = {"radiator": ("y+", "radiator")}
    if g.array_panels:
        array = solar_wing(g.array_panels, g.array_width, g.array_height, g.cell_size)
        reach = 0.5 * g.body_length + g.standoff
        right = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # along +x, front to +z
        pieces["array-right"] = array.moved(right, np.array([reach, 0.5 * g.array_width, 0.0]))
        pieces["array-left"] = array.moved(
            -right * [1.0, 1.0, -1.0], np.array([-reach, -0.5 * g.array_width, 0.0])
        )
        yokes |= {"array-right": ("x+", "array-right"), "array-left": ("x-", "array-left")}
    mesh = join(pieces)
    for name, (wall, wing_name) in yokes.items():
        inner = _nodes_of(mesh, f"body/{wall}/wall")
        outer = np.unique(mesh.facet(f"{wing_name}/panel-0/bottom"))
        # one joint in the middle of the root: the node nearest to the body's axis
        middle = outer[
            [int(np.argmin(np.linalg.norm(mesh.points[outer] - mesh.points[inner].mean(axis=0), axis=1)))]
        ]
        mesh = with_hinge(mesh, f"{name}-yoke", nearest_hinge(mesh, middle, inner, 10.0 * g.standoff + size))
    return mesh


def _nodes_of(mesh: Mesh, region: str) -> Integers:
    return np.unique(mesh.cells[mesh.region(region)])
