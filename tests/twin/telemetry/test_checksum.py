"""Against published check values and the C implementations of the standard library."""

import binascii
import zlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.telemetry.checksum import CRC16_TABLES, CRC32_TABLES, crc16, crc16_of_span, crc32, seal_rows


def test_published_check_values():
    # CRC-16/CCITT-FALSE and CRC-32 of the catalogue of parametrised CRCs (Cook).
    assert crc16(b"123456789") == 0x29B1
    assert crc32(b"123456789") == 0xCBF43926


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_agrees_with_the_standard_library(data):
    assert crc16(data) == binascii.crc_hqx(data, 0xFFFF)


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 2**32 - 1))
def test_any_start_agrees_with_zlib(data, start):
    assert crc32(data, start) == zlib.crc32(data, start)


def test_sealed_rows_leave_no_remainder():
    rows = np.random.default_rng(1).integers(0, 256, (50, 37), dtype=np.uint8)
    seal_rows(rows, 77, CRC16_TABLES, CRC32_TABLES)
    for row in rows:
        assert crc16_of_span(row, 0, row.size, CRC16_TABLES) == 0
        assert int.from_bytes(row[-6:-2].tobytes(), "big") == zlib.crc32(row[:-6].tobytes(), 77)


def test_every_burst_of_sixteen_bits_is_found():
    # A CRC of 16 bits finds every burst up to 16 bits long (Peterson and Brown, 1961).
    row = np.random.default_rng(2).integers(0, 256, (1, 40), dtype=np.uint8)
    seal_rows(row, 0, CRC16_TABLES, CRC32_TABLES)
    sound = int.from_bytes(row[0].tobytes(), "big")
    for shift in range(0, 8 * 40 - 16):
        damaged = (sound ^ (0x8001 << shift)).to_bytes(40, "big")
        assert crc16(damaged[:-2]) != int.from_bytes(damaged[-2:], "big")
