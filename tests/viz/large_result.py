"""A synthetic result with the shape of a large plant, for pictures, sessions and their speed: never physics.

Four sub-centers of n x n modules a quarter of an orbit apart. Modules differ, and one of them is made the hottest
on purpose (`HOTTEST`), so that tests know where it must be.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from twin.card_maps import CardMaps
from twin.compute import CARDS as CARD_KINDS
from twin.compute import CardFleet
from twin.results import ResultLayout, ResultWriter

START = datetime(2035, 6, 21, tzinfo=UTC)
PERIOD, RADIUS = 5_990.0, 7.128e6
NAMES = ["first", "second", "third", "fourth"]
HOTTEST = (2, 5)
"""Sub-center and module of the hottest panel and card."""
FAILED = (1, 3)
"""Module whose cards are throttled by temperature all the time."""
CARDS, SLOTS = 1024, 64
HOT_CARD = (5, 17)
"""Rack and card of module `HOTTEST` in the maps of cards; a quarter of this rack is held back by temperature."""
BETA = np.deg2rad(58.0)
EDGES = np.arange(233.15, 394.15, 2.0)
QUANTILES = np.array([0.0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0])


def case(side: int) -> dict[str, object]:
    """Return a resolved case with what pictures read of it."""
    inner = max(side - 2, 0)
    counts = {"interior": inner * inner, "edge": 4 * inner, "corner": 4} if side > 1 else {"corner": 1}
    design = {
        "radiator": {"panels": 20, "width": "3 m", "height": "9.5 m", "orientation": "edge_on"},
        "solar_array": {"area": "1560 m2", "orientation": "sun"},
        "body": {"faces": [{"name": "zenith", "area": "55 m2", "orientation": "zenith"}]},
        "relay": {"terminals": 2},
    }
    views = {"interior": 0.08, "edge": 0.05, "corner": 0.03}
    return {
        "name": "synthetic-gigawatt",
        "description": "Synthetic plant of the shape of a gigawatt center",
        "sub_centers": [
            {
                "name": name,
                "phase": f"{90 * k} deg",
                "modules": [{"class": key, "count": number} for key, number in counts.items()],
            }
            for k, name in enumerate(NAMES)
        ],
        "module_classes": {key: design | {"neighbour_view": views[key]} for key in counts},
        "relay_satellites": [{"name": "relay-middle", "longitude": "80 deg"}],
    }


def write_large(
    folder: Path, side: int = 32, ticks: int = 30, step: float = 300.0, warmer: float = 0.0
) -> Path:
    """Write ``result.zarr`` with 4 x side² modules into `folder`; return its path.

    `warmer` [K] is added to all temperatures: for comparisons.
    """
    described = case(side)
    classes = described["sub_centers"][0]["modules"]  # type: ignore[index]
    names = [item["class"] for _ in NAMES for item in classes for _ in range(item["count"])]
    per = side * side
    owner = np.repeat(np.arange(4), per)
    axes = {"quantile": QUANTILES, "junction_temperature_bin": 0.5 * (EDGES[1:] + EDGES[:-1])}
    layout = ResultLayout(NAMES, owner, names, axes)
    total = owner.size
    random = np.random.default_rng(7)
    spread = random.normal(0.0, 1.0, total)
    view = np.array([{"interior": 0.08, "edge": 0.05, "corner": 0.03}[name] for name in names])
    hottest, failed = HOTTEST[0] * per + HOTTEST[1], FAILED[0] * per + FAILED[1]
    constants = {
        "radiator_area": np.full(total, 570.0),
        "card_count": np.full(total, float(CARDS)),
        "battery_soc_limit": np.full(total, 0.7),
        "junction_temperature_slowdown": np.full(total, 358.15),
    }
    summed = ("radiator_area", "card_count")
    static = {
        "module": constants,
        "sub_center": {k: gather(v, per, "sum" if k in summed else "min") for k, v in constants.items()},
        "plant": {k: float(v.sum() if k in summed else v.min()) for k, v in constants.items()},
    }
    static["sub_center"]["module_count"] = np.full(4, float(per))
    static["plant"]["module_count"] = float(total)
    attributes = {
        "case": described,
        "case_name": described["name"],
        "certificate": {"panel": {"error": 0.02}},
    }
    absorbed = 0.0
    with ResultWriter.create(folder / "result.zarr", layout, START, attributes, static) as writer:
        for k in range(1, ticks + 1):
            time = k * step
            places = [orbit(time, np.deg2rad(90.0 * c)) for c in range(4)]
            sun_now = np.array([float(lit(place)) for place in places])
            sun = sun_now[owner]
            panel = 300.0 + warmer + 6.0 * sun + 1.2 * spread + 25.0 * view
            panel[hottest] += 14.0
            junction = panel + 42.0 + 0.4 * spread
            thermal = np.clip(spread - 2.2, 0.0, 0.3)
            thermal[failed] = 0.8
            power = np.where(sun > 0, 0.0, 0.1) + np.zeros(total)
            card = np.full(total, 280.0 * CARDS) * (1 - 0.4 * thermal)
            values = {
                "solar_power": sun * 445e3,
                "load_power": 1.15 * card,
                "card_power": card,
                "battery_power": 1.15 * card - sun * 445e3,
                "battery_soc": np.where(sun > 0, 0.95, 0.8) + 0.01 * random.random(total),
                "battery_margin": np.where(sun > 0, 0.25, 0.1),
                "heat_rejected": card + 0.0,
                "coolant_supply_temperature": panel + 12.0,
                "coolant_return_temperature": panel + 22.0,
                "panel_temperature_min": panel - 9.0,
                "panel_temperature_mean": panel,
                "panel_temperature_max": panel + 8.0,
                "solar_array_temperature": 200.0 + 130.0 * sun + spread,
                "junction_temperature_p50": junction,
                "junction_temperature_p99": junction + 5.0,
                "junction_temperature_max": junction + 9.0,
                "throttled_fraction_thermal": thermal,
                "throttled_fraction_power": power,
                "throughput_fraction": 1 - 0.5 * thermal - 0.5 * power,
                "radiator_margin": 0.3 - (panel - 300.0) / 100.0,
            }
            position, velocity = places[0]
            histogram = np.stack(
                [np.histogram(part, EDGES)[0] * CARDS for part in junction.reshape(4, per)]
            ).astype(float)
            absorbed += float(values["solar_power"].sum()) * step / 0.3
            writer.append(
                time,
                {
                    "module": values,
                    "sub_center": {key: gather(v, per, reduction(key)) for key, v in values.items()}
                    | {"illuminated_fraction": sun_now},
                    "plant": {key: whole(v, reduction(key)) for key, v in values.items()}
                    | {"tick_duration": step, "energy_residual": 1e-9},
                    "card": {
                        "junction_temperature_quantile": np.quantile(
                            junction.reshape(4, per), QUANTILES, axis=1
                        ).T,
                        "junction_temperature_histogram": histogram,
                    },
                    "orbit": {
                        "position": position,
                        "velocity": velocity,
                        "sun_direction": sun_direction(),
                        "altitude": 750e3,
                        "beta_angle": BETA,
                        "illuminated_fraction": sun_now[0],
                    },
                    "ledger": {
                        "absorbed_energy": absorbed,
                        "emitted_energy": absorbed,
                        "stored_energy": 0.0,
                        "battery_energy": 0.0,
                        "energy_residual": 1e-9,
                    },
                },
            )
        writer.finish({"wall_time": 1.0})
    return folder / "result.zarr"


def write_maps(folder: Path, side: int, times: tuple[float, ...]) -> None:
    """Write maps of racks and cards: of module `HOTTEST` a rack of hot cards, one of which is the hottest."""
    card = next(iter(CARD_KINDS.values()))
    fleet = CardFleet(card, np.full(4 * side * side, CARDS))
    fleet.assign(np.zeros(fleet.cards, int), 1)
    maps = CardMaps(folder / "fields/cards", fleet, [SLOTS] * fleet.modules)
    first = CARDS * (HOTTEST[0] * side * side + HOTTEST[1])
    rack, number = HOT_CARD
    for k, time in enumerate(times):
        fleet.temperature[:] = 320.0 + k
        fleet.temperature[first + SLOTS * rack : first + SLOTS * (rack + 1)] = 345.0
        fleet.temperature[first + SLOTS * rack + number] = 357.0 - k
        slow = slice(first + SLOTS * rack, first + SLOTS * rack + SLOTS // 4)
        fleet.mean_pace[slow], fleet.status[slow] = 0.5, 1
        maps.forget()
        maps.write(time)


def sun_direction() -> np.ndarray:
    """Return the direction of the Sun at midsummer: 23.4 degrees north."""
    return np.array([0.0, np.cos(np.deg2rad(23.4)), np.sin(np.deg2rad(23.4))])


def orbit(time: float, phase: float) -> tuple[np.ndarray, np.ndarray]:
    """Return position [m] and velocity [m/s] on a circle whose normal makes an angle of 90° - beta with the Sun."""
    sun = sun_direction()
    east = np.array([1.0, 0.0, 0.0])
    south = np.cross(sun, east)
    normal = np.sin(BETA) * sun + np.cos(BETA) * south
    a = east
    b = np.cross(normal, a)
    angle = 2 * np.pi * time / PERIOD + phase
    position = RADIUS * (np.cos(angle) * a + np.sin(angle) * b)
    velocity = 2 * np.pi * RADIUS / PERIOD * (-np.sin(angle) * a + np.cos(angle) * b)
    return position, velocity


def lit(place: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether a place is outside the cylinder of shadow."""
    position, sun = place[0], sun_direction()
    along = float(position @ sun)
    return along > 0 or float(np.linalg.norm(position - along * sun)) > 6.378e6


def reduction(name: str) -> str:
    """Return how modules become a sub-center."""
    if name.startswith("throttled"):
        return "mean"
    if name.endswith("_power") or name == "heat_rejected":
        return "sum"
    if name.endswith(("_max", "_p99")):
        return "max"
    if name.endswith(("_min", "_margin")):
        return "min"
    return "mean"


def gather(values: np.ndarray, per: int, how: str) -> np.ndarray:
    """Return the sub-centers' values."""
    return np.array([whole(part, how) for part in values.reshape(-1, per)])


def whole(values: np.ndarray, how: str) -> float:
    """Return one value for all."""
    return float(getattr(values, how)())
