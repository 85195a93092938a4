"""Finite element fields that a run left beside its result."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from twin.errors import BadInput
from twin.results import locate_result

type Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PanelField:
    """The temperature field of the panels of a wing at one time.

    Attributes
    ----------
    name : str
        Name of the mesh, as in ``fields/<name>.pvd``.
    time : float
        Time of the field [s since start].
    points : (point, 3) array
        Coordinates in the panel's own frame [m]: width along x, height along y, front face along +z.
    triangles : (triangle, 3) int array
        Point indices; quadrilaterals are split.
    temperature : (point,) array
        Temperature [K].
    """

    name: str
    time: float
    points: Floats
    triangles: NDArray[np.int64]
    temperature: Floats

    @property
    def area(self) -> float:
        """Area of the mesh, one face [m²]."""
        corner = self.points[self.triangles]
        normals = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        return float(0.5 * np.linalg.norm(normals, axis=1).sum())

    @cached_property
    def pieces(self) -> tuple[tuple[NDArray[np.int64], PanelField], ...]:
        """Each panel of the mesh by itself, in order along y, and the points of this field that it has.

        A mesh holds the panels of a wing one behind the other; nothing joins them.
        """
        first, second, third = self.triangles.T
        edges = np.concatenate([first, second]), np.concatenate([second, third])
        shape = (len(self.points), len(self.points))
        graph = sparse.coo_array((np.ones(edges[0].size, dtype=np.int8), edges), shape=shape)
        count, part = sparse.csgraph.connected_components(graph, directed=False)
        local, found = np.empty(len(self.points), dtype=np.int64), []
        for number in range(count):
            members = np.flatnonzero(part == number)
            local[members] = np.arange(members.size)
            triangles = local[self.triangles[part[first] == number]]
            if triangles.size:
                piece = PanelField(
                    self.name, self.time, self.points[members], triangles, self.temperature[members]
                )
                found.append((members, piece))
        return tuple(sorted(found, key=lambda item: float(item[1].points[:, 1].min())))


def field_names(result: Path) -> list[str]:
    """Return the names of the meshes with fields beside `result`, ``panel…`` first."""
    files = [index.stem for index in (locate_result(result).parent / "fields").glob("*.pvd")]
    return sorted(files, key=lambda name: (not name.startswith("panel"), name))


def field_times(result: Path, name: str | None = None) -> list[float]:
    """Return the times of the fields of a mesh beside `result` [s since start], empty without fields."""
    names = field_names(result)
    if not names:
        return []
    index = locate_result(result).parent / "fields" / f"{name or names[0]}.pvd"
    return [float(item.get("timestep", "nan")) for item in ElementTree.parse(index).iter("DataSet")]


def read_panel(result: Path, time: float, name: str | None = None) -> PanelField:
    """Return the panel temperature nearest in time to `time` [s since start].

    Parameters
    ----------
    result : Path
        The result, or the run folder.
    time : float
        Time wanted [s since start].
    name : str, optional
        Mesh; the first of `field_names` unless given.

    Raises
    ------
    BadInput
        The run wrote no fields, not this one, or the files are damaged.
    """
    import pyvista as pv

    folder = locate_result(result).parent / "fields"
    names = field_names(result)
    if not names:
        raise BadInput(f"{folder}: the run left no finite element fields; run it with the full thermal model")
    chosen = name or names[0]
    if chosen not in names:
        raise BadInput(f"field {chosen!r}: expected one of {', '.join(names)} in {folder}")
    try:
        reader = pv.get_reader(folder / f"{chosen}.pvd")
        times = np.asarray(reader.time_values)
        index = int(np.abs(times - time).argmin())
        reader.set_active_time_point(index)
        surface = reader.read()[0].extract_surface(algorithm="dataset_surface").triangulate()
        temperature = np.asarray(surface.point_data["temperature"], dtype=np.float64)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise BadInput(f"{folder / chosen}.pvd: is damaged ({error}); run the case again") from error
    triangles = np.asarray(surface.faces).reshape(-1, 4)[:, 1:].astype(np.int64)
    return PanelField(
        chosen, float(times[index]), np.asarray(surface.points, dtype=np.float64), triangles, temperature
    )
