"""Fleet of cards: card-updates per second, bytes per card-step and share of the memory bandwidth.

Three loads: `coasting` (no limit binds), `mixed` (some cards at their own limit), `capped` (every module at a
cap). A triad a = b + s c on arrays far larger than the caches, by the same threads in the same run, gives the
bandwidth that the machine had at the time. Prints a table and writes JSON to ``bench/results``.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numba as nb
import numpy as np

from twin.card_model import CARDS
from twin.compute import CardFleet

BAR, AIM = 3e8, 1e9


@nb.njit(parallel=True, fastmath=True)
def triad(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    for i in nb.prange(a.size):
        a[i] = b[i] + 3.0 * c[i]


def best(call: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Shortest of several wall times, and of several processor times of all threads [s]."""
    wall, processor = [], []
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    return min(wall), min(processor)


def bandwidth(repeats: int) -> float:
    """Bytes per second of the triad, counting two reads, one write and the read that comes with the write."""
    a, b, c = (np.ones(1 << 24) for _ in range(3))
    triad(a, b, c)
    return 4 * a.nbytes / best(lambda: triad(a, b, c), repeats)[0]


def bytes_per_card(fleet: CardFleet) -> int:
    """Bytes moved between memory and caches for one card in one call.

    Read: temperature, timer, clock, decay, gain, factor, job (4 each), status (1). Written: temperature,
    timer, clock (4 each), status (1); mean power and pace (4 each, and as much again to bring their lines
    in). Sharing a cap reads the state of a module twice, but a module fits into the second-level cache.
    """
    read = sum(a.itemsize for a in (fleet.temperature, fleet.restart_timer, fleet.clock, fleet.power_factor))
    read += 2 * 4 + fleet.job_of_card.itemsize + fleet.status.itemsize
    written = 3 * 4 + fleet.status.itemsize + 2 * 2 * 4
    return read + written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modules", type=int, default=4096)
    parser.add_argument("--cards-per-module", type=int, default=1024)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--steps", type=int, default=10, help="sub-steps of 1 s per call")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "fleet.json")
    options = parser.parse_args()
    fleet = CardFleet(
        CARDS["h100-sxm"], np.full(options.modules, options.cards_per_module), temperature=330.0, seed=3
    )
    fleet.assign(np.arange(fleet.cards) * options.jobs // fleet.cards, options.jobs)
    plate = np.full(options.modules, 310.0)
    stream = bandwidth(options.repeats)
    rows = {}
    loads = {
        "coasting": (0.6, np.inf),
        "mixed": (0.95, np.inf),
        "capped": (0.95, 500.0 * options.cards_per_module),
    }
    for name, (activity, cap) in loads.items():
        rate = np.full(options.jobs, activity)

        def call(rate: np.ndarray = rate, cap: float = cap) -> object:
            return fleet.advance(1.0, options.steps, rate, plate, cap)

        for _ in range(3):
            call()
        seconds, processor = best(call, options.repeats)
        moved = bytes_per_card(fleet) * fleet.cards
        rows[name] = {
            "updates_per_s": fleet.cards * options.steps / seconds,
            "updates_per_processor_s": fleet.cards * options.steps / processor,
            "ns_per_update": 1e9 * seconds / (fleet.cards * options.steps),
            "bytes_per_card_step": moved / (fleet.cards * options.steps),
            "bandwidth_bytes_per_s": moved / seconds,
            "share_of_triad": moved / seconds / stream,
            "times_bar": fleet.cards * options.steps / seconds / BAR,
        }
    threads = nb.get_num_threads()
    print(
        f"{fleet.cards} cards in {options.modules} modules, {options.steps} steps per call, {threads} threads"
    )
    print(f"triad in the same run: {stream / 1e9:.1f} GB/s; bar {BAR:.0e}, aim {AIM:.0e} card-updates/s")
    print(
        f"{'load':<10}{'updates/s':>11}{'per cpu-s':>11}{'ns':>7}{'bytes':>7}{'GB/s':>7}"
        f"{'of triad':>10}{'of bar':>8}"
    )
    for name, row in rows.items():
        print(
            f"{name:<10}{row['updates_per_s']:>11.3g}{row['updates_per_processor_s']:>11.3g}"
            f"{row['ns_per_update']:>7.2f}{row['bytes_per_card_step']:>7.1f}"
            f"{row['bandwidth_bytes_per_s'] / 1e9:>7.2f}{row['share_of_triad']:>10.1%}"
            f"{row['times_bar']:>8.1f}"
        )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    options.out.parent.mkdir(parents=True, exist_ok=True)
    result = {
        "cards": fleet.cards,
        "threads": threads,
        "triad_bytes_per_s": stream,
        "peak_memory_bytes": memory,
        "loads": rows,
    }
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
