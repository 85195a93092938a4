"""Placement of jobs by module, links shared among jobs, and what limits the work."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.compute import CARDS, CardFleet
from twin.job import Job
from twin.job_placement import JobPlacement
from twin.link_routing import LinkState, Router
from twin.relay_network import RelayTick
from twin.work_limits import Traffic, link_load, work_limits
from twin.workload import Workload


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_placement_counts_cards(data):
    """Against a loop over the cards."""
    counts = data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=5))
    job_of_card = data.draw(st.lists(st.integers(-1, 3), min_size=sum(counts), max_size=sum(counts)))
    value = np.array([1.0, 10.0, 100.0, 1000.0])
    level = np.arange(len(counts), dtype=float)
    placement = JobPlacement.of(np.array(job_of_card, np.int32), np.concatenate([[0], np.cumsum(counts)]), 4)
    module = np.repeat(np.arange(len(counts)), counts)
    sums, lowest = np.zeros(len(counts)), np.full(4, np.inf)
    for m, j in zip(module, job_of_card):
        if j >= 0:
            sums[m] += value[j]
            lowest[j] = min(lowest[j], level[m])
    np.testing.assert_allclose(placement.per_module(value), sums)
    np.testing.assert_array_equal(placement.lowest(level), lowest)


def placed(job_of_card, per_module=4):
    modules = len(job_of_card) // per_module
    return JobPlacement.of(np.array(job_of_card, np.int32), per_module * np.arange(modules + 1), 2)


def loaded(placement, activity, data_rate, outward, to_outside, sub_center, pairs=(), rates=()):
    """Load of links with rates to the outside by sub-center, and between pairs of them."""
    links = LinkState(
        np.array(to_outside, float), np.array(pairs, int).reshape(-1, 2), np.array(rates, float)
    )
    modules = len(sub_center)
    relay = RelayTick(np.zeros(modules), np.zeros(modules), np.zeros(modules), links)
    traffic = Traffic(np.array(data_rate, float), np.array(outward))
    return link_load(placement, np.array(activity, float), traffic, relay, np.array(sub_center), Router())


def test_a_gang_waits_for_its_worst_sub_center():
    """Job 0 in both sub-centers, of which the second carries a quarter; job 1 needs no data."""
    placement = placed([0, 0, 0, 0, 0, 0, 1, 1])
    load = loaded(placement, [1.0, 0.5], [10.0, 0.0], [True, False], [100.0, 5.0], [0, 1])
    np.testing.assert_allclose(load.demand, [40.0, 20.0])
    np.testing.assert_allclose(load.shortfall, [0.0, 0.75])
    np.testing.assert_allclose(load.served, [0.25, 1.0])


def test_modules_of_a_sub_center_share_their_links():
    load = loaded(placed([0, 0, 0, 0, 1, 1, 1, 1]), [1.0, 1.0], [10.0, 0.0], [True, True], [40.0], [0, 0])
    np.testing.assert_allclose(load.served, 1.0)
    np.testing.assert_allclose(load.shortfall, 0.0)


def limits_of(workload, failed=(), activity=1.0, rate=0.0):
    """One second of the cards of a workload."""
    per_module = np.diff(workload.module_start)
    fleet = CardFleet(CARDS["h100-sxm"], per_module, temperature=310.0)
    fleet.fail(np.array(failed, int))
    fleet.assign(workload.job_of_card, len(workload.jobs))
    placement = JobPlacement.of(workload.job_of_card, workload.module_start, len(workload.jobs))
    asked = workload.activity(0.0, 1.0) * activity
    centers = np.zeros(per_module.size, int)
    none = np.zeros(per_module.size)
    links = LinkState(np.array([rate * per_module.size]), np.empty((0, 2), int), np.empty(0))
    traffic = Traffic(workload.data_rate, np.ones(asked.size, bool))
    relay = RelayTick(none, none, none, links)
    link = link_load(placement, asked, traffic, relay, centers, Router())
    cards = fleet.advance(1.0, 1, asked * link.served, np.full(per_module.size, 310.0))
    return work_limits(workload, placement, asked, link, cards, per_module)


def test_healthy_cards_beside_a_waiting_job_are_missing_too():
    """A gang of six on eight cards loses one: two working ones do not help it, the rest of them is not needed."""
    workload = Workload([Job("gang", "batch", 6)], [4, 4])
    workload.schedule(0.0)
    workload.interrupt([0], 0.0)
    limits = limits_of(workload, failed=[0, 1, 2])
    assert limits.limit.names.tolist() == ["cards", "cards"]
    np.testing.assert_allclose(limits.without_cards, 1.0)
    np.testing.assert_allclose(limits.asked, 0.0)


def test_a_plant_without_jobs_has_no_demand():
    limits = limits_of(Workload([], [4]))
    assert limits.limit.names.tolist() == ["no_demand"]


def test_no_data_no_work():
    workload = Workload([Job("talks", "batch", 4, data_rate=1e9)], [4])
    workload.schedule(0.0)
    limits = limits_of(workload)
    assert limits.limit.names.tolist() == ["link"]
    np.testing.assert_allclose(limits.without_data, 1.0)
    assert limits_of(workload, rate=1e10).limit.names.tolist() != ["link"]


@pytest.mark.parametrize(("restart", "start"), [(0.0, 10.0), (45.0, 60.0)])
def test_a_restart_takes_its_time(restart, start):
    workload = Workload([Job("a", "batch", 4, restart_time=restart)], [4])
    workload.schedule(0.0)
    workload.interrupt([0], 10.0)
    for time in np.arange(10.0, 100.0, 10.0):
        workload.schedule(time)
    assert workload.start_time[0] == start


def test_a_service_keeps_what_it_has_answered():
    """Requests that are answered stay answered; a batch job without checkpoints begins anew."""
    workload = Workload([Job("service", "inference", 2), Job("batch", "batch", 2, duration=500.0)], [4])
    workload.schedule(0.0)
    workload.advance(0.0, 100.0, np.ones(2))
    workload.interrupt([0, 1], 100.0)
    np.testing.assert_allclose(workload.progress, [100.0, 0.0])
    np.testing.assert_allclose(workload.lost_work, [0.0, 100.0])
