"""From snapshots of a full panel model to a reduced one: modes, operators over flow and temperature, samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from solvers.errors import ModelError
from solvers.hyper_reduction import sample_radiation
from solvers.network_kernels import stream_exchange
from solvers.reduced import Box, ReducedPanel, Regime

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FullPanel:
    """A panel with its tubes in full: what a reduced model is made from.

    Vectors over "all" nodes hold the n nodes of the panel, in mesh numbering, and then the f fluid nodes.

    Attributes
    ----------
    conduction : (n, n) sparse array
        Heat that leaves the nodes by conduction per kelvin [W/K].
    ends : (e, 2) int array
        Fluid nodes (among all) that each stream leaves and enters.
    walls : (w, 2) int array
        Stream and wall node (of the panel) of every contact.
    wall_weight : (w,) array
        Share of a stream's conductance at each contact; those of a stream sum to 1.
    share : (e,) array
        Part of the panel's flow in each stream.
    film : callable
        ``film(mass_flow, temperature)``: conductance between coolant and wall of each stream [W/K], for a flow through
        the panel [kg/s] and an inlet temperature [K].
    viscosity : callable
        Dynamic viscosity of the coolant at a temperature; films change their law at a Reynolds number.
    capacity : (all,) array
        [J/K].
    area : (n,) array
        Of one face [m²].
    faces : int
    inlet, outlet : int
        Fluid nodes (among all) where the coolant enters and leaves.
    specific_heat, coolant_density : float
        [J/kgK, kg/m³].
    liquid_range : (float, float)
        Freezing and boiling temperature of the coolant [K].
    """

    conduction: sparse.csr_array
    ends: Integers
    walls: Integers
    wall_weight: Array
    share: Array
    film: Callable[[float, float], Array]
    viscosity: Callable[[float], float]
    capacity: Array
    area: Array
    faces: int
    inlet: int
    outlet: int
    specific_heat: float
    coolant_density: float
    liquid_range: tuple[float, float]

    @property
    def nodes(self) -> int:
        """Nodes of the panel."""
        return len(self.area)

    @property
    def weights(self) -> Array:
        """Weights of the mean square in which modes are best: panel by area, coolant by node."""
        fluid = len(self.capacity) - self.nodes
        return np.concatenate([self.area / self.area.sum(), np.full(fluid, 1.0 / fluid)])

    def exchange(self, mass_flow: float, temperature: float, vectors: Array) -> Array:
        """Return the heat that leaves all nodes through the coolant, the inlet supplied at 0 K; (all, k) → (all, k)."""
        up, down = self.ends.T
        rate, entering, standing = self.coefficients(mass_flow, temperature)
        stream, wall = self.walls.T
        a, b = ((self.wall_weight * v[stream])[:, None] for v in (entering, standing))
        given = a * (vectors[up[stream]] - vectors[wall]) + b * (vectors[down[stream]] - vectors[wall])
        out = np.zeros_like(vectors)
        np.add.at(out, down, rate[:, None] * (vectors[down] - vectors[up]))
        np.add.at(out, down[stream], given)
        np.add.at(out, wall, -given)
        out[self.inlet] += mass_flow * self.specific_heat * vectors[self.inlet]
        return out

    def coefficients(self, mass_flow: float, temperature: float) -> tuple[Array, Array, Array]:
        """Return what each stream carries, and exchanges by its entering and by its standing fluid [W/K]."""
        rate = mass_flow * self.specific_heat * self.share
        film = self.film(mass_flow, temperature)
        pairs = np.array([stream_exchange(r, c) for r, c in zip(rate, film)])
        return rate, pairs[:, 0], pairs[:, 1]


class PanelOperators:
    """Exchange between wall and coolant projected on modes, quick to evaluate at any flow and temperature.

    Parameters
    ----------
    full : FullPanel
    basis : (all, r) array

    Attributes
    ----------
    carried : (r, r) array
        What the coolant carries, per unit of capacity rate; its columns sum to what leaves at the outlet.
    """

    def __init__(self, full: FullPanel, basis: Array):
        self.full, self.modes = full, basis.shape[1]
        up, down = (basis[end] for end in full.ends.T)
        stream, node = full.walls.T
        wall = basis[node]
        by_stream = sparse.csr_array((np.ones(len(stream)), (stream, np.arange(len(stream)))))
        tests = full.wall_weight[:, None] * (down[stream] - wall)

        def block(right: Array) -> Array:
            each = np.einsum("ei,ej->eij", tests, right).reshape(len(tests), -1)
            return np.asarray(by_stream @ each)

        self._blocks = np.concatenate([block(up[stream] - wall), block(down[stream] - wall)])
        entering = np.outer(basis[full.inlet], basis[full.inlet])
        self.carried = entering + (full.share[:, None] * down).T @ (down - up)

    def __call__(self, mass_flow: float, temperature: float) -> Array:
        """Return the projected exchange, shape (r, r)."""
        _, entering, standing = self.full.coefficients(mass_flow, temperature)
        flat = np.concatenate([entering, standing]) @ self._blocks
        return flat.reshape(self.modes, self.modes)


@dataclass(frozen=True)
class ReductionSettings:
    """How fine a reduced model is.

    Attributes
    ----------
    regimes : int
        Ranges of flow with modes of their own.
    overlap : float
        Ratio by which a range reaches beyond its ends.
    projection_tolerance : float
        Largest error of a training snapshot on the modes [K].
    most_modes : int
    sampling_tolerance : float
        Relative error of the training integrals of radiation.
    operator_tolerance : float
        Relative error of the exchange with the coolant between points of its table.
    most_flows : int
        Points of the table over flow.
    """

    regimes: int = 8
    overlap: float = 1.1
    projection_tolerance: float = 0.02
    most_modes: int = 40
    sampling_tolerance: float = 4e-4
    operator_tolerance: float = 1e-4
    most_flows: int = 200


def modes_of(snapshots: Array, full: FullPanel, settings: ReductionSettings) -> Array:
    """Return the modes, orthonormal in the heat capacity, the first of them constant; shape (all, r).

    Proper orthogonal decomposition (Sirovich, Q. Appl. Math. 45 (1987) 561) of what is not constant.

    Parameters
    ----------
    snapshots : (all, s) array
        [K].
    full : FullPanel
    settings : ReductionSettings
    """
    root = np.sqrt(full.weights)[:, None]
    one = root / np.linalg.norm(root)
    scaled = root * snapshots
    rest = scaled - one @ (one.T @ scaled)
    # The correlation over nodes is the smaller matrix, or that over snapshots; few modes are above its rounding.
    if rest.shape[0] <= rest.shape[1]:
        left = np.linalg.eigh(rest @ rest.T)[1][:, ::-1]
    else:
        right = np.linalg.eigh(rest.T @ rest)[1][:, ::-1][:, : settings.most_modes]
        left = np.linalg.qr(rest @ right)[0]
    most = min(settings.most_modes - 1, left.shape[1])
    amplitude = left[:, :most].T @ rest
    # The fewest modes that hold every node of every snapshot.
    error, count = rest / root, 0
    while count < most and np.abs(error).max() > settings.projection_tolerance:
        error -= (left[:, count] / root[:, 0])[:, None] * amplitude[count]
        count += 1
    modes = np.concatenate([one, left[:, :count]], axis=1) / root
    gram = modes.T @ (full.capacity[:, None] * modes)
    lower = np.linalg.cholesky(0.5 * (gram + gram.T))
    return np.linalg.solve(lower, modes.T).T


@dataclass(frozen=True, eq=False)
class Table:
    """Matrices over flow and temperature.

    The first coordinate is the flow divided by the relative viscosity, which is a Reynolds number: where films change
    their law lies on a line of the grid.

    Attributes
    ----------
    flow : (a,) array
        Flow over relative viscosity [kg/s].
    temperature : (b,) array
        [K].
    viscosity : (b,) array
        Relative.
    values : (a, b, r, r) array
    error : float
        Largest error seen between points, relative to the norm of a matrix.
    """

    flow: Array
    temperature: Array
    viscosity: Array
    values: Array
    error: float


def tabulate(
    operator: Callable[[float, float], Array],
    viscosity: Callable[[float], float],
    flows: tuple[float, float],
    temperatures: tuple[float, float],
    tolerance: float,
    most_flows: int,
) -> Table:
    """Tabulate a matrix so that bilinear interpolation is good to a tolerance.

    Parameters
    ----------
    operator : callable
        ``operator(flow, temperature)`` → (r, r).
    viscosity : callable
        At a temperature.
    flows, temperatures : (float, float)
    tolerance : float
        Error between points relative to the norm of the matrix.
    most_flows : int
    """
    kelvin = np.linspace(*temperatures, 17)
    reference = viscosity(float(kelvin[len(kelvin) // 2]))
    relative = np.array([viscosity(float(t)) / reference for t in kelvin])
    ends = (flows[0] / relative.max(), flows[1] / relative.min())

    def column(flow: float, at: Array) -> Array:
        thickness = np.interp(at, kelvin, relative)
        return np.stack([operator(float(flow * m), float(t)) for t, m in zip(at, thickness)])

    def off(a: Array, b: Array) -> float:
        return float((np.linalg.norm(a - b, axis=(-2, -1)) / np.linalg.norm(a, axis=(-2, -1))).max())

    start = np.geomspace(*ends, 17)
    start[0], start[-1] = ends
    known = {float(flow): column(float(flow), kelvin) for flow in start}
    error = 0.0
    middles = 0.5 * (kelvin[1:] + kelvin[:-1])
    for flow in start[::4]:
        exact, table = column(float(flow), middles), known[float(flow)]
        error = max(error, off(exact, 0.5 * (table[1:] + table[:-1])))
    todo = list(zip(start[:-1].tolist(), start[1:].tolist()))
    while todo:
        a, b = todo.pop(0)
        middle = 0.5 * (a + b)
        exact = column(middle, kelvin)
        size = off(exact, 0.5 * (known[a] + known[b]))
        if size <= tolerance or len(known) >= most_flows:
            error = max(error, size)
            continue
        known[middle] = exact
        todo += [(a, middle), (middle, b)]
    grid = np.array(sorted(known))
    return Table(grid, kelvin, relative, np.stack([known[float(flow)] for flow in grid]), error)


def separate(table: Array, tolerance: float) -> tuple[Array, Array]:
    """Return (coefficients (a, b, k), terms (k, r, r)) of a table of matrices, by its singular values.

    Rows and columns that sum to zero in every matrix of the table do so in every term.
    """
    a, b, r, _ = table.shape
    flat = table.reshape(a * b, r * r)
    # QR of the smaller side first: the tables are long and thin.
    if flat.shape[0] >= flat.shape[1]:
        _, size, right = np.linalg.svd(np.linalg.qr(flat, mode="r"))
    else:
        _, size, right = np.linalg.svd(flat, full_matrices=False)
    count = max(1, int(np.sum(size > tolerance * size[0])))
    terms = right[:count]
    return (flat @ terms.T).reshape(a, b, count), terms.reshape(count, r, r)


@dataclass(frozen=True, eq=False)
class Snapshots:
    """What a training set saw.

    Attributes
    ----------
    temperatures : (all, s) array
        Of panel and coolant [K].
    flow : (s,) array
        Through the panel at the time [kg/s].
    """

    temperatures: Array
    flow: Array


def regime_flows(low: float, high: float, count: int, overlap: float) -> list[tuple[float, float]]:
    """Return the ranges of flow of the regimes: equal ratios, each reaching into its neighbours."""
    edges = np.geomspace(low, high, count + 1)
    ends = [(float(a / overlap), float(b * overlap)) for a, b in pairwise(edges)]
    return [(max(a, low / 1.01), min(b, high * 1.01)) for a, b in ends]


def _regime(
    full: FullPanel, snapshots: Array, flows: tuple[float, float], box: Box, settings: ReductionSettings
) -> Regime:
    n = full.nodes
    basis = modes_of(snapshots, full, settings)
    panel = basis[:n]
    operators = PanelOperators(full, basis)
    table = tabulate(
        operators,
        full.viscosity,
        flows,
        box.inlet_temperature,
        settings.operator_tolerance,
        settings.most_flows,
    )
    coefficients, terms = separate(table.values, 0.1 * settings.operator_tolerance)
    # Conduction, and what the coolant carries, are exact terms of their own: heat is conserved to rounding.
    rate = full.specific_heat * np.multiply.outer(table.flow, table.viscosity)
    coefficients = np.concatenate([coefficients, rate[..., None], np.ones((*rate.shape, 1))], axis=2)
    conducted = panel.T @ (full.conduction @ panel)
    terms = np.concatenate([terms, operators.carried[None], conducted[None]])
    modes = basis.T @ (full.capacity[:, None] * snapshots)
    fields = panel @ modes[:, :: max(1, modes.shape[1] // 400)]
    samples = sample_radiation(panel, full.area, fields, settings.sampling_tolerance)
    extremes = np.unique(np.concatenate([snapshots[:n].argmin(axis=0), snapshots[:n].argmax(axis=0)]))
    return Regime(
        flows=np.array(flows),
        basis=np.ascontiguousarray(panel),
        fluid_basis=np.ascontiguousarray(basis[n:]),
        flow=table.flow,
        temperature=table.temperature,
        viscosity=table.viscosity,
        coefficients=coefficients,
        terms=terms,
        samples=samples.nodes,
        weights=samples.weights,
        extremes=extremes,
        inlet=full.inlet - n,
        outlet=full.outlet - n,
        errors=np.array([table.error, samples.error]),
    )


def reduce_panel(
    full: FullPanel, snapshots: Snapshots, box: Box, settings: ReductionSettings = ReductionSettings()
) -> ReducedPanel:
    """Build a reduced panel: modes, operators and samples for each regime of flow.

    Parameters
    ----------
    full : FullPanel
    snapshots : Snapshots
    box : Box
        Range that the snapshots cover; the operators are tabulated over it.
    settings : ReductionSettings

    Raises
    ------
    ModelError
        If snapshots and nodes do not match, or a regime has no snapshots.
    """
    if snapshots.temperatures.shape[0] != len(full.capacity):
        raise ModelError(
            f"snapshots of {snapshots.temperatures.shape[0]} nodes for a panel of {len(full.capacity)}"
        )
    regimes = []
    for flows in regime_flows(*box.mass_flow, settings.regimes, settings.overlap):
        chosen = (snapshots.flow >= flows[0] / settings.overlap) & (
            snapshots.flow <= flows[1] * settings.overlap
        )
        if chosen.sum() < 20:
            raise ModelError(
                f"reduced model: {chosen.sum()} snapshots at flows of {flows[0]:.4g} to {flows[1]:.4g} kg/s; "
                "more runs are needed"
            )
        regimes.append(_regime(full, snapshots.temperatures[:, chosen], flows, box, settings))
    return ReducedPanel(
        regimes=tuple(regimes),
        capacity=full.capacity[: full.nodes],
        fluid_capacity=full.capacity[full.nodes :],
        area=full.area,
        faces=full.faces,
        specific_heat=full.specific_heat,
        coolant_density=full.coolant_density,
        liquid_range=full.liquid_range,
        box=box,
    )
