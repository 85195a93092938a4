"""From plain meshes to dolfinx, on any number of ranks (dolfinx 0.9 to 0.11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import basix.ufl
import dolfinx
import numpy as np
from numpy.typing import NDArray

from meshes.mesh import CELL_VERTICES, Integers, Mesh

if TYPE_CHECKING:
    from mpi4py import MPI

# dolfinx numbers the vertices of quadrilaterals and hexahedra as a tensor product, VTK around the cell
_TENSOR_ORDER = {"quadrilateral": [0, 1, 3, 2], "hexahedron": [0, 1, 3, 2, 4, 5, 7, 6]}


@dataclass(frozen=True, eq=False)
class DistributedMesh:
    """A dolfinx mesh that remembers the numbering of the `Mesh` it came from.

    Attributes
    ----------
    mesh : dolfinx.mesh.Mesh
    original_node : (g,) int
        Node number in the plain mesh of every geometry node of this rank, ghosts included.
    original_cell : (c,) int
        Cell number in the plain mesh of every cell of this rank, ghosts included.
    cell_tags : (c,) int
        Region number of these cells (`Mesh.cell_tags`): 1 + position in ``region_names``, 0 for none.
    region_names : tuple of str
    node_count : int
        Nodes of the plain mesh (all ranks).
    """

    mesh: dolfinx.mesh.Mesh
    original_node: Integers
    original_cell: Integers
    cell_tags: NDArray[np.int32]
    region_names: tuple[str, ...]
    node_count: int

    def cell_meshtags(self) -> Any:
        """Region numbers as a dolfinx ``MeshTags`` over the cells of this rank."""
        cells = np.arange(len(self.cell_tags), dtype=np.int32)
        return dolfinx.mesh.meshtags(self.mesh, self.mesh.topology.dim, cells, self.cell_tags)

    def original_node_of_dof(self, space: Any) -> Integers:
        """Node number in the plain mesh of every local dof (owned first, then ghosts) of a P1/Q1 space.

        Parameters
        ----------
        space : dolfinx.fem.FunctionSpace
            Scalar, linear Lagrange, on ``mesh``.

        Returns
        -------
        (d,) int
        """
        index_map = space.dofmap.index_map
        found = np.full(index_map.size_local + index_map.num_ghosts, -1, dtype=np.int64)
        dofs = space.dofmap.list
        nodes = _geometry_dofmap(self.mesh)
        if dofs.shape != nodes.shape:
            raise ValueError(
                f"a linear Lagrange space is expected: {nodes.shape[1]} dofs per cell, not {dofs.shape[1]}"
            )
        found[dofs.ravel()] = self.original_node[nodes.ravel()]
        return found

    def local_dofs(self, space: Any, nodes: Integers) -> NDArray[np.int32]:
        """Local dof of each node of the plain mesh, -1 where this rank does not hold it.

        Parameters
        ----------
        space : dolfinx.fem.FunctionSpace
            Scalar, linear Lagrange, on ``mesh``.
        nodes : (k,) int
            Node numbers in the plain mesh (of a tube line, a hinge, …).

        Returns
        -------
        (k,) int
            Owned dofs come first (below ``index_map.size_local``), ghosts after.
        """
        lookup = np.full(self.node_count, -1, dtype=np.int32)
        original = self.original_node_of_dof(space)
        lookup[original] = np.arange(len(original), dtype=np.int32)
        return lookup[np.asarray(nodes, dtype=np.int64)]


def to_dolfinx(mesh: Mesh | None, comm: MPI.Comm, ghost_mode: str = "none") -> DistributedMesh:
    """Distribute a plain mesh as a dolfinx mesh. Collective.

    Parameters
    ----------
    mesh : Mesh or None
        Read on rank 0 only; the others may pass None.
    comm : mpi4py.MPI.Comm
    ghost_mode : {"none", "shared_facet"}
        ``shared_facet`` where integrals over interior facets are wanted.

    Returns
    -------
    DistributedMesh
        With coordinates in three dimensions, also for shells.

    Raises
    ------
    ValueError
        If rank 0 has no mesh, or the ghost mode is unknown.
    """
    if ghost_mode not in ("none", "shared_facet"):
        raise ValueError(f"ghost_mode must be 'none' or 'shared_facet', not {ghost_mode!r}")
    root = comm.rank == 0
    head = None
    if root and mesh is not None:
        head = (mesh.cell_type, tuple(mesh.regions), mesh.node_count, mesh.cell_tags)
    head = comm.bcast(head, root=0)
    if head is None:
        raise ValueError("rank 0 must pass the mesh to distribute, it passed None")
    cell_type, region_names, node_count, all_tags = head
    if root and mesh is not None:
        cells, points = mesh.cells[:, _TENSOR_ORDER.get(cell_type, slice(None))], mesh.points
    else:
        cells, points = np.empty((0, CELL_VERTICES[cell_type]), dtype=np.int64), np.empty((0, 3))
    element = basix.ufl.element("Lagrange", cell_type, 1, shape=(3,))
    distributed = dolfinx.mesh.create_mesh(
        comm=comm,
        cells=np.ascontiguousarray(cells),
        x=points,
        e=element,
        partitioner=_partitioner(ghost_mode),
    )
    original_cell = np.asarray(distributed.topology.original_cell_index, dtype=np.int64)
    return DistributedMesh(
        mesh=distributed,
        original_node=np.asarray(distributed.geometry.input_global_indices, dtype=np.int64),
        original_cell=original_cell,
        cell_tags=all_tags[original_cell],
        region_names=region_names,
        node_count=node_count,
    )


def _partitioner(ghost_mode: str) -> Any:
    if ghost_mode == "none":
        return None  # the default of create_mesh in every version
    mode = dolfinx.mesh.GhostMode.shared_facet
    try:
        return dolfinx.mesh.create_cell_partitioner(mode)
    except TypeError:  # newer versions also ask how many cells may share a facet
        return dolfinx.mesh.create_cell_partitioner(mode, 2)


def _geometry_dofmap(mesh: dolfinx.mesh.Mesh) -> NDArray[np.int32]:
    geometry: Any = mesh.geometry
    if hasattr(geometry, "dofmaps") and not callable(geometry.dofmaps):
        return np.asarray(geometry.dofmaps[0])
    return np.asarray(geometry.dofmap)
