"""Partitions of the live twin where they run: in this process, or in the workers of a Dask cluster.

In a cluster the partitions of a worker live in a plugin of it. A batch is a task; when the worker that has the
partition dies, the scheduler gives the task to another one, which takes the partition up from its checkpoint and
journal: batches that were acknowledged are in there, and one that was taken but not acknowledged is not taken twice.
"""

from __future__ import annotations

import os
import time as clock
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from distributed.diagnostics.plugin import WorkerPlugin

from twin.errors import RunFailed
from twin.live.forecast import Forecaster
from twin.live.group import PanelMaker
from twin.live.journal import Samples
from twin.live.outlook import Forecast
from twin.live.partition import Partition
from twin.live.report import CycleReport
from twin.live.settings import LiveSettings

if TYPE_CHECKING:
    from solvers.reduced_panel import ReducedPanel
    from solvers.reduced_training import ReductionSettings
    from twin.case import Case
    from twin.module_parameters import ThermalParameters
    from twin.reduced_training import Progress, TrainingSettings

PLUGIN = "dawndusk-live"

FIRST_FORECAST = 300.0
"""Time after which the start of a model no longer shows in forecasts [s]."""


@dataclass(frozen=True)
class TrainedPanel:
    """Gives the reduced panel of a class of modules from the cache, training it first where it is not there.

    Panels of the live twin have few modes: ensembles of thousands of modules are advanced in a cycle, and half a kelvin
    at the worst place of a panel is less than what sensors and parameters leave open.

    Attributes
    ----------
    training, reduction, folder : optional
        As `twin.reduced_training.reduced_panel` takes them; coarse settings by default.
    """

    training: TrainingSettings | None = None
    reduction: ReductionSettings | None = None
    folder: Path | None = None

    def __call__(self, parameters: ThermalParameters, progress: Progress | None = None) -> ReducedPanel:
        """Return the panel; `progress` is told what training does."""
        from twin.reduced_training import reduced_panel

        return reduced_panel(parameters, *self.settings(), self.folder, progress)

    def settings(self) -> tuple[TrainingSettings, ReductionSettings]:
        """Return how panels are trained and reduced."""
        from solvers.reduced_training import ReductionSettings
        from twin.reduced_training import TrainingSettings

        training = self.training or TrainingSettings(
            least_runs=12, most_runs=20, passes=1, tolerance=0.25, segments=4, step=15.0, orbit=3000.0
        )
        return training, self.reduction or ReductionSettings(regimes=4, most_modes=24, creeping_modes=24)


@dataclass(frozen=True)
class Outcome:
    """What became of a batch.

    Attributes
    ----------
    sub_center : int
    serial : int
        Last batch that is safe and taken.
    reports : list of CycleReport
    seconds : float
        That it took.
    worker : str
        Where.
    restored : bool
        Whether the partition was taken up from the disk for it.
    saved : bool
        Whether it has written a checkpoint.
    """

    sub_center: int
    serial: int
    reports: list[CycleReport]
    seconds: float
    worker: str
    restored: bool = False
    saved: bool = False


@dataclass
class Host(WorkerPlugin):
    """Partitions of one process.

    Attributes
    ----------
    case : Case
    settings : LiveSettings
    folder : Path, optional
        Journals and checkpoints, on a disk that all hosts share; without it nothing is kept.
    panel : callable
    resume : bool
        Whether partitions go on from what is on the disk the first time; after that they always do.
    """

    case: Case
    settings: LiveSettings
    folder: Path | None
    panel: PanelMaker = field(default_factory=TrainedPanel)
    name: str = PLUGIN
    partitions: dict[int, Partition] = field(default_factory=dict, init=False, repr=False)
    forecasters: dict[int, Forecaster] = field(default_factory=dict, init=False, repr=False)
    token: str = field(default="", init=False)

    def _place(self, sub_center: int) -> Path | None:
        return None if self.folder is None else self.folder / self.case.sub_centers[sub_center].name

    def _partition(
        self, sub_center: int, published: float = np.inf
    ) -> tuple[Partition, list[CycleReport], bool]:
        """Return a partition, taken up from the disk if it is not here, and the reports of its way back."""
        if sub_center in self.partitions:
            self._still_mine(sub_center)
            return self.partitions[sub_center], [], False
        self._own(sub_center)
        partition = Partition(self.case, sub_center, self.settings, self.panel, self._place(sub_center))
        reports = list(partition.resume(published)) if partition.folder is not None else []
        self.partitions[sub_center] = partition
        return partition, reports, partition.counts.serial >= 0

    def _own(self, sub_center: int) -> None:
        """Say that the partition is here now: a worker that was given up but still runs must not write any more."""
        place = self._place(sub_center)
        if place is None:
            return
        place.mkdir(parents=True, exist_ok=True)
        self.token = self.token or f"{os.getpid()}-{uuid.uuid4().hex}"
        aside = place / f"owner.{self.token}"
        aside.write_text(self.token, encoding="utf-8")
        aside.replace(place / "owner")

    def _still_mine(self, sub_center: int) -> None:
        place = self._place(sub_center)
        if place is None:
            return
        if (place / "owner").read_text(encoding="utf-8") != self.token:
            del self.partitions[sub_center]
            self.forecasters.pop(sub_center, None)
            raise RunFailed(f"sub-center {sub_center}: another worker has taken it over")

    def accept(
        self,
        sub_center: int,
        serial: int,
        samples: Samples | None,
        reported: int = 0,
        published: float = np.inf,
    ) -> Outcome:
        """Take in a batch; without samples only bring the partition up.

        Parameters
        ----------
        sub_center, serial : int
        samples : tuple of arrays, optional
        reported : int
            Cycles that the caller has reports of.
        published : float
            Time of the last report that is published for good, where partitions are taken up from the disk [s].
        """
        start = clock.perf_counter()
        partition, reports, restored = self._partition(sub_center, published)
        saves = partition.saves
        if samples is not None:
            reports = reports + partition.accept(serial, samples)
        new = [report for report in reports if report.cycle > reported]
        return Outcome(
            sub_center,
            partition.counts.serial,
            new,
            clock.perf_counter() - start,
            f"pid {os.getpid()}",
            restored,
            partition.saves > saves,
        )

    def forecast(self, sub_center: int) -> Forecast | None:
        """Return a forecast from the present state of a partition; None while that has just been found."""
        partition, _, _ = self._partition(sub_center)
        if partition.inputs is None or partition.time - partition.filter.started < FIRST_FORECAST:
            return None
        if sub_center not in self.forecasters:
            self.forecasters[sub_center] = Forecaster(partition)
        return self.forecasters[sub_center].forecast()

    def save(self, sub_center: int) -> int:
        """Write a checkpoint of a partition; return its last batch."""
        partition, _, _ = self._partition(sub_center)
        if partition.folder is not None and partition.counts.cycles:
            partition.save()
        return partition.counts.serial


def on_worker(method: str, *arguments: Any) -> Any:
    """Call a method of the host of the worker that runs this task."""
    from distributed import get_worker

    host = get_worker().plugins[PLUGIN]
    function: Callable[..., Any] = getattr(host, method)
    return function(*arguments)
