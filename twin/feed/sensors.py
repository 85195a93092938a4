"""Errors of sensors: noise, calibration, drift, range, and faults on command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from twin.counter_random import counter_normals
from twin.feed.faults import Fault
from twin.telemetry.dictionary import Dictionary
from twin.telemetry.quantities import QUANTITIES

__all__ = ["SensorErrors", "Sensors"]

Floats = NDArray[np.float64]

_BIAS, _DRIFT, _NOISE = 0x5EED_0600, 0x5EED_0601, 0x5EED_0602

SPIKES = 0.05
"""Share of the readings that a spiking sensor spoils."""

DAY = 86400.0


@dataclass(frozen=True)
class SensorErrors:
    """How good the sensors are, as multiples of what the dictionary says.

    Attributes
    ----------
    noise : float
        Of single readings.
    bias : float
        Of the calibration, which is drawn once for each sensor.
    drift : float
        Of the calibration, per day of the mission.
    """

    noise: float = 1.0
    bias: float = 1.0
    drift: float = 0.0


@dataclass
class Sensors:
    """The sensors of a plant.

    Attributes
    ----------
    dictionary : Dictionary
    errors : SensorErrors
    faults : sequence of Fault
        Those of sensors are used.
    seed : int

    Notes
    -----
    Errors depend on seed, sensor and number of the reading only: a feed that is run again sends the same.
    """

    dictionary: Dictionary
    errors: SensorErrors = field(default_factory=SensorErrors)
    faults: Sequence[Fault] = ()
    seed: int = 0
    readings: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        d, size = self.dictionary, self.dictionary.size
        self.bias: Floats = self.errors.bias * d.bias * counter_normals(self.seed, _BIAS, size)
        self.drift: Floats = self.errors.drift * d.bias / DAY * counter_normals(self.seed, _DRIFT, size)
        self.faults = [fault for fault in self.faults if fault.kind.layer == "sensor"]
        self._struck = [fault.parameters(d) for fault in self.faults]
        self._held: list[Floats | None] = [None for _ in self.faults]
        modes = np.array([line.is_mode for _, line in QUANTITIES])
        self._measured = ~modes[d.quantity_index]
        self._last: Floats | None = None

    def read(self, time: float, true: Floats) -> Floats:
        """Return what the sensors say.

        Parameters
        ----------
        time : float
            Since mission start [s].
        true : (parameter,) array
            What perfect sensors would say, NaN where there is no reading.

        Returns
        -------
        (parameter,) array
            NaN where there is no reading.
        """
        d = self.dictionary
        rng = np.random.default_rng((self.seed, _NOISE, self.readings))
        self.readings += 1
        noise = self.errors.noise * d.noise * rng.standard_normal(d.size)
        out = true + self.bias + self.drift * time + noise
        for number, (fault, at) in enumerate(zip(self.faults, self._struck)):
            if fault.active(time):
                self._strike(number, fault, at, time, out, noise, rng)
            else:
                self._held[number] = None
        # An instrument does not show more than its range; a reading that is absent stays so.
        out = np.where(self._measured, np.clip(out, d.low, d.high), true)
        self._last = out
        return out

    def _strike(
        self,
        number: int,
        fault: Fault,
        at: NDArray[np.int64],
        time: float,
        out: Floats,
        noise: Floats,
        rng: np.random.Generator,
    ) -> None:
        """Change the readings that a fault spoils, in place."""
        name, value = fault.kind.name, fault.value
        if name == "stuck":
            held = self._held[number]
            if held is None:
                # It stands at its last reading before the fault.
                held = (out if self._last is None else self._last)[at].copy()
                self._held[number] = held
            out[at] = held
        elif name == "bias":
            out[at] += value
        elif name == "drift":
            out[at] += value * (time - fault.start) / 3600.0
        elif name == "spike":
            hit = rng.random(at.size) < SPIKES
            out[at[hit]] += value * rng.choice([-1.0, 1.0], hit.sum())
        elif name == "noise":
            out[at] += (value - 1.0) * noise[at]
        elif name == "dropout":
            out[at[rng.random(at.size) < value]] = np.nan
