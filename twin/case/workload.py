"""What the cards are asked to do."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from twin.case.base import Model, as_written, wrong
from twin.case.types import (
    Count,
    DataRate,
    Duration,
    Fraction,
    LocalTime,
    PositiveDuration,
    PositiveNumber,
    PositivePower,
)

__all__ = ["BaseJob", "BatchJob", "InferenceJob", "Job", "ReplayJob", "TrainingJob", "Workload"]


class BaseJob(Model):
    """What all jobs have."""

    name: str
    """Name."""
    cards: Count
    """Cards it runs on, all at once."""
    submit_time: Duration = as_written("0 s")
    """Enters the queue this long after mission start."""
    duration: PositiveDuration | None = None
    """Run time at full pace (default: to the end of the run)."""
    estimate: PositiveDuration | None = None
    """Run time that the scheduler is told (default: the duration)."""
    power_per_card: PositivePower | None = None
    """Power per card that admission reckons with (default: the card's cap)."""
    sub_center: str | None = None
    """Where it must run (default: anywhere)."""
    data_rate: DataRate = as_written("0 bit/s")
    """What a card at full work exchanges with the world outside its sub-center, through relay terminals."""
    restart_time: Duration = as_written("5 min")
    """From an interrupt until the job may run again from its last checkpoint; assumed."""


class TrainingJob(BaseJob):
    """Synchronous training: every card waits for the slowest."""

    kind: Literal["training"]
    compute_activity: Fraction = 0.95
    """Activity while computing; 1 is the densest kernel at full clock."""
    communication_activity: Fraction = 0.35
    """Activity while exchanging."""
    checkpoint_activity: Fraction = 0.1
    """Activity while writing a checkpoint."""
    iteration_time: PositiveDuration = as_written("2 s")
    """Length of one iteration."""
    communication_fraction: Fraction = 0.15
    """Share of the iteration spent exchanging."""
    checkpoint_interval: PositiveDuration = as_written("30 min")
    """From one checkpoint's start to the next."""
    checkpoint_duration: Duration = as_written("30 s")
    """Length of a checkpoint."""

    @model_validator(mode="after")
    def _shorter(self) -> TrainingJob:
        if self.checkpoint_duration >= self.checkpoint_interval:
            raise wrong(
                "is not shorter than checkpoint_interval",
                f"less than {self.checkpoint_interval:g} s",
                at=("checkpoint_duration",),
            )
        return self


class InferenceJob(BaseJob):
    """Independent requests that follow the time of day."""

    kind: Literal["inference"]
    replica_cards: Count = 8
    """Cards of a replica: losing one of them stops this replica, whose load the others take over."""
    live: bool = True
    """Whether requests come in and answers go out while they are served; else both wait on board for a pass."""
    mean_activity: Fraction = 0.5
    """Over a day."""
    daily_amplitude: Fraction = 0.35
    """Relative amplitude of the first harmonic of the day."""
    half_daily_amplitude: Fraction = 0.08
    """Relative amplitude of the second harmonic."""
    peak_time: LocalTime = as_written("14:00")
    """Time of day of the peak, UTC; hours."""

    @model_validator(mode="after")
    def _within(self) -> InferenceJob:
        swing = self.daily_amplitude + self.half_daily_amplitude
        if swing > 1.0 or self.mean_activity * (1.0 + swing) > 1.0:
            raise wrong(
                f"with amplitudes that add to {swing:g} leaves 0 to 1",
                "mean x (1 + amplitudes) up to 1",
                "lower the mean or the amplitudes",
                at=("mean_activity",),
            )
        return self


class BatchJob(BaseJob):
    """Constant activity."""

    kind: Literal["batch"]
    level: Fraction = 0.8
    """Activity."""


class ReplayJob(BaseJob):
    """A recorded activity."""

    kind: Literal["replay"]
    trace: str
    """File with the record, relative to the case file."""
    format: str | None = None
    """Format of the record (default: told from the file)."""
    speed: PositiveNumber = 1.0
    """Seconds of record per second of run."""
    repeat: bool = True
    """Whether the record starts again at its end."""


Job = Annotated[TrainingJob | InferenceJob | BatchJob | ReplayJob, Field(discriminator="kind")]


class Workload(Model):
    """Jobs of a run."""

    jobs: tuple[Job, ...] = ()
    """Jobs; cards without one are idle."""
    placement: Literal["in_order", "coolest", "most_power"] = "in_order"
    """Modules that a starting job takes first: as listed, with the coolest plates, with most power to spare."""
    power_budget: PositivePower | None = None
    """What running jobs may add up to by their `power_per_card` (default: no budget)."""
