"""Compiled equations of the nodes of many coolant loops, one loop per lane: what stands around the reduced panels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.network_kernels import stream_exchange
from solvers.reduced_lanes import LANES, compiled
from solvers.reduced_operators import Operators

Array = NDArray[np.float64]

MOST_ITERATIONS = 60
"""Of Newton's method."""

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


@compiled
def eliminate(
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
def loop_residual(
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
def loop_slopes(
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
def solve_array(p: Array, heat: Array, start: Array, y: Array, rate: float, sink: float, r: int) -> None:
    """Front and back of the solar wing: Newton's method for two nodes."""
    f, b = r + ARRAY_FRONT, r + ARRAY_BACK
    for lane in range(LANES):
        store, link = 0.5 * rate * p[ARRAY_CAPACITY, lane], p[ARRAY_CONDUCTANCE, lane]
        kf, kb = p[FRONT_EMISSION, lane], p[BACK_EMISSION, lane]
        if kf + kb + store == 0.0:
            continue
        front, back = y[f, lane], y[b, lane]
        for _ in range(MOST_ITERATIONS):
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
def recover(y: Array, c: Array, r: int) -> None:
    """Fill in the eliminated nodes."""
    for lane in range(LANES):
        warm, body = y[r + RESERVOIR, lane], y[r + BODY, lane]
        y[r + PLATE, lane] = c[0, lane] + c[1, lane] * warm
        y[r + PLATE_OUTLET, lane] = c[2, lane] + c[3, lane] * warm
        y[r + RETURN, lane] = c[4, lane] + c[5, lane] * warm + c[6, lane] * body
        y[r + BATTERY, lane] = c[7, lane] + c[8, lane] * body


@compiled
def book_stage(
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
def exchanges(p: Array, w: Array, ex: Array) -> None:
    """Exchange of the coolant with plates and body, as two terms each (`solvers.network_kernels.stream_exchange`)."""
    for lane in range(LANES):
        ex[0, lane], ex[1, lane] = stream_exchange(w[lane], p[PLATE_CONDUCTANCE, lane])
        ex[2, lane], ex[3, lane] = stream_exchange(w[lane], p[BODY_CONDUCTANCE, lane])
