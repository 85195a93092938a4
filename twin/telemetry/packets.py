"""Encode many packets at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.telemetry.checksum import CRC16_TABLES, CRC32_TABLES, U8, seal_rows
from twin.telemetry.dictionary import Dictionary
from twin.telemetry.layout import (
    SEQUENCE_COUNTS,
    UNSEGMENTED,
    VERSION_WORD,
    PacketLayout,
    application_id,
)
from twin.telemetry.time_code import P_FIELD, TICKS_PER_SECOND, to_ticks

__all__ = ["Encoder", "encode_rows"]

Floats = NDArray[np.float64]


def encode_rows(
    layout: PacketLayout,
    apid: int,
    sequence: NDArray[np.integer],
    ticks: ArrayLike,
    module: NDArray[np.integer],
    measured: NDArray[np.floating],
    modes: NDArray[np.integer],
    fingerprint: int,
) -> U8:
    """Encode packets of one kind and one sub-center.

    Parameters
    ----------
    layout : PacketLayout
    apid : int
        Application process identifier.
    sequence : (n,) int array
        Counts, modulo 2^14.
    ticks : int or (n,) int array
        Time since 1958 in units of 2^-24 s.
    module : (n,) int array
        Module within its sub-center, 0 for packets that are of no module.
    measured : (n, measured) array
        SI values, NaN where there is no reading.
    modes : (n, mode) array
    fingerprint : int
        Of the dictionary.

    Returns
    -------
    (n, length) uint8 array
        One packet per row, both checksums in place.
    """
    rows = np.empty((module.size, layout.length), np.uint8)
    record = rows.view(layout.dtype)[:, 0]
    record["identification"] = VERSION_WORD | apid
    record["sequence"] = UNSEGMENTED | (sequence % SEQUENCE_COUNTS)
    record["length"] = layout.length - 7
    time = np.asarray(ticks, dtype=np.int64)
    record["p_field"] = P_FIELD
    record["seconds"] = time // TICKS_PER_SECOND
    fraction = np.broadcast_to(time % TICKS_PER_SECOND, module.shape)
    record["fraction"] = (fraction[:, None] >> np.array([16, 8, 0])) & 0xFF
    record["module"] = module
    record["measured"] = measured
    record["mode"] = modes
    seal_rows(rows, fingerprint, CRC16_TABLES, CRC32_TABLES)
    return rows


@dataclass
class Encoder:
    """Encodes the telemetry of a plant and counts its packets.

    Attributes
    ----------
    dictionary : Dictionary
    sequence : dict of APID to int
        Count of the next packet.
    """

    dictionary: Dictionary
    sequence: dict[int, int] = field(default_factory=dict)

    def encode(
        self,
        layout: PacketLayout,
        sub_center: int,
        time: ArrayLike,
        values: NDArray[np.floating],
        module: NDArray[np.integer] | None = None,
    ) -> U8:
        """Encode one kind of packet for modules of a sub-center.

        Parameters
        ----------
        layout : PacketLayout
        sub_center : int
            0 for the plant.
        time : float or (n,) array
            Since mission start [s].
        values : (n, fields) array
            SI, in the order of the quantities; NaN where there is no reading (a mode must have one).
        module : (n,) int array, optional
            Module within its sub-center; 0…n−1 if not given.

        Returns
        -------
        (n, length) uint8 array
        """
        apid = application_id(layout.kind.number, sub_center)
        count, n = self.sequence.get(apid, 0), len(values)
        self.sequence[apid] = (count + n) % SEQUENCE_COUNTS
        numbers = len(layout.measured)
        # The start is split off so that microseconds of a run are not lost in seconds since 1958.
        ticks = to_ticks(self.dictionary.start_seconds) + to_ticks(time)
        return encode_rows(
            layout,
            apid,
            count + np.arange(n),
            ticks,
            np.arange(n) if module is None else module,
            values[:, :numbers],
            values[:, numbers:].astype(np.uint8),
            self.dictionary.fingerprint,
        )
