"""Transient and steady panel of a million unknowns: this project on one and two ranks, scikit-fem and CalculiX.

Usage: python bench/bench_thermal.py [--cells 1000] [--steps 12] [--rounds 3]

Needs only a plain Python; each measurement runs in the project's environment (`env/run`) in a process of its own.
CalculiX is measured where `ccx` is on the path of the machine: call this with the machine's own Python then.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WORKERS = ROOT / "bench" / "peers" / "panel_workers.py"
RESULTS = ROOT / "bench" / "results" / "thermal.json"


def inside() -> list[str]:
    """Return what a command starts with so that it runs in the environment."""
    try:
        import dolfinx  # noqa: F401
    except ImportError:
        return [str(ROOT / "env" / "run")]
    return []


def measure(*arguments: str, ranks: int = 1) -> dict[str, Any]:
    launcher = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
    python = "python" if inside() else sys.executable
    command = [*inside(), *launcher, python, str(WORKERS), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    line = next(text for text in done.stdout.splitlines() if text.startswith("{"))
    return dict(json.loads(line))


def calculix(cells: int, steps: int) -> dict[str, Any]:
    if shutil.which("ccx") is None:
        return {"skipped": "ccx is not on the path"}
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        size = measure("deck", str(cells), str(steps), f"{folder}/panel.inp")["dofs"]
        environment = os.environ | {"OMP_NUM_THREADS": str(os.cpu_count() or 1)}
        begin = time.perf_counter()
        done = subprocess.run(["ccx", "panel"], cwd=folder, capture_output=True, text=True, env=environment)
        step = (time.perf_counter() - begin) / steps
        if done.returncode:
            return {"skipped": f"ccx failed: {done.stdout[-300:]}"}
        found = [
            float(v)
            for v in re.findall(r"^ -1 *\d+ *([-+.\dE]+)$", Path(f"{folder}/panel.frd").read_text(), re.M)
        ]
    return {
        "dofs": size, "ranks": 1, "threads": os.cpu_count(), "step s": step, "dof-steps/s": size / step,
        "min K": min(found), "max K": max(found), "note": "all cores; set-up included; one implicit stage a step",
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cells", type=int, default=1000, help="cells along an edge of the panel")
    parser.add_argument("--steps", type=int, default=12, help="steps that are timed")
    parser.add_argument("--rounds", type=int, default=3, help="times that one and two ranks take turns")
    chosen = parser.parse_args()
    cells, steps = str(chosen.cells), str(chosen.steps)
    rows: dict[str, Any] = {}

    def note(name: str, row: dict[str, Any]) -> None:
        rows[name] = row
        if "skipped" in row:
            print(f"{name:<34} {row['skipped']}")
        elif "solve s" in row:
            print(
                f"{name:<34} {row['dofs']:>9} dofs {row['solve s']:8.2f} s {row['memory B/dof']:6.0f} B/dof"
            )
        else:
            speed = row["dof-steps/s"] / 1e6
            print(
                f"{name:<34} {row['dofs']:>9} dofs {row['step s']:8.3f} s/step {speed:7.3f} million dof-steps/s",
                end="",
            )
            print(f" {row['memory B/dof']:6.0f} B/dof" if "memory B/dof" in row else "")

    # One and two ranks take turns, and the best of each counts: other work on the machine only ever slows.
    turns = [
        (measure("transient", cells, steps), measure("transient", cells, steps, ranks=2))
        for _ in range(chosen.rounds)
    ]
    for number, ranks in enumerate((1, 2)):
        runs = [turn[number] for turn in turns]
        best = min(runs, key=lambda run: run["step s"])
        note(
            f"transient, {ranks} rank{'s' * (ranks > 1)}",
            best | {"steps of all rounds s": [run["step s"] for run in runs]},
        )
    ratio = rows["transient, 1 rank"]["step s"] / rows["transient, 2 ranks"]["step s"]
    print(f"two ranks against one: {ratio:.2f}")
    rows["two ranks against one"] = ratio
    for ranks in (1, 2):
        note(f"steady, {ranks} rank{'s' * (ranks > 1)}", measure("steady", cells, "0", ranks=ranks))
    note("scikit-fem, conjugate gradients", measure("scikit-fem", cells, "2"))
    note("scikit-fem, factorised once", measure("scikit-fem-direct", cells, "2"))
    note("CalculiX, fewer nodes", calculix(min(chosen.cells, 200), 4))
    one = rows["transient, 1 rank"]
    achieved = one["traffic B/dof-iteration"] * one["iterations per stage"] * 2.0 * one["dof-steps/s"]
    rows["share of the memory bandwidth, 1 rank"] = achieved / one["triad B/s"]
    print(
        f"iterations read and write {achieved / 1e9:.1f} GB/s; triad reaches {one['triad B/s'] / 1e9:.1f} GB/s"
    )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
