"""One sub-center of the live twin, from samples to reports: align, screen, assimilate, and keep it all safe.

A partition knows nothing of processes and networks. What it does depends on its samples only, not on the clock of the
machine: a partition that is restored from a checkpoint and given its journal again is, bit for bit, where it was.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import BadInput
from twin.live import checkpoints
from twin.live.alarms import AlarmBook
from twin.live.align import Aligner, Bin
from twin.live.demand import CardDemand
from twin.live.filter import Observations, SubCenterFilter
from twin.live.grid import CycleGrid
from twin.live.group import PanelMaker
from twin.live.inbox import Inbox
from twin.live.journal import Journal, Samples
from twin.live.model import ModelSettings, ModuleInputs, SubCenterModel
from twin.live.report import CycleReport, make_report
from twin.live.screen import QUICK_SPIKES, SPIKES, Judgement, Screen
from twin.live.sensors import EXTRAS, INPUTS, NAMES, PARTS, QUICK, SensorTable
from twin.live.settings import LiveSettings
from twin.run_log import event
from twin.telemetry.dictionary import Dictionary

if TYPE_CHECKING:
    from twin.case import Case

Array = NDArray[np.float64]

LONGEST_GAP = 6.0 * 3600.0
"""Silence that is bridged by the model [s]; after more the state is found anew, with the parameters kept."""

MANY_CARDS = 100.0
"""Cards of a module from which it throttles when one in a hundred does, and not with the first."""


@dataclass
class Counts:
    """What a partition has done: cycles, batches, restarts of the state after long gaps."""

    cycles: int = 0
    batches: int = 0
    serial: int = -1
    restarts: int = 0


@dataclass
class Partition:
    """A sub-center of the live twin.

    Attributes
    ----------
    case : Case
    sub_center : int
    settings : LiveSettings
    panel : callable
        Gives the reduced panel for the thermal parameters of a module.
    folder : Path, optional
        Of its journal and checkpoints; without it nothing is kept.
    """

    case: Case
    sub_center: int
    settings: LiveSettings
    panel: PanelMaker
    folder: Path | None = None
    counts: Counts = field(default_factory=Counts, init=False)

    def __post_init__(self) -> None:
        s = self.settings
        self.name = self.case.sub_centers[self.sub_center].name
        self.dictionary = Dictionary.of_case(self.case)
        self.table = SensorTable.of(self.dictionary, self.sub_center)
        self.model = SubCenterModel(
            self.case, self.sub_center, self.panel, ModelSettings(s.members, s.step, s.seed)
        )
        self.filter = SubCenterFilter(self.model, self.table, s.ticks_kept)
        # A bin holds a tick; telemetry comes once a thermal step, so a few slots are plenty.
        self.aligner = Aligner(
            self.table.size,
            self.table.steady_noise,
            s.ticks_kept + s.ticks_ahead,
            max(4, int(np.ceil(2.0 * s.step / self.dictionary.period))),
        )
        # Sub-centers take turns: their cycles end a telemetry period after each other.
        offset = (self.sub_center * self.dictionary.period) % s.cycle
        self.grid = CycleGrid(self.model.ticks, self.aligner, s, offset)
        self.screen = Screen(self.table, np.where(QUICK, QUICK_SPIKES, SPIKES), PARTS)
        self.alarms = AlarmBook(self.name)
        self.judgement: Judgement | None = None
        self.extras = {name: np.full(self.model.modules, np.nan) for name in EXTRAS}
        self.demand = CardDemand(self.model.modules, self.model.junction_rise)
        self.inputs: ModuleInputs | None = None
        self.inbox = Inbox(self.aligner, self.grid)
        self._expected: NDArray[np.bool_] | None = None
        self._seen: dict[int, Observations] = {}
        self._reported = np.zeros(self.table.size, dtype=bool)
        self._saved_at = -np.inf
        self.saves = 0
        self._forgettable = -1
        self._drift_due = self._blind = False
        self.journal = None if self.folder is None else Journal(self.folder / "journal")

    @property
    def time(self) -> float:
        """Of the state [s since mission start]."""
        return self.grid.time

    # -- samples ----------------------------------------------------------------------------------

    def accept(self, serial: int, samples: Samples) -> list[CycleReport]:
        """Take in samples: safe on disk first, then through all cycles that they complete.

        Parameters
        ----------
        serial : int
            Rises from batch to batch; one that was there before is not taken again.
        samples : tuple of arrays
            Parameter counted within the sub-center, time [s since mission start], value [SI], quality.

        Raises
        ------
        RunFailed
            If the journal cannot be written; the samples are not taken.
        """
        if serial <= self.counts.serial:
            return []
        if self.journal is not None:
            self.journal.append(serial, samples)
        return self._take(serial, samples)

    def _take(self, serial: int, samples: Samples) -> list[CycleReport]:
        self.counts.serial = serial
        self.counts.batches += 1
        self.inbox.put(samples)
        self._drift()
        reports = []
        while True:
            now = self.inbox.distribute()
            if now is None or not self._tick_is_ready(now):
                break
            self._drift()
            self._run_tick()
            if self.grid.cycle_is_over:
                reports.append(self._analyse())
        if self.journal is not None and reports and self.time - self._saved_at >= self.settings.checkpoint:
            self.save()
        return reports

    def _drift(self) -> None:
        """Let parameters wander for the cycle that is over: put off until nobody waits for the state."""
        if self._drift_due:
            self.filter.drift(self.settings.cycle)
            self._drift_due = False

    # -- cycles -----------------------------------------------------------------------------------

    def _tick_is_ready(self, now: float) -> bool:
        """Whether all have reported up to the end of the next tick, or the source has gone on without them."""
        env = self.grid.next_tick
        end = env.time + env.dt
        if now >= end + self.settings.hold:
            return True
        if now < end - 1e-6 or self._expected is None:
            return False
        reported = self.aligner.newest > end - self.dictionary.period + 1e-6
        return bool(np.all(reported | ~self._expected))

    def _run_tick(self) -> None:
        """Predict one tick: as soon as its samples are there, so that little is left to do at the end of a cycle."""
        if self.grid.cycle_begins:
            self._seen = self._late_observations()
            self._reported = np.zeros(self.table.size, dtype=bool)
            if self._seen_nothing_for(LONGEST_GAP):
                self.inputs = None
        env, number = self.grid.next_tick, self.grid.tick
        bin_ = self.aligner.read(number)
        readings = self.screen.clean(bin_, env.time + env.dt, env.dt)
        self._reported |= bin_.number > 0
        inputs, seen = self._inputs_of(readings), bool(np.isfinite(readings[self.table.place]).any())
        if self.inputs is None or (self._blind and seen):
            # Nothing may have been measured in the tick in which the twin begins: then it begins again.
            self._begin(env.time, inputs, readings)
            self._blind = not seen
        self.inputs = inputs
        known = np.isfinite(readings[self.table.inputs["card_power"]])
        self.filter.predict(number, env, inputs, known)
        if seen:
            self._seen[number] = self._observations(bin_, readings)
        self._keep_extras(readings)
        self._follow_demand(inputs.card_power, readings, env.dt)
        self.grid.advance()

    def _analyse(self) -> CycleReport:
        """Analyse the cycle whose ticks are predicted."""
        compared = self.filter.compare(self._seen)
        judgement = self.screen.judge(self.filter, compared, self.time)
        innovation = self.filter.innovation(compared, judgement.excluded)
        self.filter.monitor.add(innovation)
        compared = self.filter.reopen(compared, judgement.changed)
        self.filter.assimilate(compared, judgement.excluded, judgement.changed)
        self.filter.adapt(compared, judgement.excluded)
        self._drift_due = True
        self.judgement = judgement
        self.counts.cycles += 1
        if self._reported.any():
            self._expected = self._reported
        self.grid.next_cycle()
        return make_report(self, innovation, judgement)

    def _seen_nothing_for(self, span: float) -> bool:
        newest = float(
            np.max(self.screen.last_time, initial=-np.inf, where=np.isfinite(self.screen.last_time))
        )
        gone = np.isfinite(newest) and self.time - newest > span
        if gone:
            self.counts.restarts += 1
            self.screen.last_time[:] = np.nan
        return bool(gone)

    def _begin(self, time: float, inputs: ModuleInputs, readings: Array) -> None:
        first = {name: readings[self.table.place[:, k]] for k, name in enumerate(NAMES)}
        self.filter.begin(time, inputs, first)

    def _inputs_of(self, readings: Array) -> ModuleInputs:
        """Power of cards and terminals from the readings of a tick; the last ones where there are none."""
        known = self.inputs
        values = {}
        for name in INPUTS:
            new = readings[self.table.inputs[name]]
            old = self._guess(name) if known is None else getattr(known, name)
            values[name] = np.where(np.isnan(new), old, new)
        return ModuleInputs(**values)

    def _follow_demand(self, power: Array, readings: Array, dt: float) -> None:
        """Keep what forecasts take for what the cards will ask for."""
        one_in_a_hundred, hottest = (
            readings[self.table.extras[f"junction_temperature_{name}"]] for name in ("p99", "max")
        )
        hottest = np.where(self.model.cards >= MANY_CARDS, one_in_a_hundred, hottest)
        held = np.fmax(*(self.extras[f"throttled_fraction_{cause}"] for cause in ("thermal", "power")))
        self.demand.follow(power, held, hottest - self.model.plate_temperature(), dt)

    def _guess(self, name: str) -> Array:
        if name == "relay_power":
            return np.zeros(self.model.modules)
        if name == "cards_running":
            return self.model.cards
        return self.model.cards * self.model.per_module([0.7 * g.card.power_limit for g in self.model.groups])

    def _observations(self, bin_: Bin, readings: Array) -> Observations:
        place = self.table.place
        value = readings[place]
        return Observations(value, bin_.time[place], np.where(np.isnan(value), 0, bin_.number[place]))

    def _late_observations(self) -> dict[int, Observations]:
        """Return what came late for ticks that are analysed already but still remembered."""
        seen = {}
        for number in sorted(self.filter.past):
            if number < self.aligner.first:
                continue
            late = self.aligner.late(number)
            if late is None:
                continue
            value = late.value.copy()
            value[(value < self.table.low) | (value > self.table.high)] = np.nan
            if np.isfinite(value[self.table.place]).any():
                seen[number] = self._observations(late, value)
        return seen

    def _keep_extras(self, readings: Array) -> None:
        for name, at in self.table.extras.items():
            new = readings[at]
            self.extras[name] = np.where(np.isnan(new), self.extras[name], new)

    # -- keeping ----------------------------------------------------------------------------------

    def _kept(self) -> tuple[tuple[str, SubCenterFilter | Aligner | Screen | CardDemand | Inbox], ...]:
        return (
            ("filter", self.filter), ("aligner", self.aligner), ("screen", self.screen), ("demand", self.demand),
            ("held", self.inbox),
        )  # fmt: skip

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return all that a restart needs."""
        self._drift()
        saved: dict[str, NDArray[Any]] = {
            **self.grid.snapshot(),
            "counts": np.array([getattr(self.counts, n) for n in _COUNTS]),
            "settings": np.array([self.settings.members, self.settings.step, self.settings.cycle, self.settings.late]),
            "blind": np.array(self._blind),
            "alarms": np.frombuffer(self.alarms.as_json().encode(), dtype=np.uint8),
        }  # fmt: skip
        for prefix, part in self._kept():
            saved |= {f"{prefix}/{name}": values for name, values in part.snapshot().items()}
        saved |= {f"extra/{name}": values for name, values in self.extras.items()}
        if self.inputs is not None:
            saved |= {f"input/{name}": getattr(self.inputs, name) for name in INPUTS}
        if self._expected is not None:
            saved["expected"] = self._expected
        if not self.grid.cycle_begins:
            saved["reported"] = self._reported
            for number, seen in self._seen.items():
                saved |= {f"seen/{number}/{name}": getattr(seen, name) for name in _OBSERVED}
        return saved

    def restore(self, saved: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a snapshot.

        Raises
        ------
        BadInput
            If it is of another case or other settings.
        """
        s = self.settings
        if not np.array_equal(saved["settings"], [s.members, s.step, s.cycle, s.late]):
            raise BadInput(
                f"live: the checkpoint of '{self.name}' has members, step, cycle and lateness "
                f"{[float(v) for v in saved['settings']]}; give the same ones, or start without --resume"
            )
        try:
            for prefix, part in self._kept():
                start = f"{prefix}/"
                part.restore({k.removeprefix(start): v for k, v in saved.items() if k.startswith(start)})
        except (KeyError, ValueError) as error:
            raise BadInput(
                f"live: the checkpoint of '{self.name}' is of another case or version ({error}); start without --resume"
            ) from error
        self.grid.restore(saved)
        self._blind = bool(saved["blind"])
        for name, value in zip(_COUNTS, saved["counts"]):
            setattr(self.counts, name, int(value))
        self.alarms.restore(saved["alarms"].tobytes().decode())
        self.extras = {name: np.array(saved[f"extra/{name}"]) for name in EXTRAS}
        if "input/card_power" in saved:
            self.inputs = ModuleInputs(**{name: np.array(saved[f"input/{name}"]) for name in INPUTS})
        self._expected = np.array(saved["expected"]) if "expected" in saved else None
        if "reported" in saved:
            self._reported = np.array(saved["reported"])
            numbers = sorted({int(k.split("/")[1]) for k in saved if k.startswith("seen/")})
            self._seen = {
                n: Observations(*(np.array(saved[f"seen/{n}/{name}"]) for name in _OBSERVED)) for n in numbers
            }
        self._saved_at = self.time

    def save(self) -> None:
        """Write a checkpoint, keep the one before it, and drop the part of the journal that both make needless.

        Raises
        ------
        RunFailed
            If the disk is full or cannot be written; the checkpoints and the journal stay.
        """
        assert self.folder is not None and self.journal is not None
        checkpoints.write(self.folder, self.snapshot())
        self.journal.rotate()
        self.journal.forget(self._forgettable)
        self._forgettable, self._saved_at = self.counts.serial, self.time
        self.saves += 1

    def resume(self, reached: float = np.inf) -> Iterator[CycleReport]:
        """Go back to a checkpoint, and through the journal from there; yield the reports of its cycles.

        Parameters
        ----------
        reached : float
            Time of the last report that is published for good [s]: a checkpoint after it is not used, so that
            no report is missing.

        Raises
        ------
        BadInput
            If no checkpoint can be used and the journal does not begin at the start.
        """
        assert self.folder is not None and self.journal is not None
        saved, unusable = checkpoints.read(self.folder, reached)
        if saved is not None:
            self.restore(saved)
            self._forgettable = self.counts.serial
        for reason in unusable:
            event(logging.WARNING, "checkpoint not used", reason=reason)
        for serial, samples in self.journal.replay(self.counts.serial):
            if serial != self.counts.serial + 1:
                raise BadInput(
                    f"{self.folder}: what came in between batch {self.counts.serial} and {serial} is missing ("
                    f"{'; '.join(unusable) or 'the journal is damaged'}); start without --resume in another folder"
                )
            yield from self._take(serial, samples)


_OBSERVED = ("value", "time", "number")
_COUNTS = ("cycles", "batches", "serial", "restarts")
