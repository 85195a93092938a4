"""A small satellite with a small reduced panel, its telemetry with hidden truth, and live twins that read it."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from solvers.reduced_training import ReductionSettings
from twin import reduced_training
from twin.case import Case
from twin.live.host import TrainedPanel
from twin.reduced_training import TrainingSettings, cache_folder

CASES = Path(__file__).parents[3] / "cases"

SMALL = (
    "module_classes.satellite.radiator.mesh_size=0.6 m",
    "module_classes.satellite.radiator.tube_mesh_size=null",
    "module_classes.satellite.radiator.panels=1",
    "module_classes.satellite.radiator.tubes.count=4",
    "module_classes.satellite.radiator.height=6 m",
    "numerics.thermal=reduced",
    "numerics.exchange=none",
)

TRAINING = TrainingSettings(
    least_runs=8, most_runs=12, passes=1, tolerance=0.5, orbit=1500.0, segments=3, step=20.0
)
REDUCTION = ReductionSettings(regimes=4, most_modes=20, creeping_modes=20)

_PANEL = TrainedPanel(TRAINING, REDUCTION, cache_folder() / "tests")
"""A small reduced panel; trained once for this machine."""


@pytest.fixture(scope="session")
def panel():
    pytest.importorskip("dolfinx")
    return _PANEL


@pytest.fixture(scope="session")
def case():
    return Case.load(CASES / "experimental-satellite.yaml", [*SMALL, "mission.duration=40 min"])


@dataclass(frozen=True)
class Recording:
    """Telemetry of a hidden plant: packets by tick, and what perfect sensors said.

    `values` is (tick, parameter); `factors` are the hidden ones at the end.
    """

    case: Case
    packets: list
    time: np.ndarray
    values: np.ndarray
    factors: dict

    def data(self):
        return b"".join(packet for shipment in self.packets for packet in shipment)


def simulate(case, faults=(), seed=1, hidden=(), spread=0.02):
    """Simulate a hidden plant and its telemetry."""
    from twin.feed.assembly import FeedOptions, simulate_feed

    original = reduced_training.reduced_panel
    patch = pytest.MonkeyPatch()
    patch.setattr(
        reduced_training,
        "reduced_panel",
        lambda p, progress=None: original(p, TRAINING, REDUCTION, _PANEL.folder),
    )
    try:
        feed, _ = simulate_feed(case, FeedOptions(faults=faults, hidden=hidden, spread=spread, seed=seed))
    finally:
        patch.undo()
    rows = []

    def watched(source):
        for time, values, delay in source:
            rows.append((time, np.array(values)))
            yield time, values, delay

    feed.source = watched(feed.source)
    packets = [list(shipment.packets) for shipment in feed]
    from twin.feed.assembly import hidden_factors

    factors = hidden_factors(FeedOptions(spread=spread, seed=seed, hidden=hidden), 1)
    return Recording(case, packets, np.array([r[0] for r in rows]), np.array([r[1] for r in rows]), factors)


@pytest.fixture(scope="session")
def simulated():
    """Return the function that simulates a hidden plant."""
    return simulate


@pytest.fixture(scope="session")
def quiet(case):
    """Telemetry of a satellite that differs from its design, without faults."""
    return simulate(case)


async def as_source(data, piece=20_000):
    for start in range(0, len(data), piece):
        yield data[start : start + piece]
        await asyncio.sleep(0)


@pytest.fixture(scope="session")
def follow(panel):
    """Return a function that runs a live twin over packets and returns it with its reports."""
    from twin.live.host import Host
    from twin.live.ingest import LiveTwin
    from twin.live.pool import OneProcess
    from twin.live.settings import LiveSettings

    def run(case, data, folder=None, settings=None, forecasts=False, store=None, resume_reports=None):
        host = Host(case, settings or LiveSettings(), folder, panel)
        reports = []

        async def go():
            twin = LiveTwin(case, OneProcess(host), store, forecasts)
            publish = twin._publish

            def keep(outcome, arrival):
                reports.extend(outcome.reports)
                publish(outcome, arrival)

            twin._publish = keep
            await twin.run(as_source(data))
            await twin.pool.close()
            return twin

        return asyncio.run(go()), host, reports

    return run
