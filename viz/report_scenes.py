"""The pictures of the report: scenes of the run, and the sizing beside it."""

from __future__ import annotations

import base64
from html import escape
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from twin.results import locate_result
from viz.fields import field_names
from viz.picture import save_module_picture
from viz.pictures import hottest_index, hottest_module, save_choice, scenes_worth_showing
from viz.plant_data import PlantData
from viz.scenes import Choice

WIDTH = 1500
"""Pixels of a picture in the page: sharp in print, small in the file."""

COLOURED_BY = {
    "plant": "panel_temperature_mean",
    "sub_center": "panel_temperature_max",
    "cards": "junction_temperature_max",
}
"""What the scenes of a report show, where the result has it."""

CAPTIONS = {
    "plant": "The plant when a radiator is hottest: one square per module, outwards of its place on the orbit.",
    "sub_center": "The sub-center with the hottest radiator panel, at that moment.",
    "cards": "The hottest card of every module at that moment.",
}


def scene_section(path: Path) -> str:
    """Return the scenes at the hottest moment of the panels as HTML, empty when there is nothing to see.

    Parameters
    ----------
    path : Path
        The result, or the run folder.
    """
    data = PlantData.open(path)
    index = hottest_index(data)
    center, module = hottest_module(data, index)
    known = {paint.variable for paint in data.paints}
    blocks = []
    with TemporaryDirectory() as folder:
        file = Path(folder) / "scene.png"
        for name in scenes_worth_showing(data):
            if COLOURED_BY[name] in known:
                save_choice(data, Choice(name, center, module), file, index, data.paint(COLOURED_BY[name]))
                blocks.append(_figure(file, f"{name} coloured by {COLOURED_BY[name]}", CAPTIONS[name]))
        if field_names(path):
            save_module_picture(path, file, float(data.times[index]))
            caption = (
                "Finite element field nearest to that moment; Earth, Sun and orientation are those of then."
            )
            blocks.append(_figure(file, "Module coloured by radiator panel temperature", caption))
    return f"<h2>At the hottest moment</h2>{''.join(blocks)}" if blocks else ""


def sizing_beside(path: Path) -> str:
    """Return the section about the ``sizing.zarr`` beside a result, empty when there is none."""
    from viz.sizing_plots import sizing_section

    folder = locate_result(path).parent
    # A sizing of the same case: in the folder of the run, or in the one that `twin size` takes beside it.
    return sizing_section(folder) or sizing_section(folder.with_name(f"{folder.name}-size"))


def _figure(file: Path, words: str, caption: str) -> str:
    with Image.open(file) as picture:
        height = round(picture.height * WIDTH / picture.width)
        small = picture.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
    stream = BytesIO()
    small.save(stream, "webp", quality=88, method=4)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    return (
        f'<figure><img alt="{escape(words)}" src="data:image/webp;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
