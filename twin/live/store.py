"""Everything the live twin says, in a Zarr store that grows while it runs.

``live.zarr/<sub_center>/state`` has a row per cycle, ``…/forecast`` a row per forecast; ``alarms.jsonl`` beside it has
a line per new alarm.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from twin.case import Case
from twin.errors import RunFailed
from twin.live.alarms import Alarm
from twin.live.model import PARAMETERS
from twin.live.outlook import CAUSES, Forecast
from twin.live.report import PLACES, CycleReport
from twin.live.sensors import NAMES

Array = NDArray[np.float64]

ROWS = 16
"""Cycles that wait in memory; a crash loses the rows, not the state."""

_STATE: dict[str, tuple[tuple[str, ...], str, str]] = {
    "temperature": (("module", "place"), "K", "temperature, mean of the ensemble"),
    "temperature_spread": (("module", "place"), "K", "standard deviation of the temperature"),
    "parameter": (("module", "parameter"), "1", "factor on the design, mean of the ensemble"),
    "parameter_spread": (("module", "parameter"), "1", "standard deviation of the factor"),
    "state_of_charge": (("module",), "1", "battery state of charge"),
    "state_of_charge_spread": (("module",), "1", "standard deviation of the state of charge"),
    "radiator_margin": (("module",), "1", "share of the radiator that could be missing"),
    "radiator_margin_spread": (("module",), "1", "standard deviation of the radiator margin"),
    "card_power": (("module",), "W", "power of the cards as measured"),
    "innovation": (("module", "sensor"), "1", "observed less expected, in standard deviations"),
    "bias": (("module", "sensor"), "SI", "estimated error of the sensor, in its unit"),
    "consistency": (("module",), "1", "mean normalised innovation squared per observation"),
    "sensor_fault": (("module", "sensor"), "1", "0 none, 1 range, 2 stuck, 3 spikes, 4 disagrees, 5 silent"),
}

_FORECAST: dict[str, tuple[str, str]] = {
    "radiator_margin": ("1", "lowest radiator margin now"),
    "radiator_margin_trend": ("1", "change of it ahead, per orbit"),
    "margin_ahead": ("1", "lowest margin within the horizon, 5 %"),
    "junction_headroom": ("K", "what the hottest card stays below its limit, 5 %"),
    "state_of_charge_low": ("1", "lowest state of charge within the horizon, 5 %"),
    "cap": ("W", "power of the cards of a module that avoids throttling"),
    "cap_probability": ("1", "chance of throttling that is left with it"),
} | {f"probability_{cause}": ("1", f"chance of throttling by {cause}") for cause in CAUSES}


class LiveStore:
    """Writer of the store.

    Parameters
    ----------
    folder : Path
        Of the live twin; the store is `live.zarr` in it.
    case : Case
    resume : bool
        Go on with a store that is there.
    """

    def __init__(self, folder: Path, case: Case, resume: bool = False):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.case = folder, case
        path = folder / "live.zarr"
        there = resume and path.exists()
        self.root = zarr.open_group(str(path), mode="a" if there else "w", zarr_format=3)
        self.root.attrs.update(
            {"title": "Dawndusk live twin", "case": case.name, "start": case.mission.start.isoformat()}
        )
        whole = ""
        if there and (folder / "alarms.jsonl").is_file():
            text = (folder / "alarms.jsonl").read_text(encoding="utf-8", errors="replace")
            whole = text[: text.rfind("\n") + 1]  # a line that was cut off is written again
        aside = folder / "alarms.jsonl.partial"
        aside.write_text(whole, encoding="utf-8")
        aside.replace(folder / "alarms.jsonl")
        self._alarm_lines = set(whole.splitlines())
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._groups: dict[str, zarr.Group] = {}
        self._last: dict[str, float] = {}

    def reached(self, sub_center: str) -> float:
        """Return the time of the last state of a sub-center that is on disk [s]; 0 for none."""
        place = f"{sub_center}/state"
        if f"{place}/time" not in self.root:
            return 0.0
        self._groups[place] = self._open(place, {}, {}, {})
        return max(self._last[place], 0.0)

    def report(self, report: CycleReport) -> None:
        """Add the state of a sub-center after a cycle; one that is there already is left out."""
        name = self.case.sub_centers[report.sub_center].name
        values = {key: getattr(report, key) for key in _STATE}
        dimensions = {key: line[0] for key, line in _STATE.items()}
        units = {key: line[1:] for key, line in _STATE.items()}
        self._add(f"{name}/state", report.time, values, dimensions, units)
        self._alarms(name, report.new_alarms)

    def forecast(self, forecast: Forecast) -> None:
        """Add a forecast."""
        name = self.case.sub_centers[forecast.sub_center].name
        values: dict[str, Any] = {key: getattr(forecast, key, None) for key in _FORECAST}
        values |= {f"probability_{cause}": chance for cause, chance in forecast.probability.items()}
        plain = {key: np.array(np.nan if v is None else v, dtype=float) for key, v in values.items()}
        self._add(f"{name}/forecast", forecast.time, plain, dict.fromkeys(_FORECAST, ()), _FORECAST)

    def alarms(self, sub_center: str, new: Sequence[Alarm]) -> None:
        """Add new alarms."""
        self._alarms(sub_center, new)

    def _alarms(self, name: str, new: Sequence[Alarm]) -> None:
        if not new:
            return
        with (self.folder / "alarms.jsonl").open("a", encoding="utf-8") as file:
            for alarm in new:
                line = json.dumps({"sub_center": name, **alarm.as_dict()})
                if line not in self._alarm_lines:  # a partition on its way back says again what it said
                    self._alarm_lines.add(line)
                    file.write(line + "\n")

    def _add(
        self, place: str, time: float, values: dict[str, Any], dimensions: dict[str, tuple[str, ...]],
        units: dict[str, tuple[str, str]],
    ) -> None:  # fmt: skip
        if place not in self._groups:
            self._groups[place] = self._open(place, values, dimensions, units)
        if time <= self._last[place]:
            return
        self._last[place] = time
        rows = self._rows.setdefault(place, [])
        rows.append({"time": time, **values})
        if len(rows) >= ROWS:
            self._flush(place)

    def _open(
        self,
        place: str,
        values: dict[str, Any],
        dimensions: dict[str, tuple[str, ...]],
        units: dict[str, tuple[str, str]],
    ) -> zarr.Group:
        group = self.root.require_group(place)
        if "time" in group:
            times = np.asarray(group["time"])
            # A death between making room and writing leaves zeros.
            whole = int(np.argmax(times <= 0.0)) if (times <= 0.0).any() else len(times)
            group["time"].resize((whole,))  # type: ignore[union-attr]
            times = times[:whole]
            self._last[place] = float(times[-1]) if times.size else -np.inf
            return group
        self._last[place] = -np.inf
        start = f"seconds since {self.case.mission.start:%Y-%m-%d %H:%M:%S}"
        for key, value in values.items():
            shape = np.shape(value)
            counted = np.issubdtype(np.asarray(value).dtype, np.integer)
            group.create_array(
                key, shape=(0, *shape), chunks=(ROWS if shape else 1024, *shape), dtype="i1" if counted else "f4",
                dimension_names=("time", *dimensions[key]),
                attributes={"units": units[key][0], "long_name": units[key][1]}, overwrite=True,
            )  # fmt: skip
        # Time comes last here too: a group that has it is whole.
        group.create_array(
            "time", shape=(0,), chunks=(1024,), dtype="f8", dimension_names=("time",),
            attributes={"units": start, "calendar": "proleptic_gregorian", "long_name": "time of the state"},
            overwrite=True,
        )  # fmt: skip
        axes = {"place": PLACES, "parameter": PARAMETERS, "sensor": NAMES}
        for axis, labels in axes.items():
            if any(axis in d for d in dimensions.values()):
                group.attrs[axis] = list(labels)
        return group

    def _flush(self, place: str) -> None:
        rows, group = self._rows.get(place, []), self._groups[place]
        if not rows:
            return
        count = group["time"].shape[0]  # type: ignore[union-attr]
        # Time goes last, so that a row that has a time is whole.
        try:
            for key in [k for k in rows[0] if k != "time"] + ["time"]:
                array = group[key]
                assert isinstance(array, zarr.Array)
                array.resize((count + len(rows), *array.shape[1:]))
                array[count:] = np.stack([np.asarray(row[key]) for row in rows])
        except OSError as error:
            raise RunFailed(
                f"{self.folder / 'live.zarr'} cannot be written ({error.strerror or error}); make room, then the same "
                "command with --resume goes on"
            ) from error
        rows.clear()

    def flush(self) -> None:
        """Write all rows that wait.

        Raises
        ------
        RunFailed
            If the disk is full or cannot be written; rows that are on it stay.
        """
        for place in list(self._rows):
            self._flush(place)
