"""The figures of a sizing as rows of plain values, for tables and JSON."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from twin.sizing.size import Sizing
from twin.sizing.statistics import PROBABILITIES

__all__ = ["area_rows", "closed_form_rows", "curve_rows", "design_rows", "sensitivity_rows", "what_if_rows"]

YEAR = 365.25 * 86400.0

SHOWN = (
    "throttled_fraction", "throttled_fraction_power", "work", "junction_temperature_p99", "junction_temperature_max",
    "coolant_supply_temperature_max", "panel_temperature_min", "battery_soc_min",
)  # fmt: skip


def _plain(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def area_rows(sizing: Sizing) -> list[dict[str, Any]]:
    """Return areas by sub-center and age [m², yr]; None where there is no such area."""
    rows = []
    for part in sizing.sub_centers:
        for k, age in enumerate(part.nominal.ages):
            n, scale = part.nominal, part.design_area
            row: dict[str, Any] = {
                "sub_center": part.name,
                "age": float(age) / YEAR,
                "design": scale,
                "closed_form": _plain(part.closed_area(k)),
                "needed": _plain(n.needed[k] * scale),
                "required": _plain(n.required[k] * scale),
                "spare": _plain(1.0 / n.required[k] - 1.0),
                "binding": n.binding[k],
                "at_least": bool(n.at_least[k]),
            }
            row |= dict.fromkeys(("p5", "p50", "p95"))
            if k < len(part.sampled):
                statistics = part.sampled[k].statistics
                for probability, value in zip(PROBABILITIES, statistics.quantiles):
                    row[f"p{100 * probability:.0f}"] = _plain(value * scale)
                row["infeasible_fraction"] = statistics.infeasible
            steps = n.closed[k]
            per_module = scale / n.module_area
            row["steps"] = {
                name: _plain(getattr(steps, name) * per_module)
                for name in ("isothermal", "loop", "fins", "film")
            }
            rows.append(row)
    return rows


def design_rows(sizing: Sizing) -> list[dict[str, Any]]:
    """Return the worst orbit of every sub-center, and the same in words."""
    rows = []
    for part in sizing.sub_centers:
        d = part.design_case
        swing = d.area[np.isfinite(d.area)]
        rows.append(
            {
                "sub_center": part.name,
                "start": d.start.isoformat(),
                "environment": d.environment,
                "orientation": str(d.orientation),
                "pointing": d.pointing,
                "load_time": d.load_time,
                "least_area": float(swing.min()) * part.design_area,
                "largest_area": float(swing.max()) * part.design_area,
                "text": (
                    f"{part.name}: worst orbit starts {d.start:%Y-%m-%d %H:%M} UTC, environment "
                    f"{'of the case' if d.environment == 'case' else d.environment}, radiator "
                    f"{str(d.orientation).replace('_', ' ')} leaning {math.degrees(d.pointing):.1f}°, load as "
                    f"{d.load_time / 3600.0:.0f} h after the run's start; over all that was compared "
                    f"{swing.min() * part.design_area:,.1f} to "
                    f"{swing.max() * part.design_area:,.1f} m²; coldest panel {d.panel_min - 273.15:.1f} °C on "
                    f"{d.coldest:%Y-%m-%d}"
                ),
            }
        )
    return rows


def closed_form_rows(sizing: Sizing) -> list[dict[str, Any]]:
    """Return the closed forms, each with one more effect, beside the coupled model [m², K, W]."""
    rows = []
    for part in sizing.sub_centers:
        n = part.nominal
        per_module = part.design_area / n.module_area
        for k, (age, steps) in enumerate(zip(n.ages, n.closed)):
            needed = n.needed[k] * part.design_area
            areas = {
                name: getattr(steps, name) * per_module for name in ("isothermal", "loop", "fins", "film")
            }
            rows.append(
                {
                    "sub_center": part.name,
                    "age": float(age) / YEAR,
                    "supply": _plain(steps.supply),
                    "sink": _plain(steps.sink),
                    **{name: _plain(value) for name, value in areas.items()},
                    "needed": _plain(needed),
                    "difference": _plain(needed / areas["film"] - 1.0),
                }
            )
    return rows


def curve_rows(sizing: Sizing) -> list[dict[str, Any]]:
    """Return what area costs: card-hours lost to temperature in the worst orbit, and by a square metre less."""
    rows = []
    for part in sizing.sub_centers:
        data = part.studies.get("curve")
        if data is None:
            continue
        area = data["area_factor"].values * part.design_area
        hours = data["throttled_fraction"].values * part.cards * part.period / 3600.0
        slope = -np.gradient(hours, area)
        needed = part.nominal.needed[-1] * part.design_area
        for k in range(area.size):
            rows.append(
                {
                    "sub_center": part.name,
                    "area": float(area[k]),
                    "over_needed": _plain(area[k] / needed - 1.0),
                    "throttled_fraction": _plain(data["throttled_fraction"].values[k]),
                    "throttled_card_hours": _plain(hours[k]),
                    "card_hours_by_area": _plain(slope[k]),
                    "throttling_probability": _plain(data["throttling_probability"].values[k]),
                    "work_lost": _plain(data["work_lost"].values[k]),
                }
            )
    return rows


def what_if_rows(sizing: Sizing) -> list[dict[str, Any]]:
    """Return what the design does if something happens, and the area it would need [m²]."""
    rows = []
    for part in sizing.sub_centers:
        data = part.studies.get("what_if")
        if data is None:
            continue
        for name in data["what_if"].values:
            one = data.sel(what_if=name)
            rows.append(
                {
                    "sub_center": part.name,
                    "what_if": str(name),
                    "meaning": str(one["meaning"].values),
                    "needed": _plain(one["needed"] * part.design_area),
                    **{key: _plain(one[key]) for key in SHOWN},
                }
            )
    return rows


def sensitivity_rows(sizing: Sizing) -> list[dict[str, Any]]:
    """Return what drives the area at the last age, the strongest first."""
    rows = []
    for part in sizing.sub_centers:
        found = part.sampled[-1].sensitivity if part.sampled else None
        if found is None:
            continue
        for i in np.argsort(-found.total):
            rows.append(
                {
                    "sub_center": part.name,
                    "variable": found.names[i],
                    "first_order": float(found.first[i]),
                    "total_order": float(found.total[i]),
                    "swing": [float(x) for x in found.swing[i]],
                    "surface_fit": found.fit,
                }
            )
    return rows
