"""What exchanges heat with the nodes of a finite-element mesh: networks and radiation, on any number of processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import SuperLU

from solvers.discretization import Discretization
from solvers.errors import ModelError
from solvers.network import Network
from solvers.radiation import SurfaceExchange

Array = NDArray[np.float64]
FarPower = float | Callable[[float], float]


class MeshCoupling(Protocol):
    """Heat that something else exchanges with the nodes, solved in the same implicit stage.

    Attributes
    ----------
    state_size : int
        Unknowns of its own, which ride at the end of the state vector on every process.
    temperature : (state_size,) array
        Their values after the last :meth:`heat` [K].
    diagonal : (owned,) array
        The part of −slope that stands in the diagonal of the mesh operator [W/K].
    """

    state_size: int
    temperature: Array
    diagonal: Array

    def begin(self, start: Array, step: float, guess: Array, time: float) -> None:
        """Set the stage that is about to be solved: start of its own state, length and end [s], first guess [K]."""
        ...

    def heat(self, owned: Array) -> Array:
        """Return the heat into the owned nodes at their temperatures [W], and remember the slope there."""
        ...

    def slope(self, change: Array) -> Array:
        """Return the change of the heat into the owned nodes for a change of their temperature [W]."""
        ...

    def total_heat(self, owned: Array, state: Array, time: float) -> float:
        """Return this process's part of the heat into the whole mesh at given temperatures [W]."""
        ...

    def initial_state(self, temperature: float) -> Array:
        """Return its own state at a uniform temperature [K]."""
        ...

    def max_norm(self, state: Array) -> float:
        """Return the largest absolute value of what evolves in its own state."""
        ...


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
        self.state_size = len(network.names)
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

    def begin(self, start: Array, step: float, guess: Array, time: float) -> None:
        """Set the stage that is about to be solved (see `MeshCoupling`)."""
        del time
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

    def total_heat(self, owned: Array, state: Array, time: float) -> float:
        """Return this process's share of the heat into the ports [W]."""
        del owned, time
        return -float(self.network.heat_out(state)[self.network.ports].sum()) / self.comm.size

    def initial_state(self, temperature: float) -> Array:
        """Return all nodes at one temperature [K]."""
        return np.full(self.state_size, temperature)

    def max_norm(self, state: Array) -> float:
        """Return the largest absolute value among the free nodes."""
        return self.network.max_norm(state)


class RadiationCoupling:
    """Radiation among the surfaces of a mesh, and with far surfaces.

    Each node emits by its own temperature, each face receives by the mean σT⁴ of the others and hands it to its
    nodes by their share of its area: energy is conserved to rounding whatever the mesh.

    Parameters
    ----------
    exchange : SurfaceExchange
    shares : (face, owned) sparse array
        Share of each owned node in the area of each face; rows sum to one over all processes.
    far_emissive_power : mapping of far surface to W/m² or a function of time
    discretization : Discretization
    """

    state_size = 0

    def __init__(
        self,
        exchange: SurfaceExchange,
        shares: sparse.csr_array,
        far_emissive_power: Mapping[str, FarPower],
        discretization: Discretization,
    ):
        self.exchange = exchange
        self.comm = discretization.comm
        self.far_emissive_power = dict(far_emissive_power)
        self._shares = sparse.csr_array(shares)
        self._spread = sparse.csr_array(shares.T)
        total = self._sum(np.asarray(self._shares.sum(axis=1)).ravel())
        off = np.flatnonzero(np.abs(total - 1.0) > 1e-9)
        if off.size:
            raise ModelError(f"the nodes' shares of face {off[0]} sum to {total[off[0]]:.6g}, not to 1")
        exchange.far_powers(dict.fromkeys(self.far_emissive_power, 0.0))
        self._emission = np.asarray(self._spread @ exchange.total_exchange)
        self._far = np.zeros(len(exchange.far_names))
        self.temperature: Array = np.zeros(0)
        self.diagonal: Array = np.zeros(discretization.owned)

    def _sum(self, values: Array) -> Array:
        return values if self.comm.size == 1 else np.asarray(self.comm.allreduce(values, op=MPI.SUM))

    def _powers(self, time: float) -> Array:
        values = {n: float(p(time)) if callable(p) else float(p) for n, p in self.far_emissive_power.items()}
        return self.exchange.far_powers(values)

    def begin(self, start: Array, step: float, guess: Array, time: float) -> None:
        """Take the far surfaces at the end of the stage (see `MeshCoupling`)."""
        del start, step, guess
        self._far = self._powers(time)

    def _into_nodes(self, power: Array, far: Array) -> Array:
        absorbed = self.exchange.absorbed(self._sum(self._shares @ power), far)
        return np.asarray(self._spread @ absorbed - self._emission * power)

    def heat(self, owned: Array) -> Array:
        """Return the net heat into the owned nodes [W]."""
        sigma = self.exchange.stefan_boltzmann
        self._slope = 4.0 * sigma * np.abs(owned) ** 3
        self.diagonal = self._emission * self._slope
        return self._into_nodes(sigma * np.abs(owned) ** 3 * owned, self._far)

    def slope(self, change: Array) -> Array:
        """Return the change of the heat into the owned nodes [W]."""
        return self._into_nodes(self._slope * change, np.zeros_like(self._far))

    def total_heat(self, owned: Array, state: Array, time: float) -> float:
        """Return this process's part of the heat into the mesh [W]."""
        del state
        power = self.exchange.stefan_boltzmann * np.abs(owned) ** 3 * owned
        return float(self._into_nodes(power, self._powers(time)).sum())

    def initial_state(self, temperature: float) -> Array:
        """Return nothing: radiation has no state of its own."""
        del temperature
        return np.zeros(0)

    def max_norm(self, state: Array) -> float:
        """Return 0."""
        del state
        return 0.0
