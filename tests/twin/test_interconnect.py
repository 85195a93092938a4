"""Buses and coolant loops that modules share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

pytest.importorskip("dolfinx")

from twin.case import Case, CaseError
from twin.errors import BadInput
from twin.interconnect import Interconnect, main_heat
from twin.module_variation import ModuleVariation
from twin.plant import Plant
from twin.simulation import Simulation
from twin.sizing import size

PAIR = "sub_centers.0.modules.0.count=2"
MAIN = "interconnect.loop_conductance=2 kW/K"
SHARED = "interconnect.bus=sub_center"


def test_two_loops_on_a_main():
    """Two equal stores on a massless main: the gap closes as exp(−G t/C), with any step."""
    capacity, conductance, start = 5e4, 300.0, np.array([300.0, 340.0])
    main, found = np.zeros(2, dtype=int), start.copy()
    for dt in (10.0, 50.0, 100.0, 40.0):
        found = found + dt / capacity * main_heat(found, np.full(2, capacity), conductance, main, dt)
    gap = 40.0 * np.exp(-conductance * 200.0 / capacity)
    np.testing.assert_allclose(found, [320.0 - gap / 2, 320.0 + gap / 2], rtol=1e-12)


@given(
    arrays(float, 7, elements=st.floats(200.0, 400.0)),
    arrays(float, 7, elements=st.floats(1e2, 1e7)),
    arrays(float, 7, elements=st.floats(0.0, 1e6)),
    arrays(int, 7, elements=st.integers(0, 2)),
    st.floats(1e-3, 1e4),
)
def test_mains_give_what_they_take(temperature, capacity, conductance, main, dt):
    """Nothing is lost, no heat flows up the gradient, and no step carries a loop past the others of its main."""
    heat = main_heat(temperature, capacity, conductance, main, dt)
    after = temperature + heat * dt / capacity
    for m in np.unique(main):
        at = main == m
        assert abs(heat[at].sum()) <= 1e-9 * np.abs(heat[at]).sum() + 1e-6
        assert temperature[at].min() - 1e-6 <= after[at].min()
        assert after[at].max() <= temperature[at].max() + 1e-6
        hottest = np.flatnonzero(at)[np.argmax(temperature[at])]
        assert heat[hottest] <= 1e-6


@pytest.fixture(scope="module")
def flown(satellite):
    """Return what two satellites of one sub-center did, one of them short of something."""

    def fly(variation, *settings, ticks=40, start=None):
        simulation = Simulation(Plant.build(satellite(PAIR, "workload.jobs.0.cards=16", *settings)))
        if start is not None:
            simulation.plant.groups[0].battery_state.state_of_charge[:] = start
        simulation.settle()
        simulation.plant.vary(0, variation)
        step = simulation.plant.case.numerics.thermal_step
        return simulation, list(simulation.run(ticks * step))

    return fly


def last(ticks, place):
    return ticks[-1].groups[0].thermal.temperatures[place]


def test_a_main_cools_the_loop_with_too_little_radiator(flown):
    """The loop of the second module loses a third of its flow: the main brings the supplies together."""
    weak = ModuleVariation(mass_flow=np.array([1.0, 0.4]))
    apart, alone = flown(weak)
    tied, together = flown(weak, MAIN)
    gaps = [np.ptp(last(t, "supply")) for t in (alone, together)]
    assert gaps[1] < 0.7 * gaps[0]
    heat = np.array([t.groups[0].loop_heat for t in together])
    np.testing.assert_allclose(heat.sum(axis=1), 0.0, atol=1e-9 * np.abs(heat).max())
    assert np.abs(tied.ledger.entries["received"]).max() > 1e4
    assert np.abs(tied.ledger.residual).max() < 1e-7
    assert np.abs(apart.ledger.entries["received"]).max() == 0.0


def test_equal_modules_have_nothing_to_share(flown):
    alike = ModuleVariation()
    _, alone = flown(alike, ticks=12)
    _, together = flown(alike, MAIN, SHARED, ticks=12)
    for place in ("supply", "return", "panel_mean"):
        # The leakage of single cards differs, and with it the modules, by some millikelvin.
        np.testing.assert_allclose(last(together, place), last(alone, place), atol=1e-2)
    np.testing.assert_allclose(together[-1].cards.power, alone[-1].cards.power, rtol=1e-5)


def test_a_shared_bus_carries_a_module_without_sun(flown):
    """One array gives a tenth: alone its cards lose work in sunlight, on a shared bus the other array feeds them."""
    weak = ModuleVariation(array_power=np.array([1.0, 0.1]))
    # Nothing in the batteries to spare: the Sun is what there is.
    full_sun = ("mission.start=2026-12-21T00:00:00Z",)
    apart, alone = flown(weak, *full_sun, start=0.71)
    tied, together = flown(weak, SHARED, *full_sun, start=0.71)
    power = [np.mean([t.cards.power for t in ticks], axis=0) for ticks in (alone, together)]
    assert power[1][1] > 1.2 * power[0][1]
    flows = together[-1].groups[0].flows
    assert flows.exchange[1] > 0.0
    assert flows.exchange.sum() == pytest.approx(0.0, abs=1e-6)
    assert np.abs(flows.residual).max() < 1e-6
    for simulation in (apart, tied):
        assert np.abs(simulation.ledger.residual).max() < 1e-7


CLASSES = (
    "sub_centers.0.modules.0.count=1",
    "sub_centers.0.modules.1.class=other",
    "sub_centers.0.modules.1.count=1",
)


def test_what_cannot_share_a_bus_is_refused(satellite, tmp_path):
    base = satellite().path
    other = tmp_path / "other.yaml"
    other.write_text(
        f"extends: {base}\n"
        "sub_centers: [{name: one, modules: [{class: satellite, count: 1}, {class: other, count: 1}]}]\n"
        "module_classes: {other: {extends: satellite, bus: {voltage: 200 V}}}\n"
        "interconnect: {bus: sub_center}\n"
    )
    with pytest.raises(CaseError, match="buses differ: classes satellite and other"):
        Case.load(other)
    apart = tmp_path / "apart.yaml"
    apart.write_text(
        f"extends: {base}\n"
        "sub_centers:\n"
        "  - {name: one, modules: [{class: satellite, count: 1}]}\n"
        "  - {name: two, phase: 30 deg, modules: [{class: satellite, count: 1}]}\n"
        "interconnect: {bus: plant}\n"
    )
    with pytest.raises(CaseError, match="fly apart"):
        Case.load(apart)


@pytest.mark.parametrize(("setting", "key"), [(SHARED, "bus"), (MAIN, "loop_conductance")])
def test_studies_of_single_modules_say_that_they_are(satellite, setting, key):
    case = satellite(setting, "numerics.thermal=reduced")
    with pytest.raises(BadInput, match=f"interconnect.{key}"):
        size(case)
    with pytest.raises(BadInput, match="twin live takes"):
        Interconnect.require_none(case, "twin live")
