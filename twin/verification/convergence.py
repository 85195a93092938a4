"""Manufactured solutions: the order at which the error falls, which a wrong term would spoil.

P. J. Roache, J. Fluids Eng. 124 (2002) 4: choose a temperature, put the heat in that it needs, see how fast the
computed one comes near as mesh or step are halved.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from twin.verification.registry import Check, ReferenceCase

Array = NDArray[np.float64]

LENGTH, WIDTH, THICKNESS, CONDUCTIVITY, EMISSIVITY, SINK = 1.0, 0.5, 2e-3, 160.0, 0.9, 180.0
HEAT_CAPACITY = 2700.0 * 900.0


def _exact(x: Array, y: Array) -> Array:
    """Insulated at every edge."""
    return 300.0 + 60.0 * np.cos(np.pi * x / LENGTH) * np.cos(2.0 * np.pi * y / WIDTH)


def shell_in_space() -> Iterator[Check]:
    """Steady shell that radiates from both faces: second order in the mesh size."""
    from meshes.panel import radiator_panel
    from solvers.constants import STEFAN_BOLTZMANN
    from solvers.materials import Material, Section
    from solvers.thermal import ThermalModel

    errors = []
    for cell in (0.05, 0.025, 0.0125):
        plate = radiator_panel(LENGTH, WIDTH, cell)
        x, y, _ = plate.points.T
        model = ThermalModel(plate, {"panel": Section.of(Material(CONDUCTIVITY), THICKNESS)})
        exact = _exact(x, y)
        curvature = (np.pi / LENGTH) ** 2 + (2.0 * np.pi / WIDTH) ** 2
        source = CONDUCTIVITY * THICKNESS * curvature * (exact - 300.0)
        source += 2.0 * EMISSIVITY * STEFAN_BOLTZMANN * (exact**4 - SINK**4)
        for face in (model.front(), model.back()):
            model.radiate(face, EMISSIVITY, SINK)
        area = model.front()
        model.absorb(area, model.discretization.scatter(source))
        error = model.split(model.solve_steady(300.0))[0] - model.discretization.scatter(exact)
        errors.append(float(np.sqrt(area.node_area @ error**2 / area.area)))
    yield from _orders("shell, mesh halved", errors, 2.0)


def shell_in_time() -> Iterator[Check]:
    """Transient shell under a flux that swings, against ever smaller steps: second order in the step."""
    from meshes.panel import radiator_panel
    from solvers.integrator import advance
    from solvers.materials import Material, Section
    from solvers.thermal import ThermalModel

    plate = radiator_panel(LENGTH, WIDTH, 0.1)
    model = ThermalModel(
        plate, {"panel": Section.of(Material(CONDUCTIVITY, 2700.0, 900.0), THICKNESS)}, tolerance=1e-12
    )
    model.radiate(model.front(), EMISSIVITY, SINK)
    model.absorb(model.back(), lambda t: 600.0 * (1.0 + np.sin(2.0 * np.pi * t / 4000.0)))
    ends = []
    for steps in (20, 40, 80, 160, 1280):
        state, rate, dt = model.state(_exact(plate.points[:, 0], plate.points[:, 1])), None, 3000.0 / steps
        for k in range(steps):
            taken = advance(model, state, k * dt, dt, rate)
            state, rate = taken.end, taken.rates[1]
        ends.append(state)
    errors = [model.max_norm(end - ends[-1]) for end in ends[1:-1]]
    yield from _orders("shell, step halved", errors, 2.0)


def solid_in_space() -> Iterator[Check]:
    """Steady block that radiates from one face and makes heat inside: second order in the mesh size."""
    from solvers.constants import STEFAN_BOLTZMANN
    from solvers.materials import Material
    from solvers.thermal import ThermalModel
    from twin.verification.conduction import block

    errors = []
    for count in (8, 16, 32):
        mesh = block((1.0, 0.5, 0.5), (2 * count, count, count))
        x, y, z = mesh.points.T
        exact = 300.0 + 40.0 * np.cos(np.pi * x) * np.cos(2.0 * np.pi * y) * np.cos(2.0 * np.pi * z)
        model = ThermalModel(mesh, {"block": Material(20.0)})
        scatter = model.discretization.scatter
        model.absorb(model.volume(), scatter(20.0 * 9.0 * np.pi**2 * (exact - 300.0)))
        face = model.boundary("x-high")
        model.radiate(face, EMISSIVITY, SINK)
        model.absorb(face, scatter(EMISSIVITY * STEFAN_BOLTZMANN * (exact**4 - SINK**4)))
        error = model.split(model.solve_steady(300.0))[0] - scatter(exact)
        weight = model.volume().node_area
        errors.append(float(np.sqrt(weight @ error**2 / weight.sum())))
    yield from _orders("block, mesh halved", errors, 2.0)


def _orders(what: str, errors: list[float], design: float) -> Iterator[Check]:
    for number, (coarse, fine) in enumerate(pairwise(errors), start=1):
        yield Check(f"observed order, {what} (pair {number})", design, float(np.log2(coarse / fine)), 0.1)


CASES = (
    ReferenceCase("mms-shell", "shell with radiation, manufactured", "Roache 2002", shell_in_space),
    ReferenceCase("mms-solid", "block with radiation, manufactured", "Roache 2002", solid_in_space),
    ReferenceCase("mms-time", "transient shell, step refinement", "Roache 2002", shell_in_time),
)
