"""What Sun and Earth do to every face of every module, tick by tick, with ticks that end on eclipse contacts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, fields, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.attitude import Orientation, face_normals
from twin.environment import EnvironmentSet, face_angles, incident_fluxes, tabulate_albedo
from twin.module_view import PoseWeights, mean_poses
from twin.orbit import Orbit, OrbitStates
from twin.power_cap import EclipseOutlook
from twin.shadow import EclipseEvents, ShadowModel, beta_angle, eclipse_events, illuminated_fraction

if TYPE_CHECKING:
    from twin.module_view import ModuleView

Array = NDArray[np.float64]

CHUNK = 1024
"""Ticks whose environment is computed at once: bounds the memory of long runs."""

ARRAY_FRONT = 2
"""Place of the array's front among the faces of a module."""

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
    pose : PoseWeights or None
        How the parts of the modules stand to each other, per sub-center; None where they do not see each other.
    strings : (sub_center,) array or float
        Power of the solar arrays over that without shadow on them.
    cell_flux : (sub_center,) array or None
        On the cells in sunlight [W/m²]; None where no cell is in shadow.
    """

    direct: Array
    albedo: Array
    infrared: Array
    incidence_cosine: Array
    _: KW_ONLY
    pose: PoseWeights | None = None
    strings: Array | float = 1.0
    cell_flux: Array | None = None

    @property
    def array_flux(self) -> Array:
        """On the cells in sunlight, (sub_center,) [W/m²]."""
        return self.direct[:, ARRAY_FRONT] if self.cell_flux is None else self.cell_flux

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
    views : sequence of ModuleView or None, optional
        Per group, what its parts hide from each other; nothing if not given.
    """

    def __init__(
        self,
        orbits: Sequence[Orbit],
        orientations: Sequence[Sequence[Orientation]],
        environment: EnvironmentSet,
        step: float,
        shadow: ShadowModel = "conical",
        views: Sequence[ModuleView | None] = (),
    ):
        self.orbits = tuple(orbits)
        self.groups = [tuple(group) for group in orientations]
        self._slices = np.cumsum([0, *(len(group) for group in self.groups)])
        faces = (o for group in self.groups for o in group)
        self._all: tuple[Orientation, ...] = (*faces, "nadir", "sun")
        self.views = tuple(views) or (None,) * len(self.groups)
        self.environment = environment
        self.step = step
        self.shadow: ShadowModel = shadow
        self._contacts: Array = np.empty(0)

    def is_contact(self, time: float) -> bool:
        """Whether a time is an eclipse contact of any sub-center, in the span of the last :meth:`ticks`."""
        return bool(np.any(np.abs(self._contacts - time) < 1e-6))

    def ticks(self, start: float, stop: float, origin: float | None = None) -> Iterator[TickEnvironment]:
        """Yield the environment of every tick from `start` to `stop` [s since the epoch].

        With an `origin`, they are the same to the last bit as those of ``ticks(origin, stop)`` from there on: a run
        that is resumed sees what the undisturbed one saw.
        """
        origin = start if origin is None else origin
        period = max(orbit.period for orbit in self.orbits)
        # Two orbits ahead, so that the last tick still knows the eclipse to come.
        events = [eclipse_events(o, origin - period, stop + 2.0 * period, self.shadow) for o in self.orbits]
        tables = [tabulate_albedo(orbit, origin, stop) for orbit in self.orbits]
        contacts = self._contacts = np.unique(np.concatenate([e.boundaries for e in events]))
        edges = tick_edges(origin, stop, self.step, contacts)
        skipped = int(np.searchsorted(edges, start - 1e-6))
        for first in range(skipped // CHUNK * CHUNK, len(edges) - 1, CHUNK):
            part = edges[first : first + CHUNK + 1]
            fluxes, seen = zip(
                *(self._fluxes(orbit, table, part) for orbit, table in zip(self.orbits, tables))
            )
            ends = [orbit.propagate(part[1:]) for orbit in self.orbits]
            for i, (begin, end) in enumerate(pairwise(part)):
                if first + i < skipped:
                    continue
                states = _join([_one(track, i) for track in ends])
                values = [np.stack([f[k][i] for f in fluxes]) for k in range(4)]
                per_group = [
                    _with_view(FaceFluxes(*(v[:, a:b] for v in values)), [each[g] for each in seen], i)
                    for g, (a, b) in enumerate(pairwise(self._slices))
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

    def _fluxes(
        self, orbit: Orbit, table: object, edges: Array
    ) -> tuple[tuple[Array, Array, Array, Array], list[_Seen | None]]:
        """Mean direct, albedo and infrared flux and mean incidence cosine per tick and face; what each group sees."""
        points = (edges[:-1, None] + np.diff(edges)[:, None] * _GAUSS).ravel()
        states = orbit.propagate(points)
        normals = face_normals(self._all, states)
        lit = illuminated_fraction(
            states.position, states.sun_direction, self.shadow, sun_distance=states.sun_distance
        )
        incident = incident_fluxes(states, normals, self.environment, lit, albedo_table=table)  # type: ignore[arg-type]
        cosine = face_angles(states, normals).incidence_cosine
        count = len(edges) - 1

        def mean(values: Array) -> Array:
            return values.reshape(count, 2, -1).mean(axis=1)

        seen: list[_Seen | None] = []
        for view, first, last in zip(self.views, self._slices[:-1], self._slices[1:]):
            if view is None:
                seen.append(None)
                continue
            at = view.weights(states)
            shares = view.shares(at)
            cells = mean(incident.solar[:, first + ARRAY_FRONT])[:, 0]
            for flux, share in (
                (incident.solar, shares.sun),
                (incident.albedo, shares.albedo),
                (incident.earth_infrared, shares.infrared),
            ):
                flux[:, first:last] *= share
            pose = PoseWeights(at.row.reshape(count, -1), 0.5 * at.weight.reshape(count, -1))
            seen.append(_Seen(pose, mean(shares.strings)[:, 0], cells))
        values = tuple(mean(v) for v in (incident.solar, incident.albedo, incident.earth_infrared, cosine))
        return values, seen  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class _Seen:
    """Poses, power of the strings and flux on lit cells of a group in one sub-center; arrays (tick, ...)."""

    pose: PoseWeights
    strings: Array
    cells: Array


def _with_view(faces: FaceFluxes, seen: Sequence[_Seen | None], tick: int) -> FaceFluxes:
    """Add what the modules of a group see of themselves in a tick."""
    known = [each for each in seen if each is not None]
    if not known:
        return faces
    return replace(
        faces,
        pose=PoseWeights(
            np.stack([each.pose.row[tick] for each in known]),
            np.stack([each.pose.weight[tick] for each in known]),
        ),
        strings=np.array([each.strings[tick] for each in known]),
        cell_flux=np.array([each.cells[tick] for each in known]),
    )


def mean_faces(faces: Sequence[FaceFluxes], weight: Array) -> FaceFluxes:
    """Weighted mean over ticks.

    Parameters
    ----------
    faces : sequence of FaceFluxes
        Of one group.
    weight : (tick,) array
        Such as the lengths of the ticks.
    """
    share = np.asarray(weight, dtype=float) / np.sum(weight)

    def mean(name: str) -> Array:
        return np.tensordot(share, np.stack([getattr(f, name) for f in faces]), axes=1)

    result = FaceFluxes(*(mean(name) for name in ("direct", "albedo", "infrared", "incidence_cosine")))
    poses = [f.pose for f in faces if f.pose is not None]
    if not poses:
        return result
    cells = mean("cell_flux")
    # What the strings gave over the span, of what they would have given without shadow.
    power = np.tensordot(share, np.stack([f.strings * f.array_flux for f in faces]), axes=1)
    return replace(
        result,
        pose=mean_poses(poses, share),
        strings=np.divide(power, cells, out=np.ones_like(cells), where=cells > 0.0),
        cell_flux=cells,
    )


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
