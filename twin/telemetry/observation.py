"""What perfect sensors would read: from a tick of the plant to the quantities of its telemetry.

The feed adds the errors of real sensors to these values; the live twin compares its own with what came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.limiting_factor import LIMITS
from twin.plant import Plant
from twin.simulation import Tick
from twin.telemetry.dictionary import Dictionary
from twin.telemetry.layout import PacketLayout
from twin.telemetry.panel_sensors import PanelSensors
from twin.telemetry.quantities import ArrayMode, BatteryMode, CardMode

__all__ = ["PANEL_PLACES", "Observer", "packet_rows", "packet_values", "parameter_vector"]

Floats = NDArray[np.float64]
Values = dict[str, dict[str, Floats]]

PANEL_PLACES = ("panel_inlet_temperature", "panel_middle_temperature", "panel_outlet_temperature")

_SMALL = 1e-3
"""Share of the full power below which an array or battery counts as idle."""

_PLACES = {
    "coolant_supply_temperature": "supply",
    "coolant_return_temperature": "return",
    "radiator_outlet_temperature": "radiator_outlet",
    "cold_plate_temperature": "cold_plate",
    "body_temperature": "body",
    "battery_temperature": "battery",
    "solar_array_temperature": "array",
}

_CARD_MODES = {"power": CardMode.POWER, "heat": CardMode.HEAT, "cards": CardMode.CARDS, "link": CardMode.LINK}


class Observer:
    """Reads the sensors of a plant.

    Parameters
    ----------
    plant : Plant
    dictionary : Dictionary
        Of its case.
    """

    def __init__(self, plant: Plant, dictionary: Dictionary):
        self.plant, self.dictionary = plant, dictionary
        self._panels = [PanelSensors(group) for group in plant.groups]

    def values(self, tick: Tick) -> Values:
        """Return what perfect sensors read at the end of a tick.

        Returns
        -------
        mapping of scope to mapping of quantity to array
            ``module``: (module,) in the order of the plant; ``sub_center``: (sub_center,); ``plant``: (1,). SI.
        """
        module = self.module_values(tick)
        plant, states = self.plant, tick.environment.states
        sums = {
            name: plant.per_sub_center(module[name]) for name in ("solar_power", "load_power", "card_power")
        }
        centers = {
            "illuminated_fraction": np.asarray(tick.environment.illuminated_fraction, dtype=float),
            **sums,
            "link_rate": plant.per_sub_center(np.asarray(tick.relay.rate, dtype=float)),
            "module_count": self.dictionary.modules.astype(float),
        }
        whole = {name: sums[name].sum(keepdims=True) for name in ("solar_power", "load_power")}
        for what in ("position", "velocity"):
            vector = getattr(states, what)[0]
            whole |= {f"{what}_{axis}": vector[i : i + 1] for i, axis in enumerate("xyz")}
        return {"module": module, "sub_center": centers, "plant": whole}

    def module_values(self, tick: Tick) -> dict[str, Floats]:
        """Return the quantities of every module, arrays (module,) in the order of the plant."""
        plant, cards = self.plant, tick.cards

        def each(value: Callable[[Any, Any], Any]) -> Floats:
            rows = [np.broadcast_to(value(g, t), (g.count,)) for g, t in zip(plant.groups, tick.groups)]
            return np.concatenate(rows).astype(float)

        def electrical(group: Any, done: Any) -> Floats:
            """Current of the strings: what the cells give over their voltage, none in the dark."""
            cell, volts = done.array.cell_power, done.point.voltage
            return np.divide(cell, volts, out=np.zeros_like(cell), where=(cell > 0.0) & (volts > 0.0))

        used = each(lambda g, t: t.flows.solar_used)
        available = each(lambda g, t: t.point.power)
        current = each(lambda g, t: t.battery.current)
        scales = self._scales
        running = cards.cards_running.astype(float)
        return (
            {name: each(_temperature_of(place)) for name, place in _PLACES.items()}
            | dict(zip(PANEL_PLACES, np.concatenate([p.temperatures() for p in self._panels]).T))
            | {
                "coolant_mass_flow": each(lambda g, t: g.mass_flow),
                "coolant_pressure": each(_pressure),
                "bypass_fraction": each(lambda g, t: t.thermal.bypass_fraction),
                "bus_voltage": each(lambda g, t: g.design.bus.voltage),
                "solar_array_voltage": each(
                    lambda g, t: np.where(
                        t.point.power > 0.0, t.point.voltage - g.design.solar_array.blocking_diode_drop, 0.0
                    )
                ),
                "solar_array_current": each(electrical),
                "solar_power": used,
                "battery_soc": each(lambda g, t: t.battery.state.state_of_charge),
                "battery_voltage": each(lambda g, t: t.battery.voltage),
                "battery_current": current,
                "load_power": each(lambda g, t: sum(t.flows.load_supplied.values())),
                "pump_power": each(lambda g, t: t.flows.load_supplied["coolant_pump"]),
                "relay_power": each(lambda g, t: t.flows.load_supplied["relay"]),
                "array_mode": np.select(
                    [available < _SMALL * scales["array_power"], used < 0.99 * available],
                    [ArrayMode.DARK, ArrayMode.CURTAILED],
                    ArrayMode.TRACKING,
                ).astype(float),
                "battery_mode": np.select(
                    [
                        current > _SMALL * scales["battery_current"],
                        current < -_SMALL * scales["battery_current"],
                    ],
                    [BatteryMode.DISCHARGING, BatteryMode.CHARGING],
                    BatteryMode.IDLE,
                ).astype(float),
            }
            | {
                "card_power": cards.power,
                # A cap far above what the cards can draw is none.
                "card_power_cap": np.minimum(each(lambda g, t: t.card_cap), 2.0 * scales["card_power"]),
                "card_clock": self._clock(),
                "junction_temperature_p50": cards.junction_temperature_p50,
                "junction_temperature_p99": cards.junction_temperature_p99,
                "junction_temperature_max": cards.junction_temperature_max,
                "throttled_fraction_thermal": cards.throttled_fraction_thermal,
                "throttled_fraction_power": cards.throttled_fraction_power,
                "throughput_fraction": cards.throughput_fraction,
                "cards_running": running,
                "card_mode": _modes(tick),
            }
        )

    @property
    def _scales(self) -> dict[str, Floats]:
        """Full scales in the order of the plant."""
        order = np.empty_like(self.dictionary.plant_index)
        order[self.dictionary.plant_index] = np.arange(order.size)
        return {name: values[order] for name, values in self.dictionary.module_scales.items()}

    def _clock(self) -> Floats:
        """Mean clock ratio of the cards of each module now."""
        fleet = self.plant.fleet
        sums = np.add.reduceat(fleet.clock, fleet.module_start[:-1], dtype=np.float64)
        return np.asarray(sums / np.diff(fleet.module_start), dtype=float)


def _temperature_of(place: str) -> Callable[[Any, Any], Any]:
    return lambda group, done: done.thermal.temperatures[place]


def _pressure(group: Any, done: Any) -> Floats:
    """Return the pressure at the pump outlet: that of the accumulator, and the rise by the affinity laws [Pa]."""
    loop = group.design.coolant_loop
    return np.asarray(loop.pressure + loop.pump.pressure_rise * (group.mass_flow / loop.mass_flow) ** 2)


def _modes(tick: Tick) -> Floats:
    code = np.asarray(tick.limits.limit.code)
    named = np.zeros(code.shape)
    for name, mode in _CARD_MODES.items():
        named[code == LIMITS.index(name)] = mode
    return named


def parameter_vector(dictionary: Dictionary, values: Values) -> Floats:
    """Arrange values in the order of the dictionary, shape (parameter,).

    Parameters
    ----------
    dictionary : Dictionary
    values : mapping
        As of `Observer.values`.
    """
    out = np.empty(dictionary.size)
    for layout, _, at, rows in packet_rows(dictionary):
        scope = layout.kind.scope
        for number, line in enumerate(layout.kind.quantities):
            column = values[scope][line.name]
            if scope == "module":
                column = column[dictionary.plant_index]
            out[at].reshape(-1, layout.fields)[:, number] = column[rows]
    return out


def packet_rows(dictionary: Dictionary) -> list[tuple[PacketLayout, int, slice, slice]]:
    """Return the packets that a plant makes at one time.

    Returns
    -------
    list of (layout, sub_center, parameters, rows)
        One entry per kind and sub-center (0 for the plant): its parameters, which follow each other packet by
        packet, and its places among all modules, sub-centers or the plant.
    """
    out = []
    for layout in dictionary.layouts:
        scope = layout.kind.scope
        count = 1 if scope == "plant" else len(dictionary.sub_centers)
        edges = dictionary.first_module if scope == "module" else np.arange(count + 1)
        for center, first in enumerate(dictionary.first(layout)):
            rows = slice(int(edges[center]), int(edges[center + 1]))
            size = layout.fields * (rows.stop - rows.start)
            out.append((layout, center, slice(int(first), int(first) + size), rows))
    return out


def packet_values(dictionary: Dictionary, vector: Floats) -> list[tuple[PacketLayout, int, Floats]]:
    """Cut a vector over all parameters into packets.

    Parameters
    ----------
    dictionary : Dictionary
    vector : (parameter,) array

    Returns
    -------
    list of (layout, sub_center, (n, fields) array)
        Modules of a sub-center in order; sub-center 0 for the plant. The arrays are views.
    """
    return [
        (layout, center, vector[at].reshape(-1, layout.fields))
        for layout, center, at, _ in packet_rows(dictionary)
    ]
