"""How a packet is laid out: CCSDS Space Packets of fixed length, one layout per kind of packet.

    octets 0–5    primary header: version 0, telemetry, secondary header, APID; unsegmented, count; length − 7
    octets 6–13   secondary header: CUC time code (`twin.telemetry.time_code`)
    octets 14–15  module within its sub-center
    then          measured quantities as 32-bit IEEE 754 numbers (NaN: no reading), modes as octets
    last 6        CRC-32 from the dictionary's fingerprint on, then the packet error control (CRC-16)

All big endian. The CRC-16 is what CCSDS 133.0-B-2 asks for; one in 65 536 damaged packets passes it. The
CRC-32 before it leaves one in 3·10¹⁴, and does not fit the packets of another dictionary.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from twin.telemetry.quantities import PacketKind, Quantity

__all__ = [
    "HEADER",
    "MOST_SUB_CENTERS",
    "SEQUENCE_COUNTS",
    "PacketLayout",
    "application_id",
    "split_application_id",
]

HEADER = 16
"""Octets before the quantities."""

TRAILER = 6
"""Octets after them."""

SEQUENCE_COUNTS = 2**14

MOST_SUB_CENTERS = 64
"""Of a plant: the APID has 11 bits, 5 for the kind of packet and 6 for the sub-center."""

VERSION_WORD = 0b000_0_1_00000000000
"""Version 0, telemetry, secondary header present (133.0-B-2, 4.1.3)."""

UNSEGMENTED = 0b11 << 14


def application_id(kind: int, sub_center: int) -> int:
    """Return the application process identifier of a kind of packet and a sub-center (0 for the plant)."""
    return kind * MOST_SUB_CENTERS + sub_center


def split_application_id(apid: int) -> tuple[int, int]:
    """Return the number of the kind of packet and the sub-center of an identifier."""
    return divmod(apid, MOST_SUB_CENTERS)


@dataclass(frozen=True)
class PacketLayout:
    """Layout of a kind of packet.

    Attributes
    ----------
    kind : PacketKind
    """

    kind: PacketKind

    @cached_property
    def measured(self) -> tuple[Quantity, ...]:
        """Quantities sent as numbers, in order."""
        return tuple(line for line in self.kind.quantities if not line.is_mode)

    @cached_property
    def modes(self) -> tuple[Quantity, ...]:
        """Quantities sent as named states, after the numbers."""
        return tuple(line for line in self.kind.quantities if line.is_mode)

    @property
    def fields(self) -> int:
        """Quantities."""
        return len(self.kind.quantities)

    @property
    def length(self) -> int:
        """Octets of a packet."""
        return HEADER + 4 * len(self.measured) + len(self.modes) + TRAILER

    @cached_property
    def dtype(self) -> np.dtype:
        """One packet as a big-endian record."""
        return np.dtype(
            [
                ("identification", ">u2"),
                ("sequence", ">u2"),
                ("length", ">u2"),
                ("p_field", "u1"),
                ("seconds", ">u4"),
                ("fraction", "u1", (3,)),
                ("module", ">u2"),
                ("measured", ">f4", (len(self.measured),)),
                ("mode", "u1", (len(self.modes),)),
                ("check", ">u4"),
                ("crc", ">u2"),
            ]
        )
