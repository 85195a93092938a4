"""Ways over links, what they carry, and traffic of jobs, on networks small enough to work out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from twin.job_placement import JobPlacement
from twin.link_routing import LinkState, Router
from twin.relay_network import RelayTick
from twin.work_limits import Traffic, link_load

CHAIN = LinkState(
    np.array([0.0, 0.0, 0.0, 10.0]), np.array([[0, 1], [1, 2], [2, 3]]), np.array([10.0, 5.0, 20.0])
)


def test_ways_of_a_chain():
    """From the far end to the only way out; nothing leaves when a link is down."""
    router = Router()
    assert router.ways(CHAIN, [(0, 4), (3, 4), (2, 0), (1, 1)]) == [
        ((0, 1), (1, 2), (2, 3), (3, 4)),
        ((3, 4),),
        ((2, 1), (1, 0)),
        (),
    ]
    down = LinkState(CHAIN.outward, CHAIN.pairs, np.array([10.0, 0.0, 20.0]))
    assert router.ways(down, [(0, 4), (0, 1)]) == [None, ((0, 1),)]


def test_transit_takes_its_share():
    """Both flows meet on the middle link (5): 4 and 6 are cut alike to a half; a flow back is not in their way."""
    shares = Router().shares(CHAIN, [(0, 2), (1, 3), (3, 0)], np.array([4.0, 6.0, 5.0]))
    np.testing.assert_allclose(shares, [0.5, 0.5, 1.0])


def test_bottleneck_on_the_way():
    """8 over 10, 5, 20 and out over 10: the narrowest link decides; beside it, 20 leaves over what is full."""
    np.testing.assert_allclose(Router().shares(CHAIN, [(0, 4)], np.array([8.0])), [5.0 / 8.0])
    shares = Router().shares(CHAIN, [(0, 4), (3, 4)], np.array([4.0, 16.0]))
    np.testing.assert_allclose(shares, [0.5, 0.5])


@given(st.integers(2, 8), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_ways_are_the_shortest_and_no_link_is_overfilled(nodes, seed):
    """Against Dijkstra's distances of SciPy on random networks."""
    rng = np.random.default_rng(seed)
    pairs = np.array([(a, b) for a in range(nodes) for b in range(a + 1, nodes) if rng.random() < 0.4], int)
    pairs = pairs.reshape(-1, 2)
    state = LinkState(
        np.where(rng.random(nodes) < 0.4, rng.uniform(1.0, 10.0, nodes), 0.0),
        pairs,
        np.where(rng.random(len(pairs)) < 0.7, rng.uniform(1.0, 10.0, len(pairs)), 0.0),
    )
    flows = [(a, b) for a in range(nodes) for b in range(nodes + 1) if a != b]
    demand = rng.uniform(0.1, 10.0, len(flows))
    router = Router()
    ways, shares = router.ways(state, flows), router.shares(state, flows, demand)
    rates = state.capacities()
    graph = np.zeros((nodes + 1, nodes + 1))
    for a, b in rates:
        graph[a, b] = 1.0
    distance = dijkstra(csr_array(graph), unweighted=True)
    carried = dict.fromkeys(rates, 0.0)
    for (a, b), way, share, wanted in zip(flows, ways, shares, demand, strict=True):
        if way is None:
            assert np.isinf(distance[a, b]) and share == 0.0
            continue
        assert len(way) == distance[a, b] and way[0][0] == a and way[-1][1] == b
        for hop in way:
            carried[hop] += share * wanted
    assert all(carried[hop] <= rates[hop] * (1 + 1e-9) for hop in rates)


def placement_of(job_of_card, per_module, jobs):
    cards = np.array(job_of_card, np.int32)
    return JobPlacement.of(cards, per_module * np.arange(cards.size // per_module + 1), jobs)


def load(links, job_of_card, data_rate, outward, centers):
    jobs = len(data_rate)
    traffic = Traffic(np.array(data_rate, float), np.array(outward))
    none = np.zeros(len(centers))
    relay = RelayTick(none, none, none, links)
    placement = placement_of(job_of_card, len(job_of_card) // len(centers), jobs)
    return link_load(placement, np.ones(jobs), traffic, relay, np.array(centers), Router())


def test_training_over_three_passes_data_around():
    """Ring 0 → 1 → 2 → 0 on a chain: the way back crosses both links against the others, each way carries 2 of 4."""
    links = LinkState(np.zeros(3), np.array([[0, 1], [1, 2]]), np.array([2.0, 8.0]))
    result = load(links, [0, 0, 0, 0, 0, 0], [2.0], [False], [0, 1, 2])
    np.testing.assert_allclose(result.served, [0.5])  # 4 bit/s in each direction over 2
    np.testing.assert_allclose(result.demand, [4.0, 4.0, 4.0])
    np.testing.assert_allclose(result.shortfall, [0.5, 0.0, 0.5])


def test_a_service_needs_the_outside():
    """In sub-center 1, whose neighbour has the way out; training inside one sub-center writes there too."""
    links = LinkState(np.array([6.0, 0.0]), np.array([[0, 1]]), np.array([3.0]))
    result = load(links, [-1, -1, 0, 1], [2.0, 2.0], [True, False], [0, 1])
    np.testing.assert_allclose(result.served, [0.75, 0.75])
    alone = LinkState(np.array([6.0, 0.0]), np.array([[0, 1]]), np.zeros(1))
    np.testing.assert_allclose(
        load(alone, [-1, -1, 0, 1], [2.0, 0.0], [True, False], [0, 1]).served, [0.0, 1.0]
    )


def test_links_that_lead_nowhere_do_not_help():
    """What a sum over a sub-center's links would count: a fast link to a neighbour without a way out."""
    links = LinkState(np.array([1.0, 0.0]), np.array([[0, 1]]), np.array([100.0]))
    result = load(links, [0, 0, -1, -1], [1.0], [True], [0, 1])
    assert result.served[0] == pytest.approx(0.5)


def test_without_links_given_nothing_is_short():
    result = load(None, [0, 0, 0, 0], [1.0], [True], [0, 1])
    np.testing.assert_allclose(result.served, [1.0])
