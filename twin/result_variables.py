"""The table of everything a result can hold: adding a variable to ``result.zarr`` is one line here.

Units are written as CF/UDUNITS strings. Powers and fluxes are means over the tick that *ends* at the time
stamp (``cell_methods = "time: mean"``); temperatures, states of charge and cumulative energies are values at
the time stamp (``"time: point"``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Literal

type Sampling = Literal["mean", "point", "static"]

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "plant": (),
        "sub_center": ("sub_center",),
        "module": ("sub_center", "module"),
        "card": ("sub_center",),
        "ledger": (),
        "orbit": (),
    }
)
"""Dimensions of each group beside time."""

AXES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "direction": ("1", "Cartesian component"),
        "quantile": ("1", "quantile over the cards"),
        "junction_temperature_bin": ("K", "centre of the junction temperature bin"),
        "card_power_bin": ("W", "centre of the card power bin"),
    }
)
"""Further axes that a variable may have: name -> (units, long name)."""


@dataclass(frozen=True)
class Variable:
    """One line of the table.

    Attributes
    ----------
    name : str
        Name in the file, CF style.
    units : str
        UDUNITS string.
    long_name : str
        What it is, in words.
    groups : tuple of str
        Groups of the tree in which it may appear.
    sampling : {"mean", "point", "static"}
        Mean over the tick, value at the time stamp, or constant over the run.
    axes : tuple of str
        Axes after the group's own dimensions, from `AXES`.
    dtype : str
        NumPy type in the file; floating, so that absent modules can be NaN.
    """

    name: str
    units: str
    long_name: str
    groups: tuple[str, ...]
    sampling: Sampling = "mean"
    axes: tuple[str, ...] = ()
    dtype: str = "float32"

    def dimensions(self, group: str) -> tuple[str, ...]:
        """Return the dimensions of the variable in `group`, time first."""
        time = () if self.sampling == "static" else ("time",)
        return (*time, *GROUPS[group], *self.axes)

    def attributes(self) -> dict[str, str]:
        """Return the CF attributes of the variable."""
        attributes = {"long_name": self.long_name, "units": self.units}
        if self.sampling != "static":
            attributes["cell_methods"] = f"time: {self.sampling}"
        return attributes


_ALL = ("plant", "sub_center", "module")
_CENTERS = ("plant", "sub_center")
_PLANT = ("plant",)
_ORBIT = ("orbit",)
_BOOKED = ("plant", "module", "ledger")
_DOUBLE = "float64"


def _energy(name: str, long_name: str) -> Variable:
    return Variable(name, "J", long_name, ("ledger",), "point", dtype=_DOUBLE)


def _distribution(name: str, units: str, long_name: str, axis: str, sampling: Sampling) -> Variable:
    return Variable(name, units, long_name, ("card",), sampling, (axis,))


VARIABLES: tuple[Variable, ...] = (
    # Time
    Variable("tick_duration", "s", "length of the tick that ends at this time", ("plant",), dtype=_DOUBLE),
    # Electrical power
    Variable("solar_power", "W", "electrical power delivered by the solar arrays", _ALL),
    Variable("solar_power_available", "W", "electrical power the solar arrays could deliver", _ALL),
    Variable("curtailed_power", "W", "solar power available and not used", _ALL),
    Variable("load_power", "W", "electrical power supplied to all loads", _ALL),
    Variable("load_demand", "W", "electrical power asked for by all loads", _ALL),
    Variable("shed_power", "W", "electrical power asked for and not supplied", _ALL),
    Variable("card_power", "W", "electrical power drawn by the cards", _ALL),
    Variable("overhead_power", "W", "electrical power of hosts, memory and network beside the cards", _ALL),
    Variable("housekeeping_power", "W", "electrical power of avionics, control and heaters", _ALL),
    Variable("pump_power", "W", "electrical power of the coolant pumps", _ALL),
    Variable("relay_power", "W", "electrical power of the optical relay terminals", _ALL),
    Variable("relay_heat", "W", "heat of the optical relay terminals: what does not leave as light", _ALL),
    Variable("conversion_loss", "W", "power lost as heat in converters, harness and battery", _ALL),
    Variable("battery_power", "W", "battery power at the terminals, positive when discharging", _ALL),
    Variable("battery_heat", "W", "heat released inside the batteries", _ALL),
    Variable("battery_soc", "1", "battery state of charge", _ALL, "point"),
    Variable("battery_soc_limit", "1", "lowest state of charge the case allows", _ALL, "static"),
    Variable("battery_margin", "1", "state of charge above the lowest allowed one", _ALL, "point"),
    # Heat and temperature
    Variable("absorbed_power", "W", "environmental power absorbed, converted part included", _ALL),
    Variable("heat_rejected", "W", "net heat that the radiators give off by radiation", _ALL),
    Variable(
        "surface_exchange", "W", "heat the radiators take up from other surfaces of their modules", _ALL
    ),
    Variable("bus_exchange", "W", "power a module gets from others on its bus", ("module",)),
    Variable("loop_exchange", "W", "heat a module's coolant loop gets from those of others", ("module",)),
    Variable("array_shadow_factor", "1", "power of the solar array over that without shadow on it", _ALL),
    Variable("coolant_heat", "W", "heat given by the cards and plates to the coolant", _ALL),
    Variable("coolant_supply_temperature", "K", "coolant temperature at cold-plate inlet", _ALL, "point"),
    Variable("coolant_return_temperature", "K", "coolant temperature at cold-plate outlet", _ALL, "point"),
    Variable("coolant_mass_flow", "kg s-1", "coolant mass flow through the cold plates", _ALL, "point"),
    Variable("bypass_fraction", "1", "share of the coolant that bypasses the radiator", _ALL, "point"),
    Variable("panel_temperature_min", "K", "lowest temperature on the radiator panels", _ALL, "point"),
    Variable("panel_temperature_mean", "K", "area-mean temperature of the radiator panels", _ALL, "point"),
    Variable("panel_temperature_max", "K", "highest temperature on the radiator panels", _ALL, "point"),
    Variable("solar_array_temperature", "K", "mean cell temperature of the solar arrays", _ALL, "point"),
    Variable("battery_temperature", "K", "mean temperature of the batteries", _ALL, "point"),
    Variable("body_temperature", "K", "mean temperature of the module bodies", _ALL, "point"),
    Variable("cold_plate_temperature", "K", "mean temperature of the cold plates", _ALL, "point"),
    Variable("radiator_area", "m2", "radiator area, one face", _ALL, "static"),
    Variable("radiator_margin", "1", "spare share of the heat the radiators can reject", _ALL, "point"),
    Variable("radiator_area_margin", "m2", "radiator area, one face, that could be missing", _ALL, "point"),
    Variable(
        "radiator_temperature_margin", "K", "how much colder the coolant supply could be", _ALL, "point"
    ),
    # Cards and work
    Variable("junction_temperature_p50", "K", "median junction temperature of the cards", _ALL, "point"),
    Variable("junction_temperature_p99", "K", "99th percentile of the junction temperature", _ALL, "point"),
    Variable("junction_temperature_max", "K", "highest junction temperature of the cards", _ALL, "point"),
    Variable("junction_temperature_slowdown", "K", "junction temperature where a card slows", _ALL, "static"),
    Variable("junction_temperature_shutdown", "K", "junction temperature where a card stops", _ALL, "static"),
    Variable("throttled_fraction_thermal", "1", "share of card time slowed or stopped by temperature", _ALL),
    Variable("throttled_fraction_power", "1", "share of card time slowed by the power cap", _ALL),
    Variable("throttled_fraction_cards", "1", "share of card time lost to failed and missing cards", _ALL),
    Variable("throttled_fraction_link", "1", "share of card time spent waiting for data", _ALL),
    Variable("throughput_fraction", "1", "work done relative to unthrottled cards", _ALL),
    *(
        Variable(f"throughput_fraction_{kind}", "1", f"work of {kind} jobs done / asked for", _CENTERS)
        for kind in ("training", "inference", "batch")
    ),
    Variable("work_rate", "1", "work done, in cards at full activity and nominal clock", _ALL),
    # What limits the work, and the link
    *(
        Variable(
            f"limited_fraction_{cause}", "1", f"share of the time that {words} held work back most", _ALL
        )
        for cause, words in (
            ("power", "power"),
            ("heat", "temperature"),
            ("cards", "missing cards"),
            ("link", "the relay link"),
        )
    ),
    Variable("link_rate", "bit s-1", "rate of the relay links that are up", _ALL),
    Variable("link_demand", "bit s-1", "rate that the jobs ask of the relay links", _ALL),
    Variable("telemetry_delay", "s", "age on the ground of the telemetry made now", _CENTERS, "point"),
    # Failures and interrupts, cumulative since the start of the run
    Variable("failed_fraction", "1", "share of the cards that are failed", _ALL),
    Variable("cards_failed", "1", "cards that are failed", _ALL),
    Variable("jobs_interrupted", "1", "interrupts of jobs", _PLANT, "point", dtype=_DOUBLE),
    Variable("lost_work", "s", "card time of work lost to interrupts", _PLANT, "point", dtype=_DOUBLE),
    Variable("silent_errors", "1", "wrong results that nothing reports", _PLANT, "point", dtype=_DOUBLE),
    Variable("card_count", "1", "number of cards", _ALL, "static", dtype=_DOUBLE),
    Variable("module_count", "1", "number of modules", ("plant", "sub_center"), "static", dtype=_DOUBLE),
    Variable("card_power_limit", "W", "sum of the cards' power limits", _ALL, "static"),
    # Distributions over the cards of a sub-center
    _distribution("junction_temperature_quantile", "K", "junction temperature quantile", "quantile", "point"),
    _distribution(
        "junction_temperature_histogram", "1", "cards in the bin", "junction_temperature_bin", "point"
    ),
    _distribution("card_power_quantile", "W", "card power quantile", "quantile", "mean"),
    _distribution("card_power_histogram", "1", "cards in the bin", "card_power_bin", "mean"),
    # Orbit and environment of the first sub-center
    Variable("position", "m", "inertial position (TEME)", _ORBIT, "point", ("direction",), _DOUBLE),
    Variable("velocity", "m s-1", "inertial velocity (TEME)", _ORBIT, "point", ("direction",), _DOUBLE),
    Variable("sun_direction", "1", "inertial unit vector to Sun", _ORBIT, "point", ("direction",), _DOUBLE),
    Variable("sun_distance", "m", "distance to the Sun", _ORBIT, "point", dtype=_DOUBLE),
    Variable("altitude", "m", "height above the equatorial radius", _ORBIT, "point", dtype=_DOUBLE),
    Variable("beta_angle", "rad", "angle between the Sun and the orbit plane", _ORBIT, "point"),
    Variable(
        "illuminated_fraction", "1", "visible fraction of the solar disk", ("orbit", "sub_center"), "point"
    ),
    Variable("solar_flux", "W m-2", "direct solar flux on a plate that faces the Sun", _ORBIT),
    Variable("albedo_flux", "W m-2", "albedo flux on a plate that faces the Earth", _ORBIT),
    Variable("earth_infrared_flux", "W m-2", "Earth infrared flux on a plate that faces the Earth", _ORBIT),
    # Energy ledger, cumulative since the start of the run
    _energy("absorbed_energy", "environmental energy absorbed, converted part included"),
    _energy("emitted_energy", "energy radiated by all surfaces"),
    _energy("exported_energy", "energy sent out by optical terminals"),
    _energy("stored_energy", "rise of stored thermal energy"),
    _energy("battery_energy", "rise of stored chemical energy"),
    _energy("electrical_energy", "energy delivered by the solar arrays"),
    _energy("card_energy", "energy drawn by the cards"),
    Variable("energy_residual", "1", "energy not accounted for / absorbed", _BOOKED, "point", dtype=_DOUBLE),
)

_BY_GROUP: Mapping[str, Mapping[str, Variable]] = MappingProxyType(
    {
        group: MappingProxyType({line.name: line for line in VARIABLES if group in line.groups})
        for group in GROUPS
    }
)


def variables_of(group: str) -> Mapping[str, Variable]:
    """Return the variables that `group` may hold, by name.

    Raises
    ------
    ValueError
        There is no such group.
    """
    if group not in GROUPS:
        raise ValueError(f"result group {group!r}: expected one of {', '.join(GROUPS)}")
    return _BY_GROUP[group]


def find_variable(group: str, name: str) -> Variable:
    """Return the table line of `name` in `group`.

    Raises
    ------
    ValueError
        The table has no such line; the message names the nearest one.
    """
    known = variables_of(group)
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=1)
    hint = f"; nearest is {near[0]!r}" if near else ""
    raise ValueError(f"result variable {group}/{name} is not in twin/result_variables.py{hint}")
