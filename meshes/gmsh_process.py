"""Mesh a CAD file with gmsh; run as a program so that gmsh never shares a process with the solver."""

from __future__ import annotations

import sys


def main(source: str, target: str, size: str) -> None:
    """Mesh all surfaces, or volumes where there are any; entities with labels become physical groups.

    Parameters
    ----------
    source, target : str
        CAD file to read and ``.msh`` file to write.
    size : str
        Largest cell [m].
    """
    import gmsh  # type: ignore[import-not-found]

    gmsh.initialize(["gmsh", "-v", "1"], interruptible=False)
    try:
        gmsh.option.setString("Geometry.OCCTargetUnit", "M")
        gmsh.model.occ.importShapes(source)
        gmsh.model.occ.synchronize()
        top = 3 if gmsh.model.getEntities(3) else 2
        for dimension in range(top, 0, -1):
            for _, tag in gmsh.model.getEntities(dimension):
                label = gmsh.model.getEntityName(dimension, tag).rsplit("/", 1)[-1]
                if label or dimension == top:
                    gmsh.model.addPhysicalGroup(dimension, [tag], name=label or f"part-{tag}")
        gmsh.option.setNumber("Mesh.MeshSizeMax", float(size))
        gmsh.model.mesh.generate(top)
        gmsh.write(target)
    finally:
        gmsh.finalize()


if __name__ == "__main__":
    main(*sys.argv[1:])
