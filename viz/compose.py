"""The picture of a scene as a printed figure: title, scale with histogram, and where in time it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from viz.curves import BLUE, ECLIPSE_COLOUR, SKY, VERMILION, eclipse_spans, time_scale
from viz.paints import Paint
from viz.plant_data import PlantData
from viz.plant_scene import PlantScene
from viz.plots import house_style
from viz.stage import CameraPreset, Scene, aim, new_plotter, screen_axes

type Floats = NDArray[np.float64]

SIZE = (1652, 900)
"""Pixels of a rendering."""

COMPASS_COLOURS = {"Sun": "#ffd54a", "Earth": "#8cc4f5", "velocity": "#d5dbe3"}


def render_scene(
    scene: Scene,
    index: int,
    paint: Paint,
    limits: tuple[float, float],
    camera: str | None = None,
    size: tuple[int, int] = SIZE,
) -> tuple[NDArray[np.uint8], CameraPreset]:
    """Render a scene off screen; return the image, shape (row, column, 3), and the camera that took it.

    Raises
    ------
    BadInput
        The scene has no camera of this name.
    """
    plotter = new_plotter(size)
    try:
        scene.build(plotter)
        scene.update(index, paint, limits)
        preset = take_aim(plotter, scene, camera)
        plotter.enable_anti_aliasing("ssaa")
        return np.asarray(plotter.screenshot(return_img=True)), preset
    finally:
        plotter.close()


def take_aim(plotter: Any, scene: Scene, camera: str | None) -> CameraPreset:
    """Point the camera of a plotter at a scene as a preset says; what can turn towards it does."""
    preset = find_preset(scene, camera)
    if isinstance(scene, PlantScene):
        scene.face(preset)
    aim(plotter, preset, scene.extent())
    return preset


def find_preset(scene: Scene, camera: str | None) -> CameraPreset:
    """Return the camera preset `camera`, the usual one for None.

    Raises
    ------
    BadInput
        The scene has no camera of this name.
    """
    from twin.errors import BadInput

    presets = scene.presets()
    if camera is None:
        return presets[0]
    known = {preset.name: preset for preset in presets}
    if camera not in known:
        raise BadInput(f"--camera {camera}: the scene {scene.key} has {', '.join(known)}")
    return known[camera]


def save_scene_picture(
    data: PlantData,
    scene: Scene,
    file: Path,
    index: int,
    paint: Paint,
    limits: tuple[float, float],
    camera: str | None = None,
) -> None:
    """Write the picture of a scene at a time stamp to `file` (PNG, JPEG, PDF or SVG by its suffix)."""
    figure = scene_picture(data, scene, index, paint, limits, camera)
    file.parent.mkdir(parents=True, exist_ok=True)
    with house_style():
        figure.savefig(file, dpi=140)


def scene_picture(
    data: PlantData,
    scene: Scene,
    index: int,
    paint: Paint,
    limits: tuple[float, float],
    camera: str | None = None,
) -> Figure:
    """Return the picture of a scene at a time stamp as a figure."""
    image, preset = render_scene(scene, index, paint, limits, camera)
    with house_style():
        figure = Figure(figsize=(12.2, 7.6))
        FigureCanvasAgg(figure)
        left = figure.add_axes((0.015, 0.225, 0.80, 0.70))
        _draw_image(left, image, scene.compass(), preset)
        bar = figure.add_axes((0.868, 0.335, 0.014, 0.50))
        counts = figure.add_axes((0.884, 0.335, 0.075, 0.50))
        _draw_scale(figure, bar, counts, scene.shown_values(), paint, limits, scene.sample)
        strip = figure.add_axes((0.06, 0.07, 0.90, 0.105))
        center = getattr(scene, "center", None)
        _draw_strip(strip, data, paint, index, center)
        _write_title(figure, data, scene, paint, index)
    return figure


def _draw_image(
    axis: Axes, image: NDArray[np.uint8], compass: Mapping[str, Floats], preset: CameraPreset
) -> None:
    height, width = image.shape[:2]
    axis.imshow(image, extent=(0, width / height, 0, 1), aspect="equal", interpolation="lanczos")
    axis.set_axis_off()
    axis.set_anchor("W")
    right, up = screen_axes(preset.view, preset.up)
    draw_compass(axis, {name: (float(v @ right), float(v @ up)) for name, v in compass.items()}, (0.17, 0.2))


def draw_compass(
    axis: Axes, directions: Mapping[str, tuple[float, float]], place: tuple[float, float]
) -> None:
    """Draw named arrows from `place`; each direction is (to the right, upwards) on the screen."""
    x, y = place
    length = 0.09
    for name, (right, up) in directions.items():
        tip = (x + length * right, y + length * up)
        colour = COMPASS_COLOURS.get(name, "white")
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.8}
        axis.annotate("", tip, (x, y), arrowprops=arrow)
        beyond = 0.035 / max(float(np.hypot(right, up)), 0.3)
        axis.text(tip[0] + beyond * right, tip[1] + beyond * up, name, color=colour, fontsize=9.5, ha="center",
                  va="center")  # fmt: skip


def _draw_scale(
    figure: Figure,
    bar: Axes,
    counts: Axes,
    values: Floats,
    paint: Paint,
    limits: tuple[float, float],
    what: str,
) -> None:
    low, high = (float(paint.shown(np.array(value))) for value in limits)
    shown = paint.shown(values[np.isfinite(values)])
    below, above = bool((shown < low).any()), bool((shown > high).any())
    extend: Any = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[int(below), int(above)]
    figure.colorbar(ScalarMappable(Normalize(low, high), paint.colour_map), cax=bar, extend=extend)
    bar.yaxis.set_ticks_position("left")
    bar.text(
        -0.5, 1.05 if above else 1.02, f"[{paint.unit}]", transform=bar.transAxes, fontsize=10, ha="right"
    )
    edges = np.linspace(low, high, 41)
    number, _ = np.histogram(np.clip(shown, low, high), edges)
    counts.barh(0.5 * (edges[1:] + edges[:-1]), number, height=edges[1] - edges[0], color="#9aa7b5")
    counts.set_ylim(low, high)
    counts.set_yticks([])
    counts.set_xticks([])
    counts.grid(False)
    for spine in counts.spines.values():
        spine.set_visible(False)
    if shown.size:
        plural = "" if shown.size == 1 else "s"
        counts.set_title(f"{shown.size:,} {what}{plural}", fontsize=9, loc="left", fontweight="normal")
        counts.text(
            -0.2, -0.045, f"highest {shown.max():.2f}\nmean {shown.mean():.2f}\nlowest {shown.min():.2f}",
            transform=counts.transAxes, fontsize=9, va="top", ha="left",
        )  # fmt: skip


def _draw_strip(axis: Axes, data: PlantData, paint: Paint, index: int, center: int | None) -> None:
    factor, unit = time_scale(float(data.times[-1]))
    name = None if center is None else data.sub_centers[center]
    for number, (start, end) in enumerate(eclipse_spans(data.result, name)):
        label = (
            "eclipse" + ("" if center is not None else f" of {data.sub_centers[0]}") if number == 0 else None
        )
        axis.axvspan(start / factor, end / factor, color=ECLIPSE_COLOUR, alpha=0.6, linewidth=0, label=label)
    low, mean, high = (paint.shown(part) for part in spread_over_modules(data, paint.variable, center))
    time = data.times / factor
    axis.fill_between(time, low, high, color=SKY, alpha=0.4, linewidth=0, label="lowest to highest module")
    axis.plot(time, mean, color=BLUE, label="mean", linewidth=1.5)
    axis.axvline(float(time[index]), color=VERMILION, linewidth=1.6, label="this picture")
    axis.set_xlim(0.0, float(time[-1]))
    axis.set_xlabel(f"time since start [{unit}]")
    axis.set_ylabel(f"[{paint.unit}]")
    axis.set_title(name or "All modules", fontsize=10.5)
    axis.legend(loc="lower right", bbox_to_anchor=(1.0, 0.96), ncols=4, borderaxespad=0.2)


def spread_over_modules(
    data: PlantData, variable: str, center: int | None = None
) -> tuple[Floats, Floats, Floats]:
    """Return lowest, mean and highest module over time, of a sub-center or of all; each (time,), SI."""
    values = data.values(variable)
    chosen = values if center is None else values[:, center]
    present = data.present if center is None else data.present[center]
    flat = chosen[:, present].astype(np.float64)
    return flat.min(axis=1), flat.mean(axis=1), flat.max(axis=1)


def _write_title(figure: Figure, data: PlantData, scene: Scene, paint: Paint, index: int) -> None:
    title = f"{data.name}: {paint.label}"
    figure.text(0.015, 0.965, title, fontsize=15, fontweight="bold", va="center")
    notes = [f"{data.utc(index):%Y-%m-%d %H:%M:%S} UTC", scene.title, scene.note]
    figure.text(0.015, 0.938, " · ".join(notes), fontsize=9.5, color="#555555", va="center")
