"""Lithium-ion cells of the component library."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from twin.case.base import Component, Model, as_written, increasing, wrong
from twin.case.types import (
    RESISTANCE,
    ROOT_RATE,
    VOLTAGE_SLOPE,
    Fraction,
    MolarEnergy,
    NonNegativeNumber,
    Number,
    PositiveCharge,
    PositiveCurrent,
    PositiveDuration,
    PositiveFraction,
    PositiveMass,
    PositiveNumber,
    PositiveResistance,
    PositiveSpecificHeat,
    PositiveVoltage,
    Temperature,
)

__all__ = ["BatteryAgeing", "BatteryCell", "CalendarAgeing", "CycleAgeing", "ResistanceTable"]


class ResistanceTable(Model):
    """Series resistance over state of charge (rows) and temperature (columns)."""

    states_of_charge: tuple[Fraction, ...] = Field(min_length=1)
    """Rows, growing."""
    temperatures: tuple[Temperature, ...] = Field(min_length=1)
    """Columns, growing."""
    values: tuple[tuple[PositiveResistance, ...], ...]
    """One row per state of charge, one value per temperature."""

    @model_validator(mode="after")
    def _rectangular(self) -> ResistanceTable:
        rows, columns = len(self.states_of_charge), len(self.temperatures)
        if len(self.values) != rows:
            raise wrong(f"has {len(self.values)} rows", f"{rows}, one per state of charge", at=("values",))
        for i, row in enumerate(self.values):
            if len(row) != columns:
                raise wrong(f"has {len(row)} values", f"{columns}, one per temperature", at=("values", i))
        for name in ("temperatures", "states_of_charge"):
            axis = getattr(self, name)
            if any(b <= a for a, b in pairwise(axis)):
                raise wrong("does not grow", "growing values", at=(name,))
        return self


class CalendarAgeing(Model):
    """Storage loss k exp[−(E/R)(1/T − 1/T₀)] [c (s − ½)³ + d] √t at the state of charge s."""

    rate: Annotated[float, ROOT_RATE.at_least("0 1/s**0.5")]
    """k."""
    activation_energy: MolarEnergy
    """E."""
    reference_temperature: Temperature
    """T₀."""
    cubic: Number
    """c."""
    constant: Number
    """d."""


class CycleAgeing(Model):
    """Throughput loss in per cent, B exp[(−E + e·C)/(R T)] Aᶻ after A ampere hours of a reference cell."""

    prefactors: Annotated[
        tuple[tuple[NonNegativeNumber, PositiveNumber], ...], AfterValidator(increasing), Field(min_length=1)
    ]
    """Rows of [C-rate, B]."""
    activation_energy: MolarEnergy
    """E."""
    c_rate_energy: MolarEnergy
    """e, per unit of C-rate."""
    exponent: PositiveNumber
    """z."""
    reference_capacity: PositiveCharge
    """Capacity of the tested cells."""


class BatteryAgeing(Model):
    """Loss of capacity and growth of resistance."""

    calendar: CalendarAgeing | None = None
    """With time."""
    cycle: CycleAgeing | None = None
    """With throughput."""
    resistance_growth: NonNegativeNumber = 2.0
    """Relative growth of resistance per unit of capacity loss."""


class BatteryCell(Component):
    """Lithium-ion cell: open-circuit voltage behind a resistance and one optional RC pair."""

    capacity: PositiveCharge
    """Rated charge."""
    mass: PositiveMass
    """Mass of one cell."""
    specific_heat: PositiveSpecificHeat
    """Heat capacity per mass."""
    open_circuit_voltage: Annotated[
        tuple[tuple[Fraction, PositiveVoltage], ...], AfterValidator(increasing), Field(min_length=2)
    ]
    """Rows of [state of charge, voltage], from 0 to 1."""
    entropic_coefficient: Annotated[float, VOLTAGE_SLOPE] | None = None
    """Change of open-circuit voltage with temperature, the source of reversible heat (default: none)."""
    reference_temperature: Temperature
    """Temperature of the open-circuit voltage."""
    resistance: ResistanceTable
    """Series resistance of one new cell."""
    rc_resistance: Annotated[float, RESISTANCE.at_least("0 ohm")] = as_written("0 ohm")
    """Resistance of the RC pair; 0 leaves it out."""
    rc_time_constant: PositiveDuration = as_written("30 s")
    """Time constant of the RC pair."""
    coulombic_efficiency: PositiveFraction = 1.0
    """Share of the charging current that is stored."""
    voltage_min: PositiveVoltage
    """Discharge ends here."""
    voltage_max: PositiveVoltage
    """Charge ends here."""
    charge_current_max: PositiveCurrent
    """Highest charging current."""
    discharge_current_max: PositiveCurrent
    """Highest discharging current."""
    charge_temperature_min: Temperature
    """No charging below this."""
    discharge_temperature_min: Temperature
    """No discharging below this."""
    temperature_max: Temperature
    """No current above this."""
    ageing: BatteryAgeing
    """Loss of capacity over time and throughput."""

    @property
    def energy(self) -> float:
        """Chemical energy of one new cell (J): capacity times the mean open-circuit voltage."""
        rows = self.open_circuit_voltage
        mean = sum((b[0] - a[0]) * (a[1] + b[1]) / 2.0 for a, b in pairwise(rows))
        return self.capacity * mean

    @property
    def specific_energy(self) -> float:
        """Energy per mass of one new cell (J/kg)."""
        return self.energy / self.mass

    @model_validator(mode="after")
    def _ordered(self) -> BatteryCell:
        table = self.open_circuit_voltage
        if table[0][0] != 0.0 or table[-1][0] != 1.0:
            raise wrong(
                "does not reach from 0 to 1", "rows from state of charge 0 to 1", at=("open_circuit_voltage",)
            )
        if any(b[1] < a[1] for a, b in pairwise(table)):
            raise wrong("falls with state of charge", "growing voltages", at=("open_circuit_voltage",))
        if not 0.5 * table[-1][1] < self.voltage_min < self.voltage_max:
            raise wrong(
                "does not lie between half the full open-circuit voltage and voltage_max",
                f"above {0.5 * table[-1][1]:.3g} V and below {self.voltage_max:g} V",
                at=("voltage_min",),
            )
        for name in ("charge_temperature_min", "discharge_temperature_min"):
            if getattr(self, name) >= self.temperature_max:
                raise wrong("is not below temperature_max", "a lower temperature", at=(name,))
        return self
