"""Cases: what is shipped, built on, overridden, and that a case can be written and read again."""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from sgp4.api import Satrec, jday

from twin.case import Case, CaseError
from twin.case.consistency import compute_power, orbit_plane
from twin.case.eclipse import longest_eclipse, plane_from_ltan, plane_from_tle

CASES = Path(__file__).resolve().parents[3] / "cases"
SATELLITE = CASES / "experimental-satellite.yaml"
SHIPPED = sorted(CASES.glob("*.yaml"))


def written(folder: Path, text: str, name: str = "case.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_cases_are_valid_and_survive_writing_and_reading(path: Path) -> None:
    case = Case.load(path)
    resolved = json.loads(json.dumps(case.resolved(), allow_nan=False))
    again = Case.from_resolved(resolved)
    assert again.model_dump() == case.model_dump()
    assert again.resolved() == resolved


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_cases_point_editors_to_the_schema(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=schema.json\n")


def test_values_are_si_and_frozen() -> None:
    case = Case.load(SATELLITE)
    design = case.module_classes["satellite"]
    assert design.coolant_loop.supply_temperature == pytest.approx(308.15)
    assert design.battery.energy == pytest.approx(7 * 3.6e6)
    assert design.racks.card.nominal_clock == pytest.approx(1.98e9)
    assert design.solar_array.cell.efficiency == 0.298
    assert case.numerics.thermal_step == 10.0
    assert case.mission.start == datetime.fromisoformat("2026-06-21T00:00:00+00:00")
    assert case.card_count == 8
    assert case.module_count == 1
    assert case.duration(6000.0) == 18000.0
    with pytest.raises(ValidationError, match="frozen"):
        case.numerics.thermal_step = 5.0  # type: ignore[misc]


def test_orbit_of_the_satellite_is_real_and_dawn_dusk() -> None:
    """SGP4 takes the element set to a dawn-dusk orbit near 800 km, in shadow in June and not in February."""
    lines = Case.load(SATELLITE).orbit.tle
    assert lines is not None
    satellite = Satrec.twoline2rv(*lines)
    shadows = {}
    for month, day in ((2, 15), (6, 21)):
        start, fraction = jday(2026, month, day, 0, 0, 0.0)
        minutes = np.arange(0.0, 2.0 * 1440.0 / 14.2998, 0.1)
        error, position, velocity = satellite.sgp4_array(
            np.full(minutes.size, start), fraction + minutes / 1440.0
        )
        assert not error.any()
        radius = np.linalg.norm(position, axis=1)
        assert 700.0 < radius.mean() - 6378.137 < 800.0
        days = start + fraction - 2451545.0
        anomaly = math.radians(357.528 + 0.9856003 * days)
        longitude = math.radians(
            280.46 + 0.9856474 * days + 1.915 * math.sin(anomaly) + 0.02 * math.sin(2 * anomaly)
        )
        tilt = math.radians(23.439)
        sun = np.array(
            [math.cos(longitude), math.cos(tilt) * math.sin(longitude), math.sin(tilt) * math.sin(longitude)]
        )
        normal = np.cross(position[0], velocity[0])
        node = math.degrees(math.atan2(normal[0], -normal[1]))
        local_time = ((node - (280.46 + 0.9856474 * days)) / 15.0 + 12.0) % 24.0
        assert local_time == pytest.approx(18.0, abs=0.1)
        along = position @ sun
        dark = (along < 0.0) & (np.linalg.norm(position - along[:, None] * sun, axis=1) < 6378.137)
        shadows[month] = float(dark.sum()) * 0.1 / 2.0
    assert shadows[2] == 0.0
    plane = plane_from_tle(*lines)
    longest = longest_eclipse(plane, datetime.fromisoformat("2026-06-21T00:00:00+00:00"))
    assert shadows[6] == pytest.approx(longest / 60.0, abs=0.3)


@pytest.mark.parametrize(("altitude", "minutes"), [(700e3, 18.78), (750e3, 17.83), (800e3, 16.89)])
def test_longest_eclipse_of_a_year(altitude: float, minutes: float) -> None:
    """Longest cylindrical eclipse, node at 18 h: the table of reference-data.md section 2 (Vallado)."""
    start = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
    assert longest_eclipse(plane_from_ltan(altitude, 18.0, start), start) / 60.0 == pytest.approx(
        minutes, abs=0.05
    )


def test_sizes_of_the_satellite_follow_from_closed_forms() -> None:
    """Array, battery and radiator of the first case carry its load: the sums of its comments."""
    case = Case.load(SATELLITE)
    design = case.module_classes["satellite"]
    plane = orbit_plane(case)
    assert plane is not None
    shadow = longest_eclipse(plane, case.mission.start)
    load = compute_power(case, design) / 0.98 + design.bus.housekeeping_power + 100.0 + 100.0
    recharge = load * shadow / 0.97**2 / (plane.period - shadow)
    cell = design.solar_array.cell
    hot = cell.efficiency * (1.0 + cell.power_temperature_coefficient * (65.0 - 28.0))
    array = 1317.0 * hot * design.solar_array.packing_factor * 0.97 * 0.97 * 0.98 * design.solar_array.area
    assert array > 1.05 * (load + recharge)
    assert design.battery.energy * design.battery.depth_of_discharge_limit > load * shadow / 0.97
    rejected = 5.670374419e-8 * 0.80 * 0.93 * (313.0**4 - 176.0**4) * design.radiator.radiating_area
    assert 1.1 < rejected / (compute_power(case, design) + 200.0) < 1.6


def test_extends_merges_mappings_and_lists_by_name(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        f"""
extends: {SATELLITE}
name: changed
module_classes:
  satellite:
    racks:
      card: {{idle_power: 60 W}}
    body:
      faces:
        - {{name: zenith, area: 2 m2}}
        - {{name: top, area: 1 m2, coating: osr, orientation: [0, 0, -2]}}
    relay: null
workload:
  jobs:
    - {{name: training, cards: 4}}
    - {{name: service, kind: inference, cards: 4}}
""",
    )
    case, base = Case.load(path), Case.load(SATELLITE)
    design = case.module_classes["satellite"]
    assert design.racks.card.idle_power == 60.0
    assert design.racks.card.power_limit == 700.0
    assert [face.name for face in design.body.faces] == ["zenith", "nadir", "ram", "wake", "top"]
    assert design.body.faces[0].area == 2.0
    assert design.body.faces[0].coating == base.module_classes["satellite"].body.faces[0].coating
    assert design.body.faces[-1].orientation == (0.0, 0.0, -1.0)
    assert design.relay is None
    assert [job.cards for job in case.workload.jobs] == [4, 4]
    assert case.orbit == base.orbit


def test_an_item_of_another_kind_replaces_the_one_below_it_whole(tmp_path: Path) -> None:
    job = "{name: training, kind: batch, cards: 8, level: 0.7}"
    case = Case.load(written(tmp_path, f"extends: {SATELLITE}\nworkload: {{jobs: [{job}]}}\n"))
    assert [(job.kind, job.level) for job in case.workload.jobs] == [("batch", 0.7)]  # type: ignore[union-attr]


def test_a_key_without_a_value_is_not_given(tmp_path: Path) -> None:
    text = SATELLITE.read_text(encoding="utf-8")
    case = Case.load(written(tmp_path, text.replace("  age: 0 yr\n", "  age:\n")))
    assert case.mission.age == 0.0
    assert case.origin(("mission", "age"))[0] == "default"
    with pytest.raises(CaseError) as caught:
        Case.load(written(tmp_path, text.replace("  start: 2026-06-21T00:00:00Z\n", "  start:\n")))
    assert (caught.value.key, caught.value.problem) == ("mission.start", "is missing")
    assert text.splitlines()[(caught.value.line or 0) - 1].strip().startswith("start:")


def test_a_component_replaces_the_one_below_it_whole(tmp_path: Path) -> None:
    """Values of the base's component must not leak into another component that is put in its place."""
    path = written(
        tmp_path, f"extends: {SATELLITE}\nmodule_classes: {{satellite: {{radiator: {{material: copper}}}}}}\n"
    )
    base = Case.load(SATELLITE, ["module_classes.satellite.radiator.material=cfrp-unidirectional-k1100"])
    assert base.module_classes["satellite"].radiator.material.conductivity_across == 2.0
    child = written(
        tmp_path,
        "extends: middle.yaml\nmodule_classes: {satellite: {radiator: {material: copper}}}\n",
        "child.yaml",
    )
    written(
        tmp_path,
        f"extends: {SATELLITE}\n"
        "module_classes: {satellite: {radiator: {material: cfrp-unidirectional-k1100}}}\n",
        "middle.yaml",
    )
    for case in (Case.load(path), Case.load(child)):
        material = case.module_classes["satellite"].radiator.material
        assert material.conductivity == 401.0
        assert material.conductivity_across is None


def test_library_next_to_the_case_comes_first(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    written(tmp_path / "library", "osr: {absorptance: 0.05, emissivity: 0.9}\n", "coatings.yaml")
    case = Case.load(
        written(
            tmp_path, f"extends: {SATELLITE}\nmodule_classes: {{satellite: {{radiator: {{coating: osr}}}}}}\n"
        )
    )
    design = case.module_classes["satellite"]
    assert design.radiator.coating.emissivity.at(0.0) == 0.9
    assert design.radiator.material.density == 2700.0


def test_ageing_is_linear_to_the_end_of_life() -> None:
    coating = Case.load(SATELLITE).module_classes["satellite"].radiator.coating
    assert coating.absorptance.at(0.0) == coating.absorptance.bol
    assert coating.absorptance.at(0.5) == pytest.approx(
        (coating.absorptance.bol + coating.absorptance.eol) / 2.0
    )
    assert coating.absorptance.at(3.0) == coating.absorptance.eol


@pytest.mark.parametrize(
    ("override", "read", "value"),
    [
        ("mission.age=5 yr", lambda c: c.mission.age, 5 * 365.25 * 86400.0),
        ("environment=hot", lambda c: c.environment.albedo, 0.40),
        ("environment.albedo=0.5", lambda c: c.environment.albedo, 0.5),
        (
            "module_classes.satellite.racks.card.idle_power=70 W",
            lambda c: c.module_classes["satellite"].racks.card.idle_power,
            70.0,
        ),
        ("workload.jobs.training.cards=4", lambda c: c.workload.jobs[0].cards, 4),
        ("workload.jobs[0].cards=4", lambda c: c.workload.jobs[0].cards, 4),
        ("workload.jobs=[]", lambda c: len(c.workload.jobs), 0),
        ("module_classes.satellite.relay=null", lambda c: c.module_classes["satellite"].relay, None),
    ],
)
def test_overrides(override: str, read: object, value: object) -> None:
    case = Case.load(SATELLITE, [override])
    assert read(case) == value  # type: ignore[operator]


def test_overrides_act_in_order() -> None:
    overrides = ["orbit.tle=null", "orbit.altitude=750 km", "orbit.ltan=18:00", "orbit.altitude=700 km"]
    assert Case.load(SATELLITE, overrides).orbit.altitude == 700e3


@pytest.mark.parametrize(
    ("override", "key", "words"),
    [
        ("orbit.altitude=750", "orbit.altitude", "write 750 km"),
        ("mission.agee=5 yr", "mission.agee", "did you mean 'age'?"),
        ("module_classes.satelite.racks.cards=3", "module_classes", "did you mean 'satellite'?"),
        ("workload.jobs.trainin.cards=3", "workload.jobs", "did you mean 'training'?"),
        (
            "module_classes.satellite.coolant_loop.pressure=10 bar",
            "module_classes.satellite.coolant_loop.pressure",
            "boiling",
        ),
        ("nonsense", "", "is not key=value"),
        ("orbit..tle=1", "", "is not key=value"),
        ("mission.age=[1", "mission.age", "not valid YAML"),
    ],
)
def test_wrong_overrides_say_where_and_why(override: str, key: str, words: str) -> None:
    with pytest.raises(CaseError) as caught:
        Case.load(SATELLITE, [override])
    assert caught.value.file == "command line --set"
    assert caught.value.key == key
    assert words in str(caught.value)


def test_origins_and_sources_of_values() -> None:
    case = Case.load(CASES / "experimental-satellite-full-sun.yaml", ["mission.seed=7"])
    card = ("module_classes", "satellite", "racks", "card")
    assert case.origin(("mission", "start"))[0] == "case"
    assert case.origin(("orbit", "tle"))[0] == "extends experimental-satellite.yaml"
    assert case.origin(("mission", "seed"))[0] == "command line --set"
    assert case.origin((*card, "power_limit")) == ("library cards/h100-sxm", "datasheet: 700 W")
    assert case.origin(("sub_centers", 0, "phase"))[0] == "default"


def test_yaml_aliases_work_and_loops_do_not(tmp_path: Path) -> None:
    faces = "[&a {name: one, area: 1 m2, coating: osr, orientation: ram}, {<<: *a, name: two}]"
    design = f"{{satellite: {{body: {{faces: {faces}}}}}}}"
    case = Case.load(written(tmp_path, f"extends: {SATELLITE}\nmodule_classes: {design}\n"))
    assert case.module_classes["satellite"].body.faces[-1].area == 1.0
    bomb = "a: &a [x, x]\n" + "".join(
        f"{n}: &{n} [{', '.join(['*' + p] * 9)}]\n" for p, n in zip("abcdefg", "bcdefgh")
    )
    with pytest.raises(CaseError, match="without end"):
        Case.load(written(tmp_path, bomb))
    with pytest.raises(CaseError, match="refers to itself"):
        Case.load(written(tmp_path, "a: &a\n  b: *a\n"))


def test_default_environment_is_nominal(tmp_path: Path) -> None:
    case = Case.load(SATELLITE, ["environment=null"])
    assert case.environment == Case.load(SATELLITE).environment
    assert case.origin(("environment", "albedo"))[0] == "default"


def test_a_module_class_builds_on_another(tmp_path: Path) -> None:
    text = (
        f"extends: {SATELLITE}\n"
        "module_classes:\n"
        "  punctured: {extends: satellite, radiator: {panels: 1}}\n"
        "  worse: {extends: punctured, radiator: {thickness: 1 mm}}\n"
        "sub_centers: [{name: satellites, modules: [{class: worse, count: 1}, {class: punctured, count: 1}]}]\n"
    )
    path = written(tmp_path, text)
    # What is overridden in the class below reaches those above it.
    case = Case.load(path, ("module_classes.satellite.radiator.coating=osr",))
    below, between, above = (case.module_classes[name] for name in ("satellite", "punctured", "worse"))
    assert between.model_copy(update={"radiator": below.radiator}) == below
    assert below.radiator.panels > 1
    assert (between.radiator.panels, above.radiator.panels) == (1, 1)
    assert between.radiator.thickness == below.radiator.thickness
    assert above.radiator.thickness == pytest.approx(1e-3)
    assert above.radiator.coating == between.radiator.coating == below.radiator.coating


@pytest.mark.parametrize(
    ("named", "problem", "hint"),
    [("satelite", "there is no module class 'satelite'", "satellite"), ("second", "goes in a circle", "")],
)
def test_a_module_class_cannot_build_on_what_is_not_there(
    tmp_path: Path, named: str, problem: str, hint: str
) -> None:
    text = f"extends: {SATELLITE}\nmodule_classes:\n  first: {{extends: {named}}}\n  second: {{extends: first}}\n"
    with pytest.raises(CaseError, match=problem) as error:
        Case.load(written(tmp_path, text))
    assert error.value.line in (3, 4)
    assert hint in str(error.value)


def test_a_list_that_begins_with_null_leaves_nothing_of_the_one_below(tmp_path: Path) -> None:
    """A plant of other sub-centers, with other jobs."""
    case = Case.load(
        written(
            tmp_path,
            f"extends: {SATELLITE}\n"
            "sub_centers: [null, {name: east, modules: [{class: satellite, count: 2}]}]\n"
            "workload: {jobs: [null, {name: queue, kind: batch, cards: 4}]}\n",
        )
    )
    assert [center.name for center in case.sub_centers] == ["east"]
    assert [job.name for job in case.workload.jobs] == ["queue"]


def test_the_largest_plant_has_sixteen_sub_centers() -> None:
    case = Case.load(SATELLITE.parent / "sixteen-gigawatt.yaml")
    assert len(case.sub_centers) == 16
    assert case.module_count == 16 * 1024
    assert case.card_count == 16 * 1024 * 1024
    assert {job.sub_center for job in case.workload.jobs} == {center.name for center in case.sub_centers}
