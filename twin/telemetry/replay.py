"""Telemetry of a finished run: what perfect sensors would have read, as far as the result has it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from twin.errors import BadInput
from twin.telemetry.dictionary import Dictionary
from twin.telemetry.observation import packet_rows
from twin.telemetry.quantities import QUANTITIES, ArrayMode, BatteryMode, CardMode

__all__ = ["replayed"]

Floats = NDArray[np.float64]

_SMALL = 1e-3

_POSITION = {f"{what}_{axis}": (what, i) for what in ("position", "velocity") for i, axis in enumerate("xyz")}

_HELD_BACK = (
    ("power", CardMode.POWER),
    ("heat", CardMode.HEAT),
    ("cards", CardMode.CARDS),
    ("link", CardMode.LINK),
)


def replayed(result: xr.DataTree, dictionary: Dictionary) -> Iterator[tuple[float, Floats, Floats]]:
    """Yield the readings at every time that a result holds.

    Parameters
    ----------
    result : DataTree
        As of `twin.results.open_result`.
    dictionary : Dictionary
        Of the case of the result.

    Yields
    ------
    time, values, delay
        Time since mission start [s]; (parameter,) values, NaN where the result has none; (sub_center,) delay of
        telemetry, infinite where there is no link [s].

    Raises
    ------
    BadInput
        If the result has other sub-centers or modules than its case.
    """
    module = result["module"].to_dataset()
    _check(module, dictionary)
    start = np.datetime64(dictionary.start.replace(tzinfo=None))
    times = (module["time"].values - start) / np.timedelta64(1, "ns") * 1e-9
    groups = {name: result[name].to_dataset() for name in ("module", "sub_center", "plant", "orbit")}
    for number, time in enumerate(times):
        now = {name: group.isel(time=number).load() for name, group in groups.items()}
        delay = now["sub_center"].get("telemetry_delay")
        late = (
            np.zeros(len(dictionary.sub_centers)) if delay is None else np.asarray(delay.values, dtype=float)
        )
        yield float(time), _vector(now, dictionary), np.where(np.isfinite(late), late, np.inf)


def _check(module: xr.Dataset, dictionary: Dictionary) -> None:
    names = tuple(str(name) for name in module["sub_center"].values)
    found = (module["module_index"].values >= 0).sum(axis=1)
    if names != dictionary.sub_centers or not np.array_equal(found, dictionary.modules):
        raise BadInput(
            f"result: has the sub-centers {', '.join(names)} with {found.sum()} modules, its case has "
            f"{', '.join(dictionary.sub_centers)} with {dictionary.modules.sum()}; run the case again"
        )


def _vector(now: dict[str, xr.Dataset], dictionary: Dictionary) -> Floats:
    out = np.full(dictionary.size, np.nan)
    there = now["module"]["module_index"].values >= 0
    scales = {"module": dictionary.module_scales, "sub_center": dictionary.sub_center_scales}
    columns: dict[tuple[str, str], Floats] = {}
    for kind, line in QUANTITIES:
        source = now[kind.scope]
        if kind.scope == "plant" and line.name in _POSITION:
            what, axis = _POSITION[line.name]
            columns[kind.scope, line.name] = np.atleast_1d(now["orbit"][what].values[axis])
        elif line.name == "module_count":
            columns[kind.scope, line.name] = dictionary.modules.astype(float)
        elif line.name in source:
            values = source[line.name].values
            columns[kind.scope, line.name] = np.atleast_1d(
                values[there] if kind.scope == "module" else values
            )
    columns |= {("module", name): v for name, v in _modes(now["module"], there, scales["module"]).items()}
    for layout, _, at, rows in packet_rows(dictionary):
        table = out[at].reshape(-1, layout.fields)
        for number, line in enumerate(layout.kind.quantities):
            column = columns.get((layout.kind.scope, line.name))
            if column is not None:
                table[:, number] = column[rows]
    return out


def _modes(module: xr.Dataset, there: NDArray[np.bool_], scale: dict[str, Floats]) -> dict[str, Floats]:
    """Modes from what the result has: there is no packet without them."""

    def values(name: str) -> Floats:
        return np.asarray(module[name].values[there], dtype=float)

    available, used = values("solar_power_available"), values("solar_power")
    battery, card = values("battery_power"), np.zeros(int(there.sum()))
    for name, mode in _HELD_BACK:
        card[values(f"limited_fraction_{name}") > 0.5] = mode
    small = _SMALL * scale["array_power"]
    return {
        "array_mode": np.select(
            [available < small, used < 0.99 * available],
            [ArrayMode.DARK, ArrayMode.CURTAILED],
            ArrayMode.TRACKING,
        ).astype(float),
        "battery_mode": np.select(
            [battery > small, battery < -small],
            [BatteryMode.DISCHARGING, BatteryMode.CHARGING],
            BatteryMode.IDLE,
        ).astype(float),
        "card_mode": card,
    }
