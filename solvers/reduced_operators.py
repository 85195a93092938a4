"""What the compiled kernels need of a reduced panel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.reduced_lanes import LANES, compiled

Array = NDArray[np.float64]


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
def weigh(o: Operators, flow: Array, film: Array, weights: Array) -> None:
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
