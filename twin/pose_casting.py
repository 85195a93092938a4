"""One pose of a module seen past its own parts: Sun, Earth and each other, by rays and exact view factors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.attitude import Orientation, face_normals, lvlh_axes
from twin.errors import BadInput
from twin.module_geometry import PATCHES, ModulePose, body_is_sun_fixed, clearance, module_surfaces
from twin.orbit import EARTH_RADIUS, OrbitStates
from twin.sun import ASTRONOMICAL_UNIT

if TYPE_CHECKING:
    from meshes import ModuleGeometry

__all__ = ["FIXED_FACES", "CastPose", "PoseCaster", "ViewSettings", "check_spacing", "string_power"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

FIXED_FACES = 4
"""Radiator front and back, array front and back; the faces of the body follow."""

# faces of `module_surfaces`: fronts of all patches, then backs of the two wings
_WALLS = slice(2, 8)
_DRAWN = len(PATCHES) + 2
_OF_FACE = (0, 8, 1, 9)


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
class CastPose:
    """What was cast in a pose.

    Attributes
    ----------
    sun, albedo, infrared : (face,) array
        Shares of direct sunlight, of sunlight that the Earth reflects and of its infrared that reach each face; NaN
        where the source lies behind it.
    strings : () array
        Power of the solar array over that without shadow, NaN with the Sun behind it.
    exchange : (face + 1, face + 1) array
        A_i F_ij, in the last place of what is insulated of the body [m²].
    insulated : () array
        Its area [m²].
    """

    sun: Array
    albedo: Array
    infrared: Array
    strings: Array
    exchange: Array
    insulated: Array


@dataclass(frozen=True, eq=False)
class PoseCaster:
    """Casts the poses of a module; attributes as the parameters of `twin.module_view.ModuleView`."""

    geometry: ModuleGeometry
    orientations: Sequence[Orientation]
    face_area: Array
    distance_ratio: float
    strips: int
    spacing: tuple[float, float] | None
    settings: ViewSettings

    def state(self, height: float, angle: float) -> OrbitStates:
        """State with the Sun so high over the orbit plane and so far from zenith (x) towards ram (y) [rad]."""
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

    def cast(self, height: float, angle: float) -> CastPose:
        """Cast one pose; angles as for :meth:`state`."""
        from solvers.ray_casting import RayScene
        from solvers.sight import (
            points_in_sight,
            repeated,
            view_factors_among_copies,
            visible_shares_of_directions,
        )

        states, s = self.state(height, angle), self.settings
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

        cap, reflected = self.earth(states)
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
        insulated = np.asarray(gather[-1] @ factors.areas)
        return CastPose(lit, earth[0], earth[1], strings, exchange, insulated)

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

    def earth(self, states: OrbitStates) -> tuple[Array, Array]:
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


def check_spacing(geometry: ModuleGeometry, spacing: tuple[float, float]) -> None:
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
