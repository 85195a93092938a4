"""Finite elements for every module of a group, behind the interface that the reduced model has as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twin.group_thermal import PLACES, HeatLoads, ThermalTick
from twin.module_parameters import ThermalParameters
from twin.module_thermal import ModuleThermal

if TYPE_CHECKING:
    from meshes.mesh import Mesh
    from solvers.coolant import LiquidLimitEvent

Array = NDArray[np.float64]


class FullThermal:
    """Every module of a group as a finite-element model of its own.

    Parameters
    ----------
    parameters : sequence of ThermalParameters
        One per module.
    tolerance : float
        Of the solver.
    """

    def __init__(self, parameters: Sequence[ThermalParameters], tolerance: float):
        self.modules = [ModuleThermal(p, tolerance) for p in parameters]

    @classmethod
    def of_class(
        cls, design: ThermalParameters, count: int, tolerance: float, **values: Array
    ) -> FullThermal:
        """Return modules of one design that differ in the fields given, arrays (module,)."""
        return cls([_changed(design, values, i) for i in range(count)], tolerance)

    @property
    def certificate(self) -> None:
        """None: nothing is reduced."""
        return None

    @property
    def coolant_density(self) -> float:
        """Of the coolant at the supply temperature [kg/m³]."""
        return self.modules[0].density

    @property
    def coolant_specific_heat(self) -> float:
        """Of the coolant at the supply temperature [J/kgK]."""
        return self.modules[0].specific_heat

    def settle(self, loads: HeatLoads, mass_flow: Array) -> None:
        """Go to the steady state of constant loads."""
        for i, module in enumerate(self.modules):
            module.settle(loads.module(i), float(mass_flow[i]))

    def step(self, loads: HeatLoads, mass_flow: Array, time: float, dt: float, jump: bool) -> ThermalTick:
        """Advance all modules by one step."""
        steps = [
            m.step(loads.module(i), float(mass_flow[i]), time, dt, jump) for i, m in enumerate(self.modules)
        ]
        return ThermalTick.stacked(steps)

    def vary(self, **values: Array) -> None:
        """Give fields of `ThermalParameters` new values between steps; see :meth:`ModuleThermal.vary`."""
        for i, module in enumerate(self.modules):
            module.vary(_changed(module.parameters, values, i))

    def temperatures(self) -> dict[str, Array]:
        """Return the temperatures now by place, arrays (module,) [K]."""
        each = [module.temperatures() for module in self.modules]
        return {place: np.array([t[place] for t in each]) for place in PLACES}

    def liquid_limits(self, time: float) -> list[tuple[int, LiquidLimitEvent]]:
        """Return (module, event) wherever the coolant freezes or boils now."""
        return [(i, event) for i, module in enumerate(self.modules) for event in module.liquid_limits(time)]

    def forget_history(self) -> None:
        """Drop what the solvers of all modules learnt from earlier steps."""
        for module in self.modules:
            module.model.forget_history()

    def snapshot(self) -> dict[str, Array]:
        """Return all that a restart needs; collective under MPI."""
        return {f"{i}/{k}": v for i, module in enumerate(self.modules) for k, v in module.snapshot().items()}

    def restore(self, saved: Mapping[str, Array]) -> None:
        """Continue from a snapshot; collective under MPI."""
        for i, module in enumerate(self.modules):
            module.restore({k.removeprefix(f"{i}/"): v for k, v in saved.items() if k.startswith(f"{i}/")})

    def panel_mesh(self) -> Mesh:
        """Return the mesh of the radiator panels of a module."""
        return self.modules[0].mesh

    def panel_field(self, module: int) -> Array | None:
        """Return the temperature of every mesh node of a module's panels on rank 0 [K]; collective under MPI."""
        return self.modules[module].panel_field()


def _changed(parameters: ThermalParameters, values: Mapping[str, Array], module: int) -> ThermalParameters:
    fields: dict[str, Any] = {name: float(each[module]) for name, each in values.items()}
    return replace(parameters, **fields)
