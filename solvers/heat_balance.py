"""Where the heat of a step went, in the weights of the integrator, so that it closes to the solver's tolerance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from solvers.integrator import STAGE_TIMES, STAGE_WEIGHTS, Step
from solvers.linear import global_sums

if TYPE_CHECKING:
    from solvers.thermal import ThermalModel

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Balance:
    """Heat over a step, all processes together [J].

    ``absorbed + convected + fixed + coupled − emitted − stored = residual``
    """

    absorbed: float
    emitted: float
    convected: float
    fixed: float
    coupled: float
    stored: float

    @property
    def residual(self) -> float:
        """What the solver left unbalanced [J]."""
        return self.absorbed + self.convected + self.fixed + self.coupled - self.emitted - self.stored


def step_balance(model: ThermalModel, taken: Step, start: Array) -> Balance:
    """Return where the heat of a step went.

    Parameters
    ----------
    model : ThermalModel
    taken : Step
    start : array
        State at the start of the step [K].
    """
    absorbed = emitted = convected = coupled = fixed = 0.0
    initial = model.split(start)[0]
    dofs = model.conduction.fixed_dofs
    # Enthalpy gained up to each stage over its length: what the stage stores per second.
    stored_rates: list[Array] = []
    for stage, weight, fraction in zip(taken.stages, STAGE_WEIGHTS, STAGE_TIMES):
        time, span = taken.time + fraction * taken.dt, weight * taken.dt
        temperature, networks = model.split(stage)
        parts = model.loads.totals(temperature, time)
        absorbed += span * parts[0]
        emitted += span * parts[1]
        convected += span * parts[2]
        for coupling, values in zip(model.couplings, networks):
            coupled += span * coupling.total_heat(temperature, values, time)
        if model.conduction.fixed:
            rate = model.storage.gain(temperature, initial)[dofs]
            rate = rate - sum(w * taken.dt * r for w, r in zip(STAGE_WEIGHTS, stored_rates))
            stored_rates.append(rate / (STAGE_WEIGHTS[1] * taken.dt))
            model.loads.gather(time)
            out = model.conduction.heat_out(temperature)[dofs] + _local_out(model, temperature)[dofs]
            # Heat that the fixed nodes supply: what their own balance misses.
            fixed += span * float(np.sum(out + stored_rates[-1]))
    stored = float(np.sum(model.storage.gain(model.split(taken.end)[0], initial)))
    sums = global_sums(model.comm, absorbed, emitted, convected, fixed, coupled, stored)
    return Balance(*(float(value) for value in sums))


def _local_out(model: ThermalModel, temperature: Array) -> Array:
    """Heat that leaves each node by radiation and convection, less what is put in [W]."""
    loads = model.loads
    out = loads.radiating * np.abs(temperature) ** 3 * temperature - loads.load
    return out + loads.film * temperature if loads.film.size else out
