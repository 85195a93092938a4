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

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from solvers.network_kernels import stream_exchange
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

Array = NDArray[np.float64]

CHUNKS = 32
"""Parts of a batch that threads share out; more than there are cores."""

RESERVOIR, PLATE_OUTLET, RETURN, PLATE, BODY, BATTERY, ARRAY_FRONT, ARRAY_BACK = range(8)
"""Nodes of a loop, in the order in which they follow the modes in a state."""

NODES = 8

(
    EMISSIVITY, RESERVOIR_CAPACITY, OUTLET_CAPACITY, PLATE_CAPACITY, BODY_CAPACITY, BATTERY_CAPACITY, ARRAY_CAPACITY,
    PLATE_CONDUCTANCE, BODY_CONDUCTANCE, BATTERY_CONDUCTANCE, ARRAY_CONDUCTANCE,
    BODY_EMISSION, FRONT_EMISSION, BACK_EMISSION, PANELS,
) = range(15)  # fmt: skip
"""Rows of the parameters of loops; emissions are σ·ε·A [W/K⁴]."""

PARAMETERS = 15

EMITTED, NODE_EMITTED, COOLANT_HEAT, LEFT, ITERATIONS = range(5)
"""Rows of the account of a step: emission of the panels and of the nodes, heat from the cold plate [W], the error
that Newton's method left [K], its iterations."""

ACCOUNTS = 5

_MOST_ITERATIONS = 60
_TARGET = 1e-9
_MOST_TURNS, _NEAR = 200, 5.0  # of settling: steps of at most 50 K until a step is this short [K]
_WEIGHTS = (1.0 / np.sqrt(2.0), 1.0 - 1.0 / np.sqrt(2.0))


class Operators(NamedTuple):
    """Reduced panel: what the kernels need of it.

    Attributes
    ----------
    flow, temperature : (f,), (t,) arrays
        Grid of the table: heat capacity rate through a panel over relative viscosity [W/K] and inlet temperature [K].
    viscosity : (t,) array
        Relative.
    coefficients : (f, t, k) array
    terms : (r, r, k + 1 or more) array
        A = Σₖ coefficientₖ·termₖ; then the slope of radiation for 4·T³ = 1 (exact), and zeros up to a multiple of four.
    samples : (s, r) array
        Basis at the sampled nodes.
    emission, emission_rows : (s,), (s·LANES,) arrays
        σ·area·weight of both faces [W/K⁴]; and repeated for every lane.
    emission_total : float
        σ·area of the radiating faces [W/K⁴].
    inlet, outlet : (r,) arrays
        Basis at the inlet, and at the outlet of the tubes.
    load, glow : (r,) arrays
        Area of one face projected on the basis, and that times σ and the radiating faces.
    sink : float
        Fourth power of the temperature of space [K⁴].
    """

    flow: Array
    temperature: Array
    viscosity: Array
    coefficients: Array
    terms: Array
    samples: Array
    emission: Array
    emission_rows: Array
    emission_total: float
    inlet: Array
    outlet: Array
    load: Array
    glow: Array
    sink: float


@compiled
def _locate(grid: Array, value: float) -> tuple[int, float]:
    """Interval of a grid and the place in it, held at the ends."""
    low, high = 0, grid.size - 1
    if value <= grid[0]:
        return 0, 0.0
    if value >= grid[high]:
        return high - 1, 1.0
    while high - low > 1:
        middle = (low + high) // 2
        if grid[middle] <= value:
            low = middle
        else:
            high = middle
    return low, (value - grid[low]) / (grid[high] - grid[low])


@compiled
def _weigh(o: Operators, flow: Array, film: Array, weights: Array) -> None:
    """Interpolate the coefficients of A for every lane."""
    count = o.coefficients.shape[2]
    for lane in range(LANES):
        j, y = _locate(o.temperature, film[lane])
        thickness = (1.0 - y) * o.viscosity[j] + y * o.viscosity[j + 1]
        i, x = _locate(o.flow, flow[lane] / thickness)
        for k in range(count):
            low = (1.0 - x) * o.coefficients[i, j, k] + x * o.coefficients[i + 1, j, k]
            high = (1.0 - x) * o.coefficients[i, j + 1, k] + x * o.coefficients[i + 1, j + 1, k]
            weights[k, lane] = (1.0 - y) * low + y * high


@compiled
def _eliminate(
    p: Array, heat: Array, start: Array, r: int, w: Array, ex: Array, rate: float, c: Array
) -> None:
    """Coefficients of the eliminated nodes.

    plate = c₀ + c₁·reservoir, outlet = c₂ + c₃·reservoir, return = c₄ + c₅·reservoir + c₆·body, battery = c₇ + c₈·body
    """
    for lane in range(LANES):
        a, b, a2, b2 = ex[0, lane], ex[1, lane], ex[2, lane], ex[3, lane]
        flow, s, s2 = w[lane], ex[0, lane] + ex[1, lane], ex[2, lane] + ex[3, lane]
        store = rate * p[PLATE_CAPACITY, lane]
        given = heat[PLATE, lane] + store * start[r + PLATE, lane]
        # Plate: (store + s)·plate − b·outlet = given + a·reservoir; outlet: the coolant that stands in the plates.
        stands = rate * p[OUTLET_CAPACITY, lane]
        held = stands * start[r + PLATE_OUTLET, lane]
        wet = stands + flow + b
        determinant = (store + s) * wet - s * b
        c[0, lane] = (given * wet + b * held) / determinant
        c[1, lane] = (a * wet + b * (flow - a)) / determinant
        c[2, lane] = ((store + s) * held + s * given) / determinant
        c[3, lane] = ((store + s) * (flow - a) + s * a) / determinant
        c[4, lane] = (flow - a2) * c[2, lane] / (flow + b2)
        c[5, lane] = (flow - a2) * c[3, lane] / (flow + b2)
        c[6, lane] = s2 / (flow + b2)
        link = p[BATTERY_CONDUCTANCE, lane]
        store = rate * p[BATTERY_CAPACITY, lane]
        c[7, lane] = (heat[BATTERY, lane] + store * start[r + BATTERY, lane]) / (store + link)
        c[8, lane] = link / (store + link)


@compiled
def _loop_residual(
    o: Operators, p: Array, heat: Array, y: Array, start: Array, bypass: Array, through: Array,
    ex: Array, c: Array, rate: float, r: int, out: Array,
) -> None:  # fmt: skip
    """Residual of the reservoir and the body into rows r and r + 1 [W]."""
    for lane in range(LANES):
        warm, body = y[r + RESERVOIR, lane], y[r + BODY, lane]
        outlet = c[2, lane] + c[3, lane] * warm
        back = c[4, lane] + c[5, lane] * warm + c[6, lane] * body
        cell = c[7, lane] + c[8, lane] * body
        cold = 0.0
        for k in range(r):
            cold += o.outlet[k] * y[k, lane]
        store = rate * p[RESERVOIR_CAPACITY, lane] * (warm - start[r + RESERVOIR, lane])
        out[r, lane] = (
            store - heat[RESERVOIR, lane] + bypass[lane] * (warm - back) + through[lane] * (warm - cold)
        )
        store = rate * p[BODY_CAPACITY, lane] * (body - start[r + BODY, lane])
        taken = (ex[2, lane] + ex[3, lane]) * body - ex[2, lane] * outlet - ex[3, lane] * back
        shed = p[BODY_EMISSION, lane] * (abs(body) ** 3 * body - o.sink)
        link = p[BATTERY_CONDUCTANCE, lane] * (body - cell)
        out[r + 1, lane] = store - heat[BODY, lane] + taken + link + shed


@compiled
def _loop_slopes(
    o: Operators, p: Array, y: Array, bypass: Array, through: Array, ex: Array, c: Array, rate: float, r: int,
    matrix: Array,
) -> None:  # fmt: skip
    """Write the rows and columns of the reservoir and the body."""
    for lane in range(LANES):
        each = through[lane] / p[PANELS, lane]
        for k in range(r):
            matrix[k, r, lane] = -each * o.inlet[k] * c[5, lane]
            matrix[k, r + 1, lane] = -each * o.inlet[k] * c[6, lane]
            matrix[r, k, lane] = -through[lane] * o.outlet[k]
            matrix[r + 1, k, lane] = 0.0
        matrix[r, r, lane] = (
            rate * p[RESERVOIR_CAPACITY, lane] + bypass[lane] * (1.0 - c[5, lane]) + through[lane]
        )
        matrix[r, r + 1, lane] = -bypass[lane] * c[6, lane]
        matrix[r + 1, r, lane] = -(ex[2, lane] * c[3, lane] + ex[3, lane] * c[5, lane])
        body = y[r + BODY, lane]
        matrix[r + 1, r + 1, lane] = (
            rate * p[BODY_CAPACITY, lane]
            + ex[2, lane] + ex[3, lane] * (1.0 - c[6, lane])
            + p[BATTERY_CONDUCTANCE, lane] * (1.0 - c[8, lane])
            + 4.0 * p[BODY_EMISSION, lane] * abs(body) ** 3
        )  # fmt: skip


@compiled
def _solve_array(p: Array, heat: Array, start: Array, y: Array, rate: float, sink: float, r: int) -> None:
    """Front and back of the solar wing: Newton's method for two nodes."""
    f, b = r + ARRAY_FRONT, r + ARRAY_BACK
    for lane in range(LANES):
        store, link = 0.5 * rate * p[ARRAY_CAPACITY, lane], p[ARRAY_CONDUCTANCE, lane]
        kf, kb = p[FRONT_EMISSION, lane], p[BACK_EMISSION, lane]
        if kf + kb + store == 0.0:
            continue
        front, back = y[f, lane], y[b, lane]
        for _ in range(_MOST_ITERATIONS):
            q1 = store * (front - start[f, lane]) - heat[ARRAY_FRONT, lane]
            q1 += link * (front - back) + kf * (abs(front) ** 3 * front - sink)
            q2 = store * (back - start[b, lane]) - heat[ARRAY_BACK, lane]
            q2 += link * (back - front) + kb * (abs(back) ** 3 * back - sink)
            d1 = store + link + 4.0 * kf * abs(front) ** 3
            d2 = store + link + 4.0 * kb * abs(back) ** 3
            determinant = d1 * d2 - link * link
            x1 = -(q1 * d2 + q2 * link) / determinant
            x2 = -(q2 * d1 + q1 * link) / determinant
            # From the cold side T⁴ overshoots.
            x1, x2 = min(x1, 2.0 * abs(front) + 50.0), min(x2, 2.0 * abs(back) + 50.0)
            front, back = front + x1, back + x2
            if abs(x1) + abs(x2) <= 1e-6:
                break
        y[f, lane], y[b, lane] = front, back


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
    for _ in range(_MOST_ITERATIONS):
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
def _recover(y: Array, c: Array, r: int) -> None:
    """Fill in the eliminated nodes."""
    for lane in range(LANES):
        warm, body = y[r + RESERVOIR, lane], y[r + BODY, lane]
        y[r + PLATE, lane] = c[0, lane] + c[1, lane] * warm
        y[r + PLATE_OUTLET, lane] = c[2, lane] + c[3, lane] * warm
        y[r + RETURN, lane] = c[4, lane] + c[5, lane] * warm + c[6, lane] * body
        y[r + BATTERY, lane] = c[7, lane] + c[8, lane] * body


@compiled
def _account(
    o: Operators, p: Array, y: Array, t: Array, w: Array, levels: Array, weight: float, r: int, account: Array
) -> None:
    """Book the heat of a stage."""
    for lane in range(LANES):
        level, slope = levels[0, lane], levels[1, lane]
        total = -(3.0 * level + o.sink) * o.emission_total
        for k in range(r):
            total += slope * o.glow[k] * y[k, lane]
        for s in range(o.samples.shape[0]):
            square = t[s, lane] * abs(t[s, lane])
            total += o.emission[s] * (abs(square) * square - slope * t[s, lane] + 3.0 * level)
        account[EMITTED, lane] += weight * p[PANELS, lane] * p[EMISSIVITY, lane] * total
        body, front, back = y[r + BODY, lane], y[r + ARRAY_FRONT, lane], y[r + ARRAY_BACK, lane]
        shed = p[BODY_EMISSION, lane] * (abs(body) ** 3 * body - o.sink)
        shed += p[FRONT_EMISSION, lane] * (abs(front) ** 3 * front - o.sink)
        shed += p[BACK_EMISSION, lane] * (abs(back) ** 3 * back - o.sink)
        account[NODE_EMITTED, lane] += weight * shed
        gain = y[r + PLATE_OUTLET, lane] - y[r + RESERVOIR, lane]
        account[COOLANT_HEAT, lane] += weight * w[lane] * gain


@compiled
def _exchanges(p: Array, w: Array, ex: Array) -> None:
    for lane in range(LANES):
        ex[0, lane], ex[1, lane] = stream_exchange(w[lane], p[PLATE_CONDUCTANCE, lane])
        ex[2, lane], ex[3, lane] = stream_exchange(w[lane], p[BODY_CONDUCTANCE, lane])


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
    _weigh(o, each, film, weights)
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
            _exchanges(parameters, w, ex)
            _eliminate(parameters, q, start, r, w, ex, rate, c)
            for lane in range(LANES):
                back[lane] = c[4, lane] + c[5, lane] * y[r + RESERVOIR, lane] + c[6, lane] * y[r + BODY, lane]
                kept[lane] = c[4, lane]
            _linearise(
                o, parameters, y, each, film[block], absorbed[block], back, rate, r, t, levels, slope, scratch,
                weights, matrix, residual,
            )  # fmt: skip
            _loop_slopes(o, parameters, y, past, through, ex, c, rate, r, matrix)
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
                    _eliminate(parameters, q, start, r, w, ex, rate, c)
                    for k in range(r):
                        for lane in range(LANES):
                            residual[k, lane] -= each[lane] * o.inlet[k] * (c[4, lane] - kept[lane])
                _loop_residual(o, parameters, q, y, start, past, through, ex, c, rate, r, residual)
                _chord(
                    o, parameters, matrix, residual, y, t, slope, r, change, scratch, done[LEFT], done[ITERATIONS]
                )  # fmt: skip
                _recover(y, c, r)
                _solve_array(parameters, q, start, y, rate, o.sink, r)
                _account(o, parameters, y, t, w, levels, _WEIGHTS[stage], r, done)


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
        _exchanges(parameters, w, ex)
        _eliminate(parameters, q, y, r, w, ex, 0.0, c)
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
            _loop_slopes(o, parameters, y, past, through, ex, c, 0.0, r, matrix)
            _loop_residual(o, parameters, q, y, y, past, through, ex, c, 0.0, r, residual)
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
        _recover(y, c, r)
        _solve_array(parameters, q, y, y, 0.0, o.sink, r)


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
