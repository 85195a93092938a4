"""Make the pictures of README.md and of the guides from two runs: `make images`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from PIL import Image

ROOT = Path(__file__).parents[1]
WIDTH = 1200  # pixels: sharp on a page, small in the repository
COLOURS = 256
IMAGES = ROOT / "docs/images"


def shrink(source: Path, target: Path) -> None:
    """Write `source` at the width of a page with a palette of its own."""
    with Image.open(source) as picture:
        height = round(picture.height * WIDTH / picture.width)
        small = picture.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
    target.parent.mkdir(parents=True, exist_ok=True)
    # The colours of the scale first: otherwise its rare ends fall together.
    ramp = (255 * colormaps["plasma"](np.linspace(0, 1, COLOURS // 3))[:, :3]).astype(np.uint8)
    others = small.quantize(COLOURS - len(ramp)).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*ramp.ravel().tolist(), *others[: 3 * (COLOURS - len(ramp))]])
    small.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(target, optimize=True)
    print(f"wrote {target} ({target.stat().st_size // 1000} kB)")


def scenes(run: Path, folder: Path) -> None:
    """Draw plant, sub-center and cards of a large run at its hottest moment."""
    from viz.pictures import hottest_index, hottest_module, save_choice
    from viz.plant_data import PlantData
    from viz.scenes import Choice, usual_paint

    data = PlantData.open(run)
    index = hottest_index(data)
    for name in ("plant", "sub_center", "cards"):
        choice = Choice(name, hottest_module(data, index)[0])
        save_choice(data, choice, folder / f"{name}.png", index, usual_paint(data, name))
        shrink(folder / f"{name}.png", IMAGES / f"{name}.png")


def session(run: Path, folder: Path, address: str) -> None:
    """Photograph a session in the browser: the plant, and a sub-center with a module that was clicked."""
    sys.path.insert(0, str(ROOT / "tests/viz"))
    from browser import Page

    command = [sys.executable, "-m", "twin", "view", str(run), "--no-browser"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        link = re.search(r"http://\S+", process.stdout.readline())
        assert link, "the session did not start"
        try:
            with Page(address, (1500, 900)) as page:
                page.open(link[0])
                page.wait("document.querySelectorAll('.dd-chart .main-svg').length > 1")
                time.sleep(3)  # the last picture of the scene is on its way
                page.screenshot(folder / "session.png")
                page.set("#scene", "sub_center")
                page.wait("document.querySelector('.dd-note').innerText.includes('sub-center')")
                time.sleep(3)
                page.click("#view")
                page.wait("document.querySelector('#selection').innerText.includes('module ')")
                time.sleep(3)
                page.screenshot(folder / "session-module.png")
        finally:
            process.send_signal(signal.SIGINT)
    for name in ("session", "session-module"):
        shrink(folder / f"{name}.png", IMAGES / f"{name}.png")


def main() -> None:
    """Make all pictures for which there is a run, and a browser."""
    satellite, *large = (Path(argument) for argument in sys.argv[1:])
    if (satellite / "pictures/module.png").exists():
        shrink(satellite / "pictures/module.png", IMAGES / "module.png")
    with tempfile.TemporaryDirectory() as name:
        for run in large:
            scenes(run, Path(name))
            address = os.environ.get("DAWNDUSK_BROWSER_URL")
            if address:
                session(run, Path(name), address)
            else:
                print("no browser: the pictures of the session stay as they are")


if __name__ == "__main__":
    main()
