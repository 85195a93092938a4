"""Run a session: on this machine only, or for others by a link with a token; ends cleanly on Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import html
import ipaddress
import logging
import os
import secrets
import signal
import socket
import sys
import webbrowser
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from twin.errors import BadInput
from viz.plant_data import PlantData
from viz.scenes import sub_center_index
from viz.session.model import SessionModel

type Say = Callable[[str], None]

COOKIE = "dawndusk-token"


def serve_result(
    data: PlantData,
    host: str,
    port: int,
    browser: bool,
    say: Say,
    seconds: float | None = None,
    scene: str | None = None,
    sub_center: str | None = None,
) -> None:
    """Serve a session on a result until interrupted.

    Parameters
    ----------
    data : PlantData
    host, port : str, int
        Where it listens; port 0 takes a free one.
    browser : bool
        Open it in the browser of this machine.
    say : callable
        Prints a line.
    seconds : float, optional
        First moment [s since start].
    scene, sub_center : str, optional
        First scene and sub-center.

    Raises
    ------
    BadInput
        The address cannot be used.
    """
    index = None if seconds is None else data.index_at(seconds)
    model = SessionModel(data, scene, sub_center_index(data, sub_center), index)
    try:
        asyncio.run(_serve(data, model, host, port, browser, say, None))
    finally:
        model.close()


def serve_live(address: str, host: str, port: int, browser: bool, say: Say) -> None:
    """Serve a session on a live twin until interrupted.

    Raises
    ------
    BadInput
        There is no live twin at the address, or it cannot be served.
    """
    from viz.session.live import LivePlant

    data = LivePlant.connect(address)
    model = SessionModel(data)
    try:
        asyncio.run(_serve(data, model, host, port, browser, say, data.follow))
    finally:
        model.close()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_address(host: str, port: int) -> None:
    """Check that a session can listen at an address.

    Raises
    ------
    BadInput
        It cannot.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(
            f"--host {host} --port {port}: cannot listen there ({reason}); name another, or leave out --port"
        ) from error


async def _serve(
    data: PlantData,
    model: SessionModel,
    host: str,
    port: int,
    browser: bool,
    say: Say,
    follow: Callable[[Any], Awaitable[None]] | None,
) -> None:
    from trame.app import get_server

    from viz.session.app import SessionApp

    check_address(host, port)
    token = "" if is_loopback(host) else secrets.token_urlsafe(18)
    stopped = asyncio.Event()
    _hush_departed_viewers()
    with _own_arguments():
        server: Any = get_server("dawndusk", client_type="vue3")
        app = SessionApp(data, server, model)
        server.controller.on_server_bind.add(
            lambda bound: bound.app.middlewares.append(guard(token, data.path))
        )
        task = server.start(
            exec_mode="task", host=host, port=port, open_browser=False, show_connection_info=False,
            disable_logging=True, timeout=0, backend="aiohttp",
        )  # fmt: skip
    await asyncio.wait([asyncio.ensure_future(server.ready), task], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    for number in (signal.SIGINT, signal.SIGTERM):  # now: the web server has put in its own while it started
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    shown = f"[{host}]" if ":" in host else host
    link = f"http://{shown}:{server.port}/" + (f"?token={token}" if token else "")
    say(f"{data.name}: {link}")
    if token:
        say("Whoever has this link can look; it is not encrypted: use it in networks you trust, or over SSH.")
    say("Ctrl-C ends it.")
    sys.stdout.flush()
    if browser and is_loopback(host):
        webbrowser.open(link)
    followed = None if follow is None else asyncio.ensure_future(follow(app))
    await stopped.wait()
    server.state.playing = False
    if followed is not None:
        followed.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await followed
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(server.stop(), 5.0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await task
    say("closed")


def _hush_departed_viewers() -> None:
    """Keep quiet about messages to a viewer who has just closed the page: nobody can read them."""
    from aiohttp import ClientConnectionResetError

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), ClientConnectionResetError | ConnectionError):
            loop.default_exception_handler(context)

    def keep(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, ClientConnectionResetError | ConnectionError)

    asyncio.get_running_loop().set_exception_handler(handle)
    logging.getLogger("aiohttp.server").addFilter(keep)
    logging.getLogger("wslink.protocol").setLevel(logging.CRITICAL)
    logging.getLogger("wslink").setLevel(logging.CRITICAL)


def guard(token: str, path: Path | None) -> Any:
    """Return what looks at every request first.

    It asks for the token when there is one, refuses requests that another page started, and says so when the
    result is no longer there.
    """
    from aiohttp import web

    from twin.results import locate_result

    place = None if path is None else locate_result(path)

    @web.middleware
    async def check(request: Any, handler: Any) -> Any:
        origin = request.headers.get("Origin")
        if origin is not None and origin.partition("://")[2] != request.headers.get("Host"):
            return _page(403, "Refused", "This page was called by another one; open its own address.")
        if token:
            given = request.query.get("token", "")
            if hmac.compare_digest(given, token):
                answer = web.HTTPFound("/index.html")
                answer.set_cookie(COOKIE, token, httponly=True, samesite="Strict")
                return answer
            if not hmac.compare_digest(request.cookies.get(COOKIE, ""), token):
                return _page(403, "Token needed", "Open the whole link that 'twin view' printed.")
        if request.path in ("/", "/index.html") and place is not None:
            try:
                locate_result(place)
            except BadInput as error:
                return _page(404, "The result is not there", str(error))
        return await handler(request)

    return check


def _page(status: int, title: str, words: str) -> Any:
    from aiohttp import web

    text = (
        "<!DOCTYPE html><html lang='en'><meta charset='utf-8'><title>Dawndusk</title>"
        "<body style='font:16px/1.5 system-ui,sans-serif;background:#0b0f17;color:#d5dbe3;padding:12vh 10vw'>"
        f"<h1 id='failure'>{html.escape(title)}</h1><p>{html.escape(words)}</p></body></html>"
    )
    return web.Response(status=status, text=text, content_type="text/html")


@contextlib.contextmanager
def _own_arguments() -> Iterator[None]:
    """Hide the command line from trame, which would read options of its own from it."""
    given, sys.argv = sys.argv, sys.argv[:1]
    os.environ["WSLINK_READY_MSG"] = ""
    try:
        yield
    finally:
        sys.argv = given
