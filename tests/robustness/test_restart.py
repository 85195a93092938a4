"""Runs that end early: what is on disk is whole, and going on gives what the undisturbed run gives, bit by bit."""

import errno
import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

import twin.run as run_module
from twin import checkpoint, memory
from twin.case import Case
from twin.errors import BadInput, RunFailed, RunStopped
from twin.results import open_result
from twin.run import RunOptions, run
from twin.stop_request import StopRequest

CASE = Path(__file__).parents[2] / "cases/experimental-satellite.yaml"
COARSE = (
    "module_classes.satellite.radiator.mesh_size=0.5 m",
    "module_classes.satellite.radiator.tube_mesh_size=null",
    "module_classes.satellite.radiator.panels=1",
    "module_classes.satellite.radiator.tubes.count=4",
    "module_classes.satellite.radiator.height=6 m",
    # Shadow begins after 3 min: ticks and intervals of uneven length lie on the way.
    "mission.duration=8 min",
    "numerics.thermal_step=20 s",
    "workload.jobs.training.cards=4",
)


class Died(Exception):
    pass


@pytest.fixture(scope="module")
def case():
    return Case.load(CASE, COARSE)


@pytest.fixture(scope="module")
def whole(case, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    run(case, out, RunOptions(field_interval=120.0))
    return out


@pytest.fixture(autouse=True)
def checkpoint_at_every_output(monkeypatch):
    monkeypatch.setattr(run_module, "CHECKPOINT_INTERVAL", 0.0)


def die_after(time, how=None):
    def watch(tick, stop):
        if tick.end > time:
            if how is not None:
                how()
            else:
                raise Died

    return watch


def assert_same(out, whole):
    """Every number of the result and of the fields, without a tolerance."""
    here, there = open_result(out), open_result(whole)
    assert set(here.children) == set(there.children)
    for group in there.children:
        expected = there[group].to_dataset()
        assert set(expected) == set(here[group].to_dataset())
        for name, values in expected.variables.items():
            np.testing.assert_array_equal(
                np.asarray(here[group][name]), np.asarray(values), err_msg=f"{group}/{name}"
            )
    files = sorted(p.relative_to(whole / "fields") for p in (whole / "fields").rglob("*.*"))
    assert sorted(p.relative_to(out / "fields") for p in (out / "fields").rglob("*.*")) == files
    for file in files:
        assert (out / "fields" / file).read_bytes() == (whole / "fields" / file).read_bytes(), file
    assert not (out / "checkpoints").exists()
    assert not list(out.glob("*.partial"))


RESUME = RunOptions(resume=True, field_interval=120.0)
FRESH = RunOptions(field_interval=120.0)


def begun(case, out, time=350.0):
    with pytest.raises(Died):
        run(case, out, FRESH, watch=die_after(time))
    return out


def test_the_case_passes_into_shadow(whole):
    orbit = open_result(whole)["orbit"].to_dataset()
    fraction = np.asarray(orbit["illuminated_fraction"])
    assert fraction[0] == 1.0
    assert fraction[-1] == 0.0
    assert len(fraction) == 8 + 2  # the contacts end intervals of their own


slow = pytest.mark.slow


@pytest.mark.parametrize("time", [170.0, pytest.param(30.0, marks=slow), pytest.param(300.0, marks=slow)])
def test_resumed_is_equal_bit_by_bit(case, whole, tmp_path, time):
    begun(case, tmp_path, time)
    run(case, tmp_path, RESUME)
    assert_same(tmp_path, whole)


def test_a_damaged_checkpoint_is_found_and_the_one_before_it_used(case, whole, tmp_path):
    begun(case, tmp_path)
    older, newest = checkpoint.checkpoints(tmp_path / "checkpoints")
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 4
    newest.write_bytes(data)
    run(case, tmp_path, RESUME)
    assert_same(tmp_path, whole)
    log = (tmp_path / "run.log").read_text()
    assert "checkpoint not used" in log
    assert newest.name in log
    assert f"resumed simulated={checkpoint._time(older):g}" in log


@slow
def test_a_result_that_lost_its_end_is_continued_from_the_checkpoint_before(case, whole, tmp_path):
    """A node that loses its power may have a checkpoint on disk, and not the last chunk of the result."""
    import zarr

    begun(case, tmp_path)
    newest = checkpoint.checkpoints(tmp_path / "checkpoints")[-1]
    root = zarr.open_group(str(tmp_path / "result.zarr.partial"), mode="r+")
    times = root["module/time"]
    kept = int(np.searchsorted(times[:], checkpoint._time(newest) - 1e-3))
    for _, array in root["module"].arrays():
        if array.metadata.dimension_names[0] == "time":
            array.resize((kept, *array.shape[1:]))
    run(case, tmp_path, RESUME)
    assert_same(tmp_path, whole)


@slow
def test_no_sound_checkpoint_is_bad_input(case, tmp_path):
    begun(case, tmp_path)
    for path in checkpoint.checkpoints(tmp_path / "checkpoints"):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadInput, match=r"checksum does not fit.*start without --resume"):
        run(case, tmp_path, RESUME)


@slow
def test_a_run_that_died_before_its_first_checkpoint_begins_again(case, whole, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    run(case, tmp_path, RESUME)
    assert_same(tmp_path, whole)
    assert "starting from the beginning" in (tmp_path / "run.log").read_text()


@slow
@pytest.mark.parametrize("died_in", ["fields", "result", "cleaning"])
def test_a_run_that_died_while_it_put_its_files_in_place(case, whole, tmp_path, monkeypatch, died_in):
    from twin import run_keeper
    from twin.field_output import FieldSeries
    from twin.results import ResultWriter

    def die(*arguments, **options):
        raise Died

    with monkeypatch.context() as patch:
        owner, name = {
            "fields": (FieldSeries, "finish"),
            "result": (ResultWriter, "finish"),
            "cleaning": (run_keeper.checkpoint, "discard"),
        }[died_in]
        if died_in == "cleaning":  # the first call is that of the start
            calls = iter([checkpoint.discard])
            patch.setattr(owner, name, lambda folder: next(calls, die)(folder))
        else:
            patch.setattr(owner, name, die)
        with pytest.raises(Died):
            run(case, tmp_path, FRESH)
    run(case, tmp_path, RESUME)
    assert_same(tmp_path, whole)


def test_a_run_that_is_complete_is_not_done_again(case, whole, tmp_path):
    """A job that was killed after its result was in place, and is submitted again."""
    shutil.copytree(whole, tmp_path / "run")
    before = (tmp_path / "run/result.zarr/zarr.json").stat().st_mtime_ns
    run(case, tmp_path / "run", RESUME)
    assert (tmp_path / "run/result.zarr/zarr.json").stat().st_mtime_ns == before
    assert "complete already" in (tmp_path / "run/run.log").read_text()
    with pytest.raises(BadInput, match="no checkpoint to resume from"):
        run(Case.load(CASE, [*COARSE, "mission.age=5 yr"]), tmp_path / "run", RESUME)


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, pytest.param(signal.SIGINT, marks=slow), pytest.param(signal.SIGUSR1, marks=slow)],
)
def test_a_signal_ends_the_run_at_a_checkpoint(case, whole, tmp_path, number):
    sent = []

    def send():
        if not sent:
            sent.append(number)
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with pytest.raises(RunStopped, match="same command with --resume goes on") as ended:
        run(case, tmp_path, FRESH, watch=die_after(100.0, send))
    assert ended.value.exit_code == 128 + number
    assert number.name in str(ended.value)
    assert signal.getsignal(number) is before
    # The next output time, not the last periodic checkpoint: nothing is computed twice.
    assert f"at-{120.0:014.3f}.npz" in {p.name for p in checkpoint.checkpoints(tmp_path / "checkpoints")}
    run(case, tmp_path, RESUME)
    assert_same(tmp_path, whole)


def test_a_second_interrupt_acts_at_once():
    # A shell that runs tests in the background lets them ignore the signal, and a request leaves it so.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _interrupt_twice()
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt_twice():
    with StopRequest() as request:
        os.kill(os.getpid(), signal.SIGINT)
        assert request.number == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_full_disk_is_told_and_destroys_nothing(case, whole, tmp_path, monkeypatch):
    """The disk fills while a checkpoint is written, over an older result of the same folder."""
    run(case, tmp_path, RunOptions(duration=60.0))
    before = open_result(tmp_path)["plant"]["solar_power"].to_numpy()
    writes = []

    def full(handle):
        writes.append(handle)
        if len(writes) > 60:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RunFailed, match=r"No space left on device.*--resume goes on"):
            run(case, tmp_path, FRESH)
    assert np.array_equal(open_result(tmp_path)["plant"]["solar_power"].to_numpy(), before)
    assert not list((tmp_path / "checkpoints").glob("*.partial"))
    assert checkpoint.newest(tmp_path / "checkpoints")[1] == []
    run(case, tmp_path, RESUME)
    assert_same(tmp_path, whole)


@slow
def test_the_result_cannot_be_written(case, whole, tmp_path, monkeypatch):
    """The disk fills while numbers are written: Zarr's own writes fail."""
    import zarr.storage._local as local

    original, count = local._put, []

    def full(*arguments, **options):
        count.append(1)
        if len(count) > 400:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(local, "_put", full)
        with pytest.raises(RunFailed, match=r"cannot be written at t = .* No space left"):
            run(case, tmp_path, FRESH)
    run(case, tmp_path, RESUME)
    assert_same(tmp_path, whole)


def test_a_value_that_is_no_number_stops_the_run_with_place_and_time(case, tmp_path, monkeypatch):
    from twin.module_group import ModuleGroup

    original = ModuleGroup.advance

    def broken(self, environment, *arguments):
        done = original(self, environment, *arguments)
        if environment.time >= 200.0:
            self.temperature["battery"] = np.array([np.nan])
        return done

    monkeypatch.setattr(ModuleGroup, "advance", broken)
    with pytest.raises(
        RunFailed,
        match=r"temperature of battery became nan in module 0 \(class satellite, sub-center \w+\) between t = \d",
    ):
        run(case, tmp_path, FRESH)
    newest = checkpoint.newest(tmp_path / "checkpoints")[0]
    assert float(newest["time"]) < 220.0
    assert all(np.isfinite(v).all() for k, v in newest.items() if "temperature" in k)


def test_another_case_is_told_by_its_key(case, tmp_path):
    begun(case, tmp_path, 100.0)
    other = Case.load(CASE, [*COARSE, "mission.age=5 yr"])
    with pytest.raises(BadInput, match=r"another case: mission\.age was .*, and is .*5"):
        run(other, tmp_path, RESUME)


@slow
def test_a_longer_run_may_be_resumed(case, whole, tmp_path):
    shorter = Case.load(CASE, [*COARSE, "mission.duration=6 min"])
    begun(shorter, tmp_path, 200.0)
    run(case, tmp_path, RESUME)
    assert_same_numbers(tmp_path, whole)


def assert_same_numbers(out, whole):
    here, there = open_result(out), open_result(whole)
    for name, values in there["plant"].to_dataset().items():
        np.testing.assert_array_equal(np.asarray(here["plant"][name]), np.asarray(values), err_msg=name)


def test_what_cannot_fit_into_memory_is_refused_before_it_starts(case, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 2e9)
    large = Case.load(CASE, ["module_classes.satellite.radiator.mesh_size=1 mm"])
    with pytest.raises(BadInput, match=r"needs about \d+\.\d GB .*has 2\.0 GB left; it takes .*mesh_size"):
        run(large, tmp_path)
    memory.refuse_what_does_not_fit(case)


def test_training_that_cannot_fit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 0.9e9)
    monkeypatch.setenv("DAWNDUSK_CACHE", str(tmp_path))  # nothing is trained here
    fine = Case.load(
        CASE, ["numerics.thermal=reduced", "module_classes.satellite.radiator.tube_mesh_size=10 mm"]
    )
    with pytest.raises(BadInput, match=r"needs about \d\.\d GB to train .*it takes a larger mesh_size"):
        run(fine, tmp_path / "out")
    with pytest.raises(BadInput, match="the training of a reduced model"):
        memory.refuse_sizing(fine, 0)
    assert not (tmp_path / "out").exists()


def test_workers_and_ensembles_that_cannot_fit_are_refused(monkeypatch):
    from twin.live.host import TrainedPanel

    monkeypatch.setattr(memory, "training_need", lambda *given: 0.0)
    monkeypatch.setattr(memory, "available", lambda: 2e9)
    case = Case.load(CASE)
    memory.refuse_sizing(case, 1)
    memory.refuse_live(case, 24, *TrainedPanel().settings())
    with pytest.raises(BadInput, match=r"GB for 64 workers \(--workers\), and this machine has 2\.0 GB left"):
        memory.refuse_sizing(case, 64)
    large = Case.load(CASE.parent / "gigawatt.yaml")
    with pytest.raises(BadInput, match=r"4,096 modules of 64 members"):
        memory.refuse_live(large, 64, *TrainedPanel().settings())


def test_the_estimate_of_memory_holds_for_a_mesh():
    """Measured with 102 076 nodes: 673 MB of resident memory."""
    fine = Case.load(CASE, ["module_classes.satellite.radiator.mesh_size=10 mm"])
    found = memory.estimate(fine)
    assert 102_076 <= found.nodes < 1.2 * 102_076
    assert 673e6 <= found.total < 1.2 * 673e6


def test_the_log_is_for_machines_when_asked(case, tmp_path):
    run(case, tmp_path, RunOptions(duration=60.0, log="json"))
    lines = [json.loads(line) for line in (tmp_path / "run.log").read_text().splitlines()]
    assert lines[0]["event"] == "run"
    assert lines[-1]["event"] == "complete"
    assert all({"time", "level"} <= set(line) for line in lines)
    assert any(line["event"] == "checkpoint" and line["simulated"] == 60.0 for line in lines)
