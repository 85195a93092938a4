"""Ways in which a file goes wrong: typing errors, lost and doubled parts, hostile values, damaged bytes."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

HOSTILE_VALUES = (
    "",
    "null",
    "~",
    ".inf",
    "-.inf",
    ".nan",
    "nan m",
    "inf W",
    "1e400",
    "1e400 W",
    "-1 m",
    "0 m",
    "1e-320 m",
    "1e300 kg/s",
    "9" * 400,
    "9" * 5000,
    "-" + "9" * 30,
    "1_0_0 W",
    "0x7fffffffffffffff",
    "0o777",
    "1:30:00",
    "true",
    "[]",
    "{}",
    "[[]]",
    "[1, 2",
    "{a: 1",
    "'",
    '"',
    "|",
    ">",
    "- - - x",
    "? x",
    ": x",
    "&a [*a]",
    "*unknown",
    "<<: *b",
    "!!python/object/apply:os.system ['touch {marker}']",
    "!!python/name:os.system",
    "!!binary aGVsbG8=",
    "!!set {a, b}",
    "!!timestamp 2026-01-01",
    "!!float x",
    "!<tag:yaml.org,2002:int> x",
    "%YAML 9.9",
    "---",
    "...",
    "\t",
    "\u0000",
    "\ufeff",
    "\u202e750 km",
    "七百公里",
    "750 km km",
    "750 km**9999999",
    "750 (((((((((( m",
    "7 m/" * 30,
    "1 W/m2/K/s/s/s/s/s/s/s",
    "2026-13-45T99:99:99Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "2026-01-01T00:00:00+99:99",
    "../../../etc/passwd",
    "/dev/zero",
    "/dev/stdin",
    "a" * 3000,
    "[" * 300,
    "{" * 300,
    "- " * 300,
    "{a: " * 60 + "1" + "}" * 60,
    "experimental-satellite.yaml",
    "${HOME}",
    "`id`",
    "{{7*7}}",
    "%s%s%s%n",
    "1e18 cards",
    "1000000000000",
    "3 orbits",
    "-3 orbits",
    "1e30 orbits",
    "100 %",
    "5 %/K",
    "-400 degC",
)

UNITS = ("m", "km", "W", "kW", "kg/s", "degC", "K", "%", "h", "yr", "bar", "Wh", "J/kg/K", "xyz", "m2", "°")

ALIAS_BOMB = "\n".join(
    ["b0: &b0 [x, x, x, x, x, x, x, x, x]"]
    + [f"b{i}: &b{i} [" + ", ".join([f"*b{i - 1}"] * 9) + "]" for i in range(1, 9)]
)

_VALUE = re.compile(r"^(\s*(?:- )?[\w-]+:\s*)(\S.*)$")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


def _pick_line(rng: random.Random, lines: Sequence[str], wanted: Callable[[str], object]) -> int | None:
    fitting = [i for i, line in enumerate(lines) if wanted(line)]
    return rng.choice(fitting) if fitting else None


def _hostile_value(rng: random.Random, lines: list[str]) -> None:
    at = _pick_line(rng, lines, _VALUE.match)
    if at is not None:
        lines[at] = _VALUE.sub(lambda m: m[1] + rng.choice(HOSTILE_VALUES), lines[at])


def _scaled_number(rng: random.Random, lines: list[str]) -> None:
    at = _pick_line(rng, lines, lambda line: _VALUE.match(line) and _NUMBER.search(line))
    if at is None:
        return
    factor = rng.choice((0.0, -1.0, 1e-9, 1e-3, 0.5, 2.0, 10.0, 1e3, 1e9, 1e30, 1e300))
    spots = list(_NUMBER.finditer(lines[at]))
    spot = rng.choice(spots)
    number = float(spot[0]) * factor
    lines[at] = lines[at][: spot.start()] + f"{number:g}" + lines[at][spot.end() :]


def _other_unit(rng: random.Random, lines: list[str]) -> None:
    at = _pick_line(rng, lines, lambda line: re.search(r"\d [a-zA-Z%]", line))
    if at is not None:
        lines[at] = re.sub(
            r"(\d) [a-zA-Z%/0-9]+", lambda m: f"{m[1]} {rng.choice(UNITS)}", lines[at], count=1
        )


def _typing_error(rng: random.Random, lines: list[str]) -> None:
    at = _pick_line(rng, lines, str.strip)
    if at is None:
        return
    line = lines[at]
    spot = rng.randrange(len(line) + 1)
    lines[at] = rng.choice(
        (
            line[:spot] + line[spot + 1 :],
            line[:spot] + rng.choice("abcxyz019.:-[]{}#&*!|>'\"%@` \t~,?") + line[spot:],
            line[:spot] + line[spot : spot + 2][::-1] + line[spot + 2 :],
        )
    )


def _lost_line(rng: random.Random, lines: list[str]) -> None:
    del lines[rng.randrange(len(lines))]


def _lost_block(rng: random.Random, lines: list[str]) -> None:
    start = rng.randrange(len(lines))
    del lines[start : start + rng.randrange(1, 15)]


def _doubled_block(rng: random.Random, lines: list[str]) -> None:
    start = rng.randrange(len(lines))
    block = lines[start : start + rng.randrange(1, 8)]
    at = rng.randrange(len(lines) + 1)
    lines[at:at] = block


def _swapped_lines(rng: random.Random, lines: list[str]) -> None:
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]


def _moved_indent(rng: random.Random, lines: list[str]) -> None:
    start = rng.randrange(len(lines))
    shift = rng.choice((1, 2, 4, -1, -2))
    for i in range(start, min(start + rng.randrange(1, 6), len(lines))):
        lines[i] = " " * shift + lines[i] if shift > 0 else lines[i][-shift:]


def _bomb(rng: random.Random, lines: list[str]) -> None:
    lines.append(
        rng.choice(
            (
                ALIAS_BOMB,
                "x: " + "[" * rng.choice((20, 100, 2000)),
                "x: &x {<<: *x}",
                "extends: " + rng.choice(("experimental-satellite.yaml", "case.yaml", ".", "..", "nothing")),
                "? [a, b]\n: c",
                "\n".join(f"k{i}: {i}" for i in range(500)),
            )
        )
    )


LINE_MUTATIONS = (
    _hostile_value,
    _hostile_value,
    _scaled_number,
    _scaled_number,
    _other_unit,
    _typing_error,
    _typing_error,
    _lost_line,
    _lost_block,
    _doubled_block,
    _swapped_lines,
    _moved_indent,
    _bomb,
)


def mutate_text(rng: random.Random, text: str, marker: str = "") -> bytes:
    """Return a text with one to four things gone wrong, now and then also in its bytes."""
    lines = text.splitlines() or [""]
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        rng.choice(LINE_MUTATIONS)(rng, lines)
        lines = lines or [""]
    data = "\n".join(lines).replace("{marker}", marker).encode("utf-8", "surrogatepass") + b"\n"
    return mutate_bytes(rng, data) if rng.random() < 0.1 else data


def mutate_bytes(rng: random.Random, data: bytes) -> bytes:
    """Return bytes that were cut, overwritten, flipped, doubled, or filled with something else."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        if not changed:
            break
        kind, at = rng.randrange(7), rng.randrange(len(changed))
        if kind == 0:
            del changed[at:]
        elif kind == 1:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del changed[at : at + rng.randrange(1, 64)]
        elif kind == 3:
            changed[at:at] = rng.randbytes(rng.randrange(1, 32))
        elif kind == 4:
            changed[at : at + 8] = rng.choice((b"\xff" * 8, b"\x00" * 8, b"\x7f" + b"\xff" * 7))
        elif kind == 5:
            changed[at:at] = changed[at : at + 200]
        else:
            # A number in plain text, as in headers and JSON.
            spots = list(re.finditer(rb"\d+", bytes(changed[:200_000])))
            if spots:
                spot = rng.choice(spots)
                changed[spot.start() : spot.end()] = rng.choice(
                    (b"0", b"-1", b"1e400", b"99999999999", b"NaN", b"null", b'"x"', b"[]", b"1.5", b"")
                )
    return bytes(changed)
