"""When, where and how the plant flies, and with what accuracy it is computed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from twin.case.base import Model, as_written, wrong
from twin.case.types import (
    DURATION,
    LENGTH,
    Angle,
    Conductance,
    Count,
    DurationOrOrbits,
    Instant,
    LocalTime,
    PositiveDuration,
    PositiveFraction,
    WholeNumber,
)

Age = Annotated[float, DURATION.at_least("0 s").such_as("5 yr")]

__all__ = ["Interconnect", "Mission", "ModuleGroup", "Numerics", "OrbitChoice", "SubCenter"]


class Mission(Model):
    """Time span of a run."""

    start: Instant
    """First instant, UTC."""
    duration: DurationOrOrbits = as_written("3 orbits")
    """Length of the run, a time or a number of orbits."""
    age: Age = as_written("0 yr")
    """Age of the plant at the start; moves coatings, cells and batteries from new towards end of life."""
    seed: WholeNumber = 1
    """Seed of manufacturing spread, workload noise and failures."""


def _checked_tle(lines: tuple[str, str]) -> tuple[str, str]:
    lines = (lines[0].rstrip(), lines[1].rstrip())
    for i, line in enumerate(lines):
        if len(line) != 69 or line[0] != str(i + 1):
            raise wrong(
                f"is not line {i + 1} of a two-line element set",
                f"69 characters that begin with {i + 1}",
                at=(i,),
            )
        checksum = sum(int(c) if c.isdigit() else c == "-" for c in line[:68]) % 10
        if line[68] != str(checksum):
            raise wrong(
                f"has the checksum {line[68]}",
                f"{checksum} as the last digit",
                "a digit is mistyped",
                at=(i,),
            )
    if lines[0][2:7] != lines[1][2:7]:
        raise wrong("has two different satellite numbers", "the same number in both lines", at=(1,))
    return lines


class OrbitChoice(Model):
    """One of: `altitude` with `ltan`, `tle`, `omm`."""

    altitude: Annotated[float, LENGTH.at_least("160 km").up_to("5900 km").such_as("750 km")] | None = None
    """Above the equatorial radius; the orbit is circular and sun-synchronous."""
    ltan: LocalTime | None = None
    """Local time of the ascending node: 18:00 or 06:00 is dawn-dusk."""
    tle: Annotated[tuple[str, str], AfterValidator(_checked_tle)] | None = None
    """The two lines of an element set."""
    omm: str | None = None
    """Orbit mean-elements message, a file next to the case file."""

    @model_validator(mode="after")
    def _one(self) -> OrbitChoice:
        given = [name for name in ("altitude", "tle", "omm") if getattr(self, name) is not None]
        if not given:
            raise wrong("says nothing of the orbit", "one of: altitude with ltan, tle, omm")
        if len(given) > 1:
            raise wrong(
                f"gives {' and '.join(given)}",
                "one of: altitude with ltan, tle, omm",
                f"'{given[1]}: null' drops one that comes from extends",
            )
        if given == ["altitude"] and self.ltan is None:
            raise wrong(
                "is missing",
                "a local time of the ascending node beside altitude",
                "write ltan: 18:00",
                at=("ltan",),
            )
        if given != ["altitude"] and self.ltan is not None:
            raise wrong(
                f"contradicts {given[0]}, which says itself where the node is",
                "ltan only beside altitude",
                at=("ltan",),
            )
        return self


class ModuleGroup(Model):
    """A number of equal modules of a sub-center."""

    class_: str = Field(alias="class")
    """Name of a module class."""
    count: Count
    """Modules."""
    age: Age | None = None
    """Age of these modules at the start (default: mission.age)."""


class SubCenter(Model):
    """Part of the plant that flies as one."""

    name: str
    """Name."""
    phase: Angle = as_written("0 deg")
    """Lead along the orbit."""
    modules: tuple[ModuleGroup, ...] = Field(min_length=1)
    """Modules by class."""

    @property
    def module_count(self) -> int:
        """Modules of all classes."""
        return sum(group.count for group in self.modules)


class Interconnect(Model):
    """What modules share. By default each has its own bus and its own coolant loop."""

    bus: Literal["module", "sub_center", "plant"] = "module"
    """Whose arrays, batteries and loads are on one bus; the cables between modules are taken as free of loss."""
    loop_conductance: Conductance = as_written("0 W/K")
    """Of an exchanger in the supply line of every module, to a heat main of its sub-center; 0: none."""


class Numerics(Model):
    """Accuracy and steps."""

    thermal: Literal["full", "reduced"] = "full"
    """Finite elements, or the reduced model made from them."""
    thermal_step: PositiveDuration = as_written("10 s")
    """Step of panels, coolant and bus; eclipse entry and exit are met exactly."""
    card_step: PositiveDuration = as_written("1 s")
    """Step of the cards."""
    output_interval: PositiveDuration = as_written("60 s")
    """Interval of the results that are kept."""
    shadow: Literal["conical", "cylindrical"] = "conical"
    """Shape of the Earth's shadow."""
    exchange: Literal["surfaces", "none"] = "surfaces"
    """Whether wings and body of a module shade, light and warm each other."""
    tolerance: PositiveFraction = 1e-8
    """Relative residual at which the thermal solver stops."""

    @model_validator(mode="after")
    def _steps(self) -> Numerics:
        if self.card_step > self.thermal_step:
            raise wrong("is longer than thermal_step", f"at most {self.thermal_step:g} s", at=("card_step",))
        ratio = self.thermal_step / self.card_step
        if abs(ratio - round(ratio)) > 1e-9:
            raise wrong(
                "does not divide thermal_step",
                f"{self.thermal_step:g} s over a whole number",
                at=("card_step",),
            )
        if self.output_interval < self.thermal_step:
            raise wrong(
                "is shorter than thermal_step", f"at least {self.thermal_step:g} s", at=("output_interval",)
            )
        return self
