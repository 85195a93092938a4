"""Measure the reduced models of a case again, on finite-element runs made now: by this code, on this dolfinx.

    env/run python cluster/recertify.py CASE [--limit 0.1]

Exit code 1 where an error is above the limit.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from twin.case import Case
from twin.component_models import thermal
from twin.module_thermal import ModuleThermal
from twin.reduced_training import TrainingSettings, certificate, one_panel, reduced_panel


def main() -> int:
    """Print a table with one row per class of modules."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", type=Path)
    parser.add_argument("--limit", type=float, default=0.1, help="largest error over an orbit [K]")
    given = parser.parse_args()
    case, settings = Case.load(given.case), TrainingSettings()
    print("| class | largest error [K] | rms error [K] | when it was made [K] | |\n|---|---|---|---|---|")
    failed = False
    for name, design in case.module_classes.items():
        parameters = thermal(design, case.mission.age)
        panel = reduced_panel(parameters, settings)
        with tempfile.TemporaryDirectory() as folder:  # an empty one: nothing is taken from earlier runs
            now = certificate(panel, ModuleThermal(one_panel(parameters)), settings, Path(folder))
        good = now["max_error"] <= given.limit
        failed |= not good
        print(
            f"| {name} | {now['max_error']:.2e} | {now['rms_error']:.2e} | {panel.certificate['max_error']:.2e} "
            f"| {'ok' if good else 'above the limit'} |",
            flush=True,
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
