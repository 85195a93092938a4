"""Switching activity of jobs over time.

A profile gives the mean activity of a job over an interval, integrated exactly, so that a tick of any length
sees the right energy: no sampling of swings that are faster than the tick. The time of a training profile is
the time since the job started; inference and traces follow the clock of the mission, because demand does.

Shapes follow published measurements: training alternates between computing at full power and waiting for
collectives, and drops for checkpoints [1]_; inference follows the daily demand of the people it serves [2]_.

References
----------
.. [1] P. Patel et al., "Characterizing Power Management Opportunities for LLMs in the Cloud", ASPLOS 2024.
.. [2] P. Patel et al., "Splitwise: Efficient generative LLM inference using phase splitting", ISCA 2024.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
DAY = 86400.0


def _share(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"activity: {name} is {value}, expected in [0, 1]")


@dataclass(frozen=True)
class TrainingActivity:
    """Synchronous training: iterations of computing and communicating, with checkpoint dips.

    Attributes
    ----------
    compute_activity, communication_activity, checkpoint_activity : float
        Activity in each phase [1].
    iteration_time : float
        Length of one iteration [s].
    communication_fraction : float
        Share of the iteration spent communicating [1].
    checkpoint_interval, checkpoint_duration : float
        Time from one checkpoint's start to the next, and its length [s].
    """

    compute_activity: float = 0.95
    communication_activity: float = 0.35
    checkpoint_activity: float = 0.1
    iteration_time: float = 2.0
    communication_fraction: float = 0.15
    checkpoint_interval: float = 1800.0
    checkpoint_duration: float = 30.0

    def __post_init__(self) -> None:
        for name in (
            "compute_activity",
            "communication_activity",
            "checkpoint_activity",
            "communication_fraction",
        ):
            _share(name, getattr(self, name))
        if not (self.iteration_time > 0.0 and self.checkpoint_interval > self.checkpoint_duration >= 0.0):
            raise ValueError(
                f"activity: iteration_time {self.iteration_time} s, checkpoint_interval "
                f"{self.checkpoint_interval} s, checkpoint_duration {self.checkpoint_duration} s; expected "
                f"iteration_time > 0 and interval > duration >= 0"
            )


@dataclass(frozen=True)
class InferenceActivity:
    """Serving a daily demand.

    ``a(t) = mean (1 + A1 cos(2 pi (t - peak) / day) + A2 cos(4 pi (t - peak) / day))``.

    Attributes
    ----------
    mean_activity : float
        Mean over a day [1].
    daily_amplitude, half_daily_amplitude : float
        Relative amplitude of the first and second harmonic of the day [1].
    peak_time : float
        Time of day of the peak [s after midnight UTC]. A demand spread over the globe has a small amplitude:
        the sum of regions weighted by their use.
    """

    mean_activity: float = 0.5
    daily_amplitude: float = 0.35
    half_daily_amplitude: float = 0.08
    peak_time: float = 50400.0

    def __post_init__(self) -> None:
        _share("mean_activity", self.mean_activity)
        swing = abs(self.daily_amplitude) + abs(self.half_daily_amplitude)
        if swing > 1.0 or self.mean_activity * (1.0 + swing) > 1.0:
            raise ValueError(
                f"activity: mean {self.mean_activity} with amplitudes {self.daily_amplitude} and "
                f"{self.half_daily_amplitude} leaves [0, 1]; lower the mean or the amplitudes"
            )

    @classmethod
    def from_regions(
        cls,
        mean_activity: float,
        regions: Sequence[tuple[float, float]],
        amplitude: float = 0.6,
        local_peak: float = 14.0,
    ) -> InferenceActivity:
        """Demand of several regions that peak at the same local time.

        Parameters
        ----------
        mean_activity : float
            Mean over a day [1].
        regions : sequence of (float, float)
            Longitude [rad] and weight [1] of each region.
        amplitude : float
            Relative daily amplitude within one region [1].
        local_peak : float
            Local solar hour of the peak [h].

        Returns
        -------
        InferenceActivity
            First harmonic of the weighted sum.
        """
        longitude, weight = np.asarray(regions, dtype=float).T
        peak = (local_peak * 3600.0 - longitude / (2.0 * np.pi) * DAY) / DAY * 2.0 * np.pi
        phasor = np.sum(weight * np.exp(1j * peak)) / np.sum(weight)
        return cls(
            mean_activity=mean_activity,
            daily_amplitude=float(amplitude * abs(phasor)),
            half_daily_amplitude=0.0,
            peak_time=float(np.angle(phasor) % (2.0 * np.pi) / (2.0 * np.pi) * DAY),
        )


@dataclass(frozen=True)
class BatchActivity:
    """Constant activity [1]."""

    level: float = 0.8

    def __post_init__(self) -> None:
        _share("level", self.level)


@dataclass(frozen=True)
class TraceActivity:
    """Recorded activity, constant from each time to the next.

    Attributes
    ----------
    times : ndarray, shape (sample + 1,)
        Edges of the intervals, strictly increasing [s].
    values : ndarray, shape (sample,)
        Activity in each interval [1].
    repeat : bool
        Whether the trace starts again at its end; otherwise its last value holds.
    """

    times: Floats
    values: Floats
    repeat: bool = True
    _integral: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        times, values = np.asarray(self.times, dtype=float), np.asarray(self.values, dtype=float)
        if times.ndim != 1 or values.shape != (times.size - 1,) or values.size == 0:
            raise ValueError(
                f"trace: {times.shape} times and {values.shape} values, expected n + 1 edges and n > 0 values"
            )
        if not (np.diff(times) > 0.0).all():
            bad = int(np.flatnonzero(np.diff(times) <= 0.0)[0])
            raise ValueError(
                f"trace: time {times[bad + 1]} s at index {bad + 1} does not follow {times[bad]} s"
            )
        if not ((values >= 0.0) & (values <= 1.0)).all():
            bad = int(np.flatnonzero(~((values >= 0.0) & (values <= 1.0)))[0])
            raise ValueError(f"trace: value {values[bad]} at index {bad}, expected in [0, 1]")
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "_integral", np.concatenate([[0.0], np.cumsum(values * np.diff(times))]))

    def integral(self, time: ArrayLike) -> Floats:
        """Integral of the activity from the first edge to `time` [s]."""
        t = np.asarray(time, dtype=float) - self.times[0]
        length = self.times[-1] - self.times[0]
        if self.repeat:
            rounds = np.floor(t / length)
            inside = np.interp(t - rounds * length, self.times - self.times[0], self._integral)
            return np.asarray(rounds * self._integral[-1] + inside)
        before = np.minimum(t, 0.0) * self.values[0]
        after = np.maximum(t - length, 0.0) * self.values[-1]
        return np.asarray(np.interp(t, self.times - self.times[0], self._integral) + before + after)


Profile = TrainingActivity | InferenceActivity | BatchActivity | TraceActivity


def _square_integral(time: Floats, period: Floats, low_time: Floats, low: Floats, high: Floats) -> Floats:
    """Integral from 0 of a wave that is `high`, then `low` for the last `low_time` of each period."""
    rounds = np.floor(time / period)
    phase = time - rounds * period
    high_time = period - low_time
    whole = high * high_time + low * low_time
    return rounds * whole + high * np.minimum(phase, high_time) + low * np.maximum(phase - high_time, 0.0)


class ActivityTable:
    """Profiles of many jobs, evaluated together.

    Parameters
    ----------
    profiles : sequence of Profile
        One per job.
    """

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self.size = len(profiles)
        self._training = np.array(
            [i for i, p in enumerate(profiles) if isinstance(p, TrainingActivity)], np.int64
        )
        self._inference = np.array(
            [i for i, p in enumerate(profiles) if isinstance(p, InferenceActivity)], np.int64
        )
        self._batch = np.array([i for i, p in enumerate(profiles) if isinstance(p, BatchActivity)], np.int64)
        self._traces = [(i, p) for i, p in enumerate(profiles) if isinstance(p, TraceActivity)]
        known = self._training.size + self._inference.size + self._batch.size + len(self._traces)
        if known != self.size:
            kinds = ", ".join(sorted({type(p).__name__ for p in profiles}))
            raise ValueError(f"activity: {self.size - known} profiles of unknown kind among {kinds}")
        self._columns = {
            name: np.array([getattr(profiles[i], name) for i in self._training], dtype=float)
            for name in TrainingActivity.__dataclass_fields__
        }
        # Replicas of a service share a profile that knows no start: each is evaluated once.
        served = [profiles[i] for i in self._inference]
        each = dict.fromkeys(served)
        place = {profile: k for k, profile in enumerate(each)}
        self._profile = np.array([place[profile] for profile in served], np.int64)
        self._columns |= {
            name: np.array([getattr(profile, name) for profile in each], dtype=float)
            for name in InferenceActivity.__dataclass_fields__
        }
        self._level = np.array([profiles[i].level for i in self._batch], dtype=float)

    def mean(self, time: float, duration: float, started: ArrayLike) -> Floats:
        """Mean activity of every job over ``[time, time + duration]``.

        Parameters
        ----------
        time : float
            Start of the interval, since midnight UTC of the first day [s].
        duration : float
            Length of the interval [s].
        started : array_like, shape (job,)
            When each job started, on the same clock [s].

        Returns
        -------
        ndarray, shape (job,)
            Mean activity [1].
        """
        out = np.zeros(self.size)
        out[self._batch] = self._level
        if self._training.size:
            elapsed = time - np.asarray(started, dtype=float)[self._training]
            out[self._training] = (self._worked(elapsed + duration) - self._worked(elapsed)) / duration
        if self._inference.size:
            mean = (self._served(time + duration) - self._served(time)) / duration
            out[self._inference] = mean[self._profile]
        for i, trace in self._traces:
            out[i] = (trace.integral(time + duration) - trace.integral(time)) / duration
        return np.clip(out, 0.0, 1.0)

    def _worked(self, elapsed: Floats) -> Floats:
        """Integral of the training activity since the start.

        Within the time outside checkpoints the iterations run on; a checkpoint stops their clock.
        """
        c = self._columns
        interval, dip = c["checkpoint_interval"], c["checkpoint_duration"]
        rounds = np.floor(elapsed / interval)
        phase = elapsed - rounds * interval
        training = rounds * (interval - dip) + np.minimum(phase, interval - dip)
        iteration = c["iteration_time"]
        worked = _square_integral(
            training,
            iteration,
            iteration * c["communication_fraction"],
            c["communication_activity"],
            c["compute_activity"],
        )
        return np.asarray(worked + c["checkpoint_activity"] * (elapsed - training))

    def _served(self, time: float) -> Floats:
        """Integral of the inference activity since midnight."""
        c = self._columns
        w = 2.0 * np.pi / DAY
        angle = w * (time - c["peak_time"])
        swing = c["daily_amplitude"] * np.sin(angle) + 0.5 * c["half_daily_amplitude"] * np.sin(2.0 * angle)
        return np.asarray(c["mean_activity"] * (time + swing / w))
