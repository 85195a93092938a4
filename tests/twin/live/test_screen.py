"""Screening by itself: range, rate, repeated readings, and who is to blame for an innovation."""

from types import SimpleNamespace

import numpy as np
import pytest

from twin.assimilation import innovation_statistics
from twin.assimilation.parameters import centred_normals
from twin.live.alarms import AlarmBook, exceedance
from twin.live.align import Bin
from twin.live.filter import Comparison
from twin.live.model import PARAMETERS
from twin.live.screen import CALM, STRIKES, Screen, SensorFault
from twin.live.spikes import SpikeWatch

SENSORS = 4


def table():
    return SimpleNamespace(
        place=np.arange(SENSORS)[None, :], size=SENSORS, low=np.full(SENSORS, 0.0), high=np.full(SENSORS, 100.0),
        rate=np.full(SENSORS, 1.0), all_noise=np.full(SENSORS, 0.1), noise=np.full((1, SENSORS), 0.1),
        bias=np.full((1, SENSORS), 0.1),
    )  # fmt: skip


def readings(*values):
    value = np.array(values, dtype=float)
    there = np.isfinite(value)
    return Bin(value, np.where(there, 5.0, np.nan), there.astype(int), np.zeros(SENSORS, int), value)


class Plant:
    """Four sensors of one temperature that is known to 0.3 K."""

    started = -1e4

    def __init__(self, known=0.3):
        self.random, self.known = np.random.default_rng(0), known

    def comparison(self, *offsets):
        members = np.broadcast_to(self.known * centred_normals((1, 1, 20), self.random), (1, SENSORS, 20))
        observed = 0.1 * self.random.normal(size=(1, SENSORS)) + np.array(offsets)
        return Comparison(members, observed, np.full((1, SENSORS), 0.01), np.zeros((1, SENSORS), int))

    def innovation(self, compared, excluded):
        observed = np.where(excluded, np.nan, compared.observed)
        return innovation_statistics(compared.predicted, observed, compared.variance)


def run(screen, plant, cycles, *offsets, start=0):
    judged = []
    for k in range(start, start + cycles):
        screen.clean(readings(*(50.0 + 0.001 * k + 0.1 * np.arange(SENSORS))), 30.0 * k, 30.0)
        judged.append(screen.judge(plant, plant.comparison(*offsets), 30.0 * k))
    return judged


def test_range_and_rate():
    screen = Screen(table())
    first = screen.clean(readings(50.0, -5.0, 200.0, np.nan), 10.0, 10.0)
    assert first[0] == 50.0 and np.isnan(first[1:]).all()
    second = screen.clean(readings(75.0, 50.0, 50.0, 50.0), 20.0, 10.0)
    assert np.isnan(second[0]) and (second[1:] == 50.0).all()
    # What stays after a jump is a jump, not a glitch.
    assert screen.clean(readings(75.1, 50.1, 50.1, 50.1), 30.0, 10.0)[0] == 75.1


def test_repeated_readings_are_stuck_after_a_while():
    screen = Screen(table())
    for k in range(14):
        screen.clean(readings(50.0, 50.0 + 0.01 * k, 50.0, np.nan), 10.0 * k, 10.0)
    assert screen.stuck(130.0).tolist() == [True, False, True, False]


def test_quiet_sensors_are_left_alone():
    screen, plant = Screen(table()), Plant()
    for judgement in run(screen, plant, 200, 0.0, 0.0, 0.0, 0.0):
        assert not judgement.excluded.any() and not judgement.changed.any()


def test_one_sensor_off_is_left_out_at_once_named_later_and_believed_again():
    screen, plant = Screen(table()), Plant()
    judged = run(screen, plant, STRIKES, 0.0, 2.0, 0.0, 0.0)
    assert all(j.excluded.tolist() == [[False, True, False, False]] for j in judged)
    assert screen.fault[0, 1] == SensorFault.DISAGREES and screen.confidence()[0, 1] > 0.99
    assert screen.departure[0, 1] == pytest.approx(2.0, abs=0.5)
    assert not any(j.changed.any() for j in judged)
    run(screen, plant, CALM + 2, 0.0, 0.0, 0.0, 0.0, start=STRIKES)
    assert screen.fault[0, 1] == SensorFault.NONE


def test_a_liar_is_not_believed_because_nobody_knows_better():
    """A thermometer 2 K off is left out; when the others fall silent and the error bars grow to 1 K it stays so."""
    screen, plant = Screen(table()), Plant()
    run(screen, plant, STRIKES, 0.0, 2.0, 0.0, 0.0)
    run(screen, Plant(known=1.0), 2 * CALM, np.nan, 2.0, np.nan, np.nan, start=STRIKES)
    assert screen.fault[0, 1] == SensorFault.DISAGREES


def test_who_believes_in_the_others_is_not_named_with_a_liar():
    """Against a sensor that is 3 K off all others depart for long; only that one is named."""
    screen, plant = Screen(table()), Plant()
    run(screen, plant, 12, 0.0, 3.0, 0.0, 0.0)
    assert (
        np.flatnonzero(screen.fault[0]).tolist() == [1] and np.abs(screen.lasting[0, [0, 2, 3]]).max() < 1.5
    )


def test_a_sensor_that_is_off_by_a_little_for_long_is_named():
    """Less than five standard deviations from the others: no cycle shows it for sure, ten of them do."""
    screen, plant = Screen(table()), Plant()
    run(screen, plant, 2, 0.0, 0.0, 0.0, 0.0)
    run(screen, plant, 12, 0.0, 0.54, 0.0, 0.0, start=2)
    assert list(screen.fault[0]) == [
        SensorFault.NONE,
        SensorFault.DISAGREES,
        SensorFault.NONE,
        SensorFault.NONE,
    ]


def test_two_sensors_of_one_part_that_depart_together_are_the_plants():
    """The same two sensors far off: two liars where they see different parts, a change where they see the same one."""
    for parts, changed in ((np.arange(4), False), (np.array([7, 7, 2, 3]), True)):
        screen, plant = Screen(table(), parts=parts), Plant()
        run(screen, plant, 5, 0.0, 0.0, 0.0, 0.0)
        (judged,) = run(screen, plant, 1, 4.0, -4.0, 0.0, 0.0, start=5)
        assert judged.changed[0] == changed and judged.excluded[0, 0] != changed


def test_two_sensors_off_are_both_left_out():
    (judged,) = run(Screen(table()), Plant(), 1, 3.0, 0.0, 0.0, -3.0)
    assert judged.excluded.tolist() == [[True, False, False, True]] and not judged.changed.any()


def test_a_change_that_all_sensors_share_is_the_plants():
    """All show 3 K more, ten standard deviations: nobody is excluded, parameters are opened, not in every cycle."""
    judged = run(Screen(table()), Plant(), 3, 3.0, 3.0, 3.0, 3.0)
    assert not any(j.excluded.any() for j in judged)
    assert [bool(j.changed[0]) for j in judged] == [True, False, False]


def test_silence_is_noticed():
    screen, plant = Screen(table()), Plant()
    run(screen, plant, 2, 0.0, 0.0, 0.0, 0.0)
    for k in range(2, 30):
        screen.clean(readings(50.0 + 0.01 * k, np.nan, 50.3, 50.4 + 0.01 * k), 30.0 * k, 30.0)
        screen.judge(plant, plant.comparison(0.0, np.nan, 0.0, 0.0), 30.0 * k)
    assert screen.fault[0, 1] == SensorFault.SILENT


def test_snapshot_goes_on_where_it_was():
    one, other, plant = Screen(table()), Screen(table()), Plant()
    run(one, plant, 2, 0.0, 2.0, 0.0, 0.0)
    other.restore(one.snapshot())
    assert all(np.array_equal(getattr(one, n), getattr(other, n), equal_nan=True) for n in Screen._STATE)


def test_chance_beyond_a_bound_is_the_normal_distribution():
    """1.645 standard deviations: 5 %."""
    assert exceedance(np.array([1.0]), np.array([0.02]), 1.0 - 1.645 * 0.02)[0] == pytest.approx(
        0.05, abs=1e-3
    )
    assert exceedance(np.array([1.0]), np.array([0.1]), 1.1645)[0] == pytest.approx(0.05, abs=1e-3)


def test_plant_alarms_come_go_and_keep_their_time():
    book = AlarmBook("first")
    spread = np.full((2, len(PARAMETERS)), 0.01)
    good = np.ones((2, len(PARAMETERS)))
    bad = good.copy()
    bad[1, PARAMETERS.index("mass_flow")] = 0.90
    (alarm,) = book.update("plant", book.plant_alarms(bad, spread, 100.0), 100.0)
    assert (alarm.cause, alarm.place) == ("pump", "first/1") and alarm.confidence > 0.99
    edge = good.copy()
    edge[1, PARAMETERS.index("mass_flow")] = (
        0.955  # a little better than the limit: estimates wander by that much
    )
    assert book.update("plant", book.plant_alarms(edge, spread, 200.0), 200.0) == []
    assert next(iter(book.standing.values())).time == 100.0
    book.update("plant", book.plant_alarms(good, spread, 300.0), 300.0)
    assert not book.standing and book.over[0].ended == 300.0
    again = AlarmBook("first")
    again.restore(book.as_json())
    assert again.over == book.over


def follow(watch, *gaps, spread=0.1):
    """Cycles of three ticks of one sensor; gaps of it."""
    wild = []
    for at in range(0, len(gaps), 3):
        cycle = np.array(gaps[at : at + 3])[:, None, None]
        alone, found = watch.follow(cycle, np.full(cycle.shape, spread))
        wild.append((alone[:, 0, 0].tolist(), float(found[0, 0])))
    return wild


def test_a_spike_counts_by_its_size_once_the_reading_is_back():
    """8 deviations: a wild reading; 24 and more: three."""
    assert follow(SpikeWatch((1, 1)), 0.0, 0.9, 0.0) == [([False, True, False], pytest.approx(1.125))]
    assert follow(SpikeWatch((1, 1)), 0.0, -20.0, 0.0) == [([False, True, False], 3.0)]
    last, after = follow(SpikeWatch((1, 1)), 0.0, 0.0, 20.0, 0.1, 0.0, 0.0)
    assert last == ([False, False, True], 0.0) and after == ([False, False, False], 3.0)


@pytest.mark.parametrize("at", range(3))
def test_what_stays_after_a_step_is_no_spike(at):
    """A pump that weakens, a sensor that is off from now on: whenever in a cycle, nothing spikes."""
    gaps = [0.0] * (3 + at) + [2.2] * (6 - at)
    assert sum(wild for _, wild in follow(SpikeWatch((1, 1)), *gaps)) == 0.0


def test_spikes_are_seen_in_cycles_of_two_ticks():
    watch = SpikeWatch((1, 1))
    found = [
        watch.follow(np.array(g)[:, None, None], np.full((2, 1, 1), 0.1)) for g in ((0.0, 0.0), (5.0, 0.0))
    ]
    assert found[1][0][:, 0, 0].tolist() == [True, False] and found[1][1][0, 0] == 3.0


def test_a_watch_that_was_restored_goes_on():
    one, other = SpikeWatch((1, 1)), SpikeWatch((1, 1))
    follow(one, 0.0, 0.0, 20.0)
    other.restore(one.snapshot())
    assert follow(other, 0.0, 0.0, 0.0)[0][1] == 3.0


def test_a_leap_that_stays_is_no_spike():
    """Faster than the quantity can change: refused once; three wild readings if it comes back, none if it stays."""
    for then, wild in ((50.0, 3.0), (75.0, 0.0)):
        screen = Screen(table())
        for k, value in enumerate((50.0, 75.0, then)):
            screen.clean(readings(value, 50.0 + 0.01 * k, 50.0, 50.0), 10.0 * (k + 1), 10.0)
        assert screen.wild[0] == pytest.approx(wild)
