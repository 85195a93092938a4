"""The module in its surroundings, coloured by the finite element temperature of its radiator panels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from twin.results import elapsed_seconds, open_result
from viz.curves import illumination
from viz.fields import read_panel
from viz.module_actors import ModuleActors, ModuleScene, extent_of
from viz.module_geometry import ZENITH, module_class_of, module_geometry, sky_at
from viz.stage import new_plotter

type Floats = NDArray[np.float64]

COLOUR_MAP = "plasma"
"""Perceptually even, and its dark end still stands out from the sky."""

VIEW_ANGLE = float(np.deg2rad(34.0))
"""Height of the field of view [rad]."""


@dataclass(frozen=True)
class Rendering:
    """A rendered view.

    Attributes
    ----------
    image : (row, column, 3) array
        RGB.
    compass : {name: (right, up, towards the viewer)}
        Unit vectors to ``Sun`` and ``Earth`` and along ``velocity``, as the viewer sees them.
    """

    image: NDArray[np.uint8]
    compass: dict[str, tuple[float, float, float]]


def load_scene(path: Path, time: float, name: str | None = None) -> ModuleScene:
    """Read the scene of `path` nearest to `time` [s since start].

    Raises
    ------
    BadInput
        The result cannot be opened or has no fields.
    """
    result = open_result(path)
    field = read_panel(path, time, name)
    orbit = result["orbit"].to_dataset()
    index = int(np.abs(elapsed_seconds(orbit["time"], result) - field.time).argmin())
    times, fractions = illumination(result)
    lit = float(fractions[np.abs(times - field.time).argmin()]) if times.size else 1.0
    sky = sky_at(orbit, index, lit)
    name_of_class, parts = module_class_of(result, field.name)
    panel = field.pieces[0][1]
    size = np.ptp(panel.points, axis=0)
    count = max(1, round(module_radiator_area(result, name_of_class, field.area) / panel.area))
    geometry = module_geometry(parts, (float(size[0]), float(size[1])), count, sky.sun)
    return ModuleScene(field, sky, geometry)


def render(
    scene: ModuleScene, limits: tuple[float, float], size: tuple[int, int] = (1500, 1000)
) -> Rendering:
    """Render the scene off screen, with no display and no GPU needed.

    Parameters
    ----------
    scene : ModuleScene
        From `load_scene`.
    limits : (float, float)
        Temperatures at the ends of the colour map [K].
    size : (int, int)
        Width and height [pixel].

    Returns
    -------
    Rendering
        The image, and the directions of the Sun, the Earth and the velocity in it.
    """
    plotter = new_plotter(size)
    ModuleActors(plotter, scene, limits, COLOUR_MAP)
    _aim_camera(plotter, scene, extent_of(scene.geometry))
    plotter.enable_anti_aliasing("ssaa")
    image = np.asarray(plotter.screenshot(return_img=True))
    compass = _compass(plotter, scene)
    plotter.close()
    return Rendering(image, compass)


def module_radiator_area(result: xr.DataTree, name: str, otherwise: float) -> float:
    """Return the radiator area of a module of class `name` [m²]."""
    module = result["module"].to_dataset()
    if "radiator_area" not in module:
        return otherwise
    area = np.asarray(module["radiator_area"], dtype=np.float64)
    if "module_class" in module:
        names = str(module["module_class"].attrs.get("flag_meanings", "")).split()
        if name in names:
            area = area[np.asarray(module["module_class"]) == names.index(name)]
    area = area[np.isfinite(area)]
    return float(area.flat[0]) if area.size else otherwise


def _aim_camera(plotter: Any, scene: ModuleScene, extent: float) -> None:
    """Look at the panels from behind the wings and a little from above, so that no part hides them."""
    first = scene.geometry.panels[0]
    normal = np.cross(first.half_width, first.half_height)
    view = 0.72 * normal / np.linalg.norm(normal) - 0.70 * scene.sky.sun
    view -= ZENITH * float(view @ ZENITH)
    length = float(np.linalg.norm(view))
    view = (view / length if length > 1e-6 else np.array([1.0, 0.0, 0.0])) + 0.30 * ZENITH
    view /= np.linalg.norm(view)
    corners = np.vstack([plate.corners for plate in (*scene.geometry.wings, *scene.geometry.panels)])
    aspect = plotter.window_size[0] / plotter.window_size[1]
    focus, distance = _fit(corners, view, VIEW_ANGLE, aspect)
    plotter.camera.view_angle = np.rad2deg(VIEW_ANGLE)
    plotter.camera.focal_point = tuple(focus)
    plotter.camera.position = tuple(focus + distance * view)
    plotter.camera.up = tuple(ZENITH)
    plotter.camera.clipping_range = (0.05 * extent, 2000.0 * extent)


def _fit(corners: Floats, view: Floats, view_angle: float, aspect: float) -> tuple[Floats, float]:
    """Return focus and distance of a camera in direction `view` that sees all corners.

    They fill the width or the upper part of the height; the lower part is left to the limb of the Earth.
    """
    right, up = _screen_axes(view)
    focus: Floats = corners.mean(axis=0)
    distance = 3.0 * float(np.ptp(corners, axis=0).max())
    tangent = float(np.tan(0.5 * view_angle))
    for _ in range(30):  # perspective makes it implicit; each pass halves the error or better
        offset = corners - focus
        depth = distance - offset @ view
        x, y = (offset @ right) / depth, (offset @ up) / depth
        half = 0.5 * np.array([np.ptp(x), np.ptp(y)])
        target = np.array([0.0, 0.26 * tangent])
        shift = 0.5 * np.array([x.max() + x.min(), y.max() + y.min()]) - target
        focus = focus + distance * (shift[0] * right + shift[1] * up)
        distance *= 0.5 + 0.5 * float(max(half[0] / (0.86 * aspect * tangent), half[1] / (0.62 * tangent)))
    return focus, distance


def _screen_axes(view: Floats) -> tuple[Floats, Floats]:
    right = np.cross(ZENITH, view)
    right /= np.linalg.norm(right)
    return right, np.cross(view, right)


def _compass(plotter: Any, scene: ModuleScene) -> dict[str, tuple[float, float, float]]:
    backward = np.array(plotter.camera.position) - np.array(plotter.camera.focal_point)
    backward /= np.linalg.norm(backward)
    axes = np.array([*_screen_axes(backward), backward])
    directions = {"Sun": scene.sky.sun, "Earth": -ZENITH, "velocity": np.array([1.0, 0.0, 0.0])}
    return {name: tuple((axes @ direction).tolist()) for name, direction in directions.items()}
