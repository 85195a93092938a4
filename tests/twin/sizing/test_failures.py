"""Samples that fail are kept with their error, tried again, and take no other sample along."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from twin.errors import RunFailed
from twin.sizing import SizingOptions, dataset
from twin.sizing.closed_form import LoopDesign, area_steps
from twin.sizing.nominal_area import NominalArea
from twin.sizing.tasks import ChunkAreas
from twin.sweep_cluster import Workers

SIZE = sys.modules["twin.sizing.size"]  # the package's attribute of that name is the function
BAD, SHAKY = 37, 50


class NoPanels:
    """Stands for reduced panels that nobody asks."""

    def __call__(self, design):
        return SimpleNamespace(certificate={})

    def without_progress(self):
        return self


@pytest.fixture
def calls(monkeypatch, load):
    """Areas without a flight: sample 37 never has one, sample 50 only when its part is tried again."""
    tried = []

    def chunk(case, panels, center, found, age, first, draws, guess):
        inside = range(first, first + guess.size)
        tried.append((age, first, guess.size))
        if BAD in inside:
            raise RunFailed("the loop ran dry")
        if SHAKY in inside and tried.count((age, first, guess.size)) == 1:
            raise OSError("a passing trouble")
        area = 0.7 + 0.001 * np.array(inside)
        return ChunkAreas(first, area, np.zeros(guess.size, dtype=np.int64), 1)

    def nominal(case, panels, center):
        ages = np.array(case.sizing.ages)
        steps = area_steps(6e3, 315.0, LoopDesign(600.0, 0.8, 2, 180.0))
        area = NominalArea(ages, 0.7 + 0 * ages, 0.9 + 0 * ages, ("junction temperature",) * ages.size,
                           np.zeros(ages.size, bool), (steps,) * ages.size, 9.6)  # fmt: skip
        return SimpleNamespace(age=0.0), area

    monkeypatch.setattr(SIZE, "size_chunk", chunk)
    monkeypatch.setattr(SIZE, "design_and_nominal", nominal)
    return tried


def test_one_bad_sample_is_kept_with_its_error(calls, load):
    case = load("sizing.ages=[0 yr]")
    sizing = SIZE.size(case, SizingOptions(samples=64, studies=()), Workers(), NoPanels())
    (sampled,) = sizing.sub_centers[0].sampled
    assert sampled.errors == {BAD: "RunFailed: the loop ran dry"}
    assert np.flatnonzero(sampled.binding < 0).tolist() == [BAD]
    good = np.delete(np.arange(64), BAD)
    assert sampled.area[good] == pytest.approx(0.7 + 0.001 * good)
    # On its own it was tried twice, as every part before it.
    assert calls.count((0.0, BAD, 1)) == 2
    assert sampled.statistics.infeasible == 0.0


def test_errors_are_in_the_dataset(calls, load):
    sizing = SIZE.size(
        load("sizing.ages=[0 yr]"), SizingOptions(samples=64, studies=()), Workers(), NoPanels()
    )
    data = dataset._samples(sizing.sub_centers[0])
    assert str(data["error"][0, BAD].values) == "RunFailed: the loop ran dry"
    assert str(data["binding"][0, BAD].values) == "failed"
    assert int((data["error"] != "").sum()) == 1
