"""The stage that scenes are put on: a plotter that draws with and without a screen."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from viz.paints import Paint

type Floats = NDArray[np.float64]

BACKGROUND, BACKGROUND_TOP = "#0a0e18", "#04060b"
NIGHT, NOON = np.array([13, 22, 48]), np.array([96, 156, 214])
"""Colours of the Earth by the height of the Sun [RGB]."""


@dataclass(frozen=True)
class CameraPreset:
    """A place to look from.

    Attributes
    ----------
    name : str
        Word that chooses it.
    view : (3,) array
        Unit vector from the focus to the camera.
    up : (3,) array
        What is up in the picture.
    parallel : bool
        Whether far things are as large as near ones.
    fill : (float, float)
        Share of the width and the height of the picture that the scene takes.
    """

    name: str
    view: Floats
    up: Floats
    parallel: bool = False
    fill: tuple[float, float] = (0.9, 0.88)


@dataclass(frozen=True)
class Pick:
    """What was clicked: a module, and on a panel also the point of its field."""

    sub_center: int
    module: int
    point: int | None = None


class Scene(Protocol):
    """What every scene can do. Values and places follow the time stamp; the meshes stay the same."""

    key: str
    title: str
    note: str
    sample: str
    """What each of the shown values belongs to: ``module``, or ``point`` of a field."""

    def build(self, plotter: Any) -> None:
        """Add the meshes to an empty plotter."""

    def update(self, index: int, paint: Paint, limits: tuple[float, float]) -> None:
        """Move and colour everything for a time stamp."""

    def presets(self) -> Sequence[CameraPreset]:
        """Return camera presets, the usual one first."""

    def extent(self) -> Floats:
        """Return points that must be in the picture, shape (point, 3)."""

    def limits(self, paint: Paint) -> tuple[float, float]:
        """Return SI values for the ends of the colour map, the same over the whole run."""

    def picked(self, actor: Any, cell: int, position: Floats) -> Pick | None:
        """Return what a cell of an actor is, None for scenery."""

    def outline(self, pick: Pick) -> Floats | None:
        """Return the corners of what marks a module now, None when it is not in this scene."""

    def shown_values(self) -> Floats:
        """Return the SI values that are in the picture, flat, for its histogram."""

    def compass(self) -> Mapping[str, Floats]:
        """Return unit vectors of the scene that the picture names, such as the Sun; may be empty."""


def map_presets() -> list[CameraPreset]:
    """Return the cameras of a flat map in the plane of x and y; below it is room for the scale of a session."""
    _, y, z = np.eye(3)
    return [
        CameraPreset("flat", z, y, parallel=True, fill=(0.94, 0.86)),
        CameraPreset("tilted", unit(np.array([0.0, -0.6, 0.8])), y),
    ]


def prefer_headless_rendering() -> None:
    """Make VTK draw without a window system where there is none, unless the user chose otherwise.

    VTK finds out by itself, but only after it has complained about the missing display.
    """
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")


def new_plotter(size: tuple[int, int]) -> Any:
    """Return an empty plotter of `size` [pixel] that draws off screen."""
    prefer_headless_rendering()
    import pyvista as pv

    plotter = pv.Plotter(off_screen=True, window_size=list(size), lighting="none")
    plotter.set_background(BACKGROUND, top=BACKGROUND_TOP)
    return plotter


def add_headlight(plotter: Any, intensity: float = 0.9) -> None:
    """Add a light that comes from the viewer."""
    import pyvista as pv

    light = pv.Light(light_type="headlight")
    light.intensity = intensity
    plotter.add_light(light)


def aim(plotter: Any, preset: CameraPreset, points: Floats) -> None:
    """Point the camera so that `points` fill the picture as the preset says."""
    aspect = plotter.window_size[0] / max(1, plotter.window_size[1])
    camera = plotter.camera
    if preset.parallel:
        right, up = screen_axes(preset.view, preset.up)
        x, y = points @ right, points @ up
        depth = points @ preset.view
        focus = (
            0.5 * (x.max() + x.min()) * right
            + 0.5 * (y.max() + y.min()) * up
            + 0.5 * (depth.max() + depth.min()) * preset.view
        )
        half = 0.5 * max(np.ptp(y) / preset.fill[1], np.ptp(x) / (aspect * preset.fill[0]))
        distance = 4.0 * half + float(np.ptp(depth))
        camera.parallel_projection = True
        camera.parallel_scale = float(half)
    else:
        focus, distance = fit(points, preset, np.deg2rad(VIEW_ANGLE), aspect)
        camera.parallel_projection = False
        camera.view_angle = VIEW_ANGLE
    camera.focal_point = tuple(focus)
    camera.position = tuple(focus + distance * preset.view)
    camera.up = tuple(preset.up)
    plotter.renderer.ResetCameraClippingRange()


VIEW_ANGLE = 32.0
"""Height of the field of view [degree]."""


def fit(points: Floats, preset: CameraPreset, view_angle: float, aspect: float) -> tuple[Floats, float]:
    """Return focus and distance of a perspective camera that sees all points as `preset` says."""
    right, up = screen_axes(preset.view, preset.up)
    focus: Floats = 0.5 * (points.max(axis=0) + points.min(axis=0))
    distance = 3.0 * float(np.ptp(points, axis=0).max())
    tangent = float(np.tan(0.5 * view_angle))
    for _ in range(40):  # perspective makes it implicit; each pass halves the error or better
        offset = points - focus
        depth = np.maximum(distance - offset @ preset.view, 1e-3 * distance)
        x, y = (offset @ right) / depth, (offset @ up) / depth
        shift = 0.5 * np.array([x.max() + x.min(), y.max() + y.min()])
        half = 0.5 * np.array([np.ptp(x), np.ptp(y)])
        focus = focus + distance * (shift[0] * right + shift[1] * up)
        worst = max(half[0] / (preset.fill[0] * aspect * tangent), half[1] / (preset.fill[1] * tangent))
        distance *= 0.5 + 0.5 * float(worst)
    return focus, distance


def letters(plotter: Any, size: float) -> int:
    """Return the font size that reads like `size` in a picture of 1000 pixels."""
    return round(max(9.0, size * min(2.0, plotter.window_size[0] / 1000.0)))


def screen_axes(view: Floats, up: Floats) -> tuple[Floats, Floats]:
    """Return the unit vectors to the right and upwards on the screen of a camera in direction `view`."""
    right = np.cross(up, view)
    right = right / np.linalg.norm(right)
    return right, np.cross(view, right)


def unit(vector: Floats) -> Floats:
    """Return `vector` with length one."""
    length = float(np.linalg.norm(vector))
    return np.asarray(vector, dtype=np.float64) / (length or 1.0)


def across(vector: Floats, normal: Floats, otherwise: Floats) -> Floats:
    """Return the unit part of `vector` perpendicular to `normal`, of `otherwise` when there is none."""
    for candidate in (vector, otherwise, np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0])):
        part = candidate - normal * float(candidate @ normal)
        if np.linalg.norm(part) > 1e-3:
            return unit(part)
    raise ValueError(f"normal {normal}: expected a unit vector")


def quads_mesh(corners: Floats) -> Any:
    """Return a mesh of rectangles from their corners, shape (rectangle, 4, 3)."""
    import pyvista as pv

    count = len(corners)
    return pv.PolyData.from_regular_faces(corners.reshape(-1, 3), np.arange(4 * count).reshape(count, 4))


def set_points(mesh: Any, points: Floats) -> None:
    """Move the points of a mesh."""
    mesh.points = np.ascontiguousarray(points.reshape(-1, 3), dtype=np.float32)


def set_colours(mesh: Any, colours: NDArray[np.uint8]) -> None:
    """Colour the cells of a mesh in place, so that what draws it sees the change."""
    mesh.cell_data["colour"][:] = colours
    mesh.cell_data.get_array("colour").VTKObject.Modified()
    mesh.Modified()


def earth_colours(height: Floats) -> NDArray[np.uint8]:
    """Return the colours of ground where the sine of the Sun's height is `height`."""
    day = 1.0 / (1.0 + np.exp(-np.clip(height, -1, 1) / 0.06))
    light = day * (0.78 + 0.22 * np.clip(height, 0, 1))
    return (NIGHT + light[:, None] * (NOON - NIGHT)).astype(np.uint8)
