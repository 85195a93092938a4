"""Where the parts of a module are in a picture: sizes from the case, directions from the orbit.

Directions are in the local frame of the orbit: x along the velocity, y against the orbit normal, z to nadir.
Sizes and orientations are those of the case; the positions of body and wings beside each other are schematic.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from twin.results import resolved_case

type Floats = NDArray[np.float64]

_MEASURE = re.compile(r"([+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*(\w+)")
_METRES = MappingProxyType({"mm": 1e-3, "cm": 1e-2, "m": 1.0, "km": 1e3, "cm2": 1e-4, "m2": 1.0, "km2": 1e6})

ZENITH = np.array([0.0, 0.0, -1.0])


@dataclass(frozen=True)
class Sky:
    """What surrounds the module at one time, in the local frame of the orbit.

    Attributes
    ----------
    sun : (3,) array
        Unit vector to the Sun.
    earth_angular_radius : float
        Half the angle that the Earth fills [rad].
    illuminated_fraction : float
        Visible fraction of the solar disk.
    """

    sun: Floats
    earth_angular_radius: float
    illuminated_fraction: float


@dataclass(frozen=True)
class Plate:
    """A rectangle: centre, two half-edge vectors, its normal is their cross product [m]."""

    centre: Floats
    half_width: Floats
    half_height: Floats

    @property
    def corners(self) -> Floats:
        """The four corners in order, shape (4, 3)."""
        w, h = self.half_width, self.half_height
        return self.centre + np.array([-w - h, w - h, w + h, -w + h])


@dataclass(frozen=True)
class ModuleGeometry:
    """The parts of a module: edge of its body [m], its solar wings and its radiator panels."""

    body_edge: float
    wings: tuple[Plate, ...]
    panels: tuple[Plate, ...]


def sky_at(orbit: xr.Dataset, index: int, illuminated_fraction: float) -> Sky:
    """Return the sky at tick `index` of the group ``orbit``, given the visible fraction of the Sun."""
    position = np.asarray(orbit["position"][index], dtype=np.float64)
    velocity = np.asarray(orbit["velocity"][index], dtype=np.float64)
    sun = np.asarray(orbit["sun_direction"][index], dtype=np.float64)
    radius = float(np.linalg.norm(position))
    nadir = -position / radius
    normal = np.cross(position, velocity)
    minus_normal = -normal / np.linalg.norm(normal)
    frame = np.array([np.cross(minus_normal, nadir), minus_normal, nadir])
    earth_radius = radius - float(orbit["altitude"][index])
    return Sky(frame @ sun, float(np.arcsin(min(1.0, earth_radius / radius))), illuminated_fraction)


def face_normal(orientation: object, sun: Floats) -> Floats:
    """Return the unit normal of a face; what is not known faces the Sun.

    ``edge_on`` is ``unit(sun x nadir)``: its plane holds both the Sun and the Earth.
    """
    named = {
        "sun": sun,
        "nadir": -ZENITH,
        "zenith": ZENITH,
        "ram": np.array([1.0, 0.0, 0.0]),
        "wake": np.array([-1.0, 0.0, 0.0]),
        "orbit_normal": np.array([0.0, -1.0, 0.0]),
        "anti_orbit_normal": np.array([0.0, 1.0, 0.0]),
        "edge_on": np.cross(sun, -ZENITH),
    }
    if isinstance(orientation, str):
        vector = named.get(orientation, sun)
    elif isinstance(orientation, list | tuple) and len(orientation) == 3:
        vector = np.asarray(orientation, dtype=np.float64)
    else:
        vector = sun
    length = float(np.linalg.norm(vector))
    return vector / length if length > 1e-9 else np.array([1.0, 0.0, 0.0])


def module_class_of(result: xr.DataTree, field_name: str) -> tuple[str, Mapping[str, Any]]:
    """Return name and parts of the module class of the field ``panel-CLASS``, else of the first class."""
    classes = resolved_case(result).get("module_classes")
    known = {str(key): parts for key, parts in classes.items()} if isinstance(classes, Mapping) else {}
    name = field_name.removeprefix("panel-")
    name = name if name in known else next(iter(known), "")
    parts = known.get(name)
    return name, parts if isinstance(parts, Mapping) else {}


def module_geometry(
    parts: Mapping[str, Any], panel_size: tuple[float, float], panel_count: int, sun: Floats
) -> ModuleGeometry:
    """Lay out a module of the class `parts` of the case around panels of (width, height) `panel_size` [m]."""
    body_edge = body_edge_of(parts, fallback=0.35 * max(panel_size))
    wings = _wings(parts, body_edge, sun, fallback=4.0 * panel_size[0] * panel_size[1])
    normal = face_normal(part_of(parts, "radiator").get("orientation", "edge_on"), sun)
    # The radiator stands behind the body as seen from the Sun.
    away = _across(-sun, normal, otherwise=ZENITH)
    width, height = panel_size
    across = np.cross(away, normal)
    gap = 0.06 * width
    first = -0.5 * (panel_count - 1) * (width + gap)
    centre = away * (0.5 * body_edge + 0.12 * height + 0.5 * height)
    panels = tuple(
        Plate(centre + across * (first + k * (width + gap)), 0.5 * width * across, 0.5 * height * away)
        for k in range(panel_count)
    )
    return ModuleGeometry(body_edge, wings, panels)


def _wings(parts: Mapping[str, Any], body_edge: float, sun: Floats, fallback: float) -> tuple[Plate, ...]:
    array = part_of(parts, "solar_array")
    area = number(array.get("area"), fallback)
    normal = face_normal(array.get("orientation", "sun"), sun)
    along = _across(np.cross(normal, ZENITH), normal, otherwise=np.array([1.0, 0.0, 0.0]))
    half_area = 0.5 * area
    height = np.sqrt(half_area / 2.2)
    length = half_area / height
    up = np.cross(normal, along)
    offset = 0.5 * body_edge + 0.12 * length + 0.5 * length
    return tuple(
        Plate(side * offset * along, 0.5 * length * along, 0.5 * height * up) for side in (-1.0, 1.0)
    )


def body_edge_of(parts: Mapping[str, Any], fallback: float) -> float:
    """Return the edge of a cube with the mean face of the body of a module class [m]."""
    faces = part_of(parts, "body").get("faces")
    if not isinstance(faces, list):
        return fallback
    areas = [number(face.get("area"), 0.0) for face in faces if isinstance(face, Mapping)]
    areas = [area for area in areas if area > 0]
    return float(np.sqrt(np.mean(areas))) if areas else fallback


def _across(vector: Floats, normal: Floats, otherwise: Floats) -> Floats:
    """Return the unit part of `vector` in the plane of `normal`, or of `otherwise` when there is none."""
    for candidate in (vector, otherwise, np.array([0.0, 1.0, 0.0])):
        part = candidate - normal * float(candidate @ normal)
        length = float(np.linalg.norm(part))
        if length > 1e-3:
            return part / length
    raise ValueError(f"normal {normal}: expected a unit vector")


def part_of(parts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the part `name` of a module class of a resolved case, empty when it has none."""
    part = parts.get(name)
    return part if isinstance(part, Mapping) else {}


def number(value: object, fallback: float) -> float:
    """Return a length or area in SI; the resolved case has a number, ``"1.6 m"`` or ``"30 m2"``."""
    if isinstance(value, str):
        match = _MEASURE.fullmatch(value.strip())
        value = float(match[1]) * _METRES[match[2]] if match and match[2] in _METRES else None
    return float(value) if isinstance(value, int | float) and value > 0 else fallback
