"""Reduced modules that may leave the range they were trained for: such a module is marked and set aside.

A study tries radiators that are far too small. One of them must not end the batch of all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.reduced_panel import OutsideTraining
from twin.group_thermal import HeatLoads, ThermalTick
from twin.reduced_thermal import ReducedThermal

Array = NDArray[np.float64]

GUARD = 0.5
"""Distance from the end of the trained range of inlet temperatures at which a module is set aside [K]."""

FLOW_SHARE = 0.999
"""Of the largest flow through a panel that was trained: what a module with too few panels gets."""


class EnsembleThermal(ReducedThermal):
    """A `ReducedThermal` whose modules are set aside when they leave the trained range.

    Attributes
    ----------
    lost : (module,) bool array
        Modules set aside since the last :meth:`settle`: from then on they idle at their set point and their
        temperatures mean nothing.
    """

    lost: NDArray[np.bool_]

    def settle(self, loads: HeatLoads, mass_flow: ArrayLike) -> None:
        """Go to the steady state of constant loads; modules whose steady state is out of range are set aside."""
        self.lost = np.zeros(self.count, dtype=bool)
        try:
            super().settle(loads, mass_flow)
        except OutsideTraining:
            # What is out of range is only the inlet temperature: everything else was checked before.
            inlet = self.loops.node("return")
            if not np.any(self._out(inlet)):
                raise
            self._target = np.full(self.count, np.nan)
        self._park()

    def step(self, loads: HeatLoads, mass_flow: ArrayLike, time: float, dt: float, jump: bool) -> ThermalTick:
        """Advance all modules by one implicit step."""
        nodes = {name: np.where(self.lost, 0.0, values) for name, values in loads.nodes.items()}
        tick = super().step(
            HeatLoads(loads.radiator_front, loads.radiator_back, nodes), mass_flow, time, dt, jump
        )
        self._park()
        return tick

    def _out(self, inlet: Array) -> NDArray[np.bool_]:
        low, high = self.panel.box.inlet_temperature
        return (inlet < low + GUARD) | (inlet > high - GUARD)

    def _park(self) -> None:
        """Mark modules that are about to leave the range, and put all marked ones that do to their set point."""
        out = self._out(self.loops.node("return"))
        if not out.any():
            return
        self.lost |= out
        for module in np.flatnonzero(out):
            number = int(self.loops.regime[module])
            one = self.loops._ones[number]
            level = float(self.supply[module])
            self.loops.modes[module] = 0.0
            self.loops.modes[module, : one.size] = level * one
            self.loops.nodes[module] = level
        self._target[out] = np.nan

    def temperatures(self) -> dict[str, Any]:
        """Return the temperatures now by place, arrays (module,) [K]."""
        return super().temperatures()

    def restore(self, saved: Mapping[str, Array]) -> None:
        """Continue from a snapshot."""
        super().restore(saved)
        self.lost = np.zeros(self.count, dtype=bool)
