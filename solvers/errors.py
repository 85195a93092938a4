"""What a field solver raises when the input or the solution is not usable."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class ModelError(ValueError):
    """The model cannot be solved as it was put; the message names the part and the fix."""


class ConvergenceError(RuntimeError):
    """A solve did not converge.

    Parameters
    ----------
    message : str
        What failed, where and why.
    time : float, optional
        Time of the failing step [s]; ``nan`` for a steady solve.
    state : array, optional
        The last good state [K].
    """

    def __init__(self, message: str, time: float = float("nan"), state: Any = None):
        super().__init__(message)
        self.time = time
        self.state = state


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a phrase that points from a wrong name to the right ones."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    listed = f"it has {', '.join(names) or 'none'}"
    return f"did you mean {close[0]!r}? {listed}" if close else listed
