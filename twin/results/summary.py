"""The figures that answer "how did the run go": per sub-center and for the plant, from a result."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

type Reduction = Callable[[xr.DataArray, NDArray[np.float64]], xr.DataArray]


@dataclass(frozen=True)
class SummaryRow:
    """One figure for every sub-center and the plant.

    Attributes
    ----------
    name : str
        Key, for JSON and tests.
    label : str
        What it is, in words.
    units : str
        SI units of the values.
    sub_center : mapping of str to float
        Value of each sub-center, by name.
    plant : float
        Value of the whole plant.
    """

    name: str
    label: str
    units: str
    sub_center: Mapping[str, float]
    plant: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; what is not a number becomes None."""
        values = {key: _json_number(value) for key, value in self.sub_center.items()}
        return {
            "name": self.name,
            "label": self.label,
            "units": self.units,
            "sub_center": values,
            "plant": _json_number(self.plant),
        }


def tick_weights(result: xr.DataTree) -> NDArray[np.float64]:
    """Return the length of each tick [s], shape (time,)."""
    plant = result["plant"].to_dataset()
    if "tick_duration" in plant:
        return np.asarray(plant["tick_duration"], dtype=np.float64)
    elapsed = elapsed_seconds(plant["time"], result)
    return np.diff(elapsed, prepend=0.0)


def elapsed_seconds(time: xr.DataArray, result: xr.DataTree) -> NDArray[np.float64]:
    """Return UTC time stamps as seconds since the start of the run."""
    start = np.datetime64(str(result.attrs["start"]).removesuffix("+00:00"), "ns")
    return np.asarray((time.values - start) / np.timedelta64(1, "ns"), dtype=np.float64) * 1e-9


def summary(result: xr.DataTree) -> list[SummaryRow]:
    """Return the headline figures that the variables of `result` allow.

    Means are weighted by the length of the ticks; extremes are over the ticks.
    """
    sub_center, plant = result["sub_center"].to_dataset(), result["plant"].to_dataset()
    weights = tick_weights(result)
    names = [str(name) for name in sub_center["sub_center"].values]
    rows = []
    for name, variable, label, reduction in _ROWS:
        if variable in plant and variable in sub_center:
            parts = np.asarray(reduction(sub_center[variable], weights), dtype=np.float64)
            if np.isnan(parts).all():
                continue  # no job of this kind, no ground stations
            whole = float(reduction(plant[variable], weights))
            unit = str(plant[variable].attrs["units"])
            rows.append(SummaryRow(name, label, unit, dict(zip(names, parts.tolist())), whole))
    rows.extend(_energy_per_work(sub_center, plant, weights, names))
    for cause in _CAUSES:
        row = _throttled_card_hours(cause, sub_center, plant, weights, names)
        if row is not None:
            rows.append(row)
    if "lost_work" in plant and plant.sizes.get("time", 0):
        # A job may span sub-centers, so that its lost work has no place in one of them.
        last = plant.isel(time=-1)
        for name, label, unit, value in (
            ("lost_card_hours_interrupts", "card-hours lost to interrupts", "h", last["lost_work"] / 3600.0),
            ("interrupt_count", "interrupts of jobs", "1", last["jobs_interrupted"]),
        ):
            alone = float(value) if len(names) == 1 else math.nan
            rows.append(SummaryRow(name, label, unit, dict.fromkeys(names, alone), float(value)))
    return rows


def energy_balance(result: xr.DataTree) -> list[tuple[str, float, float]]:
    """Return (what, energy [J], share of the energy absorbed) over the run, from the ledger.

    Energy absorbed comes first, then where it went; the last line is what is not accounted for.
    """
    ledger = result["ledger"].to_dataset()
    if "absorbed_energy" not in ledger or ledger.sizes.get("time", 0) == 0:
        return []
    last = ledger.isel(time=-1)
    absorbed = float(last["absorbed_energy"])
    sinks = [
        name
        for name in ("emitted_energy", "exported_energy", "stored_energy", "battery_energy")
        if name in last
    ]
    lines = [(str(last["absorbed_energy"].attrs["long_name"]), absorbed)]
    lines += [(str(last[name].attrs["long_name"]), float(last[name])) for name in sinks]
    lines.append(("not accounted for", absorbed - math.fsum(float(last[name]) for name in sinks)))
    scale = abs(absorbed) or math.nan
    return [(label, energy, energy / scale) for label, energy in lines]


def _mean(values: xr.DataArray, weights: NDArray[np.float64]) -> xr.DataArray:
    return values.weighted(xr.DataArray(weights, dims="time").fillna(0.0)).mean("time")


def _max(values: xr.DataArray, weights: NDArray[np.float64]) -> xr.DataArray:
    return values.max("time")


def _min(values: xr.DataArray, weights: NDArray[np.float64]) -> xr.DataArray:
    return values.min("time")


def _constant(values: xr.DataArray, weights: NDArray[np.float64]) -> xr.DataArray:
    return values


_ROWS: tuple[tuple[str, str, str, Reduction], ...] = (
    ("module_count", "module_count", "modules", _constant),
    ("card_count", "card_count", "cards", _constant),
    ("solar_power_mean", "solar_power", "solar power, mean", _mean),
    ("load_power_mean", "load_power", "load, mean", _mean),
    ("load_power_max", "load_power", "load, highest", _max),
    ("card_power_mean", "card_power", "power of the cards, mean", _mean),
    ("shed_power_max", "shed_power", "load shed, highest", _max),
    ("battery_soc_min", "battery_soc", "battery charge, lowest", _min),
    ("battery_margin_min", "battery_margin", "battery margin, lowest", _min),
    ("battery_temperature_max", "battery_temperature", "battery, warmest", _max),
    ("heat_rejected_mean", "heat_rejected", "heat rejected, mean", _mean),
    ("radiator_area", "radiator_area", "radiator area (one face)", _constant),
    ("radiator_margin_min", "radiator_margin", "radiator margin, lowest", _min),
    ("radiator_area_margin_min", "radiator_area_margin", "radiator area to spare, least", _min),
    (
        "radiator_temperature_margin_min",
        "radiator_temperature_margin",
        "coolant supply could be colder by, least",
        _min,
    ),
    ("panel_temperature_min", "panel_temperature_min", "radiator panel, coldest", _min),
    ("panel_temperature_max", "panel_temperature_max", "radiator panel, hottest", _max),
    ("coolant_supply_temperature_max", "coolant_supply_temperature", "coolant supply, highest", _max),
    ("coolant_return_temperature_max", "coolant_return_temperature", "coolant return, highest", _max),
    ("junction_temperature_max", "junction_temperature_max", "junction, hottest", _max),
    ("throttled_fraction_thermal", "throttled_fraction_thermal", "throttled by temperature", _mean),
    ("throttled_fraction_power", "throttled_fraction_power", "throttled by power", _mean),
    ("throughput_fraction", "throughput_fraction", "throughput", _mean),
    ("throughput_fraction_training", "throughput_fraction_training", "throughput of training", _mean),
    ("throughput_fraction_inference", "throughput_fraction_inference", "throughput of inference", _mean),
    ("throughput_fraction_batch", "throughput_fraction_batch", "throughput of batch jobs", _mean),
    ("limited_fraction_power", "limited_fraction_power", "time limited by power", _mean),
    ("limited_fraction_heat", "limited_fraction_heat", "time limited by heat", _mean),
    ("limited_fraction_cards", "limited_fraction_cards", "time limited by cards", _mean),
    ("limited_fraction_link", "limited_fraction_link", "time limited by link", _mean),
    ("failed_fraction", "failed_fraction", "failed cards, mean share", _mean),
    ("relay_power_mean", "relay_power", "relay terminals, mean", _mean),
    ("link_rate_mean", "link_rate", "relay links, mean rate", _mean),
    ("link_demand_mean", "link_demand", "relay links, mean demand", _mean),
    ("telemetry_delay_mean", "telemetry_delay", "telemetry delay, mean", _mean),
    ("telemetry_delay_max", "telemetry_delay", "telemetry delay, longest", _max),
)
"""Key, variable, label, reduction over time."""


_CAUSES = {
    "thermal": "throttled by temperature",
    "power": "throttled by power",
    "cards": "lost to failed and missing cards",
    "link": "spent waiting for data",
}
"""Causes of lost card time, in words."""


def _throttled_card_hours(
    cause: str, sub_center: xr.Dataset, plant: xr.Dataset, weights: NDArray[np.float64], names: list[str]
) -> SummaryRow | None:
    variable = f"throttled_fraction_{cause}"
    if not all(key in group for key in (variable, "card_count") for group in (sub_center, plant)):
        return None
    hours = float(np.nansum(weights)) / 3600.0
    parts = np.asarray(
        _mean(sub_center[variable], weights) * sub_center["card_count"] * hours, dtype=np.float64
    )
    whole = float(_mean(plant[variable], weights) * plant["card_count"] * hours)
    label = f"card-hours {_CAUSES[cause]}"
    return SummaryRow(f"throttled_card_hours_{cause}", label, "h", dict(zip(names, parts.tolist())), whole)


def _energy_per_work(
    sub_center: xr.Dataset, plant: xr.Dataset, weights: NDArray[np.float64], names: list[str]
) -> list[SummaryRow]:
    """Electrical energy of all loads per card-hour of work at full activity and clock."""
    if not all(key in group for key in ("work_rate", "load_power") for group in (sub_center, plant)):
        return []
    parts, whole = (
        3600.0 * _mean(group["load_power"], weights) / work.where(work > 0.0)
        for group in (sub_center, plant)
        for work in (_mean(group["work_rate"], weights),)
    )
    values = dict(zip(names, np.asarray(parts, dtype=np.float64).tolist()))
    return [SummaryRow("energy_per_card_hour", "energy per card-hour of work", "J", values, float(whole))]


def _json_number(value: float) -> float | None:
    return value if math.isfinite(value) else None
