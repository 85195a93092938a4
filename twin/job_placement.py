"""How many cards of each job a module holds: what couples values of jobs and of modules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["JobPlacement"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class JobPlacement:
    """Cards of each job in each module, as triplets; arrays (run,). A pair may have several runs of cards.

    Attributes
    ----------
    module, job, cards : ndarray of int
        `cards` neighbouring cards of the module hold the job.
    modules, jobs : int
        How many there are.
    """

    module: Ints
    job: Ints
    cards: Ints
    modules: int
    jobs: int

    @classmethod
    def of(cls, job_of_card: ArrayLike, module_start: ArrayLike, jobs: int) -> JobPlacement:
        """Count the cards.

        Parameters
        ----------
        job_of_card : array_like of int, shape (card,)
            Job on each card, -1 for none.
        module_start : array_like of int, shape (module + 1,)
            First card of each module.
        jobs : int
            Number of jobs.
        """
        job, start = np.asarray(job_of_card), np.asarray(module_start, np.int64)
        # Runs of one job within a module, rather than a sort: placement changes with every interrupted job.
        change = np.ones(job.size + 1, bool)
        np.not_equal(job[1:], job[:-1], out=change[1:-1])
        change[start] = True
        edges = np.flatnonzero(change)
        held, cards = job[edges[:-1]], np.diff(edges)
        module = np.searchsorted(start, edges[:-1], side="right") - 1
        busy = held >= 0
        return cls(module[busy], held[busy].astype(np.int64), cards[busy], start.size - 1, jobs)

    def per_module(self, of_job: ArrayLike) -> Floats:
        """Sum a value per card of each job over the cards of each module, shape (module,)."""
        weights = self.cards * np.asarray(of_job, dtype=float)[self.job]
        return np.bincount(self.module, weights=weights, minlength=self.modules)

    def lowest(self, of_module: ArrayLike) -> Floats:
        """Return the lowest value among the modules of each job, infinite for a job without cards, shape (job,)."""
        out = np.full(self.jobs, np.inf)
        np.minimum.at(out, self.job, np.asarray(of_module, dtype=float)[self.module])
        return out
