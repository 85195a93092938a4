"""Kinds of modules in a sub-center: what a study computes one module of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from twin import component_models
from twin.case import Case
from twin.case.module_class import ModuleClass
from twin.job import Job
from twin.plant import job
from twin.workload import Workload


@dataclass(frozen=True)
class Kind:
    """Modules of a sub-center that do the same.

    Attributes
    ----------
    name : str
        Class of the modules.
    design : ModuleClass
    count : int
        Modules of this kind in the sub-center.
    age : float
        [s], where the samples do not say otherwise.
    jobs : tuple of (int, float)
        Job of the case (−1: none) and its share of the cards.
    """

    name: str
    design: ModuleClass
    count: int
    age: float
    jobs: tuple[tuple[int, float], ...]


def kinds_of(case: Case, center: int) -> tuple[Kind, ...]:
    """Return the kinds of modules in a sub-center, with the jobs that the scheduler puts on them at the start.

    Parameters
    ----------
    case : Case
    center : int
        Index of the sub-center.
    """
    names, ages, places = [], [], []
    for number, part in enumerate(case.sub_centers):
        for group in part.modules:
            names += [group.class_] * group.count
            ages += [case.mission.age if group.age is None else group.age] * group.count
            places += [number] * group.count
    cards = np.array([case.module_classes[name].racks.cards for name in names])
    jobs = jobs_of(case)
    workload = Workload(jobs, cards, sub_center=np.array(places))
    workload.schedule(0.0)
    # Jobs that wait for others count from the start: what a study asks is whether the radiator could carry them.
    start = workload.module_start
    found: dict[tuple[str, float, tuple[tuple[int, float], ...]], int] = {}
    for module in np.flatnonzero(np.array(places) == center):
        on = workload.job_of_card[start[module] : start[module + 1]]
        held, count = np.unique(on, return_counts=True)
        mix = tuple((int(j), float(n) / on.size) for j, n in zip(held, count))
        key = (names[module], ages[module], mix)
        found[key] = found.get(key, 0) + 1
    return tuple(
        Kind(name, case.module_classes[name], count, age, mix) for (name, age, mix), count in found.items()
    )


@dataclass(frozen=True)
class Paces:
    """Which cards of a sub-center wait for each other: those of a job, or of the replicas of a service on a kind.

    Attributes
    ----------
    job : tuple of int
        Job of every pace.
    cards : tuple of int
        Cards that keep it.
    place : mapping of (kind, job) to int
    """

    job: tuple[int, ...]
    cards: tuple[int, ...]
    place: Mapping[tuple[int, int], int]

    @property
    def count(self) -> int:
        """Number of paces."""
        return len(self.job)


def paces_of(case: Case, kinds: Sequence[Kind]) -> Paces:
    """Return the paces of the jobs on kinds of modules.

    Notes
    -----
    The replicas of a service run at paces of their own. Of those on a kind of modules one is computed: the one whose
    hottest card is as hot as the hottest among so many cards usually is.
    """
    job: list[int] = []
    cards: list[int] = []
    place: dict[tuple[int, int], int] = {}
    own: dict[tuple[int, int], int] = {}
    for number, kind in enumerate(kinds):
        for index, _ in kind.jobs:
            if index < 0:
                continue
            spec = case.workload.jobs[index]
            key = (number if spec.kind == "inference" else -1, index)
            if key not in own:
                own[key] = len(job)
                job.append(index)
                cards.append(spec.replica_cards if spec.kind == "inference" else spec.cards)
            place[number, index] = own[key]
    return Paces(tuple(job), tuple(cards), place)


def jobs_of(case: Case) -> list[Job]:
    """Return the jobs of a case, recorded power replayed on the cards of its first class."""
    card = component_models.card(next(iter(case.module_classes.values())), "card")
    return [job(spec, case, card) for spec in case.workload.jobs]


def clock_of(jobs: Sequence[Job]) -> Workload:
    """Return the activity of jobs over time: a workload in which each of them runs from the start on a card."""
    alone = [replace(j, cards=1, sub_center=None, submit_time=0.0) for j in jobs]
    clock = Workload(alone, [max(len(jobs), 1)])
    clock.schedule(0.0)
    return clock
