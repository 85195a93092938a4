"""How many threads the workers of a local Dask cluster have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["worker_threads"]

_LIBRARIES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_BEFORE_SPAWN = "distributed.nanny.pre-spawn-environ"


@contextmanager
def worker_threads(count: int) -> Iterator[None]:
    """Have the workers of a cluster that is made within the context use so many threads each in compiled kernels.

    Matrices of a module are too small for more than one thread in a library of linear algebra.

    The environment that a cluster gives its workers comes after they have read the main program, and with it the
    libraries that look at these variables once, when they are loaded. What is there before they start is for all of
    Dask's settings, and what this process has itself goes before those.
    """
    import dask

    wanted = {"NUMBA_NUM_THREADS": str(count), **dict.fromkeys(_LIBRARIES, "1")}
    before = {name: os.environ.get(name) for name in wanted}
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
