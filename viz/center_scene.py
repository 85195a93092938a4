"""A sub-center: the array of its modules, sizes to scale; and the same as flat maps of all sub-centers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from viz.assembly import (
    GAP,
    Quads,
    array_centres,
    array_quads,
    exposure_of,
    grid_cells,
    module_size,
    tile_quads,
)
from viz.module_geometry import face_normal, part_of
from viz.paints import Paint, value_limits
from viz.plant_data import Moment, PlantData
from viz.stage import (
    CameraPreset,
    Pick,
    across,
    add_headlight,
    earth_colours,
    letters,
    map_presets,
    quads_mesh,
    set_colours,
    set_points,
    unit,
)

type Floats = NDArray[np.float64]

PART_COLOURS = {"array": "#1d3f7a", "back": "#57534c", "body": "#c9a553", "radiator": "#c3ccd8"}
"""Colours of parts that do not show a value."""

PAINTED_PARTS = {"radiator": ("radiator",), "array": ("array", "back"), "body": ("body", "back")}
"""Surfaces that take the colour of a quantity of a part: cards are inside bodies, too small to see."""


def module_cells(data: PlantData, center: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the modules of a sub-center and their (row, column) in its array."""
    members = np.flatnonzero(data.present[center])
    names, codes = data.classes
    exposure = exposure_of(names, [data.class_parts(name) for name in names])
    return members, grid_cells(np.maximum(codes[center][members], 0), exposure)


class CenterScene:
    """The array of one sub-center, facing the Sun, seen with its radiators; +z is the Sun, lengths in metres.

    Parameters
    ----------
    data : PlantData
    center : int
        Which sub-center.
    """

    sample = "module"
    key = "sub_center"

    def __init__(self, data: PlantData, center: int) -> None:
        self.data, self.center = data, center
        self.title = f"sub-center {data.sub_centers[center]}"
        self.note = "areas of arrays, bodies and radiators to scale; places in the array are schematic"
        self._members, cells = module_cells(data, center)
        names, codes = data.classes
        area = data.static("radiator_area")
        sizes = {}
        for code in set(codes[center][self._members].tolist()):
            these = codes[center] == code
            mean = float(np.nanmean(area[center][these])) if area is not None else 10.0
            sizes[code] = module_size(data.class_parts(names[code]), mean)
        self._sizes = [sizes[code] for code in codes[center][self._members].tolist()]
        pitch = GAP * max(size.wing for size in self._sizes)
        self._centres = array_centres(cells, pitch)
        self._reach = float(np.abs(self._centres).max()) + 0.5 * pitch
        self._painted: str | None = None
        self._values: Floats = np.empty(0)
        self._along = np.array([1.0, 0.0])
        self._compass: dict[str, Floats] = {}

    def build(self, plotter: Any) -> None:
        """Add the meshes to an empty plotter."""
        import pyvista as pv

        self._plotter = plotter
        light = pv.Light(position=(0, 0, 1e6), focal_point=(0, 0, 0), light_type="scene light")
        light.intensity = 0.8
        plotter.add_light(light)
        add_headlight(plotter, 0.75)
        self._sphere = pv.Sphere(radius=1.0, theta_resolution=200, phi_resolution=200)
        self._sphere_points = np.array(self._sphere.points, dtype=np.float64)
        self._sphere.point_data["colour"] = np.zeros((self._sphere.n_points, 3), dtype=np.uint8)
        plotter.add_mesh(self._sphere, scalars="colour", rgb=True, lighting=False, reset_camera=False)
        self._painted = None

    def update(self, index: int, paint: Paint, limits: tuple[float, float]) -> None:
        """Move and colour everything for a time stamp."""
        moment = self.data.moment(index)
        quads = self._quads(moment)
        chosen = np.isin(quads.part, PAINTED_PARTS[paint.part])
        if self._painted != paint.part:
            self._rebuild(quads, chosen, paint.part)
        set_points(self._coloured, quads.corners[chosen])
        set_points(self._plain, quads.corners[~chosen])
        values = self.data.values_at(paint.variable, index)[self.center][self._members]
        self._values = values
        set_colours(self._coloured, paint.colours(values, limits)[quads.module[chosen]])
        self._place_earth(moment)

    def presets(self) -> Sequence[CameraPreset]:
        """Return camera presets, the usual one first."""
        _, y, z = np.eye(3)
        # Before the broad side of the radiators, as they stand now.
        along = np.array([*self._along, 0.0])
        facing = np.cross(z, along)
        facing = facing if facing[1] < 0 else -facing
        return [
            CameraPreset("back", unit(0.62 * facing + 0.34 * along - 0.62 * z), -z, fill=(0.95, 0.84)),
            CameraPreset("low", unit(0.88 * facing + 0.25 * along - 0.28 * z), -z, fill=(0.95, 0.84)),
            CameraPreset("top", -z, y, parallel=True),
            CameraPreset("sun", unit(np.array([0.25, -0.35, 0.90])), y),
        ]

    def extent(self) -> Floats:
        """Return points that must be in the picture."""
        depth = max(1.05 * size.body + size.radiator_height for size in self._sizes)
        square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * self._reach
        near, far = np.column_stack([square, np.zeros(4)]), np.column_stack([square, np.full(4, -depth)])
        return np.concatenate([near, far])

    def limits(self, paint: Paint) -> tuple[float, float]:
        """Return SI values for the ends of the colour map: the modules of this sub-center, the whole run."""
        return value_limits(self.data.values(paint.variable)[:, self.center], paint)

    def picked(self, actor: Any, cell: int, position: Floats) -> Pick | None:
        """Return the module that a rectangle belongs to."""
        for known, modules in (
            (self._coloured_actor, self._coloured_module),
            (self._plain_actor, self._plain_module),
        ):
            if actor is known:
                return Pick(self.center, int(self._members[modules[cell]]))
        return None

    def outline(self, pick: Pick) -> Floats | None:
        """Return the border of the place of a module in the array, shape (4, 3)."""
        if pick.sub_center != self.center:
            return None
        index = int(np.searchsorted(self._members, pick.module))
        half = 0.5 * GAP * self._sizes[index].wing
        square = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * half
        lift = 0.04 * self._sizes[index].wing
        corners: Floats = square + np.array([*self._centres[index], -lift])
        return corners

    def shown_values(self) -> Floats:
        """Return the SI values that are in the picture."""
        return self._values

    def compass(self) -> Mapping[str, Floats]:
        """Return the directions of Sun, Earth and velocity."""
        return self._compass

    def _quads(self, moment: Moment) -> Quads:
        frame = self._frame(moment)
        nadir = frame @ unit(-moment.position[self.center])
        name = self.data.class_of(self.center, int(self._members[0]))
        orientation = part_of(self.data.class_parts(name), "radiator").get("orientation", "edge_on")
        # An assembled array turns with the Sun; other orientations of its panels are not drawn.
        normal = (
            np.cross([0.0, 0.0, 1.0], nadir)
            if orientation == "edge_on"
            else face_normal(orientation, np.array([0.0, 0.0, 1.0]))
        )
        along = np.array([-normal[1], normal[0]])
        length = float(np.linalg.norm(along))
        self._along = along / length if length > 1e-6 else np.array([1.0, 0.0])
        velocity = frame @ unit(moment.velocity[self.center])
        self._compass = {"Sun": np.array([0.0, 0.0, 1.0]), "Earth": nadir, "velocity": velocity}
        return array_quads(self._centres, self._sizes, self._along)

    def _frame(self, moment: Moment) -> Floats:
        up = across(np.array([0.0, 0.0, 1.0]), moment.sun, np.array([0.0, 1.0, 0.0]))
        return np.array([np.cross(up, moment.sun), up, moment.sun])

    def _rebuild(self, quads: Quads, chosen: NDArray[np.bool_], part: str) -> None:
        from matplotlib.colors import to_rgb

        many = len(self._members) > 64
        self._coloured, self._plain = quads_mesh(quads.corners[chosen]), quads_mesh(quads.corners[~chosen])
        self._coloured_module, self._plain_module = quads.module[chosen], quads.module[~chosen]
        self._coloured.cell_data["colour"] = np.zeros((int(chosen.sum()), 3), dtype=np.uint8)
        table = {name: (255 * np.array(to_rgb(code))).astype(np.uint8) for name, code in PART_COLOURS.items()}
        self._plain.cell_data["colour"] = np.array([table[name] for name in quads.part[~chosen]])
        self._coloured_actor = self._plotter.add_mesh(
            self._coloured, scalars="colour", rgb=True, lighting=False, name="coloured", reset_camera=False,
            show_edges=not many, edge_color="#e8e8e8", render=False,
        )  # fmt: skip
        self._plain_actor = self._plotter.add_mesh(
            self._plain, scalars="colour", rgb=True, ambient=0.35, name="plain", reset_camera=False,
            show_edges=not many, edge_color="#30343c", render=False,
        )  # fmt: skip
        self._painted = part

    def _place_earth(self, moment: Moment) -> None:
        """Place the Earth at its true angular size, far enough that the array sees no parallax in it."""
        distance = float(np.linalg.norm(moment.position[self.center]))
        ratio = min(1.0, moment.earth_radius / distance)
        away = 150.0 * self._reach
        frame = self._frame(moment)
        nadir = frame @ unit(-moment.position[self.center])
        set_points(self._sphere, away * (nadir + ratio * self._sphere_points))
        self._sphere.point_data["colour"][:] = earth_colours(self._sphere_points[:, 2])
        self._sphere.point_data.get_array("colour").VTKObject.Modified()


class CardsScene:
    """Flat maps of all sub-centers beside each other, one square per module: what its cards do.

    Parameters
    ----------
    data : PlantData
    """

    sample = "module"
    key = "cards"

    def __init__(self, data: PlantData) -> None:
        self.data = data
        self.title = "cards by module"
        self.note = "one square per module, arrays beside each other"
        count = len(data.sub_centers)
        columns = int(np.ceil(np.sqrt(count)))
        corners, self._members, self._labels = [], [], []
        for center in range(count):
            members, cells = module_cells(data, center)
            pitch = 1.0 / max(1, int(cells.max()) + 1)
            quads = tile_quads(array_centres(cells, pitch), pitch, 1.0 if len(members) > 16 else 0.9)
            place = np.array([1.12 * (center % columns), -1.22 * (center // columns), 0.0])
            corners.append(quads.corners + place)
            self._members.append(members)
            self._labels.append(place + np.array([0.0, 0.53, 0.0]))
        self._corners = np.concatenate(corners)
        self._values: Floats = np.empty(0)

    def build(self, plotter: Any) -> None:
        """Add the meshes to an empty plotter."""
        self._mesh = quads_mesh(self._corners)
        self._mesh.cell_data["colour"] = np.zeros((self._mesh.n_cells, 3), dtype=np.uint8)
        self._actor = plotter.add_mesh(
            self._mesh, scalars="colour", rgb=True, lighting=False, reset_camera=False
        )
        plotter.add_point_labels(
            np.array(self._labels), self.data.sub_centers, text_color="white", font_size=letters(plotter, 18),
            shape=None, show_points=False, always_visible=True, reset_camera=False, name="names",
            justification_horizontal="center", justification_vertical="bottom",
        )  # fmt: skip

    def update(self, index: int, paint: Paint, limits: tuple[float, float]) -> None:
        """Colour everything for a time stamp."""
        values = self.data.values_at(paint.variable, index)
        self._values = np.concatenate([values[c][m] for c, m in enumerate(self._members)])
        set_colours(self._mesh, paint.colours(self._values, limits))

    def presets(self) -> Sequence[CameraPreset]:
        """Return camera presets, the usual one first."""
        return map_presets()

    def extent(self) -> Floats:
        """Return points that must be in the picture."""
        points = self._corners.reshape(-1, 3)
        top = np.array(self._labels) + np.array([0.0, 0.07, 0.0])
        return np.concatenate([points, top])

    def limits(self, paint: Paint) -> tuple[float, float]:
        """Return SI values for the ends of the colour map: all modules, the whole run."""
        return self.data.limits(paint)

    def picked(self, actor: Any, cell: int, position: Floats) -> Pick | None:
        """Return the module of a square."""
        if actor is not self._actor:
            return None
        sizes = np.cumsum([len(members) for members in self._members])
        center = int(np.searchsorted(sizes, cell, side="right"))
        first = 0 if center == 0 else int(sizes[center - 1])
        return Pick(center, int(self._members[center][cell - first]))

    def outline(self, pick: Pick) -> Floats | None:
        """Return the square of a module, shape (4, 3)."""
        cell = sum(len(members) for members in self._members[: pick.sub_center])
        cell += int(np.searchsorted(self._members[pick.sub_center], pick.module))
        corners: Floats = self._corners[cell] + np.array([0.0, 0.0, 0.002])
        return corners

    def shown_values(self) -> Floats:
        """Return the SI values that are in the picture."""
        return self._values

    def compass(self) -> Mapping[str, Floats]:
        """Return no directions: a map has none."""
        return {}
