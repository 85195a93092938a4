"""Many variants of a sub-center advanced as one batch: modules are samples of a study.

Every sample has one module of each kind in the sub-center (class, age and jobs), which stands for all of that kind. The
modules of a kind are a `ModuleGroup` with the reduced thermal model, and the equations of a tick are those of a run;
cards are sampled (`twin.ensemble_cards`). What is not in it: failures of cards, links that data wait for (terminals are
up all the time, which is the warm side), and the spread between modules of one kind, of which the mean is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from solvers.reduced_panel import ReducedPanel
from twin import component_models
from twin.card_model import leakage_power
from twin.case import Case
from twin.case.module_class import ModuleClass, ModuleSpread
from twin.ensemble_cards import CardLots, SampledFleet
from twin.ensemble_kinds import clock_of, jobs_of, kinds_of, paces_of
from twin.ensemble_outcome import FleetWatch, OrbitOutcome, OrbitRecord
from twin.ensemble_samples import DesignOrbit, Samples, mixed_ticks, module_variation
from twin.ensemble_surfaces import SampledSurfaces
from twin.ensemble_thermal import EnsembleThermal
from twin.environment_track import EnvironmentTrack, TickEnvironment, mean_faces
from twin.group_thermal import VALVE_LIMIT
from twin.ledger import Ledger
from twin.module_group import ModuleGroup
from twin.module_view import ModuleView
from twin.orbit import EARTH_RADIUS, Orbit
from twin.plant import module_view, reference_orbit
from twin.relay_network import RelayTick

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

SPIN_UP = 3000.0
"""Time before what counts, in which coolant and panels forget the balance they start from [s]: four time constants."""

BALANCES = 2
"""Balances from which an orbit starts: leakage of cards at its reference temperature, then at the junction's."""


class Ensemble:
    """Variants of a sub-center.

    Parameters
    ----------
    case : Case
    center : int
        Index of the sub-center.
    samples : Samples
    count : int
        Samples.
    when : DesignOrbit
    panels : callable
        From a module class to its reduced panel.
    cards : int
        Cards computed for every job on a module.
    """

    def __init__(
        self,
        case: Case,
        center: int,
        samples: Samples,
        count: int,
        when: DesignOrbit,
        panels: Callable[[ModuleClass], ReducedPanel],
        cards: int = 48,
    ):
        self.case, self.center, self.count, self.when = case, center, count, when
        self._panels, self._cards = panels, cards
        self.kinds = kinds_of(case, center)
        base = reference_orbit(case).shifted(case.sub_centers[center].phase)
        self.orbit = base
        self.environment_of = np.broadcast_to(np.asarray(when.of_sample, dtype=np.int64), (count,))
        self.load_time = np.broadcast_to(np.asarray(when.load_time, dtype=float), (count,))
        self._build_groups(samples, panels, base.semi_major_axis - EARTH_RADIUS)
        self._build_load(cards)
        self._vary(samples)
        self.ticks = self._track(base)

    # -- building ---------------------------------------------------------------------------------

    @property
    def rows(self) -> int:
        """Modules in the batch."""
        return self.count * len(self.kinds)

    def _build_groups(
        self, samples: Samples, panels: Callable[[ModuleClass], ReducedPanel], altitude: float
    ) -> None:
        count, groups = self.count, []
        age = samples.of("age", count)
        shift = samples.of("supply_temperature", count)
        views: dict[str, ModuleView] = {}
        for number, kind in enumerate(self.kinds):
            panel = panels(kind.design)
            design = kind.design.model_copy(update={"spread": ModuleSpread()})
            target = kind.design.coolant_loop.supply_temperature + shift
            groups.append(
                ModuleGroup(
                    kind.name,
                    design,
                    slice(number * count, (number + 1) * count),
                    self.environment_of,
                    np.where(np.isnan(age), kind.age, age),
                    altitude,
                    self.case.numerics.tolerance,
                    variation=module_variation(samples, count),
                    thermal_model=lambda base, values, p=panel, t=target: EnsembleThermal.of_class(  # type: ignore[misc]
                        base, count, p, supply_temperature=t, **values
                    ),
                    view=module_view(self.case, kind.design, self.orbit, views),
                )
            )
        self.groups = tuple(groups)
        self._batteries = [group.battery_state for group in groups]
        names = ("solar_flux", "albedo", "earth_infrared")
        solar, albedo, infrared = (samples.of(name, count) for name in names)
        lean = np.sin(samples.of("pointing", count))
        self.surfaces = [
            SampledSurfaces.of(group.surfaces, solar, albedo, infrared, lean) for group in groups
        ]
        for group, surfaces in zip(groups, self.surfaces):
            group.surfaces = surfaces

    def _build_load(self, cards: int) -> None:
        count, jobs = self.count, jobs_of(self.case)
        self.jobs = tuple(jobs)
        self.clock = clock_of(jobs)
        paces = paces_of(self.case, self.kinds)
        population = sum(kind.count * kind.design.racks.cards for kind in self.kinds)
        lots: list[tuple[int, int, int, float, int]] = []
        for number, kind in enumerate(self.kinds):
            for sample in range(count):
                row = number * count + sample
                for index, part in kind.jobs:
                    if index < 0:
                        lots.append((row, -1, -1, part, population))
                        continue
                    pace = paces.place[number, index]
                    together = min(paces.cards[pace], population)
                    lots.append(
                        (row, sample * len(jobs) + index, sample * paces.count + pace, part, together)
                    )
        row_, job, pace_, share, each = (np.array(column) for column in zip(*lots))
        self.lots = CardLots(row_, job, pace_, share, each)
        self.cards_per_row = np.repeat([kind.design.racks.cards for kind in self.kinds], count)
        # The job of every pace, of all samples.
        sample_jobs = len(jobs) * np.arange(count)[:, None]
        self._job_of_pace = (sample_jobs + np.array(paces.job, dtype=np.int64)).ravel()
        self.fleet = SampledFleet(
            [group.card for group in self.groups for _ in range(count)],
            self.cards_per_row,
            self.lots,
            count * paces.count,
            cards,
        )

    def _vary(self, samples: Samples) -> None:
        self.samples = samples
        kinds = len(self.kinds)
        power, resistance = (
            np.tile(samples.of(name, self.count), kinds) for name in ("card_power", "card_resistance")
        )
        self.fleet.vary(power, resistance)

    @property
    def thermals(self) -> list[EnsembleThermal]:
        """Thermal models of the kinds."""
        return [group.thermal for group in self.groups if isinstance(group.thermal, EnsembleThermal)]

    def resize(self, radiator_area: Array) -> None:
        """Give the samples other radiator areas, factors (sample,)."""
        samples = replace(self.samples, radiator_area=radiator_area)
        for group in self.groups:
            group.vary(module_variation(samples, self.count))
        self._vary(samples)

    def part(self, places: Ints) -> Ensemble:
        """Return an ensemble of some of the samples."""
        when = replace(self.when, of_sample=self.environment_of[places], load_time=self.load_time[places])
        some = self.samples.take(places, self.count)
        return Ensemble(self.case, self.center, some, places.size, when, self._panels, self._cards)

    def area_bounds(self) -> tuple[Array, Array]:
        """Return the smallest and largest factors on the area for which the reduced panels were trained, (sample,)."""
        low, high = np.zeros(self.count), np.full(self.count, np.inf)
        for group, thermal in zip(self.groups, self.thermals):
            least, most = thermal.panel.box.mass_flow
            each = group.mass_flow / group.design.radiator.panels
            low = np.maximum(low, each / most)
            high = np.minimum(high, each * (1.0 - VALVE_LIMIT) / least)
        return low, high

    # -- environment ------------------------------------------------------------------------------

    def _track(self, base: Orbit) -> tuple[TickEnvironment, ...]:
        """The ticks of the design orbits, computed once; environments in the order of the design orbit."""
        orbits = [base.starting(start) for start in self.when.starts]
        stop = max(orbit.period for orbit in orbits)
        parts = {}
        for environment in dict.fromkeys(self.when.environments):
            track = EnvironmentTrack(
                orbits,
                [group.orientations for group in self.groups],
                environment,
                self.when.step,
                self.case.numerics.shadow,
                [group.view for group in self.groups],
            )
            parts[environment] = tuple(track.ticks(-SPIN_UP, stop))
        if len(parts) == 1:
            return next(iter(parts.values()))
        return mixed_ticks(parts, self.when.environments)

    # -- running ----------------------------------------------------------------------------------

    def activity_of(self, time: float, length: float, steps: int) -> Array:
        """Activity of every job of every sample in sub-steps, shape (steps, sample·job)."""
        factor = self.samples.of("activity", self.count)
        times, place = np.unique(self.load_time, return_inverse=True)
        table = np.array(
            [
                [self.clock.activity(max(t + time, 0.0) + k * length, length) for t in times]
                for k in range(steps)
            ]
        )
        if table.shape[-1] == 0:
            return np.zeros((steps, 0))
        return np.minimum(table[:, place] * factor[:, None], 1.0).reshape(steps, -1)

    def _relay(self) -> RelayTick:
        """All terminals up."""
        power, light = [], []
        for group in self.groups:
            relay = group.design.relay
            terminal = None if relay is None else component_models.terminal(relay.terminal)
            draws = 0.0 if relay is None or terminal is None else relay.terminals * terminal.up_power
            power.append(np.full(group.count, draws))
            light.append(np.full(group.count, 0.0 if terminal is None else 1.0 - terminal.heat_fraction))
        joined = np.concatenate(power)
        return RelayTick(joined, np.concatenate(light), np.full(joined.size, np.inf))

    def _settle(self, ticks: Sequence[TickEnvironment], relay: RelayTick) -> None:
        """Start from the balance of the means of some ticks, with cards at their mean activity."""
        weight = np.array([t.dt for t in ticks])
        some = ticks[:: max(1, len(ticks) // 8)]
        activity = np.mean([self.activity_of(t.time, t.dt, 1)[0] for t in some], axis=0)
        busy = self.lots.job >= 0
        asked = np.zeros(busy.size)
        asked[busy] = activity[self.lots.job[busy]]
        load = np.bincount(self.lots.row, self.lots.share * asked, self.rows)
        factor, spread = (self.samples.of(name, self.count) for name in ("card_power", "card_resistance"))
        start = np.empty(self.rows)
        for number, (group, surfaces) in enumerate(zip(self.groups, self.surfaces)):
            at = self.environment_of
            sun = np.stack([t.sun_plate.direct[at, 0] for t in ticks])
            surfaces.sunlight = weight @ sun / weight.sum()
            faces = mean_faces([t.faces[number] for t in ticks], weight)
            junction = np.full(self.count, group.card.leakage_reference_temperature)
            for _ in range(BALANCES):
                leakage = leakage_power(group.card, junction)
                static = group.card.resident_power + factor * leakage
                each = static + factor * load[group.modules] * group.card.dynamic_power
                each = np.minimum(each, group.card.power_limit)
                group.settle(faces, group.design.racks.cards * each, relay)
                resistance = group.card.junction_resistance * spread
                # A radiator that is far too small is set aside by its thermal model, not by its leakage.
                junction = group.temperature["cold_plate"] + each * resistance
                junction = np.minimum(junction, group.card.shutdown_temperature)
            start[group.modules] = junction
        self.fleet.start(start)

    def fly(self, watch: Callable[[TickEnvironment, FleetWatch], None] | None = None) -> OrbitOutcome:
        """Fly the design orbit once, from the balance of its means: what is found depends on the samples alone.

        Parameters
        ----------
        watch : callable, optional
            Called after every tick that counts, with its environment and what happened in it.
        """
        relay, ticks = self._relay(), self.ticks
        for group, fresh in zip(self.groups, self._batteries):
            group.battery_state, group.radiator_use = fresh, None
        self._settle([t for t in ticks if t.time >= 0.0], relay)
        ledger, record = Ledger(self.rows), OrbitRecord(self.kinds, self.count, len(self.jobs), self.lots)
        for tick in ticks:
            self._tick(tick, relay, ledger, record, watch)
        lost = np.concatenate([thermal.lost for thermal in self.thermals])
        return record.outcome(lost, float(np.max(np.abs(ledger.residual))))

    def _tick(
        self,
        tick: TickEnvironment,
        relay: RelayTick,
        ledger: Ledger,
        record: OrbitRecord,
        watch: Callable[[TickEnvironment, FleetWatch], None] | None,
    ) -> None:
        """Advance all modules by a tick: the order of `twin.simulation.Simulation.tick`."""
        for surfaces in self.surfaces:
            surfaces.sunlight = tick.sun_plate.direct[self.environment_of, 0]
        points = [group.array_point(faces) for group, faces in zip(self.groups, tick.faces)]
        caps = [group.card_cap(tick, point, relay) for group, point in zip(self.groups, points)]
        steps = max(1, int(np.ceil(tick.dt / self.card_step - 1e-9)))
        length = tick.dt / steps
        plate = np.concatenate([group.temperature["cold_plate"] for group in self.groups])
        activity = self.activity_of(tick.time, length, steps)[:, self._job_of_pace]
        cards = self.fleet.advance(length, steps, activity, plate, np.concatenate(caps))
        done = [
            group.advance(tick, faces, point, cap, cards, relay)
            for group, faces, point, cap in zip(self.groups, tick.faces, points, caps)
        ]
        for group, result in zip(self.groups, done):
            at = group.modules
            ledger.book(
                at,
                absorbed=tick.dt * result.absorbed,
                emitted=tick.dt * result.thermal.emitted,
                exported=tick.dt * result.exported,
                stored=result.thermal.stored + cards.stored_energy_change[at],
                battery=-tick.dt * result.battery.chemical_power,
            )
        if tick.time >= -1e-6:
            record.add(tick.dt, cards, self.fleet.lot_throttled, done)
            if watch is not None:
                watch(tick, FleetWatch(cards.throttled_fraction_thermal, cards.power, tuple(done)))

    @property
    def card_step(self) -> float:
        """Sub-step of the cards [s]."""
        return self.when.card_step
