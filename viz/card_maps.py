"""Maps of the racks and cards of a run, as it left them in ``fields/cards``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twin.errors import BadInput
from twin.results import locate_result

type Floats = NDArray[np.float64]

STEP = 0.01
"""Step of the temperatures in the files [K]."""

SHARES = {
    "throttled_fraction_thermal": "held_by_temperature",
    "throttled_fraction_power": "held_by_power",
    "failed_fraction": "failed",
}
"""Shares of the modules that are kept by rack and card, and their names in the files."""

JUNCTION = "junction_temperature_max"


@dataclass(frozen=True)
class ModuleCards:
    """The cards of one module at one time.

    Attributes
    ----------
    time : float
        Since the start of the run [s].
    each : bool
        Whether every card has its own value; else it has that of its rack.
    values : (card,) array
        Junction temperature [K], of the hottest card of the rack where `each` is not so; or the share of the output
        interval before, as a mean over the rack where `each` is not so [1].
    """

    time: float
    each: bool
    values: Floats


class CardMaps:
    """The maps beside a result.

    Parameters
    ----------
    path : Path
        The result, or the run folder.

    Raises
    ------
    BadInput
        The run left none, or the files are damaged.
    """

    def __init__(self, path: Path) -> None:
        self.folder = _folder(path)
        try:
            with np.load(self.folder / "layout.npz") as layout:
                self.rack_start = np.asarray(layout["rack_start"], dtype=np.int64)
                self.first_rack = np.asarray(layout["first_rack"], dtype=np.int64)
            self._rack_files = sorted(self.folder.glob("racks-*.npz"))
            self.times: Floats = np.array(
                [float(file.stem.removeprefix("racks-")) for file in self._rack_files]
            )
            self._card_files = {
                float(_read(file, "time")): file
                for file in sorted(self.folder.glob("cards-*.npz"), reverse=True)
            }
        except (OSError, ValueError, KeyError) as error:
            raise BadInput(
                f"{self.folder}: the maps of cards are damaged ({error}); run the case again"
            ) from error
        if self.times.size == 0:
            raise BadInput(f"{self.folder}: holds no maps of cards; run the case again")

    @cached_property
    def card_times(self) -> list[float]:
        """Times at which every card was kept [s since start]."""
        return sorted(self._card_files)

    def racks_of(self, module: int) -> NDArray[np.int64]:
        """Return the first card of every rack of a module, and the end, counted from the first of the module."""
        racks = self.rack_start[self.first_rack[module] : self.first_rack[module + 1] + 1]
        return racks - racks[0]

    def at(self, time: float, module: int, variable: str) -> ModuleCards:
        """Return a variable of the cards of a module at the map nearest to `time` [s since start].

        Parameters
        ----------
        time : float
        module : int
            Index in the run.
        variable : str
            `JUNCTION` or one of `SHARES`.
        """
        number = int(np.abs(self.times - time).argmin())
        moment = float(self.times[number])
        file = next((f for t, f in self._card_files.items() if abs(t - moment) < 1e-3), None)
        if file is None:
            values = np.repeat(self._of_racks(number, module, variable), np.diff(self.racks_of(module)))
            return ModuleCards(moment, False, values)
        cards = slice(self.rack_start[self.first_rack[module]], self.rack_start[self.first_rack[module + 1]])
        if variable == JUNCTION:
            return ModuleCards(moment, True, STEP * _read(file, "junction_temperature")[cards].astype(float))
        name = SHARES[variable]
        samples = 1.0 if name == "failed" else float(_read(file, "samples"))
        return ModuleCards(moment, True, _read(file, name)[cards].astype(float) / samples)

    def rack_series(self, module: int, rack: int, variable: str) -> tuple[Floats, Floats]:
        """Return times [s since start] and values of a rack of a module over the run."""
        values = [self._of_racks(number, module, variable)[rack] for number in range(self.times.size)]
        return self.times, np.array(values)

    def span(self, module: int, variable: str = JUNCTION) -> Floats:
        """Return all that is kept of a module, of racks and of cards; of temperatures also the means of racks."""
        names = ("junction_temperature_max", "junction_temperature_mean") if variable == JUNCTION else ("",)
        parts = [
            self._of_racks(number, module, variable, name)
            for number in range(self.times.size)
            for name in names
        ]
        parts += [self.at(time, module, variable).values for time in self.card_times]
        return np.concatenate(parts)

    def _of_racks(self, number: int, module: int, variable: str, name: str = JUNCTION) -> Floats:
        racks = slice(self.first_rack[module], self.first_rack[module + 1])
        file = self._rack_files[number]
        if variable == JUNCTION:
            return STEP * _read(file, name)[racks].astype(float)
        return _read(file, SHARES[variable])[racks].astype(float)


def has_card_maps(path: Path | None) -> bool:
    """Whether a run left maps of its cards."""
    return path is not None and (_folder(path) / "layout.npz").is_file()


def _folder(path: Path) -> Path:
    return locate_result(path).parent / "fields" / "cards"


def _read(file: Path, name: str) -> NDArray[np.generic]:
    with np.load(file) as saved:
        values: NDArray[np.generic] = saved[name]
    return values
