"""Steady states by PETSc's SNES, with pseudo-transient continuation when a line search is not enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from petsc4py import PETSc

from solvers.errors import ConvergenceError

if TYPE_CHECKING:
    from solvers.thermal import ThermalModel

Array = NDArray[np.float64]


def solve_nonlinear(model: ThermalModel, state: Array, time: float) -> Array:
    """Return the steady state of a thermal model.

    Newton with a cubic backtracking line search (Dennis & Schnabel, ch. 6), which converges from far off since
    |T|³T is monotone; where it stalls, implicit steps that grow from the model's own time scale bring
    the state near (Kelley & Keyes, SIAM J. Numer. Anal. 35 (1998) 508).

    Parameters
    ----------
    model : ThermalModel
    state : array
        First guess [K].
    time : float
        At which loads that depend on time are taken [s].

    Raises
    ------
    ConvergenceError
        If neither converges; its ``state`` is the last good one.
    """
    try:
        return _newton(model, state, time)
    except ConvergenceError:
        near = _approach(model, state, time)
        try:
            return _newton(model, near, time)
        except ConvergenceError as error:
            error.state = near
            raise


def _approach(model: ThermalModel, state: Array, time: float) -> Array:
    """Take implicit steps that grow while they converge, with the loads of one time."""
    near, step = state.copy(), 1.0
    for _ in range(60):
        try:
            moved = model.solve_stage(near, step, time, near)
        except ConvergenceError:
            step *= 0.1
            continue
        change = model.max_norm(moved - near)
        near, step = moved, step * 5.0
        if change < 1e-3 and step > 1e6:
            break
    return near


def _newton(model: ThermalModel, state: Array, time: float) -> Array:
    system, conduction = model.system, model.conduction
    model.loads.gather(time)
    nodes, networks = model.split(state)
    for coupling, values in zip(model.couplings, networks):
        coupling.begin(values, np.inf, values, time)
    solver = conduction.steady(model.couplings)
    x, f = solver.matrix.createVecRight(), solver.matrix.createVecLeft()
    x.array[:] = nodes
    conduction.impose(x.array, time)
    start = x.array.copy()
    progress = {"missing": np.inf, "flow": 0.0}

    def evaluate(at: PETSc.Vec) -> None:
        progress["missing"], progress["flow"] = system.balance(
            at.getArray(readonly=True).copy(), start, np.inf
        )

    def function(_: PETSc.SNES, at: PETSc.Vec, out: PETSc.Vec) -> None:
        evaluate(at)
        np.negative(system.residual, out=out.array)

    def jacobian(_: PETSc.SNES, at: PETSc.Vec, *__: PETSc.Mat) -> None:
        evaluate(at)
        conduction.renew_steady()
        solver.set_diagonal(system.diagonal)

    def converged(_: PETSc.SNES, iteration: int, __: tuple[float, float, float]) -> int:
        reason = PETSc.SNES.ConvergedReason
        if not np.isfinite(progress["missing"]):
            return int(reason.DIVERGED_FNORM_NAN)
        if progress["missing"] <= max(model.tolerance * progress["flow"], system.rounding):
            return int(reason.CONVERGED_FNORM_RELATIVE)
        return int(reason.DIVERGED_MAX_IT if iteration >= 60 else reason.ITERATING)

    snes = PETSc.SNES().create(model.comm)
    snes.setType("newtonls")  # its default line search is bt, cubic backtracking
    snes.setFunction(function, f)
    snes.setJacobian(jacobian, solver.operator, solver.matrix)
    snes.setKSP(solver.ksp)
    solver.ksp.setTolerances(rtol=1e-8, atol=0.0, max_it=1000)
    snes.setUseEW(True)
    snes.setConvergenceTest(converged)
    snes.solve(None, x)
    solution = x.array.copy()
    reason = snes.getConvergedReason()
    # A line search that cannot go on may still have met the tolerance to rounding.
    missing, flow = system.balance(solution, start, np.inf)
    for thing in (snes, x, f):
        thing.destroy()
    if reason < 0 and not missing <= 1e3 * model.tolerance * flow:
        raise ConvergenceError(system.where("steady solve", missing, flow), state=state)
    return np.concatenate([solution, *(c.temperature for c in model.couplings)])
