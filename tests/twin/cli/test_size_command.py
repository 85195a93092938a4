"""`twin size` and `twin sweep` from the command line."""

import json
import sys
from functools import partial
from pathlib import Path

import pytest

from twin import sweep as sweep_module
from twin.cli import main

CASE = str(Path(__file__).parents[3] / "cases" / "experimental-satellite.yaml")

COARSE = [
    word
    for setting in (
        "module_classes.satellite.radiator.mesh_size=0.8 m",
        "module_classes.satellite.radiator.tubes.count=4",
        "numerics.exchange=none",
        "sizing.step=60 s",
        "sizing.card_step=2 s",
        "sizing.cards=16",
        "sizing.days=4",
        "sizing.ages=[5 yr]",
    )
    for word in ("--set", setting)
]


@pytest.fixture
def small_training(monkeypatch):
    pytest.importorskip("dolfinx")
    from solvers.reduced_training import ReductionSettings
    from twin.reduced_training import TrainingSettings
    from twin.sizing import Panels

    settings = TrainingSettings(
        relative_flow=(0.5, 2.0),
        least_runs=8,
        most_runs=10,
        passes=1,
        tolerance=0.5,
        orbit=1500.0,
        segments=3,
    )
    small = partial(
        Panels, settings, reduction=ReductionSettings(regimes=3, most_modes=16, creeping_modes=16)
    )
    # The package's attribute of that name is the function.
    monkeypatch.setattr(sys.modules["twin.sizing.size"], "Panels", small)


def test_size_prints_areas_and_leaves_a_dataset(small_training, tmp_path, capsys):
    arguments = ["size", CASE, "--samples", "0", "--no-studies", "--workers", "0", "--json", "--no-pictures"]
    assert main([*arguments, "--out", str(tmp_path), *COARSE]) == 0
    printed = json.loads(capsys.readouterr().out)
    (row,) = printed["areas"]
    assert row["binding"] == "junction temperature"
    assert 4.0 < row["needed"] < row["design"] == pytest.approx(9.6)
    assert row["required"] == pytest.approx(1.25 * row["needed"], rel=5e-3)
    assert (tmp_path / "sizing.zarr" / "zarr.json").is_file()


@pytest.mark.slow
def test_pictures_and_section_of_the_report(small_training, tmp_path, capsys):
    from viz.sizing_section import sizing_section

    arguments = ["size", CASE, "--samples", "0", "--no-studies", "--workers", "0"]
    assert main([*arguments, "--out", str(tmp_path), *COARSE]) == 0
    assert "radiator area in m²" in capsys.readouterr().out
    assert (tmp_path / "pictures" / "sizing-search.png").stat().st_size > 5000
    section = sizing_section(tmp_path)
    assert "Radiator sizing" in section and "data:image/png" in section
    assert sizing_section(tmp_path / "nowhere") == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["size", CASE, "--method", "dice"], "expected sobol or lhs"),
        (["size", CASE, "--set", "sizing.margin={policy: none, heat_load: 0.1}"], "policy: own"),
        (["size", CASE, "--set", "sizing.uncertainty={emisivity: {deviation: 0.02}}"], "emissivity"),
        (["sweep", CASE, "--vary", "mission.age"], "expected KEY="),
        (["sweep", CASE, "--vary", "mission.age=0:1:2 yr", "--measure", "wish"], "expected run or size"),
    ],
)
def test_bad_input(arguments, message, capsys):
    assert main([*arguments, "--workers", "0"]) == 2
    assert message in capsys.readouterr().err


def test_sweep_prints_a_table(monkeypatch, tmp_path, capsys):
    def figures(path, overrides, measure, folder, keep):
        age = float(overrides[-1].split("=")[1].split()[0])
        if age > 1.5:
            raise ValueError("too old")
        return {
            "radiator_area": {
                "units": "m2",
                "long_name": "area",
                "plant": 9.6 + age,
                "sub_center": {"satellite": 9.6},
            }
        }

    monkeypatch.setattr(sweep_module, "measure_variant", figures)
    arguments = ["sweep", CASE, "--vary", "mission.age=0:2:3 yr", "--workers", "0", "--json"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    out = capsys.readouterr()
    rows = json.loads(out.out)
    assert [row["radiator_area [m2]"] for row in rows] == [9.6, 10.6, None]
    assert rows[2]["error"].startswith("ValueError: too old")
    assert "1 of 3 variants failed" in out.err
