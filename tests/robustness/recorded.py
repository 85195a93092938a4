"""What fuzzing and killing found, kept as lines of JSON, and the tables of docs/verification/robustness.md from them.

env/run python tests/robustness/recorded.py      # write the tables again
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs/verification"
PAGE = DOCS / "robustness.md"
RECORD = DOCS / "robustness.jsonl"
FUZZ_HEADS = (
    "input",
    "tried",
    "taken",
    "refused with a message",
    "tracebacks",
    "hangs",
    "code run",
    "slowest, processor time",
)
KILL_HEADS = ("what runs", "what is done to it", "times", "result")


def keep(table: str, key: Sequence[object], row: Mapping[str, object]) -> None:
    """Keep a result in place of an earlier one of the same key, and write the tables.

    Parameters
    ----------
    table : {'fuzz', 'kill'}
    key : sequence
        What the result is of.
    row : mapping
        The result.
    """
    with RECORD.with_suffix(".lock").open("w") as lock:  # several kinds may be at work at a time
        fcntl.flock(lock, fcntl.LOCK_EX)
        lines = [line for line in _lines() if (line["table"], line["key"]) != (table, list(key))]
        lines.append({"table": table, "key": list(key), **row})
        aside = RECORD.with_suffix(".partial")
        aside.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        aside.replace(RECORD)
        write()


def _lines() -> list[dict[str, object]]:
    if not RECORD.exists():
        return []
    return [json.loads(line) for line in RECORD.read_text(encoding="utf-8").splitlines()]


def fuzz_table(lines: Sequence[Mapping[str, object]]) -> str:
    """Return the counts per kind of input, pieces added up."""
    kinds: dict[str, list[Mapping[str, object]]] = {}
    for line in lines:
        kinds.setdefault(str(line["key"][0]), []).append(line)  # type: ignore[index]
    rows = []
    for kind, pieces in kinds.items():
        sums = [
            sum(int(str(piece[name])) for piece in pieces)
            for name in ("inputs", "taken", "refused", "crashed", "hangs", "code")
        ]
        slowest = max(float(str(piece["slowest"])) for piece in pieces)
        rows.append((kind, *(f"{n:,}".replace(",", " ") for n in sums), f"{slowest:.1f} s"))
    return as_table(FUZZ_HEADS, rows)


def kill_table(lines: Sequence[Mapping[str, object]]) -> str:
    """Return what was done to what, and what came of it."""
    rows = sorted((*line["key"], line["times"], line["result"]) for line in lines)  # type: ignore[misc]
    return as_table(KILL_HEADS, rows)


def as_table(heads: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """Return a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines).replace("| --- ", "|---")


def write() -> None:
    """Put the tables into the page, each between its two marks."""
    text = PAGE.read_text(encoding="utf-8")
    for name, table in (("fuzz", fuzz_table), ("kill", kill_table)):
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        before, rest = text.split(begin)
        after = rest.split(end)[1]
        lines = [line for line in _lines() if line["table"] == name]
        text = f"{before}{begin}{table(lines)}\n{end}{after}"
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
