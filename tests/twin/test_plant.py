"""The plant of a case."""

from pathlib import Path

import numpy as np
import pytest

from twin.card_model import CARDS
from twin.case import Case
from twin.errors import BadInput
from twin.plant import Plant, TraceRepaired, job

CASES = Path(__file__).parents[2] / "cases"


@pytest.fixture(scope="module")
def constellation():
    coarse = [
        "module_classes.satellite.radiator.mesh_size=0.8 m",
        "module_classes.satellite.radiator.panels=1",
        "module_classes.satellite.radiator.height=24 m",
        "module_classes.satellite.radiator.tubes.count=3",
    ]
    return Plant.build(Case.load(CASES / "constellation-200kw.yaml", coarse))


def test_modules_are_grouped_by_class(constellation):
    """Eight satellites of one class in eight sub-centers: one group, slices that cover all modules."""
    (group,) = constellation.groups
    assert group.modules == slice(0, 8)
    assert constellation.modules == 8
    np.testing.assert_array_equal(constellation.sub_center, np.arange(8))
    np.testing.assert_array_equal(constellation.cards_per_module, 32)
    assert constellation.fleet.cards == 256
    np.testing.assert_allclose(constellation.per_sub_center(np.ones(8)), 1.0)


def test_sub_centers_lead_along_the_orbit(constellation):
    """Phases of 45° each, on a nearly circular orbit."""
    positions = np.array([orbit.propagate(np.array([0.0])).position[0] for orbit in constellation.orbits])
    unit = positions / np.linalg.norm(positions, axis=1)[:, None]
    angle = np.degrees(np.arccos(np.clip(unit @ unit[0], -1.0, 1.0)))
    expected = 45.0 * np.arange(8)
    np.testing.assert_allclose(angle, np.minimum(expected, 360.0 - expected), atol=0.1)


def test_faces_match_their_orientations(constellation):
    group = constellation.groups[0]
    assert group.orientations[:4] == ["edge_on", "anti_edge_on", "sun", "anti_sun"]
    assert len(group.orientations) == 4 + len(group.design.body.faces)


def test_demand_peaks_at_its_time_of_day():
    """A service with its peak at 14:00 UTC, in a run that starts at 06:00, peaks eight hours into the run."""
    case = Case.load(CASES / "constellation-200kw.yaml", ["mission.start=2026-06-21T06:00:00Z"])
    service = job(next(j for j in case.workload.jobs if j.kind == "inference"), case, CARDS["h100-sxm"])
    assert service.activity.peak_time == pytest.approx(8 * 3600.0)


def case_with_replay(folder, text):
    """The experimental satellite with a recorded load."""
    (folder / "record.csv").write_text(text)
    case = (CASES / "experimental-satellite.yaml").read_text().split("workload:")[0]
    case += "workload:\n  jobs:\n    - {name: past, kind: replay, cards: 8, trace: record.csv, speed: 2}\n"
    (folder / "case.yaml").write_text(case)
    return Case.load(folder / "case.yaml")


def test_replayed_activity(tmp_path):
    """Our own CSV: 10 s at 1, 10 s at 0, replayed twice as fast and again and again; repairs are told."""
    case = case_with_replay(tmp_path, "time,activity\n0,1\n10,0\n10,0\n")
    with pytest.warns(TraceRepaired, match="repeated time"):
        past = job(case.workload.jobs[0], case, CARDS["h100-sxm"])
    np.testing.assert_allclose(
        past.activity.integral([0.0, 5.0, 10.0, 15.0, 20.0]), [0.0, 5.0, 5.0, 10.0, 10.0]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [("time,load\n0,1\n1,1\n", "no column activity"), ("time,activity\n0,1\n", "at least 2")],
)
def test_bad_records_name_the_file(tmp_path, text, message):
    case = case_with_replay(tmp_path, text)
    with pytest.raises(BadInput, match=message):
        job(case.workload.jobs[0], case, CARDS["h100-sxm"])
