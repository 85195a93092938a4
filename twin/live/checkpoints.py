"""The checkpoints of a partition on the disk: the newest, and the one before it to fall back on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from twin import checkpoint
from twin.errors import RunFailed

CHECKPOINTS = ("checkpoint.npz", "checkpoint-before.npz")
"""The newest, and one to fall back on."""


def write(folder: Path, snapshot: Mapping[str, NDArray[Any]]) -> None:
    """Write a checkpoint and keep the one before it.

    Raises
    ------
    RunFailed
        If the disk is full or cannot be written; the checkpoints stay as they are.
    """
    newest, older = (folder / name for name in CHECKPOINTS)
    aside = folder / "checkpoint.new"
    try:
        checkpoint.save(aside, dict(snapshot))
        if newest.is_file():
            newest.replace(older)
        aside.replace(newest)
        checkpoint.sync_folder(folder)
    except OSError as error:
        raise RunFailed(
            f"{folder}: no checkpoint can be written ({error.strerror or error}); what came in is in the "
            "journal. Make room, then the same command with --resume goes on"
        ) from error


def read(folder: Path, reached: float) -> tuple[dict[str, NDArray[Any]] | None, list[str]]:
    """Return the newest checkpoint that can be used, or None, and why others cannot.

    Parameters
    ----------
    folder : Path
    reached : float
        Time of the last report that is published for good [s]: a checkpoint after it is not used, so that no report
        is missing.
    """
    unusable: list[str] = []
    for path in (folder / name for name in CHECKPOINTS):
        if not path.is_file():
            continue
        try:
            saved = checkpoint.load(path)
        except checkpoint.DamagedCheckpoint as error:
            unusable.append(str(error))
            continue
        if float(saved["time"]) > reached + 1e-3:
            unusable.append(f"{path}: what was published ends before it, at t = {reached:g} s")
            continue
        return saved, unusable
    return None, unusable
