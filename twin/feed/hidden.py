"""The hidden plant: a simulation whose modules are not what the case says, and that breaks on command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from twin.case import Case
from twin.counter_random import counter_normals
from twin.errors import BadInput
from twin.feed.faults import Fault
from twin.module_variation import ModuleVariation
from twin.plant import Plant
from twin.simulation import Simulation, Tick
from twin.telemetry.dictionary import Dictionary
from twin.workload import Workload

__all__ = ["FACTORS", "FACTOR_OF", "HiddenPlant", "SurgingWorkload", "drawn_factors"]

Floats = NDArray[np.float64]

FACTORS = tuple(f.name for f in fields(ModuleVariation))
"""Names of the factors on properties of modules."""

FACTOR_OF = {
    "pump": "mass_flow",
    "panel": "radiator_area",
    "coating": "emissivity",
    "soiling": "absorptance",
    "plate": "plate_conductance",
    "array": "array_power",
    "draw": "card_power",
}
"""Factor that a fault of the plant changes."""

_STREAM = 0x5EED_0500


class SurgingWorkload(Workload):
    """Jobs whose activity rises on command."""

    surges: Sequence[Fault] = ()

    def activity(self, time: float, duration: float) -> Floats:
        """Mean activity of every job over an interval, surges included and at most 1, shape (job,)."""
        out = np.array(super().activity(time, duration), dtype=float)
        for surge in self.surges:
            if surge.active(time):
                names = surge.place or ("*",)
                hit = [names[0] in ("*", job.name) for job in self.jobs]
                out[hit] = np.minimum(out[hit] * surge.value, 1.0)
        return out


def drawn_factors(spread: float, seed: int, modules: int) -> dict[str, Floats]:
    """Draw log-normal factors with mean 1 for every property of every module; the battery's is at most 1.

    Parameters
    ----------
    spread : float
        Standard deviation.
    seed : int
    modules : int

    Returns
    -------
    mapping of factor to (module,) array
    """
    out = {}
    for number, name in enumerate(FACTORS):
        normal = counter_normals(seed, _STREAM + number, modules)
        out[name] = np.exp(spread * normal - 0.5 * spread**2)
    out["battery_capacity"] = np.minimum(out["battery_capacity"], 1.0)
    return out


def _with_batteries(plant: Plant, capacity: Floats) -> Plant:
    """Return the plant with batteries of other capacity, which is settled when modules are built."""
    groups = tuple(
        replace(group, variation=ModuleVariation(battery_capacity=capacity[group.modules]))
        for group in plant.groups
    )
    return replace(plant, groups=groups)


@dataclass(frozen=True, eq=False)
class Change:
    """Factors from a time on.

    Attributes
    ----------
    time : float
        [s].
    factors : mapping of name to (module,) array
        In the order of the plant.
    """

    time: float
    factors: Mapping[str, Floats]


class HiddenPlant:
    """A plant with hidden factors and faults, advanced tick by tick.

    Parameters
    ----------
    case : Case
    dictionary : Dictionary
    factors : mapping of name to (module,) array
        On properties of modules, in the order of the plant; those not given are 1.
    faults : sequence of Fault
        Those of the plant and of its work are used.
    plant : Plant
        Of the case, as built.

    Attributes
    ----------
    changes : list of Change
        What the modules were like, from when on.

    Raises
    ------
    BadInput
        If panels are to be lost that the thermal model cannot lose, or more than there are.
    """

    def __init__(
        self,
        case: Case,
        dictionary: Dictionary,
        factors: Mapping[str, Floats],
        faults: Sequence[Fault],
        plant: Plant,
    ):
        self.base = {name: np.ones(plant.modules) for name in FACTORS} | dict(factors)
        if (self.base["battery_capacity"] != 1.0).any():
            plant = _with_batteries(plant, self.base["battery_capacity"])
        work = SurgingWorkload(plant.workload.jobs, plant.cards_per_module, sub_center=plant.sub_center)
        work.surges = [fault for fault in faults if fault.kind.layer == "work"]
        self.plant = replace(plant, workload=work)
        self.dictionary = dictionary
        self.simulation = Simulation(self.plant)
        self.faults = [fault for fault in faults if fault.kind.layer == "plant"]
        self.changes: list[Change] = []
        self._now = {name: np.ones(plant.modules) for name in FACTORS}
        self._now["battery_capacity"] = self.base["battery_capacity"]
        self._panels = plant.per_module([group.design.radiator.panels for group in plant.groups])
        for fault in self.faults:
            self._check(fault, case)
        self._apply(0.0)
        self.simulation.settle()

    def _check(self, fault: Fault, case: Case) -> None:
        if fault.kind.name != "panel":
            return
        if case.numerics.thermal == "full":
            raise BadInput(
                f"--fault {fault.text}: finite elements cannot lose panels during a run; add --thermal reduced"
            )
        least = self._panels[self._struck(fault)].min()
        if fault.value >= least:
            raise BadInput(f"--fault {fault.text}: a module has {least:g} panels; expected fewer to be lost")

    def _struck(self, fault: Fault) -> NDArray[np.bool_]:
        """Modules that a fault strikes, in the order of the plant."""
        out = np.empty(self.plant.modules, bool)
        out[self.dictionary.plant_index] = fault.modules(self.dictionary)
        return out

    def factors(self, time: float) -> dict[str, Floats]:
        """Return the factors that hold from a time on [s], (module,) each in the order of the plant."""
        now = {name: values.copy() for name, values in self.base.items()}
        for fault in self.faults:
            if fault.active(time):
                hit = self._struck(fault)
                lost = fault.kind.name == "panel"
                factor = 1.0 - fault.value / self._panels[hit] if lost else fault.value
                now[FACTOR_OF[fault.kind.name]][hit] *= factor
        return now

    def _apply(self, time: float) -> None:
        now = self.factors(time)
        same = all(np.array_equal(self._now[name], now[name]) for name in FACTORS)
        if self.changes and same:
            return
        self.changes.append(Change(time, now))
        self._now = now
        if same:
            return
        for number, group in enumerate(self.plant.groups):
            self.plant.vary(number, ModuleVariation(**{n: v[group.modules] for n, v in now.items()}))

    def run(self, stop: float) -> Iterator[Tick]:
        """Yield ticks until `stop` [s]; faults begin with the tick in which their time falls."""
        simulation, plant = self.simulation, self.plant
        plant.relay.reach(stop)
        plant.events.reach(stop)
        for environment in plant.track.ticks(simulation.time, stop):
            self._apply(environment.time)
            yield simulation.tick(environment)
            simulation.time = environment.time + environment.dt
