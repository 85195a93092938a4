"""`twin report`: the HTML page about a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    result: Annotated[Path, typer.Argument(help="result.zarr, or the run folder that holds it.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write; report.html beside the result unless given.")
    ] = None,
) -> None:
    """Write one self-contained HTML page: what was run, figures, plots, pictures, energy balance."""
    from viz.report import write_report  # the libraries of pictures load only where they are used

    typer.echo(write_report(result, out))
