"""Ctrl-C and the signals of batch systems: end at the next checkpoint instead of in the middle of a step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

from twin.errors import RunStopped

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""Ctrl-C; the end of a job's time; what SLURM sends before that with ``--signal=USR1@120``."""


class StopRequest:
    """Remembers that a signal came; a second one of the same kind acts at once, as it does without this.

    Used as a context manager, in the main thread; in other threads signals stay as they are.

    Attributes
    ----------
    number : int
        Signal that came, 0 for none.
    """

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[int, Any] = {}

    def __bool__(self) -> bool:
        return self.number != 0

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                # Ignored ones stay ignored: the caller wanted it so (nohup, background jobs).
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        signal.signal(number, self._before[number])


@contextmanager
def ends_at_once(then: str) -> Iterator[None]:
    """End a block when a signal comes: for work whose finished parts are on disk.

    Parameters
    ----------
    then : str
        What the user is told: what is kept, and how to go on.

    Raises
    ------
    RunStopped
        With the exit code of the signal.
    """
    came: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        came.append(number)
        raise KeyboardInterrupt  # no handler of errors in the block takes it for one

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for known in SIGNALS:
            if signal.getsignal(known) != signal.SIG_IGN:
                before[known] = signal.signal(known, interrupt)
    try:
        yield
    except BaseException as error:
        # Compiled libraries give an exception that passes through them another name (pydantic's serialisers).
        if not came and not isinstance(error, KeyboardInterrupt):
            raise
        first = signal.Signals(came[0] if came else signal.SIGINT)
        stopped = RunStopped(f"stopped by {first.name}; {then}")
        stopped.exit_code = 128 + first
        raise stopped from None
    finally:
        for known_before, handler in before.items():
            signal.signal(known_before, handler)
