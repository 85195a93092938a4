"""Open ``result.zarr`` as an xarray DataTree, or say in one sentence why it cannot be opened."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal

import xarray as xr
import zarr
import zarr.errors

from twin.errors import BadInput
from twin.results.replace import partial_path, previous_path

RESULT_FORMAT = 1
"""Number of the layout of ``result.zarr``; raised when a reader of the old layout would be misled."""

RESULT_NAME = "result.zarr"


def locate_result(path: str | os.PathLike[str]) -> Path:
    """Return the path of the result that `path` names: a result, or a run folder that holds ``result.zarr``.

    Raises
    ------
    BadInput
        There is no result; the message says what is there instead.
    """
    given = Path(path)
    target = given
    if given.is_dir() and not (given / "zarr.json").exists():
        inside = given / RESULT_NAME
        if inside.exists() or partial_path(inside).exists() or previous_path(inside).exists():
            target = inside
    if target.is_dir():
        return target
    if partial_path(target).exists():
        raise BadInput(
            f"{target}: the run has not finished ({partial_path(target).name} is half-written); "
            "wait for it, or continue it with 'twin run CASE --resume'"
        )
    if previous_path(target).exists():
        raise BadInput(
            f"{target}: the run stopped while it replaced this result; "
            f"rename {previous_path(target).name} to {target.name}"
        )
    if target.exists():
        raise BadInput(f"{target}: is a file; expected the folder {RESULT_NAME} that 'twin run' writes")
    raise BadInput(
        f"{target}: no such result; expected a folder {RESULT_NAME} or the run folder that holds it"
    )


def open_result(path: str | os.PathLike[str]) -> xr.DataTree:
    """Open a finished result; arrays are read from disk when they are used.

    Parameters
    ----------
    path : path
        ``result.zarr``, or the run folder that holds it.

    Returns
    -------
    xarray.DataTree
        Groups ``plant``, ``sub_center``, ``module``, ``card``, ``ledger``, ``orbit``; every variable has
        ``units`` and ``long_name``; `time` is decoded to UTC.

    Raises
    ------
    BadInput
        It is missing, not a result, half-written, damaged, or of another version.
    """
    target = locate_result(path)
    root = open_store(target, mode="r")
    if not root.attrs.get("complete", False):
        raise BadInput(
            f"{target}: the run that wrote it did not finish; "
            "continue it with 'twin run CASE --resume' or run it again"
        )
    try:
        return xr.open_datatree(target, engine="zarr", consolidated=False)
    except (ValueError, KeyError, OSError) as error:
        raise BadInput(f"{target}: is damaged ({error}); run the case again") from error


def open_store(path: Path, mode: Literal["r", "r+"]) -> zarr.Group:
    """Open the zarr group of a result and check that this version can read it.

    Raises
    ------
    BadInput
        It is missing, not a result, or of another version.
    """
    if not path.exists():
        raise BadInput(f"{path}: there is no such unfinished result; start the run without --resume")
    try:
        root = zarr.open_group(str(path), mode=mode, zarr_format=3)
    except (FileNotFoundError, ValueError, KeyError, zarr.errors.GroupNotFoundError) as error:
        raise BadInput(f"{path}: is not a Zarr group; expected the folder {RESULT_NAME} of a run") from error
    found = root.attrs.get("result_format")
    if found is None:
        raise BadInput(f"{path}: is a Zarr group but not a Dawndusk result (no attribute 'result_format')")
    if found != RESULT_FORMAT:
        raise BadInput(
            f"{path}: has result format {found!r}, written by Dawndusk {root.attrs.get('version', '?')}; "
            f"this version reads format {RESULT_FORMAT}: run the case again or use that version"
        )
    return root


def resolved_case(result: xr.DataTree) -> dict[str, Any]:
    """Return the resolved case that a result was made from, empty when it was not stored."""
    return _json_attribute(result, "case")


def run_versions(result: xr.DataTree) -> dict[str, Any]:
    """Return the Python, platform and package versions of the run."""
    return _json_attribute(result, "environment")


def certificate(result: xr.DataTree) -> dict[str, Any]:
    """Return the certificate of the reduced model, empty when the run used the full model."""
    return _json_attribute(result, "certificate")


def run_alarms(result: xr.DataTree) -> list[str]:
    """Return what went beyond its limits in the run, in words; empty when nothing did."""
    return [str(alarm) for alarm in json.loads(str(result.attrs.get("alarms", "[]")))]


def _json_attribute(result: xr.DataTree, name: str) -> dict[str, Any]:
    stored = json.loads(result.attrs.get(name) or "{}")
    return stored if isinstance(stored, dict) else {"value": stored}
