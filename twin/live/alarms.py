"""Alarms: what is wrong, where, since when, and how sure that is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from twin.live.model import PARAMETERS
from twin.live.screen import Screen, SensorFault, sensor_name

Array = NDArray[np.float64]

type Kind = Literal["sensor", "plant", "forecast", "link", "model"]


@dataclass(frozen=True)
class Alarm:
    """One alarm.

    Attributes
    ----------
    kind : str
        ``sensor``, ``plant``, ``forecast``, ``link`` or ``model``.
    cause : str
        Such as ``pump``, ``stuck``, ``throttling by heat``.
    place : str
        ``sub_center/module/quantity`` as far as it goes.
    time : float
        When it was raised [s since mission start].
    confidence : float
        Chance that it is true.
    text : str
        One sentence.
    value : float
        What it is about: a factor, a probability, a departure.
    ended : float or None
        When it was over [s].
    """

    kind: Kind
    cause: str
    place: str
    time: float
    confidence: float
    text: str
    value: float = float("nan")
    ended: float | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same alarm."""
        return self.kind, self.cause, self.place

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON: numbers that are none become null."""
        return {
            k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in asdict(self).items()
        }


@dataclass(frozen=True)
class Rule:
    """When an estimated parameter is an alarm.

    Attributes
    ----------
    parameter : str
    bound : float
        Factor beyond which something is wrong; below it if it is under 1.
    cause : str
    text : str
        With ``{value}`` for the change in percent.
    """

    parameter: str
    bound: float
    cause: str
    text: str


RULES = (
    Rule("mass_flow", 0.95, "pump", "coolant flow {value} off the design: pump degraded"),
    Rule("emissivity", 0.93, "radiator", "radiator sheds {value} less or more than designed: coating or panels lost"),
    Rule("absorptance", 1.8, "coating", "radiator absorbs {value} more than designed: coating degraded"),
    Rule("plate_conductance", 0.75, "cold plates", "cold plates conduct {value} off the design: fouled or dry"),
    Rule("array_power", 0.94, "array", "solar array {value} off the design: strings lost or cells degraded"),
    Rule("battery_capacity", 0.88, "battery", "battery holds {value} off its capacity: cells lost"),
)  # fmt: skip

RAISE, CLEAR = 0.95, 0.1
"""Probabilities at which an alarm is raised, and at which it ends."""


def exceedance(mean: Array, spread: Array, bound: float) -> Array:
    """Return the chance that normal numbers are beyond a bound, on its far side of 1."""
    from scipy.stats import norm

    width = np.maximum(spread, 0.003)
    return np.asarray(norm.cdf((bound - mean) / width) if bound < 1.0 else norm.sf((bound - mean) / width))


@dataclass
class AlarmBook:
    """Alarms of a sub-center: those that stand, and the last ones that are over.

    Attributes
    ----------
    sub_center : str
        Its name.
    keep : int
        Alarms that are over and kept.
    """

    sub_center: str
    keep: int = 200
    standing: dict[tuple[str, str, str], Alarm] = field(default_factory=dict)
    over: list[Alarm] = field(default_factory=list)

    def update(self, kind: Kind, now: Iterable[Alarm], time: float) -> list[Alarm]:
        """Replace the alarms of a kind by those that hold now; return the new ones.

        An alarm that goes on keeps its time.
        """
        current = {alarm.key: alarm for alarm in now}
        new = []
        for key, alarm in current.items():
            before = self.standing.get(key)
            if before is None:
                new.append(alarm)
            self.standing[key] = alarm if before is None else replace(alarm, time=before.time)
        for key in [k for k in self.standing if k[0] == kind and k not in current]:
            self.over.append(replace(self.standing.pop(key), ended=time))
        del self.over[: -self.keep]
        return new

    def plant_alarms(self, mean: Array, spread: Array, time: float) -> list[Alarm]:
        """Return the alarms that estimated parameters give; (module, parameter) mean and standard deviation."""
        found = []
        for rule in RULES:
            k = PARAMETERS.index(rule.parameter)
            chance = exceedance(mean[:, k], spread[:, k], rule.bound)
            for i in np.flatnonzero(chance >= CLEAR):
                place = f"{self.sub_center}/{i}"
                stands = ("plant", rule.cause, place) in self.standing
                if chance[i] < RAISE and not stands:
                    continue
                change = f"{100.0 * (mean[i, k] - 1.0):+.1f} %"
                found.append(
                    Alarm("plant", rule.cause, place, time, float(chance[i]),
                          rule.text.format(value=change), float(mean[i, k]))
                )  # fmt: skip
        return found

    def sensor_alarms(self, screen: Screen, time: float) -> list[Alarm]:
        """Return the alarms of faulty sensors."""
        words = {
            SensorFault.RANGE: ("range", "reads outside its range"),
            SensorFault.STUCK: ("stuck", "repeats the same reading"),
            SensorFault.SPIKES: ("spikes", "has readings that stand alone"),
            SensorFault.DISAGREES: ("bias", "disagrees with all others by {off:.3g}"),
            SensorFault.SILENT: ("silent", "does not report"),
        }
        confidence, found = screen.confidence(), []
        for i, k in zip(*np.nonzero(screen.fault)):
            cause, text = words[SensorFault(int(screen.fault[i, k]))]
            place = f"{self.sub_center}/{i}/{sensor_name(int(k))}"
            off = float(screen.departure[i, k])
            found.append(
                Alarm("sensor", cause, place, float(screen.since[i, k]), float(confidence[i, k]),
                      f"{place.split('/', 1)[1]} {text.format(off=off)}", off)
            )  # fmt: skip
        return found

    # -- state ------------------------------------------------------------------------------------

    def as_json(self) -> str:
        """Return all alarms as text."""
        return json.dumps(
            {"standing": [asdict(a) for a in self.standing.values()], "over": [asdict(a) for a in self.over]}
        )

    def restore(self, text: str) -> None:
        """Continue from :meth:`as_json`."""
        saved: Mapping[str, list[dict[str, Any]]] = json.loads(text)
        alarms = [Alarm(**values) for values in saved["standing"]]
        self.standing = {alarm.key: alarm for alarm in alarms}
        self.over = [Alarm(**values) for values in saved["over"]]
