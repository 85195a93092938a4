"""Broken input of every kind is taken or refused with a message: no traceback, no hang, no code that runs.

`make test` tries a few hundred of each kind, the slow test and `make fuzz` ten thousand.
"""

import os
import random
import signal
import time

import pytest
from fuzz import fuzz
from mutations import ALIAS_BOMB, mutate_bytes
from targets import TARGETS, Target

from twin.case import Case, CaseError
from twin.case.reading import parse_text

FEW = {"case files": 150, "results": 25}


def check(target: Target, count: int, seed: int) -> None:
    counts = fuzz(target, count, seed)
    assert counts.inputs == count
    assert not counts.failures, counts.crashes
    assert counts.refused > count / 2  # most of what is broken is noticed


@pytest.mark.parametrize("kind", TARGETS, ids=lambda kind: kind.name.replace(" ", "-"))
def test_broken_input_is_refused_with_a_message(kind, tmp_path):
    check(kind(tmp_path / "fuzz"), FEW.get(kind.name, 250), seed=2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TARGETS, ids=lambda kind: kind.name.replace(" ", "-"))
def test_ten_thousand(kind, tmp_path):
    check(kind(tmp_path / "fuzz"), 10_000, seed=1)


class _Wrong(Target):
    """A reader with every fault, which the counts must show."""

    name = "wrong"

    def try_one(self, rng: random.Random):
        kind = rng.randrange(4)
        if kind == 0:
            raise ZeroDivisionError
        if kind == 1:
            signal.setitimer(signal.ITIMER_PROF, 0.05)
            end = time.monotonic() + 20.0
            while time.monotonic() < end:
                pass
        if kind == 2:
            os.system(f"touch '{self.marker}'")
        return self.folder


def test_the_fuzzer_sees_what_it_looks_for(tmp_path):
    counts = fuzz(_Wrong(tmp_path), 30, 1)
    assert counts.crashed > 0
    assert counts.hangs > 0
    assert counts.code > 0
    assert counts.taken > 0
    assert counts.inputs == 30


def test_broken_bytes_differ_from_run_to_run_of_the_seed_only():
    data = bytes(range(256)) * 4
    assert mutate_bytes(random.Random(3), data) == mutate_bytes(random.Random(3), data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: " + "[" * 5000, "nested too deeply"),
        ("\n".join(" " * i + f"k{i}:" for i in range(60)) + " 1", "nested too deeply"),
        (ALIAS_BOMB, "aliases"),
        ("a: &a [*a]", "aliases"),
    ],
    ids=["flow", "block", "aliases", "itself"],
)
def test_texts_that_grow_are_stopped(text, message):
    """Depth and size of what comes out are bounded, whatever the size of what goes in."""
    begun = time.process_time()
    with pytest.raises(CaseError, match=message):
        parse_text(text, "bomb.yaml", "case")
    assert time.process_time() - begun < 10.0


def test_a_file_beyond_the_limit_is_not_read(tmp_path):
    path = tmp_path / "large.yaml"
    path.write_text("# x\n" * 300_000)
    with pytest.raises(CaseError, match="larger than 1 MB"):
        Case.load(path)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_devices_are_no_cases(path):
    with pytest.raises(CaseError, match="device or a pipe"):
        Case.load(path)


def test_tags_of_python_make_no_objects(tmp_path):
    marker = tmp_path / "run"
    path = tmp_path / "case.yaml"
    path.write_text(f"name: !!python/object/apply:os.system ['touch {marker}']\n")
    with pytest.raises(CaseError):
        Case.load(path)
    assert not marker.exists()
