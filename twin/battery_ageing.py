"""Ageing of lithium-ion cells: calendar and cycle loss of capacity, growth of resistance.

Losses follow power laws, loss = k(stress)·x^z, in time or charge throughput. Under changing stress they are
advanced along the curve of the present stress from the loss reached so far, which is exact under constant
stress and does not depend on the size of the step.

References
----------
.. [1] J. Wang et al., "Cycle-life model for graphite-LiFePO4 cells", J. Power Sources 196 (2011) 3942–3948.
.. [2] M. Naumann et al., "Analysis and modeling of calendar aging of a commercial LiFePO4/graphite cell",
   J. Energy Storage 17 (2018) 153–169.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

GAS_CONSTANT = 8.31446261815324
"""J/(mol K)."""

type Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CalendarAgeing:
    r"""Square-root law of storage loss.

    .. math::
        q = k \exp\left[-\frac{E}{R}\left(\frac1T - \frac1{T_0}\right)\right] [c\,(s - 0.5)^3 + d]\,\sqrt t

    The defaults are the lithium-iron-phosphate/graphite cell of [2]_.

    Attributes
    ----------
    rate : float
        k, 1/√s.
    activation_energy : float
        E, J/mol.
    reference_temperature : float
        T₀, K.
    cubic, constant : float
        c and d of the dependence on the state of charge s.
    """

    rate: float = 1.2571e-5
    activation_energy: float = 17126.0
    reference_temperature: float = 298.15
    cubic: float = 2.8575
    constant: float = 0.60225

    def coefficient(self, temperature: Array, state_of_charge: Array) -> Array:
        """Loss per square root of time, 1/√s, shape (N,)."""
        arrhenius = np.exp(
            -self.activation_energy / GAS_CONSTANT * (1.0 / temperature - 1.0 / self.reference_temperature)
        )
        charge = np.maximum(self.cubic * (state_of_charge - 0.5) ** 3 + self.constant, 0.0)
        return self.rate * arrhenius * charge


@dataclass(frozen=True)
class CycleAgeing:
    r"""Throughput law of cycling loss.

    .. math:: q = \frac{B(c)}{100} \exp\!\left[\frac{-E + e\,c}{R T}\right] A^{z}

    with the C-rate c and the charge throughput A (ampere hour discharged by a cell of the reference
    capacity). The defaults are graphite-LiFePO4 [1]_: fitted at C/2, 2C, 6C and 10C, 15–60 °C, with 2 Ah
    cells; the time of the tests is in them, so adding calendar ageing is on the safe side.

    Attributes
    ----------
    c_rates, prefactors : tuple of float
        Table of B; ln B is interpolated in c and held beyond the table.
    activation_energy : float
        E, J/mol.
    c_rate_energy : float
        e, J/mol per unit of C-rate.
    exponent : float
        z.
    reference_capacity : float
        Capacity of the tested cells, C (ampere second).
    """

    c_rates: tuple[float, ...] = (0.5, 2.0, 6.0, 10.0)
    prefactors: tuple[float, ...] = (31630.0, 21681.0, 12934.0, 15512.0)
    activation_energy: float = 31700.0
    c_rate_energy: float = 370.3
    exponent: float = 0.55
    reference_capacity: float = 7200.0

    def coefficient(self, temperature: Array, c_rate: Array) -> Array:
        """Loss at a throughput of one ampere hour, shape (N,)."""
        prefactor = np.exp(np.interp(c_rate, self.c_rates, np.log(self.prefactors)))
        capped = np.minimum(c_rate, self.c_rates[-1])
        exponent = (-self.activation_energy + self.c_rate_energy * capped) / (GAS_CONSTANT * temperature)
        return 0.01 * prefactor * np.exp(exponent)


@dataclass(frozen=True)
class AgeingParameters:
    """Ageing of a cell.

    Attributes
    ----------
    calendar, cycle : CalendarAgeing, CycleAgeing
        None leaves the mechanism out.
    resistance_growth : float
        Relative growth of resistance per unit of capacity loss: 1 doubles it when all capacity is gone.
    """

    calendar: CalendarAgeing | None = CalendarAgeing()
    cycle: CycleAgeing | None = CycleAgeing()
    resistance_growth: float = 2.0


@dataclass(frozen=True)
class BatteryHealth:
    """Losses of capacity so far (fractions of the new capacity) and relative growth of resistance, (N,)."""

    calendar_loss: Array
    cycle_loss: Array
    resistance_growth: Array

    @classmethod
    def new(cls, modules: int) -> BatteryHealth:
        """Return batteries without ageing."""
        return cls(np.zeros(modules), np.zeros(modules), np.zeros(modules))

    @property
    def capacity_fraction(self) -> Array:
        """Capacity over the new capacity, (N,), at least 1 %: a dead battery keeps finite equations."""
        return np.maximum(1.0 - self.calendar_loss - self.cycle_loss, 0.01)

    @property
    def resistance_factor(self) -> Array:
        """Resistance over that of the new cell, (N,)."""
        return 1.0 + self.resistance_growth


def advance(
    parameters: AgeingParameters,
    health: BatteryHealth,
    temperature: npt.ArrayLike,
    state_of_charge: npt.ArrayLike,
    c_rate: npt.ArrayLike,
    duration: npt.ArrayLike,
) -> BatteryHealth:
    """Age batteries by a span of time at given stress.

    Parameters
    ----------
    parameters : AgeingParameters
    health : BatteryHealth
        At the start.
    temperature : array_like, shape (N,)
        K.
    state_of_charge : array_like, shape (N,)
        Mean over the span.
    c_rate : array_like, shape (N,)
        Mean of |I| over the one-hour current of the new cell: half of it counts as discharge throughput.
    duration : array_like, shape () or (N,)
        s.

    Returns
    -------
    BatteryHealth
        At the end; losses never fall and never exceed 1.
    """
    kelvin = np.asarray(temperature, dtype=float)
    soc = np.clip(state_of_charge, 0.0, 1.0)
    rate = np.abs(np.asarray(c_rate, dtype=float))
    span = np.maximum(np.asarray(duration, dtype=float), 0.0)
    calendar, cycle = health.calendar_loss, health.cycle_loss
    if parameters.calendar is not None:
        calendar = _along_power_law(calendar, parameters.calendar.coefficient(kelvin, soc), 0.5, span)
    if parameters.cycle is not None:
        law = parameters.cycle
        throughput = 0.5 * rate * span / 3600.0 * law.reference_capacity / 3600.0
        cycle = _along_power_law(cycle, law.coefficient(kelvin, rate), law.exponent, throughput)
    return replace(
        health,
        calendar_loss=calendar,
        cycle_loss=cycle,
        resistance_growth=parameters.resistance_growth * (calendar + cycle),
    )


def _along_power_law(loss: Array, coefficient: Array, exponent: float, increment: Array) -> Array:
    """Add an increment of x on loss = k·x^z, starting from the x at which this k gives the present loss."""
    inverse = 1.0 / exponent
    grown = (loss**inverse + coefficient**inverse * increment) ** exponent
    return np.clip(grown, loss, np.maximum(loss, 1.0))
