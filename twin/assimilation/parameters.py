"""Parameters with bounds, as the unbounded numbers that a Kalman filter wants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BoundedParameters:
    r"""Parameters between bounds; the filter sees the scaled logit :math:`s\,\ln\frac{x-a}{b-x}`.

    The scale :math:`s = (x_0-a)(b-x_0)/(b-a)` makes small changes about the nominal value x₀ as large in the free
    number as in the parameter itself.

    Attributes
    ----------
    names : tuple of str
    nominal, lowest, highest : (k,) arrays
        The nominal value lies strictly between the bounds.
    spread : (k,) array
        Standard deviation of the prior.
    drift : (k,) array
        Standard deviation of the random walk in a day; what degrades must not be held for constant.

    Raises
    ------
    ValueError
        Names the parameter whose bounds do not enclose its nominal value, or whose spread is negative.
    """

    names: tuple[str, ...]
    nominal: Array
    lowest: Array
    highest: Array
    spread: Array
    drift: Array

    def __post_init__(self) -> None:
        for field_name in ("nominal", "lowest", "highest", "spread", "drift"):
            values = np.asarray(getattr(self, field_name), dtype=float)
            if values.shape != (len(self.names),):
                raise ValueError(f"{field_name}: shape {values.shape}, expected ({len(self.names)},)")
            object.__setattr__(self, field_name, values)
        for k, name in enumerate(self.names):
            low, x, high = self.lowest[k], self.nominal[k], self.highest[k]
            if not low < x < high:
                raise ValueError(
                    f"parameter {name}: nominal value {x:g}, expected between {low:g} and {high:g}"
                )
            if not (self.spread[k] >= 0.0 and self.drift[k] >= 0.0):
                raise ValueError(f"parameter {name}: negative spread or drift; expected 0 or more")

    @property
    def scale(self) -> Array:
        """Factor of the logit, (k,)."""
        return (self.nominal - self.lowest) * (self.highest - self.nominal) / (self.highest - self.lowest)

    def index(self, name: str) -> int:
        """Place of a parameter."""
        return self.names.index(name)

    def free(self, values: ArrayLike) -> Array:
        """Return the free numbers of parameters, shape (N, k, m); values on a bound are moved just inside."""
        x = np.asarray(values, dtype=float)
        low, high = self.lowest[:, None], self.highest[:, None]
        room = 1e-6 * (high - low)
        x = np.clip(x, low + room, high - room)
        return np.asarray(self.scale[:, None] * np.log((x - low) / (high - x)))

    def values(self, free: ArrayLike) -> Array:
        """Return the parameters of free numbers, shape (N, k, m)."""
        from scipy.special import expit

        low, high = self.lowest[:, None], self.highest[:, None]
        # Beyond 20 the logistic function is on its bound to rounding.
        share = expit(np.clip(np.asarray(free, dtype=float) / self.scale[:, None], -20.0, 20.0))
        return np.asarray(low + (high - low) * share)

    def draw(self, count: int, members: int, random: np.random.Generator) -> Array:
        """Return free numbers of N prior ensembles, (N, k, m): exact mean and spread, independent directions.

        Drawn around the nominal values; second-order exact where members allow.
        """
        return self.free(np.broadcast_to(self.nominal[:, None], (count, len(self.names), members))) + (
            self.spread[:, None] * centred_normals((count, len(self.names), members), random)
        )

    def walk(self, free: ArrayLike, span: float) -> Array:
        """Return the free numbers after a random walk of a time span [s]: spreads grow, means and correlations stay.

        Parameters
        ----------
        free : (N, k, m) array
        span : float
            [s].
        """
        values = np.asarray(free, dtype=float)
        mean, spread = values.mean(axis=2, keepdims=True), values.std(axis=2, ddof=1, keepdims=True)
        step = self.drift[:, None] * np.sqrt(span / 86400.0)
        return np.asarray(mean + np.hypot(1.0, step / np.maximum(spread, 1e-12)) * (values - mean))


def centred_normals(
    shape: tuple[int, int, int], random: np.random.Generator, apart_from: Array | None = None
) -> Array:
    """Return normal numbers (N, k, m) whose mean over members is 0 and whose covariance over them is the identity.

    Chance correlations would be taken for knowledge: with few members they make spreads collapse.

    Parameters
    ----------
    shape : (int, int, int)
        N, k, m. With fewer than k + 1 members (and those that `apart_from` takes) only the variances are exact.
    random : numpy.random.Generator
    apart_from : (N, j, m) array, optional
        Rows that the numbers shall not be correlated with.
    """
    _, rows, members = shape
    draws = random.standard_normal(shape)
    draws -= draws.mean(axis=2, keepdims=True)
    taken = 0
    if apart_from is not None:
        anomaly = apart_from - apart_from.mean(axis=2, keepdims=True)
        basis = _orthonormal(anomaly)
        draws = draws - (draws @ basis.transpose(0, 2, 1)) @ basis
        taken = basis.shape[1]
    if rows + taken < members:
        return np.asarray(np.sqrt(members - 1) * _orthonormal(draws))
    return np.asarray(draws / draws.std(axis=2, ddof=1, keepdims=True))


def _orthonormal(rows: Array) -> Array:
    """Return rows (N, k, m) made orthonormal one after the other (Gram-Schmidt by Cholesky, twice for rounding)."""
    scaled = rows / np.maximum(np.linalg.norm(rows, axis=2, keepdims=True), 1e-300)
    for _ in range(2):
        gram = scaled @ scaled.transpose(0, 2, 1)
        diagonal = np.arange(gram.shape[1])
        gram[:, diagonal, diagonal] += 1e-12  # rows that depend on each other span less, and do no harm
        scaled = np.linalg.solve(np.linalg.cholesky(gram), scaled)
    return np.asarray(scaled)
