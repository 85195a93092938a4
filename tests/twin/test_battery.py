"""Battery against closed forms, published ageing laws, PyBaMM and its own energy books."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin import battery_ageing
from twin.battery import (
    AgeingParameters,
    BatteryCellParameters,
    BatteryHealth,
    BatteryParameters,
    BatteryState,
    age,
    deliverable_energy,
    power_limits,
    step,
    stored_energy,
)
from twin.battery_circuit import CircuitStep

YEAR = 365.25 * 86400.0
SOC = np.array([0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0])
OCV = np.array([3.00, 3.40, 3.50, 3.60, 3.75, 3.95, 4.05, 4.18])


def make_cell(**changes):
    values = {
        "capacity": 5.0 * 3600.0,
        "state_of_charge": SOC,
        "open_circuit_voltage": OCV,
        "voltage_min": 2.5,
        "voltage_max": 4.2,
        "discharge_current_max": 10.0,
        "charge_current_max": 5.0,
        "resistance": [[0.05, 0.045, 0.05], [0.03, 0.025, 0.03]],
        "resistance_temperature": [273.15, 298.15],
        "resistance_state_of_charge": [0.1, 0.5, 0.9],
        "rc_resistance": 0.015,
        "rc_time_constant": 60.0,
        "coulombic_efficiency": 0.995,
        "entropic_coefficient": [1e-4, 0.0, -2e-4, 1e-4, 2e-4, 0.0, -1e-4, 0.0],
    }
    return BatteryCellParameters(**(values | changes))


PACK = BatteryParameters(make_cell(), cells_in_series=100.0, cells_in_parallel=40.0)


def plain_cell(**changes):
    return make_cell(
        **(
            {"resistance": 0.03, "resistance_temperature": 298.15, "resistance_state_of_charge": 0.5}
            | changes
        )
    )


def test_energy_of_the_pack():
    """Area under the OCV table times charge times cells, by hand; from_energy meets an energy exactly."""
    area = np.trapezoid(OCV, SOC)
    assert PACK.energy == pytest.approx(area * 18000.0 * 4000.0)
    pack = BatteryParameters.from_energy(make_cell(), np.array([3.6e9, 7.2e9]), bus_voltage=400.0)
    np.testing.assert_allclose(pack.energy, [3.6e9, 7.2e9])
    assert pack.cells_in_series == round(400.0 / area)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.0, 1.0), st.floats(-3e5, 3e5), st.floats(255.0, 330.0), st.floats(-0.1, 0.1)),
        min_size=1,
        max_size=8,
    ),
    st.floats(1e-2, 3600.0),
    st.floats(0.0, 0.3),
)
def test_every_joule_is_booked(modules, dt, loss):
    """power·dt + heat·dt = fall of the stored energy, for any state, power, temperature, step and age."""
    soc, power, temperature, rc = np.array(modules).T
    health = BatteryHealth(np.full(soc.size, loss), np.zeros(soc.size), np.full(soc.size, loss))
    state = BatteryState(soc, rc, health)
    result = step(PACK, state, power, temperature, dt)
    fall = stored_energy(PACK, state) - stored_energy(PACK, result.state)
    scale = np.max(stored_energy(PACK, state)) + np.abs(power) * dt + 1.0
    assert np.all(np.abs((result.power + result.heat) * dt - fall) <= 1e-12 * scale)
    np.testing.assert_allclose(result.chemical_power, result.power + result.heat, rtol=1e-12, atol=1e-7)
    assert np.all((result.state.state_of_charge >= 0.0) & (result.state.state_of_charge <= 1.0))


@settings(deadline=None)
@given(st.floats(0.25, 0.95), st.floats(-1.0, 1.0), st.floats(275.0, 325.0), st.floats(1.0, 1200.0))
def test_power_within_the_limits_is_met(soc, share, temperature, dt):
    """What power_limits promises, step delivers; the sign of the request is kept."""
    state = BatteryState.at_rest(soc, 1)
    limits = power_limits(PACK, state, temperature, dt)
    wanted = share * (limits.discharge if share > 0 else limits.charge)
    result = step(PACK, state, wanted, temperature, dt)
    assert result.power == pytest.approx(wanted, rel=1e-8, abs=1e-3)
    assert not result.limited[0]


@settings(deadline=None)
@given(
    st.floats(0.0, 1.0),
    st.sampled_from([-1e300, -1e7, 1e7, 1e300, np.inf, -np.inf]),
    st.floats(200.0, 400.0),
    st.floats(0.1, 7200.0),
)
def test_absurd_requests_end_at_a_limit(soc, power, temperature, dt):
    """Current, voltage, charge and temperature windows hold whatever is asked."""
    cell = PACK.cell
    result = step(PACK, BatteryState.at_rest(soc, 1), [power], temperature, dt)
    current = result.current[0] / PACK.cells_in_parallel
    end_voltage = result.voltage[0] / PACK.cells_in_series
    assert -cell.charge_current_max <= current <= cell.discharge_current_max
    if current > 0.0:
        assert end_voltage >= cell.voltage_min - 1e-8
        assert result.state.state_of_charge[0] >= PACK.state_of_charge_min - 1e-12
        assert cell.discharge_temperature_range[0] <= temperature <= cell.discharge_temperature_range[1]
    if current < 0.0:
        assert end_voltage <= cell.voltage_max + 1e-8
        assert cell.charge_temperature_range[0] <= temperature <= cell.charge_temperature_range[1]
    assert np.isfinite(result.power[0]) and np.isfinite(result.heat[0])


def test_terminal_power_is_voltage_times_current():
    """Mean power of a fine step equals I·V from the circuit, V = U - I·R (no RC pair, no reversible heat)."""
    cell = plain_cell(rc_resistance=0.0, entropic_coefficient=None)
    result = step(BatteryParameters(cell), BatteryState.at_rest(0.6, 1), [20.0], 298.15, 1e-3)
    current = (3.75 - np.sqrt(3.75**2 - 4 * 0.03 * 20.0)) / (2 * 0.03)
    assert result.current[0] == pytest.approx(current, rel=1e-6)
    assert result.heat[0] == pytest.approx(current**2 * 0.03, rel=1e-6)


def test_rc_pair_relaxes_exactly():
    """U_RC = I·R1·(1 - exp(-t/τ)) in one step or a thousand (Plett, Battery Management Systems I, ch. 2)."""
    cell = plain_cell()
    one = np.ones(1)
    for count in (1, 1000):
        rc, soc = np.zeros(1), 0.8 * one
        for _ in range(count):
            circuit = CircuitStep(cell, soc, rc, cell.capacity * one, one, 298.15, 90.0 / count)
            steady = 5.0 * circuit.parallel
            rc, soc = steady + (rc - steady) * circuit.decay, circuit.state_of_charge(5.0 * one)
        assert rc[0] == pytest.approx(5.0 * 0.015 * (1.0 - np.exp(-90.0 / 60.0)), rel=1e-10)
        assert soc[0] == pytest.approx(0.8 - 5.0 * 90.0 / 18000.0, rel=1e-12)


def test_step_size_hardly_matters():
    """18 min at 1.2C: 10 s against 1 s within 0.01 % of charge, 0.1 % of heat; one step within 1 and 10 %.

    What is left is the resistance, which is that of the start of a step.
    """
    heat, drawn = {}, {}
    for count in (1, 108, 1080):
        state, heat[count] = BatteryState.at_rest(0.9, 1), 0.0
        for _ in range(count):
            result = step(PACK, state, [1e5], 298.15, 1080.0 / count)
            state, heat[count] = result.state, heat[count] + result.heat[0] * 1080.0 / count
        drawn[count] = 0.9 - state.state_of_charge[0]
    assert drawn[108] == pytest.approx(drawn[1080], rel=1e-4)
    assert heat[108] == pytest.approx(heat[1080], rel=1e-3)
    assert drawn[1] == pytest.approx(drawn[1080], rel=1e-2)
    assert heat[1] == pytest.approx(heat[1080], rel=0.1)


def test_reversible_heat_has_the_sign_of_the_entropy():
    """Discharge with dU/dT > 0 takes up I·T·dU/dT (Bernardi 1985): 2e-4 V/K · 300 K · I per cell."""
    with_heat = make_cell(entropic_coefficient=np.full(8, 2e-4), reference_temperature=300.0)
    without = make_cell(entropic_coefficient=None, reference_temperature=300.0)
    results = [
        step(BatteryParameters(cell), BatteryState.at_rest(0.7, 1), [10.0], 300.0, 10.0)
        for cell in (with_heat, without)
    ]
    assert results[0].current == pytest.approx(results[1].current)
    taken_up = results[1].heat - results[0].heat
    assert taken_up == pytest.approx(2e-4 * 300.0 * results[0].current, rel=1e-9)


def test_coulombic_loss_heats_on_charge_only():
    """Charging 10 mW at 99 %: 1 % of it is heat. Discharge at the same power heats next to nothing."""
    cell = plain_cell(rc_resistance=0.0, entropic_coefficient=None, coulombic_efficiency=0.99)
    pack = BatteryParameters(cell)
    charged = step(pack, BatteryState.at_rest(0.6, 1), [-0.01], 298.15, 1.0)
    assert charged.heat[0] == pytest.approx(0.01 * 0.01, rel=1e-2)
    discharged = step(pack, BatteryState.at_rest(0.6, 1), [0.01], 298.15, 1.0)
    assert discharged.heat[0] < 1e-5


def test_resistance_is_bilinear():
    cell = make_cell()
    value = cell.resistance_at(np.array([0.3, 0.9, 2.0]), np.array([285.65, 298.15, 400.0]))
    np.testing.assert_allclose(value, [0.25 * (0.05 + 0.045 + 0.03 + 0.025), 0.03, 0.03])


def test_reserve_is_kept_unless_asked_for():
    state = BatteryState.at_rest(PACK.state_of_charge_min, 3)
    assert np.all(power_limits(PACK, state, 298.15, 10.0).discharge == 0.0)
    reserve = power_limits(PACK, state, 298.15, 10.0, state_of_charge_floor=0.05)
    assert np.all(reserve.discharge > 1e4)
    result = step(PACK, state, np.full(3, 1e4), 298.15, 10.0, state_of_charge_floor=0.05)
    np.testing.assert_allclose(result.power, 1e4, rtol=1e-9)


def test_deliverable_energy_is_what_a_discharge_delivers():
    """Integrated discharge at constant power to the floor within 1 % of the estimate."""
    state = BatteryState.at_rest(0.95, 1)
    promised = deliverable_energy(PACK, state, [8e4], 298.15)[0]
    delivered = 0.0
    while True:
        result = step(PACK, state, [8e4], 298.15, 10.0)
        delivered, state = delivered + result.power[0] * 10.0, result.state
        if result.limited[0]:
            break
    assert promised == pytest.approx(delivered, rel=0.01)


def test_wang_cycle_law():
    """Wang et al. 2011, percent: B·exp[(-31700 + 370.3·C)/RT]·Ah^0.55, B = 31630; C/2, 1000 Ah, 25 °C."""
    only_cycle = AgeingParameters(calendar=None)
    throughput_hours = 1000.0 / (0.5 * 0.5 * 2.0)
    aged = battery_ageing.advance(
        only_cycle, BatteryHealth.new(1), 298.15, 0.5, 0.5, np.array([throughput_hours * 3600.0])
    )
    percent = 31630.0 * np.exp((-31700.0 + 370.3 * 0.5) / (8.314462618 * 298.15)) * 1000.0**0.55
    assert aged.cycle_loss[0] == pytest.approx(percent / 100.0, rel=1e-9)
    assert 0.02 < aged.cycle_loss[0] < 0.06


def test_naumann_calendar_law():
    """Naumann et al. 2018: 1.2571e-5·(2.8575·(0.8 - 0.5)³ + 0.60225)·√t at 25 °C, 80 % charged, one year."""
    aged = battery_ageing.advance(AgeingParameters(cycle=None), BatteryHealth.new(1), 298.15, 0.8, 0.0, YEAR)
    assert aged.calendar_loss[0] == pytest.approx(
        1.2571e-5 * (2.8575 * 0.3**3 + 0.60225) * np.sqrt(YEAR), rel=1e-9
    )


@given(st.integers(1, 60), st.floats(273.0, 330.0), st.floats(0.0, 1.0), st.floats(0.0, 3.0))
def test_ageing_does_not_depend_on_the_step(steps, temperature, soc, c_rate):
    once = battery_ageing.advance(AgeingParameters(), BatteryHealth.new(1), temperature, soc, c_rate, YEAR)
    many = BatteryHealth.new(1)
    for _ in range(steps):
        many = battery_ageing.advance(AgeingParameters(), many, temperature, soc, c_rate, YEAR / steps)
    np.testing.assert_allclose(many.calendar_loss, once.calendar_loss, rtol=1e-9)
    np.testing.assert_allclose(many.cycle_loss, once.cycle_loss, rtol=1e-9, atol=1e-15)


def test_ageing_takes_energy_that_is_booked():
    state = BatteryState.at_rest(0.8, 2)
    aged, lost = age(PACK, state, np.array([290.0, 310.0]), np.array([10.0, 10.0]), YEAR)
    assert np.all(lost > 0.0) and lost[1] > lost[0]
    np.testing.assert_allclose(stored_energy(PACK, state) - stored_energy(PACK, aged), lost)
    assert aged.health.resistance_factor[0] > 1.0
    weaker = power_limits(PACK, aged, 298.15, 600.0).discharge
    assert np.all(weaker < power_limits(PACK, state, 298.15, 600.0).discharge)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("voltage_min", 1.0),
        ("open_circuit_voltage", OCV[::-1]),
        ("resistance", [[-1.0, 1.0, 1.0]] * 2),
        ("coulombic_efficiency", 1.2),
        ("state_of_charge", SOC + 0.1),
        ("charge_temperature_range", (320.0, 280.0)),
    ],
)
def test_bad_cells_are_named(name, value):
    with pytest.raises(ValueError, match=name):
        make_cell(**{name: value})


def test_bad_requests_are_named():
    state = BatteryState.at_rest(0.5, 2)
    with pytest.raises(ValueError, match=r"power: not a number for modules \[1\]"):
        step(PACK, state, [0.0, np.nan], 298.15, 1.0)
    with pytest.raises(ValueError, match="dt"):
        step(PACK, state, 0.0, 298.15, 0.0)
    with pytest.raises(ValueError, match="temperature"):
        step(PACK, state, 0.0, np.nan, 1.0)
    with pytest.raises(ValueError, match="state_of_charge"):
        BatteryState.at_rest([0.5, 1.2])
    with pytest.raises(ValueError, match="depth_of_discharge_limit"):
        BatteryParameters(make_cell(), depth_of_discharge_limit=0.0)
