"""Compiled steps of many reduced coolant loops at once.

Eight loops ride in the lanes of a vector, so that the dense algebra of one loop, which is too small for a matrix
library, fills the arithmetic units. Every lane does the same operations whoever its neighbours are: a result
depends neither on the batch nor on the number of threads.

One implicit stage of length 1/rate solves, for the modes q of a panel and the nodes of the loop,

    rate·(q − q₀) + A(flow, T) q + e·R(q) = w·b·T_return + f
    R(q) = 4L³·M q − 3L⁴·m + Σₛ gₛ vₛ ψ(Tₛ),   ψ(T) = T⁴ − 4L³T + 3L⁴,   Tₛ = vₛ·q

with the cold plate, its outlet, the return and the battery eliminated, which are linear, and Newton's method with
the slope of the start of the step for the modes, the reservoir and the body.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from solvers.loop_kernels import (
    BODY,
    BODY_EMISSION,
    EMISSIVITY,
    ITERATIONS,
    LEFT,
    MOST_ITERATIONS,
    NODES,
    PANELS,
    RESERVOIR,
    book_stage,
    eliminate,
    exchanges,
    loop_residual,
    loop_slopes,
    recover,
    solve_array,
)
from solvers.reduced_lanes import (
    LANES,
    add_product,
    combine,
    compiled,
    factorize,
    gather,
    scatter,
    substitute,
    threaded,
)
from solvers.reduced_operators import Operators, weigh

Array = NDArray[np.float64]

CHUNKS = 32
"""Parts of a batch that threads share out; more than there are cores."""

_TARGET = 1e-9
_MOST_TURNS, _NEAR = 200, 5.0  # of settling: steps of at most 50 K until a step is this short [K]
_WEIGHTS = (1.0 / np.sqrt(2.0), 1.0 - 1.0 / np.sqrt(2.0))


@compiled
def _chord(
    o: Operators, p: Array, matrix: Array, residual: Array, y: Array, t: Array, slope: Array, r: int,
    change: Array, moved: Array, left: Array, iterations: Array,
) -> None:  # fmt: skip
    """Newton's method with a frozen slope; only radiation is evaluated anew, the rest of the residual is linear."""
    count, n = o.samples.shape[0], r + 2
    previous = np.zeros(LANES)
    size, active = np.empty(LANES), np.ones(LANES)
    flat, at, steep, g = moved.reshape(-1), t.reshape(-1), slope.reshape(-1), o.emission_rows
    for _ in range(MOST_ITERATIONS):
        substitute(matrix, residual, n)
        for k in range(n):
            for lane in range(LANES):
                change[k, lane] = -active[lane] * residual[k, lane]
                residual[k, lane] = 0.0
        gather(o.samples, change, moved)
        for lane in range(LANES):
            size[lane] = max(abs(change[r, lane]), abs(change[r + 1, lane]))
        for s in range(count):
            for lane in range(LANES):
                size[lane] = max(size[lane], abs(moved[s, lane]))
        for i in range(flat.size):
            old, d = at[i], flat[i]
            new = old + d
            at[i] = new
            # |T|T·T² keeps its sign below zero, where Newton may pass on its way.
            old, new = old * abs(old), new * abs(new)
            flat[i] = g[i] * (abs(new) * new - abs(old) * old) - steep[i] * d
        scatter(o.samples, moved, p[EMISSIVITY], residual)
        for lane in range(LANES):
            old, d = y[r + BODY, lane], change[r + 1, lane]
            new = old + d
            cube = abs(new) ** 3 * new - abs(old) ** 3 * old
            residual[r + 1, lane] = p[BODY_EMISSION, lane] * cube - slope[count, lane] * d
        for k in range(r):
            for lane in range(LANES):
                y[k, lane] += change[k, lane]
        done = True
        for lane in range(LANES):
            y[r + RESERVOIR, lane] += change[r, lane]
            y[r + BODY, lane] += change[r + 1, lane]
            if active[lane] > 0.0:
                iterations[lane] += 1.0
                # What the next change would be, from the rate of convergence.
                left[lane] = size[lane] * min(1.0, size[lane] / max(previous[lane], 1e-300))
                previous[lane] = size[lane]
                if left[lane] <= _TARGET:
                    active[lane] = 0.0
                else:
                    done = False
        if done:
            return


@compiled
def _linearise(
    o: Operators, p: Array, y: Array, each: Array, film: Array, absorbed: Array, back: Array, rate: float, r: int,
    t: Array, levels: Array, slope: Array, scratch: Array, weights: Array, matrix: Array, residual: Array,
) -> None:  # fmt: skip
    """Residual of the modes at y (their storage not counted) and its slope.

    T⁴ = 4L³T − 3L⁴ + ψ with L the mean temperature of the panel: the linear part is exact, ψ is sampled. Newton's
    method takes the slope of the linear part, whose matrix is one more term of the operators, and one iteration more.
    `levels` become L⁴ and 4L³.
    """
    count, n = o.samples.shape[0], matrix.shape[1]
    gather(o.samples, y, t)
    flat, start, steep, g = scratch.reshape(-1), t.reshape(-1), slope.reshape(-1), o.emission_rows
    last = o.coefficients.shape[2]
    weights[last:] = 0.0
    for lane in range(LANES):
        total = 0.0
        for k in range(r):
            total += o.glow[k] * y[k, lane]
        level = abs(total) / o.emission_total
        levels[0, lane], levels[1, lane] = level**4, 4.0 * level**3
        weights[last, lane] = p[EMISSIVITY, lane] * levels[1, lane]
        slope[count, lane] = 4.0 * p[BODY_EMISSION, lane] * abs(y[r + BODY, lane]) ** 3
    for s in range(count):
        for lane in range(LANES):
            slope[s, lane] = o.emission[s] * levels[1, lane]
            scratch[s, lane] = 3.0 * o.emission[s] * levels[0, lane]
    weigh(o, each, film, weights)
    combine(o.terms, weights, matrix)
    for i in range(flat.size):
        square = start[i] * abs(start[i])
        flat[i] += g[i] * (abs(square) * square) - steep[i] * start[i]
    for lane in range(LANES):
        constant = p[EMISSIVITY, lane] * (3.0 * levels[0, lane] + o.sink)
        for a in range(r):
            residual[a, lane] = (
                -each[lane] * o.inlet[a] * back[lane] - o.load[a] * absorbed[lane] - o.glow[a] * constant
            )
    scatter(o.samples, scratch, p[EMISSIVITY], residual)
    for b in range(r):
        for a in range(r):
            add_product(residual, a, matrix, a * n + b, y, b)
    for a in range(r):
        for lane in range(LANES):
            matrix[a, a, lane] += rate


@threaded
def advance_loops(
    o: Operators, p: Array, state: Array, heat: Array, absorbed: Array, flow: Array, bypass: Array, film: Array,
    dt: float, account: Array,
) -> None:  # fmt: skip
    """Take one SDIRK2 step of every loop (Alexander 1977, as `solvers.integrator`).

    Parameters
    ----------
    o : Operators
    p : (block, PARAMETERS, LANES) array
    state : (block, r + NODES, LANES) array
        Modes and nodes; overwritten by the end of the step.
    heat : (block, NODES, LANES) array
        Heat into the nodes [W].
    absorbed : (block, LANES) array
        Absorbed flux of both faces together [W/m²].
    flow, bypass : (block, LANES) arrays
        Heat capacity rate of the loop [W/K]; share past the radiator.
    film : (block, LANES) array
        Temperature that the film coefficients are taken at [K].
    dt : float
        [s].
    account : (block, ACCOUNTS, LANES) array
        Overwritten.
    """
    blocks, r = state.shape[0], o.load.size
    count, n = o.samples.shape[0], r + 2
    gamma = 1.0 - 1.0 / np.sqrt(2.0)
    rate = 1.0 / (gamma * dt)
    size = (blocks + CHUNKS - 1) // CHUNKS
    for chunk in prange(CHUNKS):
        matrix = np.empty((n, n, LANES))
        weights = np.empty((o.terms.shape[2], LANES))
        t, levels, slope = np.empty((count, LANES)), np.empty((2, LANES)), np.empty((count + 1, LANES))
        scratch, change, residual = np.empty((count, LANES)), np.empty((n, LANES)), np.empty((n, LANES))
        ex, c, kept = np.empty((4, LANES)), np.empty((9, LANES)), np.empty(LANES)
        past, through, each, back = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
        start = np.empty((r + NODES, LANES))
        for block in range(chunk * size, min((chunk + 1) * size, blocks)):
            parameters, y, q, done = p[block], state[block], heat[block], account[block]
            w = flow[block]
            start[:] = y
            done[:] = 0.0
            for lane in range(LANES):
                past[lane] = bypass[block, lane] * w[lane]
                through[lane] = w[lane] - past[lane]
                each[lane] = through[lane] / parameters[PANELS, lane]
            exchanges(parameters, w, ex)
            eliminate(parameters, q, start, r, w, ex, rate, c)
            for lane in range(LANES):
                back[lane] = c[4, lane] + c[5, lane] * y[r + RESERVOIR, lane] + c[6, lane] * y[r + BODY, lane]
                kept[lane] = c[4, lane]
            _linearise(
                o, parameters, y, each, film[block], absorbed[block], back, rate, r, t, levels, slope, scratch,
                weights, matrix, residual,
            )  # fmt: skip
            loop_slopes(o, parameters, y, past, through, ex, c, rate, r, matrix)
            factorize(matrix, n)
            for stage in range(2):
                if stage == 1:
                    # The first stage is balanced: only what starts from elsewhere is missing.
                    for k in range(r + NODES):
                        for lane in range(LANES):
                            ahead = start[k, lane] + (1.0 - gamma) * dt * rate * (y[k, lane] - start[k, lane])
                            if k < r:
                                residual[k, lane] = rate * (start[k, lane] - ahead)
                            start[k, lane] = ahead
                    eliminate(parameters, q, start, r, w, ex, rate, c)
                    for k in range(r):
                        for lane in range(LANES):
                            residual[k, lane] -= each[lane] * o.inlet[k] * (c[4, lane] - kept[lane])
                loop_residual(o, parameters, q, y, start, past, through, ex, c, rate, r, residual)
                _chord(
                    o, parameters, matrix, residual, y, t, slope, r, change, scratch, done[LEFT], done[ITERATIONS]
                )  # fmt: skip
                recover(y, c, r)
                solve_array(parameters, q, start, y, rate, o.sink, r)
                book_stage(o, parameters, y, t, w, levels, _WEIGHTS[stage], r, done)


@threaded
def settle_loops(
    o: Operators, p: Array, state: Array, heat: Array, absorbed: Array, flow: Array, bypass: Array, film: Array,
    account: Array,
) -> None:  # fmt: skip
    """Go to the steady state of every loop with the valve held: Newton's method with steps of at most 50 K.

    Parameters as in :func:`advance_loops`.
    """
    blocks, r = state.shape[0], o.load.size
    count, n = o.samples.shape[0], r + 2
    for block in prange(blocks):
        parameters, y, q, w = p[block], state[block], heat[block], flow[block]
        matrix, weights = np.empty((n, n, LANES)), np.empty((o.terms.shape[2], LANES))
        t, scratch = np.empty((count, LANES)), np.empty((count, LANES))
        levels, slope = np.empty((2, LANES)), np.empty((count + 1, LANES))
        residual, ex, c = np.empty((n, LANES)), np.empty((4, LANES)), np.empty((9, LANES))
        past, through, each, back = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
        for lane in range(LANES):
            past[lane] = bypass[block, lane] * w[lane]
            through[lane] = w[lane] - past[lane]
            each[lane] = through[lane] / parameters[PANELS, lane]
        exchanges(parameters, w, ex)
        eliminate(parameters, q, y, r, w, ex, 0.0, c)
        active, near = np.ones(LANES), False
        change, spent = np.empty((n, LANES)), np.zeros(LANES)
        for turn in range(_MOST_TURNS + 2):
            if near and turn < _MOST_TURNS:
                continue
            for lane in range(LANES):
                back[lane] = c[4, lane] + c[5, lane] * y[r + RESERVOIR, lane] + c[6, lane] * y[r + BODY, lane]
            _linearise(
                o, parameters, y, each, film[block], absorbed[block], back, 0.0, r, t, levels, slope, scratch,
                weights, matrix, residual,
            )  # fmt: skip
            loop_slopes(o, parameters, y, past, through, ex, c, 0.0, r, matrix)
            loop_residual(o, parameters, q, y, y, past, through, ex, c, 0.0, r, residual)
            factorize(matrix, n)
            if turn >= _MOST_TURNS:
                # All are near: the slope is good for many iterations. Twice for all, whoever the neighbours are.
                _chord(
                    o, parameters, matrix, residual, y, t, slope, r, change, scratch, account[block, LEFT], spent
                )  # fmt: skip
                continue
            substitute(matrix, residual, n)
            gather(o.samples, residual, scratch)
            near = True
            for lane in range(LANES):
                size = max(abs(residual[r, lane]), abs(residual[r + 1, lane]))
                for s in range(count):
                    size = max(size, abs(scratch[s, lane]))
                factor = active[lane] * min(1.0, 50.0 / max(size, 1e-300))
                for k in range(r):
                    y[k, lane] -= factor * residual[k, lane]
                y[r + RESERVOIR, lane] -= factor * residual[r, lane]
                y[r + BODY, lane] -= factor * residual[r + 1, lane]
                if size <= _NEAR:
                    active[lane] = 0.0
                elif active[lane] > 0.0:
                    near = False
        recover(y, c, r)
        solve_array(parameters, q, y, y, 0.0, o.sink, r)


@threaded
def observe(rows: Array, candidates: Array, state: Array, values: Array) -> None:
    """Temperatures of a few places, and the extremes over candidate nodes.

    Parameters
    ----------
    rows, candidates : (k, r), (c, r) arrays
        Basis at the places and at the candidates.
    state : (block, r + NODES, LANES) array
    values : (block, k + 2, LANES) array
        Overwritten: the places, the lowest, the highest [K].
    """
    count = rows.shape[0]
    for block in prange(state.shape[0]):
        y, out = state[block], values[block]
        each = np.empty((candidates.shape[0], LANES))
        gather(rows, y, out)
        gather(candidates, y, each)
        for lane in range(LANES):
            out[count, lane] = out[count + 1, lane] = each[0, lane]
        for s in range(candidates.shape[0]):
            for lane in range(LANES):
                out[count, lane] = min(out[count, lane], each[s, lane])
                out[count + 1, lane] = max(out[count + 1, lane], each[s, lane])


@threaded
def transfer(matrix: Array, before: Array, after: Array) -> None:
    """Write matrix·modes for every loop; (m, r), (block, r, LANES) → (block, m, LANES)."""
    for block in prange(before.shape[0]):
        gather(matrix, before[block], after[block])
