"""What is kept beside the telemetry so that an estimate can be judged: the true run and the hidden properties."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from twin.case import Case
from twin.feed.faults import Fault
from twin.feed.hidden import FACTORS, HiddenPlant
from twin.feed.sensors import Sensors
from twin.recording import Recorder, layout, static_values
from twin.results import ResultWriter
from twin.simulation import Tick

__all__ = ["HIDDEN", "TRUTH", "Truth", "fault_records"]

TRUTH = "truth.zarr"
HIDDEN = "hidden.npz"


def fault_records(faults: Sequence[Fault]) -> list[dict[str, Any]]:
    """Return faults as plain data; a fault without an end has none there."""
    return [
        {
            "kind": fault.kind.name,
            "layer": fault.kind.layer,
            "value": None if np.isnan(fault.value) else fault.value,
            "start": fault.start,
            "stop": None if np.isinf(fault.stop) else fault.stop,
            "place": "/".join(fault.place) or "*",
        }
        for fault in faults
    ]


class Truth:
    """Writes ``truth.zarr``, a result of the hidden plant, and ``hidden.npz``, its properties.

    ``hidden.npz`` holds ``time`` (change,), for each factor an array (change, module) in the order of the plant,
    and ``sensor_bias`` and ``sensor_drift`` (parameter,).

    Parameters
    ----------
    folder : Path
    case : Case
    hidden : HiddenPlant
    faults : sequence of Fault
    """

    def __init__(self, folder: Path, case: Case, hidden: HiddenPlant, faults: Sequence[Fault]):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.hidden = folder, hidden
        attributes = {
            "case": case.resolved(),
            "case_name": case.name,
            "description": f"hidden truth of a feed: {case.description}",
            "faults": json.dumps(fault_records(faults)),
        }
        plant = hidden.plant
        self._writer = ResultWriter.create(
            folder / TRUTH, layout(plant), case.mission.start, attributes, static_values(plant)
        )
        self._recorder = Recorder(plant)
        self._interval = case.numerics.output_interval
        self._next = self._interval
        self._open = False

    def add(self, tick: Tick) -> None:
        """Take in a tick; values are kept as often as the case says, and at the contacts of the shadow."""
        self._recorder.add(tick)
        self._open = True
        if tick.end >= self._next - 1e-6 or self.hidden.plant.track.is_contact(tick.end):
            self._record(tick.end)
            self._next = ((tick.end + 1e-6) // self._interval + 1.0) * self._interval

    def _record(self, time: float) -> None:
        self._writer.append(time, self._recorder.take())
        self._open = False

    def finish(self, time: float, wall_time: float, sensors: Sensors) -> None:
        """Complete both files."""
        if self._open:
            self._record(time)
        self._writer.finish({"wall_time": wall_time})
        changes = self.hidden.changes
        partial = self.folder / f".{HIDDEN}.partial.npz"
        arrays: dict[str, Any] = {
            "time": np.array([change.time for change in changes]),
            "sensor_bias": sensors.bias,
            "sensor_drift": sensors.drift,
        }
        arrays |= {name: np.array([change.factors[name] for change in changes]) for name in FACTORS}
        np.savez_compressed(partial, **arrays)
        partial.replace(self.folder / HIDDEN)
