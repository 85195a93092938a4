"""Converters, dispatch and eclipse caps: books that close, priorities that hold, closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.battery import (
    BatteryCellParameters,
    BatteryParameters,
    BatteryState,
    deliverable_energy,
    power_limits,
    step,
)
from twin.power_bus import LOADS, LOSS_PLACES, BusParameters, ConverterParameters, dispatch
from twin.power_cap import BatteryOutlook, EclipseOutlook, compute_power_cap

BUS = BusParameters(
    solar_regulator=ConverterParameters.from_efficiency(10e3, [0.1, 0.5, 1.0], [0.93, 0.98, 0.975]),
    battery_converter=ConverterParameters.from_efficiency(8e3, [0.1, 0.5, 1.0], [0.92, 0.97, 0.96]),
    harness=ConverterParameters(10e3, quadratic=0.01),
    card_supply=ConverterParameters.from_efficiency(8e3, [0.2, 1.0], [0.95, 0.96]),
)
WIRE = BusParameters()
watts = st.one_of(
    st.just(0.0), st.floats(0.0, 2e4), st.floats(-1e6, 0.0), st.floats(0.0, 1e-300), st.floats(1e9, 1e18)
)


def total(values):
    return sum(values.values())


def test_fit_meets_the_curve_and_one_point_is_constant():
    """Points made from a + b·x + c·x² come back; a single efficiency holds at every load."""
    load = np.array([0.05, 0.2, 0.5, 0.8, 1.0])
    loss = 0.004 + 0.012 * load + 0.011 * load**2
    fitted = ConverterParameters.from_efficiency(2e3, load, load / (load + loss))
    np.testing.assert_allclose(
        [fitted.fixed, fitted.linear, fitted.quadratic], [0.004, 0.012, 0.011], rtol=1e-9
    )
    constant = ConverterParameters.from_efficiency(1.0, 1.0, 0.96)
    np.testing.assert_allclose(constant.output_for(np.array([1.0, 1e6])), [0.96, 0.96e6])


@given(st.floats(0.0, 1e9), st.floats(0.0, 0.1), st.floats(0.0, 0.2), st.floats(0.0, 0.2))
def test_converter_inverse(power, fixed, linear, quadratic):
    converter = ConverterParameters(5e3, fixed, linear, quadratic)
    back = converter.output_for(converter.input_for(np.array([power])))
    assert back[0] == pytest.approx(power, rel=1e-9, abs=1e-9)
    assert np.all(converter.output_for(np.array([power])) <= power)


def test_dispatch_by_hand():
    """Constant efficiencies, sums by hand: 1000 W of Sun, loads 100 + 50 + 30 + 450 W, a hungry battery."""
    chain = BusParameters(
        solar_regulator=ConverterParameters.from_efficiency(1.0, 1.0, 0.95),
        battery_converter=ConverterParameters.from_efficiency(1.0, 1.0, 0.90),
        card_supply=ConverterParameters.from_efficiency(1.0, 1.0, 0.90),
    )
    demands = {"housekeeping": 100.0, "coolant_pump": 50.0, "relay": 30.0, "compute": 450.0}
    flows = dispatch(chain, 1000.0, demands, 300.0, 400.0)
    # Bus: 950 in, 180 + 500 to loads, 270 to the battery, which gets 243.
    assert flows.battery_power[0] == pytest.approx(-243.0)
    assert flows.solar_used[0] == pytest.approx(1000.0)
    losses = {name: value[0] for name, value in flows.losses.items()}
    assert losses == pytest.approx(
        {"solar_regulator": 50.0, "battery_converter": 27.0, "harness": 0.0, "card_supply": 50.0}
    )
    dark = dispatch(chain, 0.0, demands, 300.0, 400.0)
    # Battery 300 → 270 at the bus, 90 left for the card supply: 81 W of compute.
    assert dark.load_supplied["compute"][0] == pytest.approx(81.0)
    assert dark.shed["compute"][0] == pytest.approx(369.0)
    assert dark.battery_power[0] == pytest.approx(300.0)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(watts, watts, watts, watts, watts, watts, watts, watts), min_size=1, max_size=6),
    st.sampled_from([BUS, WIRE]),
    st.booleans(),
)
def test_every_watt_is_booked(modules, bus, shared):
    """Sources = loads + losses to rounding, nothing below 0, no NaN: zero, negative, tiny and huge inputs."""
    solar, house, pump, relay, compute, discharge, charge, reserve = np.array(modules).T
    demands = dict(zip(LOADS, (house, pump, relay, compute)))
    index = np.arange(solar.size) % 2 if shared else None
    flows = dispatch(bus, solar, demands, discharge, charge, reserve, bus_of_module=index)
    # Rounding is relative to what flows, and for a shared bus to what its members hold.
    scale = np.abs(flows.solar_used) + np.abs(flows.battery_power) + total(flows.load_supplied) + 1e-290
    if shared:
        scale = np.bincount(index, scale)[index]
        balance = np.bincount(index, flows.exchange)[index]
        assert np.all(np.abs(balance) <= 1e-12 * scale)
    assert np.all(np.abs(flows.residual) <= 1e-12 * scale)
    for values in (*flows.load_supplied.values(), *flows.shed.values(), *flows.losses.values()):
        assert np.all(np.isfinite(values)) and np.all(values >= 0.0)
    assert np.all(flows.curtailed >= 0.0) and np.all(flows.solar_used >= 0.0)
    np.testing.assert_allclose(flows.solar_used + flows.curtailed, np.maximum(solar, 0.0), rtol=1e-15)
    most = np.maximum(np.maximum(reserve, discharge), 0.0)
    assert np.all(flows.battery_power <= most) and np.all(flows.battery_power >= -np.maximum(charge, 0.0))
    for name in LOADS:
        whole = flows.load_supplied[name] + flows.shed[name]
        np.testing.assert_allclose(whole, np.maximum(demands[name], 0.0), rtol=1e-14)


@given(st.floats(0.0, 1.2e4), st.floats(0.0, 8e3), st.floats(1.0, 3e3), st.floats(1.0, 8e3))
def test_priorities(solar, discharge, house, compute):
    """A load is shed only once every later one is at zero; nothing is curtailed while something is shed."""
    demands = {"housekeeping": house, "coolant_pump": 200.0, "relay": 100.0, "compute": compute}
    flows = dispatch(BUS, solar, demands, discharge, 0.0)
    for k, name in enumerate(LOADS):
        if flows.shed[name][0] > 1e-6 * demands[name]:
            later = sum(flows.load_supplied[other][0] for other in LOADS[k + 1 :])
            assert later <= 1e-6
    short = flows.shed["compute"][0] > 1.0 and flows.load_supplied["compute"][0] > 0.0
    # Below the converters' fixed losses nothing comes through.
    if short and solar > 2000.0 and discharge > 1000.0:
        assert flows.curtailed[0] <= 1e-6 * solar
        assert flows.battery_power[0] == pytest.approx(discharge, rel=1e-6)


@given(st.floats(0.0, 2e4), st.floats(0.0, 2e4))
def test_more_sun_never_less_compute(one, other):
    low, high = sorted((one, other))
    demands = {"housekeeping": 500.0, "coolant_pump": 200.0, "relay": 100.0, "compute": 8e3}
    flows = dispatch(BUS, np.array([low, high]), demands, 1e3, 2e3)
    served = flows.load_supplied["compute"]
    assert served[1] >= served[0] * (1.0 - 1e-12)


def test_reserve_serves_housekeeping_and_not_compute():
    demands = {"housekeeping": 300.0, "compute": 500.0}
    flows = dispatch(WIRE, 0.0, demands, 0.0, 0.0, reserve_discharge_limit=1000.0)
    assert flows.load_supplied["housekeeping"][0] == 300.0
    assert flows.load_supplied["compute"][0] == 0.0
    assert flows.battery_power[0] == pytest.approx(300.0)


def test_shared_bus_helps_the_shaded_module():
    """Two modules, one dark: on one bus the Sun of the first feeds both; apart the second sheds."""
    solar, demands = np.array([4e3, 0.0]), {"compute": np.array([1e3, 1e3])}
    apart = dispatch(WIRE, solar, demands, 0.0, 0.0)
    together = dispatch(WIRE, solar, demands, 0.0, 0.0, bus_of_module=np.array([0, 0]))
    np.testing.assert_allclose(apart.shed["compute"], [0.0, 1e3])
    np.testing.assert_allclose(together.shed["compute"], [0.0, 0.0])
    np.testing.assert_allclose(together.exchange, [-1e3, 1e3])


def test_shared_bus_of_equal_modules_is_no_different():
    demands = {name: np.full(4, 900.0) for name in LOADS}
    apart = dispatch(BUS, np.full(4, 2e3), demands, 1e3, 1e3)
    together = dispatch(BUS, np.full(4, 2e3), demands, 1e3, 1e3, bus_of_module=np.zeros(4, dtype=int))
    for place in LOSS_PLACES:
        np.testing.assert_allclose(together.losses[place], apart.losses[place], rtol=1e-9)
    np.testing.assert_allclose(together.load_supplied["compute"], apart.load_supplied["compute"], rtol=1e-9)


CELL = BatteryCellParameters(
    capacity=18000.0,
    state_of_charge=[0.0, 0.1, 0.5, 0.9, 1.0],
    open_circuit_voltage=[3.0, 3.45, 3.7, 4.05, 4.18],
    voltage_min=2.5,
    voltage_max=4.2,
    discharge_current_max=10.0,
    charge_current_max=5.0,
    resistance=0.03,
    coulombic_efficiency=0.998,
)


def fly(policy, battery_energy, orbits=2, solar=1.2e4):
    """Fly a module through orbits of 100 min with 18 min of shadow; histories of cap, compute and charge."""
    pack = BatteryParameters.from_energy(CELL, battery_energy, 400.0, depth_of_discharge_limit=0.6)
    state, dt, rows = BatteryState.at_rest(1.0, 1), 10.0, []
    full = BatteryState.at_rest(1.0, 1)
    demands = {"housekeeping": 400.0, "coolant_pump": 200.0, "relay": 100.0, "compute": 6000.0}
    for k in range(round(orbits * 6000 / dt)):
        into = (k * dt) % 6000.0
        dark = into >= 4920.0
        outlook = EclipseOutlook(0.0 if dark else 4920.0 - into, 6000.0 - into if dark else 1080.0)
        limits = power_limits(pack, state, 298.15, dt)
        battery = BatteryOutlook(
            deliverable_energy(pack, state, [7e3], 298.15),
            deliverable_energy(pack, full, [7e3], 298.15),
            limits.discharge,
            limits.charge,
        )
        available = 0.0 if dark else solar
        caps = compute_power_cap(BUS, policy, outlook, battery, available, demands, 900.0)
        demand = demands | {"compute": np.minimum(6000.0, caps.now)}
        flows = dispatch(BUS, available, demand, limits.discharge, limits.charge)
        result = step(pack, state, flows.battery_power, 298.15, dt)
        np.testing.assert_allclose(result.power, flows.battery_power, rtol=1e-8, atol=1e-6)
        state = result.state
        rows.append(
            (
                into,
                caps.now[0],
                flows.load_supplied["compute"][0],
                state.state_of_charge[0],
                caps.shortfall[0],
            )
        )
    return np.array(rows).T


def test_ride_through_with_enough_battery_never_throttles():
    """6 kW of cards for 18 min are 2.4 kWh with losses; 6 kWh at 60 % carry it."""
    _, _, compute, charge, shortfall = fly("ride_through", 6.0 * 3.6e6)
    np.testing.assert_allclose(compute, 6000.0)
    assert charge.min() > 0.4 and np.all(shortfall < 1e-3)


def test_ride_through_keeps_power_free_to_charge():
    """Too little Sun for cards and eclipse: the cap gives way ahead, and the eclipse is ridden through."""
    into, cap, compute, charge, _ = fly("ride_through", 6.0 * 3.6e6, orbits=3, solar=8.0e3)
    later = into.size // 3
    sunny = (into < 4800.0) & (np.arange(into.size) > later)
    assert cap[sunny].min() < 6000.0
    dark = (into >= 4920.0) & (np.arange(into.size) > later)
    np.testing.assert_allclose(compute[dark], 6000.0, rtol=1e-6)
    assert charge.min() >= 0.4 - 1e-9


def test_shed_leaves_idle_cards_and_gives_notice():
    into, _, compute, charge, shortfall = fly("shed", 2.0 * 3.6e6)
    np.testing.assert_allclose(compute[into >= 4920.0], 900.0)
    np.testing.assert_allclose(compute[(into >= 4861.0) & (into < 4920.0)], 900.0)
    np.testing.assert_allclose(compute[into < 4800.0], 6000.0)
    assert charge.min() > 0.4 and np.all(shortfall < 1e-3)


def test_hybrid_spends_the_battery_to_its_limit_evenly():
    """2.5 kWh at 60 % carry less than the cards want: the cap is even, and the limit is met at the end."""
    into, _, compute, charge, _ = fly("hybrid", 2.5 * 3.6e6)
    first = np.arange(into.size) < into.size // 2
    dark = (into >= 4920.0) & first
    assert 2000.0 < compute[dark].mean() < 5500.0
    assert np.ptp(compute[dark][:-3]) < 0.1 * compute[dark].mean()
    assert charge[dark][-1] == pytest.approx(0.4, abs=0.03)
    assert charge.min() >= 0.4 - 1e-9


def test_shortfall_says_what_ride_through_lacks():
    """Wire: 1000 W for 1000 s wanted, 0.4 MJ there and 0.1 MJ to come before the shadow: 0.5 MJ short."""
    caps = compute_power_cap(
        WIRE,
        "ride_through",
        EclipseOutlook(1000.0, 1000.0),
        BatteryOutlook([4e5], [5e5], [2e3], [2e3], charge_efficiency=1.0),
        [1500.0],
        {"compute": [1000.0]},
    )
    assert caps.charge_power[0] == pytest.approx(100.0)
    assert caps.shortfall[0] == pytest.approx(5e5)
    assert caps.now[0] == pytest.approx(1400.0)


def test_caps_of_a_shared_bus_add_up():
    """Two modules on a wire share 3000 W in proportion to what they ask."""
    caps = compute_power_cap(
        WIRE,
        "hybrid",
        EclipseOutlook(np.inf, 0.0),
        BatteryOutlook(np.zeros(2), np.zeros(2), np.zeros(2), np.zeros(2)),
        [3000.0, 0.0],
        {"compute": [1000.0, 2000.0]},
        bus_of_module=np.array([0, 0]),
    )
    np.testing.assert_allclose(caps.now, [1000.0, 2000.0])


@settings(deadline=None)
@given(
    st.sampled_from(["ride_through", "shed", "hybrid"]),
    st.one_of(st.floats(0.0, 1e6), st.just(np.inf)),
    st.floats(0.0, 1e5),
    watts,
    watts,
    watts,
    watts,
)
def test_caps_are_never_nan_nor_negative(policy, ahead, duration, energy, limit, solar, compute):
    battery = BatteryOutlook([energy], [2.0 * abs(energy)], [limit], [limit])
    caps = compute_power_cap(
        BUS,
        policy,
        EclipseOutlook(ahead, duration),
        battery,
        [solar],
        {"housekeeping": 400.0, "compute": compute},
    )
    for value in vars(caps).values():
        assert np.all(np.isfinite(value)) and np.all(value >= 0.0)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"solar_available: not a finite power for modules \[1\]"):
        dispatch(BUS, [1.0, np.nan], {}, 0.0, 0.0)
    with pytest.raises(ValueError, match="unknown load"):
        dispatch(BUS, 1.0, {"gpu": 1.0}, 0.0, 0.0)
    with pytest.raises(ValueError, match="bus_of_module"):
        dispatch(BUS, np.ones(2), {}, 0.0, 0.0, bus_of_module=np.array([0, -1]))
    with pytest.raises(ValueError, match="efficiencies"):
        ConverterParameters.from_efficiency(1.0, [0.5, 1.0], [0.9, 1.1])
    with pytest.raises(ValueError, match="policy"):
        compute_power_cap(BUS, "glide", EclipseOutlook(0.0, 0.0), BatteryOutlook(0.0, 0.0, 0.0, 0.0), 0.0, {})
