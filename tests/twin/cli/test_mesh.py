"""`twin mesh` writes what ParaView opens and refuses bad input with exit code 2."""

import json
from pathlib import Path

import pytest
import pyvista

from twin.cli import main

CASE = Path(__file__).parents[3] / "cases" / "experimental-satellite.yaml"


def test_mesh_of_a_case(tmp_path, capsys):
    """One file per module class; regions, area and tube lines are those of the case."""
    from twin.case import Case

    assert main(["mesh", str(CASE), "--out", str(tmp_path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    for name, design in Case.load(CASE).module_classes.items():
        measures = report[name]["measures"]
        radiator = sum(value for region, value in measures.items() if region.startswith("radiator/"))
        array = sum(value for region, value in measures.items() if region.startswith("array-"))
        assert radiator == pytest.approx(design.radiator.panel_area)
        assert array == pytest.approx(design.solar_array.area)
        grid = pyvista.read(tmp_path / f"{name}.vtu")
        assert "radiator/panel-0/panel" in list(grid.field_data["region_names"])
        assert len(report[name]["line_lengths"]) >= design.radiator.panels


def test_text_and_bad_input(tmp_path, capsys):
    """The table names cells and angles; a missing file is bad input."""
    assert main(["mesh", str(CASE), "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "triangle cells" in printed
    assert "angles" in printed
    assert main(["mesh", str(tmp_path / "absent.msh")]) == 2
    assert "no mesh file" in capsys.readouterr().err
