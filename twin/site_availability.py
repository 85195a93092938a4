"""Clouds and outages over ground stations, as statistics of sites, and what a network of them gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.counter_exponentials import exponential_thresholds
from twin.ground import GroundStation, Passes
from twin.intervals import Intervals

__all__ = [
    "alternating_intervals",
    "cloud_free_intervals",
    "diversity_availability",
    "in_service_intervals",
    "link_intervals",
    "network_availability",
]

Floats = NDArray[np.float64]

_WEATHER_STREAM, _OUTAGE_STREAM = 0x5EED_0200, 0x5EED_0300


def alternating_intervals(
    available: float, mean_unavailable: float, stop: float, seed: int, stream: int, member: int
) -> Intervals:
    """Spans in which something that comes and goes at random is available, from time 0 to `stop`.

    Parameters
    ----------
    available : float
        Share of the time that it is there [1].
    mean_unavailable : float
        Mean length of an absence [s].
    stop : float
        End [s].
    seed, stream, member : int
        Which random sequence.

    Returns
    -------
    Intervals
        Presences; the same for any `stop`, as far as they go.

    Notes
    -----
    Two-state Markov process in equilibrium: both kinds of spell are exponential with means in the ratio of
    their shares.
    """
    if not (0.0 <= available <= 1.0 and mean_unavailable > 0.0 and stop >= 0.0):
        raise ValueError(
            f"alternating process: available {available}, mean absence {mean_unavailable} s, stop {stop} s; "
            "expected a share, a length above 0 and a time >= 0"
        )
    if available in (0.0, 1.0) or stop == 0.0:
        return Intervals(np.zeros(int(available > 0.0)), np.full(int(available > 0.0), float(stop)))
    mean = {True: mean_unavailable * available / (1.0 - available), False: mean_unavailable}

    def draw(first: int, count: int) -> Floats:
        turns = np.arange(first, first + count, dtype=np.int64)
        return exponential_thresholds(seed, stream, np.full(count, member, np.int64), turns)

    present = bool(np.exp(-draw(0, 1)[0]) < available)
    time, taken, edges, batch = 0.0, 1, [np.zeros(1)], 64
    while time < stop:
        spells = draw(taken, batch)
        begins_present = present == (taken % 2 == 1)
        spells[0::2] *= mean[begins_present]
        spells[1::2] *= mean[not begins_present]
        ends = time + np.cumsum(spells)
        edges.append(ends)
        time, taken = float(ends[-1]), taken + batch
    every = np.concatenate(edges)
    begin, end = every[:-1], every[1:]
    mine = np.arange(begin.size) % 2 == (0 if present else 1)
    return Intervals(begin[mine], end[mine]).within(0.0, stop)


def cloud_free_intervals(station: GroundStation, member: int, stop: float, seed: int) -> Intervals:
    """Cloud-free spans of a station from its statistics; stations are independent.

    Parameters
    ----------
    station : GroundStation
        Station with its share of cloud-free time.
    member : int
        Index of the station; its random sequence.
    stop : float
        End [s].
    seed : int
        Seed.
    """
    return alternating_intervals(
        station.cloud_free_fraction, station.cloudy_spell, stop, seed, _WEATHER_STREAM, member
    )


def in_service_intervals(
    availability: float, repair_time: float, member: int, stop: float, seed: int
) -> Intervals:
    """Spans in which a terminal or station works, between random outages of mean length `repair_time` [s]."""
    return alternating_intervals(availability, repair_time, stop, seed, _OUTAGE_STREAM, member)


def diversity_availability(cloud_free_fraction: ArrayLike) -> float:
    """Chance that at least one of several independent sites is cloud-free, ``1 - prod(1 - p)`` [1].

    Notes
    -----
    For independent sites, further apart than weather systems (some 500 km); correlated ones have less
    (Wojcik et al., Proc. SPIE 5892 (2005), on site diversity for laser communication).
    """
    share = np.asarray(cloud_free_fraction, dtype=float)
    if ((share < 0.0) | (share > 1.0)).any():
        raise ValueError("site diversity: expected shares in [0, 1]")
    return float(-np.expm1(np.log1p(-np.minimum(share, 1.0 - 1e-16)).sum())) if (share < 1.0).all() else 1.0


def link_intervals(seen: Sequence[Passes], usable: Sequence[Intervals]) -> Intervals:
    """Spans in which any station has the satellite in view and is usable.

    Parameters
    ----------
    seen : sequence of Passes
        Passes per station.
    usable : sequence of Intervals
        Cloud-free and in service, per station.
    """
    if len(seen) != len(usable):
        raise ValueError(
            f"links: passes of {len(seen)} stations, usable spans of {len(usable)}; expected one per station"
        )
    return Intervals.union(p.spans.intersection(u) for p, u in zip(seen, usable))


def network_availability(seen: Sequence[Passes], start: float, stop: float) -> float:
    """Return the expected share of a span with a link, over the weather of independent sites.

    Parameters
    ----------
    seen : sequence of Passes
        Passes per station; each has its cloud-free fraction.
    start, stop : float
        Span [s].

    Returns
    -------
    float
        Share [1]: the mean of `diversity_availability` of the stations in view.
    """
    edges = np.unique(
        np.concatenate([[start, stop], *(e for p in seen for e in (p.spans.start, p.spans.stop))])
    )
    edges = edges[(edges >= start) & (edges <= stop)]
    if edges.size < 2:
        return 0.0
    middle = 0.5 * (edges[1:] + edges[:-1])
    blocked = np.ones(middle.size)
    for one in seen:
        blocked *= np.where(one.spans.contains(middle), 1.0 - one.station.cloud_free_fraction, 1.0)
    return float(np.sum((1.0 - blocked) * np.diff(edges)) / (stop - start))
