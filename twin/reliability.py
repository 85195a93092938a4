"""Availability: lost work and checkpoints of synchronous jobs, retries, and capacity over the years.

A synchronous job stops when any of its cards fails or is interrupted, and goes on from its last checkpoint.
The rates come from `twin.failures`, the dose from `twin.radiation_dose`, the draws for a run from
`twin.card_events`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import lambertw

from twin.card_events import EventCalendar, event_calendar
from twin.failures import (
    ReliabilityParameters,
    SingleEventRates,
    capacity_fraction,
    single_event_rates,
    survival,
)
from twin.radiation_dose import (
    SUN_SYNCHRONOUS_DOSE,
    YEAR,
    DoseTable,
    proton_dose_rate,
    time_to_dose,
    trapped_dose_rate,
)

__all__ = [
    "CheckpointCosts",
    "MissionCapacity",
    "ModuleEnvironment",
    "capacity_over_mission",
    "daly_interval",
    "goodput",
    "job_interrupt_rate",
    "module_environment",
    "optimal_interval",
    "plant_calendar",
    "retry_factor",
    "young_interval",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CheckpointCosts:
    """Time that a synchronous job pays.

    Attributes
    ----------
    write : float
        Pause while a checkpoint is written [s].
    restart : float
        From an interrupt until the job runs again from its checkpoint [s].
    """

    write: float
    restart: float

    def __post_init__(self) -> None:
        if not (self.write >= 0.0 and self.restart >= 0.0):
            raise ValueError(
                f"checkpoint costs: write {self.write} s, restart {self.restart} s; expected values >= 0"
            )


def job_interrupt_rate(rate_per_card: ArrayLike, cards: ArrayLike, shared_rate: ArrayLike = 0.0) -> Floats:
    """Interrupts of a job that needs all of its cards: the sum of its cards' rates [1/s].

    Parameters
    ----------
    rate_per_card : array_like
        Failures and interrupts per card [1/s].
    cards : array_like of int
        Cards of the job.
    shared_rate : array_like, optional
        Events that stop the whole job: power, link [1/s].
    """
    return np.asarray(np.asarray(rate_per_card, float) * np.asarray(cards) + np.asarray(shared_rate, float))


def young_interval(write: ArrayLike, mean_time: ArrayLike) -> Floats:
    """First-order optimal computing time between checkpoints, ``sqrt(2 C M)`` [s].

    Parameters
    ----------
    write : array_like
        Time to write a checkpoint C [s].
    mean_time : array_like
        Mean time between interrupts M [s].

    Notes
    -----
    Young, Comm. ACM 17 (1974) 530.
    """
    return np.asarray(np.sqrt(2.0 * np.asarray(write, float) * np.asarray(mean_time, float)))


def daly_interval(write: ArrayLike, mean_time: ArrayLike) -> Floats:
    """Higher-order optimal computing time between checkpoints [s].

    Parameters
    ----------
    write, mean_time : array_like
        As in `young_interval` [s].

    Notes
    -----
    ``sqrt(2CM) [1 + sqrt(C/2M)/3 + (C/2M)/9] - C`` for C < 2M, else M: Daly, Future Generation Computer
    Systems 22 (2006) 303.
    """
    c, m = np.broadcast_arrays(np.asarray(write, float), np.asarray(mean_time, float))
    ratio = c / (2.0 * m)
    series = np.sqrt(2.0 * c * m) * (1.0 + np.sqrt(ratio) / 3.0 + ratio / 9.0) - c
    return np.asarray(np.where(ratio < 1.0, series, m))


def optimal_interval(write: ArrayLike, mean_time: ArrayLike) -> Floats:
    """Return the computing time between checkpoints that maximises `goodput`, exactly [s].

    Parameters
    ----------
    write, mean_time : array_like
        As in `young_interval` [s].

    Notes
    -----
    ``M [1 + W(-exp(-1 - C/M))]`` with Lambert's W solves ``(1 - t/M) exp((t + C)/M) = 1``, where the
    derivative of the run time of Daly (2006) vanishes.
    """
    c, m = np.broadcast_arrays(np.asarray(write, float), np.asarray(mean_time, float))
    return np.asarray(m * (1.0 + lambertw(-np.exp(-1.0 - c / m)).real))


def goodput(interval: ArrayLike, costs: CheckpointCosts, mean_time: ArrayLike) -> Floats:
    """Share of the time that becomes kept work.

    Parameters
    ----------
    interval : array_like
        Computing time between checkpoints t [s].
    costs : CheckpointCosts
        Write time C and restart time R.
    mean_time : array_like
        Mean time between interrupts M, which may also strike while restarting or writing [s].

    Returns
    -------
    ndarray
        Share in (0, 1].

    Notes
    -----
    ``t / [M exp(R/M) (exp((t + C)/M) - 1)]``: Daly (2006), complete model, for exponential interrupts.
    """
    t, m = np.broadcast_arrays(np.asarray(interval, float), np.asarray(mean_time, float))
    if not ((t > 0.0).all() and (m > 0.0).all()):
        raise ValueError("goodput: expected an interval and a mean time between interrupts above 0 s")
    with np.errstate(over="ignore"):
        cost = np.where(
            np.isinf(m), t + costs.write, m * np.exp(costs.restart / m) * np.expm1((t + costs.write) / m)
        )
    return np.asarray(t / cost)


def retry_factor(rate: ArrayLike, duration: ArrayLike) -> Floats:
    """Mean time spent on a request that starts again from nothing when it is struck, over its duration.

    Parameters
    ----------
    rate : array_like
        Interrupts while it runs [1/s].
    duration : array_like
        Undisturbed duration [s].

    Returns
    -------
    ndarray
        ``(exp(rate d) - 1) / (rate d)``, at least 1 (Daly 2006, one segment without checkpoint or restart).
    """
    x = np.asarray(rate, float) * np.asarray(duration, float)
    return np.asarray(np.where(x > 1e-12, np.expm1(x) / np.where(x > 1e-12, x, 1.0), 1.0))


@dataclass(frozen=True, eq=False)
class ModuleEnvironment:
    """Radiation that the cards of modules meet; arrays (module,) or scalars.

    Attributes
    ----------
    dose_rate : ndarray
        Behind the shielding, all particles [Gy/s].
    single_events : SingleEventRates
        Per card [1/s].
    """

    dose_rate: Floats
    single_events: SingleEventRates


def module_environment(
    parameters: ReliabilityParameters,
    altitude: ArrayLike,
    shielding: ArrayLike,
    table: DoseTable = SUN_SYNCHRONOUS_DOSE,
) -> ModuleEnvironment:
    """Dose and upset rates of cards at an altitude behind a shield.

    Parameters
    ----------
    parameters : ReliabilityParameters
        Kind of card.
    altitude : array_like
        Altitude [m].
    shielding : array_like
        Thickness of aluminium around the cards [m].
    table : DoseTable, optional
        Doses.

    Returns
    -------
    ModuleEnvironment
        Dose rate and single-event rates.

    Raises
    ------
    DoseRangeError
        If the table does not hold there.
    """
    protons = proton_dose_rate(altitude, table)
    return ModuleEnvironment(
        trapped_dose_rate(altitude, shielding, table), single_event_rates(parameters.single_events, protons)
    )


def plant_calendar(
    parameters: ReliabilityParameters,
    environment: ModuleEnvironment,
    cards_per_module: ArrayLike,
    age: ArrayLike,
    stop: float,
    seed: int,
) -> EventCalendar:
    """Events of all cards of a plant in ``[0, stop)``; see `twin.card_events.event_calendar`."""
    return event_calendar(
        parameters, environment.single_events, cards_per_module, age, environment.dose_rate, stop, seed
    )


@dataclass(frozen=True, eq=False)
class MissionCapacity:
    """What is left of the plant over its life; arrays (age,).

    Attributes
    ----------
    age : ndarray
        Age of the plant [s].
    dose : ndarray
        Dose of the cards, without margin [Gy].
    surviving : ndarray
        Share of the original cards that work [1].
    capacity : ndarray
        Share of card slots in service, spares used [1].
    interrupt_rate : ndarray
        Per card: failures and interrupts [1/s].
    checkpoint_interval : ndarray
        Best for the job [s].
    goodput : ndarray
        Share of the job's time that becomes kept work [1].
    within_dose_limit : ndarray of bool
        Whether the dose with design margin is below the first effects.
    """

    age: Floats
    dose: Floats
    surviving: Floats
    capacity: Floats
    interrupt_rate: Floats
    checkpoint_interval: Floats
    goodput: Floats
    within_dose_limit: NDArray[np.bool_]

    @property
    def useful_capacity(self) -> Floats:
        """Capacity times goodput [1]."""
        return np.asarray(self.capacity * self.goodput)


def capacity_over_mission(
    parameters: ReliabilityParameters,
    environment: ModuleEnvironment,
    years: Sequence[float] | Floats,
    cards_per_module: int,
    job_cards: int,
    costs: CheckpointCosts,
    design_margin: float = 2.0,
) -> MissionCapacity:
    """Capacity and goodput at given years of a plant of equal modules.

    Parameters
    ----------
    parameters : ReliabilityParameters
        Kind of card, spares.
    environment : ModuleEnvironment
        Radiation, scalars.
    years : sequence of float
        Ages [years of 365.25 days].
    cards_per_module : int
        Card slots of a module.
    job_cards : int
        Cards of the synchronous job whose goodput is wanted.
    costs : CheckpointCosts
        Checkpoint write and restart times.
    design_margin : float, optional
        Factor on the dose for the limit.

    Returns
    -------
    MissionCapacity
        Per age.
    """
    age = YEAR * np.asarray(years, dtype=float)
    rate = float(environment.dose_rate)
    # Failure rate over the following day: the bathtub's slope is infinite at age zero.
    day = 86_400.0
    alive = survival(parameters, age, rate)
    failures = np.log(alive / survival(parameters, age + day, rate)) / day
    interrupts = failures + parameters.other_interrupt_rate + float(environment.single_events.interrupts)
    mean_time = 1.0 / job_interrupt_rate(interrupts, job_cards)
    interval = optimal_interval(costs.write, mean_time)
    limit = time_to_dose(parameters.tolerance.first_effects, rate, design_margin)
    return MissionCapacity(
        age=age,
        dose=rate * age,
        surviving=alive,
        capacity=capacity_fraction(parameters, age, rate, cards_per_module),
        interrupt_rate=interrupts,
        checkpoint_interval=interval,
        goodput=goodput(interval, costs, mean_time),
        within_dose_limit=np.asarray(age <= limit),
    )
