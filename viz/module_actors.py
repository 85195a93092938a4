"""The meshes of a module in its surroundings, and how they are drawn; they can follow time in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from viz.fields import PanelField
from viz.module_geometry import ZENITH, ModuleGeometry, Plate, Sky
from viz.stage import earth_colours

type Floats = NDArray[np.float64]

SIDES = ((1.0, "#1d3f7a", "#8fa8cf"), (-1.0, "#8a8070", "#b9b0a0"))
"""Faces of a solar wing: side of its normal, colour, colour of its lines."""

PARTS = {"radiator": ("panels",), "array": ("wing-0", "wing-1"), "body": ("body",)}
"""Meshes that take the colour of a quantity of a part."""

PLAIN_PANEL = "#8d96a3"
"""Colour of panels while another part shows its value."""


@dataclass(frozen=True)
class ModuleScene:
    """All that the picture of a module shows.

    Attributes
    ----------
    field : PanelField
        Panel temperature, at the time of the picture.
    sky : Sky
        Sun and Earth at that time.
    geometry : ModuleGeometry
        Body, wings and panels.
    """

    field: PanelField
    sky: Sky
    geometry: ModuleGeometry


class ModuleActors:
    """A module on a plotter: body, wings, panels coloured by their field, Earth and Sun.

    Parameters
    ----------
    plotter : pyvista.Plotter
        Without lights.
    scene : ModuleScene
    limits : (float, float)
        Values at the ends of the colour map, SI.
    colour_map : str
        Name of a map of matplotlib.
    """

    def __init__(
        self, plotter: Any, scene: ModuleScene, limits: tuple[float, float], colour_map: str
    ) -> None:
        import pyvista as pv

        self._pv = pv
        self._sun = pv.Light(position=(0, 0, 1), focal_point=(0, 0, 0), light_type="scene light")
        fill = pv.Light(light_type="headlight")
        fill.intensity = 0.38
        plotter.add_light(self._sun)
        plotter.add_light(fill)
        self._meshes = self._make(scene)
        self._actors: dict[str, Any] = {}
        for name, mesh in self._meshes.items():
            actor = plotter.add_mesh(
                mesh, show_scalar_bar=False, reset_camera=False, render=False, **_style(name)
            )
            self._actors[name] = actor
        self.panels = self._actors["panels"]
        self._usual = {
            name: (actor.prop.color, actor.prop.ambient, actor.prop.lighting)
            for name, actor in self._actors.items()
        }
        self._light(scene.sky)
        self._colour(limits, colour_map)

    def colour_part(self, part: str, colour: tuple[float, float, float] | None) -> None:
        """Give a part one colour, unlit, and the other parts their own; None: the panels show their field.

        Parameters
        ----------
        part : {"radiator", "array", "body"}
        colour : (red, green, blue), 0 to 1
        """
        for name, usual in self._usual.items():
            self._dress(name, *usual)
        self.panels.mapper.scalar_visibility = colour is None
        if colour is None:
            return
        self._dress("panels", PLAIN_PANEL, 0.0, False)
        for name in PARTS[part]:
            self._dress(name, colour, 0.0, False)

    def _dress(self, name: str, colour: Any, ambient: float, lighting: bool) -> None:
        look = self._actors[name].prop
        look.color, look.ambient, look.lighting = colour, ambient, lighting

    def belongs(self, actor: Any) -> bool:
        """Whether an actor is a part of the module, not scenery."""
        return any(self._actors[name] is actor for names in PARTS.values() for name in names)

    def update(self, scene: ModuleScene, limits: tuple[float, float], colour_map: str) -> None:
        """Show another moment of the same module."""
        for name, mesh in self._make(scene).items():
            self._meshes[name].copy_from(mesh)
        self._light(scene.sky)
        self._colour(limits, colour_map)

    def _light(self, sky: Sky) -> None:
        self._sun.position = tuple(1e3 * sky.sun)
        self._sun.intensity = 1.15 * sky.illuminated_fraction

    def _colour(self, limits: tuple[float, float], colour_map: str) -> None:
        self.panels.mapper.lookup_table.apply_cmap(colour_map, 512)
        self.panels.mapper.scalar_range = limits

    def _make(self, scene: ModuleScene) -> dict[str, Any]:
        pv, geometry = self._pv, scene.geometry
        edge = geometry.body_edge
        meshes = {
            "earth": _earth(pv, scene.sky, extent_of(geometry), 1.0),
            "air": _earth(pv, scene.sky, extent_of(geometry), 1.003),
            "body": pv.Cube(x_length=edge, y_length=edge, z_length=edge),
            "booms": _booms(pv, geometry),
            "panels": _panels(pv, scene.field, geometry.panels),
            "outlines": _outlines(pv, geometry.panels),
        }
        for side, (sign, _, _) in enumerate(SIDES):
            meshes[f"wing-{side}"], meshes[f"cells-{side}"] = _wings(pv, geometry.wings, sign)
        return meshes


def _style(name: str) -> dict[str, Any]:
    """Return how a mesh is drawn."""
    if name.startswith("wing"):
        return {"color": SIDES[int(name[-1])][1], "ambient": 0.5, "specular": 0.25}
    if name.startswith("cells"):
        return {"color": SIDES[int(name[-1])][2], "line_width": 1, "lighting": False}
    styles: dict[str, dict[str, Any]] = {
        "earth": {"scalars": "colour", "rgb": True, "lighting": False},
        "air": {"color": "#6fa8dc", "opacity": 0.35, "lighting": False, "culling": "front"},
        "body": {
            "color": "#c9a553", "show_edges": True, "edge_color": "#8a6d2c", "ambient": 0.45, "specular": 0.3,
        },
        "booms": {"color": "#b8bcc4", "ambient": 0.3},
        # Unlit: a colour must mean the same temperature wherever it is.
        "panels": {"scalars": "temperature", "cmap": "plasma", "lighting": False, "n_colors": 512},
        "outlines": {"color": "#e8e8e8", "line_width": 2, "lighting": False},
    }  # fmt: skip
    return styles[name]


def extent_of(geometry: ModuleGeometry) -> float:
    """Return the distance of the farthest corner of a module from its body [m]."""
    corners = np.vstack([plate.corners for plate in (*geometry.wings, *geometry.panels)])
    return float(np.linalg.norm(corners, axis=1).max())


def _earth(pv: Any, sky: Sky, extent: float, scale: float) -> Any:
    """Return the Earth at its true angular size, far enough that the module sees no parallax in it."""
    radius = 400.0 * extent
    centre = -ZENITH * radius / np.sin(sky.earth_angular_radius)
    sphere = pv.Sphere(radius=scale * radius, center=centre, theta_resolution=160, phi_resolution=160)
    # Day and night by the Sun's height over each point: the terminator stays visible in eclipse.
    height = np.asarray(sphere.point_normals, dtype=np.float64) @ sky.sun
    sphere.point_data["colour"] = earth_colours(height)
    return sphere


def _panels(pv: Any, field: PanelField, plates: tuple[Plate, ...]) -> Any:
    """Return all panels as one mesh; where the field has fewer panels than the module, they stand for the others."""
    points, triangles, members, first = [], [], [], 0
    for number, plate in enumerate(plates):
        index, piece = field.pieces[number % len(field.pieces)]
        points.append(_placed(piece, plate))
        triangles.append(piece.triangles + first)
        members.append(index)
        first += len(index)
    mesh = pv.PolyData.from_regular_faces(np.concatenate(points), np.concatenate(triangles))
    mesh.point_data["field_point"] = np.concatenate(members)
    mesh.point_data["temperature"] = field.temperature[mesh.point_data["field_point"]]
    return mesh


def _placed(panel: PanelField, plate: Plate) -> Floats:
    """Return the points of a panel in the frame of the scene."""
    low, size = panel.points.min(axis=0), np.ptp(panel.points, axis=0)
    across = 2.0 * (panel.points[:, :2] - low[:2]) / size[:2] - 1.0
    return plate.centre + across[:, :1] * plate.half_width + across[:, 1:] * plate.half_height


def _outlines(pv: Any, plates: tuple[Plate, ...]) -> Any:
    ends = []
    for plate in plates:
        corners = plate.corners
        for k in range(4):
            ends += [corners[k], corners[(k + 1) % 4]]
    return pv.line_segments_from_points(np.array(ends))


def _booms(pv: Any, geometry: ModuleGeometry) -> Any:
    booms = pv.MultiBlock()
    for plate in (*geometry.wings, _middle_of(geometry.panels)):
        near = plate.corners[np.argsort(np.linalg.norm(plate.corners, axis=1))[:2]].mean(axis=0)
        booms.append(pv.Tube(pointa=(0, 0, 0), pointb=near, radius=0.025 * geometry.body_edge))
    return booms.combine().extract_surface(algorithm="dataset_surface")


def _middle_of(plates: tuple[Plate, ...]) -> Plate:
    """Return one plate in place of a row of equal ones."""
    return Plate(
        np.mean([plate.centre for plate in plates], axis=0), plates[0].half_width, plates[0].half_height
    )


def _wings(pv: Any, wings: tuple[Plate, ...], sign: float) -> tuple[Any, Any]:
    """Return one face of all solar wings, and the lines between their strings of cells."""
    corners, ends = [], []
    for wing in wings:
        normal = np.cross(wing.half_width, wing.half_height)
        normal /= np.linalg.norm(normal)
        lift = sign * 0.01 * float(np.linalg.norm(wing.half_height)) * normal
        corners.append(wing.corners + lift)
        for across, along, count in (
            (wing.half_width, wing.half_height, 9),
            (wing.half_height, wing.half_width, 3),
        ):
            for share in np.linspace(-1.0, 1.0, count).tolist():
                middle = wing.centre + 2 * lift + share * across
                ends += [middle - along, middle + along]
    count = len(corners)
    faces = pv.PolyData.from_regular_faces(np.concatenate(corners), np.arange(4 * count).reshape(count, 4))
    return faces, pv.line_segments_from_points(np.array(ends))
