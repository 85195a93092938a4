"""Heat from outside: sunlight, sunlight reflected by the Earth, and the Earth's own infrared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from twin.albedo import albedo_factor
from twin.albedo_table import AlbedoTable
from twin.errors import BadInput
from twin.orbit import EARTH_RADIUS, Orbit, OrbitStates
from twin.shadow import illuminated_fraction
from twin.sun import ASTRONOMICAL_UNIT

FloatArray = NDArray[np.float64]

__all__ = [
    "ENVIRONMENT_SETS",
    "EnvironmentSet",
    "EnvironmentSetError",
    "FaceAngles",
    "IncidentFluxes",
    "earth_view_factor",
    "face_angles",
    "incident_fluxes",
    "tabulate_albedo",
]


class EnvironmentSetError(BadInput):
    """An environment that is unknown or out of physical range."""


@dataclass(frozen=True)
class EnvironmentSet:
    """The Sun and the Earth as heat sources.

    Attributes
    ----------
    solar_flux : float
        Solar flux [W/m2]: at 1 au where `scaled_with_distance`, else at the Earth on every day of the year.
    albedo : float
        Fraction of sunlight that the Earth reflects, diffusely and uniformly [-].
    earth_infrared : float
        Infrared exitance of the Earth, uniform [W/m2].
    scaled_with_distance : bool
        Whether the solar flux follows 1/r² through the year. Design sets already hold the year's extremes.
    """

    solar_flux: float
    albedo: float
    earth_infrared: float
    scaled_with_distance: bool = True

    def __post_init__(self) -> None:
        for name, low, high in (("solar_flux", 0.0, 1e5), ("albedo", 0.0, 1.0), ("earth_infrared", 0.0, 1e4)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise EnvironmentSetError(f"environment: {name} is {value:g}; expected {low:g} to {high:g}")

    @classmethod
    def named(cls, name: str) -> EnvironmentSet:
        """Give a set of `ENVIRONMENT_SETS` by its name.

        Raises
        ------
        EnvironmentSetError
            If there is no such set.
        """
        try:
            return ENVIRONMENT_SETS[name]
        except KeyError:
            raise EnvironmentSetError(
                f"environment is {name!r}; expected one of {', '.join(ENVIRONMENT_SETS)}"
            ) from None

    def solar_flux_at(self, sun_distance: ArrayLike) -> FloatArray:
        """Solar flux [W/m2] on a surface that faces the Sun, at `sun_distance` [m] from it."""
        distance = np.asarray(sun_distance, dtype=np.float64)
        if not self.scaled_with_distance:
            return np.full_like(distance, self.solar_flux)
        return np.asarray(self.solar_flux * (ASTRONOMICAL_UNIT / distance) ** 2)


ENVIRONMENT_SETS = MappingProxyType(
    {
        # Solar constant: Kopp, G., Lean, J. L. (2011), doi 10.1029/2010GL045777. Albedo and infrared: global
        # means of CERES EBAF, Loeb, N. G. et al. (2018), doi 10.1175/JCLI-D-17-0208.1.
        "nominal": EnvironmentSet(1361.0, 0.29, 240.0, scaled_with_distance=True),
        # Design sets of the International Space Station, SSP 41000.
        "mean": EnvironmentSet(1371.0, 0.31, 241.0, scaled_with_distance=False),
        "hot": EnvironmentSet(1423.0, 0.40, 286.0, scaled_with_distance=False),
        "cold": EnvironmentSet(1321.0, 0.20, 206.0, scaled_with_distance=False),
    }
)
"""Environments known by name."""


@njit(cache=True, nogil=True)
def _view_factor(ratio: float, cosine: float) -> float:
    """View factor of a plate to a sphere: see `earth_view_factor`."""
    square = ratio * ratio
    sine = math.sqrt(max(0.0, 1.0 - cosine * cosine))
    edge = math.sqrt(square - 1.0)
    # Tilt against the horizon: the plane of the plate misses, cuts or hides the sphere.
    if ratio * cosine >= 1.0:
        return cosine / square
    if ratio * cosine <= -1.0:
        return 0.0
    first = 0.5 - math.asin(min(1.0, edge / (ratio * sine))) / math.pi
    angle = math.acos(min(1.0, max(-1.0, -edge * cosine / sine)))
    second = cosine * angle - edge * math.sqrt(max(0.0, 1.0 - square * cosine * cosine))
    return max(0.0, first + second / (math.pi * square))


@njit(cache=True, nogil=True)
def _view_factor_kernel(ratio: FloatArray, cosine: FloatArray, factor: FloatArray) -> None:
    for i in range(cosine.shape[0]):
        for face in range(cosine.shape[1]):
            factor[i, face] = _view_factor(ratio[i], min(1.0, max(-1.0, cosine[i, face])))


def earth_view_factor(distance_ratio: ArrayLike, tilt: ArrayLike) -> FloatArray:
    """View factor from a small plate to the Earth.

    Parameters
    ----------
    distance_ratio : array_like
        Distance from the Earth's centre over the Earth's radius, H [-], more than 1.
    tilt : array_like
        Angle γ between the plate's normal and nadir [rad], 0 to pi.

    Returns
    -------
    ndarray
        View factor [-], of the broadcast shape.

    Raises
    ------
    ValueError
        If a distance ratio is not above 1.

    Notes
    -----
    cos γ / H² while the plate's plane misses the sphere (γ <= acos 1/H); where it cuts,

    1/2 - asin(√(H²-1)/(H sin γ))/π + [cos γ acos(-√(H²-1) cot γ) - √(H²-1) √(1-H² cos² γ)]/(π H²).

    Howell, J. R., A Catalog of Radiation Heat Transfer Configuration Factors, B-43 (after Juul, K. H., 1976).
    """
    ratio, angle = np.broadcast_arrays(
        np.asarray(distance_ratio, dtype=np.float64), np.asarray(tilt, dtype=np.float64)
    )
    lowest = float(np.min(ratio, initial=np.inf))
    if not lowest > 1.0:
        raise ValueError(f"distance ratio is {lowest:g}; expected more than 1 (above the Earth's surface)")
    factor = np.empty((ratio.size, 1))
    _view_factor_kernel(np.ascontiguousarray(ratio).ravel(), np.cos(angle).reshape(-1, 1), factor)
    return factor.reshape(ratio.shape)


@dataclass(frozen=True)
class IncidentFluxes:
    """Flux that reaches each face, before any of it is absorbed [W/m2].

    Attributes
    ----------
    solar : ndarray, shape (n, face)
        Direct sunlight, cosine and shadow included [W/m2].
    albedo : ndarray, shape (n, face)
        Sunlight reflected by the Earth [W/m2].
    earth_infrared : ndarray, shape (n, face)
        Infrared of the Earth [W/m2].
    """

    solar: FloatArray
    albedo: FloatArray
    earth_infrared: FloatArray

    @property
    def sunlight(self) -> FloatArray:
        """Direct and reflected sunlight [W/m2]: what a solar absorptance applies to."""
        return np.asarray(self.solar + self.albedo)


@njit(cache=True, nogil=True)
def _angles_kernel(
    position: FloatArray,
    sun: FloatArray,
    normals: FloatArray,
    radius: FloatArray,
    zenith: FloatArray,
    incidence: FloatArray,
    nadir_cosine: FloatArray,
    tilt: FloatArray,
    azimuth: FloatArray,
) -> None:
    for i in range(position.shape[0]):
        x, y, z = position[i, 0], position[i, 1], position[i, 2]
        r = math.sqrt(x * x + y * y + z * z)
        x, y, z = x / r, y / r, z / r
        sx, sy, sz = sun[i, 0], sun[i, 1], sun[i, 2]
        up = x * sx + y * sy + z * sz
        # Horizontal part of the Sun's direction.
        hx, hy, hz = sx - up * x, sy - up * y, sz - up * z
        radius[i] = r
        zenith[i] = math.atan2(math.sqrt(hx * hx + hy * hy + hz * hz), up)
        for face in range(normals.shape[1]):
            nx, ny, nz = normals[i, face, 0], normals[i, face, 1], normals[i, face, 2]
            climb = nx * x + ny * y + nz * z
            gx, gy, gz = nx - climb * x, ny - climb * y, nz - climb * z
            incidence[i, face] = nx * sx + ny * sy + nz * sz
            nadir_cosine[i, face] = -climb
            tilt[i, face] = math.acos(min(1.0, max(-1.0, -climb)))
            # Without a horizontal part, of the Sun or of the normal, the azimuth does not matter.
            size = math.sqrt((hx * hx + hy * hy + hz * hz) * (gx * gx + gy * gy + gz * gz))
            cosine = (hx * gx + hy * gy + hz * gz) / size if size > 0.0 else 1.0
            azimuth[i, face] = math.acos(min(1.0, max(-1.0, cosine)))


@dataclass(frozen=True)
class FaceAngles:
    """Angles between faces, Sun and Earth.

    Attributes
    ----------
    radius : ndarray, shape (n,)
        Distance from the Earth's centre [m].
    sun_zenith : ndarray, shape (n,)
        Angle between the Sun and the zenith [rad].
    incidence_cosine, nadir_cosine : ndarray, shape (n, face)
        Cosine of the angle between a face's normal and the Sun, and nadir [-].
    tilt : ndarray, shape (n, face)
        Angle between a face's normal and nadir [rad].
    azimuth : ndarray, shape (n, face)
        Angle about the vertical between the Sun and a face's normal [rad], 0 to pi.
    """

    radius: FloatArray
    sun_zenith: FloatArray
    incidence_cosine: FloatArray
    nadir_cosine: FloatArray
    tilt: FloatArray
    azimuth: FloatArray


def face_angles(states: OrbitStates, normals: FloatArray) -> FaceAngles:
    """Angles of faces to Sun and Earth.

    Parameters
    ----------
    states : OrbitStates
        n states.
    normals : ndarray, shape (n, face, 3)
        Unit normals [-], in the frame of the states.

    Raises
    ------
    ValueError
        If the shapes do not match.
    """
    count = len(states)
    if normals.ndim != 3 or normals.shape[0] != count or normals.shape[2] != 3:
        raise ValueError(f"normals have shape {normals.shape}; expected ({count}, faces, 3)")
    faces = normals.shape[1]
    per_state = [np.empty(count) for _ in range(2)]
    per_face = [np.empty((count, faces)) for _ in range(4)]
    _angles_kernel(
        np.ascontiguousarray(states.position),
        np.ascontiguousarray(states.sun_direction),
        np.ascontiguousarray(normals),
        *per_state,
        *per_face,
    )
    return FaceAngles(*per_state, *per_face)


def incident_fluxes(
    states: OrbitStates,
    normals: FloatArray,
    environment: EnvironmentSet,
    illumination: FloatArray | None = None,
    *,
    albedo_table: AlbedoTable | None = None,
    earth_radius: float = EARTH_RADIUS,
) -> IncidentFluxes:
    """Flux incident on faces of any orientation, the spacecraft's own shadows left out.

    Parameters
    ----------
    states : OrbitStates
        n states.
    normals : ndarray, shape (n, face, 3)
        Outward unit normals [-], in the frame of the states (`twin.attitude.face_normals`).
    environment : EnvironmentSet
        The Sun and the Earth.
    illumination : ndarray, shape (n,), optional
        Visible fraction of the Sun's disk [-]; by default the conical shadow is computed.
    albedo_table : AlbedoTable, optional
        For millions of samples (`tabulate_albedo`); by default the integral itself is evaluated, about
        2 microseconds a sample and face.
    earth_radius : float
        Radius of the Earth [m].

    Returns
    -------
    IncidentFluxes
        Direct, reflected and infrared flux, each of shape (n, face) [W/m2].

    Raises
    ------
    ValueError
        If the shapes do not match, or the table does not cover the orbit.

    Notes
    -----
    Gilmore, D. G. (2002). Spacecraft Thermal Control Handbook, vol. 1, chapter 2; see `albedo_factor` and
    `earth_view_factor`.
    """
    angles = face_angles(states, normals)
    if illumination is None:
        illumination = illuminated_fraction(
            states.position,
            states.sun_direction,
            sun_distance=states.sun_distance,
            earth_radius=earth_radius,
        )
    sunlight = environment.solar_flux_at(states.sun_distance)
    ratio = angles.radius / earth_radius
    if albedo_table is None:
        reflected = albedo_factor(ratio[:, None], angles.sun_zenith[:, None], angles.tilt, angles.azimuth)
    else:
        reflected = albedo_table.factor(ratio, angles.sun_zenith, angles.tilt, angles.azimuth)
    view = np.empty_like(angles.tilt)
    _view_factor_kernel(ratio, angles.nadir_cosine, view)
    return IncidentFluxes(
        solar=(sunlight * illumination)[:, None] * np.maximum(angles.incidence_cosine, 0.0),
        albedo=(environment.albedo * sunlight)[:, None] * reflected,
        earth_infrared=environment.earth_infrared * view,
    )


def tabulate_albedo(
    orbit: Orbit, start: float, stop: float, *, earth_radius: float = EARTH_RADIUS
) -> AlbedoTable:
    """Table of reflected sunlight that covers an orbit between two times.

    Parameters
    ----------
    orbit : Orbit
        The orbit.
    start, stop : float
        Span, in seconds since the orbit's epoch [s].
    earth_radius : float
        Radius of the Earth [m].

    Raises
    ------
    ValueError
        If the orbit is too eccentric for a table (radius varies by more than 4 %).
    """
    # Whole revolutions spread over the span: the radius varies within one, and slowly from one to the next.
    revolution = np.linspace(0.0, orbit.nodal_period, 120)
    starts = np.linspace(start, max(start, stop - orbit.nodal_period), 60)
    radius = orbit.propagate((starts[:, None] + revolution).ravel()).radius / earth_radius
    lowest, highest = float(radius.min()), float(radius.max())
    if highest - lowest < 1e-9:
        return AlbedoTable.build(lowest, highest)
    # An eighth more on each side for what lies between the samples.
    margin = max(0.125 * (highest - lowest), 1e-4)
    return AlbedoTable.build(max(lowest - margin, 1.0 + 1e-6), highest + margin)
