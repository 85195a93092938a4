"""Samples that come late, twice, out of order or not at all, put into the bins of a time grid.

Bins are the ticks of the model, (edge k, edge k + 1]. Each keeps the few samples of a parameter apart until it is
read, so that what a bin says does not depend on the order in which its samples came, a sample that came twice counts
once, and one wild sample among several is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.errors import BadInput

Array = NDArray[np.float64]

COUNTERS = ("samples", "accepted", "duplicate", "late", "early", "crowded", "invalid", "unknown")
"""What became of samples: taken; there before; after the window for late ones; ahead of the horizon; more than a bin
holds; not a number or marked bad by the source; of a parameter that the dictionary does not have."""

_SAMPLES, _ACCEPTED, _DUPLICATE, _LATE, _EARLY, _CROWDED, _INVALID, _UNKNOWN = range(len(COUNTERS))


@dataclass(frozen=True, eq=False)
class Bin:
    """What the parameters said in one bin.

    Attributes
    ----------
    value : (parameter,) array
        Mean of the samples, wild ones left out; NaN without any.
    time : (parameter,) array
        Mean time of those samples [s].
    number : (parameter,) int array
        Samples in the mean.
    wild : (parameter,) int array
        Samples left out.
    last : (parameter,) array
        Latest sample of the bin, NaN without any.
    """

    value: Array
    time: Array
    number: NDArray[np.int64]
    wild: NDArray[np.int64]
    last: Array


class Aligner:
    """Bins of a sliding time window.

    Parameters
    ----------
    parameters : int
        Number of parameters.
    noise : (parameter,) array
        Standard deviation of a sample, for telling wild samples from noise; 0 takes all samples.
    bins : int
        Bins kept at a time: those that are open and those in which late samples still count.
    slots : int
        Samples of a parameter that a bin holds.

    Attributes
    ----------
    counters : dict
        Samples by what became of them, see `COUNTERS`.
    """

    def __init__(self, parameters: int, noise: ArrayLike, bins: int = 16, slots: int = 8):
        self.parameters, self.slots = parameters, slots
        self.noise = np.broadcast_to(np.asarray(noise, dtype=float), (parameters,)).copy()
        self.first = 0
        self._edges = np.full(bins + 1, np.nan)
        self._open = 0
        # Parameters last: the samples of a packet go side by side. Zeros, so that a snapshot is the same each time.
        self._value = np.zeros((bins, slots, parameters))
        self._time = np.zeros((bins, slots, parameters))
        self._filled = np.zeros((bins, parameters), dtype=np.int16)
        self._taken = np.zeros((bins, parameters), dtype=np.int16)
        self.newest = np.full(parameters, -np.inf)
        self._counts = np.zeros(len(COUNTERS), dtype=np.int64)

    # -- grid -------------------------------------------------------------------------------------

    @property
    def bins(self) -> int:
        """Bins that there is room for."""
        return len(self._filled)

    @property
    def edges(self) -> Array:
        """Edges of the bins in the window [s]."""
        return self._edges[: self._open + 1].copy() if self._open else self._edges[:0].copy()

    @property
    def counters(self) -> dict[str, int]:
        """Samples since the start by what became of them."""
        return dict(zip(COUNTERS, (int(n) for n in self._counts)))

    def open_bin(self, start: float, end: float) -> int:
        """Add a bin at the end of the window and return its number; the oldest one goes when there is no room.

        Raises
        ------
        BadInput
            If it does not begin where the last one ends.
        """
        if self._open and abs(start - self._edges[self._open]) > 1e-6:
            raise BadInput(f"bin from {start} s: expected one from {self._edges[self._open]} s on")
        if self._open == self.bins:
            self._edges[:-1] = self._edges[1:]
            self.first += 1
            self._open -= 1
        place = (self.first + self._open) % self.bins
        self._edges[self._open], self._edges[self._open + 1] = start, end
        self._filled[place] = 0
        self._taken[place] = 0
        self._open += 1
        return self.first + self._open - 1

    # -- samples ----------------------------------------------------------------------------------

    def add(
        self,
        parameter: NDArray[np.integer],
        time: Array,
        value: Array,
        quality: NDArray[np.integer] | None = None,
    ) -> None:
        """Put samples into their bins.

        Parameters
        ----------
        parameter : (n,) int array
        time : (n,) array
            [s].
        value : (n,) array
            SI.
        quality : (n,) int array, optional
            0 is good; anything else is not used.
        """
        bad = (
            np.zeros(1, dtype=np.uint8) if quality is None else np.ascontiguousarray(quality, dtype=np.uint8)
        )
        _insert(
            np.ascontiguousarray(parameter, dtype=np.int32), np.ascontiguousarray(time, dtype=np.float64),
            np.ascontiguousarray(value, dtype=np.float64), bad, self._edges[: self._open + 1], self._open, self.first,
            self._value, self._time, self._filled, self.newest, self._counts,
        )  # fmt: skip

    def read(self, number: int) -> Bin:
        """Return what a bin says and remember that it was read; later samples of it are found by :meth:`late`."""
        place = self._place(number)
        self._taken[place] = self._filled[place]
        return self._mean(place, np.zeros(self.parameters, dtype=np.int16))

    def late(self, number: int) -> Bin | None:
        """Return the samples of a bin that came after it was last read, None without any; they count as read."""
        place = self._place(number)
        if np.array_equal(self._taken[place], self._filled[place]):
            return None
        before = self._taken[place].copy()
        self._taken[place] = self._filled[place]
        return self._mean(place, before)

    def reported(self, number: int) -> NDArray[np.bool_]:
        """Whether there is a sample of each parameter in a bin."""
        return self._filled[self._place(number)] > 0

    def _place(self, number: int) -> int:
        if not self.first <= number < self.first + self._open:
            raise BadInput(f"bin {number}: the window holds {self.first} to {self.first + self._open - 1}")
        return number % self.bins

    def _mean(self, place: int, start: NDArray[np.int16]) -> Bin:
        count = self.parameters
        out = (
            np.empty(count),
            np.empty(count),
            np.empty(count, dtype=np.int64),
            np.empty(count, dtype=np.int64),
        )
        last = np.empty(count)
        _means(self._value[place], self._time[place], start, self._filled[place], self.noise, *out, last)
        return Bin(*out, last)

    # -- state ------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, NDArray]:
        """Return all that a restart needs."""
        return {
            "first": np.array(self.first), "open": np.array(self._open), "edges": self._edges.copy(),
            "value": self._value.copy(), "time": self._time.copy(), "filled": self._filled.copy(),
            "taken": self._taken.copy(), "newest": self.newest.copy(), "counts": self._counts.copy(),
        }  # fmt: skip

    def restore(self, saved: dict[str, NDArray]) -> None:
        """Continue from a snapshot of an aligner of the same size."""
        self.first, self._open = int(saved["first"]), int(saved["open"])
        self._edges[:] = saved["edges"]
        for name in ("value", "time", "filled", "taken"):
            getattr(self, f"_{name}")[:] = saved[name]
        self.newest[:] = saved["newest"]
        self._counts[:] = saved["counts"]


@numba.njit(cache=True, nogil=True)
def _insert(parameter, time, value, quality, edges, opened, first, values, times, filled, newest, counts):  # type: ignore[no-untyped-def]
    bins, slots, parameters = values.shape
    checked = quality.size == parameter.size
    begin = edges[0] if opened else np.inf
    finish = edges[opened] if opened else np.inf
    spacing = opened / (finish - begin) if opened else 0.0
    taken = 0
    k, from_, to = 0, np.inf, -np.inf  # samples of a packet have one time: the bin is looked up once
    counts[_SAMPLES] += parameter.size
    for i in range(parameter.size):
        p, t, x = parameter[i], time[i], value[i]
        if p < 0 or p >= parameters:
            counts[_UNKNOWN] += 1
            continue
        if not (np.isfinite(x) and np.isfinite(t)) or (checked and quality[i] != 0):
            counts[_INVALID] += 1
            continue
        if opened == 0 or t > finish:
            counts[_EARLY] += 1
            continue
        if t <= begin:
            counts[_LATE] += 1
            continue
        if t <= from_ or t > to:
            k = min(int((t - begin) * spacing), opened - 1)
            while t <= edges[k]:
                k -= 1
            while t > edges[k + 1]:
                k += 1
            from_, to = edges[k], edges[k + 1]
        place = (first + k) % bins
        count = filled[place, p]
        known = False
        for s in range(count):
            if times[place, s, p] == t:
                known = True
                break
        if known:
            counts[_DUPLICATE] += 1
            continue
        if count == slots:
            counts[_CROWDED] += 1
            continue
        times[place, count, p] = t
        values[place, count, p] = x
        filled[place, p] = count + 1
        newest[p] = max(newest[p], t)
        taken += 1
    counts[_ACCEPTED] += taken


@numba.njit(cache=True, nogil=True)
def _means(values, times, start, stop, noise, value, time, number, wild, last):  # type: ignore[no-untyped-def]
    slots = values.shape[0]
    t = np.empty(slots)
    x = np.empty(slots)
    ordered = np.empty(slots)
    for p in range(values.shape[1]):
        n = stop[p] - start[p]
        value[p], time[p], last[p] = np.nan, np.nan, np.nan
        number[p], wild[p] = 0, 0
        if n <= 0:
            continue
        for i in range(n):  # by time, so that sums do not depend on the order of arrival
            ti, xi = times[start[p] + i, p], values[start[p] + i, p]
            j = i
            while j > 0 and t[j - 1] > ti:
                t[j], x[j] = t[j - 1], x[j - 1]
                j -= 1
            t[j], x[j] = ti, xi
        last[p] = x[n - 1]
        middle, spread = 0.0, np.inf
        if n >= 3:
            for i in range(n):
                xi = x[i]
                j = i
                while j > 0 and ordered[j - 1] > xi:
                    ordered[j] = ordered[j - 1]
                    j -= 1
                ordered[j] = xi
            middle = 0.5 * (ordered[(n - 1) // 2] + ordered[n // 2])
            for i in range(n):
                x_off = abs(x[i] - middle)
                j = i
                while j > 0 and ordered[j - 1] > x_off:
                    ordered[j] = ordered[j - 1]
                    j -= 1
                ordered[j] = x_off
            # What moves honestly within the bin spreads evenly; a spike stands alone.
            spread = 10.0 * max(noise[p], 1.4826 * ordered[n // 2])
            if noise[p] <= 0.0:
                spread = np.inf
        total, moment, taken = 0.0, 0.0, 0
        for i in range(n):
            if n >= 3 and abs(x[i] - middle) > spread:
                wild[p] += 1
                continue
            total += x[i]
            moment += t[i]
            taken += 1
        value[p], time[p], number[p] = total / taken, moment / taken, taken
