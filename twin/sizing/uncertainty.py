"""Samples of what is not known: low-discrepancy points through the distributions of a case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from twin import component_models
from twin.case import Case
from twin.case.sizing import Distribution
from twin.ensemble import Samples
from twin.errors import BadInput

Array = NDArray[np.float64]
Method = Literal["sobol", "lhs"]

__all__ = ["Method", "check_bounds", "draw", "quantile_of", "samples_of"]


def quantile_of(distribution: Distribution, probability: Array) -> Array:
    """Return the values at probabilities of a distribution cut off at its ends.

    Parameters
    ----------
    distribution : Distribution
    probability : array
        In (0, 1).
    """
    d = distribution
    low, high = d.ends
    if d.shape == "uniform":
        return np.asarray(low + (high - low) * probability)
    if d.shape == "triangular":
        return np.asarray(stats.triang.ppf(probability, (d.mean - low) / (high - low), low, high - low))
    centre = np.log(d.mean) if d.shape == "lognormal" else d.mean
    ends = np.log([low, high]) if d.shape == "lognormal" else np.array([low, high])
    a, b = (ends - centre) / d.deviation
    values = stats.truncnorm.ppf(probability, a, b, centre, d.deviation)
    return np.asarray(np.exp(values) if d.shape == "lognormal" else values)


def draw(
    variables: Mapping[str, Distribution], count: int, seed: int, method: Method = "sobol"
) -> dict[str, Array]:
    """Return samples of variables, arrays (count,).

    Parameters
    ----------
    variables : mapping of name to Distribution
    count : int
    seed : int
    method : {"sobol", "lhs"}
        Scrambled Sobol points or a Latin hypercube (scipy.stats.qmc).
    """
    if not variables or count < 1:
        return {}
    if method == "sobol":
        # Balanced in powers of two: the first `count` points of the next one.
        points = stats.qmc.Sobol(len(variables), rng=seed).random_base2(int(np.ceil(np.log2(max(count, 2)))))
        points = points[:count]
    else:
        points = stats.qmc.LatinHypercube(len(variables), rng=seed).random(count)
    points = np.clip(points, 1e-9, 1.0 - 1e-9)
    return {name: quantile_of(d, points[:, i]) for i, (name, d) in enumerate(variables.items())}


def samples_of(draws: Mapping[str, Array], **fixed: float) -> Samples:
    """Return samples of an ensemble from draws, with values that all share."""
    return Samples(**dict(draws), **fixed)


def check_bounds(case: Case) -> None:
    """Refuse distributions that leave what is physical for the surfaces of a case.

    Raises
    ------
    BadInput
        Names the key, the value that would be reached, and what to change.
    """
    variables = case.sizing.uncertainty.variables
    ages = case.sizing.ages
    for name, number in (("absorptance", 0), ("emissivity", 1)):
        if name not in variables:
            continue
        high = variables[name].ends[1]
        for class_name, design in case.module_classes.items():
            reached = high * max(
                component_models.coating_at(design.radiator.coating, a)[number] for a in ages
            )
            if reached > 1.0:
                raise BadInput(
                    f"{case.path or case.name}: sizing.uncertainty.{name}: reaches a factor of {high:g}, which makes "
                    f"the {name} of the radiator of {class_name} {reached:.3g}; expected at most 1 (set high below "
                    f"{high / reached:.4g})"
                )
