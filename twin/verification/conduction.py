"""Conduction with radiation and convection: NAFEMS and VPCS benchmarks, one per statement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.verification.registry import Check, ReferenceCase

if TYPE_CHECKING:
    from meshes.mesh import Mesh

CELSIUS = 273.15


def nafems_t2() -> Iterator[Check]:
    """Bar with one end at 1000 K, the other radiating to 300 K, sides insulated."""
    from meshes.panel import radiator_panel
    from solvers.materials import Material, Section
    from solvers.thermal import ThermalModel

    bar = radiator_panel(width=0.1, height=0.01, cell_size=0.0025)
    steel = Material(conductivity=55.563)
    model = ThermalModel(bar, {"panel": Section.of(steel, 0.01)}, stefan_boltzmann=5.67e-8)
    model.fix("left", 1000.0)
    model.radiate(model.boundary("right"), emissivity=0.98, sink_temperature=300.0)
    field = model.field(model.solve_steady(500.0))
    assert field is not None
    yield Check("temperature of the radiating end, K", 926.97, float(field[bar.facet("right")].mean()), 0.01)


def nafems_t3() -> Iterator[Check]:
    """Bar at 0 °C, one end held, the other at 100 sin(πt/40) °C: one-dimensional transient."""
    from meshes.panel import radiator_panel
    from solvers.materials import Material, Section
    from solvers.thermal import ThermalModel

    bar = radiator_panel(width=0.1, height=0.005, cell_size=0.001)
    model = ThermalModel(bar, {"panel": Section.of(Material(35.0, 7200.0, 440.5), 0.01)})
    model.fix("left", CELSIUS)
    model.fix("right", lambda t: CELSIUS + 100.0 * np.sin(np.pi * t / 40.0))
    state = model.state(CELSIUS)
    for step in model.integrate(state, 0.0, 32.0, tolerance=0.002):
        state = step.end
    field = model.field(state)
    assert field is not None
    at = np.isclose(bar.points[:, 0], 0.08)
    yield Check(
        "temperature at x = 0.08 m, t = 32 s, °C", 36.6031, float(field[at].mean()) - CELSIUS, 5e-3, True
    )


def vpcs_tpnv01() -> Iterator[Check]:
    """Hollow sphere between radiation inside and convection outside."""
    from solvers.materials import Material
    from solvers.thermal import ThermalModel

    inner, outer, ambient, surroundings = 0.300, 0.392, 20.0 + CELSIUS, 500.0 + CELSIUS
    wedge = spherical_wedge(inner, outer, half_angle=0.02, cells=(2, 2, 24))
    model = ThermalModel(wedge, {"sphere": Material(conductivity=40.0)}, stefan_boltzmann=5.73e-8)
    model.radiate(model.boundary("inside"), emissivity=0.6, sink_temperature=surroundings)
    model.convect(model.boundary("outside"), coefficient=133.5, fluid_temperature=ambient)
    field = model.field(model.solve_steady(300.0))
    assert field is not None
    hot = float(field[np.unique(wedge.facet("inside"))].mean())
    cold = float(field[np.unique(wedge.facet("outside"))].mean())
    yield Check("inner temperature, °C", 91.77, hot - CELSIUS, 0.1)
    yield Check("outer temperature, °C", 71.22, cold - CELSIUS, 0.1)
    yield Check("inner flux, W/m²", 11675.0, 0.6 * 5.73e-8 * (surroundings**4 - hot**4), 0.005, True)
    yield Check("outer flux, W/m²", 6838.0, 133.5 * (cold - ambient), 0.005, True)


def spherical_wedge(inner: float, outer: float, half_angle: float, cells: tuple[int, int, int]) -> Mesh:
    """Hexahedra between two spheres within a small angle; the four side faces are planes of symmetry."""
    box = block((2.0 * half_angle, 2.0 * half_angle, outer - inner), cells)
    longitude, latitude, radius = (box.points - np.array([half_angle, half_angle, -inner])).T
    points = np.stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], axis=1
    )
    facets = {"inside": box.facet("z-low"), "outside": box.facet("z-high")}
    return replace(
        box, points=radius[:, None] * points, regions={"sphere": box.region("block")}, facets=facets
    )


def block(size: tuple[float, float, float], cells: tuple[int, int, int]) -> Mesh:
    """Hexahedra that fill a box from the origin; boundaries ``x-low`` to ``z-high``."""
    from meshes.mesh import Mesh

    axes = [np.linspace(0.0, length, count + 1) for length, count in zip(size, cells)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    node = np.arange(grid.size // 3).reshape(grid.shape[:3])
    ring = ((0, 0), (1, 0), (1, 1), (0, 1))

    def shifted(array: NDArray[np.int64], shift: tuple[int, ...]) -> NDArray[np.int64]:
        window = tuple(slice(s, n - 1 + s) for s, n in zip(shift, array.shape))
        return array[window].ravel()

    hexahedra = np.stack([shifted(node, (a, b, c)) for c in (0, 1) for a, b in ring], axis=1)
    facets = {}
    for axis, name in enumerate("xyz"):
        for end, side in ((0, "low"), (-1, "high")):
            face = np.take(node, end, axis=axis)
            facets[f"{name}-{side}"] = np.stack([shifted(face, corner) for corner in ring], axis=1)
    return Mesh(
        grid.reshape(-1, 3), hexahedra, "hexahedron", {"block": np.arange(len(hexahedra))}, facets=facets
    )


CASES = (
    ReferenceCase(
        "nafems-t2", "bar: fixed end, radiating end", "NAFEMS T2, Standard Benchmarks 1990", nafems_t2
    ),
    ReferenceCase(
        "nafems-t3", "bar: transient with a sinusoidal end", "NAFEMS T3, Standard Benchmarks 1990", nafems_t3
    ),
    ReferenceCase(
        "vpcs-tpnv01", "hollow sphere: radiation in, convection out", "SFM/VPCS TPNV01/89", vpcs_tpnv01
    ),
)
