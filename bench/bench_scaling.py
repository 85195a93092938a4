"""Strong and weak scaling of implicit steps on one and two ranks, and what a model makes of it for many.

Usage: python bench/bench_scaling.py [--cells 600] [--steps 6] [--rounds 2]

The model, per step on P ranks of N unknowns in all (docs/guide/cluster.md):

    t(P) = c·N/P + n·[ h·(L·α + 2·w·4·√(N/P)/β) + r·α·⌈log₂P⌉ + g·α·⌈log₂P⌉ ]

c from the one-rank run; n iterations per step, measured; L levels of the multigrid; h halo exchanges per level and
iteration; w bytes per unknown on the border of a part (each level has less than half of the border of the finer one,
their sum is at most twice the finest); r sums over all ranks per iteration; g for the coarsest level, which is
gathered; α, β latency and bandwidth of a network, given.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path

from bench_thermal import RESULTS, measure

HALO_EXCHANGES = 4.0
"""Per level and iteration: the product with the operator, two smoothing sweeps, the way back from the coarser level."""
BORDER_BYTES = 4.0
"""Single precision."""
SUMS = 3.0
"""Inner products and norms of an iteration of conjugate gradients."""
COARSENING = 6.0
"""Unknowns of a level over those of the next, smoothed aggregation on triangles."""
COARSEST = 500.0
LATENCY = 2e-6
"""Of a message between nodes, typical of an InfiniBand network [s]; assumed."""
BANDWIDTH = 12e9
"""Per rank pair, 100 Gbit/s [bytes/s]; assumed."""


@dataclass(frozen=True)
class StepCost:
    """What one rank was measured to need.

    Attributes
    ----------
    per_unknown : float
        [s per unknown and step].
    iterations : float
        Per step.
    """

    per_unknown: float
    iterations: float

    def step(
        self, unknowns: float, ranks: int, latency: float = LATENCY, bandwidth: float = BANDWIDTH
    ) -> float:
        """Return the time of a step on some ranks [s]."""
        own = unknowns / ranks
        if ranks == 1:
            return self.per_unknown * own
        levels = max(1.0, 1.0 + math.log(unknowns / COARSEST) / math.log(COARSENING))
        halo = HALO_EXCHANGES * (levels * latency + 2.0 * BORDER_BYTES * 4.0 * math.sqrt(own) / bandwidth)
        sums = (SUMS + 1.0) * latency * math.ceil(math.log2(ranks))
        return self.per_unknown * own + self.iterations * (halo + sums)


def best(cells: int, steps: int, ranks: int, rounds: int) -> dict[str, float]:
    """Return the best of several measurements: other work on the machine only ever slows."""
    runs = [measure("transient", str(cells), str(steps), ranks=ranks) for _ in range(rounds)]
    return min(runs, key=lambda run: run["best step s"])


def main() -> None:
    """Measure, print, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=600, help="cells along an edge of the panel on one rank")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    wide = round(given.cells * math.sqrt(2.0))
    found = {
        "one rank": best(given.cells, given.steps, 1, given.rounds),
        "two ranks, strong": best(given.cells, given.steps, 2, given.rounds),
        "two ranks, weak": best(wide, given.steps, 2, given.rounds),
    }
    one = found["one rank"]
    print("| measured | unknowns | step [s] | processor time per step and rank [s] | efficiency |")
    print("|---|---|---|---|---|")
    for name, run in found.items():
        ideal = one["best step s"] * run["dofs"] / one["dofs"] / run["ranks"]
        print(
            f"| {name} | {run['dofs']:,} | {run['best step s']:.3f} | {run['processor s per step and rank']:.3f} "
            f"| {ideal / run['best step s']:.2f} |"
        )
    # On a machine with other work the processor's time is the better measure of what one rank needs.
    alone = min(one["best step s"], one["processor s per step and rank"])
    cost = StepCost(alone / one["dofs"], 2.0 * one["iterations per stage"])
    print(
        f"\nc = {cost.per_unknown:.2e} s per unknown and step, n = {cost.iterations:.1f} iterations per step\n"
    )
    print(
        "| ranks | 10⁷ unknowns: step [s] | efficiency | 10⁶ unknowns a rank: step [s] | efficiency |\n"
        "|---|---|---|---|---|"
    )
    table = []
    for ranks in (1, 2, 16, 64, 128, 256, 512, 1024):
        strong, weak = cost.step(1e7, ranks), cost.step(1e6 * ranks, ranks)
        row = (ranks, strong, cost.step(1e7, 1) / ranks / strong, weak, cost.step(1e6, 1) / weak)
        table.append(row)
        print(f"| {ranks} | {row[1]:.4f} | {row[2]:.2f} | {row[3]:.3f} | {row[4]:.2f} |")
    target = Path(RESULTS).with_name("scaling.json")
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"measured": found, "model": table}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
