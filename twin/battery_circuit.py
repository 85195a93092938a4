"""One step of the equivalent circuit of a battery cell at constant current.

Everything is a function of the current, positive on discharge; charge, energy and the RC pair are integrated
exactly over the step. `twin.battery` solves for the current and keeps the books.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from twin.battery_cell import Array, BatteryCellParameters

__all__ = ["CircuitStep"]

_ITERATIONS = 60
_RELATIVE_TOLERANCE = 1e-12
_VOLTAGE_TOLERANCE = 1e-9


class CircuitStep:
    """Equations of N cells over one step.

    Parameters
    ----------
    cell : BatteryCellParameters
    state_of_charge, rc_voltage : ndarray, shape (N,)
        At the start.
    capacity : ndarray, shape (N,)
        Present capacity, C.
    resistance_factor : ndarray, shape (N,)
        Present over new resistance, of R0 and R1 alike.
    temperature : array_like, shape () or (N,)
        K.
    dt : float
        s.

    Raises
    ------
    ValueError
        If the step is not positive or a temperature is not.
    """

    def __init__(
        self,
        cell: BatteryCellParameters,
        state_of_charge: Array,
        rc_voltage: Array,
        capacity: Array,
        resistance_factor: Array,
        temperature: npt.ArrayLike,
        dt: float,
    ):
        if not (dt > 0.0 and np.isfinite(dt)):
            raise ValueError(f"dt: {dt!r}, expected a positive time step (s)")
        self.cell, self.dt, self.capacity = cell, dt, capacity
        self.temperature = np.broadcast_to(np.asarray(temperature, dtype=float), state_of_charge.shape)
        if not np.all(self.temperature > 0.0):
            place = np.flatnonzero(~(self.temperature > 0.0))[:10].tolist()
            raise ValueError(
                f"temperature: not above 0 K for modules {place}, expected cell temperatures (K)"
            )
        self.start, self.rc_voltage = state_of_charge, rc_voltage
        self.series = cell.resistance_at(state_of_charge, self.temperature) * resistance_factor
        self.parallel = cell.rc_resistance * resistance_factor
        ratio = dt / cell.rc_time_constant
        self.decay = np.exp(-ratio)
        # Means of exp(-t/τ) and exp(-2t/τ) over the step.
        self.mean_decay = -np.expm1(-ratio) / ratio
        self.mean_decay_squared = -np.expm1(-2.0 * ratio) / (2.0 * ratio)
        self.mean_resistance = self.series + self.parallel * (1.0 - self.mean_decay)
        self.end_resistance = self.series + self.parallel * (1.0 - self.decay)

    def state_of_charge(self, current: Array) -> Array:
        """Return the state of charge at the end, kept in [0, 1] against rounding."""
        stored = np.where(current < 0.0, self.cell.coulombic_efficiency, 1.0) * current
        return np.clip(self.start - stored * self.dt / self.capacity, 0.0, 1.0)

    def mean_voltages(self, end: Array) -> tuple[Array, Array]:
        """Average open-circuit voltage and enthalpy potential on the way to a state of charge, V."""
        ocv, entropic = self.cell.means_between(self.start, end)
        # U(T) = U₀ + (T - T₀) U'. The enthalpy potential U - T U' = U₀ - T₀ U' does not depend on
        # temperature.
        reference = self.cell.reference_temperature
        return ocv + (self.temperature - reference) * entropic, ocv - reference * entropic

    def power(self, current: Array) -> Array:
        """Return the mean power at the terminals, W."""
        open_voltage, _ = self.mean_voltages(self.state_of_charge(current))
        return current * (open_voltage - self.rc_voltage * self.mean_decay - current * self.mean_resistance)

    def end_voltage(self, current: Array) -> Array:
        """Return the terminal voltage at the end, V."""
        open_voltage = self.cell.voltage_at(self.state_of_charge(current), self.temperature)
        return open_voltage - self.rc_voltage * self.decay - current * self.end_resistance

    def current_for_power(self, power: Array) -> Array:
        """Return the smaller of the two currents whose mean power is the given one, A.

        For a given mean open-circuit voltage the current solves a quadratic; that voltage moves little over a
        step and is iterated.
        """
        offset = self.rc_voltage * self.mean_decay
        open_voltage = self.cell.voltage_at(self.start, self.temperature)
        current = np.zeros_like(power)
        for _ in range(_ITERATIONS):
            drive = open_voltage - offset
            root = np.sqrt(np.maximum(drive * drive - 4.0 * self.mean_resistance * power, 0.0))
            updated = 2.0 * power / (drive + root)
            converged = np.all(np.abs(updated - current) <= _RELATIVE_TOLERANCE * np.abs(updated))
            current = updated
            if converged:
                break
            open_voltage, _ = self.mean_voltages(self.state_of_charge(current))
        return current

    def current_within_voltage(self, limit: float, bound: Array) -> Array:
        """Return the current nearest to `bound` (between 0 and it) whose end voltage keeps a limit, A.

        The limit is a lower one for discharge and an upper one for charge. The end voltage falls with
        current, so false position (Illinois) in [0, bound] is safe; it runs only where the limit binds.
        """
        sign = np.where(bound >= 0.0, 1.0, -1.0)

        def margin(current: Array) -> Array:
            return sign * (self.end_voltage(current) - limit)

        bad, at_bad = bound, margin(bound)
        broken = at_bad < 0.0
        if not np.any(broken):
            return bound
        good = np.zeros_like(bound)
        at_good = margin(good)
        hopeless = at_good <= 0.0
        active = broken & ~hopeless
        found = good
        side = np.zeros(bound.shape, dtype=np.int8)
        for _ in range(_ITERATIONS):
            if not np.any(active):
                break
            spread = np.where(active, at_good - at_bad, 1.0)
            found = np.where(active, good + (bad - good) * at_good / spread, found)
            value = margin(found)
            keeps = value >= 0.0
            # Illinois: halve the value of the end that stays twice, so that both ends close in.
            at_bad = np.where(keeps & (side == 1), 0.5 * at_bad, at_bad)
            at_good = np.where(~keeps & (side == -1), 0.5 * at_good, at_good)
            good, at_good = np.where(keeps, found, good), np.where(keeps, value, at_good)
            bad, at_bad = np.where(keeps, bad, found), np.where(keeps, at_bad, value)
            side = np.where(keeps, 1, -1).astype(np.int8)
            active = active & (np.abs(value) > _VOLTAGE_TOLERANCE)
        return np.where(hopeless & broken, 0.0, np.where(broken, found, bound))

    def current_limits(self, floor: Array, ceiling: float) -> tuple[Array, Array]:
        """Return the most negative (charge) and the most positive (discharge) current, A.

        Parameters
        ----------
        floor : ndarray, shape () or (N,)
            State of charge that discharge stops at.
        ceiling : float
            State of charge that charge stops at.
        """
        cell = self.cell
        rate = self.capacity / self.dt
        discharge = np.minimum(cell.discharge_current_max, np.maximum(self.start - floor, 0.0) * rate)
        discharge = np.where(self._within(cell.discharge_temperature_range), discharge, 0.0)
        room = np.maximum(ceiling - self.start, 0.0) * rate / cell.coulombic_efficiency
        charge = np.minimum(cell.charge_current_max, room)
        charge = np.where(self._within(cell.charge_temperature_range), charge, 0.0)
        return (
            self.current_within_voltage(cell.voltage_max, -charge),
            self.current_within_voltage(cell.voltage_min, discharge),
        )

    def _within(self, bounds: tuple[float, float]) -> npt.NDArray[np.bool_]:
        return (self.temperature >= bounds[0]) & (self.temperature <= bounds[1])
