r"""What errors of sensors that last leave open: a floor under the spread of parameters.

A filter that takes the errors of its sensors for short ones averages them away, and becomes surer of its parameters
than any number of readings can make it. With lasting errors of covariance B, all readings together tell about
parameters :math:`\theta` what one look at the sensors does,

.. math::
    P_c = \left[P_0^{-1} + H^T B^{-1} H\right]^{-1}, \qquad H = \partial y / \partial \theta ,

the part of the covariance that a Schmidt-Kalman ("consider") filter keeps [1]_. H is taken from the ensemble, by
regression of what the members predict, their sensor errors left out, on their parameters, and the information is
averaged over the looks of an orbit.

References
----------
.. [1] S. F. Schmidt, "Application of state-space methods to navigation problems", Advances in Control Systems 3
   (1966) 293-340; A. H. Jazwinski, "Stochastic Processes and Filtering Theory", Academic Press, 1970, section 8.4.
.. [2] R. Kulhavy and M. B. Zarrop, "On a general concept of forgetting", Int. J. Control 58 (1993) 905-924.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def sensitivity(parameters: ArrayLike, predicted: ArrayLike) -> Array:
    """Return the regression of predicted observations on parameters.

    Parameters
    ----------
    parameters : (N, k, m) array
    predicted : (N, p, m) array
        Without the errors of the sensors.

    Returns
    -------
    (N, p, k) ndarray
    """
    theta, y = np.asarray(parameters, dtype=float), np.asarray(predicted, dtype=float)
    theta = theta - theta.mean(axis=2, keepdims=True)
    size = np.maximum(np.linalg.norm(theta, axis=2, keepdims=True), 1e-300)
    unit = theta / size
    gram = unit @ unit.transpose(0, 2, 1)
    diagonal = np.arange(gram.shape[1])
    gram[:, diagonal, diagonal] += 1e-6  # parameters that move together share what they explain
    slope = np.linalg.solve(gram, unit @ (y - y.mean(axis=2, keepdims=True)).transpose(0, 2, 1))
    return np.asarray((slope / size).transpose(0, 2, 1))


@dataclass
class LastingErrors:
    """Information on the parameters of N modules that lasting errors of their sensors leave, a running mean.

    Attributes
    ----------
    count, parameters : int
        N and k.
    memory : float
        Analyses over which is averaged.
    information : (N, k, k) array
        Mean of :math:`H^T B^{-1} H`.
    weight : (N,) array
        Analyses in the mean.
    """

    count: int
    parameters: int
    memory: float
    information: Array = field(init=False)
    weight: Array = field(init=False)

    def __post_init__(self) -> None:
        self.information = np.zeros((self.count, self.parameters, self.parameters))
        self.weight = np.zeros(self.count)

    def add(self, slope: ArrayLike, variance: ArrayLike) -> None:
        """Take in one look.

        Parameters
        ----------
        slope : (N, p, k) array
            Change of the observations with the parameters, see `sensitivity`.
        variance : (N, p) array
            Of the lasting errors; not finite where nothing was seen.
        """
        error, change = np.asarray(variance, dtype=float), np.asarray(slope, dtype=float)
        there = np.isfinite(error)
        precision = np.where(there, 1.0 / np.where(there, error, 1.0), 0.0)
        look = change.transpose(0, 2, 1) @ (precision[:, :, None] * change)
        seen = there.any(axis=1)
        self.weight = np.where(seen, np.minimum(self.weight + 1.0, self.memory), self.weight)
        share = np.where(seen, 1.0 / np.maximum(self.weight, 1.0), 0.0)
        self.information += share[:, None, None] * (look - self.information)

    def covariance(self, prior: ArrayLike, looks: float = 1.0) -> Array:
        """Return the covariance of the parameters that remains, (N, k, k).

        Parameters
        ----------
        prior : (k,) array
            Standard deviations before.
        looks : float
            Looks that tell different things: their information adds up, as the errors are no longer all that differs.
        """
        before = np.asarray(prior, dtype=float)
        # In units of the prior the matrix is well scaled.
        scaled = looks * before[:, None] * self.information * before
        diagonal = np.arange(before.size)
        scaled[:, diagonal, diagonal] += 1.0
        return np.asarray(before[:, None] * np.linalg.inv(scaled) * before)

    def spread(self, prior: ArrayLike, looks: float = 1.0) -> Array:
        """Return the standard deviations that remain, (N, k); parameters as `covariance`."""
        return np.asarray(np.sqrt(np.diagonal(self.covariance(prior, looks), axis1=1, axis2=2)))


def restore_spread(
    analysed: ArrayLike, wanted: ArrayLike, prior_mean: ArrayLike, prior_spread: ArrayLike
) -> Array:
    r"""Widen analysed members, and give back what the prior knows of parameters that hardly show.

    Widening from :math:`\sigma_a` to :math:`\sigma` forgets the share :math:`1 - \sigma_a^2/\sigma^2` of all that was
    known, the prior with it; a parameter that its sensors hardly show would then wander without bounds. As in
    stabilised forgetting [2]_ the mean goes back towards the prior by that share, times
    :math:`(\sigma/\sigma_0)^4`: a parameter that shows well, and may have changed for good, is not held back.

    Parameters
    ----------
    analysed : (N, k, m) array
    wanted : (N, k) array
        Standard deviations; smaller ones than the members have change nothing.
    prior_mean, prior_spread : (k,) arrays
    """
    members, sigma = np.asarray(analysed, dtype=float), np.asarray(prior_spread, dtype=float)
    mean, spread = members.mean(axis=2), np.maximum(members.std(axis=2, ddof=1), 1e-12)
    factor = np.maximum(np.asarray(wanted, dtype=float) / spread, 1.0)
    hidden = np.minimum(factor * spread / np.maximum(sigma, 1e-12), 1.0) ** 4
    back = (1.0 - factor**-2) * hidden * (mean - np.asarray(prior_mean, dtype=float))
    return np.asarray((mean - back)[:, :, None] + factor[:, :, None] * (members - mean[:, :, None]))
