"""Decode a stream of packets, many at once."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from twin.errors import BadInput
from twin.telemetry import scanning
from twin.telemetry.checksum import CRC16_TABLES, CRC32_TABLES, U8
from twin.telemetry.dictionary import Dictionary
from twin.telemetry.layout import HEADER, SEQUENCE_COUNTS, VERSION_WORD, PacketLayout, application_id
from twin.telemetry.samples import SampleBatch
from twin.telemetry.time_code import P_FIELD, TICKS_PER_SECOND, from_ticks, to_ticks

__all__ = ["Counts", "Decoder", "PacketBlock"]

_DOUBT = 20
"""Packets of another dictionary, with none of ours, after which the case must be the wrong one."""


@dataclass(frozen=True, eq=False)
class PacketBlock:
    """Packets of one kind and one sub-center, decoded.

    Attributes
    ----------
    layout : PacketLayout
    sub_center : int
        -1 for the plant.
    module : (n,) int array
        Module within its sub-center, 0 where the packet is of no module.
    time : (n,) array
        Since mission start [s].
    values : (n, fields) array
        SI, in the order of ``layout.kind.quantities``; NaN where the packet has no reading.
    first : (n,) int array
        Parameter of the first value of each packet; those of the others follow.
    """

    layout: PacketLayout
    sub_center: int
    module: NDArray[np.int64]
    time: NDArray[np.float64]
    values: NDArray[np.float64]
    first: NDArray[np.int32]

    def samples(self) -> SampleBatch:
        """Return the readings one by one; absent ones are left out."""
        size = self.values.size
        parameter, time, value = np.empty(size, np.int32), np.empty(size), np.empty(size)
        n = scanning.flatten_values(self.values, self.time, self.first, parameter, time, value)
        center = np.full(n, self.sub_center, np.int16)
        return SampleBatch.of(parameter[:n], time[:n], value[:n], center)


@dataclass
class Counts:
    """What a decoder has seen.

    Attributes
    ----------
    bytes, packets, samples : int
        Received; sound and not seen before; in them.
    crc_failures : int
        Places that looked like a packet and whose CRC-16 was wrong: damaged packets.
    foreign : int
        Packets with the right CRC-16 that do not belong to this dictionary.
    invalid : int
        Packets of ours with a module or a time code that cannot be.
    skipped : int
        Bytes between packets.
    missing : int
        Packets that did not come (so far), by their sequence counts.
    duplicates, late : int
        Packets that came twice (dropped), and after a younger one (kept).
    restarts : int
        Senders that began to count anew.
    absent : int
        Values that were sent as no reading.
    """

    bytes: int = 0
    packets: int = 0
    samples: int = 0
    crc_failures: int = 0
    foreign: int = 0
    invalid: int = 0
    skipped: int = 0
    missing: int = 0
    duplicates: int = 0
    late: int = 0
    restarts: int = 0
    absent: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return all counts by name."""
        return {f.name: int(getattr(self, f.name)) for f in fields(self)}


class Decoder:
    """Decodes bytes in pieces of any size.

    Parameters
    ----------
    dictionary : Dictionary
        Of the plant that sends.

    Attributes
    ----------
    counts : Counts

    Examples
    --------
    >>> decoder = Decoder(Dictionary.of_case(Case.load("cases/experimental-satellite.yaml")))
    >>> batch = decoder.samples(data)
    >>> decoder.counts.crc_failures
    0
    """

    def __init__(self, dictionary: Dictionary):
        self.dictionary = dictionary
        self.counts = Counts()
        self._pending: U8 = np.empty(0, np.uint8)
        self._lengths = np.zeros(2**16, np.uint16)
        self._stream = np.full(2**16, -1, np.int64)
        self._streams: list[tuple[PacketLayout, int]] = []
        for layout in dictionary.layouts:
            centers = range(1 if layout.kind.scope == "plant" else len(dictionary.sub_centers))
            for center in centers:
                word = VERSION_WORD | application_id(layout.kind.number, center)
                self._lengths[word] = layout.length
                self._stream[word] = len(self._streams)
                self._streams.append((layout, center))
        self._shortest = min(layout.length for layout in dictionary.layouts)
        self._highest = np.full((len(self._streams), 3), -1, np.int64)
        self._window = np.full((len(self._streams), SEQUENCE_COUNTS), -1, np.int64)
        self._start = int(to_ticks(dictionary.start_seconds))

    @property
    def pending(self) -> int:
        """Bytes of a packet that is not complete yet."""
        return int(self._pending.size)

    def blocks(self, data: bytes | bytearray | memoryview | U8, last: bool = False) -> list[PacketBlock]:
        """Decode what came, by kind of packet and sub-center.

        Parameters
        ----------
        data : bytes
            The next piece of the stream; a packet may be cut anywhere.
        last : bool
            Nothing follows.

        Raises
        ------
        BadInput
            If the packets are those of another case.
        """
        piece = data if isinstance(data, np.ndarray) else np.frombuffer(data, np.uint8)
        counts = self.counts
        counts.bytes += piece.size
        buffer = np.concatenate([self._pending, piece]) if self._pending.size else piece
        offsets = np.empty(buffer.size // self._shortest + 1, np.int64)
        seen = np.zeros(scanning.SCAN_COUNTS, np.int64)
        found, consumed = scanning.find_packets(
            buffer,
            last,
            self._lengths,
            self.dictionary.fingerprint,
            CRC16_TABLES,
            CRC32_TABLES,
            offsets,
            seen,
        )
        self._pending = buffer[consumed:].copy()
        counts.crc_failures += int(seen[scanning.CRC_FAILURES])
        counts.foreign += int(seen[scanning.FOREIGN])
        counts.skipped += int(seen[scanning.SKIPPED])
        if counts.foreign >= _DOUBT and counts.packets + found == 0:
            raise BadInput(
                f"telemetry: {counts.foreign} sound packets and none of case '{self.dictionary.case_name}' that begins "
                f"{self.dictionary.start:%Y-%m-%d %H:%M}: they were sent for another case, other sub-centers or "
                "another mission.start; give the case of the sender, with the same --set"
            )
        return self._decoded(buffer, offsets[:found]) if found else []

    def samples(self, data: bytes | bytearray | memoryview | U8, last: bool = False) -> SampleBatch:
        """Decode what came to samples, in the order of kinds and sub-centers (`SampleBatch.by_time` sorts)."""
        return SampleBatch.concatenate([block.samples() for block in self.blocks(data, last)])

    def _decoded(self, buffer: U8, offsets: NDArray[np.int64]) -> list[PacketBlock]:
        words = (buffer[offsets].astype(np.int64) << 8) | buffer[offsets + 1]
        stream = self._stream[words]
        sequence = ((buffer[offsets + 2].astype(np.int64) & 0x3F) << 8) | buffer[offsets + 3]
        seconds = _big_endian(buffer, offsets + 7, 4)
        ticks = seconds * TICKS_PER_SECOND + _big_endian(buffer, offsets + 11, 3)
        module = _big_endian(buffer, offsets + 14, 2)
        sizes = np.array([self._modules(*entry) for entry in self._streams])
        sound = (buffer[offsets + 6] == P_FIELD) & (module < sizes[stream])
        self.counts.invalid += int(np.count_nonzero(~sound))
        if not sound.all():
            offsets, stream, sequence, ticks, module = (
                a[sound] for a in (offsets, stream, sequence, ticks, module)
            )
        repeated = self._follow(stream, sequence, ticks)
        keep = np.flatnonzero(~repeated)
        self.counts.packets += keep.size
        order = keep[np.argsort(stream[keep], kind="stable")]
        cuts = np.flatnonzero(np.diff(stream[order])) + 1
        return [
            self._block(buffer, offsets[at], int(stream[at[0]]), ticks[at], module[at])
            for at in np.split(order, cuts)
            if at.size
        ]

    def _modules(self, layout: PacketLayout, center: int) -> int:
        return int(self.dictionary.modules[center]) if layout.kind.scope == "module" else 1

    def _follow(
        self, stream: NDArray[np.int64], sequence: NDArray[np.int64], ticks: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        counts = self.counts
        seen = np.array([counts.missing, counts.duplicates, counts.late, counts.restarts], np.int64)
        repeated = np.zeros(stream.size, bool)
        scanning.count_sequence(stream, sequence, ticks, self._highest, self._window, seen, repeated)
        counts.missing, counts.duplicates, counts.late, counts.restarts = (int(v) for v in seen)
        return repeated

    def _block(
        self,
        buffer: U8,
        offsets: NDArray[np.int64],
        stream: int,
        ticks: NDArray[np.int64],
        module: NDArray[np.int64],
    ) -> PacketBlock:
        layout, center = self._streams[stream]
        values = np.empty((offsets.size, layout.fields))
        absent = int(scanning.read_values(buffer, offsets + HEADER, len(layout.measured), values))
        self.counts.absent += absent
        self.counts.samples += values.size - absent
        first = self.dictionary.first(layout)[center] + layout.fields * module
        return PacketBlock(
            layout,
            -1 if layout.kind.scope == "plant" else center,
            module,
            from_ticks(ticks - self._start),
            values,
            first.astype(np.int32),
        )


def _big_endian(buffer: U8, offsets: NDArray[np.int64], octets: int) -> NDArray[np.int64]:
    value = np.zeros(offsets.size, np.int64)
    for k in range(octets):
        value = (value << 8) | buffer[offsets + k]
    return value
