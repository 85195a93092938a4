r"""Whether innovations are as large as the filter says they should be, and which sensor is to blame if not.

The normalised innovation squared :math:`d^T S^{-1} d`, :math:`S = HPH^T + R`, of p observations is
chi-square distributed with p degrees of freedom while model, noise and spread are right [1]_. Leaving out sensor i
lowers it by :math:`(S^{-1}d)_i^2 / (S^{-1})_{ii}`, the square of the departure of that sensor from what all the
others say, in its own standard deviations: large for one sensor only means that the sensor lies, while a plant that
changed cannot be explained by leaving out any single one.

References
----------
.. [1] Y. Bar-Shalom, X. R. Li and T. Kirubarajan, "Estimation with Applications to Tracking and Navigation",
   Wiley, 2001, section 5.4.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Innovation:
    """Innovations of N local analyses with p observations, in standard deviations.

    Attributes
    ----------
    departure : (N, p) array
        Observed less predicted mean, in the unit of the observation; NaN where missing.
    scaled : (N, p) array
        Over its own standard deviation √Sᵢᵢ; NaN where missing.
    against_others : (N, p) array
        Departure from what all other observations of the analysis say, over its standard deviation; NaN where missing.
    total : (N,) array
        Normalised innovation squared.
    number : (N,) int array
        Observations in it.
    """

    departure: Array
    scaled: Array
    against_others: Array
    total: Array
    number: NDArray[np.int64]

    def without_worst(self) -> Array:
        """Normalised innovation squared when the sensor that departs most from the others is left out, (N,)."""
        worst = np.nanmax(np.where(np.isnan(self.against_others), 0.0, self.against_others**2), axis=1)
        return np.maximum(self.total - worst, 0.0)


def innovation_statistics(
    predicted: ArrayLike, observed: ArrayLike, variance: ArrayLike, inflation: ArrayLike = 1.0
) -> Innovation:
    """Return the innovations of N local analyses; parameters as `twin.assimilation.analyse`."""
    ensemble = np.asarray(predicted, dtype=float)
    values, error = np.asarray(observed, dtype=float), np.asarray(variance, dtype=float)
    count, observations, members = ensemble.shape
    there = np.isfinite(values) & np.isfinite(error)
    mean = ensemble.mean(axis=2)
    # In units of the observation error the matrix is well scaled; a missing one is a row of the identity.
    deviation = np.sqrt(np.where(there, error, 1.0))
    factor = np.sqrt(np.broadcast_to(np.asarray(inflation, dtype=float), (count,)))
    anomaly = (ensemble - mean[:, :, None]) * (factor[:, None] * there / deviation)[:, :, None]
    matrix = anomaly @ anomaly.transpose(0, 2, 1) / (members - 1)
    diagonal = np.arange(observations)
    matrix[:, diagonal, diagonal] += 1.0
    departure = np.where(there, values - mean, 0.0)
    units = departure / deviation
    inverse = np.linalg.inv(matrix)
    solved = (inverse @ units[:, :, None])[:, :, 0]
    own = inverse[:, diagonal, diagonal]
    gone = np.where(there, 1.0, np.nan)
    return Innovation(
        departure=departure * gone,
        scaled=gone * units / np.sqrt(matrix[:, diagonal, diagonal]),
        against_others=gone * solved / np.sqrt(own),
        total=np.sum(units * solved, axis=1),
        number=there.sum(axis=1),
    )


@dataclass
class ConsistencyMonitor:
    """Running test of the normalised innovations of N local analyses.

    Attributes
    ----------
    count : int
        Local analyses.
    memory : float
        Analyses over which is averaged.
    """

    count: int
    memory: float = 20.0
    weight: Array = field(init=False)
    total: Array = field(init=False)
    number: Array = field(init=False)
    square_weight: Array = field(init=False)

    def __post_init__(self) -> None:
        self.weight, self.total, self.number, self.square_weight = (np.zeros(self.count) for _ in range(4))

    def add(self, innovation: Innovation) -> None:
        """Take in the innovations of one analysis."""
        keep, seen = 1.0 - 1.0 / self.memory, innovation.number > 0
        self.weight = np.where(seen, keep * self.weight + 1.0, self.weight)
        self.square_weight = np.where(seen, keep**2 * self.square_weight + 1.0, self.square_weight)
        self.total = np.where(seen, keep * self.total + innovation.total, self.total)
        self.number = np.where(seen, keep * self.number + innovation.number, self.number)

    @property
    def ratio(self) -> Array:
        """Mean normalised innovation squared per observation, (N,): 1 when consistent; NaN without any."""
        return np.divide(self.total, self.number, out=np.full(self.count, np.nan), where=self.number > 0.0)

    def probability(self) -> Array:
        """Chance of innovations as large as these from a consistent filter, (N,).

        A weighted sum of chi-square numbers is taken as a scaled chi-square of equal mean and variance.
        """
        from scipy.stats import chi2

        seen = self.number > 0.0
        # Weights w of analyses with n observations each: mean n Σw, variance 2 n Σw².
        per = np.divide(self.number, self.weight, out=np.ones(self.count), where=seen)
        scale = np.divide(self.square_weight, self.weight, out=np.ones(self.count), where=seen)
        freedom = per * np.divide(self.weight, scale, out=np.ones(self.count), where=seen)
        return np.where(seen, chi2.sf(self.total / scale, np.maximum(freedom, 1e-9)), np.nan)
