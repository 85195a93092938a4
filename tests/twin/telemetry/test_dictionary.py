from pathlib import Path

import numpy as np
import pytest

from twin.case import Case
from twin.errors import BadInput
from twin.plant import Plant
from twin.recording import layout
from twin.telemetry import Dictionary
from twin.telemetry.quantities import PACKETS, QUANTITIES

CASES = Path(__file__).parents[3] / "cases"


def test_every_parameter_has_one_name_and_the_name_its_number(dictionary):
    names = list(dictionary.names())
    assert len(set(names)) == dictionary.size == 2 * 6 + 5 * 36 + 8
    for i in range(0, dictionary.size, 7):
        assert dictionary.index(names[i]) == i
        assert dictionary[i].name == names[i]


def test_parameters_of_a_sub_center_are_one_range(dictionary):
    for center in (0, 1, -1):
        span = dictionary.of_sub_center(center)
        assert (dictionary.sub_center[span] == center).all()
    assert dictionary.of_sub_center(-1).stop == dictionary.size


def test_quantities_are_found_by_sub_center_and_module(dictionary):
    found = dictionary.of_quantity("battery_soc")
    assert [dictionary.name(i) for i in found] == [
        *(f"center-0/{m}/battery_soc" for m in range(3)),
        *(f"center-1/{m}/battery_soc" for m in range(2)),
    ]
    np.testing.assert_array_equal(found[3:], dictionary.of_quantity("battery_soc", sub_center=1))
    np.testing.assert_array_equal(dictionary.module[found], [0, 1, 2, 0, 1])
    assert [dictionary.name(i) for i in dictionary.of_quantity("load_power", "sub_center")] == [
        "center-0/mean/load_power",
        "center-1/mean/load_power",
    ]


def test_mistyped_names_get_the_nearest(dictionary):
    with pytest.raises(ValueError, match="did you mean 'battery_soc'"):
        dictionary.of_quantity("batery_soc")
    with pytest.raises(BadInput, match="did you mean 'center-1'"):
        dictionary.index("centre-1/0/battery_soc")
    with pytest.raises(BadInput, match="0 to 1"):
        dictionary.index("center-1/2/battery_soc")


def test_scales_come_from_the_design(small):
    flow = small[small.index("satellite/0/coolant_mass_flow")]
    assert flow.high == pytest.approx(1.5 * 0.12)
    assert flow.noise == pytest.approx(0.005 * 0.12)
    assert (small.low < small.high).all()


def test_quantities_are_named_once_in_a_scope_and_modes_come_last():
    for kind in PACKETS:
        modes = [line.is_mode for line in kind.quantities]
        assert modes == sorted(modes)
    pairs = [(kind.scope, line.name) for kind, line in QUANTITIES]
    assert len(set(pairs)) == len(pairs)


def test_modules_are_found_in_the_plant():
    # Two classes in two sub-centers: the plant orders by class, telemetry by sub-center.
    coarse = ["mesh_size=0.5 m", "tubes.count=4"]
    changes = [f"module_classes.satellite.radiator.{change}" for change in coarse]
    data = Case.load(CASES / "experimental-satellite.yaml", changes).resolved()
    data["module_classes"]["other"] = data["module_classes"]["satellite"]
    mixed = [{"class": "other", "count": 1}, {"class": "satellite", "count": 2}]
    data["sub_centers"] = [
        {"name": "a", "modules": [{"class": "satellite", "count": 1}, {"class": "other", "count": 1}]},
        {"name": "b", "phase": "90 deg", "modules": mixed},
    ]
    data["workload"]["jobs"][0]["cards"] = 8
    mixed_case = Case.from_resolved(data)
    dictionary = Dictionary.of_case(mixed_case)
    assert dictionary.modules.tolist() == [2, 3]
    shape = layout(Plant.build(mixed_case))
    want = [shape.module_index[c, m] for c in range(2) for m in range(dictionary.modules[c])]
    assert dictionary.plant_index.tolist() == want


def test_fingerprint_knows_the_structure_and_not_the_parameters():
    path = CASES / "experimental-satellite.yaml"
    plain, aged, later = (
        Dictionary.of_case(Case.load(path, [change]))
        for change in ("mission.seed=2", "mission.age=5 yr", "mission.start=2026-06-22T00:00:00Z")
    )
    assert plain.fingerprint == aged.fingerprint != later.fingerprint


def test_a_gigawatt_plant_is_cheap():
    import time

    begun = time.perf_counter()
    dictionary = Dictionary.of_case(Case.load(CASES / "gigawatt.yaml"))
    case_time = time.perf_counter() - begun
    begun = time.perf_counter()
    assert dictionary.size == 4 * (6 + 1024 * 36) + 8
    assert np.isfinite(dictionary.noise).all()
    assert dictionary.name(100_000).startswith("third/")
    assert time.perf_counter() - begun < max(2.0, case_time)
