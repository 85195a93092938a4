"""Thermal models of the modules of a group: what goes in, what comes out, and what full and reduced ones share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from meshes.mesh import Mesh
    from solvers.coolant import LiquidLimitEvent

Array = NDArray[np.float64]

VALVE_TIME = 30.0
"""Time in which the bypass valve follows its set point [s]."""

HALF_RISE = 5.0
"""Half of the usual rise of the coolant from supply to return [K]."""

PLATE_CONTENT = 0.1
"""Share of the coolant outside the radiator that stands in the cold plates: what stores heat there when flow stops."""

VALVE_LIMIT = 0.95
"""Largest share past the radiator: some flow keeps the panels from freezing and the control alive."""

NODES = ("cold-plate", "body", "battery", "array-front", "array-back", "reservoir")
"""Lumped nodes that take heat."""

PLACES = (
    "panel_min", "panel_mean", "panel_max", "supply", "return", "radiator_outlet", "cold_plate", "body", "battery",
    "array", "array_back",
)  # fmt: skip
"""Places whose temperature a step reports."""


@dataclass(frozen=True)
class HeatLoads:
    """Heat put into modules over a step: one value, or one per module.

    Attributes
    ----------
    radiator_front, radiator_back : float or (module,) array
        Absorbed environmental flux [W/m²].
    nodes : mapping of node to W
        Heat into the nodes of `NODES` (the reservoir takes that of the pump).
    """

    radiator_front: Any
    radiator_back: Any
    nodes: Mapping[str, Any] = field(default_factory=dict)

    def module(self, i: int) -> HeatLoads:
        """Return the loads of one module."""
        nodes = {name: float(values[i]) for name, values in self.nodes.items()}
        return HeatLoads(float(self.radiator_front[i]), float(self.radiator_back[i]), nodes)


@dataclass(frozen=True)
class ThermalTick:
    """What the thermal state of modules did over a step: one value each, or one per module.

    Attributes
    ----------
    temperatures : mapping of place to K
        At the end of the step, places of `PLACES`.
    heat_rejected : float or (module,) array
        Net mean heat from the radiator panels to space: emission less absorbed environment [W].
    emitted : float or (module,) array
        Mean heat radiated by all surfaces less what the cosmic background gives [W].
    absorbed : float or (module,) array
        Mean environmental heat absorbed by the panels [W] (the rest comes in through the nodes).
    coolant_heat : float or (module,) array
        Mean heat that the coolant takes from the cold plates [W].
    stored : float or (module,) array
        Rise of the thermal energy of panels, nodes and coolant [J].
    bypass_fraction : float or (module,) array
        Share of the coolant past the radiator at the end.
    """

    temperatures: Mapping[str, Any]
    heat_rejected: Any
    emitted: Any
    absorbed: Any
    coolant_heat: Any
    stored: Any
    bypass_fraction: Any

    @classmethod
    def stacked(cls, ticks: Sequence[ThermalTick]) -> ThermalTick:
        """Put the ticks of several modules into one with arrays."""
        names = ("heat_rejected", "emitted", "absorbed", "coolant_heat", "stored", "bypass_fraction")
        return cls(
            {place: np.array([t.temperatures[place] for t in ticks]) for place in PLACES},
            *(np.array([getattr(t, name) for t in ticks]) for name in names),
        )


class GroupThermal(Protocol):
    """Thermal model of the N modules of a group: finite elements for each, or a reduced model for all at once."""

    @property
    def certificate(self) -> Mapping[str, Any] | None:
        """Errors against finite elements, None where those are solved themselves."""
        ...

    @property
    def coolant_density(self) -> float:
        """Of the coolant at the supply temperature [kg/m³]."""
        ...

    @property
    def coolant_specific_heat(self) -> float:
        """Of the coolant at the supply temperature [J/kgK]."""
        ...

    def settle(self, loads: HeatLoads, mass_flow: Array) -> None:
        """Go to the steady state of constant loads; flow of each module [kg/s]."""
        ...

    def step(self, loads: HeatLoads, mass_flow: Array, time: float, dt: float, jump: bool) -> ThermalTick:
        """Advance all modules by one step; arrays (module,)."""
        ...

    def vary(self, **values: Array) -> None:
        """Give fields of `ThermalParameters` new values between steps, arrays (module,); the state goes on."""
        ...

    def temperatures(self) -> dict[str, Array]:
        """Return the temperatures now by place, arrays (module,) [K]."""
        ...

    def liquid_limits(self, time: float) -> list[tuple[int, LiquidLimitEvent]]:
        """Return (module, event) wherever the coolant freezes or boils now."""
        ...

    def forget_history(self) -> None:
        """Let the next step follow from the snapshot alone, as it would after a restart."""
        ...

    def snapshot(self) -> dict[str, Array]:
        """Return all that a restart needs; collective under MPI."""
        ...

    def restore(self, saved: Mapping[str, Array]) -> None:
        """Continue from a snapshot; collective under MPI."""
        ...

    def panel_mesh(self) -> Mesh:
        """Return the mesh of the radiator panels of a module."""
        ...

    def panel_field(self, module: int) -> Array | None:
        """Return the temperature of every mesh node of a module's panels on rank 0 [K]; collective under MPI."""
        ...
