from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import xarray as xr
from matplotlib.image import imread

from viz.curves import PLOT_BY_NAME, PLOTS
from viz.plots import draw, write_plots


@pytest.fixture(scope="module")
def folder(result: xr.DataTree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("pictures")
    write_plots(result, target)
    return target


def test_every_plot_is_written_twice(folder: Path) -> None:
    names = {plot.name for plot in PLOTS} | {"overview"}
    assert {file.name for file in folder.iterdir()} == {
        f"{n}.{kind}" for n in names for kind in ("png", "svg")
    }


@pytest.mark.parametrize("name", [plot.name for plot in PLOTS])
def test_pictures_say_what_they_show(folder: Path, name: str) -> None:
    words = " ".join(ElementTree.parse(folder / f"{name}.svg").getroot().itertext())
    plot = PLOT_BY_NAME[name]
    assert plot.title in words and "eclipse" in words
    assert "time since 2026-11-10 12:00 UTC [h]" in words
    unit = {"power": "[kW]", "temperature": "[°C]", "share": "[%]", "residual": "residual"}[plot.quantity]
    assert unit in words
    image = imread(folder / f"{name}.png")
    assert image.shape[0] > 300 and image.std() > 0.02, "an empty picture"


def test_lines_are_the_numbers_of_the_result(result: xr.DataTree) -> None:
    axis = draw(result, [PLOT_BY_NAME["power_balance"]]).axes[0]
    lines = {line.get_label(): line for line in axis.get_lines()}
    load = lines["load"]
    np.testing.assert_allclose(np.asarray(load.get_ydata())[1:] * 1e3, result["plant/load_power"], rtol=1e-6)
    assert np.asarray(load.get_xdata())[0] == 0.0
    assert np.asarray(load.get_xdata())[-1] == pytest.approx(898 * 20.0 / 3600.0)
    assert load.get_drawstyle() == "steps-pre"  # a mean over the tick that ends at the stamp


def test_utc_axis(result: xr.DataTree) -> None:
    figure = draw(result, [PLOT_BY_NAME["battery_charge"]], "Aurora", "utc")
    figure.canvas.draw()
    assert figure.axes[0].get_xlabel() == "time [UTC]"
    assert "13:00" in [label.get_text() for label in figure.axes[0].get_xticklabels()]


def test_the_same_result_gives_the_same_file(result: xr.DataTree, folder: Path, tmp_path: Path) -> None:
    write_plots(result, tmp_path)
    for name in ("overview.svg", "overview.png"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
