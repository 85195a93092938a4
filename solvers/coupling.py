"""A network whose ports are nodes of a finite-element mesh, on any number of processes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray
from scipy.sparse.linalg import SuperLU

from solvers.discretization import Discretization
from solvers.errors import ModelError
from solvers.network import Network

Array = NDArray[np.float64]


class NetworkCoupling:
    """Eliminates a network's own nodes for given mesh temperatures, so that a stage solves both at once.

    Every process solves the (small) network for itself; only the port temperatures are exchanged.

    Parameters
    ----------
    network : Network
    nodes : mapping of port name to mesh node
    discretization : Discretization

    Raises
    ------
    ModelError
        If ports and nodes do not match.
    """

    def __init__(self, network: Network, nodes: Mapping[str, int], discretization: Discretization):
        names = network.names[network.ports]
        if set(names) != set(nodes):
            odd = sorted(set(names) ^ set(nodes))
            raise ModelError(f"ports of the network and mesh nodes do not match: {', '.join(odd[:5])}")
        self.network = network
        self.comm = discretization.comm
        self.owned = discretization.owned
        mesh_nodes = np.array([nodes[name] for name in names], dtype=np.int64)
        self._position, self._dofs = discretization.owned_dofs(mesh_nodes)
        self._count = len(names)
        self._factor: SuperLU | None = None
        self.temperature: Array = np.zeros(len(network.names))
        self._start: Array = self.temperature
        self.diagonal: Array = np.zeros(self.owned)
        """What the network adds to the diagonal of the mesh operator with its own nodes held [W/K]."""
        self._step = np.inf

    def begin(self, start: Array, step: float, guess: Array) -> None:
        """Set the stage that is about to be solved: its start, length [s] and first guess [K]."""
        self._start, self._step, self.temperature = start, step, guess.copy()
        self.diagonal = self._to_nodes(self.network.port_conductance())

    def _to_ports(self, owned: Array) -> Array:
        values = np.zeros(self._count)
        values[self._position] = owned[self._dofs]
        return values if self.comm.size == 1 else np.asarray(self.comm.allreduce(values, op=MPI.SUM))

    def _to_nodes(self, ports: Array) -> Array:
        values = np.zeros(self.owned)
        np.add.at(values, self._dofs, ports[self._position])
        return values

    def heat(self, owned: Array) -> Array:
        """Solve the network for these mesh temperatures; return the heat into the owned nodes [W]."""
        self.temperature[self.network.ports] = self._to_ports(owned)
        self.temperature, self._factor = self.network.eliminate(self._start, self._step, self.temperature)
        return self._to_nodes(-self.network.heat_out(self.temperature)[self.network.ports])

    def slope(self, change: Array) -> Array:
        """Return the change of the heat into the owned nodes for a change of their temperature [W]."""
        return self._to_nodes(self.network.port_slope(self._factor, self._to_ports(change)))

    def port_heat(self, temperature: Array) -> float:
        """Return the heat that flows into all ports at these network temperatures [W]."""
        return -float(self.network.heat_out(temperature)[self.network.ports].sum())
