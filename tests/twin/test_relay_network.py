"""Which terminals are up when: pairs along the orbit, turns to the ground, power, rate and telemetry."""

import math
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from twin.ground import GroundStation, passes
from twin.kepler import EARTH_RADIUS
from twin.orbit import Orbit
from twin.relay_network import ModuleTerminals, OutwardTarget, RelayNetwork
from twin.terminal import TerminalParameters

DAY = 86_400.0
RATE = 10e9
ORBIT = Orbit.from_altitude(750e3, 18.0, datetime(2026, 6, 21, tzinfo=UTC))
POLAR = GroundStation("north", math.radians(78.0), math.radians(15.0), 0.0, math.radians(10.0))
KIND = TerminalParameters(standby_power=15.0, acquiring_power=80.0, up_power=100.0, heat_fraction=0.98)


def network(count, terminals=2, targets=(), reach=8e6, telemetry=1e6, seed=1):
    """`count` sub-centers of one module each, evenly along the orbit."""
    phase = 2.0 * np.pi * np.arange(count) / count
    of_module = ModuleTerminals(
        np.broadcast_to(terminals, count).astype(np.int64),
        np.zeros(count, np.int64),
        [KIND],
        np.full(count, RATE),
        np.full(count, reach),
        np.full(count, telemetry),
    )
    orbits = [ORBIT.shifted(p) for p in phase]
    return RelayNetwork(orbits, phase, np.arange(count), of_module, targets, seed)


def test_a_ring_of_eight_sees_its_neighbours():
    """45 degrees at 750 km: the chord 2 a sin 22.5 is 5456 km, and grazes 207 km above the ground: always up."""
    a = EARTH_RADIUS + 750e3
    assert 2.0 * a * math.sin(math.radians(22.5)) < 8e6
    assert a * math.cos(math.radians(22.5)) - EARTH_RADIUS == pytest.approx(207e3, abs=1e3)
    tick = network(8).tick(1000.0, 10.0)
    np.testing.assert_allclose(tick.rate, 2.0 * RATE)
    np.testing.assert_allclose(tick.power, 200.0)
    np.testing.assert_allclose(tick.power * tick.light_share, 2.0 * 2.0)


def test_a_ring_of_six_is_cut_by_the_earth():
    """60 degrees: the line of sight passes through the Earth; terminals stand by."""
    assert (EARTH_RADIUS + 750e3) * math.cos(math.radians(30.0)) < EARTH_RADIUS
    tick = network(6).tick(1000.0, 10.0)
    assert (tick.rate == 0.0).all()
    np.testing.assert_allclose(tick.power, 30.0)


def test_out_of_range_is_down():
    assert (network(8, reach=5.4e6).tick(0.0, 60.0).rate == 0.0).all()


def test_one_terminal_each_pairs_neighbours():
    """With a single terminal every second link of the ring is missing."""
    np.testing.assert_allclose(network(8, terminals=1).tick(1000.0, 10.0).rate, RATE)
    # The one without a terminal breaks the ring: its neighbours have a terminal to spare.
    rate = network(8, terminals=[2, 2, 0, 2, 2, 2, 2, 2]).tick(1000.0, 10.0).rate
    np.testing.assert_allclose(rate, RATE * np.array([2, 1, 0, 1, 2, 2, 2, 2]))


def test_acquisition_comes_first():
    """All links of the ring are acquired in the first four seconds, at 80 W."""
    tick = network(8).tick(0.0, 8.0)
    np.testing.assert_allclose(tick.rate, RATE)
    np.testing.assert_allclose(tick.power, 2.0 * 0.5 * (80.0 + 100.0))


def test_passes_of_a_lone_satellite():
    """Link time over a day is that of the passes less the acquisition of each; energy follows the states."""
    lone = network(1, terminals=1, targets=[OutwardTarget(POLAR)])
    spans = passes(ORBIT, POLAR, 0.0, DAY).spans
    edges = np.linspace(0.0, DAY, 8641)
    ticks = [lone.tick(a, b - a) for a, b in pairwise(edges)]
    bits = sum(t.rate[0] for t in ticks) * 10.0
    up = spans.total - 4.0 * len(spans)
    assert bits == pytest.approx(RATE * up, rel=1e-6)
    energy = sum(t.power[0] for t in ticks) * 10.0
    assert energy == pytest.approx(
        100.0 * up + 80.0 * 4.0 * len(spans) + 15.0 * (DAY - spans.total), rel=1e-9
    )


def test_any_step_gives_the_same_mean():
    lone = network(1, terminals=1, targets=[OutwardTarget(POLAR)])
    fine = np.mean([lone.tick(60.0 * k, 60.0).power[0] for k in range(200)])
    assert lone.tick(0.0, 12_000.0).power[0] == pytest.approx(fine, rel=1e-9)


def test_later_days_do_not_change_earlier_ones():
    """Asked for day by day or at once: the same contacts, weather included."""
    cloudy = OutwardTarget(
        GroundStation("cloudy", math.radians(78.0), 0.3, 0.0, math.radians(10.0), cloud_free_fraction=0.5)
    )
    short, long = (network(1, terminals=1, targets=[cloudy]) for _ in range(2))
    long.reach(5.0 * DAY)
    times = np.arange(0.0, DAY, 300.0)
    np.testing.assert_array_equal(
        [short.tick(t, 300.0).rate[0] for t in times], [long.tick(t, 300.0).rate[0] for t in times]
    )


def test_a_turn_to_the_ground_interrupts_a_link():
    """With two terminals and two neighbours, a satellite in contact loses one link, and so does that neighbour."""
    ring = network(8, targets=[OutwardTarget(POLAR, 1e9)])
    spans = passes(ORBIT, POLAR, 0.0, DAY).spans
    middle = float(spans.start[1] + 0.5 * spans.duration[1])
    rate = ring.tick(middle, 1.0).rate
    talking = [
        n
        for n, orbit in enumerate(ring.orbits)
        if passes(orbit, POLAR, middle - 60.0, middle + 60.0).spans.contains([middle])[0]
    ]
    assert 0 in talking
    assert rate[0] == pytest.approx(RATE + 1e9)
    lost = (2.0 * RATE - rate[[n for n in range(8) if n not in talking]]) / RATE
    assert lost.sum() >= 1.0


def test_the_faster_target_comes_first():
    slow, fast = OutwardTarget(POLAR, 1e9), OutwardTarget(POLAR, 5e9)
    lone = network(1, terminals=1, targets=[slow, fast])
    start = float(passes(ORBIT, POLAR, 0.0, DAY).spans.start[0])
    assert lone.tick(start + 60.0, 1.0).rate[0] == pytest.approx(5e9)


def test_telemetry_waits_for_a_pass():
    """A packet made between two passes arrives in the next one, one made in contact at once."""
    lone = network(1, terminals=1, targets=[OutwardTarget(POLAR)])
    spans = passes(ORBIT, POLAR, 0.0, DAY).spans
    gap = int(np.argmax(spans.start[1:] - spans.stop[:-1]))
    middle = 60.0 * round(0.5 * (spans.stop[gap] + spans.start[gap + 1]) / 60.0)
    delay = lone.telemetry_delay(middle)[0]
    assert delay == pytest.approx(spans.start[gap + 1] + 4.0 - middle, abs=5.0)
    inside = 60.0 * math.ceil((spans.start[2] + 10.0) / 60.0)
    assert lone.telemetry_delay(inside)[0] < 1.0


def test_telemetry_goes_by_way_of_neighbours():
    """A ring brings the telemetry of all down through whichever is in contact; hours without any remain."""
    ring, lone = network(8, targets=[OutwardTarget(POLAR)]), network(1, targets=[OutwardTarget(POLAR)])
    times = np.arange(0.0, DAY, 600.0)
    together = np.array([ring.telemetry_delay(t) for t in times])
    alone = np.array([lone.telemetry_delay(t)[0] for t in times])
    assert (together[:, 0] <= alone + 1.0).all()
    assert together.mean() < 0.5 * alone.mean()


def test_geostationary_relays_are_reached_only_within_range():
    relays = [OutwardTarget(math.radians(longitude)) for longitude in (10.0, 130.0, 250.0)]
    near, far = (network(1, terminals=1, targets=relays, reach=reach) for reach in (8e6, 45e6))
    times = np.arange(0.0, DAY, 600.0)
    assert max(near.tick(t, 600.0).rate[0] for t in times) == 0.0
    # Three relays are always in view; hand-overs cost an acquisition each.
    assert np.mean([far.tick(t, 600.0).rate[0] for t in times]) > 0.98 * RATE
    assert np.isinf(near.telemetry_delay(0.0)).all()
    assert 0.2 < far.telemetry_delay(3600.0)[0] < 1.0


def test_without_terminals_nothing_happens():
    none = network(2, terminals=0, targets=[OutwardTarget(POLAR)])
    tick = none.tick(0.0, 10.0)
    assert (tick.power == 0.0).all() and (tick.rate == 0.0).all() and (tick.light_share == 0.0).all()
    assert not none.reports
