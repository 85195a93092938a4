"""Geometry to meshes with named regions, boundaries, tube lines and hinges.

Plain numpy throughout; only `meshes.dolfinx_mesh` needs dolfinx and is imported where it is used.
"""

from meshes.mesh import Mesh, MeshError, join
from meshes.panel import radiator_panel

__all__ = ["Mesh", "MeshError", "join", "radiator_panel"]
