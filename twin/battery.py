"""Battery: what it can give, what a step of power does to it, and where its energy goes.

Power and current are positive on discharge. All cells of a battery are alike, so the equations are those of a
cell times the number of cells. The current is constant over a step; charge, open-circuit energy and the RC
pair are integrated exactly over it, so that ``power + heat = -d(stored energy)/dt`` holds to rounding
whatever the step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from twin.battery_ageing import AgeingParameters, BatteryHealth, advance
from twin.battery_cell import Array, BatteryCellParameters
from twin.battery_circuit import CircuitStep
from twin.battery_pack import BatteryParameters, BatteryState

__all__ = [
    "AgeingParameters",
    "BatteryCellParameters",
    "BatteryHealth",
    "BatteryParameters",
    "BatteryState",
    "BatteryStep",
    "PowerLimits",
    "age",
    "deliverable_energy",
    "power_limits",
    "step",
    "stored_energy",
]


@dataclass(frozen=True)
class PowerLimits:
    """Most that batteries can give and take over a step, at the terminals, W, (N,), both at least 0."""

    discharge: Array
    charge: Array


@dataclass(frozen=True)
class BatteryStep:
    """What a step did; means over the step, (N,).

    Attributes
    ----------
    state : BatteryState
        At the end.
    power : ndarray
        At the terminals, W, positive on discharge: what was achieved.
    heat : ndarray
        W; negative only where reversible (entropic) cooling wins.
    voltage : ndarray
        Terminal voltage of the battery at the end of the step, V.
    current : ndarray
        A, positive on discharge.
    chemical_power : ndarray
        Fall of the stored energy, W: equals power + heat.
    limited : ndarray of bool
        True where limits kept the request from being met.
    """

    state: BatteryState
    power: Array
    heat: Array
    voltage: Array
    current: Array
    chemical_power: Array
    limited: npt.NDArray[np.bool_]


def power_limits(
    parameters: BatteryParameters,
    state: BatteryState,
    temperature: npt.ArrayLike,
    dt: float,
    state_of_charge_floor: npt.ArrayLike | None = None,
) -> PowerLimits:
    """Find the most power that batteries can give and take over a step.

    Current, voltage at the end of the step, state of charge and temperature windows all hold.

    Parameters
    ----------
    parameters : BatteryParameters
    state : BatteryState
    temperature : array_like, shape (N,)
        Cell temperature, K.
    dt : float
        Length of the step, s.
    state_of_charge_floor : array_like, shape () or (N,), optional
        By default the depth-of-discharge limit; lower for loads that may use the reserve.

    Returns
    -------
    PowerLimits

    Raises
    ------
    ValueError
        If the step is not positive.
    """
    circuit = _circuit(parameters, state, temperature, dt)
    charge, discharge = circuit.current_limits(
        _floor(parameters, state_of_charge_floor), parameters.state_of_charge_max
    )
    count = parameters.cell_count
    return PowerLimits(
        discharge=np.maximum(circuit.power(discharge), 0.0) * count,
        charge=np.maximum(-circuit.power(charge), 0.0) * count,
    )


def step(
    parameters: BatteryParameters,
    state: BatteryState,
    power: npt.ArrayLike,
    temperature: npt.ArrayLike,
    dt: float,
    state_of_charge_floor: npt.ArrayLike | None = None,
) -> BatteryStep:
    r"""Advance batteries by one step at a given power.

    The current I that gives the mean terminal power P over the step solves

    .. math::
        I\,[\bar U(I) - k\,U_{RC} - I\,(R_0 + (1-k) R_1)] = P, \qquad
        k = \frac{\tau}{\Delta t}\left(1 - e^{-\Delta t/\tau}\right)

    and is clipped to the limits. Heat is :math:`I^2 R_0 + \overline{U_{RC}^2}/R_1`, plus the part of the
    charging current that is not stored, plus the reversible :math:`-I\,T\,\partial U/\partial T` [1]_. The
    stored energy is the enthalpy :math:`Q\int (U - T\,\partial U/\partial T)\,ds`, whose integrand does not
    depend on temperature for an OCV linear in it, plus :math:`C_1 U_{RC}^2/2`.

    Parameters
    ----------
    parameters : BatteryParameters
    state : BatteryState
        At the start.
    power : array_like, shape (N,)
        Wanted at the terminals, W, positive on discharge.
    temperature : array_like, shape (N,)
        Cell temperature, K.
    dt : float
        Length of the step, s.
    state_of_charge_floor : array_like, shape () or (N,), optional
        As for `power_limits`.

    Returns
    -------
    BatteryStep

    Raises
    ------
    ValueError
        If the step is not positive or the power is not a number.

    References
    ----------
    .. [1] D. Bernardi, E. Pawlikowski and J. Newman, J. Electrochem. Soc. 132 (1985) 5–12.
    """
    wanted = np.broadcast_to(np.asarray(power, dtype=float), state.state_of_charge.shape)
    if np.any(np.isnan(wanted)):
        place = np.flatnonzero(np.isnan(wanted))[:10].tolist()
        raise ValueError(f"power: not a number for modules {place}, expected watts")
    circuit = _circuit(parameters, state, temperature, dt)
    cell, count = parameters.cell, parameters.cell_count
    lowest, highest = circuit.current_limits(
        _floor(parameters, state_of_charge_floor), parameters.state_of_charge_max
    )
    per_cell = wanted / count
    # The power is clipped before the current: beyond what a cell can give, a power has no current at all.
    most, least = np.maximum(circuit.power(highest), 0.0), np.minimum(circuit.power(lowest), 0.0)
    current = np.clip(circuit.current_for_power(np.clip(per_cell, least, most)), lowest, highest)

    soc = circuit.state_of_charge(current)
    open_voltage, enthalpy_potential = circuit.mean_voltages(soc)
    # Charge that really left, as the state has it, so that state, energy and power agree to the last digit.
    charge_rate = (circuit.start - soc) * circuit.capacity / dt
    steady = current * circuit.parallel
    transient = circuit.rc_voltage - steady
    rc_voltage = steady + transient * circuit.decay
    heat = current * current * circuit.series + charge_rate * (enthalpy_potential - open_voltage)
    heat = heat + np.where(
        current < 0.0, (1.0 - 1.0 / cell.coulombic_efficiency) * charge_rate * open_voltage, 0.0
    )
    released = charge_rate * enthalpy_potential
    if cell.rc_resistance > 0.0:
        mean_square = (
            steady * steady
            + 2.0 * steady * transient * circuit.mean_decay
            + transient * transient * circuit.mean_decay_squared
        )
        heat = heat + mean_square / circuit.parallel
        capacitance = cell.rc_time_constant / circuit.parallel
        released = released - 0.5 * capacitance * (rc_voltage**2 - circuit.rc_voltage**2) / dt
    achieved = released - heat
    return BatteryStep(
        state=replace(state, state_of_charge=soc, rc_voltage=rc_voltage),
        power=achieved * count,
        heat=heat * count,
        voltage=circuit.end_voltage(current) * parameters.cells_in_series,
        current=current * parameters.cells_in_parallel,
        chemical_power=released * count,
        limited=np.abs(achieved - per_cell) > 1e-9 * np.maximum(np.abs(per_cell), 1e-3),
    )


def stored_energy(parameters: BatteryParameters, state: BatteryState) -> Array:
    """Return the energy that batteries hold, J, (N,): enthalpy of the charge and energy of the RC pair.

    Zero when empty and at rest.
    """
    cell = parameters.cell
    integral, entropic = cell.integrals_at(state.state_of_charge)
    charge = cell.capacity * state.health.capacity_fraction
    per_cell = charge * (integral - cell.reference_temperature * entropic)
    if cell.rc_resistance > 0.0:
        capacitance = cell.rc_time_constant / (cell.rc_resistance * state.health.resistance_factor)
        per_cell = per_cell + 0.5 * capacitance * state.rc_voltage**2
    return per_cell * parameters.cell_count


def deliverable_energy(
    parameters: BatteryParameters,
    state: BatteryState,
    power: npt.ArrayLike,
    temperature: npt.ArrayLike,
    state_of_charge_floor: npt.ArrayLike | None = None,
) -> Array:
    """Estimate the energy at the terminals from now to the floor at about a given power, J, (N,).

    The energy at the open-circuit voltage less the loss in the resistances at the mean current: what the
    eclipse policy plans with. Voltage limits are the business of `power_limits`.

    Parameters
    ----------
    parameters, state, temperature, state_of_charge_floor
        As for `power_limits`.
    power : array_like, shape (N,)
        Discharge power, W.

    Returns
    -------
    ndarray, shape (N,)
        At least 0.
    """
    cell = parameters.cell
    soc = state.state_of_charge
    kelvin = np.broadcast_to(np.asarray(temperature, dtype=float), soc.shape)
    floor = np.minimum(_floor(parameters, state_of_charge_floor), soc)
    upper, upper_entropic = cell.integrals_at(soc)
    lower, lower_entropic = cell.integrals_at(floor * np.ones_like(soc))
    shift = kelvin - cell.reference_temperature
    span = soc - floor
    mean = 0.5 * (soc + floor)
    energy = (upper - lower) + shift * (upper_entropic - lower_entropic)
    some = span > 1e-9
    open_voltage = np.where(some, energy / np.where(some, span, 1.0), cell.voltage_at(soc, kelvin))
    resistance = (cell.resistance_at(mean, kelvin) + cell.rc_resistance) * state.health.resistance_factor
    per_cell = np.maximum(np.asarray(power, dtype=float), 0.0) / parameters.cell_count
    root = np.sqrt(np.maximum(open_voltage**2 - 4.0 * resistance * per_cell, 0.0))
    voltage = 0.5 * (open_voltage + root)
    charge = cell.capacity * state.health.capacity_fraction
    return np.maximum(energy * charge * voltage / open_voltage, 0.0) * parameters.cell_count


def age(
    parameters: BatteryParameters,
    state: BatteryState,
    temperature: npt.ArrayLike,
    current: npt.ArrayLike,
    duration: npt.ArrayLike,
) -> tuple[BatteryState, Array]:
    """Age batteries by a span of time; electrical state stays.

    Parameters
    ----------
    parameters : BatteryParameters
    state : BatteryState
    temperature : array_like, shape (N,)
        K.
    current : array_like, shape (N,)
        Mean of the absolute battery current over the span, A.
    duration : array_like, shape () or (N,)
        s.

    Returns
    -------
    state : BatteryState
        With the health at the end.
    energy_lost : ndarray, shape (N,)
        Stored energy that went with the capacity, J: heat, so that the books close.
    """
    one_hour = parameters.cell.capacity / 3600.0 * parameters.cells_in_parallel
    health = advance(
        parameters.ageing,
        state.health,
        temperature,
        state.state_of_charge,
        np.asarray(current, dtype=float) / one_hour,
        duration,
    )
    aged = replace(state, health=health)
    return aged, stored_energy(parameters, state) - stored_energy(parameters, aged)


def _circuit(
    parameters: BatteryParameters, state: BatteryState, temperature: npt.ArrayLike, dt: float
) -> CircuitStep:
    return CircuitStep(
        parameters.cell,
        state.state_of_charge,
        state.rc_voltage,
        parameters.cell.capacity * state.health.capacity_fraction,
        state.health.resistance_factor,
        temperature,
        dt,
    )


def _floor(parameters: BatteryParameters, floor: npt.ArrayLike | None) -> Array:
    return np.asarray(parameters.state_of_charge_min if floor is None else floor, dtype=float)
