"""Where a run is, in a file: written aside and renamed, so that a run that dies can go on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import BadInput
from twin.simulation import Simulation

FLEET = ("temperature", "clock", "restart_timer", "status", "mean_power", "mean_pace")
WORKLOAD = (
    "state", "progress", "start_time", "end_time", "ready_time", "interruptions", "lost_work", "job_of_card", "usable",
)  # fmt: skip
HEALTH = ("calendar_loss", "cycle_loss", "resistance_growth")


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
    """Write a snapshot to `path`, aside and then renamed."""
    aside = path.with_name(path.name + ".partial")
    with aside.open("wb") as file:
        np.savez(file, **{name.replace("/", "|"): values for name, values in saved.items()})  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def load(path: Path) -> dict[str, NDArray[Any]]:
    """Read a snapshot.

    Raises
    ------
    BadInput
        If there is none.
    """
    if not path.is_file():
        raise BadInput(f"{path}: there is no checkpoint to resume from; start without --resume")
    with np.load(path, allow_pickle=False) as file:
        return {name.replace("|", "/"): file[name] for name in file.files}
