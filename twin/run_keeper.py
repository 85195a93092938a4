"""What a run leaves behind while it runs: results, fields, checkpoints, alarms."""

from __future__ import annotations

import json
import logging
import os
import time as clock
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twin import checkpoint
from twin.card_maps import CardMaps
from twin.case import Case
from twin.errors import BadInput, DawnduskError, RunFailed
from twin.module_group import ModuleGroup
from twin.recording import Recorder, layout, static_values
from twin.results import ResultWriter, open_result, resolved_case
from twin.results.replace import partial_path
from twin.results.writer import written_until
from twin.run_log import event
from twin.simulation import Simulation

if TYPE_CHECKING:
    from twin.field_output import FieldSeries

RESULT = "result.zarr"
FIELDS = "fields"
CHECKPOINTS = "checkpoints"
FREE_TO_CHANGE = ("name", "description", "mission.duration", "extends", "sizing")
"""Keys of a case that a resumed run may have otherwise."""

type Saved = Mapping[str, NDArray[Any]]


class Witness:
    """Takes part in what is collective and writes nothing: the other processes of an MPI run.

    Parameters
    ----------
    simulation : Simulation
    field_interval : float
        Simulated time between finite-element fields in files [s].
    checkpoint_interval : float
        Wall time between checkpoints [s].
    saved : mapping, optional
        Checkpoint that the run goes on from.
    """

    def __init__(
        self,
        simulation: Simulation,
        field_interval: float,
        checkpoint_interval: float,
        saved: Saved | None = None,
    ):
        self.simulation = simulation
        self.alarms: dict[tuple[int, str, str], str] = {}
        self.wall_time = 0.0
        self._field_interval = field_interval
        self._checkpoint_interval = checkpoint_interval
        self._next_fields = simulation.time
        self._begun = self._saved = clock.monotonic()
        if saved is not None:
            self.alarms = {(m, n, limit): text for m, n, limit, text in json.loads(str(saved["alarms"]))}
            self._next_fields = float(saved["next_fields"])
            self.wall_time = float(saved["wall_time"])

    def record(self, time: float, recorder: Recorder) -> None:
        """Take the values of an interval, and the fields when they are due."""
        recorder.take()
        if self._fields_due(time):
            self._fields(time)

    def look(self, time: float) -> None:
        """Note the first time that coolant freezes or boils, or that batteries leave their temperature window."""
        for group in self.simulation.plant.groups:
            for module, found in group.thermal.liquid_limits(time):
                place = (group.modules.start + module, found.node.split(".")[0], found.limit)
                if place not in self.alarms:
                    self.alarms[place] = f"module {place[0]} ({group.name}): {found}"
                    event(logging.WARNING, "alarm", text=self.alarms[place])
            for module, limit, text in battery_alarms(group, time):
                key = (module, "battery", limit)
                if key not in self.alarms:
                    self.alarms[key] = text
                    event(logging.WARNING, "alarm", text=text)

    def keep(self, time: float, *, now: bool = False) -> None:
        """Write a checkpoint when one is due (rank 0 decides), or now."""
        from solvers import parallel

        due = now or parallel.decide(clock.monotonic() - self._saved > self._checkpoint_interval)
        if due:
            self.simulation.time = time
            self._checkpoint(checkpoint.snapshot(self.simulation))
            self._saved = clock.monotonic()

    def finish(self) -> None:
        """End the run."""

    def _fields_due(self, time: float) -> bool:
        if time < self._next_fields - 1e-6:
            return False
        self._next_fields += self._field_interval
        return True

    def _fields(self, time: float) -> None:
        for group in self.simulation.plant.groups:
            group.thermal.panel_field(0)

    def _checkpoint(self, saved: dict[str, NDArray[Any]]) -> None:
        """Write a state, on the process that writes."""


def battery_alarms(group: ModuleGroup, time: float) -> list[tuple[int, str, str]]:
    """Return (first module of the sub-center, side, message) where batteries are too cold or warm to be charged."""
    low, high = group.battery.cell.charge_temperature_range
    kelvin, found = group.temperature["battery"], []
    for center in np.unique(group.sub_center):
        at = np.flatnonzero(group.sub_center == center)
        for limit, worst, outside in (
            (low, int(at[np.argmin(kelvin[at])]), kelvin[at] < low),
            (high, int(at[np.argmax(kelvin[at])]), kelvin[at] > high),
        ):
            if outside.any():
                side = "below" if limit == low else "above"
                text = (
                    f"module {group.modules.start + worst} ({group.name}): t = {time:g} s: battery at "
                    f"{kelvin[worst] - 273.15:.2f} degC: {side} {limit - 273.15:g} degC it is not charged "
                    f"({np.count_nonzero(outside)} of {at.size} modules of the class in this sub-center)"
                )
                found.append((group.modules.start + int(at[0]), side, text))
    return found


class Keeper(Witness):
    """Writes results, fields and checkpoints.

    Parameters
    ----------
    out : Path
        Folder of the run.
    simulation, field_interval, checkpoint_interval, saved
        As for `Witness`.
    """

    def __init__(
        self,
        out: Path,
        simulation: Simulation,
        field_interval: float,
        checkpoint_interval: float,
        saved: Saved | None = None,
    ):
        super().__init__(simulation, field_interval, checkpoint_interval, saved)
        from twin.field_output import FieldSeries

        plant, case = simulation.plant, simulation.plant.case
        self.out = out
        self._synced = 0.0
        if saved is not None and simulation.time > 0.0:
            self.writer = ResultWriter.resume(out / RESULT, simulation.time)
            if not partial_path(out / FIELDS).exists() and (out / FIELDS).is_dir():
                (out / FIELDS).replace(partial_path(out / FIELDS))  # it ended between fields and result
            self.series: FieldSeries = FieldSeries.resume(out / FIELDS, simulation.time)
        else:
            attributes = {"case": case.resolved(), "case_name": case.name, "description": case.description}
            certificates = {g.name: g.thermal.certificate for g in plant.groups if g.thermal.certificate}
            if certificates:
                attributes["certificate"] = certificates
            self.writer = ResultWriter.create(
                out / RESULT, layout(plant), case.mission.start, attributes, static_values(plant)
            )
            self.series = FieldSeries.create(out / FIELDS)
        self._panels = _panel_names([group.name for group in plant.groups])
        for name, group in zip(self._panels, plant.groups):
            mesh = group.thermal.panel_mesh()
            self.series.add_mesh(name, mesh.points, mesh.cell_type, mesh.cells)
        slots = np.repeat(
            [g.design.racks.slots_per_rack for g in plant.groups], [g.count for g in plant.groups]
        )
        resumed = simulation.time if saved is not None and simulation.time > 0.0 else None
        self.card_maps = CardMaps(partial_path(out / FIELDS) / "cards", plant.fleet, slots.tolist(), resumed)

    def record(self, time: float, recorder: Recorder) -> None:
        """Write the values of an interval, and the fields when they are due."""
        with writing(self.out, time):
            self.writer.append(time, recorder.take())
            if self._fields_due(time):
                self._fields(time)
        self.card_maps.forget()

    def look(self, time: float) -> None:
        """Note the first time that coolant freezes or boils, and what cards do before fields are written."""
        super().look(time)
        if time > self._next_fields - self.simulation.plant.case.numerics.output_interval - 1e-6:
            self.card_maps.look()

    def finish(self) -> None:
        """Complete the files and put them in place; the result comes last, which makes the run complete."""
        self.wall_time += clock.monotonic() - self._begun
        with writing(self.out, self.simulation.time):
            self.series.finish()
            self.writer.finish({"wall_time": self.wall_time, "alarms": list(self.alarms.values())})
            checkpoint.discard(self.out / CHECKPOINTS)

    def _fields(self, time: float) -> None:
        for name, group in zip(self._panels, self.simulation.plant.groups):
            self.series.write(name, time, {"temperature": ("K", group.thermal.panel_field(0))})  # type: ignore[dict-item]
        self.card_maps.write(time)

    def _checkpoint(self, saved: dict[str, NDArray[Any]]) -> None:
        time = self.simulation.time
        saved["alarms"] = np.array(json.dumps([[*place, text] for place, text in self.alarms.items()]))
        saved["next_fields"] = np.array(self._next_fields)
        saved["wall_time"] = np.array(self.wall_time + clock.monotonic() - self._begun)
        saved["case"] = np.array(json.dumps(self.simulation.plant.case.resolved(), default=str))
        with writing(self.out, time):
            self.writer.flush()
            self._synced = sync_since(partial_path(self.out / RESULT), self._synced)
            path = checkpoint.keep(self.out / CHECKPOINTS, saved)
        event(logging.INFO, "checkpoint", simulated=time, file=path.name)


@contextmanager
def writing(out: Path, time: float) -> Iterator[None]:
    """Turn what the file system refuses into a message that says what is safe and how to go on.

    Raises
    ------
    RunFailed
        In place of an ``OSError``.
    """
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise RunFailed(
            f"{out} cannot be written at t = {time:g} s: {error.strerror or error}{where}. Earlier results and the "
            "last checkpoint are as they were; make room, then the same command with --resume goes on"
        ) from error


def sync_since(folder: Path, moment: float) -> float:
    """Let files that changed since a moment reach the disk; return the moment of now [s, Unix time]."""
    now = clock.time()
    for file in folder.rglob("*"):
        if file.is_file() and file.stat().st_mtime >= moment - 2.0:
            handle = os.open(file, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    return now


def begin(out: Path) -> None:
    """Mark a folder as that of a run that has begun; checkpoints of an earlier run go."""
    checkpoint.discard(out / CHECKPOINTS)
    (out / CHECKPOINTS).mkdir(parents=True, exist_ok=True)


def is_complete(out: Path, case: Case) -> bool:
    """Whether the result of a case is in place: its run died while it cleaned up, or after that.

    Parameters
    ----------
    out : Path
        Folder of the run.
    case : Case
        With the duration that is asked for.
    """
    if not (out / RESULT).is_dir() or partial_path(out / RESULT).exists():
        return False
    folder = out / CHECKPOINTS
    if folder.is_dir():  # an empty one is that of a run that has begun since
        return bool(checkpoint.checkpoints(folder))
    try:
        written = resolved_case(open_result(out / RESULT))
    except DawnduskError:
        return False
    return not _differences(written, json.loads(json.dumps(case.resolved(), default=str)))


def state_to_resume(out: Path, case: Case) -> dict[str, NDArray[Any]] | None:
    """Return the checkpoint that a run goes on from, None where it died before the first one.

    The newest that is sound and that the result on disk reaches: what a node had not written when it was lost may
    be missing from the result, though the checkpoint is there.

    Raises
    ------
    BadInput
        If no run has begun in the folder, no checkpoint is usable, or it is of another case.
    """
    folder = out / CHECKPOINTS
    if not folder.is_dir():
        raise BadInput(f"{out}: there is no checkpoint to resume from; start without --resume")
    if not checkpoint.checkpoints(folder):
        event(logging.WARNING, "no checkpoint yet: starting from the beginning", folder=str(out))
        return None
    reached = written_until(out / RESULT)
    saved, unusable = checkpoint.newest(folder, reached)
    for reason in unusable:
        event(logging.WARNING, "checkpoint not used", reason=str(reason))
    if "case" not in saved:
        raise BadInput(f"{folder}: the checkpoint is of another version; start without --resume")
    changed = _differences(
        json.loads(str(saved["case"])), json.loads(json.dumps(case.resolved(), default=str))
    )
    changed = {key: values for key, values in changed.items() if not key.startswith(FREE_TO_CHANGE)}
    if changed:
        key, (before, now) = next(iter(changed.items()))
        more = f", and {len(changed) - 1} more keys" if len(changed) > 1 else ""
        raise BadInput(
            f"the checkpoint is of another case: {key} was {before}, and is {now}{more}; resume with the case as it "
            "was (and the same --set), or start without --resume"
        )
    return saved


def _differences(before: Any, now: Any, key: str = "") -> dict[str, tuple[Any, Any]]:
    """Leaves in which two JSON trees differ, by their path."""
    if isinstance(before, dict) and isinstance(now, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for name in dict.fromkeys((*before, *now)):
            path = f"{key}.{name}" if key else name
            found |= _differences(before.get(name), now.get(name), path)
        return found
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        found = {}
        for index, pair in enumerate(zip(before, now, strict=True)):
            found |= _differences(*pair, f"{key}[{index}]")
        return found
    return {} if before == now else {key: (before, now)}


def _panel_names(classes: Sequence[str]) -> list[str]:
    """Names of the field files: ``panel``, or ``panel-CLASS`` where there are several classes."""
    return ["panel"] if len(classes) == 1 else [f"panel-{name}" for name in classes]
