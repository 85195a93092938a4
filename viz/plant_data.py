"""What the scenes of a plant read of a result: values of modules and places in the orbit, by time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from twin.errors import BadInput
from twin.results import elapsed_seconds, open_result, resolved_case
from viz.card_maps import has_card_maps
from viz.curves import eclipse_spans
from viz.fields import PanelField, read_panel
from viz.paints import PAINTS, Paint, difference, value_limits

type Floats = NDArray[np.float64]

GEOSTATIONARY_RADIUS = 42_164e3
"""Radius of the geostationary orbit [m]."""

LINE_OF_SIGHT_HEIGHT = 100e3
"""Height that a laser link keeps above the ground in the pictures [m]."""

SCENES = ("plant", "sub_center", "module", "cards", "racks")
"""Names of the scenes; the last one needs the maps of cards that a run leaves."""

_KEPT_VARIABLES = 12
_ANGLE = re.compile(r"([+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*(deg|rad)?")


@dataclass(frozen=True)
class Moment:
    """Where everything is at one time, inertial axes.

    Attributes
    ----------
    time : float
        Since the start of the run [s].
    position, velocity : (sub_center, 3) array
        Of each sub-center [m, m/s].
    sun : (3,) array
        Unit vector to the Sun.
    earth_radius : float
        Equatorial radius [m].
    earth_angle : float
        Rotation of the Earth about the third axis [rad].
    illuminated_fraction : (sub_center,) array
        Visible fraction of the Sun.
    """

    time: float
    position: Floats
    velocity: Floats
    sun: Floats
    earth_radius: float
    earth_angle: float
    illuminated_fraction: Floats


class PlantData:
    """A result as scenes see it; arrays are read when they are used, and the last few are kept.

    Parameters
    ----------
    result : DataTree
        From `twin.results.open_result`.
    path : Path, optional
        Where it is, for the fields beside it.

    Raises
    ------
    BadInput
        The result holds no time stamps.
    """

    def __init__(self, result: xr.DataTree, path: Path | None = None) -> None:
        self.result, self.path = result, path
        self._modules = result["module"].to_dataset()
        self._kept: dict[str, Floats] = {}
        time = self._modules["time"] if "time" in self._modules.variables else None
        if time is None or time.size == 0:
            raise BadInput(f"{path or 'result'}: holds no values of modules over time; run the case again")
        self.times: Floats = elapsed_seconds(time, result)
        self.start = datetime.fromisoformat(str(result.attrs["start"])).astimezone(UTC)

    @classmethod
    def open(cls, path: Path) -> PlantData:
        """Open the result of `path`; see `twin.results.open_result` for what is refused."""
        return cls(open_result(path), path)

    @cached_property
    def sub_centers(self) -> list[str]:
        """Names of the sub-centers."""
        return [str(name) for name in self._modules["sub_center"].values]

    @cached_property
    def case(self) -> dict[str, Any]:
        """The resolved case, empty when the result has none."""
        return resolved_case(self.result)

    @property
    def name(self) -> str:
        """Name of the case."""
        return str(self.result.attrs.get("case_name") or self.case.get("name") or "result")

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """Which (sub_center, module) exist."""
        return self.flat_index >= 0

    @cached_property
    def flat_index(self) -> NDArray[np.int64]:
        """Index in the run of each (sub_center, module), -1 where there is none."""
        if "module_index" in self._modules:
            return np.nan_to_num(np.asarray(self._modules["module_index"]), nan=-1).astype(np.int64)
        shape = (len(self.sub_centers), self._modules.sizes["module"])
        return np.arange(shape[0] * shape[1]).reshape(shape)

    @cached_property
    def classes(self) -> tuple[list[str], NDArray[np.int64]]:
        """Names of the module classes, and the index of the class of each (sub_center, module)."""
        if "module_class" not in self._modules:
            return ["module"], np.where(self.present, 0, -1)
        names = str(self._modules["module_class"].attrs.get("flag_meanings", "module")).split()
        return names, np.nan_to_num(np.asarray(self._modules["module_class"]), nan=-1).astype(np.int64)

    def class_of(self, sub_center: int, module: int) -> str:
        """Return the class name of a module."""
        names, codes = self.classes
        return names[int(codes[sub_center, module])]

    def class_parts(self, name: str) -> Mapping[str, Any]:
        """Return the resolved case of a module class, empty when it is not stored."""
        classes = self.case.get("module_classes")
        parts = classes.get(name) if isinstance(classes, Mapping) else None
        return parts if isinstance(parts, Mapping) else {}

    @cached_property
    def paints(self) -> list[Paint]:
        """What this result can be coloured by."""
        return [paint for name, paint in PAINTS.items() if name in self._modules]

    @property
    def scenes(self) -> tuple[str, ...]:
        """Scenes that can be shown; the first says most of several modules."""
        return SCENES if has_card_maps(self.path) else SCENES[:-1]

    def panel_field(self, index: int, name: str | None) -> PanelField:
        """Return the field `name` of the panels nearest to a time stamp; see `viz.fields.read_panel`."""
        if self.path is None:
            raise BadInput("this result has no fields")
        return read_panel(self.path, float(self.times[index]), name)

    def eclipses(self, center: int | None) -> list[tuple[float, float]]:
        """Return (start, end) of the eclipses of a sub-center, of the first for None [s since start]."""
        return eclipse_spans(self.result, None if center is None else self.sub_centers[center])

    def paint(self, name: str) -> Paint:
        """Return the quantity `name`.

        Raises
        ------
        BadInput
            The result does not hold it.
        """
        known = {paint.variable: paint for paint in self.paints}
        if name not in known:
            raise BadInput(f"colour by {name!r}: expected one of {', '.join(known)}")
        return known[name]

    def index_at(self, time: float) -> int:
        """Return the index of the time stamp nearest to `time` [s since start]."""
        return int(np.abs(self.times - time).argmin())

    def utc(self, index: int) -> datetime:
        """Return the date and time of a time stamp."""
        return self.start + timedelta(seconds=float(self.times[index]))

    def values(self, variable: str) -> Floats:
        """Return a variable of the modules, shape (time, sub_center, module), NaN where there is no module."""
        if variable not in self._kept:
            if variable not in self._modules:
                raise BadInput(f"the result holds no {variable!r} of modules")
            data = self._modules[variable]
            array = np.asarray(data, dtype=np.float32)
            if "time" not in data.dims:
                array = np.broadcast_to(array, (self.times.size, *array.shape))
            while len(self._kept) >= _KEPT_VARIABLES:
                self._kept.pop(next(iter(self._kept)))
            self._kept[variable] = array  # type: ignore[assignment]
        return self._kept[variable]

    def values_at(self, variable: str, index: int) -> Floats:
        """Return a variable at one time stamp, shape (sub_center, module) [SI]."""
        return self.values(variable)[index].astype(np.float64)

    def static(self, variable: str) -> Floats | None:
        """Return a constant of the modules, shape (sub_center, module), None when the result has none."""
        if variable not in self._modules or "time" in self._modules[variable].dims:
            return None
        return np.asarray(self._modules[variable], dtype=np.float64)

    def limits(self, paint: Paint) -> tuple[float, float]:
        """Return SI values for the ends of the colour map over the whole run."""
        return value_limits(self.values(paint.variable), paint)

    @cached_property
    def phases(self) -> Floats:
        """Angle of each sub-center along the orbit from the first [rad]."""
        listed = self.case.get("sub_centers")
        angles = np.zeros(len(self.sub_centers))
        if isinstance(listed, Sequence):
            known = {str(item.get("name")): item for item in listed if isinstance(item, Mapping)}
            angles = np.array([_radians(known.get(name, {}).get("phase", 0.0)) for name in self.sub_centers])
        return angles - angles[0]

    def moment(self, index: int) -> Moment:
        """Return where everything is at a time stamp.

        The result holds the orbit of the first sub-center; the others are turned along it by their phase,
        which is exact on a circle.
        """
        orbit = self.result["orbit"].to_dataset()
        k = int(np.abs(self.orbit_times - self.times[index]).argmin())
        position = np.asarray(orbit["position"][k], dtype=np.float64)
        velocity = np.asarray(orbit["velocity"][k], dtype=np.float64)
        normal = np.cross(position, velocity)
        normal /= np.linalg.norm(normal)
        turned = [[turn(vector, normal, angle) for vector in (position, velocity)] for angle in self.phases]
        places = np.array(turned)
        sun = np.asarray(orbit["sun_direction"][k], dtype=np.float64)
        radius = float(np.linalg.norm(position)) - float(orbit["altitude"][k])
        return Moment(
            float(self.times[index]), places[:, 0], places[:, 1], sun / np.linalg.norm(sun), radius,
            earth_rotation(self.utc(index)), self._illumination(k),
        )  # fmt: skip

    def relay_satellites(self, moment: Moment) -> dict[str, Floats]:
        """Return the inertial positions of the geostationary satellites of the case [m], by name."""
        listed = self.case.get("relay_satellites")
        places = {}
        for item in listed if isinstance(listed, Sequence) else ():
            angle = _radians(item.get("longitude", 0.0)) + moment.earth_angle
            places[str(item.get("name"))] = GEOSTATIONARY_RADIUS * np.array(
                [np.cos(angle), np.sin(angle), 0.0]
            )
        return places

    def links(self, moment: Moment) -> list[tuple[Floats, Floats]]:
        """Return the ends of the optical links that are possible: [(from, to)], m.

        Neighbours along the orbit, and the nearest relay satellite, where the Earth is not in between. They
        are drawn only for results whose modules have terminals.
        """
        count = len(self.sub_centers)
        has_terminals = any(self.class_parts(name).get("relay") for name in self.classes[0])
        if not has_terminals:
            return []
        order = np.argsort(self.phases)
        pairs = [(order[k], order[(k + 1) % count]) for k in range(count if count > 2 else count - 1)]
        ends = [(moment.position[a], moment.position[b]) for a, b in pairs]
        for place in moment.position:
            seen = [
                relay
                for relay in self.relay_satellites(moment).values()
                if _clear(place, relay, moment.earth_radius)
            ]
            if seen:
                ends.append((place, min(seen, key=lambda relay: float(np.linalg.norm(relay - place)))))
        return [(a, b) for a, b in ends if _clear(a, b, moment.earth_radius)]

    @cached_property
    def orbit_times(self) -> Floats:
        """Time stamps of the group ``orbit`` [s since start]."""
        orbit = self.result["orbit"].to_dataset()
        if "position" not in orbit or orbit.sizes.get("time", 0) == 0:
            raise BadInput(f"{self.path or 'result'}: holds no orbit; run the case again")
        return elapsed_seconds(orbit["time"], self.result)

    def _illumination(self, k: int) -> Floats:
        center = self.result["sub_center"].to_dataset()
        if "illuminated_fraction" in center:
            return np.asarray(center["illuminated_fraction"][k], dtype=np.float64)
        orbit = self.result["orbit"].to_dataset()
        lit = float(orbit["illuminated_fraction"][k]) if "illuminated_fraction" in orbit else 1.0
        return np.full(len(self.sub_centers), lit)


class Comparison(PlantData):
    """The difference of two results, first minus second, at the time stamps of the first.

    Raises
    ------
    BadInput
        The plants do not have the same sub-centers and modules.
    """

    def __init__(self, first: PlantData, second: PlantData) -> None:
        if first.sub_centers != second.sub_centers or first.present.shape != second.present.shape:
            raise BadInput(
                "comparison: expected two results of the same plant, got "
                f"{len(first.sub_centers)} x {first.present.shape[1]} and "
                f"{len(second.sub_centers)} x {second.present.shape[1]} modules"
            )
        super().__init__(first.result, first.path)
        self._first, self._second = first, second
        self._match = np.array([second.index_at(time) for time in first.times])

    @property
    def name(self) -> str:
        """Names of both."""
        return f"{self._first.name} minus {self._second.name}"

    @cached_property
    def paints(self) -> list[Paint]:
        """What both results can be coloured by."""
        shared = {paint.variable for paint in self._second.paints}
        return [difference(paint) for paint in self._first.paints if paint.variable in shared]

    @property
    def scenes(self) -> tuple[str, ...]:
        """Scenes that can be shown: cards are kept at the worst moment of each run, which need not be the same."""
        return SCENES[:-1]

    def panel_field(self, index: int, name: str | None) -> PanelField:
        """Return the difference of a field of the panels at a time stamp.

        Raises
        ------
        BadInput
            One of the results does not have it, or the meshes differ.
        """
        first = self._first.panel_field(index, name)
        second = self._second.panel_field(int(self._match[index]), name)
        if first.points.shape != second.points.shape or not np.allclose(first.points, second.points):
            raise BadInput(f"comparison of field {name!r}: the panels have different meshes")
        return replace(first, temperature=first.temperature - second.temperature)

    def values(self, variable: str) -> Floats:
        """Return the difference of a variable, shape (time, sub_center, module)."""
        return self._first.values(variable) - self._second.values(variable)[self._match]


def turn(vector: Floats, axis: Floats, angle: float) -> Floats:
    """Return `vector` turned about the unit `axis` by `angle` [rad] (Rodrigues' formula)."""
    cosine, sine = np.cos(angle), np.sin(angle)
    turned: Floats = (
        vector * cosine + np.cross(axis, vector) * sine + axis * float(axis @ vector) * (1 - cosine)
    )
    return turned


def earth_rotation(moment: datetime) -> float:
    """Return the Earth rotation angle [rad] of a UTC time (IERS Conventions 2010, equation 5.15; UT1 = UTC)."""
    days = (moment - datetime(2000, 1, 1, 12, tzinfo=UTC)) / timedelta(days=1)
    return float(2 * np.pi * ((0.7790572732640 + 1.00273781191135448 * days) % 1.0))


def _radians(value: object) -> float:
    if isinstance(value, str):
        match = _ANGLE.fullmatch(value.strip())
        if not match:
            return 0.0
        return float(match[1]) * (np.pi / 180.0 if match[2] == "deg" else 1.0)
    return float(value) if isinstance(value, int | float) else 0.0


def _clear(a: Floats, b: Floats, earth_radius: float) -> bool:
    """Whether the straight line from a to b passes the Earth."""
    along = b - a
    share = float(np.clip(-(a @ along) / (along @ along), 0.0, 1.0))
    return float(np.linalg.norm(a + share * along)) > earth_radius + LINE_OF_SIGHT_HEIGHT
