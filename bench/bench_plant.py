"""A day of the gigawatt plant: wall time by part, scaling with modules, cards and sub-centers, memory.

Advances the plant for some ticks after a warm-up, with clocks around its parts, and scales the time of a tick to a day
of 8640 ticks. `--whole` runs `twin run` for the span given as well, in a process of its own, and reports its wall time
and highest resident memory for that span and for half of it. Prints tables and writes JSON to ``bench/results``.

Usage: python bench/bench_plant.py [--case cases/gigawatt.yaml] [--ticks 60] [--whole 24h]
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from twin.case import Case
from twin.environment_track import EnvironmentTrack
from twin.module_group import ModuleGroup
from twin.plant import Plant
from twin.recording import Recorder, layout, static_values
from twin.reduced_thermal import ReducedThermal
from twin.relay_network import RelayNetwork
from twin.results import ResultWriter
from twin.simulation import Simulation
from twin.workload import Workload

RESULTS = Path(__file__).parent / "results" / "plant.json"
DAY = 86400.0
BAR, AIM = 30.0, 9.0
"""Minutes for a day of the gigawatt plant on two cores."""

PARTS: dict[str, tuple[tuple[type, str], ...]] = {
    "panels and coolant": ((ReducedThermal, "step"),),
    "bus, batteries, arrays": (
        (ModuleGroup, "array_point"),
        (ModuleGroup, "card_cap"),
        (ModuleGroup, "advance"),
    ),
    "workload": ((Workload, "schedule"), (Workload, "activity"), (Workload, "advance")),
    "relay": ((RelayNetwork, "tick"),),
    "recording": ((Recorder, "add"), (Recorder, "take")),
    "writing": ((ResultWriter, "append"),),
}
"""Methods whose time is booked; a part inside another is taken off the outer one."""


class Clocks:
    """Time spent in the parts of a plant."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._inside: list[float] = []

    def wrap(self, part: str, call: Callable) -> Callable:
        """Return the call with its time booked to a part."""

        @functools.wraps(call)
        def timed(*args, **keywords):
            self._inside.append(0.0)
            begin = time.perf_counter()
            try:
                return call(*args, **keywords)
            finally:
                took = time.perf_counter() - begin
                self.spent[part] += took - self._inside.pop()
                if self._inside:
                    self._inside[-1] += took

        return timed


@contextmanager
def clocked(clocks: Clocks, plant: Plant) -> Iterator[None]:
    """Put clocks around the parts, and take them away again."""
    kept = [(kind, name, getattr(kind, name)) for methods in PARTS.values() for kind, name in methods]
    for part, methods in PARTS.items():
        for kind, name in methods:
            setattr(kind, name, clocks.wrap(part, getattr(kind, name)))
    plant.fleet.advance = clocks.wrap("cards", plant.fleet.advance)  # type: ignore[method-assign]
    ticks = EnvironmentTrack.ticks

    def timed_ticks(self, *span):
        stream = ticks(self, *span)
        step = clocks.wrap("environment", lambda: next(stream, None))
        while (found := step()) is not None:
            yield found

    EnvironmentTrack.ticks = timed_ticks  # type: ignore[method-assign]
    try:
        yield
    finally:
        EnvironmentTrack.ticks = ticks  # type: ignore[method-assign]
        for kind, name, method in kept:
            setattr(kind, name, method)


def measure(case: Case, ticks: int) -> dict:
    """Time the ticks of a case with recording and writing."""
    begin = time.perf_counter()
    plant = Plant.build(case, lambda what, share: print(f"  reduced model, {what}: {share:.0%}", end="\r"))
    built = time.perf_counter() - begin
    simulation = Simulation(plant)
    begin = time.perf_counter()
    simulation.settle()
    settled = time.perf_counter() - begin
    recorder, clocks = Recorder(plant), Clocks()
    per_output = round(case.numerics.output_interval / case.numerics.thermal_step)
    with tempfile.TemporaryDirectory() as folder, clocked(clocks, plant):
        writer = ResultWriter.create(
            Path(folder) / "result.zarr", layout(plant), case.mission.start, {}, static_values(plant)
        )
        begin = 0.0
        for number, tick in enumerate(simulation.run(1e4 * case.numerics.thermal_step), 1 - 2 * per_output):
            recorder.add(tick)
            if number % per_output == 0:
                writer.append(tick.end, recorder.take())
            if number == 0:  # compiled, tables made
                clocks.spent.clear()
                begin = time.perf_counter()
            if number == ticks:
                break
        writer.flush()
        whole = time.perf_counter() - begin
    parts = {name: value / ticks for name, value in clocks.spent.items()}
    parts["other"] = whole / ticks - sum(parts.values())
    day = DAY / case.numerics.thermal_step * whole / ticks
    return {
        "modules": plant.modules,
        "cards": plant.fleet.cards,
        "sub_centers": len(plant.orbits),
        "build": built,
        "settle": settled,
        "tick": whole / ticks,
        "parts": parts,
        "day": day,
        "energy_residual": simulation.ledger.plant_residual,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def scaled(path: str, divisor: int, centers: int, cards: int) -> Case:
    """Return the case with its first sub-centers, a share of the modules of each and fewer cards in a module."""
    whole = Case.load(path)
    counts = [[max(1, round(g.count / divisor)) for g in c.modules] for c in whole.sub_centers]
    data = whole.resolved()
    data["sub_centers"] = data["sub_centers"][:centers]
    for center, row in zip(data["sub_centers"], counts):
        for group, count in zip(center["modules"], row):
            group["count"] = count
    for name in data["module_classes"]:
        racks = data["module_classes"][name]["racks"]
        racks["cards"] = int(racks["cards"]) // cards
    names = {center["name"] for center in data["sub_centers"]}
    data["workload"]["jobs"] = [job for job in data["workload"]["jobs"] if job["sub_center"] in names]
    for job in data["workload"]["jobs"]:
        held = [row for center, row in zip(whole.sub_centers, counts) if center.name == job["sub_center"]]
        job["cards"] = sum(held[0]) * whole.module_classes["interior"].racks.cards // cards
    return Case.from_resolved(data)


def run_whole(path: str, span: str) -> dict:
    """Run the command in a process of its own; return wall time and highest resident memory."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "twin",
            "run",
            path,
            "--duration",
            span,
            "--no-pictures",
            "--out",
            folder,
        ]
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - begin
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return {"span": span, "wall": took, "memory": usage.ru_maxrss * 1024}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--case", default="cases/gigawatt.yaml")
    parser.add_argument("--ticks", type=int, default=60)
    parser.add_argument(
        "--scale",
        nargs="+",
        default=["16/4/1", "4/4/1", "1/1/1", "1/4/8", "1/4/1"],
        help="divide the modules by / sub-centers / divide the cards of a module by",
    )
    parser.add_argument(
        "--whole", nargs="+", metavar="SPAN", help="run `twin run` for these spans, e.g. 12h 24h"
    )
    options = parser.parse_args()
    found: dict = {"ticks": options.ticks, "plants": [], "runs": []}
    for scale in options.scale:
        row = measure(scaled(options.case, *(int(part) for part in scale.split("/"))), options.ticks)
        found["plants"].append(row)
        print(
            f"{row['sub_centers']:3d} sub-centers {row['modules']:6d} modules {row['cards']:9,d} cards: "
            f"{1e3 * row['tick']:7.1f} ms a tick, a day in {row['day'] / 60:6.1f} min (bar {BAR:.0f}, aim {AIM:.0f}); "
            f"settle {row['settle']:.1f} s, {row['memory'] / 2**30:.2f} GiB, residual {row['energy_residual']:.0e}"
        )
        for name, value in sorted(row["parts"].items(), key=lambda item: -item[1]):
            print(f"    {name:24s} {1e3 * value:8.2f} ms  {value / row['tick']:6.1%}")
    for span in options.whole or ():
        run = run_whole(options.case, span)
        found["runs"].append(run)
        print(
            f"twin run --duration {span}: {run['wall'] / 60:.1f} min, {run['memory'] / 2**30:.2f} GiB at most"
        )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
