"""State, parameters and sensor biases of one sub-center from its telemetry, module by module.

Every module is a local analysis of its own. The filter knows, per member, the state of the module, its parameters and
the bias of each of its sensors: what stays wrong with a sensor must not be averaged away as if it were noise.
Observations of a cycle are compared with the model at their own times; those that come later are compared with what
the same members said then (`twin.assimilation.ensemble_transform`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from twin.assimilation import (
    AdaptiveInflation,
    Analysis,
    ConsistencyMonitor,
    Innovation,
    LastingErrors,
    analyse,
    innovation_statistics,
    relaxed_spread,
    restore_spread,
    sensitivity,
    transform,
)
from twin.assimilation.parameters import centred_normals
from twin.environment_track import TickEnvironment
from twin.live.model import PARAMETERS, START_SPREAD, ModuleInputs, SubCenterModel
from twin.live.sensors import NAMES, POINT, SUNLIT, SensorTable, meter_gain, predict, predict_now, swing_gain
from twin.live.spikes import SpikeWatch

Array = NDArray[np.float64]

BIAS_TIME = 1800.0
"""Time over which the error of a sensor and of what the model makes of it stays alike [s].

Longer, and errors of the model that follow the orbit are taken for knowledge of the parameters.
"""

START_TIME, START_DOUBT = 120.0, 100.0
"""A model that was just begun is not yet where its loads would have brought it: by so much the variance of
observations is larger at first, and over this time it falls to what it is [s]."""

RELAXATION = 0.96
"""Share of the spread of parameters that an analysis took and that is given back.

Errors of the model stay alike for some ten cycles, so that ten cycles say little more than one.
"""


ORBIT = 200.0
"""Analyses over which what sensors tell of the parameters is averaged: an orbit of cycles of 30 s."""

LOOKS = 2.0
"""Looks of an orbit that tell different things: in sunlight, and in the shadow."""


@dataclass(frozen=True, eq=False)
class Observations:
    """What the sensors said in a tick.

    Attributes
    ----------
    value, time : (module, sensor) arrays
        Mean of the samples, NaN without any; their mean time [s].
    number : (module, sensor) int array
        Samples.
    """

    value: Array
    time: Array
    number: NDArray[np.int64]


@dataclass(eq=False)
class Predicted:
    """What the members said in a tick.

    Attributes
    ----------
    start, end : float
        Of the tick [s].
    before, after : (module, sensor, member) arrays
        At its start and end.
    usable : (module, sensor) bool array
        Whether the tick says anything about the sensor.
    swing : (module,) array
        By how much the cards' power changed since the last tick [W].
    """

    start: float
    end: float
    before: Array
    after: Array
    usable: NDArray[np.bool_]
    swing: Array

    def at(self, time: Array) -> Array:
        """Return what point sensors show at times within the tick (module, sensor); means are those of the tick."""
        share = np.clip((time - self.start) / (self.end - self.start), 0.0, 1.0)
        share = np.where(POINT, np.nan_to_num(share, nan=1.0), 1.0)
        return np.asarray(self.before + share[:, :, None] * (self.after - self.before))


@dataclass(frozen=True, eq=False)
class Comparison:
    """Observed and predicted over a cycle.

    Attributes
    ----------
    predicted : (module, sensor, member) array
    observed, variance : (module, sensor) arrays
        NaN where nothing was seen.
    wild : (module, sensor) array
        Spikes, by how far off they were (`twin.live.spikes`).
    """

    predicted: Array
    observed: Array
    variance: Array
    wild: Array


@dataclass
class SubCenterFilter:
    """Filter of a sub-center.

    Attributes
    ----------
    model : SubCenterModel
    table : SensorTable
    lag : int
        Ticks for which late observations still count.
    inflation_rule : AdaptiveInflation
    """

    model: SubCenterModel
    table: SensorTable
    lag: int = 12
    inflation_rule: AdaptiveInflation = field(default_factory=AdaptiveInflation)

    def __post_init__(self) -> None:
        modules, members = self.model.modules, self.model.members
        sensors, parameters = len(NAMES), len(PARAMETERS)
        draws = centred_normals((modules, parameters + sensors, members), self.model.random)
        bounds = self.model.parameters
        self.model.free = bounds.free(np.ones((modules, parameters, members))) + (
            bounds.spread[:, None] * draws[:, :parameters]
        )
        self.model.apply_parameters()
        self.bias = self.table.bias[:, :, None] * draws[:, parameters:]
        self._start_draws = centred_normals(
            (modules, len(START_SPREAD) + 1, members), self.model.random, apart_from=self.model.free
        )
        self.inflation = np.ones(modules)
        self.monitor = ConsistencyMonitor(modules)
        self.lasting = LastingErrors(modules, parameters, ORBIT)
        self.slope = np.zeros((modules, sensors, parameters))
        self.spikes = SpikeWatch((modules, sensors))
        self.past: dict[int, Predicted] = {}
        self.started = -np.inf
        self._power: Array | None = None
        self._swing_gain, gain = (
            np.concatenate([np.broadcast_to(rule(g), (g.module_count, sensors)) for g in self.model.groups])
            for rule in (swing_gain, meter_gain)
        )
        meter = self.table.all_noise[self.table.inputs["card_power"]]
        self._noise = np.hypot(self.table.noise, gain * meter[:, None])
        self._follows = (self._swing_gain > 0.0) | (gain > 0.0)

    # -- start ------------------------------------------------------------------------------------

    def begin(self, time: float, inputs: ModuleInputs, first: Mapping[str, Array]) -> None:
        """Begin at a time [s] with the first measured values of the sensors, (module,) each."""
        self.model.settle(time, inputs)
        self.past.clear()
        self.started = time
        places = {
            "supply": "coolant_supply_temperature",
            "return": "coolant_return_temperature",
            "radiator_outlet": "radiator_outlet_temperature",
            "cold_plate": "cold_plate_temperature",
            "body": "body_temperature",
            "battery": "battery_temperature",
            "array": "solar_array_temperature",
        }
        self.model.disturb(
            {place: first[name] for place, name in places.items()}, first["battery_soc"], self._start_draws
        )

    # -- prediction -------------------------------------------------------------------------------

    def predict(
        self, number: int, env: TickEnvironment, inputs: ModuleInputs, known: NDArray[np.bool_] | None = None
    ) -> None:
        """Advance the ensemble by a tick and remember what its sensors would show.

        Parameters
        ----------
        number : int
            Of the tick, by which observations refer to it.
        env : TickEnvironment
        inputs : ModuleInputs
        known : (module,) bool array, optional
            Whether the power of the cards was measured in this tick; where it was not, sensors that follow it at once
            say nothing.
        """
        before = np.concatenate([predict_now(group) for group in self.model.groups])
        lit = env.illuminated_fraction[0]
        done = self.model.advance(env, inputs)
        after = np.concatenate([predict(group, tick) for group, tick in zip(self.model.groups, done)])
        steady = (lit in (0.0, 1.0)) and not env.jump
        usable = np.broadcast_to(~SUNLIT | steady, after.shape[:2])
        if known is not None:
            usable = usable & (known[:, None] | ~self._follows)
        before = np.where(POINT[:, None], before, after)
        swing = np.abs(inputs.card_power - (self._power if self._power is not None else inputs.card_power))
        self._power = inputs.card_power.copy()
        self.past[number] = Predicted(
            env.time, env.time + env.dt, before + self.bias, after + self.bias, usable, swing
        )
        for old in [n for n in self.past if n <= number - self.lag]:
            del self.past[old]

    # -- comparison -------------------------------------------------------------------------------

    def compare(self, seen: Mapping[int, Observations]) -> Comparison:
        """Bring observations of several ticks together: one number per sensor, members alike.

        Parameters
        ----------
        seen : mapping of tick number to Observations
            Ticks that are still remembered.
        """
        shape = self.bias.shape[:2]
        ticks = [(self.past[n], o) for n, o in sorted(seen.items()) if n in self.past]
        weight, total, swing = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        predicted = np.zeros(self.bias.shape)
        if not ticks:
            missing = np.full(shape, np.nan)
            return Comparison(predicted, missing, missing, np.zeros(shape))
        members = [tick.at(o.time) for tick, o in ticks]
        there = [np.isfinite(o.value) & tick.usable for tick, o in ticks]
        gaps = np.stack(
            [np.where(t, o.value - y.mean(axis=2), np.nan) for y, t, (_, o) in zip(members, there, ticks)]
        )
        alone, wild = self.spikes.follow(gaps, self._honest([tick for tick, _ in ticks], members))
        for k, (tick, o) in enumerate(ticks):
            share = np.where(there[k] & ~alone[k], o.number, 0).astype(float)
            weight += share
            total += share * np.where(there[k], o.value, 0.0)
            swing += share * (self._swing_gain * tick.swing[:, None]) ** 2
            predicted += share[:, :, None] * members[k]
        some = weight > 0.0
        doubt = 1.0 + START_DOUBT * np.exp(-max(ticks[-1][0].end - self.started, 0.0) / START_TIME)
        divisor = np.where(some, weight, 1.0)
        # Samples of a cycle meet the iterations of a job at the same phases: of what swings, several tell no more than
        # one.
        variance = self._noise**2 / divisor + swing / divisor + self.table.residual**2
        return Comparison(
            predicted / divisor[:, :, None],
            np.where(some, total / divisor, np.nan),
            np.where(some, np.maximum(doubt * variance, 1e-12), np.nan),
            wild,
        )

    def _honest(self, ticks: list[Predicted], members: list[Array]) -> Array:
        """Standard deviation of what gaps of a cycle differ by without a fault, (tick, module, sensor)."""
        swing = self._swing_gain * np.stack([tick.swing for tick in ticks])[:, :, None]
        # Where members disagree at one time more than at others, a battery is just full or an array at its limit.
        apart = np.stack([y.var(axis=2, ddof=1) for y in members])
        return np.asarray(
            np.sqrt(self._noise**2 + self.table.residual**2 + swing**2 + apart - apart.min(axis=0))
        )

    # -- analysis ---------------------------------------------------------------------------------

    def innovation(self, compared: Comparison, excluded: NDArray[np.bool_]) -> Innovation:
        """Return the innovations without some sensors (module, sensor)."""
        observed = np.where(excluded, np.nan, compared.observed)
        return innovation_statistics(compared.predicted, observed, compared.variance)

    def assimilate(
        self, compared: Comparison, excluded: NDArray[np.bool_], changed: NDArray[np.bool_] | None = None
    ) -> None:
        """Correct state, parameters, biases and what was said in the past by observations.

        Parameters
        ----------
        compared : Comparison
        excluded : (module, sensor) bool array
            Sensors that are left out.
        changed : (module,) bool array, optional
            Modules that were opened for this analysis: they keep what it finds.
        """
        observed = np.where(excluded, np.nan, compared.observed)
        if not np.isfinite(observed).any():
            return
        found = analyse(compared.predicted, observed, compared.variance)
        self.model.unpack(
            [
                transform(state, Analysis(found.weights[place]))
                for state, place in zip(self.model.pack(), self.model.places)
            ]
        )
        self.slope = sensitivity(self.model.free, compared.predicted - self.bias)
        self.lasting.add(self.slope, np.where(np.isfinite(observed), self.table.bias**2, np.nan))
        opened = np.zeros(len(observed), dtype=bool) if changed is None else changed
        share = np.where(opened, 0.0, RELAXATION)[:, None]
        self.model.free = self._relaxed(self.model.free, transform(self.model.free, found), share)
        self.bias = transform(self.bias, found)
        for tick in self.past.values():
            tick.before = transform(tick.before, found)
            tick.after = transform(tick.after, found)

    def _relaxed(self, prior: Array, analysed: Array, share: Array) -> Array:
        """Return analysed parameters with a part of the prior's spread, and no less than lasting errors leave."""
        bounds = self.model.parameters
        floor = self.lasting.spread(bounds.spread, LOOKS)
        wanted = np.maximum(relaxed_spread(prior, analysed, share), floor)
        design = bounds.free(bounds.nominal[None, :, None])[0, :, 0]
        return restore_spread(analysed, wanted, design, bounds.spread)

    def least_spread(self) -> Array:
        """Standard deviations that errors of the model and lasting ones of sensors leave of what is measured.

        Returns
        -------
        (module, sensor) ndarray
            Of the true values at the end of the last tick, in the unit of each sensor.
        """
        left = self.lasting.covariance(self.model.parameters.spread)
        lasting = np.einsum("nsk,nkl,nsl->ns", self.slope, left, self.slope)
        last = self.past[max(self.past)].swing if self.past else np.zeros(len(lasting))
        return np.asarray(np.sqrt(lasting + (self._swing_gain * last[:, None]) ** 2))

    def adapt(self, compared: Comparison, excluded: NDArray[np.bool_]) -> None:
        """Follow the spread that innovations ask for."""
        observed = np.where(excluded, np.nan, compared.observed)
        self.inflation = self.inflation_rule.update(
            self.inflation, compared.predicted, observed, compared.variance
        )

    def drift(self, span: float) -> None:
        """Let parameters and biases wander for a time span [s], and give the modules their parameters."""
        model = self.model
        model.free = model.parameters.walk(model.free, span)
        keep = np.exp(-span / BIAS_TIME)
        noise = centred_normals(self.bias.shape, model.random, apart_from=model.free)
        self.bias = keep * self.bias + np.sqrt(1.0 - keep**2) * self.table.bias[:, :, None] * noise
        model.apply_parameters()

    def reopen(self, compared: Comparison, modules: NDArray[np.bool_]) -> Comparison:
        """Give the parameters of modules that changed at least the spread of the prior again, before the analysis.

        What their sensors would have shown is moved along, or half of a change would be taken for errors of sensors.
        """
        at = np.flatnonzero(modules)
        if not at.size:
            return compared
        free = self.model.free[at]
        mean, spread = free.mean(axis=2, keepdims=True), free.std(axis=2, ddof=1, keepdims=True)
        factor = np.maximum(self.model.parameters.spread[:, None] / np.maximum(spread, 1e-12), 1.0)
        wide, predicted = mean + factor * (free - mean), compared.predicted.copy()
        predicted[at] += sensitivity(free, predicted[at] - self.bias[at]) @ (wide - free)
        self.model.free[at] = wide
        return replace(compared, predicted=predicted)

    # -- state ------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, NDArray]:
        """Return all that a restart needs."""
        saved = {f"model/{name}": values for name, values in self.model.snapshot().items()}
        saved |= {
            "started": np.array(self.started),
            "bias": self.bias.copy(),
            "inflation": self.inflation.copy(),
            "slope": self.slope.copy(),
            "lasting/information": self.lasting.information.copy(),
            "lasting/weight": self.lasting.weight.copy(),
        }
        saved |= {f"spikes/{name}": values for name, values in self.spikes.snapshot().items()}
        saved |= {
            f"monitor/{name}": getattr(self.monitor, name).copy()
            for name in ("weight", "total", "number", "square_weight")
        }
        for number, tick in self.past.items():
            saved[f"past/{number}/before"], saved[f"past/{number}/after"] = tick.before, tick.after
            saved[f"past/{number}/usable"] = np.array(tick.usable)
            saved[f"past/{number}/span"] = np.array([tick.start, tick.end])
            saved[f"past/{number}/swing"] = tick.swing
        if self._power is not None:
            saved["power"] = self._power
        return saved

    def restore(self, saved: Mapping[str, NDArray]) -> None:
        """Continue from a snapshot."""
        self.model.restore({k.removeprefix("model/"): v for k, v in saved.items() if k.startswith("model/")})
        self.bias, self.inflation = np.array(saved["bias"]), np.array(saved["inflation"])
        self.slope = np.array(saved["slope"])
        for name in ("information", "weight"):
            setattr(self.lasting, name, np.array(saved[f"lasting/{name}"]))
        for name in ("weight", "total", "number", "square_weight"):
            setattr(self.monitor, name, np.array(saved[f"monitor/{name}"]))
        self.spikes.restore(
            {k.removeprefix("spikes/"): v for k, v in saved.items() if k.startswith("spikes/")}
        )
        self.started = float(saved["started"])
        self._power = np.array(saved["power"]) if "power" in saved else None
        numbers = {int(k.split("/")[1]) for k in saved if k.startswith("past/")}
        self.past = {}
        for n in sorted(numbers):
            start, end = saved[f"past/{n}/span"]
            self.past[n] = Predicted(
                float(start), float(end),
                *(np.array(saved[f"past/{n}/{part}"]) for part in ("before", "after", "usable", "swing")),
            )  # fmt: skip
