"""How long pictures, slider steps and the report of a gigawatt plant take, without a GPU.

The result is synthetic (4 x 1024 modules); its shape is that of cases/gigawatt.yaml, its numbers are not.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/viz"))

BARS = {"screenshot": 15.0, "slider step": 0.5, "report": 20.0, "session starts": 15.0}
"""Longest times allowed [s]; a session has to start in seconds."""


def command(*arguments: str) -> float:
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "twin", *arguments], check=True, cwd=ROOT, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - begin


def slider_steps(folder: Path) -> dict[str, list[float]]:
    from viz.plant_data import PlantData
    from viz.scenes import Choice
    from viz.session.model import SessionModel

    model = SessionModel(PlantData.open(folder))
    times: dict[str, list[float]] = {}
    for scene in ("plant", "sub_center", "cards", "module"):
        model.show(Choice(scene))
        model.plotter.render()
        times[scene] = []
        for index in range(12):
            begin = time.perf_counter()
            model.set_time(index)
            model.plotter.screenshot(return_img=True)  # draws, and brings the picture back
            times[scene].append(time.perf_counter() - begin)
    model.close()
    return times


def session_start(folder: Path) -> float:
    begin = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "twin", "view", str(folder), "--no-browser"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        taken = time.perf_counter() - begin
        process.send_signal(2)
        process.wait(20)
    return taken


def main() -> None:
    from large_result import write_large

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_large(folder, side=32, ticks=100, step=60.0)
        rows: list[tuple[str, float, float, float]] = []
        for scene in ("plant", "sub_center", "cards", "module"):
            taken = command("view", name, "--screenshot", str(folder / f"{scene}.png"), "--scene", scene)
            rows.append((f"screenshot, {scene}", *taken, BARS["screenshot"]))
        for scene, times in slider_steps(folder).items():
            rows.append(
                (f"slider step, {scene} (median)", float(np.median(times)), np.nan, BARS["slider step"])
            )
        rows.append(("session starts", session_start(folder), np.nan, BARS["session starts"]))
        rows.append(("report", *command("report", name, "--out", str(folder / "r.html")), BARS["report"]))
    print(f"{'what':36} {'time [s]':>9} {'processor [s]':>14} {'bar [s]':>8}")
    for what, wall, processor, bar in rows:
        print(f"{what:36} {wall:9.2f} {processor:14.2f} {bar:8.2f}")
    target = ROOT / "bench/results/viz.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(
        json.dumps(
            [
                {"what": w, "time": t, "processor": None if p != p else p, "bar": b, "units": "s"}
                for w, t, p, b in rows
            ],
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
