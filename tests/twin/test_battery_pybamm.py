"""Battery against PyBaMM on an eclipse: 18 min of discharge and the charge after it.

Bars: voltage within 1 %, energy within 1 %. The first check runs PyBaMM's Thevenin model on the same tables
(do we solve the same equations?), the second its Doyle–Fuller–Newman model of the LG M50 (Chen et al. 2020,
J. Electrochem. Soc. 167 080534), with tables identified from pulses as one would on a bench (is an equivalent
circuit good enough?).
"""

import numpy as np
import pytest
from scipy.optimize import least_squares

from twin.battery import BatteryCellParameters, BatteryParameters, BatteryState, step
from twin.battery_circuit import CircuitStep

pybamm = pytest.importorskip("pybamm", reason="needs the test extra")

ECLIPSE, SUNLIGHT, STEP = 1080.0, 3300.0, 10.0


def follow(cell, soc, discharge, charge):
    """Run our model; voltage, state of charge and heat at the end of each step."""
    pack, state = BatteryParameters(cell, depth_of_discharge_limit=1.0), BatteryState.at_rest(soc, 1)
    rows = []
    for power in [discharge] * round(ECLIPSE / STEP) + [-charge] * round(SUNLIGHT / STEP):
        result = step(pack, state, [power], 298.15, STEP)
        state = result.state
        assert not result.limited[0]
        rows.append((result.voltage[0], state.state_of_charge[0], result.heat[0], result.chemical_power[0]))
    return np.array(rows).T


def eclipse_experiment(discharge, charge):
    return pybamm.Experiment(
        [
            pybamm.step.power(discharge, duration=ECLIPSE, period=STEP),
            pybamm.step.power(-charge, duration=SUNLIGHT, period=STEP),
        ]
    )


# Steps end where the next one starts: look just before the switch.
TIMES = STEP * np.arange(1, round((ECLIPSE + SUNLIGHT) / STEP) + 1) - 1e-6


def test_thevenin_model_with_the_same_tables():
    """Same circuit in PyBaMM: voltage within 0.01 %, charge within 0.1 %, heat within 0.5 %."""
    soc = np.linspace(0.0, 1.0, 11)
    ocv = np.array([3.20, 3.45, 3.55, 3.60, 3.63, 3.68, 3.76, 3.86, 3.96, 4.06, 4.18])
    parameters = pybamm.ParameterValues("ECM_Example")
    parameters.update(
        {
            "Open-circuit voltage [V]": lambda s: pybamm.Interpolant(soc, ocv, s, interpolator="linear"),
            "R0 [Ohm]": 1.2e-3,
            "R1 [Ohm]": 0.8e-3,
            "C1 [F]": 60.0 / 0.8e-3,
            "Entropic change [V/K]": 0.0,
            "Initial SoC": 0.95,
            "Lower voltage cut-off [V]": 2.5,
            "Upper voltage cut-off [V]": 4.4,
            "Cell thermal mass [J/K]": 1e9,
        }
    )
    simulation = pybamm.Simulation(
        pybamm.equivalent_circuit.Thevenin(),
        experiment=eclipse_experiment(300.0, 100.0),
        parameter_values=parameters,
    )
    solution = simulation.solve()
    time = solution["Time [s]"].entries
    cell = BatteryCellParameters(
        capacity=100.0 * 3600.0,
        state_of_charge=soc,
        open_circuit_voltage=ocv,
        voltage_min=2.5,
        voltage_max=4.4,
        discharge_current_max=200.0,
        charge_current_max=200.0,
        resistance=1.2e-3,
        rc_resistance=0.8e-3,
        rc_time_constant=60.0,
    )
    voltage, charge, heat, _ = follow(cell, 0.95, 300.0, 100.0)
    np.testing.assert_allclose(voltage, np.interp(TIMES, time, solution["Voltage [V]"].entries), rtol=1e-4)
    np.testing.assert_allclose(charge, np.interp(TIMES, time, solution["SoC"].entries), rtol=1e-3)
    theirs = np.trapezoid(solution["Total heat generation [W]"].entries, time)
    assert np.sum(heat) * STEP == pytest.approx(theirs, rel=5e-3)


def test_porous_electrode_model_through_pulses():
    """Doyle–Fuller–Newman, 14 W (0.75C, 21 % of the charge) and 4.5 W back: voltage and energy within 1 %."""
    parameters = pybamm.ParameterValues("Chen2020")
    model = pybamm.lithium_ion.DFN()

    def run(steps, soc):
        simulation = pybamm.Simulation(
            model, experiment=pybamm.Experiment(steps), parameter_values=parameters
        )
        return simulation.solve(initial_soc=soc)

    x0, x100, y100, y0 = pybamm.lithium_ion.get_min_max_stoichiometries(parameters)
    soc = np.linspace(0.0, 1.0, 41)

    def potential(name, stoichiometry):
        function = parameters[name]
        return np.array([float(parameters.evaluate(function(pybamm.Scalar(x)))) for x in stoichiometry])

    ocv = potential("Positive electrode OCP [V]", y0 + soc * (y100 - y0)) - potential(
        "Negative electrode OCP [V]", x0 + soc * (x100 - x0)
    )
    capacity = 3600.0 * float(parameters.evaluate(model.param.n.prim.Q_init)) * (x100 - x0)
    pulse = [
        pybamm.step.current(5.0, duration=300, period=5),
        pybamm.step.rest(duration=300, period=5),
    ]
    starts = (0.65, 0.80, 0.95)
    times = 5.0 * np.arange(1, 121) - 1e-6
    measured = []
    for start in starts:
        solution = run(pulse, start)
        measured.append(np.interp(times, solution["Time [s]"].entries, solution["Voltage [V]"].entries))

    def cell_of(unknowns):
        return BatteryCellParameters(
            capacity=capacity,
            state_of_charge=soc,
            open_circuit_voltage=ocv,
            voltage_min=2.5,
            voltage_max=4.25,
            discharge_current_max=15.0,
            charge_current_max=15.0,
            resistance=[list(unknowns[:3])],
            resistance_state_of_charge=starts,
            rc_resistance=unknowns[3],
            rc_time_constant=100.0 * unknowns[4],
        )

    def pulse_errors(unknowns):
        cell, ones = cell_of(unknowns), np.ones(3)
        charge, rc = np.array(starts), np.zeros(3)
        voltages = []
        for k in range(times.size):
            circuit = CircuitStep(cell, charge, rc, cell.capacity * ones, ones, 298.15, 5.0)
            current = (5.0 if k < 60 else 0.0) * ones
            voltages.append(circuit.end_voltage(current))
            steady = current * circuit.parallel
            charge, rc = circuit.state_of_charge(current), steady + (rc - steady) * circuit.decay
        return (np.array(voltages).T - np.array(measured)).ravel()

    fit = least_squares(
        pulse_errors, [0.02, 0.02, 0.02, 0.01, 1.0], bounds=(1e-4, [0.2] * 4 + [20.0]), diff_step=1e-3
    )
    simulation = pybamm.Simulation(
        model, experiment=eclipse_experiment(14.0, 4.5), parameter_values=parameters
    )
    solution = simulation.solve(initial_soc=0.95)
    time = solution["Time [s]"].entries
    voltage, charge, heat, chemical = follow(cell_of(fit.x), 0.95, 14.0, 4.5)
    np.testing.assert_allclose(voltage, np.interp(TIMES, time, solution["Voltage [V]"].entries), rtol=0.01)

    # Energy that the eclipse takes from the chemistry: terminal energy plus heat, ours against theirs.
    drawn = np.interp(ECLIPSE, time, solution["Discharge capacity [A.h]"].entries) * 3600.0
    dark = round(ECLIPSE / STEP)
    levels = np.linspace(0.95 - drawn / capacity, 0.95, 2001)
    theirs = capacity * np.trapezoid(np.interp(levels, soc, ocv), levels)
    assert np.sum(chemical[:dark]) * STEP == pytest.approx(theirs, rel=0.01)
    final = 0.95 - solution["Discharge capacity [A.h]"].entries[-1] * 3600.0 / capacity
    assert charge[-1] == pytest.approx(final, abs=0.005)
    assert np.all(heat > 0.0)
