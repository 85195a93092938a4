"""A class of modules: everything that modules of one design share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from twin.case.base import FromLibrary, Model, as_written, wrong
from twin.case.components import Card, CoatingField, Coolant, Material, Terminal
from twin.case.orientation import ORIENTATIONS, Orientation
from twin.case.power import Battery, Bus, ConversionChain, Converter, SolarArray
from twin.case.types import (
    Conductance,
    Count,
    DataRate,
    Fraction,
    NonNegativeNumber,
    PositiveArea,
    PositiveConductance,
    PositiveFraction,
    PositiveHeatCapacity,
    PositiveLength,
    PositiveMass,
    PositiveMassFlow,
    PositivePower,
    PositivePressure,
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
    "Geometry",
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
    """Finite-element size along the tubes, and across them unless tube_mesh_size is given."""
    tube_mesh_size: PositiveLength | None = None
    """Finite-element size across the tubes: the sheet between two tubes is a fin, four elements give it within 1 %."""

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
    telemetry_rate: DataRate = as_written("1 Mbit/s")
    """Telemetry of the module that goes to the ground; assumed."""


class Geometry(Model):
    """How the parts of a module stand, for what they see of each other; drawn as `twin mesh` shows it."""

    array_wing_length: PositiveLength | None = None
    """Of each of the two solar wings (default: twice its width)."""
    standoff: PositiveLength | None = None
    """From the body to the wings (default: half the body's edge)."""
    spacing: tuple[PositiveLength, PositiveLength] | None = None
    """Between equal modules side by side, along the solar wings and along the radiator wing; none by default."""


class ModuleSpread(Model):
    """Standard deviations between modules of one class, relative to the mean; drawn from `mission.seed`."""

    emissivity: NonNegativeNumber = 0.0
    """Of the radiator coating."""
    absorptance: NonNegativeNumber = 0.0
    """Of the radiator coating."""
    array_power: NonNegativeNumber = 0.0
    """Of the solar array."""
    mass_flow: NonNegativeNumber = 0.0
    """Of the coolant."""


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
    geometry: Geometry = Geometry()
    """How its parts stand to each other and to modules beside it."""
    spread: ModuleSpread = ModuleSpread()
    """Manufacturing spread between modules."""

    @model_validator(mode="after")
    def _neighbours_once(self) -> ModuleClass:
        if self.geometry.spacing is not None and self.neighbour_view > 0.0:
            raise wrong(
                "counts the modules beside it a second time",
                "0 where geometry.spacing puts them there",
                "leave out one of both",
                at=("neighbour_view",),
            )
        return self
