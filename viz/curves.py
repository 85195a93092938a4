"""What the time plots show: one description that the printed pictures and the interactive report share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from twin.results import elapsed_seconds

type Quantity = Literal["power", "temperature", "share", "residual"]
type Floats = NDArray[np.float64]

# Okabe and Ito's colours, told apart with every common colour vision deficiency.
ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILION, PURPLE, BLACK, GRAY = "#0072B2", "#D55E00", "#CC79A7", "#1a1a1a", "#7a7a7a"
ECLIPSE_COLOUR = "#c9d3e0"

KELVIN_AT_ZERO_CELSIUS = 273.15


@dataclass(frozen=True)
class Curve:
    """One line of a plot.

    Attributes
    ----------
    variable : str
        Name in the result.
    label : str
        Words in the legend.
    colour : str
        Hexadecimal colour.
    style : {"line", "area", "dashed", "limit", "edge"}
        ``area`` is filled down to zero; ``limit`` is a constant of the run; two consecutive ``edge``
        curves bound a shaded band.
    group : {"subject", "ledger"}
        Where it is: with the plant or sub-center that is plotted, or in the ledger.
    """

    variable: str
    label: str
    colour: str
    style: Literal["line", "area", "dashed", "limit", "edge"] = "line"
    group: Literal["subject", "ledger"] = "subject"


@dataclass(frozen=True)
class Plot:
    """One plot: a title, the kind of its vertical axis and its curves."""

    name: str
    title: str
    quantity: Quantity
    curves: tuple[Curve, ...]


PLOTS: tuple[Plot, ...] = (
    Plot(
        "power_balance",
        "Power balance",
        "power",
        (
            Curve("solar_power", "solar array", ORANGE, "area"),
            Curve("load_power", "load", BLACK),
            Curve("battery_power", "battery (positive: discharge)", GREEN),
            Curve("shed_power", "load shed", VERMILION, "dashed"),
        ),
    ),
    Plot(
        "battery_charge",
        "Battery state of charge",
        "share",
        (
            Curve("battery_soc", "state of charge", GREEN),
            Curve("battery_soc_limit", "lowest allowed", VERMILION, "limit"),
        ),
    ),
    Plot(
        "heat",
        "Heat: made and rejected",
        "power",
        (
            Curve("card_power", "cards", VERMILION),
            Curve("heat_rejected", "rejected by the radiators", BLUE),
        ),
    ),
    Plot(
        "radiator_temperatures",
        "Radiator panel and coolant temperatures",
        "temperature",
        (
            Curve("panel_temperature_min", "panel, coldest to hottest", SKY, "edge"),
            Curve("panel_temperature_max", "panel, coldest to hottest", SKY, "edge"),
            Curve("panel_temperature_mean", "panel, mean", BLUE),
            Curve("coolant_supply_temperature", "coolant supply", GREEN, "dashed"),
            Curve("coolant_return_temperature", "coolant return", VERMILION, "dashed"),
        ),
    ),
    Plot(
        "junction_temperatures",
        "Junction temperatures of the cards",
        "temperature",
        (
            Curve("junction_temperature_p50", "median card", BLUE),
            Curve("junction_temperature_p99", "99th percentile", ORANGE),
            Curve("junction_temperature_max", "hottest card", VERMILION),
            Curve("junction_temperature_slowdown", "slowdown limit", BLACK, "limit"),
        ),
    ),
    Plot(
        "throttling",
        "Cards held back, by cause",
        "share",
        (
            Curve("throttled_fraction_thermal", "by temperature", VERMILION),
            Curve("throttled_fraction_power", "by power", ORANGE),
            Curve("throttled_fraction_cards", "by failed and missing cards", PURPLE),
            Curve("throttled_fraction_link", "waiting for data", SKY),
        ),
    ),
    Plot(
        "throughput",
        "Throughput: work done over work asked for",
        "share",
        (
            Curve("throughput_fraction", "all jobs", BLUE),
            Curve("throughput_fraction_training", "training", GREEN, "dashed"),
            Curve("throughput_fraction_inference", "inference", ORANGE, "dashed"),
            Curve("throughput_fraction_batch", "batch jobs", PURPLE, "dashed"),
        ),
    ),
    Plot(
        "margins",
        "Margins: what is left of radiators and batteries",
        "share",
        (
            Curve("radiator_margin", "spare share of the radiators, lowest module", BLUE),
            Curve("battery_margin", "battery charge above the lowest allowed, lowest module", GREEN),
        ),
    ),
    Plot(
        "energy_residual",
        "Energy not accounted for, relative to energy absorbed",
        "residual",
        (Curve("energy_residual", "ledger residual", BLUE, group="ledger"),),
    ),
)

PLOT_BY_NAME: Mapping[str, Plot] = MappingProxyType({plot.name: plot for plot in PLOTS})

RESIDUAL_BAR = 1e-6
"""Largest relative energy residual that a run may have."""


@dataclass(frozen=True)
class Series:
    """A curve with its numbers: time [s since start], values in SI, and whether they are tick means.

    A mean belongs to the interval before its time; the first one is repeated at time zero.
    """

    curve: Curve
    time: Floats
    values: Floats
    tick_mean: bool


def subject_dataset(result: xr.DataTree, sub_center: str | None, module: int | None = None) -> xr.Dataset:
    """Return the plant, one sub-center, or one module of it, as a dataset over time.

    Raises
    ------
    ValueError
        There is no such sub-center.
    """
    if sub_center is None:
        return result["plant"].to_dataset()
    group = result["sub_center"].to_dataset()
    names = [str(name) for name in group["sub_center"].values]
    if sub_center not in names:
        raise ValueError(f"sub-center {sub_center!r}: expected one of {', '.join(names)}")
    if module is not None:
        return result["module"].to_dataset().isel(sub_center=names.index(sub_center), module=module)
    return group.isel(sub_center=names.index(sub_center))


def series_of(
    result: xr.DataTree, plot: Plot, sub_center: str | None = None, module: int | None = None
) -> list[Series]:
    """Return the curves of `plot` that the result has; a limit is constant over the time of the others."""
    subject, ledger = subject_dataset(result, sub_center, module), result["ledger"].to_dataset()
    found: list[Series] = []
    for curve in plot.curves:
        source = ledger if curve.group == "ledger" else subject
        if curve.variable not in source:
            continue
        data = source[curve.variable]
        time = elapsed_seconds(source["time"], result) if "time" in source else np.empty(0)
        values = np.broadcast_to(np.asarray(data, dtype=np.float64), time.shape)
        if time.size and np.isfinite(values).any():
            tick_mean = data.attrs.get("cell_methods") == "time: mean"
            if tick_mean:  # the first mean holds from the start of the run
                time, values = np.concatenate([[0.0], time]), np.concatenate([values[:1], values])
            found.append(Series(curve, time, values, tick_mean))
    return found if any(series.curve.style != "limit" for series in found) else []


def illumination(result: xr.DataTree, sub_center: str | None = None) -> tuple[Floats, Floats]:
    """Return time [s since start] and the visible fraction of the Sun; empty when the result does not say.

    Without `sub_center` it is that of the group ``orbit``, or else of the first sub-center.
    """
    groups = [result["orbit"].to_dataset(), result["sub_center"].to_dataset().isel(sub_center=0)]
    if sub_center is not None:
        groups.insert(0, subject_dataset(result, sub_center))
    for group in groups:
        if "illuminated_fraction" in group and group.sizes.get("time", 0):
            fraction = np.asarray(group["illuminated_fraction"], dtype=np.float64)
            return elapsed_seconds(group["time"], result), fraction
    return np.empty(0), np.empty(0)


def eclipse_spans(result: xr.DataTree, sub_center: str | None = None) -> list[tuple[float, float]]:
    """Return (start, end) [s since start] of each stretch where the Sun is not wholly visible.

    Time stamps are the ends of intervals: a stretch starts with the last stamp in full sunlight and lasts to
    the last one without, which is exact when intervals end at the eclipse's events.
    """
    time, fraction = illumination(result, sub_center)
    dark = fraction < 1.0 - 1e-6
    edges = np.flatnonzero(np.diff(np.concatenate([[False], dark, [False]]).astype(int)))
    before = np.concatenate([[0.0], time])
    return [(float(before[start]), float(time[end - 1])) for start, end in zip(edges[::2], edges[1::2])]


def thin_out(time: Floats, values: Floats, points: int = 1500) -> tuple[Floats, Floats]:
    """Return at most about `points` points that keep the lowest and highest value of every stretch.

    A plot of a long run has more ticks than pixels; a plain stride would hide short peaks.
    """
    if time.size <= points:
        return time, values
    edges = np.linspace(0, time.size, points // 2 + 1).astype(int)
    filled = np.nan_to_num(values, nan=0.0)
    keep = {0, time.size - 1}
    for start, end in pairwise(edges):
        if end > start:
            keep |= {start + int(filled[start:end].argmin()), start + int(filled[start:end].argmax())}
    order = np.array(sorted(keep))
    return time[order], values[order]


def power_scale(largest: float) -> tuple[float, str]:
    """Return (watts per unit, unit) in which powers up to `largest` [W] read well."""
    for factor, unit in ((1e9, "GW"), (1e6, "MW"), (1e3, "kW")):
        if abs(largest) >= factor:
            return factor, unit
    return 1.0, "W"


def time_scale(duration: float) -> tuple[float, str]:
    """Return (seconds per unit, unit) in which times up to `duration` [s] read well."""
    if duration > 4 * 86_400:
        return 86_400.0, "days"
    return (3_600.0, "h") if duration > 7_200 else (60.0, "min")


def displayed(series: list[Series], quantity: Quantity) -> tuple[list[Floats], str]:
    """Return the values of each series as they are shown, and the label of the axis with its unit."""
    values = [item.values for item in series]
    if quantity == "temperature":
        return [item - KELVIN_AT_ZERO_CELSIUS for item in values], "temperature [°C]"
    if quantity == "share":
        return [100.0 * item for item in values], "share [%]"
    if quantity == "residual":
        return [np.abs(item) for item in values], "|residual| [–]"
    factor, unit = power_scale(max(float(np.nanmax(np.abs(item))) for item in values))
    return [item / factor for item in values], f"power [{unit}]"
