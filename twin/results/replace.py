"""Write a folder aside and put it in place only when it is complete."""

from __future__ import annotations

import shutil
from pathlib import Path


def partial_path(path: Path) -> Path:
    """Return where the folder `path` is written until it is complete."""
    return path.with_name(path.name + ".partial")


def previous_path(path: Path) -> Path:
    """Return where the folder that `path` replaces is kept during the exchange."""
    return path.with_name(path.name + ".previous")


def put_in_place(path: Path) -> None:
    """Replace the folder `path` by its complete ``.partial`` neighbour.

    The old folder is moved away first and deleted last: at every moment one complete version exists, and a
    failure to move the new one in puts the old one back.

    Raises
    ------
    OSError
        The file system refuses; the old folder, if there was one, is where it was.
    """
    partial, previous = partial_path(path), previous_path(path)
    remove(previous)
    had_previous = path.exists()
    if had_previous:
        path.replace(previous)
    try:
        partial.replace(path)
    except OSError:
        if had_previous:
            previous.replace(path)
        raise
    remove(previous)


def remove(path: Path) -> None:
    """Delete the file or folder `path` if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
