"""The journal: what was written is read again, what a crash cut off is not."""

import numpy as np
import pytest

from twin.errors import RunFailed
from twin.live.journal import Journal


def samples(seed, count=5):
    random = np.random.default_rng(seed)
    return (
        random.integers(0, 9, count).astype(np.int32), random.normal(size=count), random.normal(size=count),
        np.zeros(count, np.uint8),
    )  # fmt: skip


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b))


def test_records_come_back_in_order(tmp_path):
    journal = Journal(tmp_path)
    for serial in range(4):
        journal.append(serial, samples(serial))
    journal.close()
    found = list(Journal(tmp_path).replay(after=1))
    assert [serial for serial, _ in found] == [2, 3]
    assert all(same(values, samples(serial)) for serial, values in found)


def test_cut_off_or_damaged_records_end_the_segment_and_later_segments_count(tmp_path):
    """A crash in the middle of a record; the next worker goes on in a segment of its own with the same serial."""
    journal = Journal(tmp_path)
    for serial in range(3):
        journal.append(serial, samples(serial))
    journal.close()
    (segment,) = tmp_path.glob("*.journal")
    segment.write_bytes(segment.read_bytes()[:-7])
    assert [serial for serial, _ in Journal(tmp_path).replay()] == [0, 1]
    other = Journal(tmp_path)
    other.append(2, samples(12))
    other.append(3, samples(13))
    found = dict(Journal(tmp_path).replay())
    assert sorted(found) == [0, 1, 2, 3] and same(found[2], samples(12))
    data = bytearray(segment.read_bytes())
    data[40] ^= 1
    segment.write_bytes(bytes(data))
    assert sorted(dict(Journal(tmp_path).replay())) == [2, 3]


def test_old_segments_go_after_a_checkpoint(tmp_path):
    journal = Journal(tmp_path)
    for serial in range(6):
        journal.append(serial, samples(serial))
        if serial % 2:
            journal.rotate()
    journal.forget(until=3)
    assert [serial for serial, _ in journal.replay()] == [4, 5]


def test_full_disk_is_an_error_and_nothing_is_acknowledged(tmp_path, monkeypatch):
    import os

    journal = Journal(tmp_path)
    journal.append(0, samples(0))

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunFailed, match="No space left on device"):
        journal.append(1, samples(1))
    monkeypatch.undo()
    journal.append(1, samples(21))
    assert same(dict(journal.replay())[1], samples(21))
