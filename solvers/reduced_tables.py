"""Tables of operators over flow and temperature for reduced models, and their separation into few terms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TEMPERATURES = 49
"""Points of a table over temperature."""


@dataclass(frozen=True, eq=False)
class Table:
    """Coefficients over flow and temperature.

    The first coordinate is the flow divided by the relative viscosity, which is a Reynolds number: where films change
    their law lies on a line of the grid.

    Attributes
    ----------
    flow : (a,) array
        Flow over relative viscosity [kg/s].
    temperature : (b,) array
        [K].
    viscosity : (b,) array
        Relative.
    values : (a, b, k) array
    error : float
        Largest error seen between points, relative to the norm of the coefficients.
    """

    flow: Array
    temperature: Array
    viscosity: Array
    values: Array
    error: float

    def between(self, flows: tuple[float, float]) -> Table:
        """Return the part that holds a range of flows [kg/s]."""
        low, high = flows[0] / self.viscosity.max(), flows[1] / self.viscosity.min()
        first = max(int(np.searchsorted(self.flow, low, side="right")) - 1, 0)
        last = min(int(np.searchsorted(self.flow, high)) + 1, len(self.flow))
        return Table(
            self.flow[first:last], self.temperature, self.viscosity, self.values[first:last], self.error
        )


def tabulate(
    coefficients: Callable[[Array, Array], Array],
    viscosity: Callable[[Array], Array],
    flows: tuple[float, float],
    temperatures: tuple[float, float],
    tolerance: float,
    most_flows: int,
) -> Table:
    """Tabulate coefficients so that bilinear interpolation is good to a tolerance.

    Parameters
    ----------
    coefficients : callable
        ``coefficients(flows, temperatures)``: (m,), (m,) → (m, k).
    viscosity : callable
        At temperatures.
    flows, temperatures : (float, float)
    tolerance : float
        Error between points relative to the norm of the coefficients.
    most_flows : int
    """
    kelvin = np.linspace(*temperatures, TEMPERATURES)
    thick = np.asarray(viscosity(kelvin), dtype=float)
    relative = thick / thick[len(kelvin) // 2]
    ends = (flows[0] / relative.max(), flows[1] / relative.min())

    def column(flow: float, at: Array) -> Array:
        return coefficients(flow * np.interp(at, kelvin, relative), at)

    def off(a: Array, b: Array) -> float:
        return float((np.linalg.norm(a - b, axis=-1) / np.linalg.norm(a, axis=-1)).max())

    start = np.geomspace(*ends, 33)
    start[0], start[-1] = ends
    known = {float(flow): column(float(flow), kelvin) for flow in start}
    error = 0.0
    middles = 0.5 * (kelvin[1:] + kelvin[:-1])
    for flow in start[::2]:
        exact, table = column(float(flow), middles), known[float(flow)]
        error = max(error, off(exact, 0.5 * (table[1:] + table[:-1])))
    todo = list(zip(start[:-1].tolist(), start[1:].tolist()))
    while todo:
        a, b = todo.pop(0)
        middle = 0.5 * (a + b)
        exact = column(middle, kelvin)
        size = off(exact, 0.5 * (known[a] + known[b]))
        if size <= tolerance or len(known) >= most_flows:
            error = max(error, size)
            continue
        known[middle] = exact
        todo += [(a, middle), (middle, b)]
    grid = np.array(sorted(known))
    return Table(grid, kelvin, relative, np.stack([known[float(flow)] for flow in grid]), error)


def separate(values: Array, matrices: Array, tolerance: float) -> tuple[Array, Array]:
    """Return the fewest (coefficients (a, b, k), terms (k, r, r)) that stand for Σ valueⱼ·matrixⱼ all over a table.

    Rows and columns that sum to zero in every matrix do so in every term.

    Parameters
    ----------
    values : (a, b, j) array
    matrices : (j, r, r) array
    tolerance : float
        Of singular values over the table, relative to the largest.
    """
    a, b, count = values.shape
    r = matrices.shape[1]
    # Orthonormal matrices first, then the singular values of what is left: both are small.
    directions, shape = np.linalg.qr(matrices.reshape(count, -1).T)
    flat = values.reshape(a * b, count) @ shape.T
    size, right = np.linalg.eigh(flat.T @ flat)
    size, right = np.sqrt(np.maximum(size[::-1], 0.0)), right[:, ::-1]
    keep = max(1, int(np.sum(size > max(tolerance, 1e-7) * size[0])))
    terms = (directions @ right[:, :keep]).T
    return (flat @ right[:, :keep]).reshape(a, b, keep), terms.reshape(keep, r, r)
