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
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray
from petsc4py import PETSc
from scipy import sparse

from meshes.mesh import Mesh
from solvers.boundary_conditions import Convection, FixedTemperature, Flux, Radiation, Surface, Value, evaluate
from solvers.constants import SPACE_TEMPERATURE, STEFAN_BOLTZMANN
from solvers.coupling import FarPower, MeshCoupling, NetworkCoupling, RadiationCoupling
from solvers.discretization import Discretization
from solvers.errors import ConvergenceError, ModelError
from solvers.integrator import STAGE_TIMES, STAGE_WEIGHTS, Step, integrate
from solvers.kernels import node_balance
from solvers.linear import LinearSolver, Preconditioner, global_sums
from solvers.materials import Material, Section
from solvers.network import Network
from solvers.radiation import SurfaceExchange
from solvers.steady import solve_nonlinear

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Balance:
    """Heat over a step, all processes together [J].

    ``absorbed + convected + fixed + coupled − emitted − stored = residual``
    """

    absorbed: float
    emitted: float
    convected: float
    fixed: float
    coupled: float
    stored: float

    @property
    def residual(self) -> float:
        """What the solver left unbalanced [J]."""
        return self.absorbed + self.convected + self.fixed + self.coupled - self.emitted - self.stored


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
    preconditioner : {"auto", "jacobi", "lu", "multigrid"}
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
        self.preconditioner: Preconditioner = preconditioner
        self.capacity = self.discretization.capacity
        self.radiation: list[Radiation] = []
        self.fluxes: list[Flux] = []
        self.convection: list[Convection] = []
        self.fixed: list[FixedTemperature] = []
        self.couplings: list[MeshCoupling] = []
        self._conduction = self.discretization.conduction_matrix()
        self._nonlinear = self.discretization.factor is not None
        self._solvers: dict[bool, LinearSolver] = {}
        self._work: dict[str, Array] = {}

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
        return self._surface(name, self.discretization.region_area(region))

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
        self.radiation.append(Radiation(surface, emissivity, sink_temperature))
        return self.radiation[-1]

    def absorb(self, surface: Surface, value: Value = 0.0) -> Flux:
        """Let a surface absorb a heat flux [W/m²]; return the condition, whose value may change between steps."""
        self.fluxes.append(Flux(surface, value))
        return self.fluxes[-1]

    def convect(self, surface: Surface, coefficient: float | Array, fluid_temperature: Value) -> Convection:
        """Let a surface exchange heat with a fluid [W/m²K, K]."""
        self.convection.append(Convection(surface, coefficient, fluid_temperature))
        return self.convection[-1]

    def fix(self, boundary: str, temperature: Value) -> FixedTemperature:
        """Prescribe the temperature of a named boundary [K]."""
        nodes = self.comm.bcast(np.unique(self.mesh.facet(boundary)) if self.mesh is not None else None, root=0)
        return self.fix_nodes(boundary, nodes, temperature)

    def fix_nodes(self, name: str, nodes: NDArray[np.int64], temperature: Value) -> FixedTemperature:
        """Prescribe the temperature of mesh nodes [K]."""
        _, dofs = self.discretization.owned_dofs(np.asarray(nodes))
        self.fixed.append(FixedTemperature(name, dofs, temperature))
        self._solvers.clear()
        return self.fixed[-1]

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
                raise ModelError(f"no hinge {pairs!r} in the mesh; it has {', '.join(named) or 'none'}")
            nodes = self.comm.bcast(named.get(pairs), root=0)
            if nodes is None:
                raise ModelError(f"no hinge {pairs!r} in the mesh")
        else:
            nodes = np.asarray(pairs)
        each = np.asarray(conductance, dtype=float)
        if not np.all(each >= 0.0):
            raise ModelError(f"joint conductance {conductance} W/K; expected 0 or more")
        each = np.full(len(nodes), float(each) / len(nodes)) if each.ndim == 0 else each
        joint = self.discretization.pair_matrix(nodes, each)
        self._conduction.axpy(1.0, joint, structure=PETSc.Mat.Structure.DIFFERENT_NONZERO_PATTERN)
        joint.destroy()
        if self._nonlinear:
            raise ModelError("joints with temperature-dependent conductivity are not served; use a mean conductivity")
        self._solvers.clear()

    def couple(self, network: Network, nodes: Mapping[str, int]) -> NetworkCoupling:
        """Couple the ports of a network to mesh nodes.

        Parameters
        ----------
        network : Network
        nodes : mapping of port name to mesh node
        """
        coupling = NetworkCoupling(network, nodes, self.discretization)
        self.couplings.append(coupling)
        self._solvers.clear()
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
        self._solvers.clear()
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
        return float(global_sums(self.comm, float(surface.node_area @ self.split(state)[0]))[0]) / surface.area

    def max_norm(self, values: Array) -> float:
        """Return the largest absolute change of any node on any process, of the networks' free nodes included."""
        nodes, networks = self.split(values)
        own = float(np.max(np.abs(nodes), initial=0.0))
        own = max([own, *(c.max_norm(v) for c, v in zip(self.couplings, networks))])
        return float(self.comm.allreduce(own, op=MPI.MAX))

    # -- loads ------------------------------------------------------------------------------------

    def _gather_loads(self, time: float) -> tuple[Array, Array, Array]:
        """Return σ·Σε·A, Σh·A and the heat put in, per owned node."""
        work = self._work
        if not work:
            for name in ("radiating", "film", "load", "residual", "diagonal", "storage", "zero"):
                work[name] = np.zeros(self.owned)
            work["conducted"] = np.zeros(self.owned)
        radiating, film, load = work["radiating"], work["film"], work["load"]
        radiating[:] = film[:] = load[:] = 0.0
        for r in self.radiation:
            radiating += (self.sigma * np.asarray(r.emissivity)) * r.surface.node_area
            sink = np.asarray(evaluate(r.sink_temperature, time))
            if np.any(sink != 0.0):
                load += (self.sigma * np.asarray(r.emissivity) * sink**4) * r.surface.node_area
        for flux in self.fluxes:
            load += np.asarray(evaluate(flux.value, time)) * flux.surface.node_area
        for c in self.convection:
            film += np.asarray(c.coefficient) * c.surface.node_area
            load += (np.asarray(c.coefficient) * np.asarray(evaluate(c.fluid_temperature, time))) * c.surface.node_area
        return radiating, film, load

    def _impose(self, temperature: Array, time: float) -> None:
        for condition in self.fixed:
            temperature[condition.dofs] = evaluate(condition.value, time)

    def _fixed_dofs(self) -> NDArray[np.int64]:
        return np.unique(np.concatenate([c.dofs for c in self.fixed])) if self.fixed else np.empty(0, dtype=np.int64)

    def _solver(self, steady: bool) -> LinearSolver:
        if steady not in self._solvers:
            matrix = self._conduction.duplicate(copy=True)
            offset = matrix.getOwnershipRange()[0]
            matrix.zeroRowsColumns((self._fixed_dofs() + offset).astype(PETSc.IntType), diag=1.0)
            self._solvers[steady] = LinearSolver(matrix, list(self.couplings), self.preconditioner, steady)
            matrix.destroy()
        return self._solvers[steady]

    def _conducted(self, temperature: Array) -> Array:
        if self._nonlinear:
            return self.discretization.update_conduction(self._conduction, temperature)
        vec = self._solver_vectors()
        vec[0].array[:] = temperature
        self._conduction.mult(vec[0], vec[1])
        return np.asarray(vec[1].array)

    def _solver_vectors(self) -> tuple[PETSc.Vec, PETSc.Vec]:
        if not hasattr(self, "_vectors"):
            self._vectors = (self._conduction.createVecRight(), self._conduction.createVecLeft())
        return self._vectors

    def balance_nodes(
        self, temperature: Array, start: Array, storage: Array, loads: tuple[Array, Array, Array]
    ) -> tuple[Array, Array, float, float]:
        """Return (heat missing per node, diagonal slope, norm of the missing, norm of what flows) [W, W/K].

        The networks must have been given the step (`NetworkCoupling.begin`).
        """
        radiating, film, load = loads
        conducted = self._conducted(temperature)
        residual, diagonal = self._work["residual"], self._work["diagonal"]
        sums = node_balance(
            temperature, start, storage, radiating, film, load, conducted, residual, diagonal
        )
        missing, *flows = sums
        for coupling in self.couplings:
            heat = coupling.heat(temperature)
            residual += heat
            diagonal += coupling.diagonal
            flows.append(float(heat @ heat))
        fixed = self._fixed_dofs()
        if fixed.size:
            flows.append(float(conducted @ conducted))
            residual[fixed] = 0.0
            diagonal[fixed] = 0.0
        if fixed.size or self.couplings:
            missing = float(residual @ residual)
        missing, *flows = global_sums(self.comm, missing, *flows)
        return residual, diagonal, float(np.sqrt(missing)), float(np.sqrt(np.sum(flows)))

    # -- solving ----------------------------------------------------------------------------------

    def solve_stage(self, start: Array, step: float, time: float, guess: Array) -> Array:
        """Solve ``C (T − start)/step = Q(time, T)`` (see `solvers.integrator.StageProblem`).

        Newton's method with a diagonal that changes and linear solves only as exact as the next step needs.

        Raises
        ------
        ConvergenceError
            With the time and the node that is farthest from balance.
        """
        loads = self._gather_loads(time)
        nodes, networks = self.split(guess)
        begin, network_start = self.split(start)
        temperature = nodes.copy()
        self._impose(temperature, time)
        for coupling, first, initial in zip(self.couplings, network_start, networks):
            coupling.begin(first, step, initial, time)
        storage = self._work["storage"]
        np.divide(self.capacity, step, out=storage)
        solver = self._solver(steady=False)
        previous = np.inf
        for _ in range(30):
            residual, diagonal, missing, flow = self.balance_nodes(temperature, begin, storage, loads)
            target = self.tolerance * flow
            if missing <= target:
                return np.concatenate([temperature, *(c.temperature for c in self.couplings)])
            if not np.isfinite(missing) or missing > 1e3 * previous:
                break
            previous = missing
            if self._nonlinear:
                self._solvers.pop(False, None)
                solver = self._solver(steady=False)
            solver.set_diagonal(diagonal)
            temperature += solver.solve(residual, absolute=0.3 * target)
        raise ConvergenceError(self._where(time, missing, flow), time)

    def _where(self, time: float, missing: float, flow: float) -> str:
        residual = self._work["residual"]
        worst = int(np.argmax(np.abs(residual))) if residual.size else 0
        size = float(np.abs(residual[worst])) if residual.size else 0.0
        node = int(self.discretization.node_of_dof[worst]) if residual.size else -1
        _, rank = self.comm.allreduce((size, self.comm.rank), op=MPI.MAXLOC)
        node, size = self.comm.bcast((node, size), root=rank)
        moment = "steady solve" if np.isinf(time) or np.isnan(time) else f"step to t = {time:g} s"
        return (
            f"{moment}: heat balance stays {missing:.3g} W off against {flow:.3g} W that flow "
            f"(tolerance {self.tolerance:g}); the worst node is {node} with {size:.3g} W"
        )

    def solve_steady(self, guess: Array | float = 300.0, time: float = 0.0) -> Array:
        """Return the steady state, from a temperature field, a number or a state [K].

        Raises
        ------
        ModelError
            If heat has no way out.
        ConvergenceError
            If Newton's method with line search and pseudo-transient continuation both fail.
        """
        self._check_way_out()
        state = self.state(guess) if np.ndim(guess) == 0 else np.asarray(guess, dtype=float).copy()
        if state.size == self.discretization.distributed.node_count and state.size != self._state_size():
            state = self.state(state)
        return solve_nonlinear(self, state, time)

    def _state_size(self) -> int:
        return self.owned + sum(c.state_size for c in self.couplings)

    def _check_way_out(self) -> None:
        loads = self._gather_loads(0.0)
        ways = float(loads[0].sum() + loads[1].sum() + self._fixed_dofs().size)
        if global_sums(self.comm, ways)[0] <= 0.0 and not self.couplings:
            raise ModelError(
                "heat has no way out: every emissivity and film coefficient is zero and no temperature is fixed; "
                "add radiate(), convect(), fix() or couple()"
            )

    def integrate(
        self, state: Array, start: float, stop: float, *, tolerance: float = 0.01, **options: object
    ) -> Iterator[Step]:
        """Yield the accepted steps of a transient (see `solvers.integrator.integrate`)."""
        return integrate(self, state, start, stop, tolerance=tolerance, **options)  # type: ignore[arg-type]

    def balance(self, taken: Step, start: Array) -> Balance:
        """Return where the heat of a step went.

        Parameters
        ----------
        taken : Step
        start : state at the start of the step [K]
        """
        absorbed = emitted = convected = coupled = fixed = 0.0
        for stage, weight, fraction in zip(taken.stages, STAGE_WEIGHTS, STAGE_TIMES):
            time, span = taken.time + fraction * taken.dt, weight * taken.dt
            temperature, networks = self.split(stage)
            fourth = np.abs(temperature) ** 3 * temperature
            for r in self.radiation:
                sink = np.asarray(evaluate(r.sink_temperature, time))
                share = self.sigma * np.asarray(r.emissivity) * (fourth - sink**4)
                emitted += span * float(r.surface.node_area @ share)
            for flux in self.fluxes:
                value = np.broadcast_to(np.asarray(evaluate(flux.value, time)), (self.owned,))
                absorbed += span * float(flux.surface.node_area @ value)
            for c in self.convection:
                gap = np.asarray(evaluate(c.fluid_temperature, time)) - temperature
                convected += span * float(c.surface.node_area @ (np.asarray(c.coefficient) * gap))
            for coupling, values in zip(self.couplings, networks):
                coupled += span * coupling.total_heat(temperature, values, time)
        stored = float(self.capacity @ (self.split(taken.end)[0] - self.split(start)[0]))
        dofs = self._fixed_dofs()
        if dofs.size:
            fixed = self._fixed_heat(taken, dofs)
        sums = global_sums(self.comm, absorbed, emitted, convected, fixed, coupled, stored)
        return Balance(*(float(value) for value in sums))

    def _fixed_heat(self, taken: Step, dofs: NDArray[np.int64]) -> float:
        """Heat that the fixed nodes supply: what their own balance misses."""
        total = 0.0
        for stage, rate, weight, fraction in zip(taken.stages, taken.rates, STAGE_WEIGHTS, STAGE_TIMES):
            loads = self._gather_loads(taken.time + fraction * taken.dt)
            temperature = self.split(stage)[0]
            out = self._conducted(temperature) + loads[0] * np.abs(temperature) ** 3 * temperature
            out = out + loads[1] * temperature - loads[2] + self.capacity * self.split(rate)[0]
            total += weight * taken.dt * float(out[dofs].sum())
        return total
