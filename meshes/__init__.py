"""Geometry to meshes with named regions, boundaries, tube lines and hinges.

Plain numpy throughout; only `meshes.dolfinx_mesh` needs dolfinx and is imported where it is used.
"""

from meshes.body import body_box, cold_plate, tetrahedra
from meshes.checks import check
from meshes.files import read_mesh, write_vtu
from meshes.mesh import Mesh, MeshError, join
from meshes.module import ModuleGeometry, module_mesh
from meshes.panel import radiator_panel
from meshes.quality import MeshSummary, summarize
from meshes.wing import hinge_shares, radiator_wing, solar_wing

__all__ = [
    "Mesh",
    "MeshError",
    "MeshSummary",
    "ModuleGeometry",
    "body_box",
    "check",
    "cold_plate",
    "hinge_shares",
    "join",
    "module_mesh",
    "radiator_panel",
    "radiator_wing",
    "read_mesh",
    "solar_wing",
    "summarize",
    "tetrahedra",
    "write_vtu",
]
