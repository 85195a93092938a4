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
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from solvers.errors import ConvergenceError
from solvers.kernels import blend, combine_rates, difference_rate

Array = NDArray[np.float64]

GAMMA = 1.0 - 1.0 / np.sqrt(2.0)
"""Diagonal of the Butcher table; a stage is a backward-Euler step of ``GAMMA * dt``."""

STAGE_WEIGHTS = (1.0 - GAMMA, GAMMA)
"""Weights bᵢ of the stages in any quantity integrated over the step."""

STAGE_TIMES = (GAMMA, 1.0)
"""Stage times as fractions of the step."""

HISTORY = 4
"""Steps that the guess of a stage is extrapolated from."""

_ERROR_CONSTANT = abs(3.0 * GAMMA**2 - 2.0 * GAMMA**3 - 1.0 / 6.0)


class StageProblem(Protocol):
    """What can be integrated: ``dH(T)/dt = Q(t, T)`` known through its backward-Euler stage.

    Where H is not linear in T, a method ``extrapolate(first, second, factor)`` returns the temperatures of
    ``H(first) + factor·(H(second) − H(first))``; without it they are extrapolated linearly.
    """

    def solve_stage(self, start: Array, step: float, time: float, guess: Array) -> Array:
        """Solve ``C (T − start)/step = Q(time, T)`` for T and return it."""
        ...

    def max_norm(self, values: Array) -> float:
        """Return the largest absolute value over all processes."""
        ...


class Switch(Protocol):
    """Something that acts at once when the state passes a threshold: a thermostat."""

    def distance(self, state: Array) -> float:
        """Return how far the state is past the threshold [K]; negative before it."""
        ...

    def flip(self) -> None:
        """Act, and wait for the other threshold from now on."""
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
    next_dt : float
        Length that the error suggests for the next step [s]; nan outside of :func:`integrate`.
    """

    time: float
    dt: float
    stages: tuple[Array, Array]
    rates: tuple[Array, Array]
    error: float
    next_dt: float = float("nan")

    @property
    def end(self) -> Array:
        """Temperatures at the end of the step [K]."""
        return self.stages[1]


def advance(
    problem: StageProblem,
    temperature: Array,
    time: float,
    dt: float,
    rate: Array | None = None,
    history: Sequence[Step] = (),
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
    history : sequence of Step, optional
        The steps just before, the last one first, without a jump in between: with :data:`HISTORY` of them the guess is
        two orders better, which saves iterations and changes nothing else.

    Returns
    -------
    Step
    """
    step = GAMMA * dt
    extrapolate = getattr(problem, "extrapolate", _linear)
    usable = rate is not None and len(history) >= HISTORY and all(dt <= 1.5 * h.dt for h in history[:HISTORY])
    if usable:
        guess = _from_history(temperature, step, time + step, history, 0)
    else:
        guess = temperature if rate is None else temperature + step * rate
    first = problem.solve_stage(temperature, step, time + step, guess)
    rate1 = _rate(first, temperature, step)
    start2 = extrapolate(temperature, first, (1.0 - GAMMA) / GAMMA)
    if usable:
        guess = _from_history(start2, step, time + dt, history, 1)
    else:
        slope = 0.0 if rate is None else (rate1 - rate) * (1.0 - GAMMA) / GAMMA
        guess = start2 + step * (rate1 + slope)
    second = problem.solve_stage(start2, step, time + dt, guess)
    rate2 = _rate(second, start2, step)
    bend = np.zeros_like(rate1)
    if rate is None:
        combine_rates(bend, 1.0, np.array([1.0, -1.0, 0.0, 0.0]), (rate2, rate1, rate1, rate1), bend)
        return Step(time, dt, (first, second), (rate1, rate2), step * problem.max_norm(bend))
    # The third derivative from the divided differences of the rates at 0, 𝛾·dt and dt.
    weights = np.array([1.0 / (1.0 - GAMMA), -1.0 / (1.0 - GAMMA) - 1.0 / GAMMA, 1.0 / GAMMA, 0.0])
    combine_rates(bend, 1.0, weights, (rate2, rate1, rate, rate), bend)
    error = 2.0 * _ERROR_CONSTANT * dt * problem.max_norm(bend)
    return Step(time, dt, (first, second), (rate1, rate2), error)


def _linear(first: Array, second: Array, factor: float) -> Array:
    out = np.empty_like(first)
    blend(first, second, factor, out)
    return out


def _rate(end: Array, start: Array, step: float) -> Array:
    out = np.empty_like(end)
    difference_rate(end, start, step, out)
    return out


def _from_history(start: Array, step: float, time: float, history: Sequence[Step], stage: int) -> Array:
    """Guess a stage by the cubic through the rates of the same stage of the last four steps.

    Rates of the same stage share its error of low order, so their sequence is smooth.
    """
    last = history[:HISTORY]
    at = [h.time + STAGE_TIMES[stage] * h.dt for h in last]
    weights = [np.prod([(time - b) / (a - b) for b in at if b != a]) for a in at]
    guess = np.empty_like(start)
    combine_rates(start, step, np.array(weights), tuple(h.rates[stage] for h in last), guess)
    return guess


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
    switches: Sequence[Switch] = (),
    history: Sequence[Step] = (),
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
    switches : sequence of Switch
        Thermostats; a step ends where one acts, within :data:`SWITCH_TOLERANCE` past its threshold.
    history : sequence of Step
        To continue a run: its last steps (:data:`HISTORY`) since the last jump, the last one first (with `first_step`
        its ``next_dt``), as if it had never stopped.
    on_retry : callable, optional
        Called with (time, dt) of each rejected step.

    Raises
    ------
    ConvergenceError
        If the step falls below `min_step`.
    """
    stops = sorted({t for t in (*events, stop) if start < t <= stop})
    time, dt = start, first_step or (stop - start) / 100.0
    past = list(history[:HISTORY])
    rate: Array | None = past[0].rates[1] if past else None
    for switch in switches:
        if switch.distance(temperature) >= 0.0:
            switch.flip()
    for target in stops:
        while target - time > 1e-9 * max(1.0, abs(target)):
            remaining = target - time
            # Two equal steps to the target beat a long one and a sliver.
            trial = remaining if remaining <= 1.0001 * dt else min(dt, 0.5 * remaining)
            trial = min(trial, max_step)
            order = 2.0 if rate is None else 3.0
            try:
                taken = advance(problem, temperature, time, trial, rate, past)
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
            dt = factor * trial if trial < remaining or factor < 1.0 else max(dt, factor * trial)
            passed = [s for s in switches if s.distance(taken.end) >= 0.0]
            if passed:
                taken = _land(problem, taken, temperature, rate, past, switches, min_step)
                for switch in [s for s in switches if s.distance(taken.end) >= 0.0]:
                    switch.flip()
            whole = not passed and trial == remaining
            time = target if whole else taken.time + taken.dt
            temperature, rate = taken.end, taken.rates[1]
            past = [taken, *past[: HISTORY - 1]]
            if passed or whole:
                # Loads jump: the old rates say nothing about what comes, and the step starts small.
                rate, past = None, []
                dt = min(dt, max(first_step or dt / 10.0, min_step))
            yield replace(taken, next_dt=dt)


SWITCH_TOLERANCE = 1e-3
"""How far past its threshold a thermostat may act [K]."""


def _land(
    problem: StageProblem,
    taken: Step,
    temperature: Array,
    rate: Array | None,
    history: Sequence[Step],
    switches: Sequence[Switch],
    min_step: float,
) -> Step:
    """Shorten a step so that it ends just past the first threshold (regula falsi, Illinois variant)."""

    def past(state: Array) -> float:
        return max(s.distance(state) for s in switches) - 0.5 * SWITCH_TOLERANCE

    short, long = 0.0, taken.dt
    at_short, at_long = past(temperature), past(taken.end)
    side = 0
    for _ in range(60):
        if abs(at_long) <= 0.5 * SWITCH_TOLERANCE or long - short <= min_step:
            break
        dt = (short * at_long - long * at_short) / (at_long - at_short)
        dt = min(max(dt, short + 0.01 * (long - short)), long - 0.01 * (long - short))
        trial = advance(problem, temperature, taken.time, dt, rate, history)
        value = past(trial.end)
        if value >= -0.5 * SWITCH_TOLERANCE:
            long, at_long, taken = dt, value, trial
            at_short *= 0.5 if side == 1 else 1.0
            side = 1
        else:
            short, at_short = dt, value
            at_long *= 0.5 if side == -1 else 1.0
            side = -1
    return taken
