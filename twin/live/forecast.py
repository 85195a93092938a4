"""What lies ahead of a sub-center: throttling by cause, radiator margin, battery at the end of eclipses, a safe cap.

The ensemble of a few modules that speak for the others (of every class the median one and those nearest to a limit)
goes on from its present state, with the parameters as they are estimated, through the eclipses that come. Their cards
go on asking for the power they sustained lately. Throttling by heat is when one card in a hundred (of a small module:
the hottest) reaches the temperature at which its clock is held; throttling by power is when the bus allows less than
the cards ask for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from twin import component_models
from twin.environment_track import EnvironmentTrack, TickEnvironment
from twin.live.group import EnsembleGroup, MeasuredCards, MeasuredRelay
from twin.live.model import PARAMETERS
from twin.live.outlook import Forecast

if TYPE_CHECKING:
    from twin.live.partition import Partition
    from twin.relay_network import RelayTick

Array = NDArray[np.float64]

STEP = 60.0
"""Longest tick of a forecast [s]."""

SPEAKERS = 4
"""Modules of a class that are followed at most."""

ACCEPTED = 0.05
"""Chance of throttling with which a cap is recommended."""

_SPAN = 1800.0


@dataclass(eq=False)
class _Run:
    """Trajectories of the followed modules, (tick, module, member)."""

    end: Array
    lit: Array
    junction_room: Array
    excess: Array
    cap: Array
    charge: Array
    margin: Array
    junction: Array
    safe: Array


class Forecaster:
    """Forecasts of a partition.

    Parameters
    ----------
    partition : Partition
    """

    def __init__(self, partition: Partition):
        self.partition = partition
        model, case = partition.model, partition.case
        self.groups: list[EnsembleGroup] = []
        for group in model.groups:
            count = min(SPEAKERS, group.module_count)
            ages = group.age.reshape(-1, group.members)[:count, 0]
            self.groups.append(
                EnsembleGroup.build(
                    group.name, group.design, ages, group.members, model.altitude, case.numerics.tolerance,
                    model.panel, group.view,
                )
            )  # fmt: skip
        self.track = EnvironmentTrack(
            [model.orbit],
            [group.orientations for group in model.groups],
            component_models.environment_set(case),
            STEP,
            case.numerics.shadow,
            [group.view for group in model.groups],
        )
        self._chunks: dict[int, list[TickEnvironment]] = {}

    def forecast(self) -> Forecast:
        """Return the outlook from the present state of the partition."""
        part, model = self.partition, self.partition.model
        horizon = part.settings.orbits * model.orbit.period
        chosen = [self._choose(group, place) for group, place in zip(model.groups, model.places)]
        states = [group.pack()[at] for group, at in zip(model.groups, chosen)]
        offsets = self._junction_offsets(chosen)
        demand = self._demand(chosen)
        run = self._run(part.time, horizon, chosen, states, demand, offsets)
        return self._outlook(horizon, chosen, states, demand, offsets, run)

    # -- who speaks -------------------------------------------------------------------------------

    def _choose(self, group: EnsembleGroup, place: slice) -> NDArray[np.int64]:
        """Modules of a class to follow: those nearest to a limit, and the median one."""
        count = min(SPEAKERS, group.module_count)
        if count == group.module_count:
            return np.arange(count)
        m = group.members
        margin = group.area_margin().reshape(-1, m).mean(axis=1)
        plate = group.now["cold_plate"].reshape(-1, m).mean(axis=1)
        charge = (group.battery_state.state_of_charge * group.battery_state.health.capacity_fraction).reshape(
            -1, m
        )
        power = self.partition.demand.sustained[place]
        room = plate + group.card.junction_resistance * power / group.design.racks.cards
        order = [int(np.nanargmin(margin)), int(np.argmax(room)), int(np.argmin(charge.mean(axis=1)))]
        order.append(int(np.argsort(margin)[len(margin) // 2]))
        chosen = list(dict.fromkeys(order))
        rest = (int(i) for i in np.argsort(margin) if i not in chosen)
        while len(chosen) < count:
            chosen.append(next(rest))
        return np.array(chosen)

    def _demand(self, chosen: list[NDArray[np.int64]]) -> list[Array]:
        """Power that the cards of the followed modules ask for [W]."""
        sustained = self.partition.demand.sustained
        return [sustained[place][at] for place, at in zip(self.partition.model.places, chosen)]

    def _junction_offsets(self, chosen: list[NDArray[np.int64]]) -> list[Array]:
        """By how much the hottest card gets hotter than the mean one, per followed module [K]."""
        part = self.partition
        hottest, out = part.demand.hottest(), []
        for group, place, at in zip(part.model.groups, part.model.places, chosen):
            heat = group.card_heat.reshape(-1, group.members).mean(axis=1)
            rise = group.card.junction_resistance * heat / group.design.racks.cards
            # Spread of power and resistance between cards, three standard deviations of both.
            assumed = 3.0 * rise * np.hypot(group.card.power_spread, group.card.resistance_spread)
            gap = hottest[place]
            out.append(np.where(np.isnan(gap), assumed, np.maximum(gap, 0.0))[at])
        return out

    # -- going on ---------------------------------------------------------------------------------

    def _ticks(self, start: float, stop: float) -> Iterator[TickEnvironment]:
        first, last = int(start // _SPAN), int(np.ceil(stop / _SPAN))
        self._chunks = {k: v for k, v in self._chunks.items() if k >= first}
        for chunk in range(first, last):
            if chunk not in self._chunks:
                self._chunks[chunk] = list(self.track.ticks(chunk * _SPAN, (chunk + 1) * _SPAN))
            for env in self._chunks[chunk]:
                end = env.time + env.dt
                if end <= start + 1e-6 or env.time >= stop - 1e-6:
                    continue
                yield env if env.time >= start else replace(env, time=start, dt=end - start)

    def _run(
        self,
        start: float,
        horizon: float,
        chosen: list[NDArray[np.int64]],
        states: list[Array],
        demand: list[Array],
        offsets: list[Array],
        cap: list[Array] | None = None,
    ) -> _Run:
        model = self.partition.model
        factors = model.factors()
        for group, source, place, at, state in zip(self.groups, model.groups, model.places, chosen, states):
            m = group.members
            for name, values in source.nominal.items():
                group.nominal[name] = values.reshape(-1, m)[at].ravel()
            group.estimate({name: factors[place][at, k].ravel() for k, name in enumerate(PARAMETERS)})
            group.thermal.loops.regime = source.thermal.loops.regime.reshape(-1, m)[at].ravel()
            use = source.radiator_use
            group.radiator_use = (
                None if use is None else use.reshape(len(use), -1, m)[:, at].reshape(len(use), -1)
            )
            group.thermal._span = source.thermal._span
            group.thermal._target = source.thermal._target.reshape(-1, m)[at].ravel()
            group.unpack(state)
        share = [factors[p][a, PARAMETERS.index("card_power")] for p, a in zip(model.places, chosen)]
        rows: list[tuple[Array, ...]] = []
        ends, lit = [], []
        assert self.partition.inputs is not None
        relay_power = self.partition.inputs.relay_power
        running = self.partition.inputs.cards_running
        for env in self._ticks(start, start + horizon):
            parts = []
            for number, group in enumerate(self.groups):
                m, place, at = group.members, model.places[number], chosen[number]
                relay = MeasuredRelay(np.repeat(relay_power[place][at], m), np.zeros(group.count))
                asked = (demand[number][:, None] * share[number]).ravel()
                if cap is not None:
                    asked = np.minimum(asked, np.repeat(cap[number], m))
                point = group.array_point(env.faces[number])
                allowed = group.card_cap(env, point, cast("RelayTick", relay))
                power = np.minimum(asked, allowed)
                cards = MeasuredCards(power, power, np.repeat(running[place][at], m))
                tick = group.run(env, number, cards, relay)
                plate, supply = tick.thermal.temperatures["cold_plate"], tick.thermal.temperatures["supply"]
                rise = group.card.junction_resistance * power / group.design.racks.cards
                junction = plate + rise + np.repeat(offsets[number], m)
                room = group.card.target_temperature - junction
                # Above the supply everything is proportional to the power.
                safe = power * np.clip(
                    (room + junction - supply) / np.maximum(junction - supply, 1e-3), 0.0, 10.0
                )
                shape = (-1, m)
                parts.append(
                    tuple(
                        v.reshape(shape)
                        for v in (room, asked - allowed, allowed, tick.battery.state.state_of_charge,
                                  group.area_margin(), junction, safe)
                    )
                )  # fmt: skip
            rows.append(tuple(np.concatenate(column) for column in zip(*parts)))
            ends.append(env.time + env.dt - start)
            lit.append(float(env.illuminated_fraction[0]))
        room, excess, allowed, charge, margin, junction, safe = (np.stack(column) for column in zip(*rows))
        return _Run(np.array(ends), np.array(lit), room, excess, allowed, charge, margin, junction, safe)

    # -- summing up -------------------------------------------------------------------------------

    @staticmethod
    def _events(run: _Run) -> dict[str, NDArray[np.bool_]]:
        # A tenth of a percent of the power is the rounding of a cap, not throttling.
        return {
            "heat": run.junction_room < 0.0,
            "power": run.excess > 1e-3 * np.maximum(run.cap, 1.0),
        }

    def _outlook(
        self,
        horizon: float,
        chosen: list[NDArray[np.int64]],
        states: list[Array],
        demand: list[Array],
        offsets: list[Array],
        run: _Run,
    ) -> Forecast:
        part = self.partition
        modules = np.concatenate([at + place.start for place, at in zip(part.model.places, chosen)])
        events = self._events(run)
        nearness = {"heat": -run.junction_room, "power": run.excess}
        probability: dict[str, float] = {}
        when: dict[str, tuple[float, float, float] | None] = dict.fromkeys(events)
        worst: dict[str, int] = {}
        for cause, event in events.items():
            any_module = event.any(axis=1)
            hit = any_module.any(axis=0)
            probability[cause] = float(hit.mean())
            first = run.end[any_module.argmax(axis=0)][hit]
            if hit.any():
                early, median, late = (float(q) for q in np.quantile(first, [0.05, 0.5, 0.95]))
                when[cause] = (early, median, late)
            close = np.where(np.isnan(nearness[cause]), -np.inf, nearness[cause]).max(axis=0).mean(axis=1)
            earliest = np.where(event.any(axis=0), event.argmax(axis=0), len(run.end)).mean(axis=1)
            worst[cause] = int(modules[np.lexsort((-close, earliest))[0]])
        now = run.margin[0]
        low = int(now.mean(axis=1).argmin())
        ahead = np.quantile(run.margin, 0.05, axis=2)
        mean_ahead = run.margin[:, low].mean(axis=1)
        drop = float(mean_ahead.min() - mean_ahead[0])
        exits = np.flatnonzero((run.lit[:-1] == 0.0) & (run.lit[1:] > 0.0))
        charge_low = np.quantile(run.charge, 0.05, axis=2)
        hot = int(run.junction_room.min(axis=0).mean(axis=1).argmin())
        cap, left = None, max(probability.values())
        if left > ACCEPTED:
            cap, left = self._safe_cap(horizon, chosen, states, demand, offsets, run)
        return Forecast(
            sub_center=part.sub_center,
            time=part.time,
            horizon=horizon,
            probability=probability,
            time_to_limit=when,
            worst=worst,
            radiator_margin=float(now[low].mean()),
            radiator_margin_low=float(np.quantile(now[low], 0.05)),
            radiator_margin_trend=drop * part.model.orbit.period / horizon,
            margin_ahead=float(ahead.min()),
            junction_headroom=float(np.quantile(run.junction_room.min(axis=(0, 1)), 0.05)),
            eclipse_exits=[
                {
                    "time": part.time + float(run.end[k]),
                    "state_of_charge": float(run.charge[k].mean(axis=1).min()),
                    "low": float(charge_low[k].min()),
                }
                for k in exits
            ],
            state_of_charge_low=float(charge_low.min()),
            cap=cap,
            cap_probability=left,
            modules=[int(i) for i in modules],
            track={
                "time": [float(t) for t in run.end],
                "junction": [float(v) for v in np.quantile(run.junction[:, hot], 0.95, axis=1)],
                "state_of_charge": [float(v) for v in charge_low.min(axis=1)],
                "radiator_margin": [float(v) for v in ahead.min(axis=1)],
            },
        )

    def _safe_cap(
        self,
        horizon: float,
        chosen: list[NDArray[np.int64]],
        states: list[Array],
        demand: list[Array],
        offsets: list[Array],
        run: _Run,
    ) -> tuple[float | None, float]:
        """Return a cap on the power of the cards of a module, and the chance of throttling that is left with it."""
        # What each tick would bear, for the members that bear least; then tried.
        bearable = np.minimum(run.safe, np.where(run.excess > 0.0, run.cap, np.inf))
        cap = float(np.quantile(bearable.min(axis=(0, 1)), ACCEPTED))
        left = 1.0
        for _ in range(3):
            caps = [np.full(at.size, cap) for at in chosen]
            tried = self._run(self.partition.time, horizon, chosen, states, demand, offsets, caps)
            hit = np.zeros(tried.charge.shape[2], dtype=bool)
            for event in self._events(tried).values():
                hit |= event.any(axis=(0, 1))
            left = float(hit.mean())
            if left <= ACCEPTED:
                break
            cap *= 0.97
        return cap, left
