"""Make the pictures of README.md and of the guides: `make images`.

    python docs/make_images.py SATELLITE GIGAWATT HOT

are the folders of three runs: one satellite on finite elements, the gigawatt plant, and one whose cards are held back
by temperature. Pictures of pages need Chromium (`tests/with_browser` finds it); without it they stay as they are.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from PIL import Image

ROOT = Path(__file__).parents[1]
WIDTHS = (1200, 1100, 1000, 900, 800)  # pixels: sharp on a page
MOST = 250_000  # bytes: small in the repository
COLOURS = 256
IMAGES = ROOT / "docs/images"
LIVE_CASE = "cases/constellation-200kw.yaml"


def shrink(source: Path, name: str, colour_map: str = "plasma") -> None:
    """Write `source` as docs/images/`name`.png at the width of a page with a palette of its own."""
    target = IMAGES / f"{name}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as picture:
        full = picture.convert("RGB")
    for width in WIDTHS:
        small = full.resize((width, round(full.height * width / full.width)), Image.Resampling.LANCZOS)
        # The colours of the scale first: otherwise its rare ends fall together.
        ramp = (255 * colormaps[colour_map](np.linspace(0, 1, COLOURS // 4))[:, :3]).astype(np.uint8)
        others = small.quantize(COLOURS - len(ramp)).getpalette() or []
        palette = Image.new("P", (1, 1))
        palette.putpalette([*ramp.ravel().tolist(), *others[: 3 * (COLOURS - len(ramp))]])
        small.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(target, optimize=True)
        if target.stat().st_size <= MOST:
            break
    print(f"wrote {target} ({target.stat().st_size // 1000} kB)", flush=True)


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
        shrink(folder / f"{name}.png", name)


def throttling(run: Path, folder: Path) -> None:
    """Draw where cards are held back by temperature: modules, and the racks of the worst one."""
    from viz.plant_data import PlantData
    from viz.report_scenes import kept_index
    from viz.report_throttling import throttled_places

    data = PlantData.open(run)
    worst = throttled_places(data)[0]
    for scene, index in (("cards", worst.peak), ("racks", kept_index(data, worst.peak))):
        name = f"throttling-{scene}"
        twin(
            "view", str(run), "--screenshot", str(folder / f"{name}.png"), "--scene", scene, "--sub-center",
            worst.sub_center, "--module", str(worst.worst), "--colour-by", worst.variable, "--time",
            f"{data.times[index]} s",
        )  # fmt: skip
        shrink(folder / f"{name}.png", name, "viridis")


def session(run: Path, folder: Path, address: str) -> None:
    """Photograph a session in the browser: the plant, and a sub-center with a module that was clicked."""
    with started("view", str(run), "--no-browser") as link, browser_page(address) as page:
        page.open(link)
        page.wait("document.querySelectorAll('.dd-chart .main-svg').length > 1")
        photograph(page, folder, "session")
        page.set("#scene", "sub_center")
        page.wait("document.querySelector('.dd-note').innerText.includes('sub-center')")
        time.sleep(3)
        page.click("#view")
        page.wait("document.querySelector('#selection').innerText.includes('module ')")
        photograph(page, folder, "session-module")


def session_cards(run: Path, folder: Path, address: str) -> None:
    """Photograph the way down to the cards of a module."""
    with started("view", str(run), "--no-browser") as link, browser_page(address) as page:
        page.open(link)
        page.wait("document.querySelectorAll('.dd-chart .main-svg').length > 1")
        page.set("#scene", "racks")
        page.wait("document.querySelector('.dd-note').innerText.includes('racks')")
        time.sleep(2)
        left, top, width, height = page.eval(
            "(() => { const r = document.querySelector('#view').getBoundingClientRect();"
            " return [r.left, r.top, r.width, r.height]; })()"
        )
        page.click_at(
            left + 0.43 * width, top + 0.40 * height
        )  # a card of rack 5; the middle is between racks
        page.wait("document.querySelector('#selection').innerText.includes('card ')")
        photograph(page, folder, "session-cards")


def live(folder: Path, address: str) -> None:
    """Photograph a session on a live twin whose plant loses a fifth of its pump."""
    source = "tcp://127.0.0.1:9482"
    live_out = ("--out", str(folder / "live"))
    with (
        started("live", LIVE_CASE, "--from", source, "--serve", "8482", "--members", "16", *live_out),
        started("feed", LIVE_CASE, "--to", source, "--rate", "30x", "--fault", "pump:0.8@10m", "--duration",
                "60 min", "--thermal", "reduced", wait=False),
        started("view", "http://127.0.0.1:8482", "--no-browser", retry=60.0) as link,
        browser_page(address) as page,
    ):  # fmt: skip
        page.open(link)
        page.wait("document.querySelector('#alarms')?.innerText?.includes('pump degraded')", 900)
        page.wait("document.querySelector('#alarms')?.innerText?.includes('throttling')", 300)
        photograph(page, folder, "session-live")


def status_page(folder: Path, address: str) -> None:
    """Photograph the status page of the example of the guide: the pumps of a sub-center weaken."""
    case, source = "cases/sub-center.yaml", "tcp://127.0.0.1:9483"
    with (
        started("live", case, "--from", source, "--serve", "8483", "--out", str(folder / "status")) as link,
        started("feed", case, "--to", source, "--rate", "20x", "--fault", "pump:0.9@30m", "--duration", "45 min",
                "--thermal", "reduced", wait=False),
        browser_page(address, (1400, 790)) as page,
    ):  # fmt: skip
        page.open(link)
        page.wait("document.querySelector('#alarms')?.innerText?.includes('pump degraded')", 900)
        time.sleep(15)  # five minutes of the plant: the curves show what came after
        photograph(page, folder, "status-page", "viridis")


def report(run: Path, folder: Path, address: str) -> None:
    """Photograph the first page of a report, and the section on what held the cards back."""
    twin("report", str(run), "--out", str(folder / "report.html"))
    with browser_page(address, (1150, 1450)) as page:
        page.open((folder / "report.html").as_uri())
        page.wait("document.querySelectorAll('#plots .main-svg').length > 6", 60)
        photograph(page, folder, "report")
        page.eval("document.querySelector('#throttling').scrollIntoView()")
        photograph(page, folder, "report-throttling")


def photograph(page: Any, folder: Path, name: str, colour_map: str = "plasma") -> None:
    """Take a picture of a page when it has come to rest."""
    time.sleep(3)  # the last picture of the scene is on its way
    page.screenshot(folder / f"{name}.png")
    shrink(folder / f"{name}.png", name, colour_map)


def twin(*arguments: str) -> None:
    """Run a command of `twin`."""
    subprocess.run([sys.executable, "-m", "twin", *arguments], check=True, cwd=ROOT)


@contextmanager
def started(*arguments: str, wait: bool = True, retry: float = 0.0) -> Iterator[str]:
    """Run a command of `twin` beside this one, and give the link that it prints."""
    command = [sys.executable, "-m", "twin", *arguments]
    end = time.monotonic() + retry
    while True:
        # `twin live` tells its link where it tells its progress.
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout is not None
        link = None
        while wait and link is None and (line := process.stdout.readline()):
            link = re.search(r"http://\S+", line)
        if link is not None or not wait:
            break
        assert time.monotonic() < end, f"{' '.join(command)} did not start"
        process.wait()
        time.sleep(2.0)
    try:
        yield link[0] if link else ""
    finally:
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        process.wait(60)


@contextmanager
def browser_page(address: str, size: tuple[int, int] = (1500, 900)) -> Iterator[Any]:
    """Open an empty page in the browser of the tests."""
    sys.path.insert(0, str(ROOT / "tests/viz"))
    from browser import Page

    with Page(address, size) as page:
        yield page


def main() -> None:
    """Make all pictures; those of pages only with a browser."""
    satellite, gigawatt, hot = (Path(argument) for argument in sys.argv[1:4])
    address = os.environ.get("DAWNDUSK_BROWSER_URL")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shrink(satellite / "pictures/module.png", "module")
        scenes(gigawatt, folder)
        throttling(hot, folder)
        if not address:
            print("no browser: the pictures of sessions and reports stay as they are")
            return
        session(gigawatt, folder, address)
        session_cards(hot, folder, address)
        report(gigawatt, folder, address)
        live(folder, address)
        status_page(folder, address)


if __name__ == "__main__":
    main()
