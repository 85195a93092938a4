"""One measurement per call, printed as a line of JSON: this project's solver, scikit-fem, or the deck for CalculiX.

Usage: python bench/peers/panel_workers.py {transient,steady,scikit-fem,scikit-fem-direct,deck} CELLS STEPS [FILE]
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))

import panel_case as case

from meshes.panel import radiator_panel

WARM = 8
"""Steps before the timed ones: compilation, levels of the preconditioner, history of the first guess."""

COMPARED = 9
"""The step (from 0) whose temperatures are compared between the solvers."""


def peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def clocks() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def own_model(cells: int) -> Any:
    from mpi4py import MPI

    from solvers.materials import Material, Section
    from solvers.thermal import ThermalModel

    comm = MPI.COMM_WORLD
    mesh = radiator_panel(1.0, 1.0, 1.0 / cells) if comm.rank == 0 else None
    metal = Material(case.CONDUCTIVITY, case.DENSITY, case.SPECIFIC_HEAT)
    model = ThermalModel(mesh, {"panel": Section.of(metal, case.THICKNESS)}, tolerance=case.RESIDUAL)
    model.radiate(model.front(), case.EMISSIVITY, case.SINK)
    model.radiate(model.back(), case.EMISSIVITY, case.SINK)
    points = comm.bcast(mesh.points if mesh is not None else None)
    where = case.pattern(points[model.discretization.node_of_dof[: model.owned]])
    model.absorb(model.front(), case.sunlight)
    model.absorb(model.back(), lambda t: case.waste_heat(t) * where)
    return model


def transient(cells: int, steps: int) -> dict[str, Any]:
    from mpi4py import MPI

    import solvers.thermal  # noqa: F401
    from solvers.integrator import advance
    from solvers.linear import MultigridSolver

    comm = MPI.COMM_WORLD
    empty = peak_memory()
    begin = time.perf_counter()
    model = own_model(cells)
    setup = time.perf_counter() - begin
    state, rate, history = model.state(case.START), None, []
    iterations: list[int] = []
    plain = MultigridSolver.solve

    def counted(self: Any, *arguments: Any) -> Any:
        result = plain(self, *arguments)
        iterations.append(self.iterations)
        return result

    MultigridSolver.solve = counted  # type: ignore[method-assign]
    spent = []
    for number in range(WARM + steps):
        if number == WARM:
            iterations.clear()
        comm.barrier()
        before = clocks()
        taken = advance(model, state, number * case.STEP, case.STEP, rate, history)
        state, rate, history = taken.end, taken.rates[1], [taken, *history[:3]]
        spent.append(clocks() - before)
        if number == COMPARED:
            extremes = model.extremes(state)
    wall, processor = np.median(spent[WARM:], axis=0)
    best = float(np.min([w for w, _ in spent[WARM:]]))
    # A jump: the front falls into shadow and nothing is known of the rates.
    model.loads.fluxes[0].value = 0.0
    before = clocks()
    advance(model, state, (WARM + steps) * case.STEP, case.STEP)
    jump = (clocks() - before)[0]
    memory = comm.allreduce(peak_memory() - empty)
    size = model.discretization.size
    return {
        "dofs": size, "ranks": comm.size, "setup s": setup, "first steps s": float(sum(w for w, _ in spent[:WARM])),
        "step s": float(wall), "best step s": best, "processor s per step and rank": float(processor),
        "dof-steps/s": size / float(wall), "dof-stages/s": 2.0 * size / float(wall), "best dof-steps/s": size / best,
        "iterations per stage": float(sum(iterations) / steps / 2.0), "step after a jump s": float(jump),
        "memory B/dof": memory / size, "min K, step 10": extremes[0], "max K, step 10": extremes[1],
        "traffic B/dof-iteration": traffic(model) if comm.size == 1 else None,
        "triad B/s": triad(comm),
    }  # fmt: skip


def traffic(model: Any) -> float:
    """Bytes that a preconditioned iteration must read or write per unknown, each array once per loop."""
    levels = model.conduction._stage._grid.levels
    total = 0.0
    for number, level in enumerate(levels):
        n, entries, shares = level.b.size, level.rows.values.size, level.spread.values.size
        row = 8 * entries + 4 * n
        spread = 8 * shares + 4 * n
        total += 12 * n + (row + 12 * n + spread) + (spread + 8 * n) + (row + 20 * n)
        if number == 0:
            total += (row + 12 * n) + 24 * n + 12 * n + 8 * n
    return total / levels[0].b.size


def triad(comm: Any) -> float:
    """Bandwidth of a = b + s·c in single precision, all ranks together."""
    from solvers.single_precision import new_direction

    b, c = np.ones(20_000_000, np.float32), np.ones(20_000_000, np.float32)
    new_direction(np.float32(0.5), b, c)
    best = np.inf
    for _ in range(10):
        comm.barrier()
        begin = time.perf_counter()
        new_direction(np.float32(0.5), b, c)
        best = min(best, comm.allreduce(time.perf_counter() - begin) / comm.size)
    return float(comm.size * 12 * b.size / best)


def steady(cells: int, steps: int) -> dict[str, Any]:
    from mpi4py import MPI

    import solvers.thermal  # noqa: F401

    empty = peak_memory()
    model = own_model(cells)
    before = clocks()
    state = model.solve_steady(case.START)
    wall, processor = clocks() - before
    low, high = model.extremes(state)
    memory = model.comm.allreduce(peak_memory() - empty)
    return {
        "dofs": model.discretization.size, "ranks": MPI.COMM_WORLD.size, "solve s": wall, "processor s": processor,
        "memory B/dof": memory / model.discretization.size, "min K": low, "max K": high,
    }  # fmt: skip


class ScikitFem:
    """The same equations and the same integrator, assembled by scikit-fem and solved by its tools."""

    def __init__(self, cells: int, direct: bool):
        import skfem
        from skfem.models.poisson import laplace

        plain = radiator_panel(1.0, 1.0, 1.0 / cells)
        mesh = skfem.MeshTri(plain.points[:, :2].T.copy(), plain.cells.T.copy())
        basis = skfem.Basis(mesh, skfem.ElementTriP1())
        self.conduction = (case.CONDUCTIVITY * case.THICKNESS * laplace.assemble(basis)).tocsr()
        # Vertex quadrature: a third of every triangle's area to each corner.
        corner = plain.points[plain.cells]
        area = 0.5 * np.linalg.norm(
            np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1
        )
        self.area = np.bincount(plain.cells.ravel(), np.repeat(area / 3.0, 3))
        self.pattern = case.pattern(plain.points)
        self.capacity = case.DENSITY * case.SPECIFIC_HEAT * case.THICKNESS * self.area
        self.direct = direct
        self.factor: Any = None
        self.solves = 0

    def max_norm(self, values: Any) -> float:
        """Return the largest absolute value."""
        return float(np.abs(values).max())

    def solve_stage(self, start: Any, step: float, time: float, guess: Any) -> Any:
        """Solve a backward-Euler stage to the residual of the case."""
        import scipy.sparse.linalg as linear
        from scipy.sparse import diags_array
        from skfem.utils import build_pc_diag

        temperature = guess.copy()
        radiating = 2.0 * case.EMISSIVITY * case.SIGMA * self.area
        heat = (
            self.area * (case.sunlight(time) + case.waste_heat(time) * self.pattern)
            + radiating * case.SINK**4
        )
        for _ in range(30):
            stored = self.capacity / step * (temperature - start)
            emitted = radiating * temperature**4
            residual = heat - stored - emitted - self.conduction @ temperature
            flow = np.sqrt(stored @ stored + emitted @ emitted + heat @ heat)
            missing = np.linalg.norm(residual)
            if missing <= case.RESIDUAL * flow:
                return temperature
            diagonal = self.capacity / step + 4.0 * radiating * temperature**3
            if self.direct:
                # Factorised once for all steps: the slope of the radiation is a hundredth of the storage.
                if self.factor is None:
                    matrix = (self.conduction + diags_array(diagonal)).tocsc()
                    self.factor = linear.splu(
                        matrix,
                        permc_spec="MMD_AT_PLUS_A",
                        options={"SymmetricMode": True, "DiagPivotThresh": 0.0},
                    )
                temperature += self.factor.solve(residual)
            else:
                matrix = (self.conduction + diags_array(diagonal)).tocsr()
                relative = max(0.6 * case.RESIDUAL * flow / missing, 1e-10)
                change, _ = linear.cg(matrix, residual, rtol=relative, atol=0.0, M=build_pc_diag(matrix))
                temperature += change
            self.solves += 1
        raise RuntimeError("Newton's method did not converge")


def scikit_fem(cells: int, steps: int, direct: bool = False) -> dict[str, Any]:
    from solvers.integrator import advance

    empty = peak_memory()
    begin = time.perf_counter()
    problem = ScikitFem(cells, direct)
    setup = time.perf_counter() - begin
    state, rate, history = np.full(problem.area.size, case.START), None, []
    spent = []
    for number in range(WARM + steps):
        before = clocks()
        taken = advance(problem, state, number * case.STEP, case.STEP, rate, history)
        state, rate, history = taken.end, taken.rates[1], [taken, *history[:3]]
        spent.append(clocks() - before)
        if number == COMPARED:
            extremes = float(state.min()), float(state.max())
    wall, processor = np.median(spent[WARM:], axis=0)
    return {
        "dofs": state.size, "ranks": 1, "setup s": setup, "first steps s": float(sum(w for w, _ in spent[:WARM])),
        "step s": float(wall), "processor s per step and rank": float(processor),
        "dof-steps/s": state.size / float(wall),
        "memory B/dof": (peak_memory() - empty) / state.size,
        "min K, step 10": extremes[0], "max K, step 10": extremes[1],
    }  # fmt: skip


def deck(cells: int, steps: int, path: str) -> dict[str, Any]:
    """Write the panel as CalculiX shells (each face of a shell radiates and takes a flux)."""
    mesh = radiator_panel(1.0, 1.0, 1.0 / cells)
    where = case.pattern(mesh.points[mesh.cells].mean(axis=1))
    times = case.STEP * np.arange(steps + 1)
    with Path(path).open("w") as out:
        out.write("*NODE, NSET=ALL\n")
        np.savetxt(
            out, np.column_stack([np.arange(1, mesh.node_count + 1), mesh.points]), "%d, %.9g, %.9g, %.9g"
        )
        out.write("*ELEMENT, TYPE=S3, ELSET=PANEL\n")
        numbers = np.arange(1, mesh.cell_count + 1)
        np.savetxt(out, np.column_stack([numbers, mesh.cells + 1]), "%d, %d, %d, %d")
        out.write(f"*MATERIAL, NAME=METAL\n*CONDUCTIVITY\n{case.CONDUCTIVITY}\n*DENSITY\n{case.DENSITY}\n")
        out.write(
            f"*SPECIFIC HEAT\n{case.SPECIFIC_HEAT}\n*SHELL SECTION, ELSET=PANEL, MATERIAL=METAL\n{case.THICKNESS}\n"
        )
        out.write(f"*PHYSICAL CONSTANTS, ABSOLUTE ZERO=0, STEFAN BOLTZMANN={case.SIGMA}\n")
        out.write(f"*INITIAL CONDITIONS, TYPE=TEMPERATURE\nALL, {case.START}\n")
        for name, flux in (("SUN", case.sunlight), ("WASTE", case.waste_heat)):
            out.write(f"*AMPLITUDE, NAME={name}\n" + "".join(f"{t:g}, {flux(t):.9g}\n" for t in times))
        out.write(f"*STEP, INC=100000\n*HEAT TRANSFER, DIRECT\n{case.STEP}, {steps * case.STEP}\n")
        out.write(
            f"*RADIATE\nPANEL, RPOS, {case.SINK}, {case.EMISSIVITY}\nPANEL, RNEG, {case.SINK}, {case.EMISSIVITY}\n"
        )
        out.write("*DFLUX, AMPLITUDE=SUN\nPANEL, SPOS, 1.0\n*DFLUX, AMPLITUDE=WASTE\n")
        np.savetxt(out, np.column_stack([numbers, where]), "%d, SNEG, %.9g")
        out.write("*NODE FILE, OUTPUT=2D, FREQUENCY=100000\nNT\n*END STEP\n")
    return {"dofs": mesh.node_count}


def main() -> None:
    what, cells, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if what == "deck":
        result = deck(cells, steps, sys.argv[4])
    elif what.startswith("scikit-fem"):
        result = scikit_fem(cells, steps, direct=what.endswith("direct"))
    else:
        result = {"transient": transient, "steady": steady}[what](cells, steps)
    # Only the first process prints.
    if "mpi4py.MPI" not in sys.modules or sys.modules["mpi4py.MPI"].COMM_WORLD.rank == 0:
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
