"""Broken cases: one clear message per problem, at the right place."""

from __future__ import annotations

from pathlib import Path

import pytest

from twin.case import Case, CaseError
from twin.cli import main

FOLDER = Path(__file__).resolve().parents[2] / "broken_cases"
S = "module_classes.satellite"

# File: problems as (line, key, essential words).
EXPECTED: dict[str, list[tuple[int | None, str, tuple[str, ...]]]] = {
    "a-list": [(1, "", ("the file holds a list", "a mapping"))],
    "above-one": [(5, f"{S}.solar_array.packing_factor", ("'1.2' is out of range", "above 0 up to 1"))],
    "bad-choice": [
        (
            5,
            f"{S}.bus.eclipse_policy",
            ("'ridethrough'", "ride_through or shed", "did you mean 'ride_through'"),
        )
    ],
    "bad-date": [(3, "mission.start", ("'21 June 2026' is not a date", "2026-06-21T00:00:00Z"))],
    "bad-orientation": [(5, f"{S}.radiator.orientation", ("'edgeon'", "did you mean 'edge_on'"))],
    "battery-too-small": [
        (
            5,
            f"{S}.battery.energy",
            ("'2 kWh' is too small", "for 17.1 min", "at least 5.9 kWh", "eclipse_policy"),
        )
    ],
    "budget-too-small": [
        (6, "workload.jobs[0].power_per_card", ("'500 W' for 8 cards is 4 kW", "at most 375 W"))
    ],
    "card-step": [(3, "numerics.card_step", ("'3 s' does not divide thermal_step", "10 s"))],
    "circular-extends": [(2, "extends", ("goes in a circle",))],
    "circular-extends-back": [(1, "extends", ("goes in a circle",))],
    "coolant-boils": [
        (
            5,
            f"{S}.coolant_loop.pressure",
            ("'10 bar'", "supply_temperature '35 degC'", "boiling point of ammonia", "24.91 degC"),
        )
    ],
    "coolant-freezes": [(6, f"{S}.coolant_loop.supply_temperature", ("'-25 degC' is below", "-20.5 degC"))],
    "colon-in-value": [(2, "", ("not valid YAML", "description: phase 0: one satellite"))],
    "component-key": [(5, f"{S}.racks.card.idle_powr", ("unknown key", "did you mean 'idle_power'"))],
    "data-without-terminals": [
        (8, "workload.jobs[0].data_rate", ("'1 Gbit/s' cannot leave", "relay terminals"))
    ],
    "dose-unknown": [(3, "orbit.altitude", ("'1200 km', reliability needs the dose", "from 700 to 800 km"))],
    "discharged-at-start": [(5, f"{S}.battery.initial_state_of_charge", ("'0.5'", "at least 0.7"))],
    "duplicate-key": [(5, "mission.age", ("given twice", "the first is on line 3"))],
    "duplicate-names": [(7, "sub_centers[1].name", ("'satellite' is the name of two items",))],
    "empty": [(None, "", ("the file is empty",))],
    "extends-missing": [(2, "extends", ("is not a file", "did you mean 'experimental-satellite.yaml'"))],
    "fraction-of-a-card": [(5, f"{S}.racks.cards", ("'7.5' is not a whole number",))],
    "job-kind": [(5, "workload.jobs[1].kind", ("'trainning'", "did you mean 'training'"))],
    "job-too-large": [(5, "workload.jobs[0].cards", ("'9' is more cards than the plant has: 8",))],
    "latitude": [(4, "ground_stations[0].latitude", ("'139.5 deg' is out of range", "-90 deg to 90 deg"))],
    "many-problems": [
        (3, "mission.age", ("'3 km' is a length, not a duration",)),
        (5, "numerics.shadow", ("'round'", "conical or cylindrical")),
        (9, f"{S}.radiator.coating", ("no coating 'ors'", "did you mean 'osr'")),
        (10, f"{S}.radiator.colour", ("unknown key 'colour'",)),
    ],
    "misspelt-required": [(6, "workload.jobs[1].crads", ("unknown key", "did you mean 'cards'"))],
    "missing-sections": [
        (1, "mission", ("is missing",)),
        (1, "orbit", ("is missing",)),
        (1, "sub_centers", ("is missing",)),
        (1, "module_classes", ("is missing",)),
    ],
    "missing-trace": [(7, "workload.jobs[1].trace", ("'no-such-trace.csv' is not a file",))],
    "negative-age": [(3, "mission.age", ("'-1 yr' is out of range", "at least 0 s"))],
    "no-discharge": [
        (5, f"{S}.battery.depth_of_discharge_limit", ("'0' is out of range", "above 0 up to 1"))
    ],
    "no-unit": [(3, "numerics.thermal_step", ("'10' has no unit", "write 10 s"))],
    "not-a-mapping": [(4, f"{S}.radiator", ("'5 m2' is not a mapping", "panels, width"))],
    "not-utf8": [(1, "", ("byte 0xe9 is not UTF-8",))],
    "orbit-both": [(3, "orbit", ("gives altitude and tle", "'tle: null'"))],
    "orbit-neither": [(3, "orbit", ("says nothing of the orbit", "altitude with ltan, tle, omm"))],
    "orbit-without-ltan": [(2, "orbit.ltan", ("is missing", "write ltan: 18:00"))],
    "rate-of-failures": [
        (3, "reliability.random_failures", ("'11 %' is dimensionless", "write for example 11 %/yr"))
    ],
    "relay-out-of-reach": [
        (5, f"{S}.relay.terminal", ("reaches 8000 km", "35786 km", "laser-geostationary"))
    ],
    "shielding-too-thin": [(3, "reliability.shielding", ("'0.1 mm' is out of range", "from 1 mm to 10 mm"))],
    "syntax": [(4, "", ("not valid YAML", "expected ',' or ']'"))],
    "tab": [(3, "", ("a tab is used for indentation", "two spaces"))],
    "tle-checksum": [(5, "orbit.tle[1]", ("has the checksum 4", "expected 3"))],
    "too-many-cards": [(5, f"{S}.racks.cards", ("'16' is more than the racks hold", "at most 8 cards"))],
    "tubes-wider-than-panel": [(6, f"{S}.radiator.tubes.count", ("200 tubes of 10 mm", "fewer than 160"))],
    "unknown-component": [(5, f"{S}.racks.card", ("no card 'h10-sxm'", "did you mean 'h100-sxm'"))],
    "unknown-key": [(3, "numerics.thermal_stepp", ("unknown key", "did you mean 'thermal_step'"))],
    "unknown-module-class": [
        (5, "sub_centers[0].modules[1].class", ("'satelite'", "did you mean 'satellite'"))
    ],
    "unknown-section": [(2, "workloads", ("unknown key", "did you mean 'workload'"))],
    "unknown-sub-center": [
        (5, "workload.jobs[0].sub_center", ("'satelite' is not a sub-center", "did you mean 'satellite'"))
    ],
    "unknown-unit": [
        (5, f"{S}.coolant_loop.supply_temperature", ("'60 C' has an unknown unit 'C'", "write 60 degC"))
    ],
    "wrong-dimension": [(5, f"{S}.radiator.width", ("'3 kg' is a mass, not a length",))],
}


def test_every_broken_case_is_expected() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_problems_have_file_line_key_and_words(name: str) -> None:
    path = FOLDER / f"{name}.yaml"
    with pytest.raises(CaseError) as caught:
        Case.load(path)
    problems = caught.value.problems
    assert [(problem.line, problem.key) for problem in problems] == [
        (line, key) for line, key, _ in EXPECTED[name]
    ]
    for problem, (_, _, words) in zip(problems, EXPECTED[name], strict=True):
        # A circle is told in the file that closes it.
        assert Path(problem.file).name == path.name or name.startswith("circular")
        text = str(problem) if problem is not caught.value else f"{problem.place}: {problem.message}"
        for word in words:
            assert word in text, text
        assert "\n" not in problem.message


@pytest.mark.parametrize("name", EXPECTED)
def test_command_line_prints_one_line_each_and_exits_2(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(FOLDER / f"{name}.yaml")]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.strip().splitlines()
    count = len(EXPECTED[name])
    assert len(lines) == count + (1 if count > 1 else 0)
    assert "Traceback" not in printed.err


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    (tmp_path / "satellite.yaml").write_text("name: x\n", encoding="utf-8")
    with pytest.raises(CaseError, match="no such file") as caught:
        Case.load(tmp_path / "satelite.yaml")
    assert "satellite.yaml" in caught.value.hint
    with pytest.raises(CaseError, match="this is a folder") as caught:
        Case.load(tmp_path)
    assert "satellite.yaml" in caught.value.hint
    with pytest.raises(CaseError, match="no such file") as caught:
        Case.load(tmp_path / "nowhere" / "case.yaml")
    assert "does not exist" in caught.value.hint
