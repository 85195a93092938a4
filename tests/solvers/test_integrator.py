"""The time integrator: order, error control, events, restart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvers.errors import ConvergenceError
from solvers.integrator import HISTORY, advance, integrate

LAMBDA = np.array([-0.01, -1.0, -300.0])


class Relaxation:
    """dT/dt = λ(T − f(t)) + f'(t) with solution f(t) + C·exp(λt); stiff and smooth parts."""

    def __init__(self, jump: float = np.inf):
        self.jump = jump
        self.solved = 0

    def solve_stage(self, start, step, time, guess):
        del guess
        self.solved += 1
        shifted = 50.0 if time > self.jump + 1e-9 else 0.0
        forcing = -LAMBDA * (np.sin(0.05 * time) + shifted) + 0.05 * np.cos(0.05 * time)
        return (start + step * forcing) / (1.0 - step * LAMBDA)

    def max_norm(self, values):
        return float(np.abs(values).max())


def exact(time):
    return np.sin(0.05 * time) + np.exp(LAMBDA * time) * 10.0


def test_second_order_for_fixed_steps():
    """Alexander 1977: order 2, also for the stiff component once its transient is gone."""
    errors = []
    for steps in (40, 80, 160):
        state, rate, dt = exact(0.0), None, 40.0 / steps
        for k in range(steps):
            taken = advance(Relaxation(), state, k * dt, dt, rate)
            state, rate = taken.end, taken.rates[1]
        errors.append(np.abs(state - exact(40.0)).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert orders == pytest.approx(2.0, abs=0.1)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([1e-1, 1e-2, 1e-3, 1e-4]), st.floats(0.01, 20.0))
def test_error_control_bounds_the_error(tolerance, first_step):
    """Against the exact solution; errors of a contractive problem do not pile up beyond a few tolerances."""
    state, worst = exact(0.0), 0.0
    for step in integrate(Relaxation(), state, 0.0, 100.0, tolerance=tolerance, first_step=first_step):
        worst = max(worst, float(np.abs(step.end - exact(step.time + step.dt)).max()))
    assert worst <= 20.0 * tolerance


def test_tighter_tolerance_takes_more_steps():
    count = {
        tol: sum(1 for _ in integrate(Relaxation(), exact(0.0), 0.0, 100.0, tolerance=tol))
        for tol in (1e-1, 1e-4)
    }
    # Third-order local error: a thousand times tighter is about ten times the steps.
    assert count[1e-4] > 4 * count[1e-1]


@given(st.lists(st.floats(0.5, 99.0), max_size=5), st.floats(0.3, 30.0))
@settings(max_examples=30, deadline=None)
def test_steps_land_on_events(events, max_step):
    ends = [
        step.time + step.dt
        for step in integrate(Relaxation(), exact(0.0), 0.0, 100.0, events=events, max_step=max_step)
    ]
    for event in [*events, 100.0]:
        assert min(abs(np.array(ends) - event)) <= 1e-9 * max(1.0, event)
    starts = [0.0, *ends[:-1]]
    assert all(0.0 < b - a <= max_step + 1e-9 for a, b in zip(starts, ends))


def test_jump_at_an_event_is_resolved():
    """The forcing jumps at 30 s; with the event told, the fast component follows the exponential."""
    state = exact(0.0)
    for step in integrate(Relaxation(jump=30.0), state, 0.0, 32.0, tolerance=1e-4, events=[30.0]):
        state = step.end
    fast = np.sin(0.05 * 32.0) + 50.0 * -np.expm1(LAMBDA * 2.0)
    assert state[1:] == pytest.approx(fast[1:] + 10.0 * np.exp(LAMBDA[1:] * 32.0), abs=5e-3)


def test_restart_continues_as_if_undisturbed():
    """The state, the history and the next length are all there is: continued steps are bitwise the same."""
    whole = list(integrate(Relaxation(), exact(0.0), 0.0, 1000.0, tolerance=1e-3, events=[40.0]))
    cut = next(i for i, s in enumerate(whole) if s.time > 45.0) + HISTORY
    last = whole[cut]
    # Steps since the event, the last first.
    history = whole[cut : cut - HISTORY : -1]
    again = integrate(
        Relaxation(),
        last.end,
        last.time + last.dt,
        1000.0,
        tolerance=1e-3,
        first_step=last.next_dt,
        history=history,
    )
    for before, after in zip(whole[cut + 1 : cut + 20], again):
        assert after.dt == before.dt
        assert np.array_equal(after.end, before.end)


def test_history_improves_the_guess_only():
    """With it the guess comes nearer to the stage; the stage itself is the same."""

    class Remember(Relaxation):
        def solve_stage(self, start, step, time, guess):
            solution = super().solve_stage(start, step, time, guess)
            self.off = np.abs(guess - solution)[0]
            return solution

    problem, state, history, rate = Remember(), exact(0.0), [], None
    for k in range(20):
        taken = advance(problem, state, 5.0 * k, 5.0, rate, history)
        state, rate, history = taken.end, taken.rates[1], [taken, *history[: HISTORY - 1]]
    plain = advance(problem, state, 100.0, 5.0, rate)
    off_plain = problem.off
    helped = advance(problem, state, 100.0, 5.0, rate, history)
    assert np.allclose(plain.end, helped.end, rtol=0, atol=1e-13)
    assert problem.off < 0.3 * off_plain


def test_discontinuity_that_was_not_told_ends_in_a_clear_error():
    class Broken(Relaxation):
        def solve_stage(self, start, step, time, guess):
            if time > 10.0:
                raise ConvergenceError("no", time)
            return super().solve_stage(start, step, time, guess)

    retried = []
    with pytest.raises(ConvergenceError):
        list(
            integrate(
                Broken(), exact(0.0), 0.0, 20.0, min_step=1e-3, on_retry=lambda t, dt: retried.append(dt)
            )
        )
    assert retried
