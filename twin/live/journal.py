"""What came in, on disk before it is acknowledged: a worker that dies loses nothing that was.

A journal is a folder of segments; a segment is a row of records, each with its length, serial number and checksum. A
record cut off by a crash ends the replay: it was not acknowledged. A checkpoint makes older segments needless.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from twin.errors import RunFailed

Array = NDArray[np.float64]
type Samples = tuple[NDArray[np.int32], Array, Array, NDArray[np.uint8]]
"""Parameter (counted within the sub-center), time [s], value [SI], quality."""

_HEADER = struct.Struct("<4sQQI")
_MAGIC = b"DDJ1"
SEGMENT = 2**26
"""Bytes after which a new segment begins."""


class Journal:
    """Journal of a sub-center.

    Parameters
    ----------
    folder : Path
        Its own.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO | None = None

    def append(self, serial: int, samples: Samples) -> None:
        """Write samples down to the disk.

        Parameters
        ----------
        serial : int
            Rises from record to record.
        samples : tuple of arrays
            Parameter, time, value, quality.

        Raises
        ------
        RunFailed
            If the disk is full or cannot be written: the samples are not safe, and must not be acknowledged.
        """
        body = pack(samples)
        try:
            if self._file is None or self._file.tell() > SEGMENT:
                self.close()
                # A new file each time: what a crash cut off stays behind its end.
                name = f"{serial:012d}-{len(self._segments()):04d}.journal"
                self._file = (self.folder / name).open("xb")
            start = self._file.tell()
            try:
                self._file.write(_HEADER.pack(_MAGIC, serial, len(body), zlib.crc32(body)) + body)
                self._file.flush()
                os.fsync(self._file.fileno())
            except OSError:
                self._file.truncate(start)
                self.close()
                raise
        except OSError as error:
            raise RunFailed(
                f"{self.folder}: telemetry cannot be kept ({error.strerror}); free some space"
            ) from error

    def replay(self, after: int = -1) -> Iterator[tuple[int, Samples]]:
        """Yield (serial, samples) of the records after a serial number, each once, in order."""
        last = after
        for path in self._segments():
            for serial, body in _records(path):
                if serial > last:
                    last = serial
                    yield serial, unpack(body)

    def forget(self, until: int) -> None:
        """Drop the segments whose records are all up to a serial number."""
        segments = self._segments()
        for path, following in pairwise(segments):
            if int(following.stem.partition("-")[0]) <= until + 1:
                path.unlink()

    def rotate(self) -> None:
        """Begin a new segment with the next record, so that :meth:`forget` can drop what was before."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _segments(self) -> list[Path]:
        return sorted(self.folder.glob("*.journal"))


def pack(samples: Samples) -> bytes:
    """Return samples as bytes."""
    parameter, time, value, quality = samples
    return b"".join(
        (
            struct.pack("<Q", len(parameter)),
            np.ascontiguousarray(parameter, dtype="<i4").tobytes(),
            np.ascontiguousarray(time, dtype="<f8").tobytes(),
            np.ascontiguousarray(value, dtype="<f8").tobytes(),
            np.ascontiguousarray(quality, dtype="u1").tobytes(),
        )
    )


def unpack(body: bytes) -> Samples:
    """Return the samples of :func:`pack`."""
    (count,) = struct.unpack_from("<Q", body)
    at, parts = 8, []
    for kind in ("<i4", "<f8", "<f8", "u1"):
        parts.append(np.frombuffer(body, kind, count, at))
        at += count * np.dtype(kind).itemsize
    return parts[0], parts[1], parts[2], parts[3]


def _records(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        while len(head := file.read(_HEADER.size)) == _HEADER.size:
            magic, serial, length, check = _HEADER.unpack(head)
            if magic != _MAGIC:
                return
            body = file.read(length)
            if len(body) < length or zlib.crc32(body) != check:
                return
            yield serial, body
