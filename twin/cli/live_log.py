"""What `twin live` says on the terminal while it runs: new alarms at once, state and outlook every ten minutes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from twin.cli.console import error_console

APART = 3
"""Alarms of one kind in a sub-center that are told one by one; more are told together."""

EVERY = 600.0
"""Mission time between lines on the state [s]."""


class LiveLog:
    """Lines for the terminal."""

    def __init__(self) -> None:
        self._shown: dict[tuple[str, str], float] = {}

    def take(self, message: Mapping[str, Any]) -> None:
        """Print what is worth a line."""
        console = error_console()
        for line in alarm_lines(message.get("new_alarms", ())):
            console.print(line, markup=False, style="yellow")
        key, time = (message["type"], message["sub_center"]), message["time"]
        if time - self._shown.get(key, -1e9) < EVERY:
            return
        self._shown[key] = time
        line = state_line(message) if message["type"] == "state" else outlook_line(message)
        console.print(line, markup=False)


def state_line(message: Mapping[str, Any]) -> str:
    """Return a line on the state of a sub-center."""
    supply, margin = message["temperature"]["supply"], message["radiator_margin"]
    shown = "–" if margin is None else f"{100 * margin:.1f} %"
    return (
        f"{mission_clock(message['time'])} {message['sub_center']}: cards {message['card_power'] / 1e3:.1f} kW, "
        f"supply {supply['high'] - 273.15:.1f} °C, lowest charge {100 * message['state_of_charge']:.1f} %, "
        f"lowest radiator margin {shown}"
    )


def outlook_line(message: Mapping[str, Any]) -> str:
    """Return a line on what lies ahead of a sub-center."""
    chances = ", ".join(f"by {cause} {100 * p:.0f} %" for cause, p in message["probability"].items())
    cap = "" if message["cap"] is None else f"; a cap of {message['cap'] / 1e3:.1f} kW a module avoids it"
    room = message["junction_headroom"]
    hottest = f"{abs(room):.1f} K {'over' if room < 0.0 else 'below'}"
    return (
        f"{mission_clock(message['time'])} {message['sub_center']}: next {message['horizon'] / 60.0:.0f} min: "
        f"throttling {chances}{cap}; hottest 1 % of cards {hottest} their limit, "
        f"charge at least {100 * message['state_of_charge_low']:.1f} %"
    )


def alarm_lines(alarms: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each alarm; many of one cause in a sub-center together."""
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for alarm in alarms:
        center, _, rest = alarm["place"].partition("/")
        quantity = rest.partition("/")[2]
        groups.setdefault((center, alarm["cause"], quantity), []).append(alarm)
    for (center, _, _), several in groups.items():
        if len(several) <= APART:
            for alarm in several:
                yield (
                    f"{mission_clock(alarm['time'])} ALARM {alarm['place']}: {alarm['text']} "
                    f"(confidence {100 * alarm['confidence']:.0f} %)"
                )
            continue
        numbers = [alarm["place"].split("/")[1] for alarm in several if "/" in alarm["place"]]
        least = min(several, key=lambda alarm: alarm["confidence"])
        shown = ", ".join(numbers[:4]) + (" …" if len(numbers) > 4 else "")
        yield (
            f"{mission_clock(several[0]['time'])} ALARM {center}, {len(several)} modules ({shown}): "
            f"{several[0]['text']} (confidence {100 * least['confidence']:.0f} % or more)"
        )


def mission_clock(time: float) -> str:
    """Return a time since mission start [s] as T+HH:MM:SS."""
    minutes, seconds = divmod(round(time), 60)
    hours, minutes = divmod(minutes, 60)
    return f"T+{hours:02d}:{minutes:02d}:{seconds:02d}"
