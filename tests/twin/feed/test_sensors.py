"""Errors of sensors: their statistics, and what faults do to readings."""

import numpy as np
import pytest
from scipy import stats

from twin.feed.faults import parse_fault
from twin.feed.sensors import SPIKES, SensorErrors, Sensors

STILL = SensorErrors(noise=0.0, bias=0.0)


def true_values(dictionary):
    """Readings in the middle of each range."""
    return 0.5 * (dictionary.low + dictionary.high)


def readings(dictionary, errors, faults=(), ticks=400, seed=3):
    found = [parse_fault(text, dictionary, 6000.0) for text in faults]
    sensors = Sensors(dictionary, errors, found, seed)
    return np.array([sensors.read(10.0 * k, true_values(dictionary)) for k in range(ticks)]), sensors


def test_noise_is_normal_with_the_deviation_of_the_dictionary(dictionary):
    values, _ = readings(dictionary, SensorErrors(noise=1.0, bias=0.0))
    at = np.flatnonzero(dictionary.noise > 0.0)
    scaled = (values[:, at] - true_values(dictionary)[at]) / dictionary.noise[at]
    # 400 readings of each sensor: 5 standard errors of the standard deviation.
    assert np.abs(scaled.std(axis=0) - 1.0).max() < 5.0 / np.sqrt(2 * 400)
    assert stats.kstest(scaled.ravel(), "norm").pvalue > 1e-3
    # No sensor knows of another, nor of its past.
    assert abs(np.mean(scaled[:, 1:] * scaled[:, :-1])) < 0.01
    assert abs(np.mean(scaled[1:] * scaled[:-1])) < 0.01


def test_quantities_without_noise_are_exact(dictionary):
    values, _ = readings(dictionary, SensorErrors(), ticks=3)
    still = (dictionary.noise == 0.0) & (dictionary.bias == 0.0)
    np.testing.assert_array_equal(values[:, still], np.tile(true_values(dictionary)[still], (3, 1)))


def test_bias_is_that_of_the_sensor_for_the_whole_mission(dictionary):
    values, sensors = readings(dictionary, SensorErrors(noise=0.0, bias=1.0), ticks=5)
    np.testing.assert_allclose(
        values - true_values(dictionary), np.tile(sensors.bias, (5, 1)), atol=1e-7, rtol=1e-9
    )
    scaled = sensors.bias[dictionary.bias > 0.0] / dictionary.bias[dictionary.bias > 0.0]
    assert stats.kstest(scaled, "norm").pvalue > 1e-3


def test_drift_grows_with_the_days(dictionary):
    sensors = Sensors(dictionary, SensorErrors(noise=0.0, bias=0.0, drift=2.0), seed=1)
    at = dictionary.index("alpha/0/body_temperature")
    day = sensors.read(86400.0, true_values(dictionary))[at] - true_values(dictionary)[at]
    assert day == pytest.approx(86400.0 * sensors.drift[at])
    spread = sensors.drift[dictionary.bias > 0.0] * 86400.0 / dictionary.bias[dictionary.bias > 0.0]
    assert np.std(spread) == pytest.approx(2.0, rel=0.25)


def test_the_same_seed_reads_the_same(dictionary):
    one, _ = readings(dictionary, SensorErrors(), ticks=4)
    two, _ = readings(dictionary, SensorErrors(), ticks=4)
    other, _ = readings(dictionary, SensorErrors(), ticks=4, seed=4)
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


def test_readings_stay_in_the_range_of_the_sensor(dictionary):
    values, _ = readings(dictionary, SensorErrors(noise=1e4), ticks=3)
    assert (values >= dictionary.low).all() and (values <= dictionary.high).all()


@pytest.mark.parametrize("place", ["beta/1/body_temperature", "body_temperature"])
def test_faults_strike_their_sensors_only(dictionary, place):
    plain, _ = readings(dictionary, SensorErrors(), ticks=30)
    values, _ = readings(dictionary, SensorErrors(), [f"bias:2@100s..200s/{place}"], ticks=30)
    at = parse_fault(f"bias/{place}", dictionary, 6000.0).parameters(dictionary)
    change = values - plain
    assert change[10:20, at] == pytest.approx(2.0)
    change[10:20, at] = 0.0
    assert (change == 0.0).all()


def test_stuck_sensor_shows_its_last_reading(dictionary):
    at = dictionary.index("alpha/2/body_temperature")
    values, _ = readings(dictionary, SensorErrors(), ["stuck@100s..200s/alpha/2/body_temperature"], ticks=30)
    assert np.unique(values[9:20, at]).size == 1
    assert np.unique(values[20:, at]).size == 10


def test_drifting_spiking_noisy_and_missing_sensors(dictionary):
    name = "alpha/0/body_temperature"
    at, true = dictionary.index(name), true_values(dictionary)
    values, _ = readings(dictionary, STILL, [f"drift:1.5@0s/{name}"], ticks=361)
    assert values[-1, at] - true[at] == pytest.approx(1.5)
    values, _ = readings(dictionary, STILL, [f"spike:20@0s/{name}"], ticks=2000)
    hit = np.abs(values[:, at] - true[at]) > 1.0
    np.testing.assert_allclose(np.abs(values[hit, at] - true[at]), 20.0)
    assert stats.binomtest(int(hit.sum()), 2000, SPIKES).pvalue > 1e-3
    values, _ = readings(dictionary, SensorErrors(bias=0.0), [f"noise:5@0s/{name}"])
    assert values[:, at].std() == pytest.approx(5.0 * dictionary.noise[at], rel=0.15)
    values, _ = readings(dictionary, STILL, [f"dropout:0.3@0s/{name}"], ticks=1000)
    gone = np.isnan(values[:, at])
    assert stats.binomtest(int(gone.sum()), 1000, 0.3).pvalue > 1e-3
    assert not np.isnan(np.delete(values, at, axis=1)).any()
