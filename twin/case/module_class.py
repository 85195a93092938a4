"""A class of modules: everything that modules of one design share."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from twin.case.base import FromLibrary, Model, as_written, increasing, wrong
from twin.case.components import BatteryCell, Card, Coating, Coolant, Material, SolarCell, Terminal
from twin.case.nearest import suggestion
from twin.case.types import (
    VOLTAGE,
    Conductance,
    Count,
    Fraction,
    NonNegativeNumber,
    PositiveArea,
    PositiveArealConductance,
    PositiveArealHeatCapacity,
    PositiveConductance,
    PositiveEnergy,
    PositiveFraction,
    PositiveHeatCapacity,
    PositiveLength,
    PositiveMass,
    PositiveMassFlow,
    PositivePower,
    PositivePressure,
    PositiveVoltage,
    Power,
    Temperature,
)

__all__ = [
    "ORIENTATIONS",
    "Battery",
    "Body",
    "BodyFace",
    "Bus",
    "ColdPlate",
    "ConversionChain",
    "Converter",
    "CoolantLoop",
    "ModuleClass",
    "ModuleSpread",
    "Orientation",
    "Pump",
    "Racks",
    "Radiator",
    "Relay",
    "SolarArray",
    "Tubes",
]

ORIENTATIONS = (
    "sun",
    "anti_sun",
    "nadir",
    "zenith",
    "ram",
    "wake",
    "orbit_normal",
    "anti_orbit_normal",
    "edge_on",
    "anti_edge_on",
)
"""Named face normals; `edge_on` is at right angles to both the Sun and the Earth directions."""


def _orientation(value: Any) -> str | tuple[float, float, float]:
    expected = f"one of {', '.join(ORIENTATIONS)}, or [x, y, z] in LVLH axes (x ram, z nadir)"
    if isinstance(value, str):
        if value in ORIENTATIONS:
            return value
        raise wrong("is not an orientation", expected, suggestion(value, ORIENTATIONS))
    if isinstance(value, list | tuple) and len(value) == 3:
        numbers = [float(v) for v in value if isinstance(v, int | float) and not isinstance(v, bool)]
        length = sum(n * n for n in numbers) ** 0.5
        if len(numbers) == 3 and 0.0 < length < float("inf"):
            return (numbers[0] / length, numbers[1] / length, numbers[2] / length)
    raise wrong("is not an orientation", expected)


Orientation = Annotated[
    str | tuple[float, float, float],
    BeforeValidator(_orientation),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": list(ORIENTATIONS)},
                {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3},
            ]
        }
    ),
]
"""Name of a direction, or a unit vector in LVLH axes (x ram, y negative orbit normal, z nadir)."""

CoatingField = Annotated[Coating, FromLibrary("coatings")]


class Tubes(Model):
    """Coolant tubes in a radiator panel, evenly spaced along its width."""

    count: Count
    """Tubes per panel."""
    arrangement: Literal["parallel", "serpentine"] = "parallel"
    """All tubes between two manifolds, or one tube that turns at the edges."""
    inner_diameter: PositiveLength
    """Bore."""
    wall_thickness: PositiveLength = as_written("1 mm")
    """Tube wall."""


class Radiator(Model):
    """Radiator wing: panels of two face sheets with tubes between them."""

    panels: Count
    """Number of panels, one behind the other along the wing."""
    width: PositiveLength
    """Extent of a panel across the tubes."""
    height: PositiveLength
    """Extent of a panel along the tubes."""
    thickness: PositiveLength
    """Both face sheets together, as the thickness of solid material that conducts in the plane."""
    material: Annotated[Material, FromLibrary("materials")]
    """Face sheet material."""
    coating: CoatingField
    """Coating of the faces."""
    faces: Literal["both", "front"] = "both"
    """Which faces radiate; the other one is insulated."""
    orientation: Orientation = "edge_on"
    """Normal of the front face."""
    tubes: Tubes
    """Coolant tubes."""
    mesh_size: PositiveLength = as_written("0.1 m")
    """Finite-element size away from the tubes."""

    @property
    def panel_area(self) -> float:
        """Area of all panels, counted once (m²)."""
        return self.panels * self.width * self.height

    @property
    def radiating_area(self) -> float:
        """Area of all faces that radiate (m²)."""
        return self.panel_area * (2 if self.faces == "both" else 1)

    @model_validator(mode="after")
    def _tubes_fit(self) -> Radiator:
        outer = self.tubes.inner_diameter + 2.0 * self.tubes.wall_thickness
        if self.tubes.count * outer >= self.width:
            raise wrong(
                f"makes {self.tubes.count} tubes of {outer * 1e3:.3g} mm, wider together than the panel",
                f"fewer than {self.width / outer:.4g} tubes in a panel {self.width:g} m wide",
                at=("tubes", "count"),
            )
        if self.mesh_size > min(self.width, self.height):
            raise wrong(
                "is larger than the panel", f"at most {min(self.width, self.height):g} m", at=("mesh_size",)
            )
        return self


class Pump(Model):
    """Pump at its operating point; affinity laws hold away from it."""

    pressure_rise: PositivePressure
    """At the loop's mass flow."""
    efficiency: PositiveFraction
    """Hydraulic over electrical power."""


class ColdPlate(Model):
    """Cold plate under the cards."""

    conductance_per_card: PositiveConductance
    """From plate metal to coolant, at the loop's mass flow."""
    heat_capacity_per_card: PositiveHeatCapacity
    """Plate metal."""


class CoolantLoop(Model):
    """Pumped single-phase loop: pump, cold plates, bypass valve, radiator."""

    fluid: Annotated[Coolant, FromLibrary("coolants")]
    """Coolant."""
    mass_flow: PositiveMassFlow
    """Through the cold plates."""
    supply_temperature: Temperature
    """Set point of the bypass valve: temperature at which coolant enters the cold plates."""
    pressure: PositivePressure
    """Lowest absolute pressure of the loop, which keeps the coolant liquid."""
    inventory_mass: PositiveMass
    """All coolant outside the radiator tubes."""
    pump: Pump
    """Pump."""
    cold_plate: ColdPlate
    """Cold plates."""
    body_conductance: Conductance
    """Between the loop and the body, through lines and mounts."""


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


class Racks(Model):
    """Racks with the cards of a module."""

    count: Count
    """Racks."""
    slots_per_rack: Count
    """Cards that fit into a rack."""
    cards: Count
    """Cards in the module."""
    card: Annotated[Card, FromLibrary("cards")]
    """Kind of card."""
    overhead_power: Power
    """Host, memory and network share per card; heat goes to the coolant."""
    power_cap: PositivePower | None = None
    """Highest power per card that operation sets (default: the card's own limit)."""

    @model_validator(mode="after")
    def _fit(self) -> Racks:
        slots = self.count * self.slots_per_rack
        if self.cards > slots:
            raise wrong(
                f"is more than the racks hold: {self.count} x {self.slots_per_rack} = {slots} slots",
                f"at most {slots} cards",
                at=("cards",),
            )
        if self.power_cap is not None and not self.card.idle_power < self.power_cap <= self.card.power_limit:
            raise wrong(
                "does not lie between the card's idle power and its limit",
                f"above {self.card.idle_power:g} W up to {self.card.power_limit:g} W",
                at=("power_cap",),
            )
        return self


class BodyFace(Model):
    """Outer face of the body."""

    name: str
    """Name of the face."""
    area: PositiveArea
    """Area."""
    coating: CoatingField
    """Coating."""
    orientation: Orientation
    """Outward normal."""


class Body(Model):
    """Structure and equipment as one temperature."""

    heat_capacity: PositiveHeatCapacity
    """Of everything that is not cards, plates, coolant, battery, array or radiator."""
    faces: tuple[BodyFace, ...] = ()
    """Faces that see space."""


class Relay(Model):
    """Optical terminals of a module."""

    terminals: Count
    """Number of terminals."""
    terminal: Annotated[Terminal, FromLibrary("terminals")]
    """Kind of terminal."""


class ModuleSpread(Model):
    """Standard deviations between modules of one class, relative to the mean."""

    emissivity: NonNegativeNumber = 0.0
    """Of the radiator coating."""
    absorptance: NonNegativeNumber = 0.0
    """Of the radiator coating."""
    mass_flow: NonNegativeNumber = 0.0
    """Of the coolant."""
    array_power: NonNegativeNumber = 0.0
    """Of the solar array."""


class ModuleClass(Model):
    """Modules of one design."""

    description: str = ""
    """What it is, in words."""
    radiator: Radiator
    """Radiator wing."""
    coolant_loop: CoolantLoop
    """Coolant loop."""
    solar_array: SolarArray
    """Solar wing."""
    battery: Battery
    """Battery."""
    bus: Bus
    """Bus."""
    racks: Racks
    """Racks and cards."""
    body: Body
    """Body."""
    relay: Relay | None = None
    """Relay terminals, if it carries any."""
    neighbour_view: Fraction = 0.0
    """Share of each radiating face's view that modules beside it take, at about its own temperature."""
    spread: ModuleSpread = ModuleSpread()
    """Manufacturing spread between modules."""
