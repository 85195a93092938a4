"""Public telemetry of the International Space Station, as the ISS-Mimic project records it.

One file per parameter, named by its number; a line is ``hours-of-year value``, written when the value changed
(so that it holds until the next line). The clock counts days from 1: hour 24 is midnight of January 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.errors import BadInput
from twin.telemetry.samples import SampleBatch

__all__ = ["CHANNELS", "PARAMETERS", "IssParameter", "IssRecording", "Series"]

Floats = NDArray[np.float64]

HOUR = 3600.0


@dataclass(frozen=True)
class IssParameter:
    """A parameter of the station.

    Attributes
    ----------
    name : str
    unit : str
        SI.
    factor, offset : float
        From what the file holds: ``value factor + offset``.
    long_name : str
    """

    name: str
    unit: str
    factor: float
    offset: float
    long_name: str


_DEGREE = np.pi / 180.0

PARAMETERS: Mapping[str, IssParameter] = MappingProxyType(
    {
        "S4000001": IssParameter("channel_1a_voltage", "V", 1.0, 0.0, "bus voltage of power channel 1A"),
        "S4000002": IssParameter("channel_1a_current", "A", -1.0, 0.0, "current to the loads of channel 1A"),
        "S4000007": IssParameter("array_1a_angle", "rad", _DEGREE, 0.0, "beta gimbal of array 1A"),
        "P4000001": IssParameter("channel_2a_voltage", "V", 1.0, 0.0, "bus voltage of power channel 2A"),
        "P4000002": IssParameter("channel_2a_current", "A", -1.0, 0.0, "current to the loads of channel 2A"),
        "P4000007": IssParameter("array_2a_angle", "rad", _DEGREE, 0.0, "beta gimbal of array 2A"),
        "S0000003": IssParameter("alpha_joint_angle", "rad", _DEGREE, 0.0, "starboard alpha joint"),
        "S1000001": IssParameter("loop_a_mass_flow", "kg s-1", 1.0 / HOUR, 0.0, "ammonia of loop A"),
        "S1000002": IssParameter("loop_a_pressure", "Pa", 1e3, 0.0, "ammonia at the pump outlet of loop A"),
        "S1000003": IssParameter(
            "loop_a_temperature", "K", 1.0, 273.15, "ammonia at the pump outlet of loop A"
        ),
        "P1000001": IssParameter("loop_b_mass_flow", "kg s-1", 1.0 / HOUR, 0.0, "ammonia of loop B"),
        "P1000003": IssParameter(
            "loop_b_temperature", "K", 1.0, 273.15, "ammonia at the pump outlet of loop B"
        ),
    }
)
"""Parameters by file name, in the order of their numbers in samples."""

CHANNELS = ("1a", "2a")
"""Power channels in the recording."""


@dataclass(frozen=True, eq=False)
class Series:
    """A parameter over time; arrays (n,).

    Attributes
    ----------
    parameter : IssParameter
    time : ndarray
        Since the start of the recording, in order [s].
    value : ndarray
        SI; it holds until the next one.
    """

    parameter: IssParameter
    time: Floats
    value: Floats

    def at(self, time: ArrayLike) -> Floats:
        """Return the value that holds at given times [s]; NaN before the first one."""
        when = np.asarray(time, dtype=float)
        number = np.searchsorted(self.time, when, side="right") - 1
        return np.where(number >= 0, self.value[np.maximum(number, 0)], np.nan)

    def age(self, time: ArrayLike) -> Floats:
        """Return how long ago the last value came at given times [s]; infinite before the first one."""
        when = np.asarray(time, dtype=float)
        number = np.searchsorted(self.time, when, side="right") - 1
        return np.where(number >= 0, when - self.time[np.maximum(number, 0)], np.inf)


@dataclass(frozen=True, eq=False)
class IssRecording:
    """A recording.

    Attributes
    ----------
    start : datetime
        Time zero, a whole hour.
    series : mapping of name to Series
    """

    start: datetime
    series: Mapping[str, Series]

    @classmethod
    def load(cls, folder: Path, year: int = 2022) -> IssRecording:
        """Read the files of a folder.

        Parameters
        ----------
        folder : Path
            With one file ``NUMBER.txt`` per parameter; unknown ones are left out.
        year : int
            That the hours count in; the recording of the flight test OFT2 is of May 2022.

        Raises
        ------
        BadInput
            If there is no such file, or a line is not two numbers; it says which.
        """
        found = {
            number: folder / f"{number}.txt" for number in PARAMETERS if (folder / f"{number}.txt").is_file()
        }
        if not found:
            raise BadInput(
                f"{folder}: no telemetry of the space station; expected files such as {next(iter(PARAMETERS))}.txt "
                "with lines of hours and a value"
            )
        raw = {number: _read(path) for number, path in found.items()}
        first = float(np.floor(min(table[0, 0] for table in raw.values())))
        series = {}
        for number, table in raw.items():
            line = PARAMETERS[number]
            # Some lines come out of order; the recorder kept what it received.
            order = np.argsort(table[:, 0], kind="stable")
            time, value = (table[order, 0] - first) * HOUR, table[order, 1] * line.factor + line.offset
            series[line.name] = Series(line, time, value)
        start = datetime(year, 1, 1, tzinfo=UTC) + timedelta(hours=first - 24.0)
        return cls(start, MappingProxyType(series))

    @property
    def stop(self) -> float:
        """Time of the last line [s]."""
        return float(max(series.time[-1] for series in self.series.values()))

    def __getitem__(self, name: str) -> Series:
        if name not in self.series:
            from twin.case.nearest import suggestion

            hint = suggestion(name, self.series)
            raise BadInput(
                f"recording: no '{name}'; it has {', '.join(self.series)}" + (f" ({hint})" if hint else "")
            )
        return self.series[name]

    def samples(self) -> SampleBatch:
        """Return all values in order of time; parameters are numbered as in `PARAMETERS`."""
        names = [line.name for line in PARAMETERS.values()]
        batches = [
            SampleBatch.of(
                np.full(s.time.size, names.index(name)), s.time, s.value, np.zeros(s.time.size, np.int16)
            )
            for name, s in self.series.items()
        ]
        return SampleBatch.concatenate(batches).by_time()


def _read(path: Path) -> Floats:
    rows = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        parts = text.split()
        if not parts:
            continue
        try:
            hour, value = (float(part) for part in parts)
        except ValueError:
            raise BadInput(
                f"{path}, line {number}: '{text}'; expected hours of the year and a value"
            ) from None
        if not (np.isfinite(hour) and np.isfinite(value) and hour >= 0.0):
            raise BadInput(f"{path}, line {number}: '{text}'; expected finite numbers, hours of at least 0")
        rows.append((hour, value))
    if not rows:
        raise BadInput(f"{path}: is empty; expected lines of hours of the year and a value")
    return np.array(rows)
