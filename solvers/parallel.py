"""Which process this is, for programs that must not import MPI themselves."""

from __future__ import annotations

import os
import time
from typing import Any

_HERE, _LEAVE = 7701, 7702
"""Tags of the messages of :func:`end_together`."""


def under_mpi() -> bool:
    """Whether a launcher started this process as one of several; does not import MPI."""
    sizes = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS")
    return any(int(os.environ.get(name, "1") or "1") > 1 for name in sizes)


def rank() -> int:
    """Return the rank of this process; 0 outside of MPI, without importing it."""
    if not under_mpi():
        return 0
    from mpi4py import MPI

    return int(MPI.COMM_WORLD.rank)


def size() -> int:
    """Return the number of processes; 1 outside of MPI, without importing it."""
    if not under_mpi():
        return 1
    from mpi4py import MPI

    return int(MPI.COMM_WORLD.size)


def barrier() -> None:
    """Wait for all processes."""
    if under_mpi():
        from mpi4py import MPI

        MPI.COMM_WORLD.barrier()


def decide(here: bool) -> bool:
    """Return what the first process decides, on every process."""
    if not under_mpi():
        return here
    from mpi4py import MPI

    return bool(MPI.COMM_WORLD.bcast(here, root=0))


def end_together(patience: float = 30.0) -> bool:
    """Wait until every process has come here; say whether all did.

    For the end after an error: where all processes failed alike, one of them tells it and all leave; where one failed
    alone, the others wait for it in vain, and it has to `abort`. Uses messages of its own, which do not mix with
    whatever the others wait for.

    Parameters
    ----------
    patience : float
        Longest wait [s].
    """
    if not under_mpi():
        return True
    from mpi4py import MPI

    comm, end = MPI.COMM_WORLD, time.monotonic() + patience
    if comm.rank != 0:
        comm.isend(True, dest=0, tag=_HERE)
        return _came(comm, 0, _LEAVE, end)
    others = range(1, comm.size)
    if not all(_came(comm, other, _HERE, end) for other in others):
        return False
    for request in [comm.isend(True, dest=other, tag=_LEAVE) for other in others]:
        request.wait()
    return True


def _came(comm: Any, source: int, tag: int, end: float) -> bool:
    while not comm.iprobe(source=source, tag=tag):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    comm.recv(source=source, tag=tag)
    return True


def abort(status: int) -> None:
    """End all processes, for one that failed alone."""
    if under_mpi():
        from mpi4py import MPI

        MPI.COMM_WORLD.Abort(status)
