"""Regenerate the calibration report: ``python -m twin.calibration --data DIR --out DIR``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from twin.errors import BadInput


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report and print where; exit code 2 if the data are not there."""
    parser = argparse.ArgumentParser(prog="python -m twin.calibration", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="directory with gpu-power and surf-cluster")
    parser.add_argument("--out", type=Path, default=Path("docs/verification"), help="directory of the report")
    options = parser.parse_args(arguments)
    from twin.calibration.report import write_report

    try:
        print(write_report(options.data, options.out))
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
