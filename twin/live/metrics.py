"""Figures of the live twin itself, for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from twin.live.outlook import Forecast
from twin.live.report import CycleReport

SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)


class LiveMetrics:
    """Metrics in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.bytes = self._counter("received_bytes", "Bytes of telemetry received")
        self.decoded = self._gauge("decoder", "What the decoder has seen", ["what"])
        self.samples = self._gauge("samples", "Samples by what became of them", ["sub_center", "what"])
        self.dropped = self._gauge("dropped_bytes", "Bytes lost because they were not taken in time")
        self.cycles = self._counter("cycles", "Analyses", ["sub_center"])
        self.latency = self._histogram("latency_seconds", "From the packets of a cycle to the updated state")
        self.work = self._histogram("batch_seconds", "Work on a batch, where it is done")
        self.queue = self._gauge("queued_samples", "Samples that wait", ["sub_center"])
        self.lag = self._gauge("lag_seconds", "Mission time between newest sample and state", ["sub_center"])
        self.consistency = self._gauge("consistency", "Mean normalised innovation squared", ["sub_center"])
        self.alarms = self._gauge("alarms", "Alarms that stand", ["sub_center", "kind"])
        self.restored = self._counter("restored", "Partitions taken up from the disk", ["sub_center"])
        self.probability = self._gauge(
            "throttling_probability", "Chance of throttling ahead", ["sub_center", "cause"]
        )
        self.margin = self._gauge("radiator_margin", "Lowest radiator margin", ["sub_center"])

    def _counter(self, name: str, words: str, labels: list[str] | None = None) -> Counter:
        return Counter(f"twin_live_{name}", words, labels or [], registry=self.registry)

    def _gauge(self, name: str, words: str, labels: list[str] | None = None) -> Gauge:
        return Gauge(f"twin_live_{name}", words, labels or [], registry=self.registry)

    def _histogram(self, name: str, words: str) -> Histogram:
        return Histogram(f"twin_live_{name}", words, buckets=SECONDS, registry=self.registry)

    def report(self, name: str, report: CycleReport, latency: float | None) -> None:
        """Take in the report of a sub-center; `latency` [s] is missing for what was replayed."""
        self.cycles.labels(name).inc()
        for what, number in report.samples.items():
            self.samples.labels(name, what).set(number)
        finite = report.consistency[report.consistency == report.consistency]
        if finite.size:
            self.consistency.labels(name).set(float(finite.mean()))
        for kind in ("sensor", "plant", "forecast", "link", "model"):
            self.alarms.labels(name, kind).set(sum(a.kind == kind for a in report.alarms))
        if latency is not None:
            self.latency.observe(latency)

    def forecast(self, name: str, forecast: Forecast) -> None:
        """Take in a forecast."""
        for cause, chance in forecast.probability.items():
            self.probability.labels(name, cause).set(chance)
        self.margin.labels(name).set(forecast.radiator_margin)

    def decoder(self, counts: Mapping[str, int]) -> None:
        """Take in what the decoder has seen."""
        for what, number in counts.items():
            self.decoded.labels(what).set(number)

    def text(self) -> bytes:
        """Return all metrics as Prometheus reads them."""
        return bytes(generate_latest(self.registry))
