"""Finite element fields as VTU files with a PVD time index, which ParaView and pyvista open.

Needs only plain arrays: the solvers hand over points, cells and nodal values. Files go to
``<folder>.partial`` and the folder is put in place when the run is complete.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self
from xml.etree import ElementTree

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.errors import BadInput
from twin.results.replace import partial_path, put_in_place, remove

CELL_TYPES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "line": (3, 2),
        "triangle": (5, 3),
        "quadrilateral": (9, 4),
        "tetrahedron": (10, 4),
        "hexahedron": (12, 8),
    }
)
"""Cell name -> (VTK cell type, nodes per cell); nodes are in VTK order."""


class FieldSeries:
    """Time series of fields on one or more meshes that do not move.

    Each mesh becomes ``<folder>/<name>.pvd`` with one VTU file per time in ``<folder>/<name>/``.

    Examples
    --------
    >>> with FieldSeries.create("out/fields") as fields:
    ...     fields.add_mesh("panel", points, "triangle", triangles)
    ...     fields.write("panel", time, {"temperature": ("K", temperature)})
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._grids: dict[str, tuple[NDArray[np.float64], NDArray[np.int64], int]] = {}
        self._times: dict[str, list[float]] = {}

    @classmethod
    def create(cls, folder: str | os.PathLike[str]) -> Self:
        """Start new files; an unfinished series in the same place is dropped."""
        target = Path(folder)
        remove(partial_path(target))
        partial_path(target).mkdir(parents=True)
        return cls(target)

    @classmethod
    def resume(cls, folder: str | os.PathLike[str], until: float) -> Self:
        """Continue the unfinished series of `folder`, without the times after `until` [s].

        Raises
        ------
        BadInput
            There is nothing to resume.
        """
        target = Path(folder)
        partial = partial_path(target)
        if not partial.is_dir():
            raise BadInput(f"{partial}: there are no unfinished fields; start the run without --resume")
        series = cls(target)
        for index in sorted(partial.glob("*.pvd")):
            times = [float(item.get("timestep", "nan")) for item in ElementTree.parse(index).iter("DataSet")]
            series._times[index.stem] = [time for time in times if time <= until + 5e-7]
        return series

    def add_mesh(self, name: str, points: ArrayLike, cell: str, cells: ArrayLike) -> None:
        """Declare a mesh.

        Parameters
        ----------
        name : str
            Name of the files, for example ``panel``.
        points : (point, 3) array
            Coordinates [m].
        cell : str
            One of `CELL_TYPES`.
        cells : (cell, nodes per cell) int array
            Point indices, VTK order.

        Raises
        ------
        ValueError
            An array has the wrong shape, a cell points to no point, or the cell name is unknown.
        """
        if cell not in CELL_TYPES:
            raise ValueError(f"cell {cell!r}: expected one of {', '.join(CELL_TYPES)}")
        vtk_type, nodes = CELL_TYPES[cell]
        coordinates = np.asarray(points, dtype=np.float64)
        connectivity = np.asarray(cells, dtype=np.int64)
        if coordinates.ndim != 2 or coordinates.shape[1] != 3:
            raise ValueError(f"points of mesh {name!r}: expected shape (point, 3), got {coordinates.shape}")
        if connectivity.ndim != 2 or connectivity.shape[1] != nodes:
            raise ValueError(
                f"cells of mesh {name!r}: expected shape (cell, {nodes}), got {connectivity.shape}"
            )
        if connectivity.size and not 0 <= connectivity.min() <= connectivity.max() < len(coordinates):
            raise ValueError(f"cells of mesh {name!r}: expected point indices 0…{len(coordinates) - 1}")
        self._grids[name] = (coordinates, connectivity, vtk_type)
        self._times.setdefault(name, [])

    def write(self, name: str, time: float, fields: Mapping[str, tuple[str, ArrayLike]]) -> Path:
        """Write the fields of one mesh at one time; return the VTU file.

        Parameters
        ----------
        name : str
            As given to `add_mesh`.
        time : float
            Time [s since start]; increases from call to call.
        fields : {name: (units, array)}
            Values at points, shape (point, …), or on cells, shape (cell, …).

        Raises
        ------
        ValueError
            The mesh is unknown, time does not increase, or a field fits neither points nor cells.
        """
        import pyvista as pv

        if name not in self._grids:
            raise ValueError(
                f"mesh {name!r}: expected one of {', '.join(self._grids) or 'none: call add_mesh'}"
            )
        times = self._times[name]
        if times and not time > times[-1]:
            raise ValueError(f"time of mesh {name!r}: expected more than {times[-1]:g} s, got {time:g} s")
        points, cells, vtk_type = self._grids[name]
        grid = pv.UnstructuredGrid({vtk_type: cells}, points)
        for key, (units, values) in fields.items():
            array = np.asarray(values)
            if array.shape[:1] == (len(points),):
                data = grid.point_data
            elif array.shape[:1] == (len(cells),):
                data = grid.cell_data
            else:
                raise ValueError(
                    f"field {key!r} on mesh {name!r}: expected {len(points)} points or {len(cells)} cells, "
                    f"got shape {array.shape}"
                )
            data.set_array(array, key)
            vtk_array = data.get_array(key).VTKObject
            vtk_array.GetInformation().Set(vtk_array.UNITS_LABEL(), units)
        grid.field_data["TimeValue"] = np.array([time])
        directory = partial_path(self.folder)
        file = directory / name / f"{name}_{len(times):06d}.vtu"
        file.parent.mkdir(exist_ok=True)
        file.write_text(_as_vtu(grid), encoding="utf-8")
        times.append(float(time))
        self._write_index(directory, name)
        return file

    def finish(self) -> Path:
        """Put the complete folder in place; return its path."""
        put_in_place(self.folder)
        return self.folder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and partial_path(self.folder).exists():
            self.finish()

    def _write_index(self, directory: Path, name: str) -> None:
        root = ElementTree.Element("VTKFile", type="Collection", version="1.0")
        collection = ElementTree.SubElement(root, "Collection")
        for step, time in enumerate(self._times[name]):
            file = f"{name}/{name}_{step:06d}.vtu"
            ElementTree.SubElement(collection, "DataSet", timestep=repr(time), part="0", file=file)
        ElementTree.indent(root)
        index = directory / f"{name}.pvd"
        aside = index.with_suffix(".pvd.new")
        ElementTree.ElementTree(root).write(aside, encoding="utf-8", xml_declaration=True)
        aside.replace(index)


def _as_vtu(grid: Any) -> str:
    """Return a grid as the text of a VTU file; VTK's own writing to a disk that is full ends the process."""
    from vtkmodules.vtkIOXML import vtkXMLUnstructuredGridWriter

    writer = vtkXMLUnstructuredGridWriter()
    writer.SetInputData(grid)
    writer.SetDataModeToBinary()
    writer.WriteToOutputStringOn()
    writer.Write()
    return str(writer.GetOutputString())
