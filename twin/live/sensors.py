"""Sensors of modules: which numbers of the telemetry the model predicts, and how well it can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from twin.group_tick import GroupTick
    from twin.live.group import EnsembleGroup
    from twin.telemetry.dictionary import Dictionary

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sensor:
    """A measured quantity of modules that the model predicts.

    Attributes
    ----------
    name : str
        Of the quantity in the telemetry.
    when : {"point", "mean"}
        Whether a sample is the value at its time or a mean over the time before it.
    error : float
        Standard deviation by which the model may be off for long, in K or as a share of the quantity's scale.
    sunlit : bool
        Whether it jumps when the Sun comes and goes, so that a tick at a contact says nothing.
    """

    name: str
    when: Literal["point", "mean"]
    error: float
    sunlit: bool = False


SENSORS = (
    Sensor("coolant_supply_temperature", "point", 0.05),
    Sensor("coolant_return_temperature", "point", 0.05),
    Sensor("radiator_outlet_temperature", "point", 0.15),
    Sensor("cold_plate_temperature", "point", 0.05),
    Sensor("junction_temperature_p50", "point", 2.5),
    Sensor("body_temperature", "point", 0.1),
    Sensor("battery_temperature", "point", 0.1),
    Sensor("solar_array_temperature", "point", 0.5, sunlit=True),
    Sensor("coolant_mass_flow", "point", 0.001),
    Sensor("bypass_fraction", "point", 0.004),
    Sensor("pump_power", "mean", 0.02),
    Sensor("solar_power", "mean", 0.004, sunlit=True),
    Sensor("load_power", "mean", 0.004, sunlit=True),
    Sensor("battery_soc", "point", 0.003),
    Sensor("battery_current", "mean", 0.01, sunlit=True),
)
"""Voltages and the array's current follow from these. The temperatures on the panels are left out: they are what the
twin can be tested with."""

NAMES = tuple(sensor.name for sensor in SENSORS)

INPUTS = ("card_power", "cards_running", "relay_power")
"""Measured numbers that drive the model."""

EXTRAS = (
    "junction_temperature_p99",
    "junction_temperature_max",
    "throttled_fraction_thermal",
    "throttled_fraction_power",
)
"""Measured numbers that forecasts start from."""

POINT = np.array([sensor.when == "point" for sensor in SENSORS])
SUNLIT = np.array([sensor.sunlit for sensor in SENSORS])
QUICK = SUNLIT | np.isin(NAMES, ("cold_plate_temperature", "junction_temperature_p50"))
"""Sensors that follow the cards or the Sun at once."""

_SAME_PART = (
    ("coolant_mass_flow", "pump_power"),
    ("cold_plate_temperature", "junction_temperature_p50"),
    ("solar_power", "battery_current"),
)
PARTS = np.array(
    [next((-1 - k for k, part in enumerate(_SAME_PART) if name in part), i) for i, name in enumerate(NAMES)]
)
"""Part of the plant that each sensor sees, as a number: pump, cold plates and array have two."""

MEASURED = {
    "coolant_supply_temperature": "supply",
    "coolant_return_temperature": "return",
    "radiator_outlet_temperature": "radiator_outlet",
    "cold_plate_temperature": "cold_plate",
    "body_temperature": "body",
    "battery_temperature": "battery",
    "solar_array_temperature": "array",
}
"""Thermometers and the places of the model that they measure."""


def predict(group: EnsembleGroup, tick: GroupTick) -> Array:
    """Return what the sensors of a group would show after a tick, (module, sensor, member)."""
    flows, battery, thermal = tick.flows, tick.battery, tick.thermal
    values = {name: thermal.temperatures[place] for name, place in MEASURED.items()}
    values |= {
        "junction_temperature_p50": _junction(group, values["cold_plate_temperature"]),
        "coolant_mass_flow": group.mass_flow,
        "bypass_fraction": thermal.bypass_fraction,
        "pump_power": flows.load_supplied["coolant_pump"],
        "solar_power": flows.solar_used,
        "load_power": np.asarray(sum(flows.load_supplied.values())),
        "battery_soc": battery.state.state_of_charge,
        "battery_current": battery.current,
    }
    return np.stack([values[name].reshape(-1, group.members) for name in NAMES], axis=1)


def predict_now(group: EnsembleGroup, before: Array | None = None) -> Array:
    """Return what the point sensors of a group show now; others as `before` or NaN, (module, sensor, member)."""
    thermal = group.now
    shape = (group.module_count, group.members)
    out = np.full((shape[0], len(NAMES), shape[1]), np.nan) if before is None else before.copy()
    for k, name in enumerate(NAMES):
        if name in MEASURED:
            out[:, k] = thermal[MEASURED[name]].reshape(shape)
    junction = _junction(group, thermal["cold_plate"])
    out[:, NAMES.index("junction_temperature_p50")] = junction.reshape(shape)
    out[:, NAMES.index("coolant_mass_flow")] = group.mass_flow.reshape(shape)
    out[:, NAMES.index("bypass_fraction")] = group.thermal.bypass.reshape(shape)
    out[:, NAMES.index("battery_soc")] = group.battery_state.state_of_charge.reshape(shape)
    return out


def _junction(group: EnsembleGroup, plate: Array) -> Array:
    """Median junction temperature: cards of a module share its heat evenly."""
    return plate + group.card.junction_resistance * group.card_heat / group.design.racks.cards


def swing_gain(group: EnsembleGroup) -> Array:
    """Error of each sensor for a watt by which the power of a module's cards changed since the last tick, (sensor,).

    What a thermometer shows at the end of a tick depends on how the change spreads over it, which is not known; the
    shares are those of training jobs with iterations of 20 s in ticks of 10 s (`docs/theory/assimilation.md`). Power
    that is a mean over the tick does not care, unless the array or the battery came to a limit within it.
    """
    d = group.design
    plate = 1.0 / float(group.nominal["plate_conductance"].mean())
    capacity = d.coolant_loop.mass_flow * group.thermal.panel.specific_heat
    gain = {
        "cold_plate_temperature": plate / 6.0,
        "junction_temperature_p50": (plate + group.card.junction_resistance / d.racks.cards) / 2.0,
        "coolant_return_temperature": 0.03 / capacity,
        "solar_power": 0.1,
        "battery_current": 0.1 / d.bus.voltage,
    }
    return np.array([gain.get(name, 0.0) for name in NAMES])


def meter_gain(group: EnsembleGroup) -> Array:
    """Error of each sensor for a watt of noise in the cards' measured power, which drives the model, (sensor,)."""
    gain = {"load_power": 1.0, "solar_power": 1.0, "battery_current": 1.0 / group.design.bus.voltage}
    return np.array([gain.get(name, 0.0) for name in NAMES])


@dataclass(frozen=True, eq=False)
class SensorTable:
    """Where the sensors of a sub-center are among its parameters, and how good they are.

    Attributes
    ----------
    first : int
        First parameter of the sub-center in the dictionary.
    size : int
        Its parameters.
    place : (module, sensor) int array
        Parameter of each sensor, counted from `first`.
    inputs, extras : mapping of str to (module,) int array
    noise, bias : (module, sensor) arrays
        Standard deviation of a reading, and of what stays: calibration and the error of the model.
    residual : (module, sensor) array
        Standard deviation of the error of the model that comes and goes.
    all_noise, low, high, rate : (parameter,) arrays
        Of all parameters of the sub-center.
    steady_noise : (parameter,) array
        Noise of the sensors whose readings within a tick differ by it alone; 0 of those that follow the cards or the
        Sun at once, whose readings may all be honest.
    """

    first: int
    size: int
    place: NDArray[np.int64]
    inputs: dict[str, NDArray[np.int64]]
    extras: dict[str, NDArray[np.int64]]
    noise: Array
    bias: Array
    residual: Array
    all_noise: Array
    low: Array
    high: Array
    rate: Array
    steady_noise: Array

    @classmethod
    def of(cls, dictionary: Dictionary, sub_center: int) -> SensorTable:
        """Find the sensors of a sub-center in a dictionary."""
        span = dictionary.of_sub_center(sub_center)

        def at(name: str) -> NDArray[np.int64]:
            return np.asarray(dictionary.of_quantity(name, "module", sub_center)) - span.start

        place = np.stack([at(name) for name in NAMES], axis=1)
        noise, calibration = dictionary.noise[span], dictionary.bias[span]
        from twin.telemetry.quantities import quantity

        modules = slice(
            int(dictionary.first_module[sub_center]), int(dictionary.first_module[sub_center + 1])
        )
        scale = np.stack([dictionary.scale(quantity(name), "module")[modules] for name in NAMES], axis=1)
        error = np.array([s.error for s in SENSORS]) * scale
        steady = np.zeros_like(noise)
        steady[place[:, ~QUICK]] = noise[place[:, ~QUICK]]
        return cls(
            first=span.start,
            size=span.stop - span.start,
            place=place,
            inputs={name: at(name) for name in INPUTS},
            extras={name: at(name) for name in EXTRAS},
            noise=noise[place],
            bias=np.hypot(calibration[place], error),
            residual=0.25 * error,
            all_noise=noise,
            low=dictionary.low[span],
            high=dictionary.high[span],
            rate=dictionary.rate[span],
            steady_noise=steady,
        )
