"""Telemetry of the gigawatt plant: packets encoded, decoded and aligned, an independent decoder beside, and damage.

Each process takes its own sub-centers, as the partitions of the live twin do; all begin at the same moment and the
slowest one counts. The stream is cut into pieces of 256 KiB as a socket gives them. The last part damages packets one
by one (bytes changed, missing or added) and looks at every value that comes out.

Usage: python bench/bench_telemetry.py [--case cases/gigawatt.yaml] [--ticks 20] [--processes 2] [--damaged 1000000]
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np

from twin.case import Case
from twin.feed.link import damaged
from twin.live.align import Aligner
from twin.telemetry import Decoder, Dictionary, Encoder
from twin.telemetry.xtce import write_xtce

RESULTS = Path(__file__).parent / "results" / "telemetry.json"
PIECE = 2**18
REPEATS = 5


def stream(dictionary: Dictionary, centers: range, ticks: int) -> bytes:
    """Telemetry of some sub-centers; every parameter always has its own number as value."""
    encoder, parts = Encoder(dictionary), []
    for tick in range(1, ticks + 1):
        for layout in dictionary.layouts:
            if layout.kind.scope == "plant":
                continue
            for center in centers:
                rows = int(dictionary.modules[center]) if layout.kind.scope == "module" else 1
                first = dictionary.first(layout)[center]
                values = (first + np.arange(rows * layout.fields)).reshape(rows, layout.fields).astype(float)
                values[:, len(layout.measured) :] = 1.0
                parts.append(encoder.encode(layout, center, tick * dictionary.period, values).tobytes())
    return b"".join(parts)


def decode(dictionary: Dictionary, data: memoryview, centers: range, ticks: int, aligned: bool) -> int:
    """Decode a stream in pieces, and align the samples where asked; return their number."""
    decoder = Decoder(dictionary)
    aligners = {}
    if aligned:
        for center in centers:
            at = dictionary.of_sub_center(center)
            aligners[center] = Aligner(at.stop - at.start, dictionary.noise[at], bins=4, slots=2)
            aligners[center].open_bin(0.0, dictionary.period)
    opened = 1
    for at in range(0, len(data), PIECE):
        for block in decoder.blocks(data[at : at + PIECE]):
            if not aligned:
                continue
            while opened * dictionary.period < block.time.max() - 1e-6 and opened < ticks:
                for aligner in aligners.values():
                    aligner.open_bin(opened * dictionary.period, (opened + 1) * dictionary.period)
                opened += 1
            batch = block.samples()
            first = dictionary.of_sub_center(block.sub_center).start
            aligners[block.sub_center].add(batch.parameter - first, batch.time, batch.value, batch.quality)
    for aligner in aligners.values():
        counts = aligner.counters
        assert counts["accepted"] == counts["samples"], counts
    return decoder.counts.samples


def worker(case: str, share: list[int], ticks: int, aligned: bool, barrier, queue) -> None:  # type: ignore[no-untyped-def]
    dictionary = Dictionary.of_case(Case.load(case))
    centers = range(share[0], share[-1] + 1)
    data = memoryview(stream(dictionary, centers, ticks))
    decode(dictionary, data[: 4 * PIECE], centers, ticks, aligned)  # compile
    times, busy = [], []
    for _ in range(REPEATS):
        barrier.wait()
        begin, used = time.perf_counter(), time.process_time()
        samples = decode(dictionary, data, centers, ticks, aligned)
        times.append(time.perf_counter() - begin)
        busy.append(time.process_time() - used)
    queue.put((samples, times, busy))


def together(case: str, processes: int, ticks: int, aligned: bool) -> tuple[float, float]:
    """Samples per second of some processes at once, and per second of processor time; the best of a few times."""
    centers = len(Case.load(case).sub_centers)
    shares = [part.tolist() for part in np.array_split(np.arange(centers), processes) if part.size]
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(len(shares)), context.Queue()
    crew = [context.Process(target=worker, args=(case, s, ticks, aligned, barrier, queue)) for s in shares]
    for process in crew:
        process.start()
    results = [queue.get(timeout=600) for _ in crew]
    for process in crew:
        process.join()
    samples = sum(result[0] for result in results)
    slowest = np.max([times for _, times, _ in results], axis=0)
    used = np.sum([busy for _, _, busy in results], axis=0)
    return samples / float(slowest.min()), samples / float(used.min())


def independent(dictionary: Dictionary, data: bytes, packets: int) -> float:
    """Samples per second of space_packet_parser on the first packets of a stream."""
    from space_packet_parser import load_xtce
    from space_packet_parser.generators import ccsds_generator

    with tempfile.TemporaryDirectory() as folder:
        write_xtce(dictionary, Path(folder) / "packets.xml")
        definition = load_xtce(Path(folder) / "packets.xml")
    fields = {layout.kind.number: layout.fields for layout in dictionary.layouts}
    source, samples, begin = ccsds_generator(io.BytesIO(data)), 0, time.perf_counter()
    for _, binary in zip(range(packets), source):
        samples += fields[definition.parse_bytes(binary)["PKT_APID"] // 64]
    return samples / (time.perf_counter() - begin)


def survive(dictionary: Dictionary, count: int) -> dict[str, int | float]:
    """Damage packets among sound ones and look at what comes out."""
    rng = np.random.default_rng(1)
    batch, wrong, decoder = stream(dictionary, range(1), 2), 0, Decoder(dictionary)
    packets, at = [], 0
    while at < len(batch):
        length = int.from_bytes(batch[at + 4 : at + 6], "big") + 7
        packets.append(batch[at : at + length])
        at += length
    modes = np.concatenate(
        [dictionary.of_quantity(line.name) for layout in dictionary.layouts for line in layout.modes]
    )
    done, begin = 0, time.perf_counter()
    while done < count:
        chosen = rng.integers(0, len(packets), 5000)
        pieces = [damaged(packets[i], rng) if k % 5 else packets[i] for k, i in enumerate(chosen)]
        done += 4000
        for block in decoder.blocks(b"".join(pieces)):
            samples = block.samples()
            expected = np.where(np.isin(samples.parameter, modes), 1.0, samples.parameter)
            known = np.isin(np.round(samples.time, 6), (dictionary.period, 2 * dictionary.period))
            wrong += int(np.count_nonzero((samples.value != expected) | ~known))
    counts = decoder.counts.as_dict()
    return {"damaged": done, "wrong_values": wrong, "seconds": time.perf_counter() - begin, **counts}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--case", default="cases/gigawatt.yaml")
    parser.add_argument("--ticks", type=int, default=20)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--damaged", type=int, default=1_000_000)
    options = parser.parse_args()
    begin = time.perf_counter()
    case = Case.load(options.case)
    loading = time.perf_counter()
    dictionary = Dictionary.of_case(case)
    assert np.isfinite(dictionary.noise).all()
    building = time.perf_counter() - loading
    print(f"case {loading - begin:.2f} s, dictionary of {dictionary.size} parameters {building:.3f} s")
    centers = range(len(dictionary.sub_centers))
    stream(dictionary, centers, 1)
    begin = time.perf_counter()
    data = stream(dictionary, centers, options.ticks)
    encoding = time.perf_counter() - begin
    samples = options.ticks * (dictionary.size - 8)
    rows, per_core = {"encoded": samples / encoding}, {}
    for processes in sorted({1, options.processes}):
        for aligned in (False, True):
            name = f"decoded{' and aligned' if aligned else ''}, processes: {processes}"
            rows[name], per_core[name] = together(options.case, processes, options.ticks, aligned)
    rows["space_packet_parser, processes: 1"] = independent(dictionary, data, 3000)
    print(
        f"{len(data) / 1e6:.1f} MB, {samples / 1e6:.2f} million samples, {len(data) / samples:.2f} bytes each"
    )
    for name, rate in rows.items():
        core = f", {per_core[name] / 1e6:.2f} per second of processor time" if name in per_core else ""
        print(f"{name:<36} {rate / 1e6:8.3f} million samples/s{core}")
    survived = survive(dictionary, options.damaged)
    print(", ".join(f"{name} {value:,.0f}" for name, value in survived.items()))
    assert survived["wrong_values"] == 0
    report = {
        "case": options.case,
        "parameters": dictionary.size,
        "dictionary_seconds": building,
        "bytes_per_sample": len(data) / samples,
        "samples_per_second": rows,
        "samples_per_processor_second": per_core,
        "damage": survived,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
