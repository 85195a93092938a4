"""A live plant for a session: what the live twin publishes, in the shape of a result.

The messages are described in docs/guide/live.md. They hold no orbit, so that a live session shows maps of the
modules, their time series, the forecast and the alarms, and not the Earth.
"""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import NDArray

from twin.errors import BadInput
from viz.curves import KELVIN_AT_ZERO_CELSIUS, VERMILION
from viz.paints import PAINTS, Paint
from viz.plant_data import PlantData
from viz.session.charts import dark

type Floats = NDArray[np.float64]

MESSAGE_FORMAT = 1
MOST_ROWS = 2000
"""Cycles that are kept; the oldest go."""

PLACES = {
    "panel_mean": "panel_temperature_mean",
    "panel_max": "panel_temperature_max",
    "panel_min": "panel_temperature_min",
    "array": "solar_array_temperature",
    "supply": "coolant_supply_temperature",
    "return": "coolant_return_temperature",
    "battery": "battery_temperature",
}
"""Variables of a result by the place in a message."""

SINGLES = {
    "state_of_charge": "battery_soc",
    "radiator_margin": "radiator_margin",
    "card_power": "card_power",
}
"""Variables of a result by the name in a message."""

RETRY = 2.0
"""Pause before a lost connection is tried again [s]."""


class LivePlant(PlantData):
    """The last cycles of a live twin.

    Parameters
    ----------
    hello : mapping
        The first message.
    address : str
        ``http://HOST:PORT``.
    token : str
        Empty when none is asked for.
    """

    live = True

    def __init__(self, hello: Mapping[str, Any], address: str, token: str = "") -> None:
        if hello.get("format") != MESSAGE_FORMAT:
            raise BadInput(
                f"{address}: speaks message format {hello.get('format')!r}, this version reads {MESSAGE_FORMAT}"
            )
        self.result, self.path = xr.DataTree(), None
        self.start = datetime.fromisoformat(str(hello["start"])).astimezone(UTC)
        self.address, self.token = address, token
        self._name = str(hello["case"])
        self._places = [str(place) for place in hello["places"]]
        centers = hello["sub_centers"]
        self.sub_centers = [str(center["name"]) for center in centers]
        counts = [int(center["modules"]) for center in centers]
        width = max(counts, default=1)
        self.flat_index = np.full((len(counts), width), -1, dtype=np.int64)
        for row, count in enumerate(counts):
            self.flat_index[row, :count] = np.arange(count) + sum(counts[:row])
        self._variables = [*(PLACES[place] for place in self._places if place in PLACES), *SINGLES.values()]
        self.times = np.zeros(1)
        self._rows: dict[str, list[Floats]] = {
            name: [np.full(self.flat_index.shape, np.nan)] for name in self._variables
        }
        self._standing: dict[str, list[str]] = {}
        self._outlook: dict[str, Mapping[str, Any]] = {}
        self._empty = True

    @classmethod
    def connect(cls, address: str) -> LivePlant:
        """Ask the live twin at ``http://HOST:PORT`` what it follows.

        Raises
        ------
        BadInput
            There is none, it wants another token, or it speaks another format.
        """
        parts = urllib.parse.urlsplit(address)
        if parts.scheme not in ("http", "https"):
            raise BadInput(
                f"{address}: is a stream of telemetry; start 'twin live CASE --from {address} --serve 8080' "
                "and view the http:// address that it prints"
            )
        token = urllib.parse.parse_qs(parts.query).get("token", [""])[0]
        base = f"{parts.scheme}://{parts.netloc}"
        plant = cls(_get(base, "/api/hello", token), base, token)
        for kind, messages in _get(base, "/api/state", token).items():
            for message in messages:
                plant.take({"type": kind.rstrip("s"), **message})
        return plant

    @property
    def name(self) -> str:
        """Name of the case."""
        return self._name

    @property
    def scenes(self) -> tuple[str, ...]:
        """Scenes that can be shown."""
        return ("cards",)

    @property
    def paints(self) -> list[Paint]:
        """What can be shown."""
        return [paint for name, paint in PAINTS.items() if name in self._variables]

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which (sub_center, module) exist."""
        return self.flat_index >= 0

    @property
    def classes(self) -> tuple[list[str], NDArray[np.int64]]:
        """One class: messages do not tell them apart."""
        return ["module"], np.where(self.present, 0, -1)

    @property
    def case(self) -> dict[str, Any]:
        """Nothing: messages do not hold the case."""
        return {}

    @property
    def alarms(self) -> list[str]:
        """Alarms that stand, of the state and of what lies ahead, in words."""
        ahead = {name: _alarm_words(message) for name, message in self._outlook.items()}
        return [
            text
            for name in self.sub_centers
            for text in (*self._standing.get(name, []), *ahead.get(name, []))
        ]

    @property
    def forecast(self) -> list[str]:
        """What lies ahead of each sub-center, in words."""
        return [_outlook_words(name, message) for name, message in self._outlook.items()]

    def values(self, variable: str) -> Floats:
        """Return a variable of the modules, shape (time, sub_center, module)."""
        if variable not in self._rows:
            raise BadInput(f"the live twin does not publish {variable!r}")
        return np.stack(self._rows[variable])

    def values_at(self, variable: str, index: int) -> Floats:
        """Return a variable at one time stamp, shape (sub_center, module)."""
        return self._rows[variable][index]

    def static(self, variable: str) -> Floats | None:
        """Return nothing: messages hold no constants."""
        return None

    def eclipses(self, center: int | None) -> list[tuple[float, float]]:
        """Return nothing: messages hold no eclipses."""
        return []

    def take(self, message: Mapping[str, Any]) -> bool:
        """Take in a message; return whether it changes what is shown."""
        kind = message.get("type")
        if kind == "forecast":
            self._outlook[str(message["sub_center"])] = message
            return True
        if kind != "state" or str(message.get("sub_center")) not in self.sub_centers:
            return False
        center = self.sub_centers.index(str(message["sub_center"]))
        row = self._row(float(message["time"]))
        count = int(self.present[center].sum())
        for variable, values in self._columns(message, count).items():
            self._rows[variable][row][center, :count] = values
        self._standing[str(message["sub_center"])] = _alarm_words(message)
        return True

    async def follow(self, app: Any) -> None:
        """Take in messages as they come and show them; a lost connection is taken up again."""
        from tornado.websocket import websocket_connect

        url = self.address.replace("http", "ws", 1) + "/ws" + (f"?token={self.token}" if self.token else "")
        while True:
            try:
                connection = await websocket_connect(url, max_message_size=2**27)
                app.report_error("")
                while (raw := await connection.read_message()) is not None:
                    changed = self.take(json.loads(raw))
                    # What has come together is shown together.
                    while (more := await _soon(connection)) is not None:
                        changed = self.take(json.loads(more)) or changed
                    if changed:
                        app.refresh()
            except (OSError, ValueError, KeyError) as error:
                app.report_error(f"{self.address}: {error}; trying again")
            else:
                app.report_error(f"{self.address}: the live twin has ended; trying again")
            await asyncio.sleep(RETRY)

    def forecast_figure(self, center: int | None) -> Mapping[str, Any]:
        """Return the forecast of a sub-center as a plotly figure; of the first one that has any for None."""
        name = self.sub_centers[center] if center is not None else next(iter(self._outlook), "")
        message = self._outlook.get(name)
        if message is None or not (message.get("track") or {}).get("time"):
            return {}
        track = message["track"]
        begin = float(message["time"])
        zero = self.start.replace(tzinfo=None)
        x = [zero + np.timedelta64(round(1e3 * (begin + t)), "ms").astype(object) for t in track["time"]]
        drawing = go.Figure()
        for label, values in _bands(track.get("junction")):
            drawing.add_trace(
                go.Scatter(x=x, y=[None if v is None else v - KELVIN_AT_ZERO_CELSIUS for v in values], name=label,
                           mode="lines", line={"color": VERMILION, "dash": "solid" if label == "junction" else "dot"})
            )  # fmt: skip
        drawing.update_yaxes(title="[°C]")
        drawing.update_layout(
            meta={"title": f"forecast of the hottest junction, {name}"}, hovermode="x unified"
        )
        return dark(json.loads(drawing.to_json()))

    def _row(self, time: float) -> int:
        if self._empty:
            self.times[0], self._empty = time, False
        if time > self.times[-1]:
            self.times = np.append(self.times, time)
            for rows in self._rows.values():
                rows.append(rows[-1].copy())  # the other sub-centers keep their last values
            if self.times.size > MOST_ROWS:
                self.times = self.times[1:]
                for rows in self._rows.values():
                    del rows[0]
        return self.index_at(time)

    def _columns(self, message: Mapping[str, Any], count: int) -> dict[str, Floats]:
        """Return the values of the modules by variable; their mean for all where only that is told."""
        each = message.get("modules")
        found = {}
        for number, place in enumerate(self._places):
            if place in PLACES:
                found[PLACES[place]] = (
                    np.array([row[number] for row in each["temperature"]], dtype=np.float64)
                    if each
                    else np.full(count, _number(message["temperature"][place]["mean"]))
                )
        for name, variable in SINGLES.items():
            share = 1.0 / count if name == "card_power" else 1.0
            found[variable] = (
                np.array(each[name], dtype=np.float64)
                if each
                else np.full(count, share * _number(message[name]))
            )
        return found


async def _soon(connection: Any) -> Any:
    reading = asyncio.ensure_future(connection.read_message())
    done, _ = await asyncio.wait([reading], timeout=0.15)
    if done:
        return reading.result()
    # An unfinished read is taken up by the next one: tornado hands out messages in order.
    reading.cancel()
    return None


def _bands(values: Any) -> list[tuple[str, list[Any]]]:
    """Return the lines of a track: one, or low, middle and high."""
    if not values:
        return []
    if isinstance(values[0], list):
        labels = ("low", "junction", "high") if len(values[0]) == 3 else ("junction",)
        return [(label, [row[k] for row in values]) for k, label in enumerate(labels)]
    return [("junction", list(values))]


def _alarm_words(message: Mapping[str, Any]) -> list[str]:
    """Return the alarms of a message with the place that each is about, those that have not ended."""
    return [
        f"{alarm['place']}: {alarm['text']}" if alarm.get("place") else str(alarm.get("text", alarm))
        for alarm in message.get("alarms", [])
        if not alarm.get("ended")
    ]


def _outlook_words(name: str, message: Mapping[str, Any]) -> str:
    chance = message.get("probability") or {}
    limits = message.get("time_to_limit") or {}
    words = [f"{name}: throttling by heat {100 * _number(chance.get('heat')):.0f} %"]
    words.append(f"by power {100 * _number(chance.get('power')):.0f} %")
    for cause in ("heat", "power"):
        if limits.get(cause):
            words.append(f"{cause} in {_number(limits[cause][1]) / 60:.0f} min")
    if message.get("radiator_margin_low") is not None:
        words.append(f"lowest radiator margin {100 * _number(message['radiator_margin_low']):.0f} %")
    return ", ".join(words)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _get(base: str, path: str, token: str) -> Any:
    query = f"?token={urllib.parse.quote(token)}" if token else ""
    try:
        with urllib.request.urlopen(base + path + query, timeout=10.0) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        hint = "; give the whole link that 'twin live' printed" if error.code in (401, 403) else ""
        raise BadInput(f"{base}: answered {error.code} to {path}{hint}") from error
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{base}: there is no live twin ({error}); start 'twin live … --serve PORT'"
        ) from error
