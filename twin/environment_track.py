"""What Sun and Earth do to every face of every module, tick by tick, with ticks that end on eclipse contacts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from twin.attitude import Orientation, face_normals
from twin.environment import EnvironmentSet, face_angles, incident_fluxes, tabulate_albedo
from twin.orbit import Orbit, OrbitStates
from twin.power_cap import EclipseOutlook
from twin.shadow import EclipseEvents, ShadowModel, beta_angle, eclipse_events, illuminated_fraction

Array = NDArray[np.float64]

CHUNK = 1024
"""Ticks whose environment is computed at once: bounds the memory of long runs."""

_GAUSS = 0.5 + np.array([-0.5, 0.5]) / np.sqrt(3.0)
"""Points of a tick, as fractions, at which fluxes are averaged: exact for cubics in time."""


@dataclass(frozen=True)
class FaceFluxes:
    """Mean incident fluxes on the faces of the modules of one group in a tick.

    Attributes
    ----------
    direct, albedo, infrared : (sub_center, face) arrays
        [W/m²].
    incidence_cosine : (sub_center, face) array
        Between face normal and Sun at the middle of the tick.
    """

    direct: Array
    albedo: Array
    infrared: Array
    incidence_cosine: Array

    @property
    def sunlight(self) -> Array:
        """Direct and reflected sunlight [W/m²]."""
        return self.direct + self.albedo


@dataclass(frozen=True)
class TickEnvironment:
    """The environment of one tick.

    Attributes
    ----------
    time, dt : float
        Start since the beginning of the run, and length [s].
    jump : bool
        Whether fluxes jump or kink at the start: first tick, or an eclipse contact of any sub-center.
    states : OrbitStates
        At the end of the tick, one per sub-center.
    illuminated_fraction, beta_angle : (sub_center,) arrays
        At the end of the tick: visible part of the Sun's disk [1], angle of the Sun above the orbit plane [rad].
    outlook : EclipseOutlook
        Per sub-center.
    faces : tuple of FaceFluxes
        One per group of orientations.
    nadir_plate, sun_plate : FaceFluxes
        On plates that face the Earth and the Sun, for the record.
    """

    time: float
    dt: float
    jump: bool
    states: OrbitStates
    illuminated_fraction: Array
    beta_angle: Array
    outlook: EclipseOutlook
    faces: tuple[FaceFluxes, ...]
    nadir_plate: FaceFluxes
    sun_plate: FaceFluxes


class EnvironmentTrack:
    """The environment of a run.

    Parameters
    ----------
    orbits : sequence of Orbit
        One per sub-center; time zero is their epoch.
    orientations : sequence of sequences
        Per group of modules, the orientation of each of its faces (see `twin.attitude`).
    environment : EnvironmentSet
    step : float
        Longest tick [s].
    shadow : {"conical", "cylindrical"}
    """

    def __init__(
        self,
        orbits: Sequence[Orbit],
        orientations: Sequence[Sequence[Orientation]],
        environment: EnvironmentSet,
        step: float,
        shadow: ShadowModel = "conical",
    ):
        self.orbits = tuple(orbits)
        self.groups = [tuple(group) for group in orientations]
        self._slices = np.cumsum([0, *(len(group) for group in self.groups)])
        faces = (o for group in self.groups for o in group)
        self._all: tuple[Orientation, ...] = (*faces, "nadir", "sun")
        self.environment = environment
        self.step = step
        self.shadow: ShadowModel = shadow
        self._contacts: Array = np.empty(0)

    def is_contact(self, time: float) -> bool:
        """Whether a time is an eclipse contact of any sub-center, in the span of the last :meth:`ticks`."""
        return bool(np.any(np.abs(self._contacts - time) < 1e-6))

    def ticks(self, start: float, stop: float) -> Iterator[TickEnvironment]:
        """Yield the environment of every tick from `start` to `stop` [s since the epoch]."""
        period = max(orbit.period for orbit in self.orbits)
        # Two orbits ahead, so that the last tick still knows the eclipse to come.
        events = [eclipse_events(o, start - period, stop + 2.0 * period, self.shadow) for o in self.orbits]
        tables = [tabulate_albedo(orbit, start, stop) for orbit in self.orbits]
        contacts = self._contacts = np.unique(np.concatenate([e.boundaries for e in events]))
        edges = tick_edges(start, stop, self.step, contacts)
        for first in range(0, len(edges) - 1, CHUNK):
            part = edges[first : first + CHUNK + 1]
            fluxes = [self._fluxes(orbit, table, part) for orbit, table in zip(self.orbits, tables)]
            ends = [orbit.propagate(part[1:]) for orbit in self.orbits]
            for i, (begin, end) in enumerate(pairwise(part)):
                states = _join([_one(track, i) for track in ends])
                values = [np.stack([f[k][i] for f in fluxes]) for k in range(4)]
                per_group = [
                    FaceFluxes(*(v[:, a:b] for v in values))
                    for a, b in zip(self._slices[:-1], self._slices[1:])
                ]
                jump = (first == 0 and i == 0) or self.is_contact(float(begin))
                yield TickEnvironment(
                    time=float(begin),
                    dt=float(end - begin),
                    jump=jump,
                    states=states,
                    illuminated_fraction=illuminated_fraction(
                        states.position, states.sun_direction, self.shadow, sun_distance=states.sun_distance
                    ),
                    beta_angle=beta_angle(states),
                    outlook=_outlook(events, float(begin)),
                    faces=tuple(per_group),
                    nadir_plate=FaceFluxes(*(v[:, -2:-1] for v in values)),
                    sun_plate=FaceFluxes(*(v[:, -1:] for v in values)),
                )

    def _fluxes(self, orbit: Orbit, table: object, edges: Array) -> tuple[Array, Array, Array, Array]:
        """Mean direct, albedo and infrared flux and mean incidence cosine per tick and face."""
        points = (edges[:-1, None] + np.diff(edges)[:, None] * _GAUSS).ravel()
        states = orbit.propagate(points)
        normals = face_normals(self._all, states)
        lit = illuminated_fraction(
            states.position, states.sun_direction, self.shadow, sun_distance=states.sun_distance
        )
        incident = incident_fluxes(states, normals, self.environment, lit, albedo_table=table)  # type: ignore[arg-type]
        cosine = face_angles(states, normals).incidence_cosine
        count = len(edges) - 1
        direct, albedo, infrared, cosine = (
            values.reshape(count, 2, -1).mean(axis=1)
            for values in (incident.solar, incident.albedo, incident.earth_infrared, cosine)
        )
        return direct, albedo, infrared, cosine


def tick_edges(start: float, stop: float, step: float, contacts: Array) -> Array:
    """Return tick boundaries: the regular grid and the contacts, without slivers.

    A contact replaces a grid point that is nearer than a hundredth of the step, so that no tick is absurdly short.

    Parameters
    ----------
    start, stop, step : float
        Span and longest tick [s].
    contacts : (k,) array
        Times that must be boundaries [s].
    """
    count = int(np.ceil((stop - start) / step - 1e-9))
    grid = start + step * np.arange(count)
    inside = contacts[(contacts > start) & (contacts < stop)]
    if inside.size:
        at = np.searchsorted(inside, grid)
        left = np.abs(grid - inside[np.clip(at - 1, 0, inside.size - 1)])
        right = np.abs(grid - inside[np.clip(at, 0, inside.size - 1)])
        near = np.minimum(left, right) < 0.01 * step
        near[0] = False
        grid = grid[~near]
    return np.unique(np.concatenate([grid, inside, [stop]]))


def _outlook(events: Sequence[EclipseEvents], now: float) -> EclipseOutlook:
    """Time to the present or next eclipse, and how long it (still) lasts, per sub-center."""
    ahead, length = np.full(len(events), np.inf), np.zeros(len(events))
    for i, e in enumerate(events):
        coming = np.flatnonzero(e.penumbra_exit > now + 1e-9)
        if coming.size:
            k = coming[0]
            ahead[i] = max(0.0, float(e.penumbra_entry[k]) - now)
            length[i] = float(e.penumbra_exit[k]) - max(now, float(e.penumbra_entry[k]))
    return EclipseOutlook(ahead, length)


def _one(states: OrbitStates, i: int) -> OrbitStates:
    part = slice(i, i + 1)
    return OrbitStates(*(getattr(states, f.name)[part] for f in fields(OrbitStates)))


def _join(parts: Sequence[OrbitStates]) -> OrbitStates:
    return OrbitStates(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(OrbitStates)))
