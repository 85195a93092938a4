"""The fleet of accelerator cards: power, clock and junction temperature of every card.

State is a structure of arrays over all cards (flat, contiguous per module); the equations are those of
:mod:`twin.card_model` and the compiled loops are in :mod:`twin.fleet_kernels`. Per sub-step of length ``dt``:

1. hardware slowdown (with hysteresis), shutdown and restart from the junction temperature;
2. the highest clock whose power stays within the card's share of the module cap, the card's own limit, and
   the power that would bring the junction to its target temperature at the end of the sub-step; below the
   lowest clock the card pauses part of the time, and a cap below its static power turns it off;
3. the junction relaxes exactly to the cold plate, ``T' = T_eq + (T - T_eq) exp(-dt / RC)``, ``T_eq = T_plate
   + R P``, stable for any ``dt``.

A synchronous job runs at the pace of its slowest card. Cards that wait for it keep a fraction of their
activity (``wait_activity_fraction``); the pace used for that is the one of the preceding call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin import fleet_kernels as kernels
from twin.card_kernels import COLUMNS
from twin.card_model import CARDS, CardParameters
from twin.counter_random import counter_normals

__all__ = ["CARDS", "CardFleet", "CardParameters", "FleetTick"]

Floats = NDArray[np.float64]
_NO_CAP = 1e30  # W; the kernels are compiled for finite numbers
_MAX_CHUNKS = 64  # fixed, so that work and results do not depend on the number of threads


@dataclass(frozen=True)
class FleetTick:
    """What the fleet did during one call of :meth:`CardFleet.advance`.

    Attributes
    ----------
    duration : float
        Length of the call [s].
    power : ndarray, shape (module,)
        Mean power that the cards draw from their supplies [W].
    heat_to_coolant : ndarray, shape (module,)
        Mean heat flow from the junctions to the cold plates [W].
    stored_energy_change : ndarray, shape (module,)
        Heat stored in the cards; ``power duration = heat duration + stored`` [J].
    throttled_fraction_thermal : ndarray, shape (module,)
        Share of the time of all cards during which a busy card was held back by temperature [1].
    throttled_fraction_power : ndarray, shape (module,)
        The same for the power cap or the card's own power limit [1].
    failed_fraction : ndarray, shape (module,)
        Share of the cards that are failed [1].
    junction_temperature_p50, junction_temperature_p99 : ndarray, shape (module,)
        Quantiles over the cards at the end of the call, good to half a histogram bin (0.125 K) [K].
    junction_temperature_max : ndarray, shape (module,)
        Hottest card at the end of the call, exact [K].
    cards_running : ndarray, shape (module,)
        Cards that were on for at least part of the call.
    work_done, work_asked : ndarray, shape (module,)
        Activity times pace, and activity, summed over the module's cards with a job [card].
    job_pace : ndarray, shape (job,)
        Slowest card's mean clock ratio, pauses counted as zero [1].
    job_throughput : ndarray, shape (job,)
        Pace times mean activity [1].
    junction_temperature_histogram : ndarray of int, shape (bin,)
        Cards per temperature bin at the end of the call, whole fleet; edges in
        :attr:`CardFleet.histogram_edges`.
    """

    duration: float
    power: Floats
    heat_to_coolant: Floats
    stored_energy_change: Floats
    throttled_fraction_thermal: Floats
    throttled_fraction_power: Floats
    failed_fraction: Floats
    junction_temperature_p50: Floats
    junction_temperature_p99: Floats
    junction_temperature_max: Floats
    cards_running: Floats
    work_done: Floats
    work_asked: Floats
    job_pace: Floats
    job_throughput: Floats
    junction_temperature_histogram: NDArray[np.int64] = field(repr=False)

    @property
    def throughput_fraction(self) -> Floats:
        """Work done over work asked per module; 1 where nothing is asked [1]."""
        out = np.ones_like(self.work_asked)
        np.divide(self.work_done, self.work_asked, out=out, where=self.work_asked > 0.0)
        return out


class CardFleet:
    """All cards of the plant as a structure of arrays.

    Parameters
    ----------
    parameters : CardParameters or sequence of CardParameters
        The kinds of card.
    cards_per_module : array_like of int, shape (module,)
        Cards in each module.
    card_class : array_like of int, shape (module,), optional
        Index into `parameters` for each module; all 0 by default.
    temperature : float or array_like, shape (module,), optional
        Junction temperature at the start [K].
    seed : int, optional
        Seed of the manufacturing spread. The spread of card i depends on (seed, i) only.

    Attributes
    ----------
    temperature, clock, mean_power, mean_pace, power_factor, resistance_factor : ndarray of float32, shape
    (card,)
        Junction temperature [K], clock ratio [1], power of the last call [W], clock times time on [1], and
        the manufacturing factors on power and junction resistance [1].
    status : ndarray of uint8, shape (card,)
        Bits: 1 hardware slowdown on, 2 failed.
    module_start : ndarray of int64, shape (module + 1,)
        Cards of module m are ``module_start[m]:module_start[m + 1]``.

    Raises
    ------
    ValueError
        If a count is negative, the class index is out of range or the shapes disagree.
    """

    def __init__(
        self,
        parameters: CardParameters | Sequence[CardParameters],
        cards_per_module: ArrayLike,
        card_class: ArrayLike | None = None,
        temperature: ArrayLike = 300.0,
        seed: int = 0,
    ) -> None:
        self.parameters = (parameters,) if isinstance(parameters, CardParameters) else tuple(parameters)
        if not self.parameters:
            raise ValueError("card fleet: no card parameters, expected at least one kind of card")
        counts = np.atleast_1d(np.asarray(cards_per_module, dtype=np.int64))
        if counts.ndim != 1 or (counts < 0).any():
            raise ValueError(
                f"card fleet: cards_per_module is {cards_per_module!r}, expected counts >= 0, one per module"
            )
        self.module_start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        n_modules, n_cards = counts.size, int(self.module_start[-1])
        self.card_class = np.zeros(n_modules, np.int64)
        if card_class is not None:
            self.card_class[:] = np.broadcast_to(np.asarray(card_class, dtype=np.int64), (n_modules,))
        if n_modules and not (self.card_class.min() >= 0 and self.card_class.max() < len(self.parameters)):
            raise ValueError(
                f"card fleet: card_class holds {self.card_class.min()}..{self.card_class.max()}, "
                f"expected 0..{len(self.parameters) - 1}"
            )
        self.seed = int(seed)
        self._table = np.array([[getattr(p, c) for c in COLUMNS] for p in self.parameters], np.float32)
        start = np.broadcast_to(np.asarray(temperature, dtype=float), (n_modules,))
        self.temperature = np.repeat(start, counts).astype(np.float32)
        self.clock = np.ones(n_cards, np.float32)
        self.restart_timer = np.zeros(n_cards, np.float32)
        self.status = np.zeros(n_cards, np.uint8)
        self.mean_power = np.zeros(n_cards, np.float32)
        self.mean_pace = np.ones(n_cards, np.float32)
        self.power_factor = self._spread(counts, "power_spread", stream=1)
        self.resistance_factor = self._spread(counts, "resistance_spread", stream=2)
        self._dt = 0.0
        self._decay = np.empty(n_cards, np.float32)
        self._gain = np.empty(n_cards, np.float32)
        self.assign(np.full(n_cards, -1, np.int32), jobs=0)

    def _spread(self, counts: NDArray[np.int64], name: str, stream: int) -> NDArray[np.float32]:
        """Log-normal factors with mean 1."""
        sigma = np.repeat(np.array([getattr(p, name) for p in self.parameters])[self.card_class], counts)
        normal = counter_normals(self.seed, stream, sigma.size)
        return np.exp(sigma * normal - 0.5 * sigma**2).astype(np.float32)

    @property
    def modules(self) -> int:
        """Number of modules."""
        return self.module_start.size - 1

    @property
    def cards(self) -> int:
        """Number of cards."""
        return int(self.module_start[-1])

    @property
    def histogram_edges(self) -> Floats:
        """Edges of the bins of the temperature histogram, shape (bin + 1,) [K]."""
        bins = np.arange(kernels.HISTOGRAM_BINS + 1, dtype=float)
        return np.asarray(kernels.HISTOGRAM_START + kernels.HISTOGRAM_WIDTH * bins)

    def assign(self, job_of_card: ArrayLike, jobs: int) -> None:
        """Place jobs on cards.

        Parameters
        ----------
        job_of_card : array_like of int, shape (card,)
            Index of the job on each card, -1 for none.
        jobs : int
            Number of jobs; indices are below it.

        Raises
        ------
        ValueError
            If the shape is wrong or an index is out of range.
        """
        job = np.ascontiguousarray(job_of_card, dtype=np.int32)
        if job.shape != (self.cards,):
            raise ValueError(f"job_of_card: shape {job.shape}, expected ({self.cards},), one entry per card")
        if job.size and not (job.min() >= -1 and job.max() < jobs):
            raise ValueError(f"job_of_card: indices {job.min()}..{job.max()}, expected -1..{jobs - 1}")
        previous = getattr(self, "job_pace", np.ones(1, np.float32))
        self.job_of_card = job
        self.jobs = int(jobs)
        # The pace of a job that goes on is kept; the last entry belongs to empty cards.
        self.job_pace = np.ones(self.jobs + 1, np.float32)
        kept = min(previous.size - 1, self.jobs)
        self.job_pace[:kept] = previous[:kept]
        change = np.ones(self.cards + 1, bool)
        change[1:-1] = job[1:] != job[:-1]
        change[self.module_start] = True
        self._run_start = np.flatnonzero(change).astype(np.int64)
        self._run_job = job[self._run_start[:-1]]
        self._run_of_module = np.searchsorted(self._run_start, self.module_start).astype(np.int64)
        self._run_module = np.repeat(np.arange(self.modules), np.diff(self._run_of_module))

    def fail(self, cards: ArrayLike) -> None:
        """Mark cards as failed: they draw nothing and stop their job until repaired or replaced."""
        self.status[np.asarray(cards)] |= kernels.FAILED

    def repair(self, cards: ArrayLike) -> None:
        """Bring failed cards back."""
        self.status[np.asarray(cards)] &= np.uint8(0xFF ^ kernels.FAILED)

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Failed cards, shape (card,)."""
        return (self.status & kernels.FAILED) != 0

    def _set_step(self, dt: float) -> None:
        """Decay and gain of the junction for a sub-step, kept while `dt` does not change."""
        if dt == self._dt:
            return
        counts = np.diff(self.module_start)
        resistance = np.array([p.junction_resistance for p in self.parameters])[self.card_class]
        capacity = np.array([p.junction_heat_capacity for p in self.parameters])[self.card_class]
        per_card = np.repeat(resistance, counts).astype(np.float32) * self.resistance_factor
        fraction = -np.expm1(-dt / (per_card.astype(np.float64) * np.repeat(capacity, counts)))
        self._decay[:] = 1.0 - fraction
        self._gain[:] = per_card * fraction
        self._dt = dt

    def advance(
        self,
        dt: float,
        steps: int,
        activity: ArrayLike,
        plate_temperature: ArrayLike,
        power_cap: ArrayLike = np.inf,
        plate_temperature_rise: ArrayLike = 0.0,
    ) -> FleetTick:
        """Advance every card by `steps` sub-steps of `dt`.

        Parameters
        ----------
        dt : float
            Length of a sub-step [s].
        steps : int
            Number of sub-steps.
        activity : array_like, shape (job,) or (steps, job)
            Switching activity of each job, 0 to 1 [1].
        plate_temperature : array_like, shape (module,)
            Mean temperature of the cold plates of a module [K].
        power_cap : array_like, shape (module,), optional
            Cap on the power of all cards of a module [W].
        plate_temperature_rise : array_like, shape (module,), optional
            Rise of plate temperature from the first to the last card of a module (coolant warms on its way)
            [K].

        Returns
        -------
        FleetTick
            Means, quantiles and sums over the call.

        Raises
        ------
        ValueError
            If an argument has the wrong shape, is not finite, or is out of range.
        """
        if not (dt > 0.0 and steps >= 1):
            raise ValueError(f"advance: dt {dt} s, steps {steps}, expected dt > 0 and steps >= 1")
        asked = np.atleast_2d(np.asarray(activity, dtype=np.float32))
        if asked.shape not in {(1, self.jobs), (steps, self.jobs)}:
            raise ValueError(
                f"activity: shape {np.shape(activity)}, expected ({self.jobs},) or ({steps}, {self.jobs})"
            )
        if asked.size and not (asked.min() >= 0.0 and asked.max() <= 1.0):
            raise ValueError(f"activity: values {asked.min()}..{asked.max()}, expected 0..1")
        padded = np.zeros((asked.shape[0], self.jobs + 1), np.float32)
        padded[:, :-1] = asked
        plate = self._per_module(plate_temperature, "plate_temperature", lowest=1.0)
        rise = self._per_module(plate_temperature_rise, "plate_temperature_rise", lowest=-np.inf)
        cap = np.ascontiguousarray(np.broadcast_to(np.asarray(power_cap, dtype=float), (self.modules,)))
        if np.isnan(cap).any() or (cap < 0.0).any():
            raise ValueError("power_cap: negative or NaN, expected watts >= 0 (inf for no cap)")
        cap = np.minimum(cap, _NO_CAP)
        self._set_step(float(dt))
        chunks = max(1, min(_MAX_CHUNKS, self.modules))
        out = np.zeros((self.modules, 10))
        run_pace = np.zeros(self._run_job.size, np.float32)
        histogram = np.zeros((chunks, kernels.HISTOGRAM_BINS), np.int64)
        kernels.advance_fleet(
            self._table, self.card_class, self.module_start, self._run_start, self._run_of_module,
            self.temperature, self.clock, self.restart_timer, self.status,
            self.power_factor, self._decay, self._gain, self.job_of_card,
            padded, padded.max(axis=0), self.job_pace,
            plate.astype(np.float32), rise.astype(np.float32), cap, np.float32(dt), int(steps), chunks,
            self.mean_power, self.mean_pace, out, run_pace, histogram,
        )  # fmt: skip
        mean_activity = padded.mean(axis=0, dtype=np.float64)
        job_pace, has_cards, done, wanted = kernels.reduce_runs(
            self._run_job,
            np.diff(self._run_start),
            run_pace,
            self._run_module,
            mean_activity,
            self.jobs,
            self.modules,
        )
        # A job without cards starts at full pace.
        self.job_pace = np.where(has_cards, job_pace, 1.0).astype(np.float32)
        duration = dt * steps
        energy, stored = out[:, 0], out[:, 1]
        counts = np.maximum(np.diff(self.module_start), 1)
        return FleetTick(
            duration=duration,
            power=energy / duration,
            heat_to_coolant=(energy - stored) / duration,
            stored_energy_change=stored,
            throttled_fraction_thermal=out[:, 2] / (counts * steps),
            throttled_fraction_power=out[:, 3] / (counts * steps),
            failed_fraction=out[:, 4] / counts,
            junction_temperature_p50=out[:, 5],
            junction_temperature_p99=out[:, 6],
            junction_temperature_max=out[:, 7],
            cards_running=out[:, 8],
            work_done=done,
            work_asked=wanted,
            job_pace=job_pace[:-1],
            job_throughput=job_pace[:-1] * mean_activity[:-1],
            junction_temperature_histogram=histogram.sum(axis=0),
        )

    def _per_module(self, values: ArrayLike, name: str, lowest: float) -> Floats:
        array = np.broadcast_to(np.asarray(values, dtype=float), (self.modules,))
        if not np.isfinite(array).all() or (array < lowest).any():
            bad = int(np.flatnonzero(~np.isfinite(array) | (array < lowest))[0])
            raise ValueError(f"{name}: module {bad} has {array[bad]}, expected a finite value >= {lowest}")
        return np.ascontiguousarray(array)
