"""The pictures of the report: scenes of the run, and the sizing beside it."""

from __future__ import annotations

import base64
from html import escape
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import xarray as xr
from PIL import Image

from twin.results import locate_result
from viz.card_maps import SHARES, CardMaps
from viz.fields import field_names
from viz.picture import save_module_picture
from viz.pictures import hottest_index, hottest_module, save_choice, scenes_worth_showing
from viz.plant_data import PlantData
from viz.report_throttling import result_has_causes, throttled_places, throttling_section
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
    if not blocks:
        return ""
    # The heading stays with its first picture when the page is printed.
    return f"<div class='keep'><h2>At the hottest moment</h2>{blocks[0]}</div>{''.join(blocks[1:])}"


def throttling_words(result: xr.DataTree) -> str:
    """Return the section about what held the cards back without pictures, empty when the result does not say."""
    if not result_has_causes(result):
        return ""
    data = PlantData(result)
    return throttling_section(data, throttled_places(data))


def throttling_beside(path: Path) -> str:
    """Return the section about what held the cards back with maps of the worst moment.

    The modules at the moment that the first cause was worst, and down to the racks and cards of the worst module
    where the run left maps of them.
    """
    data = PlantData.open(path)
    if not result_has_causes(data.result):
        return ""
    places = throttled_places(data)
    if not places:
        return throttling_section(data, places)
    worst = places[0]
    center, paint = data.sub_centers.index(worst.sub_center), data.paint(worst.variable)
    blocks = []
    with TemporaryDirectory() as folder:
        file = Path(folder) / "scene.png"
        if "cards" in scenes_worth_showing(data):
            save_choice(data, Choice("cards"), file, worst.peak, paint)
            caption = f"{paint.label}: every module at the moment that it was worst in {worst.sub_center}."
            blocks.append(_figure(file, f"cards coloured by {worst.variable}", caption))
        if "racks" in data.scenes and worst.variable in SHARES:
            save_choice(data, Choice("racks", center, worst.worst), file, kept_index(data, worst.peak), paint)
            caption = (
                f"Inside module {worst.worst} of {worst.sub_center}, the worst one, at the nearest moment that the "
                "run kept: a block for every rack in the order in which the coolant passes, a square for every card."
            )
            blocks.append(_figure(file, f"racks coloured by {worst.variable}", caption))
    return throttling_section(data, places, "".join(blocks))


def kept_index(data: PlantData, index: int) -> int:
    """Return the time stamp nearest to `index` at which the run kept every card."""
    assert data.path is not None
    times = np.array(CardMaps(data.path).card_times)
    return data.index_at(float(times[np.abs(times - data.times[index]).argmin()]))


def sizing_beside(path: Path) -> str:
    """Return the section about the ``sizing.zarr`` beside a result, empty when there is none."""
    from viz.sizing_section import sizing_section

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
