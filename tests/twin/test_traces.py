"""Readers of traces: what is repaired is counted, what is not is an error with the row."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from twin.activity import BatchActivity
from twin.job import Job
from twin.traces import (
    TraceError,
    read_duty_cycle,
    read_gpu_power,
    read_job_csv,
    read_swf,
    write_job_csv,
)

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the measured sets are not in ../shared/data")


# --- GPU power -------------------------------------------------------------------------------------------


def write_power(path, **changes):
    data = {
        "ts": [0.0, 1.0, 2.0, 3.0],
        "per_gpu": {"0": [100.0, 110.0, 120.0, 130.0]},
        "run_id": "r",
        "phases": [],
    }
    path.write_text(json.dumps(data | changes))
    return path


def test_gpu_power_clean(tmp_path):
    trace = read_gpu_power(write_power(tmp_path / "a.json"))
    assert trace.power[:, 0].tolist() == [100.0, 110.0, 120.0, 130.0]
    assert trace.repairs.total == 0


def test_gpu_power_repairs_are_counted(tmp_path):
    path = write_power(
        tmp_path / "a.json",
        ts=[0.0, 2.0, 1.0, 3.0, 3.0, 30.0],
        per_gpu={"0": [100.0, -5.0, None, 129.0, 130.0, 130.0]},
        colour="red",
    )
    trace = read_gpu_power(path)
    assert trace.time.tolist() == [0.0, 1.0, 2.0, 3.0, 30.0]
    assert trace.power[:, 0] == pytest.approx([100.0, 110.0, 120.0, 130.0, 130.0])
    assert trace.repairs.counts == {
        "a.json: row out of time order, sorted": 1,
        "a.json: repeated time, last row kept": 1,
        "power missing, interpolated": 1,
        "power negative, interpolated": 1,
        "gap of more than three steps, left as it is": 1,
    }
    assert trace.repairs.unknown_columns == ["a.json: colour"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ts": [0.0, 1.0, None, 3.0]}, "row 2, column ts"),
        ({"ts": [0.0, "soon", 2.0, 3.0]}, "row 1 of 'ts': 'soon' is not a number"),
        ({"per_gpu": {"0": [1.0, 2.0]}}, "has 2 rows, 'ts' has 4"),
        ({"per_gpu": {"0": [None] * 4}}, "no usable power"),
        ({"ts": "all"}, "expected a list"),
    ],
)
def test_gpu_power_errors_name_the_row(tmp_path, changes, words):
    with pytest.raises(TraceError, match=words):
        read_gpu_power(write_power(tmp_path / "a.json", **changes))


def test_gpu_power_of_another_layout(tmp_path):
    (tmp_path / "b.json").write_text("[1, 2]")
    (tmp_path / "c.json").write_text("{")
    for name, words in (
        ("a.json", "no such file"),
        ("b.json", "expected an object"),
        ("c.json", "not readable as JSON"),
    ):
        with pytest.raises(TraceError, match=words):
            read_gpu_power(tmp_path / name)


@needs_data
def test_every_measured_gpu_run_is_read():
    traces = [read_gpu_power(p) for p in sorted((DATA / "gpu-power").glob("*.json"))]
    assert len(traces) == 8
    assert all(t.repairs.total == 0 for t in traces)
    assert all(t.power.min() > 60.0 and t.power.max() < 700.0 for t in traces)


# --- GPU duty cycle --------------------------------------------------------------------------------------


def write_duty(path, text):
    csv = path.parent / "d.csv"
    csv.write_text(text)
    with tarfile.open(path, "w:gz") as archive:
        archive.add(csv, "d.csv")
    return path


def test_duty_cycle_repairs_and_gaps(tmp_path):
    text = (
        "value,timestamp_anon,container_ip,rack\n50,0,a,1\n120,60,a,1\n-3,120,a,1\n,180,a,1\n40,240,a,1\n"
        "10,60,b,1\n30,60,b,1\n20,0,b,1\n"
    )
    trace = read_duty_cycle(write_duty(tmp_path / "d.tar.gz", text))
    assert trace.containers.tolist() == ["a", "b"]
    assert trace.duty_cycle[:, 0] == pytest.approx([0.5, 1.0, 0.0, np.nan, 0.4], nan_ok=True)
    assert trace.duty_cycle[:2, 1] == pytest.approx([0.2, 0.2])
    assert trace.repairs.counts == {
        "value or container missing, row left out": 1,
        "value below 0 %, set to 0": 1,
        "value above 100 %, set to 100": 1,
        "row out of time order within its container, sorted": 1,
        "several values of a container at one time, averaged": 1,
        "time without a value while the container lived, left as a gap": 1,
    }
    assert trace.repairs.unknown_columns == ["d.tar.gz: rack"]
    activity = trace.activity(0)
    assert activity.values.tolist() == pytest.approx([0.5, 1.0, 0.0, 0.0, 0.4])
    assert activity.times[-1] == 300.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("value,when,container_ip\n1,2,a\n", "no column timestamp_anon"),
        ("value,timestamp_anon,container_ip\n1,0,a\nbusy,1,a\n", "row 1, column value: 'busy'"),
        ("value,timestamp_anon,container_ip\n1,0,a\n1,,a\n", "row 1, column timestamp_anon"),
        ("value,timestamp_anon,container_ip\n1,0,a\n", "expected at least 2"),
    ],
)
def test_duty_cycle_errors_name_the_row(tmp_path, text, words):
    with pytest.raises(TraceError, match=words):
        read_duty_cycle(write_duty(tmp_path / "d.tar.gz", text))


@needs_data
def test_measured_duty_cycles_become_activity():
    trace = read_duty_cycle(DATA / "gpu-duty-cycle" / "pod_gpu_duty_cycle_anon.tar.gz")
    assert trace.duty_cycle.shape == (1441, trace.containers.size)
    assert np.nanmax(trace.duty_cycle) <= 1.0
    busiest = int(np.nanargmax(np.nanmean(trace.duty_cycle, axis=0)))
    activity = trace.activity(busiest)
    assert 0.0 < float(activity.integral(activity.times[-1])) / activity.times[-1] <= 1.0


# --- Standard Workload Format ----------------------------------------------------------------------------


def swf_line(number, submit, run, processors, requested=-1, time=-1):
    return f"{number} {submit} 5 {run} {processors} -1 -1 {requested} {time} -1 1 1 1 1 1 -1 -1 -1"


def test_swf_jobs_and_repairs(tmp_path):
    path = tmp_path / "a.swf"
    lines = [
        "; Version: 2.2",
        swf_line(1, 10, 100, 16, time=300),
        swf_line(2, 5, 50, -1, requested=9),
        swf_line(3, 20, -1, 4),
    ]
    path.write_text("\n".join(lines) + "\n")
    jobs, repairs = read_swf(path, cards_per_processor=0.25)
    assert [j.name for j in jobs] == ["2", "1"]
    assert [j.cards for j in jobs] == [3, 4]
    assert [j.duration for j in jobs] == [50.0, 100.0]
    assert [j.estimate for j in jobs] == [50.0, 300.0]
    assert repairs.counts == {
        "job without run time or processors, left out": 1,
        "submit time out of order, sorted": 1,
        "requested time missing or below the run time, run time taken": 1,
    }


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1 2 3", "row 2: 3 fields, expected 18"),
        (swf_line(1, -7, 3, 1), "row 2: submit time -7.0"),
        (swf_line(1, "x", 3, 1), "row 2: could not convert"),
    ],
)
def test_swf_errors_name_the_line(tmp_path, line, words):
    path = tmp_path / "a.swf"
    path.write_text(f"; header\n{line}\n")
    with pytest.raises(TraceError, match=words):
        read_swf(path)


# --- the project's own CSV -------------------------------------------------------------------------------


def test_job_csv_round_trip(tmp_path):
    jobs = [
        Job("a", "training", 64, duration=3600.0, submit_time=0.0, estimate=4000.0, power_per_card=650.0),
        Job("b", "inference", 8, submit_time=30.0, activity=BatchActivity(0.4)),
    ]
    write_job_csv(tmp_path / "jobs.csv", jobs)
    read, repairs = read_job_csv(tmp_path / "jobs.csv")
    assert repairs.total == 0
    assert [(j.name, j.kind, j.cards, j.duration, j.submit_time) for j in read] == [
        (j.name, j.kind, j.cards, j.duration, j.submit_time) for j in jobs
    ]
    assert read[0].estimate == 4000.0
    assert read[0].power_per_card == 650.0
    assert read[1].profile == BatchActivity(0.4)


def test_job_csv_repairs(tmp_path):
    frame = pd.DataFrame(
        {
            "name": ["a", "b", "c"],
            "kind": ["batch"] * 3,
            "cards": [1, 2, 3],
            "submit_time": [10.0, np.nan, 5.0],
            "duration": [10.0, 20.0, np.nan],
            "activity": [1.5, 0.5, np.nan],
            "estimate": [-1.0, 30.0, np.nan],
            "owner": ["x"] * 3,
        }
    )
    frame.to_csv(tmp_path / "jobs.csv", index=False)
    jobs, repairs = read_job_csv(tmp_path / "jobs.csv")
    assert [j.name for j in jobs] == ["b", "c", "a"]
    assert jobs[2].profile == BatchActivity(1.0)
    assert jobs[2].estimate == 10.0
    assert jobs[1].duration == np.inf
    assert repairs.counts == {
        "submit_time missing, set to 0": 1,
        "estimate not positive, duration taken": 1,
        "activity out of [0, 1], clipped": 1,
        "submit_time out of order, sorted": 1,
    }
    assert repairs.unknown_columns == ["jobs.csv: owner"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a,mining,1,0,10", "row 0, column kind: mining, expected one of"),
        ("a,batch,1.5,0,10", "row 0, column cards: 1.5, expected a whole number"),
        ("a,batch,1,0,-10", "row 0, column duration: -10"),
        (",batch,1,0,10", "row 0, column name"),
        ("a,batch,many,0,10", "row 0, column cards: 'many' is not a number"),
    ],
)
def test_job_csv_errors_name_the_row(tmp_path, row, words):
    path = tmp_path / "jobs.csv"
    path.write_text(f"name,kind,cards,submit_time,duration\n{row}\n")
    with pytest.raises(TraceError, match=words):
        read_job_csv(path)
