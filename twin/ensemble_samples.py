"""What differs between the samples of a study, and when they fly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.environment import EnvironmentSet
from twin.environment_track import FaceFluxes, TickEnvironment
from twin.module_variation import ModuleVariation

Array = NDArray[np.float64]

FLUXES = ("direct", "albedo", "infrared", "incidence_cosine")
"""Fluxes of `FaceFluxes` that depend on the environment set."""


@dataclass(frozen=True)
class Samples:
    """What differs between samples: factors on the design unless said otherwise, each a number or one per sample.

    Attributes
    ----------
    radiator_area : area of the radiator
    emissivity, absorptance : of its faces
    mass_flow : flow of the coolant
    plate_conductance : cold plates to coolant
    card_resistance : junction to plate
    card_power : electrical power of the cards at the same work
    activity : activity of the jobs (never above 1)
    array_power : solar cells
    battery_capacity : remaining share of the battery
    solar_flux, albedo, earth_infrared : environment
    supply_temperature : set point of the coolant, as a difference [K]
    pointing : angle by which the front of the radiator leans towards the Sun [rad]
    age : of the modules [s]; that of the case where it is not a number
    """

    radiator_area: ArrayLike = 1.0
    emissivity: ArrayLike = 1.0
    absorptance: ArrayLike = 1.0
    mass_flow: ArrayLike = 1.0
    plate_conductance: ArrayLike = 1.0
    card_resistance: ArrayLike = 1.0
    card_power: ArrayLike = 1.0
    activity: ArrayLike = 1.0
    array_power: ArrayLike = 1.0
    battery_capacity: ArrayLike = 1.0
    solar_flux: ArrayLike = 1.0
    albedo: ArrayLike = 1.0
    earth_infrared: ArrayLike = 1.0
    supply_temperature: ArrayLike = 0.0
    pointing: ArrayLike = 0.0
    age: ArrayLike = np.nan

    def of(self, name: str, count: int) -> Array:
        """Return a value for each of `count` samples."""
        return np.broadcast_to(np.asarray(getattr(self, name), dtype=float), (count,)).copy()

    def take(self, places: NDArray[np.int64] | slice, count: int) -> Samples:
        """Return some of the samples."""
        return Samples(**{f.name: self.of(f.name, count)[places] for f in fields(self)})


@dataclass(frozen=True)
class DesignOrbit:
    """When the samples fly: orbits of interest, one for all samples or one each.

    Attributes
    ----------
    starts : tuple of datetime
        Start of the orbit that counts, of each environment.
    environments : tuple of EnvironmentSet
        One for each start.
    of_sample : (sample,) int array or int
        Environment of each sample.
    load_time : (sample,) array or float
        Time of the load at the start, in seconds since the start of the case's run [s].
    step, card_step : float
        Longest tick, and longest sub-step of the cards [s].
    """

    starts: tuple[datetime, ...]
    environments: tuple[EnvironmentSet, ...]
    of_sample: ArrayLike = 0
    load_time: ArrayLike = 0.0
    step: float = 30.0
    card_step: float = 1.0


def module_variation(samples: Samples, count: int) -> ModuleVariation:
    """Return how the modules of samples differ from the design; `card_power` is the fleet's to apply."""
    names = [f.name for f in fields(ModuleVariation) if f.name not in ("card_power", "array_power")]
    # Cells give power in proportion to the sunlight.
    array_power = samples.of("array_power", count) * samples.of("solar_flux", count)
    return ModuleVariation(array_power=array_power, **{name: samples.of(name, count) for name in names})


def mixed_ticks(
    parts: Mapping[EnvironmentSet, tuple[TickEnvironment, ...]], environments: Sequence[EnvironmentSet]
) -> tuple[TickEnvironment, ...]:
    """Ticks in which every orbit has an environment set of its own; contacts do not depend on it."""

    def pick(each: Mapping[EnvironmentSet, FaceFluxes]) -> FaceFluxes:
        first = next(iter(each.values()))
        names = [*FLUXES, *(["cell_flux"] if first.cell_flux is not None else [])]
        rows: dict[str, Any] = {
            name: np.stack([getattr(each[e], name)[i] for i, e in enumerate(environments)]) for name in names
        }
        return replace(first, **rows)

    mixed = []
    for ticks in zip(*parts.values(), strict=True):
        by_set = dict(zip(parts, ticks))
        faces = tuple(
            pick({e: tick.faces[g] for e, tick in by_set.items()}) for g in range(len(ticks[0].faces))
        )
        sun = pick({e: tick.sun_plate for e, tick in by_set.items()})
        mixed.append(replace(ticks[0], faces=faces, sun_plate=sun))
    return tuple(mixed)
