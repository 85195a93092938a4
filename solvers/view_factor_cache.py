"""View factors kept in files by their content: geometry, sides and settings."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from scipy.sparse import csr_array

from solvers.ray_casting import RaySettings
from solvers.surfaces import Surfaces
from solvers.view_factors import ViewFactors, ray_view_factors

#: changes when the numbers that a cached file would hold change
CACHE_VERSION = 1


def cached_view_factors(
    directory: Path | str, surfaces: Surfaces, method: Callable[[Surfaces], ViewFactors], key: str
) -> ViewFactors:
    """View factors from a cache by content, computed and stored when they are not there.

    Parameters
    ----------
    directory : path
        Made when missing. Files are written aside and renamed, so that a reader never sees half a file.
    surfaces : Surfaces
    method : callable
        Computes them, for example ``partial(ray_view_factors, settings=settings)``.
    key : str
        Names the method and all of its settings, for example ``f"rays {settings}"``.
    """
    folder = Path(directory)
    path = folder / f"view-factors-{content_hash(surfaces, key)}.npz"
    if path.exists():
        try:
            return _load(path)
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            path.unlink(missing_ok=True)  # cut off by a full disk, for example: computed anew
    factors = method(surfaces)
    folder.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=folder, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            _save(file, factors)
        Path(aside).replace(path)
    finally:
        Path(aside).unlink(missing_ok=True)
    return factors


def content_hash(surfaces: Surfaces, key: str) -> str:
    """Fingerprint of geometry, sides and settings."""
    digest = hashlib.sha256(f"{CACHE_VERSION} {key} {' '.join(surfaces.sides)}".encode())
    for array in (surfaces.points, surfaces.polygons, surfaces.patch):
        digest.update(str(array.shape).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:32]


def cached_ray_view_factors(directory: Path | str, surfaces: Surfaces, settings: RaySettings) -> ViewFactors:
    """Ray-cast view factors from the cache, keyed by what changes them (the batch size does not)."""
    key = f"rays {settings.rays} {settings.replicates} {settings.seed}"
    return cached_view_factors(directory, surfaces, partial(ray_view_factors, settings=settings), key)


def _save(file: object, factors: ViewFactors) -> None:
    exchange, errors = factors.exchange, factors.exchange_errors
    np.savez(
        file,  # type: ignore[arg-type]
        areas=factors.areas, space=factors.space, space_errors=factors.space_errors,
        value=exchange.data, column=exchange.indices, pointer=exchange.indptr,
        error_value=errors.data, error_column=errors.indices, error_pointer=errors.indptr,
    )  # fmt: skip


def _load(path: Path) -> ViewFactors:
    with np.load(path) as stored:
        shape = (len(stored["areas"]),) * 2
        return ViewFactors(
            areas=stored["areas"],
            exchange=csr_array((stored["value"], stored["column"], stored["pointer"]), shape=shape),
            space=stored["space"],
            exchange_errors=csr_array(
                (stored["error_value"], stored["error_column"], stored["error_pointer"]), shape=shape
            ),
            space_errors=stored["space_errors"],
        )
