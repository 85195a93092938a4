"""Stop a run at the first value that is no number, and say where and when it came up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import numpy as np
from numpy.typing import NDArray

from twin.errors import RunFailed
from twin.simulation import Simulation, Tick


def check_finite(simulation: Simulation, tick: Tick) -> None:
    """Look at temperatures, charges, powers and the ledger after a tick.

    The sum of an array is finite only if all of it is, so that a sound tick costs one pass over the modules. A
    card without a temperature shows in the power of its module.

    Parameters
    ----------
    simulation : Simulation
    tick : Tick
        The tick that has just been made.

    Raises
    ------
    RunFailed
        If a value is NaN or infinite; names the quantity, the module with its class and sub-center, the time.
    """
    if all(np.isfinite(float(np.sum(values))) for _, values, _ in _watched(simulation, tick)):
        return
    plant = simulation.plant
    for name, values, start in _watched(simulation, tick):
        bad = np.flatnonzero(~np.isfinite(values))
        if not bad.size:
            continue  # a sum can overflow where no value does
        module = start + int(bad[0])
        group = next(g for g in plant.groups if g.modules.start <= module < g.modules.stop)
        center = plant.case.sub_centers[int(plant.sub_center[module])].name
        more = f" and {bad.size - 1} more modules" if bad.size > 1 else ""
        raise RunFailed(
            f"{name} became {values[bad[0]]} in module {module} (class {group.name}, sub-center {center}){more} "
            f"between t = {tick.time:g} s and {tick.end:g} s. Nothing of this tick is written; a smaller "
            "numerics.thermal_step may help, and --resume goes on from the last checkpoint"
        )


def _watched(simulation: Simulation, tick: Tick) -> Iterator[tuple[str, NDArray[np.float64], int]]:
    """Name, values (module,) and number of the first module of all that is looked at."""
    for group, done in zip(simulation.plant.groups, tick.groups, strict=True):
        first = group.modules.start
        for place, values in group.temperature.items():
            yield f"temperature of {place}", values, first
        yield "state of charge", group.battery_state.state_of_charge, first
        yield "absorbed power", done.absorbed, first
        yield from _arrays("", done.flows, first)
    for name in ("power", "heat_to_coolant", "stored_energy_change"):
        yield f"cards: {name}", getattr(tick.cards, name), 0
    for name, values in tick.ledger.entries.items():
        yield f"ledger: {name}", values, 0


def _arrays(prefix: str, values: object, first: int) -> Iterator[tuple[str, NDArray[np.float64], int]]:
    assert is_dataclass(values)
    for item in fields(values):
        value = getattr(values, item.name)
        if isinstance(value, np.ndarray):
            yield f"{prefix}{item.name}", value, first
