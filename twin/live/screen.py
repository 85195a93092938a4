"""Which readings are not to be believed, and whether a sensor lies or the plant has changed.

Readings are looked at one by one (range, rate, stuck), within a cycle (spikes) and against the ensemble: an
innovation that leaving out one or two sensors explains is theirs; one that no sensor explains is the plant's, and the
filter is told to look for parameters anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from twin.assimilation import Innovation
from twin.live.align import Bin
from twin.live.filter import Comparison, SubCenterFilter
from twin.live.sensors import NAMES, SensorTable

Array = NDArray[np.float64]

STUCK_TIME = 90.0
"""How long a noisy sensor may repeat the very same number [s]."""

SUSPECT = 5.0
"""Standard deviations from what all other sensors say at which a sensor is left out of a cycle."""

LASTING, LASTING_MEMORY = 3.5, 5.0
"""Mean departure from all others, in standard deviations over about so many cycles, at which a sensor is left out
although no single cycle shows it."""

STRIKES = 4
"""Cycles in a row after which a suspect is called faulty."""

CALM = 10
"""Cycles in a row without complaint after which a faulty sensor is believed again."""

SPIKES, QUICK_SPIKES = 1.5, 3.0
"""Wild readings, those of long ago and those not far off counting less, at which a sensor is called spiking: the first
one that is plainly impossible, or the second within seven minutes; more where loads and the Sun make honest readings
jump."""

LEAP = 3.0
"""For how many wild readings one counts that went faster than the quantity can change, and came back."""

SPIKE_MEMORY = 600.0
"""[s]."""

INCONSISTENT = 1e-6
"""Chance of innovations of a module that must be explained."""

EXPLAINED = 1e-3
"""Chance of what is left at which an explanation is good enough."""

REOPEN_AGAIN = 10
"""Cycles after which parameters may be opened once more."""

SETTLED = 600.0
"""Time from the start of a model until what does not fit is a change of the plant [s]."""

PRIOR_ODDS = 1e-4
"""Of a fault of a given sensor in a given cycle, for the confidence of alarms."""


class SensorFault(IntEnum):
    """What is wrong with a sensor."""

    NONE = 0
    RANGE = 1
    STUCK = 2
    SPIKES = 3
    DISAGREES = 4
    SILENT = 5


@dataclass(frozen=True)
class Judgement:
    """What a cycle showed.

    Attributes
    ----------
    excluded : (module, sensor) bool array
        Sensors to be left out of the analysis.
    changed : (module,) bool array
        Modules whose plant changed: their parameters must be found anew.
    scaled : (module, sensor) array
        Innovations in standard deviations, all sensors.
    """

    excluded: NDArray[np.bool_]
    changed: NDArray[np.bool_]
    scaled: Array


@dataclass
class Screen:
    """Memory of the screening of a sub-center.

    Attributes
    ----------
    table : SensorTable
    spikes : float or (sensor,) array
        Wild readings at which a sensor is called spiking.
    parts : (sensor,) int array, optional
        Part of the plant that each sees; all different ones unless given.
    fault : (module, sensor) int array
        See `SensorFault`.
    since : (module, sensor) array
        Start of the fault [s], NaN without.
    evidence : (module, sensor) array
        Half the sum of squared departures of suspects, the logarithm of a likelihood ratio.
    departure : (module, sensor) array
        By how much a faulty sensor is off, in its unit.
    """

    table: SensorTable
    spikes: Array | float = SPIKES
    parts: NDArray[np.int64] | None = None
    fault: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        shape, size = self.table.place.shape, self.table.size
        self._part = np.arange(shape[1]) if self.parts is None else self.parts
        self.fault = np.zeros(shape, dtype=np.int64)
        self.since = np.full(shape, np.nan)
        self.evidence, self.departure = np.zeros(shape), np.zeros(shape)
        self.lasting = np.zeros(shape)
        self.strikes, self.calm = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        self.reopened = np.full(shape[0], -REOPEN_AGAIN, dtype=np.int64)
        self.cycle = 0
        self.last_value, self.last_time = np.full(size, np.nan), np.full(size, np.nan)
        self.same_since, self.same_count = np.full(size, np.nan), np.zeros(size, dtype=np.int64)
        self.out_of_range, self.wild = np.zeros(size, dtype=np.int64), np.zeros(size)
        self.jumped, self.leapt = np.zeros(size, dtype=bool), np.full(size, np.nan)
        self.readings_refused = 0

    # -- one by one -------------------------------------------------------------------------------

    def clean(self, seen: Bin, time: float, span: float) -> Array:
        """Return the readings of a tick (parameter,), those that cannot be as NaN.

        Parameters
        ----------
        seen : Bin
        time, span : float
            End and length of the tick [s].
        """
        table, value = self.table, seen.value.copy()
        there = np.isfinite(value)
        outside = there & ((value < table.low) | (value > table.high))
        self.out_of_range = np.where(outside, self.out_of_range + 1, np.where(there, 0, self.out_of_range))
        with np.errstate(invalid="ignore"):
            jump = (
                np.abs(value - self.last_value) > table.rate * (time - self.last_time) + 8.0 * table.all_noise
            )
        # What stays after a jump is no glitch: only the first reading is refused.
        inside = there & ~outside
        with np.errstate(invalid="ignore"):
            back = self.jumped & inside & (np.abs(value - self.last_value) < np.abs(value - self.leapt))
        jump &= inside & ~self.jumped
        self.jumped, self.leapt = jump, np.where(jump, value, np.nan)
        same = there & (seen.last == self.last_value) & (table.all_noise > 0.0)
        self.same_since = np.where(
            same, np.where(np.isnan(self.same_since), self.last_time, self.same_since), np.nan
        )
        self.same_since = np.where(there, self.same_since, np.nan)
        self.same_count = np.where(same, self.same_count + 1, 0)
        good = there & ~jump & ~outside
        self.last_value = np.where(good, seen.last, self.last_value)
        self.last_time = np.where(good, seen.time, self.last_time)
        self.wild = self.wild * np.exp(-span / SPIKE_MEMORY) + seen.wild + LEAP * back
        value[outside | jump] = np.nan
        self.readings_refused += int(outside.sum() + jump.sum() + seen.wild.sum())
        return value

    def stuck(self, time: float) -> NDArray[np.bool_]:
        """Whether a parameter has repeated the very same reading for too long, (parameter,)."""
        with np.errstate(invalid="ignore"):
            return (time - self.same_since >= STUCK_TIME) & (self.same_count >= 4)

    # -- together ---------------------------------------------------------------------------------

    def judge(self, filter_: SubCenterFilter, compared: Comparison, time: float) -> Judgement:
        """Decide which sensors are believed in a cycle and which modules have changed.

        Parameters
        ----------
        filter_ : SubCenterFilter
            Before the analysis.
        compared : Comparison
        time : float
            Now [s].
        """
        from scipy.stats import chi2

        self.cycle += 1
        nothing = np.zeros(self.fault.shape, dtype=bool)
        everyone = filter_.innovation(compared, nothing)
        self.wild[self.table.place] += compared.wild
        hard = self._hard_faults(time)
        known = hard | (self.fault == SensorFault.DISAGREES)
        left_out, suspects = known.copy(), nothing.copy()
        found = filter_.innovation(compared, left_out)
        doubtful = found.total > chi2.isf(INCONSISTENT, np.maximum(found.number, 1))
        explained = ~doubtful
        for _ in range(2):
            if explained.all():
                break
            against = np.where(np.isnan(found.against_others), 0.0, np.abs(found.against_others))
            worst = against.argmax(axis=1)
            # Two sensors that see the same part of the plant and depart together: that part has changed.
            together = (suspects & (self._part == self._part[worst][:, None])).any(axis=1)
            rows = np.flatnonzero(~explained & ~together & (against.max(axis=1) > SUSPECT))
            suspects[rows, worst[rows]] = True
            found = filter_.innovation(compared, left_out | suspects)
            explained |= found.total <= chi2.isf(EXPLAINED, np.maximum(found.number, 1))
        changed = ~explained & (self.cycle - self.reopened >= REOPEN_AGAIN)
        changed &= time - filter_.started >= SETTLED
        suspects[~explained] = False
        # Those who are believed are held against each other, not against a liar.
        against = np.where(np.isnan(found.against_others), everyone.against_others, found.against_others)
        suspects |= self._lasting_suspects(against, explained)
        self.reopened = np.where(changed, self.cycle, self.reopened)
        self._strike(suspects, everyone.against_others, changed)
        self._convict(hard, compared, time)
        self._calm_down(everyone, hard, compared)
        excluded = suspects | (self.fault != SensorFault.NONE) & (self.fault != SensorFault.SILENT)
        with np.errstate(invalid="ignore"):
            self.departure = np.where(self.fault > 0, np.nan_to_num(everyone.departure), 0.0)
        return Judgement(excluded, changed, everyone.scaled)

    def _lasting_suspects(self, against: Array, explained: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Sensors that are off by a little for long, one for each module whose plant has not just changed."""
        now = np.clip(np.nan_to_num(against), -10.0, 10.0)
        self.lasting += (now - self.lasting) / LASTING_MEMORY
        size, rows = np.abs(self.lasting), np.arange(len(self.lasting))
        worst = size.argmax(axis=1)
        quiet = explained & (self.cycle - self.reopened >= REOPEN_AGAIN)
        found = np.zeros(self.fault.shape, dtype=bool)
        found[rows, worst] = quiet & (size[rows, worst] > LASTING)
        # They have been off for as many cycles as others must be.
        self.strikes[found] = np.maximum(self.strikes[found], STRIKES // 2)
        return found

    def _hard_faults(self, time: float) -> NDArray[np.bool_]:
        place = self.table.place
        self._now = np.select(
            [
                self.out_of_range[place] >= 3,
                self.stuck(time)[place],
                self.wild[place] >= self.spikes,
            ],
            [SensorFault.RANGE, SensorFault.STUCK, SensorFault.SPIKES],
            SensorFault.NONE,
        )
        # A sensor with spikes is named, but what is left of it is good.
        return (self._now == SensorFault.RANGE) | (self._now == SensorFault.STUCK)

    def _strike(self, suspects: NDArray[np.bool_], against: Array, changed: NDArray[np.bool_]) -> None:
        gain = np.where(suspects, 0.5 * np.nan_to_num(against) ** 2, 0.0)
        self.strikes = np.where(suspects, self.strikes + 1, np.maximum(self.strikes - 1, 0))
        self.evidence = np.where(suspects, self.evidence + gain, 0.8 * self.evidence)
        # What looked like a lying sensor was the first sign of a change of the plant.
        late = changed[:, None] & (self.fault == SensorFault.DISAGREES) & (self.calm == 0)
        self.fault[late & (self.strikes <= STRIKES + 4)] = SensorFault.NONE
        self.strikes[changed] = 0

    def _convict(self, hard: NDArray[np.bool_], compared: Comparison, time: float) -> None:
        before = self.fault.copy()
        silent = np.isnan(self.last_time[self.table.place]) | (
            time - self.last_time[self.table.place] > 5.0 * STUCK_TIME
        )
        fault = np.where(self._now != SensorFault.NONE, self._now, self.fault)
        # Faults that are plain to see end when they are seen no more; those against the ensemble must calm down.
        gone = (self._now == SensorFault.NONE) & (self.fault != SensorFault.DISAGREES)
        fault = np.where(gone, SensorFault.NONE, fault)
        fault = np.where(
            (fault == SensorFault.NONE) & (self.strikes >= STRIKES), SensorFault.DISAGREES, fault
        )
        self.fault = np.where((fault == SensorFault.NONE) & silent, SensorFault.SILENT, fault)
        new = (self.fault != SensorFault.NONE) & (before == SensorFault.NONE)
        self.since = np.where(new, time, np.where(self.fault == SensorFault.NONE, np.nan, self.since))

    def _calm_down(self, found: Innovation, hard: NDArray[np.bool_], compared: Comparison) -> None:
        # Agreement as good as the instrument is: that nobody knows better after it was left out for long is none.
        able = 3.0 * np.hypot(self.table.noise, self.table.bias)
        with np.errstate(invalid="ignore"):
            good = (np.abs(found.scaled) < 3.0) & (np.abs(found.departure) < able)
        good &= np.isfinite(compared.observed) & ~hard
        good &= np.abs(self.lasting) < LASTING
        self.calm = np.where(good, self.calm + 1, 0)
        back = (self.fault == SensorFault.DISAGREES) & (self.calm >= CALM)
        self.fault[back] = SensorFault.NONE
        self.since[back] = np.nan

    def confidence(self) -> Array:
        """Chance that a sensor called faulty is, (module, sensor)."""
        plain = np.isin(
            self.fault, (SensorFault.RANGE, SensorFault.STUCK, SensorFault.SPIKES, SensorFault.SILENT)
        )
        odds = PRIOR_ODDS * np.exp(np.minimum(self.evidence, 60.0))
        return np.where(plain, 0.99, odds / (1.0 + odds))

    # -- state ------------------------------------------------------------------------------------

    _STATE = (
        "fault", "since", "evidence", "departure", "strikes", "lasting", "calm", "reopened", "last_value", "last_time",
        "same_since", "same_count", "out_of_range", "wild", "jumped",
        "leapt",
    )  # fmt: skip

    def snapshot(self) -> dict[str, NDArray]:
        """Return all that a restart needs."""
        return {name: getattr(self, name).copy() for name in self._STATE} | {
            "counts": np.array([self.cycle, self.readings_refused])
        }

    def restore(self, saved: Mapping[str, NDArray]) -> None:
        """Continue from a snapshot."""
        for name in self._STATE:
            setattr(self, name, np.array(saved[name]))
        self.cycle, self.readings_refused = (int(n) for n in saved["counts"])


def sensor_name(index: int) -> str:
    """Return the quantity of a sensor."""
    return NAMES[index]
