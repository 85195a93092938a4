"""Physical quantities of a case file: text with a unit in, SI float out, and back.

Units are parsed here and nowhere else. A quantity is written as one scalar, `750 km`, `0.12 kg/s`,
`60 degC`, `6 kW`; inside the program it is a float in the SI unit of its kind. A bare number is accepted
for dimensionless kinds only, because `altitude: 750` is how a unit mistake begins.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pint
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

__all__ = ["Quantity", "parse_number_and_unit"]

# The units of case files. A short list loads in milliseconds and leaves no room for surprises: in a full
# unit registry `C` is a coulomb and `h` may be Planck's constant.
_DEFINITIONS = """
kilo- = 1e3 = k-
mega- = 1e6 = M-
giga- = 1e9 = G-
tera- = 1e12 = T-
centi- = 1e-2 = c-
milli- = 1e-3 = m-
micro- = 1e-6 = µ- = μ- = u-
nano- = 1e-9 = n-
meter = [length] = m = metre
second = [time] = s = sec
gram = [mass] = g
ampere = [current] = A
kelvin = [temperature]; offset: 0 = K
degree_Celsius = kelvin; offset: 273.15 = degC = celsius = Celsius
degree_Fahrenheit = 5 / 9 * kelvin; offset: 233.15 + 200 / 9 = degF
bit = [information]
mole = [substance] = mol
radian = []  = rad
degree = 0.017453292519943295 radian = deg
percent = 0.01 = pct
inch = 2.54 cm = in
foot = 12 inch = ft
liter = 1e-3 meter ** 3 = L = litre = l
pound = 0.45359237 kilogram = lb
tonne = 1000 kilogram = t
minute = 60 second = min
hour = 60 minute = h = hr
day = 24 hour = d
week = 7 day
year = 365.25 day = yr = a
hertz = 1 / second = Hz
rpm = 1 / minute
newton = kilogram * meter / second ** 2 = N
pascal = newton / meter ** 2 = Pa
bar = 1e5 pascal
psi = 6894.757293168361 pascal
joule = newton * meter = J
watt = joule / second = W
watt_hour = watt * hour = Wh
electron_volt = 1.602176634e-19 joule = eV
coulomb = ampere * second
ampere_hour = ampere * hour = Ah
volt = watt / ampere = V
ohm = volt / ampere = Ω = Ohm
gray = joule / kilogram = Gy
rad_dose = 0.01 gray = rads
byte = 8 bit = B
"""

_NUMBER = re.compile(r"^\s*([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*$", re.DOTALL)
_ABBREVIATED_POWER = re.compile(r"([A-Za-z])(-?\d+)")
_JUXTAPOSED = re.compile(r"(?<=[\w)])\s+(?=[\w(])")
_SUPERSCRIPTS = str.maketrans({"²": "**2", "³": "**3", "·": "*", "⋅": "*", "×": "*", "^": "**"})


@cache
def _registry() -> pint.UnitRegistry:
    return pint.UnitRegistry(_DEFINITIONS.strip().splitlines(), autoconvert_offset_to_baseunit=False)


@cache
def _unit(text: str) -> pint.Unit:
    """Parse a unit expression as people write it: `W/m2/K`, `W/(m² K)`, `%/K`, `°C`."""
    cleaned = text.replace("°C", "degC").replace("℃", "degC").replace("°F", "degF").replace("°", "deg")
    cleaned = cleaned.replace("%", "percent").translate(_SUPERSCRIPTS)
    if not re.fullmatch(r"[\w\s*/().,µμΩ+-]*", cleaned) or len(cleaned) > 60:
        raise ValueError(text)
    cleaned = _ABBREVIATED_POWER.sub(r"\1**\2", cleaned)
    cleaned = _JUXTAPOSED.sub("*", cleaned)
    try:
        return _registry().parse_units(cleaned)
    except Exception as error:  # pint raises tokenizer, syntax and its own errors for malformed text
        raise ValueError(text) from error


def parse_number_and_unit(text: str) -> tuple[float, str] | None:
    """Split `750 km` into 750.0 and `km`; None where the text does not begin with a number."""
    match = _NUMBER.match(text)
    if match is None:
        return None
    return float(match[1].replace("_", "")), match[2]


@dataclass(frozen=True)
class Quantity:
    """Annotation that makes a pydantic float field a physical quantity.

    Parameters
    ----------
    kind : str
        What it is, as said in a message: `length`.
    unit : str
        SI unit of the parsed float; empty for a dimensionless kind.
    example : str
        How a user writes it: `750 km`.
    display : tuple of str
        Units for people, largest first; the first in which the number is at least 1 is used.
    low, high : str or None
        Bounds, written as quantities; `low_open` excludes the bound itself.
    """

    kind: str
    unit: str
    example: str
    display: tuple[str, ...] = ()
    low: str | None = None
    high: str | None = None
    low_open: bool = False
    difference: bool = field(default=False, kw_only=True)

    def above(self, low: str) -> Quantity:
        """Return this kind with an excluded lower bound."""
        return replace(self, low=low, low_open=True)

    def at_least(self, low: str) -> Quantity:
        """Return this kind with an included lower bound."""
        return replace(self, low=low, low_open=False)

    def up_to(self, high: str) -> Quantity:
        """Return this kind with an included upper bound."""
        return replace(self, high=high)

    def such_as(self, example: str) -> Quantity:
        """Return this kind with another example."""
        return replace(self, example=example)

    @property
    def expected(self) -> str:
        """What a value must be, in words."""
        article = "an" if self.kind[0] in "aeiou" else "a"
        text = f"{article} {self.kind}"
        if self.low is not None and self.high is not None:
            words = ("above", "up to") if self.low_open else ("from", "to")
            text += f" {words[0]} {self.low} {words[1]} {self.high}"
        elif self.low is not None:
            text += f" above {self.low}" if self.low_open else f" of at least {self.low}"
        elif self.high is not None:
            text += f" of at most {self.high}"
        return f"{text}, such as {self.example}"

    def parse(self, value: object) -> float:
        """Turn what the file says into an SI float.

        Raises
        ------
        pydantic_core.PydanticCustomError
            With `expected` and `fix` in its context.
        """
        si = self._to_si(value)
        if not math.isfinite(si):
            raise self._error("is not a finite number", "")
        for bound, wrong in (
            (self.low, lambda b: si <= b if self.low_open else si < b),
            (self.high, lambda b: si > b),
        ):
            if bound is not None and wrong(self._to_si(bound)):
                raise self._error("is out of range", "")
        return si

    def _to_si(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise self._error("is not a number with a unit" if self.unit else "is not a number", "")
        if isinstance(value, int | float):
            if self.unit:
                raise self._error("has no unit", f"write {value:g} {self._customary_unit}")
            return float(value)
        parts = parse_number_and_unit(value)
        if parts is None:
            what = "is not a number with a unit" if self.unit else "is not a number"
            raise self._error(what, f"write for example {self.example}")
        number, unit_text = parts
        if not unit_text:
            if self.unit:
                raise self._error("has no unit", f"write {value.strip()} {self._customary_unit}")
            return number
        return self._convert(number, unit_text)

    def _convert(self, number: float, unit_text: str) -> float:
        try:
            unit = _unit(unit_text)
        except ValueError:
            fix = f"write {number:g} degC" if unit_text in ("C", "c") and self.unit == "K" else ""
            raise self._error(f"has an unknown unit '{unit_text}'", fix or self._units_hint()) from None
        registry = _registry()
        target = _unit(self.unit) if self.unit else registry.Unit("")
        if not unit.is_compatible_with(target):
            dimension = _dimension_name(unit)
            raise self._error(f"is {dimension}, not {_article(self.kind)}", self._units_hint())
        if self.difference and "degree_" in str(unit):
            raise self._error("is a temperature, not a temperature difference", f"write {number:g} K")
        return float(registry.Quantity(number, unit).to(target).magnitude)

    @property
    def _customary_unit(self) -> str:
        parts = parse_number_and_unit(self.example)
        return parts[1] if parts else self.unit

    def _units_hint(self) -> str:
        return f"write for example {self.example}"

    def _error(self, problem: str, fix: str) -> PydanticCustomError:
        return PydanticCustomError(
            "quantity", "{problem}", {"problem": problem, "expected": self.expected, "fix": fix}
        )

    def format(self, si: float) -> str:
        """Write an SI float for people, exactly: parsing the text gives the same float back."""
        if not self.unit:
            return repr(si)
        candidates = self.display or (self.unit,)
        for unit in candidates:
            magnitude = _from_si(si, self.unit, unit)
            if abs(magnitude) >= 0.9999999 or unit == candidates[-1] or self.unit == "K":
                for precision in (6, 9, 12, 15, 17):
                    text = f"{magnitude:.{precision}g} {unit}"
                    if self._to_si(text) == si:
                        return text
        return f"{si!r} {self.unit}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(
                _serialise_with(self), info_arg=True, when_used="always"
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        if self.unit:
            text: JsonSchemaValue = {"type": "string", "pattern": r"^\s*[+-]?[0-9._]+([eE][+-]?[0-9]+)?\s*\S"}
        else:
            text = {"type": ["number", "string"]}
        return {**text, "x-quantity": self.expected, "examples": [self.example]}


def _serialise_with(quantity: Quantity) -> Any:
    def serialise(value: float, info: Any) -> Any:
        # Python mode keeps SI floats; JSON mode writes what a case file would say.
        if info.mode != "json" or isinstance(value, str):
            return value
        return quantity.format(value) if quantity.unit else value

    return serialise


def _from_si(si: float, unit: str, display: str) -> float:
    registry = _registry()
    return float(registry.Quantity(si, _unit(unit)).to(_unit(display)).magnitude)


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


_DIMENSION_NAMES = {
    "m": "length",
    "m**2": "area",
    "m**3": "volume",
    "s": "time",
    "kg": "mass",
    "K": "temperature",
    "A": "current",
    "V": "voltage",
    "ohm": "resistance",
    "W": "power",
    "J": "energy",
    "Pa": "pressure",
    "kg/s": "mass flow",
    "m/s": "speed",
    "1/s": "frequency",
    "W/K": "conductance",
    "K/W": "thermal resistance",
    "J/K": "heat capacity",
    "W/m**2": "flux",
    "J/kg": "specific energy",
    "A*s": "charge",
    "bit": "data size",
    "bit/s": "data rate",
}


def _dimension_name(unit: pint.Unit) -> str:
    for text, name in _DIMENSION_NAMES.items():
        if unit.is_compatible_with(_unit(text)):
            return _article(name)
    return "dimensionless" if unit.dimensionless else f"in '{unit:~C}'"
