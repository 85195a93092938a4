"""Radiation between surfaces: enclosures, gaps and view factors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from twin.verification.registry import Check, ReferenceCase

if TYPE_CHECKING:
    from solvers.surfaces import Surfaces

SECTORS = 360
UNIT_SQUARE = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])


def triangle_cavity() -> Iterator[Check]:
    """Long triangular duct: one side at 300 K, the others lose given fluxes."""
    from solvers.radiation import SurfaceExchange
    from solvers.view_factors import ViewFactors

    sides = np.array([4.0, 3.0, 5.0])
    # Crossed strings: F_ij = (L_i + L_j − L_k)/(2 L_i).
    factors = np.array(
        [
            [
                0.0 if i == j else (sides[i] + 2 * sides[j] - sides.sum() + sides[i]) / (2 * sides[i])
                for j in range(3)
            ]
            for i in range(3)
        ]
    )
    exchange = SurfaceExchange(ViewFactors.from_factors(sides, factors), np.array([0.4, 0.6, 0.8]))
    none = np.nan
    solution = exchange.solve(np.array([300.0, none, none]), np.array([none, 2000.0, 1000.0]))
    yield Check("temperature of side 2, K", 640.683, float(solution.temperature[1]), 1e-4, True)
    yield Check("temperature of side 3, K", 598.772, float(solution.temperature[2]), 1e-4, True)
    yield Check("flux of side 1, W/m²", -2750.0, float(solution.heat[0] / sides[0]), 1e-4, True)


def two_slabs_gap() -> Iterator[Check]:
    """Two slabs with a radiating gap between them, conduction and exchange solved together."""
    from meshes.mesh import join
    from solvers.materials import Material
    from solvers.radiation import SurfaceExchange
    from solvers.thermal import ThermalModel
    from solvers.view_factors import ViewFactors
    from twin.verification.conduction import block

    slab = block((0.1, 0.02, 0.02), (20, 2, 2))
    mesh = join({"hot": slab, "cold": slab.moved(translation=np.array([0.15, 0.0, 0.0]))})
    model = ThermalModel(mesh, {"hot/block": Material(10.0), "cold/block": Material(10.0)})
    model.fix("hot/x-low", 1000.0)
    model.fix("cold/x-high", 300.0)
    faces = [model.boundary("hot/x-high"), model.boundary("cold/x-low")]
    gap = ViewFactors.from_factors(np.array([f.area for f in faces]), np.array([[0.0, 1.0], [1.0, 0.0]]))
    model.enclose(SurfaceExchange(gap, np.array([0.8, 0.6]), stefan_boltzmann=5.67037e-8), faces)
    field = model.field(model.solve_steady(600.0))
    assert field is not None
    left, right = (float(field[np.unique(mesh.facet(n))].mean()) for n in ("hot/x-high", "cold/x-low"))
    yield Check("flux, W/m²", 14581.263, 10.0 * (1000.0 - left) / 0.1, 1e-5, True)
    yield Check("hot face of the gap, K", 854.187, left, 1e-5, True)
    yield Check("cold face of the gap, K", 445.813, right, 1e-5, True)


def view_factors() -> Iterator[Check]:
    """Closed forms, by the exact polygon formula and by rays."""
    from solvers.surfaces import Surfaces
    from solvers.view_factors import exact_view_factors
    from twin.environment import earth_view_factor

    def pair(second: np.ndarray) -> Surfaces:
        return Surfaces.from_polygons([UNIT_SQUARE, second])

    cases = {
        "parallel squares, distance 1": (pair(UNIT_SQUARE[::-1] + np.array([0.0, 0.0, 1.0])), 0.19982490),
        "parallel squares, distance 0.1": (pair(UNIT_SQUARE[::-1] + np.array([0.0, 0.0, 0.1])), 0.82699452),
        "perpendicular squares": (pair(UNIT_SQUARE[::-1, [2, 1, 0]]), 0.20004378),
    }
    for name, (surfaces, expected) in cases.items():
        yield Check(f"{name}: formula", expected, float(exact_view_factors(surfaces).factors[0, 1]), 1e-6)
        yield _by_rays(name, surfaces, expected)
    # Coaxial disks of radius 1 at distance 1: (3 − √5)/2, as fans of triangles.
    lower = _disk(0.0, upwards=True)
    upper = _disk(1.0, upwards=False)
    fans = Surfaces(
        np.concatenate([lower, upper]).reshape(-1, 3),
        np.column_stack([np.arange(6 * SECTORS).reshape(-1, 3), np.full(2 * SECTORS, -1)]),
        np.repeat([0, 1], SECTORS),
        ["front", "front"],
    )
    yield _by_rays("coaxial disks, r = h", fans, 0.38196601)
    yield Check(
        "plate facing a sphere at 3 R: closed form", 1.0 / 9.0, float(earth_view_factor(3.0, 0.0)), 1e-12
    )


def _by_rays(name: str, surfaces: Surfaces, expected: float) -> Check:
    """Ray casting against a known factor, within four standard deviations of plain Monte Carlo."""
    from solvers.ray_casting import RaySettings
    from solvers.view_factors import ray_view_factors

    rays = 1 << 17
    cast = ray_view_factors(surfaces, RaySettings(rays=rays))
    allowed = 4.0 * np.sqrt(expected * (1.0 - expected) / rays)
    return Check(f"{name}: rays", expected, float(cast.factors[0, 1]), float(allowed))


def _disk(height: float, upwards: bool) -> np.ndarray:
    """Triangles of a unit disk, shape (sector, 3, 3)."""
    angle = np.linspace(0.0, 2.0 * np.pi, SECTORS + 1)
    rim = np.stack([np.cos(angle), np.sin(angle), np.full_like(angle, height)], axis=1)
    centre = np.broadcast_to([0.0, 0.0, height], (SECTORS, 3))
    first, second = (rim[:-1], rim[1:]) if upwards else (rim[1:], rim[:-1])
    return np.stack([centre, first, second], axis=1)


CASES = (
    ReferenceCase(
        "triangle-cavity", "gray duct, mixed conditions", "radiosity with crossed strings", triangle_cavity
    ),
    ReferenceCase("two-slabs-gap", "conduction and radiation across a gap", "closed form", two_slabs_gap),
    ReferenceCase("view-factors", "squares facing and at right angles", "Howell's catalogue", view_factors),
)
