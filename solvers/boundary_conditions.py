"""What acts on the surfaces of a finite-element model: small mutable nouns that read like the physics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI
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
        # Written so that NaN fails too.
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


@dataclass(eq=False)
class Thermostat:
    """A heater with hysteresis (see `solvers.integrator.Switch`).

    Attributes
    ----------
    flux : Flux
        What the heater puts in; set here.
    power : float
        While it is on [W].
    sensor : (owned,) array
        Weights of the owned nodes in the temperature that is compared; they sum to 1 over all processes.
    on_below, off_above : float
        Thresholds [K].
    comm : MPI.Comm
    is_on : bool

    Raises
    ------
    ModelError
        If the thresholds are not in order, the power is negative or the sensor is on no node.
    """

    flux: Flux
    power: float
    sensor: Array
    on_below: float
    off_above: float
    comm: MPI.Comm
    is_on: bool = False

    def __post_init__(self) -> None:
        place = self.flux.surface.name
        if not self.on_below < self.off_above:
            raise ModelError(
                f"heater on {place!r}: on below {self.on_below} K, off above {self.off_above} K; "
                "expected the first lower"
            )
        if not self.power >= 0.0:
            raise ModelError(f"heater on {place!r}: power {self.power} W; expected 0 or more")
        if not abs(self.comm.allreduce(float(self.sensor.sum())) - 1.0) < 1e-9:
            raise ModelError(f"heater on {place!r}: its sensor is on no node of the mesh")
        self.set(self.is_on)

    def temperature(self, state: Array) -> float:
        """Return what the sensor reads [K]; collective."""
        return float(self.comm.allreduce(float(self.sensor @ state[: self.sensor.size])))

    def distance(self, state: Array) -> float:
        """Return how far the sensor is past the threshold it waits for [K]."""
        reading = self.temperature(state)
        return reading - self.off_above if self.is_on else self.on_below - reading

    def flip(self) -> None:
        """Switch on or off."""
        self.set(not self.is_on)

    def set(self, is_on: bool) -> None:
        """Put the heater into a known state, as after a restart."""
        self.is_on = is_on
        self.flux.value = self.power / self.flux.surface.area if is_on else 0.0
