"""A whole feed on the experimental satellite: what comes is what is true, faults do what they say."""

from dataclasses import replace

import numpy as np
import pytest

from twin.errors import BadInput
from twin.feed.assembly import FeedOptions, replay_feed, simulate_feed
from twin.feed.hidden import FACTORS, drawn_factors
from twin.feed.sensors import SensorErrors
from twin.feed.session import record
from twin.feed.truth import HIDDEN, TRUTH
from twin.results import open_result
from twin.telemetry import Decoder, Dictionary, SampleBatch, read_file
from twin.telemetry.quantities import ArrayMode, CardMode

PERFECT = SensorErrors(noise=0.0, bias=0.0)


def values(dictionary, batch, name):
    """Time series of a parameter."""
    at = batch.by_time()
    at = at.take(at.parameter == dictionary.index(f"satellite/0/{name}"))
    return at.time, at.value


def run(case, **options):
    """All samples of a feed that keeps no truth."""
    feed, _ = simulate_feed(case, FeedOptions(**options))
    decoder = Decoder(feed.dictionary)
    batches = [decoder.samples(b"".join(shipment.packets)) for shipment in feed]
    return SampleBatch.concatenate(batches)


@pytest.fixture(scope="module")
def kept(satellite, tmp_path_factory):
    """A feed with perfect sensors in a file, and what was true."""
    folder = tmp_path_factory.mktemp("feed")
    feed, truth = simulate_feed(
        satellite, FeedOptions(errors=PERFECT, hidden=("emissivity=0.9", "battery_capacity=0.8")), folder
    )
    count = record(feed, folder / "day.ccsds")
    truth.finish(feed.time, 1.0, feed.sensors)
    decoder = Decoder(feed.dictionary)
    batch = SampleBatch.concatenate([decoder.samples(data) for data in read_file(folder / "day.ccsds")])
    assert decoder.counts.packets == count == 5 * (decoder.counts.samples // 50)
    return folder, batch


def test_perfect_sensors_say_what_is_true(kept, small):
    folder, batch = kept
    truth = open_result(folder / TRUTH)["module"].to_dataset().isel(sub_center=0, module=0)
    seconds = (truth["time"] - np.datetime64("2026-06-21")) / np.timedelta64(1, "s")
    point = ["coolant_supply_temperature", "coolant_return_temperature", "battery_soc", "body_temperature",
             "junction_temperature_max", "solar_array_temperature", "coolant_mass_flow", "bypass_fraction"]  # fmt: skip
    for name in point:
        time, value = values(small, batch, name)
        here = np.isin(np.round(time, 6), np.round(seconds.values, 6))
        assert here.sum() == truth.sizes["time"]
        np.testing.assert_allclose(value[here], truth[name].values, rtol=3e-7)
    # Means of the record are those of the ticks, weighted by their lengths (shadow contacts cut some).
    time, power = values(small, batch, "card_power")
    first = np.searchsorted(time, np.concatenate([[0.0], seconds.values[:-1]]) + 1e-3)
    length = np.diff(time, prepend=0.0)
    mean = np.add.reduceat(power * length, first) / np.add.reduceat(length, first)
    np.testing.assert_allclose(mean, truth["card_power"].values, rtol=1e-6)


def test_panel_sensors_lie_between_the_coldest_and_the_hottest_place(kept, small):
    folder, batch = kept
    truth = open_result(folder / TRUTH)["module"].to_dataset().isel(sub_center=0, module=0)
    seconds = (truth["time"].values - np.datetime64("2026-06-21")) / np.timedelta64(1, "s")
    time = values(small, batch, "panel_inlet_temperature")[0]
    series = [
        values(small, batch, f"panel_{place}_temperature")[1] for place in ("inlet", "middle", "outlet")
    ]
    low, high = truth["panel_temperature_min"].values, truth["panel_temperature_max"].values
    for value in series:
        here = value[np.isin(np.round(time, 6), np.round(seconds, 6))]
        assert (here >= low - 1e-3).all() and (here <= high + 1e-3).all()
    # The coolant cools on its way through the panel.
    assert (series[0] > series[1]).all() and (series[1] > series[2]).all()


def test_hidden_properties_are_kept_beside(kept, satellite):
    folder, _ = kept
    with np.load(folder / HIDDEN) as hidden:
        assert hidden["time"].tolist() == [0.0]
        assert hidden["emissivity"].tolist() == [[0.9]]
        assert hidden["battery_capacity"].tolist() == [[0.8]]
        assert set(FACTORS) < set(hidden)
        assert (hidden["sensor_bias"] == 0.0).all()
    attributes = open_result(folder / TRUTH).attrs
    assert attributes["complete"] and attributes["faults"] == "[]"


@pytest.fixture(scope="module")
def weak_pump(satellite):
    """Nothing is wrong for 90 s; then the pump and the jobs weaken."""
    case = satellite.from_resolved(satellite.resolved(), ["mission.duration=3 min"])
    return run(case, errors=PERFECT, faults=("pump:0.8@90s", "surge:0.3@90s"))


def test_hidden_properties_show(kept, weak_pump, small):
    batch = kept[1]
    _, hidden = values(small, batch, "panel_outlet_temperature")
    _, usual = values(small, weak_pump, "panel_outlet_temperature")
    assert (hidden[:9] > usual[:9] + 1.0).all()
    # The smaller battery falls faster by what it lacks, for the same charge.
    falls = []
    for samples in (batch, weak_pump):
        time, soc = values(small, samples, "battery_soc")
        _, current = values(small, samples, "battery_current")
        charge = np.cumsum(current * np.diff(time, prepend=0.0))
        here = np.flatnonzero(time <= 180.0)[-1]
        falls.append((1.0 - soc[here]) / charge[here])
    assert falls[0] / falls[1] == pytest.approx(1.0 / 0.8, rel=0.01)


def test_faults_of_pump_and_jobs(weak_pump, small):
    time, flow = values(small, weak_pump, "coolant_mass_flow")
    _, pump = values(small, weak_pump, "pump_power")
    _, pressure = values(small, weak_pump, "coolant_pressure")
    _, cards = values(small, weak_pump, "card_power")
    before, after = time <= 90.0, time > 90.0 + 10.0
    np.testing.assert_allclose(flow[after] / flow[before][0], 0.8, rtol=1e-6)
    # Affinity laws: pressure follows the square of the speed, power its cube.
    np.testing.assert_allclose(pump[after] / pump[before][0], 0.8**3, rtol=1e-6)
    np.testing.assert_allclose(pressure[after] - 25e5, 0.8**2 * 1.5e5, rtol=1e-3)
    assert cards[after].mean() < 0.8 * cards[before].mean()


def test_fault_of_strings_in_sunlight(satellite):
    case = satellite.from_resolved(
        satellite.resolved(), ["mission.duration=3 min", "mission.start=2026-06-21T00:30:00Z"]
    )
    dictionary = Dictionary.of_case(case)
    batch = run(case, errors=PERFECT, faults=("array:0.3@90s",))
    time, power = values(dictionary, batch, "solar_power")
    _, mode = values(dictionary, batch, "array_mode")
    before, after = time <= 90.0, time > 120.0
    assert power[before].min() > 5000.0
    # About 9 kW could be had; three tenths of that are not enough, and the cards are held back at once.
    assert power[after].min() > 2000.0 and power[after].max() < 3000.0
    assert (mode[before] == ArrayMode.CURTAILED).all()
    _, held = values(dictionary, batch, "card_mode")
    assert (held[after] == CardMode.POWER).all()


def test_drawn_factors_have_the_spread_asked_for():
    factors = drawn_factors(0.05, 3, 4000)
    for name, values_ in factors.items():
        if name != "battery_capacity":
            assert np.mean(values_) == pytest.approx(1.0, abs=0.004)
            assert np.std(values_) == pytest.approx(0.05, rel=0.05)
    assert factors["battery_capacity"].max() <= 1.0
    assert abs(np.corrcoef(factors["emissivity"], factors["mass_flow"])[0, 1]) < 0.06


def test_panels_cannot_be_lost_with_finite_elements(satellite):
    with pytest.raises(BadInput, match="--thermal reduced"):
        simulate_feed(satellite, FeedOptions(faults=("panel:1@1h",)))


def test_wrong_hidden_properties_are_named(satellite):
    for text, message in (("emisivity=0.9", "did you mean 'emissivity'"), ("emissivity=-1", "above 0"),
                          ("emissivity", "such as emissivity=0.95"), ("battery_capacity=1.1", "up to 1")):  # fmt: skip
        with pytest.raises(BadInput, match=message):
            simulate_feed(satellite, FeedOptions(hidden=(text,)))
    with pytest.raises(BadInput, match="--noise"):
        FeedOptions(errors=replace(PERFECT, noise=-1.0))


def test_a_result_is_replayed(kept, satellite, small):
    folder, _ = kept
    feed = replay_feed(open_result(folder / TRUTH), satellite, FeedOptions(errors=PERFECT))
    decoder = Decoder(small)
    batch = SampleBatch.concatenate([decoder.samples(b"".join(s.packets)) for s in feed])
    truth = open_result(folder / TRUTH)["module"].to_dataset().isel(sub_center=0, module=0)
    for name in ("battery_temperature", "load_power", "junction_temperature_p50", "solar_power"):
        time, value = values(small, batch, name)
        assert time.size == truth.sizes["time"]
        np.testing.assert_allclose(value, truth[name].values, rtol=3e-7)
    # What the result does not have is no reading.
    assert values(small, batch, "bus_voltage")[0].size == 0
    assert decoder.counts.absent > 0
    assert set(np.unique(values(small, batch, "battery_mode")[1])) <= {0.0, 1.0, 2.0}
    with pytest.raises(BadInput, match="cannot break"):
        replay_feed(open_result(folder / TRUTH), satellite, FeedOptions(faults=("pump:0.9",)))
    with pytest.raises(BadInput, match="a result is what it is"):
        replay_feed(open_result(folder / TRUTH), satellite, FeedOptions(spread=0.1))
