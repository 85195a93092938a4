"""Models that `test_mpi.py` runs on one process and on several.

Usage: mpirun -n N python mpi_cases.py OUT.npz
"""

from __future__ import annotations

import sys

import numpy as np
from mpi4py import MPI

from meshes.mesh import Mesh, join
from meshes.panel import radiator_panel
from solvers.integrator import advance
from solvers.materials import Material, Section, Tabulated
from solvers.network import Network, Stream
from solvers.radiation import SurfaceExchange
from solvers.thermal import ThermalModel
from solvers.view_factors import ViewFactors

COMM = MPI.COMM_WORLD
METAL = Section.of(Material(167.0, 2700.0, 900.0), 2e-3)


def on_root(mesh: Mesh) -> Mesh | None:
    return mesh if COMM.rank == 0 else None


def wings() -> tuple[Mesh, np.ndarray]:
    piece = radiator_panel(0.5, 0.5, 0.02)
    pairs = np.column_stack(
        [np.unique(piece.facet("right")), np.unique(piece.facet("left")) + piece.node_count]
    )
    other = piece.moved(translation=np.array([0.51, 0.0, 0.0]))
    return join({"a": piece, "b": other}, hinges={"hinge": pairs}), pairs


def two_wings(preconditioner: str, section: Section = METAL) -> ThermalModel:
    mesh, _ = wings()
    regions = {"a/panel": section, "b/panel": section}
    model = ThermalModel(on_root(mesh), regions, preconditioner=preconditioner, tolerance=1e-11)
    model.connect("hinge", 2.0)
    model.fix("a/left", lambda t: 310.0 + 0.01 * t)
    model.radiate(model.front(), 0.85)
    model.convect(model.back("b/panel"), 3.0, 280.0)
    model.absorb(model.back("a/panel"), model.discretization.scatter(600.0 * mesh.points[:, 1]))
    return model


def steps(model: ThermalModel, count: int = 6, dt: float = 60.0) -> tuple[np.ndarray | None, list[float]]:
    state, rate, residuals = model.state(300.0), None, []
    for number in range(count):
        start = state
        taken = advance(model, state, number * dt, dt, rate)
        state, rate = taken.end, taken.rates[1]
        balance = model.balance(taken, start)
        residuals.append(balance.residual / max(abs(balance.stored), abs(balance.emitted), 1.0))
    return model.field(state), residuals


def tube() -> ThermalModel:
    """Coolant along a tube of the panel, coupled in the same stage."""
    mesh = radiator_panel(0.6, 0.4, 0.02, tubes=1)
    path = mesh.line("tube-0")
    model = ThermalModel(on_root(mesh), {"panel": METAL}, tolerance=1e-11)
    model.radiate(model.front(), 0.85)
    walls = {f"wall-{i}": int(node) for i, node in enumerate(path[1:])}
    fluid = [f"fluid-{i}" for i in range(len(walls))]
    network = Network(
        dict.fromkeys(fluid, 5.0),
        boundaries=["inlet"],
        ports=list(walls),
        streams=[Stream(a, b, {w: 1.0}) for a, b, w in zip(["inlet", *fluid], fluid, walls)],
        drains=[fluid[-1]],
    )
    network.set_flow(np.full(len(walls), 20.0), np.full(len(walls), 4.0))
    model.couple(network, walls)
    return model


def enclosure() -> ThermalModel:
    """Two panels that see each other; one radiates to space from its back."""
    mesh, _ = wings()
    model = ThermalModel(on_root(mesh), {"a/panel": METAL, "b/panel": METAL}, tolerance=1e-11)
    faces = [model.front("a/panel"), model.front("b/panel")]
    area = np.array([face.area for face in faces])
    seen = ViewFactors.from_factors(area, np.array([[0.0, 1.0], [1.0, 0.0]]))
    model.enclose(SurfaceExchange(seen, np.array([0.8, 0.6])), faces)
    model.radiate(model.back("b/panel"), 0.9)
    model.absorb(model.back("a/panel"), 700.0)
    return model


def thermostat() -> np.ndarray:
    model = two_wings("auto")
    heater = model.heat(
        model.front("b/panel"), 400.0, sensor=model.front("b/panel"), on_below=295.0, off_above=305.0
    )
    switched, was_on, state = [], heater.is_on, model.state(300.0)
    for step in model.integrate(state, 0.0, 3000.0, tolerance=0.01):
        if heater.is_on != was_on:
            switched.append(step.time + step.dt)
            was_on = heater.is_on
    return np.array(switched)


def main() -> None:
    results: dict[str, np.ndarray | None] = {}
    for kind in ("lu", "multigrid", "boomeramg", "jacobi"):
        results[f"hinge, {kind}"], residuals = steps(two_wings(kind))
        results[f"residual, {kind}"] = np.array(residuals)
    varying = Material(
        167.0, 2700.0, 900.0, Tabulated((250.0, 350.0), (0.8, 1.3)), Tabulated((250.0, 350.0), (0.9, 1.2))
    )
    model = two_wings("auto", Section.of(varying, 2e-3))
    results["varying properties"], residuals = steps(model)
    results["residual, varying"] = np.array(residuals)
    for kind in ("lu", "boomeramg"):
        model = two_wings(kind)
        results[f"steady, {kind}"] = model.field(model.solve_steady(300.0))
    results["tube"], residuals = steps(tube())
    results["residual, tube"] = np.array(residuals)
    model = tube()
    state = model.solve_steady(300.0)
    results["tube, steady"] = model.field(state)
    results["tube, coolant"] = np.delete(model.split(state)[1][0], 0)
    results["enclosure"], residuals = steps(enclosure())
    results["residual, enclosure"] = np.array(residuals)
    model = enclosure()
    results["enclosure, steady"] = model.field(model.solve_steady(300.0))
    results["thermostat"] = thermostat()
    if COMM.rank == 0:
        np.savez(sys.argv[1], **results)


if __name__ == "__main__":
    main()
