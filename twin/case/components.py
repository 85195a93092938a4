"""Components that a module is built from; `cases/library/` holds named ones with their sources."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from twin.case.base import AgedFraction, Component, FromLibrary, as_written, increasing, wrong
from twin.case.battery_cell import BatteryAgeing, BatteryCell, CalendarAgeing, CycleAgeing, ResistanceTable
from twin.case.types import (
    CONDUCTIVITY,
    FLUENCE,
    LOSS_RATE,
    PRESSURE,
    TEMPERATURE,
    TEMPERATURE_COEFFICIENT,
    VOLTAGE_SLOPE,
    Area,
    Count,
    DataRate,
    Duration,
    FluenceRate,
    Flux,
    Fraction,
    Length,
    Mass,
    PositiveArea,
    PositiveConductivity,
    PositiveDensity,
    PositiveDuration,
    PositiveFraction,
    PositiveFrequency,
    PositiveHeatCapacity,
    PositiveLength,
    PositivePower,
    PositiveSpecificHeat,
    PositiveThermalResistance,
    PositiveVoltage,
    Power,
    Temperature,
    TemperatureCoefficient,
    TemperatureDifference,
)

__all__ = [
    "BatteryAgeing",
    "BatteryCell",
    "CalendarAgeing",
    "Card",
    "Coating",
    "CoatingField",
    "Component",
    "Coolant",
    "CycleAgeing",
    "EnvironmentSet",
    "Material",
    "ResistanceTable",
    "SolarCell",
    "Terminal",
]


class EnvironmentSet(Component):
    """Fluxes of Sun and Earth."""

    solar_flux: Flux
    """Solar flux at the Earth's distance; at 1 au where `scaled_with_distance`."""
    albedo: Fraction
    """Share of sunlight that the Earth reflects, as a diffuse reflector."""
    earth_infrared: Flux
    """Flux that the Earth emits, at its surface."""
    scaled_with_distance: bool = False
    """Whether the solar flux follows 1/r² through the year."""


class Coating(Component):
    """Outer surface of a radiator, an array's back or a body."""

    absorptance: AgedFraction
    """Share of sunlight absorbed, over the solar spectrum."""
    emissivity: AgedFraction
    """Hemispherical infrared emissivity."""
    end_of_life: PositiveDuration = as_written("10 yr")
    """Age at which the end-of-life values are reached; linear before, constant after."""

    @model_validator(mode="after")
    def _emits(self) -> Coating:
        if min(self.emissivity.bol, self.emissivity.eol) <= 0.0:
            raise wrong("is 0, which leaves no way out for heat", "an emissivity above 0", at=("emissivity",))
        return self


CoatingField = Annotated[Coating, FromLibrary("coatings")]


class Material(Component):
    """Solid material of panels and walls."""

    density: PositiveDensity
    """Mass per volume."""
    specific_heat: PositiveSpecificHeat
    """Heat capacity per mass near 20 °C."""
    conductivity: PositiveConductivity
    """Thermal conductivity in the plane."""
    conductivity_across: Annotated[float, CONDUCTIVITY.above("0 W/m/K")] | None = None
    """Conductivity at right angles to `conductivity` in the plane (default: the same)."""


class Coolant(Component):
    """Fluid of a pumped single-phase loop."""

    fluid: str
    """Name in CoolProp: `Ammonia`, `INCOMP::MPG[0.4]`."""
    minimum_temperature: Temperature
    """Coldest temperature of the property data and of liquid flow (freezing, or close to it)."""
    maximum_temperature: Temperature
    """Hottest temperature of the property data."""
    boiling: Annotated[
        tuple[tuple[Annotated[float, PRESSURE.above("0 Pa")], Annotated[float, TEMPERATURE]], ...],
        AfterValidator(increasing),
    ]
    """Boiling temperature against pressure, rows of [pressure, temperature]."""

    def boiling_temperature(self, pressure: float) -> float:
        """Boiling temperature (K) at a pressure (Pa), linear in the table; its ends are not passed."""
        import bisect

        pressures = [row[0] for row in self.boiling]
        i = min(max(bisect.bisect_right(pressures, pressure), 1), len(pressures) - 1)
        (p0, t0), (p1, t1) = self.boiling[i - 1], self.boiling[i]
        share = min(max((pressure - p0) / (p1 - p0), 0.0), 1.0)
        return t0 + share * (t1 - t0)


class SolarCell(Component):
    """Photovoltaic cell with its cover glass."""

    efficiency: PositiveFraction
    """At beginning of life, `reference_flux`, `reference_temperature`, normal incidence."""
    reference_flux: Flux
    """Solar flux to which `efficiency` belongs."""
    reference_temperature: Temperature
    """Cell temperature to which `efficiency` belongs."""
    power_temperature_coefficient: Annotated[float, TEMPERATURE_COEFFICIENT.up_to("0 1/K")]
    """Relative change of maximum power with temperature; negative."""
    area: PositiveArea
    """Cell area."""
    open_circuit_voltage: PositiveVoltage
    """At the reference point."""
    open_circuit_voltage_slope: Annotated[float, VOLTAGE_SLOPE.up_to("0 V/K")]
    """Change with temperature; negative."""
    junctions: Count
    """Junctions in series."""
    absorptance: PositiveFraction
    """Share of sunlight absorbed with no electrical power taken out."""
    emissivity: PositiveFraction
    """Hemispherical infrared emissivity of the cover glass."""
    remaining_power: Annotated[
        tuple[tuple[Annotated[float, FLUENCE.above("0 1/cm2")], PositiveFraction], ...],
        AfterValidator(increasing),
        Field(min_length=1),
    ]
    """Remaining maximum power against 1-MeV electron fluence, rows of [fluence, factor]."""
    fluence_rate: Annotated[
        tuple[tuple[Length, FluenceRate], ...], AfterValidator(increasing), Field(min_length=1)
    ]
    """Equivalent 1-MeV electron fluence a year in sun-synchronous orbit, rows of [altitude, rate]."""
    ageing_rate: Annotated[float, LOSS_RATE.at_least("0 %/yr")]
    """Relative loss of power per time that is not radiation: ultraviolet, micrometeoroids, contamination."""

    @model_validator(mode="after")
    def _absorbs(self) -> SolarCell:
        if self.efficiency > self.absorptance:
            raise wrong("is above absorptance", f"at most {self.absorptance:g}", at=("efficiency",))
        return self


class Card(Component):
    """Accelerator card: power, clock, junction temperature and how it protects itself.

    Power = resident power + leakage·v·exp(β (T − T_ref)) + activity·dynamic power·f·v², with the clock f and
    the voltage v as ratios to nominal.
    """

    idle_power: Power
    """With no job on the card, without leakage."""
    resident_power: Power
    """With a job resident but no activity, without leakage."""
    leakage_power: Power
    """Leakage at nominal voltage and `leakage_reference_temperature`."""
    dynamic_power: PositivePower
    """Switching power at activity 1, nominal clock and voltage."""
    power_limit: PositivePower
    """Limit that the card's own governor keeps."""
    nominal_clock: PositiveFrequency
    """Clock at ratio 1."""
    leakage_temperature_coefficient: TemperatureCoefficient
    """Relative growth of leakage with junction temperature."""
    leakage_reference_temperature: Temperature
    """Junction temperature at which `leakage_power` holds."""
    minimum_clock_ratio: PositiveFraction
    """Lowest clock over nominal clock."""
    voltage_slope: Fraction
    """d(V/V0)/d(f/f0) above the voltage floor; sets the exponent of dynamic power over clock."""
    minimum_voltage_ratio: PositiveFraction
    """Voltage floor over nominal voltage."""
    junction_resistance: PositiveThermalResistance
    """Thermal resistance from junction to the cold plate's metal."""
    junction_heat_capacity: PositiveHeatCapacity
    """Die, package and spreader, which follow the junction."""
    target_temperature: Temperature
    """Junction temperature that the governor does not exceed by choice of clock."""
    slowdown_temperature: Temperature
    """Junction temperature at which the hardware slowdown sets in."""
    slowdown_clock_ratio: PositiveFraction
    """Clock ratio while the hardware slowdown is on."""
    slowdown_hysteresis: TemperatureDifference
    """The slowdown ends this far below where it began."""
    shutdown_temperature: Temperature
    """Junction temperature at which the card switches itself off."""
    restart_temperature: Temperature
    """Junction temperature below which a card that is off starts to count its restart time."""
    restart_time: Duration
    """Time that a card stays off after it has cooled."""
    wait_activity_fraction: Fraction
    """Share of the activity that goes on while a card waits for the slowest of its job."""
    power_spread: Fraction
    """Standard deviation of the logarithm of dynamic power and leakage between cards."""
    resistance_spread: Fraction
    """Standard deviation of the logarithm of the junction resistance between cards."""

    @model_validator(mode="after")
    def _ordered(self) -> Card:
        if self.idle_power >= self.power_limit:
            raise wrong("is not below power_limit", f"less than {self.power_limit:g} W", at=("idle_power",))
        if not self.target_temperature <= self.slowdown_temperature <= self.shutdown_temperature:
            raise wrong(
                "does not lie between target_temperature and shutdown_temperature",
                "target <= slowdown <= shutdown",
                at=("slowdown_temperature",),
            )
        if self.restart_temperature >= self.shutdown_temperature:
            raise wrong(
                "is not below shutdown_temperature",
                "a restart below the shutdown",
                at=("restart_temperature",),
            )
        return self


class Terminal(Component):
    """Optical inter-satellite or ground link terminal."""

    data_rate: DataRate
    """Two-way rate at up to `maximum_range`."""
    maximum_range: PositiveLength
    """Longest link."""
    power: Power
    """Electrical power while the link is up."""
    standby_power: Power
    """Electrical power while it is down."""
    heat_fraction: Fraction
    """Share of the electrical power that stays on board as heat."""
    mass: Mass
    """Mass of one terminal."""
    acquisition_time: Duration
    """Time to lock after pointing."""
    aperture: Area | None = None
    """Telescope area, where known."""
