"""Flows and pressures in coolant circuits: tubes, valves and pumps between nodes.

Every branch obeys ``p_source − p_target = Δp(ṁ)``, every node ``Σ ṁ in = Σ ṁ out + drawn``
(:mod:`solvers.flow_balance`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from solvers.errors import ConvergenceError, ModelError
from solvers.flow_balance import FlowBalance, UnbalancedBranch
from solvers.fluids import Fluid, friction_slope

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

STANDARD_GRAVITY = 9.80665
"""Turns a head into a pressure, ρ·g·H; a convention of pump curves, valid in orbit as well [m/s²]."""

VALVE_SEAT = 1e-4
"""Opening below which a valve is shut [1]."""


class Component(Protocol):
    """Something that coolant flows through."""

    def drop(self, mass_flow: Array, density: Array, viscosity: Array) -> tuple[Array, Array]:
        """Return the pressure drop along the flow [Pa] and its derivative by the mass flow [Pa s/kg]."""
        ...


@dataclass(frozen=True)
class Tube:
    """A straight tube, or `parallel` equal ones.

    Attributes
    ----------
    length, diameter : float
        [m].
    roughness : float
        Sand roughness [m].
    parallel : int
        Number of tubes that share the flow.
    """

    length: float
    diameter: float
    roughness: float = 0.0
    parallel: int = 1

    def __post_init__(self) -> None:
        _positive(self, "length", "diameter", "parallel")

    def drop(self, mass_flow: Array, density: Array, viscosity: Array) -> tuple[Array, Array]:
        """Darcy-Weisbach with Churchill's friction factor."""
        each = mass_flow / self.parallel
        area = np.pi * self.diameter**2 / 4.0
        reynolds = np.abs(each) * self.diameter / (area * viscosity)
        product, slope = friction_slope(reynolds, self.roughness / self.diameter)
        resistance = viscosity * self.length / (2.0 * self.diameter**2 * density * area)
        return resistance * product * each, resistance * (product + reynolds * slope) / self.parallel


@dataclass(frozen=True)
class Loss:
    """A fitting, filter, bend or cold plate with a loss coefficient, Δp = K·ρv²/2.

    Attributes
    ----------
    coefficient : float
        K, 0 or more.
    diameter : float
        Of the section that v belongs to [m].
    """

    coefficient: float
    diameter: float

    def __post_init__(self) -> None:
        _positive(self, "diameter")
        if not 0.0 <= self.coefficient < np.inf:
            raise ModelError(f"loss coefficient {self.coefficient}; expected 0 or more")

    def drop(self, mass_flow: Array, density: Array, viscosity: Array) -> tuple[Array, Array]:
        """Quadratic loss."""
        del viscosity
        area = np.pi * self.diameter**2 / 4.0
        half = self.coefficient / (2.0 * density * area**2)
        return half * mass_flow * np.abs(mass_flow), 2.0 * half * np.abs(mass_flow)


@dataclass(frozen=True)
class Valve:
    """A control valve: K = K_open/opening² (linear characteristic); shut below `VALVE_SEAT`.

    Attributes
    ----------
    open_coefficient : float
        K of the open valve, above 0.
    diameter : float
        [m].
    opening : float
        0 to 1.
    """

    open_coefficient: float
    diameter: float
    opening: float = 1.0

    def __post_init__(self) -> None:
        _positive(self, "open_coefficient", "diameter")
        if not 0.0 <= self.opening <= 1.0:
            raise ModelError(f"valve opening {self.opening}; expected 0 to 1")

    def drop(self, mass_flow: Array, density: Array, viscosity: Array) -> tuple[Array, Array]:
        """Quadratic loss."""
        return Loss(self.open_coefficient / self.opening**2, self.diameter).drop(
            mass_flow, density, viscosity
        )


@dataclass(frozen=True)
class CheckValve:
    """Lets coolant pass from source to target; backwards it leaks.

    Attributes
    ----------
    forward_coefficient, backward_coefficient : float
        Loss coefficients; the second large.
    diameter : float
        [m].
    """

    forward_coefficient: float
    diameter: float
    backward_coefficient: float = 1e8

    def __post_init__(self) -> None:
        _positive(self, "forward_coefficient", "backward_coefficient", "diameter")

    def drop(self, mass_flow: Array, density: Array, viscosity: Array) -> tuple[Array, Array]:
        """Quadratic loss that depends on the direction."""
        forward = Loss(self.forward_coefficient, self.diameter).drop(mass_flow, density, viscosity)
        backward = Loss(self.backward_coefficient, self.diameter).drop(mass_flow, density, viscosity)
        onward = mass_flow >= 0.0
        return np.where(onward, forward[0], backward[0]), np.where(onward, forward[1], backward[1])


@dataclass(frozen=True)
class PumpCurve:
    """Head of a centrifugal pump over its volume flow, H = n²·H₀ − r·Q·|Q| at relative speed n.

    The affinity laws (Q ∝ n, H ∝ n², P ∝ n³) hold exactly for a parabola of this form (White, Fluid Mechanics, 11.3).
    A pump at rest is a quadratic resistance.

    Attributes
    ----------
    shutoff_head : float
        H₀, without flow at full speed [m].
    resistance : float
        r [s²/m⁵].
    efficiency : float
        Hydraulic over electrical power.
    speed : float
        n; 0 at rest.
    """

    shutoff_head: float
    resistance: float
    efficiency: float = 1.0
    speed: float = 1.0

    def __post_init__(self) -> None:
        _positive(self, "shutoff_head", "resistance", "efficiency")
        if not self.speed >= 0.0:
            raise ModelError(f"pump speed {self.speed}; expected 0 or more")

    @classmethod
    def through(
        cls, shutoff_head: float, volume_flow: float, head: float, efficiency: float = 1.0
    ) -> PumpCurve:
        """Return the curve through the shut-off head and one operating point [m, m³/s, m]."""
        if not 0.0 < head < shutoff_head or not volume_flow > 0.0:
            raise ModelError(
                f"pump: head {head} m at {volume_flow} m³/s; expected between 0 and {shutoff_head} m"
            )
        return cls(shutoff_head, (shutoff_head - head) / volume_flow**2, efficiency)

    def head(self, volume_flow: float) -> float:
        """Head at a volume flow [m³/s → m]."""
        return self.speed**2 * self.shutoff_head - self.resistance * volume_flow * abs(volume_flow)

    def drop(self, mass_flow: Array, density: Array, viscosity: Array) -> tuple[Array, Array]:
        """Negative pressure drop: the rise."""
        del viscosity
        volume = mass_flow / density
        weight = density * STANDARD_GRAVITY
        rise = weight * (self.speed**2 * self.shutoff_head - self.resistance * volume * np.abs(volume))
        return -rise, 2.0 * weight * self.resistance * np.abs(volume) / density

    def power(self, mass_flow: float, density: float) -> float:
        """Electrical power Δp·Q/η [W]; 0 where the pump does no work."""
        volume = mass_flow / density
        return max(density * STANDARD_GRAVITY * self.head(volume) * volume / self.efficiency, 0.0)


def _positive(component: object, *names: str) -> None:
    for name in names:
        value = getattr(component, name)
        if not 0.0 < value < np.inf:
            raise ModelError(
                f"{type(component).__name__.lower()}: {name} {value}; expected a positive number"
            )


@dataclass(frozen=True)
class Branch:
    """Components in series between two nodes.

    Attributes
    ----------
    name, source, target : str
        Flow is positive from source to target.
    components : sequence of Component
    """

    name: str
    source: str
    target: str
    components: Sequence[Component]

    @property
    def shut(self) -> bool:
        """Whether a shut valve keeps all flow out."""
        return any(isinstance(c, Valve) and c.opening < VALVE_SEAT for c in self.components)


@dataclass(frozen=True)
class FlowState:
    """Flows and pressures of a circuit.

    Attributes
    ----------
    mass_flow : mapping of branch to kg/s
    pressure : mapping of node to Pa
        Relative to the reference node.
    power : mapping of branch to W
        Electrical power of the pumps in it.
    iterations : int
        Newton steps taken.
    """

    mass_flow: dict[str, float]
    pressure: dict[str, float]
    power: dict[str, float] = field(default_factory=dict)
    iterations: int = 0


class HydraulicNetwork:
    """A circuit of branches.

    Parameters
    ----------
    branches : sequence of Branch
    reference : str
        Node whose pressure is the zero of all others, such as the accumulator.
    drawn : mapping of node to float
        Mass flow taken out at a node [kg/s], negative put in; the reference node supplies the rest.

    Raises
    ------
    ModelError
        For two branches of one name, an unknown node, or parts that do not connect with the reference.
    """

    def __init__(self, branches: Sequence[Branch], reference: str, drawn: Mapping[str, float] | None = None):
        self.branches = tuple(branches)
        names = [b.name for b in self.branches]
        if len(set(names)) != len(names):
            raise ModelError(f"branch {next(n for n in names if names.count(n) > 1)!r} is named twice")
        nodes = dict.fromkeys(n for b in self.branches for n in (b.source, b.target))
        drawn = dict(drawn or {})
        for name in (reference, *drawn):
            if name not in nodes:
                raise ModelError(
                    f"no branch ends at node {name!r}; the nodes are {', '.join([*nodes][:12])} ..."
                )
        self.reference = reference
        self.nodes = tuple(nodes)
        index = {name: i for i, name in enumerate(self.nodes)}
        self._ends = np.array([(index[b.source], index[b.target]) for b in self.branches], dtype=np.int64)
        self._drawn = np.array([drawn.get(name, 0.0) for name in self.nodes])
        self._reference = index[reference]
        self._open = np.array([not b.shut for b in self.branches])
        self._check_connected()

    def _check_connected(self) -> None:
        a, b = self._ends[self._open].T
        count = len(self.nodes)
        graph = sparse.coo_array((np.ones(len(a)), (a, b)), shape=(count, count))
        _, part = sparse.csgraph.connected_components(graph, directed=False)
        # A part behind shut valves has no pressure of its own and no flow.
        self._live = part == part[self._reference]
        stranded = np.flatnonzero(~self._live & (self._drawn != 0.0))
        if stranded.size:
            raise ModelError(f"flow is drawn at {self.nodes[stranded[0]]!r}, which nothing open connects")
        behind = ~self._live[self._ends[:, 0]] & self._open
        for i in np.flatnonzero(behind):
            if any(isinstance(c, PumpCurve) and c.speed > 0.0 for c in self.branches[i].components):
                raise ModelError(
                    f"the pump of {self.branches[i].name!r} has no open way to {self.reference!r}"
                )
        self._open &= ~behind

    def _drops(self, flow: Array, density: Array, viscosity: Array) -> tuple[Array, Array]:
        drop, slope = np.zeros(len(flow)), np.zeros(len(flow))
        for i in np.flatnonzero(self._open):
            for component in self.branches[i].components:
                more, steeper = component.drop(flow[i], density[i], viscosity[i])
                drop[i] += more
                slope[i] += steeper
        return drop, slope

    def solve(
        self,
        liquid: Fluid,
        temperature: float | Mapping[str, float],
        *,
        guess: FlowState | None = None,
        tolerance: float = 1e-10,
        iterations: int = 200,
    ) -> FlowState:
        """Return the flows and pressures.

        Parameters
        ----------
        liquid : Fluid
        temperature : float or mapping of branch to float
            Mean temperature of the coolant in each branch [K].
        guess : FlowState, optional
            Flows to start from, such as those a moment ago.
        tolerance : float
            Largest pressure residual relative to the largest pressure difference.
        iterations : int
            Newton steps allowed.

        Raises
        ------
        ConvergenceError
            Names the branch that is farthest from balance.
        """
        count = len(self.branches)
        if isinstance(temperature, Mapping):
            missing = [b.name for b in self.branches if b.name not in temperature]
            if missing:
                raise ModelError(f"no temperature for branch {missing[0]!r}")
            kelvin = np.array([float(temperature[b.name]) for b in self.branches])
        else:
            kelvin = np.full(count, float(temperature))
        density, _, viscosity, _ = liquid.at(kelvin)
        balance = FlowBalance(self._ends, self._open, self._live, self._drawn, self._reference)
        start = None if guess is None else np.array([guess.mass_flow.get(b.name, 0.0) for b in self.branches])

        def drops(flow: Array) -> tuple[Array, Array]:
            return self._drops(flow, density, viscosity)

        try:
            flow, pressure, taken = balance.solve(drops, start, tolerance, iterations)
        except UnbalancedBranch as error:
            name = self.branches[error.branch].name
            raise ConvergenceError(
                f"hydraulics: branch {name!r} keeps {error.off:.3g} Pa out of balance"
            ) from error
        return self._state(flow, pressure, density, taken)

    def _state(self, flow: Array, pressure: Array, density: Array, iterations: int) -> FlowState:
        power: dict[str, float] = {}
        for i, branch in enumerate(self.branches):
            pumps = [c for c in branch.components if isinstance(c, PumpCurve)]
            if pumps:
                power[branch.name] = sum(p.power(float(flow[i]), float(density[i])) for p in pumps)
        names = [b.name for b in self.branches]
        pressures = np.where(self._live, pressure, np.nan)
        return FlowState(
            dict(zip(names, flow.tolist())), dict(zip(self.nodes, pressures.tolist())), power, iterations
        )
