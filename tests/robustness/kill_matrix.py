"""Kill runs and go on: prints a table of what was done to a run and whether its result is that of an undisturbed one.

    env/run python tests/robustness/kill_matrix.py [--kills 3] [--seed 1] [WHAT ...] > table.md

Equal means every number of ``result.zarr`` and every byte of ``fields/``.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
TWIN = (sys.executable, "-m", "twin")
FULL = (
    "cases/experimental-satellite.yaml",
    *("--set", "module_classes.satellite.radiator.mesh_size=0.4 m"),
    *("--duration", "8 min", "--no-pictures", "--checkpoint-every", "0.2 s"),
)
REDUCED = ("cases/constellation-200kw.yaml", "--thermal", "reduced", *FULL[3:])


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    name : str
        What runs.
    command : sequence of str
    injury : {'kill', 'term', 'interrupt', 'damage', 'full'}
        What is done to it.
    """

    name: str
    command: Sequence[str]
    injury: str


ROWS = (
    Row("full finite elements", (*TWIN, "run", *FULL), "kill"),
    Row("full finite elements", (*TWIN, "run", *FULL), "term"),
    Row("full finite elements", (*TWIN, "run", *FULL), "interrupt"),
    Row("full finite elements", (*TWIN, "run", *FULL), "damage"),
    Row(
        "full finite elements, 2 processes",
        ("mpirun", "-n", "2", "--oversubscribe", *TWIN, "run", *FULL),
        "kill",
    ),
    Row("full finite elements", (*TWIN, "run", *FULL), "full"),
    Row("reduced model", (*TWIN, "run", *REDUCED), "kill"),
)
WORDS = {
    "kill": "kill -9 at random moments",
    "term": "SIGTERM at random moments",
    "interrupt": "Ctrl-C at random moments",
    "damage": "kill -9, then a flipped bit in the newest checkpoint",
    "full": "disk full at a random size",
}
SIGNALS = {
    "kill": signal.SIGKILL,
    "term": signal.SIGTERM,
    "interrupt": signal.SIGINT,
    "damage": signal.SIGKILL,
}


def start(command: Sequence[str], out: Path, more: Sequence[str] = ()) -> subprocess.Popen[str]:
    """Start a run in a process group of its own."""
    return subprocess.Popen(
        [*command, "--out", str(out), *more],
        cwd=ROOT,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # A caller in the background has SIGINT ignored, and children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def undisturbed(command: Sequence[str], out: Path) -> float:
    """Run to the end; return the time on the clock [s]."""
    begun = time.monotonic()
    done = start(command, out)
    _, errors = done.communicate()
    if done.returncode:
        raise SystemExit(f"the undisturbed run failed:\n{errors}")
    return time.monotonic() - begun


def injured(row: Row, out: Path, length: float, kills: int, rng: random.Random) -> tuple[int, str]:
    """Injure a run until it has had enough, and let it end; return how often, and what went wrong."""
    struck, resume, tries = 0, False, 0
    while True:
        process = start(row.command, out, ["--resume"] if resume else [])
        if tries < kills:
            tries += 1
            try:
                process.wait(rng.uniform(0.15, 0.95) * length)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, SIGNALS[row.injury])
                struck += 1
        _, errors = process.communicate()
        if process.returncode == 0:
            return struck, ""
        if "Traceback" in errors:
            return struck, "traceback: " + errors.strip().splitlines()[-1]
        if tries > kills or (process.returncode in (1, 2) and "no checkpoint" not in errors):
            return struck, errors.strip()[-200:]
        # Killed before it had begun: there is nothing to go on from.
        resume = (out / "checkpoints").is_dir()
        found = sorted((out / "checkpoints").glob("at-*.npz"))
        if row.injury == "damage" and len(found) > 1 and tries <= kills:
            data = bytearray(found[-1].read_bytes())
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            found[-1].write_bytes(data)
            tries = kills  # once is enough: the next try goes to the end


_SMALL_DISK = """
import ctypes, os, shutil, subprocess, sys
out, size, *command = sys.argv[1:]
os.unshare(os.CLONE_NEWNS)  # only this process and its children see the mount
libc = ctypes.CDLL(None, use_errno=True)
libc.mount(None, b"/", None, 0x44000, None)  # private, all the way down
if libc.mount(b"none", out.encode(), b"tmpfs", 0, f"size={size}".encode()):
    sys.exit(f"cannot mount: {os.strerror(ctypes.get_errno())}")
status = subprocess.run(command).returncode
shutil.copytree(out, out + ".copy")
sys.exit(status)
"""


def filled(row: Row, out: Path, rng: random.Random) -> tuple[int, str]:
    """Run on a file system that is too small, then let it go on with room."""
    size = rng.randrange(250_000, 600_000)
    out.mkdir(exist_ok=True)
    words = (sys.executable, "-c", _SMALL_DISK, str(out), str(size), *row.command, "--out", str(out / "run"))
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 1 or "No space left" not in done.stderr:
        return 0, f"exit {done.returncode}: {done.stderr.strip()[-200:]}"
    (out.with_name(out.name + ".copy") / "run").replace(out / "run")
    again = start(row.command, out / "run", ["--resume"])
    _, errors = again.communicate()
    return 1, "" if again.returncode == 0 else errors.strip()[-200:]


def differences(out: Path, whole: Path) -> list[str]:
    """Names of what is not equal bit by bit."""
    from twin.results import open_result

    here, there = open_result(out), open_result(whole)
    found = []
    for group in there.children:
        for name, values in there[group].to_dataset().variables.items():
            mine, theirs = np.asarray(here[group][name]), np.asarray(values)
            if mine.shape != theirs.shape or mine.tobytes() != theirs.tobytes():
                found.append(f"{group}/{name}")
    for file in (whole / "fields").rglob("*.*"):
        other = out / "fields" / file.relative_to(whole / "fields")
        if not other.is_file() or other.read_bytes() != file.read_bytes():
            found.append(str(file.relative_to(whole)))
    return found


def main() -> int:
    """Print the table; 1 if a row is not equal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help=f"of {', '.join(WORDS)}; all unless given")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print("| run | what is done to it | times | result |\n|---|---|---|---|", flush=True)
    wrong = 0
    lengths: dict[tuple[str, ...], tuple[Path, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, row in enumerate(ROWS):
            if given.what and row.injury not in given.what:
                continue
            rng = random.Random(f"{given.seed}/{number}")
            key = tuple(row.command)
            if key not in lengths:
                whole = Path(folder) / f"whole-{number}"
                lengths[key] = (whole, undisturbed(row.command, whole))
            whole, length = lengths[key]
            out = Path(folder) / f"out-{number}"
            if row.injury == "full":
                times, failure = filled(row, out, rng)
                out = out / "run"
            else:
                times, failure = injured(row, out, length, given.kills, rng)
            unequal = [] if failure else differences(out, whole)
            verdict = failure or (f"differs: {', '.join(unequal[:5])}" if unequal else "equal bit by bit")
            wrong += bool(failure or unequal)
            print(f"| {row.name} | {WORDS[row.injury]} | {times} | {verdict} |", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
