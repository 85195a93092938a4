"""What the samples of a study did in the orbit that counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.compute import FleetTick
from twin.ensemble_cards import CardLots
from twin.ensemble_kinds import Kind
from twin.group_tick import GroupTick

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OrbitOutcome:
    """What the samples did in the orbit that counts; arrays (sample, kind) unless said otherwise.

    Attributes
    ----------
    throttled : array
        Share of card time held back by temperature, that of cards which wait for a hotter one of their job included.
    throttled_power : array
        Share of card time held back by power.
    throttled_job : (sample, job) array
        As `throttled`, for the cards of each job; 0 for jobs that are not in the sub-center.
    junction_p99, junction_max : array
        Highest junction temperature that 1 % of the cards exceed, and of the hottest card [K].
    supply_max, return_max : array
        Highest temperatures of the coolant [K].
    panel_min, panel_max : array
        Coldest and hottest of the radiator [K].
    coolant_min : array
        Coldest coolant at the radiator's outlets [K].
    heat_rejected, card_power, heat_to_coolant, absorbed : array
        Means over the orbit [W]; absorbed by the radiator.
    soc_min : array
        Lowest charge of the batteries.
    margin_min : array
        Lowest radiator margin.
    work : array
        Work done over work asked.
    bypass_min : array
        Smallest share of the coolant past the radiator.
    lost : array of bool
        Whether the coolant left the range of the reduced model: far too small a radiator.
    residual : float
        Of the energy ledger.
    """

    throttled: Array
    throttled_power: Array
    throttled_job: Array
    junction_p99: Array
    junction_max: Array
    supply_max: Array
    return_max: Array
    panel_min: Array
    panel_max: Array
    coolant_min: Array
    heat_rejected: Array
    card_power: Array
    heat_to_coolant: Array
    absorbed: Array
    soc_min: Array
    margin_min: Array
    work: Array
    bypass_min: Array
    lost: NDArray[np.bool_]
    residual: float


@dataclass(frozen=True, eq=False)
class FleetWatch:
    """What happened in a tick: throttled share and power of the cards by row, and the modules by kind."""

    throttled: Array
    card_power: Array
    groups: tuple[GroupTick, ...]


@dataclass
class OrbitRecord:
    """Extremes and means over the orbit that counts.

    Attributes
    ----------
    kinds : tuple of Kind
    samples : int
    jobs : int
        Jobs of the case.
    lots : CardLots
    """

    kinds: tuple[Kind, ...]
    samples: int
    jobs: int
    lots: CardLots
    length: float = 0.0
    means: dict[str, Array] = field(default_factory=dict)
    highest: dict[str, Array] = field(default_factory=dict)
    lowest: dict[str, Array] = field(default_factory=dict)
    throttled_lots: Array | float = 0.0

    def add(self, dt: float, cards: FleetTick, lot_throttled: Array, done: Sequence[GroupTick]) -> None:
        """Take a tick of length `dt` [s] in."""

        def joined(value: Callable[[GroupTick], ArrayLike]) -> Array:
            return np.concatenate([np.asarray(value(d), dtype=float) for d in done])

        def place(name: str) -> Array:
            return joined(lambda d: d.thermal.temperatures[name])

        means = {
            "throttled": np.bincount(self.lots.row, lot_throttled * self.lots.share, cards.power.size),
            "throttled_power": cards.throttled_fraction_power,
            "card_power": cards.power,
            "done": cards.work_done,
            "asked": cards.work_asked,
            "heat_rejected": joined(lambda d: d.thermal.heat_rejected),
            "heat_to_coolant": joined(lambda d: d.thermal.coolant_heat),
            "absorbed": joined(lambda d: d.thermal.absorbed),
        }
        highest = {
            "junction_p99": cards.junction_temperature_p99,
            "junction_max": cards.junction_temperature_max,
            "supply_max": place("supply"),
            "return_max": place("return"),
            "panel_max": place("panel_max"),
        }
        lowest = {
            "panel_min": place("panel_min"),
            "coolant_min": place("radiator_outlet"),
            "soc_min": joined(lambda d: d.battery.state.state_of_charge),
            "margin_min": joined(lambda d: d.margin),
            "bypass_min": joined(lambda d: d.thermal.bypass_fraction),
        }
        self.length += dt
        for name, value in means.items():
            self.means[name] = self.means.get(name, 0.0) + dt * value
        for name, value in highest.items():
            self.highest[name] = np.maximum(self.highest.get(name, value), value)
        for name, value in lowest.items():
            self.lowest[name] = np.minimum(self.lowest.get(name, value), value)
        self.throttled_lots = self.throttled_lots + dt * lot_throttled

    def outcome(self, lost: NDArray[np.bool_], residual: float) -> OrbitOutcome:
        """Return what was seen; `lost` by row."""

        def shaped(values: Array) -> Array:
            return np.asarray(values).reshape(len(self.kinds), self.samples).T

        means = {name: shaped(value / self.length) for name, value in self.means.items()}
        done, asked = means.pop("done"), means.pop("asked")
        work = np.divide(done, asked, out=np.ones_like(done), where=asked > 0.0)
        extremes = {name: shaped(values) for name, values in (self.highest | self.lowest).items()}
        return OrbitOutcome(
            **means,
            **extremes,
            throttled_job=self._by_job(),
            work=work,
            lost=lost.reshape(len(self.kinds), self.samples).T,
            residual=residual,
        )

    def _by_job(self) -> Array:
        """Throttled share of the cards of each job, shape (sample, job)."""
        lots, size = self.lots, self.samples * self.jobs
        counts = np.array([kind.count * kind.design.racks.cards for kind in self.kinds], dtype=float)
        weight = lots.share * counts[lots.row // self.samples]
        busy = lots.job >= 0
        share = np.asarray(self.throttled_lots / self.length) * weight
        total, held = (np.bincount(lots.job[busy], v[busy], minlength=size) for v in (share, weight))
        out = np.divide(total, held, out=np.zeros(size), where=held > 0.0)
        return out.reshape(self.samples, self.jobs)
