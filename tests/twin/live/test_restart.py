"""A live twin that is killed: a damaged checkpoint, states that were not published, a full disk."""

import os

import numpy as np
import pytest
import zarr

from twin import checkpoint
from twin.errors import BadInput, RunFailed
from twin.live.checkpoints import CHECKPOINTS
from twin.live.settings import LiveSettings
from twin.live.store import LiveStore

SETTINGS = LiveSettings(checkpoint=300.0, orbits=0.3)
STATE = ("temperature", "parameter", "parameter_spread", "sensor_fault", "bias", "time")


@pytest.fixture(scope="module")
def whole(case, quiet, follow, tmp_path_factory):
    """States of an undisturbed twin, by name."""
    folder = tmp_path_factory.mktemp("whole")
    follow(case, quiet.data(), folder, SETTINGS, store=LiveStore(folder, case))
    return published(folder, case)


def published(folder, case):
    group = zarr.open_group(str(folder / "live.zarr"), mode="r")[f"{case.sub_centers[0].name}/state"]
    return {name: np.asarray(group[name]) for name in STATE}


def half(case, quiet, follow, folder):
    """Let a twin see half of the telemetry; return the folder of its partition."""
    data = quiet.data()
    follow(case, data[: len(data) // 2], folder, SETTINGS, store=LiveStore(folder, case))
    place = folder / case.sub_centers[0].name
    assert all((place / name).is_file() for name in CHECKPOINTS)
    return place


def assert_goes_on(case, quiet, follow, folder, whole):
    """From the first packet again, as from a file: nothing is there twice, nothing is missing."""
    follow(case, quiet.data(), folder, SETTINGS, store=LiveStore(folder, case, resume=True))
    for name, values in published(folder, case).items():
        np.testing.assert_array_equal(values, whole[name], err_msg=name)
    lines = (folder / "alarms.jsonl").read_text().splitlines()
    assert len(lines) == len(set(lines))


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 8
    path.write_bytes(data)


def test_a_damaged_checkpoint_is_found_and_the_one_before_it_used(case, quiet, follow, tmp_path, whole):
    place = half(case, quiet, follow, tmp_path)
    flip(place / CHECKPOINTS[0])
    assert_goes_on(case, quiet, follow, tmp_path, whole)


def test_states_that_were_not_published_are_made_again(case, quiet, follow, tmp_path, whole):
    """Killed after a checkpoint and before the rows of its cycles were written, in the middle of making room."""
    place = half(case, quiet, follow, tmp_path)
    times = [float(checkpoint.load(place / name)["time"]) for name in CHECKPOINTS]
    rows = zarr.open_group(str(tmp_path / "live.zarr"), mode="r+")[f"{place.name}/state/time"]
    kept = int(np.searchsorted(np.asarray(rows), times[1])) + 2
    rows.resize((kept + 3,))
    rows[kept:] = 0.0  # a death between making room and writing
    with (tmp_path / "alarms.jsonl").open("a") as file:
        file.write('{"cut of')
    assert_goes_on(case, quiet, follow, tmp_path, whole)


def test_without_a_sound_checkpoint_nothing_is_made_up(case, quiet, follow, tmp_path):
    place = half(case, quiet, follow, tmp_path)
    for name in CHECKPOINTS:
        flip(place / name)
    with pytest.raises(BadInput, match=r"checksum does not fit.*start without --resume in another folder"):
        follow(case, b"", tmp_path, SETTINGS)


def test_a_full_disk_is_told(case, quiet, follow, tmp_path, monkeypatch, whole):
    data = quiet.data()
    calls = []

    def full(handle):
        calls.append(handle)
        if len(calls) > 3:
            raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RunFailed, match="No space left on device"):
            follow(case, data, tmp_path, SETTINGS, store=LiveStore(tmp_path, case))
    assert_goes_on(case, quiet, follow, tmp_path, whole)
