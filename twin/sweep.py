"""Design sweeps: a case with some of its keys varied, every variant run or sized, gathered as one dataset."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from twin.case import Case
from twin.errors import BadInput
from twin.results.replace import partial_path, put_in_place, remove
from twin.sweep_cluster import Done, Workers, run_tasks

__all__ = ["Axis", "Sweep", "parse_axis", "sweep"]

Measure = Literal["run", "size"]

MOST_POINTS = 100_000

NAME = "sweep.zarr"

_RANGE = re.compile(r"^(?P<low>[^:,\[\]]+):(?P<high>[^:,\[\]]+):(?P<count>\d+)\s*(?P<unit>[^:,\[\]]*)$")
_NUMBER = re.compile(r"^\s*([+-]?[\d._]+(?:[eE][+-]?\d+)?)\s*(.*?)\s*$")


@dataclass(frozen=True)
class Axis:
    """A key that is varied.

    Attributes
    ----------
    key : str
        Key path in the case.
    texts : tuple of str
        Values as a case file would write them.
    """

    key: str
    texts: tuple[str, ...]

    @property
    def numbers(self) -> tuple[list[float], str] | None:
        """Values as numbers and their unit, None if they are not all numbers of one unit."""
        parts = [_NUMBER.match(text) for text in self.texts]
        if not all(parts):
            return None
        units = {part[2] for part in parts if part}
        if len(units) != 1:
            return None
        try:
            return [float(part[1].replace("_", "")) for part in parts if part], units.pop()
        except ValueError:
            return None


def parse_axis(text: str) -> Axis:
    """Read what follows ``--vary``.

    Parameters
    ----------
    text : str
        ``key=low:high:count`` with a unit at the end or at both ends (``0:5:6 yr``, ``35 degC:55 degC:5``), or a
        list ``key=a,b,c``.

    Raises
    ------
    BadInput
        Says what was expected.
    """
    key, equals, values = text.partition("=")
    key, values = key.strip(), values.strip()
    form = "KEY=LOW:HIGH:COUNT UNIT or KEY=A,B,C"
    if not (equals and key and values):
        raise BadInput(f"--vary {text}: expected {form}, such as mission.age=0:5:6 yr")
    match = _RANGE.match(values)
    if match is None:
        if ":" in values and "," not in values and re.fullmatch(r"[-+\d.:eE\s]+", values):
            raise BadInput(f"--vary {text}: a range has two ends and a count; expected {form}")
        texts = tuple(part.strip() for part in values.strip("[]").split(",") if part.strip())
        if len(set(texts)) != len(texts):
            raise BadInput(f"--vary {text}: a value is there twice")
        return Axis(key, texts)
    low, high = (_NUMBER.match(match[name]) for name in ("low", "high"))
    count = int(match["count"])
    if low is None or high is None:
        raise BadInput(f"--vary {text}: the ends of the range are not numbers; expected {form}")
    units = {unit for unit in (low[2], high[2], match["unit"].strip()) if unit}
    if len(units) > 1:
        raise BadInput(f"--vary {text}: units {' and '.join(sorted(units))} differ; expected one unit")
    if not 1 <= count <= MOST_POINTS:
        raise BadInput(f"--vary {text}: count {count}, expected 1 to {MOST_POINTS}")
    unit = units.pop() if units else ""
    numbers = np.linspace(float(low[1]), float(high[1]), count)
    return Axis(key, tuple(f"{number:.10g} {unit}".strip() for number in numbers))


@dataclass(frozen=True, eq=False)
class Sweep:
    """A sweep that has been done.

    Attributes
    ----------
    data : Dataset
        A dimension per key, figures of sub-centers and the plant, ``error`` and ``attempts`` of each point.
    path : Path
        Where it is written.
    failed : int
        Points without figures.
    """

    data: xr.Dataset
    path: Path
    failed: int


def sweep(
    path: Path,
    axes: Sequence[Axis],
    out: Path,
    overrides: Sequence[str] = (),
    measure: Measure = "run",
    place: Workers | None = None,
    resume: bool = False,
    keep: bool = False,
    watch: Callable[[int, int, Done | None], None] | None = None,
) -> Sweep:
    """Run or size all variants of a case.

    Parameters
    ----------
    path : Path
        Case file; on a cluster of several machines all of them must see it.
    axes : sequence of Axis
        What is varied; all combinations are done.
    out : Path
        Folder: ``sweep.zarr``, and ``points/`` with a file for each point that has been done.
    overrides : sequence of str
        ``key=value`` for all variants.
    measure : {"run", "size"}
        Simulate each variant and keep its summary, or find the area its radiators need.
    place : Workers, optional
        Where variants run; this process if not given.
    resume : bool
        Take points that a sweep before has done from the folder, but those that failed.
    keep : bool
        Keep the result of every run in ``points/NNNN``.
    watch : callable, optional
        Called with points done, points in all and the point that has ended (None for those taken from before).

    Raises
    ------
    BadInput
        If nothing is varied, a key is varied twice, or the case itself cannot be used.
    """
    if not axes:
        raise BadInput("sweep: nothing is varied; expected at least one --vary KEY=LOW:HIGH:COUNT")
    keys = [axis.key for axis in axes]
    if len(set(keys)) != len(keys):
        raise BadInput(f"sweep: {max(keys, key=keys.count)} is varied twice; expected each key once")
    Case.load(path, overrides)  # what is wrong with the case itself is said at once
    points = list(product(*(axis.texts for axis in axes)))
    if len(points) > MOST_POINTS:
        raise BadInput(f"sweep: {len(points)} variants; expected at most {MOST_POINTS}")
    _check_keys(path, axes, overrides)
    folder = out / "points"
    folder.mkdir(parents=True, exist_ok=True)
    marks = [_mark(path, overrides, keys, point, measure) for point in points]
    rows: list[dict[str, Any] | None] = [
        _stored(folder / f"{n:05d}.json", mark) if resume else None for n, mark in enumerate(marks)
    ]
    missing = [n for n, row in enumerate(rows) if row is None]
    tell = watch or (lambda done, total, last: None)
    ended = len(points) - len(missing)
    tell(ended, len(points), None)

    def finish(done: Done) -> None:
        nonlocal ended
        ended += 1
        number = missing[done.number]
        row = {"mark": marks[number], "values": done.value, "error": done.error, "attempts": done.attempts}
        _store(folder / f"{number:05d}.json", row)
        rows[number] = row
        tell(ended, len(points), done)

    tasks = []
    for n in missing:
        changes = [*overrides, *(f"{key}={value}" for key, value in zip(keys, points[n]))]
        tasks.append((str(path), changes, measure, str(folder / f"{n:05d}"), keep))
    run_tasks(place or Workers(), measure_variant, tasks, done=finish)
    data = _gathered(axes, [row for row in rows if row is not None])
    target = out / NAME
    remove(partial_path(target))
    data.to_zarr(partial_path(target), mode="w", consolidated=False)
    put_in_place(target)
    failed = sum(1 for row in rows if row is not None and row["error"])
    return Sweep(data, target, failed)


def _check_keys(path: Path, axes: Sequence[Axis], overrides: Sequence[str]) -> None:
    """Refuse a key of which no value can be used: that is a mistake, not a variant that fails."""
    for axis in axes:
        problem: BadInput | None = None
        for text in axis.texts:
            try:
                Case.load(path, [*overrides, f"{axis.key}={text}"])
                break
            except BadInput as error:
                problem = problem or error
        else:
            if problem is not None and len(axes) == 1:
                raise problem
            if problem is not None and "unknown" in str(problem).lower():
                raise problem


def measure_variant(
    path: str, overrides: Sequence[str], measure: Measure, folder: str, keep: bool
) -> dict[str, Any]:
    """Run or size one variant; return its figures.

    Returns
    -------
    dict
        ``name → {"units": …, "long_name": …, "plant": value or None, "sub_center": {name: value}}``.
    """
    case = Case.load(path, overrides)
    if measure == "size":
        return _sized(case)
    from twin.results import summary
    from twin.run import run

    if keep:
        return _summarised(summary(run(case, Path(folder))))
    with tempfile.TemporaryDirectory(prefix="sweep-") as aside:
        return _summarised(summary(run(case, Path(aside))))


def _summarised(rows: Sequence[Any]) -> dict[str, Any]:
    return {
        row.name: {
            "units": row.units,
            "long_name": row.label,
            "plant": row.as_dict()["plant"],
            "sub_center": row.as_dict()["sub_center"],
        }
        for row in rows
    }


def _sized(case: Case) -> dict[str, Any]:
    from twin.sizing import SizingOptions, size
    from twin.sizing.tables import area_rows

    rows = area_rows(size(case, SizingOptions(samples=0, studies=())))
    oldest = max(row["age"] for row in rows)
    figures: dict[str, Any] = {}
    for name, label in (
        ("needed", "radiator area needed"),
        ("required", "radiator area with margin"),
        ("closed_form", "radiator area, closed form"),
        ("design", "radiator area of the design"),
    ):
        centers = {row["sub_center"]: row[name] for row in rows if row["age"] == oldest}
        whole = None if any(v is None for v in centers.values()) else float(sum(centers.values()))
        figures[f"radiator_area_{name}"] = {
            "units": "m2", "long_name": f"{label}, one face", "plant": whole, "sub_center": centers,
        }  # fmt: skip
    return figures


def _mark(
    path: Path, overrides: Sequence[str], keys: Sequence[str], point: Sequence[str], measure: Measure
) -> str:
    """Fingerprint of a variant: case file, changes, and what is measured."""
    content = Path(path).read_bytes()
    text = json.dumps([list(overrides), list(keys), list(point), measure])
    return hashlib.sha256(content + text.encode()).hexdigest()[:24]


def _stored(path: Path, mark: str) -> dict[str, Any] | None:
    try:
        row = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    good = isinstance(row, dict) and row.get("mark") == mark and not row.get("error")
    return row if good else None


def _store(path: Path, row: Mapping[str, Any]) -> None:
    aside = path.with_suffix(".part")
    aside.write_text(json.dumps(row))
    aside.replace(path)


def dimension_names(axes: Sequence[Axis]) -> list[str]:
    """Return the shortest ends of the key paths that tell them apart."""
    paths = [axis.key.split(".") for axis in axes]
    names = []
    for own in paths:
        for length in range(1, len(own) + 1):
            name = own[-length:]
            if sum(other[-length:] == name for other in paths) == 1:
                break
        names.append("_".join(name).replace("[", "_").replace("]", ""))
    return names


def _gathered(axes: Sequence[Axis], rows: Sequence[Mapping[str, Any]]) -> xr.Dataset:
    """One dataset: a dimension per key, and one of sub-centers."""
    dims = dimension_names(axes)
    shape = tuple(len(axis.texts) for axis in axes)
    coordinates: dict[str, Any] = {}
    for name, axis in zip(dims, axes):
        numbers = axis.numbers
        values: Any = list(axis.texts) if numbers is None else numbers[0]
        attributes = {"key": axis.key} | ({} if numbers is None else {"units": numbers[1] or "1"})
        coordinates[name] = (name, values, attributes)
    good = [row["values"] for row in rows if row["values"]]
    centers = list(dict.fromkeys(c for values in good for v in values.values() for c in v["sub_center"]))
    figures: dict[str, Mapping[str, Any]] = {}
    for values in good:
        for name, figure in values.items():
            figures.setdefault(name, figure)
    data: dict[str, Any] = {}
    for name, figure in figures.items():
        attributes = {"units": figure["units"], "long_name": figure["long_name"]}
        whole = np.full(len(rows), np.nan)
        parts = np.full((len(rows), len(centers)), np.nan)
        for n, row in enumerate(rows):
            found = (row["values"] or {}).get(name)
            if found is None:
                continue
            whole[n] = np.nan if found["plant"] is None else found["plant"]
            for c, center in enumerate(centers):
                value = found["sub_center"].get(center)
                parts[n, c] = np.nan if value is None else value
        data[name] = (tuple(dims), whole.reshape(shape), attributes)
        data[f"{name}_by_sub_center"] = (
            (*dims, "sub_center"), parts.reshape(*shape, len(centers)), attributes,
        )  # fmt: skip
    data["error"] = (tuple(dims), np.array([row["error"] for row in rows], dtype=str).reshape(shape))
    data["attempts"] = (tuple(dims), np.array([row["attempts"] for row in rows]).reshape(shape))
    if centers:
        coordinates["sub_center"] = centers
    return xr.Dataset(data, coordinates)
