"""View factors of about 2000 patches: contour integral, rays, and pyviewfactor, side by side in one run.

Two scenes: the inside of a box, where nothing obstructs, and the same box with a plate in the middle.
Then 10 000 patches by rays, for time and memory.

Usage: python bench/bench_view_factors.py [--cells 18]
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from solvers.ray_casting import RaySettings
from solvers.surfaces import Surfaces
from solvers.view_factors import exact_view_factors, ray_view_factors

RESULTS = Path(__file__).parent / "results" / "view_factors.json"


def grid(corner: np.ndarray, one: np.ndarray, other: np.ndarray, cells: int) -> list[np.ndarray]:
    """Parallelogram cut into cells × cells, normal along one × other."""
    steps = np.linspace(0.0, 1.0, cells + 1)
    return [
        np.array([corner + u * one + v * other for u, v in ((a, c), (b, c), (b, d), (a, d))])
        for a, b in pairwise(steps)
        for c, d in pairwise(steps)
    ]


def box(cells: int, plate_cells: int = 0) -> Surfaces:
    """Inside of a unit cube; with ``plate_cells``, a plate of half its width in the middle."""
    x, y, z = np.eye(3)
    polygons = []
    for one, other, along in ((x, y, z), (y, z, x), (z, x, y)):
        polygons += grid(np.zeros(3), one, other, cells) + grid(along, other, one, cells)
    if plate_cells:
        low = np.array([0.25, 0.25, 0.5])
        polygons += grid(low, 0.5 * x, 0.5 * y, plate_cells)
        # the back is a patch of its own, a hair below, because pyviewfactor knows one side per cell
        polygons += grid(low - 1e-4 * z, 0.5 * y, 0.5 * x, plate_cells)
    return Surfaces.from_polygons(polygons)


def pyviewfactor_factors(scene: Surfaces, obstructed: bool) -> np.ndarray:
    """Compute the matrix of pyviewfactor for the same polygons."""
    import pyviewfactor
    import pyvista

    cells = np.column_stack([np.full(len(scene.polygons), 4), scene.polygons]).ravel()
    mesh = pyvista.PolyData(scene.points, cells)
    return np.asarray(pyviewfactor.compute_viewfactor_matrix(mesh, skip_obstruction=not obstructed).T)


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = run()
    return result, time.perf_counter() - start


def rows_of_scene(name: str, scene: Surfaces, obstructed: bool) -> list[dict[str, Any]]:
    """Each method on one scene; error against the rays' reference or the exact formula."""
    visibility = 8 if obstructed else 0
    methods: dict[str, Callable[[], Any]] = {
        "contour integral": lambda: exact_view_factors(scene, visibility).factors,
        "rays, 4096 a face": lambda: ray_view_factors(scene, RaySettings(rays=4096)).factors,
        "rays, 16384 a face": lambda: ray_view_factors(scene, RaySettings(rays=16384)).factors,
    }
    try:
        import pyviewfactor  # noqa: F401

        methods["pyviewfactor"] = lambda: pyviewfactor_factors(scene, obstructed)
    except ImportError:
        print("pyviewfactor is not installed: left out")
    # where a plate obstructs, the reference is rays again, many of them and with another seed
    finest = RaySettings(rays=65536, seed=9)
    exact = ray_view_factors(scene, finest) if obstructed else exact_view_factors(scene)
    reference = exact.factors.toarray()
    rows = []
    for method, run in methods.items():
        factors, seconds = timed(run)
        dense = factors if isinstance(factors, np.ndarray) else factors.toarray()
        rows.append(
            {
                "scene": name,
                "patches": scene.face_count,
                "method": method,
                "seconds": seconds,
                "rms error": float(np.sqrt(np.mean((dense - reference) ** 2))),
                "max error": float(np.abs(dense - reference).max()),
                "worst row sum": float(np.abs(dense.sum(axis=1) - 1.0).max()),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cells", type=int, default=18, help="cells along an edge of the box (18: 1944 patches)"
    )
    parser.add_argument(
        "--large", type=int, default=41, help="the same for the large scene (41: 10 086 patches)"
    )
    options = parser.parse_args()
    warm = box(2, 2)
    exact_view_factors(warm, 4)
    ray_view_factors(warm, RaySettings(rays=64))
    pyviewfactor_factors(warm, True)  # everybody compiles before the clock starts
    rows = rows_of_scene("box", box(options.cells), False)
    rows += rows_of_scene("box with a plate", box(options.cells - 1, 8), True)
    large = box(options.large)
    factors, seconds = timed(lambda: ray_view_factors(large, RaySettings(rays=4096)))
    rows.append(
        {
            "scene": "large box",
            "patches": large.face_count,
            "method": "rays, 4096 a face",
            "seconds": seconds,
            "rms error": float(np.sqrt(np.mean(factors.factor_errors.data**2))),
            "max error": float(factors.factor_errors.data.max()),
            "worst row sum": float(np.abs(factors.row_sums - 1.0).max()),
        }
    )
    header = list(rows[0])
    print("  ".join(f"{name:>18}" for name in header))
    for row in rows:
        print(
            "  ".join(
                f"{row[name]:>18.3g}" if isinstance(row[name], float) else f"{row[name]!s:>18}"
                for name in header
            )
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory {peak:.2f} GiB; {factors.exchange.nnz} exchange areas of the large box are stored")
    print("errors: against the contour integral, with the plate against 65536 rays of another seed;")
    print("of the large box, as stated by the method itself")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"rows": rows, "peak_memory_gib": peak}, indent=2) + "\n")


if __name__ == "__main__":
    main()
