"""Power converters: losses that depend on load, and their inverse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

type Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ConverterParameters:
    r"""Converter whose loss is a parabola in its output.

    .. math:: \frac{P_{loss}}{P_r} = a + b\,x + c\,x^2, \qquad x = \frac{P_{out}}{P_r}

    The constant is drive, control and core loss, the linear term conduction in junctions and switching, the
    quadratic one resistance [1]_. A converter that carries nothing is switched off and loses nothing.

    Attributes
    ----------
    rated_power : float or ndarray, shape (N,)
        P_r, W. Not a limit.
    fixed, linear, quadratic : float
        a, b, c; at least 0.

    Raises
    ------
    ValueError
        If a number is out of range.

    References
    ----------
    .. [1] R. W. Erickson and D. Maksimović, "Fundamentals of Power Electronics", 3rd ed., Springer, 2020, ch.
    3 and 4.
    """

    rated_power: float | Array
    fixed: float = 0.0
    linear: float = 0.0
    quadratic: float = 0.0

    def __post_init__(self) -> None:
        rated = np.asarray(self.rated_power, dtype=float)
        if not np.all(np.isfinite(rated) & (rated > 0.0)):
            raise ValueError(
                f"ConverterParameters.rated_power: {self.rated_power!r}, expected a positive power (W)"
            )
        for name in ("fixed", "linear", "quadratic"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0.0):
                raise ValueError(
                    f"ConverterParameters.{name}: {value!r}, expected a share of rated power not below 0"
                )

    @classmethod
    def from_efficiency(
        cls,
        rated_power: float | Array,
        load_fractions: npt.ArrayLike,
        efficiencies: npt.ArrayLike,
    ) -> Self:
        """Fit a converter to points of an efficiency curve (non-negative least squares on the loss).

        One point gives a constant efficiency; with two or more the curve bends as the points say.

        Parameters
        ----------
        rated_power : float or ndarray, shape (N,)
            W.
        load_fractions : array_like, shape (K,)
            Output over rated power, positive.
        efficiencies : array_like, shape (K,)
            Output over input, in (0, 1].

        Raises
        ------
        ValueError
            If the points are not an efficiency curve.
        """
        load = np.atleast_1d(np.asarray(load_fractions, dtype=float))
        efficiency = np.atleast_1d(np.asarray(efficiencies, dtype=float))
        if load.shape != efficiency.shape or load.ndim != 1 or load.size == 0 or not np.all(load > 0.0):
            raise ValueError(
                f"load_fractions: {load_fractions!r}, "
                f"expected {efficiency.size} positive fractions, one per efficiency"
            )
        if not np.all((efficiency > 0.0) & (efficiency <= 1.0)):
            raise ValueError(f"efficiencies: {efficiencies!r}, expected fractions in (0, 1]")
        relative_loss = 1.0 / efficiency - 1.0
        if load.size == 1:
            return cls(rated_power, 0.0, float(relative_loss[0]), 0.0)
        # Loss per output, so that every point of the curve weighs alike.
        terms = np.column_stack([1.0 / load, np.ones_like(load), load])
        fixed, linear, quadratic = nnls(terms, relative_loss)[0]
        return cls(rated_power, float(fixed), float(linear), float(quadratic))

    def input_for(self, output: Array) -> Array:
        """Return the input that an output needs, W; zero for zero."""
        wanted = np.maximum(output, 0.0)
        fraction = wanted / self.rated_power
        loss = self.rated_power * (self.fixed + fraction * (self.linear + self.quadratic * fraction))
        return np.where(wanted > 0.0, wanted + loss, 0.0)

    def output_for(self, power_in: Array) -> Array:
        """Return the output that an input gives, W; zero where the input does not cover the fixed loss."""
        given = np.maximum(power_in, 0.0)
        fraction = np.maximum(given / self.rated_power - self.fixed, 0.0)
        slope = 1.0 + self.linear
        # Root of c·x² + (1+b)·x = y written without a difference of nearly equal numbers, nor overflow for
        # huge y.
        root = np.hypot(slope, 2.0 * np.sqrt(self.quadratic) * np.sqrt(fraction))
        return np.minimum(self.rated_power * (2.0 * fraction / (slope + root)), given)


LOSSLESS = ConverterParameters(rated_power=1.0)
"""A wire."""
