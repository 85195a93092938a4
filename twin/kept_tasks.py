"""Values of tasks that have ended, as files: work of hours that is killed goes on where it was.

A value is a tree of numbers, text, times, lists, mappings, arrays, datasets and dataclasses. Its file holds the tree as
JSON and the arrays beside it, with a checksum; reading it makes nothing but these and the dataclasses that were named.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from twin import checkpoint
from twin.errors import BadInput, RunFailed

__all__ = ["KeptTasks", "from_tree", "to_tree"]

Arrays = dict[str, NDArray[Any]]

_MARK = "#"
"""Key of an object that stands for something else than a mapping."""


class KeptTasks:
    """Values of tasks in a folder, each under a fingerprint of all that it depends on.

    Parameters
    ----------
    folder : Path
        Its own.
    about : object
        What all tasks depend on, as JSON types: the case, versions.
    kinds : sequence of type
        Dataclasses that values are made of.

    Attributes
    ----------
    found : int
        Tasks whose values were there.
    """

    def __init__(self, folder: Path, about: object, kinds: Sequence[type]):
        self.folder, self._about = folder, json.dumps(about, default=str, sort_keys=True)
        self._kinds = {kind.__name__: kind for kind in kinds}
        self.found = 0

    def key(self, function: Callable[..., Any], arguments: Sequence[Any]) -> str:
        """Return the fingerprint of a task."""
        arrays: Arrays = {}
        tree = json.dumps([function.__name__, self._about, to_tree(list(arguments), arrays)])
        digest = hashlib.sha256(tree.encode())
        for values in arrays.values():
            digest.update(f"{values.dtype} {values.shape}".encode())
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()[:32]

    def find(self, key: str) -> tuple[bool, Any]:
        """Return whether there is a sound value, and the value."""
        try:
            saved = checkpoint.load(self._path(key))
            value = from_tree(json.loads(str(saved["tree"])), saved, self._kinds)
        except (
            BadInput,
            KeyError,
            ValueError,
            TypeError,
        ):  # none, damaged, or of another version: done again
            return False, None
        self.found += 1
        return True, value

    def put(self, key: str, value: Any) -> None:
        """Keep a value.

        Raises
        ------
        RunFailed
            If the disk is full or cannot be written; what was kept before stays.
        """
        arrays: Arrays = {}
        tree = to_tree(value, arrays)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            checkpoint.save(self._path(key), {"tree": np.array(json.dumps(tree)), **arrays})
        except OSError as error:
            raise RunFailed(
                f"{self.folder} cannot be written: {error.strerror or error}. What was done before is kept; make room, "
                "then the same command with --resume goes on"
            ) from error

    def discard(self) -> None:
        """Delete what is kept."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"


def to_tree(value: Any, arrays: Arrays) -> Any:
    """Return a value as JSON types; arrays are added to `arrays` and named in the tree.

    Raises
    ------
    TypeError
        For what cannot be kept.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.generic):
        return to_tree(np.asarray(value), arrays) | {"scalar": True}
    if isinstance(value, int | float):
        return value
    if isinstance(value, datetime):
        return {_MARK: "time", "text": value.isoformat()}
    if isinstance(value, slice):
        return {_MARK: "slice", "ends": [value.start, value.stop, value.step]}
    if isinstance(value, np.ndarray):
        name, text = f"array-{len(arrays)}", value.dtype == object
        if text and not all(isinstance(item, str) for item in value.flat):
            raise TypeError("only arrays of numbers and text can be kept")
        arrays[name] = value.astype(str) if text else value
        return {_MARK: "array", "name": name} | ({"objects": True} if text else {})
    if isinstance(value, xr.Dataset):
        variables = {
            str(name): [list(v.dims), to_tree(v.to_numpy(), arrays), to_tree(dict(v.attrs), arrays)]
            for name, v in value.variables.items()
        }
        own = [str(name) for name in value.coords]
        attributes = to_tree(dict(value.attrs), arrays)
        return {_MARK: "dataset", "variables": variables, "coordinates": own, "attributes": attributes}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: to_tree(getattr(value, f.name), arrays) for f in dataclasses.fields(value)}
        return {_MARK: "object", "kind": type(value).__name__, "fields": parts}
    if isinstance(value, Mapping):
        return {_MARK: "map", "items": [[to_tree(k, arrays), to_tree(v, arrays)] for k, v in value.items()]}
    if isinstance(value, tuple | list):
        items = [to_tree(item, arrays) for item in value]
        return items if isinstance(value, list) else {_MARK: "tuple", "items": items}
    raise TypeError(f"{type(value).__name__} cannot be kept")


def from_tree(tree: Any, arrays: Mapping[str, NDArray[Any]], kinds: Mapping[str, type]) -> Any:
    """Return the value of a tree of `to_tree`.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is none; only dataclasses of `kinds` are made.
    """
    if isinstance(tree, list):
        return [from_tree(item, arrays, kinds) for item in tree]
    if not isinstance(tree, dict):
        return tree
    mark = tree[_MARK]
    if mark == "time":
        return datetime.fromisoformat(tree["text"])
    if mark == "slice":
        return slice(*tree["ends"])
    if mark == "array":
        values = arrays[tree["name"]]
        values = values.astype(object) if tree.get("objects") else values
        return values[()] if tree.get("scalar") else values
    if mark == "tuple":
        return tuple(from_tree(item, arrays, kinds) for item in tree["items"])
    if mark == "map":
        return {from_tree(k, arrays, kinds): from_tree(v, arrays, kinds) for k, v in tree["items"]}
    if mark == "object":
        parts = {name: from_tree(part, arrays, kinds) for name, part in tree["fields"].items()}
        return kinds[tree["kind"]](**parts)
    if mark == "dataset":
        read = {
            name: (dims, from_tree(values, arrays, kinds), from_tree(attributes, arrays, kinds))
            for name, (dims, values, attributes) in tree["variables"].items()
        }
        own = set(tree["coordinates"])
        data = {name: v for name, v in read.items() if name not in own}
        coordinates = {name: v for name, v in read.items() if name in own}
        return xr.Dataset(data, coordinates, from_tree(tree["attributes"], arrays, kinds))
    raise ValueError(f"{mark} is no mark of a kept value")
