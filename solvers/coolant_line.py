"""Transport of coolant through an insulated line without numerical spread.

A chain of stirred nodes arrives on time but smeared: its residence times follow the gamma distribution of n tanks in
series, with a standard deviation of 1/√n of the delay (Levenspiel, Chemical Reaction Engineering, 14.1). Plug flow
keeps the shape: what enters leaves one volume later. For a line longer than what flows in one step the outlet of a step
is known when the step starts, so that the line is a boundary of the network and costs nothing in its solve.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from solvers.errors import ModelError

Array = NDArray[np.float64]


class PlugFlowLine:
    """Parcels of coolant on their way; mass and heat are kept to rounding.

    Parameters
    ----------
    mass : float
        Coolant in the line [kg].
    temperature : float
        At the start [K].
    """

    def __init__(self, mass: float, temperature: float):
        if not 0.0 < mass < np.inf:
            raise ModelError(f"line: mass {mass} kg; expected a positive number")
        self.mass = mass
        self._parcels: deque[tuple[float, float]] = deque([(mass, temperature)])

    def outlet(self, mass: float) -> float:
        """Return the mean temperature of the next `mass` to leave [K], at most what is in the line [kg]."""
        if not 0.0 <= mass <= self.mass * (1.0 + 1e-12):
            raise ModelError(
                f"line of {self.mass:g} kg: {mass:g} kg pass in a step; expected less, take shorter steps"
            )
        if mass == 0.0:
            return self._parcels[0][1]
        left, heat = mass, 0.0
        for size, temperature in self._parcels:
            part = min(size, left)
            heat += part * temperature
            left -= part
            if left <= 0.0:
                break
        return heat / (mass - max(left, 0.0))

    def push(self, mass: float, temperature: float) -> None:
        """Let `mass` enter at a temperature [kg, K]; as much leaves at the other end."""
        self.outlet(mass)
        left = mass
        while left > 0.0 and self._parcels:
            size, warm = self._parcels.popleft()
            if size > left:
                self._parcels.appendleft((size - left, warm))
            left -= size
        if mass > 0.0:
            self._parcels.append((mass, temperature))

    def reverse(self) -> None:
        """Turn the line round: its outlet becomes its inlet."""
        self._parcels.reverse()

    @property
    def heat_content(self) -> float:
        """Sum of mass times temperature [kg K]; times the specific heat it is the energy in the line."""
        return sum(size * temperature for size, temperature in self._parcels)

    @property
    def parcels(self) -> Array:
        """Mass and temperature of each parcel from outlet to inlet, shape (parcel, 2) [kg, K]."""
        return np.array(self._parcels)
