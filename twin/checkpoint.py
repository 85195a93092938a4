"""Where a run is, in a file: written aside and renamed, so that a run that dies can go on."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from twin.errors import BadInput
from twin.simulation import Simulation

KEPT = 2
"""Checkpoints that stay: the newest, and one to fall back on."""
_COMMENT_LENGTH = 64

FLEET = ("temperature", "clock", "restart_timer", "status", "mean_power", "mean_pace")
WORKLOAD = (
    "state", "progress", "start_time", "end_time", "ready_time", "interruptions", "lost_work", "job_of_card", "usable",
)  # fmt: skip
HEALTH = ("calendar_loss", "cycle_loss", "resistance_growth")


class DamagedCheckpoint(BadInput):
    """A checkpoint whose content is not what was written."""


def snapshot(simulation: Simulation) -> dict[str, NDArray[Any]]:
    """Return the state of a run as named arrays; collective under MPI."""
    plant = simulation.plant
    saved: dict[str, NDArray[Any]] = {"time": np.array(simulation.time)}
    saved |= {f"ledger/{name}": values for name, values in simulation.ledger.entries.items()}
    saved |= {f"fleet/{name}": getattr(plant.fleet, name) for name in FLEET}
    saved["fleet/job_pace"] = plant.fleet.job_pace
    saved |= {f"workload/{name}": getattr(plant.workload, name) for name in WORKLOAD}
    saved["workload/last_pass"] = np.array(plant.workload.last_pass)
    saved["workload/stale"] = np.array(plant.workload.stale)
    for g, group in enumerate(plant.groups):
        state = group.battery_state
        saved[f"group-{g}/soc"], saved[f"group-{g}/rc_voltage"] = state.state_of_charge, state.rc_voltage
        if group.radiator_use is not None:
            saved[f"group-{g}/radiator_use"] = group.radiator_use
        saved |= {f"group-{g}/temperature/{place}": values for place, values in group.temperature.items()}
        saved |= {f"group-{g}/health/{name}": getattr(state.health, name) for name in HEALTH}
        saved |= {f"group-{g}/thermal/{name}": values for name, values in group.thermal.snapshot().items()}
    return saved


def restore(simulation: Simulation, saved: Mapping[str, NDArray[Any]]) -> None:
    """Put a simulation of the same case into a saved state; collective under MPI.

    Raises
    ------
    BadInput
        If the checkpoint is of another plant.
    """
    plant = simulation.plant
    try:
        simulation.time = float(saved["time"])
        for name, values in simulation.ledger.entries.items():
            values[:] = saved[f"ledger/{name}"]
        for name in WORKLOAD:
            getattr(plant.workload, name)[:] = saved[f"workload/{name}"]
        plant.workload.recount()
        plant.workload.last_pass = float(saved["workload/last_pass"])
        plant.workload.stale = bool(saved["workload/stale"])
        simulation.assign()
        plant.fleet.job_pace = np.array(saved["fleet/job_pace"])
        for name in FLEET:
            getattr(plant.fleet, name)[:] = saved[f"fleet/{name}"]
        for g, group in enumerate(plant.groups):
            _restore_group(
                group,
                {k.removeprefix(f"group-{g}/"): v for k, v in saved.items() if k.startswith(f"group-{g}/")},
            )
    except (KeyError, ValueError) as error:
        raise BadInput(
            f"the checkpoint is of another case or version ({error}); start without --resume"
        ) from error


def _restore_group(group: Any, saved: Mapping[str, NDArray[Any]]) -> None:
    from dataclasses import replace

    state = group.battery_state
    health = replace(state.health, **{name: np.array(saved[f"health/{name}"]) for name in HEALTH})
    group.battery_state = replace(
        state, state_of_charge=np.array(saved["soc"]), rc_voltage=np.array(saved["rc_voltage"]), health=health
    )
    group.radiator_use = np.array(saved["radiator_use"]) if "radiator_use" in saved else None
    group.temperature = {place: np.array(saved[f"temperature/{place}"]) for place in group.temperature}
    prefix = "thermal/"
    group.thermal.restore({k.removeprefix(prefix): v for k, v in saved.items() if k.startswith(prefix)})


def save(path: Path, saved: Mapping[str, NDArray[Any]]) -> None:
    """Write a snapshot to `path`: aside, down to the disk, and then renamed.

    The file is an npz archive; its comment is the SHA-256 of all before it, so that `load` finds any damage.

    Raises
    ------
    OSError
        The disk is full or cannot be written; nothing that was there has changed.
    """
    aside = path.with_name(path.name + ".partial")
    try:
        with aside.open("w+b") as file:
            np.savez(file, **{name.replace("/", "|"): values for name, values in saved.items()})  # type: ignore[arg-type]
            file.seek(-2, os.SEEK_END)  # the length of the comment, so far zero, ends a zip archive
            file.write(_COMMENT_LENGTH.to_bytes(2, "little"))
            file.flush()
            file.write(_digest(file, file.tell()))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def load(path: Path) -> dict[str, NDArray[Any]]:
    """Read a snapshot.

    Raises
    ------
    BadInput
        If there is none.
    DamagedCheckpoint
        If it is not what `save` wrote.
    """
    if not path.is_file():
        raise BadInput(f"{path}: there is no checkpoint to resume from; start without --resume")
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END) - _COMMENT_LENGTH
            if size <= 0 or _digest(file, size) != file.read(_COMMENT_LENGTH):
                raise DamagedCheckpoint(f"{path}: the checkpoint is damaged (its checksum does not fit)")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                return {name.replace("|", "/"): archive[name] for name in archive.files}
    except OSError as error:
        raise DamagedCheckpoint(f"{path}: the checkpoint cannot be read ({error.strerror})") from error


def _digest(file: BinaryIO, size: int) -> bytes:
    """Checksum of the first `size` bytes as text; leaves the file there."""
    file.seek(0)
    digest = hashlib.sha256()
    while size > 0 and (part := file.read(min(size, 2**20))):
        digest.update(part)
        size -= len(part)
    return digest.hexdigest().encode()


def sync_folder(folder: Path) -> None:
    """Let the names in a folder reach the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def keep(folder: Path, saved: Mapping[str, NDArray[Any]]) -> Path:
    """Write a snapshot as the newest checkpoint of a folder; only the last `KEPT` stay.

    Raises
    ------
    OSError
        As in `save`; the older checkpoints stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"at-{float(saved['time']):014.3f}.npz"
    save(path, saved)
    for old in checkpoints(folder)[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints of a folder, the newest last."""
    return sorted(folder.glob("at-*.npz"))


def newest(folder: Path, until: float = math.inf) -> tuple[dict[str, NDArray[Any]], list[DamagedCheckpoint]]:
    """Read the newest sound checkpoint of a folder.

    Parameters
    ----------
    folder : Path
    until : float
        Latest time that serves [s].

    Returns
    -------
    saved : dict
    unusable : list of DamagedCheckpoint
        Newer ones, and why they were not taken.

    Raises
    ------
    BadInput
        If there is none, or none is sound.
    """
    found = checkpoints(folder)
    if not found:
        raise BadInput(f"{folder}: there is no checkpoint to resume from; start without --resume")
    unusable: list[DamagedCheckpoint] = []
    for path in reversed(found):
        try:
            if _time(path) > until + 1e-3:
                raise DamagedCheckpoint(f"{path}: the result on disk ends before it, at t = {until:g} s")
            return load(path), unusable
        except DamagedCheckpoint as error:
            unusable.append(error)
    raise BadInput("; ".join(map(str, unusable)) + "; no older one is left: start without --resume")


def _time(path: Path) -> float:
    return float(path.stem.removeprefix("at-"))


def set_aside_after(folder: Path, time: float) -> None:
    """Rename the checkpoints after a time [s], which a run that goes on from there will write again."""
    for path in checkpoints(folder):
        if _time(path) > time + 1e-3:
            path.replace(path.with_suffix(".damaged"))


def discard(folder: Path) -> None:
    """Delete the checkpoints of a run that is complete."""
    if folder.is_dir():
        for path in (
            *folder.glob("at-*.npz"),
            *folder.glob("at-*.npz.partial"),
            *folder.glob("at-*.damaged"),
        ):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # something else is in it
            folder.rmdir()
