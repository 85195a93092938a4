"""CAD through gmsh, where the optional extra `cad` is installed."""

import subprocess
import sys

import numpy as np
import pytest

from meshes import check, read_mesh
from meshes.mesh import cell_measures

WRITE_BOX = """
import sys, gmsh
gmsh.initialize(interruptible=False)
gmsh.option.setNumber("General.Terminal", 0)
gmsh.model.occ.addBox(0, 0, 0, 200, 100, 20)  # STEP files are in millimetres
gmsh.model.occ.synchronize()
gmsh.write(sys.argv[1])
"""


def test_step_file(tmp_path):
    """A box of 200 x 100 x 20 mm from a STEP file: tetrahedra of its volume in metres, sound by every check."""
    pytest.importorskip("gmsh", reason="the optional extra 'cad' (gmsh) is not installed")
    file = tmp_path / "box.step"
    subprocess.run([sys.executable, "-c", WRITE_BOX, str(file)], check=True, capture_output=True)
    mesh = check(read_mesh(file, 0.02))
    assert mesh.cell_type == "tetrahedron"
    assert float(cell_measures(mesh).sum()) == pytest.approx(0.2 * 0.1 * 0.02, rel=1e-9)
    np.testing.assert_allclose(np.ptp(mesh.points, axis=0), [0.2, 0.1, 0.02], rtol=1e-9)
