"""Numbers and inputs as the report writes them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from twin.results import SummaryRow
from viz.curves import KELVIN_AT_ZERO_CELSIUS, power_scale


def show(value: float, units: str) -> str:
    """Return a value in SI units as people read it: scaled watts, degrees Celsius, percent, square kilometres."""
    if not math.isfinite(value):
        return "–"
    if units == "K":
        return f"{value - KELVIN_AT_ZERO_CELSIUS:.1f} °C"
    if units == "W":
        factor, unit = power_scale(value)
        return f"{value / factor:.4g} {unit}"
    if units == "J":
        factor, unit = next(
            ((f, u) for f, u in ((3.6e12, "GWh"), (3.6e9, "MWh"), (3.6e6, "kWh")) if abs(value) >= f),
            (3.6e3, "Wh"),
        )
        return f"{value / factor:.4g} {unit}"
    if units == "1":
        return f"{100 * value:.2f} %"
    if units == "m2":
        return f"{value / 1e6:.4g} km²" if abs(value) >= 1e5 else f"{plain(value)} m²"
    if units == "bit s-1":
        factor, unit = next(
            ((f, u) for f, u in ((1e12, "Tbit/s"), (1e9, "Gbit/s"), (1e6, "Mbit/s")) if abs(value) >= f),
            (1.0, "bit/s"),
        )
        return f"{value / factor:.4g} {unit}"
    return f"{plain(value)} {units}"


def plain(value: float) -> str:
    """Return a number with four digits, or all of its whole ones, without powers of ten."""
    return f"{value:,.0f}" if abs(value) >= 1e3 else f"{value:.4g}"


def show_row(row: SummaryRow, value: float) -> str:
    """Return a value of a row of the summary as people read it."""
    if not math.isfinite(value):
        return "–"
    if row.units == "K" and row.name.endswith("_margin_min"):  # a difference
        return f"{value:.1f} K"
    if row.name == "battery_margin_min":
        return f"{100 * value:.2f} points"
    return f"{value:,.0f}" if row.name.endswith("_count") else show(value, row.units)


def outline(value: object, indent: int = 0) -> list[str]:
    """Return nested mappings and lists as indented ``key: value`` lines."""
    pad = "  " * indent
    if isinstance(value, Mapping):
        items: list[tuple[str, object]] = [(f"{key}:", item) for key, item in value.items()]
    elif isinstance(value, list):
        items = [("-", item) for item in value]
    else:
        return [f"{pad}{value}"]
    lines = []
    for label, item in items:
        nested = isinstance(item, Mapping) or (
            isinstance(item, list) and any(isinstance(x, Mapping | list) for x in item)
        )
        if nested and label == "-":  # the first line of what it holds stands beside the dash
            first, *others = outline(item, indent + 1)
            lines += [f"{pad}- {first.strip()}", *others]
        elif nested:
            lines += [f"{pad}{label}", *outline(item, indent + 1)]
        else:
            lines.append(f"{pad}{label} {item}")
    return lines
