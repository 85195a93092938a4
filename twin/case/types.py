"""The kinds of quantity that a case file holds, as types for model fields.

Every type is a float in SI units once parsed. `Annotated[float, LENGTH.above("0 m")]` makes a bounded one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from twin.case.quantities import Quantity, parse_number_and_unit

LENGTH = Quantity("length", "m", "2.5 m", ("km", "m", "mm"))
AREA = Quantity("area", "m**2", "9.6 m2", ("m2", "cm2"))
DURATION = Quantity("duration", "s", "10 s", ("yr", "d", "h", "min", "s"))
MASS = Quantity("mass", "kg", "12 kg", ("kg", "g"))
POWER = Quantity("power", "W", "700 W", ("MW", "kW", "W"))
ENERGY = Quantity("energy", "J", "7 kWh", ("MWh", "kWh", "Wh", "J"))
TEMPERATURE = Quantity("temperature", "K", "60 degC", ("degC",))
TEMPERATURE_DIFFERENCE = Quantity("temperature difference", "K", "5 K", ("K",), difference=True)
PRESSURE = Quantity("pressure", "Pa", "25 bar", ("bar", "kPa", "Pa"))
FLUX = Quantity("flux", "W/m**2", "1361 W/m2", ("W/m2",))
MASS_FLOW = Quantity("mass flow", "kg/s", "0.12 kg/s", ("kg/s", "g/s"))
DENSITY = Quantity("density", "kg/m**3", "2700 kg/m3", ("kg/m3",))
CONDUCTIVITY = Quantity("thermal conductivity", "W/m/K", "167 W/m/K", ("W/m/K",))
SPECIFIC_HEAT = Quantity("specific heat", "J/kg/K", "896 J/kg/K", ("J/kg/K",))
HEAT_CAPACITY = Quantity("heat capacity", "J/K", "20 kJ/K", ("MJ/K", "kJ/K", "J/K"))
AREAL_HEAT_CAPACITY = Quantity("areal heat capacity", "J/m**2/K", "3 kJ/m2/K", ("kJ/m2/K", "J/m2/K"))
CONDUCTANCE = Quantity("thermal conductance", "W/K", "50 W/K", ("kW/K", "W/K"))
AREAL_CONDUCTANCE = Quantity("areal thermal conductance", "W/m**2/K", "200 W/m2/K", ("W/m2/K",))
THERMAL_RESISTANCE = Quantity("thermal resistance", "K/W", "0.03 K/W", ("K/W",))
TEMPERATURE_COEFFICIENT = Quantity("temperature coefficient", "1/K", "-0.22 %/K", ("%/K",))
VOLTAGE = Quantity("voltage", "V", "100 V", ("kV", "V", "mV"))
VOLTAGE_SLOPE = Quantity("voltage per temperature", "V/K", "-6.2 mV/K", ("mV/K",))
CURRENT = Quantity("current", "A", "25 A", ("kA", "A", "mA"))
ROOT_RATE = Quantity("rate per root of time", "1/s**0.5", "1.2e-5 1/s**0.5", ("1/s**0.5",))
LOSS_RATE = Quantity("loss rate", "1/s", "0.5 %/yr", ("%/yr",))
EVENT_RATE = Quantity("rate of events", "1/s", "11 %/yr", ("%/yr",))
RESISTANCE = Quantity("electrical resistance", "ohm", "3 mohm", ("ohm", "mohm"))
CHARGE = Quantity("charge", "A*s", "50 Ah", ("Ah",))
SPECIFIC_ENERGY = Quantity("specific energy", "J/kg", "160 Wh/kg", ("Wh/kg", "J/kg"))
FREQUENCY = Quantity("frequency", "Hz", "1980 MHz", ("GHz", "MHz", "kHz", "Hz"))
DATA_RATE = Quantity("data rate", "bit/s", "10 Gbit/s", ("Tbit/s", "Gbit/s", "Mbit/s", "bit/s"))
FLUENCE = Quantity("fluence", "1/m**2", "1e15 1/cm2", ("1/cm2",))
FLUENCE_RATE = Quantity("fluence per time", "1/m**2/s", "3e12 1/cm2/yr", ("1/cm2/yr",))
MOLAR_ENERGY = Quantity("energy per mole", "J/mol", "30 kJ/mol", ("kJ/mol", "J/mol"))
ANGLE = Quantity("angle", "rad", "90 deg", ("deg",))
RATIO = Quantity("ratio", "", "0.85")
NUMBER = Quantity("number", "", "1.5")


Count = Annotated[int, Field(gt=0, strict=True)]
WholeNumber = Annotated[int, Field(ge=0, strict=True)]
Length = Annotated[float, LENGTH.at_least("0 m")]
PositiveLength = Annotated[float, LENGTH.above("0 m")]
Area = Annotated[float, AREA.at_least("0 m2")]
PositiveArea = Annotated[float, AREA.above("0 m2")]
Duration = Annotated[float, DURATION.at_least("0 s")]
PositiveDuration = Annotated[float, DURATION.above("0 s")]
Mass = Annotated[float, MASS.at_least("0 kg")]
PositiveMass = Annotated[float, MASS.above("0 kg")]
Power = Annotated[float, POWER.at_least("0 W")]
PositivePower = Annotated[float, POWER.above("0 W")]
Energy = Annotated[float, ENERGY.at_least("0 J")]
PositiveEnergy = Annotated[float, ENERGY.above("0 J")]
Temperature = Annotated[float, TEMPERATURE.above("0 K")]
TemperatureDifference = Annotated[float, TEMPERATURE_DIFFERENCE.at_least("0 K")]
Pressure = Annotated[float, PRESSURE.at_least("0 Pa")]
PositivePressure = Annotated[float, PRESSURE.above("0 Pa")]
Flux = Annotated[float, FLUX.at_least("0 W/m2")]
PositiveMassFlow = Annotated[float, MASS_FLOW.above("0 kg/s")]
PositiveDensity = Annotated[float, DENSITY.above("0 kg/m3")]
PositiveConductivity = Annotated[float, CONDUCTIVITY.above("0 W/m/K")]
PositiveSpecificHeat = Annotated[float, SPECIFIC_HEAT.above("0 J/kg/K")]
PositiveHeatCapacity = Annotated[float, HEAT_CAPACITY.above("0 J/K")]
PositiveArealHeatCapacity = Annotated[float, AREAL_HEAT_CAPACITY.above("0 J/m2/K")]
Conductance = Annotated[float, CONDUCTANCE.at_least("0 W/K")]
PositiveConductance = Annotated[float, CONDUCTANCE.above("0 W/K")]
PositiveArealConductance = Annotated[float, AREAL_CONDUCTANCE.above("0 W/m2/K")]
PositiveThermalResistance = Annotated[float, THERMAL_RESISTANCE.above("0 K/W")]
TemperatureCoefficient = Annotated[float, TEMPERATURE_COEFFICIENT]
PositiveVoltage = Annotated[float, VOLTAGE.above("0 V")]
PositiveCurrent = Annotated[float, CURRENT.above("0 A")]
PositiveResistance = Annotated[float, RESISTANCE.above("0 ohm")]
PositiveCharge = Annotated[float, CHARGE.above("0 Ah")]
PositiveSpecificEnergy = Annotated[float, SPECIFIC_ENERGY.above("0 Wh/kg")]
PositiveFrequency = Annotated[float, FREQUENCY.above("0 Hz")]
DataRate = Annotated[float, DATA_RATE.at_least("0 bit/s")]
Fluence = Annotated[float, FLUENCE.at_least("0 1/m2")]
FluenceRate = Annotated[float, FLUENCE_RATE.at_least("0 1/cm2/yr")]
MolarEnergy = Annotated[float, MOLAR_ENERGY.at_least("0 J/mol")]
Angle = Annotated[float, ANGLE.at_least("-360 deg").up_to("360 deg")]
Fraction = Annotated[float, RATIO.at_least("0").up_to("1")]
PositiveFraction = Annotated[float, RATIO.above("0").up_to("1")]
WeakFraction = Annotated[float, RATIO.at_least("0").up_to("0.99")]
PositiveNumber = Annotated[float, NUMBER.above("0")]
NonNegativeNumber = Annotated[float, NUMBER.at_least("0")]
Number = Annotated[float, NUMBER]


class _LocalTime:
    """Local time of the ascending node: `18:00`, `06:30`, `18 h`; hours in [0, 24)."""

    expected = "a local time such as 18:00 or 18 h"

    def parse(self, value: object) -> float:
        hours = self._hours(value)
        if hours is None or not 0.0 <= hours < 24.0:
            raise PydanticCustomError(
                "quantity",
                "{problem}",
                {"problem": "is not a local time", "expected": self.expected, "fix": "write 18:00"},
            )
        return hours

    @staticmethod
    def _hours(value: object) -> float | None:
        if not isinstance(value, str):
            return None
        parts = value.split(":")
        if 2 <= len(parts) <= 3:
            if not all(part.isdecimal() for part in parts) or any(int(part) > 59 for part in parts[1:]):
                return None
            return sum(int(part) / 60**power for power, part in enumerate(parts))
        number = parse_number_and_unit(value)
        return number[0] if number and number[1] in ("h", "hr", "hour", "hours") else None

    @staticmethod
    def format(hours: float) -> str:
        seconds = round(hours * 3600.0)
        text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}"
        return text if seconds % 60 == 0 else f"{text}:{seconds % 60:02d}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def serialise(value: float, info: Any) -> Any:
            return self.format(value) if info.mode == "json" and not isinstance(value, str) else value

        return core_schema.no_info_plain_validator_function(
            self.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(serialise, info_arg=True),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "examples": ["18:00", "06:30", "18 h"], "x-quantity": self.expected}


class _Instant:
    """A UTC date and time; text without a zone is UTC."""

    expected = "a date and time in UTC such as 2026-06-21T00:00:00Z"

    def parse(self, value: object) -> datetime:
        try:
            instant = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        except ValueError:
            instant = None
        if instant is None or isinstance(value, bool | int | float):
            raise self._error("is not a date and time")
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=UTC)
        instant = instant.astimezone(UTC)
        if not 1960 <= instant.year < 2100:
            raise self._error("is outside the years 1960 to 2099 for which the orbit and Sun models hold")
        return instant

    def _error(self, problem: str) -> PydanticCustomError:
        return PydanticCustomError(
            "quantity", "{problem}", {"problem": problem, "expected": self.expected, "fix": ""}
        )

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def serialise(value: datetime, info: Any) -> Any:
            return value.isoformat().replace("+00:00", "Z") if info.mode == "json" else value

        return core_schema.no_info_plain_validator_function(
            self.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(serialise, info_arg=True),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "examples": ["2026-06-21T00:00:00Z"], "x-quantity": self.expected}


LocalTime = Annotated[float, _LocalTime()]
"""Hours after local midnight."""

Instant = Annotated[datetime, _Instant()]
"""Aware datetime in UTC."""


class OrbitCount(float):
    """A duration counted in orbits; it becomes seconds once the orbit's period is known."""


class _DurationOrOrbits:
    """`24 h` or `3 orbits`."""

    expected = "a duration above 0 s such as 24 h or 3 orbits"
    seconds = DURATION.above("0 s").up_to("100 yr")

    def parse(self, value: object) -> timedelta | OrbitCount:
        if isinstance(value, OrbitCount | timedelta):
            return value
        if isinstance(value, str):
            parts = parse_number_and_unit(value)
            if parts is not None and parts[1] in ("orbit", "orbits"):
                if not 0.0 < parts[0] < 1e6:
                    raise self._error("is out of range", "")
                return OrbitCount(parts[0])
        try:
            return timedelta(seconds=self.seconds.parse(value))
        except PydanticCustomError as error:
            context = error.context or {}
            raise self._error(str(context.get("problem", "")), str(context.get("fix", ""))) from None

    def _error(self, problem: str, fix: str) -> PydanticCustomError:
        return PydanticCustomError(
            "quantity", "{problem}", {"problem": problem, "expected": self.expected, "fix": fix}
        )

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def serialise(value: timedelta | OrbitCount, info: Any) -> Any:
            if info.mode != "json" or isinstance(value, str):
                return value
            if isinstance(value, OrbitCount):
                return f"{float(value):g} orbits"
            return self.seconds.format(value.total_seconds())

        return core_schema.no_info_plain_validator_function(
            self.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(serialise, info_arg=True),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "examples": ["24 h", "3 orbits"], "x-quantity": self.expected}


DurationOrOrbits = Annotated[timedelta | OrbitCount, _DurationOrOrbits()]
