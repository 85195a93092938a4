"""Reduced modules in batches against the finite-element step of one, in the same run.

Trains the reduced model of a class of modules if the cache does not have it, and prints its certificate. The ratio is
the time of the full step of one module over that of the reduced step per module; both are shortest times, taken in
turn, since the machine may be shared.

Usage: python bench/bench_reduced.py [--case cases/experimental-satellite.yaml] [--class satellite] [--mesh-size 0.1]
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numba
import numpy as np

from solvers.reduced_training import ReductionSettings
from twin import component_models
from twin.case import Case
from twin.group_thermal import HeatLoads
from twin.module_thermal import ModuleThermal
from twin.reduced_thermal import ReducedThermal
from twin.reduced_training import TrainingSettings, reduced_panel

RESULTS = Path(__file__).parent / "results" / "reduced.json"
STEP = 10.0


def module_loads(parameters, count: int, random: np.random.Generator) -> HeatLoads:
    """Loads of modules in different places: 50 to 100 % of what their panels shed."""
    faces = 2.0 if parameters.two_sided else 1.0
    shed = faces * 0.7 * 5.67e-8 * parameters.supply_temperature**4 * parameters.panel_area
    wing = 5.67e-8 * 300.0**4 * parameters.array_area
    nodes = {
        "cold-plate": shed * random.uniform(0.5, 1.0, count),
        "body": np.full(count, 5.67e-8 * 300.0**4 * parameters.body_radiating_area),
        "array-front": np.full(count, 1.5 * wing),
    }
    return HeatLoads(random.uniform(40.0, 80.0, count), np.full(count, 30.0), nodes)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--case", default="cases/experimental-satellite.yaml")
    parser.add_argument("--class", dest="name", default="satellite")
    parser.add_argument("--mesh-size", type=float)
    parser.add_argument("--modes", type=int, default=ReductionSettings().most_modes)
    parser.add_argument("--modules", type=int, nargs="+", default=[1, 64, 1024, 4096])
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    parameters = component_models.thermal(Case.load(options.case).module_classes[options.name], 0.0)
    if options.mesh_size:
        parameters = replace(parameters, mesh_size=options.mesh_size)
    begin = time.perf_counter()
    panel = reduced_panel(
        parameters,
        TrainingSettings(),
        ReductionSettings(most_modes=options.modes),
        progress=lambda what, share: print(f"  {share:4.0%} {what}", flush=True),
    )
    training = time.perf_counter() - begin
    certificate = dict(panel.certificate)
    print(f"training or loading: {training:.1f} s")
    for name, orbit in certificate["orbits"].items():
        print(f"  {name:>8}: " + ", ".join(f"{key} {value:.2g}" for key, value in orbit.items()))

    random = np.random.default_rng(0)
    full = ModuleThermal(parameters)
    one = module_loads(parameters, 1, random)
    full.settle(one.module(0), parameters.mass_flow)
    groups = {}
    for count in options.modules:
        modules = [replace(parameters, emissivity=float(e)) for e in random.uniform(0.65, 0.85, count)]
        thermal, loads = ReducedThermal(modules, panel), module_loads(parameters, count, random)
        thermal.settle(loads, parameters.mass_flow)
        groups[count] = (thermal, loads)
    full_times, times = [], {count: [] for count in groups}
    for k in range(options.repeats):
        factor = 1.0 + 0.05 * np.sin(0.5 * k)
        nodes = {**one.nodes, "cold-plate": factor * one.nodes["cold-plate"]}
        now = HeatLoads(one.radiator_front, one.radiator_back, nodes).module(0)
        start = time.perf_counter()
        full.step(now, parameters.mass_flow, STEP * k, STEP, False)
        full_times.append(time.perf_counter() - start)
        for count, (thermal, loads) in groups.items():
            nodes = {**loads.nodes, "cold-plate": factor * loads.nodes["cold-plate"]}
            now = HeatLoads(loads.radiator_front, loads.radiator_back, nodes)
            start = time.perf_counter()
            thermal.step(now, parameters.mass_flow, STEP * k, STEP, False)
            times[count].append(time.perf_counter() - start)
    step = min(full_times)
    print(
        f"full step: {1e3 * step:.2f} ms for {certificate['full_nodes']} nodes; {numba.get_num_threads()} threads"
    )
    print(f"{'modules':>8} {'step':>10} {'per module':>12} {'ratio':>8}")
    rows = []
    for count, taken in times.items():
        each = min(taken) / count
        rows.append({"modules": count, "step_seconds": min(taken), "ratio": step / each})
        print(f"{count:8d} {1e3 * min(taken):7.2f} ms {1e6 * each:9.2f} µs {step / each:8.0f}")
    RESULTS.parent.mkdir(exist_ok=True)
    report = {
        "case": options.case,
        "full_nodes": certificate["full_nodes"],
        "full_step_seconds": step,
        "threads": numba.get_num_threads(),
        "rows": rows,
        "certificate": certificate,
    }
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
