"""From bytes to published state: decode, hand every sub-center its samples, forecast, publish.

Each sub-center has a queue with a bound. While one is full the source is not read: a TCP sender is held back, and of
datagrams the oldest are dropped and counted. A sub-center has one batch at work at a time; what comes meanwhile is its
next batch.
"""

from __future__ import annotations

import asyncio
import time as clock
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twin.case import Case
from twin.errors import BadInput
from twin.live import messages
from twin.live.alarms import Alarm, AlarmBook
from twin.live.host import Outcome
from twin.live.journal import Samples
from twin.live.metrics import LiveMetrics
from twin.live.outlook import Forecast
from twin.live.pool import Pool
from twin.live.report import CycleReport
from twin.live.store import LiveStore
from twin.telemetry.decoding import Decoder, PacketBlock
from twin.telemetry.dictionary import Dictionary

Array = NDArray[np.float64]
type Listener = Callable[[dict[str, object]], None]

QUEUE = 2_000_000
"""Samples of a sub-center that may wait before the source is held back."""

BATCH = 1_000_000
"""Most samples that are handed on at once."""

REMEMBERED = 480
"""Cycles of a sub-center that are remembered for curves."""

FORECAST_SHARE = 0.3
"""Share of the time that forecasts may take when telemetry comes faster than real time."""


@dataclass
class Queue:
    """Samples of a sub-center that wait.

    Attributes
    ----------
    parts : list of (samples, arrival)
    size : int
    """

    parts: list[tuple[Samples, float]] = field(default_factory=list)
    size: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)
    room: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    def __post_init__(self) -> None:
        self.room.set()

    def put(self, samples: Samples, arrival: float) -> None:
        """Add samples."""
        self.parts.append((samples, arrival))
        self.size += len(samples[0])
        if self.size >= QUEUE:
            self.room.clear()
        self.news.set()

    def take(self) -> tuple[Samples, float]:
        """Return the next batch and when the last of it came."""
        chosen: list[Samples] = []
        size, arrival = 0, 0.0
        while self.parts and size < BATCH:
            samples, arrival = self.parts.pop(0)
            chosen.append(samples)
            size += len(samples[0])
        self.size -= size
        if self.size < QUEUE:
            self.room.set()
        if not self.parts and not self.closed:
            self.news.clear()
        return joined(chosen), arrival


class LiveTwin:
    """The live twin of a plant.

    Parameters
    ----------
    case : Case
    pool : Pool
        Where the partitions run.
    store : LiveStore, optional
    metrics : LiveMetrics

    Attributes
    ----------
    listeners : list of callable
        Called with every message (`twin.live.messages`).
    latest : dict
        Last message of each type and sub-center.
    history : dict
        By sub-center, what is remembered of its last cycles (`twin.live.messages.summary`).
    latencies : list of float
        From the last packets of a cycle to the updated state [s].
    """

    def __init__(self, case: Case, pool: Pool, store: LiveStore | None = None, forecasts: bool = True):
        self.case, self.pool, self.store = case, pool, store
        self.metrics = LiveMetrics()
        self.dictionary = Dictionary.of_case(case)
        self.decoder = Decoder(self.dictionary)
        self.names = [center.name for center in case.sub_centers]
        self.books = [AlarmBook(name) for name in self.names]
        self.listeners: list[Listener] = []
        self.latest: dict[tuple[str, str], dict[str, object]] = {}
        self.history = {name: deque[dict[str, object]](maxlen=REMEMBERED) for name in self.names}
        self.latencies: list[float] = []
        self.forecasts = forecasts
        self.reports: dict[int, CycleReport] = {}
        self.outlooks: dict[int, Forecast] = {}
        self._queues = [Queue() for _ in self.names]
        self._serial = [-1] * len(self.names)
        self._published = [np.inf if store is None else store.reached(name) for name in self.names]
        self._newest = np.full(len(self.names), -np.inf)
        self._work: dict[int, float] = {}

    # -- source -----------------------------------------------------------------------------------

    async def run(self, source: AsyncIterator[bytes]) -> None:
        """Follow a source to its end.

        Parameters
        ----------
        source : asynchronous iterator of bytes
            Pieces of a packet stream, cut anywhere.
        """
        await self.bring_up()
        tasks = [asyncio.create_task(self._follow(c)) for c in range(len(self.names))]
        reader = asyncio.create_task(self._read(source))
        try:
            done, _ = await asyncio.wait([*tasks, reader], return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
            if reader.done():
                await asyncio.gather(*tasks)
        finally:
            for task in [*tasks, reader]:
                task.cancel()
            await asyncio.gather(*tasks, reader, return_exceptions=True)
            if self.store is not None:
                self.store.flush()

    async def bring_up(self) -> None:
        """Have all partitions ready: built, or taken up from the disk."""
        outcomes = await asyncio.gather(
            *(
                self.pool.call("accept", c, -1, None, 0, published)
                for c, published in enumerate(self._published)
            )
        )
        for outcome in outcomes:
            self._serial[outcome.sub_center] = outcome.serial
            self._publish(outcome, None)

    async def save(self) -> None:
        """Write checkpoints of all partitions."""
        await asyncio.gather(*(self.pool.call("save", c) for c in range(len(self.names))))

    async def _read(self, source: AsyncIterator[bytes]) -> None:
        try:
            async for data in source:
                arrival = clock.monotonic()
                self.metrics.bytes.inc(len(data))
                blocks = await asyncio.to_thread(self.decoder.blocks, data)
                self.metrics.decoder(self.decoder.counts.as_dict())
                for center, samples in split(blocks, self.dictionary):
                    queue = self._queues[center]
                    await queue.room.wait()
                    queue.put(samples, arrival)
                    self.metrics.queue.labels(self.names[center]).set(queue.size)
                    self._newest[center] = max(self._newest[center], float(samples[1].max()))
        finally:
            for queue in self._queues:
                queue.closed = True
                queue.news.set()

    # -- sub-centers ------------------------------------------------------------------------------

    async def _follow(self, center: int) -> None:
        queue = self._queues[center]
        while True:
            await queue.news.wait()
            if not queue.parts:
                if queue.closed:
                    break
                queue.news.clear()
                continue
            samples, arrival = queue.take()
            serial = self._serial[center] + 1
            reported = self.reports[center].cycle if center in self.reports else 0
            published = self._published[center]
            outcome = await self.pool.call("accept", center, serial, samples, reported, published)
            self._serial[center] = max(outcome.serial, serial)
            self._publish(outcome, arrival)
            if outcome.reports and self.forecasts and self._may_forecast(center):
                await self._forecast(center)
        if self.forecasts and center in self.reports:
            await self._forecast(center)

    def _may_forecast(self, center: int) -> bool:
        """Whether there is time: nothing waits, or forecasts have had less than their share."""
        spent, since = self._work.get(center, 0.0), self._work.get(-1 - center, -np.inf)
        return clock.monotonic() - since >= spent / FORECAST_SHARE

    async def _forecast(self, center: int) -> None:
        start = clock.monotonic()
        forecast = await self.pool.call("forecast", center)
        if forecast is None:
            return
        self._work[center], self._work[-1 - center] = clock.monotonic() - start, clock.monotonic()
        self.outlooks[center] = forecast
        name = self.names[center]
        new = self.books[center].update("forecast", forecast.alarms(name), forecast.time)
        self.metrics.forecast(name, forecast)
        if self.store is not None:
            self.store.forecast(forecast)
            self.store.alarms(name, new)
        message = messages.outlook(name, forecast)
        message["alarms"] = [a.as_dict() for a in self.books[center].standing.values()]
        message["new_alarms"] = [a.as_dict() for a in new]
        self._tell(message)

    # -- publish ----------------------------------------------------------------------------------

    def _publish(self, outcome: Outcome, arrival: float | None) -> None:
        name = self.names[outcome.sub_center]
        now = clock.monotonic()
        self.metrics.work.observe(outcome.seconds)
        if outcome.restored:
            self.metrics.restored.labels(name).inc()
        for report in outcome.reports:
            latency = None if arrival is None else now - arrival
            if latency is not None:
                self.latencies.append(latency)
                del self.latencies[:-100_000]
            self.reports[outcome.sub_center] = report
            self.metrics.report(name, report, latency)
            lag = self._newest[outcome.sub_center] - report.time
            if np.isfinite(lag):
                self.metrics.lag.labels(name).set(lag)
            if self.store is not None:
                self.store.report(report)
                self._published[outcome.sub_center] = report.time
            message = messages.state(name, report, latency)
            self.history[name].append(messages.summary(message))
            self._tell(message)
        if outcome.saved and self.store is not None:
            self.store.flush()  # a state on disk must not be ahead of what is published

    def _tell(self, message: dict[str, object]) -> None:
        self.latest[str(message["type"]), str(message["sub_center"])] = message
        for listener in self.listeners:
            listener(message)

    def standing(self) -> list[Alarm]:
        """Return all alarms that stand."""
        found = [alarm for report in self.reports.values() for alarm in report.alarms]
        return found + [alarm for book in self.books for alarm in book.standing.values()]


def split(blocks: list[PacketBlock], dictionary: Dictionary) -> Iterator[tuple[int, Samples]]:
    """Yield (sub-center, samples) of decoded packets, parameters counted within the sub-center."""
    parts: dict[int, list[Samples]] = {}
    for block in blocks:
        if block.sub_center < 0 or not len(block.time):
            continue
        width = block.values.shape[1]
        first = (block.first - dictionary.of_sub_center(block.sub_center).start).astype(np.int32)
        parameter = np.add.outer(first, np.arange(width, dtype=np.int32)).ravel()
        time, value = np.repeat(block.time, width), block.values.ravel()
        there = np.isfinite(value)
        if not there.all():
            parameter, time, value = parameter[there], time[there], value[there]
        quality = np.zeros(len(value), dtype=np.uint8)
        samples: Samples = (parameter, time, value, quality)
        parts.setdefault(block.sub_center, []).append(samples)
    for center, several in sorted(parts.items()):
        yield center, joined(several)


def joined(parts: list[Samples]) -> Samples:
    """Return samples one after the other."""
    return (
        np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]),
        np.concatenate([p[2] for p in parts]), np.concatenate([p[3] for p in parts]),
    )  # fmt: skip


async def file_source(path: Path, piece: int = 2**18) -> AsyncIterator[bytes]:
    """Yield the pieces of a recorded packet stream.

    Raises
    ------
    BadInput
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            while data := file.read(piece):
                yield data
    except OSError as error:
        raise BadInput(f"--from {path}: cannot be read ({error.strerror})") from None
