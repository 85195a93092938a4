"""The coupled run: one generator that yields one tick of the whole plant after the other.

Everything that watches a run (progress, writer, pictures, statistics) consumes the same stream of `Tick`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.card_events import jobs_of
from twin.case import Case
from twin.compute import FleetTick
from twin.environment_track import FaceFluxes, TickEnvironment, mean_faces
from twin.group_tick import GroupTick
from twin.job_placement import JobPlacement
from twin.job_work import JobWork
from twin.ledger import Ledger
from twin.link_routing import Router
from twin.plant import Plant
from twin.relay_network import RelayTick
from twin.work_limits import Traffic, WorkLimits, link_load, work_limits

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Tick:
    """What the plant did between `time` and `time + dt`.

    Attributes
    ----------
    time, dt : float
        Start since the beginning of the run, and length [s].
    environment : TickEnvironment
    groups : tuple of GroupTick
        Per class of modules: power, battery, temperatures.
    cards : FleetTick
        Power, heat, throttling and work of all cards, per module.
    relay : RelayTick
        Power and rate of the terminals, per module.
    limits : WorkLimits
        What holds the work back, per module.
    work : JobWork
        What the jobs asked for and got.
    ledger : Ledger
        Cumulative; the run goes on booking into it.
    """

    time: float
    dt: float
    environment: TickEnvironment
    groups: tuple[GroupTick, ...]
    cards: FleetTick
    relay: RelayTick
    limits: WorkLimits
    work: JobWork
    ledger: Ledger

    @property
    def end(self) -> float:
        """End of the tick [s]."""
        return self.time + self.dt


class Simulation:
    """A plant and where it is in time.

    Parameters
    ----------
    plant : Plant
    """

    def __init__(self, plant: Plant):
        self.plant = plant
        self.time = 0.0
        self.ledger = Ledger(plant.modules)
        serves = np.array([job.kind == "inference" for job in plant.workload.jobs], dtype=bool)
        self._traffic, self._router = Traffic(plant.workload.data_rate, serves), Router()
        self.assign()

    def settle(self) -> None:
        """Start from the thermal balance under the mean fluxes of the first orbit, with the jobs of time zero."""
        plant = self.plant
        self._place_jobs(0.0, np.zeros(plant.modules))
        relay = plant.relay.tick(0.0, plant.case.numerics.thermal_step)
        activity = plant.workload.activity(0.0, plant.orbits[0].period)
        load = self.placement.per_module(activity)
        means = _mean_fluxes(plant)
        for group, faces in zip(plant.groups, means):
            static = group.card.resident_power + group.card.leakage_power
            count = group.design.racks.cards
            power = count * static + load[group.modules] * group.card.dynamic_power
            power = np.minimum(power, count * group.card.power_limit)
            group.settle(faces, power, relay)
            for index in range(group.modules.start, group.modules.stop):
                at = slice(plant.fleet.module_start[index], plant.fleet.module_start[index + 1])
                plate = group.temperature["cold_plate"][index - group.modules.start]
                mean = power[index - group.modules.start] / count
                plant.fleet.temperature[at] = plate + mean * group.card.junction_resistance

    def run(self, stop: float, origin: float | None = None) -> Iterator[Tick]:
        """Yield ticks until `stop` [s since the start of the run], with the steps of a run that began at `origin`."""
        self.plant.relay.reach(stop)
        self.plant.events.reach(stop)
        for environment in self.plant.track.ticks(self.time, stop, origin):
            yield self.tick(environment)
            self.time = environment.time + environment.dt

    def tick(self, environment: TickEnvironment) -> Tick:
        """Advance the plant by one tick, in the order in which energy flows."""
        plant, faces = self.plant, environment.faces
        relay = plant.relay.tick(environment.time, environment.dt)
        points = [group.array_point(f) for group, f in zip(plant.groups, faces)]
        caps = plant.interconnect.card_caps(plant.groups, environment, points, relay)
        self._strike(environment.time, environment.dt)
        self._place_jobs(environment.time, np.concatenate(caps))
        cards, limits, work = self._run_cards(environment, np.concatenate(caps), relay)
        flows = plant.interconnect.dispatch(plant.groups, environment, points, cards, relay)
        heat = plant.interconnect.loop_heat(plant.groups, environment.dt)
        groups = tuple(
            group.advance(environment, f, point, cap, cards, relay, flow, q)
            for group, f, point, cap, flow, q in zip(plant.groups, faces, points, caps, flows, heat)
        )
        self._book(environment.dt, groups, cards)
        return Tick(
            environment.time, environment.dt, environment, groups, cards, relay, limits, work, self.ledger
        )

    def assign(self) -> None:
        """Tell the cards which jobs they hold."""
        plant, jobs = self.plant, len(self.plant.workload.jobs)
        plant.fleet.assign(plant.workload.job_of_card, jobs)
        self.placement = JobPlacement.of(plant.workload.job_of_card, plant.fleet.module_start, jobs)

    def _strike(self, time: float, dt: float) -> None:
        """Let cards fail, come back and lose their jobs, as of the start of the tick in which that happens."""
        plant, events = self.plant, self.plant.events.draw_events(time, dt)
        if not len(events):
            return
        plant.fleet.fail(events.failed)
        plant.fleet.repair(events.replaced)
        plant.workload.set_usable(events.replaced, True)
        plant.workload.set_usable(events.failed, False)
        hit = jobs_of(plant.workload.job_of_card, events.stopped)
        if hit.size:
            plant.workload.interrupt(hit, time)
            self.assign()

    def _place_jobs(self, time: float, cap: Array) -> None:
        plant, spec = self.plant, self.plant.case.workload
        preference = None
        if spec.placement == "coolest":
            preference = np.concatenate([group.temperature["cold_plate"] for group in plant.groups])
        elif spec.placement == "most_power":
            held = self.placement.per_module(plant.workload.power / plant.workload.cards)
            preference = held - cap
        budget = np.inf if spec.power_budget is None else spec.power_budget
        if plant.workload.schedule(time, power_budget=budget, preference=preference):
            self.assign()

    def _run_cards(
        self, environment: TickEnvironment, cap: Array, relay: RelayTick
    ) -> tuple[FleetTick, WorkLimits, JobWork]:
        """Advance every card in sub-steps of at most the card step; jobs go no faster than their data."""
        plant, time, dt = self.plant, environment.time, environment.dt
        steps = max(1, int(np.ceil(dt / plant.case.numerics.card_step - 1e-9)))
        length = dt / steps
        activity = np.array([plant.workload.activity(time + k * length, length) for k in range(steps)])
        mean = activity.mean(axis=0)
        link = link_load(self.placement, mean, self._traffic, relay, plant.sub_center, self._router)
        plate = np.concatenate([group.temperature["cold_plate"] for group in plant.groups])
        cards = plant.fleet.advance(length, steps, activity * link.served, plate, cap)
        limits = work_limits(plant.workload, self.placement, mean, link, cards, plant.cards_per_module)
        work = JobWork(self.placement, mean, cards.job_throughput)
        if plant.workload.advance(time, dt, cards.job_pace * link.served).size:
            self.assign()
        return cards, limits, work

    def _book(self, dt: float, groups: tuple[GroupTick, ...], cards: FleetTick) -> None:
        for group, done in zip(self.plant.groups, groups):
            at = group.modules
            self.ledger.book(
                at,
                absorbed=dt * done.absorbed,
                received=dt * (done.flows.exchange + done.loop_heat),
                emitted=dt * done.thermal.emitted,
                exported=dt * done.exported,
                stored=done.thermal.stored + cards.stored_energy_change[at],
                battery=-dt * done.battery.chemical_power,
                electrical=dt * done.flows.solar_used,
                cards=dt * cards.power[at],
            )


def _mean_fluxes(plant: Plant) -> list[FaceFluxes]:
    """Mean fluxes of the first orbit, per group."""
    ticks = list(plant.track.ticks(0.0, plant.orbits[0].period))
    weight = np.array([t.dt for t in ticks])
    return [mean_faces([t.faces[g] for t in ticks], weight) for g in range(len(plant.groups))]


def simulate(case: Case) -> Iterator[Tick]:
    """Run a case; yield its ticks.

    Parameters
    ----------
    case : Case

    Yields
    ------
    Tick

    Examples
    --------
    >>> for tick in simulate(Case.load("cases/experimental-satellite.yaml")):
    ...     print(tick.end, tick.cards.power.sum())
    """
    simulation = Simulation(Plant.build(case))
    simulation.settle()
    yield from simulation.run(simulation.plant.duration)
