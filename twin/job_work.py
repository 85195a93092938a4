"""Work that jobs asked for and got in a tick, by kind of job and sub-center."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.job_placement import JobPlacement

__all__ = ["KINDS", "JobWork", "kind_numbers"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KINDS = ("training", "inference", "batch")
"""Kinds of job; a replayed trace counts as batch."""


def kind_numbers(kinds: Sequence[str]) -> Ints:
    """Return the place in `KINDS` of the kind of each job, shape (job,)."""
    return np.array([KINDS.index(kind) for kind in kinds], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class JobWork:
    """Work of a tick.

    Attributes
    ----------
    placement : JobPlacement
        Cards of each job in each module.
    asked, done : ndarray, shape (job,)
        Mean activity of a card of the job as the job wants it, and times the pace at which it went [1].
    """

    placement: JobPlacement
    asked: Floats
    done: Floats

    def by_kind(self, kind: Ints, sub_center: Ints, sub_centers: int) -> Floats:
        """Return cards' worth of work asked for and done, shape (2, kind, sub_center).

        Parameters
        ----------
        kind : ndarray of int, shape (job,)
            See `kind_numbers`.
        sub_center : ndarray of int, shape (module,)
        sub_centers : int
        """
        p = self.placement
        place = kind[p.job] * sub_centers + sub_center[p.module]
        size = len(KINDS) * sub_centers
        both = [np.bincount(place, p.cards * of_job[p.job], size) for of_job in (self.asked, self.done)]
        return np.array(both).reshape(2, len(KINDS), sub_centers)
