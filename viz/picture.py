"""The picture of a module: the scene, the panel seen from the front, and where in time it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.tri import Triangulation

from twin.results import elapsed_seconds, open_result, resolved_case
from viz.curves import BLUE, ECLIPSE_COLOUR, KELVIN_AT_ZERO_CELSIUS, SKY, VERMILION, eclipse_spans, time_scale
from viz.fields import PanelField
from viz.plots import celsius_to_kelvin, house_style, kelvin_to_celsius
from viz.scene import COLOUR_MAP, ModuleScene, Rendering, load_scene, render

COMPASS_COLOURS = {"Sun": "#ffd54a", "Earth": "#8cc4f5", "velocity": "#d5dbe3"}


def save_module_picture(path: Path, file: Path, time: float, name: str | None = None) -> None:
    """Write the picture of the module of `path` at `time` [s since start] to `file`.

    Parameters
    ----------
    path : Path
        The result, or the run folder.
    file : Path
        PNG, JPEG, PDF or SVG by its suffix.
    time : float
        Time wanted [s since start]; the nearest field is shown and its time is written.
    name : str, optional
        Which field, when the run left several.

    Raises
    ------
    BadInput
        The result cannot be opened or has no fields.
    """
    figure = module_picture(path, time, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    with house_style():
        figure.savefig(file, dpi=140)


def module_picture(path: Path, time: float, name: str | None = None) -> Figure:
    """Return the picture of a module as a figure; see `save_module_picture`."""
    scene = load_scene(path, time, name)
    result = open_result(path)
    low, high = _limits(scene.field)
    rendering = render(scene, (low, high))
    with house_style():
        figure = Figure(figsize=(12.2, 7.6))
        FigureCanvasAgg(figure)
        left = figure.add_axes((0.015, 0.265, 0.64, 0.65))
        flat = figure.add_axes((0.70, 0.405, 0.16, 0.455))
        bar = figure.add_axes((0.925, 0.405, 0.013, 0.455))
        strip = figure.add_axes((0.06, 0.07, 0.90, 0.145))
        _draw_scene(left, rendering, scene)
        _draw_panel(flat, scene.field, low, high)
        _draw_bar(figure, bar, low, high)
        _draw_strip(strip, result, scene)
        _write_title(figure, result, scene)
    return figure


def _limits(field: PanelField) -> tuple[float, float]:
    low, high = float(field.temperature.min()), float(field.temperature.max())
    # A uniform panel must not fill the whole colour map with rounding.
    middle, half = 0.5 * (low + high), max(0.5 * (high - low), 0.05)
    return middle - half, middle + half


def _draw_scene(axis: Axes, rendering: Rendering, scene: ModuleScene) -> None:
    height, width = rendering.image.shape[:2]
    axis.imshow(rendering.image, extent=(0, width / height, 0, 1), aspect="equal", interpolation="lanczos")
    axis.set_axis_off()
    axis.set_anchor("W")
    x, y, length = 0.17, 0.19, 0.105
    for name, (right, up, _) in rendering.compass.items():
        tip = (x + length * right, y + length * up)
        colour = COMPASS_COLOURS[name]
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.8}
        axis.annotate("", tip, (x, y), arrowprops=arrow)
        beyond = 0.035 / max(float(np.hypot(right, up)), 0.3)
        axis.text(
            tip[0] + beyond * right,
            tip[1] + beyond * up,
            name,
            color=colour,
            fontsize=9.5,
            ha="center",
            va="center",
        )
    state = scene.sky.illuminated_fraction
    words = (
        "in sunlight"
        if state > 1 - 1e-6
        else "in eclipse"
        if state < 1e-6
        else f"penumbra, {100 * state:.0f} % Sun"
    )
    axis.text(0.015, 0.965, words, color="white", fontsize=10.5, va="top")


def _draw_panel(axis: Axes, field: PanelField, low: float, high: float) -> None:
    """Draw the panel with the hottest point from the front."""
    count = len(field.pieces)
    number = max(range(count), key=lambda k: float(field.pieces[k][1].temperature.max()))
    field = field.pieces[number][1]
    x, y = (field.points - field.points.min(axis=0))[:, :2].T
    mesh = Triangulation(x, y, field.triangles)
    axis.tripcolor(
        mesh, field.temperature, shading="gouraud", cmap=COLOUR_MAP, vmin=low, vmax=high, rasterized=True
    )
    marks = ((field.temperature.argmax(), "^", "hottest"), (field.temperature.argmin(), "v", "coldest"))
    for index, marker, label in marks:
        axis.plot(
            x[index], y[index], marker, markersize=8, markerfacecolor="white", markeredgecolor="black",
            clip_on=False, linestyle="none", zorder=5, label=f"{label} {field.temperature[index]:.1f} K",
        )  # fmt: skip
    axis.margins(0.0)
    axis.set_aspect("equal")
    axis.grid(False)
    axis.set_xlabel("width [m]")
    axis.set_ylabel("height [m]")
    title = "Panel, front view" if count == 1 else f"Panel {number + 1} of {count}, front view"
    axis.set_title(title, fontsize=10.5)
    figure = axis.get_figure()
    assert figure is not None
    figure.legend(
        *axis.get_legend_handles_labels(), loc="upper center", bbox_to_anchor=(0.78, 0.345), fontsize=9
    )


def _draw_bar(figure: Figure, axis: Axes, low: float, high: float) -> None:
    mappable = ScalarMappable(Normalize(low, high), COLOUR_MAP)
    figure.colorbar(mappable, cax=axis)
    axis.set_title("[K]", fontsize=9.5, loc="right", fontweight="normal")
    celsius = axis.secondary_yaxis("left", functions=(kelvin_to_celsius, celsius_to_kelvin))
    celsius.set_ylabel("panel temperature [°C]", labelpad=2)


def _draw_strip(axis: Axes, result: xr.DataTree, scene: ModuleScene) -> None:
    plant = result["plant"].to_dataset()
    time = elapsed_seconds(plant["time"], result)
    factor, unit = time_scale(float(time[-1]))
    for index, (start, end) in enumerate(eclipse_spans(result)):
        label = "eclipse" if index == 0 else None
        axis.axvspan(start / factor, end / factor, color=ECLIPSE_COLOUR, alpha=0.6, linewidth=0, label=label)
    curves = {
        name: np.asarray(plant[f"panel_temperature_{name}"], dtype=np.float64) - KELVIN_AT_ZERO_CELSIUS
        for name in ("min", "mean", "max")
        if f"panel_temperature_{name}" in plant
    }
    if {"min", "max"} <= curves.keys():
        axis.fill_between(
            time / factor,
            curves["min"],
            curves["max"],
            color=SKY,
            alpha=0.4,
            linewidth=0,
            label="coldest to hottest",
        )
    if "mean" in curves:
        axis.plot(time / factor, curves["mean"], color=BLUE, label="mean", linewidth=1.5)
    axis.axvline(scene.field.time / factor, color=VERMILION, linewidth=1.6, label="this picture")
    axis.set_xlim(0.0, float(time[-1]) / factor)
    axis.set_xlabel(f"time since start [{unit}]")
    axis.set_ylabel("[°C]")
    axis.set_title("Radiator panels of the plant", fontsize=10.5)
    axis.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=4, borderaxespad=0.2)


def _write_title(figure: Figure, result: xr.DataTree, scene: ModuleScene) -> None:
    start = np.datetime64(str(result.attrs["start"]).removesuffix("+00:00"), "ms")
    moment = str(start + np.timedelta64(round(1e3 * scene.field.time), "ms"))
    case = str(result.attrs.get("case_name", ""))
    figure.text(0.015, 0.965, f"{case}: radiator panel temperature" if case else "Radiator panel temperature",
                fontsize=15, fontweight="bold", va="center")  # fmt: skip
    count = len(scene.geometry.panels)
    notes = [f"{moment[:10]} {moment[11:19]} UTC", f"field “{scene.field.name}”"]
    if count > len(scene.field.pieces):
        notes.append(f"the module's {count} panels share one computed field")
    reduced = (resolved_case(result).get("numerics") or {}).get("thermal") == "reduced"
    notes.append("reduced model on its finite element mesh" if reduced else "finite elements")
    notes.append("arrangement of body and wings is schematic")
    figure.text(0.015, 0.935, " · ".join(notes), fontsize=9.5, color="#555555", va="center")
