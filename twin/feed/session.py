"""A feed from its source to the ground, and how it is paced."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twin.errors import RunFailed
from twin.feed.hidden import HiddenPlant
from twin.feed.link import Link
from twin.feed.sensors import Sensors
from twin.feed.truth import Truth
from twin.telemetry.decoding import Decoder
from twin.telemetry.dictionary import Dictionary
from twin.telemetry.observation import Observer, packet_values, parameter_vector
from twin.telemetry.packets import Encoder
from twin.telemetry.recordings import write_samples
from twin.telemetry.samples import SampleBatch
from twin.telemetry.transport import Transmitter

__all__ = ["Feed", "Shipment", "record", "record_samples", "simulated", "transmit"]

Floats = NDArray[np.float64]
Source = Iterable[tuple[float, Floats, Floats]]


@dataclass(frozen=True)
class Shipment:
    """Packets that arrive on the ground by a time.

    Attributes
    ----------
    time : float
        Since mission start [s].
    packets : list of bytes
        In order of arrival.
    """

    time: float
    packets: list[bytes]


def simulated(
    hidden: HiddenPlant, stop: float, truth: Truth | None = None
) -> Iterator[tuple[float, Floats, Floats]]:
    """Yield what perfect sensors of the hidden plant read at the end of every tick, up to `stop` [s].

    Yields
    ------
    time, values, delay
        As of `twin.telemetry.replay.replayed`.
    """
    observer = Observer(hidden.plant, hidden.dictionary)
    relay = hidden.plant.relay
    none = np.zeros(len(hidden.dictionary.sub_centers))
    for tick in hidden.run(stop):
        if truth is not None:
            truth.add(tick)
        delay = relay.telemetry_delay(tick.end) if relay.reports else none
        yield tick.end, parameter_vector(hidden.dictionary, observer.values(tick)), delay


class Feed:
    """Readings, packets and their way: iterate over what arrives on the ground.

    Parameters
    ----------
    source : iterable of (time, values, delay)
    sensors : Sensors
    link : Link

    Attributes
    ----------
    made : int
        Packets so far.
    time : float
        Of the last reading [s].
    """

    def __init__(self, source: Source, sensors: Sensors, link: Link):
        self.source, self.sensors, self.link = source, sensors, link
        self.encoder = Encoder(sensors.dictionary)
        self.made, self.time = 0, 0.0

    @property
    def dictionary(self) -> Dictionary:
        """Of the plant."""
        return self.sensors.dictionary

    def __iter__(self) -> Iterator[Shipment]:
        for time, values, delay in self.source:
            self.time = time
            packets, owner = self._packets(time, self.sensors.read(time, values))
            self.made += len(packets)
            self.link.send(time, owner, packets, delay)
            yield Shipment(time, self.link.arrived(time))
        # The plant is done; what is still under way arrives later.
        period = self.dictionary.period
        while math.isfinite(later := self.link.next_arrival()):
            until = max(later, self.time + period * math.ceil((later - self.time) / period))
            yield Shipment(until, self.link.arrived(until))

    def _packets(self, time: float, readings: Floats) -> tuple[list[bytes], NDArray[np.int64]]:
        packets: list[bytes] = []
        owner = []
        for layout, center, table in packet_values(self.dictionary, readings):
            rows = self.encoder.encode(layout, center, time, table)
            data, length = rows.tobytes(), layout.length
            packets += [data[i : i + length] for i in range(0, len(data), length)]
            owner.append(np.full(len(rows), center))
        return packets, np.concatenate(owner)


def record(feed: Iterable[Shipment], path: Path, watch: Callable[[Shipment], None] | None = None) -> int:
    """Write all packets to a file, aside and then put in place; return their number.

    Raises
    ------
    RunFailed
        If the file cannot be written.
    """
    partial, count = path.with_name(f".{path.name}.partial"), 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            for shipment in feed:
                stream.write(b"".join(shipment.packets))
                count += len(shipment.packets)
                if watch is not None:
                    watch(shipment)
        partial.replace(path)
    except OSError as error:
        raise RunFailed(f"{path}: cannot be written ({error.strerror}); {count} packets were made") from None
    return count


def record_samples(feed: Feed, path: Path, watch: Callable[[Shipment], None] | None = None) -> int:
    """Write what a receiver decodes to ``*.csv`` or ``*.parquet``; return the number of packets.

    Raises
    ------
    RunFailed
        If the file cannot be written.
    """
    decoder = Decoder(feed.dictionary)

    def decoded() -> Iterator[SampleBatch]:
        for shipment in feed:
            yield decoder.samples(b"".join(shipment.packets))
            if watch is not None:
                watch(shipment)

    write_samples(path, feed.dictionary, decoded())
    return decoder.counts.packets


async def transmit(
    feed: Iterable[Shipment],
    transmitter: Transmitter,
    rate: float,
    watch: Callable[[Shipment, float], None] | None = None,
) -> None:
    """Send packets when they arrive on the ground, at `rate` times real time.

    The next shipment is computed while this one waits for its time, in a thread of its own.

    Parameters
    ----------
    feed : iterable of Shipment
    transmitter : Transmitter
        Open.
    rate : float
        Mission time over wall time; infinite for as fast as it goes.
    watch : callable, optional
        Called with each shipment and how late it leaves [s of wall time].
    """
    loop = asyncio.get_running_loop()
    shipments = iter(feed)
    with ThreadPoolExecutor(1, thread_name_prefix="feed") as worker:

        def following() -> Shipment | None:
            return next(shipments, None)

        pending = loop.run_in_executor(worker, following)
        begun, first = loop.time(), 0.0
        while (shipment := await pending) is not None:
            pending = loop.run_in_executor(worker, following)
            due = begun + (shipment.time - first) / rate
            await asyncio.sleep(max(due - loop.time(), 0.0))
            await transmitter.send(shipment.packets)
            if watch is not None:
                late = 0.0 if math.isinf(rate) else max(loop.time() - due, 0.0)
                watch(shipment, late)
