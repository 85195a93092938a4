"""The coupled run: energy, order of events, limits and what throttles when."""

import numpy as np
import pytest

from twin.plant import Plant
from twin.simulation import Simulation, simulate


def ticks_of(case):
    return list(simulate(case))


@pytest.fixture(scope="module")
def through_eclipse(satellite):
    """Half an hour from sunlight through a whole eclipse."""
    return ticks_of(satellite("mission.duration=30 min"))


def test_every_joule_is_booked(through_eclipse):
    """Design bar: absorbed = emitted + exported + stored + battery, to 1e-6 of what is absorbed."""
    ledger = through_eclipse[-1].ledger
    assert abs(ledger.plant_residual) < 1e-7
    assert np.abs(ledger.residual).max() < 1e-7
    assert ledger.plant["battery"] < 0.0 < ledger.plant["exported"]


def test_power_balances_in_every_tick(through_eclipse):
    """Array and battery supply the loads and the losses, to rounding."""
    for tick in through_eclipse:
        (group,) = tick.groups
        flows = group.flows
        supplied = sum(flows.load_supplied.values()) + sum(flows.losses.values())
        np.testing.assert_allclose(flows.solar_used + flows.battery_power, supplied, rtol=1e-9)
        np.testing.assert_allclose(group.battery.power, flows.battery_power, rtol=1e-9, atol=1e-6)
        np.testing.assert_allclose(group.array.power, flows.solar_used, rtol=1e-12)
        served = tick.cards.power + group.overhead
        np.testing.assert_allclose(flows.load_supplied["compute"], served, rtol=1e-6)


def test_ticks_are_contiguous_and_end_on_contacts(through_eclipse):
    ends = np.array([tick.end for tick in through_eclipse])
    starts = np.array([tick.time for tick in through_eclipse])
    np.testing.assert_allclose(starts[1:], ends[:-1], rtol=0, atol=1e-9)
    assert ends[-1] == pytest.approx(1800.0)
    assert max(tick.dt for tick in through_eclipse) <= 10.0 + 1e-9
    jumps = [tick for tick in through_eclipse[1:] if tick.environment.jump]
    assert len(jumps) == 4  # penumbra and umbra, in and out
    # Sunlight is full up to the first contact and gone from the second to the third.
    lit = [float(t.environment.illuminated_fraction[0]) for t in through_eclipse]
    for tick, fraction in zip(through_eclipse, lit, strict=True):
        inside = jumps[1].time <= tick.time < jumps[2].time
        if inside:
            assert tick.groups[0].flows.solar_used[0] == 0.0
        if tick.end <= jumps[0].time + 1e-6:
            assert fraction == pytest.approx(1.0)


def test_battery_rides_through(through_eclipse):
    """The policy of the case: the load stays in shadow, the battery within its limit."""
    dark = [t for t in through_eclipse if t.environment.illuminated_fraction[0] == 0.0]
    assert len(dark) > 60
    assert all(t.groups[0].flows.shed["compute"][0] == 0.0 for t in dark)
    charge = np.array([t.groups[0].battery.state.state_of_charge[0] for t in through_eclipse])
    assert 0.7 <= charge.min() < 0.85
    assert charge[-1] > charge.min()


def test_heat_leaves_by_the_radiator(through_eclipse):
    """Over the run the panels reject about what cards, hosts and pump put in (body and storage take little)."""
    dt = np.array([t.dt for t in through_eclipse])
    rejected = np.array([t.groups[0].thermal.heat_rejected[0] for t in through_eclipse]) @ dt
    put_in = np.array([t.cards.heat_to_coolant[0] + t.groups[0].overhead[0] for t in through_eclipse]) @ dt
    assert rejected == pytest.approx(put_in, rel=0.12)


def test_steps_halved(satellite):
    """Design bar of the first slice: extreme panel temperatures change by less than 0.2 K."""
    extremes = []
    for steps in (("10 s", "1 s"), ("5 s", "0.5 s")):
        case = satellite(
            "mission.duration=25 min", f"numerics.thermal_step={steps[0]}", f"numerics.card_step={steps[1]}"
        )
        thermal = [t.groups[0].thermal.temperatures for t in ticks_of(case)]
        extremes.append((min(t["panel_min"][0] for t in thermal), max(t["panel_max"][0] for t in thermal)))
    np.testing.assert_allclose(extremes[0], extremes[1], atol=0.2)


def test_same_seed_same_result(satellite):
    case = satellite("mission.duration=3 min")
    first, second = (ticks_of(case)[-1] for _ in range(2))
    assert first.cards.power.tobytes() == second.cards.power.tobytes()
    np.testing.assert_equal(
        dict(first.groups[0].thermal.temperatures), dict(second.groups[0].thermal.temperatures)
    )


def test_too_small_a_radiator_throttles_by_heat(satellite):
    """A fifth of the panel cannot take the heat: cards slow down by temperature, none passes its shutdown."""
    small = satellite(
        "module_classes.satellite.radiator.width=0.4 m",
        "module_classes.satellite.radiator.tubes.count=3",
        "module_classes.satellite.coolant_loop.inventory_mass=1 kg",
        "module_classes.satellite.coolant_loop.pressure=100 bar",
        "mission.duration=40 min",
    )
    last = ticks_of(small)[-1]
    assert last.cards.throttled_fraction_thermal[0] > 0.3
    assert last.cards.throughput_fraction[0] < 0.85
    limit = small.module_classes["satellite"].racks.card.shutdown_temperature
    assert last.cards.junction_temperature_max[0] < limit
    assert last.groups[0].margin[0] < 0.0
    assert abs(last.ledger.plant_residual) < 1e-6


def test_shedding_in_shadow(satellite):
    """Policy shed: in shadow the cards fall to idle, and the battery gives less than when riding through."""
    case = satellite("mission.duration=15 min", "module_classes.satellite.bus.eclipse_policy=shed")
    dark = [t for t in ticks_of(case) if t.environment.illuminated_fraction[0] == 0.0]
    assert max(t.cards.power[0] for t in dark) < 0.4 * 8 * 560.0
    assert dark[-1].cards.throttled_fraction_power[0] > 0.9


def test_outside_the_season_there_is_no_shadow(satellite):
    case = satellite(
        "mission.duration=1.2 orbits",
        "numerics.thermal_step=60 s",
        file="experimental-satellite-full-sun.yaml",
    )
    ticks = ticks_of(case)
    assert all(t.environment.illuminated_fraction[0] == 1.0 for t in ticks)
    assert all(t.groups[0].flows.battery_power[0] <= 1e-6 for t in ticks)
    assert sum(t.environment.jump for t in ticks) == 1


def test_settled_start_stays_put(satellite):
    """The first minutes do not drift away from the balance that the run starts with."""
    simulation = Simulation(Plant.build(satellite("numerics.thermal_step=30 s")))
    simulation.settle()
    module = simulation.plant.groups[0].thermal
    before = module.temperatures()
    list(simulation.run(120.0))
    assert module.temperatures()["supply"] == pytest.approx(before["supply"], abs=1.5)
    assert module.temperatures()["panel_mean"] == pytest.approx(before["panel_mean"], abs=4.0)
