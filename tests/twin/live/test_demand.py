"""What forecasts take for the demand of the cards, and the hottest of them."""

import numpy as np
import pytest

from twin.live.demand import CardDemand

NONE = np.zeros(1)


def follow(demand, powers, dt=10.0, held=0.0, warmth=np.nan):
    for power in powers:
        demand.follow(np.array([power]), np.array([held]), np.array([warmth]), dt)


def test_the_mean_over_iterations_is_sustained():
    """Ticks that alternate between two powers ask for their mean, whichever came first."""
    demand = CardDemand(1, np.array([0.01]))
    follow(demand, [700.0, 500.0] * 30)
    assert demand.sustained[0] == pytest.approx(600.0, rel=0.02)


def test_a_checkpoint_is_no_end_of_the_work():
    demand = CardDemand(1, np.array([0.01]))
    follow(demand, [600.0] * 60)
    follow(demand, [100.0] * 6)
    assert demand.sustained[0] > 580.0


def test_what_ended_is_forgotten_unless_the_cards_are_held_back():
    free, held = (CardDemand(1, np.array([0.01])) for _ in range(2))
    for demand in (free, held):
        follow(demand, [600.0] * 60)
    follow(free, [300.0] * 540)
    follow(held, [300.0] * 540, held=0.5)
    assert free.sustained[0] == pytest.approx(300.0, rel=0.1) and held.sustained[0] == pytest.approx(600.0)


def test_the_hottest_card():
    demand = CardDemand(1, np.array([0.01]))
    assert np.isnan(demand.hottest()[0])
    follow(demand, [600.0] * 30, warmth=9.0)
    assert demand.hottest()[0] == pytest.approx(3.0)


def test_the_hottest_card_is_no_hotter_after_a_checkpoint():
    """Cards are hot again at once, their mean power over two minutes is not: that is no excess."""
    demand = CardDemand(1, np.array([0.01]))
    follow(demand, [600.0] * 60, warmth=9.0)
    follow(demand, [100.0] * 6, warmth=2.0)
    follow(demand, [600.0] * 12, warmth=9.0)
    assert demand.hottest()[0] == pytest.approx(3.0, abs=0.7)


def test_a_restart_goes_on():
    one, other = (CardDemand(1, np.array([0.01])) for _ in range(2))
    follow(one, [700.0, 500.0] * 9, warmth=8.0)
    other.restore(one.snapshot())
    for demand in (one, other):
        follow(demand, [650.0] * 5, warmth=9.0)
    assert one.sustained == other.sustained and one.hottest() == other.hottest()
