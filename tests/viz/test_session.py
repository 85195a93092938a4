"""Sessions, with and without a browser."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tornado.web
import tornado.websocket
from browser import Page
from large_result import HOTTEST, write_large

from twin.errors import BadInput
from viz.plant_data import PlantData
from viz.scenes import Choice
from viz.session.live import LivePlant
from viz.session.model import SessionModel
from viz.session.serve import check_address, is_loopback

START = "2026-01-01T00:00:00+00:00"


@pytest.fixture
def model(large_folder: Path) -> Iterator[SessionModel]:
    made = SessionModel(PlantData.open(large_folder))
    yield made
    made.close()


def hello(**changes: Any) -> dict[str, Any]:
    return {
        "type": "hello",
        "format": 1,
        "case": "live-plant",
        "start": START,
        "sub_centers": [{"name": "one", "modules": 4}, {"name": "two", "modules": 2}],
        "places": ["supply", "panel_mean", "array"],
        "parameters": [],
        "sensors": [],
    } | changes


def state(name: str, time_: float, panel: list[float], alarms: list[str] | None = None) -> dict[str, Any]:
    count = len(panel)
    return {
        "type": "state",
        "sub_center": name,
        "time": time_,
        "state_of_charge": 0.9,
        "radiator_margin": 0.1,
        "card_power": 1e5,
        "temperature": {
            p: {"low": 280.0, "mean": 290.0, "high": 300.0} for p in ("supply", "panel_mean", "array")
        },
        "alarms": [{"text": text} for text in alarms or []],
        "modules": {
            "temperature": [[300.0, value, 330.0] for value in panel],
            "state_of_charge": [0.9] * count,
            "radiator_margin": [0.1] * count,
            "card_power": [2e4] * count,
        },
    }


def test_selecting_follows_the_picture(model: SessionModel) -> None:
    """A click on each map square that lies where the data says is that module."""
    model.show(Choice("cards"))
    model.set_paint("junction_temperature_max")
    model.plotter.render()
    corners = model.scene.outline(type("P", (), {"sub_center": HOTTEST[0], "module": HOTTEST[1]})())  # type: ignore[arg-type]
    renderer = model.plotter.renderer
    renderer.SetWorldPoint(*corners.mean(axis=0), 1.0)  # type: ignore[union-attr]
    renderer.WorldToDisplay()
    x, y, _ = renderer.GetDisplayPoint()
    width, height = model.plotter.render_window.GetSize()
    pick = model.pick(x / width, y / height)
    assert pick is not None and (pick.sub_center, pick.module) == HOTTEST
    value = float(model.data.values_at("junction_temperature_max", model.index)[HOTTEST])
    assert value == np.nanmax(model.data.values_at("junction_temperature_max", model.index))
    assert f"{value - 273.15:.2f} °C" in model.describe_selection()
    assert model.pick(0.001, 0.001) is None


def test_time_series_are_those_of_the_selection(model: SessionModel) -> None:
    model.show(Choice("cards"))
    model.set_paint("panel_temperature_mean")
    from viz.stage import Pick

    model.select(Pick(*HOTTEST))
    figure = model.figures("power_balance")["quantity"]
    line = figure["data"][0]
    expected = model.data.values("panel_temperature_mean")[:, HOTTEST[0], HOTTEST[1]] - 273.15
    values = line["y"]
    if isinstance(values, dict):  # plotly may pack numbers
        import base64

        values = np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"])
    assert np.allclose(np.asarray(values, dtype=float), expected, atol=1e-3)
    assert "°C" in figure["layout"]["yaxis"]["title"]["text"]


def test_camera_stays_when_time_moves_and_is_fitted_when_the_view_changes(model: SessionModel) -> None:
    before = model.plotter.camera.position
    model.set_time(0)
    assert model.plotter.camera.position == before
    model.resize(500, 900)
    assert model.plotter.camera.parallel_scale != pytest.approx(0.0)
    model.plotter.camera.azimuth = 20
    turned = tuple(model.plotter.camera.position)
    model.resize(900, 500)
    assert tuple(model.plotter.camera.position) == pytest.approx(turned)


def test_cut_takes_away_one_side(model: SessionModel) -> None:
    model.show(Choice("cards"))
    whole = np.asarray(model.plotter.screenshot(return_img=True)).astype(int)
    model.set_clip(0.5)
    model.plotter.render()
    cut = np.asarray(model.plotter.screenshot(return_img=True)).astype(int)
    changed = np.abs(whole - cut).max(axis=2) > 30
    left, right = np.array_split(changed, 2, axis=1)
    assert left.mean() > 0.1 and right.mean() < 0.02


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("x", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_used_port_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(BadInput, match="cannot listen there"):
            check_address("127.0.0.1", taken.getsockname()[1])


def test_live_messages_become_values() -> None:
    plant = LivePlant(hello(), "http://x")
    plant.take(state("one", 30.0, [290.0, 291.0, 292.0, 293.0], ["pump of one"]))
    plant.take(state("two", 30.0, [280.0, 281.0]))
    plant.take(state("one", 60.0, [295.0, 296.0, 297.0, 298.0]))
    assert plant.times.tolist() == [30.0, 60.0]
    now = plant.values_at("panel_temperature_mean", 1)
    assert now[0].tolist() == [295.0, 296.0, 297.0, 298.0]
    assert now[1, :2].tolist() == [280.0, 281.0] and np.isnan(now[1, 2:]).all()
    assert plant.alarms == []
    plant.take({"type": "forecast", "sub_center": "two", "time": 60.0, "probability": {"heat": 0.25, "power": 0.0},
                "time_to_limit": {"heat": [600.0, 1200.0, 1800.0], "power": None}})  # fmt: skip
    assert plant.forecast == ["two: throttling by heat 25 %, by power 0 %, heat in 20 min"]
    ahead = {"kind": "forecast", "place": "two/1", "text": "throttling by heat in 20 min", "ended": None}
    plant.take(
        {"type": "forecast", "sub_center": "two", "time": 90.0, "alarms": [ahead, {**ahead, "ended": 80.0}]}
    )
    assert plant.alarms == ["two/1: throttling by heat in 20 min"]
    assert not plant.take({"type": "state", "sub_center": "unknown", "time": 1.0})


def test_live_needs_a_live_twin() -> None:
    with pytest.raises(BadInput, match="there is no live twin"):
        LivePlant.connect("http://127.0.0.1:9")
    with pytest.raises(BadInput, match="start 'twin live CASE"):
        LivePlant.connect("tcp://127.0.0.1:5")
    with pytest.raises(BadInput, match="message format 7"):
        LivePlant(hello(format=7), "http://x")


@contextmanager
def session(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `twin view` and give its link."""
    command = [sys.executable, "-m", "twin", "view", *arguments, "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            line = ""
            while "http" not in line:
                line = process.stdout.readline()
                assert line, "the session did not start"
            found = re.search(r"http://\S+", line)
            assert found
            yield found[0], process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()


CLOCK = "document.querySelector('#clock')"


def ready(page: Page, link: str) -> None:
    page.open(link)
    page.wait(f"{CLOCK} && {CLOCK}.innerText.includes('UTC')")
    page.wait("document.querySelector('.dd-chart .main-svg')")


def test_a_session_in_the_browser(browser: str, large_folder: Path) -> None:
    with session(str(large_folder)) as (link, process):
        with Page(browser) as first, Page(browser) as second:
            ready(first, link)
            ready(second, link)
            # The slider of one moves the clock of both.
            first.set("#time", "3")
            for page in (first, second):
                page.wait(f"{CLOCK}.innerText.includes('00:20:00')")
            # The scene is drawn: not one colour.
            first.set("#scene", "cards")
            first.set("#paint", "junction_temperature_max")
            second.wait("document.querySelector('#scale-label').innerText.includes('hottest card')")
            first.wait("document.querySelector('.dd-note').innerText.includes('cards by module')")
            box = first.eval(
                "(() => { const r = document.querySelector('#view').getBoundingClientRect();"
                " return [r.left, r.top, r.width, r.height]; })()"
            )
            first.click_at(box[0] + 0.35 * box[2], box[1] + 0.3 * box[3])
            first.wait("document.querySelector('#selection').innerText.includes('module ')")
            second.wait("document.querySelector('#selection').innerText.includes('module ')")
            # Down to the cards of the module, and a click on one of them.
            first.click("#enter")
            first.wait("document.querySelector('.dd-note').innerText.includes('16 racks, 1,024 cards')")
            first.click_at(box[0] + 0.43 * box[2], box[1] + 0.4 * box[3])
            for page in (first, second):
                page.wait("document.querySelector('#selection').innerText.includes('card ')")
            first.set("#paint", "throttled_fraction_thermal")
            first.wait(
                "document.querySelector('#scale-label').innerText.includes('throttled by temperature')"
            )
            first.set("#scene", "sub_center")
            first.wait("document.querySelector('.dd-note').innerText.includes('areas of arrays')")
            first.set("#clip", "40")
            first.click("#play")
            first.wait(f"!{CLOCK}.innerText.includes('00:20:00')")
            first.click("#play")
            first.set("#client-side", True)
            first.wait("document.querySelector('#view canvas')")
            assert first.problems() == [] and second.problems() == []
            outside = [u for u in first.requests() if not u.startswith((link, "data:", "blob:"))]
            assert outside == [], "the page must work without a network"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stdout is not None and "Traceback" not in process.stdout.read()


def test_error_page_when_the_result_is_gone(browser: str, large_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(large_folder / "result.zarr", tmp_path / "result.zarr")
    with session(str(tmp_path)) as (link, _), Page(browser) as page:
        shutil.rmtree(tmp_path / "result.zarr")
        page.open(link)
        assert page.text("#failure") == "The result is not there"
        assert "no such result" in page.text("body")


def test_comparison_in_the_browser(browser: str, large_folder: Path, tmp_path: Path) -> None:
    """The difference of two results, with its own scale."""
    write_large(tmp_path, side=8, ticks=24, warmer=3.0)
    with session(str(tmp_path), "--compare", str(large_folder)) as (link, _), Page(browser) as page:
        ready(page, link)
        page.wait("document.querySelector('#scale-label').innerText.includes('difference [K]')")
        assert "lowest 3.00, mean 3.00, highest 3.00 K" in page.text("#selection")
        page.set("#scene", "module")
        page.wait("document.querySelector('.dd-note').innerText.includes('module 0')")
        assert page.text("#error") == "" and page.problems() == []


def test_half_written_results_are_refused(large_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(large_folder / "result.zarr", tmp_path / "result.zarr.partial")
    command = [sys.executable, "-m", "twin", "view", str(tmp_path), "--no-browser"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2 and "has not finished" in done.stderr and "Traceback" not in done.stderr


def test_token_is_needed_beyond_this_machine(large_folder: Path) -> None:
    with session(str(large_folder), "--host", "0.0.0.0") as (link, _):
        bare, _, token = link.replace("0.0.0.0", "127.0.0.1").partition("?token=")
        assert len(token) > 20
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(bare, timeout=20)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(bare + "?token=wrong", timeout=20)
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        assert opener.open(f"{bare}?token={token}", timeout=20).status == 200
        foreign = urllib.request.Request(bare + "index.html", headers={"Origin": "http://elsewhere.example"})
        with pytest.raises(urllib.error.HTTPError, match="403"):
            opener.open(foreign, timeout=20)


def test_live_update_reaches_the_page(browser: str) -> None:
    with publisher() as (address, send), session(address) as (link, _), Page(browser) as page:
        ready(page, link)
        page.wait(f"{CLOCK}.innerText.includes('00:00:30')")
        send(state("one", 90.0, [301.0, 302.0, 303.0, 304.0], ["pump of one is slow"]))
        page.wait(f"{CLOCK}.innerText.includes('00:01:30')")
        page.wait("document.querySelector('#alarms').innerText.includes('pump of one is slow')")
        assert page.text("#live") == "live"
        assert page.problems() == []


@contextmanager
def publisher() -> Iterator[tuple[str, Any]]:
    """Publish messages as a live twin does."""
    messages = [state("one", 30.0, [290.0, 291.0, 292.0, 293.0])]
    sockets: list[Any] = []

    class Api(tornado.web.RequestHandler):
        def get(self, what: str) -> None:
            self.write(json.dumps(hello() if what == "hello" else {"states": messages, "forecasts": []}))

    class Socket(tornado.websocket.WebSocketHandler):
        def open(self, *_: str) -> None:
            sockets.append(self)
            self.write_message(json.dumps(hello()))

    started, place = threading.Event(), {}

    def run() -> None:
        async def serve() -> None:
            application = tornado.web.Application([(r"/api/(\w+)", Api), ("/ws", Socket)])
            server = application.listen(0, "127.0.0.1")
            place["port"] = next(iter(server._sockets.values())).getsockname()[1]
            place["loop"], place["stop"] = asyncio.get_running_loop(), asyncio.Event()
            started.set()
            await place["stop"].wait()

        asyncio.run(serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(20)

    def send(message: dict[str, Any]) -> None:
        for _ in range(200):
            if sockets:
                break
            time.sleep(0.1)
        for each in sockets:
            place["loop"].call_soon_threadsafe(each.write_message, json.dumps(message))

    yield f"http://127.0.0.1:{place['port']}", send
    place["loop"].call_soon_threadsafe(place["stop"].set)
    thread.join(20)


def test_browser_variable_is_documented() -> None:
    """Whoever has Chromium elsewhere finds how to name it."""
    script = Path(__file__).parents[1] / "with_browser"
    assert "DAWNDUSK_BROWSER_URL" in script.read_text() and os.access(script, os.X_OK)
