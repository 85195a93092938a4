"""Power of a module: solar wing, battery, bus."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from twin.case.base import FromLibrary, Model, as_written, increasing, wrong
from twin.case.components import BatteryCell, CoatingField, SolarCell
from twin.case.orientation import Orientation
from twin.case.types import (
    VOLTAGE,
    Count,
    Fraction,
    PositiveArea,
    PositiveArealConductance,
    PositiveArealHeatCapacity,
    PositiveConductance,
    PositiveEnergy,
    PositiveFraction,
    PositivePower,
    PositiveVoltage,
    Power,
)

__all__ = ["Battery", "Bus", "ConversionChain", "Converter", "SolarArray"]


class SolarArray(Model):
    """Solar wing."""

    area: PositiveArea
    """Panel area."""
    cell: Annotated[SolarCell, FromLibrary("cells")]
    """Cells."""
    packing_factor: PositiveFraction
    """Cell area over panel area."""
    cells_in_series: Count
    """Cells of a string."""
    blocking_diode_drop: Annotated[float, VOLTAGE.at_least("0 V")] = as_written("0.7 V")
    """Forward voltage of a string's blocking diode."""
    gap_absorptance: Fraction
    """Solar absorptance of the front between the cells."""
    gap_emissivity: PositiveFraction
    """Emissivity of the front between the cells."""
    orientation: Orientation = "sun"
    """Normal of the cell side."""
    back_coating: CoatingField
    """Back of the panel."""
    areal_heat_capacity: PositiveArealHeatCapacity
    """Heat capacity per panel area."""
    through_conductance: PositiveArealConductance
    """From front to back, per panel area."""
    mppt_efficiency: PositiveFraction
    """Share of the maximum power that the tracker finds."""
    harness_efficiency: PositiveFraction
    """Share that passes the harness at rated power."""


class Battery(Model):
    """Battery of many equal cells."""

    cell: Annotated[BatteryCell, FromLibrary("batteries")]
    """Cells."""
    energy: PositiveEnergy
    """Rated energy at beginning of life."""
    initial_state_of_charge: Fraction = 1.0
    """At mission start."""
    depth_of_discharge_limit: PositiveFraction
    """Deepest discharge that operation allows, from full."""
    conductance_to_body: PositiveConductance
    """Thermal path to the body."""


def _converter(value: Any) -> Any:
    return value if isinstance(value, dict | Converter) else {"efficiency": value}


def _efficiency(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [[1, value]]


class Converter(Model):
    """Power converter: an efficiency, or a curve over load with the rated power it refers to."""

    efficiency: Annotated[
        tuple[tuple[PositiveFraction, PositiveFraction], ...],
        BeforeValidator(_efficiency),
        AfterValidator(increasing),
        Field(min_length=1),
    ]
    """Rows of [load over rated power, efficiency]; one number where it is constant."""
    rated_power: PositivePower | None = None
    """Output at which load is 1; needed with a curve."""

    @model_validator(mode="after")
    def _rated(self) -> Converter:
        if len(self.efficiency) > 1 and self.rated_power is None:
            raise wrong(
                "is missing", "the output power to which the efficiency curve refers", at=("rated_power",)
            )
        return self


ConverterField = Annotated[Converter, BeforeValidator(_converter)]


class ConversionChain(Model):
    """Converters between array, battery and cards; their losses are heat."""

    solar_regulator: ConverterField
    """From array to bus."""
    battery_converter: ConverterField
    """Between battery and bus, the same both ways."""
    harness: ConverterField = as_written(1.0)
    """From bus to all loads of a module."""
    card_supply: ConverterField
    """From bus to cards and hosts."""
    card_supply_heat_to: Literal["coolant", "body"] = "coolant"
    """Where the heat of the card supply goes; the others heat the body."""


class Bus(Model):
    """High-voltage direct-current bus."""

    voltage: PositiveVoltage
    """Nominal voltage."""
    eclipse_policy: Literal["ride_through", "shed", "hybrid"]
    """In shadow: keep the load on the battery, switch cards to idle, or cap them to what it gives."""
    conversion: ConversionChain
    """Converters."""
    housekeeping_power: Power
    """Attitude control, computer, communications: what runs always."""
    power_cap: PositivePower | None = None
    """Highest power of all loads of a module (default: no cap)."""
