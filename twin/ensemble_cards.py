"""A few cards that stand for many: strata of manufacturing spread with weights, stepped by the kernels of the fleet.

A module of a study holds as many cards as in the plant, but only some dozens are computed for every job on it. They
lie at quantiles of *severity*, the factor on the junction's rise: strata of probability 0 to 99 %, 99 to 99.99 % and
beyond, so that a throttled share of 1e-4 is seen. Two cards more, without weight, are the hottest and the hungriest of
those that keep pace with each other: one of them sets the pace of their job. All modules hold the same cards: what
differs between samples is what was sampled.

A job whose hottest card is slowed by its temperature waits for it: the card-hours that all of its cards lose by that
are held back by temperature as much as those of the cards that are hot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from twin.compute import CardFleet, CardParameters, FleetTick

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

EDGES = (0.0, 0.99, 0.9999, 1.0)
"""Probabilities of severity between which the strata lie."""

SHARES = (0.75, 0.1875, 0.0625)
"""Share of the computed cards in each stratum."""

LEAST_CARDS = 16

_GOLDEN = 0.6180339887498949


@dataclass(frozen=True, eq=False)
class CardSample:
    """Cards that stand for a population with log-normal spread of power and junction resistance.

    Attributes
    ----------
    power_factor, resistance_factor : (card,) arrays
        Strata one after the other, then the hottest and the hungriest card.
    counts : (4,) int array
        Cards of each stratum, and these two.
    weights : (4,) array
        Share of the population that each stratum stands for; 0 for these two.
    """

    power_factor: Array
    resistance_factor: Array
    counts: Ints
    weights: Array

    @classmethod
    def of(cls, card: CardParameters, cards: int, population: int) -> CardSample:
        """Return the sample of a population.

        Parameters
        ----------
        card : CardParameters
            Kind of card, for its spreads.
        cards : int
            Cards to compute, the hottest one beside them.
        population : int
            Cards that they stand for; the hottest of them lies at probability 1 − 1/(2·population).

        Notes
        -----
        With log-normal factors f on power and g on resistance the rise of the junction goes nearly as f·g, so that
        severity is a normal variable in σ_f z₁ + σ_g z₂; what is orthogonal to it follows a golden-ratio sequence.
        """
        counts = np.maximum(np.round(np.array(SHARES) * max(cards, LEAST_CARDS)), 2).astype(np.int64)
        probability = [
            low + (high - low) * (np.arange(n) + 0.5) / n for low, high, n in zip(EDGES, EDGES[1:], counts)
        ]
        last = 1.0 - 0.5 / max(population, 1)
        probability.append(np.array([last, last]))
        severity = ndtri(np.concatenate(probability))
        across = ndtri((0.5 + _GOLDEN * np.arange(severity.size)) % 1.0)
        across[-2:] = 0.0
        spread = np.array([card.power_spread, card.resistance_spread])
        size = float(np.hypot(*spread))
        along = spread / size if size > 0.0 else np.array([1.0, 0.0])
        power = along[0] * severity - along[1] * across
        resistance = along[1] * severity + along[0] * across
        # The last card is extreme in power alone: the limit on power holds it back, not temperature.
        power[-1], resistance[-1] = severity[-1], 0.0
        return cls(
            np.exp(spread[0] * power - 0.5 * spread[0] ** 2),
            np.exp(spread[1] * resistance - 0.5 * spread[1] ** 2),
            np.append(counts, 2),
            np.append(np.diff(EDGES), 0.0),
        )


@dataclass(frozen=True, eq=False)
class CardLots:
    """Which jobs are on the cards of which rows; arrays (lot,).

    Attributes
    ----------
    row : int array
        Row (module) of each lot, ascending.
    job : int array
        Job on it, −1 for idle cards.
    pace : int array
        Cards of the same number wait for the slowest of them, −1 for idle cards: those of a job, or of a replica.
    share : array
        Share of the row's cards; those of a row sum to 1.
    population : int array
        Cards of a lot's pace in the plant, among which the hottest one is sought.
    """

    row: Ints
    job: Ints
    pace: Ints
    share: Array
    population: Ints


class SampledFleet:
    """The cards of many modules, each by its `CardSample`.

    After :meth:`advance`, `lot_throttled` is the share of the card-hours of each lot that temperature took: cards held
    back, or all of them waiting for the hottest.

    Parameters
    ----------
    cards : sequence of CardParameters
        One kind per row.
    cards_per_row : (row,) int array
        Cards of each module in the plant.
    lots : CardLots
    paces : int
        Number of paces.
    per_lot : int
        Cards computed for each lot.
    """

    def __init__(
        self,
        cards: Sequence[CardParameters],
        cards_per_row: Ints,
        lots: CardLots,
        paces: int,
        per_lot: int,
    ):
        self.lots, self.cards_per_row = lots, np.asarray(cards_per_row)
        self.rows, self.paces = len(cards), paces
        kinds: dict[tuple[CardParameters, int], int] = {}
        lot_kind = np.array(
            [kinds.setdefault((cards[r], int(n)), len(kinds)) for r, n in zip(lots.row, lots.population)]
        )
        samples = [CardSample.of(card, per_lot, population) for card, population in kinds]
        counts = samples[0].counts
        self.strata, self.weights = counts.size, samples[0].weights
        # Without a spread within a kind the factors of the fleet are 1, and the sample's are put in their place.
        even = [replace(card, power_spread=0.0, resistance_spread=0.0) for card, _ in kinds]
        self.fleet = CardFleet(even, np.tile(counts, lots.row.size), np.repeat(lot_kind, self.strata))
        table_power = np.stack([s.power_factor for s in samples])
        table_resistance = np.stack([s.resistance_factor for s in samples])
        self._power = table_power[lot_kind].ravel()
        self.fleet.resistance_factor[:] = table_resistance[lot_kind].ravel()
        self._resistance = self.fleet.resistance_factor.copy()
        self._per_lot = int(counts.sum())
        self._counts = np.tile(counts, lots.row.size)
        self.fleet.assign(np.repeat(lots.pace, self._per_lot).astype(np.int32), paces)
        self.vary(np.ones(self.rows), np.ones(self.rows))
        self.lot_throttled = np.zeros(lots.row.size)
        # The 99 % quantile lies between the last card of the first stratum and the first of the second.
        first, second = (float(ndtri(EDGES[1] + step)) for step in self._half_cells(counts))
        self._between = (float(ndtri(EDGES[1])) - first) / (second - first)

    @staticmethod
    def _half_cells(counts: Ints) -> tuple[float, float]:
        """Distance of the neighbouring cards from the edge of the first stratum, in probability."""
        first, second = (0.5 * (high - low) / n for low, high, n in zip(EDGES[:2], EDGES[1:3], counts))
        return -first, second

    def _p99(self) -> Array:
        """Junction temperature that 1 % of the cards of each lot exceed [K]."""
        cards = self.fleet.temperature.reshape(-1, self._per_lot)
        last = int(self._counts[0])
        return (1.0 - self._between) * cards[:, last - 1] + self._between * cards[:, last]

    def _waiting(self) -> Array:
        """Share of its pace that every lot loses because the hottest card of its pace is slower than the hungriest.

        Power holds back the hungriest card most: what the hottest one loses more than it, it loses by temperature.
        """
        extremes = self.fleet.mean_pace.reshape(-1, self._per_lot)[:, -2:].astype(float)
        busy = self.lots.pace >= 0
        lost = np.zeros(self.paces)
        np.maximum.at(lost, self.lots.pace[busy], (extremes[:, 1] - extremes[:, 0])[busy])
        return np.where(busy, lost[self.lots.pace], 0.0) if self.paces else np.zeros(busy.size)

    def vary(self, power: Array, resistance: Array) -> None:
        """Multiply power and junction resistance of all cards of a row, factors (row,)."""
        row = self.lots.row
        self.fleet.power_factor[:] = self._power * np.repeat(power[row], self._per_lot)
        self.fleet.resistance_factor[:] = self._resistance * np.repeat(resistance[row], self._per_lot)
        self.fleet._dt = 0.0  # the decay of the junctions is to be computed anew

    def start(self, temperature: Array) -> None:
        """Put the junctions of every row at a temperature [K], all cards on and unthrottled."""
        fleet = self.fleet
        fleet.temperature[:] = np.repeat(temperature[self.lots.row], self._per_lot)
        fleet.clock[:], fleet.mean_pace[:] = 1.0, 1.0
        fleet.restart_timer[:], fleet.mean_power[:] = 0.0, 0.0
        fleet.status[:] = 0
        fleet.job_pace[:] = 1.0

    def advance(self, dt: float, steps: int, activity: Array, plate: Array, cap: Array) -> FleetTick:
        """Advance all cards as `twin.compute.CardFleet.advance` does; the arrays of the result are by row.

        Parameters
        ----------
        dt : float
            Sub-step [s].
        steps : int
        activity : (steps, pace) array
        plate, cap : (row,) arrays
            Cold plates [K], and power that the cards of a row may draw [W]; every card may draw its share of it.
        """
        lots, strata = self.lots, self.strata
        row = np.repeat(lots.row, strata)
        per_card = (cap / self.cards_per_row)[row]
        tick = self.fleet.advance(dt, steps, activity, plate[row], per_card * self._counts)
        # Cards of the plant for which one computed card of a stratum stands.
        share = np.repeat(lots.share, strata) * np.tile(self.weights, lots.row.size)
        stand = share * self.cards_per_row[row] / self._counts

        def total(values: Array, weight: Array) -> Array:
            return np.bincount(row, weights=values * weight, minlength=self.rows)

        def fold(values: Array) -> Array:
            return values.reshape(-1, strata)

        self.lot_throttled = np.maximum(fold(tick.throttled_fraction_thermal) @ self.weights, self._waiting())
        hottest, upper, median = np.full((3, self.rows), -np.inf)
        np.maximum.at(hottest, lots.row, fold(tick.junction_temperature_max)[:, -1])
        np.maximum.at(upper, lots.row, self._p99())
        np.maximum.at(median, lots.row, fold(tick.junction_temperature_p50)[:, 0])
        return FleetTick(
            duration=tick.duration,
            power=total(tick.power, stand),
            heat_to_coolant=total(tick.heat_to_coolant, stand),
            stored_energy_change=total(tick.stored_energy_change, stand),
            throttled_fraction_thermal=total(tick.throttled_fraction_thermal, share),
            throttled_fraction_power=total(tick.throttled_fraction_power, share),
            failed_fraction=np.zeros(self.rows),
            junction_temperature_p50=median,
            junction_temperature_p99=upper,
            junction_temperature_max=hottest,
            cards_running=total(tick.cards_running, stand),
            work_done=total(tick.work_done, stand),
            work_asked=total(tick.work_asked, stand),
            job_pace=tick.job_pace,
            job_throughput=tick.job_throughput,
            junction_temperature_histogram=tick.junction_temperature_histogram,
        )
