"""What the faces of a module see past its other parts: Sun, Earth and each other, tabulated over the Sun's direction.

Seen from a satellite, only the Sun moves: orientations follow from the orbit's axes and the Sun. Everything here is a
function of the direction of the Sun in these axes, given by two angles: its height over the orbit plane and the angle
around the orbit from zenith towards ram. Poses are cast on a grid of both, when they are first needed, and kept in
a file by their content; between them shares and exchange areas are interpolated.
"""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from twin.attitude import Orientation, face_normals, lvlh_axes
from twin.errors import BadInput
from twin.module_geometry import (
    PATCHES,
    ModulePose,
    body_is_sun_fixed,
    clearance,
    module_geometry,
    module_surfaces,
)
from twin.orbit import EARTH_RADIUS, OrbitStates
from twin.sun import ASTRONOMICAL_UNIT

if TYPE_CHECKING:
    from meshes import ModuleGeometry
    from twin.case.module_class import ModuleClass

__all__ = [
    "FIXED_FACES",
    "ModuleView",
    "PoseWeights",
    "ViewSettings",
    "ViewShares",
    "mean_poses",
    "string_power",
]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

VERSION = 1
"""Changes when casting gives other numbers."""

FIXED_FACES = 4
"""Radiator front and back, array front and back; the faces of the body follow."""

# faces of `module_surfaces`: fronts of all patches, then backs of the two wings
_WALLS = slice(2, 8)
_DRAWN = len(PATCHES) + 2
_OF_FACE = (0, 8, 1, 9)

_TABLES = ("sun", "albedo", "infrared", "strings", "exchange", "insulated")


@dataclass(frozen=True)
class ViewSettings:
    """How finely poses are tabulated and cast.

    Attributes
    ----------
    height_step, orbit_step : float
        Of the grid, over the orbit plane and around the orbit; they divide a right angle and the circle [rad].
    exchange_rays, sun_rays : int
        For each pair of faces of a pose, which share of it is in sight; for each face.
    earth_directions, earth_rays : int
        Directions over the Earth's disk, and rays per face and direction.
    seed : int
    """

    height_step: float = math.radians(7.5)
    orbit_step: float = math.radians(12.0)
    exchange_rays: int = 512
    sun_rays: int = 2048
    earth_directions: int = 128
    earth_rays: int = 8
    seed: int = 0


@dataclass(frozen=True, eq=False)
class PoseWeights:
    """Poses between which something lies; arrays (n, k).

    Attributes
    ----------
    row : ndarray of int
        Rows of the table.
    weight : ndarray
        Adding up to one.
    """

    row: Ints
    weight: Array


def mean_poses(poses: Sequence[PoseWeights], weight: Array) -> PoseWeights:
    """Weighted mean of poses of the same things at several times.

    Parameters
    ----------
    poses : sequence of PoseWeights
        One per time, arrays (n, k).
    weight : (time,) array
        Adding up to one.
    """
    rows = np.unique(np.concatenate([p.row.ravel() for p in poses]))
    total = np.zeros((len(poses[0].row), rows.size))
    for pose, share in zip(poses, weight):
        place = np.searchsorted(rows, pose.row)
        np.add.at(total, (np.arange(len(place))[:, None], place), share * pose.weight)
    return PoseWeights(np.tile(rows, (len(total), 1)), total)


@dataclass(frozen=True, eq=False)
class ViewShares:
    """Shares of what would reach each face if nothing stood in the way; arrays (n, face).

    Attributes
    ----------
    sun, albedo, infrared : ndarray
        Of direct sunlight, of sunlight that the Earth reflects, of its infrared.
    strings : (n,) array
        Power of the solar array over that without shadow.
    """

    sun: Array
    albedo: Array
    infrared: Array
    strings: Array


class ModuleView:
    """Table of a class of modules on an orbit.

    Parameters
    ----------
    geometry : ModuleGeometry
    orientations : sequence of Orientation
        Of radiator front and back, array front and back, and the faces of the body.
    face_area : (face,) array
        Of the same [m²].
    distance_ratio : float
        Distance from the Earth's centre over its radius.
    strips : int
        Strings of one solar wing, laid across it one after the other.
    spacing : (float, float), optional
        Of equal modules around, along the solar wings and along the radiator wing [m].
    settings : ViewSettings, optional
    folder : path, optional
        Of the files; nothing is kept without.
    """

    def __init__(
        self,
        geometry: ModuleGeometry,
        orientations: Sequence[Orientation],
        face_area: Array,
        distance_ratio: float,
        strips: int,
        spacing: tuple[float, float] | None = None,
        settings: ViewSettings | None = None,
        folder: Path | None = None,
    ):
        self.geometry, self.orientations = geometry, tuple(orientations)
        self.face_area = np.asarray(face_area, dtype=float)
        # rounded, so that modules on nearly the same orbit share a table
        self.distance_ratio = round(distance_ratio, 3)
        self.strips = strips
        self.spacing = spacing
        self.settings = settings or ViewSettings()
        self._folder = folder
        if spacing is not None:
            _check_spacing(geometry, spacing)
        count = len(self.orientations)
        self._row: dict[tuple[int, int], int] = {}
        self.sun, self.albedo, self.infrared = (np.empty((0, count)) for _ in range(3))
        self.strings = np.empty(0)
        self.exchange = np.empty((0, count + 1, count + 1))
        """A_i F_ij of the faces, in the last place of what is insulated of the body, (row, face + 1, face + 1) [m²]."""
        self.insulated = np.empty(0)
        """Area of what is insulated of the body, (row,) [m²]."""
        self._load()

    @classmethod
    def of_class(
        cls,
        design: ModuleClass,
        orientations: Sequence[Orientation],
        radius: float,
        folder: Path | None = None,
    ) -> ModuleView:
        """Return the table of a class of modules.

        Parameters
        ----------
        design : ModuleClass
        orientations : sequence of Orientation
        radius : float
            Of the orbit [m].
        folder : path, optional
            Of the files.
        """
        wing, cell = design.solar_array, design.solar_array.cell
        strings = wing.area * wing.packing_factor / (cell.area * wing.cells_in_series)
        panel = design.radiator.panel_area
        return cls(
            module_geometry(design),
            orientations,
            np.array([panel, panel, wing.area, wing.area, *(face.area for face in design.body.faces)]),
            radius / EARTH_RADIUS,
            int(np.clip(round(0.5 * strings), 1, 64)),
            design.geometry.spacing,
            folder=folder,
        )

    # -- where in the table -----------------------------------------------------------------------

    def weights(self, states: OrbitStates) -> PoseWeights:
        """Return the poses around those at some states, casting those that are new.

        Parameters
        ----------
        states : OrbitStates
            n states.

        Returns
        -------
        PoseWeights
            Four poses each, for interpolation in both angles.
        """
        ram, side, down = np.einsum("nij,nj->in", lvlh_axes(states), states.sun_direction)
        steps = self.settings.height_step, self.settings.orbit_step
        around = round(2.0 * math.pi / steps[1])
        height = np.arcsin(np.clip(-side, -1.0, 1.0)) / steps[0]
        angle = np.mod(np.arctan2(ram, -down), 2.0 * math.pi) / steps[1]
        low = np.stack([np.floor(height), np.floor(angle)]).astype(np.int64)
        part = np.stack([height, angle]) - low
        corners, shares = [], []
        for up in (0, 1):
            for on in (0, 1):
                # at the pole the row above has no weight, but must be a row
                row = np.minimum(low[0] + up, round(0.5 * math.pi / steps[0]))
                corners.append(np.stack([row, (low[1] + on) % around]))
                shares.append((part[0] if up else 1.0 - part[0]) * (part[1] if on else 1.0 - part[1]))
        corner = np.stack(corners, axis=-1)  # (2, n, 4)
        keys, place = np.unique(corner.reshape(2, -1), axis=1, return_inverse=True)
        self._cast([(int(a), int(b)) for a, b in keys.T])
        rows = np.array([self._row[int(a), int(b)] for a, b in keys.T], dtype=np.int64)
        return PoseWeights(rows[place.ravel()].reshape(corner.shape[1:]), np.stack(shares, axis=-1))

    def shares(self, at: PoseWeights) -> ViewShares:
        """Return what reaches the faces; between poses that see a source from the front.

        Parameters
        ----------
        at : PoseWeights
        """
        sun, albedo, infrared, strings = (
            _mean_of_known(table[at.row], at.weight)
            for table in (self.sun, self.albedo, self.infrared, self.strings[:, None])
        )
        return ViewShares(sun, albedo, infrared, strings[:, 0])

    # -- casting ----------------------------------------------------------------------------------

    def _cast(self, keys: Sequence[tuple[int, int]]) -> None:
        """Add the poses that the table does not have."""
        new = [key for key in keys if key not in self._row]
        if not new:
            return
        parts = [self._pose(key) for key in new]
        for name, values in zip(_TABLES, zip(*parts)):
            setattr(self, name, np.concatenate([getattr(self, name), np.stack(values)]))
        for key in new:
            self._row[key] = len(self._row)
        self._save()

    def _state(self, key: tuple[int, int]) -> OrbitStates:
        """State with the Sun in the direction of a pose; zenith is x, ram is y."""
        height, angle = key[0] * self.settings.height_step, key[1] * self.settings.orbit_step
        level = math.cos(height)
        sun = np.array([[level * math.cos(angle), level * math.sin(angle), math.sin(height)]])
        radius = self.distance_ratio * EARTH_RADIUS
        return OrbitStates(
            time=np.zeros(1),
            position=np.array([[radius, 0.0, 0.0]]),
            velocity=np.array([[0.0, 7.5e3, 0.0]]),
            sun_direction=sun,
            sun_distance=np.array([ASTRONOMICAL_UNIT]),
        )

    def _pose(self, key: tuple[int, int]) -> tuple[Array, ...]:
        """Cast one pose; one entry of each table."""
        from solvers.ray_casting import RayScene
        from solvers.sight import (
            points_in_sight,
            repeated,
            view_factors_among_copies,
            visible_shares_of_directions,
        )

        states, s = self._state(key), self.settings
        normals = face_normals(self.orientations, states)[0]
        body = lvlh_axes(states)[0]
        if body_is_sun_fixed(self.orientations[FIXED_FACES:]):
            edge = face_normals(["edge_on"], states)[0, 0]
            body = np.stack([edge, np.cross(states.sun_direction[0], edge), states.sun_direction[0]])
        pose = ModulePose.of(normals[2], normals[0], body)
        surfaces = module_surfaces(self.geometry, pose)
        around = self._neighbours(pose)
        whole, original = repeated(surfaces, around)
        own = np.array([int(np.flatnonzero(original == f)[0]) for f in range(_DRAWN)], dtype=np.int64)
        scene = RayScene(whole)
        wall = np.argmax(
            normals[FIXED_FACES:] @ np.stack([sign * a for a in body for sign in (-1, 1)]).T, axis=1
        )
        drawn = np.array([*_OF_FACE, *(2 + wall)], dtype=np.int64)

        toward = states.sun_direction
        points, clear, facing = points_in_sight(scene, own, toward, s.sun_rays, s.seed)
        lit = np.where(facing @ toward[0] > 1e-9, clear[0].mean(axis=1), np.nan)[drawn]
        strings = np.array(np.nan)
        if normals[2] @ toward[0] > 1e-9:
            strings = np.array(string_power(self._strips_lit(points[0, 1], clear[0, 1], pose)))

        cap, reflected = self._earth(states)
        seen = visible_shares_of_directions(scene, own, cap, s.earth_rays, s.seed)
        cosine = np.maximum(cap @ facing.T, 0.0)
        earth = []
        for weight in (reflected, np.ones(len(cap))):
            reach = weight @ cosine
            with np.errstate(invalid="ignore"):
                earth.append(np.where(reach > 1e-9, (weight @ (cosine * seen)) / reach, np.nan)[drawn])

        factors = view_factors_among_copies(surfaces, around, s.exchange_rays, s.seed)
        gather = self._gather(factors.areas, drawn)
        exchange = gather @ factors.exchange.toarray() @ gather.T
        return lit, earth[0], earth[1], strings, exchange, gather[-1] @ factors.areas

    def _neighbours(self, pose: ModulePose) -> Array:
        if self.spacing is None:
            return np.empty((0, 3))
        steps = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)]
        along, across = self.spacing
        return np.array([a * along * pose.wings[0] + b * across * pose.wings[1] for a, b in steps])

    def _strips_lit(self, points: Array, clear: NDArray[np.bool_], pose: ModulePose) -> Array:
        """Lit share of each string of both wings."""
        g = self.geometry
        along = points @ pose.wings[0]
        length = g.array_panels * g.array_height
        strip = ((np.abs(along) - clearance(g)) / length * self.strips).astype(np.int64)
        strip = np.clip(strip, 0, self.strips - 1) + self.strips * (along > 0.0)
        total = np.bincount(strip, minlength=2 * self.strips)
        part = np.bincount(strip, clear.astype(float), minlength=2 * self.strips)
        return part[total > 0] / total[total > 0]

    @cached_property
    def _cap(self) -> Array:
        """Even directions over the Earth's disk, about -x."""
        from solvers.ray_casting import sobol_sample

        place = sobol_sample(self.settings.earth_directions, 2) + 0.5 / self.settings.earth_directions
        low = math.sqrt(1.0 - self.distance_ratio**-2)
        down = 1.0 - place[:, 0] * (1.0 - low)
        across = np.sqrt(1.0 - down**2)
        turn = 2.0 * math.pi * place[:, 1]
        return np.stack([-down, across * np.cos(turn), across * np.sin(turn)], axis=1)

    def _earth(self, states: OrbitStates) -> tuple[Array, Array]:
        """Directions over the Earth's disk, and how brightly the Sun lights the ground there."""
        ratio, down = self.distance_ratio, -self._cap[:, 0]
        way = ratio * down - np.sqrt(np.maximum(1.0 - ratio**2 * (1.0 - down**2), 0.0))
        ground = np.array([ratio, 0.0, 0.0]) + way[:, None] * self._cap
        return self._cap, np.maximum(ground @ states.sun_direction[0], 0.0)

    def _gather(self, areas: Array, drawn: Ints) -> Array:
        """Share of each drawn face in the faces of the case, the walls' insulated rest last.

        A wall is taken up by the faces that look its way; what it has more of is insulated. Area that a case has
        beyond what is drawn sees nothing of the module.
        """
        count = len(drawn)
        gather = np.zeros((count + 1, _DRAWN))
        for face, place in enumerate(drawn):
            asked = self.face_area[drawn == place].sum()
            gather[face, place] = self.face_area[face] / max(asked, areas[place])
        gather[count, _WALLS] = np.maximum(1.0 - gather[:, _WALLS].sum(axis=0), 0.0)
        return gather

    # -- files ------------------------------------------------------------------------------------

    @cached_property
    def key(self) -> str:
        """Fingerprint of all that the table depends on."""
        parts = (
            VERSION,
            asdict(self.geometry),
            [o if isinstance(o, str) else tuple(float(v) for v in o) for o in self.orientations],
            self.face_area.tolist(),
            self.distance_ratio,
            self.strips,
            self.spacing,
            asdict(self.settings),
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]

    @property
    def _path(self) -> Path | None:
        return None if self._folder is None else self._folder / f"module-view-{self.key}.npz"

    def _load(self) -> None:
        path = self._path
        if path is None or not path.exists():
            return
        try:
            with np.load(path) as stored:
                keys = stored["keys"]
                for name in _TABLES:
                    setattr(self, name, stored[name])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            path.unlink(missing_ok=True)  # cut off by a full disk, for example: cast anew
            return
        self._row = {(int(a), int(b)): i for i, (a, b) in enumerate(keys)}

    def _save(self) -> None:
        path = self._path
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                tables = {name: getattr(self, name) for name in _TABLES}
                np.savez(file, keys=np.array(list(self._row), np.int64), **tables)
            Path(aside).replace(path)
        finally:
            Path(aside).unlink(missing_ok=True)


def string_power(lit: Array) -> float:
    """Power of equal strings on one tracker over that without shadow.

    Parameters
    ----------
    lit : (string,) array
        Lit share of each string.

    Returns
    -------
    float
        max over v of v times the share of strings with at least v of their cells lit.

    Notes
    -----
    A dark cell is passed by its bypass diode: the string then gives the full current at a voltage lower in
    proportion (its own drop is neglected). All strings share one voltage; the tracker picks the best, and the blocking
    diodes of strings that cannot reach it shut. Rauschenbach, "Solar Cell Array Design Handbook" (1980), section 5.4.
    """
    level = np.sort(np.asarray(lit, dtype=float))[::-1]
    if level.size == 0:
        return 1.0
    return float(np.max(level * np.arange(1, level.size + 1)) / level.size)


def _mean_of_known(values: Array, weight: Array) -> Array:
    """Mean of (n, k, m) values over k, those that are not known left out; 1 where none is."""
    known = np.isfinite(values)
    share = np.where(known, weight[:, :, None], 0.0)
    total = share.sum(axis=1)
    mean = np.sum(share * np.where(known, values, 0.0), axis=1)
    return np.divide(mean, total, out=np.ones_like(mean), where=total > 1e-12)


def _check_spacing(geometry: ModuleGeometry, spacing: tuple[float, float]) -> None:
    """Refuse modules that would stand in each other."""
    g, root = geometry, clearance(geometry)
    wing = root + g.array_panels * g.array_height if g.array_panels else 0.0
    back = max(0.5 * g.array_width, 0.5 * g.body_width)
    need = (2.0 * max(wing, 0.5 * g.body_length), back + root + g.radiator_panels * g.radiator_height)
    for name, has, least in zip(("solar wings", "radiator wing"), spacing, need):
        if has < least:
            raise BadInput(
                f"geometry.spacing: {has:g} m along the {name}, where a module is {least:.4g} m long; "
                f"expected at least that"
            )
