"""The plant of a case: sub-centers on their orbits, groups of modules, cards and jobs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twin import component_models
from twin.activity import BatchActivity, InferenceActivity, Profile, TrainingActivity
from twin.cache import cache_folder
from twin.card_model import CardParameters
from twin.case import Case
from twin.case.module_class import ModuleClass
from twin.case.workload import BaseJob
from twin.case.workload import Job as CaseJob
from twin.compute import CardFleet
from twin.environment_track import EnvironmentTrack
from twin.interconnect import Interconnect
from twin.job import Job, Kind, replicas
from twin.module_geometry import face_orientations
from twin.module_group import ModuleGroup, ThermalModelMaker
from twin.module_variation import ModuleVariation
from twin.module_view import ModuleView
from twin.orbit import Orbit
from twin.plant_events import PlantEvents
from twin.relay_network import ModuleTerminals, RelayNetwork
from twin.terminal import TerminalParameters
from twin.traces.replay import replay_activity
from twin.workload import Workload

Array = NDArray[np.float64]
type Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Plant:
    """Everything that a run advances.

    Attributes
    ----------
    case : Case
    orbits : tuple of Orbit
        One per sub-center, with their epoch at the start of the run.
    groups : tuple of ModuleGroup
        By class and age; their `modules` slices cover all modules in order.
    sub_center : (module,) int array
    cards_per_module : (module,) int array
    fleet : CardFleet
    workload : Workload
    track : EnvironmentTrack
    events : PlantEvents
        Failures and upsets of the cards.
    relay : RelayNetwork
        Terminals and what they point at.
    interconnect : Interconnect
        Buses and heat mains that modules share.
    """

    case: Case
    orbits: tuple[Orbit, ...]
    groups: tuple[ModuleGroup, ...]
    sub_center: NDArray[np.int64]
    cards_per_module: NDArray[np.int64]
    fleet: CardFleet
    workload: Workload
    track: EnvironmentTrack
    events: PlantEvents
    relay: RelayNetwork
    interconnect: Interconnect

    @property
    def sub_center_names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(center.name for center in self.case.sub_centers)

    @property
    def modules(self) -> int:
        """Modules of the plant."""
        return int(self.sub_center.size)

    @property
    def duration(self) -> float:
        """Length of the run [s]."""
        return self.case.duration(self.orbits[0].period)

    def vary(self, group: int, variation: ModuleVariation) -> None:
        """Change the modules of a group between ticks, their cards with them (see `ModuleGroup.vary`)."""
        chosen = self.groups[group]
        before = chosen.variation.of("card_power", chosen.count)
        chosen.vary(variation)
        self._scale_cards(chosen, variation.of("card_power", chosen.count) / before)

    def _scale_cards(self, group: ModuleGroup, factor: Array) -> None:
        start = self.fleet.module_start
        cards = slice(start[group.modules.start], start[group.modules.stop])
        self.fleet.power_factor[cards] *= np.repeat(factor, self.cards_per_module[group.modules])

    def per_module(self, values: Sequence[float | Array]) -> Array:
        """Put values of the groups, one each or one per module of it, into one array over all modules."""
        return np.concatenate([np.full(g.count, v) for g, v in zip(self.groups, values)])

    def per_sub_center(self, values: Array) -> Array:
        """Sum an array over the modules of each sub-center, shape (sub_center,)."""
        return np.bincount(self.sub_center, weights=values, minlength=len(self.orbits))

    @classmethod
    def build(cls, case: Case, progress: Progress | None = None) -> Plant:
        """Build the plant of a case, at its age at the start of the run.

        Parameters
        ----------
        case : Case
        progress : callable, optional
            Called with what is being done and the share of it, when a reduced model must be trained first.
        """
        base = reference_orbit(case)
        orbits = tuple(base.shifted(center.phase) for center in case.sub_centers)
        altitude = base.semi_major_axis - 6378137.0
        members: dict[str, list[tuple[int, float]]] = {}
        for index, center in enumerate(case.sub_centers):
            for group in center.modules:
                age = case.mission.age if group.age is None else group.age
                members.setdefault(group.class_, []).extend([(index, age)] * group.count)
        groups, first = [], 0
        views: dict[str, ModuleView] = {}
        for name, rows in members.items():
            centers, ages = (np.array(column) for column in zip(*rows))
            place = slice(first, first + len(rows))
            design = case.module_classes[name]
            groups.append(
                ModuleGroup(
                    name,
                    design,
                    place,
                    centers,
                    ages.astype(float),
                    altitude,
                    case.numerics.tolerance,
                    case.mission.seed,
                    thermal_model=thermal_model(case, design, progress),
                    view=module_view(case, design, base, views),
                )
            )
            first = place.stop
        cards = np.concatenate([np.full(g.count, g.design.racks.cards) for g in groups])
        fleet = CardFleet(
            [g.card for g in groups],
            cards,
            np.concatenate([np.full(g.count, i) for i, g in enumerate(groups)]),
            np.concatenate(
                [np.full(g.count, g.design.coolant_loop.supply_temperature + 10.0) for g in groups]
            ),
            seed=case.mission.seed,
        )
        sub_center = np.concatenate([g.sub_center for g in groups])
        jobs = [
            part
            for number, spec in enumerate(case.workload.jobs)
            for part in parts_of(job(spec, case, groups[0].card), spec, number)
        ]
        return cls(
            case=case,
            orbits=orbits,
            groups=tuple(groups),
            sub_center=sub_center,
            cards_per_module=cards,
            fleet=fleet,
            workload=Workload(jobs, cards, sub_center=sub_center),
            track=EnvironmentTrack(
                orbits,
                [g.orientations for g in groups],
                component_models.environment_set(case),
                case.numerics.thermal_step,
                case.numerics.shadow,
                [g.view for g in groups],
            ),
            events=plant_events(case, altitude, cards, np.concatenate([g.age for g in groups])),
            relay=RelayNetwork(
                orbits,
                [center.phase for center in case.sub_centers],
                sub_center,
                module_terminals(groups),
                component_models.outward_targets(case),
                case.mission.seed,
            ),
            interconnect=Interconnect.of_case(case, sub_center),
        )


def module_view(
    case: Case, design: ModuleClass, orbit: Orbit, known: dict[str, ModuleView]
) -> ModuleView | None:
    """Return what the surfaces of a class of modules see of each other; None where the case leaves it out.

    Classes that look alike share a table: it is taken from those known by their key, or added to them.
    """
    if case.numerics.exchange == "none":
        return None
    view = ModuleView.of_class(
        design, face_orientations(design), orbit.semi_major_axis, cache_folder("views")
    )
    return known.setdefault(view.key, view)


def thermal_model(case: Case, design: ModuleClass, progress: Progress | None) -> ThermalModelMaker | None:
    """Return what makes the thermal model of the modules of a class; None for finite elements."""
    if case.numerics.thermal == "full":
        return None
    from twin.reduced_thermal import ReducedThermal
    from twin.reduced_training import reduced_panel

    # One panel serves all ages and variations of a class, and all classes with the same loop.
    panel = reduced_panel(component_models.thermal(design, case.mission.age), progress=progress)
    return lambda base, values: ReducedThermal.of_class(base, len(values["emissivity"]), panel, **values)


def plant_events(case: Case, altitude: float, cards: NDArray[np.int64], age: Array) -> PlantEvents:
    """Return the failures and upsets of a plant's cards, none without ``reliability`` in the case."""
    spec = case.reliability
    parameters = None if spec is None else component_models.reliability(spec)
    shielding = 0.0 if spec is None else spec.shielding
    return PlantEvents(parameters, altitude, shielding, cards, age, case.mission.seed)


def module_terminals(groups: Sequence[ModuleGroup]) -> ModuleTerminals:
    """Return the relay terminals of all modules."""
    relays = [group.design.relay for group in groups]
    values = [
        (0, 0.0, 0.0, 0.0)
        if relay is None
        else (
            relay.terminals,
            relay.terminal.data_rate,
            relay.terminal.maximum_range,
            relay.telemetry_rate,
        )
        for relay in relays
    ]
    sizes = [group.count for group in groups]
    count, rate, reach, telemetry = (np.repeat(np.array(column), sizes) for column in zip(*values))
    return ModuleTerminals(
        count.astype(np.int64),
        np.repeat(np.arange(len(groups)), sizes),
        [TerminalParameters() if r is None else component_models.terminal(r.terminal) for r in relays],
        rate,
        reach,
        telemetry,
    )


def reference_orbit(case: Case) -> Orbit:
    """Return the orbit of a case with its epoch at the start of the run."""
    choice, start = case.orbit, case.mission.start
    if choice.tle is not None:
        return Orbit.from_tle(*choice.tle, epoch=start)
    if choice.omm is not None:
        folder = case.path.parent if case.path is not None else Path()
        return Orbit.from_omm(folder / choice.omm, epoch=start)
    assert choice.altitude is not None and choice.ltan is not None
    return Orbit.from_altitude(choice.altitude, choice.ltan, start)


class TraceRepaired(UserWarning):
    """A recorded workload was mended while it was read."""


def parts_of(whole: Job, spec: CaseJob, number: int) -> list[Job]:
    """Return the replicas of a service, or else the job itself."""
    return replicas(whole, spec.replica_cards, number) if spec.kind == "inference" else [whole]


def job(spec: CaseJob, case: Case, card: CardParameters) -> Job:
    """Return the job that a case describes; a recorded power is replayed on this kind of card."""
    values = spec.model_dump(exclude=set(BaseJob.model_fields) | {"kind", "replica_cards", "live"})
    kind: Kind = "training"
    if spec.kind == "training":
        activity: Profile = TrainingActivity(**values)
    elif spec.kind == "inference":
        start, kind = case.mission.start, "inference"
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        # The profile follows the clock of the run, which starts at mission.start.
        values["peak_time"] = (3600.0 * spec.peak_time - (start - midnight).total_seconds()) % 86400.0
        activity = InferenceActivity(**values)
    elif spec.kind == "batch":
        kind, activity = "batch", BatchActivity(**values)
    else:
        kind = "batch"
        folder = case.path.parent if case.path is not None else Path()
        activity, repairs = replay_activity(folder / spec.trace, card, spec.format, spec.speed, spec.repeat)
        for line in repairs.lines():
            warnings.warn(f"workload.jobs '{spec.name}': {spec.trace}: {line}", TraceRepaired, stacklevel=2)
    centers = [center.name for center in case.sub_centers]
    return Job(
        name=spec.name,
        kind=kind,
        cards=spec.cards,
        duration=np.inf if spec.duration is None else spec.duration,
        submit_time=spec.submit_time,
        estimate=spec.estimate,
        power_per_card=card.power_limit if spec.power_per_card is None else spec.power_per_card,
        activity=activity,
        # Requests that wait on board need no link while they are worked on.
        data_rate=spec.data_rate if spec.kind != "inference" or spec.live else 0.0,
        restart_time=spec.restart_time,
        sub_center=None if spec.sub_center is None else centers.index(spec.sub_center),
    )
