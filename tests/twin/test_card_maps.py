"""Maps of racks and cards that a run leaves: equal to the fleet they were made from."""

import numpy as np
import pytest

from twin.card_maps import BROKEN, BY_HEAT, BY_POWER, FREE, IDLE, CardMaps, card_states
from twin.compute import CARDS, CardFleet
from twin.results import open_result
from twin.run import RunOptions, run

CARD = CARDS["h100-sxm"] if "h100-sxm" in CARDS else next(iter(CARDS.values()))


def small_fleet(plate, activity=1.0, cap=np.inf, cards=(8, 8, 6), minutes=20):
    """Three modules of one job; the last card has none."""
    fleet = CardFleet(CARD, cards, temperature=plate, seed=3)
    jobs = np.zeros(fleet.cards, int)
    jobs[-1] = -1
    fleet.assign(jobs, 1)
    tick = None
    for _ in range(minutes * 6):
        tick = fleet.advance(1.0, 10, [activity], plate, cap)
    return fleet, tick


def test_cool_cards_are_free():
    fleet, tick = small_fleet(300.0, activity=0.4)
    states = card_states(fleet)
    assert (states[:-1] == FREE).all() and states[-1] == IDLE
    assert tick.throttled_fraction_thermal.max() == 0.0


def test_causes_are_those_that_the_fleet_counts():
    """In a steady state the share of cards told from their state is the share of time the fleet counted."""
    hot, tick = small_fleet([300.0, CARD.target_temperature - 4.0, CARD.target_temperature - 8.0])
    states = np.split(card_states(hot), hot.module_start[1:-1])
    counted = tick.throttled_fraction_thermal
    assert counted[1] > 0.5
    for part, share in zip(states, counted, strict=True):
        assert (part == BY_HEAT).mean() == pytest.approx(share, abs=0.01)
    capped, tick = small_fleet(300.0, cap=[1e9, 0.6 * 8 * CARD.power_limit, 1e9])
    states = np.split(card_states(capped), capped.module_start[1:-1])
    for part, share in zip(states, tick.throttled_fraction_power, strict=True):
        assert (part == BY_POWER).mean() == pytest.approx(share, abs=0.01)
    assert tick.throttled_fraction_power[1] > 0.5


def test_failed_cards_are_marked():
    fleet, _ = small_fleet(300.0)
    fleet.fail([2, 5])
    assert np.flatnonzero(card_states(fleet) == BROKEN).tolist() == [2, 5]


def test_racks_are_sums_over_their_cards(tmp_path):
    fleet, _ = small_fleet([300.0, CARD.target_temperature - 2.0, 310.0])
    CardMaps(tmp_path, fleet, [4, 4, 4]).write(60.0)
    layout = np.load(tmp_path / "layout.npz")
    assert layout["first_rack"].tolist() == [0, 2, 4, 6]
    assert layout["rack_start"].tolist() == [0, 4, 8, 12, 16, 20, 22]  # the last rack is not full
    racks, cards = np.load(tmp_path / "racks-0000000060.000.npz"), np.load(tmp_path / "cards-last.npz")
    each = np.split(fleet.temperature.astype(float), layout["rack_start"][1:-1])
    assert np.allclose(0.01 * racks["junction_temperature_max"], [part.max() for part in each], atol=0.006)
    assert np.allclose(0.01 * racks["junction_temperature_mean"], [part.mean() for part in each], atol=0.006)
    assert np.allclose(0.01 * cards["junction_temperature"], fleet.temperature, atol=0.006)
    held = [(part == BY_HEAT).mean() for part in np.split(card_states(fleet), layout["rack_start"][1:-1])]
    assert racks["held_by_temperature"] == pytest.approx(held) and sum(held) > 0


def test_shares_are_over_the_interval(tmp_path):
    """A job that rests every second tick: the maps know the share of time, as the fleet counts it."""
    fleet, _ = small_fleet([300.0, CARD.target_temperature - 12.0, 300.0], activity=0.9)
    maps, counted = CardMaps(tmp_path, fleet, [8, 8, 8]), np.zeros(3)
    maps.forget()
    for k in range(40):
        activity = 0.9 if k % 2 else 0.0
        tick = fleet.advance(1.0, 10, [activity], [300.0, CARD.target_temperature - 12.0, 300.0])
        counted += tick.throttled_fraction_thermal / 40
        maps.look()
    maps.write(400.0)
    racks = np.load(tmp_path / "racks-0000000400.000.npz")["held_by_temperature"]
    assert 0.2 < counted[1] < 0.8
    assert racks == pytest.approx(counted, abs=0.08)
    maps.forget()
    fleet.temperature[:] = 300.0
    fleet.advance(1.0, 10, [0.0], 300.0)
    maps.look()
    maps.write(500.0)
    assert np.load(tmp_path / "racks-0000000500.000.npz")["held_by_temperature"].max() == 0.0


def test_the_worst_moment_stays(tmp_path):
    fleet, _ = small_fleet(300.0)
    maps = CardMaps(tmp_path, fleet, [8, 8, 8])
    for time, change in ((0.0, 0.0), (60.0, 20.0), (120.0, -15.0)):
        fleet.temperature += np.float32(change)
        maps.write(time)
    assert float(np.load(tmp_path / "cards-worst.npz")["time"]) == 60.0
    assert float(np.load(tmp_path / "cards-last.npz")["time"]) == 120.0
    # A run that goes on from 60 s has not seen 120 s, and still knows its worst moment.
    again = CardMaps(tmp_path, fleet, [8, 8, 8], until=60.0)
    assert sorted(file.name for file in tmp_path.glob("racks-*.npz")) == [
        "racks-0000000000.000.npz",
        "racks-0000000060.000.npz",
    ]
    again.write(90.0)
    assert float(np.load(tmp_path / "cards-worst.npz")["time"]) == 60.0


def test_a_run_leaves_maps(satellite, tmp_path):
    case = satellite("mission.duration=5 min", "numerics.thermal_step=20 s")
    run(case, tmp_path, RunOptions(field_interval=120.0))
    folder = tmp_path / "fields/cards"
    times = [float(np.load(file)["time"]) for file in sorted(folder.glob("racks-*.npz"))]
    assert times and times == sorted(times) and times[-1] <= 300.0
    last, result = np.load(folder / "cards-last.npz"), open_result(tmp_path)
    module = result["module"].to_dataset()
    index = int(
        np.abs((module.time - module.time[0]).values / np.timedelta64(1, "s") + 60 - times[-1]).argmin()
    )
    hottest = float(module.junction_temperature_max[index].max())
    assert 0.01 * float(last["junction_temperature"].max()) == pytest.approx(hottest, abs=0.02)
