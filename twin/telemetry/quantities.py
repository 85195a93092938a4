"""The table of everything a plant reports: adding a quantity to telemetry is one line here.

Ranges, noise and rates are those of the sensor, as multiples of a scale of the module's class (its rated
flow, its card power, …), so that they need no numbers in the case. Noise is that of good flight sensors and
assumed: 0.1 K for temperatures, 0.5 % of full scale for flow, 0.2 % for power, voltage and current.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Literal

__all__ = [
    "ARRAY_MODES",
    "BATTERY_MODES",
    "CARD_MODES",
    "PACKETS",
    "QUANTITIES",
    "ArrayMode",
    "BatteryMode",
    "CardMode",
    "PacketKind",
    "Quantity",
    "Scale",
    "Scope",
    "packet_of",
    "quantity",
]

type Scope = Literal["module", "sub_center", "plant"]
type Scale = Literal[
    "one", "array_power", "array_voltage", "array_current", "load_power", "card_power", "pump_power",
    "mass_flow", "pressure", "bus_voltage", "battery_current", "battery_voltage", "cards", "relay_power", "link_rate",
]  # fmt: skip


class ArrayMode(IntEnum):
    """What the solar array does."""

    DARK = 0
    TRACKING = 1
    CURTAILED = 2


class BatteryMode(IntEnum):
    """What the battery does."""

    IDLE = 0
    CHARGING = 1
    DISCHARGING = 2


class CardMode(IntEnum):
    """What holds the cards of a module back most."""

    FREE = 0
    POWER = 1
    HEAT = 2
    CARDS = 3
    LINK = 4


def _labels(modes: type[IntEnum]) -> Mapping[int, str]:
    return MappingProxyType({int(mode): mode.name.lower() for mode in modes})


ARRAY_MODES = _labels(ArrayMode)
BATTERY_MODES = _labels(BatteryMode)
CARD_MODES = _labels(CardMode)


@dataclass(frozen=True)
class Quantity:
    """One line of the table.

    Attributes
    ----------
    name : str
        As in `twin.result_variables` where it is there too.
    unit : str
        SI, as UDUNITS writes it.
    long_name : str
        What it is, in words.
    statistic : str
        ``point`` or ``mean`` over the sampling period for one sensor; what is taken over cards or modules
        otherwise: ``p50``, ``p99``, ``max``, ``min``, ``sum``.
    scale : Scale
        What the numbers below are multiples of.
    low, high : float
        Range of the sensor: what is outside is no reading.
    noise : float
        Standard deviation of one reading.
    bias : float
        Standard deviation of the calibration error of a sensor.
    rate : float
        Largest credible change per second.
    modes : mapping of int to str
        Names of the values of a mode, empty for a measured quantity.
    """

    name: str
    unit: str
    long_name: str
    statistic: str = "point"
    scale: Scale = "one"
    low: float = -math.inf
    high: float = math.inf
    noise: float = 0.0
    bias: float = 0.0
    rate: float = math.inf
    modes: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_mode(self) -> bool:
        """Whether it is a named state and no number."""
        return bool(self.modes)


@dataclass(frozen=True)
class PacketKind:
    """Quantities that travel together.

    Attributes
    ----------
    name : str
    number : int
        In the application process identifier, see `twin.telemetry.layout`.
    scope : {"module", "sub_center", "plant"}
        Of what there is one packet per period.
    quantities : tuple of Quantity
        Measured ones first, then modes.
    """

    name: str
    number: int
    scope: Scope
    quantities: tuple[Quantity, ...]


def _temperature(name: str, words: str, rate: float) -> Quantity:
    # Platinum resistance thermometers.
    return Quantity(
        f"{name}_temperature", "K", f"temperature of {words}", low=150.0, high=450.0,
        noise=0.1, bias=0.1, rate=rate,
    )  # fmt: skip


def _junction(statistic: str, words: str) -> Quantity:
    # On-chip sensors; cards heat up by 30 K in seconds when work comes.
    return Quantity(
        f"junction_temperature_{statistic}", "K", f"{words} junction temperature of the cards", statistic,
        low=200.0, high=450.0, noise=0.2, bias=0.2, rate=60.0,
    )  # fmt: skip


def _power(name: str, words: str, scale: Scale, low: float = -0.02) -> Quantity:
    return Quantity(
        name, "W", words, "mean", scale, low=low, high=1.5, noise=0.002, bias=0.001, rate=1.0
    )  # fmt: skip


def _share(name: str, words: str, noise: float = 0.0, statistic: str = "mean") -> Quantity:
    return Quantity(name, "1", words, statistic, low=-0.05, high=1.05, noise=noise, rate=1.0)


def _mode(name: str, words: str, modes: Mapping[int, str]) -> Quantity:
    return Quantity(name, "1", words, low=0.0, high=float(max(modes)), modes=modes)


_THERMAL = (
    _temperature("coolant_supply", "the coolant at the inlet of the cold plates", 2.0),
    _temperature("coolant_return", "the coolant at the inlet of the radiator", 2.0),
    _temperature("radiator_outlet", "the coolant at the outlet of the radiator", 2.0),
    _temperature("panel_inlet", "a radiator panel near the inlet manifold, between two tubes", 2.0),
    _temperature("panel_middle", "a radiator panel in its middle, between two tubes", 2.0),
    _temperature("panel_outlet", "a radiator panel near the outlet manifold, between two tubes", 2.0),
    _temperature("cold_plate", "the metal of the cold plates", 2.0),
    _temperature("body", "the structure", 0.2),
    _temperature("battery", "the battery", 0.2),
    _temperature("solar_array", "the solar cells", 5.0),
    Quantity("coolant_mass_flow", "kg s-1", "coolant through the cold plates", scale="mass_flow",
             low=-0.05, high=1.5, noise=0.005, bias=0.003, rate=0.5),
    Quantity("coolant_pressure", "Pa", "coolant at the pump outlet", scale="pressure",
             low=0.0, high=2.0, noise=0.001, bias=0.001, rate=0.5),
    _share("bypass_fraction", "share of the coolant past the radiator, from the valve's position", 0.002, "point"),
)  # fmt: skip

_POWER = (
    Quantity("bus_voltage", "V", "voltage of the bus", scale="bus_voltage",
             low=0.0, high=1.5, noise=0.001, bias=0.001, rate=1.0),
    Quantity("solar_array_voltage", "V", "voltage of the array's strings at their terminals", scale="array_voltage",
             low=-0.05, high=2.0, noise=0.002, bias=0.001, rate=1.0),
    Quantity("solar_array_current", "A", "current of the solar array", "mean", "array_current",
             low=-0.05, high=2.0, noise=0.002, bias=0.001, rate=1.0),
    _power("solar_power", "power delivered by the solar array", "array_power"),
    Quantity("battery_soc", "1", "battery state of charge", low=-0.01, high=1.01, noise=0.002, bias=0.002, rate=0.01),
    Quantity("battery_voltage", "V", "battery voltage", scale="battery_voltage",
             low=0.0, high=2.0, noise=0.001, bias=0.001, rate=0.5),
    Quantity("battery_current", "A", "battery current, positive when discharging", "mean", "battery_current",
             low=-2.0, high=2.0, noise=0.002, bias=0.001, rate=2.0),
    _power("load_power", "power supplied to all loads", "load_power"),
    _power("pump_power", "power of the coolant pump", "pump_power"),
    _power("relay_power", "power of the relay terminals", "relay_power"),
    _mode("array_mode", "what the solar array does", ARRAY_MODES),
    _mode("battery_mode", "what the battery does", BATTERY_MODES),
)  # fmt: skip

_CARDS = (
    _power("card_power", "power drawn by the cards", "card_power"),
    Quantity("card_power_cap", "W", "cap on the power of the cards", scale="card_power", low=0.0, high=2.0),
    _share("card_clock", "mean clock of the cards over their full clock"),
    _junction("p50", "median"),
    _junction("p99", "99th percentile of the"),
    _junction("max", "highest"),
    _share("throttled_fraction_thermal", "share of card time slowed by temperature"),
    _share("throttled_fraction_power", "share of card time slowed by the power cap"),
    _share("throughput_fraction", "work done relative to unthrottled cards"),
    Quantity("cards_running", "1", "cards that are on", "sum", "cards", low=0.0, high=1.0),
    _mode("card_mode", "what holds the cards back", CARD_MODES),
)

_SUB_CENTER = (
    Quantity("illuminated_fraction", "1", "visible share of the Sun, from the Sun sensors", low=-0.05, high=1.05,
             noise=0.005, rate=1.0),
    _power("solar_power", "power delivered by all solar arrays", "array_power"),
    _power("load_power", "power supplied to all loads", "load_power"),
    _power("card_power", "power drawn by all cards", "card_power"),
    Quantity("link_rate", "bit s-1", "rate of the relay links that are up", "mean", "link_rate", low=0.0, high=2.0),
    Quantity("module_count", "1", "modules that report", "sum", low=0.0, high=65535.0),
)  # fmt: skip

_PLANT = (
    *(Quantity(f"position_{axis}", "m", f"inertial position of the first sub-center (TEME), {axis}",
               low=-1e8, high=1e8, noise=10.0, bias=0.0, rate=1e4) for axis in "xyz"),
    *(Quantity(f"velocity_{axis}", "m s-1", f"inertial velocity of the first sub-center (TEME), {axis}",
               low=-1e4, high=1e4, noise=0.01, bias=0.0, rate=20.0) for axis in "xyz"),
    _power("solar_power", "power delivered by all solar arrays", "array_power"),
    _power("load_power", "power supplied to all loads", "load_power"),
)  # fmt: skip

PACKETS: tuple[PacketKind, ...] = (
    PacketKind("thermal", 1, "module", _THERMAL),
    PacketKind("power", 2, "module", _POWER),
    PacketKind("cards", 3, "module", _CARDS),
    PacketKind("sub_center", 4, "sub_center", _SUB_CENTER),
    PacketKind("plant", 5, "plant", _PLANT),
)

QUANTITIES: tuple[tuple[PacketKind, Quantity], ...] = tuple(
    (kind, line) for kind in PACKETS for line in kind.quantities
)
"""All lines with the packet they are in; the same name may be there for modules, sub-centers and plant."""


def packet_of(name: str, scope: Scope = "module") -> PacketKind:
    """Return the packet that carries a quantity.

    Raises
    ------
    ValueError
        If there is no such quantity; the message names the nearest one.
    """
    for kind, line in QUANTITIES:
        if kind.scope == scope and line.name == name:
            return kind
    from twin.case.nearest import suggestion

    known = [line.name for kind, line in QUANTITIES if kind.scope == scope]
    hint = suggestion(name, known)
    raise ValueError(
        f"telemetry: no quantity {name!r} of a {scope}; expected one of {', '.join(known)}"
        + (f" ({hint})" if hint else "")
    )


def quantity(name: str, scope: Scope = "module") -> Quantity:
    """Return the line of a quantity.

    Raises
    ------
    ValueError
        If there is no such quantity; the message names the nearest one.
    """
    return next(line for line in packet_of(name, scope).quantities if line.name == name)
