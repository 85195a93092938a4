"""What a scene can be coloured by: the quantities of a module, in the units that people read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from viz.curves import KELVIN_AT_ZERO_CELSIUS

type Floats = NDArray[np.float64]
type Part = Literal["radiator", "array", "body"]

NOTHING = np.array([88, 94, 104], dtype=np.uint8)
"""Colour of what has no value [RGB]."""


@dataclass(frozen=True)
class Paint:
    """A quantity that colours modules.

    Attributes
    ----------
    variable : str
        Name in the group ``module`` of a result.
    label : str
        What it is, in words.
    unit : str
        Unit that is shown.
    part : {"radiator", "array", "body"}
        Part of a module that takes the colour where parts are drawn.
    factor, offset : float
        Shown value = factor x (SI value - offset).
    colour_map : str
        Perceptually uniform map of matplotlib.
    """

    variable: str
    label: str
    unit: str
    part: Part
    factor: float = 1.0
    offset: float = 0.0
    colour_map: str = "viridis"

    def shown(self, values: Floats) -> Floats:
        """Return SI values in the unit that is shown."""
        return self.factor * (np.asarray(values, dtype=np.float64) - self.offset)

    def colours(self, values: Floats, limits: tuple[float, float]) -> NDArray[np.uint8]:
        """Return RGB colours of SI values; `limits` are SI values at the ends of the map."""
        low, high = limits
        share = (np.asarray(values, dtype=np.float64) - low) / ((high - low) or 1.0)
        table = (255 * mpl.colormaps[self.colour_map](np.linspace(0, 1, 512))[:, :3] + 0.5).astype(np.uint8)
        known = np.isfinite(share)
        index = np.clip(np.where(known, share, 0.0) * 512, 0, 511).astype(np.int64)
        return np.where(known[..., None], table[index], NOTHING)


def _temperature(variable: str, label: str, part: Part) -> Paint:
    return Paint(variable, label, "°C", part, 1.0, KELVIN_AT_ZERO_CELSIUS, "plasma")


def _share(variable: str, label: str, part: Part) -> Paint:
    return Paint(variable, label, "%", part, 100.0, 0.0, "viridis")


def _power(variable: str, label: str, part: Part) -> Paint:
    return Paint(variable, label, "kW", part, 1e-3, 0.0, "cividis")


PAINTS: Mapping[str, Paint] = MappingProxyType(
    {
        paint.variable: paint
        for paint in (
            _temperature("panel_temperature_mean", "radiator temperature, mean", "radiator"),
            _temperature("panel_temperature_max", "radiator temperature, hottest", "radiator"),
            _temperature("panel_temperature_min", "radiator temperature, coldest", "radiator"),
            _temperature("solar_array_temperature", "solar array temperature", "array"),
            _temperature("junction_temperature_max", "junction temperature, hottest card", "body"),
            _temperature("junction_temperature_p99", "junction temperature, 99th percentile", "body"),
            _temperature("junction_temperature_p50", "junction temperature, median card", "body"),
            _temperature("coolant_supply_temperature", "coolant supply temperature", "body"),
            _temperature("coolant_return_temperature", "coolant return temperature", "body"),
            _temperature("battery_temperature", "battery temperature", "body"),
            _share("throttled_fraction_thermal", "cards throttled by temperature", "body"),
            _share("throttled_fraction_power", "cards throttled by power", "body"),
            _share("throughput_fraction", "throughput", "body"),
            _share("failed_fraction", "failed cards", "body"),
            _share("battery_soc", "battery charge", "body"),
            _share("radiator_margin", "radiator margin", "radiator"),
            _power("heat_rejected", "heat rejected", "radiator"),
            _power("card_power", "power of the cards", "body"),
            _power("solar_power", "solar power", "array"),
        )
    }
)
"""Quantities by the name of their variable."""

DEFAULT_PAINT: Mapping[str, str] = MappingProxyType(
    {
        "plant": "panel_temperature_mean",
        "sub_center": "panel_temperature_mean",
        "module": "panel_temperature_mean",
        "cards": "junction_temperature_max",
        "racks": "junction_temperature_max",
    }
)
"""What each scene is coloured by unless told."""

DIFFERENCE_MAP = "RdBu_r"


def difference(paint: Paint) -> Paint:
    """Return the paint of the difference of two results: no offset, a map with a neutral middle."""
    unit = "K" if paint.unit == "°C" else "points" if paint.unit == "%" else paint.unit
    return Paint(
        paint.variable, f"{paint.label}, difference", unit, paint.part, paint.factor, 0.0, DIFFERENCE_MAP
    )


def value_limits(values: Floats, paint: Paint) -> tuple[float, float]:
    """Return SI values for the ends of the colour map; a uniform field does not fill it with rounding.

    Parameters
    ----------
    values : array
        SI values, NaN where there are none.
    paint : Paint
        What they are; a difference is symmetric about zero.
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if known.size == 0:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    fraction = paint.unit == "%" and "fraction" in paint.variable
    if known.size > 1000 and not fraction:
        # One module far out must not make all others look alike: the ends are open then.
        inner = np.quantile(known, [0.001, 0.999])
        spare = 0.5 * float(inner[1] - inner[0])
        low, high = max(low, float(inner[0]) - spare), min(high, float(inner[1]) + spare)
    if paint.colour_map == DIFFERENCE_MAP:
        reach = max(abs(low), abs(high), 1e-3 / paint.factor)
        return -reach, reach
    if fraction:
        low = low if paint.variable == "throughput_fraction" else min(low, 0.0)
        high = max(high, low + 0.01)
    middle, half = 0.5 * (low + high), max(0.5 * (high - low), 0.05 / paint.factor)
    return middle - half, middle + half
