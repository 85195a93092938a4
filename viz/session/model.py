"""What a session shows, without any web: one scene on one plotter, changed by a few verbs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from viz.compose import spread_over_modules, take_aim
from viz.curves import PLOT_BY_NAME, thin_out
from viz.plant_data import PlantData
from viz.scenes import Choice, make_scene, usual_paint, usual_scene
from viz.session.charts import dark, quantity_figure, stock_figure
from viz.session.live import LivePlant
from viz.stage import Pick, Scene, new_plotter

type Floats = NDArray[np.float64]

SIZE = (1100, 700)
"""Pixels of the rendering until a browser says how large its view is."""

CHARTS = (
    "power_balance", "junction_temperatures", "radiator_temperatures", "throttling", "throughput", "battery_charge",
    "margins",
)  # fmt: skip
"""Plots beside the scene, by name; the first is the quantity of the scene itself."""

SELECTION = "#ffffff"

SMOOTH, QUICK = 4, 0
"""Samples of a pixel at rest, and while things move: without a GPU they cost most of the time of a frame."""


class SessionModel:
    """One scene of a plant and what is selected in it.

    Parameters
    ----------
    data : PlantData
    scene : str, optional
        First scene.
    sub_center : int
        First sub-center.
    index : int, optional
        First time stamp; the last unless given.
    """

    def __init__(
        self, data: PlantData, scene: str | None = None, sub_center: int = 0, index: int | None = None
    ) -> None:
        self.data = data
        self.index = data.times.size - 1 if index is None else index
        self.plotter = new_plotter(SIZE)
        self.rest()
        self._add_interactor()
        self.choice = Choice(scene or usual_scene(data), sub_center)
        self.paint = usual_paint(data, self.choice.scene)
        self.selected: Pick | None = None
        self.clip = 0.0
        self._aimed: tuple[str | None, tuple[float, ...]] = (None, ())
        self._scene: Scene = make_scene(data, self.choice)
        self.show(self.choice)

    @property
    def scene(self) -> Scene:
        """The scene that is shown."""
        return self._scene

    @property
    def limits(self) -> tuple[float, float]:
        """SI values at the ends of the colour map."""
        return self._scene.limits(self.paint)

    def show(self, choice: Choice) -> None:
        """Show another scene; what is selected stays selected."""
        scene = make_scene(self.data, choice)  # may refuse: then nothing has changed
        # A scene has its own quantity, until another one is chosen that it shows as well.
        unchanged = self.paint == usual_paint(self.data, self.choice.scene)
        self.choice, self._scene = choice, scene
        if self.selected is not None:
            self.selected = Pick(self.selected.sub_center, self.selected.module)
        if unchanged:
            self.paint = usual_paint(self.data, choice.scene)
        self.plotter.clear_actors()
        self.plotter.remove_all_lights()
        scene.build(self.plotter)
        scene.update(self.index, self.paint, self.limits)
        self.look(None)
        self._finish()

    def look(self, camera: str | None) -> None:
        """Move the camera to a preset, the usual one for None."""
        take_aim(self.plotter, self._scene, camera)
        self._aimed = (camera, tuple(self.plotter.camera.position))

    def hurry(self) -> None:
        """Draw with little detail at the edges from now on: the scene is turned, or time is played."""
        self.plotter.render_window.SetMultiSamples(QUICK)

    def rest(self) -> None:
        """Draw with smooth edges from now on."""
        self.plotter.render_window.SetMultiSamples(SMOOTH)

    def resize(self, width: int, height: int) -> None:
        """Take the size of a view [pixel]; the scene is fitted to it unless someone has turned it."""
        self.plotter.render_window.SetSize(max(100, min(width, 3000)), max(100, min(height, 2000)))
        camera, position = self._aimed
        if np.allclose(position, self.plotter.camera.position):
            self.look(camera)

    def set_time(self, index: int) -> None:
        """Show another time stamp."""
        self.index = int(np.clip(index, 0, self.data.times.size - 1))
        self._scene.update(self.index, self.paint, self.limits)
        self._finish()

    def set_paint(self, variable: str) -> None:
        """Colour by another variable of the modules."""
        self.paint = self.data.paint(variable)
        self._scene.update(self.index, self.paint, self.limits)
        self._finish()

    def set_clip(self, share: float) -> None:
        """Cut away `share` of the scene, 0 to 1, from its left."""
        self.clip = float(np.clip(share, 0.0, 1.0))
        self._finish()

    def refresh(self) -> None:
        """Draw again: the data has grown."""
        self.set_time(self.index)

    def pick(self, x: float, y: float) -> Pick | None:
        """Select what is at a place of the picture.

        Parameters
        ----------
        x, y : float
            0 at the left and lower border, 1 at the right and upper border.

        Returns
        -------
        Pick or None
            What was hit; nothing is selected when only scenery was.
        """
        from vtkmodules.vtkRenderingCore import vtkCellPicker

        picker = vtkCellPicker()
        picker.SetTolerance(0.0)
        width, height = self.plotter.render_window.GetSize()
        hit = picker.Pick(x * width, y * height, 0.0, self.plotter.renderer)
        self.selected = None
        if hit:
            position = np.array(picker.GetPickPosition())
            self.selected = self._scene.picked(picker.GetActor(), int(picker.GetCellId()), position)
        self._finish()
        return self.selected

    def select(self, pick: Pick | None) -> None:
        """Select without a click."""
        self.selected = pick
        self._finish()

    def describe_selection(self) -> str:
        """Return what is selected and its value now, in words."""
        pick = self.selected
        if pick is None:
            low, mean, high = (
                float(part[self.index]) for part in spread_over_modules(self.data, self.paint.variable)
            )
            values = ", ".join(
                f"{word} {float(self.paint.shown(np.array(value))):.2f}"
                for word, value in (("lowest", low), ("mean", mean), ("highest", high))
            )
            return f"all modules: {values} {self.paint.unit}"
        name = self.data.sub_centers[pick.sub_center]
        if pick.point is not None:
            field = self._scene.shown_values()
            value = float(field[pick.point]) if pick.point < field.size else float("nan")
            where = f"{name}, module {pick.module}, {self._point_name(pick.point)}"
        else:
            value = float(self.data.values_at(self.paint.variable, self.index)[pick.sub_center, pick.module])
            where = f"{name}, module {pick.module} ({self.data.class_of(pick.sub_center, pick.module)})"
        return f"{where}: {float(self.paint.shown(np.array(value))):.2f} {self.paint.unit}"

    def figures(self, plot: str) -> dict[str, Mapping[str, Any]]:
        """Return the time plots of what is selected, as plotly figures: the quantity, and the plot `plot`."""
        return {"quantity": self._quantity_figure(), "plot": self._stock_figure(plot)}

    def scale(self) -> dict[str, Any]:
        """Return the scale of the colours: stops of the map, ends and unit."""
        low, high = self.limits
        colours = self.paint.colours(np.linspace(low, high, 24), (low, high))
        shown = self._scene.shown_values()
        known = shown[np.isfinite(shown)]
        return {
            "stops": [f"rgb({r},{g},{b})" for r, g, b in colours.tolist()],
            "ticks": [f"{value:.4g}" for value in self.paint.shown(np.linspace(low, high, 5)).tolist()],
            "label": f"{self.paint.label} [{self.paint.unit}]",
            "below": bool(known.size and known.min() < low),
            "above": bool(known.size and known.max() > high),
        }

    def close(self) -> None:
        """Free the plotter."""
        self.plotter.close()

    def _quantity_figure(self) -> Mapping[str, Any]:
        pick, variable = self.selected, self.paint.variable
        start = self.data.start
        spans = self.data.eclipses(None if pick is None else pick.sub_center)
        if pick is not None and pick.point is not None and hasattr(self._scene, "point_series"):
            lines = [self._scene.point_series(pick.point)]
        elif pick is not None:
            lines = [("module", self.data.times, self.data.values(variable)[:, pick.sub_center, pick.module])]
            names = ("lowest of sub-center", "highest of sub-center")
            low, _, high = spread_over_modules(self.data, variable, pick.sub_center)
            lines += [(names[0], self.data.times, low), (names[1], self.data.times, high)]
        else:
            low, mean, high = spread_over_modules(self.data, variable)
            lines = [
                ("mean", self.data.times, mean),
                ("lowest module", self.data.times, low),
                ("highest module", self.data.times, high),
            ]
        thinned = [
            (name, *thin_out(np.asarray(times), self.paint.shown(np.asarray(values)), 900))
            for name, times, values in lines
        ]
        return quantity_figure(self.paint, thinned, start, spans)

    def _stock_figure(self, plot: str) -> Mapping[str, Any]:
        if isinstance(self.data, LivePlant):
            return self.data.forecast_figure(None if self.selected is None else self.selected.sub_center)
        pick = self.selected
        name = None if pick is None else self.data.sub_centers[pick.sub_center]
        module = None if pick is None else pick.module
        return dark(stock_figure(self.data.result, PLOT_BY_NAME[plot], name, module), titled=False)

    def _point_name(self, point: int) -> str:
        return str(self._scene.name_of(point)) if hasattr(self._scene, "name_of") else f"point {point}"

    def _finish(self) -> None:
        """Bring what lies over the scene up to date: the mark of the selection and the cut."""
        import pyvista as pv

        corners = None if self.selected is None else self._scene.outline(self.selected)
        if corners is not None:
            outline = pv.MultipleLines(np.vstack([corners, corners[:1]]))
            self.plotter.add_mesh(
                outline, color=SELECTION, line_width=4, lighting=False, name="selection", reset_camera=False,
                render=False, pickable=False,
            )  # fmt: skip
        else:
            self.plotter.remove_actor("selection", render=False)
        self._cut()

    def _cut(self) -> None:
        from vtkmodules.vtkCommonDataModel import vtkPlane

        points = self._scene.extent()
        preset = self._scene.presets()[0]
        right = np.cross(preset.up, preset.view)
        across = points @ right
        plane = vtkPlane()
        plane.SetNormal(*right)
        plane.SetOrigin(*(right * (across.min() + self.clip * np.ptp(across))))
        span = float(np.linalg.norm(np.ptp(points, axis=0)))
        for actor in self.plotter.renderer.actors.values():
            mapper = actor.GetMapper() if actor.IsA("vtkActor") else None
            if mapper is None:
                continue
            mapper.RemoveAllClippingPlanes()
            bounds = np.array(actor.GetBounds()).reshape(3, 2)
            if self.clip > 0.0 and np.linalg.norm(np.ptp(bounds, axis=1)) < 20 * span:  # not the far Earth
                mapper.AddClippingPlane(plane)

    def _add_interactor(self) -> None:
        """Add what turns mouse messages into camera moves: a plotter off screen has none."""
        from vtkmodules.vtkInteractionStyle import vtkInteractorStyleTrackballCamera
        from vtkmodules.vtkRenderingUI import vtkGenericRenderWindowInteractor

        interactor = vtkGenericRenderWindowInteractor()
        interactor.SetRenderWindow(self.plotter.render_window)
        style = vtkInteractorStyleTrackballCamera()
        style.AddObserver("StartInteractionEvent", lambda *_: self.hurry())
        style.AddObserver("EndInteractionEvent", lambda *_: self.rest())
        interactor.SetInteractorStyle(style)
        self._interactor = interactor
