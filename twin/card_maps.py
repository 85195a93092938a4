"""Where in the modules the cards are hot or held back: by rack over time, card by card at two moments.

Files go beside the fields of the panels, into ``fields/cards``: ``racks-TIME.npz`` whenever fields are written,
``cards-worst.npz`` for the moment of these at which most cards were held back by temperature (and the hottest of
equal ones), ``cards-last.npz`` for the last of them, ``layout.npz`` for where racks and modules begin. Cards are in
the order of the run: module by module, rack by rack, in the direction of the coolant.

Temperatures are those of the moment. What held a card back is the share of the ticks in the output interval that ends
then: a job computes and communicates in turn, and a moment would see only one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from twin.compute import CardFleet
from twin.fleet_kernels import FAILED, SLOWDOWN

FREE, BY_HEAT, BY_POWER, BROKEN, IDLE = range(5)
"""What a card is doing: at full pace, held back by temperature or by power, failed, without a job."""

RESOLUTION = 0.01
"""Step of the temperatures in the files [K]."""

NEAR_TARGET = 0.25
"""Distance from the target temperature within which a card is at it [K]."""

FULL_PACE = 0.999
"""From this share of the nominal clock on a card is not held back, as in `twin.fleet_kernels`."""


def card_states(fleet: CardFleet) -> NDArray[np.uint8]:
    """Return what every card was doing in the last call of the fleet, shape (card,).

    The fleet counts causes by sub-step and module; here they are told from the state that is left. A card that is off
    or in hardware slowdown is held back by temperature, and so is one below full pace that would be at its target
    temperature if it did not wait for slower cards of its job; the others below full pace are held back by power.
    """
    states = np.empty(fleet.cards, np.uint8)
    table = np.array([[getattr(p, name) for name in _COLUMNS] for p in fleet.parameters])
    _tell_states(
        fleet.module_start, fleet.card_class, table, fleet.status, fleet.restart_timer, fleet.mean_pace, fleet.clock,
        fleet.temperature, fleet.mean_power, fleet.power_factor, fleet.resistance_factor, fleet.job_of_card,
        fleet.job_pace, states,
    )  # fmt: skip
    return states


_COLUMNS = (
    "minimum_voltage_ratio", "voltage_slope", "leakage_temperature_coefficient", "leakage_reference_temperature",
    "resident_power", "leakage_power", "wait_activity_fraction", "junction_resistance", "target_temperature",
)  # fmt: skip


@nb.njit(parallel=True, cache=True)
def _tell_states(
    start: Any, kind: Any, table: Any, status: Any, timer: Any, pace: Any, clock: Any, temperature: Any, power: Any,
    power_factor: Any, resistance_factor: Any, job: Any, job_pace: Any, states: Any,
) -> None:  # fmt: skip
    """Write the states of all cards; at the target is who would be if it worked all the time that its clock allows."""
    for module in nb.prange(start.size - 1):
        floor, slope, growth, reference, resident, leakage, wait, resistance, target = table[kind[module]]
        for i in range(start[module], start[module + 1]):
            if status[i] & FAILED:
                states[i] = BROKEN
            elif job[i] < 0:
                states[i] = IDLE
            elif not pace[i] < FULL_PACE:
                states[i] = FREE
            elif status[i] & SLOWDOWN or timer[i] > 0.0:
                states[i] = BY_HEAT
            else:
                voltage = max(floor, 1.0 - slope * (1.0 - clock[i]))
                hot = np.exp(growth * (temperature[i] - reference))
                static = resident + power_factor[i] * leakage * voltage * hot
                working = wait * clock[i] + (1.0 - wait) * min(job_pace[job[i]], clock[i])
                switching = max(power[i] - static, 0.0) / max(working, 1e-6)
                rise = resistance * resistance_factor[i] * switching * (clock[i] - working)
                states[i] = BY_HEAT if temperature[i] + rise >= target - NEAR_TARGET else BY_POWER


class CardMaps:
    """Writes the maps of a run.

    Parameters
    ----------
    folder : Path
        ``cards`` in the folder of the fields; made when missing.
    fleet : CardFleet
    slots_per_rack : sequence of int, shape (module,)
        Cards that fit into a rack of each module.
    until : float, optional
        Time from which a resumed run goes on [s]; what is later is removed.
    """

    def __init__(
        self, folder: Path, fleet: CardFleet, slots_per_rack: Sequence[int], until: float | None = None
    ) -> None:
        self.folder, self.fleet = folder, fleet
        folder.mkdir(parents=True, exist_ok=True)
        starts = [
            np.arange(start, stop, slots)
            for start, stop, slots in zip(fleet.module_start[:-1], fleet.module_start[1:], slots_per_rack)
        ]
        self._rack_start = np.concatenate(starts)
        rack_start = np.append(self._rack_start, fleet.cards)
        self._cards_of_racks = np.diff(rack_start)
        self._worst = (-1.0, 0)
        self._samples = 0
        self._held = np.zeros((2, fleet.cards), np.uint8)
        if until is not None:
            self._forget_after(until)
        first_rack = np.concatenate([[0], np.cumsum([len(part) for part in starts])])
        _save(folder / "layout.npz", {"rack_start": rack_start, "first_rack": first_rack})

    def look(self) -> None:
        """Take in what the cards did in the tick that has just ended."""
        if self._samples == np.iinfo(np.uint8).max:
            return
        states = card_states(self.fleet)
        self._samples += 1
        for row, code in zip(self._held, (BY_HEAT, BY_POWER)):
            row += states == code

    def forget(self) -> None:
        """Begin a new output interval."""
        self._samples = 0
        self._held[:] = 0

    def write(self, time: float) -> None:
        """Write the maps of now.

        Parameters
        ----------
        time : float
            Since the start of the run [s].
        """
        if self._samples == 0:
            self.look()
        junction, start, states = self.fleet.temperature, self._rack_start, card_states(self.fleet)
        by_heat, by_power = self._held
        per_rack = np.maximum(self._cards_of_racks, 1)
        sums = [np.add.reduceat(held, start, dtype=np.int64) for held in self._held]
        broken = np.add.reduceat(states == BROKEN, start, dtype=np.int64)
        moment = {"time": np.array(time), "samples": np.array(self._samples)}
        racks = {
            "junction_temperature_max": _counted(np.maximum.reduceat(junction, start)),
            "junction_temperature_mean": _counted(
                np.add.reduceat(junction, start, dtype=np.float64) / per_rack
            ),
            "held_by_temperature": (sums[0] / (per_rack * self._samples)).astype(np.float32),
            "held_by_power": (sums[1] / (per_rack * self._samples)).astype(np.float32),
            "failed": (broken / per_rack).astype(np.float32),
        }
        _save(self.folder / f"racks-{time:014.3f}.npz", moment | racks)
        cards = moment | {
            "junction_temperature": _counted(junction),
            "held_by_temperature": by_heat,
            "held_by_power": by_power,
            "failed": states == BROKEN,
        }
        _save(self.folder / "cards-last.npz", cards)
        found = _badness(cards)
        if found > self._worst:
            self._worst = found
            _save(self.folder / "cards-worst.npz", cards)

    def _forget_after(self, until: float) -> None:
        for file in (*self.folder.glob("racks-*.npz"), *self.folder.glob("cards-*.npz")):
            with np.load(file) as saved:
                late = float(saved["time"]) > until + 5e-7
                if file.name == "cards-worst.npz" and not late:
                    self._worst = _badness(saved)
            if late:
                file.unlink()


def _badness(cards: Mapping[str, NDArray[Any]]) -> tuple[float, int]:
    """Return mean number of cards that temperature held back, and the highest temperature in steps."""
    held = float(cards["held_by_temperature"].sum(dtype=np.int64)) / float(cards["samples"])
    return held, int(cards["junction_temperature"].max())


def _counted(temperature: NDArray[Any]) -> NDArray[np.uint16]:
    """Return temperatures in steps of `RESOLUTION`."""
    return np.asarray(np.clip(np.rint(temperature / RESOLUTION), 0, 65_535), dtype=np.uint16)


def _save(file: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    aside = file.with_suffix(".writing")
    with aside.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]
    aside.replace(file)
