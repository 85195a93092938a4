"""Which terminals of the plant are up when: links between sub-centers, and links outward to relays and ground.

Sub-centers stand along one orbit; neighbours link where both have a terminal for it and see each other. Every
sub-center that has a terminal talks outward: with one that no neighbour needs, or else with the one of its last
link, which is then interrupted. Outward it takes the fastest target in view.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from twin.ground import GroundStation, passes
from twin.intervals import Intervals
from twin.line_of_sight import GEOSTATIONARY_RADIUS, geostationary_trajectory, intersatellite_contacts
from twin.link_routing import LinkState
from twin.orbit import Orbit
from twin.site_availability import cloud_free_intervals
from twin.sun import SECONDS_PER_DAY, days_since_j2000
from twin.telemetry_delay import telemetry_delay_live_first
from twin.terminal import TerminalParameters, TerminalState, terminal_power

__all__ = ["ModuleTerminals", "OutwardTarget", "RelayNetwork", "RelayTick"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PACKET_INTERVAL = 60.0
"""Telemetry of this long is one packet when its delay is computed [s]."""

LOOK_AHEAD = SECONDS_PER_DAY
"""How long after the end of the run stored telemetry may still arrive [s]."""

_NOWHERE = Intervals(np.empty(0), np.empty(0))


@dataclass(frozen=True)
class OutwardTarget:
    """Something outside the plant that terminals can point at.

    Attributes
    ----------
    place : GroundStation or float
        A station, or the east longitude of a geostationary relay [rad].
    data_rate : float
        Highest rate of a link [bit/s].
    """

    place: GroundStation | float
    data_rate: float = math.inf


@dataclass(frozen=True, eq=False)
class ModuleTerminals:
    """Terminals of every module; arrays (module,).

    Attributes
    ----------
    count : ndarray of int
        Terminals.
    kind : ndarray of int
        Index into `kinds`.
    kinds : sequence of TerminalParameters
    data_rate, maximum_range : ndarray
        Of a terminal [bit/s, m].
    telemetry_rate : ndarray
        Telemetry of the module [bit/s].
    """

    count: Ints
    kind: Ints
    kinds: Sequence[TerminalParameters]
    data_rate: Floats
    maximum_range: Floats
    telemetry_rate: Floats


@dataclass(frozen=True, eq=False)
class RelayTick:
    """What the terminals of every module do in a tick, means over it; arrays (module,).

    Attributes
    ----------
    power : ndarray
        Electrical power [W].
    light_share : ndarray
        Share of it that leaves as light [1].
    rate : ndarray
        Rate of all links that are up [bit/s].
    links : LinkState, optional
        Rates between sub-centers and outward; everything open if not given.
    """

    power: Floats
    light_share: Floats
    rate: Floats
    links: LinkState | None = None


@dataclass(frozen=True, eq=False)
class _Duty:
    """What terminal number `terminal` of the modules of a sub-center does in some spans."""

    sub_center: int
    terminal: int
    seen: Intervals
    rate: float
    link: int = -1  # among the links between sub-centers; outward by default


class RelayNetwork:
    """Terminals, neighbours and outward targets of a plant.

    Parameters
    ----------
    orbits : sequence of Orbit
        One per sub-center; time zero is their epoch.
    phase : sequence of float
        Lead of each sub-center along the orbit [rad].
    sub_center : (module,) int array
        Sub-center of each module.
    terminals : ModuleTerminals
    targets : sequence of OutwardTarget
    seed : int
        Of the weather.

    Notes
    -----
    Contacts are found day by day from time zero, so that they do not depend on when a run starts or ends.
    """

    def __init__(
        self,
        orbits: Sequence[Orbit],
        phase: Sequence[float],
        sub_center: Ints,
        terminals: ModuleTerminals,
        targets: Sequence[OutwardTarget],
        seed: int,
    ):
        self.orbits, self.targets, self.seed = tuple(orbits), tuple(targets), seed
        self.terminals = terminals
        self.sub_center = np.asarray(sub_center, dtype=np.int64)
        self._centers = range(len(self.orbits))
        self._links, self._used = self._pair(np.argsort(np.mod(phase, 2.0 * np.pi), kind="stable"))
        power = [terminal_power(kind, np.arange(len(TerminalState))) for kind in terminals.kinds]
        electrical, light = (np.array([getattr(p, n) for p in power]) for n in ("electrical", "light"))
        self._electrical, self._light = electrical[terminals.kind], light[terminals.kind]
        self._stop = -math.inf

    # -- who points where -------------------------------------------------------------------------

    def _members(self, center: int) -> Ints:
        """Modules of a sub-center that carry terminals."""
        return np.flatnonzero((self.sub_center == center) & (self.terminals.count > 0))

    def _carried(self, center: int) -> int:
        """Terminals that all modules of a sub-center with terminals have."""
        members = self._members(center)
        return int(self.terminals.count[members].min()) if members.size else 0

    def _pair(self, order: Ints) -> tuple[list[tuple[int, int, int, int]], list[int]]:
        """Return links (a, b, terminal of a, terminal of b) along the orbit, and terminals used for them."""
        around = [int(c) for c in order]
        pairs = list(pairwise(around)) + ([(around[-1], around[0])] if len(around) > 2 else [])
        used = [0 for _ in self._centers]
        links = []
        for a, b in pairs:
            if used[a] < self._carried(a) and used[b] < self._carried(b):
                links.append((a, b, used[a], used[b]))
                used[a], used[b] = used[a] + 1, used[b] + 1
        return links, used

    def _least(self, values: Floats, *centers: int) -> float:
        return float(min(values[self._members(c)].min() for c in centers))

    def _outward_terminal(self, center: int) -> int:
        return min(self._used[center], self._carried(center) - 1)

    # -- contacts ---------------------------------------------------------------------------------

    def _daily(self, contacts: Callable[[float, float], Intervals], stop: float) -> Intervals:
        """Join what a function of (start, stop) finds day by day."""
        days = range(math.ceil(stop / SECONDS_PER_DAY))
        return Intervals.union(contacts(day * SECONDS_PER_DAY, (day + 1) * SECONDS_PER_DAY) for day in days)

    def _target_spans(self, center: int, number: int, stop: float) -> Intervals:
        """When a sub-center sees a target and the sky is clear."""
        orbit, place = self.orbits[center], self.targets[number].place
        if isinstance(place, GroundStation):
            seen = self._daily(lambda a, b: passes(orbit, place, a, b).spans, stop)
            return seen.intersection(cloud_free_intervals(place, number, stop, self.seed))
        relay = geostationary_trajectory(place, days_since_j2000(orbit.epoch))
        reach = self._least(self.terminals.maximum_range, center)
        return self._daily(
            lambda a, b: intersatellite_contacts(
                lambda t: orbit.propagate(t).position, relay, a, b, maximum_range=reach
            ),
            stop,
        )

    def _outward(self, center: int, stop: float) -> list[_Duty]:
        """Outward contacts, the fastest target first."""
        if self._carried(center) == 0:
            return []
        duties, taken = [], _NOWHERE
        own = self._least(self.terminals.data_rate, center)
        rates = [min(own, target.data_rate) for target in self.targets]
        for number in sorted(range(len(rates)), key=lambda n: (-rates[n], n)):
            spans = self._target_spans(center, number, stop)
            free = spans.intersection(taken.gaps(0.0, stop))
            duties.append(_Duty(center, self._outward_terminal(center), free, rates[number]))
            taken = Intervals.union([taken, free])
        return duties

    def _between(self, link: tuple[int, int, int, int], away: Sequence[Intervals], stop: float) -> Intervals:
        """When two neighbours see each other and neither has its terminal turned outward."""
        a, b, terminal_a, terminal_b = link
        reach = self._least(self.terminals.maximum_range, a, b)
        seen = self._daily(
            lambda start, end: intersatellite_contacts(
                lambda t: self.orbits[a].propagate(t).position,
                lambda t: self.orbits[b].propagate(t).position,
                start,
                end,
                maximum_range=reach,
            ),
            stop,
        )
        for center, terminal in ((a, terminal_a), (b, terminal_b)):
            if terminal == self._outward_terminal(center):
                seen = seen.intersection(away[center].gaps(0.0, stop))
        return seen

    def reach(self, stop: float) -> None:
        """Find contacts up to `stop` [s] and beyond, for telemetry that arrives later."""
        if stop <= self._stop:
            return
        self._stop = SECONDS_PER_DAY * max(1, math.ceil(stop / SECONDS_PER_DAY))
        end = self._stop + LOOK_AHEAD
        outward = [self._outward(center, end) for center in self._centers]
        away = [Intervals.union(duty.seen for duty in duties) for duties in outward]
        duties = [duty for each in outward for duty in each]
        between: dict[tuple[int, int], Intervals] = {}
        for number, link in enumerate(self._links):
            a, b, terminal_a, terminal_b = link
            seen = between[a, b] = self._between(link, away, end)
            rate = self._least(self.terminals.data_rate, a, b)
            duties += [_Duty(a, terminal_a, seen, rate, number), _Duty(b, terminal_b, seen, rate, number)]
        self._tabulate([duty for duty in duties if len(duty.seen)], end)
        self._telemetry = [self._arrivals(c, outward, between, end) for c in self._centers]

    def _acquisition(self, center: int) -> float:
        members = self._members(center)
        return max(self.terminals.kinds[k].acquisition_time for k in self.terminals.kind[members])

    def _tabulate(self, duties: Sequence[_Duty], end: float) -> None:
        """Cut time where any terminal changes its state; keep the states between the cuts."""
        up = [duty.seen.shortened(self._acquisition(duty.sub_center)) for duty in duties]
        bounds = [edge for spans in (*(d.seen for d in duties), *up) for edge in (spans.start, spans.stop)]
        self._edges = np.unique(np.concatenate([np.array([0.0, end]), *bounds]))
        middle = 0.5 * (self._edges[1:] + self._edges[:-1])
        shape = (middle.size, len(duties))
        self._up = np.array([spans.contains(middle) for spans in up], float).reshape(shape[::-1]).T
        seen = np.array([duty.seen.contains(middle) for duty in duties], float).reshape(shape[::-1]).T
        self._acquiring = seen - self._up
        centers, terminal = (
            np.array([getattr(d, n) for d in duties], np.int64) for n in ("sub_center", "terminal")
        )
        self._duty_center = centers
        self._duty_link = np.array([d.link for d in duties], np.int64)
        self._takes_part = (self.sub_center[:, None] == centers) & (terminal < self.terminals.count[:, None])
        rates = np.array([duty.rate for duty in duties])
        self._rate = self._takes_part * np.minimum(rates, self.terminals.data_rate[:, None])

    # -- telemetry --------------------------------------------------------------------------------

    def _arrivals(
        self,
        center: int,
        outward: Sequence[Sequence[_Duty]],
        between: dict[tuple[int, int], Intervals],
        end: float,
    ) -> Floats:
        """Delay of the packets that a sub-center makes every `PACKET_INTERVAL`; infinite without an arrival [s]."""
        made = np.arange(0.0, end, PACKET_INTERVAL)
        ways, open_rates = [], []
        for other, reached in self._paths(center, between, end).items():
            for duty in outward[other]:
                spans = duty.seen.shortened(self._acquisition(other)).intersection(reached)
                if len(spans):
                    ways.append(spans)
                    open_rates.append(duty.rate)
        if not ways:
            return np.full(made.shape, np.inf)
        relayed = any(not isinstance(target.place, GroundStation) for target in self.targets)
        # Up to a geostationary relay and down; low orbits are milliseconds away.
        path = 2.0 * GEOSTATIONARY_RADIUS if relayed else 0.0
        # All modules of the plant may share the way down.
        bits = max(PACKET_INTERVAL * float(self.terminals.telemetry_rate.sum()), 1.0)
        return telemetry_delay_live_first(made, bits, Intervals.union(ways), min(open_rates), path).delay

    def _paths(
        self, center: int, between: dict[tuple[int, int], Intervals], end: float
    ) -> dict[int, Intervals]:
        """When every sub-center can be reached from `center` over links between neighbours."""
        neighbours: dict[int, list[tuple[int, Intervals]]] = {c: [] for c in self._centers}
        for (a, b), spans in between.items():
            neighbours[a].append((b, spans))
            neighbours[b].append((a, spans))
        paths = {center: Intervals(np.zeros(1), np.array([end]))}
        for first, spans in neighbours[center]:
            here, before, open_spans = first, center, spans
            while here != center and len(open_spans):
                paths[here] = Intervals.union([paths.get(here, _NOWHERE), open_spans])
                onward = [(c, s) for c, s in neighbours[here] if c != before]
                if not onward:
                    break
                before, (here, spans) = here, onward[0]
                open_spans = open_spans.intersection(spans)
        return paths

    @property
    def reports(self) -> bool:
        """Whether telemetry has a way to the ground: something to point at, and terminals."""
        return bool(self.targets) and bool(self.terminals.count.any())

    def telemetry_delay(self, time: float) -> Floats:
        """Delay of the telemetry made at `time` [s], infinite if it does not arrive, shape (sub_center,) [s]."""
        self.reach(time)
        packet = int(time / PACKET_INTERVAL + 1e-9)
        return np.array([delays[min(packet, delays.size - 1)] for delays in self._telemetry])

    # -- one tick ---------------------------------------------------------------------------------

    def tick(self, time: float, dt: float) -> RelayTick:
        """Return power, light and rate over a tick that starts at `time` [s] and lasts `dt` [s]."""
        self.reach(time + dt)
        first = int(np.searchsorted(self._edges, time, side="right")) - 1
        last = max(int(np.searchsorted(self._edges, time + dt, side="left")), first + 1)
        cut = np.clip(self._edges[first : last + 1], time, time + dt)
        share = np.diff(cut) / dt
        up, acquiring = share @ self._up[first:last], share @ self._acquiring[first:last]
        busy_up, busy_acquiring = self._takes_part @ up, self._takes_part @ acquiring
        standby = self.terminals.count - busy_up - busy_acquiring
        states = np.stack([np.zeros_like(standby), standby, busy_acquiring, busy_up], axis=1)
        power = np.einsum("ms,ms->m", states, self._electrical)
        light = np.einsum("ms,ms->m", states, self._light)
        light_share = np.divide(light, power, out=np.zeros_like(power), where=power > 0.0)
        return RelayTick(power, light_share, self._rate @ up, self._link_state(up))

    def _link_state(self, up: Floats) -> LinkState:
        """Rates of the links over a tick: what the terminals of both ends carry together."""
        carried = self._rate.sum(axis=0) * up
        outward = np.bincount(
            self._duty_center[self._duty_link < 0], carried[self._duty_link < 0], len(self.orbits)
        )
        rate = np.full(len(self._links), np.inf)
        inner = self._duty_link >= 0
        np.minimum.at(rate, self._duty_link[inner], carried[inner])
        pairs = np.array([link[:2] for link in self._links], np.int64).reshape(-1, 2)
        return LinkState(outward, pairs, np.where(np.isfinite(rate), rate, 0.0))
