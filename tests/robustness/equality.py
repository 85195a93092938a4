"""In what the results of two pieces of work differ: nothing less than every bit counts as equal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr


def of_runs(here: Path, there: Path) -> list[str]:
    """Compare ``result.zarr`` and ``fields/``."""
    from twin.results import open_result

    found = of_trees(open_result(here / "out"), open_result(there / "out"))
    fields = there / "out/fields"
    for file in fields.rglob("*.*"):
        other = here / "out/fields" / file.relative_to(fields)
        if not other.is_file() or other.read_bytes() != file.read_bytes():
            found.append(str(file.relative_to(there)))
    return found


def of_trainings(here: Path, there: Path) -> list[str]:
    """Compare trained models, certificate included, and the runs made with them."""
    found = of_runs(here, there)
    panels = sorted((there / "cache/reduced").glob("panel-*.npz"))
    if not panels:
        return ["no trained model"]
    for path in panels:
        with np.load(path) as theirs, np.load(here / "cache/reduced" / path.name) as mine:
            found += [name for name in theirs.files if mine[name].tobytes() != theirs[name].tobytes()]
    return found


def of_sizings(here: Path, there: Path) -> list[str]:
    """Compare ``sizing.zarr``."""
    return of_trees(*(_tree(folder / "out/sizing.zarr") for folder in (here, there)))


def of_sweeps(here: Path, there: Path) -> list[str]:
    """Compare ``sweep.zarr``."""
    return of_trees(*(_tree(folder / "out/sweep.zarr") for folder in (here, there)))


def of_live_twins(here: Path, there: Path) -> list[str]:
    """Compare all states and the alarms from them; when forecasts are made follows the clock of the machine."""
    found = []
    mine, theirs = (_tree(folder / "out/live.zarr") for folder in (here, there))
    for center in theirs.children:
        found += of_trees(mine[f"{center}/state"], theirs[f"{center}/state"])
    if not theirs.children:
        found.append("no states")
    alarms = [
        [
            a
            for a in map(json.loads, (f / "out/alarms.jsonl").read_text().splitlines())
            if a["kind"] != "forecast"
        ]
        for f in (here, there)
    ]
    return found if alarms[0] == alarms[1] else [*found, "alarms.jsonl"]


def _tree(path: Path) -> xr.DataTree:
    return xr.open_datatree(path, engine="zarr", consolidated=False, decode_times=False)


def of_trees(here: xr.DataTree, there: xr.DataTree) -> list[str]:
    found, compared = [], 0
    for node in there.subtree:
        place = node.relative_to(there)
        for name, values in node.to_dataset(inherit=False).variables.items():
            theirs, other = np.asarray(values), here[place].to_dataset(inherit=False).variables.get(name)
            mine = None if other is None else np.asarray(other)
            compared += 1
            if mine is None or mine.shape != theirs.shape or not _same(mine, theirs):
                found.append(f"{place}/{name}")
    return found if compared else ["nothing to compare"]


def _same(mine: np.ndarray, theirs: np.ndarray) -> bool:
    if mine.dtype.kind in "OUT":
        return bool(mine.tolist() == theirs.tolist())
    return mine.tobytes() == theirs.tobytes()


DIFFERENCES: dict[str, Callable[[Path, Path], list[str]]] = {
    "run": of_runs,
    "training": of_trainings,
    "size": of_sizings,
    "sweep": of_sweeps,
    "live": of_live_twins,
}
