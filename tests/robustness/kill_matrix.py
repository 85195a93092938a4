"""Kill work and go on: a table of what was done to it, and whether its result is that of undisturbed work.

`env/run python tests/robustness/kill_matrix.py [--kills 3] [--seed 1] [--record] [WHAT ...]`, where WHAT are parts of
the names of rows. Equal means every number of the results and every byte of `fields/`.
"""

from __future__ import annotations

import argparse
import contextlib
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

import recorded
from equality import DIFFERENCES

ROOT = Path(__file__).parents[2]
TWIN = (sys.executable, "-m", "twin")
SATELLITE = "cases/experimental-satellite.yaml"


def settings(*changes: str) -> tuple[str, ...]:
    """Return options that change the case."""
    return tuple(word for change in changes for word in ("--set", change))


RADIATOR = "module_classes.satellite.radiator"
COARSE = settings(f"{RADIATOR}.mesh_size=0.4 m", f"{RADIATOR}.tube_mesh_size=null")
TINY = settings(
    f"{RADIATOR}.mesh_size=0.8 m", f"{RADIATOR}.tube_mesh_size=null", f"{RADIATOR}.tubes.count=4",
    "numerics.exchange=none", "sizing.step=60 s", "sizing.card_step=2 s", "sizing.cards=16", "sizing.days=4",
)  # fmt: skip
SHORT = ("--duration", "8 min", "--no-pictures", "--checkpoint-every", "0.2 s")
FULL = (*TWIN, "run", SATELLITE, *COARSE, *SHORT)
REDUCED = (*TWIN, "run", SATELLITE, *TINY, "--thermal", "reduced", *SHORT)
SIZE = (*TWIN, "size", SATELLITE, *TINY, "--samples", "24", "--no-studies", "--no-pictures", "--workers")
SWEEP = (*TWIN, "sweep", SATELLITE, *TINY, *settings("mission.duration=4 min"), "--workers", "0")
FEED = (*TWIN, "feed", SATELLITE, *TINY, "--thermal", "reduced", "--duration", "2 h")
LIVE = (*TWIN, "live", SATELLITE, *TINY, "--from", "{packets}", "--orbits", "0.2", "--workers")


@dataclass(frozen=True)
class Work:
    """What is killed.

    Attributes
    ----------
    name : str
    command : sequence of str
        ``{packets}`` stands for a file of telemetry.
    kind : str
        Of `DIFFERENCES`.
    sign : str
        Pattern of files that say that work has begun, below the folder of the work.
    kept : str
        Pattern of the files of which the newest is damaged.
    own_cache : bool
        Whether it begins without trained models.
    """

    name: str
    command: Sequence[str]
    kind: str
    sign: str
    kept: str
    own_cache: bool = False


RUN = ("run", "out/checkpoints/*.npz", "out/checkpoints/*.npz")
WORKS = (
    Work("run, finite elements", FULL, *RUN),
    Work(
        "run, finite elements, 2 MPI processes",
        ("mpirun", "-n", "2", "--oversubscribe", *FULL),
        *RUN,
    ),
    Work("run, reduced model", REDUCED, *RUN),
    Work("training of a reduced model", REDUCED, "training", *2 * ("cache/reduced/*/*.npz",), own_cache=True),
    Work("size", (*SIZE, "0"), "size", *2 * ("out/tasks/*.npz",)),
    Work("size, 2 workers", (*SIZE, "2"), "size", *2 * ("out/tasks/*.npz",)),
    Work(
        "sweep",
        (*SWEEP, "--vary", "mission.age=0:5:4 yr"),
        "sweep",
        *2 * ("out/points/*.json",),
    ),
    Work("live", (*LIVE, "0"), "live", "out/*/journal/*", "out/*/checkpoint.npz"),
    Work("live, 2 workers", (*LIVE, "2"), "live", "out/*/journal/*", "out/*/checkpoint.npz"),
)
INJURIES = {
    "kill": "kill -9 at random moments",
    "term": "SIGTERM at random moments",
    "interrupt": "Ctrl-C at random moments",
    "damage": "kill -9, then a flipped bit in what was kept last",
    "full": "disk full, at a random size",
}
SIGNALS = {
    "kill": signal.SIGKILL,
    "term": signal.SIGTERM,
    "interrupt": signal.SIGINT,
    "damage": signal.SIGKILL,
}


class Place:
    """The folder of one try.

    Parameters
    ----------
    work : Work
    folder : Path
    packets : Path
        File of telemetry.
    """

    def __init__(self, work: Work, folder: Path, packets: Path):
        self.work, self.folder, self.out = work, folder, folder / "out"
        self.command = [str(packets) if word == "{packets}" else word for word in work.command]
        self.environment = dict(os.environ)
        if work.own_cache:
            self.environment["DAWNDUSK_CACHE"] = str(folder / "cache")
        folder.mkdir(parents=True, exist_ok=True)

    def words(self, *more: str) -> list[str]:
        """Return the command."""
        return [*self.command, "--out", str(self.out), *more]

    def start(self, *more: str) -> subprocess.Popen[str]:
        """Start the work in a process group of its own."""
        return subprocess.Popen(
            self.words(*more),
            cwd=ROOT,
            text=True,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            # A caller in the background has SIGINT ignored, and children would inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def begun(self) -> bool:
        """Whether something is kept already."""
        return next(self.folder.glob(self.work.sign), None) is not None

    def whole(self) -> tuple[float, float]:
        """Do the work undisturbed; return when it kept something first and when it ended [s]."""
        start, first = time.monotonic(), None
        process = self.start()
        while process.poll() is None:
            if first is None and self.begun():
                first = time.monotonic() - start
            time.sleep(0.02)
        if process.returncode:
            raise SystemExit(f"{self.work.name}: undisturbed work failed:\n{process.communicate()[1]}")
        end = time.monotonic() - start
        return (0.5 * end if first is None else first), end


def descendants(pid: int) -> list[int]:
    """Return a process and all below it."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            number, parent = stat.parent.name, stat.read_text().rpartition(")")[2].split()[1]
            parents.setdefault(int(parent), []).append(int(number))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found


def strike(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send a signal: kill -9 to every process of the work, others to the group, as a terminal does."""
    if number != signal.SIGKILL:
        os.killpg(process.pid, number)
        return
    for pid in descendants(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def flip_a_bit(path: Path, rng: random.Random) -> None:
    """Damage a file."""
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def injured(
    place: Place, injury: str, span: tuple[float, float], kills: int, rng: random.Random
) -> tuple[int, str]:
    """Injure work until it has had enough, and let it end; return how often, and what went wrong."""
    struck, tries, damaged, early = 0, 0, False, 0
    while True:
        process = place.start(*(["--resume"] if place.out.exists() and tries else []))
        hit = False
        if tries < kills:
            tries += 1
            if struck == 0:  # the first blow falls when something is kept
                while process.poll() is None and not place.begun():
                    time.sleep(0.01)
                low, high = 0.0, 0.8 * (span[1] - span[0])
            else:  # the others anywhere, start and end included
                low, high = 0.5 * span[0], span[1]
            try:
                process.wait(rng.uniform(low, high))
            except subprocess.TimeoutExpired:
                strike(process, SIGNALS[injury])
                struck, hit = struck + 1, True
        _, errors = process.communicate()
        if process.returncode == 0 and hit and place.work.kind == "live":
            continue  # for a live twin to be asked to end is a good end
        if process.returncode == 0:
            if not struck and early < 5:  # it had ended before the blow: once more from the start
                early, tries = early + 1, 0
                place.folder.rename(place.folder.with_name(f"{place.folder.name}-early-{early}"))
                place.folder.mkdir()
                continue
            if not struck:
                return struck, "it was never struck: it had ended before"
            return (
                struck,
                "" if injury != "damage" or damaged else "it ended before anything could be damaged",
            )
        if "Traceback" in errors:
            return struck, "traceback: " + errors.strip().splitlines()[-1]
        nothing_yet = not place.begun() and "--resume" in errors
        # A signal to mpirun ends it with an exit code of its own, 1.
        stopped = hit and injury in ("term", "interrupt") and place.work.command[0] == "mpirun"
        if tries > kills or (process.returncode in (1, 2) and not nothing_yet and not stopped):
            return struck, errors.strip()[-300:]
        if nothing_yet and place.out.exists():
            place.out.rename(place.out.with_name(f"nothing-{tries}"))
        found = sorted(place.folder.glob(place.work.kept), key=lambda path: path.stat().st_mtime)
        # A run goes on from the checkpoint before; other work does again what it lost.
        if injury == "damage" and not damaged and len(found) > (place.work.kind == "run"):
            flip_a_bit(found[-1], rng)
            damaged = True


_SMALL_DISK = """
import ctypes, os, shutil, subprocess, sys
folder, size, *command = sys.argv[1:]
os.unshare(os.CLONE_NEWNS)  # only this process and its children see the mount
libc = ctypes.CDLL(None, use_errno=True)
libc.mount(None, b"/", None, 0x44000, None)  # private, all the way down
if libc.mount(b"none", folder.encode(), b"tmpfs", 0, f"size={size}".encode()):
    sys.exit(f"cannot mount: {os.strerror(ctypes.get_errno())}")
done = subprocess.run(command, stdout=subprocess.DEVNULL)
shutil.copytree(folder, folder + ".copy")
sys.exit(done.returncode)
"""


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(4096 * -(-path.stat().st_size // 4096) for path in folder.rglob("*") if path.is_file())


def filled(place: Place, whole: Path, kills: int, rng: random.Random) -> tuple[int, str]:
    """Work on file systems that are too small, then with room."""
    struck, share = 0, 0.9
    while struck < kills:
        share *= rng.uniform(0.6, 0.9)
        size = int(share * size_of(whole))
        again = ("--resume",) if place.out.exists() else ()
        # What was kept lies on the small disk too: it grows by what a try adds.
        size += size_of(place.folder)
        small = place.folder.with_name(f"{place.folder.name}-small")
        small.mkdir(exist_ok=True)
        words = [word.replace(str(place.folder), str(small)) for word in place.words(*again)]
        environment = {k: v.replace(str(place.folder), str(small)) for k, v in place.environment.items()}
        copy = small.with_name(small.name + ".copy")
        head = f"cp -a {place.folder}/. {small}/ && exec " + ' "$@"'
        done = subprocess.run(
            [sys.executable, "-c", _SMALL_DISK, str(small), str(size), "sh", "-c", head, "sh", *words],
            cwd=ROOT, capture_output=True, text=True, check=False, env=environment,
        )  # fmt: skip
        if share < 0.02 or done.returncode not in (0, 1):
            return struck, f"exit {done.returncode}: {done.stderr.strip()[-300:]}"
        if done.returncode == 1:
            if "Traceback" in done.stderr or "No space left" not in done.stderr:
                return struck, f"not told: {done.stderr.strip()[-300:]}"
            struck += 1
            place.folder.rename(place.folder.with_name(f"{place.folder.name}-before-{struck}"))
            copy.rename(place.folder)
        else:
            subprocess.run(["rm", "-r", str(copy)], check=True)
    process = place.start("--resume")
    _, errors = process.communicate()
    return struck, "" if process.returncode == 0 else errors.strip()[-300:]


def main() -> int:
    """Print the table; 1 if a row is not equal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help="parts of the names of work; all unless given")
    parser.add_argument("--injury", nargs="*", choices=list(INJURIES), default=list(INJURIES))
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", action="store_true", help="write the rows into docs/verification")
    parser.add_argument(
        "--packets", type=Path, help="telemetry for the live twin: made once, then taken again"
    )
    parser.add_argument("--exact", action="store_true", help="WHAT are whole names")
    given = parser.parse_args()
    print(recorded.as_table(recorded.KILL_HEADS, []), flush=True)
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="kill-matrix-") as name:
        folder = Path(name)
        packets = given.packets or folder / "packets.ccsds"
        for number, work in enumerate(WORKS):
            chosen = not given.what or any(
                part == work.name if given.exact else part in work.name for part in given.what
            )
            if not chosen:
                continue
            if work.kind == "live" and not packets.exists():
                subprocess.run([*FEED, "--to", str(packets)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            if not work.own_cache:  # models are trained before, so that moments are those of the work itself
                Place(work, folder / f"first-{number}", packets).whole()
            whole = Place(work, folder / f"whole-{number}", packets)
            span = whole.whole()
            for injury in given.injury:
                rng = random.Random(f"{given.seed}/{work.name}/{injury}")
                place = Place(work, folder / f"{injury}-{number}", packets)
                if injury == "full":
                    times, failure = filled(place, whole.folder, min(given.kills, 2), rng)
                else:
                    times, failure = injured(place, injury, span, given.kills, rng)
                unequal = [] if failure else DIFFERENCES[work.kind](place.folder, whole.folder)
                verdict = failure or (f"differs: {', '.join(unequal[:5])}" if unequal else "equal bit by bit")
                wrong += bool(failure or unequal)
                print(f"| {work.name} | {INJURIES[injury]} | {times} | {verdict} |", flush=True)
                if given.record:
                    row = {"times": times, "result": verdict}
                    recorded.keep("kill", (work.name, INJURIES[injury]), row)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
