"""Sizes and poses of a module: body, radiator wing and two solar wings as flat rectangles.

The wings stand as `meshes.module` draws them: with the front normal of the array as z and that of the radiator as near
x as it can be, the solar wings leave the body along ±x and the radiator wing along +y. Wings turn as their orientations
ask; the body turns with the orientations of its faces.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.attitude import Orientation

if TYPE_CHECKING:
    from meshes import ModuleGeometry
    from solvers.surfaces import Sides, Surfaces
    from twin.case.module_class import ModuleClass

__all__ = [
    "ARRAY_PANELS",
    "PATCHES",
    "ModulePose",
    "clearance",
    "face_orientations",
    "module_geometry",
    "module_surfaces",
]

Array = NDArray[np.float64]

ARRAY_PANELS = 4
"""Panels of each of the two solar wings as drawn, twice as wide as high; a case gives only their area."""

PATCHES = ("radiator", "array", "x-", "x+", "y-", "y+", "z-", "z+")
"""Patches of `module_surfaces`: wings with both faces, then the walls of the body with their outer one."""

_SUN_FIXED = ("sun", "anti_sun", "edge_on", "anti_edge_on")


def module_geometry(design: ModuleClass) -> ModuleGeometry:
    """Sizes of a module as its class gives them, and as drawn where it does not.

    Parameters
    ----------
    design : ModuleClass
    """
    from meshes import ModuleGeometry

    faces, drawn = [face.area for face in design.body.faces], design.geometry
    edge = math.sqrt(sum(faces) / len(faces)) if faces else min(design.radiator.width, design.radiator.height)
    panel = math.sqrt(design.solar_array.area / (2 * ARRAY_PANELS) / 2.0)
    if drawn.array_wing_length is not None:
        panel = drawn.array_wing_length / ARRAY_PANELS
    return ModuleGeometry(
        body_length=edge,
        body_width=edge,
        body_height=edge,
        radiator_panels=design.radiator.panels,
        radiator_width=design.radiator.width,
        radiator_height=design.radiator.height,
        tubes=design.radiator.tubes.count,
        arrangement=design.radiator.tubes.arrangement,
        array_panels=ARRAY_PANELS,
        array_width=design.solar_array.area / (2 * ARRAY_PANELS) / panel,
        array_height=panel,
        cell_size=design.radiator.mesh_size,
        standoff=0.5 * edge if drawn.standoff is None else drawn.standoff,
    )


def face_orientations(design: ModuleClass) -> list[Orientation]:
    """Orientation of every face: radiator front and back, array front and back, then those of the body.

    Parameters
    ----------
    design : ModuleClass
    """
    radiator, array = design.radiator.orientation, design.solar_array.orientation
    faces = (face.orientation for face in design.body.faces)
    return [radiator, opposite(radiator), array, opposite(array), *faces]


def opposite(orientation: Orientation) -> Orientation:
    """Return the orientation of the other face of a panel."""
    named = {
        "sun": "anti_sun",
        "edge_on": "anti_edge_on",
        "nadir": "zenith",
        "zenith": "nadir",
        "ram": "wake",
        "wake": "ram",
        "orbit_normal": "anti_orbit_normal",
        "anti_orbit_normal": "orbit_normal",
    }
    if isinstance(orientation, str):
        return named[orientation]
    return tuple(-float(v) for v in orientation)


def clearance(geometry: ModuleGeometry) -> float:
    """Distance of the wings' roots from the middle of the body [m]: clear of it however it turns.

    Parameters
    ----------
    geometry : ModuleGeometry
    """
    g = geometry
    corner = 0.5 * math.sqrt(g.body_length**2 + g.body_width**2 + g.body_height**2)
    return max(0.5 * max(g.body_length, g.body_width) + g.standoff, 1.001 * corner)


@dataclass(frozen=True, eq=False)
class ModulePose:
    """How the parts of a module stand to each other; rows of each frame are its x, y and z axes.

    Attributes
    ----------
    wings : (3, 3) array
        x along the solar wings, y along the radiator wing.
    array_normal, radiator_normal : (3,) array
        Of the front faces.
    body : (3, 3) array
        Outward normals of the walls x+, y+ and z+.
    """

    wings: Array
    array_normal: Array
    radiator_normal: Array
    body: Array

    @classmethod
    def of(cls, array_normal: Array, radiator_normal: Array, body: Array) -> ModulePose:
        """Place the booms square to each other, the radiator's square to both normals.

        Parameters
        ----------
        array_normal, radiator_normal : (3,) array
            Unit vectors.
        body : (3, 3) array
        """
        boom = np.cross(array_normal, radiator_normal)
        if np.linalg.norm(boom) < 1e-9:  # wings in one plane: any boom in it will do
            helper = body[int(np.argmin(np.abs(body @ array_normal)))]
            boom = np.cross(array_normal, np.cross(helper, array_normal))
        boom = boom / np.linalg.norm(boom)
        across = np.cross(boom, array_normal)
        return cls(np.stack([across, boom, np.cross(across, boom)]), array_normal, radiator_normal, body)


def body_is_sun_fixed(orientations: Sequence[Orientation]) -> bool:
    """Whether most of the faces of a body turn with the Sun rather than with the orbit.

    Parameters
    ----------
    orientations : sequence of Orientation
        Of the faces.
    """
    fixed = sum(isinstance(o, str) and o in _SUN_FIXED for o in orientations)
    return 2 * fixed > len(orientations)


def module_surfaces(geometry: ModuleGeometry, pose: ModulePose) -> Surfaces:
    """Rectangles of a module about its middle, patches as in `PATCHES`.

    Parameters
    ----------
    geometry : ModuleGeometry
    pose : ModulePose
    """
    from solvers.surfaces import Surfaces

    g, reach = geometry, clearance(geometry)
    across, boom = pose.wings[0], pose.wings[1]
    # corners counter-clockwise about the front normal
    side = np.cross(pose.radiator_normal, boom)
    polygons = [
        _rectangle(
            reach * boom - 0.5 * g.radiator_width * side,
            g.radiator_width * side,
            g.radiator_panels * g.radiator_height * boom,
            pose.radiator_normal,
        )
    ]
    patch = [0]
    for sign in (1.0, -1.0) if g.array_panels else ():
        out = sign * across
        polygons.append(
            _rectangle(
                reach * out - 0.5 * g.array_width * boom,
                g.array_panels * g.array_height * out,
                g.array_width * boom,
                pose.array_normal,
            )
        )
        patch.append(1)
    half = 0.5 * np.array([g.body_length, g.body_width, g.body_height])[:, None] * pose.body
    for axis in range(3):
        first, second = half[(axis + 1) % 3], half[(axis + 2) % 3]
        for sign in (-1.0, 1.0):
            corner = sign * half[axis] - first - second
            polygons.append(_rectangle(corner, 2.0 * first, 2.0 * second, sign * half[axis]))
            patch.append(2 + 2 * axis + int(sign > 0.0))
    points = np.concatenate(polygons)
    numbers = np.arange(len(points), dtype=np.int64).reshape(-1, 4)
    sides: list[Sides] = ["both", "both", *["front"] * 6]  # type: ignore[list-item]
    return Surfaces(points, numbers, np.array(patch), sides)


def _rectangle(corner: Array, first: Array, second: Array, front: Array) -> Array:
    """Corners counter-clockwise about the front, (4, 3)."""
    if np.cross(first, second) @ front < 0.0:
        first, second = second, first
    return np.stack([corner, corner + first, corner + first + second, corner + second])
