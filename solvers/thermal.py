"""Finite-element heat conduction with radiation, in shells and solids, steady and transient.

    C dT/dt = ∇·(k ∇T) + absorbed − ε σ T⁴ + exchange with coolant and neighbours

after discretisation with linear elements and vertex quadrature (`solvers.discretization`). A problem is a
few nouns: a mesh with a property per region, radiation, fluxes, convection and fixed temperatures on named
surfaces, joints between node pairs, and networks coupled at nodes.

Examples
--------
A plate that radiates from one face and takes 500 W/m² on the other::

    model = ThermalModel(radiator_panel(1.0, 1.0, 0.05), {"panel": Section.of(aluminium, 2e-3)})
    model.radiate(model.front(), emissivity=0.9)
    model.absorb(model.back(), 500.0)
    temperature = model.solve_steady(300.0)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray
from scipy import sparse

from meshes.mesh import Mesh
from solvers.boundary_conditions import (
    Convection,
    FixedTemperature,
    Flux,
    Radiation,
    Surface,
    Thermostat,
    Value,
)
from solvers.conduction import Conduction
from solvers.constants import SPACE_TEMPERATURE, STEFAN_BOLTZMANN
from solvers.coupling import FarPower, MeshCoupling, NetworkCoupling, RadiationCoupling
from solvers.discretization import Discretization
from solvers.errors import ModelError, nearest
from solvers.heat_balance import Balance, step_balance
from solvers.integrator import Step, integrate
from solvers.kernels import largest
from solvers.linear import Preconditioner, global_sums
from solvers.loads import NodeLoads
from solvers.materials import Material, Section
from solvers.network import Network
from solvers.radiation import SurfaceExchange
from solvers.stage import StageSystem
from solvers.steady import solve_nonlinear
from solvers.ways_out import check_ways_out

Array = NDArray[np.float64]


class ThermalModel:
    """Conduction and radiation on a mesh.

    Parameters
    ----------
    mesh : Mesh or None
        Read on rank 0; other ranks may pass None.
    properties : mapping of region to Section (shells) or Material (solids)
    comm : MPI.Comm
    stefan_boltzmann : float
        [W/m²K⁴]; for cases that state their own.
    preconditioner : {"auto", "jacobi", "lu", "multigrid", "boomeramg"}
    tolerance : float
        Norm of the unbalanced heat relative to the norm of the heat that flows.

    Notes
    -----
    The state is one vector: the owned nodes, then all nodes of each coupled network (on every process).
    """

    def __init__(
        self,
        mesh: Mesh | None,
        properties: Mapping[str, Section | Material],
        comm: MPI.Comm = MPI.COMM_WORLD,
        *,
        stefan_boltzmann: float = STEFAN_BOLTZMANN,
        preconditioner: Preconditioner = "auto",
        tolerance: float = 1e-9,
    ):
        self.comm = comm
        self.mesh = mesh
        self.discretization = Discretization(mesh, properties, comm)
        self.owned = self.discretization.owned
        self.sigma = stefan_boltzmann
        self.tolerance = tolerance
        self.storage = self.discretization.storage
        self.loads = NodeLoads(self.owned, stefan_boltzmann)
        self.conduction = Conduction(self.discretization, preconditioner)
        self.couplings: list[MeshCoupling] = []
        self.thermostats: list[Thermostat] = []
        self.system = StageSystem(self.storage, self.loads, self.conduction, self.couplings, tolerance)
        self._surfaces: dict[tuple[str, str | None], Array] = {}

    @property
    def capacity(self) -> Array:
        """Heat capacity of each owned node [J/K], without parts that depend on temperature."""
        return self.storage.constant

    # -- surfaces ---------------------------------------------------------------------------------

    def _surface(self, name: str, node_area: Array) -> Surface:
        area = float(global_sums(self.comm, node_area.sum())[0])
        if area <= 0.0:
            raise ModelError(f"surface {name!r} has no area")
        return Surface(name, node_area, area)

    def front(self, region: str | None = None) -> Surface:
        """Return the front face of a shell region (of the whole shell when none is named)."""
        return self._face("front", region)

    def back(self, region: str | None = None) -> Surface:
        """Return the back face of a shell region (of the whole shell when none is named)."""
        return self._face("back", region)

    def _face(self, side: str, region: str | None) -> Surface:
        if not self.discretization.is_shell:
            raise ModelError("a solid has boundaries, not faces; use boundary(name)")
        name = f"{side} of {region}" if region else side
        # Both faces share one array, so that what acts on them is summed before any loop over nodes.
        key = ("face", region)
        if key not in self._surfaces:
            self._surfaces[key] = self.discretization.region_area(region)
        return self._surface(name, self._surfaces[key])

    def boundary(self, name: str) -> Surface:
        """Return a named boundary: an edge of a shell (times its thickness) or a face of a solid."""
        return self._surface(name, self.discretization.boundary_area(name))

    def volume(self, region: str | None = None) -> Surface:
        """Return a region of a solid, for heat sources in W/m³."""
        if self.discretization.is_shell:
            raise ModelError("a shell has faces, not a volume; use front() or back()")
        return self._surface(region or "volume", self.discretization.region_area(region))

    # -- what acts --------------------------------------------------------------------------------

    def radiate(
        self, surface: Surface, emissivity: float | Array, sink_temperature: Value = SPACE_TEMPERATURE
    ) -> Radiation:
        """Let a surface radiate to a black sink; return the condition, whose values may change between steps."""
        self.loads.radiation.append(Radiation(surface, emissivity, sink_temperature))
        return self.loads.radiation[-1]

    def absorb(self, surface: Surface, value: Value = 0.0) -> Flux:
        """Let a surface absorb a heat flux [W/m²]; return the condition, whose value may change between steps."""
        self.loads.fluxes.append(Flux(surface, value))
        return self.loads.fluxes[-1]

    def convect(self, surface: Surface, coefficient: float | Array, fluid_temperature: Value) -> Convection:
        """Let a surface exchange heat with a fluid [W/m²K, K]."""
        self.loads.convection.append(Convection(surface, coefficient, fluid_temperature))
        return self.loads.convection[-1]

    def fix(self, boundary: str, temperature: Value) -> FixedTemperature:
        """Prescribe the temperature of a named boundary [K]."""
        known = self.discretization.facet_names
        if boundary not in known:
            raise ModelError(f"no boundary {boundary!r} in the mesh; {nearest(boundary, known)}")
        nodes = self.comm.bcast(
            np.unique(self.mesh.facet(boundary)) if self.mesh is not None else None, root=0
        )
        return self.fix_nodes(boundary, nodes, temperature)

    def fix_nodes(self, name: str, nodes: NDArray[np.int64], temperature: Value) -> FixedTemperature:
        """Prescribe the temperature of mesh nodes [K]."""
        _, dofs = self.discretization.owned_dofs(np.asarray(nodes))
        condition = FixedTemperature(name, dofs, temperature)
        self.conduction.fix(condition)
        return condition

    def heat(
        self, surface: Surface, power: float, sensor: Surface | int, on_below: float, off_above: float
    ) -> Thermostat:
        """Heat a surface by a heater with a thermostat, which :meth:`integrate` switches on time.

        Parameters
        ----------
        surface : Surface
            Where the heater sits; its power is spread evenly.
        power : float
            While it is on [W].
        sensor : Surface or int
            Whose mean temperature, or the mesh node whose temperature, is compared.
        on_below, off_above : float
            Thresholds of the hysteresis [K].
        """
        weights = np.zeros(self.owned)
        if isinstance(sensor, Surface):
            weights += sensor.node_area / sensor.area
        else:
            weights[self.discretization.owned_dofs(np.array([sensor]))[1]] = 1.0
        flux = self.absorb(surface, 0.0)
        self.thermostats.append(Thermostat(flux, power, weights, on_below, off_above, self.comm))
        return self.thermostats[-1]

    def connect(self, pairs: str | NDArray[np.int64], conductance: float | Array) -> None:
        """Join node pairs by conductances: a hinge, a bolted joint, a contact.

        Parameters
        ----------
        pairs : str or (p, 2) array
            A named hinge of the mesh, or node numbers.
        conductance : float or (p,) array
            Of the whole joint, shared equally, or of each pair [W/K].
        """
        if isinstance(pairs, str):
            named = self.mesh.hinges if self.mesh is not None else {}
            if self.comm.rank == 0 and pairs not in named:
                self.comm.bcast(None, root=0)
                raise ModelError(f"no hinge {pairs!r} in the mesh; {nearest(pairs, named)}")
            nodes = self.comm.bcast(named.get(pairs), root=0)
            if nodes is None:
                raise ModelError(f"no hinge {pairs!r} in the mesh")
        else:
            nodes = np.asarray(pairs)
        each = np.asarray(conductance, dtype=float)
        if not np.all(each >= 0.0):
            raise ModelError(f"joint conductance {conductance} W/K; expected 0 or more")
        each = np.full(len(nodes), float(each) / len(nodes)) if each.ndim == 0 else each
        self.conduction.join(nodes, each)

    def couple(self, network: Network, nodes: Mapping[str, int]) -> NetworkCoupling:
        """Couple the ports of a network to mesh nodes.

        Parameters
        ----------
        network : Network
        nodes : mapping of port name to mesh node
        """
        coupling = NetworkCoupling(network, nodes, self.discretization)
        self.couplings.append(coupling)
        self.conduction.forget_solvers()
        return coupling

    def enclose(
        self,
        exchange: SurfaceExchange,
        surfaces: Sequence[Surface] | sparse.csr_array,
        far_emissive_power: Mapping[str, FarPower] | None = None,
    ) -> RadiationCoupling:
        """Let surfaces radiate to each other and to far surfaces, instead of :meth:`radiate`.

        Parameters
        ----------
        exchange : SurfaceExchange
            One face per surface.
        surfaces : sequence of Surface, or (face, node) sparse array
            The faces of the exchange in order; for many of them the share of each mesh node in the area of each face
            (`solvers.surfaces.face_node_shares`).
        far_emissive_power : mapping of name to W/m² or a function of time, optional
            σT⁴ of space (0 unless given), Earth and other far surfaces.
        """
        d = self.discretization
        if isinstance(surfaces, sparse.sparray):
            shares = sparse.csr_array(surfaces)[:, d.node_of_dof[: d.owned]]
        else:
            shares = sparse.csr_array(np.stack([s.node_area / s.area for s in surfaces]))
            for number, surface in enumerate(surfaces):
                if abs(exchange.areas[number] - surface.area) > 1e-6 * surface.area:
                    raise ModelError(
                        f"face {number} of the exchange has {exchange.areas[number]:g} m², surface "
                        f"{surface.name!r} has {surface.area:g} m²"
                    )
        coupling = RadiationCoupling(exchange, shares, far_emissive_power or {}, d)
        self.couplings.append(coupling)
        self.conduction.forget_solvers()
        return coupling

    # -- state ------------------------------------------------------------------------------------

    def state(self, temperature: Array | float, networks: Sequence[Array] = ()) -> Array:
        """Return the state vector of a temperature field (in mesh numbering) and network temperatures [K]."""
        parts = [self.discretization.scatter(temperature)]
        parts += [np.asarray(values, dtype=float) for values in networks]
        if len(parts) != 1 + len(self.couplings):
            mean = float(np.mean(parts[0])) if parts[0].size else 300.0
            parts = [parts[0], *(c.initial_state(mean) for c in self.couplings)]
        return np.concatenate(parts)

    def split(self, state: Array) -> tuple[Array, list[Array]]:
        """Return (owned nodes, network temperatures) as views of a state."""
        sizes = np.cumsum([self.owned, *(c.state_size for c in self.couplings)])
        first, *rest = np.split(state, sizes[:-1])
        return first, rest

    def field(self, state: Array) -> Array | None:
        """Return the temperature in mesh numbering on rank 0, None elsewhere [K]."""
        return self.discretization.gather(self.split(state)[0])

    def from_field(self, field: Array | None) -> Array:
        """Return the owned nodes of a field in mesh numbering that rank 0 holds (inverse of :meth:`field`)."""
        return self.discretization.scatter(self.comm.bcast(field, root=0))

    def extremes(self, state: Array) -> tuple[float, float]:
        """Return the lowest and highest temperature of the mesh [K]."""
        nodes = self.split(state)[0]
        low = self.comm.allreduce(float(nodes.min(initial=np.inf)), op=MPI.MIN)
        return low, self.comm.allreduce(float(nodes.max(initial=-np.inf)), op=MPI.MAX)

    def area_mean(self, surface: Surface, state: Array) -> float:
        """Return the mean temperature of a surface [K]."""
        return (
            float(global_sums(self.comm, float(surface.node_area @ self.split(state)[0]))[0]) / surface.area
        )

    def max_norm(self, values: Array) -> float:
        """Return the largest absolute change of any node that is not prescribed, networks included; collective."""
        nodes, networks = self.split(values)
        if self.conduction.fixed:
            nodes = np.delete(nodes, self.conduction.fixed_dofs)
        own = largest(nodes)
        own = max([own, *(c.max_norm(v) for c, v in zip(self.couplings, networks))])
        return float(self.comm.allreduce(own, op=MPI.MAX))

    # -- solving ----------------------------------------------------------------------------------

    def forget_history(self) -> None:
        """Drop what solvers learnt from earlier steps: the next step follows from the state alone, to the last bit."""
        self.conduction.forget_solvers()
        self.system.forget_history()

    def solve_stage(self, start: Array, step: float, time: float, guess: Array) -> Array:
        """Solve ``(H(T) − H(start))/step = Q(time, T)`` (see `solvers.integrator.StageProblem`).

        Newton's method with a diagonal that changes and linear solves only as exact as the next step needs.

        Raises
        ------
        ConvergenceError
            With the time and the node that is farthest from balance.
        """
        nodes, networks = self.split(guess)
        begin, network_start = self.split(start)
        for coupling, first, initial in zip(self.couplings, network_start, networks):
            coupling.begin(first, step, initial, time)
        temperature = self.system.solve(begin, step, time, nodes)
        if not self.couplings:
            return temperature
        return np.concatenate([temperature, *(c.temperature for c in self.couplings)])

    def extrapolate(self, first: Array, second: Array, factor: float) -> Array:
        """Return H⁻¹(H(first) + factor·(H(second) − H(first))) (see `solvers.integrator.StageProblem`)."""
        state = first + factor * (second - first)
        if self.storage.curves:
            n = self.owned
            state[:n] = self.storage.extrapolate(first[:n], second[:n], factor)
        return state

    def solve_steady(self, guess: Array | float = 300.0, time: float = 0.0) -> Array:
        """Return the steady state, from a temperature field, a number or a state [K].

        Raises
        ------
        ModelError
            If heat has no way out.
        ConvergenceError
            If Newton's method with line search and pseudo-transient continuation both fail.
        """
        check_ways_out(self)
        state = self.state(guess) if np.ndim(guess) == 0 else np.asarray(guess, dtype=float).copy()
        if state.size == self.discretization.distributed.node_count and state.size != self._state_size():
            state = self.state(state)
        return solve_nonlinear(self, state, time)

    def _state_size(self) -> int:
        return self.owned + sum(c.state_size for c in self.couplings)

    def integrate(
        self, state: Array, start: float, stop: float, *, tolerance: float = 0.01, **options: object
    ) -> Iterator[Step]:
        """Yield the accepted steps of a transient, thermostats included (see `solvers.integrator.integrate`)."""
        switches = [*self.thermostats, *options.pop("switches", ())]  # type: ignore[misc]
        return integrate(self, state, start, stop, tolerance=tolerance, switches=switches, **options)  # type: ignore[arg-type]

    def balance(self, taken: Step, start: Array) -> Balance:
        """Return where the heat of a step went.

        Parameters
        ----------
        taken : Step
        start : state at the start of the step [K]
        """
        return step_balance(self, taken, start)
