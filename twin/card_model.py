r"""Electrical and thermal model of one accelerator card.

Pure, vectorised functions of temperature, clock and activity, and the parameters they need. The fleet
(:mod:`twin.compute`) runs the same equations for millions of cards at once.

The power that a card draws from its supply is

.. math:: P = P_{base} + P_L \, v \, e^{\beta (T - T_{ref})} + a \, P_D \, f \, v^2

with the clock ratio :math:`f = f_{clk}/f_0`, the voltage ratio :math:`v = V/V_0`, the activity :math:`a` and
the junction temperature :math:`T`. The dynamic term is the switching power of CMOS, :math:`a C V^2 f`; the
leakage term is a sub-threshold current (exponential in temperature over the range of interest) times the
voltage [1]_, [2]_. The voltage follows the clock linearly down to a floor.

References
----------
.. [1] N. H. E. Weste and D. M. Harris, "CMOS VLSI Design", 4th ed., 2011, chapter 5.
.. [2] W. Liao, L. He and K. M. Lepak, "Temperature and supply voltage aware performance and power modeling at
   microarchitecture level", IEEE Trans. CAD 24(7), 2005.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CardParameters:
    """Parameters of one kind of accelerator card.

    Attributes
    ----------
    name : str
        Name of the card.
    idle_power : float
        Power with no job on the card, without leakage [W].
    resident_power : float
        Power with a job resident but no activity, without leakage [W].
    leakage_power : float
        Leakage at nominal voltage and `leakage_reference_temperature` [W].
    leakage_temperature_coefficient : float
        Relative growth of leakage with junction temperature [1/K].
    leakage_reference_temperature : float
        Junction temperature at which `leakage_power` holds [K].
    dynamic_power : float
        Switching power at activity 1, nominal clock and voltage [W].
    power_limit : float
        Limit that the card's own governor keeps [W].
    nominal_clock : float
        Clock at ratio 1 [Hz].
    minimum_clock_ratio : float
        Lowest clock over nominal clock [1].
    voltage_slope : float
        d(V/V0)/d(f/f0) above the voltage floor [1].
    minimum_voltage_ratio : float
        Voltage floor over nominal voltage [1].
    junction_resistance : float
        Thermal resistance from junction to cold plate [K/W].
    junction_heat_capacity : float
        Heat capacity of die, package and spreader [J/K].
    target_temperature : float
        Junction temperature that the governor does not exceed by choice of clock [K].
    slowdown_temperature : float
        Junction temperature at which the hardware slowdown sets in [K].
    slowdown_clock_ratio : float
        Clock ratio while the hardware slowdown is on [1].
    slowdown_hysteresis : float
        The slowdown ends this far below where it began [K].
    shutdown_temperature : float
        Junction temperature at which the card turns itself off [K].
    restart_temperature : float
        Junction temperature below which a card that is off starts to count its restart time [K].
    restart_time : float
        Time that a card stays off after it has cooled [s].
    wait_activity_fraction : float
        Share of the activity that goes on while a card waits for the slowest card of its job (polling
        collectives keep the card busy) [1].
    power_spread : float
        Standard deviation of the logarithm of dynamic power and leakage between cards [1].
    resistance_spread : float
        Standard deviation of the logarithm of the junction resistance between cards [1].

    Raises
    ------
    ValueError
        If a value is out of its physical range or two temperatures are in the wrong order.
    """

    name: str
    idle_power: float
    resident_power: float
    leakage_power: float
    dynamic_power: float
    power_limit: float
    nominal_clock: float
    leakage_temperature_coefficient: float = 0.018
    leakage_reference_temperature: float = 338.15
    minimum_clock_ratio: float = 0.15
    voltage_slope: float = 1.0
    minimum_voltage_ratio: float = 0.7
    junction_resistance: float = 0.035
    junction_heat_capacity: float = 150.0
    target_temperature: float = 360.15
    slowdown_temperature: float = 362.15
    slowdown_clock_ratio: float = 0.5
    slowdown_hysteresis: float = 5.0
    shutdown_temperature: float = 368.15
    restart_temperature: float = 343.15
    restart_time: float = 120.0
    wait_activity_fraction: float = 0.5
    power_spread: float = 0.04
    resistance_spread: float = 0.08

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "name" and not (np.isfinite(value) and value >= 0.0):
                raise ValueError(
                    f"card '{self.name}': {field.name} is {value}, expected a finite number >= 0"
                )
        for positive in ("power_limit", "nominal_clock", "junction_resistance", "junction_heat_capacity"):
            if getattr(self, positive) <= 0.0:
                raise ValueError(f"card '{self.name}': {positive} is {getattr(self, positive)}, expected > 0")
        for ratio in ("minimum_clock_ratio", "minimum_voltage_ratio", "slowdown_clock_ratio"):
            if not 0.0 < getattr(self, ratio) <= 1.0:
                raise ValueError(f"card '{self.name}': {ratio} is {getattr(self, ratio)}, expected in (0, 1]")
        if self.wait_activity_fraction > 1.0:
            raise ValueError(
                f"card '{self.name}': wait_activity_fraction is {self.wait_activity_fraction}, "
                "expected in [0, 1]"
            )
        if not self.target_temperature <= self.slowdown_temperature <= self.shutdown_temperature:
            raise ValueError(
                f"card '{self.name}': expected target <= slowdown <= shutdown temperature, got "
                f"{self.target_temperature}, {self.slowdown_temperature}, {self.shutdown_temperature} K"
            )
        if self.restart_temperature >= self.shutdown_temperature:
            raise ValueError(
                f"card '{self.name}': restart_temperature {self.restart_temperature} K is not below "
                f"shutdown_temperature {self.shutdown_temperature} K"
            )


def voltage_ratio(parameters: CardParameters, clock_ratio: ArrayLike) -> Floats:
    """Voltage over nominal voltage at a clock.

    Parameters
    ----------
    parameters : CardParameters
        The card.
    clock_ratio : array_like
        Clock over nominal clock [1].

    Returns
    -------
    ndarray
        ``max(v_min, 1 - slope (1 - f))`` [1].
    """
    f = np.asarray(clock_ratio, dtype=float)
    return np.maximum(parameters.minimum_voltage_ratio, 1.0 - parameters.voltage_slope * (1.0 - f))


def leakage_power(parameters: CardParameters, temperature: ArrayLike, voltage: ArrayLike = 1.0) -> Floats:
    """Leakage ``P_L v exp(beta (T - T_ref))``.

    Parameters
    ----------
    parameters : CardParameters
        The card.
    temperature : array_like
        Junction temperature [K].
    voltage : array_like
        Voltage over nominal voltage [1].

    Returns
    -------
    ndarray
        Leakage [W].
    """
    excess = np.asarray(temperature, dtype=float) - parameters.leakage_reference_temperature
    growth = np.exp(parameters.leakage_temperature_coefficient * excess)
    return np.asarray(parameters.leakage_power * np.asarray(voltage, dtype=float) * growth)


def card_power(
    parameters: CardParameters, activity: ArrayLike, clock_ratio: ArrayLike, temperature: ArrayLike
) -> Floats:
    """Power that a card with a resident job draws from its supply.

    Parameters
    ----------
    parameters : CardParameters
        The card.
    activity : array_like
        Switching activity, 0 (waiting) to 1 (densest kernel) [1].
    clock_ratio : array_like
        Clock over nominal clock [1].
    temperature : array_like
        Junction temperature [K].

    Returns
    -------
    ndarray
        Power [W], before any limit.
    """
    f = np.asarray(clock_ratio, dtype=float)
    v = voltage_ratio(parameters, f)
    dynamic = np.asarray(activity, dtype=float) * parameters.dynamic_power * f * v * v
    return np.asarray(parameters.resident_power + leakage_power(parameters, temperature, v) + dynamic)


def clock_at_power(
    parameters: CardParameters, power: ArrayLike, activity: ArrayLike, temperature: ArrayLike
) -> Floats:
    """Highest clock ratio at which a card stays within a power.

    The power is convex and increasing in the clock, so Newton's method from ratio 1 falls monotonically to
    the root.

    Parameters
    ----------
    parameters : CardParameters
        The card.
    power : array_like
        Power not to be exceeded [W].
    activity : array_like
        Switching activity [1].
    temperature : array_like
        Junction temperature [K].

    Returns
    -------
    ndarray
        Clock ratio in [minimum_clock_ratio, 1]. At the lower end the power may still exceed `power`.
    """
    p, a, t = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (power, activity, temperature)))
    leakage = leakage_power(parameters, t)
    dynamic = a * parameters.dynamic_power
    f = np.ones_like(p)
    for _ in range(30):
        v = voltage_ratio(parameters, f)
        slope = np.where(v > parameters.minimum_voltage_ratio, parameters.voltage_slope, 0.0)
        excess = parameters.resident_power + leakage * v + dynamic * f * v * v - p
        gradient = leakage * slope + dynamic * v * (v + 2.0 * f * slope)
        step = np.where(gradient > 0.0, excess / np.where(gradient > 0.0, gradient, 1.0), np.sign(excess))
        f = np.clip(f - step, parameters.minimum_clock_ratio, 1.0)
    return f


def junction_temperature_steady(
    parameters: CardParameters, activity: float, clock_ratio: float, plate_temperature: float
) -> float:
    """Steady junction temperature, ``T = T_plate + R P(T)``.

    Parameters
    ----------
    parameters : CardParameters
        The card.
    activity, clock_ratio : float
        Switching activity and clock over nominal clock [1].
    plate_temperature : float
        Temperature of the cold plate under the card [K].

    Returns
    -------
    float
        Junction temperature [K].

    Raises
    ------
    ValueError
        If leakage grows faster with temperature than the plate can take heat away (thermal runaway).
    """
    resistance = parameters.junction_resistance
    temperature = plate_temperature
    for _ in range(100):
        power = float(card_power(parameters, activity, clock_ratio, temperature))
        leak = float(leakage_power(parameters, temperature, voltage_ratio(parameters, clock_ratio)))
        loop_gain = resistance * leak * parameters.leakage_temperature_coefficient
        if loop_gain >= 1.0:
            break
        step = (plate_temperature + resistance * power - temperature) / (1.0 - loop_gain)
        temperature += step
        if abs(step) < 1e-9:
            return temperature
    raise ValueError(
        f"card '{parameters.name}': thermal runaway at plate {plate_temperature:.1f} K, activity {activity}, "
        f"clock ratio {clock_ratio}: leakage grows faster than {1.0 / resistance:.1f} W/K takes away"
    )


# Calibrated cards (docs/verification/calibration.md). Limits, idle and temperatures: manufacturer's figures
# as read by its monitoring tool. V100: leakage and dynamic power fitted to clocks at fixed power. H100:
# resident power, leakage and heat capacity fitted to a board-power run with a model resident (112 W with
# leakage); activity 1 is the kernel that draws the limit at nominal clock and 65 degC. Junction resistance:
# GB200/GB300-class cold plates, 0.025-0.035 K/W; V100 assumed.
CARDS: Mapping[str, CardParameters] = MappingProxyType(
    {
        card.name: card
        for card in (
            CardParameters(
                name="v100-sxm2",
                idle_power=45.0,
                resident_power=50.0,
                leakage_power=58.4,
                dynamic_power=227.0,
                power_limit=300.0,
                nominal_clock=1.53e9,
                junction_resistance=0.05,
                junction_heat_capacity=50.0,
                target_temperature=356.15,
                slowdown_temperature=360.15,
                shutdown_temperature=363.15,
                power_spread=0.02,
            ),
            CardParameters(
                name="h100-sxm",
                idle_power=48.0,
                resident_power=78.0,
                leakage_power=54.0,
                dynamic_power=568.0,
                power_limit=700.0,
                nominal_clock=1.98e9,
                junction_heat_capacity=52.0,
            ),
        )
    }
)
