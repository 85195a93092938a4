"""The requirement as numbers, and by how much a design orbit missed it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.case.sizing import Requirement
from twin.ensemble import Ensemble, OrbitOutcome

Array = NDArray[np.float64]

__all__ = ["CONSTRAINTS", "Excess", "Limits", "limits_of"]

CONSTRAINTS = ("junction temperature", "throttled card-hours", "boiling of the coolant")
"""What may decide on the area."""

TEMPERATURE_SCALE = 10.0
"""Kelvin that are an excess of 1."""

THROTTLED_SCALE = 0.1
"""Share of the card-hours of a job that is an excess of 1: with it both change alike with the area."""

BELOW_TARGET = 2.0
"""Default limit of the junction: this far below the temperature at which the card lowers its clock [K]."""

LOST = 5.0
"""Excess of a sample whose coolant left the range of the model."""


@dataclass(frozen=True)
class Limits:
    """What every sample must keep.

    Attributes
    ----------
    junction : (sample,) array or one value
        Highest of the junction temperature that 1 % of the cards exceed [K].
    throttled : (job,) array
        Largest share of card-hours held back by temperature.
    coolant : (sample,) array or one value
        Highest coolant temperature [K].
    target : (kind,) array
        Junction temperature at which cards lower their clock [K].
    """

    junction: Array
    throttled: Array
    coolant: Array
    target: Array

    def take(self, places: NDArray[np.int64], count: int) -> Limits:
        """Return the limits of some of `count` samples."""
        junction, coolant = (np.broadcast_to(v, (count,))[places] for v in (self.junction, self.coolant))
        return replace(self, junction=junction, coolant=coolant)


@dataclass(frozen=True, eq=False)
class Excess:
    """By how much the requirement is missed, arrays (sample,); 0 or less where it is met.

    Attributes
    ----------
    value : array
        Largest of all constraints.
    each : (constraint, sample) array
    """

    value: Array
    each: Array

    def binding(self, sample: int) -> str:
        """Name of the constraint that decides."""
        return CONSTRAINTS[int(np.argmax(self.each[:, sample]))]


def limits_of(requirement: Requirement, ensemble: Ensemble, temperature_margin: ArrayLike = 0.0) -> Limits:
    """Return the limits of a requirement, lowered by a margin on temperatures [K]."""
    margin = np.asarray(temperature_margin, dtype=float)
    junction = requirement.junction_temperature
    if junction is None:
        junction = min(group.card.target_temperature for group in ensemble.groups) - BELOW_TARGET
    boiling = min(thermal.panel.liquid_range[1] for thermal in ensemble.thermals)
    by_kind = requirement.throttled_fraction_by_kind
    kinds = [spec.kind for spec in ensemble.case.workload.jobs]
    throttled = np.array([by_kind.get(kind, requirement.throttled_fraction) for kind in kinds])
    return Limits(
        np.asarray(junction - margin),
        throttled,
        np.asarray(boiling - requirement.boiling_margin - margin),
        np.array([group.card.target_temperature for group in ensemble.groups]),
    )


def excess_of(outcome: OrbitOutcome, limits: Limits) -> Excess:
    """Return by how much samples miss their limits."""
    kelvin = [
        (outcome.junction_p99.max(axis=1) - limits.junction) / TEMPERATURE_SCALE,
        (outcome.return_max.max(axis=1) - limits.coolant) / TEMPERATURE_SCALE,
    ]
    held: Array = (
        np.max(outcome.throttled_job - limits.throttled, axis=1)
        if limits.throttled.size
        else np.full(len(kelvin[0]), -1.0)
    )
    lost = outcome.lost.any(axis=1)
    each = np.stack([kelvin[0], held, kelvin[1]])
    # Where no card is held back, the hottest one says how far away that is.
    below = np.max((outcome.junction_max - limits.target) / TEMPERATURE_SCALE, axis=1)
    each[1] = np.where(held > 0.0, held / THROTTLED_SCALE, np.minimum(below, 0.0))
    each[:2, lost], each[2, lost] = 0.0, LOST
    return Excess(each.max(axis=0), each)
