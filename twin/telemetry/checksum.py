"""Checksums of many packets at once, compiled; eight bytes per step by the tables of Kounavis and Berry.

CRC-16: polynomial x¹⁶ + x¹² + x⁵ + 1, register preset to ones, no reflection: the packet error control of
CCSDS 133.0-B-2 (its algorithm is in 132.0-B-3, 4.1.6), also known as CRC-16/CCITT-FALSE.
CRC-32: the reflected polynomial 0xEDB88320 of IEEE 802.3, as in zlib, from any start value.
Source of the method: Kounavis and Berry, ISCC 2005 ("slicing by 8").
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CRC16_TABLES",
    "CRC32_TABLES",
    "U8",
    "crc16",
    "crc16_of_span",
    "crc32",
    "crc32_of_span",
    "seal_rows",
]

U8 = NDArray[np.uint8]

_SLICES = 8


def _tables(byte_tables: NDArray[Any], step: str) -> NDArray[Any]:
    """Tables for bytes that are followed by 1…7 zero bytes."""
    tables = np.zeros((_SLICES, 256), byte_tables.dtype)
    tables[0] = byte_tables
    for k in range(1, _SLICES):
        last = tables[k - 1]
        if step == "left":
            tables[k] = (last << 8) ^ byte_tables[(last >> 8) & 0xFF]
        else:
            tables[k] = (last >> 8) ^ byte_tables[last & 0xFF]
    return tables


def _crc16_bytes() -> NDArray[np.uint16]:
    register: NDArray[Any] = np.arange(256, dtype=np.uint32) << 8
    for _ in range(8):
        register = np.where(register & 0x8000, (register << 1) ^ 0x1021, register << 1) & 0xFFFF
    return register.astype(np.uint16)


def _crc32_bytes() -> NDArray[np.uint32]:
    register: NDArray[Any] = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        register = np.where(register & 1, (register >> 1) ^ np.uint32(0xEDB88320), register >> 1)
    return register.astype(np.uint32)


CRC16_TABLES = _tables(_crc16_bytes(), "left")
CRC32_TABLES = _tables(_crc32_bytes(), "right")


@nb.njit(cache=True, nogil=True)
def crc16_of_span(data: U8, first: int, end: int, tables: NDArray[Any]) -> Any:
    """CRC-16 of ``data[first:end]``; over a packet with its checksum it is 0."""
    register = np.uint32(0xFFFF)
    i = first
    while end - i >= 8:
        register = np.uint32(
            tables[7, data[i] ^ (register >> 8)]
            ^ tables[6, data[i + 1] ^ (register & 0xFF)]
            ^ tables[5, data[i + 2]]
            ^ tables[4, data[i + 3]]
            ^ tables[3, data[i + 4]]
            ^ tables[2, data[i + 5]]
            ^ tables[1, data[i + 6]]
            ^ tables[0, data[i + 7]]
        )
        i += 8
    while i < end:
        register = np.uint32(((register << 8) & 0xFFFF) ^ tables[0, (register >> 8) ^ data[i]])
        i += 1
    return np.int64(register)


@nb.njit(cache=True, nogil=True)
def crc32_of_span(data: U8, first: int, end: int, start: int, tables: NDArray[Any]) -> Any:
    """CRC-32 of ``data[first:end]`` from the start value `start` (0 gives that of zlib)."""
    register = np.uint32(start) ^ np.uint32(0xFFFFFFFF)
    i = first
    while end - i >= 8:
        register = np.uint32(
            tables[7, data[i] ^ (register & 0xFF)]
            ^ tables[6, data[i + 1] ^ ((register >> 8) & 0xFF)]
            ^ tables[5, data[i + 2] ^ ((register >> 16) & 0xFF)]
            ^ tables[4, data[i + 3] ^ (register >> 24)]
            ^ tables[3, data[i + 4]]
            ^ tables[2, data[i + 5]]
            ^ tables[1, data[i + 6]]
            ^ tables[0, data[i + 7]]
        )
        i += 8
    while i < end:
        register = np.uint32((register >> 8) ^ tables[0, (register ^ data[i]) & 0xFF])
        i += 1
    return np.int64(register ^ np.uint32(0xFFFFFFFF))


@nb.njit(cache=True, nogil=True)
def seal_rows(rows: U8, start: int, tables16: NDArray[Any], tables32: NDArray[Any]) -> None:
    """Write both checksums at the end of packets of one length, in place: CRC-32 over all before it, then CRC-16.

    Parameters
    ----------
    rows : (n, length) uint8 array
        Packets; their last six bytes are overwritten.
    start : int
        Start value of the CRC-32.
    """
    n, length = rows.shape
    for i in range(n):
        row = rows[i]
        check = crc32_of_span(row, 0, length - 6, start, tables32)
        for k in range(4):
            row[length - 6 + k] = (check >> (24 - 8 * k)) & 0xFF
        crc = crc16_of_span(row, 0, length - 2, tables16)
        row[length - 2] = crc >> 8
        row[length - 1] = crc & 0xFF


def crc16(data: bytes) -> int:
    """CRC-16 of bytes; 0x29B1 for ``b"123456789"``."""
    return int(crc16_of_span(np.frombuffer(data, np.uint8), 0, len(data), CRC16_TABLES))


def crc32(data: bytes, start: int = 0) -> int:
    """CRC-32 of bytes, as `zlib.crc32`."""
    return int(crc32_of_span(np.frombuffer(data, np.uint8), 0, len(data), start, CRC32_TABLES))
