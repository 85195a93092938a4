"""How long pictures, slider steps, turning, the session and the report of a gigawatt plant take, without a GPU.

    python bench/bench_viz.py [RUN]

RUN is the folder of a run, such as out/gigawatt. Without it the result is synthetic (4 x 1024 modules): its shape is
that of cases/gigawatt.yaml, its numbers are not.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/viz"))

SCENES = ("plant", "sub_center", "cards", "module")
SCREENSHOT, SLIDER, TURN, START, REPORT = 15.0, 0.5, 0.1, 15.0, 20.0
"""Longest times allowed [s]: turning at ten pictures a second is smooth, a session has to start in seconds."""


@dataclass(frozen=True)
class Row:
    """One line of the table; times in seconds."""

    what: str
    time: float
    bar: float
    processor: float | None = None
    units: str = "s"


def command(*arguments: str) -> tuple[float, float]:
    """Return wall and processor time of a command of `twin` [s]."""
    begin, before = time.perf_counter(), os.times()
    subprocess.run(
        [sys.executable, "-m", "twin", *arguments], check=True, cwd=ROOT, stdout=subprocess.DEVNULL
    )
    after = os.times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - begin, processor


def steps(folder: Path) -> list[Row]:
    """Time slider steps and turning as a session does them: change, draw, bring the picture back."""
    from viz.plant_data import PlantData
    from viz.scenes import Choice
    from viz.session.model import SessionModel

    model = SessionModel(PlantData.open(folder))
    rows = []
    for scene in SCENES:
        model.show(Choice(scene))
        model.plotter.render()
        window = model.plotter.render_window
        slides, turns = [], []
        for index in np.linspace(0, model.data.times.size - 1, 24).astype(int).tolist():
            begin = time.perf_counter()
            model.set_time(index)
            window.Render()
            model.plotter.screenshot(return_img=True)
            slides.append(time.perf_counter() - begin)
        model.hurry()
        for _ in range(24):
            begin = time.perf_counter()
            model.plotter.camera.Azimuth(3.0)
            model.plotter.renderer.ResetCameraClippingRange()
            window.Render()
            model.plotter.screenshot(return_img=True)
            turns.append(time.perf_counter() - begin)
        model.rest()
        for what, times, bar in (("slider step", slides, SLIDER), ("turning", turns, TURN)):
            rows.append(Row(f"{what}, {scene}, median", float(np.median(times)), bar))
            rows.append(Row(f"{what}, {scene}, 9 of 10", float(np.quantile(times, 0.9)), 2.0 * bar))
    model.close()
    return rows


def session_start(folder: Path) -> float:
    """Return the time from the command to the first page [s]."""
    begin = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "twin", "view", str(folder), "--no-browser"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        link = re.search(r"http://\S+", process.stdout.readline())
        assert link, "the session did not start"
        with urllib.request.urlopen(link[0], timeout=30) as page:
            page.read()
        taken = time.perf_counter() - begin
        process.send_signal(signal.SIGINT)
        process.wait(20)
    return taken


def measure(folder: Path, scratch: Path) -> list[Row]:
    """Measure everything on the result in `folder`; pictures go to `scratch`."""
    rows = []
    for scene in SCENES:
        wall, processor = command(
            "view", str(folder), "--screenshot", str(scratch / f"{scene}.png"), "--scene", scene
        )
        rows.append(Row(f"screenshot, {scene}", wall, SCREENSHOT, processor))
    rows += steps(folder)
    rows.append(Row("session, until its page comes", session_start(folder), START))
    wall, processor = command("report", str(folder), "--out", str(scratch / "report.html"))
    return [*rows, Row("report", wall, REPORT, processor)]


def main() -> None:
    """Print the table and write bench/results/viz.json."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        if len(sys.argv) > 1:
            folder = Path(sys.argv[1])
        else:
            from large_result import write_large

            folder = scratch / "run"
            write_large(folder, side=32, ticks=100, step=60.0)
        print(f"{folder}; load average {os.getloadavg()[0]:.1f}", flush=True)
        rows = measure(folder, scratch)
    print(f"{'what':42} {'time [s]':>9} {'processor [s]':>14} {'bar [s]':>8}")
    for row in rows:
        processor = "" if row.processor is None else f"{row.processor:.2f}"
        print(
            f"{row.what:42} {row.time:9.3f} {processor:>14} {row.bar:8.2f}{'  *' if row.time > row.bar else ''}"
        )
    target = ROOT / "bench/results/viz.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps([asdict(row) for row in rows], indent=2))
    if any(row.time > row.bar for row in rows):
        print("* above its bar")
        sys.exit(1)


if __name__ == "__main__":
    main()
