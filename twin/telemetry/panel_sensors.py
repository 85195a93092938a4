"""The thermometers on a radiator: where they sit on the mesh, and what they are exposed to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from meshes.mesh import Mesh
    from twin.module_group import ModuleGroup

__all__ = ["HEIGHTS", "PanelSensors", "sensor_nodes"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HEIGHTS = (0.1, 0.5, 0.9)
"""Of the sensors on the first panel, over its height, from the inlet manifold on."""


def sensor_nodes(mesh: Mesh, width: float, height: float, tubes: int) -> Ints:
    """Return the mesh nodes nearest to the sensors: half way between the two tubes in the middle of the first panel.

    Parameters
    ----------
    mesh : Mesh
        Of the panels, see `twin.module_thermal.panel_mesh`; the first one begins at the origin.
    width, height : float
        Of a panel [m].
    tubes : int
        Of a panel, evenly spaced.

    Returns
    -------
    (3,) int array
    """
    spacing = width / max(tubes, 1)
    between = spacing * (tubes // 2) if tubes > 1 else 0.25 * width
    places = np.array([[between, share * height] for share in HEIGHTS])
    distance = np.linalg.norm(mesh.points[None, :, :2] - places[:, None, :], axis=2)
    return np.argmin(distance, axis=1).astype(np.int64)


class PanelSensors:
    """Temperatures at the sensors of all modules of a group.

    Parameters
    ----------
    group : ModuleGroup
    """

    def __init__(self, group: ModuleGroup):
        radiator = group.design.radiator
        mesh = group.thermal.panel_mesh()
        self.group = group
        self.nodes = sensor_nodes(mesh, radiator.width, radiator.height, radiator.tubes.count)

    def temperatures(self) -> Floats:
        """Return the temperatures now, shape (module, 3) [K]."""
        from twin.reduced_thermal import ReducedThermal

        thermal = self.group.thermal
        if not isinstance(thermal, ReducedThermal):
            fields = [thermal.panel_field(i) for i in range(self.group.count)]
            return np.array([field[self.nodes] for field in fields if field is not None])
        loops, out = thermal.loops, np.empty((self.group.count, len(HEIGHTS)))
        for number, regime in enumerate(thermal.panel.regimes):
            at = np.flatnonzero(loops.regime == number)
            out[at] = loops.modes[at, : regime.modes] @ regime.basis[self.nodes].T
        return out
