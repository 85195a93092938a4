"""Clocks that jump: what a minute of wrong times does to the twin, and what a real gap must still do."""

import numpy as np
import pytest

from twin.live.align import Aligner
from twin.live.inbox import LEAP, PERSISTENT, Inbox
from twin.live.report import PLACES
from twin.live.settings import LiveSettings
from twin.telemetry.decoding import Decoder
from twin.telemetry.dictionary import Dictionary
from twin.telemetry.packets import Encoder

SETTINGS = LiveSettings(members=8)


def with_clock(case, quiet, clock):
    """Packets with other times, in the order in which they were sent."""
    dictionary = Dictionary.of_case(case)
    encoder, out = Encoder(dictionary), []
    for number, block in enumerate(Decoder(dictionary).blocks(quiet.data(), True)):
        for t, row in zip(block.time, block.values):
            packet = encoder.encode(block.layout, max(block.sub_center, 0), clock(t), row[None]).tobytes()
            out.append((t, number, packet))
    return b"".join(packet for _, _, packet in sorted(out))


@pytest.mark.parametrize("jump", [3600.0, -600.0, 2e6])
def test_a_clock_that_is_wrong_for_a_minute_is_a_gap_of_a_minute(case, quiet, follow, jump):
    """An hour ahead, ten minutes behind, three weeks ahead: states go on in time and are right in the end."""
    data = with_clock(case, quiet, lambda t: t + jump if 900.0 < t <= 960.0 else t)
    _, _, reports = follow(case, data, settings=SETTINGS)
    times = np.array([r.time for r in reports])
    assert np.diff(times).max() < 45.0 and times[-1] > 2300.0
    assert all(np.isfinite(r.temperature).all() for r in reports)
    supply = Dictionary.of_case(case).of_quantity("coolant_supply_temperature")[0]
    row = int(np.searchsorted(quiet.time, times[-1] - 1e-6))
    assert reports[-1].temperature[0, PLACES.index("supply")] == pytest.approx(
        quiet.values[row, supply], abs=0.5
    )
    assert not [alarm for r in reports for alarm in r.new_alarms]


class _Grid:
    """A grid that has come to 100 s, with bins open to 160 s."""

    started, tick, time, open_until = True, 10, 100.0, 160.0


def inbox():
    aligner = Aligner(40, 0.1, 8, 4)
    for k in range(8):
        aligner.open_bin(80.0 + 10.0 * k, 90.0 + 10.0 * k)
    return Inbox(aligner, _Grid())


def samples(time):
    return (np.arange(40, dtype=np.int32), np.full(40, float(time)), np.ones(40), np.zeros(40, np.uint8))


def come(box, *times):
    for time in times:
        box.put(samples(time))
        reached = box.distribute()
    return reached


def test_times_far_ahead_are_believed_when_they_last():
    """After an outage of an hour the source has gone on; a few packets do not say so, two minutes of them do."""
    box, far = inbox(), 160.0 + LEAP + 3600.0
    assert come(box, 110.0) == 110.0
    assert come(box, *(far + 10.0 * k for k in range(PERSISTENT - 1))) == 110.0
    assert come(box, far + 10.0 * PERSISTENT) == far + 10.0 * PERSISTENT


def test_times_far_ahead_are_forgotten_when_others_go_on():
    box, far = inbox(), 160.0 + LEAP + 3600.0
    come(box, far, far + 10.0)
    assert box.snapshot()["time"].size == 80
    come(box, *(100.0 + 4.0 * k for k in range(PERSISTENT + 1)))
    assert "time" not in box.snapshot()


def test_a_restart_remembers_what_was_held():
    box, again = inbox(), inbox()
    far = 160.0 + LEAP + 3600.0
    come(box, 110.0, *(far + 10.0 * k for k in range(PERSISTENT - 1)))
    again.restore(box.snapshot())
    assert come(again, far + 10.0 * PERSISTENT) == far + 10.0 * PERSISTENT


def test_a_few_parameters_with_a_wrong_clock_move_nothing_and_are_not_kept():
    """A module of many whose clock is an hour ahead for good."""
    box, far = inbox(), 160.0 + LEAP + 3600.0
    for k in range(2 * PERSISTENT):
        few = tuple(column[:3] for column in samples(far + 4.0 * k))
        box.put(few)
        assert come(box, 81.0 + 3.0 * k) == 81.0 + 3.0 * k
    assert box.snapshot().get("time", np.empty(0)).size <= 3 * PERSISTENT


def test_a_little_ahead_is_believed_at_once():
    assert come(inbox(), 160.0 + 0.5 * LEAP) == 160.0 + 0.5 * LEAP
