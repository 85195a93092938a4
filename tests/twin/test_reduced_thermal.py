"""Reduced modules against the finite elements they come from, and the laws they must keep."""

import subprocess
import sys
from dataclasses import fields, replace

import numba
import numpy as np
import pytest

pytest.importorskip("dolfinx")

from solvers.reduced import NODES
from solvers.reduced_panel import OutsideTraining, ReducedPanel
from solvers.reduced_training import ReductionSettings
from twin import component_models, reduced_runs, reduced_training
from twin.errors import BadInput
from twin.full_thermal import FullThermal
from twin.group_thermal import PLACES, HeatLoads
from twin.module_thermal import ModuleThermal
from twin.reduced_histories import (
    CERTIFICATE_ORBITS,
    TrainingSettings,
    one_panel,
    orbit_history,
    training_history,
)
from twin.reduced_thermal import ReducedThermal
from twin.reduced_training import reduced_panel

# Coarse and briefly trained: what must hold for any reduced model does for this one. The classes of the cases are
# trained by the slow tests.
SETTINGS = TrainingSettings(
    relative_flow=(0.6, 1.6), least_runs=10, most_runs=14, passes=1, tolerance=0.2, orbit=1500.0, segments=3
)
REDUCTION = ReductionSettings(regimes=3, most_modes=40, creeping_modes=40)


@pytest.fixture(scope="module")
def fine(satellite):
    """Return the satellite as the case has it."""
    return component_models.thermal(satellite().module_classes["satellite"], 0.0)


@pytest.fixture(scope="module")
def parameters(fine):
    return replace(fine, mesh_size=0.4, tubes=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reduced")


@pytest.fixture(scope="module")
def panel(parameters, folder):
    return reduced_panel(parameters, SETTINGS, REDUCTION, folder)


def loads(count, heat=5800.0, front=60.0, back=30.0):
    """Plausible loads of the experimental satellite."""
    each = {
        "cold-plate": heat, "body": 600.0, "battery": 20.0, "array-front": 21000.0, "array-back": 1500.0,
        "reservoir": 100.0,
    }  # fmt: skip
    nodes = {name: np.broadcast_to(np.asarray(value, dtype=float), count) for name, value in each.items()}
    return HeatLoads(np.full(count, front), np.full(count, back), nodes)


def spread(parameters, count):
    """Modules of different coatings and heat capacities."""
    random = np.random.default_rng(5)
    return [
        replace(
            parameters,
            emissivity=float(random.uniform(0.65, 0.9)),
            body_capacity=parameters.body_capacity * float(random.uniform(0.8, 1.2)),
        )
        for _ in range(count)
    ]


def test_held_out_orbits(panel):
    """Certificate: orbits that no training saw, all nodes of panel and coolant, all times."""
    c = panel.certificate
    assert c["max_error"] < 0.5
    assert c["rms_error"] < 0.05
    assert c["node_error"] < 0.02
    assert c["energy_error"] < 1e-5
    assert c["ledger_residual"] < 1e-9


@pytest.mark.slow  # minutes of finite-element runs from an empty cache
def test_held_out_orbits_of_a_case(fine):
    """The satellite of the first case as trained for runs: 0.1 K at every node, at all times."""
    certificate = reduced_panel(fine).certificate
    for name in ("nominal", "hot"):
        assert certificate["orbits"][name]["max_error"] < 0.1
    assert certificate["max_error"] < 0.2
    assert certificate["rms_error"] < 0.01
    assert certificate["energy_error"] < 1e-6


def test_group_follows_the_full_model(panel, parameters):
    """Two modules from rest, through settling, an eclipse and a load drop, against finite elements of each."""
    modules = spread(parameters, 2)
    full, reduced = FullThermal(modules, 1e-9), ReducedThermal(modules, panel)
    first = loads(2)
    flow = np.full(2, parameters.mass_flow)
    full.settle(first, flow)
    reduced.settle(first, flow)
    worst = 0.0
    for k in range(60):
        dark = 20 <= k < 40
        now = loads(2, 4600.0 if dark else 5800.0, 20.0 if dark else 60.0)
        dt = 3.7 if k in (20, 40) else 10.0
        ticks = [t.step(now, flow, 10.0 * k, dt, k in (20, 40)) for t in (full, reduced)]
        for place in PLACES:
            error = np.abs(ticks[0].temperatures[place] - ticks[1].temperatures[place]).max()
            worst = max(worst, float(error))
        assert ticks[1].emitted == pytest.approx(ticks[0].emitted, rel=2e-4)
        assert ticks[1].coolant_heat == pytest.approx(ticks[0].coolant_heat, rel=1e-3, abs=1.0)
    # The full model stops its search for the valve at 1e-3.
    assert worst < 0.15
    for i in range(2):
        assert reduced.panel_field(i).shape == full.panel_field(i).shape
        assert np.abs(reduced.panel_field(i) - full.panel_field(i)).max() < 0.3


def test_rest_stays_rest(panel, parameters):
    """Uniform temperature with heat in = emission of a uniform panel: nothing but radiation acts, exactly."""
    dull = replace(parameters, body_radiating_area=0.0, array_front_emissivity=0.0, array_back_emissivity=0.0)
    thermal = ReducedThermal([dull], panel)
    kelvin = parameters.supply_temperature
    tick = thermal.step(HeatLoads(np.zeros(1), np.zeros(1), {}), parameters.mass_flow, 0.0, 1e-6, True)
    sigma, space = 5.670374419e-8, 2.7255
    faces = 2.0 if parameters.two_sided else 1.0
    expected = faces * sigma * dull.emissivity * parameters.panel_area * (kelvin**4 - space**4)
    assert tick.emitted[0] == pytest.approx(expected, rel=1e-6)
    assert np.abs(thermal.panel_field(0) - kelvin).max() < 1e-5


def test_ledger_closes_with_large_steps_for_days(panel, parameters):
    """Five days in steps of 15 minutes with loads that jump: bounded, and every joule is booked."""
    modules = spread(parameters, 3)
    thermal = ReducedThermal(modules, panel)
    thermal.settle(loads(3), parameters.mass_flow)
    random = np.random.default_rng(1)
    for k in range(480):
        now = loads(3, float(random.uniform(3000.0, 5800.0)), float(random.uniform(20.0, 100.0)))
        tick = thermal.step(now, parameters.mass_flow, 900.0 * k, 900.0, k % 4 == 0)
        heat = sum(now.nodes.values()) + tick.absorbed
        left = 900.0 * (heat - tick.emitted) - tick.stored
        assert np.abs(left).max() < 1e-9 * 900.0 * tick.emitted.min()
        # No colder than a panel without coolant in the least flux (20 + 30 W/m², both faces, emissivity 0.9).
        assert tick.temperatures["panel_min"].min() > (50.0 / (2.0 * 0.9 * 5.670374419e-8)) ** 0.25
        assert tick.temperatures["panel_max"].max() < 360.0


@pytest.mark.slow  # a hundred days
def test_orbits_stay_periodic_for_months(panel, parameters):
    """A hundred days of the same orbit with an eclipse: after the first days every orbit is like the one before."""
    period, dt = 6000.0, 250.0
    thermal = ReducedThermal(spread(parameters, 3), panel)
    thermal.settle(loads(3), parameters.mass_flow)
    ends, booked, radiated = [], np.zeros(3), np.zeros(3)
    for k in range(round(100 * 86400 / dt)):
        dark = (k * dt) % period < 1000.0
        now = loads(3, 4600.0 if dark else 5600.0, 20.0 if dark else 60.0)
        tick = thermal.step(now, parameters.mass_flow, dt * k, dt, False)
        booked += dt * (sum(now.nodes.values()) + tick.absorbed - tick.emitted) - tick.stored
        radiated += dt * tick.emitted
        if (k + 1) % round(period / dt) == 0:
            ends.append(thermal.loops.modes.copy())
    assert np.abs(ends[-1] - ends[-2]).max() < 1e-6 * np.abs(ends[-1]).max()
    assert np.abs(ends[-1] - ends[200]).max() < 1e-5 * np.abs(ends[-1]).max()
    assert np.abs(booked / radiated).max() < 1e-9


def test_nothing_grows_without_sources(panel, parameters):
    """Without heat, sinks or an environment the norm of a disturbance in the heat capacity falls at every step.

    Monotone radiation and a positive semidefinite exchange make the reduced model dissipative.
    """
    dull = replace(parameters, body_radiating_area=0.0, array_front_emissivity=0.0, array_back_emissivity=0.0)
    thermal = ReducedThermal([dull], panel)
    loops, modes = thermal.loops, panel.regimes[int(thermal.loops.regime[0])].modes
    random = np.random.default_rng(2)
    loops.modes[0, :modes] *= 1.0
    loops.modes[0, 1:modes] = random.normal(0.0, 30.0, modes - 1)
    none = HeatLoads(np.zeros(1), np.zeros(1), {})
    weights = loops._storage[0]

    def size():
        count = panel.regimes[int(loops.regime[0])].modes
        return parameters.panels * np.sum(loops.modes[0, :count] ** 2) + np.sum(weights * loops.nodes[0] ** 2)

    before = size()
    for _ in range(20):
        loops.step(none.nodes, 0.0, parameters.mass_flow, 0.3, 10.0)
        after = size()
        assert after < before
        before = after


def test_loops_take_many_modes_where_they_come_into_creeping_flow_and_leave_them_with_their_heat(
    panel, parameters
):
    assert panel.calmer
    for busy, calm in panel.calmer:
        low = max(panel.regimes[k].flows[0] for k in (busy, calm))
        high = min(panel.regimes[k].flows[1] for k in (busy, calm))
        flow = np.full(3, np.sqrt(low * high))
        # Who is calm stays; who comes from elsewhere does not know yet.
        chosen = panel.regime_of(flow, np.array([busy, calm, len(panel.regimes) - 1]))
        assert chosen.tolist() == [busy, calm, busy]
    thermal = ReducedThermal.of_class(parameters, 3, panel)
    thermal.step(loads(3, heat=2000.0), parameters.mass_flow, 0.0, 10.0, True)
    loops = thermal.loops
    for number in [*range(len(panel.regimes)), *reversed(range(len(panel.regimes)))]:
        before = loops._heat_content()
        loops._pass_on(np.array([number, loops.regime[1], number]))
        assert np.all(loops.regime[[0, 2]] == number)
        np.testing.assert_allclose(loops._heat_content(), before, rtol=1e-12)


def test_a_loop_in_balance_needs_few_modes(parameters, folder):
    panel = reduced_panel(parameters, SETTINGS, replace(REDUCTION, most_modes=12), folder)
    busy, calm = panel.calmer[0]
    assert panel.regimes[busy].modes > panel.regimes[calm].modes
    thermal = ReducedThermal.of_class(parameters, 2, panel)
    loops = thermal.loops
    flow = np.full(2, np.sqrt(panel.regimes[busy].flows[0] * panel.regimes[busy].flows[1]))
    everywhere = np.full(2, 300.0)
    uniform = panel.project(
        300.0 * np.ones(len(panel.capacity)), 300.0 * np.ones(len(panel.fluid_capacity)), busy
    )
    loops.regime[:] = busy
    loops.modes[:] = 0.0
    loops.modes[:, : uniform.size] = uniform
    # The second carries what the few modes cannot hold.
    loops.modes[1, uniform.size - 1] += 1e3 * np.sqrt(panel.capacity.sum())
    loops._choose_regimes(flow)
    assert loops.regime.tolist() == [calm, busy]
    np.testing.assert_allclose(loops.place("mean")[:1], everywhere[:1], rtol=1e-9)


def test_more_heat_makes_everything_warmer(panel, parameters):
    """Monotone: steady temperatures rise with the heat of the cards, and fall with the emissivity."""
    modules = [replace(parameters, emissivity=e) for e in (0.8, 0.8, 0.7)]
    thermal = ReducedThermal(modules, panel)
    hot = np.array([4000.0, 5200.0, 5200.0])
    thermal.loops.settle({"cold-plate": hot}, 90.0, parameters.mass_flow, 0.0, np.ones(3, dtype=bool))
    mean = thermal.loops.observe()["mean"]
    assert mean[0] < mean[1] < mean[2]


def test_a_module_does_not_see_the_batch(panel, parameters):
    """N modules at once = one by one, to the last bit."""
    modules = spread(parameters, 11)
    heat = np.linspace(3000.0, 5800.0, 11)
    together = ReducedThermal(modules, panel)
    for k in range(5):
        tick = together.step(loads(11, heat), parameters.mass_flow, 10.0 * k, 10.0, False)
    for i in (0, 4, 10):
        alone = ReducedThermal([modules[i]], panel)
        for k in range(5):
            one = alone.step(loads(1, heat[i]), parameters.mass_flow, 10.0 * k, 10.0, False)
        for place in PLACES:
            assert one.temperatures[place][0] == tick.temperatures[place][i]
        assert one.stored[0] == tick.stored[i] and one.emitted[0] == tick.emitted[i]


def test_threads_do_not_change_results(panel, parameters):
    modules = spread(parameters, 150)
    most, results = numba.get_num_threads(), []
    try:
        for threads in {1, most}:
            numba.set_num_threads(threads)
            thermal = ReducedThermal(modules, panel)
            for k in range(3):
                thermal.step(loads(150), parameters.mass_flow, 10.0 * k, 10.0, False)
            results.append(np.concatenate([thermal.loops.modes.ravel(), thermal.loops.nodes.ravel()]))
    finally:
        numba.set_num_threads(most)
    assert all(np.array_equal(results[0], other) for other in results)


def test_more_panels_are_more_of_the_same(panel, parameters):
    """Panels times a factor, with all flows, loads and capacities: the same temperatures, and the heat times it."""
    factors = np.array([1.0, 0.5, 1.37, 20.0])
    one = replace(parameters, panels=1)
    extensive = {
        name: getattr(one, name) * factors
        for name in (
            "inventory_mass", "plate_conductance", "cold_plate_capacity", "body_conductance", "body_capacity",
            "body_radiating_area", "battery_capacity", "battery_conductance", "array_area", "array_capacity",
            "array_conductance",
        )
    }  # fmt: skip
    group = ReducedThermal.of_class(one, 4, panel, panels=factors, **extensive)
    each = loads(4, 2500.0)
    now = HeatLoads(each.radiator_front, each.radiator_back, {k: factors * v for k, v in each.nodes.items()})
    for k in range(20):
        tick = group.step(now, 0.06 * factors, 10.0 * k, 10.0, False)
    for place in PLACES:
        assert tick.temperatures[place] == pytest.approx(np.full(4, tick.temperatures[place][0]), abs=1e-7)
    assert tick.emitted / factors == pytest.approx(np.full(4, tick.emitted[0]), rel=1e-9)
    assert tick.absorbed / factors == pytest.approx(np.full(4, tick.absorbed[0]), rel=1e-12)


def test_arrays_give_what_single_parameters_give(panel, parameters):
    """The class with arrays, one object per module, and parameters changed on the way: to the last bit."""
    emissivity, area, plate = np.array([0.7, 0.8]), np.array([2.0, 1.9]), np.array([400.0, 300.0])
    flow, supply = np.array([0.16, 0.15]), np.array([308.15, 303.15])
    modules = [
        replace(parameters, emissivity=e, panels=a, plate_conductance=c, supply_temperature=t)
        for e, a, c, t in zip(emissivity, area, plate, supply)
    ]
    values = {
        "emissivity": emissivity, "panels": area, "plate_conductance": plate, "supply_temperature": supply,
    }  # fmt: skip
    groups = [ReducedThermal(modules, panel), ReducedThermal.of_class(parameters, 2, panel, **values)]
    groups.append(ReducedThermal([replace(parameters, supply_temperature=t) for t in supply], panel))
    groups[-1].vary(**values)
    ticks = []
    for group in groups:
        group.settle(loads(2, 5000.0), flow)
        ticks.append([group.step(loads(2, 5200.0), flow, 10.0 * k, 10.0, False) for k in range(5)][-1])
    for tick in ticks[1:]:
        assert all(np.array_equal(tick.temperatures[p], ticks[0].temperatures[p]) for p in PLACES)
        assert np.array_equal(tick.emitted, ticks[0].emitted)
    # Every valve holds its own set point, as well as the jumps of a coarse model between its regimes let it.
    assert ticks[0].temperatures["supply"] == pytest.approx(supply, abs=1.5)


def test_changes_keep_the_state_and_the_ledger(panel, parameters):
    group = ReducedThermal([parameters] * 3, panel)
    group.settle(loads(3), parameters.mass_flow)
    before = group.temperatures()
    group.vary(emissivity=[0.8, 0.6, 0.7], panels=[2.0, 2.2, 1.8], body_capacity=3e5)
    assert all(np.array_equal(before[place], group.temperatures()[place]) for place in PLACES)
    now = loads(3)
    for k in range(3):
        tick = group.step(now, parameters.mass_flow, 10.0 * k, 10.0, False)
        heat = sum(now.nodes.values()) + tick.absorbed
        left = 10.0 * (heat - tick.emitted) - tick.stored
        assert np.abs(left).max() < 1e-9 * 10.0 * tick.emitted.min()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"emisivity": 0.7}, "did you mean 'emissivity'"),
        ({"tubes": 4}, "'tubes' cannot differ"),
        ({"panels": [2.0, 0.0]}, "panels of module 1 is 0; expected a finite number above 0"),
        ({"body_capacity": [np.nan, 1.0]}, "body_capacity of module 0 is nan"),
        ({"panels": [1.0, 2.0, 3.0]}, r"panels has shape \(3,\)"),
    ],
)
def test_bad_changes_are_refused(panel, parameters, change, match):
    group = ReducedThermal([parameters] * 2, panel)
    before = group.values
    with pytest.raises(BadInput, match=match):
        group.vary(**change)
    with pytest.raises(OutsideTraining, match="emissivity of module 1"):
        group.vary(emissivity=[0.7, 0.1])
    assert group.values is before


def test_snapshot_and_restore_are_exact(panel, parameters):
    modules = spread(parameters, 3)
    one, other = ReducedThermal(modules, panel), ReducedThermal(modules, panel)
    one.settle(loads(3), parameters.mass_flow)
    for k in range(4):
        one.step(loads(3, 4000.0), parameters.mass_flow, 10.0 * k, 10.0, False)
    other.restore(one.snapshot())
    for k in range(4):
        a, b = (t.step(loads(3), parameters.mass_flow, 10.0 * k, 10.0, False) for t in (one, other))
        assert all(np.array_equal(a.temperatures[p], b.temperatures[p]) for p in PLACES)
        assert np.array_equal(a.stored, b.stored)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"front": 900.0}, "absorbed of module 0"),
        ({"mass_flow": 1.0}, "mass flow of module 0"),
    ],
)
def test_outside_the_training_is_refused(panel, parameters, change, match):
    thermal = ReducedThermal([parameters], panel)
    now = loads(1, front=change.get("front", 60.0))
    with pytest.raises(OutsideTraining, match=match):
        thermal.step(now, change.get("mass_flow", parameters.mass_flow), 0.0, 10.0, False)


def test_untrained_coatings_temperatures_and_panels_are_refused(panel, parameters):
    with pytest.raises(OutsideTraining, match=r"emissivity of module 1 is 0\.1"):
        ReducedThermal([parameters, replace(parameters, emissivity=0.1)], panel)
    with pytest.raises(BadInput, match="module 1 has tubes"):
        ReducedThermal([parameters, replace(parameters, tubes=3)], panel)
    thermal = ReducedThermal([parameters], panel)
    thermal.loops.nodes[0, NODES.index("return")] = 500.0
    with pytest.raises(OutsideTraining, match="inlet temperature of module 0 is 500 K"):
        thermal.step(loads(1), parameters.mass_flow, 0.0, 10.0, False)


def test_files_hold_the_same_model_and_training_resumes(panel, parameters, folder, monkeypatch):
    """What is in the cache is not run again; the file gives the same numbers."""
    path = folder / "copy.npz"
    panel.save(path)
    loaded = ReducedPanel.load(path)
    assert loaded.certificate == panel.certificate
    ticks = []
    for each in (panel, loaded):
        thermal = ReducedThermal([parameters], each)
        ticks.append(thermal.step(loads(1), parameters.mass_flow, 0.0, 10.0, False))
    for a, b in zip(panel.regimes, loaded.regimes):
        assert all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    for place in PLACES:
        assert ticks[0].temperatures[place] == pytest.approx(ticks[1].temperatures[place], abs=1e-10)

    def never(*_):
        raise AssertionError("a finite-element run of the cache was made anew")

    monkeypatch.setattr(reduced_runs, "run_full", never)
    again = reduced_training.train(parameters, SETTINGS, REDUCTION, folder)
    assert again.certificate["max_error"] == pytest.approx(panel.certificate["max_error"], rel=1e-6)


def test_one_panel_stands_for_the_wing(parameters):
    """Two panels in parallel have the temperatures of a module of one panel with half of everything."""
    assert reduced_training.symmetry_error(replace(parameters, panels=2)) < 1e-6


def test_histories_stay_in_their_range(parameters):
    one, settings = one_panel(parameters), SETTINGS
    for number in range(6):
        history = training_history(one, settings, number)
        total = history.front + history.back
        assert settings.absorbed[0] <= total.min() and total.max() <= settings.absorbed[1]
        assert settings.emissivity[0] <= history.emissivity <= settings.emissivity[1]
    orbit = CERTIFICATE_ORBITS["nominal"]
    history = orbit_history(one, TrainingSettings(), orbit, 10.0)
    ends = np.cumsum(history.dt)
    assert ends[-1] == pytest.approx(6000.0)
    assert (
        np.abs(ends - orbit.entry).min() < 1e-9 and np.abs(ends - orbit.entry - orbit.duration).min() < 1e-9
    )


def test_trained_model_needs_no_finite_elements(panel, folder):
    """A worker without dolfinx loads and runs a trained model."""
    path = folder / "worker.npz"
    panel.save(path)
    code = (
        "import sys\n"
        "for name in ('dolfinx', 'petsc4py', 'mpi4py'): sys.modules[name] = None\n"
        "from pathlib import Path\n"
        "from solvers.reduced_panel import ReducedPanel\n"
        "import twin.reduced_thermal, twin.reduced_training\n"
        f"print(ReducedPanel.load(Path({str(path)!r})).modes)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == panel.modes


def test_module_model_is_left_as_it_was(parameters):
    """Taking the operators out of a finite-element module does not disturb its state."""
    module = ModuleThermal(one_panel(parameters))
    before = module.state.copy()
    reduced_runs.full_panel(module)
    assert np.array_equal(module.state, before)
