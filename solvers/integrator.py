"""The one time integrator of the solvers: two implicit stages, second order, error-controlled.

Alexander's SDIRK2 (stiffly accurate, L-stable, 𝛾 = 1 − 1/√2): both stages are backward-Euler steps of
length 𝛾·dt, so their matrix is the same, a sudden eclipse is damped instead of ringing, and the heat of a step is
exactly ``dt·Σ bᵢ q(Tᵢ)``, which is what lets the energy ledger close to rounding.

References
----------
R. Alexander, SIAM J. Numer. Anal. 14 (1977) 1006, doi 10.1137/0714068.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from solvers.errors import ConvergenceError

Array = NDArray[np.float64]

GAMMA = 1.0 - 1.0 / np.sqrt(2.0)
"""Diagonal of the Butcher table; a stage is a backward-Euler step of ``GAMMA * dt``."""

STAGE_WEIGHTS = (1.0 - GAMMA, GAMMA)
"""Weights bᵢ of the stages in any quantity integrated over the step."""

STAGE_TIMES = (GAMMA, 1.0)
"""Stage times as fractions of the step."""

_ERROR_CONSTANT = abs(3.0 * GAMMA**2 - 2.0 * GAMMA**3 - 1.0 / 6.0)


class StageProblem(Protocol):
    """What can be integrated: ``C dT/dt = Q(t, T)`` known through its backward-Euler stage."""

    def solve_stage(self, start: Array, step: float, time: float, guess: Array) -> Array:
        """Solve ``C (T − start)/step = Q(time, T)`` for T and return it."""
        ...

    def max_norm(self, values: Array) -> float:
        """Return the largest absolute value over all processes."""
        ...


@dataclass(frozen=True)
class Step:
    """One accepted step.

    Attributes
    ----------
    time : float
        Start of the step [s].
    dt : float
        Its length [s].
    stages : tuple of (n,) arrays
        Temperatures at the two stage times; the last is the end of the step [K].
    rates : tuple of (n,) arrays
        dT/dt at the stages [K/s].
    error : float
        Estimated largest local error [K].
    """

    time: float
    dt: float
    stages: tuple[Array, Array]
    rates: tuple[Array, Array]
    error: float

    @property
    def end(self) -> Array:
        """Temperatures at the end of the step [K]."""
        return self.stages[1]


def advance(
    problem: StageProblem, temperature: Array, time: float, dt: float, rate: Array | None = None
) -> Step:
    """Take one SDIRK2 step.

    Parameters
    ----------
    problem : StageProblem
        What is integrated.
    temperature : (n,) array
        Temperatures at `time` [K].
    time, dt : float
        Start and length of the step [s].
    rate : (n,) array, optional
        dT/dt at `time` from the step before, if the heat loads did not jump since: it gives the
        third-order error estimate and the first guess. Without it the (larger) second-order one is used.

    Returns
    -------
    Step
    """
    step = GAMMA * dt
    guess = temperature if rate is None else temperature + step * rate
    first = problem.solve_stage(temperature, step, time + step, guess)
    rate1 = (first - temperature) / step
    start2 = temperature + (1.0 - GAMMA) * dt * rate1
    slope = 0.0 if rate is None else (rate1 - rate) * (1.0 - GAMMA) / GAMMA
    second = problem.solve_stage(start2, step, time + dt, start2 + step * (rate1 + slope))
    rate2 = (second - start2) / step
    if rate is None:
        error = step * problem.max_norm(rate2 - rate1)
    else:
        # y''' from the divided differences of the rates at 0, 𝛾·dt and dt.
        bend = (rate2 - rate1) / (1.0 - GAMMA) - (rate1 - rate) / GAMMA
        error = 2.0 * _ERROR_CONSTANT * dt * problem.max_norm(bend)
    return Step(time, dt, (first, second), (rate1, rate2), error)


def integrate(
    problem: StageProblem,
    temperature: Array,
    start: float,
    stop: float,
    *,
    tolerance: float = 0.01,
    first_step: float | None = None,
    max_step: float = np.inf,
    min_step: float = 1e-6,
    events: Sequence[float] = (),
    on_retry: Callable[[float, float], None] | None = None,
) -> Iterator[Step]:
    """Yield accepted steps from `start` to `stop`, landing on every event.

    Parameters
    ----------
    problem : StageProblem
        What is integrated.
    temperature : (n,) array
        Temperatures at `start` [K].
    start, stop : float
        Span [s].
    tolerance : float
        Largest local error allowed in a step [K].
    first_step, max_step, min_step : float
        Step lengths [s]; the first defaults to a hundredth of the span.
    events : sequence of float
        Times at which loads jump (eclipse entry and exit); a step ends on each [s].
    on_retry : callable, optional
        Called with (time, dt) of each rejected step.

    Raises
    ------
    ConvergenceError
        If the step falls below `min_step`.
    """
    stops = sorted({t for t in (*events, stop) if start < t <= stop})
    time, dt = start, first_step or (stop - start) / 100.0
    rate: Array | None = None
    for target in stops:
        while target - time > 1e-9 * max(1.0, abs(target)):
            remaining = target - time
            # Two equal steps to the target beat a long one and a sliver.
            trial = remaining if remaining <= 1.0001 * dt else min(dt, 0.5 * remaining)
            trial = min(trial, max_step)
            order = 2.0 if rate is None else 3.0
            try:
                taken = advance(problem, temperature, time, trial, rate)
                ratio = taken.error / tolerance
            except ConvergenceError:
                if trial <= 4.0 * min_step:
                    raise
                ratio = 4.0**order / 0.9**order
            factor = min(4.0, max(0.2, 0.9 * max(ratio, 1e-12) ** (-1.0 / order)))
            if ratio > 1.0:
                if trial <= min_step:
                    raise ConvergenceError(
                        f"step below {min_step:g} s at t = {time:g} s: estimated error {taken.error:.3g} K against "
                        f"a tolerance of {tolerance:g} K; is a load or property discontinuous there?",
                        time,
                    )
                dt = max(min_step, factor * trial)
                if on_retry is not None:
                    on_retry(time, trial)
                continue
            time = target if trial == remaining else time + trial
            temperature, rate = taken.end, taken.rates[1]
            dt = factor * trial if trial < remaining or factor < 1.0 else max(dt, factor * trial)
            yield taken
        # Loads jump at an event: the old rate says nothing about what comes, and the step starts small.
        rate = None
        dt = min(dt, max(first_step or dt / 10.0, min_step))
