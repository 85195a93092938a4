"""Sweeps: axes, retries, what is kept, what is done again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from twin import sweep as module
from twin.errors import BadInput, RunFailed
from twin.sweep import Axis, dimension_names, parse_axis, sweep
from twin.sweep_cluster import Workers, run_tasks, workers

CASE = Path(__file__).parents[2] / "cases" / "experimental-satellite.yaml"


def test_axes():
    assert parse_axis("mission.age=0:5:6 yr").texts == ("0 yr", "1 yr", "2 yr", "3 yr", "4 yr", "5 yr")
    assert parse_axis("a.b=35 degC:55 degC:3").texts == ("35 degC", "45 degC", "55 degC")
    assert parse_axis("environment=nominal, hot").texts == ("nominal", "hot")
    assert parse_axis("x=0.5:2:4 mm").numbers == ([0.5, 1.0, 1.5, 2.0], "mm")
    assert parse_axis("environment=nominal,hot").numbers is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mission.age", "expected KEY="),
        ("mission.age=1:2", "two ends and a count"),
        ("mission.age=1 yr:2 d:3", "units d and yr differ"),
        ("mission.age=a:b:3", "not numbers"),
        ("mission.age=1:2:0 yr", "count 0"),
        ("environment=hot,hot", "twice"),
    ],
)
def test_bad_axes(text, message):
    with pytest.raises(BadInput, match=message):
        parse_axis(text)


def test_dimension_names_are_short_and_differ():
    axes = [Axis("a.radiator.width", ("1",)), Axis("b.radiator.width", ("1",)), Axis("mission.age", ("1",))]
    assert dimension_names(axes) == ["a_radiator_width", "b_radiator_width", "age"]


CALLS: list[tuple] = []


def figures(path, overrides, measure, folder, keep):
    """Stand for a run: says what age it was given, and fails where it is asked to."""
    CALLS.append(tuple(overrides))
    values = dict(text.split("=") for text in overrides)
    years = float(values["mission.age"].split()[0])
    if years == 2.0:
        raise RunFailed("did not converge")
    if years == 3.0 and CALLS.count(tuple(overrides)) == 1:
        raise RuntimeError("a passing trouble")
    return {"age_found": {"units": "yr", "long_name": "age", "plant": years, "sub_center": {"one": years}}}


@pytest.fixture
def calls(monkeypatch):
    monkeypatch.setattr(module, "measure_variant", figures)
    CALLS.clear()
    return CALLS


def test_failed_variants_are_kept_and_retried_once(calls, tmp_path):
    axes = [parse_axis("mission.age=0:3:4 yr"), parse_axis("environment=nominal,hot")]
    found = sweep(CASE, axes, tmp_path)
    data = found.data
    assert data.sizes == {"age": 4, "environment": 2, "sub_center": 1}
    assert data["age"].attrs == {"key": "mission.age", "units": "yr"}
    assert data["age_found"].sel(environment="hot").values == pytest.approx(
        [0.0, 1.0, np.nan, 3.0], nan_ok=True
    )
    assert "did not converge" in str(data["error"].sel(age=2.0, environment="hot").values)
    assert data["attempts"].sel(environment="hot").values.tolist() == [1, 1, 2, 2]
    assert found.failed == 2
    assert (tmp_path / "sweep.zarr").is_dir()


def test_resume_does_what_is_missing(calls, tmp_path):
    axes = [parse_axis("mission.age=0:3:4 yr")]
    sweep(CASE, axes, tmp_path)
    calls.clear()
    (tmp_path / "points" / "00000.json").write_text("{ torn")
    again = sweep(CASE, axes, tmp_path, resume=True)
    ages = {call[-1] for call in calls}
    assert ages == {"mission.age=0 yr", "mission.age=2 yr"}
    assert float(again.data["age_found"].sel(age=1.0)) == 1.0
    # Another measure or case is another sweep.
    calls.clear()
    sweep(CASE, axes, tmp_path, resume=True, measure="size")
    assert len({call[-1] for call in calls}) == 4


def test_what_is_wrong_with_the_case_is_said_at_once(calls, tmp_path):
    with pytest.raises(BadInput, match=r"mission\.agee"):
        sweep(CASE, [parse_axis("mission.agee=0:1:2 yr")], tmp_path)
    with pytest.raises(BadInput, match="nothing is varied"):
        sweep(CASE, [], tmp_path)
    with pytest.raises(BadInput, match="varied twice"):
        sweep(CASE, [parse_axis("environment=hot"), parse_axis("environment=cold")], tmp_path)
    assert calls == []


def test_points_are_files_that_are_whole(calls, tmp_path):
    sweep(CASE, [parse_axis("mission.age=0:1:2 yr")], tmp_path)
    row = json.loads((tmp_path / "points" / "00001.json").read_text())
    assert row["values"]["age_found"]["plant"] == 1.0
    assert not list((tmp_path / "points").glob("*.part"))


def twice(value):
    if value < 0:
        raise RunFailed("below zero")
    return 2 * value


def test_shared_arguments_and_errors():
    seen = []
    done = run_tasks(Workers(), np.add, [(1,), (2,)], {0: 10}, done=seen.append)
    assert [d.value for d in done] == [11, 12]
    assert len(seen) == 2
    assert run_tasks(Workers(), twice, [(-1,)])[0].error == "RunFailed: below zero"


@pytest.mark.slow
def test_local_cluster():
    with workers(count=2) as local, workers(local.client.scheduler.address) as place:
        # The same cluster by its address, as any other scheduler.
        assert place.count == 2
        done = run_tasks(place, twice, [(k,) for k in (-1, 0, 1, 2)])
        assert [d.value for d in run_tasks(local, np.add, [(1,), (2,)], {0: 10})] == [11, 12]
    assert [d.value for d in done] == [None, 0, 2, 4]
    assert [d.attempts for d in done] == [2, 1, 1, 1]


COUNT_THREADS = """
import numba  # before the worker's own start: its main program is read first
from twin.sweep_cluster import run_tasks, workers
if __name__ == "__main__":
    with workers(count=1) as place:
        print(numba.get_num_threads(), run_tasks(place, numba.get_num_threads, [()])[0].value)
"""


def test_workers_have_one_thread(tmp_path):
    (tmp_path / "count.py").write_text(COUNT_THREADS)
    environment = {**os.environ, "NUMBA_NUM_THREADS": "2", "PYTHONPATH": str(CASE.parents[1])}
    done = subprocess.run(
        [sys.executable, tmp_path / "count.py"], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split() == ["2", "1"]


LONG = """
import time
from twin.errors import RunStopped
from twin.stop_request import ends_at_once
from twin.sweep_cluster import run_tasks, workers
if __name__ == "__main__":
    try:
        with ends_at_once("parts are kept"), workers(count=1) as place:
            print("begun", flush=True)
            run_tasks(place, time.sleep, [(60.0,)])
    except RunStopped as stopped:
        print(stopped)
"""


def test_an_interrupt_of_the_terminal_is_for_this_process(tmp_path):
    """Ctrl-C goes to the workers too: they leave their end to the process that started them, and say nothing."""
    (tmp_path / "long.py").write_text(LONG)
    process = subprocess.Popen(
        [sys.executable, tmp_path / "long.py"], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, env={**os.environ, "PYTHONPATH": str(CASE.parents[1])},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert process.stdout.readline() == "begun\n"
    time.sleep(1.0)
    os.killpg(process.pid, signal.SIGINT)
    said, errors = process.communicate(timeout=60.0)
    assert said == "stopped by SIGINT; parts are kept\n"
    assert errors == ""


def test_no_scheduler_there():
    with pytest.raises(BadInput, match="no Dask scheduler answers"), workers("tcp://127.0.0.1:9"):
        pass
