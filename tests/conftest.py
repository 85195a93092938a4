"""Settings of all tests."""

import contextlib

# Tests meet in one process in any order: h5py's own HDF5 must come before dolfinx's (see solvers/__init__.py).
with contextlib.suppress(ImportError):
    import h5py  # noqa: F401
