"""Import h5py before dolfinx, whoever asks for dolfinx first.

The wheel of h5py brings an HDF5 of its own. With numba present, dolfinx opens PETSc's libraries globally, an older HDF5
among them, and an h5py that is loaded afterwards is bound to that one and fails ("Not a datatype"). The other order
keeps the two apart. pvlib needs h5py, so that this meets anyone who uses both.

env/install.py puts this module into the environment, and a .pth file that imports it when Python starts.
"""

import sys


class _BeforeDolfinx:
    """A finder that finds nothing; it only sees that dolfinx is about to be imported."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Import h5py, once, when `name` is dolfinx."""
        if name != "dolfinx":
            return
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]
        if "h5py" not in sys.modules:
            import contextlib

            with contextlib.suppress(ImportError):
                import h5py  # noqa: F401


sys.meta_path.insert(0, _BeforeDolfinx())  # type: ignore[arg-type]
