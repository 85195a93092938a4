"""What acts on the surfaces of a finite-element model: small mutable nouns that read like the physics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.errors import ModelError

Array = NDArray[np.float64]
Value = float | Array | Callable[[float], float | Array]


def evaluate(value: Value, time: float) -> float | Array:
    """Return a value that may be a function of time."""
    return value(time) if callable(value) else value


@dataclass(frozen=True, eq=False)
class Surface:
    """A face, a boundary or a volume, by the area (volume) that belongs to each owned node.

    Attributes
    ----------
    name : str
    node_area : (owned,) array
        [m²], or [m³] for a volume.
    area : float
        Total over all processes [m²].
    """

    name: str
    node_area: Array
    area: float


@dataclass
class Radiation:
    """Radiation of a gray surface to a black sink, ε·σ·(T⁴ − T_sink⁴).

    Attributes
    ----------
    surface : Surface
    emissivity : float or (owned,) array
        0 to 1.
    sink_temperature : float, array or function of time
        [K].
    """

    surface: Surface
    emissivity: float | Array
    sink_temperature: Value

    def __post_init__(self) -> None:
        if not np.all((np.asarray(self.emissivity) >= 0.0) & (np.asarray(self.emissivity) <= 1.0)):
            raise ModelError(f"emissivity of {self.surface.name!r} is {self.emissivity}; expected 0 to 1")


@dataclass
class Flux:
    """Heat absorbed by a surface.

    Attributes
    ----------
    surface : Surface
    value : float, array or function of time
        Absorbed heat flux [W/m²] (per volume [W/m³] on a volume).
    """

    surface: Surface
    value: Value = 0.0


@dataclass
class Convection:
    """Newton's law h·(T_fluid − T).

    Attributes
    ----------
    surface : Surface
    coefficient : float or array
        [W/m²K], 0 or more.
    fluid_temperature : float, array or function of time
        [K].
    """

    surface: Surface
    coefficient: float | Array
    fluid_temperature: Value

    def __post_init__(self) -> None:
        if not np.all(np.asarray(self.coefficient) >= 0.0):
            raise ModelError(f"heat transfer coefficient of {self.surface.name!r} is below zero")


@dataclass
class FixedTemperature:
    """Nodes of prescribed temperature.

    Attributes
    ----------
    name : str
    dofs : (k,) array
        Owned dofs.
    value : float or function of time
        [K].
    """

    name: str
    dofs: NDArray[np.int64]
    value: Value
