"""Spans of time: where a function is positive, and unions, intersections and gaps of such spans."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import elementwise

__all__ = ["Intervals", "positive_intervals"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Intervals:
    """Disjoint spans in order.

    Attributes
    ----------
    start, stop : ndarray, shape (n,)
        Bounds [s].

    Raises
    ------
    ValueError
        If a span ends before it starts or spans overlap.
    """

    start: Floats
    stop: Floats

    def __post_init__(self) -> None:
        if self.start.shape != self.stop.shape or self.start.ndim != 1:
            raise ValueError(
                f"intervals: starts {self.start.shape} and stops {self.stop.shape}, expected equal (n,)"
            )
        if not ((self.stop >= self.start).all() and (self.start[1:] >= self.stop[:-1]).all()):
            raise ValueError(
                "intervals: spans overlap or end before they start; expected disjoint spans in order"
            )

    @classmethod
    def union(cls, spans: Iterable[Intervals]) -> Intervals:
        """Merge to the times that lie in any of several sets of spans; touching spans are merged."""
        every = list(spans)
        if not every:
            return cls(np.empty(0), np.empty(0))
        start, stop = (np.concatenate([getattr(s, name) for s in every]) for name in ("start", "stop"))
        if start.size == 0:
            return cls(start, stop)
        order = np.argsort(start, kind="stable")
        start, reach = start[order], np.maximum.accumulate(stop[order])
        first = np.concatenate([[True], start[1:] > reach[:-1]])
        last = np.concatenate([first[1:], [True]])
        return cls(start[first], reach[last])

    def __len__(self) -> int:
        return int(self.start.size)

    @property
    def duration(self) -> Floats:
        """Length of every span [s]."""
        return np.asarray(self.stop - self.start)

    @property
    def total(self) -> float:
        """Length of all spans together [s]."""
        return float(self.duration.sum())

    def contains(self, time: ArrayLike) -> NDArray[np.bool_]:
        """Whether times [s] lie in a span, start included, end excluded."""
        at = np.asarray(time, dtype=float)
        index = np.searchsorted(self.start, at, side="right") - 1
        known = index >= 0
        return np.asarray(known & (at < np.where(known, np.append(self.stop, -np.inf)[index], -np.inf)))

    def within(self, start: float, stop: float) -> Intervals:
        """Return the part that lies in a span [s]."""
        first, last = np.maximum(self.start, start), np.minimum(self.stop, stop)
        some = last > first
        return Intervals(first[some], last[some])

    def gaps(self, start: float, stop: float) -> Intervals:
        """Return the rest of a span [s]."""
        inside = self.within(start, stop)
        first = np.concatenate([[start], inside.stop])
        last = np.concatenate([inside.start, [stop]])
        some = last > first
        return Intervals(first[some], last[some])

    def intersection(self, other: Intervals) -> Intervals:
        """Return the times that lie in both."""
        if len(self) == 0 or len(other) == 0:
            return Intervals(np.empty(0), np.empty(0))
        low = min(self.start[0], other.start[0])
        high = max(self.stop[-1], other.stop[-1])
        # De Morgan: what neither leaves out.
        return Intervals.union([self.gaps(low, high), other.gaps(low, high)]).gaps(low, high)

    def shortened(self, lead: float) -> Intervals:
        """Drop the first `lead` seconds of every span, and spans that are no longer than that."""
        if not lead >= 0.0:
            raise ValueError(f"lead is {lead} s, expected 0 or more")
        some = self.duration > lead
        return Intervals(self.start[some] + lead, self.stop[some])


def positive_intervals(
    function: Callable[[Floats], Floats], start: float, stop: float, step: float, tolerance: float = 1e-6
) -> Intervals:
    """Find the spans in which a smooth function is positive, with exact bounds.

    Parameters
    ----------
    function : callable
        Takes times (n,) [s], returns values (n,).
    start, stop : float
        Span that is searched; spans that straddle a bound are cut there [s].
    step : float
        Sampling step; below half the distance between neighbouring extrema [s].
    tolerance : float, optional
        Of the bounds [s].

    Returns
    -------
    Intervals
        Where the function is positive.

    Raises
    ------
    ValueError
        If the span is reversed or the step is not positive.

    Notes
    -----
    Maxima below zero and minima above zero between samples are refined, so that spans and gaps shorter than
    the step are found; crossings are solved together by Chandrupatla's method (Advances in Engineering
    Software 28 (1997) 145).
    """
    if not (stop >= start and step > 0.0):
        raise ValueError(
            f"search from {start} to {stop} s in steps of {step} s; expected start <= stop and a step > 0"
        )
    count = max(3, int(np.ceil((stop - start) / step)) + 1)
    time = np.linspace(start, stop, count)
    values = np.asarray(function(time), dtype=float)

    def signed(at: Floats, sign: Floats) -> Floats:
        result = np.asarray(function(np.ravel(at))).reshape(np.shape(at))
        return np.asarray(np.broadcast_to(sign, np.shape(at)) * result)

    middle = values[1:-1]
    peaks = (middle <= 0.0) & (middle > values[:-2]) & (middle >= values[2:])
    dips = (middle > 0.0) & (middle < values[:-2]) & (middle <= values[2:])
    hidden = np.flatnonzero(peaks | dips) + 1
    if hidden.size:
        sign = np.where(values[hidden] > 0.0, 1.0, -1.0)
        found = elementwise.find_minimum(
            signed, (time[hidden - 1], time[hidden], time[hidden + 1]), args=(sign,),
            tolerances={"xatol": 1e-3, "xrtol": 0.0},
        )  # fmt: skip
        time = np.concatenate([time, found.x])
        values = np.concatenate([values, sign * found.f_x])
        order = np.argsort(time, kind="stable")
        time, values = time[order], values[order]
    positive = values > 0.0
    at = np.flatnonzero(positive[1:] != positive[:-1])
    crossings = np.empty(0)
    if at.size:
        ones = np.ones(at.size)
        crossings = np.asarray(
            elementwise.find_root(
                signed,
                (time[at], time[at + 1]),
                args=(ones,),
                tolerances={"xatol": tolerance, "xrtol": 0.0, "fatol": 0.0},
            ).x
        )
    rising = positive[at + 1]
    begins, ends = crossings[rising], crossings[~rising]
    if positive[0]:
        begins = np.concatenate([[start], begins])
    if positive[-1]:
        ends = np.concatenate([ends, [stop]])
    return Intervals(begins, np.maximum(begins, ends))
