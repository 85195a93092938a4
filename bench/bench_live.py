"""The live twin: decode and align, packet to state for the gigawatt plant, and experiments with a hidden truth.

    env/run python bench/bench_live.py align
    env/run python bench/bench_live.py latency [--cycles 20]
    env/run python bench/bench_live.py truth [--orbits 2]

Writes bench/results/live-NAME.json. Wall time and processor time are both given: on a machine that does other work
only the second one says anything.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_name("results")


def align(steps: int) -> dict[str, object]:
    """Packets of all modules of the gigawatt plant: bytes to bins."""
    from twin.case import Case
    from twin.live.align import Aligner
    from twin.live.ingest import split
    from twin.telemetry.decoding import Decoder
    from twin.telemetry.dictionary import Dictionary
    from twin.telemetry.packets import Encoder

    dictionary = Dictionary.of_case(Case.load(ROOT / "cases" / "gigawatt.yaml"))
    encoder, random = Encoder(dictionary), np.random.default_rng(0)
    pieces = []
    for k in range(steps):
        for layout in dictionary.layouts:
            if layout.kind.scope != "module":
                continue
            for center, modules in enumerate(dictionary.modules):
                values = random.normal(size=(int(modules), layout.fields))
                values[:, len(layout.measured) :] = 0
                pieces.append(encoder.encode(layout, center, 10.0 * (k + 1), values).tobytes())
    data, piece = b"".join(pieces), 2**22
    decoder, aligners = Decoder(dictionary), []
    for center in range(len(dictionary.sub_centers)):
        span = dictionary.of_sub_center(center)
        aligners.append(Aligner(span.stop - span.start, 0.1, 8, 4))
        for k in range(-8, 0):  # memory is touched once, as in a twin that runs
            aligners[-1].open_bin(10.0 * k, 10.0 * (k + 1))
    spent, opened, count = np.zeros((2, 3)), 0, 0
    warm = 2
    for number, start in enumerate(range(0, len(data), piece)):
        marks = [(time.perf_counter(), time.process_time())]
        blocks = decoder.blocks(data[start : start + piece])
        marks.append((time.perf_counter(), time.process_time()))
        parts = list(split(blocks, dictionary))
        marks.append((time.perf_counter(), time.process_time()))
        newest = max((float(s[1].max()) for _, s in parts), default=0.0)
        while 10.0 * opened < newest:
            for aligner in aligners:
                aligner.open_bin(10.0 * opened, 10.0 * (opened + 1))
            opened += 1
        taken = 0
        for center, samples in parts:
            aligners[center].add(*samples)
            taken += len(samples[0])
        marks.append((time.perf_counter(), time.process_time()))
        if number >= warm:
            spent += np.diff(np.array(marks), axis=0).T
            count += taken
    wall, cpu = spent
    accepted = sum(a.counters["accepted"] for a in aligners)
    assert accepted == sum(a.counters["samples"] for a in aligners)
    names = ("decode", "split", "align")
    rows = {name: {"wall": count / w, "cpu": count / c} for name, w, c in zip(names, wall, cpu)}
    rows["all"] = {"wall": count / wall.sum(), "cpu": count / cpu.sum()}
    print(f"{count:,} samples, {len(data) / 1e6:.0f} MB")
    for name, row in rows.items():
        print(f"  {name:<8} {row['wall']:.2e} samples/s of wall time, {row['cpu']:.2e} of one processor")
    return {"samples": count, "rates": rows}


def latency(cycles: int, members: int, cycle: float, step: float, centers: int) -> dict[str, object]:
    """Packets of a cycle of the gigawatt plant to the updated state: accept() of all sub-centers, in one process."""
    from twin.case import Case
    from twin.live.host import TrainedPanel
    from twin.live.partition import Partition
    from twin.live.sensors import INPUTS, NAMES
    from twin.live.settings import LiveSettings

    case = Case.load(ROOT / "cases" / "gigawatt.yaml")
    settings = LiveSettings(members=members, cycle=cycle, step=step)
    start = time.perf_counter()
    partitions = [Partition(case, c, settings, TrainedPanel()) for c in range(centers)]
    print(f"built in {time.perf_counter() - start:.1f} s")
    random = np.random.default_rng(0)
    waits: list[float] = []
    works: list[float] = []
    period = partitions[0].dictionary.period

    def samples(partition: Partition, when: float) -> tuple[np.ndarray, ...]:
        """What sensors of a plant like the model's mean would say, with noise."""
        table, model = partition.table, partition.model
        past = partition.filter.past
        modules = model.modules
        if past:
            value = past[max(past)].after.mean(axis=2)
        else:
            low = {"coolant_mass_flow": case.module_classes["interior"].coolant_loop.mass_flow}
            value = np.full((modules, len(NAMES)), np.nan)
            value[:, NAMES.index("coolant_mass_flow")] = low["coolant_mass_flow"]
        value = value + table.noise * random.standard_normal(value.shape)
        inputs = {
            "card_power": partition._guess("card_power") * (1.0 + 0.02 * random.standard_normal(modules)),
            "cards_running": model.cards,
            "relay_power": np.full(modules, 50.0),
        }
        parameter = np.concatenate([table.place.ravel(), *(table.inputs[n] for n in INPUTS)])
        values = np.concatenate([value.ravel(), *(inputs[n] for n in INPUTS)])
        there = np.isfinite(values)
        count = int(there.sum())
        return (
            parameter[there].astype(np.int32), np.full(count, when), values[there], np.zeros(count, np.uint8)
        )  # fmt: skip

    serial, now = 0, 0.0
    while len(waits) < cycles * centers + centers * 3:
        now += period
        batches = [samples(partition, now) for partition in partitions]
        begin, used = time.perf_counter(), time.process_time()
        for partition, batch in zip(partitions, batches):
            for _ in partition.accept(serial, batch):
                # All packets of the tick came at once: a sub-center waits for those before it.
                waits.append(time.perf_counter() - begin)
        if len(waits) and (now % cycle) < 1e-6:
            works.append(time.process_time() - used)
        serial += 1
    waits, works = waits[centers * 3 :], works[3:]
    table = {f"p{q}": float(np.percentile(waits, q)) for q in (50, 90, 99)}
    print(
        f"{centers} sub-centers x {partitions[0].model.modules} modules x {members} members, cycle {cycle:g} s, "
        f"step {step:g} s: packet to state p50 {table['p50']:.2f} s, p99 {table['p99']:.2f} s; "
        f"{np.mean(works):.2f} s of processor time per cycle of the plant"
    )
    return {
        "members": members,
        "cycle": cycle,
        "step": step,
        "latency": table,
        "cpu_per_cycle": float(np.mean(works)),
    }


def truth(orbits: float, file: str) -> dict[str, object]:
    """Hidden truth of the constellation: parameters, intervals, detection, false alarms."""
    from twin.case import Case
    from twin.feed.assembly import FeedOptions, hidden_factors, simulate_feed
    from twin.live.host import Host, TrainedPanel
    from twin.live.ingest import LiveTwin
    from twin.live.model import PARAMETERS
    from twin.live.pool import OneProcess
    from twin.live.report import PLACES
    from twin.live.settings import LiveSettings
    from twin.telemetry.dictionary import Dictionary
    from twin.telemetry.panel_sensors import PanelSensors

    case = Case.load(ROOT / "cases" / file, [f"mission.duration={orbits} orbits", "numerics.thermal=reduced"])
    dictionary = Dictionary.of_case(case)
    modules = int(dictionary.modules.sum())
    options = FeedOptions(spread=0.02, seed=3)
    feed, _ = simulate_feed(case, options)
    rows: list[tuple[float, np.ndarray]] = []

    def watched(source):  # type: ignore[no-untyped-def]
        for when, values, delay in source:
            rows.append((when, np.array(values)))
            yield when, values, delay

    feed.source = watched(feed.source)
    data = b"".join(packet for shipment in feed for packet in shipment.packets)
    times = np.array([when for when, _ in rows])
    values = np.array([v for _, v in rows])
    host = Host(case, LiveSettings(), None, TrainedPanel())
    reports: list = []
    panel_error: list[np.ndarray] = []
    panel_rows = np.stack(
        [dictionary.of_quantity(f"panel_{p}_temperature") for p in ("inlet", "middle", "outlet")], axis=1
    )

    async def source():  # type: ignore[no-untyped-def]
        for start in range(0, len(data), 2**14):
            yield data[start : start + 2**14]
            await asyncio.sleep(0)

    async def go() -> LiveTwin:
        twin = LiveTwin(case, OneProcess(host), forecasts=False)
        publish = twin._publish

        def keep(outcome, arrival):  # type: ignore[no-untyped-def]
            reports.extend(outcome.reports)
            part = host.partitions[outcome.sub_center]
            if outcome.reports and part.time > 2.0 * part.model.orbit.period * 0.5:
                row = int(np.searchsorted(times, part.time - 1e-6))
                at = slice(*dictionary.first_module[outcome.sub_center : outcome.sub_center + 2])
                found = np.concatenate(
                    [
                        PanelSensors(g).temperatures().reshape(-1, g.members, 3).mean(axis=1)
                        for g in part.model.groups
                    ]
                )
                panel_error.append(found - values[min(row, len(values) - 1), panel_rows[at]])
            publish(outcome, arrival)

        twin._publish = keep
        await twin.run(source())
        await twin.pool.close()
        return twin

    asyncio.run(go())
    hidden = hidden_factors(options, modules)
    half = [r for r in reports if r.time > 0.5 * times[-1]]
    table: dict[str, object] = {}
    inside = []
    for k, name in enumerate(PARAMETERS):
        truth_of = hidden[name][dictionary.plant_index]
        error, score = [], []
        for r in half:
            at = slice(*dictionary.first_module[r.sub_center : r.sub_center + 2])
            gap = r.parameter[:, k] - truth_of[at]
            if name == "card_power":
                gap = r.parameter[:, k] - 1.0  # the cards' power is measured: the factor is the meter's
            error.append(gap)
            score.append(gap / r.parameter_spread[:, k])
        errors, scores = np.concatenate(error), np.concatenate(score)
        share = float(np.mean(np.abs(scores) < 1.645))
        inside.append(share)
        table[name] = {"rms": float(np.sqrt(np.mean(errors**2))), "within_90": share}
        print(
            f"  {name:<18} rms error {np.sqrt(np.mean(errors**2)):.4f}, in the 90 % interval {100 * share:.0f} %"
        )
    place_names = {"supply": "coolant_supply_temperature", "return": "coolant_return_temperature",
                   "cold_plate": "cold_plate_temperature", "body": "body_temperature"}  # fmt: skip
    for place, quantity in place_names.items():
        column = dictionary.of_quantity(quantity)
        gaps = []
        for r in half:
            at = slice(*dictionary.first_module[r.sub_center : r.sub_center + 2])
            row = min(int(np.searchsorted(times, r.time - 1e-6)), len(values) - 1)
            gaps.append(r.temperature[:, PLACES.index(place)] - values[row, column[at]])
        rms = float(np.sqrt(np.mean(np.concatenate(gaps) ** 2)))
        table[place] = {"rms": rms}
        print(f"  {place:<18} rms error {rms:.3f} K")
    unmeasured = float(np.sqrt(np.mean(np.concatenate(panel_error) ** 2))) if panel_error else float("nan")
    alarms = [a for r in reports for a in r.new_alarms]
    hours = times[-1] / 3600.0 * modules
    print(f"  unmeasured places on the panels: rms error {unmeasured:.3f} K")
    print(f"  false alarms: {len(alarms)} in {hours:.1f} module hours: {[a.cause for a in alarms]}")
    return {"parameters": table, "within_90": float(np.mean(inside)), "unmeasured_rms": unmeasured,
            "false_alarms": len(alarms), "module_hours": hours}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["align", "latency", "truth"])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--cycles", type=int, default=10)
    parser.add_argument("--members", type=int, default=24)
    parser.add_argument("--cycle", type=float, default=60.0)
    parser.add_argument("--step", type=float, default=60.0)
    parser.add_argument("--centers", type=int, default=4)
    parser.add_argument("--orbits", type=float, default=2.0)
    parser.add_argument("--case", default="experimental-satellite.yaml")
    given = parser.parse_args()
    if given.what == "align":
        result = align(given.steps)
    elif given.what == "latency":
        result = latency(given.cycles, given.members, given.cycle, given.step, given.centers)
    else:
        result = truth(given.orbits, given.case)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"live-{given.what}.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
