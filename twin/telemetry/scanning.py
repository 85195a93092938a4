"""Find packets in a stream of bytes and keep count of them, compiled.

A packet begins where the primary header is one of the known ones, its length is that of its kind, and both
checksums agree. Anywhere else the search goes on one byte further: after damage of any kind the next whole
packet is found.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from twin.telemetry.checksum import U8, crc16_of_span, crc32_of_span

__all__ = [
    "CRC_FAILURES", "DUPLICATES", "FOREIGN", "LATE", "MISSING", "RESTARTS", "SCAN_COUNTS", "SKIPPED", "STREAM_COUNTS",
    "count_sequence", "find_packets", "flatten_values", "read_values",
]  # fmt: skip

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

CRC_FAILURES, FOREIGN, SKIPPED = 0, 1, 2
SCAN_COUNTS = 3

MISSING, DUPLICATES, LATE, RESTARTS = 0, 1, 2, 3
STREAM_COUNTS = 4

_WINDOW = 2**14


@nb.njit(cache=True, nogil=True)
def find_packets(
    data: U8,
    last: bool,
    lengths: NDArray[np.uint16],
    check_start: int,
    tables16: NDArray[Any],
    tables32: NDArray[Any],
    offsets: I64,
    counts: I64,
) -> tuple[Any, Any]:
    """Find all packets of a buffer.

    Parameters
    ----------
    data : (n,) uint8 array
    last : bool
        Nothing follows: a packet that is cut off is damaged, not incomplete.
    lengths : (65536,) uint16 array
        Octets of a packet by the first word of its header, 0 for words that begin none.
    check_start : int
        Start value of the CRC-32.
    tables16, tables32 : ndarray
        See `twin.telemetry.checksum`.
    offsets : (m,) int64 array
        Filled with where packets begin; m must be at least n over the shortest packet.
    counts : (3,) int64 array
        Raised: CRC failures, packets of another dictionary, bytes skipped.

    Returns
    -------
    found, consumed : int
        Packets, and bytes that need not be given again.
    """
    at: Any = np.int64(0)
    n, found = data.size, 0
    while at + 6 <= n:
        length = np.int64(lengths[(np.int64(data[at]) << 8) | data[at + 1]])
        if length == 0 or ((np.int64(data[at + 4]) << 8) | data[at + 5]) != length - 7:
            at += 1
            counts[SKIPPED] += 1
            continue
        if at + length > n:
            if not last:
                break
            at += 1
            counts[SKIPPED] += 1
            continue
        if crc16_of_span(data, at, at + length, tables16) != 0:
            counts[CRC_FAILURES] += 1
            at += 1
            counts[SKIPPED] += 1
            continue
        check = np.int64(0)
        for k in range(4):
            check = (check << 8) | data[at + length - 6 + k]
        if crc32_of_span(data, at, at + length - 6, check_start, tables32) != check:
            # Sound by the standard's check and not ours: another dictionary, or a one in 65 536 chance.
            counts[FOREIGN] += 1
            at += length
            continue
        offsets[found] = at
        found += 1
        at += length
    if last:
        counts[SKIPPED] += n - at
        at = n
    return found, at


@nb.njit(cache=True, nogil=True)
def read_values(data: U8, offsets: I64, numbers: int, values: F64) -> Any:
    """Read the quantities of packets of one kind; return how many are no reading.

    Parameters
    ----------
    data : (n,) uint8 array
    offsets : (packet,) int64 array
        Where the quantities of each packet begin.
    numbers : int
        Quantities sent as big-endian 32-bit IEEE 754 numbers; the others are octets.
    values : (packet, quantity) array
        Filled.
    """
    absent = 0
    for i in range(offsets.size):
        at = offsets[i]
        for k in range(numbers):
            word = (
                (np.uint32(data[at]) << np.uint32(24))
                | (np.uint32(data[at + 1]) << np.uint32(16))
                | (np.uint32(data[at + 2]) << np.uint32(8))
                | np.uint32(data[at + 3])
            )
            value = np.float64(np.uint32(word).view(np.float32))
            values[i, k] = value
            absent += 0 if np.isfinite(value) else 1
            at += 4
        for k in range(numbers, values.shape[1]):
            values[i, k] = np.float64(data[at])
            at += 1
    return absent


@nb.njit(cache=True, nogil=True)
def flatten_values(
    values: F64, time: F64, first: NDArray[np.int32], parameter: NDArray[np.int32], when: F64, value: F64
) -> Any:
    """Write readings one after the other, absent ones left out; return their number.

    Parameters
    ----------
    values : (packet, quantity) array
    time : (packet,) array
    first : (packet,) int32 array
        Parameter of the first quantity of each packet.
    parameter, when, value : (at least packet quantity,) arrays
        Filled.
    """
    n = 0
    for i in range(values.shape[0]):
        for k in range(values.shape[1]):
            reading = values[i, k]
            if np.isfinite(reading):
                parameter[n] = first[i] + k
                when[n] = time[i]
                value[n] = reading
                n += 1
    return n


@nb.njit(cache=True, nogil=True)
def count_sequence(
    stream: I64,
    sequence: I64,
    ticks: I64,
    highest: I64,
    window: I64,
    counts: I64,
    repeated: NDArray[np.bool_],
) -> None:
    """Follow the sequence counts of packets in the order in which they came.

    A packet is a duplicate when its stream had the same count with the same time among the last 16 384. A count
    behind the highest with another time fills a gap; when it is of a time after the last one's, the sender has
    begun anew.

    Parameters
    ----------
    stream, sequence, ticks : (n,) int64 arrays
        Number of the stream, count and time of each packet.
    highest : (streams, 3) int64 array
        Highest count, unwrapped, the time it had, and the first count; −1 before the first packet. Updated.
    window : (streams, 16384) int64 array
        Times of the last packets by count, −1 where none came. Updated.
    counts : (4,) int64 array
        Raised: packets missing now, duplicates, late ones, restarts of a sender.
    repeated : (n,) bool array
        Set for duplicates.
    """
    half = _WINDOW // 2
    for i in range(stream.size):
        s, count, time = stream[i], sequence[i], ticks[i]
        top = highest[s, 0]
        if window[s, count] == time:
            counts[DUPLICATES] += 1
            repeated[i] = True
            continue
        if top < 0:
            highest[s, 0], highest[s, 1], highest[s, 2] = count, time, count
            window[s, count] = time
            continue
        ahead = (count - top + half) % _WINDOW - half
        if ahead > 0:
            for k in range(top + 1, top + ahead):
                window[s, k % _WINDOW] = -1
            counts[MISSING] += ahead - 1
            highest[s, 0], highest[s, 1] = top + ahead, time
        elif time > highest[s, 1]:
            counts[RESTARTS] += 1
            window[s, :] = -1
            highest[s, 0], highest[s, 1], highest[s, 2] = count, time, count
        else:
            counts[LATE] += 1
            # What was before the first packet has not been counted as missing.
            if window[s, count] < 0 and top + ahead > highest[s, 2]:
                counts[MISSING] -= 1
        window[s, count] = time
