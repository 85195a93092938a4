"""One module as a scene of a session: its finite element field where the run left one, else its mean temperature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import BadInput
from viz.fields import PanelField, field_names, field_times
from viz.module_actors import ModuleActors, ModuleScene
from viz.module_geometry import ZENITH, Sky, module_geometry, number, part_of, sky_at
from viz.paints import Paint, value_limits
from viz.plant_data import PlantData
from viz.scene import module_radiator_area
from viz.stage import CameraPreset, Pick, unit

type Floats = NDArray[np.float64]


class ModuleView:
    """A module in the local frame of its orbit: x along the velocity, z to nadir, lengths in metres.

    Parameters
    ----------
    data : PlantData
    center, module : int
        Which module.
    """

    key = "module"
    sample = "module"

    def __init__(self, data: PlantData, center: int, module: int) -> None:
        self.data, self.center, self.module = data, center, module
        self.class_name = data.class_of(center, module)
        self.title = f"sub-center {data.sub_centers[center]}, module {module} ({self.class_name})"
        self.field_name = field_of_class(data.path, self.class_name)
        # A run writes the field of the first module of each class.
        self.has_field = self.field_name is not None and self._is_first_of_class()
        self.note = ""
        self._scene: ModuleScene | None = None
        self._actors: ModuleActors | None = None
        self._values: Floats = np.empty(0)

    def build(self, plotter: Any) -> None:
        """Keep the plotter; the meshes come with the first moment."""
        self._plotter, self._actors = plotter, None

    def update(self, index: int, paint: Paint, limits: tuple[float, float]) -> None:
        """Place and colour everything for a time stamp."""
        self._scene = self.scene_at(index, paint)
        if self._actors is None:
            self._actors = ModuleActors(self._plotter, self._scene, limits, paint.colour_map)
        else:
            self._actors.update(self._scene, limits, paint.colour_map)
        field = self._scene.field.temperature
        plain = None
        if paint.part != "radiator":
            plain = tuple((paint.colours(field[:1], limits)[0] / 255.0).tolist())
        self._actors.colour_part(paint.part, plain)
        self.note = self._note(paint)
        self.sample = "point" if self.shows_field(paint) else "module"
        self._values = field if self.shows_field(paint) else field[:1]

    def _note(self, paint: Paint) -> str:
        if self.shows_field(paint):
            return "field on the finite element mesh of the panels"
        where = {"radiator": "panels", "array": "solar wings", "body": "body"}[paint.part]
        why = (
            "; the run left no field of this module"
            if paint.part == "radiator" and not self.has_field
            else ""
        )
        return f"{where} in one colour: the value of the module{why}"

    def shows_field(self, paint: Paint) -> bool:
        """Whether the panels are coloured by a field, not by one value."""
        return self.has_field and paint.variable.startswith("panel_temperature")

    def scene_at(self, index: int, paint: Paint) -> ModuleScene:
        """Return all that is shown at a time stamp."""
        parts = self.data.class_parts(self.class_name)
        moment = self.data.moment(index)
        if self.shows_field(paint):
            field = self.data.panel_field(index, self.field_name)
        else:
            radiator = part_of(parts, "radiator")
            value = float(self.data.values_at(paint.variable, index)[self.center, self.module])
            field = plain_panel(
                (number(radiator.get("width"), 2.0), number(radiator.get("height"), 3.0)),
                float(self.data.times[index]),
                value,
            )
        sky = self._sky(index, float(moment.illuminated_fraction[self.center]))
        panel = field.pieces[0][1]
        size = np.ptp(panel.points, axis=0)
        area = self.data.static("radiator_area")
        total = (
            float(area[self.center, self.module])
            if area is not None
            else module_radiator_area(self.data.result, self.class_name, field.area)
        )
        count = max(1, round(total / panel.area))
        geometry = module_geometry(parts, (float(size[0]), float(size[1])), count, sky.sun)
        return ModuleScene(field, sky, geometry)

    def presets(self) -> Sequence[CameraPreset]:
        """Return camera presets, the usual one first."""
        if self._scene is None:
            return [CameraPreset("oblique", unit(np.array([1.0, 1.0, -0.5])), ZENITH)]
        panel = self._scene.geometry.panels[0]
        normal, sun = unit(np.cross(panel.half_width, panel.half_height)), self._scene.sky.sun
        oblique = 0.72 * normal - 0.70 * sun
        oblique = oblique - ZENITH * float(oblique @ ZENITH)
        oblique = unit(oblique) if np.linalg.norm(oblique) > 1e-6 else np.array([1.0, 0.0, 0.0])
        up = unit(panel.half_height) if abs(float(normal @ ZENITH)) > 0.95 else ZENITH
        sunward = up if abs(float(sun @ ZENITH)) > 0.95 else ZENITH
        return [
            CameraPreset("oblique", unit(oblique + 0.30 * ZENITH), ZENITH, fill=(0.86, 0.72)),
            CameraPreset("panel", normal, up, parallel=True),
            CameraPreset("sun", sun, sunward, fill=(0.86, 0.72)),
        ]

    def extent(self) -> Floats:
        """Return points that must be in the picture."""
        assert self._scene is not None
        geometry = self._scene.geometry
        return np.vstack([plate.corners for plate in (*geometry.wings, *geometry.panels)])

    def limits(self, paint: Paint) -> tuple[float, float]:
        """Return SI values for the ends of the colour map: of a field its coldest and hottest in the run."""
        if not self.shows_field(paint):
            return self.data.limits(paint)
        low, high = (
            self.data.values(f"panel_temperature_{end}")[:, self.center, self.module]
            for end in ("min", "max")
        )
        return value_limits(np.concatenate([low, high]), paint)

    def picked(self, actor: Any, cell: int, position: Floats) -> Pick | None:
        """Return the point of the field that was hit; without a field the module."""
        if self._actors is None or self._scene is None or not self._actors.belongs(actor):
            return None
        if self.sample != "point" or actor is not self._actors.panels:
            return Pick(self.center, self.module)
        mesh = actor.mapper.dataset
        return Pick(
            self.center, self.module, int(mesh.point_data["field_point"][mesh.find_closest_point(position)])
        )

    def outline(self, pick: Pick) -> Floats | None:
        """Return nothing: a module is the whole scene."""
        return None

    def shown_values(self) -> Floats:
        """Return the SI values that are in the picture."""
        return self._values

    def compass(self) -> Mapping[str, Floats]:
        """Return the directions of Sun, Earth and velocity."""
        assert self._scene is not None
        return {"Sun": self._scene.sky.sun, "Earth": -ZENITH, "velocity": np.array([1.0, 0.0, 0.0])}

    def name_of(self, point: int) -> str:
        """Return the words for a point of the field."""
        return f"point {point} of the panels"

    def point_series(self, point: int) -> tuple[str, Floats, Floats]:
        """Return name, times [s since start] and temperatures [K] of a point of the field.

        Raises
        ------
        BadInput
            The run left no field of this module.
        """
        if not self.has_field or self.data.path is None:
            raise BadInput(f"{self.title}: the run left no field of it")
        times = field_times(self.data.path, self.field_name)
        panels = [self.data.panel_field(self.data.index_at(time), self.field_name) for time in times]
        return self.name_of(point), np.array(times), np.array([panel.temperature[point] for panel in panels])

    def _is_first_of_class(self) -> bool:
        names, codes = self.data.classes
        same = codes == names.index(self.class_name)
        return int(self.data.flat_index[self.center, self.module]) == int(self.data.flat_index[same].min())

    def _sky(self, index: int, lit: float) -> Sky:
        orbit = self.data.result["orbit"].to_dataset()
        k = int(np.abs(np.asarray(self.data.orbit_times) - self.data.times[index]).argmin())
        sky = sky_at(orbit, k, lit)
        if self.center == 0:
            return sky
        moment = self.data.moment(index)
        position, velocity = moment.position[self.center], moment.velocity[self.center]
        nadir = -unit(position)
        minus_normal = -unit(np.cross(position, velocity))
        frame = np.array([np.cross(minus_normal, nadir), minus_normal, nadir])
        return Sky(frame @ moment.sun, sky.earth_angular_radius, lit)


def field_of_class(path: Path | None, class_name: str) -> str | None:
    """Return the name of the field of a module class beside a result, None when there is none."""
    if path is None:
        return None
    names = field_names(path)
    exact = [name for name in names if name == f"panel-{class_name}"]
    return exact[0] if exact else next((name for name in names if name == "panel"), None)


def plain_panel(size: tuple[float, float], time: float, value: float) -> PanelField:
    """Return a panel of (width, height) `size` [m] with one value all over."""
    width, height = size
    points = np.array([[0, 0, 0], [width, 0, 0], [width, height, 0], [0, height, 0]], dtype=np.float64)
    return PanelField("module value", time, points, np.array([[0, 1, 2], [0, 2, 3]]), np.full(4, value))
