"""Light from far away onto surfaces: the Sun with shadows and reflections, Earth behind obstacles.

Directions are those *towards* the source, in the frame of the surfaces.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from solvers.band_exchange import BandExchange
from solvers.ray_casting import RayScene, RaySettings, batches, random_shifts, sobol_sample
from solvers.surfaces import Floats, SurfaceError, Surfaces


def sunlit_cosines(surfaces: Surfaces, directions: Floats, settings: RaySettings | None = None) -> Floats:
    """Projected share of each face that a far point source lights, shadows included.

    Parameters
    ----------
    surfaces : Surfaces
    directions : (n, 3) float
        Towards the source.
    settings : RaySettings, optional
        Rays per face and direction.

    Returns
    -------
    (n, f) float
        Mean over the face of max(0, cosine) where lit: times the flux at normal incidence and the
        face's area, the power that it receives directly.
    """
    return _far_means(surfaces, directions, 0.0, settings or RaySettings(rays=256))


def far_disk_factors(
    surfaces: Surfaces, directions: Floats, angular_radius: float, settings: RaySettings | None = None
) -> Floats:
    """View factors from each face to a far round body, such as Earth, behind obstacles.

    Parameters
    ----------
    surfaces : Surfaces
    directions : (n, 3) float
        Towards its centre.
    angular_radius : float
        Half of the angle that it fills, above 0 and below π/2 [rad]; asin(R / r) at distance r.
    settings : RaySettings, optional
        Rays per face and direction.

    Returns
    -------
    (n, f) float
        F_i,body; area times this is the column for `SurfaceExchange(far=…)`.

    Raises
    ------
    SurfaceError
        If the angular radius is out of range.
    """
    if not 0.0 < angular_radius < 0.5 * math.pi:
        raise SurfaceError(f"angular radius must lie between 0 and π/2, not {angular_radius}")
    solid_angle = 2.0 * math.pi * (1.0 - math.cos(angular_radius))
    means = _far_means(surfaces, directions, angular_radius, settings or RaySettings(rays=1024))
    return means * solid_angle / math.pi


def absorbed_solar(cosines: Floats, flux: Floats | float, areas: Floats, band: BandExchange) -> Floats:
    """Solar power that each face absorbs, all reflections between faces included.

    Parameters
    ----------
    cosines : (n, f) float
        From `sunlit_cosines`.
    flux : (n,) float or float
        Solar flux at normal incidence, zero in eclipse [W/m²].
    areas : (f,) float
        [m²]
    band : BandExchange
        Of the solar band.

    Returns
    -------
    (n, f) float
        [W]
    """
    direct = (
        np.asarray(cosines) * np.broadcast_to(np.asarray(flux, dtype=float), len(cosines))[:, None] * areas
    )
    return band.absorbed(direct.T).T


def _far_means(
    surfaces: Surfaces, directions: Floats, angular_radius: float, settings: RaySettings
) -> Floats:
    """Mean of cosine times sight over each face and the cap of directions, shape (n, f)."""
    toward = np.atleast_2d(np.asarray(directions, dtype=float))
    length = np.linalg.norm(toward, axis=1)
    if toward.shape[1] != 3 or not (np.isfinite(length) & (length > 0.0)).all():
        raise SurfaceError(f"directions must be vectors of three with a length, not {directions!r}")
    toward = toward / length[:, None]
    scene = RayScene(surfaces)
    count, rays = surfaces.face_count, settings.rays
    sample = sobol_sample(rays // settings.replicates, 4)
    shifts = random_shifts(settings, count, 4, stream=2)
    result = np.zeros((len(toward), count))
    reach = 4.0 * surfaces.size
    for part in batches(count, rays, settings.batch):
        faces = np.arange(part.start, part.stop)
        points, normals = scene.points_on(faces, sample, shifts[part])
        cap = _cap_sample(sample, shifts[part], angular_radius)
        for row, axis in enumerate(toward):
            ray = cap @ _frame(axis)
            cosine = np.einsum("ij,ij->i", ray, normals)
            # only rays in front of their face are worth casting
            lit = np.flatnonzero(cosine > 0.0)
            if len(lit):
                cosine[lit[scene.blocked(points[lit], reach * ray[lit])]] = 0.0
            result[row, part] = np.maximum(cosine, 0.0).reshape(len(faces), -1).mean(axis=1)
    return result


def _cap_sample(sample: Floats, shifts: Floats, angular_radius: float) -> Floats:
    """Even directions within a cap about +z, one for each face, replicate and sample point."""
    place = (sample[None, None, :, 2:] + shifts[:, :, None, 2:]) % 1.0
    up = 1.0 - place[..., 0] * (1.0 - math.cos(angular_radius))
    across = np.sqrt(np.maximum(0.0, 1.0 - up * up))
    angle = 2.0 * math.pi * place[..., 1]
    return np.stack([across * np.cos(angle), across * np.sin(angle), up], axis=-1).reshape(-1, 3)


def _frame(axis: Floats) -> NDArray[np.float64]:
    """Rotation (rows) that takes +z to the axis."""
    helper = np.eye(3)[int(np.argmin(np.abs(axis)))]
    first = np.cross(helper, axis)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(axis, first), axis])
