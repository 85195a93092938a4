"""What a radiator must be good for, and what is not known of it: the `sizing` section of a case."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from twin.case.base import FromLibrary, Model, as_written, wrong
from twin.case.components import EnvironmentSet
from twin.case.mission import Age
from twin.case.orientation import Orientation
from twin.case.types import (
    ANGLE,
    NUMBER,
    Fraction,
    NonNegativeNumber,
    PositiveDuration,
    PositiveNumber,
    Temperature,
    TemperatureDifference,
    WholeNumber,
)

__all__ = [
    "FACTOR_BOUNDS", "Distribution", "Margin", "Masses", "Requirement", "Sizing", "Uncertainty",
]  # fmt: skip

_ENDS: Any = ("0 yr", "5 yr")

Policy = Literal["none", "mil-std-1540", "mil-std-1540-passive", "mil-std-1540-uncorrelated", "ecss", "own"]
Factor = Annotated[float, NUMBER.at_least("0").up_to("10")]
Lean = Annotated[float, ANGLE.at_least("-90 deg").up_to("90 deg").such_as("1 deg")]

FACTOR_BOUNDS = {
    "emissivity": (0.0, 2.0),
    "absorptance": (0.0, 20.0),
    "mass_flow": (0.0, 5.0),
    "plate_conductance": (0.0, 10.0),
    "card_resistance": (0.0, 10.0),
    "card_power": (0.0, 5.0),
    "activity": (0.0, 5.0),
    "array_power": (0.0, 2.0),
    "battery_capacity": (0.0, 1.0),
    "solar_flux": (0.9, 1.1),
    "albedo": (0.0, 3.0),
    "earth_infrared": (0.5, 1.6),
}
"""Ends of what a factor on a property may be at all; those of surfaces are held against 1 with the case's coating."""


class Distribution(Model):
    """Distribution of a factor on the design (1 is the design), cut off at `low` and `high`."""

    shape: Literal["normal", "uniform", "triangular", "lognormal"] = "normal"
    """Kind of distribution."""
    mean: PositiveNumber = 1.0
    """Mean of a normal, median of a log-normal, peak of a triangular one."""
    deviation: NonNegativeNumber = 0.0
    """Standard deviation of a normal one, of the logarithm of a log-normal one."""
    low: Factor | None = None
    """Lowest value (default: 3 deviations below)."""
    high: Factor | None = None
    """Highest value (default: 3 deviations above)."""

    @model_validator(mode="after")
    def _ordered(self) -> Distribution:
        if self.shape in ("uniform", "triangular") and (self.low is None or self.high is None):
            raise wrong(f"of shape {self.shape} has no ends", "low and high", at=("shape",))
        if self.shape in ("normal", "lognormal") and self.deviation == 0.0:
            raise wrong(
                f"of shape {self.shape} has no width",
                "a deviation above 0",
                "write deviation: 0.02, or leave the variable out",
                at=("deviation",),
            )
        low, high = self.ends
        if not low < high:
            raise wrong(f"goes from {low:g} to {high:g}", "low below high", at=("low",))
        if not low <= self.mean <= high:
            raise wrong(
                f"is {self.mean:g}, outside {low:g} to {high:g}", "between low and high", at=("mean",)
            )
        return self

    @property
    def ends(self) -> tuple[float, float]:
        """Lowest and highest value."""
        if self.shape == "lognormal":
            spread = 2.718281828459045 ** (3.0 * self.deviation)
            low, high = self.mean / spread, self.mean * spread
        else:
            low, high = self.mean - 3.0 * self.deviation, self.mean + 3.0 * self.deviation
        return (low if self.low is None else self.low, high if self.high is None else self.high)


class Uncertainty(Model):
    """What is not known, by variable; each a factor on the design, `pointing` an angle."""

    emissivity: Distribution | None = None
    """Of the radiator at its age."""
    absorptance: Distribution | None = None
    """Of the radiator at its age: contamination and radiation."""
    mass_flow: Distribution | None = None
    """Coolant flow that the pump gives."""
    plate_conductance: Distribution | None = None
    """Cold plates to coolant."""
    card_resistance: Distribution | None = None
    """Junction to cold plate, of all cards together."""
    card_power: Distribution | None = None
    """Power of all cards at the same work."""
    activity: Distribution | None = None
    """Load of the jobs."""
    array_power: Distribution | None = None
    """Solar cells: dose and ageing."""
    battery_capacity: Distribution | None = None
    """Remaining capacity beside the model's ageing, at most 1."""
    solar_flux: Distribution | None = None
    """Sun."""
    albedo: Distribution | None = None
    """Earth's albedo."""
    earth_infrared: Distribution | None = None
    """Earth's infrared."""

    @property
    def variables(self) -> dict[str, Distribution]:
        """Variables that have a distribution."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}

    @model_validator(mode="after")
    def _physical(self) -> Uncertainty:
        for name, distribution in self.variables.items():
            low, high = FACTOR_BOUNDS[name]
            ends = distribution.ends
            if not (low <= ends[0] and ends[1] <= high) or ends[0] <= 0.0:
                raise wrong(
                    f"reaches from {ends[0]:g} to {ends[1]:g}, which is not physical for {name}",
                    f"a factor above {low:g} up to {high:g}",
                    "set low and high, or a smaller deviation",
                    at=(name,),
                )
        return self


def _about(deviation: float) -> Distribution:
    return Distribution(deviation=deviation)


class Requirement(Model):
    """What the radiator must keep."""

    junction_temperature: Temperature | None = None
    """Highest junction temperature that 1 % of the cards may exceed (default: 2 K below the card's target)."""
    throttled_fraction: Fraction = 0.001
    """Largest share of the card-hours of a job that temperature may hold back, in the design orbit."""
    throttled_fraction_by_kind: dict[Literal["training", "inference", "batch", "replay"], Fraction] = Field(
        default={}
    )
    """The same for kinds of jobs that need another."""
    boiling_margin: TemperatureDifference = as_written("3 K")
    """Between the warmest coolant and its boiling point at the loop's pressure."""
    freezing_margin: TemperatureDifference = as_written("5 K")
    """Between the coldest coolant and its freezing point; checked at the area found."""


class Margin(Model):
    """Margins on the requirement; a name stands for a set."""

    policy: Policy = "mil-std-1540"
    """Set of margins; `own` takes the values below.

    none; mil-std-1540: 25 % heat load, for active control such as a pumped loop; mil-std-1540-passive: 11 K on
    predictions after correlation, -uncorrelated: 17 K before; ecss: 5 K acceptance and 5 K qualification.
    """
    temperature: TemperatureDifference = as_written("0 K")
    """On every limit, for `own`."""
    heat_load: NonNegativeNumber = 0.0
    """Share by which the radiator could reject more heat at the same temperatures, for `own`."""

    @model_validator(mode="after")
    def _own(self) -> Margin:
        if self.policy != "own" and (self.temperature or self.heat_load):
            raise wrong(
                f"is {self.policy}, which says itself what the margins are",
                "own beside temperature or heat_load",
                "write policy: own",
                at=("policy",),
            )
        return self


class Masses(Model):
    """Areal masses, for trades."""

    radiator: PositiveNumber = 7.8
    """kg/m² of panel: photovoltaic radiator of the ISS [OSTI 101919]; about 16 with its deployment."""
    array: PositiveNumber = 4.2
    """kg/m² of wing: 250 W/m² class blanket at 59 W/kg (iROSA)."""
    coolant_line: NonNegativeNumber = 0.5
    """kg/m² of panel for coolant, manifolds and mounts beside the panel; assumed."""


class Sizing(Model):
    """Radiator sizing of `twin size`."""

    requirement: Requirement = Requirement()
    """What the radiator must keep."""
    margin: Margin = Margin()
    """Margins on it."""
    ages: tuple[Age, ...] = Field(default=_ENDS, min_length=1)
    """Ages at which the area is found: begin and end of life."""
    environments: tuple[Annotated[EnvironmentSet, FromLibrary("environments")], ...] = ()
    """Environments beside the case's own among which the worst is sought."""
    orientations: tuple[Orientation, ...] = ()
    """Orientations of the radiator beside the design's among which the worst is sought."""
    pointing: Lean = as_written("1 deg")
    """Largest lean of the radiator's front towards the Sun."""
    days: Annotated[WholeNumber, Field(ge=4)] = 25
    """Days of the year at which the design case is sought."""
    step: PositiveDuration = as_written("30 s")
    """Longest thermal step of the sizing runs."""
    card_step: PositiveDuration = as_written("1 s")
    """Step of the cards in the sizing runs; 5 s asks for about 2 % more area."""
    cards: Annotated[WholeNumber, Field(ge=16)] = 48
    """Cards computed for every job on a kind of module."""
    uncertainty: Uncertainty = Uncertainty(
        emissivity=_about(0.02),
        absorptance=Distribution(shape="lognormal", deviation=0.20),
        mass_flow=_about(0.03),
        plate_conductance=_about(0.05),
        card_resistance=_about(0.05),
        card_power=_about(0.03),
        activity=Distribution(shape="uniform", low=0.9, high=1.05),
        array_power=_about(0.02),
        solar_flux=_about(0.002),
        albedo=Distribution(deviation=0.15, low=0.6, high=1.5),
        earth_infrared=_about(0.05),
    )
    """What is not known; without it a set of assumed distributions."""
    masses: Masses = Masses()
    """For trades."""
