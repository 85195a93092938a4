"""A whole run: from a case to ``result.zarr``, finite-element fields and checkpoints in a folder."""

from __future__ import annotations

import logging
import math
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from solvers.errors import ConvergenceError, ModelError
from twin import checkpoint, run_keeper
from twin.case import Case
from twin.errors import BadInput, RunFailed, RunStopped
from twin.finite_guard import check_finite
from twin.memory import refuse_what_does_not_fit
from twin.plant import Plant, Progress
from twin.recording import Recorder
from twin.results import open_result
from twin.run_keeper import CHECKPOINTS, RESULT, Keeper, Witness, begin, is_complete, writing
from twin.run_log import event, log_to
from twin.simulation import Simulation, Tick
from twin.stop_request import StopRequest

if TYPE_CHECKING:
    import xarray as xr

CHECKPOINT_INTERVAL = 30.0
"""Wall time between checkpoints [s]: a run that dies loses no more than this."""

LOG_FILE = "run.log"


@dataclass(frozen=True)
class RunOptions:
    """What a run does beside its case.

    Attributes
    ----------
    duration : float, optional
        Length instead of the case's [s].
    resume : bool
        Go on from the last sound checkpoint in the folder.
    field_interval : float
        Simulated time between finite-element fields in files [s]; infinite for the last only.
    checkpoint_interval : float, optional
        Wall time between checkpoints [s]; `CHECKPOINT_INTERVAL` unless given.
    log : {'text', 'json'}
        Form of ``run.log``.
    """

    duration: float | None = None
    resume: bool = False
    field_interval: float = 300.0
    checkpoint_interval: float | None = None
    log: Literal["text", "json"] = "text"


def run(
    case: Case,
    out: Path,
    options: RunOptions | None = None,
    watch: Callable[[Tick, float], None] | None = None,
    progress: Progress | None = None,
) -> xr.DataTree:
    """Run a case and write its result.

    Under MPI every process calls this; the first one writes. Ctrl-C, SIGTERM and SIGUSR1 end the run at the next
    output time with a checkpoint.

    Parameters
    ----------
    case : Case
    out : Path
        Folder for ``result.zarr``, ``fields/``, ``run.log`` and, while it runs, ``checkpoints/``.
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
        If a checkpoint to resume from is missing or of another plant, the model cannot be built from the case, or
        the plant does not fit into memory.
    RunFailed
        If a solve does not converge, a value is no longer a number, or the disk is full; what was computed is kept,
        and ``resume`` goes on from the last checkpoint.
    RunStopped
        If a signal ended it; ``resume`` goes on.
    """
    from solvers import parallel

    choice = options or RunOptions()
    out = Path(out)
    refuse_what_does_not_fit(case, parallel.size())
    if parallel.rank() != 0:
        return _run(case, out, choice, watch, progress)
    with writing(out, 0.0):
        out.mkdir(parents=True, exist_ok=True)
    with log_to(out / LOG_FILE, choice.log):
        event(logging.INFO, "run", case=case.name, resume=choice.resume, processes=parallel.size())
        try:
            result = _run(case, out, choice, watch, progress)
        except Exception as error:
            event(logging.ERROR, "ended early", kind=type(error).__name__, reason=str(error))
            raise
        event(logging.INFO, "complete", wall_time=float(result.attrs["wall_time"]))
        return result


def _run(
    case: Case,
    out: Path,
    choice: RunOptions,
    watch: Callable[[Tick, float], None] | None,
    progress: Progress | None,
) -> xr.DataTree:
    from solvers import parallel

    saved = None
    if choice.resume:
        if is_complete(out, case) and choice.duration is None:
            event(logging.INFO, "complete already")
            parallel.barrier()
            if parallel.rank() == 0:
                checkpoint.discard(out / CHECKPOINTS)
            return open_result(out / RESULT)
        saved = run_keeper.state_to_resume(out, case)
    parallel.barrier()  # all have read what the first one now puts aside
    if parallel.rank() == 0:
        with writing(out, 0.0):
            if saved is None:
                begin(out)
            else:
                checkpoint.set_aside_after(out / CHECKPOINTS, float(saved["time"]))
    with StopRequest() as request:
        try:
            plant = Plant.build(case, _ends_training(progress, request))
            simulation = Simulation(plant)
            stop = plant.duration if choice.duration is None else choice.duration
            if saved is None:
                simulation.settle()
            else:
                checkpoint.restore(simulation, saved)
                event(logging.INFO, "resumed", simulated=simulation.time)
            recorder = Recorder(plant)
            every = CHECKPOINT_INTERVAL if choice.checkpoint_interval is None else choice.checkpoint_interval
            intervals = (choice.field_interval, every)
            if parallel.rank() == 0:
                with writing(out, simulation.time):
                    keeper: Witness = Keeper(out, simulation, *intervals, saved)
            else:
                keeper = Witness(simulation, *intervals, saved)
            if saved is None:
                _forget_history(simulation)
                keeper.keep(simulation.time, now=True)
            _loop(simulation, recorder, keeper, stop, request, watch)
        except ModelError as error:
            raise BadInput(f"{case.path or case.name}: {error}") from error
        except ConvergenceError as error:
            raise RunFailed(
                f"{error}. What was computed is kept in {out}; a smaller numerics.thermal_step or a looser "
                "numerics.tolerance may help, --resume goes on from the last checkpoint"
            ) from error
        keeper.finish()
    parallel.barrier()
    return open_result(out / RESULT)


def _loop(
    simulation: Simulation,
    recorder: Recorder,
    keeper: Witness,
    stop: float,
    request: StopRequest,
    watch: Callable[[Tick, float], None] | None,
) -> None:
    from solvers import parallel

    interval = simulation.plant.case.numerics.output_interval
    next_output = _next_multiple(simulation.time, interval)
    for tick in simulation.run(stop, origin=0.0):
        check_finite(simulation, tick)
        recorder.add(tick)
        keeper.look(tick.end)
        if watch is not None:
            watch(tick, stop)
        # Intervals also end on eclipse contacts, so that shadow is shaded where it was.
        if tick.end >= min(next_output, stop) - 1e-6 or simulation.plant.track.is_contact(tick.end):
            keeper.record(tick.end, recorder)
            next_output = _next_multiple(tick.end, interval)
            # A checkpoint lies on an output time, so that no average is cut in two; and at every one, whether there is
            # a checkpoint or not, solvers forget, so that a resumed run takes the very same steps.
            _forget_history(simulation)
            ending = parallel.decide(bool(request)) and tick.end < stop - 1e-6
            keeper.keep(tick.end, now=ending)
            if ending:
                stopped = RunStopped(
                    f"stopped by {signal.Signals(request.number or signal.SIGTERM).name} at t = {tick.end:g} s of "
                    f"{stop:g} s; all until then is kept, and the same command with --resume goes on"
                )
                stopped.exit_code = 128 + (request.number or signal.SIGTERM)
                raise stopped


def _ends_training(progress: Progress | None, request: StopRequest) -> Progress:
    """Return what training tells its progress: it ends there when a signal has come, and not after all of it."""

    def tell(what: str, share: float) -> None:
        if request:
            stopped = RunStopped(
                f"stopped by {signal.Signals(request.number).name} while a reduced model was trained ({what}); its "
                "finished runs are kept, and the same command goes on"
            )
            stopped.exit_code = 128 + request.number
            raise stopped
        if progress is not None:
            progress(what, share)

    return tell


def _forget_history(simulation: Simulation) -> None:
    for group in simulation.plant.groups:
        group.thermal.forget_history()


def _next_multiple(time: float, interval: float) -> float:
    return (math.floor((time + 1e-6) / interval) + 1.0) * interval
