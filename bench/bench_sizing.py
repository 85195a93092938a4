"""Sizing of a sub-center: samples over its design orbit per second, and what a second worker adds.

Sizes draws of the uncertain variables in a design orbit of the case, in this process and then on one and on two
workers of a local cluster (a chunk of samples each). Trains the reduced panel if the cache does not have it. Prints a
table and writes JSON to ``bench/results``.

Usage: python bench/bench_sizing.py [--case cases/gigawatt.yaml] [--samples 1000] [--workers 1 2]
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np

from twin.case import Case
from twin.sizing.design_case import DesignCase, environments_of
from twin.sizing.panels import Panels
from twin.sizing.tasks import size_chunk
from twin.sizing.uncertainty import draw
from twin.sweep_cluster import run_tasks, workers

RESULTS = Path(__file__).parent / "results" / "sizing.json"
BAR = 120.0


def design_case(case: Case) -> DesignCase:
    """Return the start of the case as its design case: the search is not what is measured."""
    empty = np.ones((1, 1, 1, 1, 1))
    return DesignCase(
        start=case.mission.start,
        environment=next(iter(environments_of(case))),
        orientation=next(iter(case.module_classes.values())).radiator.orientation,
        pointing=case.sizing.pointing,
        load_time=0.0,
        age=0.0,
        days=(case.mission.start,),
        beta=np.zeros(1),
        area=empty,
        environments=("case",),
        orientations=("design",),
        ages=(0.0,),
        pointings=(0.0,),
        hours=np.zeros(1),
        hour_area=np.ones(1),
        coldest=case.mission.start,
        panel_min=0.0,
        coolant_min=0.0,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--case", default="cases/gigawatt.yaml")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--chunk", type=int, default=250)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    case = Case.load(options.case)
    panels = Panels(progress=lambda what, share: print(f"  training {share:4.0%} {what}", flush=True))
    for design in case.module_classes.values():
        panels(design)
    panels = panels.without_progress()
    found = design_case(case)
    draws = draw(case.sizing.uncertainty.variables, options.samples, case.mission.seed)
    pilot = {name: values[:48] for name, values in draws.items()}
    first = size_chunk(case, panels, 0, found, 0.0, 0, pilot, np.full(48, 0.85))
    points = np.log(np.stack([np.full(48, np.e), *pilot.values()], axis=1))
    fit = np.linalg.lstsq(points, np.log(first.area), rcond=None)[0]
    guess = np.exp(np.log(np.stack([np.full(options.samples, np.e), *draws.values()], axis=1)) @ fit)
    parts = [
        slice(k, min(k + options.chunk, options.samples)) for k in range(0, options.samples, options.chunk)
    ]
    tasks = [(0, found, 0.0, p.start, {n: v[p] for n, v in draws.items()}, guess[p]) for p in parts]
    rows = []
    for count in options.workers:
        with workers(count=count) as place:
            warm = [(0, found, 0.0, 0, {n: v[:8] for n, v in draws.items()}, guess[:8])] * count
            run_tasks(place, size_chunk, warm, {0: case, 1: panels})
            start = time.perf_counter()
            done = run_tasks(place, size_chunk, tasks, {0: case, 1: panels})
            taken = time.perf_counter() - start
        area = np.concatenate([d.value.area for d in done])
        flights = max(d.value.evaluations for d in done)
        rows.append(
            {"workers": count, "seconds": taken, "flights": flights, "median": float(np.nanmedian(area))}
        )
        print(
            f"{count} worker(s): {options.samples} samples in {taken:.1f} s, {options.samples / taken:.1f} per second, "
            f"at most {flights} flights, median area {np.nanmedian(area):.4f} of the design",
            flush=True,
        )
    efficiency = None
    if len(rows) > 1:
        efficiency = rows[0]["seconds"] * rows[0]["workers"] / (rows[-1]["seconds"] * rows[-1]["workers"])
        print(f"parallel efficiency on {rows[-1]['workers']} workers: {100 * efficiency:.0f} % (bar 85 %)")
    print(f"bar: 1000 samples in {BAR:.0f} s on 2 cores; load of the machine now {os.getloadavg()[0]:.1f}")
    RESULTS.parent.mkdir(exist_ok=True)
    report = {
        "case": options.case,
        "samples": options.samples,
        "rows": rows,
        "parallel_efficiency": efficiency,
        "load_average": os.getloadavg()[0],
    }
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
