"""Which process this is, for programs that must not import MPI themselves."""

from __future__ import annotations

import os


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
