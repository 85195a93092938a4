"""How the workers of a local Dask cluster start: their threads, and who is interrupted by Ctrl-C."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["starting_workers"]

_LIBRARIES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_BEFORE_SPAWN = "distributed.nanny.pre-spawn-environ"


@contextmanager
def starting_workers(threads: int) -> Iterator[None]:
    """Have the workers of a cluster that is made within the context use so many threads each in compiled kernels.

    Matrices of a module are too small for more than one thread in a library of linear algebra. Ctrl-C, which a terminal
    sends to all processes, is for this one, which ends its workers in order; if it comes within the context, it acts
    afterwards.

    The environment that a cluster gives its workers comes after they have read the main program, and with it the
    libraries that look at these variables once, when they are loaded. What is there before they start is for all of
    Dask's settings, and what this process has itself goes before those.
    """
    import dask

    wanted = {"NUMBA_NUM_THREADS": str(threads), **dict.fromkeys(_LIBRARIES, "1")}
    before = {name: os.environ.get(name) for name in wanted}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # children keep it
    try:
        os.environ.update(wanted)
        with dask.config.set({_BEFORE_SPAWN: {**dask.config.get(_BEFORE_SPAWN, {}), **wanted}}):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
