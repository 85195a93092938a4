"""Scheduler: 10^5 jobs on 10^6 cards, FCFS with EASY backfill and card-by-card placement.

Event-driven: a pass at every submission and every end. Prints a table and writes JSON to ``bench/results``.
"""

from __future__ import annotations

import argparse
import heapq
import json
import time
from pathlib import Path

import numpy as np

from twin import scheduler


def make_jobs(count: int, total_cards: int, seed: int) -> dict[str, np.ndarray]:
    """Log-uniform sizes and run times, estimates up to three times too long, arrivals for a load of 1.1."""
    rng = np.random.default_rng(seed)
    cards = np.exp(rng.uniform(np.log(1), np.log(total_cards / 100), count)).astype(np.int64)
    duration = np.exp(rng.uniform(np.log(600), np.log(86400), count))
    area = float(cards @ duration)
    submit = np.sort(rng.uniform(0.0, area / total_cards / 1.1, count))
    return {
        "cards": cards,
        "duration": duration,
        "estimate": duration * rng.uniform(1.0, 3.0, count),
        "submit": submit,
    }


def simulate(
    jobs: dict[str, np.ndarray], modules: int, cards_per_module: int, depth: int
) -> dict[str, float]:
    """Run all jobs to their end."""
    count = jobs["cards"].size
    cards, duration, estimate, submit = (jobs[k] for k in ("cards", "duration", "estimate", "submit"))
    module_start = np.arange(modules + 1, dtype=np.int64) * cards_per_module
    total = int(module_start[-1])
    job_of_card = np.full(total, -1, np.int32)
    usable = np.ones(total, bool)
    order = np.arange(modules)
    free = scheduler.count_free(module_start, usable, job_of_card)
    power = np.zeros(count)
    run_end, run_cards, run_power = np.full(count, np.inf), np.zeros(count, np.int64), np.zeros(count)
    n_run, passes, next_job, now, busy = 0, 0, 0, 0.0, 0.0
    started, start_time = np.empty(count, np.int64), np.full(count, np.nan)
    queue = np.empty(0, np.int64)
    ends: list[tuple[float, int]] = []
    expected: dict[int, float] = {}
    places: dict[int, np.ndarray] = {}
    seconds = {"pass": 0.0, "placement": 0.0, "release": 0.0}
    began = time.perf_counter()
    while next_job < count or ends:
        arrival = submit[next_job] if next_job < count else np.inf
        now = min(arrival, ends[0][0] if ends else np.inf)
        tick = time.perf_counter()
        while ends and ends[0][0] <= now:
            _, job = heapq.heappop(ends)
            at = int(np.searchsorted(run_end[:n_run], expected.pop(job)))
            for column in (run_end, run_cards, run_power):
                column[at : n_run - 1] = column[at + 1 : n_run]
            n_run -= 1
            run_end[n_run] = np.inf
            scheduler.release_gang(places.pop(job), module_start, free, usable, job_of_card)
        first = next_job
        while next_job < count and submit[next_job] <= now:
            next_job += 1
        if next_job > first:
            queue = np.append(queue, np.arange(first, next_job))
        seconds["release"] += time.perf_counter() - tick
        if not queue.size:
            continue
        tick = time.perf_counter()
        begin = scheduler.easy_backfill(
            now, queue, cards, power, estimate, run_end, run_cards, run_power, n_run,
            int(free.sum()), np.inf, depth, started,
        )  # fmt: skip
        passes += 1
        seconds["pass"] += time.perf_counter() - tick
        tick = time.perf_counter()
        for job in started[:begin].tolist():
            places[job] = np.empty(cards[job], np.int64)
            if scheduler.place_gang(
                job, int(cards[job]), order, module_start, free, usable, job_of_card, places[job]
            ):
                raise RuntimeError(f"job {job} admitted without cards")
            heapq.heappush(ends, (now + duration[job], job))
            expected[job] = now + estimate[job]
            start_time[job] = now
            busy += cards[job] * duration[job]
        if begin:
            n_run += begin
            queue = queue[np.isnan(start_time[queue])]
        seconds["placement"] += time.perf_counter() - tick
    wall = time.perf_counter() - began
    wait = start_time - submit
    return {
        "jobs": count,
        "cards": total,
        "passes": passes,
        "wall_time_s": wall,
        "jobs_per_s": count / wall,
        "us_per_pass": 1e6 * seconds["pass"] / max(passes, 1),
        "pass_s": seconds["pass"],
        "placement_s": seconds["placement"],
        "release_s": seconds["release"],
        "utilisation": busy / (total * now),
        "median_wait_s": float(np.median(wait)),
        "simulated_days": now / 86400.0,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--modules", type=int, default=1000)
    parser.add_argument("--cards-per-module", type=int, default=1000)
    parser.add_argument(
        "--depth", type=int, default=1000, help="jobs behind the head that backfill considers"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "scheduler.json")
    options = parser.parse_args()
    simulate(make_jobs(200, 4000, 1), 4, 1000, options.depth)  # compile
    jobs = make_jobs(options.jobs, options.modules * options.cards_per_module, 7)
    rows = {}
    for name, depth in (("FCFS", 0), ("FCFS + EASY backfill", options.depth)):
        rows[name] = simulate(jobs, options.modules, options.cards_per_module, depth)
    print(
        f"{'policy':<22}{'wall [s]':>10}{'jobs/s':>10}{'us/pass':>10}{'utilisation':>13}"
        f"{'median wait [s]':>17}"
    )
    for name, row in rows.items():
        print(
            f"{name:<22}{row['wall_time_s']:>10.2f}{row['jobs_per_s']:>10.0f}{row['us_per_pass']:>10.1f}"
            f"{row['utilisation']:>13.3f}{row['median_wait_s']:>17.0f}"
        )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(rows, indent=2) + "\n")
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
