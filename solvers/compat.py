"""The one seam between dolfinx 0.9, 0.10 and 0.11: by capability, never by version."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dolfinx
import numpy as np
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from numpy.typing import NDArray


def jit_options() -> dict[str, Any]:
    """Return where compiled forms are kept: the project's cache when there is one, else FFCx's own."""
    cache = os.environ.get("DAWNDUSK_CACHE")
    options: dict[str, Any] = {"cffi_extra_compile_args": ["-O2"], "timeout": 120}
    if cache:
        options["cache_dir"] = str(Path(cache) / "forms")
    return options


def compile_form(form: Any) -> Any:
    """Compile a UFL form."""
    return fem.form(form, jit_options=jit_options())


def assemble_matrix(form: Any) -> Any:
    """Assemble a bilinear form into a PETSc matrix."""
    matrix = fem_petsc.assemble_matrix(form)
    matrix.assemble()
    return matrix


def without_zeros(matrix: Any) -> Any:
    """Return the matrix without entries that are zero to rounding; the given one is destroyed.

    Parameters
    ----------
    matrix : PETSc.Mat
        Square, distributed by rows.
    """
    from petsc4py import PETSc

    pointers, columns, values = matrix.getValuesCSR()
    row = np.repeat(np.arange(len(pointers) - 1), np.diff(pointers))
    largest = np.maximum.reduceat(np.abs(values), pointers[:-1]) if len(values) else values
    first = matrix.getOwnershipRange()[0]
    keep = (np.abs(values) > 1e-14 * largest[row]) | (columns == row + first)
    if keep.all():
        return matrix
    pointers = np.concatenate([[0], np.cumsum(np.bincount(row[keep], minlength=len(pointers) - 1))])
    csr = (pointers.astype(PETSc.IntType), columns[keep], values[keep])
    smaller = PETSc.Mat().createAIJ(matrix.getSizes(), csr=csr, comm=matrix.comm)
    matrix.destroy()
    return smaller


def assemble_owned(form: Any) -> NDArray[np.float64]:
    """Assemble a linear form; return the owned entries, with the parts of other processes added."""
    from dolfinx.la import InsertMode

    vector = fem.assemble_vector(form)
    vector.scatter_reverse(InsertMode.add)
    space = form.function_spaces[0]
    return vector.array[: space.dofmap.index_map.size_local].copy()


def facet_tags(mesh: Any, facets: NDArray[np.int64], values: NDArray[np.int32]) -> Any:
    """Tag facets given by the original numbers of their nodes.

    Parameters
    ----------
    mesh : dolfinx.mesh.Mesh
    facets : (f, v) array
        Node numbers as given to ``create_mesh``; read on every process, duplicates are harmless.
    values : (f,) array
        Tags.

    Returns
    -------
    dolfinx.mesh.MeshTags
    """
    dimension = mesh.topology.dim - 1
    mesh.topology.create_connectivity(dimension, mesh.topology.dim)
    mesh.topology.create_connectivity(dimension, 0)
    distribute = (
        getattr(dolfinx.io, "distribute_entity_data", None) or dolfinx.io.utils.distribute_entity_data
    )
    entities, local_values = distribute(mesh, dimension, facets, values)
    adjacency = dolfinx.graph.adjacencylist(entities)
    tags = local_values.astype(np.int32)
    try:
        return dolfinx.mesh.meshtags_from_entities(mesh, dimension, adjacency, tags)
    except TypeError:  # 0.9 wants the C++ object
        return dolfinx.mesh.meshtags_from_entities(mesh, dimension, adjacency._cpp_object, tags)


def assemble_into(matrix: Any, form: Any) -> None:
    """Assemble a bilinear form into a matrix that exists."""
    fem_petsc.assemble_matrix(matrix, form)
    matrix.assemble()
