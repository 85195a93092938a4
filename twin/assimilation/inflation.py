"""Keeping the spread of an ensemble honest: inflation estimated from innovations, and relaxation to the prior spread.

References
----------
.. [1] X. Wang and C. H. Bishop, J. Atmos. Sci. 60 (2003) 1140-1158, eq. 17: inflation from innovations.
.. [2] H. Li, E. Kalnay and T. Miyoshi, Q. J. R. Meteorol. Soc. 135 (2009) 523-533: smoothing it in time.
.. [3] J. S. Whitaker and T. M. Hamill, Mon. Wea. Rev. 140 (2012) 3078-3089, eq. 2: relaxation to prior spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class AdaptiveInflation:
    """Factor on the prior covariance that innovations ask for, per local analysis.

    Attributes
    ----------
    memory : float
        Analyses over which the factor is averaged.
    lowest, highest : float
        Bounds of the factor.
    """

    memory: float = 20.0
    lowest: float = 1.0
    highest: float = 1.6

    def update(
        self, inflation: ArrayLike, predicted: ArrayLike, observed: ArrayLike, variance: ArrayLike
    ) -> Array:
        r"""Return the factors after one more set of innovations.

        In units of the observation error, :math:`E[d^T d] = \rho\,\mathrm{tr}(HPH^T) + p`; a single set says
        little, so that it moves the factor by 1/memory only, and less where the ensemble hardly spreads.

        Parameters
        ----------
        inflation : (N,) array
            Before.
        predicted : (N, p, m) array
        observed, variance : (N, p) arrays
            As for `analyse`; those that are not finite are missing.

        Returns
        -------
        (N,) ndarray
        """
        before, ensemble = np.asarray(inflation, dtype=float), np.asarray(predicted, dtype=float)
        values, error = np.asarray(observed, dtype=float), np.asarray(variance, dtype=float)
        there = np.isfinite(values) & np.isfinite(error)
        safe = np.where(there, error, 1.0)
        departure = np.where(there, values - ensemble.mean(axis=2), 0.0)
        # A lone wild value must not open the gates for all others.
        square = np.minimum(departure**2 / safe, 9.0 * (1.0 + ensemble.var(axis=2, ddof=1) / safe))
        spread = np.where(there, ensemble.var(axis=2, ddof=1) / safe, 0.0).sum(axis=1)
        number = there.sum(axis=1)
        some = (number > 0) & (spread > 1e-12)
        wanted = np.where(some, (square.sum(axis=1) - number) / np.where(some, spread, 1.0), before)
        trust = np.where(some, spread / (spread + number + 1e-300), 0.0) / self.memory
        return np.clip(before + trust * (np.clip(wanted, 0.0, 10.0) - before), self.lowest, self.highest)


def relaxed_spread(prior: ArrayLike, posterior: ArrayLike, share: ArrayLike) -> Array:
    """Return the spread of analysed members with a part of what the analysis took given back.

    Parameters
    ----------
    prior, posterior : (N, n, m) arrays
    share : float or (N, 1) array
        0 keeps the analysis, 1 the spread of the prior.

    Returns
    -------
    (N, n) ndarray
        Standard deviations.
    """
    before = np.asarray(prior, dtype=float).std(axis=2, ddof=1)
    after = np.asarray(posterior, dtype=float).std(axis=2, ddof=1)
    return np.asarray(after + np.asarray(share, dtype=float) * (before - after))
