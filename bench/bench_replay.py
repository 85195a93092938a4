"""A day of jobs on a cluster: fleet and scheduler of ours beside RAPS of ExaDigiT, one job list, one run.

The cluster is that of the peer's own configuration of Frontier: 9472 nodes of 4 cards. Both schedule first come first
served with EASY backfill and update power every 15 s; ours holds power, clock and junction temperature of every card,
in sub-steps of 1 s as in a run, and in one of 15 s. RAPS is not part of this project: give its folder by ``--raps`` or
DAWNDUSK_RAPS, and a Python that has its packages by ``--raps-python`` or DAWNDUSK_RAPS_PYTHON; without them it is
skipped. Prints a table and writes JSON to ``bench/results``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numba
import numpy as np

from twin.activity import BatchActivity
from twin.card_model import CARDS
from twin.compute import CardFleet
from twin.job import Job
from twin.workload import Workload

NODES, CARDS_PER_NODE, STEP = 9472, 4, 15


def make_jobs(count: int, span: int, load: float, seed: int) -> list[dict[str, Any]]:
    """Log-uniform sizes and run times, estimates up to twice too long; arrivals over the span give the load."""
    rng = np.random.default_rng(seed)
    nodes = np.exp(rng.uniform(0.0, np.log(3000), count)).astype(int)
    duration = np.exp(rng.uniform(np.log(300), np.log(14400), count))
    # as many node-seconds as the load asks for
    duration *= load * NODES * span / float(nodes @ duration)
    duration = np.clip(duration, 60, 43200).astype(int)
    submit = np.sort(rng.integers(0, span, count))
    return [
        {
            "nodes": int(n),
            "duration": int(d),
            "estimate": int(d * e),
            "submit": int(s),
            "activity": float(a),
        }
        for n, d, e, s, a in zip(
            nodes, duration, rng.uniform(1.1, 2.0, count), submit, rng.uniform(0.2, 0.9, count)
        )
    ]


def run_ours(rows: list[dict[str, Any]], span: int, steps: int) -> dict[str, Any]:
    """Ticks of `STEP` with as many sub-steps for the cards; jobs start and end at ticks."""
    began = time.perf_counter()
    jobs = [
        Job(
            f"job-{i}",
            "batch",
            CARDS_PER_NODE * row["nodes"],
            duration=float(row["duration"]),
            submit_time=float(row["submit"]),
            estimate=float(row["estimate"]),
            activity=BatchActivity(row["activity"]),
        )
        for i, row in enumerate(rows)
    ]
    # a cabinet of 128 nodes on one coolant branch is a module, as in the peer's configuration
    cards = np.full(NODES // 128, 128 * CARDS_PER_NODE)
    workload = Workload(jobs, cards)
    fleet = CardFleet(CARDS["h100-sxm"], cards, temperature=320.0, seed=1)
    fleet.assign(workload.job_of_card, len(jobs))
    plate = np.full(cards.size, 308.0)
    fleet.advance(STEP / steps, steps, np.zeros(len(jobs)), plate)  # compiled
    workload.schedule(-1.0)
    ready = time.perf_counter()
    energy = 0.0
    for now in range(0, span, STEP):
        changed = workload.schedule(float(now))
        if changed:
            fleet.assign(workload.job_of_card, len(jobs))
        tick = fleet.advance(STEP / steps, steps, workload.activity(float(now), STEP), plate)
        energy += STEP * float(tick.power.sum())
        if workload.advance(float(now), STEP, tick.job_pace).size:
            fleet.assign(workload.job_of_card, len(jobs))
    wall = time.perf_counter() - ready
    start = [None if np.isnan(s) else float(s) for s in workload.start_time]
    return {
        "set_up_s": ready - began,
        "wall_time_s": wall,
        "start": start,
        "mean_card_power_w": energy / span / fleet.cards,
    }


def run_raps(rows: list[dict[str, Any]], span: int, folder: Path, python: str) -> dict[str, Any]:
    """Run the peer in a process of its own."""
    with tempfile.TemporaryDirectory() as place:
        jobs, out = Path(place) / "jobs.json", Path(place) / "out.json"
        jobs.write_text(
            json.dumps({"jobs": rows, "span": span, "step": STEP, "cards_per_node": CARDS_PER_NODE})
        )
        worker = Path(__file__).parent / "peers" / "raps_worker.py"
        done = subprocess.run(
            [python, str(worker), str(folder), str(jobs), str(out)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"RAPS ended with {done.returncode}: {done.stderr.strip()[-800:]}")
        result: dict[str, Any] = json.loads(out.read_text())
    if result["nodes"] != NODES:
        raise RuntimeError(f"RAPS has {result['nodes']} nodes, expected {NODES}")
    return result


def quality(result: dict[str, Any], rows: list[dict[str, Any]], span: int) -> dict[str, float]:
    """Utilisation of the span, jobs started in it, and their mean wait."""
    busy, waits = 0.0, []
    for row, start in zip(rows, result["start"], strict=True):
        if start is None or start >= span:
            continue
        busy += row["nodes"] * (min(start + row["duration"], span) - start)
        waits.append(start - row["submit"])
    return {
        "utilisation": busy / (NODES * span),
        "started": len(waits),
        "mean_wait_s": float(np.mean(waits)),
        "median_wait_s": float(np.median(waits)),
    }


def same_start(result: dict[str, Any], other: dict[str, Any]) -> float:
    """Share of the jobs that both start within a step of each other, or not at all."""
    one, two = (np.array(r["start"], dtype=float) for r in (result, other))
    near = np.abs(one - two) <= STEP
    return float(np.mean(near | (np.isnan(one) & np.isnan(two))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1500)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--load", type=float, default=0.9)
    parser.add_argument("--raps", type=Path, default=os.environ.get("DAWNDUSK_RAPS"))
    parser.add_argument("--raps-python", default=os.environ.get("DAWNDUSK_RAPS_PYTHON", sys.executable))
    parser.add_argument("--threads", type=int, default=1, help="of ours; the peer has one")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "replay.json")
    options = parser.parse_args()
    numba.set_num_threads(options.threads)
    span = int(3600 * options.hours)
    rows = make_jobs(options.jobs, span, options.load, 3)
    results = {
        "ours, 1 s": run_ours(rows, span, STEP),
        "ours, 15 s": run_ours(rows, span, 1),
    }
    if options.raps is None:
        print("RAPS skipped: --raps and DAWNDUSK_RAPS name no folder")
    elif not (Path(options.raps) / "raps" / "engine.py").exists():
        print(f"RAPS skipped: {options.raps} holds no raps/engine.py")
    else:
        results["RAPS"] = run_raps(rows, span, Path(options.raps).resolve(), options.raps_python)
    table = {}
    print(f"{options.jobs} jobs over {options.hours:g} h on {NODES} nodes of {CARDS_PER_NODE} cards")
    print(
        f"{'':<12}{'wall [s]':>10}{'of RAPS':>9}{'utilisation':>13}{'started':>9}{'mean wait [s]':>15}{'median':>8}"
        f"{'same start':>12}"
    )
    for name, result in results.items():
        row = quality(result, rows, span) | {key: v for key, v in result.items() if key != "start"}
        row |= dict.fromkeys(("wall_time_over_raps", "same_start"), np.nan)
        if "RAPS" in results:
            row["wall_time_over_raps"] = result["wall_time_s"] / results["RAPS"]["wall_time_s"]
            row["same_start"] = same_start(result, results["RAPS"])
        table[name] = {key: v for key, v in row.items() if not np.isnan(v)}
        print(
            f"{name:<12}{row['wall_time_s']:>10.2f}{row['wall_time_over_raps']:>9.4f}{row['utilisation']:>13.4f}"
            f"{row['started']:>9d}{row['mean_wait_s']:>15.0f}{row['median_wait_s']:>8.0f}{row['same_start']:>12.3f}"
        )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(table, indent=2) + "\n")
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
