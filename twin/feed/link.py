"""The way of packets to the ground: loss, doubles, disorder, delay, damage, silence."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from twin.feed.faults import Fault
from twin.telemetry.dictionary import Dictionary

__all__ = ["Link", "damaged"]

Floats = NDArray[np.float64]

_STREAM = 0x5EED_0700


@dataclass
class Link:
    """Packets under way.

    Attributes
    ----------
    dictionary : Dictionary
    faults : sequence of Fault
        Those of links are used.
    seed : int
    lost, doubled, spoilt : int
        Packets so far.
    """

    dictionary: Dictionary
    faults: Sequence[Fault] = ()
    seed: int = 0
    lost: int = field(default=0, init=False)
    doubled: int = field(default=0, init=False)
    spoilt: int = field(default=0, init=False)
    _queue: list[tuple[float, int, bytes]] = field(default_factory=list, init=False)
    _count: int = field(default=0, init=False)
    _calls: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.faults = [fault for fault in self.faults if fault.kind.layer == "link"]
        self._struck = [fault.sub_centers(self.dictionary) for fault in self.faults]

    @property
    def waiting(self) -> int:
        """Packets on board or under way."""
        return len(self._queue)

    def send(
        self, time: float, sub_center: NDArray[np.integer], packets: Sequence[bytes], delay: Floats
    ) -> None:
        """Take packets that are made now.

        Parameters
        ----------
        time : float
            Since mission start [s].
        sub_center : (n,) int array
            That makes each packet (0 for those of the plant).
        packets : sequence of bytes
        delay : (sub_center,) array
            Until telemetry of each sub-center arrives by the contacts of the case, infinite if never [s].
        """
        n = len(packets)
        rng = np.random.default_rng((self.seed, _STREAM, self._calls))
        self._calls += 1
        arrival = np.full(n, float(time))
        keep, twice, spoil = np.ones(n, bool), np.zeros(n, bool), np.zeros(n, bool)
        for fault, struck in zip(self.faults, self._struck):
            if not fault.active(time):
                continue
            hit, name, value = struck[sub_center], fault.kind.name, fault.value
            if name == "loss":
                keep &= ~(hit & (rng.random(n) < value))
            elif name == "duplicate":
                twice |= hit & (rng.random(n) < value)
            elif name == "corrupt":
                spoil |= hit & (rng.random(n) < value)
            elif name == "reorder":
                arrival += np.where(hit, value * rng.random(n), 0.0)
            elif name == "delay":
                arrival += np.where(hit, value, 0.0)
            elif name == "outage":
                arrival = np.where(hit, np.maximum(arrival, fault.stop), arrival)
            elif name == "contacts":
                arrival += np.where(hit, delay[sub_center], 0.0)
        twice &= keep
        spoil &= keep
        self.lost += n - int(keep.sum())
        self.doubled += int(twice.sum())
        self.spoilt += int(spoil.sum())
        for i in np.flatnonzero(keep).tolist():
            packet = damaged(packets[i], rng) if spoil[i] else packets[i]
            self._push(arrival[i], packet)
            if twice[i]:
                self._push(arrival[i], packets[i])

    def _push(self, arrival: float, packet: bytes) -> None:
        heapq.heappush(self._queue, (arrival, self._count, packet))
        self._count += 1

    def arrived(self, until: float) -> list[bytes]:
        """Return the packets that arrive up to a time [s], in order of arrival."""
        out = []
        while self._queue and self._queue[0][0] <= until:
            out.append(heapq.heappop(self._queue)[2])
        return out

    def next_arrival(self) -> float:
        """When the next packet arrives [s], infinite if none will."""
        return self._queue[0][0] if self._queue else math.inf


def damaged(packet: bytes, rng: np.random.Generator) -> bytes:
    """Return a packet with bytes changed, missing or added, one of the three at random."""
    kind = rng.integers(3)
    if kind == 0:
        data = np.frombuffer(packet, np.uint8).copy()
        at = rng.integers(0, data.size, rng.integers(1, 9))
        data[at] ^= rng.integers(1, 256, at.size, dtype=np.uint8)
        if np.array_equal(data, np.frombuffer(packet, np.uint8)):  # two changes undid each other
            data[at[0]] ^= 0xFF
        return data.tobytes()
    at = int(rng.integers(0, len(packet)))
    if kind == 1:
        return packet[:at]
    return packet[:at] + rng.bytes(int(rng.integers(1, 33))) + packet[at:]
