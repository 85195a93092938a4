"""Distribution over ranks keeps the numbering of nodes, cells and regions."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

dolfinx = pytest.importorskip("dolfinx")

SCRIPT = textwrap.dedent(
    """
    import numpy as np, ufl
    from dolfinx import fem
    from mpi4py import MPI
    from meshes import radiator_panel
    from meshes.dolfinx_mesh import to_dolfinx

    comm = MPI.COMM_WORLD
    mesh = radiator_panel(2.0, 1.0, 0.1, tubes=3)
    half = mesh.points[mesh.cells][:, :, 0].mean(axis=1) < 1.0
    object.__setattr__(mesh, "regions", {"low": np.flatnonzero(half), "high": np.flatnonzero(~half)})
    placed = to_dolfinx(mesh if comm.rank == 0 else None, comm, "shared_facet")
    space = fem.functionspace(placed.mesh, ("Lagrange", 1))
    original = placed.original_node_of_dof(space)
    np.testing.assert_allclose(space.tabulate_dof_coordinates(), mesh.points[original], atol=1e-14)
    dx = ufl.Measure("dx", domain=placed.mesh, subdomain_data=placed.cell_meshtags())
    one = fem.Constant(placed.mesh, 1.0)
    areas = [comm.allreduce(fem.assemble_scalar(fem.form(one * dx(tag)))) for tag in (1, 2)]
    np.testing.assert_allclose(areas, [1.0, 1.0], rtol=1e-12)
    dofs = placed.local_dofs(space, mesh.line("tube-1"))
    owned = (dofs >= 0) & (dofs < space.dofmap.index_map.size_local)
    assert (comm.allreduce(owned.astype(int)) == 1).all()
    """
)


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_numbering_survives_distribution(ranks):
    """Coordinates, region areas and tube nodes are those of the plain mesh; each tube node has one owner."""
    command = ["mpirun", "--oversubscribe", "-n", str(ranks), sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_missing_mesh_and_unknown_ghost_mode():
    """Rank 0 must have the mesh, and the ghost mode must be known."""
    from mpi4py import MPI

    from meshes import radiator_panel
    from meshes.dolfinx_mesh import to_dolfinx

    with pytest.raises(ValueError, match="rank 0 must pass the mesh"):
        to_dolfinx(None, MPI.COMM_SELF)
    with pytest.raises(ValueError, match="ghost_mode must be"):
        to_dolfinx(radiator_panel(1.0, 1.0, 0.5), MPI.COMM_SELF, "all")


@pytest.mark.parametrize("cell_type", ["quadrilateral", "hexahedron"])
def test_tensor_cells(cell_type):
    """Quadrilaterals and hexahedra keep their measure: the vertex order is translated."""
    import ufl
    from dolfinx import fem
    from mpi4py import MPI

    from meshes import Mesh
    from meshes.dolfinx_mesh import to_dolfinx

    square = np.array([[0, 0, 0], [2, 0, 0], [2, 1, 0], [0, 1, 0]], dtype=float)
    points = square if cell_type == "quadrilateral" else np.vstack([square, square + np.array([0, 0, 1.0])])
    placed = to_dolfinx(Mesh(points, np.arange(len(points))[None], cell_type, {"all": [0]}), MPI.COMM_SELF)
    space = fem.functionspace(placed.mesh, ("Lagrange", 1))
    np.testing.assert_allclose(
        space.tabulate_dof_coordinates(), points[placed.original_node_of_dof(space)], atol=1e-14
    )
    assert fem.assemble_scalar(fem.form(fem.Constant(placed.mesh, 1.0) * ufl.dx)) == pytest.approx(2.0)
