"""Open ``result.zarr`` as an xarray DataTree, or say in one sentence why it cannot be opened."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
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
    except Exception as error:  # attributes and shapes go wrong in as many ways as there are readers of them
        _forget_other_tasks()
        raise BadInput(
            f"{target}: is damaged ({type(error).__name__}: {error}); run the case again"
        ) from error


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[None]:
    """Say in one sentence that a result is damaged where its numbers are read, which is after it was opened.

    Raises
    ------
    BadInput
        In place of what the storage raises for a file that is damaged.
    """
    try:
        yield
    except BadInput:
        raise
    except (OSError, ValueError, TypeError, KeyError, IndexError, RuntimeError, MemoryError) as error:
        # A damaged chunk ends in the decoder, a damaged description anywhere.
        if not _from_storage(error):
            raise
        _forget_other_tasks()
        raise BadInput(f"{path}: is damaged ({type(error).__name__}: {error}); run the case again") from error


def _forget_other_tasks() -> None:
    """Files are read side by side: when one is damaged, the failures of the others would be printed as tracebacks."""
    logging.getLogger("asyncio").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return "exception was never retrieved" not in record.getMessage()


def _from_storage(error: BaseException) -> bool:
    """Whether an error came up in the libraries that read arrays."""
    modules = set()
    trace = error.__traceback__
    while trace is not None:
        modules.add(str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0])
        trace = trace.tb_next
    return bool(modules & {"zarr", "numcodecs"})


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
    except Exception as error:  # its description is parsed: a damaged one fails in any way
        _forget_other_tasks()
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
    stored = _decoded(result, "alarms", "[]")
    return [str(alarm) for alarm in stored] if isinstance(stored, list) else [str(stored)]


def _json_attribute(result: xr.DataTree, name: str) -> dict[str, Any]:
    stored = _decoded(result, name, "{}")
    return stored if isinstance(stored, dict) else {"value": stored}


def _decoded(result: xr.DataTree, name: str, empty: str) -> Any:
    try:
        return json.loads(result.attrs.get(name) or empty)
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"the attribute {name!r} of the result is damaged ({error}); run the case again"
        ) from error
