"""Web server of the live twin: status page, JSON, WebSocket, metrics; for this machine only unless told otherwise."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tornado.web
import tornado.websocket
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from twin.errors import BadInput
from twin.live import messages
from twin.live.ingest import LiveTwin

PAGE = Path(__file__).with_name("page.html")

LOOPBACK = ("127.0.0.1", "localhost", "::1")

MOST_WAITING = 64
"""Messages that a slow reader may be behind before it is let go."""


def start_server(twin: LiveTwin, place: str, token: str | None = None) -> tuple[str, Callable[[], None]]:
    """Start the server in the running event loop.

    Parameters
    ----------
    twin : LiveTwin
    place : str
        ``PORT`` or ``HOST:PORT``; port 0 takes a free one.
    token : str, optional
        Password. Without one, a server that others can reach gets one of its own.

    Returns
    -------
    address : str
        To open in a browser.
    close : callable

    Raises
    ------
    BadInput
        If the place is none, or taken.
    """
    host, port = parse_place(place)
    if token is None and host not in LOOPBACK:
        token = secrets.token_urlsafe(16)
    server = HTTPServer(application(twin, token))
    try:
        sockets = bind_sockets(port, host)
    except OSError as error:
        raise BadInput(
            f"--serve {place}: cannot listen there ({error.strerror or error}); choose another port"
        ) from None
    server.add_sockets(sockets)
    port = sockets[0].getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    query = "" if token is None else f"?token={token}"
    return f"http://{shown}:{port}/{query}", server.stop


def parse_place(text: str) -> tuple[str, int]:
    """Return host and port of ``PORT`` or ``HOST:PORT``.

    Raises
    ------
    BadInput
        Says what is wrong.
    """
    host, colon, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535 or (colon and not host):
        raise BadInput(f"--serve {text}: expected PORT or HOST:PORT, such as 8080 or 0.0.0.0:8080")
    return host.strip("[]") or LOOPBACK[0], int(port)


def application(twin: LiveTwin, token: str | None = None) -> tornado.web.Application:
    """Return the pages of a live twin."""
    shared: dict[str, Any] = {"twin": twin, "token": token}
    return tornado.web.Application(
        [
            ("/", PageHandler, shared),
            ("/api/hello", HelloHandler, shared),
            ("/api/state", StateHandler, shared),
            ("/api/alarms", AlarmsHandler, shared),
            ("/api/history", HistoryHandler, shared),
            ("/metrics", MetricsHandler, shared),
            ("/ws", SocketHandler, shared),
        ],
        websocket_ping_interval=20.0,
    )


def first_message(twin: LiveTwin) -> dict[str, Any]:
    """Return the message that a socket begins with."""
    return messages.hello(twin.case, [int(n) for n in twin.dictionary.modules])


class _Guarded(tornado.web.RequestHandler):
    """A page that asks for the password, where there is one."""

    def initialize(self, twin: LiveTwin, token: str | None) -> None:
        """Remember what is shared."""
        self.twin, self.token = twin, token

    def prepare(self) -> None:
        """Check the password."""
        if self.token is None:
            return
        given = self.get_query_argument("token", "")
        header = self.request.headers.get("Authorization", "")
        if header.startswith("Bearer "):
            given = header.removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            raise tornado.web.HTTPError(403, "token missing or wrong")

    def send(self, value: Any) -> None:
        """Answer with JSON."""
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(value, allow_nan=False))


class PageHandler(_Guarded):
    """Status page."""

    def get(self) -> None:
        """Answer."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header(
            "Content-Security-Policy", "default-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:"
        )
        self.finish(PAGE.read_text(encoding="utf-8"))


class HelloHandler(_Guarded):
    """What the plant is."""

    def get(self) -> None:
        """Answer."""
        self.send(first_message(self.twin))


class StateHandler(_Guarded):
    """The last messages of all sub-centers."""

    def get(self) -> None:
        """Answer."""
        latest = self.twin.latest
        self.send(
            {
                "states": [m for (kind, _), m in latest.items() if kind == "state"],
                "forecasts": [m for (kind, _), m in latest.items() if kind == "forecast"],
            }
        )


class AlarmsHandler(_Guarded):
    """Alarms that stand."""

    def get(self) -> None:
        """Answer."""
        self.send([alarm.as_dict() for alarm in self.twin.standing()])


class HistoryHandler(_Guarded):
    """What is remembered of the last cycles."""

    def get(self) -> None:
        """Answer."""
        self.send({name: list(rows) for name, rows in self.twin.history.items()})


class MetricsHandler(_Guarded):
    """Metrics for Prometheus."""

    def get(self) -> None:
        """Answer."""
        self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.finish(self.twin.metrics.text())


class SocketHandler(_Guarded, tornado.websocket.WebSocketHandler):
    """All messages as they come, after a first one and the last of each kind."""

    def open(self, *args: str, **kwargs: str) -> None:
        """Say what the plant is and what is known of it."""
        del args, kwargs
        self._waiting = 0
        self.set_nodelay(True)
        for message in (first_message(self.twin), *self.twin.latest.values()):
            self._write(message)
        self.twin.listeners.append(self._write)

    def on_message(self, message: str | bytes) -> None:
        """Nothing is taken from readers."""

    def on_close(self) -> None:
        """Send no more."""
        if self._write in self.twin.listeners:
            self.twin.listeners.remove(self._write)

    def _write(self, message: dict[str, Any]) -> None:
        if self.ws_connection is None:
            return
        if self._waiting > MOST_WAITING:
            self.close(1013, "reads too slowly")
            return
        try:
            future = self.write_message(json.dumps(message, allow_nan=False))
        except tornado.websocket.WebSocketClosedError:
            return
        self._waiting += 1
        future.add_done_callback(self._written)

    def _written(self, future: Any) -> None:
        self._waiting -= 1
        future.exception()
