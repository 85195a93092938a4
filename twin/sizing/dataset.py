"""A sizing as labelled data: `sizing.zarr`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from twin import __version__
from twin.results.replace import partial_path, put_in_place, remove
from twin.sizing.limits import CONSTRAINTS
from twin.sizing.size import Sizing, SubCenterSizing
from twin.sizing.statistics import PROBABILITIES, exceedance

Array = NDArray[np.float64]

__all__ = ["sizing_tree", "write_sizing"]

NAME = "sizing.zarr"

_UNITS = {
    "area": "m2", "design_area": "m2", "needed": "m2", "required": "m2", "closed_form": "m2", "isothermal": "m2",
    "loop": "m2", "fins": "m2", "age": "s", "junction_temperature_p99": "K", "junction_temperature_max": "K",
    "coolant_supply_temperature_max": "K", "coolant_return_temperature_max": "K", "panel_temperature_min": "K",
    "supply_set_point": "K", "supply": "K", "sink": "K", "heat": "W", "mass": "kg", "beta": "rad", "pointing": "rad",
    "hour": "s", "hour_area": "m2", "quantile": "m2", "quantile_low": "m2", "quantile_high": "m2", "running": "m2",
    "area_grid": "m2", "search_area": "m2", "year": "yr", "throttled_card_hours": "h",
}  # fmt: skip
"""Units of what is not a number of its own kind."""


def _labelled(data: xr.Dataset) -> xr.Dataset:
    for name in [*data.data_vars, *data.coords]:
        values = data[str(name)]
        if values.dtype.kind in "fib":
            values.attrs.setdefault("units", _UNITS.get(str(name), "1"))
            values.attrs.setdefault("long_name", str(name).replace("_", " "))
    return data


def _stacked(parts: list[xr.Dataset | None], names: list[str]) -> xr.Dataset | None:
    there = [(name, part) for name, part in zip(names, parts) if part is not None]
    if not there:
        return None
    return xr.concat([part for _, part in there], "sub_center", join="outer").assign_coords(
        sub_center=[name for name, _ in there]
    )


def _design(part: SubCenterSizing) -> xr.Dataset:
    d = part.design_case
    return xr.Dataset(
        {
            "search_area": (
                ("day", "environment", "search_age", "orientation", "pointing"),
                d.area * part.design_area,
            ),
            "beta": ("day", d.beta),
            "hour_area": ("hour", d.hour_area * part.design_area),
            "worst_start": ((), d.start.isoformat()),
            "worst_environment": ((), d.environment),
            "worst_orientation": ((), str(d.orientation)),
            "worst_pointing": ((), d.pointing),
            "worst_load_time": ((), d.load_time, {"units": "s"}),
            "coldest_day": ((), d.coldest.isoformat()),
            "coldest_panel": ((), d.panel_min, {"units": "K"}),
            "coldest_coolant": ((), d.coolant_min, {"units": "K"}),
        },
        {
            "day": [str(day.date()) for day in d.days],
            "environment": list(d.environments),
            "search_age": ("search_age", list(d.ages), {"units": "s"}),
            "orientation": list(d.orientations),
            "pointing": list(d.pointings),
            "hour": d.hours,
        },
    )


def _nominal(part: SubCenterSizing) -> xr.Dataset:
    n, scale = part.nominal, part.design_area
    per_module = scale / n.module_area
    closed = {
        "supply": [c.supply for c in n.closed],
        "heat": [c.heat for c in n.closed],
        "sink": [c.sink for c in n.closed],
        "isothermal": [c.isothermal * per_module for c in n.closed],
        "loop": [c.loop * per_module for c in n.closed],
        "fins": [c.fins * per_module for c in n.closed],
        "closed_form": [c.film * per_module for c in n.closed],
    }
    return xr.Dataset(
        {
            "needed": ("age", n.needed * scale),
            "required": ("age", n.required * scale),
            "binding": ("age", list(n.binding)),
            "at_least": ("age", n.at_least),
            "design_area": ((), scale),
            "card_count": ((), float(part.cards)),
            **{name: ("age", np.array(values)) for name, values in closed.items()},
        },
        {"age": n.ages},
    )


def _samples(part: SubCenterSizing) -> xr.Dataset | None:
    if not part.sampled:
        return None
    scale, ages = part.design_area, [s.age for s in part.sampled]
    names = list(part.draws)
    errors = np.array(
        [[s.errors.get(i, "") for i in range(s.area.size)] for s in part.sampled], dtype=object
    ).astype(str)
    constraints = np.array([*CONSTRAINTS, "failed"])
    return xr.Dataset(
        {
            "area": (("age", "sample"), np.stack([s.area for s in part.sampled]) * scale),
            "binding": (("age", "sample"), constraints[np.stack([s.binding for s in part.sampled])]),
            "error": (("age", "sample"), errors),
            "factor": (("sample", "variable"), np.stack([part.draws[n] for n in names], axis=1)),
        },
        {"age": ages, "sample": np.arange(part.sampled[0].area.size), "variable": names},
    )


def _statistics(part: SubCenterSizing) -> xr.Dataset | None:
    if not part.sampled:
        return None
    scale, stats = part.design_area, [s.statistics for s in part.sampled]
    low = min(np.nanmin(s.area) for s in part.sampled)
    high = max(np.nanmax(s.area) for s in part.sampled)
    grid = np.linspace(0.97 * low, 1.03 * high, 121)
    return xr.Dataset(
        {
            "quantile": (("age", "probability"), np.stack([s.quantiles for s in stats]) * scale),
            "quantile_low": (("age", "probability"), np.stack([s.low for s in stats]) * scale),
            "quantile_high": (("age", "probability"), np.stack([s.high for s in stats]) * scale),
            "running": (("age", "size", "probability"), np.stack([s.running for s in stats]) * scale),
            "infeasible_fraction": ("age", [s.infeasible for s in stats]),
            "throttling_probability": (
                ("age", "step"), np.stack([exceedance(s.area, grid) for s in part.sampled]),
            ),
            "area_grid": ("step", grid * scale),
        },
        {"age": [s.age for s in part.sampled], "probability": list(PROBABILITIES), "size": stats[0].sizes},
    )  # fmt: skip


def _sensitivity(part: SubCenterSizing) -> xr.Dataset | None:
    there = [(s.age, s.sensitivity) for s in part.sampled if s.sensitivity is not None]
    if not there:
        return None
    names = {
        "first_order": "first", "first_order_confidence": "first_confidence", "total_order": "total",
        "total_order_confidence": "total_confidence",
    }  # fmt: skip
    data: dict[str, Any] = {
        name: (("age", "variable"), np.stack([getattr(x, field) for _, x in there]))
        for name, field in names.items()
    }
    data["swing"] = (("age", "variable", "end"), np.stack([x.swing for _, x in there]))
    data["surface_fit"] = ("age", [x.fit for _, x in there])
    return xr.Dataset(
        data, {"age": [age for age, _ in there], "variable": list(there[0][1].names), "end": ["p5", "p95"]}
    )


def _study(part: SubCenterSizing, name: str) -> xr.Dataset | None:
    data = part.studies.get(name)
    if data is None:
        return None
    scale = {old: data[old] * part.design_area for old in ("needed", "area_factor") if old in data}
    out = data.drop_vars("area_factor") if "area_factor" in data.data_vars else data
    if "needed" in scale:
        out = out.assign(needed=scale["needed"])
    if "area_factor" in data.data_vars:
        out = out.assign(area=scale["area_factor"])
    if "area_factor" in data.coords:
        out = out.assign(area=("area_factor", data["area_factor"].values * part.design_area))
        out = out.assign_coords(area_factor=np.arange(data.sizes["area_factor"])).rename(area_factor="step")
    if "throttled_fraction" in out:
        # In an orbit, of all cards of the sub-center.
        hours = out["throttled_fraction"] * float(part.cards) * part.period / 3600.0
        out = out.assign(throttled_card_hours=hours)
    return out


def sizing_tree(sizing: Sizing) -> xr.DataTree:
    """Return a sizing as a tree of datasets.

    ``/area`` (sub_center, age): areas without uncertainty and closed forms; ``/design_case``: what was compared to find
    the worst orbit; ``/samples``, ``/statistics``, ``/sensitivity``: uncertainty; ``/what_if``, ``/curve``, ``/years``,
    ``/trade``: studies. Areas are those of whole sub-centers, one face, in m².
    """
    names = [part.name for part in sizing.sub_centers]
    groups: dict[str, list[xr.Dataset | None]] = {
        "area": [_nominal(p) for p in sizing.sub_centers],
        "design_case": [_design(p) for p in sizing.sub_centers],
        "samples": [_samples(p) for p in sizing.sub_centers],
        "statistics": [_statistics(p) for p in sizing.sub_centers],
        "sensitivity": [_sensitivity(p) for p in sizing.sub_centers],
        **{name: [_study(p, name) for p in sizing.sub_centers] for name in ("what_if", "curve", "years", "trade")},
    }  # fmt: skip
    tree = xr.DataTree(name="sizing")
    for name, parts in groups.items():
        data = _stacked(parts, names)
        if data is not None:
            tree[name] = xr.DataTree(_labelled(data))
    tree.attrs |= {
        "case": json.dumps(sizing.case.resolved()),
        "case_name": sizing.case.name,
        "version": __version__,
        "margin_policy": sizing.margin.name,
        "temperature_margin": sizing.margin.temperature,
        "heat_load_margin": sizing.margin.heat_load,
        "margin_source": sizing.margin.source,
        "failures": json.dumps({p.name: dict(p.failures) for p in sizing.sub_centers if p.failures}),
        "certificates": json.dumps(
            {name: {k: v for k, v in c.items() if k != "orbits"} for name, c in sizing.certificates.items()}
        ),
    }
    return tree


def write_sizing(sizing: Sizing, folder: Path) -> Path:
    """Write ``sizing.zarr`` into a folder, aside first; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / NAME
    remove(partial_path(target))
    sizing_tree(sizing).to_zarr(partial_path(target), mode="w", consolidated=False)
    put_in_place(target)
    return target
