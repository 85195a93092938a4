"""The web server: pages, messages, metrics, and who may read them."""

import asyncio
import json

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError
from tornado.websocket import websocket_connect

from twin.errors import BadInput
from twin.live.host import Host
from twin.live.ingest import LiveTwin
from twin.live.pool import OneProcess
from twin.live.server import parse_place, start_server
from twin.live.settings import LiveSettings


def serve(case, panel, quiet, read, place="0", token=None):
    """Run a live twin with a server over six minutes of telemetry, and `read(base, query)` beside it."""
    data = b"".join(packet for shipment in quiet.packets[:36] for packet in shipment)

    async def source():
        yield data

    async def go():
        twin = LiveTwin(case, OneProcess(Host(case, LiveSettings(orbits=0.1), None, panel)))
        address, close = start_server(twin, place, token)
        base, _, query = address.partition("?")
        try:
            await twin.run(source())
            return await read(base, query)
        finally:
            close()
            await twin.pool.close()

    return asyncio.run(go())


def test_pages_and_messages(case, panel, quiet):
    async def read(base, query):
        assert base.startswith("http://127.0.0.1:") and not query
        client = AsyncHTTPClient()
        texts = {}
        for path in ("", "api/hello", "api/state", "api/alarms", "api/history", "metrics"):
            texts[path] = (await client.fetch(base + path)).body.decode()
        socket = await websocket_connect(base.replace("http", "ws") + "ws")
        texts["ws"] = [json.loads(await socket.read_message()) for _ in range(3)]
        socket.close()
        return texts

    texts = serve(case, panel, quiet, read)
    assert "<title>Live twin</title>" in texts[""]
    hello, state, forecast = texts["ws"]
    assert json.loads(texts["api/hello"]) == hello
    assert hello["case"] == case.name and hello["sub_centers"][0]["modules"] == 1
    assert (state["type"], forecast["type"]) == ("state", "forecast")
    assert len(state["modules"]["temperature"][0]) == len(hello["places"])
    assert len(state["modules"]["parameter"][0]) == len(hello["parameters"])
    assert 280.0 < state["temperature"]["supply"]["mean"] < 340.0
    assert set(forecast["probability"]) == {"heat", "power"} and forecast["cap"] is None
    assert json.loads(texts["api/state"])["states"][0]["cycle"] == state["cycle"]
    assert json.loads(texts["api/alarms"]) == []
    history = json.loads(texts["api/history"])[case.sub_centers[0].name]
    assert len(history) == state["cycle"] and history[-1]["time"] == state["time"]
    assert history[-1]["flow"] == state["parameter"]["mass_flow"]["mean"]
    assert hello["junction_limit"] > history[-1]["return"]
    assert f'twin_live_cycles_total{{sub_center="{case.sub_centers[0].name}"}}' in texts["metrics"]
    assert "twin_live_latency_seconds_bucket" in texts["metrics"]


def test_others_need_the_token(case, panel, quiet):
    async def read(base, query):
        assert query.startswith("token=")
        client, codes = AsyncHTTPClient(), []
        port = base.rsplit(":", 1)[1].strip("/")
        for suffix in ("", "?token=wrong", f"?{query}"):
            try:
                codes.append((await client.fetch(f"http://127.0.0.1:{port}/api/state{suffix}")).code)
            except HTTPClientError as error:
                codes.append(error.code)
        return codes

    assert serve(case, panel, quiet, read, "0.0.0.0:0") == [403, 403, 200]


@pytest.mark.parametrize("text", ["", "x", "host:", "127.0.0.1:http", ":80", "70000"])
def test_bad_places(text):
    with pytest.raises(BadInput, match="expected PORT or HOST:PORT"):
        parse_place(text)


def test_places():
    assert parse_place("8080") == ("127.0.0.1", 8080)
    assert parse_place("[::1]:80") == ("::1", 80)
