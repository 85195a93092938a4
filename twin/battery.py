"""Battery: what it can give, what a step of power does to it, and where its energy goes.

Power and current are positive on discharge. All cells of a battery are alike, so the equations are those of a
cell times the number of cells. The current is constant over a step; charge, open-circuit energy and the RC
pair are integrated exactly over it, so that ``power + heat = -d(stored energy)/dt`` holds to rounding whatever the step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from twin.battery_ageing import AgeingParameters, BatteryHealth, advance
from twin.battery_cell import Array, BatteryCellParameters

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

_ITERATIONS = 60
_TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class BatteryParameters:
    """Batteries of N modules made of one kind of cell.

    Attributes
    ----------
    cell : BatteryCellParameters
    cells_in_series : float or ndarray, shape (N,)
    cells_in_parallel : float or ndarray, shape (N,)
        Need not be whole: `from_energy` meets an energy exactly.
    depth_of_discharge_limit : float
        Share of the charge that normal operation may take out.
    state_of_charge_max : float
        Charging stops here.
    ageing : AgeingParameters

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    cell: BatteryCellParameters
    cells_in_series: float | Array = 1.0
    cells_in_parallel: float | Array = 1.0
    depth_of_discharge_limit: float = 0.8
    state_of_charge_max: float = 1.0
    ageing: AgeingParameters = AgeingParameters()

    def __post_init__(self) -> None:
        for name in ("cells_in_series", "cells_in_parallel"):
            value = getattr(self, name)
            if not np.all(np.isfinite(value)) or not np.all(np.asarray(value) > 0):
                raise ValueError(f"BatteryParameters.{name}: {value!r}, expected positive numbers of cells")
        if not 0.0 < self.state_of_charge_max <= 1.0:
            raise ValueError(
                f"BatteryParameters.state_of_charge_max: {self.state_of_charge_max!r}, expected a fraction in (0, 1]"
            )
        if (
            not 0.0 < self.depth_of_discharge_limit <= 1.0
            or self.state_of_charge_min >= self.state_of_charge_max
        ):
            raise ValueError(
                f"BatteryParameters.depth_of_discharge_limit: {self.depth_of_discharge_limit!r}, expected a fraction "
                "in (0, 1] that leaves charge below state_of_charge_max"
            )

    @classmethod
    def from_energy(
        cls,
        cell: BatteryCellParameters,
        energy: npt.ArrayLike,
        bus_voltage: float,
        depth_of_discharge_limit: float = 0.8,
        state_of_charge_max: float = 1.0,
        ageing: AgeingParameters = AgeingParameters(),  # noqa: B008 -- frozen
    ) -> Self:
        """Batteries of a given energy: cells in series for the voltage, as many in parallel as the energy needs.

        Parameters
        ----------
        cell : BatteryCellParameters
        energy : array_like, shape () or (N,)
            Chemical energy from full to empty when new, J.
        bus_voltage : float
            V; the nominal voltage of a string comes as near to it as whole cells allow.
        depth_of_discharge_limit, state_of_charge_max, ageing
            As for the class.

        Raises
        ------
        ValueError
            If the energy or the voltage is not positive.
        """
        if not bus_voltage > 0.0:
            raise ValueError(f"bus_voltage: {bus_voltage!r}, expected a positive voltage (V)")
        series = max(1.0, float(np.round(bus_voltage / cell.nominal_voltage)))
        parallel = np.asarray(energy, dtype=float) / (series * cell.energy)
        return cls(
            cell=cell,
            cells_in_series=series,
            cells_in_parallel=float(parallel) if parallel.ndim == 0 else parallel,
            depth_of_discharge_limit=depth_of_discharge_limit,
            state_of_charge_max=state_of_charge_max,
            ageing=ageing,
        )

    @property
    def state_of_charge_min(self) -> float:
        """Lowest state of charge of normal operation."""
        return 1.0 - self.depth_of_discharge_limit

    @property
    def cell_count(self) -> float | Array:
        """Cells per battery."""
        return self.cells_in_series * self.cells_in_parallel

    @property
    def energy(self) -> float | Array:
        """Chemical energy from full to empty when new, J."""
        return self.cell_count * self.cell.energy

    @property
    def heat_capacity(self) -> float | Array:
        """J/K."""
        return self.cell_count * self.cell.mass * self.cell.specific_heat


@dataclass(frozen=True)
class BatteryState:
    """State of N batteries.

    Attributes
    ----------
    state_of_charge : ndarray, shape (N,)
        Charge over the present capacity.
    rc_voltage : ndarray, shape (N,)
        Voltage of a cell's RC pair, V.
    health : BatteryHealth
    """

    state_of_charge: Array
    rc_voltage: Array
    health: BatteryHealth

    @classmethod
    def at_rest(cls, state_of_charge: npt.ArrayLike, modules: int | None = None) -> Self:
        """New batteries at rest.

        Raises
        ------
        ValueError
            If a state of charge is outside [0, 1].
        """
        soc = np.array(state_of_charge, dtype=float)
        soc = np.full(1 if modules is None else modules, float(soc)) if soc.ndim == 0 else soc
        if not np.all((soc >= 0.0) & (soc <= 1.0)):
            raise ValueError(f"state_of_charge: {state_of_charge!r}, expected fractions in [0, 1]")
        return cls(soc, np.zeros_like(soc), BatteryHealth.new(soc.size))


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


class _CellStep:
    """Equations of a cell over one step of constant current; everything is a function of the current."""

    def __init__(
        self, parameters: BatteryParameters, state: BatteryState, temperature: npt.ArrayLike, dt: float
    ):
        if not dt > 0.0:
            raise ValueError(f"dt: {dt!r}, expected a positive time step (s)")
        cell = parameters.cell
        self.cell, self.dt = cell, dt
        self.temperature = np.broadcast_to(np.asarray(temperature, dtype=float), state.state_of_charge.shape)
        self.soc, self.rc_voltage = state.state_of_charge, state.rc_voltage
        self.capacity = cell.capacity * state.health.capacity_fraction
        factor = state.health.resistance_factor
        self.series = cell.resistance_at(self.soc, self.temperature) * factor
        self.parallel = cell.rc_resistance * factor
        ratio = dt / cell.rc_time_constant
        self.decay = np.exp(-ratio)
        # Mean of exp(-t/τ) and of exp(-2t/τ) over the step.
        self.mean_decay = -np.expm1(-ratio) / ratio
        self.mean_decay_squared = -np.expm1(-2.0 * ratio) / (2.0 * ratio)
        self.voltage_open = cell.voltage_at(self.soc, self.temperature)
        self.mean_resistance = self.series + self.parallel * (1.0 - self.mean_decay)
        self.end_resistance = self.series + self.parallel * (1.0 - self.decay)

    def state_of_charge(self, current: Array) -> Array:
        stored = np.where(current < 0.0, self.cell.coulombic_efficiency, 1.0) * current
        return np.clip(self.soc - stored * self.dt / self.capacity, 0.0, 1.0)

    def mean_open_voltage(self, current: Array) -> tuple[Array, Array]:
        """Means over the step of the open-circuit voltage and of the enthalpy potential, V."""
        ocv, entropic = self.cell.means_between(self.soc, self.state_of_charge(current))
        # U(T) = U₀ + (T - T₀)·U'; the enthalpy potential U - T·U' = U₀ - T₀·U' does not depend on temperature.
        reference = self.cell.reference_temperature
        return ocv + (self.temperature - reference) * entropic, ocv - reference * entropic

    def power(self, current: Array) -> Array:
        """Mean power at the terminals, W."""
        open_voltage, _ = self.mean_open_voltage(current)
        return current * (open_voltage - self.rc_voltage * self.mean_decay - current * self.mean_resistance)

    def end_voltage(self, current: Array) -> Array:
        """Terminal voltage at the end of the step, V."""
        open_voltage = self.cell.voltage_at(self.state_of_charge(current), self.temperature)
        return open_voltage - self.rc_voltage * self.decay - current * self.end_resistance

    def current_for_power(self, power: Array) -> Array:
        """Current whose mean power over the step is the given one (the smaller of the two), A.

        Quadratic in the current at a given mean open-circuit voltage, which is iterated: it moves little over a step.
        """
        offset = self.rc_voltage * self.mean_decay
        open_voltage = self.voltage_open
        current = np.zeros_like(power)
        for _ in range(_ITERATIONS):
            drive = open_voltage - offset
            root = np.sqrt(np.maximum(drive * drive - 4.0 * self.mean_resistance * power, 0.0))
            updated = 2.0 * power / (drive + root)
            converged = np.all(np.abs(updated - current) <= _TOLERANCE * np.abs(updated))
            current = updated
            if converged:
                break
            open_voltage, _ = self.mean_open_voltage(current)
        return current

    def current_for_end_voltage(self, limit: float, bound: Array) -> Array:
        """Current nearest to `bound` (one sign throughout) that keeps the end voltage within a limit, A."""
        sign = np.where(bound >= 0.0, 1.0, -1.0)

        def violated(current: Array) -> npt.NDArray[np.bool_]:
            return sign * (self.end_voltage(current) - limit) < 0.0

        broken = violated(bound)
        if not np.any(broken):
            return bound
        # The end voltage falls with current, so bisection is safe; it runs only when a limit binds.
        good, bad = np.zeros_like(bound), bound.copy()
        for _ in range(50):
            middle = 0.5 * (good + bad)
            outside = violated(middle)
            bad = np.where(outside, middle, bad)
            good = np.where(outside, good, middle)
        return np.where(broken, good, bound)

    def current_limits(self, floor: Array, ceiling: float) -> tuple[Array, Array]:
        """Most negative (charge) and most positive (discharge) current, A."""
        cell = self.cell
        rate = self.capacity / self.dt
        usable = self.temperature <= cell.temperature_max
        discharge = np.minimum(cell.discharge_current_max, np.maximum(self.soc - floor, 0.0) * rate)
        discharge = self.current_for_end_voltage(cell.voltage_min, np.where(usable, discharge, 0.0))
        room = np.maximum(ceiling - self.soc, 0.0) * rate / cell.coulombic_efficiency
        chargeable = usable & (self.temperature >= cell.charge_temperature_min)
        charge = np.where(chargeable, np.minimum(cell.charge_current_max, room), 0.0)
        return self.current_for_end_voltage(cell.voltage_max, -charge), discharge


def power_limits(
    parameters: BatteryParameters,
    state: BatteryState,
    temperature: npt.ArrayLike,
    dt: float,
    state_of_charge_floor: npt.ArrayLike | None = None,
) -> PowerLimits:
    """Most power that batteries can give and take, held over a step.

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
    cell_step = _CellStep(parameters, state, temperature, dt)
    charge, discharge = cell_step.current_limits(
        _floor(parameters, state_of_charge_floor), parameters.state_of_charge_max
    )
    count = parameters.cell_count
    return PowerLimits(
        discharge=np.maximum(cell_step.power(discharge), 0.0) * count,
        charge=np.maximum(-cell_step.power(charge), 0.0) * count,
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

    The current I that gives the mean terminal power P solves

    .. math:: I\,[\bar U(I) - k\,U_{RC} - I\,(R_0 + (1-k) R_1)] = P, \qquad k = \frac{\tau}{\Delta t}(1 - e^{-\Delta t/\tau})

    and is clipped to the limits. Heat is :math:`I^2 R_0 + \overline{U_{RC}^2}/R_1`, plus the charging current that the
    coulombic efficiency loses, plus the reversible :math:`-I\,T\,\partial U/\partial T` (Bernardi, Pawlikowski and
    Newman, J. Electrochem. Soc. 132 (1985) 5). Stored energy is :math:`Q\int (U - T\,\partial U/\partial T)\,ds`, whose integrand does not
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
    """
    wanted = np.broadcast_to(np.asarray(power, dtype=float), state.state_of_charge.shape)
    if np.any(np.isnan(wanted)):
        raise ValueError(
            f"power: NaN for modules {np.flatnonzero(np.isnan(wanted))[:10].tolist()}, expected watts"
        )
    equations = _CellStep(parameters, state, temperature, dt)
    cell, count = parameters.cell, parameters.cell_count
    lowest, highest = equations.current_limits(
        _floor(parameters, state_of_charge_floor), parameters.state_of_charge_max
    )
    per_cell = wanted / count
    # Clip the power first: a request beyond what the cell can give has no current at all.
    reachable = np.clip(
        per_cell, np.minimum(equations.power(lowest), 0.0), np.maximum(equations.power(highest), 0.0)
    )
    current = np.clip(equations.current_for_power(reachable), lowest, highest)

    soc = equations.state_of_charge(current)
    # Charge that really left the state of charge, so that state, energy and power agree to the last digit.
    charge_rate = (equations.soc - soc) * equations.capacity / dt
    open_voltage, enthalpy_potential = equations.mean_open_voltage(current)
    electrical, enthalpy = charge_rate * open_voltage, charge_rate * enthalpy_potential
    series_heat = current * current * equations.series
    target = current * equations.parallel
    transient = equations.rc_voltage - target
    rc_voltage = target + transient * equations.decay
    rc_square = (
        target * target
        + 2.0 * target * transient * equations.mean_decay
        + transient * transient * equations.mean_decay_squared
    )
    conductance = np.where(
        equations.parallel > 0.0, 1.0 / np.where(equations.parallel > 0, equations.parallel, 1), 0
    )
    side_heat = np.where(current < 0.0, (1.0 / cell.coulombic_efficiency - 1.0) * -electrical, 0.0)
    heat = series_heat + rc_square * conductance + side_heat + (enthalpy - electrical)
    capacitance = cell.rc_time_constant * conductance
    released = enthalpy - 0.5 * capacitance * (rc_voltage**2 - equations.rc_voltage**2) / dt
    achieved = released - heat
    slack = 1e-9 * np.maximum(np.abs(per_cell), 1e-9)
    return BatteryStep(
        state=replace(state, state_of_charge=soc, rc_voltage=rc_voltage),
        power=achieved * count,
        heat=heat * count,
        voltage=equations.end_voltage(current) * parameters.cells_in_series,
        current=current * parameters.cells_in_parallel,
        chemical_power=released * count,
        limited=np.abs(achieved - per_cell) > slack,
    )


def stored_energy(parameters: BatteryParameters, state: BatteryState) -> Array:
    """Energy that the batteries hold, J, (N,): enthalpy of the charge, and the RC pair's; zero when empty at rest."""
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
    """Energy at the terminals from now to the floor at about a given power, J, (N,).

    The energy at the open-circuit voltage less the loss in the resistances at the mean current; what the eclipse policy plans
    with. It says nothing about voltage limits, which `power_limits` does.

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


def _floor(parameters: BatteryParameters, floor: npt.ArrayLike | None) -> Array:
    return np.asarray(parameters.state_of_charge_min if floor is None else floor, dtype=float)
