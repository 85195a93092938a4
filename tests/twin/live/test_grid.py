"""Ticks, bins and cycles of a partition."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from twin.live.align import Aligner
from twin.live.grid import CycleGrid
from twin.live.settings import LiveSettings


def ticks(start, stop):
    """Ten seconds each, cut at a contact 1203 s after the start."""
    edges = sorted({*np.arange(start, stop + 1e-9, 10.0), *([1203.0] if start < 1203.0 < stop else [])})
    for a, b in pairwise(edges):
        yield SimpleNamespace(time=float(a), dt=float(b - a))


def grid(offset=0.0):
    settings = LiveSettings()
    return CycleGrid(ticks, Aligner(3, 0.1, settings.ticks_kept + settings.ticks_ahead, 4), settings, offset)


def cycles(one, count):
    """Ends of the ticks of cycles."""
    out = []
    for _ in range(count):
        assert one.cycle_begins
        ends = []
        while True:
            one.advance()
            ends.append(one.time)
            if one.cycle_is_over:
                break
            assert not one.cycle_begins
        out.append(ends)
        one.next_cycle()
    return out


@pytest.mark.parametrize("offset", [0.0, 10.0, 20.0])
def test_cycles_end_one_after_another(offset):
    one = grid(offset)
    one.start(100.0 + offset)
    assert [ends[-1] for ends in cycles(one, 3)] == [120.0 + offset, 150.0 + offset, 180.0 + offset]


def test_a_contact_makes_one_more_tick():
    one = grid()
    one.start(1195.0)
    first, second = cycles(one, 2)
    assert first == [1180.0, 1190.0, 1200.0]
    assert second == [1203.0, 1210.0, 1220.0, 1230.0]


def test_a_grid_that_was_restored_goes_on():
    one, other = grid(10.0), grid(10.0)
    one.start(3500.0)
    cycles(one, 3)
    one.advance()
    other.restore(one.snapshot())
    other._aligner.restore(one._aligner.snapshot())
    assert other.next_tick.time == one.next_tick.time and not other.cycle_begins
    for g in (one, other):
        g.advance()
        g.advance()
        assert g.cycle_is_over
        g.next_cycle()
    assert cycles(one, 5) == cycles(other, 5)


def test_samples_before_the_first_cycle_wait_for_it():
    one = grid(20.0)
    one.start(5.0)
    assert one.time == 20.0 and one.started
