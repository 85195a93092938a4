"""Tasks on a Dask cluster: a local one by default, or any scheduler; one that fails is tried again and kept."""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from twin.errors import BadInput, DawnduskError, RunStopped
from twin.kept_tasks import KeptTasks
from twin.worker_processes import starting_workers

__all__ = ["Done", "Workers", "run_tasks", "workers"]


@dataclass(frozen=True)
class Done:
    """A task that has ended.

    Attributes
    ----------
    number : int
        Its place among the tasks.
    value : object
        What it returned, None if it failed.
    error : str
        Why it failed, empty if it did not.
    attempts : int
    """

    number: int
    value: Any
    error: str
    attempts: int


class Workers:
    """Where tasks run: in this process, or on a Dask client.

    Parameters
    ----------
    client : dask.distributed.Client, optional
        In this process without one.
    kept : KeptTasks, optional
        Takes the values of tasks as they end, and gives those that have ended before.
    """

    def __init__(self, client: Any = None, kept: KeptTasks | None = None):
        self.client, self.kept = client, kept

    @property
    def count(self) -> int:
        """Workers there are now."""
        return 1 if self.client is None else max(1, len(self.client.scheduler_info(n_workers=-1)["workers"]))


@contextmanager
def workers(scheduler: str | None = None, count: int | None = None) -> Iterator[Workers]:
    """Give workers for as long as the context lasts.

    Parameters
    ----------
    scheduler : str, optional
        Address of a Dask scheduler, ``tcp://host:8786``; a local cluster without one.
    count : int, optional
        Processes of the local cluster: as many as there are processors unless given; 0 runs in this process.

    Raises
    ------
    BadInput
        If no scheduler answers at the address.
    """
    if scheduler is None and count == 0:
        yield Workers()
        return
    from distributed import Client, LocalCluster

    if scheduler is not None:
        try:
            client = Client(scheduler, timeout="10s")
        except (OSError, TimeoutError, ValueError) as error:
            raise BadInput(
                f"--scheduler {scheduler}: no Dask scheduler answers ({error}); expected an address such as "
                "tcp://host:8786 of a running one (dask scheduler), or none for a local cluster"
            ) from None
        with client:
            yield Workers(client)
        return
    with starting_workers(1):  # the workers share the processors among them
        cluster = LocalCluster(
            n_workers=count or os.process_cpu_count() or 1,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=logging.CRITICAL,  # errors of tasks are told by what ran them
        )
    with cluster, Client(cluster) as client:
        yield Workers(client)


def _guarded(function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Any, str]:
    """Call a function; return its value and the error that it ended with, if any."""
    try:
        return function(*arguments), ""
    except RunStopped:  # a signal is for all tasks
        raise
    except DawnduskError as error:
        return None, f"{type(error).__name__}: {error}"
    except Exception as error:  # what is not expected is kept with the place where it happened
        last = traceback.extract_tb(error.__traceback__)[-1]
        return None, f"{type(error).__name__}: {error} ({last.name}, line {last.lineno})"


def run_tasks(
    place: Workers,
    function: Callable[..., Any],
    tasks: Sequence[Sequence[Any]],
    shared: Mapping[int, Any] | None = None,
    attempts: int = 2,
    done: Callable[[Done], None] | None = None,
) -> list[Done]:
    """Run a function on the arguments of every task.

    Parameters
    ----------
    place : Workers
    function : callable
        Importable by name, so that workers on other machines find it.
    tasks : sequence of argument lists
    shared : mapping of position to value, optional
        Arguments that all tasks share, sent to each worker once.
    attempts : int
        How often a task that fails is tried in all; a worker that dies counts as a failure of what it ran.
    done : callable, optional
        Called with every task as it ends, in the order of ending.

    Returns
    -------
    list of Done
        In the order of the tasks.
    """
    if place.kept is not None:
        return _run_what_is_missing(place.kept, place.client, function, tasks, shared, attempts, done)
    ended: dict[int, Done] = {}

    def finish(result: Done) -> None:
        ended[result.number] = result
        if done is not None:
            done(result)

    def full(arguments: Sequence[Any], common: Mapping[int, Any]) -> list[Any]:
        whole = list(arguments)
        for position, value in sorted(common.items()):
            whole.insert(position, value)
        return whole

    common = dict(shared or {})
    if place.client is None:
        for number, arguments in enumerate(tasks):
            for attempt in range(1, attempts + 1):
                value, error = _guarded(function, full(arguments, common))
                if not error or attempt == attempts:
                    finish(Done(number, value, error, attempt))
                    break
        return [ended[k] for k in range(len(tasks))]
    _run_on_client(place.client, function, tasks, full, common, attempts, finish)
    return [ended[k] for k in range(len(tasks))]


def _run_what_is_missing(
    kept: KeptTasks,
    client: Any,
    function: Callable[..., Any],
    tasks: Sequence[Sequence[Any]],
    shared: Mapping[int, Any] | None,
    attempts: int,
    done: Callable[[Done], None] | None,
) -> list[Done]:
    """Take the values that are kept, run the other tasks, and keep theirs."""
    keys = [kept.key(function, arguments) for arguments in tasks]
    ended: dict[int, Done] = {}
    for number, key in enumerate(keys):
        there, value = kept.find(key)
        if there:
            ended[number] = Done(number, value, "", 0)
            if done is not None:
                done(ended[number])
    missing = [number for number in range(len(tasks)) if number not in ended]

    def finish(result: Done) -> None:
        number = missing[result.number]
        ended[number] = Done(number, result.value, result.error, result.attempts)
        if not result.error:
            kept.put(keys[number], result.value)
        if done is not None:
            done(ended[number])

    run_tasks(Workers(client), function, [tasks[n] for n in missing], shared, attempts, finish)
    return [ended[number] for number in range(len(tasks))]


def _run_on_client(
    client: Any,
    function: Callable[..., Any],
    tasks: Sequence[Sequence[Any]],
    full: Callable[[Sequence[Any], Mapping[int, Any]], list[Any]],
    common: Mapping[int, Any],
    attempts: int,
    finish: Callable[[Done], None],
) -> None:
    from distributed import as_completed

    sent = {position: client.scatter(value, broadcast=True, hash=False) for position, value in common.items()}

    def submit(number: int) -> Any:
        # A worker that dies takes its task to another one `allowed-failures` times; then it is an error of the task.
        return client.submit(_call, function, *full(tasks[number], sent), pure=False, retries=0)

    waiting = {submit(number): (number, 1) for number in range(len(tasks))}
    queue = as_completed(list(waiting))
    for future in queue:
        number, attempt = waiting.pop(future)
        if future.status == "finished":
            value, error = future.result()
        else:
            value, error = None, f"worker lost: {future.exception()}"
        if error and attempt < attempts:
            again = submit(number)
            waiting[again] = (number, attempt + 1)
            queue.add(again)
            continue
        finish(Done(number, value, error, attempt))


def _call(function: Callable[..., Any], *arguments: Any) -> tuple[Any, str]:
    return _guarded(function, arguments)
