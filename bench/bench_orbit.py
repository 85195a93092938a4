"""A year of one orbit at 10 s: states, Sun, shadow and fluxes on six faces; eclipse events; the parts of it.

Peers, where there are any: astropy for the Sun, direct evaluation of the albedo integral for its table.

Usage: python bench/bench_orbit.py [--step 10] [--days 365]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from twin.albedo import albedo_factor
from twin.attitude import face_normals
from twin.environment import EnvironmentSet, face_angles, incident_fluxes, tabulate_albedo
from twin.orbit import EARTH_RADIUS, Orbit
from twin.season import flux_history
from twin.shadow import eclipse_events, illuminated_fraction
from twin.sun import days_since_j2000, sun_position

RESULTS = Path(__file__).parent / "results" / "orbit.json"
FACES = ["ram", "wake", "orbit_normal", "anti_orbit_normal", "nadir", "zenith"]
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
ORBITS = {
    "sun-synchronous, 750 km": Orbit.from_altitude(750e3, 18.0, EPOCH),
    "SGP4 (RADARSAT-2)": Orbit.from_tle(
        "1 32382U 07061A   26045.51879905  .00000009  00000+0  20529-4 0  9993",
        "2 32382  98.5813  54.1883 0001160  83.1201 277.0113 14.29981438948423",
        EPOCH,
    ),
}


def peak_memory() -> float:
    """Largest resident size so far [MB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def timed(
    run: Callable[[], object], repeats: int = 3, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Shortest time of a call [s] by the clock, after one to warm up."""
    run()
    times = []
    for _ in range(repeats):
        start = clock()
        run()
        times.append(clock() - start)
    return min(times)


def whole_year(days: float, step: float) -> list[tuple[str, str, float]]:
    environment = EnvironmentSet.named("nominal")
    rows = []
    for name, orbit in ORBITS.items():
        stop = days * 86_400.0

        def history(orbit: Orbit = orbit, stop: float = stop) -> None:
            flux_history(orbit, FACES, environment, 0.0, stop, step=step)

        before = peak_memory()
        seconds = timed(history)
        samples = round(stop / step)
        rows.append((f"{name}: {days:g} days at {step:g} s, 6 faces", "s", seconds))
        processor = timed(history, repeats=1, clock=time.process_time)
        rows.append((f"{name}: processor time of the same", "s", processor))
        rows.append(
            (f"{name}: state, Sun, shadow, fluxes on one core", "ns/sample", processor / samples * 1e9)
        )
        rows.append((f"{name}: memory added", "MB", peak_memory() - before))
        seconds = timed(lambda orbit=orbit, stop=stop: eclipse_events(orbit, 0.0, stop))
        rows.append((f"{name}: all eclipses of {days:g} days, contacts to 1 µs", "s", seconds))
    return rows


def parts() -> list[tuple[str, str, float]]:
    """One day at 10 s on one core, part by part."""
    orbit, environment = ORBITS["sun-synchronous, 750 km"], EnvironmentSet.named("nominal")
    seconds = np.arange(0.0, 86_400.0, 10.0) + 160 * 86_400.0
    days = days_since_j2000(EPOCH) + seconds / 86_400.0
    states = orbit.propagate(seconds)
    normals = face_normals(FACES, states)
    light = illuminated_fraction(states.position, states.sun_direction, sun_distance=states.sun_distance)
    table = tabulate_albedo(orbit, 0.0, 86_400.0)
    angles = face_angles(states, normals)
    ratio = angles.radius / EARTH_RADIUS
    runs: dict[str, Callable[[], object]] = {
        "position and velocity": lambda: orbit.propagator.position_velocity(seconds),
        "Sun": lambda: sun_position(days),
        "shadow, exact disk overlap": lambda: illuminated_fraction(
            states.position, states.sun_direction, sun_distance=states.sun_distance
        ),
        "normals of 6 faces": lambda: face_normals(FACES, states),
        "fluxes on 6 faces": lambda: incident_fluxes(states, normals, environment, light, albedo_table=table),
        "of that, albedo from the table": lambda: table.factor(
            ratio, angles.sun_zenith, angles.tilt, angles.azimuth
        ),
        "albedo integral without the table": lambda: albedo_factor(
            ratio[:, None], angles.sun_zenith[:, None], angles.tilt, angles.azimuth
        ),
    }
    return [(name, "ns/sample", timed(run) / seconds.size * 1e9) for name, run in runs.items()]


def astropy_sun(count: int = 5000) -> tuple[str, str, float]:
    from astropy.coordinates import get_sun
    from astropy.time import Time

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        times = Time("2026-01-01", scale="utc") + np.linspace(0.0, 1.0, count)
        return "Sun by astropy (get_sun)", "ns/sample", timed(lambda: get_sun(times)) / count * 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--step", type=float, default=10.0)
    parser.add_argument("--days", type=float, default=365.0)
    options = parser.parse_args()
    rows = [*whole_year(options.days, options.step), *parts(), astropy_sun()]
    width = max(len(name) for name, *_ in rows)
    for name, unit, value in rows:
        print(f"{name:<{width}}  {value:12.4g}  {unit}")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(
        json.dumps(
            {
                "processors": os.process_cpu_count(),
                "step": options.step,
                "days": options.days,
                "rows": [{"what": name, "unit": unit, "value": value} for name, unit, value in rows],
            },
            indent=2,
        )
        + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
