"""How cards fail: infant, random, wear-out and dose failures; single events; capacity over the years.

Cards are alike and independent. The state of a card is its age in service and its dose, because a spare that
waits in the dark does not wear but is irradiated all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr

from twin.radiation_dose import COMMERCIAL_CARD, YEAR, DoseTolerance, dose_survival_hazard

__all__ = [
    "COMMERCIAL_SINGLE_EVENTS",
    "FLEET_GPU_FAILURE_RATE",
    "FLEET_OTHER_INTERRUPT_RATE",
    "RESISTANT_SINGLE_EVENTS",
    "HazardParameters",
    "ReliabilityParameters",
    "SingleEventParameters",
    "SingleEventRates",
    "capacity_fraction",
    "conditional_hazard",
    "cumulative_hazard",
    "fleet_rate",
    "single_event_rates",
    "survival",
    "time_of_hazard",
]

Floats = NDArray[np.float64]


def fleet_rate(events: float, cards: int, duration: float) -> float:
    """Events per card and second of an observed fleet [1/s].

    Parameters
    ----------
    events : float
        Events seen.
    cards : int
        Cards that ran.
    duration : float
        How long [s].
    """
    if not (events >= 0.0 and cards > 0 and duration > 0.0):
        raise ValueError(
            f"fleet rate: {events} events, {cards} cards, {duration} s; expected events >= 0, both others > 0"
        )
    return events / (cards * duration)


FLEET_GPU_FAILURE_RATE = fleet_rate(268, 16_384, 54 * 86_400.0)
"""GPU-caused interrupts per card [1/s], 11 % a year: 268 of 419 in 54 days on 16 384 H100 (Grattafiori et
al., "The Llama 3 herd of models", 2024, table 5)."""

FLEET_OTHER_INTERRUPT_RATE = fleet_rate(419 - 268, 16_384, 54 * 86_400.0)
"""Interrupts by hosts, network and software per card [1/s], from the same run."""


@dataclass(frozen=True)
class HazardParameters:
    """Bathtub of a card in service.

    ``S(t) = [p exp(-(t/a)^k) + 1 - p] exp(-r t - (t/b)^m)``: a weak share p dies early (Weibull, k < 1), all
    fail at random with rate r and wear out (Weibull, m > 1).

    Attributes
    ----------
    random_rate : float
        Rate of random failures r [1/s].
    weak_fraction : float
        Share of weak cards p [1].
    infant_scale, infant_shape : float
        Weibull scale a [s] and shape k of weak cards.
    wear_out_scale, wear_out_shape : float
        Weibull scale b [s] and shape m of wear-out.

    Notes
    -----
    Mixture and competing risks: Meeker and Escobar, Statistical Methods for Reliability Data (1998). The
    random rate is measured (`FLEET_GPU_FAILURE_RATE`), the rest assumed: 2 % of weak cards that go within
    months in spite of burn-in, and wear-out that takes 7 % by year five.
    """

    random_rate: float = FLEET_GPU_FAILURE_RATE
    weak_fraction: float = 0.02
    infant_scale: float = 60.0 * 86_400.0
    infant_shape: float = 0.7
    wear_out_scale: float = 12.0 * YEAR
    wear_out_shape: float = 3.0

    def __post_init__(self) -> None:
        if not (self.random_rate >= 0.0 and 0.0 <= self.weak_fraction < 1.0):
            raise ValueError(
                f"hazard: random_rate {self.random_rate} 1/s, weak_fraction {self.weak_fraction}; expected "
                "a rate >= 0 and a share in [0, 1)"
            )
        if not min(self.infant_scale, self.infant_shape, self.wear_out_scale, self.wear_out_shape) > 0.0:
            raise ValueError("hazard: Weibull scales and shapes must be above 0")


@dataclass(frozen=True)
class SingleEventParameters:
    """Single-event responses of a card per proton dose.

    Attributes
    ----------
    silent_errors, uncorrectable_memory_errors, functional_interrupts : float
        Events per dose [1/Gy].
    source : str
        Where they come from.
    """

    silent_errors: float
    uncorrectable_memory_errors: float
    functional_interrupts: float
    source: str = ""

    def __post_init__(self) -> None:
        if not min(self.silent_errors, self.uncorrectable_memory_errors, self.functional_interrupts) >= 0.0:
            raise ValueError("single events: negative events per dose, expected values >= 0")


COMMERCIAL_SINGLE_EVENTS = SingleEventParameters(
    silent_errors=8.75 / 1.5,
    uncorrectable_memory_errors=3.6 / 1.5,
    functional_interrupts=0.03 / 1.5,
    source="67 MeV protons on a datacenter accelerator, at 150 rad/yr (1.5 Gy/yr): 7.5 to 10 silent errors, "
    "3.6 uncorrectable memory errors and 0.03 functional interrupts per chip and year (arXiv 2511.19468)",
)
"""Accelerator as it is sold for use on the ground."""

RESISTANT_SINGLE_EVENTS = SingleEventParameters(
    silent_errors=8.75e-2 / 1.5,
    uncorrectable_memory_errors=3.6e-2 / 1.5,
    functional_interrupts=0.03e-2 / 1.5,
    source="assumed: hardened cells and interleaved codes take away 99 % of the commercial figures",
)
"""Hardened logic and memory."""


@dataclass(frozen=True)
class SingleEventRates:
    """Rates per card [1/s], arrays of any shape.

    Attributes
    ----------
    silent_errors : ndarray
        Wrong results that nothing reports.
    uncorrectable_memory_errors : ndarray
        Reported memory errors; the process dies.
    functional_interrupts : ndarray
        The chip hangs and is power-cycled.
    """

    silent_errors: Floats
    uncorrectable_memory_errors: Floats
    functional_interrupts: Floats

    @property
    def interrupts(self) -> Floats:
        """Events that stop the job [1/s]."""
        return np.asarray(self.uncorrectable_memory_errors + self.functional_interrupts)


def single_event_rates(parameters: SingleEventParameters, proton_dose_rate: ArrayLike) -> SingleEventRates:
    """Single-event rates in a proton field, proportional to its dose rate.

    Parameters
    ----------
    parameters : SingleEventParameters
        Kind of card.
    proton_dose_rate : array_like
        Dose rate of penetrating protons, `twin.radiation_dose.proton_dose_rate` [Gy/s].

    Returns
    -------
    SingleEventRates
        Per card [1/s], mean over orbits.
    """
    rate = np.asarray(proton_dose_rate, dtype=float)
    if not (np.isfinite(rate).all() and (rate >= 0.0).all()):
        raise ValueError("proton dose rate: negative or not finite, expected Gy/s >= 0")
    return SingleEventRates(
        rate * parameters.silent_errors,
        rate * parameters.uncorrectable_memory_errors,
        rate * parameters.functional_interrupts,
    )


@dataclass(frozen=True)
class ReliabilityParameters:
    """Everything that takes cards out of service.

    Attributes
    ----------
    hazard : HazardParameters
        Failures in service.
    tolerance : DoseTolerance
        Failures by dose.
    single_events : SingleEventParameters
        Upsets.
    other_interrupt_rate : float
        Interrupts per card that leave the card whole: host, network, software [1/s].
    spare_fraction : float
        Cold spares of a module over its cards [1].
    replacement_time : float
        From a failure until a spare has taken over [s].
    """

    hazard: HazardParameters = field(default_factory=HazardParameters)
    tolerance: DoseTolerance = COMMERCIAL_CARD
    single_events: SingleEventParameters = COMMERCIAL_SINGLE_EVENTS
    other_interrupt_rate: float = FLEET_OTHER_INTERRUPT_RATE
    spare_fraction: float = 0.05
    replacement_time: float = 600.0

    def __post_init__(self) -> None:
        if not (
            self.other_interrupt_rate >= 0.0 and self.spare_fraction >= 0.0 and self.replacement_time >= 0.0
        ):
            raise ValueError(
                f"reliability: other_interrupt_rate {self.other_interrupt_rate} 1/s, spare_fraction "
                f"{self.spare_fraction}, replacement_time {self.replacement_time} s; expected values >= 0"
            )

    def spares(self, cards: ArrayLike) -> NDArray[np.int64]:
        """Spares of modules with `cards` cards, rounded down."""
        return np.asarray(np.floor(self.spare_fraction * np.asarray(cards) + 1e-9), dtype=np.int64)


def cumulative_hazard(
    parameters: HazardParameters, tolerance: DoseTolerance, age: ArrayLike, dose: ArrayLike
) -> Floats:
    """Cumulative hazard ``-ln S`` of a card.

    Parameters
    ----------
    parameters : HazardParameters
        Bathtub.
    tolerance : DoseTolerance
        Failures by dose.
    age : array_like
        Time in service [s].
    dose : array_like
        Dose so far [Gy].

    Returns
    -------
    ndarray
        Cumulative hazard [1].
    """
    t = np.asarray(age, dtype=float)
    if (t < 0.0).any() or np.isnan(t).any():
        raise ValueError("age: negative or NaN, expected seconds >= 0")
    p = parameters.weak_fraction
    infant = -np.log1p(p * np.expm1(-((t / parameters.infant_scale) ** parameters.infant_shape)))
    wear = (t / parameters.wear_out_scale) ** parameters.wear_out_shape
    return np.asarray(infant + parameters.random_rate * t + wear + dose_survival_hazard(tolerance, dose))


def survival(parameters: ReliabilityParameters, age: ArrayLike, dose_rate: ArrayLike) -> Floats:
    """Share of cards that still work after `age` [s] of service under `dose_rate` [Gy/s], unreplaced [1]."""
    time = np.asarray(age, dtype=float)
    return np.exp(
        -cumulative_hazard(parameters.hazard, parameters.tolerance, time, time * np.asarray(dose_rate, float))
    )


def conditional_hazard(
    parameters: ReliabilityParameters,
    elapsed: ArrayLike,
    age: ArrayLike,
    dose: ArrayLike,
    dose_rate: ArrayLike,
) -> Floats:
    """Cumulative hazard of cards over `elapsed` [s] that began at `age` [s] with `dose` [Gy] [1]."""
    dt, t0, d0, rate = (np.asarray(v, dtype=float) for v in (elapsed, age, dose, dose_rate))
    hazard, tolerance = parameters.hazard, parameters.tolerance
    return np.asarray(
        cumulative_hazard(hazard, tolerance, t0 + dt, d0 + rate * dt)
        - cumulative_hazard(hazard, tolerance, t0, d0)
    )


def time_of_hazard(
    parameters: ReliabilityParameters,
    threshold: ArrayLike,
    limit: float,
    age: ArrayLike,
    dose: ArrayLike,
    dose_rate: ArrayLike,
) -> Floats:
    """Time at which cards have gathered a cumulative hazard; a card with an exponential threshold fails then.

    Parameters
    ----------
    parameters : ReliabilityParameters
        Kind of card.
    threshold : array_like, shape (n,)
        Cumulative hazard to be gathered [1].
    limit : float
        Longest time that is looked at [s].
    age, dose, dose_rate : array_like, shape (n,)
        Age [s] and dose [Gy] at the start, and dose rate [Gy/s].

    Returns
    -------
    ndarray, shape (n,)
        Time since the start, infinite where `limit` comes first [s].

    Notes
    -----
    Inversion of the cumulative hazard: Devroye, Non-Uniform Random Variate Generation (1986). Bisection,
    since the infant term has an infinite slope at age zero.
    """
    wanted = np.atleast_1d(np.asarray(threshold, dtype=float))
    start = [np.broadcast_to(np.asarray(v, dtype=float), wanted.shape) for v in (age, dose, dose_rate)]
    out = np.full(wanted.shape, np.inf)
    hit = np.flatnonzero(wanted <= conditional_hazard(parameters, limit, *start))
    if hit.size == 0:
        return out
    start = [v[hit] for v in start]
    # A bracket of a power of two, the same for every limit: its midpoints, and so the result, do not depend
    # on it.
    bracket = 2.0 ** max(34.0, np.ceil(np.log2(limit)))
    low, high = np.zeros(hit.size), np.full(hit.size, bracket)
    for _ in range(64):
        middle = 0.5 * (low + high)
        reached = conditional_hazard(parameters, middle, *start) >= wanted[hit]
        high = np.where(reached, middle, high)
        low = np.where(reached, low, middle)
    out[hit] = high
    return out


def capacity_fraction(
    parameters: ReliabilityParameters, age: ArrayLike, dose_rate: ArrayLike, cards: ArrayLike
) -> Floats:
    """Return the expected share of card slots in service, spares used up one by one.

    Spares age like cards in service here, which is on the safe side: cold ones last longer
    (`twin.card_events` draws those).

    Parameters
    ----------
    parameters : ReliabilityParameters
        Kind of card and share of spares.
    age : array_like
        Age of the module [s].
    dose_rate : array_like
        Behind its shielding [Gy/s].
    cards : array_like of int
        Card slots of the module.

    Returns
    -------
    ndarray
        Expected share in service [1].

    Notes
    -----
    n slots and s spares: W ~ Binomial(n + s, S) work and min(W, n) serve (k-out-of-n standby; Barlow and
    Proschan, Statistical Theory of Reliability and Life Testing, 1975).
    ``E min(W, n) = n - n F(n-1; n+s, S) + (n+s) S F(n-2; n+s-1, S)`` with the binomial distribution F.
    """
    n = np.asarray(cards, dtype=np.int64)
    if (n < 1).any():
        raise ValueError("capacity: expected at least one card per module")
    total = n + parameters.spares(n)
    alive = survival(parameters, age, dose_rate)
    n, total, alive = np.broadcast_arrays(n, total, alive)
    below = bdtr((n - 1).astype(float), total, alive)
    reduced = np.where(n >= 2, bdtr(np.maximum(n - 2, 0).astype(float), np.maximum(total - 1, 1), alive), 0.0)
    return np.asarray(np.clip((n - n * below + total * alive * reduced) / n, 0.0, 1.0))
