"""Plots of a year of an orbit, from small made-up data: they check pictures, never physics."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import xarray as xr
from matplotlib.image import imread

from viz.orbit_plots import write_orbit_plots

NAMES = ("beta_angle", "eclipse_duration", "face_fluxes_year", "face_fluxes_orbit")
FACES = ["radiator front", "array front", "body nadir", "body ram"]


def _year(eclipses: int) -> xr.Dataset:
    days = np.datetime64("2027-01-01", "ms") + np.arange(0, 365, 5).astype("timedelta64[D]")
    phase = np.linspace(0.0, 2.0 * np.pi, days.size)
    dark = np.datetime64("2027-05-15", "ms") + np.arange(eclipses) * np.timedelta64(100, "m")
    length = 1000.0 * np.sin(np.linspace(0.0, np.pi, eclipses))
    shape = (days.size, len(FACES))
    seasons = [np.datetime64("2027-05-15", "ms")] if eclipses else []
    return xr.Dataset(
        {
            "beta_angle": ("time", 1.2 + 0.2 * np.cos(phase)),
            "solar_flux": (("flux_time", "face"), np.full(shape, 1300.0)),
            "albedo_flux": (("flux_time", "face"), np.full(shape, 12.0)),
            "earth_infrared_flux": (("flux_time", "face"), np.full(shape, 54.0)),
            "eclipse_duration": ("eclipse_time", length),
            "umbra_duration": ("eclipse_time", np.maximum(length - 60.0, 0.0)),
            "season_start": ("season", np.array(seasons, dtype="datetime64[ms]")),
            "season_end": ("season", np.array(seasons, dtype="datetime64[ms]") + np.timedelta64(80, "D")),
        },
        coords={"time": days, "flux_time": days, "face": FACES, "eclipse_time": dark},
        attrs={"case_name": "made up", "year": 2027, "critical_beta_angle": 1.1},
    )


def _revolutions() -> xr.Dataset:
    elapsed = np.linspace(0.0, 6000.0, 61)
    light = np.stack([np.where(abs(elapsed - 3000.0) < 500.0, 0.0, 1.0), np.ones(61)])
    shape = (2, 61, len(FACES))
    dims = ("day", "elapsed", "face")
    return xr.Dataset(
        {
            "solar_flux": (dims, 1300.0 * np.broadcast_to(light[..., None], shape)),
            "albedo_flux": (dims, np.full(shape, 12.0)),
            "earth_infrared_flux": (dims, np.full(shape, 54.0)),
            "illuminated_fraction": (dims[:2], light),
        },
        coords={"day": ["first day", "second day"], "elapsed": elapsed, "face": FACES},
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("orbit")
    write_orbit_plots(_year(1100), _revolutions(), target)
    return target


def _words(file: Path) -> str:
    return " ".join(ElementTree.parse(file).getroot().itertext())


def test_files(folder: Path) -> None:
    assert {file.name for file in folder.iterdir()} == {
        f"{n}.{kind}" for n in NAMES for kind in ("png", "svg")
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "beta_angle",
            ["beta angle [°]", "time [UTC]", "critical beta ±63.0°", "eclipse season", "made up · 2027"],
        ),
        ("eclipse_duration", ["duration [min]", "umbra and penumbra", "Jul"]),
        ("face_fluxes_year", [*FACES, "[W/m²]", "direct sunlight", "Earth infrared", "eclipse season"]),
        (
            "face_fluxes_orbit",
            [*FACES, "first day", "second day", "time within one revolution [min]", "eclipse"],
        ),
    ],
)
def test_pictures_say_what_they_show(folder: Path, name: str, expected: list[str]) -> None:
    words = _words(folder / f"{name}.svg")
    assert [word for word in expected if word not in words] == []
    image = imread(folder / f"{name}.png")
    assert image.shape[0] > 300 and image.std() > 0.02, "an empty picture"


def test_a_year_without_eclipses(tmp_path: Path) -> None:
    write_orbit_plots(_year(0), _revolutions(), tmp_path)
    assert "no eclipse in this year" in _words(tmp_path / "eclipse_duration.svg")
    assert "eclipse season" not in _words(tmp_path / "beta_angle.svg")


def test_the_same_year_gives_the_same_file(folder: Path, tmp_path: Path) -> None:
    write_orbit_plots(_year(1100), _revolutions(), tmp_path)
    for name in NAMES:
        assert (tmp_path / f"{name}.svg").read_bytes() == (folder / f"{name}.svg").read_bytes()
