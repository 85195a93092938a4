"""The set of pictures that goes with a result: time plots and scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from viz.compose import save_scene_picture
from viz.fields import field_names
from viz.paints import Paint
from viz.picture import save_module_picture
from viz.plant_data import PlantData
from viz.plots import write_plots
from viz.scenes import Choice, make_scene, usual_paint


def write_pictures(path: Path, folder: Path, sub_center: str | None = None) -> list[Path]:
    """Write time plots as PNG and SVG, and the scenes that say something about this result as PNG.

    Parameters
    ----------
    path : Path
        The result, or the run folder.
    folder : Path
        Where the files go; made when missing.
    sub_center : str, optional
        Name of the sub-center to plot; the plant unless given.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    BadInput
        The result cannot be opened.
    """
    data = PlantData.open(path)
    files = write_plots(data.result, folder, sub_center)
    index = hottest_index(data)
    for name in scenes_worth_showing(data):
        files.append(folder / f"{name}.png")
        choice = Choice(name, hottest_module(data, index)[0])
        save_choice(data, choice, files[-1], index, usual_paint(data, name))
    if field_names(path):
        files.append(folder / "module.png")
        save_module_picture(path, files[-1], float(data.times[-1]))
    return files


def scenes_worth_showing(data: PlantData) -> list[str]:
    """Return the scenes beside the module: none for a single satellite."""
    modules = int(data.present.sum())
    if modules == 1:
        return []
    several = bool((data.present.sum(axis=1) > 1).any())
    return ["plant", "sub_center", "cards"] if several else ["plant"]


def save_choice(
    data: PlantData, choice: Choice, file: Path, index: int, paint: Paint, camera: str | None = None
) -> None:
    """Write the picture of a choice at a time stamp; the colours span the whole run."""
    scene = make_scene(data, choice)
    save_scene_picture(data, scene, file, index, paint, scene.limits(paint), camera)


def hottest_index(data: PlantData) -> int:
    """Return the time stamp of the hottest panel in the second half of the run, whose start is a guess."""
    variable = "panel_temperature_max"
    if variable not in {paint.variable for paint in data.paints}:
        return data.times.size - 1
    half = data.times.size // 2
    later = data.values(variable)[half:, data.present]
    return half + int(later.max(axis=1).argmax())


def hottest_module(data: PlantData, index: int) -> tuple[int, int]:
    """Return sub-center and module of the hottest panel at a time stamp."""
    variable = "panel_temperature_max"
    if variable not in {paint.variable for paint in data.paints}:
        return 0, 0
    values = data.values_at(variable, index)
    center, module = np.unravel_index(int(np.nanargmax(values)), values.shape)
    return int(center), int(module)
