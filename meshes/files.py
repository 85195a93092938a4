"""Meshes from files (gmsh, meshio, CAD through gmsh) with their names, and to VTK for ParaView."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from meshes.checks import check
from meshes.mesh import CELL_DIMENSION, Integers, Mesh, MeshError

_KNOWN = {"triangle": "triangle", "quad": "quadrilateral", "tetra": "tetrahedron", "hexahedron": "hexahedron"}
_LOWER = {"vertex": 0, "line": 1, "triangle": 2, "quad": 2}
_VTK_TYPE = {"triangle": 5, "quadrilateral": 9, "tetrahedron": 10, "hexahedron": 12}
_STEP = (".step", ".stp", ".brep", ".iges", ".igs")


def read_mesh(path: Path | str, size: float | None = None) -> Mesh:
    """Read a mesh with named groups and check it.

    Cells of the highest dimension become cells. Their groups become regions, groups of facets become
    boundaries, and groups of edges that form one open path become tube lines too, in the direction in which
    the edges point.

    Parameters
    ----------
    path : path
        ``.msh`` (gmsh physical groups), any other format of meshio with named cell sets, or CAD
        (``.step``, ``.stp``, ``.brep``, ``.iges``), which gmsh meshes in a process of its own.
    size : float, optional
        Largest cell for CAD [m].

    Returns
    -------
    Mesh

    Raises
    ------
    MeshError
        If the file is missing or unreadable, has no named regions, mixes cell types or has curved
        cells, or fails the checks of `meshes.checks.check`.
    """
    source = Path(path)
    if not source.is_file():
        raise MeshError(f"no mesh file {source}")
    if source.suffix.lower() in _STEP:
        return _from_cad(source, size)
    import meshio

    try:
        data = meshio.read(source)
    except (meshio.ReadError, SystemExit) as error:  # meshio leaves the interpreter for unknown suffixes
        known = ", ".join(sorted({name for name in meshio.extension_to_filetypes if name.count(".") == 1}))
        raise MeshError(
            f"{source} cannot be read: {error or 'unknown format'}; readable are {known}"
        ) from error
    except Exception as error:  # parsers fail in as many ways as files are broken
        raise MeshError(
            f"{source} cannot be read ({type(error).__name__}: {error}); is the file whole?"
        ) from error
    try:
        return check(_from_meshio(data))
    except MeshError as error:
        raise MeshError(f"{source}: {error}") from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # The parser let through what it should have refused: points without coordinates, cells without names.
        raise MeshError(
            f"{source} is damaged ({type(error).__name__}: {error}); is the file whole?"
        ) from error


def _from_meshio(data: Any) -> Mesh:
    curved = [block.type for block in data.cells if block.type not in _KNOWN and block.type not in _LOWER]
    if curved:
        raise MeshError(
            f"cells of type {curved[0]} are not supported; save linear cells (gmsh: Mesh.ElementOrder = 1)"
        )
    present = {_KNOWN[block.type] for block in data.cells if block.type in _KNOWN}
    if not present:
        raise MeshError("it holds no triangles, quadrilaterals, tetrahedra or hexahedra")
    top = max(CELL_DIMENSION[name] for name in present)
    types = sorted(name for name in present if CELL_DIMENSION[name] == top)
    if len(types) > 1:
        raise MeshError(
            f"it mixes {' and '.join(types)}; one cell type is supported "
            "(gmsh: recombine all surfaces or none)"
        )
    main = types[0]
    groups = _groups(data)
    cells, regions = _gather(data, groups, lambda kind: _KNOWN.get(kind) == main)
    if not regions:
        raise MeshError("it has no named regions; name them (gmsh: named physical groups)")
    edges_of = _gather_nodes(data, groups, 1)
    facets = edges_of if top == 2 else _gather_nodes(data, groups, 2)
    points = np.asarray(data.points, dtype=float)
    if points.shape[1] == 2:
        points = np.column_stack([points, np.zeros(len(points))])
    lines = {name: path for name, edges in edges_of.items() if (path := _path(edges)) is not None}
    # mesh generators save construction points too
    used = np.unique(cells)
    number = np.full(len(points), -1, dtype=np.int64)
    number[used] = np.arange(len(used))
    for what, group in (("boundary", facets), ("tube line", lines)):
        for name, nodes in group.items():
            if (number[nodes] < 0).any():
                raise MeshError(
                    f"{what} {name!r} has nodes that belong to no {main}: embed it in the surface"
                )
    return Mesh(
        points[used],
        number[cells],
        main,
        regions,
        {name: number[nodes] for name, nodes in lines.items()},
        {name: number[nodes] for name, nodes in facets.items()},
    )


def _groups(data: Any) -> dict[str, list[Any]]:
    """Cell numbers within each block of every named group."""
    groups: dict[str, list[Any]] = {}
    for name, blocks in data.cell_sets.items():
        if not name.startswith("gmsh:"):
            groups[name] = [np.asarray([] if ids is None else ids, dtype=np.int64) for ids in blocks]
    tags = data.cell_data.get("gmsh:physical")
    for name, (tag, dimension) in data.field_data.items() if tags is not None else ():
        groups[name] = [
            np.flatnonzero(tags[block] == tag)
            if _dimension(data.cells[block].type) == dimension
            else np.empty(0, dtype=np.int64)
            for block in range(len(data.cells))
        ]
    return groups


def _dimension(kind: str) -> int:
    return CELL_DIMENSION[_KNOWN[kind]] if kind in _KNOWN else _LOWER[kind]


def _gather(data: Any, groups: dict[str, list[Any]], wanted: Any) -> tuple[Integers, dict[str, Integers]]:
    """Cells of one kind from all blocks, and the groups in their numbering."""
    cells, start, offset = [], [], 0
    for block in data.cells:
        start.append(offset)
        if wanted(block.type):
            cells.append(np.asarray(block.data, dtype=np.int64))
            offset += len(block.data)
    regions = {}
    for name, blocks in groups.items():
        ids = [start[b] + ids for b, ids in enumerate(blocks) if len(ids) and wanted(data.cells[b].type)]
        if ids:
            regions[name] = np.concatenate(ids)
    return np.concatenate(cells), regions


def _gather_nodes(data: Any, groups: dict[str, list[Any]], dimension: int) -> dict[str, Integers]:
    found = {}
    for name, blocks in groups.items():
        nodes = [
            np.asarray(data.cells[b].data, dtype=np.int64)[ids]
            for b, ids in enumerate(blocks)
            if len(ids) and _dimension(data.cells[b].type) == dimension
        ]
        if nodes and len({part.shape[1] for part in nodes}) == 1:
            found[name] = np.concatenate(nodes)
    return found


def _path(edges: Integers) -> Integers | None:
    """Nodes of one open path in the direction in which its edges point, None for anything else."""
    nodes, degree = np.unique(edges, return_counts=True)
    ends = nodes[degree == 1]
    if len(ends) != 2 or degree.max() > 2:
        return None
    neighbours: dict[int, list[int]] = {}
    for a, b in edges.tolist():
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)
    starts = [int(end) for end in ends if end in edges[:, 0]]
    path = [starts[0] if starts else int(ends[0])]
    before = -1
    while True:
        onward = [node for node in neighbours[path[-1]] if node != before]
        if not onward:
            break
        before = path[-1]
        path.append(onward[0])
    return np.array(path, dtype=np.int64) if len(path) == len(nodes) else None


def _from_cad(source: Path, size: float | None) -> Mesh:
    """Mesh CAD with gmsh in another process: its licence and its MPI stay out of this one."""
    if size is None or not size > 0.0:
        raise MeshError(f"{source}: meshing CAD needs a positive cell size, not {size}")
    if importlib.util.find_spec("gmsh") is not None:
        command = [sys.executable, str(Path(__file__).with_name("gmsh_process.py"))]
    elif shutil.which("gmsh"):
        command = []
    else:
        raise MeshError(
            f"{source}: CAD is meshed by gmsh, which is not installed. It is an optional extra under "
            "the GPL: install the Python package or the program 'gmsh', or mesh the file elsewhere and "
            "give the .msh file"
        )
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "mesh.msh"
        if command:
            command += [str(source), str(target), repr(float(size))]
        else:
            command = [
                "gmsh",
                str(source),
                "-2",
                "-clmax",
                repr(float(size)),
                "-format",
                "msh41",
                "-o",
                str(target),
            ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not target.exists():
            reason = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
            raise MeshError(f"{source}: gmsh could not mesh it: {reason[0]}")
        return read_mesh(target)


def write_vtu(mesh: Mesh, path: Path | str) -> dict[int, str]:
    """Write a mesh for ParaView, with its named regions, tube lines and hinges.

    Every cell has an integer ``region``; tube lines and hinges are written as lines with numbers of their
    own. Field data ``region_names`` holds the names by number, starting with ``unnamed``.

    Parameters
    ----------
    mesh : Mesh
    path : path
        Ends in ``.vtu``.

    Returns
    -------
    dict of int to str
        Names by number.
    """
    import pyvista

    names = ["unnamed", *mesh.regions]
    cells = [np.column_stack([np.full(mesh.cell_count, mesh.cells.shape[1]), mesh.cells]).ravel()]
    kinds = [np.full(mesh.cell_count, _VTK_TYPE[mesh.cell_type], dtype=np.uint8)]
    tags = [mesh.cell_tags.astype(np.int32)]
    for name, nodes in mesh.lines.items():
        cells.append(np.concatenate([[len(nodes)], nodes]))
        kinds.append(np.array([4], dtype=np.uint8))
        tags.append(np.array([len(names)], dtype=np.int32))
        names.append(f"line {name}")
    for name, pairs in mesh.hinges.items():
        cells.append(np.column_stack([np.full(len(pairs), 2), pairs]).ravel())
        kinds.append(np.full(len(pairs), 3, dtype=np.uint8))
        tags.append(np.full(len(pairs), len(names), dtype=np.int32))
        names.append(f"hinge {name}")
    grid = pyvista.UnstructuredGrid(np.concatenate(cells), np.concatenate(kinds), mesh.points)
    grid.cell_data["region"] = np.concatenate(tags)
    grid.field_data["region_names"] = names
    grid.save(str(path))
    return dict(enumerate(names))
