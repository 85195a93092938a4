"""A real Chromium for the tests, driven over the DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

from tornado.websocket import WebSocketClientConnection, websocket_connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WHY_NOT = (
    "no browser: set DAWNDUSK_BROWSER_URL to the DevTools address of a Chromium, or DAWNDUSK_CHROMIUM to the program; "
    "'make test' does it where Chromium is installed"
)


def devtools_address(started: list[subprocess.Popen[bytes]]) -> str | None:
    """Return the DevTools address of a browser, None when there is none; a program that was started is appended."""
    given = os.environ.get("DAWNDUSK_BROWSER_URL")
    if given:
        return given.rstrip("/")
    program = os.environ.get("DAWNDUSK_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        return None
    profile = Path(tempfile.mkdtemp(prefix="dawndusk-browser-"))
    flags = [
        "--headless=new", "--no-first-run", "--disable-dev-shm-usage", "--remote-debugging-port=0",
        "--use-angle=swiftshader", "--enable-unsafe-swiftshader", f"--user-data-dir={profile}",
    ]  # fmt: skip
    if os.geteuid() == 0:
        flags.append("--no-sandbox")
    started.append(subprocess.Popen([program, *flags, "about:blank"], stderr=subprocess.DEVNULL))
    file = profile / "DevToolsActivePort"
    for _ in range(300):
        if file.exists() and file.read_text().strip():
            return f"http://127.0.0.1:{file.read_text().split()[0]}"
        time.sleep(0.1)
    return None


class Page:
    """A tab of its own browser context, so that cookies and state are those of another person."""

    def __init__(self, address: str, size: tuple[int, int] = (1440, 900)) -> None:
        self._runner = asyncio.Runner()
        self._address = address
        version = json.loads(urllib.request.urlopen(f"{address}/json/version", timeout=20).read())
        host = address.split("://")[1]
        url = "ws://" + host + "/" + version["webSocketDebuggerUrl"].split("/", 3)[3]
        self._counter = 0
        self.events: list[dict[str, Any]] = []
        self._browser = self._connect(url)
        self._context = self._send(self._browser, "Target.createBrowserContext")["browserContextId"]
        target = self._send(
            self._browser,
            "Target.createTarget",
            {
                "url": "about:blank",
                "browserContextId": self._context,
                "width": size[0],
                "height": size[1],
            },
        )["targetId"]
        self._page = self._connect(f"ws://{host}/devtools/page/{target}")
        for domain in ("Page", "Runtime", "Network"):
            self.send(f"{domain}.enable")
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", metrics)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._send(self._browser, "Target.disposeBrowserContext", {"browserContextId": self._context})

        async def close() -> None:
            self._page.close()
            self._browser.close()

        self._runner.run(close())
        self._runner.close()

    def send(self, method: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call a method of the DevTools protocol."""
        return self._send(self._page, method, parameters)

    def open(self, url: str) -> None:
        """Go to an address and wait until it is loaded."""
        self.send("Page.navigate", {"url": url})
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def eval(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        done = self.send(
            "Runtime.evaluate", {"expression": expression, "returnByValue": True, "awaitPromise": True}
        )
        if "exceptionDetails" in done:
            raise AssertionError(f"{expression}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def wait(self, expression: str, seconds: float = 40.0) -> float:
        """Wait until an expression is true; return how long that took [s]."""
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            if self.eval(f"!!({expression})"):
                return time.monotonic() - begin
            time.sleep(0.03)
        raise AssertionError(
            f"not true after {seconds} s: {expression}; page: {self.eval('document.body.innerText')!r}"
        )

    def text(self, selector: str) -> str:
        """Return the words of an element."""
        return str(self.eval(f"(document.querySelector({json.dumps(selector)}) || {{}}).innerText || ''"))

    def set(self, selector: str, value: object) -> None:
        """Enter a value into a field, as a person would."""
        field = "checked" if isinstance(value, bool) else "value"
        self.eval(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.{field} = {json.dumps(value)};"
            "for (const kind of ['input', 'change']) e.dispatchEvent(new Event(kind, {bubbles: true})); })()"
        )

    def click(self, selector: str) -> None:
        """Click an element in its middle with the mouse."""
        x, y = self.eval(
            f"(() => {{ const r = document.querySelector({json.dumps(selector)}).getBoundingClientRect(); "
            "return [r.left + r.width / 2, r.top + r.height / 2]; })()"
        )
        self.click_at(x, y)

    def click_at(self, x: float, y: float) -> None:
        """Click at a place of the window [pixel]."""
        self.drag([(x, y)])

    def drag(self, points: list[tuple[float, float]]) -> None:
        """Press the left button at the first point, move over the others and let go."""
        base = {"button": "left", "clickCount": 1}
        x, y = points[0]
        self.send("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})
        self.send("Input.dispatchMouseEvent", {"type": "mousePressed", "x": x, "y": y, **base})
        for x, y in points[1:]:
            self.send(
                "Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y, "buttons": 1, **base}
            )
        self.send("Input.dispatchMouseEvent", {"type": "mouseReleased", "x": x, "y": y, **base})

    def screenshot(self, file: Path | None = None) -> bytes:
        """Return the window as PNG, and write it to a file when one is given."""
        data = base64.b64decode(self.send("Page.captureScreenshot", {"format": "png"})["data"])
        if file is not None:
            file.write_bytes(data)
        return data

    def requests(self) -> list[str]:
        """Return the addresses that the page asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def problems(self) -> list[str]:
        """Return uncaught errors of the page."""
        return [
            str(event["params"]["exceptionDetails"])[:500]
            for event in self.events
            if event.get("method") == "Runtime.exceptionThrown"
        ]

    def _connect(self, url: str) -> WebSocketClientConnection:
        async def connect() -> WebSocketClientConnection:
            return await websocket_connect(url, max_message_size=2**27)

        return self._runner.run(connect())

    def _send(
        self, connection: WebSocketClientConnection, method: str, parameters: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        self._counter += 1
        number = self._counter

        async def ask() -> dict[str, Any]:
            await connection.write_message(
                json.dumps({"id": number, "method": method, "params": parameters or {}})
            )
            while True:
                raw = await asyncio.wait_for(connection.read_message(), 60.0)
                assert raw is not None, "the browser closed the connection"
                message: dict[str, Any] = json.loads(raw)
                if message.get("id") == number:
                    return message
                self.events.append(message)

        answer = self._runner.run(ask())
        assert "error" not in answer, f"{method}: {answer['error']}"
        return dict(answer["result"])
