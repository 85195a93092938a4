"""Finite-element matrices of conduction and the lumped areas of faces and boundaries.

Linear elements; capacity and surface terms by vertex quadrature, so that they are diagonal: the
discrete maximum principle holds on non-obtuse meshes and a Newton step changes only a diagonal
(Thomée, Galerkin Finite Element Methods for Parabolic Problems, ch. 15).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import ufl
from dolfinx import default_scalar_type, fem
from mpi4py import MPI
from numpy.typing import NDArray
from petsc4py import PETSc
from scipy import sparse

from meshes.dolfinx_mesh import DistributedMesh, to_dolfinx
from meshes.mesh import Mesh
from solvers import compat
from solvers.errors import ModelError, nearest
from solvers.materials import Material, Section, Tabulated
from solvers.storage import Storage

Array = NDArray[np.float64]
_VERTEX = {"quadrature_rule": "vertex", "quadrature_degree": 1}


class Discretization:
    """The discrete operators of a mesh with a property per region.

    Parameters
    ----------
    mesh : Mesh
        Shell or solid; read on rank 0.
    properties : mapping of region name to Section (shells) or Material (solids)
    comm : MPI.Comm
    """

    def __init__(self, mesh: Mesh | None, properties: Mapping[str, Section | Material], comm: MPI.Comm):
        self.comm = comm
        self.distributed: DistributedMesh = to_dolfinx(mesh, comm)
        self.mesh = self.distributed.mesh
        self.space = fem.functionspace(self.mesh, ("Lagrange", 1))
        index_map = self.space.dofmap.index_map
        self.owned: int = index_map.size_local
        self.size: int = index_map.size_global
        self.node_of_dof = self.distributed.original_node_of_dof(self.space)
        self.properties = self._check(properties)
        names = comm.bcast(
            (list(mesh.facets), list(mesh.lines), list(mesh.hinges)) if mesh is not None else None, root=0
        )
        self.facet_names: list[str] = names[0]
        self._dg0 = fem.functionspace(self.mesh, ("DG", 0))
        self._dx = ufl.Measure("dx", domain=self.mesh)
        self._dx_vertex = ufl.Measure("dx", domain=self.mesh, metadata=_VERTEX)
        self._tag_facets(mesh)
        self._conduction_forms()

    @property
    def is_shell(self) -> bool:
        """Whether the mesh is a surface."""
        return bool(self.mesh.topology.dim == 2)

    def _check(self, properties: Mapping[str, Section | Material]) -> dict[str, Section | Material]:
        regions = self.distributed.region_names
        for name, prop in properties.items():
            if name not in regions:
                raise ModelError(f"no region {name!r} in the mesh; {nearest(name, regions)}")
            wanted = Section if self.is_shell else Material
            if not isinstance(prop, wanted):
                raise ModelError(f"region {name!r} needs a {wanted.__name__}, not {type(prop).__name__}")
        missing = [name for name in regions if name not in properties]
        if missing:
            raise ModelError(f"region {missing[0]!r} has no {'section' if self.is_shell else 'material'}")
        untagged = self.comm.allreduce(int(np.any(self.distributed.cell_tags == 0)), op=MPI.MAX)
        if untagged:
            raise ModelError("some cells belong to no named region")
        return dict(properties)

    def _tag_facets(self, mesh: Mesh | None) -> None:
        width = (
            2 if self.is_shell else {"tetrahedron": 3, "hexahedron": 4}.get(self.mesh.topology.cell_name(), 3)
        )
        self._facet_tags: list[Any] = []
        for name in self.facet_names:
            # A facet may carry several names, so each name has tags of its own.
            if self.comm.rank == 0 and mesh is not None:
                facets = mesh.facets[name]
            else:
                facets = np.empty((0, width), dtype=np.int64)
            self._facet_tags.append((facets, None))

    def facet_measure(self, name: str) -> Any:
        """Return the vertex-quadrature measure of a named boundary."""
        if name not in self.facet_names:
            raise ModelError(f"no boundary {name!r} in the mesh; {nearest(name, self.facet_names)}")
        number = self.facet_names.index(name)
        facets, tags = self._facet_tags[number]
        if tags is None:
            tags = compat.facet_tags(self.mesh, facets, np.ones(len(facets), dtype=np.int32))
            self._facet_tags[number] = (facets, tags)
        return ufl.Measure("ds", domain=self.mesh, subdomain_data=tags, subdomain_id=1, metadata=_VERTEX)

    def cell_function(self, values: Sequence[float]) -> fem.Function:
        """Return the piecewise constant function with one value per region."""
        function = fem.Function(self._dg0)
        table = np.concatenate([[0.0], np.asarray(values, dtype=float)])
        function.x.array[self._dg0.dofmap.list.ravel()] = table[self.distributed.cell_tags]
        return function

    def _conduction_forms(self) -> None:
        u, v = ufl.TrialFunction(self.space), ufl.TestFunction(self.space)
        props = [self.properties[name] for name in self.distributed.region_names]
        values = [
            p.conductance if isinstance(p, Section) else np.asarray(p.conductivity, float) for p in props
        ]
        if any(value.ndim for value in values):
            space = fem.functionspace(self.mesh, ("DG", 0, (3, 3)))
            conductance: Any = fem.Function(space)
            table = np.stack(
                [np.zeros((3, 3)), *(value if value.ndim else value * np.eye(3) for value in values)]
            )
            cells = space.dofmap.list.ravel()
            conductance.x.array.reshape(-1, 9)[cells] = table[self.distributed.cell_tags].reshape(-1, 9)
        else:
            conductance = self.cell_function([float(value) for value in values])
        self.temperature = fem.Function(self.space)
        factors = {p.conductivity_factor for p in props}
        if len(factors) > 1:
            raise ModelError("all regions must share one conductivity_factor (or have none)")
        self.factor = factors.pop()
        if self.factor is None:
            self._form = compat.compile_form(ufl.inner(conductance * ufl.grad(u), ufl.grad(v)) * self._dx)
            self._residual_form = None
        else:
            factor = self.factor.symbolic if isinstance(self.factor, Tabulated) else self.factor
            flow = ufl.inner(conductance * factor(self.temperature) * ufl.grad(self.temperature), ufl.grad(v))
            self._residual_form = compat.compile_form(flow * self._dx)
            self._form = compat.compile_form(ufl.derivative(flow * self._dx, self.temperature, u))

    def conduction_matrix(self) -> PETSc.Mat:
        """Assemble the conduction matrix (the Jacobian of conduction where k depends on T) [W/K].

        Entries that symmetry cancels, as on right triangles, are left out of a constant matrix.
        """
        matrix = compat.assemble_matrix(self._form)
        return matrix if self.factor is not None else compat.without_zeros(matrix)

    def update_conduction(self, matrix: PETSc.Mat, temperature: Array) -> Array:
        """Reassemble a temperature-dependent conduction Jacobian; return the heat conducted away per node [W]."""
        self.temperature.x.array[: self.owned] = temperature
        self.temperature.x.scatter_forward()
        matrix.zeroEntries()
        compat.assemble_into(matrix, self._form)
        return compat.assemble_owned(self._residual_form)

    @cached_property
    def storage(self) -> Storage:
        """Lumped heat capacity of the owned nodes."""
        props = [self.properties[name].heat_capacities for name in self.distributed.region_names]

        def lumped(curve: Tabulated | None) -> Array:
            return self.lumped([sum(value for factor, value in prop if factor == curve) for prop in props])

        curves = dict.fromkeys(factor for prop in props for factor, _ in prop if factor is not None)
        return Storage(lumped(None), tuple((lumped(curve), curve) for curve in curves))

    def lumped(self, per_region: Sequence[float]) -> Array:
        """Return ∫ w·φᵢ over the cells for a weight per region, shape (owned,)."""
        weight = self.cell_function(per_region)
        return compat.assemble_owned(
            compat.compile_form(weight * ufl.TestFunction(self.space) * self._dx_vertex)
        )

    def region_area(self, region: str | None) -> Array:
        """Return the area of a shell face (volume of a solid) that belongs to each owned node [m² or m³]."""
        names = self.distributed.region_names
        if region is not None and region not in names:
            raise ModelError(f"no region {region!r} in the mesh; {nearest(region, names)}")
        return self.lumped([1.0 if region in (None, name) else 0.0 for name in names])

    def boundary_area(self, name: str) -> Array:
        """Return the area of a boundary that belongs to each owned node [m²]; shells count their thickness."""
        thickness = 1.0
        if self.is_shell:
            props = [self.properties[n] for n in self.distributed.region_names]
            thickness = self.cell_function([p.thickness for p in props if isinstance(p, Section)])
        form = thickness * ufl.TestFunction(self.space) * self.facet_measure(name)
        return compat.assemble_owned(compat.compile_form(form))

    def owned_dofs(self, nodes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (positions in `nodes`, owned dofs) of the mesh nodes that this process owns."""
        local = self.distributed.local_dofs(self.space, nodes)
        mine = np.flatnonzero((local >= 0) & (local < self.owned))
        return mine, local[mine].astype(np.int64)

    def gather(self, values: Array) -> Array | None:
        """Return a nodal field in the numbering of the mesh on rank 0, None elsewhere."""
        parts = self.comm.gather((self.node_of_dof[: self.owned], values), root=0)
        if parts is None:
            return None
        field = np.empty(self.distributed.node_count, dtype=default_scalar_type)
        for nodes, part in parts:
            field[nodes] = part
        return field

    def scatter(self, field: Array | float) -> Array:
        """Return the owned entries of a nodal field in the numbering of the mesh (given on every process)."""
        array = np.asarray(field, dtype=float)
        if array.ndim == 0:
            return np.full(self.owned, float(array))
        if array.shape != (self.distributed.node_count,):
            raise ModelError(f"a nodal field has shape ({self.distributed.node_count},), not {array.shape}")
        return array[self.node_of_dof[: self.owned]]

    def pair_matrix(self, pairs: NDArray[np.int64], conductance: Array) -> PETSc.Mat:
        """Return the conductances between node pairs as a matrix in the layout of the conduction matrix.

        Parameters
        ----------
        pairs : (p, 2) array
            Node numbers of the mesh; given on every process.
        conductance : (p,) array
            [W/K].
        """
        offset = self.space.dofmap.index_map.local_range[0]
        ends = np.full((len(pairs), 2), -1, dtype=np.int64)
        for side in (0, 1):
            position, dofs = self.owned_dofs(pairs[:, side])
            ends[position, side] = dofs + offset
        self.comm.Allreduce(MPI.IN_PLACE, ends, op=MPI.MAX)
        rows, columns, values = [], [], []
        for one, other in ((0, 1), (1, 0)):
            mine = (ends[:, one] >= offset) & (ends[:, one] < offset + self.owned)
            row, g = ends[mine, one] - offset, conductance[mine]
            rows += [row, row]
            columns += [ends[mine, one], ends[mine, other]]
            values += [g, -g]
        entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        local = sparse.csr_array(sparse.coo_array(entries, shape=(self.owned, self.size)))
        csr = (local.indptr.astype(PETSc.IntType), local.indices.astype(PETSc.IntType), local.data)
        sizes = ((self.owned, self.size), (self.owned, self.size))
        return PETSc.Mat().createAIJ(sizes, csr=csr, comm=self.comm)
