"""Telemetry delay against a packet-by-packet simulation, and what limits the plant."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.intervals import Intervals
from twin.limiting_factor import LIMITS, limiting_factor, limits_over, link_shortfall, power_shortfall
from twin.relay import LIGHT_SPEED
from twin.telemetry_delay import age_of_information, telemetry_delay, telemetry_delay_live_first


def contacts(*pairs):
    edges = np.array(pairs, dtype=float).reshape(-1, 2)
    return Intervals(edges[:, 0], edges[:, 1])


def simulated(made, bits, windows, rate):
    """First in first out, one packet and one contact after the other."""
    sent, clock = [], -np.inf
    for ready, size in zip(made, bits):
        clock, left = max(clock, ready), size
        for begin, end, speed in zip(windows.start, windows.stop, rate):
            if end <= clock:
                continue
            clock = max(clock, begin)
            step = min(left / speed, end - clock)
            clock, left = clock + step, left - step * speed
            if left <= 1e-9 * size:
                break
        else:
            clock = np.inf
        sent.append(clock)
    return np.array(sent)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.floats(0.0, 1000.0), min_size=1, max_size=30),
    st.floats(1.0, 500.0),
    st.lists(st.floats(0.0, 1200.0), min_size=2, max_size=10, unique=True),
    st.floats(1.0, 100.0),
)
def test_delay_is_that_of_a_simulated_queue(made, size, edges, speed):
    pairs = np.array(sorted(edges)[: 2 * (len(edges) // 2)]).reshape(-1, 2)
    pairs = pairs[np.diff(pairs, axis=1)[:, 0] > 1e-3]
    windows = contacts(*pairs)
    made = np.array(sorted(made))
    rate = speed * (1.0 + np.arange(len(windows)) % 3)
    expected = simulated(made, np.full(made.size, size), windows, rate)
    found = telemetry_delay(made, size, windows, rate)
    # A packet that ends with the last bit of a contact may fall to either side by rounding.
    same = np.isclose(found.arrival, expected, rtol=1e-9, atol=1e-6) | (
        np.isinf(found.arrival) & np.isinf(expected)
    )
    total = (windows.duration * rate).sum()
    assert same.all() or np.isclose(np.cumsum(np.full(made.size, size)) % total, 0.0, atol=1e-3).any()
    assert (
        (found.delay >= size / rate.max() * (1 - 1e-9)).all() if len(windows) else not found.delivered.any()
    )
    assert found.out_of_order == 0


def test_delays_by_hand():
    """Contacts 100-200 s and 500-600 s at 10 bit/s, packets of 100 bit, 0.5 s of light time and 1 s of processing."""
    distance = 0.5 * LIGHT_SPEED
    found = telemetry_delay(
        [0.0, 50.0, 150.0, 195.0], 100.0, contacts((100, 200), (500, 600)), 10.0, distance, 1.0
    )
    # The last one is cut by the end of the contact: 5 s before and 5 s after the gap.
    np.testing.assert_allclose(found.arrival, np.array([110.0, 120.0, 160.0, 505.0]) + 1.5)
    np.testing.assert_allclose(found.gaps.start, [0.0, 161.5, 506.5])
    np.testing.assert_allclose(found.gaps.stop, [111.5, 506.5, 600.0])
    age = age_of_information(found, [111.0, 112.0, 130.0, 300.0])
    assert np.isinf(age[0])
    np.testing.assert_allclose(age[1:], [112.0, 80.0, 150.0])


def test_live_packets_overtake_stored_ones():
    """20 bit/s, 10 bit a second: live ones within a second, the backlog of 100 s at half the rate takes 100 s."""
    made = np.arange(0.0, 300.0)
    found = telemetry_delay_live_first(made, 10.0, contacts((100, 300)), 20.0)
    live = made >= 100.0
    assert found.delay[live].max() == pytest.approx(0.5, abs=1e-9)
    assert found.arrival[~live].max() == pytest.approx(200.0, abs=1.0)
    assert found.out_of_order == 100
    in_order = telemetry_delay(made, 10.0, contacts((100, 300)), 20.0)
    assert in_order.delay[150] > found.delay[150]
    assert in_order.arrival.max() == pytest.approx(found.arrival.max(), abs=1.0)  # the work is the same


def test_nothing_arrives_without_contacts():
    for delay in (telemetry_delay, telemetry_delay_live_first):
        found = delay([0.0, 100.0], 10.0, contacts(), 1.0)
        assert not found.delivered.any() and found.gaps.total == 100.0
        assert delay([0.0, 1.0], 10.0, contacts((2, 3)), 0.0).delivered.sum() == 0
        assert len(delay([], 10.0, contacts(), 1.0).gaps) == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [(([1.0, 0.0], 1.0), "in order"), (([0.0], 0.0), "above 0 bit"), (([np.nan], 1.0), "finite")],
)
def test_wrong_packets_are_refused(args, message):
    with pytest.raises(ValueError, match=message):
        telemetry_delay(*args, contacts((0, 1)), 1.0)


def test_the_largest_shortfall_is_named():
    found = limiting_factor(
        [0.0, 0.3, 0.0, 0.0, 0.5], [0.0, 0.1, 0.2, 0.0, 0.9], 0.05, [0.0, 0.0, 0.0, 1.0, 0.0], [1, 1, 1, 1, 0]
    )
    assert found.names.tolist() == ["cards", "power", "heat", "link", "no_demand"]
    assert found.code.dtype == np.int8 and found.shortfall.shape == (4, 5)
    assert limiting_factor(0.0005, 0.0, 0.0, 0.0).names == "none"
    with pytest.raises(ValueError, match="heat"):
        limiting_factor(0.0, 1.5, 0.0, 0.0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4))
def test_category_is_consistent_with_shortfalls(parts):
    found = limiting_factor(*parts)
    if max(parts) > 0.001:
        assert parts[int(found.code) - 2] == max(parts)
    else:
        assert LIMITS[int(found.code)] == "none"


def test_shortfalls():
    """A cap of 600 W on 800 W refuses a quarter; 10 Gbit/s for 8 cards of 2.5 Gbit/s lack half."""
    assert power_shortfall(600.0, 800.0) == pytest.approx(0.25)
    assert power_shortfall(np.inf, 800.0) == 0.0
    assert link_shortfall(10e9, 8.0, 2.5e9) == pytest.approx(0.5)
    assert link_shortfall(0.0, 0.0, 2.5e9) == 0.0
    with pytest.raises(ValueError, match="negative"):
        power_shortfall(-1.0, 1.0)


def test_hours_are_weighted_by_time_and_work():
    """Two ticks of one hour: 600 s short of power by 0.5, 3000 s of heat by 0.2: heat has the larger mean."""
    time, dt = np.array([0.0, 600.0, 7200.0]), np.array([600.0, 3000.0, 60.0])
    shortfall = np.zeros((4, 3, 2))
    shortfall[0, 0], shortfall[1, 1], shortfall[3, 2] = 0.5, 0.2, 1.0
    asked = np.array([[8.0, 8.0], [8.0, 0.0], [8.0, 8.0]])
    found = limits_over(time, dt, shortfall, asked)
    assert found.names.tolist() == [["heat", "power"], ["no_demand", "no_demand"], ["link", "link"]]
    assert found.shortfall[1, 0, 0] == pytest.approx(0.2 * 3000 / 3600)
    assert found.shortfall[0, 0, 1] == pytest.approx(0.5)
