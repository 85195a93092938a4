"""Partitions in a Dask cluster: a worker dies mid-stream, nothing acknowledged is lost, the state is the same."""

import asyncio
import os
import signal

import numpy as np
import pytest

from twin.errors import BadInput, RunFailed
from twin.live.host import Host
from twin.live.ingest import LiveTwin
from twin.live.pool import Cluster
from twin.live.settings import LiveSettings

SETTINGS = LiveSettings(checkpoint=300.0)


@pytest.fixture
def short(quiet):
    """Fifteen minutes of telemetry."""
    return b"".join(packet for shipment in quiet.packets[:90] for packet in shipment)


def through_workers(host, data, workers, kill_after=None):
    """Run a live twin in a local cluster; kill the worker of the partition after some cycles."""
    reports, killed = {}, []

    async def go():
        pool = await Cluster.local(host, workers)
        twin = LiveTwin(host.case, pool, forecasts=False)
        publish = twin._publish

        def keep(outcome, arrival):
            for report in outcome.reports:
                assert report.time not in reports, "a cycle was reported twice"
                reports[report.time] = report
            if kill_after is not None and len(reports) >= kill_after and not killed:
                killed.append(int(outcome.worker.removeprefix("pid ")))
                os.kill(killed[0], signal.SIGKILL)
            publish(outcome, arrival)

        twin._publish = keep

        async def slowly():
            for start in range(0, len(data), 4000):
                yield data[start : start + 4000]
                # One batch after the other, so that there is something left to do after the kill.
                while twin._queues[0].parts:
                    await asyncio.sleep(0.01)

        try:
            await asyncio.wait_for(twin.run(slowly()), 300.0)
            return twin.metrics.text().decode()
        finally:
            await pool.close()

    return reports, asyncio.run(go()), killed


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_worker_loses_nothing(case, short, panel, tmp_path, workers):
    """The worker is killed in the middle: every cycle is reported once, with the numbers of the undisturbed run.

    Of two, the other one goes on; the only one comes back under another address.
    """
    settings = LiveSettings(checkpoint=150.0)
    expected, _, _ = through_workers(Host(case, settings, tmp_path / "one", panel), short, 1)
    found, metrics, killed = through_workers(
        Host(case, settings, tmp_path / "two", panel), short, workers, 12
    )
    assert killed
    assert sorted(found) == sorted(expected) and len(found) > 25
    for time, report in expected.items():
        assert np.array_equal(found[time].temperature, report.temperature)
        assert np.array_equal(found[time].parameter, report.parameter)
        assert np.array_equal(found[time].state_of_charge, report.state_of_charge)
    assert 'twin_live_restored_total{sub_center="' in metrics


def test_a_worker_that_was_given_up_writes_no_more(case, short, panel, tmp_path):
    """Two hosts for one partition: the second takes it over, the first one finds out."""
    none = (np.zeros(0, np.int32), np.zeros(0), np.zeros(0), np.zeros(0, np.uint8))
    first, second = (Host(case, SETTINGS, tmp_path, panel) for _ in range(2))
    assert first.accept(0, 0, none).serial == 0
    outcome = second.accept(0, 1, none)
    assert outcome.restored and outcome.serial == 1
    with pytest.raises(RunFailed, match="another worker has taken it over"):
        first.accept(0, 2, none)


def test_a_batch_is_not_taken_twice(case, short, panel, tmp_path):
    from twin.live.ingest import split
    from twin.telemetry.decoding import Decoder
    from twin.telemetry.dictionary import Dictionary

    dictionary = Dictionary.of_case(case)
    ((_, samples),) = split(Decoder(dictionary).blocks(short), dictionary)
    host = Host(case, SETTINGS, tmp_path, panel)
    reports = host.accept(0, 0, samples).reports
    assert len(reports) > 20
    assert host.accept(0, 0, samples).reports == []
    again = Host(case, SETTINGS, tmp_path, panel).accept(0, 0, samples, reported=len(reports) - 1)
    assert [r.time for r in again.reports] in ([], [reports[-1].time])
    assert again.serial == 0


def test_a_cluster_needs_a_shared_folder(case, panel):
    async def go():
        await Cluster(None)._ready(Host(case, SETTINGS, None, panel))

    with pytest.raises(BadInput, match="needs --out"):
        asyncio.run(go())
