"""A job: a gang of cards, how long it runs and what it asks of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from twin.activity import BatchActivity, InferenceActivity, Profile, TrainingActivity

Kind = Literal["training", "inference", "batch"]
_DEFAULT_PROFILE: dict[str, type[TrainingActivity] | type[InferenceActivity] | type[BatchActivity]] = {
    "training": TrainingActivity,
    "inference": InferenceActivity,
    "batch": BatchActivity,
}


@dataclass(frozen=True)
class Job:
    """A gang of cards that start, run and end together.

    Attributes
    ----------
    name : str
        Name of the job.
    kind : {"training", "inference", "batch"}
        What it is; sets the default activity.
    cards : int
        Cards that it needs, all at once.
    duration : float
        Run time at full pace; infinite for a service [s].
    submit_time : float
        When it enters the queue [s].
    estimate : float
        Run time that the scheduler is told; `duration` if not given [s].
    power_per_card : float
        Power per card that admission reckons with [W].
    activity : Profile
        Activity over time.
    data_rate : float
        What a card at full work exchanges with the world outside its sub-center [bit/s].
    restart_time : float
        From an interrupt until the job may start again [s].
    sub_center : int, optional
        Where it must run; anywhere if not given.
    service : int, optional
        Replicas of one service have the same number: those that run share the demand of all of them.
    """

    name: str
    kind: Kind
    cards: int
    duration: float = np.inf
    submit_time: float = 0.0
    estimate: float | None = None
    power_per_card: float = 0.0
    activity: Profile | None = field(default=None)
    data_rate: float = 0.0
    restart_time: float = 0.0
    sub_center: int | None = None
    service: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in _DEFAULT_PROFILE:
            raise ValueError(
                f"job '{self.name}': kind is '{self.kind}', expected training, inference or batch"
            )
        if self.cards < 1:
            raise ValueError(f"job '{self.name}': {self.cards} cards, expected at least 1")
        if not self.duration > 0.0 or np.isnan(self.submit_time) or not self.power_per_card >= 0.0:
            raise ValueError(
                f"job '{self.name}': duration {self.duration} s, submit_time {self.submit_time} s, "
                f"power_per_card {self.power_per_card} W; expected duration > 0, a time, and power >= 0"
            )
        if not (self.data_rate >= 0.0 and self.restart_time >= 0.0):
            raise ValueError(
                f"job '{self.name}': data_rate {self.data_rate} bit/s, restart_time {self.restart_time} s; "
                "expected values >= 0"
            )

    @property
    def profile(self) -> Profile:
        """The activity given, or the default of the kind."""
        return self.activity if self.activity is not None else _DEFAULT_PROFILE[self.kind]()


def replicas(job: Job, cards: int, service: int) -> list[Job]:
    """Split a service into replicas: losing a card takes one of them off its cards, and the others serve on.

    Parameters
    ----------
    job : Job
    cards : int
        Of a replica; the last one takes what is left over.
    service : int
        Number of the service.
    """
    whole, rest = divmod(job.cards, cards)
    sizes = [cards] * whole + ([rest] if rest else [])
    return [replace(job, cards=size, service=service) for size in sizes]
