"""Ways of data through the links of a plant, and what share of it arrives.

Nodes are the sub-centers and the world outside (ground stations, geostationary relays). A flow takes the way with the
fewest links that are up; where the flows over a link add up to more than it carries, all of them are cut alike; a flow
gets the smallest share along its way. Links carry their rate in both directions. Within a sub-center, modules
pass data on to those whose terminals are up; that fabric is taken to be wide enough.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["LinkState", "Router"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Hop = tuple[int, int]


@dataclass(frozen=True, eq=False)
class LinkState:
    """Rates of a plant's links in a tick.

    Attributes
    ----------
    outward : ndarray, shape (sub_center,)
        From each sub-center to the world outside [bit/s].
    pairs : ndarray of int, shape (link, 2)
        Sub-centers that a link joins.
    rate : ndarray, shape (link,)
        Of each link, in each direction [bit/s].
    """

    outward: Floats
    pairs: Ints
    rate: Floats

    @classmethod
    def wide_open(cls, sub_centers: int) -> LinkState:
        """Return links without a limit from everywhere to the outside."""
        return cls(np.full(sub_centers, np.inf), np.empty((0, 2), np.int64), np.empty(0))

    def capacities(self) -> dict[Hop, float]:
        """Rate by (from, to) of the links that are up; the outside is number `sub_centers`."""
        outside = self.outward.size
        rates: dict[Hop, float] = {
            (center, outside): float(rate) for center, rate in enumerate(self.outward) if rate > 0.0
        }
        for (a, b), rate in zip(self.pairs.tolist(), self.rate.tolist()):
            if rate > 0.0:
                for hop in ((a, b), (b, a)):
                    rates[hop] = rates.get(hop, 0.0) + rate
        return rates


class Router:
    """Ways between sub-centers, found again only when links go up or down."""

    def __init__(self) -> None:
        self._known: dict[frozenset[Hop], dict[Hop, tuple[Hop, ...] | None]] = {}

    def ways(self, state: LinkState, flows: Sequence[Hop]) -> list[tuple[Hop, ...] | None]:
        """Return the links that each flow takes, None for one that has no way.

        Parameters
        ----------
        state : LinkState
        flows : sequence of (int, int)
            Source and destination; the outside is number `sub_centers`.
        """
        open_hops = frozenset(state.capacities())
        known = self._known.setdefault(open_hops, {})
        for flow in flows:
            if flow not in known:
                known[flow] = _shortest(open_hops, *flow)
        return [known[flow] for flow in flows]

    def shares(self, state: LinkState, flows: Sequence[Hop], demand: Floats) -> Floats:
        """Return the share of each flow that arrives.

        Parameters
        ----------
        state : LinkState
        flows : sequence of (int, int)
            Source and destination.
        demand : ndarray, shape (flow,)
            [bit/s].
        """
        rates, ways = state.capacities(), self.ways(state, flows)
        load: dict[Hop, float] = {}
        for way, wanted in zip(ways, demand.tolist()):
            for hop in way or ():
                load[hop] = load.get(hop, 0.0) + wanted
        part = {hop: min(1.0, rates[hop] / wanted) if wanted > 0.0 else 1.0 for hop, wanted in load.items()}
        return np.array(
            [0.0 if way is None else min((part[hop] for hop in way), default=1.0) for way in ways]
        )


def _shortest(hops: frozenset[Hop], source: int, target: int) -> tuple[Hop, ...] | None:
    """Fewest links from source to target; of equal ways the one over the lowest numbers."""
    if source == target:
        return ()
    onward: dict[int, list[int]] = {}
    for a, b in sorted(hops):
        onward.setdefault(a, []).append(b)
    before = {source: source}
    queue = deque([source])
    while queue:
        here = queue.popleft()
        for there in onward.get(here, ()):
            if there in before:
                continue
            before[there] = here
            if there == target:
                way = [target]
                while way[-1] != source:
                    way.append(before[way[-1]])
                way.reverse()
                return tuple(pairwise(way))
            queue.append(there)
    return None
