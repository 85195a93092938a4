"""A synthetic result written through the real writer: three orbits of a small plant with two sub-centers.

The numbers come from a lumped model that is just plausible enough to look at: they check pictures and
reports, never physics.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from twin.field_output import FieldSeries
from twin.results import ResultLayout, ResultWriter, open_result

sys.path.insert(0, str(Path(__file__).parent))  # helpers beside the tests

from browser import WHY_NOT, devtools_address
from large_result import write_large, write_maps

START = datetime(2026, 11, 10, 12, 0, 0, tzinfo=UTC)
PERIOD = 5_990.0
ECLIPSE = (4_200.0, 5_220.0)
STEP = 20.0
STEFAN_BOLTZMANN = 5.670374e-8
SUB_CENTERS = ["Aurora", "Borealis"]
OWNER = np.array([0, 0, 1])
CARDS = np.array([8.0, 8.0, 8.0])
PANEL = (2.0, 3.0)

CASE = {
    "name": "synthetic",
    "description": "Synthetic plant for the tests of pictures and reports",
    "mission": {"start": START.isoformat(), "duration": 3 * PERIOD, "age": 0.0, "seed": 1},
    "orbit": {"altitude": 750e3, "ltan": 18.0},
    "sub_centers": [
        {"name": "Aurora", "phase": 0.0, "modules": [{"class": "pioneer", "count": 2}]},
        {"name": "Borealis", "phase": 0.0, "modules": [{"class": "pioneer", "count": 1}]},
    ],
    "module_classes": {
        "pioneer": {
            "radiator": {"panels": 2, "width": PANEL[0], "height": PANEL[1], "orientation": "edge_on"},
            "solar_array": {"area": 24.0, "orientation": "sun"},
            "body": {"faces": [{"name": "top", "area": 1.2, "orientation": "zenith"}]},
        }
    },
}


def illumination(time: float) -> float:
    return float(not ECLIPSE[0] < time % PERIOD <= ECLIPSE[1])


def orbit_values(time: float) -> dict[str, np.ndarray | float]:
    """Return a polar orbit that the Sun sees at a beta angle of 65°."""
    angle, beta, radius = 2 * np.pi * time / PERIOD, np.deg2rad(65.0), 7.128e6
    x, z = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
    return {
        "position": radius * (np.cos(angle) * x + np.sin(angle) * z),
        "velocity": 7.48e3 * (-np.sin(angle) * x + np.cos(angle) * z),
        "sun_direction": np.array([np.cos(beta), -np.sin(beta), 0.0]),
        "altitude": 750e3,
        "beta_angle": beta,
        "illuminated_fraction": illumination(time),
        "solar_flux": 1389.0 * illumination(time),
        "albedo_flux": 90.0,
        "earth_infrared_flux": 190.0,
    }


def panel_field(mean: float, hot: float, points: np.ndarray) -> np.ndarray:
    """Warm along the tube, cooler at the far end and at the edges."""
    x, y = points[:, 0] / PANEL[0], points[:, 1] / PANEL[1]
    shape = np.exp(-(((x - 0.5) / 0.28) ** 2)) * (1 - 0.45 * y)
    return mean + (shape - shape.mean()) * (hot - mean) / (shape.max() - shape.mean())


def panel_mesh() -> tuple[np.ndarray, np.ndarray]:
    nx, ny = 25, 37
    x, y = np.meshgrid(np.linspace(0, PANEL[0], nx), np.linspace(0, PANEL[1], ny), indexing="ij")
    points = np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])
    corner = (np.arange(nx - 1)[:, None] * ny + np.arange(ny - 1)).ravel()
    lower = np.column_stack([corner, corner + ny, corner + ny + 1])
    upper = np.column_stack([corner, corner + ny + 1, corner + 1])
    return points, np.vstack([lower, upper])


def write_synthetic(folder: Path) -> Path:
    """Write ``result.zarr`` and ``fields`` into `folder`; return the result's path."""
    layout = ResultLayout(SUB_CENTERS, OWNER, ["pioneer"] * 3, {"quantile": np.array([0.5, 0.99])})
    area = np.full(3, 2 * PANEL[0] * PANEL[1])
    constants = {
        "radiator_area": area,
        "card_count": CARDS,
        "battery_soc_limit": np.full(3, 0.4),
        "junction_temperature_slowdown": np.full(3, 362.15),
    }
    total = ("radiator_area", "card_count")
    static = {
        "module": constants,
        "sub_center": {k: gather(v, "sum" if k in total else "min") for k, v in constants.items()},
        "plant": {k: v.sum() if k in total else v.min() for k, v in constants.items()},
    }
    static["sub_center"]["module_count"] = np.array([2.0, 1.0])
    static["plant"]["module_count"] = 3.0
    attributes = {"case": CASE, "case_name": "synthetic", "case_text": json.dumps(CASE, indent=2)}
    points, triangles = panel_mesh()
    panel, soc, stored = np.array([285.0, 286.0, 292.0]), np.array([0.98, 0.97, 0.99]), 0.0
    absorbed = emitted = battery = electrical = 0.0
    with (
        ResultWriter.create(folder / "result.zarr", layout, START, attributes, static) as writer,
        FieldSeries.create(folder / "fields") as fields,
    ):
        fields.add_mesh("panel", points, "triangle", triangles)
        for step in range(1, round(3 * PERIOD / STEP) + 1):
            time = step * STEP
            sun = illumination(time - STEP / 2)
            card = CARDS * 560.0 * np.array([1.0, 1.0, 1.12]) * (1.0 - 0.25 * (step % 90 < 4))
            load = card * 1.12 + 420.0
            charge = np.where((soc < 0.985) & (sun > 0), 2_300.0, 0.0)
            solar = sun * (load + charge)
            power = load - solar
            soc = soc - power * STEP / (3.6e6 * 4.0)
            environment = np.array([1.0, 1.0, 1.06]) * (620.0 + 900.0 * sun)
            radiated = 2 * 0.86 * STEFAN_BOLTZMANN * area * 0.92 * (panel**4 - 170.0**4)
            panel = panel + STEP * (card * 0.97 + environment * 0.35 - radiated) / 6.0e4
            supply, back = panel + 6.0, panel + 6.0 + card / 420.0
            median = back + 0.055 * card / CARDS + 12.0
            hottest = median + np.array([9.0, 9.5, 19.0])
            thermal = np.clip((hottest - 362.15) / 12.0, 0.0, 1.0)
            per_module = {
                "solar_power": solar,
                "load_power": load,
                "card_power": card,
                "battery_power": power,
                "battery_soc": soc,
                "heat_rejected": radiated,
                "coolant_supply_temperature": supply,
                "coolant_return_temperature": back,
                "panel_temperature_min": panel - 14.0,
                "panel_temperature_mean": panel,
                "panel_temperature_max": panel + 7.0,
                "junction_temperature_p50": median,
                "junction_temperature_p99": hottest - 1.5,
                "junction_temperature_max": hottest,
                "throttled_fraction_thermal": thermal,
                "throttled_fraction_power": np.full(3, 0.02 * (1 - sun)),
                "throughput_fraction": 1 - 0.4 * thermal - 0.01 * (1 - sun),
                "radiator_margin": 0.35 - (panel - 285.0) / 100.0,
                "battery_margin": soc - 0.4,
            }
            absorbed += float(environment.sum() + solar.sum() / 0.3) * STEP
            battery += -float(power.sum()) * STEP
            electrical += float(solar.sum()) * STEP
            stored = 6.0e4 * float((panel - [285.0, 286.0, 292.0]).sum())
            emitted = absorbed - stored - battery
            residual = 2e-9 * np.sin(time / 700.0)
            writer.append(
                time,
                {
                    "module": per_module,
                    "sub_center": {k: gather(v, reduction(k)) for k, v in per_module.items()},
                    "plant": {
                        "tick_duration": STEP,
                        "energy_residual": residual,
                        **{k: getattr(v, reduction(k))() for k, v in per_module.items()},
                    },
                    "card": {
                        "junction_temperature_quantile": np.column_stack(
                            [gather(median, "mean"), gather(hottest, "max")]
                        )
                    },
                    "orbit": orbit_values(time),
                    "ledger": {
                        "absorbed_energy": absorbed,
                        "emitted_energy": emitted - residual * absorbed,
                        "stored_energy": stored,
                        "battery_energy": battery,
                        "electrical_energy": electrical,
                        "energy_residual": residual,
                    },
                },
            )
            if step % 30 == 0:
                field = panel_field(panel[0], panel[0] + 7.0, points)
                fields.write("panel", time, {"temperature": ("K", field)})
        writer.finish({"wall_time": 12.3})
    return folder / "result.zarr"


def reduction(name: str) -> str:
    if name.startswith("throttled"):
        return "mean"
    if name.endswith("_power") or name == "heat_rejected":
        return "sum"
    if name.endswith(("_max", "_p99")):
        return "max"
    if name.endswith(("_min", "_margin")):
        return "min"
    return "mean"


def gather(values: np.ndarray, how: str) -> np.ndarray:
    return np.array([getattr(values[np.equal(OWNER, index)], how)() for index in range(len(SUB_CENTERS))])


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    write_synthetic(folder)
    return folder


@pytest.fixture(scope="session")
def result(run_folder: Path) -> xr.DataTree:
    return open_result(run_folder)


@pytest.fixture(scope="session")
def browser() -> Iterator[str]:
    """Address of a real Chromium; without one the tests that need it are skipped."""
    started: list[subprocess.Popen[bytes]] = []
    address = devtools_address(started)
    if address is None:
        pytest.skip(WHY_NOT)
    yield address
    for program in started:
        program.terminate()
        program.wait(20)


@pytest.fixture(scope="session")
def large_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plant of 4 x 64 modules."""
    folder = tmp_path_factory.mktemp("large")
    write_large(folder, side=8, ticks=24)
    write_maps(folder, 8, (300.0, 3000.0, 7200.0))
    return folder
