"""The live twin: decode and align, packet to state for the gigawatt plant, and experiments with a hidden truth.

    env/run python bench/bench_live.py align
    env/run python bench/bench_live.py latency [--cycles 20]
    env/run python bench/bench_live.py truth [--orbits 2]
    env/run python bench/bench_live.py throttling [--orbits 2.1] [--caps 660] [--seeds 2]
    env/run python bench/bench_live.py detection [--orbits 2.2]

Writes bench/results/live-NAME.json. Wall time and processor time are both given: on a machine that does other work
only the second one says anything.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import live_throttling
import live_truth
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
    spent, seen = 0.0, 0.0
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
        if len(waits) > centers * 3:
            spent, seen = spent + time.process_time() - used, seen + period
        serial += 1
    waits = waits[centers * 3 :]
    table = {f"p{q}": float(np.percentile(waits, q)) for q in (50, 90, 99)}
    print(
        f"{centers} sub-centers x {partitions[0].model.modules} modules x {members} members, cycle {cycle:g} s, "
        f"step {step:g} s: packet to state p50 {table['p50']:.2f} s, p99 {table['p99']:.2f} s; "
        f"{spent / seen * cycle:.2f} s of processor time in a cycle, for the plant"
    )
    return {
        "members": members,
        "cycle": cycle,
        "step": step,
        "latency": table,
        "cpu_per_cycle": spent / seen * cycle,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["align", "latency", "truth", "throttling", "detection"])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--cycles", type=int, default=10)
    parser.add_argument("--members", type=int, default=24)
    parser.add_argument("--cycle", type=float, default=60.0)
    parser.add_argument("--step", type=float, default=30.0)
    parser.add_argument("--centers", type=int, default=4)
    parser.add_argument("--orbits", type=float, default=2.0)
    parser.add_argument("--case", default="sub-center.yaml")
    parser.add_argument("--spread", type=float, default=0.02)
    parser.add_argument("--caps", type=float, nargs="+", default=[660.0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=3)
    given = parser.parse_args()
    if given.what == "align":
        result = align(given.steps)
    elif given.what == "latency":
        result = latency(given.cycles, given.members, given.cycle, given.step, given.centers)
    elif given.what == "throttling":
        result = live_throttling.throttling(given.orbits, given.caps, given.seeds, 0.03)
    elif given.what == "detection":
        result = live_throttling.detection(given.orbits, given.case, 0.01, given.seed, 4)
    else:
        result = live_truth.table(given.orbits, given.case, given.spread, given.seed)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"live-{given.what}.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
