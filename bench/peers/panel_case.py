"""The panel that every solver of the comparison runs: a square of aluminium whose faces radiate and take changing heat.

Front: sunlight that follows the orbit. Back: waste heat under ten tubes that swings with the load every ten minutes, so
that neither space nor time is smooth enough to be free.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CONDUCTIVITY, DENSITY, SPECIFIC_HEAT, THICKNESS = 167.0, 2700.0, 900.0, 2e-3
EMISSIVITY, SINK, SIGMA = 0.85, 2.725, 5.670374419e-8
START, STEP, RESIDUAL = 290.0, 10.0, 1e-8


def pattern(points: Array) -> Array:
    """Where the waste heat enters, mean 1, shape (n,)."""
    x, y = points[:, 0], points[:, 1]
    return 1.0 + np.cos(20.0 * np.pi * x) * np.cos(2.0 * np.pi * y)


def sunlight(time: float) -> float:
    """Absorbed by the front [W/m²]."""
    return float(420.0 * (1.0 + 0.4 * np.sin(2.0 * np.pi * time / 5900.0)))


def waste_heat(time: float) -> float:
    """Mean over the back [W/m²]."""
    return float(300.0 * (1.0 + 0.3 * np.sin(2.0 * np.pi * time / 600.0)))
