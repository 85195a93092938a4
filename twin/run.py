"""A whole run: from a case to ``result.zarr``, finite-element fields and checkpoints in a folder."""

from __future__ import annotations

import json
import time as clock
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from solvers.errors import ConvergenceError, ModelError
from twin import checkpoint
from twin.case import Case
from twin.errors import BadInput, RunFailed
from twin.plant import Plant, Progress
from twin.recording import Recorder, layout, static_values
from twin.results import ResultWriter, open_result
from twin.simulation import Simulation, Tick

if TYPE_CHECKING:
    import xarray as xr

    from twin.field_output import FieldSeries

CHECKPOINT = "checkpoint.npz"
CHECKPOINT_INTERVAL = 30.0
"""Wall time between checkpoints [s]: a run that dies loses no more than this."""


@dataclass(frozen=True)
class RunOptions:
    """What a run does beside its case.

    Attributes
    ----------
    duration : float, optional
        Length instead of the case's [s].
    resume : bool
        Go on from the checkpoint in the folder.
    field_interval : float
        Simulated time between finite-element fields in files [s]; infinite for the last only.
    """

    duration: float | None = None
    resume: bool = False
    field_interval: float = 300.0


def run(
    case: Case,
    out: Path,
    options: RunOptions | None = None,
    watch: Callable[[Tick, float], None] | None = None,
    progress: Progress | None = None,
) -> xr.DataTree:
    """Run a case and write its result.

    Under MPI every process calls this; the first one writes.

    Parameters
    ----------
    case : Case
    out : Path
        Folder for ``result.zarr``, ``fields/`` and, while it runs, ``checkpoint.npz``.
    options : RunOptions, optional
    watch : callable, optional
        Called with each tick and the length of the run, for progress.
    progress : callable, optional
        Called with words and a share while a reduced model is trained.

    Returns
    -------
    DataTree
        The result, as `twin.results.open_result` gives it.

    Raises
    ------
    BadInput
        If a checkpoint to resume from is missing or of another plant, or the model cannot be built from the case.
    RunFailed
        If a solve does not converge; what was computed is kept, and ``resume`` goes on from the last checkpoint.
    """
    from solvers import parallel

    choice = options or RunOptions()
    begun = clock.monotonic()
    out = Path(out)
    try:
        plant = Plant.build(case, progress)
        simulation = Simulation(plant)
        stop = plant.duration if choice.duration is None else choice.duration
        if choice.resume:
            saved = checkpoint.load(out / CHECKPOINT)
            checkpoint.restore(simulation, saved)
        else:
            simulation.settle()
        recorder = Recorder(plant)
        keeper = _Keeper(out, simulation, choice) if parallel.rank() == 0 else _Witness(simulation, choice)
        if choice.resume:
            keeper.alarms = {(m, n, limit): text for m, n, limit, text in json.loads(str(saved["alarms"]))}
        _loop(simulation, recorder, keeper, stop, watch)
    except ModelError as error:
        raise BadInput(f"{case.path or case.name}: {error}") from error
    except ConvergenceError as error:
        raise RunFailed(
            f"{error}. What was computed is kept in {out}; a smaller numerics.thermal_step or a looser "
            "numerics.tolerance may help, --resume goes on from the last checkpoint"
        ) from error
    keeper.finish(clock.monotonic() - begun)
    parallel.barrier()
    return open_result(out / "result.zarr")


def _loop(
    simulation: Simulation,
    recorder: Recorder,
    keeper: _Witness,
    stop: float,
    watch: Callable[[Tick, float], None] | None,
) -> None:
    interval = simulation.plant.case.numerics.output_interval
    next_output = (simulation.time // interval + 1.0) * interval
    for tick in simulation.run(stop):
        recorder.add(tick)
        # Intervals also end on eclipse contacts, so that shadow is shaded where it was.
        if tick.end >= min(next_output, stop) - 1e-6 or simulation.plant.track.is_contact(tick.end):
            keeper.record(tick.end, recorder)
            next_output = ((tick.end + 1e-6) // interval + 1.0) * interval
            # A checkpoint lies on an output time, so that no average is cut in two.
            keeper.keep(tick.end)
        keeper.look(tick.end)
        if watch is not None:
            watch(tick, stop)


class _Witness:
    """Takes part in what is collective and writes nothing: the other processes of an MPI run."""

    def __init__(self, simulation: Simulation, options: RunOptions):
        self.simulation = simulation
        self.options = options
        self.alarms: dict[tuple[int, str, str], str] = {}
        self._next_fields = simulation.time
        self._saved = clock.monotonic()

    def record(self, time: float, recorder: Recorder) -> None:
        """Take the values of an interval, and the fields when they are due."""
        recorder.take()
        if self._fields_due(time):
            self._fields(time)

    def _fields_due(self, time: float) -> bool:
        if time < self._next_fields - 1e-6:
            return False
        self._next_fields += self.options.field_interval
        return True

    def _fields(self, time: float) -> None:
        for group in self.simulation.plant.groups:
            group.thermal.panel_field(0)

    def look(self, time: float) -> None:
        """Note the first time that coolant freezes or boils in a part of a module."""
        for group in self.simulation.plant.groups:
            for module, event in group.thermal.liquid_limits(time):
                place = (group.modules.start + module, event.node.split(".")[0], event.limit)
                if place not in self.alarms:
                    self.alarms[place] = f"module {place[0]} ({group.name}): {event}"

    def keep(self, time: float) -> None:
        """Write a checkpoint when one is due (rank 0 decides)."""
        if self._checkpoint_due():
            self._checkpoint(time)

    def _checkpoint_due(self) -> bool:
        from solvers import parallel

        due = parallel.decide(clock.monotonic() - self._saved > CHECKPOINT_INTERVAL)
        if due:
            self._saved = clock.monotonic()
        return due

    def _checkpoint(self, time: float) -> None:
        self.simulation.time = time
        checkpoint.snapshot(self.simulation)

    def finish(self, wall_time: float) -> None:
        """End the run."""


class _Keeper(_Witness):
    """Writes results, fields and checkpoints."""

    def __init__(self, out: Path, simulation: Simulation, options: RunOptions):
        super().__init__(simulation, options)
        from twin.field_output import FieldSeries

        plant, case = simulation.plant, simulation.plant.case
        self.out = out
        out.mkdir(parents=True, exist_ok=True)
        result = out / "result.zarr"
        if options.resume:
            self.writer = ResultWriter.resume(result, simulation.time)
            self.series: FieldSeries = FieldSeries.resume(out / "fields", simulation.time)
            self._next_fields = (simulation.time // options.field_interval + 1.0) * options.field_interval
        else:
            (out / CHECKPOINT).unlink(missing_ok=True)
            attributes = {"case": case.resolved(), "case_name": case.name, "description": case.description}
            certificates = {g.name: g.thermal.certificate for g in plant.groups if g.thermal.certificate}
            if certificates:
                attributes["certificate"] = certificates
            self.writer = ResultWriter.create(
                result, layout(plant), case.mission.start, attributes, static_values(plant)
            )
            self.series = FieldSeries.create(out / "fields")
        self._panels = _panel_names([group.name for group in plant.groups])
        for name, group in zip(self._panels, plant.groups):
            mesh = group.thermal.panel_mesh()
            self.series.add_mesh(name, mesh.points, mesh.cell_type, mesh.cells)

    def record(self, time: float, recorder: Recorder) -> None:
        self.writer.append(time, recorder.take())
        if self._fields_due(time):
            self._fields(time)

    def _fields(self, time: float) -> None:
        for name, group in zip(self._panels, self.simulation.plant.groups):
            self.series.write(name, time, {"temperature": ("K", group.thermal.panel_field(0))})  # type: ignore[dict-item]

    def _checkpoint(self, time: float) -> None:
        self.simulation.time = time
        saved = checkpoint.snapshot(self.simulation)
        saved["alarms"] = np.array(json.dumps([[*place, text] for place, text in self.alarms.items()]))
        self.writer.flush()
        checkpoint.save(self.out / CHECKPOINT, saved)

    def finish(self, wall_time: float) -> None:
        self.writer.finish({"wall_time": wall_time, "alarms": list(self.alarms.values())})
        self.series.finish()
        (self.out / CHECKPOINT).unlink(missing_ok=True)


def _panel_names(classes: Sequence[str]) -> list[str]:
    """Names of the field files: ``panel``, or ``panel-CLASS`` where there are several classes."""
    return ["panel"] if len(classes) == 1 else [f"panel-{name}" for name in classes]
