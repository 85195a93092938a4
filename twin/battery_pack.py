"""Batteries of many equal cells: parameters and state."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt

from twin.battery_ageing import AgeingParameters, BatteryHealth
from twin.battery_cell import Array, BatteryCellParameters

__all__ = ["BatteryParameters", "BatteryState"]


@dataclass(frozen=True, eq=False)
class BatteryParameters:
    """Batteries of N modules made of one kind of cell.

    Attributes
    ----------
    cell : BatteryCellParameters
    cells_in_series : float or ndarray, shape (N,)
    cells_in_parallel : float or ndarray, shape (N,)
        Need not be whole: `from_energy` meets an energy exactly.
    depth_of_discharge_limit : float
        Share of the charge that normal operation may take out.
    state_of_charge_max : float
        Charging stops here.
    ageing : AgeingParameters

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    cell: BatteryCellParameters
    cells_in_series: float | Array = 1.0
    cells_in_parallel: float | Array = 1.0
    depth_of_discharge_limit: float = 0.8
    state_of_charge_max: float = 1.0
    ageing: AgeingParameters = field(default_factory=AgeingParameters)

    def __post_init__(self) -> None:
        for name in ("cells_in_series", "cells_in_parallel"):
            value = getattr(self, name)
            if not np.all(np.isfinite(value)) or not np.all(np.asarray(value) > 0):
                raise ValueError(f"BatteryParameters.{name}: {value!r}, expected positive numbers of cells")
        if not 0.0 < self.state_of_charge_max <= 1.0:
            raise ValueError(
                f"BatteryParameters.state_of_charge_max: {self.state_of_charge_max!r}, "
                "expected a fraction in (0, 1]"
            )
        if (
            not 0.0 < self.depth_of_discharge_limit <= 1.0
            or self.state_of_charge_min >= self.state_of_charge_max
        ):
            raise ValueError(
                f"BatteryParameters.depth_of_discharge_limit: {self.depth_of_discharge_limit!r}, expected a "
                "fraction in (0, 1] that leaves charge below state_of_charge_max"
            )

    @classmethod
    def from_energy(
        cls,
        cell: BatteryCellParameters,
        energy: npt.ArrayLike,
        bus_voltage: float,
        depth_of_discharge_limit: float = 0.8,
        state_of_charge_max: float = 1.0,
        ageing: AgeingParameters | None = None,
    ) -> Self:
        """Make batteries of a given energy: cells in series for the voltage, in parallel as the energy needs.

        Parameters
        ----------
        cell : BatteryCellParameters
        energy : array_like, shape () or (N,)
            Chemical energy from full to empty when new, J.
        bus_voltage : float
            V; the nominal voltage of a string comes as near to it as whole cells allow.
        depth_of_discharge_limit, state_of_charge_max, ageing
            As for the class.

        Raises
        ------
        ValueError
            If the energy or the voltage is not positive.
        """
        if not bus_voltage > 0.0:
            raise ValueError(f"bus_voltage: {bus_voltage!r}, expected a positive voltage (V)")
        series = max(1.0, float(np.round(bus_voltage / cell.nominal_voltage)))
        parallel = np.asarray(energy, dtype=float) / (series * cell.energy)
        return cls(
            cell=cell,
            cells_in_series=series,
            cells_in_parallel=float(parallel) if parallel.ndim == 0 else parallel,
            depth_of_discharge_limit=depth_of_discharge_limit,
            state_of_charge_max=state_of_charge_max,
            ageing=AgeingParameters() if ageing is None else ageing,
        )

    @property
    def state_of_charge_min(self) -> float:
        """Lowest state of charge of normal operation."""
        return 1.0 - self.depth_of_discharge_limit

    @property
    def cell_count(self) -> float | Array:
        """Cells per battery."""
        return self.cells_in_series * self.cells_in_parallel

    @property
    def energy(self) -> float | Array:
        """Chemical energy from full to empty when new, J."""
        return self.cell_count * self.cell.energy

    @property
    def heat_capacity(self) -> float | Array:
        """J/K."""
        return self.cell_count * self.cell.mass * self.cell.specific_heat


@dataclass(frozen=True)
class BatteryState:
    """State of N batteries.

    Attributes
    ----------
    state_of_charge : ndarray, shape (N,)
        Charge over the present capacity.
    rc_voltage : ndarray, shape (N,)
        Voltage of a cell's RC pair, V.
    health : BatteryHealth
    """

    state_of_charge: Array
    rc_voltage: Array
    health: BatteryHealth

    @classmethod
    def at_rest(cls, state_of_charge: npt.ArrayLike, modules: int | None = None) -> Self:
        """Return new batteries at rest.

        Raises
        ------
        ValueError
            If a state of charge is outside [0, 1].
        """
        soc = np.array(state_of_charge, dtype=float)
        soc = np.full(1 if modules is None else modules, float(soc)) if soc.ndim == 0 else soc
        if not np.all((soc >= 0.0) & (soc <= 1.0)):
            raise ValueError(f"state_of_charge: {state_of_charge!r}, expected fractions in [0, 1]")
        return cls(soc, np.zeros_like(soc), BatteryHealth.new(soc.size))
