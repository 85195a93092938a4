"""Bins of samples: what they say does not depend on how samples came."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import BadInput
from twin.live.align import Aligner


def grid(parameters=3, noise=0.1, bins=6, slots=8, opened=4):
    aligner = Aligner(parameters, noise, bins, slots)
    for k in range(opened):
        aligner.open_bin(10.0 * k, 10.0 * (k + 1))
    return aligner


def add(aligner, rows):
    parameter, time, value = (np.array(column) for column in zip(*rows))
    aligner.add(parameter.astype(np.int32), time.astype(float), value.astype(float))


def test_means_and_times_of_bins():
    aligner = grid()
    add(aligner, [(0, 5.0, 1.0), (0, 10.0, 3.0), (1, 10.5, 7.0), (2, 40.0, 9.0)])
    first, second, last = aligner.read(0), aligner.read(1), aligner.read(3)
    assert first.value[0] == 2.0 and first.time[0] == 7.5 and first.number[0] == 2 and first.last[0] == 3.0
    assert np.isnan(first.value[1]) and second.value[1] == 7.0 and last.value[2] == 9.0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_order_and_repetition_change_nothing(seed):
    """Shuffled, cut into batches, sent twice: the same bins to the last bit."""
    random = np.random.default_rng(seed)
    count = 60
    rows = list(
        zip(random.integers(0, 3, count), random.uniform(0.1, 40.0, count), random.normal(size=count))
    )
    plain, other = grid(slots=64), grid(slots=64)
    add(plain, rows)
    doubled = [rows[i] for i in random.permutation(np.repeat(np.arange(count), 2))]
    for part in np.array_split(np.arange(len(doubled)), 7):
        add(other, [doubled[i] for i in part])
    for number in range(4):
        a, b = plain.read(number), other.read(number)
        for name in ("value", "time", "number", "wild", "last"):
            assert np.array_equal(getattr(a, name), getattr(b, name), equal_nan=True)
    assert other.counters["duplicate"] == count and other.counters["accepted"] == count


def test_a_wild_sample_is_left_out_and_counted():
    aligner = grid()
    add(aligner, [(0, t, 20.0 + 0.1 * t) for t in (1.0, 3.0, 5.0, 7.0)] + [(0, 6.0, 500.0)])
    seen = aligner.read(0)
    assert seen.wild[0] == 1 and seen.value[0] == pytest.approx(20.4)


def test_a_ramp_is_not_wild():
    aligner = grid()
    add(aligner, [(0, t, 3.0 * t) for t in (1.0, 3.0, 5.0, 7.0, 9.0)])
    assert aligner.read(0).wild[0] == 0


def test_late_samples_are_found_once_and_too_late_ones_counted():
    aligner = grid()
    add(aligner, [(0, 5.0, 1.0)])
    assert aligner.read(0).number[0] == 1 and aligner.late(0) is None
    add(aligner, [(0, 6.0, 3.0), (1, 7.0, 4.0)])
    late = aligner.late(0)
    assert late.value[0] == 3.0 and late.number[0] == 1 and late.value[1] == 4.0
    assert aligner.late(0) is None
    for k in range(4, 8):
        aligner.open_bin(10.0 * k, 10.0 * (k + 1))
    add(aligner, [(0, 5.5, 1.0), (0, 200.0, 1.0)])
    assert aligner.counters["late"] == 1 and aligner.counters["early"] == 1
    with pytest.raises(BadInput, match="window holds 2 to 7"):
        aligner.read(0)


def test_nonsense_is_counted_and_left_out():
    aligner = grid()
    add(aligner, [(0, np.nan, 1.0), (0, 5.0, np.inf), (7, 5.0, 1.0), (-1, 5.0, 1.0)])
    aligner.add(np.array([0], np.int32), np.array([5.0]), np.array([1.0]), np.array([3], np.uint8))
    assert aligner.counters["invalid"] == 3 and aligner.counters["unknown"] == 2
    assert aligner.counters["accepted"] == 0 and aligner.counters["samples"] == 5


def test_more_samples_than_slots_are_counted():
    aligner = grid(slots=4)
    add(aligner, [(0, 1.0 + 0.1 * k, 1.0) for k in range(10)])
    assert aligner.counters["crowded"] == 6 and aligner.read(0).number[0] == 4


def test_bins_follow_each_other():
    with pytest.raises(BadInput, match=r"expected one from 40\.0 s on"):
        grid().open_bin(50.0, 60.0)


def test_snapshot_goes_on_where_it_was():
    one, other = grid(), grid(opened=1)
    add(one, [(0, 5.0, 1.0), (1, 15.0, 2.0)])
    one.read(0)
    other.restore(one.snapshot())
    for aligner in (one, other):
        add(aligner, [(0, 6.0, 3.0), (1, 16.0, 4.0)])
    assert one.late(0).value[0] == other.late(0).value[0] == 3.0
    assert one.read(1).value[1] == other.read(1).value[1]
    assert one.counters == other.counters
