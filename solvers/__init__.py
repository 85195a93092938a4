"""Field solvers: finite-element conduction, surface radiation, nodal networks and coolant loops.

Nothing here knows of plants or cases: arrays in, arrays out, in SI units.
"""

import contextlib

# The wheel of h5py, which pvlib and meshio may load, brings an HDF5 of its own. Before PETSc and dolfinx it keeps apart
# from theirs; after them it fails to load.
with contextlib.suppress(ImportError):
    import h5py  # noqa: F401
