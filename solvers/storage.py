"""Heat stored at the nodes, with specific heats that may depend on temperature.

What is balanced is the enthalpy, not capacity times a change of temperature, so energy is conserved to rounding
whatever the curve of c(T) looks like (Voller & Cross, Int. J. Heat Mass Transfer 24 (1981) 545).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.errors import ConvergenceError
from solvers.materials import Tabulated

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Storage:
    """Heat capacity of the owned nodes.

    Attributes
    ----------
    constant : (owned,) array
        The part that does not depend on temperature [J/K].
    curves : tuple of (capacity (owned,) array, Tabulated)
        Parts that do: capacity [J/K] times the factor at the node's temperature.
    """

    constant: Array
    curves: tuple[tuple[Array, Tabulated], ...] = ()

    def capacity(self, temperature: Array) -> Array:
        """Return dH/dT of each node [J/K]."""
        total = self.constant.copy()
        for part, curve in self.curves:
            total += part * curve(temperature)
        return total

    def gain(self, end: Array, start: Array) -> Array:
        """Return the enthalpy gained by each node from `start` to `end` [J]."""
        total = self.constant * (end - start)
        for part, curve in self.curves:
            total += part * (curve.integral(end) - curve.integral(start))
        return total

    def varying(self, temperature: Array, start: Array) -> tuple[Array, Array]:
        """Return enthalpy gained [J] and slope [J/K] of the parts that depend on temperature."""
        gained, slope = np.zeros_like(temperature), np.zeros_like(temperature)
        for part, curve in self.curves:
            gained += part * (curve.integral(temperature) - curve.integral(start))
            slope += part * curve(temperature)
        return gained, slope

    def extrapolate(self, first: Array, second: Array, factor: float) -> Array:
        """Return the temperatures whose enthalpy is H(first) + factor·(H(second) − H(first)).

        Raises
        ------
        ConvergenceError
            If Newton's method does not find them.
        """
        linear = first + factor * (second - first)
        if not self.curves:
            return linear
        wanted = factor * self.gain(second, first)
        temperature = linear
        for _ in range(50):
            off = self.gain(temperature, first) - wanted
            change = off / np.maximum(self.capacity(temperature), 1e-300)
            temperature = temperature - change
            if np.max(np.abs(change), initial=0.0) <= 1e-12 * np.max(np.abs(temperature), initial=1.0):
                return temperature
        raise ConvergenceError(
            "no temperature has the enthalpy asked for; is a specific heat zero somewhere?"
        )
