"""The plant around the Earth: orbit, day and night, shadow, links, and one map per sub-center.

True to scale are the Earth, the orbit and the shadow. A sub-center would be a dot: it is drawn as a map with
one square per module, outwards of its place on the orbit. Inertial axes, lengths in millions of metres.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from viz.assembly import array_centres, exposure_of, grid_cells, tile_quads
from viz.paints import Paint
from viz.plant_data import Moment, PlantData, turn
from viz.stage import (
    CameraPreset,
    Pick,
    across,
    add_headlight,
    earth_colours,
    letters,
    quads_mesh,
    set_colours,
    set_points,
    unit,
)

type Floats = NDArray[np.float64]

SUN_RADIUS, ASTRONOMICAL_UNIT = 6.957e8, 1.495978707e11
SCALE = 1e-6
"""Scene units per metre."""

LIT, DARK = "#f2c14e", "#7d8aa3"
LINK = "#54e0a8"
SHADOW = (143, 163, 200, 96)
"""Colour of the umbra at the Earth [RGBA]."""

TILT = np.deg2rad(22.0)
"""Angle of the camera from the normal of the orbit: with less than 26 degrees nothing is behind the Earth."""


class PlantScene:
    """Earth, orbit, shadow, links and a map of the modules of each sub-center.

    Parameters
    ----------
    data : PlantData
    """

    sample = "module"
    key = "plant"

    def __init__(self, data: PlantData) -> None:
        self.data = data
        self.title = "plant"
        self.note = "Earth, orbit and shadow to scale; one square per module, sub-centers enlarged"
        count = len(data.sub_centers)
        first = data.moment(0)
        self._orbit_radius = SCALE * float(np.linalg.norm(first.position[0]))
        self._edge = min(0.56 * self._orbit_radius, 0.62 * 2 * np.pi * self._orbit_radius / max(count, 1))
        self._first = first
        self._tiles: list[Floats] = []  # corners in the plane of the map, per sub-center
        self._modules: list[NDArray[np.int64]] = []
        for center in range(count):
            members = np.flatnonzero(data.present[center])
            self._modules.append(members)
            self._tiles.append(self._map(center, members))
        self._values: Floats = np.empty(0)
        self._facing: CameraPreset | None = None
        self._moment: Moment | None = None

    def build(self, plotter: Any) -> None:
        """Add the meshes to an empty plotter."""
        import pyvista as pv

        self._plotter = plotter
        add_headlight(plotter)
        radius = SCALE * self._first.earth_radius
        self._earth = pv.Sphere(radius=radius, theta_resolution=180, phi_resolution=120)
        self._earth.point_data["colour"] = np.zeros((self._earth.n_points, 3), dtype=np.uint8)
        plotter.add_mesh(self._earth, scalars="colour", rgb=True, lighting=False)
        self._graticule = _graticule(1.002 * radius)
        self._graticule_points = np.array(self._graticule.points, dtype=np.float64)
        plotter.add_mesh(self._graticule, color="#dfe9f5", opacity=0.45, line_width=1, lighting=False)
        air = pv.Sphere(radius=1.018 * radius, theta_resolution=120, phi_resolution=80)
        plotter.add_mesh(air, color="#6fa8dc", opacity=0.35, lighting=False, culling="front")
        self._shadow = _cone_mesh()
        plotter.add_mesh(self._shadow, scalars="colour", rgb=True, lighting=False)
        self._orbit = pv.MultipleLines(np.zeros((181, 3)) + np.linspace(0, 1e-3, 181)[:, None])
        plotter.add_mesh(self._orbit, color="#9fb4d4", line_width=2, lighting=False)
        self._sun = pv.Arrow(
            direction=(1, 0, 0), scale=1.0, tip_length=0.22, tip_radius=0.045, shaft_radius=0.014
        )
        self._sun_points = np.array(self._sun.points, dtype=np.float64)
        plotter.add_mesh(self._sun, color="#ffd54a", lighting=False)
        self._maps = quads_mesh(np.concatenate(self._tiles))
        self._maps.cell_data["colour"] = np.zeros((self._maps.n_cells, 3), dtype=np.uint8)
        self._maps_actor = plotter.add_mesh(self._maps, scalars="colour", rgb=True, lighting=False)
        count = len(self.data.sub_centers)
        self._frames = [pv.MultipleLines(np.eye(5, 3)) for _ in range(count)]
        self._frame_actors = [
            plotter.add_mesh(frame, color=LIT, line_width=3, lighting=False) for frame in self._frames
        ]
        self._dots = pv.PolyData(np.eye(count, 3))
        plotter.add_mesh(
            self._dots, color="white", point_size=9, render_points_as_spheres=True, lighting=False
        )
        self._link_actor: Any = None

    def update(self, index: int, paint: Paint, limits: tuple[float, float]) -> None:
        """Move and colour everything for a time stamp."""
        self._moment = moment = self.data.moment(index)
        self._place(moment)
        values = self.data.values_at(paint.variable, index)
        self._values = np.concatenate([values[c][m] for c, m in enumerate(self._modules)])
        set_colours(self._maps, paint.colours(self._values, limits))

    def presets(self) -> Sequence[CameraPreset]:
        """Return camera presets, the usual one first."""
        normal, away = self._normal(self._first)
        sun = self._first.sun
        north = np.array([0.0, 0.0, 1.0])
        view = unit(np.cos(TILT) * normal + np.sin(TILT) * away)
        behind = unit(0.94 * across(np.cross(normal, sun), sun, north) + 0.34 * normal)
        return [
            CameraPreset("orbit", view, across(north, view, normal), parallel=True, fill=(0.96, 0.96)),
            CameraPreset("sun", sun, across(north, sun, normal), parallel=True, fill=(0.96, 0.96)),
            CameraPreset("shadow", behind, across(north, behind, sun), parallel=True, fill=(0.96, 0.96)),
            CameraPreset("north", north, across(normal, north, sun), parallel=True, fill=(0.96, 0.96)),
        ]

    def face(self, preset: CameraPreset) -> None:
        """Turn the maps towards a camera."""
        self._facing = preset
        if self._moment is not None:
            self._place_maps(self._moment)

    def extent(self) -> Floats:
        """Return points that must be in the picture."""
        # Maps are moved outwards in the plane of the picture.
        preset = self._facing or self.presets()[0]
        reach = self._orbit_radius + 1.32 * self._edge
        a, b = preset.up, np.cross(preset.view, preset.up)
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)[:, None]
        sun = (1.04 * SCALE * self._first.earth_radius + 0.42 * self._orbit_radius) * self._first.sun
        return np.concatenate([reach * (np.cos(angle) * a + np.sin(angle) * b), sun[None]])

    def limits(self, paint: Paint) -> tuple[float, float]:
        """Return SI values for the ends of the colour map: all modules, the whole run."""
        return self.data.limits(paint)

    def picked(self, actor: Any, cell: int, position: Floats) -> Pick | None:
        """Return the module of a square of the maps."""
        if actor is not self._maps_actor:
            return None
        sizes = np.cumsum([len(members) for members in self._modules])
        center = int(np.searchsorted(sizes, cell, side="right"))
        first = 0 if center == 0 else int(sizes[center - 1])
        return Pick(center, int(self._modules[center][cell - first]))

    def shown_values(self) -> Floats:
        """Return the SI values that are in the picture."""
        return self._values

    def compass(self) -> Mapping[str, Floats]:
        """Return no directions: the Sun is in the scene."""
        return {}

    def outline(self, pick: Pick) -> Floats | None:
        """Return where the square of a module is now, shape (4, 3)."""
        cell = sum(len(members) for members in self._modules[: pick.sub_center])
        cell += int(np.searchsorted(self._modules[pick.sub_center], pick.module))
        corners: Floats = np.asarray(self._maps.points, dtype=np.float64).reshape(-1, 4, 3)[cell]
        return corners

    def _map(self, center: int, members: NDArray[np.int64]) -> Floats:
        names, codes = self.data.classes
        exposure = exposure_of(names, [self.data.class_parts(name) for name in names])
        cells = grid_cells(np.maximum(codes[center][members], 0), exposure)
        pitch = self._edge / max(1, int(cells.max()) + 1)
        return tile_quads(array_centres(cells, pitch), pitch, 1.0 if len(members) > 16 else 0.9).corners

    def _normal(self, moment: Moment) -> tuple[Floats, Floats]:
        """Return the normal of the orbit on the side of the Sun, and the direction in its plane away from it."""
        normal = unit(np.cross(moment.position[0], moment.velocity[0]))
        normal = normal if normal @ moment.sun >= 0 else -normal
        return normal, across(-moment.sun, normal, np.array([0.0, 0.0, -1.0]))

    def _place(self, moment: Moment) -> None:
        height = np.asarray(self._earth.point_normals, dtype=np.float64) @ moment.sun
        self._earth.point_data["colour"][:] = earth_colours(height)
        self._earth.point_data.get_array("colour").VTKObject.Modified()
        cosine, sine = np.cos(moment.earth_angle), np.sin(moment.earth_angle)
        turned = self._graticule_points @ np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
        set_points(self._graticule, turned)
        set_points(self._shadow, _umbra(moment, SCALE, 2.4))
        normal = unit(np.cross(moment.position[0], moment.velocity[0]))
        ring = [turn(moment.position[0], normal, a) for a in np.linspace(0, 2 * np.pi, 181)]
        set_points(self._orbit, SCALE * np.array(ring))
        self._place_sun(moment)
        self._place_maps(moment)
        self._place_links(moment)

    def _place_sun(self, moment: Moment) -> None:
        side = across(np.array([0.0, 0.0, 1.0]), moment.sun, np.array([0.0, 1.0, 0.0]))
        frame = np.array([moment.sun, side, np.cross(moment.sun, side)])
        length = 0.34 * self._orbit_radius
        start = 1.04 * SCALE * moment.earth_radius * moment.sun
        set_points(self._sun, start + length * (self._sun_points @ frame))
        self._plotter.add_point_labels(
            [start + 1.08 * length * moment.sun], ["Sun"], name="sun-label", text_color="#ffd54a",
            font_size=letters(self._plotter, 19),
            shape=None, show_points=False, always_visible=True, reset_camera=False, render=False,
        )  # fmt: skip

    def _place_maps(self, moment: Moment) -> None:
        preset = self._facing or self.presets()[0]
        right = unit(np.cross(preset.up, preset.view))
        frame = np.array([right, np.cross(preset.view, right), preset.view])
        corners, centres, labels, words = [], [], [], []
        for center, flat in enumerate(self._tiles):
            place = SCALE * moment.position[center]
            outward = unit(across(place, preset.view, right))
            # In front of everything, so that neither Earth nor orbit hide a map.
            depth = 1.05 * self._orbit_radius - float(place @ preset.view)
            offset = place + outward * 0.72 * self._edge + preset.view * depth
            corners.append(offset + flat.reshape(-1, 3) @ frame)
            centres.append(offset)
            half = 0.515 * self._edge
            square = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0], [-1, -1, 0]]) * half
            set_points(self._frames[center], offset + square @ frame)
            lit = float(moment.illuminated_fraction[center])
            self._frame_actors[center].prop.color = LIT if lit > 0.5 else DARK
            state = "" if lit > 1 - 1e-6 else " · in shadow" if lit < 1e-6 else " · in penumbra"
            # On the side away from the Earth, where neither dots nor links are.
            below = float(outward @ frame[1]) < -0.5
            labels.append(offset + (-0.70 if below else 0.55) * self._edge * frame[1])
            words.append(f"{self.data.sub_centers[center]}{state}")
        self._covered = np.array(centres) @ frame.T, frame
        set_points(self._maps, np.concatenate(corners))
        set_points(self._dots, SCALE * moment.position)
        self._plotter.add_point_labels(
            np.array(labels), words, name="names", text_color="white",
            font_size=letters(self._plotter, 18 if len(labels) <= 8 else 13),
            shape=None, show_points=False, always_visible=True, reset_camera=False, render=False,
            justification_horizontal="center", justification_vertical="bottom",
        )  # fmt: skip

    def _behind_a_map(self, place: Floats) -> bool:
        """Whether a label here would lie over a map."""
        centres, frame = self._covered
        apart = np.abs(centres - frame @ place)[:, :2].max(axis=1)
        return bool((apart < 0.62 * self._edge).any())

    def _place_links(self, moment: Moment) -> None:
        import pyvista as pv

        links = self.data.links(moment)
        if not links:
            if self._link_actor is not None:
                self._link_actor.visibility = False
            return
        # A geostationary satellite is six times as far: only the way to it is drawn.
        reach = 0.9 * self._orbit_radius
        ends = []
        for start, end in links:
            a, b = SCALE * start, SCALE * end
            length = float(np.linalg.norm(b - a))
            ends += [a, b if np.linalg.norm(b) < 3 * self._orbit_radius else a + (b - a) * reach / length]
        relays = self.data.relay_satellites(moment)
        far = [(ends[2 * k + 1], _nearest_name(relays, end)) for k, (_, end) in enumerate(links) if relays]
        far = [(place, name) for place, name in far if name and not self._behind_a_map(place)]
        if far:
            self._plotter.add_point_labels(
                np.array([place for place, _ in far]), [f"to {name}" for _, name in far], name="relays",
                text_color=LINK, font_size=letters(self._plotter, 13), shape=None, show_points=False,
                always_visible=True, reset_camera=False, render=False, justification_horizontal="center",
            )  # fmt: skip
        else:
            self._plotter.remove_actor("relays-labels", render=False)
        mesh = pv.line_segments_from_points(np.array(ends))
        self._link_actor = self._plotter.add_mesh(
            mesh,
            color=LINK,
            line_width=3,
            lighting=False,
            name="links",
            reset_camera=False,
            render=False,
        )


def _nearest_name(places: Mapping[str, Floats], end: Floats) -> str | None:
    """Return the name of the place at `end`, None when there is none within a kilometre."""
    return next((name for name, place in places.items() if np.linalg.norm(place - end) < 1e3), None)


def _graticule(radius: float) -> Any:
    """Return meridians and parallels every 30 degrees."""
    import pyvista as pv

    lines = pv.MultiBlock()
    angle = np.linspace(0, 2 * np.pi, 121)
    for latitude in np.deg2rad(np.arange(-60, 61, 30)):
        ring = np.column_stack([np.cos(latitude) * np.cos(angle), np.cos(latitude) * np.sin(angle)])
        lines.append(pv.MultipleLines(radius * np.column_stack([ring, np.full(121, np.sin(latitude))])))
    arc = np.linspace(-np.pi / 2, np.pi / 2, 61)
    for longitude in np.deg2rad(np.arange(0, 360, 30)):
        across_ = np.column_stack([np.cos(arc) * np.cos(longitude), np.cos(arc) * np.sin(longitude)])
        lines.append(pv.MultipleLines(radius * np.column_stack([across_, np.sin(arc)])))
    return lines.combine().extract_surface(algorithm="dataset_surface")


_AROUND = 72


def _cone_mesh() -> Any:
    """Return an open tube of which `_umbra` gives the points."""
    import pyvista as pv

    k = np.arange(_AROUND)
    following = (k + 1) % _AROUND
    faces = np.stack([k, following, following + _AROUND, k + _AROUND], axis=1)
    mesh = pv.PolyData.from_regular_faces(np.random.default_rng(0).random((2 * _AROUND, 3)), faces)
    # Dense at the Earth, gone where it is no longer drawn: the true cone goes on for a million kilometres.
    opacity = np.repeat([SHADOW[3], 0], _AROUND)
    mesh.point_data["colour"] = np.column_stack([np.tile(SHADOW[:3], (2 * _AROUND, 1)), opacity]).astype(
        np.uint8
    )
    return mesh


def _umbra(moment: Moment, scale: float, length: float) -> Floats:
    """Return two rings of the umbral cone: at the Earth, and `length` Earth radii behind it.

    The cone narrows by (solar - Earth radius) / distance of the Sun, as in the eclipse model of the run.
    """
    radius = scale * moment.earth_radius
    slope = (SUN_RADIUS - moment.earth_radius) / ASTRONOMICAL_UNIT
    side = across(np.array([0.0, 0.0, 1.0]), moment.sun, np.array([0.0, 1.0, 0.0]))
    other = np.cross(moment.sun, side)
    angle = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)[:, None]
    ring = np.cos(angle) * side + np.sin(angle) * other
    far = radius - slope * length * radius
    return np.concatenate([1.003 * radius * ring, far * ring - length * radius * moment.sun])
