"""Failures, upsets, links and placement inside a coupled run."""

import numpy as np
import pytest

from twin import checkpoint
from twin.limiting_factor import LIMITS
from twin.plant import Plant
from twin.recording import CAUSES
from twin.result_variables import find_variable
from twin.results import open_result, summary
from twin.run import run
from twin.simulation import Simulation, simulate

# A failure every three minutes in eight cards, and a spare for each: a year's events in a quarter of an hour.
FRAIL = (
    "reliability.random_failures=2000000 %/yr",
    "reliability.spare_fraction=5",
    "reliability.replacement_time=90 s",
    "workload.jobs.training.checkpoint_interval=60 s",
    "workload.jobs.training.checkpoint_duration=5 s",
    "workload.jobs.training.restart_time=30 s",
)
SHORT = ("mission.duration=15 min", "numerics.thermal_step=30 s", "numerics.card_step=2 s")


def finished(case):
    """Run a case and return its ticks and the simulation."""
    simulation = Simulation(Plant.build(case))
    simulation.settle()
    return list(simulation.run(simulation.plant.duration)), simulation


@pytest.fixture(scope="module")
def frail(satellite):
    return finished(satellite(*FRAIL, *SHORT))


@pytest.fixture(scope="module")
def sound(satellite):
    return finished(satellite(*FRAIL[3:], *SHORT))


def test_failed_cards_draw_nothing_and_stop_their_job(frail):
    ticks, simulation = frail
    failed = np.array([t.cards.failed_fraction[0] for t in ticks])
    running = np.array([t.cards.cards_running[0] for t in ticks])
    assert 0.0 < failed.mean() < 0.9
    np.testing.assert_allclose(running, 8.0 * (1.0 - failed))
    # The job needs all eight cards: it asks for work only while none is failed.
    asked = np.array([t.limits.asked[0] for t in ticks])
    assert (asked[failed > 0.0] == 0.0).all()
    assert (asked > 0.0).any()
    assert simulation.plant.workload.interruptions[0] >= 2


def test_what_interrupts_cost(frail, sound):
    """Less work, less heat: progress and lost work add up to what was done, and the ledger closes."""
    (ticks, simulation), (calm, undisturbed) = frail, sound
    workload = simulation.plant.workload
    done = sum(float(t.cards.job_pace[0]) * t.dt * (t.limits.asked[0] > 0.0) for t in ticks)
    assert workload.progress[0] + workload.lost_work[0] == pytest.approx(done, rel=1e-6)
    assert workload.lost_work[0] > 0.0
    assert workload.progress[0] < 0.8 * undisturbed.plant.workload.progress[0]
    assert undisturbed.plant.workload.interruptions[0] == 0
    books, quiet = ticks[-1].ledger, calm[-1].ledger
    assert books.plant["cards"] < 0.9 * quiet.plant["cards"]
    assert abs(books.plant_residual) < 1e-7
    assert np.abs(books.residual).max() < 1e-7
    heat = sum(t.cards.heat_to_coolant[0] * t.dt + t.cards.stored_energy_change[0] for t in ticks)
    assert heat == pytest.approx(books.plant["cards"], rel=1e-6)


def test_cards_are_named_as_the_limit(frail):
    """While a card is missing the whole gang stands still: cards hold back all work of the module."""
    for tick in frail[0]:
        if tick.cards.failed_fraction[0] > 0.0:
            assert tick.limits.limit.names[0] == "cards"
            assert tick.limits.without_cards[0] == pytest.approx(1.0)


def test_same_seed_same_events(frail, satellite):
    again, _ = finished(satellite(*FRAIL, *SHORT))
    other, _ = finished(satellite(*FRAIL, *SHORT, "mission.seed=2"))
    power = [[t.cards.power[0] for t in ticks] for ticks in (frail[0], again, other)]
    assert power[0] == power[1]
    assert power[0] != power[2]


def test_resume_equals_undisturbed_with_events(frail, satellite):
    """Cut in two by a checkpoint while a card is failed, or a job waits: the same to the last bit."""
    ticks, simulation = frail
    cut = next(t.end for t in ticks if t.cards.failed_fraction[0] > 0.0)
    case = satellite(*FRAIL, *SHORT)
    first = Simulation(Plant.build(case))
    first.settle()
    for tick in first.run(first.plant.duration):
        if tick.end == cut:
            break
    first.time = cut
    saved = checkpoint.snapshot(first)
    second = Simulation(Plant.build(case))
    checkpoint.restore(second, saved)
    rest = list(second.run(second.plant.duration))
    np.testing.assert_allclose(
        [t.cards.power[0] for t in rest], [t.cards.power[0] for t in ticks if t.time >= cut], rtol=1e-6
    )
    for name in ("interruptions", "state", "job_of_card", "ready_time"):
        np.testing.assert_array_equal(
            getattr(second.plant.workload, name), getattr(simulation.plant.workload, name), err_msg=name
        )
    np.testing.assert_allclose(
        second.plant.workload.lost_work, simulation.plant.workload.lost_work, rtol=1e-6
    )


def test_a_thin_link_limits_the_work(satellite, sound):
    """Eight cards want 8 x 1 Gbit/s x activity and the terminal carries 1.8: work and power follow the link."""
    ticks, simulation = finished(satellite(*FRAIL[3:], *SHORT, "workload.jobs.training.data_rate=1 Gbit/s"))
    late = ticks[2:]
    for tick in late:
        assert tick.limits.limit.names[0] == "link"
        assert tick.relay.rate[0] == pytest.approx(1.8e9)
        share = 1.8e9 / tick.limits.link.demand[0]
        done = tick.cards.work_done[0] / tick.limits.asked[0]
        assert done == pytest.approx(share, rel=0.05)
        assert tick.limits.without_data[0] == pytest.approx(1.0 - share, rel=1e-6)
    # Checkpoints ask for little data, so that the run as a whole does a bit better than a quarter.
    progress = simulation.plant.workload.progress[0] / sound[1].plant.workload.progress[0]
    assert 0.2 < progress < 0.4
    assert ticks[-1].ledger.plant["cards"] < 0.7 * sound[0][-1].ledger.plant["cards"]
    assert abs(ticks[-1].ledger.plant_residual) < 1e-7


def test_terminals_draw_power_by_state(satellite, sound):
    """Link up: 160 W of which 2 % leave as light; nobody to talk to: 15 W of standby and no light."""
    up = sound[0][5]
    assert up.relay.power[0] == pytest.approx(160.0)
    assert up.groups[0].flows.load_supplied["relay"][0] == pytest.approx(160.0)
    assert up.groups[0].exported[0] == pytest.approx(3.2)
    alone = next(simulate(satellite(*SHORT, "relay_satellites=null")))
    assert alone.relay.power[0] == pytest.approx(15.0)
    assert alone.groups[0].exported[0] == 0.0
    assert alone.relay.rate[0] == 0.0


@pytest.fixture(scope="module")
def two_centers(satellite, tmp_path_factory):
    """Return a loader of two coarse satellites, one ahead of the other."""
    case = satellite()
    folder = tmp_path_factory.mktemp("case")
    text = f"extends: {case.path}\nsub_centers:\n"
    text += "  - {name: far, phase: 20 deg, modules: [{class: satellite, count: 1}]}\n"
    (folder / "two.yaml").write_text(text)

    def load(*settings):
        return satellite(*settings, file=folder / "two.yaml")

    return load


def test_pinned_jobs_run_where_they_must(two_centers):
    case = two_centers("workload.jobs.training.sub_center=far")
    plant = Plant.build(case)
    plant.workload.schedule(0.0)
    assert plant.workload.job_of_card.tolist() == [-1] * 8 + [0] * 8


def test_placement_prefers_cool_plates_or_spare_power(two_centers):
    for placement in ("in_order", "coolest", "most_power"):
        simulation = Simulation(Plant.build(two_centers(f"workload.placement={placement}")))
        simulation.plant.groups[0].temperature["cold_plate"] = np.array([330.0, 310.0])
        simulation._place_jobs(0.0, np.array([1000.0, 5000.0]))
        first = 0 if placement == "in_order" else 8
        assert np.flatnonzero(simulation.plant.workload.job_of_card == 0).tolist() == list(
            range(first, first + 8)
        )


def test_power_budget_holds_jobs_back(two_centers):
    """Two jobs of 8 x 560 W under a budget for one."""
    case = two_centers("workload.power_budget=6 kW")
    job = case.workload.jobs[0]
    both = (job, job.model_copy(update={"name": "second"}))
    work = case.workload.model_copy(update={"jobs": both})
    simulation = Simulation(Plant.build(case.model_copy(update={"workload": work})))
    simulation._place_jobs(0.0, np.zeros(2))
    assert simulation.plant.workload.state.tolist() == [1, 0]


def test_modules_differ_by_their_spread(two_centers):
    """Seeded, by module, mean 1: the emissivity goes into heat, the array power into what the wing gives."""
    spread = "module_classes.satellite.spread."
    plants = [
        Plant.build(
            two_centers(f"{spread}emissivity=0.02", f"{spread}array_power=0.02", f"mission.seed={seed}")
        )
        for seed in (1, 1, 2)
    ]
    emissivity = [list(plant.groups[0].thermal_values["emissivity"]) for plant in plants]
    assert emissivity[0] == emissivity[1] != emissivity[2]
    assert emissivity[0][0] != emissivity[0][1]
    np.testing.assert_allclose(np.divide(emissivity[0], 0.80), 1.0, atol=0.08)
    remaining = plants[0].groups[0].remaining
    assert remaining[0] != remaining[1]
    alike = Plant.build(two_centers()).groups[0]
    assert len(set(alike.thermal_values["emissivity"])) == 1


def test_results_hold_failures_and_links(satellite, tmp_path):
    """Variables, summary rows and the closure of the ledger of a run with events."""
    result = run(satellite(*FRAIL, *SHORT), tmp_path)
    plant = result["plant"].to_dataset()
    assert float(plant["jobs_interrupted"][-1]) >= 2.0
    assert float(plant["lost_work"][-1]) > 0.0
    assert float(plant["failed_fraction"].max()) > 0.0
    np.testing.assert_allclose(plant["cards_failed"], 8.0 * plant["failed_fraction"], rtol=1e-5)
    np.testing.assert_allclose(plant["relay_heat"], 0.98 * plant["relay_power"], rtol=2e-3)
    total = sum(
        np.asarray(plant[f"limited_fraction_{cause}"]) for cause in ("power", "heat", "cards", "link")
    )
    assert (total <= 1.0 + 1e-6).all()
    # A geostationary relay: there and down, at the speed of light.
    assert 0.2 < float(plant["telemetry_delay"].median()) < 2.0
    rows = {row.name: row for row in summary(open_result(tmp_path))}
    assert rows["throttled_card_hours_cards"].plant > 0.3
    assert rows["lost_card_hours_interrupts"].plant == pytest.approx(float(plant["lost_work"][-1]) / 3600.0)
    assert rows["interrupt_count"].plant == float(plant["jobs_interrupted"][-1])
    assert abs(float(result["ledger"]["energy_residual"][-1])) < 1e-7


def test_recorder_names_every_limit():
    """Codes of the limits and names of the variables belong together."""
    assert set(CAUSES) | {"none", "no_demand"} == set(LIMITS)
    for cause in CAUSES:
        assert find_variable("plant", f"limited_fraction_{cause}").units == "1"
