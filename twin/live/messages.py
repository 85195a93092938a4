"""Messages of the live twin: what its web server and its sockets say, as JSON.

The format is described in docs/guide/live.md; `FORMAT` changes when a reader must.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin import component_models
from twin.case import Case
from twin.live.model import PARAMETERS
from twin.live.outlook import Forecast, as_json
from twin.live.report import PLACES, CycleReport
from twin.live.sensors import NAMES

FORMAT = 1

MOST_MODULES = 2048
"""Modules up to which a message has the values of each."""


def hello(case: Case, modules: list[int]) -> dict[str, Any]:
    """Return the first message of a socket: what the plant is and what the columns of the others mean."""
    used = {group.class_ for center in case.sub_centers for group in center.modules}
    return {
        "type": "hello",
        "format": FORMAT,
        "case": case.name,
        "description": case.description,
        "start": case.mission.start.isoformat(),
        "sub_centers": [
            {"name": center.name, "modules": count} for center, count in zip(case.sub_centers, modules)
        ],
        "junction_limit": min(
            component_models.card(case.module_classes[name], name).target_temperature for name in sorted(used)
        ),
        "places": list(PLACES),
        "parameters": list(PARAMETERS),
        "sensors": list(NAMES),
    }


def state(name: str, report: CycleReport, latency: float | None) -> dict[str, Any]:
    """Return the message about a sub-center after a cycle."""
    each = len(report.card_power) <= MOST_MODULES
    message: dict[str, Any] = {
        "type": "state",
        "sub_center": name,
        "time": report.time,
        "cycle": report.cycle,
        "latency": latency,
        "card_power": _number(report.card_power.sum()),
        "state_of_charge": _number(report.state_of_charge.min()),
        "radiator_margin": _number(report.radiator_margin.min()),
        "consistency": _number(
            np.nanmean(report.consistency) if np.isfinite(report.consistency).any() else np.nan
        ),
        "temperature": {
            place: {
                "low": _number(report.temperature[:, k].min()),
                "mean": _number(report.temperature[:, k].mean()),
                "high": _number(report.temperature[:, k].max()),
            }
            for k, place in enumerate(PLACES)
        },
        "parameter": {
            name: {
                "low": _number(report.parameter[:, k].min()),
                "mean": _number(report.parameter[:, k].mean()),
                "high": _number(report.parameter[:, k].max()),
                "spread": _number(report.parameter_spread[:, k].mean()),
            }
            for k, name in enumerate(PARAMETERS)
        },
        "samples": report.samples,
        "alarms": [alarm.as_dict() for alarm in report.alarms],
        "new_alarms": [alarm.as_dict() for alarm in report.new_alarms],
    }
    if each:
        message["modules"] = {
            "temperature": _rows(report.temperature, 2),
            "temperature_spread": _rows(report.temperature_spread, 3),
            "parameter": _rows(report.parameter, 4),
            "parameter_spread": _rows(report.parameter_spread, 4),
            "state_of_charge": _rows(report.state_of_charge, 4),
            "radiator_margin": _rows(report.radiator_margin, 4),
            "card_power": _rows(report.card_power, 1),
            "sensor_fault": report.sensor_fault.tolist(),
        }
    return message


def summary(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is remembered of a state message, for curves."""
    flow, back = message["parameter"]["mass_flow"], message["temperature"]["return"]
    return {
        "time": message["time"],
        "card_power": message["card_power"],
        "radiator_margin": message["radiator_margin"],
        "state_of_charge": message["state_of_charge"],
        "flow_low": flow["low"], "flow": flow["mean"], "flow_high": flow["high"],
        "return_low": back["low"], "return": back["mean"], "return_high": back["high"],
    }  # fmt: skip


def outlook(name: str, forecast: Forecast) -> dict[str, Any]:
    """Return the message about a forecast."""
    return {"type": "forecast", **as_json(forecast), "sub_center": name}


def _number(value: Any) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None


def _rows(values: NDArray[np.float64], digits: int) -> list[Any]:
    rounded = np.round(values, digits).astype(object)
    rounded[~np.isfinite(values)] = None
    return list(rounded.tolist())
