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

from twin.attitude import Orientation, lvlh_axes
from twin.module_geometry import module_geometry
from twin.orbit import EARTH_RADIUS, OrbitStates
from twin.pose_casting import FIXED_FACES, PoseCaster, ViewSettings, check_spacing

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
]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

VERSION = 1
"""Changes when casting gives other numbers."""

_TABLES = ("sun", "albedo", "infrared", "strings", "exchange", "insulated")


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
            check_spacing(geometry, spacing)
        self._caster = PoseCaster(
            geometry, self.orientations, self.face_area, self.distance_ratio, strips, spacing, self.settings
        )
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
        steps = self.settings.height_step, self.settings.orbit_step
        poses = [self._caster.cast(key[0] * steps[0], key[1] * steps[1]) for key in new]
        for name in _TABLES:
            rows = np.stack([getattr(pose, name) for pose in poses])
            setattr(self, name, np.concatenate([getattr(self, name), rows]))
        for key in new:
            self._row[key] = len(self._row)
        self._save()

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


def _mean_of_known(values: Array, weight: Array) -> Array:
    """Mean of (n, k, m) values over k, those that are not known left out; 1 where none is."""
    known = np.isfinite(values)
    share = np.where(known, weight[:, :, None], 0.0)
    total = share.sum(axis=1)
    mean = np.sum(share * np.where(known, values, 0.0), axis=1)
    return np.divide(mean, total, out=np.ones_like(mean), where=total > 1e-12)
