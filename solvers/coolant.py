"""Coolant tubes on mesh edges and pumps: the fluid side of a radiator, as part of a nodal network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve

from meshes.mesh import Mesh
from solvers.errors import ModelError
from solvers.flow_balance import FlowBalance
from solvers.fluids import Fluid, friction_slope, pressure_drop, saturation_temperature, tube_film_coefficient
from solvers.network import Network, Stream

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TubeCircuit:
    """Tubes between one inlet and one outlet, edge by edge.

    Attributes
    ----------
    name : str
        Prefix of its fluid nodes.
    nodes : (n,) array
        Mesh nodes along the tubes; fluid node i runs beside mesh node ``nodes[i]``.
    edges : (e, 2) array
        Positions in `nodes` from upstream to downstream.
    length, diameter : (e,) arrays
        [m].
    share : (e,) array
        Part of the circuit's flow that passes each edge.
    inlet, outlet : int
        Positions in `nodes`.
    """

    name: str
    nodes: Integers
    edges: Integers
    length: Array
    diameter: Array
    share: Array
    inlet: int
    outlet: int

    @classmethod
    def on_lines(
        cls, mesh: Mesh, lines: Mapping[str, float], inlet: int, outlet: int, name: str = "tube"
    ) -> TubeCircuit:
        """Build the circuit of named tube lines.

        The flow splits as in laminar flow, resistance ∝ L/D⁴ (Hagen-Poiseuille); tubes of equal length
        between wide manifolds get equal shares.

        Parameters
        ----------
        mesh : Mesh
        lines : mapping of line name to inner diameter
            [m].
        inlet, outlet : int
            Mesh nodes where the coolant enters and leaves.
        name : str
            Prefix for the fluid nodes.

        Raises
        ------
        ModelError
            If a diameter is not positive, or the inlet or outlet lies on none of the lines, or they do not connect.
        """
        ends, lengths, diameters = [], [], []
        for line, diameter in lines.items():
            if not diameter > 0.0:
                raise ModelError(f"tube {line!r}: diameter {diameter} m; expected a positive number")
            path = mesh.line(line)
            ends.append(np.column_stack([path[:-1], path[1:]]))
            lengths.append(mesh.line_lengths(line))
            diameters.append(np.full(len(path) - 1, diameter))
        nodes, flat = np.unique(np.concatenate(ends), return_inverse=True)
        edges = flat.reshape(-1, 2)
        length, bore = np.concatenate(lengths), np.concatenate(diameters)
        place = {int(node): i for i, node in enumerate(nodes)}
        for what, node in (("inlet", inlet), ("outlet", outlet)):
            if node not in place:
                raise ModelError(
                    f"{what} node {node} of {name!r} lies on none of the lines {', '.join(lines)}"
                )
        share = _split(edges, bore**4 / length, place[inlet], place[outlet], len(nodes), name)
        backwards = share < 0.0
        edges[backwards] = edges[backwards][:, ::-1]
        flows = np.abs(share) > 1e-12
        return cls(
            name,
            nodes,
            edges[flows],
            length[flows],
            bore[flows],
            np.abs(share[flows]),
            place[inlet],
            place[outlet],
        )

    def fluid_node(self, position: int) -> str:
        """Name of a fluid node."""
        return f"{self.name}.fluid.{position}"

    def wall_node(self, position: int) -> str:
        """Name of the port of a wall node."""
        return f"{self.name}.wall.{position}"

    @property
    def inlet_name(self) -> str:
        """Fluid node at the inlet."""
        return self.fluid_node(self.inlet)

    @property
    def outlet_name(self) -> str:
        """Fluid node at the outlet."""
        return self.fluid_node(self.outlet)

    @property
    def ports(self) -> dict[str, int]:
        """Port names and their mesh nodes."""
        return {self.wall_node(i): int(node) for i, node in enumerate(self.nodes)}

    @property
    def streams(self) -> list[Stream]:
        """One stream per edge, exchanging with the mean of its two wall nodes."""
        return [
            Stream(
                self.fluid_node(int(a)),
                self.fluid_node(int(b)),
                {self.wall_node(int(a)): 0.5, self.wall_node(int(b)): 0.5},
            )
            for a, b in self.edges
        ]

    def volume(self) -> Array:
        """Fluid volume that belongs to each node [m³]: what is in the edge upstream of it."""
        content = np.pi / 4.0 * self.diameter**2 * self.length
        volume = np.zeros(len(self.nodes))
        np.add.at(volume, self.edges[:, 1], content)
        return volume

    def balanced(self, liquid: Fluid, mass_flow: float, temperature: ArrayLike) -> TubeCircuit:
        """Return the circuit with the shares that friction gives, cold tubes getting less.

        Parameters
        ----------
        liquid : Fluid
        mass_flow : float
            Of the circuit [kg/s], above 0; the split of a flow that goes to 0 is the laminar one.
        temperature : float or (edge,) array
            Of the coolant in each edge [K].

        Returns
        -------
        TubeCircuit
            Its share is negative where the flow runs against the edge.
        """
        if not mass_flow > 0.0:
            raise ModelError(f"circuit {self.name!r}: flow {mass_flow} kg/s; expected a positive number")
        count = len(self.nodes)
        drawn = np.zeros(count)
        drawn[self.inlet], drawn[self.outlet] = -mass_flow, mass_flow
        density, _, viscosity, _ = liquid.at(np.broadcast_to(temperature, self.share.shape))
        area = np.pi * self.diameter**2 / 4.0
        resistance = viscosity * self.length / (2.0 * self.diameter**2 * density * area)

        def drops(flow: Array) -> tuple[Array, Array]:
            reynolds = np.abs(flow) * self.diameter / (area * viscosity)
            product, slope = friction_slope(reynolds)
            return resistance * product * flow, resistance * (product + reynolds * slope)

        live = np.zeros(count, dtype=bool)
        live[self.edges] = True
        every = np.ones(len(self.edges), dtype=bool)
        balance = FlowBalance(self.edges, every, live, drawn, self.outlet)
        flow, _, _ = balance.solve(drops, mass_flow * self.share)
        return replace(self, share=flow / mass_flow)

    def conductance(self, liquid: Fluid, mass_flow: ArrayLike, temperature: ArrayLike) -> Array:
        """Film conductance of each edge, h·π·D·L [W/K] for a circuit flow [kg/s] at fluid temperatures [K]."""
        film = tube_film_coefficient(liquid, np.asarray(mass_flow) * self.share, self.diameter, temperature)
        return film * np.pi * self.diameter * self.length


def _split(edges: Integers, conductance: Array, inlet: int, outlet: int, count: int, name: str) -> Array:
    """Share of a unit flow through every edge, positive along the edge (Kirchhoff with linear resistances)."""
    a, b = edges.T
    rows, cols = np.concatenate([a, b, a, b]), np.concatenate([a, b, b, a])
    values = np.concatenate([conductance, conductance, -conductance, -conductance])
    laplacian = sparse.csr_array((values, (rows, cols)), shape=(count, count))
    parts, label = sparse.csgraph.connected_components(laplacian, directed=False)
    if parts > 1 and label[inlet] != label[outlet]:
        raise ModelError(f"tubes of {name!r} do not connect their inlet with their outlet")
    keep = np.flatnonzero((label == label[inlet]) & (np.arange(count) != outlet))
    source = (keep == inlet).astype(float)
    pressure = np.zeros(count)
    pressure[keep] = spsolve(sparse.csc_matrix(laplacian[keep][:, keep]), source)
    return conductance * (pressure[a] - pressure[b])


def circuit_pressure_drop(
    circuit: TubeCircuit, liquid: Fluid, mass_flow: float, temperature: ArrayLike
) -> float:
    """Return the friction pressure drop between inlet and outlet [Pa].

    By Tellegen's theorem ``Σ share·Δp`` over the edges, exact for balanced shares (:meth:`TubeCircuit.balanced`).

    Parameters
    ----------
    circuit : TubeCircuit
    liquid : Fluid
    mass_flow : float
        Of the circuit [kg/s].
    temperature : float or (edge,) array
        [K].
    """
    flow = mass_flow * circuit.share
    return float(circuit.share @ pressure_drop(liquid, flow, circuit.diameter, circuit.length, temperature))


@dataclass(frozen=True)
class Pump:
    """A pump known at one operating point; the affinity laws hold elsewhere (Q ∝ n, Δp ∝ n², P ∝ n³).

    Attributes
    ----------
    mass_flow : float
        At the operating point [kg/s].
    pressure_rise : float
        [Pa].
    efficiency : float
        Hydraulic over electrical power.
    """

    mass_flow: float
    pressure_rise: float
    efficiency: float

    def power(self, speed: float, density: float) -> float:
        """Electrical power at a relative speed [W]; all of it ends as heat of the coolant in a closed loop."""
        return speed**3 * self.mass_flow / density * self.pressure_rise / self.efficiency


def bypass_share(
    supply_target: float, hot: float, cold: float, least: float = 0.0, most: float = 1.0
) -> float:
    """Return the share past the radiator that mixes hot and cold coolant to the target temperature.

    Parameters
    ----------
    supply_target, hot, cold : float
        Wanted mix, radiator inlet and radiator outlet temperature [K].
    least, most : float
        Limits of the valve.
    """
    if hot - cold <= 1e-9:
        return most if hot < supply_target else least
    return float(np.clip((supply_target - cold) / (hot - cold), least, most))


def flow_per_stream(circuits: Sequence[TubeCircuit], capacity_rate: float) -> list[Array]:
    """Return the capacity rate of every stream of parallel circuits that share a flow equally [W/K]."""
    return [capacity_rate / len(circuits) * circuit.share for circuit in circuits]


@dataclass(frozen=True)
class LiquidLimitEvent:
    """Coolant at or beyond the end of its liquid range.

    Attributes
    ----------
    node : str
    time : float
        [s].
    temperature : float
        Of the coolant there [K].
    limit : "freezing" or "boiling"
    limit_temperature : float
        Where the liquid ends at the pressure there [K].
    """

    node: str
    time: float
    temperature: float
    limit: Literal["freezing", "boiling"]
    limit_temperature: float

    def __str__(self) -> str:
        return (
            f"coolant {self.limit} at {self.node!r}, t = {self.time:g} s: {self.temperature:.2f} K, "
            f"limit {self.limit_temperature:.2f} K"
        )


def liquid_limits(
    network: Network,
    liquid: Fluid,
    temperature: Array,
    pressures: Mapping[str, float] | None = None,
    time: float = 0.0,
    margin: float = 0.0,
) -> list[LiquidLimitEvent]:
    """Return where the coolant of a network freezes or boils, farthest beyond its limit first.

    Parameters
    ----------
    network : Network
        All ends of its streams carry coolant.
    liquid : Fluid
    temperature : (node,) array
        Values of the nodes [K].
    pressures : mapping of node to Pa, optional
        Absolute, of nodes away from the pressure of `liquid`.
    time : float
        To be reported [s].
    margin : float
        Report this far ahead of a limit [K].
    """
    nodes = network.fluid_nodes
    kelvin = network.temperature(temperature)[nodes]
    boiling = np.full(len(nodes), liquid.boiling_temperature)
    if pressures:
        unknown = sorted(set(pressures) - {network.names[i] for i in nodes})
        if unknown:
            raise ModelError(f"no coolant at node {unknown[0]!r} of which a pressure is given")
        given = [
            (k, pressures[network.names[i]]) for k, i in enumerate(nodes) if network.names[i] in pressures
        ]
        places, pascal = (np.array(column) for column in zip(*given))
        boiling[places] = saturation_temperature(liquid.name, pascal)
    above = kelvin - boiling + margin
    below = liquid.freezing_temperature - kelvin + margin
    beyond = np.maximum(above, below)
    events = []
    for k in np.flatnonzero(beyond >= 0.0)[np.argsort(-beyond[beyond >= 0.0])]:
        limit: Literal["freezing", "boiling"] = "boiling" if above[k] >= below[k] else "freezing"
        end = float(boiling[k]) if limit == "boiling" else liquid.freezing_temperature
        events.append(LiquidLimitEvent(network.names[nodes[k]], time, float(kelvin[k]), limit, end))
    return events
