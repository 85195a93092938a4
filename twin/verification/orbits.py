"""Orbits, eclipses and the heat of Sun and Earth."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

from twin.verification.registry import Check, ReferenceCase

CUBE_FACES = ("ram", "wake", "orbit_normal", "anti_orbit_normal", "nadir", "zenith")

TABLE = {
    700e3: (98.19, 98.77, 86.0, 18.78, 312.0, 0.81199, 0.23287),
    750e3: (98.39, 99.82, 81.0, 17.83, 276.0, 0.80064, 0.22550),
    800e3: (98.60, 100.87, 76.0, 16.89, 243.0, 0.78952, 0.21853),
}
"""Altitude: inclination °, period min, season d, longest eclipse min, dark h/yr, view factors nadir and edge-on."""


def cube_in_orbit() -> Iterator[Check]:
    """Black 0.5 m cube, 300 km above R = 6370 km, Sun in the orbit plane, S 1370, Earth 288 K and ε 0.6."""
    from solvers.constants import STEFAN_BOLTZMANN
    from twin.attitude import face_normals
    from twin.environment import EnvironmentSet, incident_fluxes
    from twin.kepler import SecularElements
    from twin.orbit import Orbit
    from twin.shadow import eclipse_events
    from twin.sun import days_since_j2000, sun_position

    epoch, earth, area = datetime(2026, 3, 20, 14, 46, tzinfo=UTC), 6370e3, 0.25
    sun, _ = sun_position(days_since_j2000(epoch))
    node = math.atan2(sun[0, 1], sun[0, 0])
    orbit = Orbit(
        SecularElements(epoch, earth + 300e3, 0.0, math.radians(51.6), node, 0.0, 0.0, j2=0.0), epoch
    )
    yield Check("period, s", 5424.0, orbit.period, 5e-3, True)
    eclipse = eclipse_events(orbit, 0.0, orbit.period, "cylindrical", earth_radius=earth)
    yield Check("eclipse, s", 2192.0, float(eclipse.duration[0]), 5e-3, True)
    surroundings = EnvironmentSet(1370.0, 0.3, 0.6 * STEFAN_BOLTZMANN * 288.0**4, scaled_with_distance=False)
    states = orbit.propagate(np.arange(0.0, orbit.period, 2.0))
    fluxes = incident_fluxes(states, face_normals(CUBE_FACES, states), surroundings, earth_radius=earth)
    yield Check(
        "Earth infrared on the cube, W",
        126.9,
        float(area * fluxes.earth_infrared.sum(axis=1).mean()),
        5e-3,
        True,
    )
    yield Check("largest solar heat, W", 484.0, float(area * fluxes.solar.sum(axis=1).max()), 5e-3, True)


def sun_synchronous() -> Iterator[Check]:
    """Dawn-dusk orbits, ascending node at 18 h: geometry, eclipse season, view of the Earth."""
    from twin.environment import earth_view_factor
    from twin.orbit import EARTH_RADIUS, Orbit
    from twin.season import orbit_year

    for altitude, (inclination, period, days, longest, dark, nadir, edge) in TABLE.items():
        orbit, at = (
            Orbit.from_altitude(altitude, 18.0, datetime(2026, 1, 1, tzinfo=UTC)),
            f"{altitude / 1e3:.0f} km",
        )
        season = orbit_year(orbit, 2026, "cylindrical").seasons[0]
        ratio = 1.0 + altitude / EARTH_RADIUS
        yield Check(f"{at}: inclination, °", inclination, math.degrees(orbit.inclination), 0.006)
        yield Check(f"{at}: period, min", period, orbit.period / 60.0, 0.006)
        yield Check(f"{at}: eclipse season, d", days, season.days, 1.0)
        # The table holds the closed form at the year's smallest beta to 0.1°, which is worth 0.2 %.
        yield Check(f"{at}: longest eclipse, min", longest, season.longest / 60.0, 2e-3, True)
        yield Check(f"{at}: dark hours a year, h", dark, season.dark_time / 3600.0, 1.0)
        yield Check(f"{at}: view factor, nadir", nadir, float(earth_view_factor(ratio, 0.0)), 1e-5)
        yield Check(f"{at}: view factor, edge-on", edge, float(earth_view_factor(ratio, math.pi / 2)), 1e-5)


def albedo_at_the_terminator() -> Iterator[Check]:
    """Reflected sunlight with the Sun on the horizon of the point below, 750 km, Lambert 0.3, 1361 W/m²."""
    from twin.albedo import albedo_factor, sphere_albedo_factor
    from twin.orbit import EARTH_RADIUS

    ratio, flux, right = 1.0 + 750e3 / EARTH_RADIUS, 0.3 * 1361.0, math.pi / 2
    faces = {
        "nadir plate": (0.0, 0.0, 12.392),
        "edge-on, towards the Sun": (right, 0.0, 11.673),
        "edge-on, along the terminator": (right, right, 3.716),
        "edge-on, away from the Sun": (right, math.pi, 0.0),
    }
    for name, (tilt, azimuth, expected) in faces.items():
        value = flux * float(albedo_factor(ratio, right, tilt, azimuth))
        yield Check(f"{name}, W/m²", expected, value, 1e-3)
    yield Check(
        "small sphere, W/m² of cross-section", 19.760, flux * float(sphere_albedo_factor(ratio, right)), 1e-3
    )


def edge_on_radiator() -> Iterator[Check]:
    """Net flux of a two-sided panel edge-on to Sun and Earth, ε 0.9, 240 W/m² from the Earth, 750 km."""
    from solvers.constants import STEFAN_BOLTZMANN
    from twin.environment import earth_view_factor
    from twin.orbit import EARTH_RADIUS

    earth = 240.0 * float(earth_view_factor(1.0 + 750e3 / EARTH_RADIUS, math.pi / 2))
    for temperature, expected in {293.0: 655.0, 313.0: 882.0, 333.0: 1158.0, 353.0: 1487.0}.items():
        net = 2.0 * 0.9 * (STEFAN_BOLTZMANN * temperature**4 - earth)
        yield Check(f"net flux at {temperature:g} K, W/m²", expected, net, 0.005, True)
    yield Check("effective sink, K", 176.0, (earth / STEFAN_BOLTZMANN) ** 0.25, 0.5)


CASES = (
    ReferenceCase(
        "cube-in-orbit", "heat of Sun and Earth on a cube", "published cube in orbit", cube_in_orbit
    ),
    ReferenceCase(
        "sun-synchronous", "dawn-dusk orbits", "Vallado's J2 forms; Gilmore, ch. 2", sun_synchronous
    ),
    ReferenceCase(
        "albedo", "albedo at the terminator", "integral over the lit Earth", albedo_at_the_terminator
    ),
    ReferenceCase("edge-on-radiator", "edge-on panel, net flux", "closed form", edge_on_radiator),
)
