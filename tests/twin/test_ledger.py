"""The energy ledger."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.ledger import Ledger

energies = st.lists(st.floats(0.0, 1e12), min_size=4, max_size=4)


@given(st.lists(energies, min_size=1, max_size=20))
def test_booked_energy_balances(ticks):
    """What is absorbed as the sum of its sinks leaves no residual beyond rounding."""
    ledger = Ledger(2)
    for emitted, exported, stored, battery in ticks:
        absorbed = emitted + exported + stored + battery
        ledger.book(
            slice(0, 1), absorbed=absorbed, emitted=emitted, exported=exported, stored=stored, battery=battery
        )
    assert abs(ledger.plant_residual) < 1e-12
    assert ledger.residual[1] == 0.0


def test_missing_energy_shows():
    ledger = Ledger(1)
    ledger.book(slice(0, 1), absorbed=np.array([100.0]), emitted=np.array([99.0]))
    assert ledger.plant_residual == pytest.approx(0.01)
