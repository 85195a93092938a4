r"""Ensemble transform Kalman filter with the symmetric square root, for many independent local analyses at once.

With anomalies :math:`X' = X - \bar x` and predicted observations :math:`Y'`, m members, the analysis is

.. math::
    \tilde P = \left[\tfrac{m-1}{\rho} I + Y'^T R^{-1} Y'\right]^{-1}, \qquad
    \bar w = \tilde P Y'^T R^{-1} (y - \bar y), \qquad
    W = \left[(m-1) \tilde P\right]^{1/2}, \qquad
    X_a = \bar x + X' (\bar w + W)

[1]_, [2]_. The symmetric root keeps the mean and stays closest to the identity, so that members go on as physical
states. Each local analysis sees only its own observations, which is the localisation.

References
----------
.. [1] C. H. Bishop, B. J. Etherton and S. J. Majumdar, Mon. Wea. Rev. 129 (2001) 420-436.
.. [2] B. R. Hunt, E. J. Kostelich and I. Szunyogh, Physica D 230 (2007) 112-126, sections 2.3 and 4.
.. [3] P. Sakov, G. Evensen and L. Bertino, Tellus A 62 (2010) 24-29: observations at other times than the analysis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Analysis:
    """Weights of the members in the analysed ensemble.

    Attributes
    ----------
    weights : (N, m, m) array
        Column j gives analysed member j as the mean plus a combination of the prior anomalies.
    """

    weights: Array


def analyse(
    predicted: ArrayLike, observed: ArrayLike, variance: ArrayLike, inflation: ArrayLike = 1.0
) -> Analysis:
    """Analyse N independent ensembles.

    Observations may belong to earlier times than the states that the weights are applied to, as long as `predicted`
    holds what the same members gave at those times.

    Parameters
    ----------
    predicted : (N, p, m) array
        Observations that the members predict.
    observed : (N, p) array
        Observed values; one that is not finite is missing.
    variance : (N, p) array
        Of the observation errors, which are uncorrelated; infinite counts as missing.
    inflation : float or (N,) array
        Factor on the prior covariance, 1 or more.

    Raises
    ------
    ValueError
        If shapes do not fit, a variance is not positive, or there is only one member.
    """
    ensemble = np.asarray(predicted, dtype=float)
    if ensemble.ndim != 3 or ensemble.shape[2] < 2:
        raise ValueError(
            f"predicted: shape {ensemble.shape}, expected (analysis, observation, member) with 2 members or more"
        )
    count, observations, members = ensemble.shape
    values, error = (np.asarray(v, dtype=float) for v in (observed, variance))
    for name, array in (("observed", values), ("variance", error)):
        if array.shape != (count, observations):
            raise ValueError(f"{name}: shape {array.shape}, expected {(count, observations)}")
    factor = np.broadcast_to(np.asarray(inflation, dtype=float), (count,))
    there = np.isfinite(values) & np.isfinite(error)
    if np.any(there & ~(error > 0.0)):
        raise ValueError("variance: expected values above 0 (infinite or NaN for a missing observation)")
    mean = ensemble.mean(axis=2)
    precision = np.where(there, 1.0 / np.where(there, error, 1.0), 0.0)
    anomaly = ensemble - mean[:, :, None]
    weighted = anomaly.transpose(0, 2, 1) * precision[:, None, :]
    departure = np.where(there, values - mean, 0.0)
    matrix = weighted @ anomaly
    diagonal = np.arange(members)
    matrix[:, diagonal, diagonal] += ((members - 1) / factor)[:, None]
    eigenvalue, vector = np.linalg.eigh(matrix)
    turned = vector.transpose(0, 2, 1)
    mean_weight = vector @ ((turned @ (weighted @ departure[:, :, None])) / eigenvalue[:, :, None])
    root = vector @ (np.sqrt((members - 1) / eigenvalue)[:, :, None] * turned)
    return Analysis(root + mean_weight)


def transform(states: ArrayLike, analysis: Analysis) -> Array:
    """Return analysed members.

    Parameters
    ----------
    states : (N, n, m) array
        States, parameters, or predicted observations of earlier times, of the prior members.
    analysis : Analysis

    Returns
    -------
    (N, n, m) ndarray
    """
    values = np.asarray(states, dtype=float)
    mean = values.mean(axis=2, keepdims=True)
    return np.asarray(mean + (values - mean) @ analysis.weights)
