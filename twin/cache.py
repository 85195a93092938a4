"""Where what takes long to compute is kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder(name: str) -> Path:
    """Return the folder of one kind of kept results; it may not exist yet.

    Parameters
    ----------
    name : str
        Of the kind.
    """
    base = os.environ.get("DAWNDUSK_CACHE")
    if base:
        return Path(base) / name
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "dawndusk" / name
