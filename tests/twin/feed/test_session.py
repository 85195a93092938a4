"""Feeds of a made-up plant: order of parameters, pacing, files."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from twin.errors import RunFailed
from twin.feed.faults import parse_fault
from twin.feed.link import Link
from twin.feed.sensors import SensorErrors, Sensors
from twin.feed.session import Feed, record, record_samples, transmit
from twin.telemetry import Decoder, SampleBatch, packet_values, parameter_vector, read_samples
from twin.telemetry.quantities import QUANTITIES

STILL = SensorErrors(noise=0.0, bias=0.0)


def made_up(dictionary, ticks=6, faults=()):
    """A feed whose readings are in the middle of their ranges."""
    found = [parse_fault(text, dictionary, 6000.0) for text in faults]
    values = np.where(np.isfinite(dictionary.high), 0.5 * (dictionary.low + dictionary.high), 1.0)
    source = ((10.0 * k, values, np.zeros(2)) for k in range(1, ticks + 1))
    return Feed(source, Sensors(dictionary, STILL, found), Link(dictionary, found)), values


def test_values_of_the_plant_find_their_parameters(dictionary):
    # Modules of the plant in another order than those of telemetry.
    mixed = replace(dictionary, plant_index=np.array([4, 0, 2, 3, 1]))
    rows = {"module": 5, "sub_center": 2, "plant": 1}
    values = {scope: {} for scope in rows}
    for number, (kind, line) in enumerate(QUANTITIES):
        values[kind.scope][line.name] = 100.0 * number + np.arange(rows[kind.scope])
    vector = parameter_vector(mixed, values)
    for name, center, module, want in (
        ("battery_soc", 0, 0, 4),
        ("battery_soc", 0, 1, 0),
        ("body_temperature", 1, 1, 1),
    ):
        index = mixed.of_quantity(name, sub_center=center)[module]
        assert vector[index] == values["module"][name][want]
    assert vector[mixed.index("beta/mean/load_power")] == values["sub_center"]["load_power"][1]
    assert vector[mixed.index("plant/point/position_z")] == values["plant"]["position_z"][0]
    tables = packet_values(mixed, vector)
    assert np.concatenate([table.ravel() for _, _, table in tables]).size == mixed.size
    assert all(np.shares_memory(table, vector) for _, _, table in tables)


def test_all_parameters_come_at_every_time(dictionary):
    feed, values = made_up(dictionary)
    decoder = Decoder(dictionary)
    batch = SampleBatch.concatenate([decoder.samples(b"".join(s.packets)) for s in feed])
    assert len(batch) == 6 * dictionary.size
    np.testing.assert_allclose(batch.value, values[batch.parameter], rtol=1e-6)
    assert decoder.counts.missing == 0


def test_what_is_under_way_comes_after_the_end(dictionary):
    feed, _ = made_up(dictionary, faults=("delay:35",))
    shipments = list(feed)
    assert [s.time for s in shipments] == [10.0 * k for k in range(1, 11)]
    assert sum(len(s.packets) for s in shipments) == feed.made
    assert not any(s.packets for s in shipments[:3])


class Sink:
    """Takes packets and notes when."""

    def __init__(self, slow=0.0):
        self.when, self.slow = [], slow

    async def send(self, packets):
        await asyncio.sleep(self.slow)
        self.when.append(asyncio.get_running_loop().time())


def paced(feed, sink, rate):
    late = []

    async def run():
        begin = asyncio.get_running_loop().time()
        await transmit(feed, sink, rate, lambda shipment, behind: late.append(behind))
        return [when - begin for when in sink.when]

    return asyncio.run(run()), late


def test_packets_leave_when_their_time_has_come(dictionary):
    feed, _ = made_up(dictionary)
    times, _ = paced(feed, Sink(), 100.0)
    # 10 s of the mission are 0.1 s; never early, and late by no more than a busy machine is.
    assert all(when >= 0.1 * k - 1e-3 for k, when in enumerate(times, start=1))
    assert times[-1] < 0.6 + 2.0


def test_a_slow_receiver_holds_the_feed_back(dictionary):
    feed, _ = made_up(dictionary)
    times, late = paced(feed, Sink(slow=0.15), 1000.0)
    assert times[-1] > 6 * 0.15 - 0.01
    assert late[-1] > 0.5


def test_as_fast_as_it_goes(dictionary):
    feed, _ = made_up(dictionary)
    _, late = paced(feed, Sink(), float("inf"))
    assert late == [0.0] * 6


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_samples_in_a_table(dictionary, tmp_path, suffix):
    feed, values = made_up(dictionary, faults=("corrupt:0.2",))
    path = tmp_path / f"day{suffix}"
    count = record_samples(feed, path)
    assert feed.made - feed.link.spoilt <= count < feed.made
    batch = SampleBatch.concatenate(list(read_samples(path, dictionary)))
    np.testing.assert_allclose(batch.value, values[batch.parameter], rtol=1e-6)


def test_file_that_cannot_be_written(dictionary, tmp_path):
    (tmp_path / "taken").write_text("")
    feed, _ = made_up(dictionary)
    with pytest.raises(RunFailed, match="cannot be written"):
        record(feed, tmp_path / "taken" / "day.ccsds")
