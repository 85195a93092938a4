"""`twin orbit` prints the reference figures, writes its plots and refuses bad input."""

import contextlib
import io
import json
from pathlib import Path

import pytest

from twin.cli import main

CASE = str(Path(__file__).parents[3] / "cases" / "experimental-satellite.yaml")
SUN_SYNCHRONOUS = [
    "--set",
    "orbit.tle=null",
    "--set",
    "orbit.altitude=750 km",
    "--set",
    "orbit.ltan=18:00",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("orbit")
    arguments = ["orbit", CASE, "--out", str(folder), "--json", *SUN_SYNCHRONOUS]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(arguments) == 0
    return json.loads(printed.getvalue()), folder


def test_figures_of_the_reference_table(run):
    """Reference table of the project, 750 km, LTAN 18: inclination, period, beta, season, dark hours."""
    report, _ = run
    orbit = report["orbit"]
    assert orbit["inclination [°]"] == pytest.approx(98.39, abs=0.006)
    assert orbit["period [min]"] == pytest.approx(99.82, abs=0.006)
    assert orbit["smallest beta [°]"] == pytest.approx(58.2, abs=0.06)
    assert orbit["largest beta [°]"] == pytest.approx(86.9, abs=0.06)
    assert orbit["critical beta [°]"] == pytest.approx(63.48, abs=0.006)
    seasons = {season["shadow"]: season for season in report["eclipse_seasons"]}
    cylinder, cone = seasons["cylindrical"], seasons["conical"]
    assert cylinder["from"].startswith("2026-05-12")
    assert cylinder["to"].startswith("2026-07-31")
    assert cylinder["dark in the year [h]"] == pytest.approx(276.0, abs=1.0)
    assert cylinder["longest [min]"] == pytest.approx(17.83, abs=0.035)
    assert (cone["umbra [min]"], cone["longest [min]"]) == pytest.approx((17.37, 18.29), abs=0.035)


def test_faces_have_the_fluxes_of_their_orientation(run):
    """An edge-on radiator has no sun and 0.2255 of the Earth; the tracking array has the sun."""
    faces = {face["face"]: face for face in run[0]["faces"]}
    radiator, array = faces["radiator front"], faces["array front"]
    assert radiator["sun [W/m²]"] == 0.0
    assert radiator["Earth infrared [W/m²]"] == pytest.approx(0.2255 * 240.0, abs=0.01)
    assert array["sun [W/m²]"] == pytest.approx(1361.0 * (1.0 - 291.0 / 8760.0), rel=0.005)
    assert array["coldest day [W/m²]"] < array["mean [W/m²]"] < array["largest [W/m²]"]


def test_plots_are_written(run):
    """Four plots as PNG and SVG, with units on their axes."""
    report, folder = run
    names = ("beta_angle", "eclipse_duration", "face_fluxes_orbit", "face_fluxes_year")
    files = sorted(file.name for file in (folder / "orbit").iterdir())
    assert files == [f"{name}{suffix}" for name in names for suffix in (".png", ".svg")]
    assert sorted(Path(file).name for file in report["files"]) == files
    words = {name: (folder / "orbit" / f"{name}.svg").read_text(encoding="utf-8") for name in names}
    assert "beta angle [°]" in words["beta_angle"]
    assert "eclipse season" in words["beta_angle"]
    assert "duration [min]" in words["eclipse_duration"]
    assert "[W/m²]" in words["face_fluxes_year"]
    assert "radiator front" in words["face_fluxes_orbit"]


def test_tables_of_real_elements(tmp_path, capsys):
    """The shipped case: RADARSAT-2 at 18:00 local time; the age of its elements is told."""
    assert main(["orbit", CASE, "--out", str(tmp_path), "--year", "2027"]) == 0
    printed = capsys.readouterr().out
    assert "orbit in 2027" in printed
    assert "17:5" in printed or "18:0" in printed
    assert "most days from their epoch" in printed


def test_a_year_out_of_range_is_bad_input(tmp_path, capsys):
    """Exit code 2 and the range."""
    assert main(["orbit", CASE, "--out", str(tmp_path), "--year", "3000"]) == 2
    assert "1960 to 2099" in capsys.readouterr().err
