"""Size and quality of a mesh, printed before it is used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from meshes.mesh import CELL_FACETS, Floats, Mesh, cell_measures


@dataclass(frozen=True)
class MeshSummary:
    """What a mesh is made of, and how good its cells are.

    Angles are those between edges at the corners of a cell's faces [rad]; the aspect ratio of a cell is
    its longest edge over its shortest. ``measures`` are areas [m²] of shells or volumes [m³] of solids by
    region, ``line_lengths`` are in [m].
    """

    cell_type: str
    nodes: int
    cells: int
    bounds: tuple[tuple[float, float, float], tuple[float, float, float]]
    edge_minimum: float
    edge_maximum: float
    angle_minimum: float
    angle_maximum: float
    aspect_maximum: float
    measures: dict[str, float]
    line_lengths: dict[str, float]
    hinge_pairs: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers and names, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        unit = "m²" if self.cell_type in ("triangle", "quadrilateral") else "m³"
        low, high = self.bounds
        lines = [
            f"{self.cells} {self.cell_type} cells, {self.nodes} nodes",
            "size     " + " × ".join(f"{b - a:.4g}" for a, b in zip(low, high, strict=True)) + " m",
            f"edges    {self.edge_minimum:.4g} … {self.edge_maximum:.4g} m",
            f"aspect   up to {self.aspect_maximum:.3g} (longest edge of a cell over its shortest)",
            f"angles   {np.degrees(self.angle_minimum):.1f} … {np.degrees(self.angle_maximum):.1f}°",
        ]
        lines += [f"region   {name}: {measure:.6g} {unit}" for name, measure in self.measures.items()]
        lines += [f"line     {name}: {length:.6g} m" for name, length in self.line_lengths.items()]
        lines += [f"hinge    {name}: {pairs} node pairs" for name, pairs in self.hinge_pairs.items()]
        return "\n".join(lines)


def summarize(mesh: Mesh) -> MeshSummary:
    """Size and quality of a mesh.

    Parameters
    ----------
    mesh : Mesh
        With at least one cell.
    """
    edges = edge_lengths(mesh)
    angles = corner_angles(mesh)
    measure = cell_measures(mesh)
    low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)
    return MeshSummary(
        cell_type=mesh.cell_type,
        nodes=mesh.node_count,
        cells=mesh.cell_count,
        bounds=(_triple(low), _triple(high)),
        edge_minimum=float(edges.min()),
        edge_maximum=float(edges.max()),
        angle_minimum=float(angles.min()),
        angle_maximum=float(angles.max()),
        aspect_maximum=float((edges.max(axis=1) / edges.min(axis=1)).max()),
        measures={name: float(measure[cells].sum()) for name, cells in mesh.regions.items()},
        line_lengths={name: float(mesh.line_lengths(name).sum()) for name in mesh.lines},
        hinge_pairs={name: len(pairs) for name, pairs in mesh.hinges.items()},
    )


def edge_lengths(mesh: Mesh) -> Floats:
    """Edge lengths of every cell, shape (m, edges) [m]."""
    pairs = sorted(
        {
            (min(a, b), max(a, b))
            for face in _faces(mesh)
            for a, b in zip(face, face[1:] + face[:1], strict=True)
        }
    )
    return np.stack(
        [
            np.linalg.norm(mesh.points[mesh.cells[:, b]] - mesh.points[mesh.cells[:, a]], axis=1)
            for a, b in pairs
        ],
        axis=1,
    )


def corner_angles(mesh: Mesh) -> Floats:
    """Angles at the corners of every cell's faces, shape (m, corners) [rad]."""
    angles = []
    for face in _faces(mesh):
        for before, at, after in zip(face[-1:] + face[:-1], face, face[1:] + face[:1], strict=True):
            corner = mesh.points[mesh.cells[:, at]]
            one, other = (
                mesh.points[mesh.cells[:, before]] - corner,
                mesh.points[mesh.cells[:, after]] - corner,
            )
            sine = np.linalg.norm(np.cross(one, other), axis=1)
            angles.append(np.arctan2(sine, np.einsum("ij,ij->i", one, other)))
    return np.stack(angles, axis=1)


def _faces(mesh: Mesh) -> Iterator[tuple[int, ...]]:
    if mesh.dimension == 2:
        yield tuple(range(mesh.cells.shape[1]))
    else:
        yield from CELL_FACETS[mesh.cell_type]


def _triple(values: Floats) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
