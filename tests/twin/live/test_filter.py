"""The filter of a sub-center by itself: opening for a change, error bars of measured places, what follows the cards."""

import copy

import numpy as np
import pytest

from twin.assimilation import sensitivity
from twin.live.filter import Comparison
from twin.live.model import PARAMETERS
from twin.live.report import PLACES
from twin.live.sensors import MEASURED, NAMES
from twin.live.settings import LiveSettings

SETTINGS = LiveSettings(checkpoint=300.0)
NEXT = 10_000


@pytest.fixture(scope="module")
def followed(case, quiet, follow):
    """A partition after 40 minutes, and its last report."""
    _, host, reports = follow(case, quiet.data(), settings=SETTINGS)
    return host.partitions[0], reports[-1]


@pytest.fixture
def filter_(followed):
    """The filter with one more tick predicted."""
    partition, _ = followed
    found = copy.deepcopy(partition.filter)
    found.predict(NEXT, partition.grid.next_tick, partition.inputs)
    return found


def compared(filter_, **changes):
    """All sensors as predicted, but for changes of parameters."""
    tick = filter_.past[NEXT]
    observed = tick.after.mean(axis=2)
    slope = sensitivity(filter_.model.free, tick.after - filter_.bias)
    for name, change in changes.items():
        observed += slope[:, :, PARAMETERS.index(name)] * change
    return Comparison(tick.after.copy(), observed, filter_.table.noise**2, np.zeros(observed.shape))


def test_a_change_goes_to_the_plant_and_not_to_its_sensors(filter_):
    """A flow lower by a tenth in all that shows it: found when opened before; closed, biases take much of it."""
    k = PARAMETERS.index("mass_flow")
    before, found = float(filter_.model.free[0, k].mean()), {}
    for opened in (False, True):
        f, changed = copy.deepcopy(filter_), np.array([opened])
        seen = f.reopen(compared(f, mass_flow=-0.1), changed)
        f.assimilate(seen, np.zeros(seen.observed.shape, dtype=bool), changed)
        found[opened] = float(f.model.free[0, k].mean()) - before
        assert f.model.free[0, k].std(ddof=1) < 0.01
    assert found[True] == pytest.approx(-0.1, abs=0.01)
    assert abs(found[False]) < 0.8 * abs(found[True])


def test_opening_moves_what_is_predicted_along(filter_):
    seen = compared(filter_)
    spread = filter_.model.free.std(axis=2, ddof=1)
    opened = filter_.reopen(seen, np.array([True]))
    assert (filter_.model.free.std(axis=2, ddof=1) >= filter_.model.parameters.spread * 0.999).all()
    k = PARAMETERS.index("mass_flow")
    wider = filter_.model.parameters.spread[k] / spread[0, k]
    assert wider > 2.0
    flow = NAMES.index("coolant_mass_flow")
    assert opened.predicted[0, flow].std() > 1.5 * seen.predicted[0, flow].std()
    assert opened.predicted.mean(axis=2) == pytest.approx(seen.predicted.mean(axis=2), abs=1e-6)
    assert filter_.reopen(seen, np.array([False])) is seen


def test_places_are_not_surer_than_their_calibration_allows(followed):
    """A cold plate shows in its own thermometer and, roughly, in the junctions: no better than the calibration."""
    partition, report = followed
    least = partition.filter.least_spread()
    plate = NAMES.index("cold_plate_temperature")
    assert least[0, plate] > 0.8 * partition.table.bias[0, plate]
    for sensor, place in MEASURED.items():
        assert report.temperature_spread[0, PLACES.index(place)] >= 0.999 * least[0, NAMES.index(sensor)]


def test_nothing_that_follows_the_cards_counts_without_their_power(filter_, followed):
    partition, _ = followed
    env = partition.grid.next_tick
    filter_.predict(NEXT + 1, env, partition.inputs, np.array([False]))
    usable = filter_.past[NEXT + 1].usable[0]
    assert not usable[[NAMES.index(n) for n in ("load_power", "cold_plate_temperature", "solar_power")]].any()
    assert usable[[NAMES.index(n) for n in ("coolant_supply_temperature", "coolant_mass_flow")]].all()
