"""Time to build, check, measure and distribute meshes of a million cells.

Usage: python bench/bench_meshes.py
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from meshes import check, cold_plate, radiator_panel, radiator_wing, summarize

RESULTS = Path(__file__).parent / "results" / "meshes.json"


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = run()
    return result, time.perf_counter() - start


def main() -> None:
    rows = []

    def note(what: str, cells: int, seconds: float) -> None:
        rows.append({"what": what, "cells": cells, "seconds": seconds, "cells per second": cells / seconds})
        print(f"{what:<34} {cells:>9} cells {seconds:8.3f} s {cells / seconds:12.3g} cells/s")

    panel, seconds = timed(lambda: radiator_panel(10.0, 20.0, 0.02, tubes=20))
    note("panel, parallel tubes", panel.cell_count, seconds)
    graded, seconds = timed(lambda: radiator_panel(10.0, 20.0, 0.03, 20, "serpentine", tube_cell_size=0.008))
    note("panel, serpentine, graded", graded.cell_count, seconds)
    wing, seconds = timed(lambda: radiator_wing(8, 3.3, 2.6, 0.0115, tubes=12))
    note("wing of eight panels", wing.cell_count, seconds)
    plate, seconds = timed(lambda: cold_plate(2.0, 1.0, 0.02, 0.004, layers=8, channels=10))
    note("cold plate, hexahedra", plate.cell_count, seconds)
    _, seconds = timed(lambda: check(panel))
    note("checks of the panel", panel.cell_count, seconds)
    _, seconds = timed(lambda: summarize(panel))
    note("quality of the panel", panel.cell_count, seconds)
    try:
        from mpi4py import MPI

        from meshes.dolfinx_mesh import to_dolfinx
    except ImportError:
        print("dolfinx is not here: distribution left out")
    else:
        _, seconds = timed(lambda: to_dolfinx(panel, MPI.COMM_SELF))
        note("panel to dolfinx, one rank", panel.cell_count, seconds)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
