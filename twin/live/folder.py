"""The folder of a live twin."""

from __future__ import annotations

from pathlib import Path

from twin.errors import BadInput


def claim(folder: Path, resume: bool) -> None:
    """Make a folder ready for a live twin.

    Raises
    ------
    BadInput
        If there is telemetry of an earlier one in it and it is not to go on.
    """
    there = sorted(folder.glob("*/journal/*.journal")) + sorted(folder.glob("*/checkpoint.npz"))
    if there and not resume:
        raise BadInput(
            f"--out {folder}: holds an earlier live twin ({there[0].relative_to(folder)}); add --resume to go on, "
            "or give another folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
