"""How late telemetry is: packets wait for a contact, queue for the link and travel at the speed of light.

What the live twin meets: packets that are late, bursts after a contact begins, and gaps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.intervals import Intervals
from twin.relay import LIGHT_SPEED

__all__ = ["TelemetryDelay", "age_of_information", "telemetry_delay", "telemetry_delay_live_first"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TelemetryDelay:
    """Arrival of packets on the ground.

    Attributes
    ----------
    generated : ndarray, shape (n,)
        When packets were made [s].
    arrival : ndarray, shape (n,)
        When they are complete on the ground; infinite if not before the last contact ends [s].
    gaps : Intervals
        Silences on the ground that are longer than the threshold asked for [s].
    """

    generated: Floats
    arrival: Floats
    gaps: Intervals

    @property
    def delay(self) -> Floats:
        """Age of packets on arrival [s]."""
        return np.asarray(self.arrival - self.generated)

    @property
    def delivered(self) -> NDArray[np.bool_]:
        """Packets that arrive."""
        return np.isfinite(self.arrival)

    @property
    def out_of_order(self) -> int:
        """Packets that arrive after a younger one."""
        order = np.argsort(self.generated, kind="stable")
        arrival = self.arrival[order][np.isfinite(self.arrival[order])]
        if arrival.size == 0:
            return 0
        later = np.minimum.accumulate(arrival[::-1])[::-1]
        return int(np.count_nonzero(arrival[:-1] > later[1:]))


def _capacity(contacts: Intervals, rate: Floats) -> tuple[Floats, Floats]:
    """Bits that could have been sent by the bounds of the contacts: a piecewise linear curve."""
    time = np.stack([contacts.start, contacts.stop], axis=1).ravel()
    bits = np.concatenate([[0.0], np.cumsum(contacts.duration * rate)])
    return time, np.stack([bits[:-1], bits[1:]], axis=1).ravel()


def _sent(contacts: Intervals, rate: Floats, ready: Floats, bits: Floats) -> Floats:
    """When the last bit of each packet leaves, first in first out."""
    if len(contacts) == 0 or not (rate > 0.0).any():
        return np.full(ready.shape, np.inf)
    some = rate > 0.0
    contacts, rate = Intervals(contacts.start[some], contacts.stop[some]), rate[some]
    time, capacity = _capacity(contacts, rate)
    # In bits of link capacity used or missed: a packet ends its bits after it is ready or its predecessor
    # has ended.
    begun = np.interp(ready, time, capacity)
    behind = np.cumsum(bits) - bits
    end = np.maximum.accumulate(begun - behind) + behind + bits
    # Invert the curve; the left end of a flat piece is the end of a contact.
    index = np.searchsorted(contacts_end := capacity[1::2], end * (1.0 - 1e-15), side="left")
    inside = index < len(contacts)
    at = np.minimum(index, len(contacts) - 1)
    left = contacts.stop[at] - (contacts_end[at] - end) / rate[at]
    return np.where(inside, np.maximum(left, np.where(bits > 0.0, left, ready)), np.inf)


def _checked(
    generated: ArrayLike, packet_bits: ArrayLike, contacts: Intervals, rate: ArrayLike, distance: ArrayLike
) -> tuple[Floats, Floats, Floats, Floats]:
    made = np.atleast_1d(np.asarray(generated, dtype=float))
    if not np.isfinite(made).all() or (np.diff(made) < 0.0).any():
        raise ValueError("telemetry: times of packets must be finite and in order; sort them first")
    size = np.broadcast_to(np.asarray(packet_bits, dtype=float), made.shape)
    speed = np.broadcast_to(np.asarray(rate, dtype=float), (len(contacts),))
    travel = np.broadcast_to(np.asarray(distance, dtype=float), made.shape) / LIGHT_SPEED
    if not ((size > 0.0).all() and (speed >= 0.0).all() and (travel >= 0.0).all()):
        raise ValueError("telemetry: expected packets above 0 bit, rates >= 0 bit/s and distances >= 0 m")
    return made, size, speed, travel


def _silences(arrival: Floats, start: float, stop: float, threshold: float) -> Intervals:
    known = np.sort(arrival[np.isfinite(arrival)])
    edges = np.concatenate([[start], known[(known > start) & (known < stop)], [stop]])
    long = np.diff(edges) > threshold
    return Intervals(edges[:-1][long], edges[1:][long])


def telemetry_delay(
    generated: ArrayLike,
    packet_bits: ArrayLike,
    contacts: Intervals,
    rate: ArrayLike,
    distance: ArrayLike = 0.0,
    processing_time: float = 0.0,
    gap_threshold: float = 60.0,
) -> TelemetryDelay:
    """Arrival of packets that are stored and sent in the order in which they were made.

    Parameters
    ----------
    generated : array_like, shape (n,)
        When packets are made, in order [s].
    packet_bits : array_like
        Sizes, scalar or (n,) [bit].
    contacts : Intervals
        When a link to the ground is up, direct or through relays, acquisition taken off, c of them.
    rate : array_like
        Rate for telemetry in each contact, scalar or (c,) [bit/s].
    distance : array_like, optional
        Length of the path, all hops, scalar or (n,) [m].
    processing_time : float, optional
        Fixed time in relays and ground systems [s].
    gap_threshold : float, optional
        Shortest silence that counts as a gap [s].

    Returns
    -------
    TelemetryDelay
        Arrival times, and the gaps between the first packet and the later of last packet and last contact.

    Raises
    ------
    ValueError
        If times are out of order or a size, rate or distance is out of range.

    Notes
    -----
    Lindley's recursion in units of link capacity, solved by running maxima: Kleinrock, Queueing Systems I
    (1975). A packet may be split between contacts.
    """
    made, size, speed, travel = _checked(generated, packet_bits, contacts, rate, distance)
    arrival = _sent(contacts, speed, made, size) + travel + processing_time
    return _with_gaps(made, arrival, contacts, gap_threshold)


def telemetry_delay_live_first(
    generated: ArrayLike,
    packet_bits: ArrayLike,
    contacts: Intervals,
    rate: ArrayLike,
    distance: ArrayLike = 0.0,
    processing_time: float = 0.0,
    gap_threshold: float = 60.0,
) -> TelemetryDelay:
    """Arrival of packets when those made in a contact go first and the stored ones share what is left.

    This is how spacecraft send real-time and playback telemetry on virtual channels of one link (CCSDS
    132.0-B-3). Packets then arrive out of order.

    Parameters
    ----------
    generated, packet_bits, contacts, rate, distance, processing_time, gap_threshold
        As in `telemetry_delay`.

    Returns
    -------
    TelemetryDelay
        Arrival times and gaps.
    """
    made, size, speed, travel = _checked(generated, packet_bits, contacts, rate, distance)
    owner = np.searchsorted(contacts.start, made, side="right") - 1
    live = contacts.contains(made) & (speed[np.maximum(owner, 0)] > 0.0 if speed.size else False)
    sent = np.full(made.shape, np.inf)
    sent[live] = _sent(contacts, speed, made[live], size[live])
    # What live packets leave of each contact; those that spill over into the next one are few.
    used = (
        np.bincount(owner[live], weights=size[live], minlength=len(contacts))
        if live.any()
        else np.zeros(len(contacts))
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        rest = np.where(contacts.duration > 0.0, np.maximum(speed - used / contacts.duration, 0.0), 0.0)
    sent[~live] = _sent(contacts, rest, made[~live], size[~live])
    return _with_gaps(made, sent + travel + processing_time, contacts, gap_threshold)


def _with_gaps(made: Floats, arrival: Floats, contacts: Intervals, threshold: float) -> TelemetryDelay:
    if made.size == 0:
        return TelemetryDelay(made, arrival, Intervals(np.empty(0), np.empty(0)))
    last = max(float(made[-1]), float(contacts.stop[-1]) if len(contacts) else -np.inf)
    return TelemetryDelay(made, arrival, _silences(arrival, float(made[0]), last, threshold))


def age_of_information(delay: TelemetryDelay, time: ArrayLike) -> Floats:
    """Age of the youngest packet that is on the ground at given times [s], infinite before the first.

    Parameters
    ----------
    delay : TelemetryDelay
        Packets.
    time : array_like
        Times [s].

    Notes
    -----
    Kaul, Yates and Gruteser, IEEE INFOCOM 2012.
    """
    at = np.asarray(time, dtype=float)
    order = np.argsort(delay.arrival, kind="stable")
    youngest = np.concatenate([[-np.inf], np.maximum.accumulate(delay.generated[order])])
    return np.asarray(at - youngest[np.searchsorted(delay.arrival[order], at, side="right")])
