"""Feed the readers with broken files and count what they answer: `make fuzz`.

Every input must be taken or refused with a message. What is counted as a failure: any other exception, more
than `LIMIT` seconds, more memory than a reader may need, and code out of the file that was run.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import recorded
from targets import TARGETS, Refused, Target

LIMIT = 10
"""Longest processor time that one input may take [s]."""
PATIENCE = 120
"""Longest time on the clock, which catches a reader that waits [s]."""
MEMORY = 3 * 2**30
"""Most memory that a reader may take beyond what the process has [bytes]."""
ROOT = Path(__file__).parents[2]


class Hang(BaseException):
    """An input took too long; no reader catches this."""


@dataclass
class Counts:
    """What came of the inputs of one kind."""

    inputs: int = 0
    taken: int = 0
    refused: int = 0
    hangs: int = 0
    code: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    crashes: dict[str, str] = field(default_factory=dict)
    crashed: int = 0

    @property
    def failures(self) -> int:
        """Inputs that were answered in none of the allowed ways."""
        return self.crashed + self.hangs + self.code


def _on_alarm(number: int, frame: FrameType | None) -> None:
    raise Hang


def _where(error: BaseException) -> str:
    """Kind of error and the last place in our own code: equal crashes are shown once."""
    places = [
        f"{Path(f.filename).relative_to(ROOT)}:{f.lineno}"
        for f in traceback.extract_tb(error.__traceback__)
        if f.filename.startswith(str(ROOT)) and "tests/robustness" not in f.filename
    ]
    return f"{type(error).__name__} at {places[-1] if places else 'no own code'}"


def fuzz(target: Target, count: int, seed: int, keep: Path | None = None, first: int = 0) -> Counts:
    """Try `count` broken inputs, the n-th always the same for a seed.

    Parameters
    ----------
    target : Target
    count : int
    seed : int
    keep : path, optional
        Folder for the first input of every kind of failure.
    first : int
        Number of the first input.
    """
    counts = Counts()
    begun = time.monotonic()
    before = {number: signal.signal(number, _on_alarm) for number in (signal.SIGALRM, signal.SIGPROF)}
    try:
        for number in range(first, first + count):
            rng = random.Random(f"{seed}/{target.name}/{number}")
            started = time.process_time()
            signal.setitimer(signal.ITIMER_REAL, PATIENCE)
            signal.setitimer(signal.ITIMER_PROF, LIMIT)
            try:
                target.try_one(rng)
                counts.taken += 1
            except Refused:
                counts.refused += 1
            except Hang:
                counts.hangs += 1
                counts.crashes.setdefault("hang", f"input {number}")
            except Exception as error:
                counts.crashed += 1
                place = _where(error)
                if place not in counts.crashes:
                    counts.crashes[place] = f"input {number}: {str(error)[:200]}"
                    if keep is not None:
                        _keep(target, keep, number, error)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0.0)
                signal.setitimer(signal.ITIMER_PROF, 0.0)
            counts.inputs += 1
            counts.slowest = max(counts.slowest, time.process_time() - started)
            if target.marker.exists():
                counts.code += 1
                target.marker.unlink()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    counts.seconds = time.monotonic() - begun
    return counts


def _keep(target: Target, folder: Path, number: int, error: BaseException) -> None:
    place = folder / f"{target.name.replace(' ', '-')}-{number}"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(target.folder, place)
    (place / "traceback.txt").write_text("".join(traceback.format_exception(error)), encoding="utf-8")


def limit_memory() -> None:
    """Let this process have `MEMORY` more than it has now: a length out of a broken header must not take it all."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))


def main() -> int:
    """Run all targets, print the counts; 1 if any input failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help="case, traces, meshes, ...; all unless given")
    parser.add_argument("--count", type=int, default=10_000, help="inputs of every kind")
    parser.add_argument(
        "--first", type=int, default=0, help="number of the first input: work can be shared out"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for inputs that failed")
    parser.add_argument("--record", action="store_true", help="write the counts into docs/verification")
    given = parser.parse_args()
    chosen = [t for t in TARGETS if not given.kinds or any(t.name.startswith(kind) for kind in given.kinds)]
    if not chosen:
        parser.error(f"no such kind; expected {', '.join(t.name for t in TARGETS)}")
    heads = (
        "input",
        "tried",
        "taken",
        "refused with a message",
        "tracebacks",
        "hangs",
        "code run",
        "slowest",
        "time",
    )
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}", flush=True)
    failures: list[str] = []
    warnings.simplefilter("ignore")
    for kind in chosen:
        with tempfile.TemporaryDirectory() as folder:
            target = kind(Path(folder) / "fuzz")
            limit_memory()
            done = fuzz(target, given.count, given.seed, given.keep, given.first)
        print(
            f"| {kind.name} | {done.inputs} | {done.taken} | {done.refused} | {done.crashed} | {done.hangs} "
            f"| {done.code} | {done.slowest:.2f} s | {done.seconds:.0f} s |",
            flush=True,
        )
        if given.record:
            names = ("inputs", "taken", "refused", "crashed", "hangs", "code", "slowest")
            row = {name: getattr(done, name) for name in names}
            recorded.keep("fuzz", (kind.name, given.seed, given.first), row)
        failures += [f"{kind.name}: {place}: {example}" for place, example in done.crashes.items()]
    for line in failures:
        print(line, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
