"""What limits the plant: power, heat, cards or link."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["LIMITS", "LimitingFactor", "limiting_factor", "limits_over", "link_shortfall", "power_shortfall"]

Floats = NDArray[np.float64]

LIMITS = ("none", "no_demand", "power", "heat", "cards", "link")
"""Names of the categories, by code."""

_NONE, _NO_DEMAND, _FIRST = 0, 1, 2


@dataclass(frozen=True, eq=False)
class LimitingFactor:
    """What holds the work back most.

    Attributes
    ----------
    code : ndarray of int8, shape (...)
        Index into `LIMITS`.
    shortfall : ndarray, shape (4, ...)
        How much power, heat, cards and link each hold back, 0 to 1 [1].
    """

    code: NDArray[np.int8]
    shortfall: Floats

    @property
    def names(self) -> NDArray[np.str_]:
        """Names of the categories."""
        return np.asarray(LIMITS)[self.code]


def power_shortfall(cap: ArrayLike, wanted: ArrayLike) -> Floats:
    """Share of the power wanted that a cap refuses [1].

    Parameters
    ----------
    cap, wanted : array_like
        Cap, and what the cards would draw without it [W].
    """
    return _shortfall(cap, wanted)


def link_shortfall(rate: ArrayLike, work: ArrayLike, bits_per_work: ArrayLike) -> Floats:
    """Share of the data that the link cannot carry [1].

    Parameters
    ----------
    rate : array_like
        Rate of the link, 0 while it is down [bit/s].
    work : array_like
        Work that is asked for [card].
    bits_per_work : array_like
        Rate that a card at full work needs [bit/s].
    """
    return _shortfall(rate, np.asarray(work, float) * np.asarray(bits_per_work, float))


def _shortfall(given: ArrayLike, wanted: ArrayLike) -> Floats:
    have, want = np.broadcast_arrays(np.asarray(given, float), np.asarray(wanted, float))
    if not ((have >= 0.0).all() and (want >= 0.0).all()):
        raise ValueError("shortfall: negative or NaN, expected what is given and wanted to be >= 0")
    out = np.zeros(have.shape)
    np.divide(want - np.minimum(have, want), want, out=out, where=want > 0.0)
    return out


def limiting_factor(
    power: ArrayLike,
    heat: ArrayLike,
    cards: ArrayLike,
    link: ArrayLike,
    work_asked: ArrayLike = 1.0,
    threshold: float = 0.001,
) -> LimitingFactor:
    """Name what holds each module back.

    Parameters
    ----------
    power : array_like
        `power_shortfall`, or the share of card time throttled by power [1].
    heat : array_like
        Share of card time throttled by temperature [1].
    cards : array_like
        Share of the cards that are failed [1].
    link : array_like
        `link_shortfall` [1].
    work_asked : array_like, optional
        Work that is asked for; where it is 0 nothing limits [card].
    threshold : float, optional
        Shortfalls up to here do not count [1].

    Returns
    -------
    LimitingFactor
        The largest shortfall per element; at equality the first in the order power, heat, cards, link.

    Raises
    ------
    ValueError
        If a shortfall is outside of [0, 1].
    """
    parts = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (power, heat, cards, link)))
    stack = np.stack(parts)
    if not ((stack >= -1e-9) & (stack <= 1.0 + 1e-6)).all():
        name = LIMITS[
            _FIRST + int(np.argmax(((stack < -1e-9) | ~(stack <= 1.0 + 1e-6)).reshape(4, -1).any(axis=1)))
        ]
        raise ValueError(f"limiting factor: {name} has values outside of 0..1, expected shares")
    stack = np.clip(stack, 0.0, 1.0)
    worst = stack.argmax(axis=0)
    code = np.where(stack.max(axis=0) > threshold, worst + _FIRST, _NONE)
    code = np.where(np.broadcast_to(np.asarray(work_asked, float), code.shape) > 0.0, code, _NO_DEMAND)
    return LimitingFactor(code.astype(np.int8), stack)


def limits_over(
    time: ArrayLike,
    dt: ArrayLike,
    shortfall: ArrayLike,
    work_asked: ArrayLike,
    period: float = 3600.0,
    threshold: float = 0.001,
) -> LimitingFactor:
    """Name what limits each hour, or other period, from its ticks weighted by their length and work.

    Parameters
    ----------
    time, dt : array_like, shape (tick,)
        Start and length of ticks [s]; a tick counts for the period in which it starts.
    shortfall : array_like, shape (4, tick, ...)
        As in `LimitingFactor.shortfall`.
    work_asked : array_like, shape (tick, ...)
        Work asked for [card].
    period : float, optional
        Length of the periods, from time 0 [s].
    threshold : float, optional
        As in `limiting_factor`.

    Returns
    -------
    LimitingFactor
        Arrays (period, ...); periods without ticks have no demand.
    """
    begin = np.asarray(time, dtype=float)
    parts, asked = np.asarray(shortfall, dtype=float), np.asarray(work_asked, dtype=float)
    index = np.floor(begin / period + 1e-9).astype(np.int64)
    count = int(index.max(initial=-1)) + 1
    weight = asked * np.asarray(dt, dtype=float).reshape(-1, *([1] * (asked.ndim - 1)))
    total = np.zeros((count, *asked.shape[1:]))
    np.add.at(total, index, weight)
    mean = np.zeros((4, *total.shape))
    for kind in range(4):
        np.add.at(mean[kind], index, parts[kind] * weight)
    np.divide(mean, total, out=mean, where=np.broadcast_to(total > 0.0, mean.shape))
    return limiting_factor(mean[0], mean[1], mean[2], mean[3], total, threshold)
