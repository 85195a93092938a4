"""`twin size`: radiator area per sub-center."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twin.cli.console import error_console, output_console, print_json, progress

if TYPE_CHECKING:
    from twin.sizing import Sizing

__all__ = ["size"]


def size(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="Case file (YAML).", show_default=False)],
    samples: Annotated[
        int, typer.Option("--samples", min=0, help="Draws of what is uncertain, at every age; 0 for none.")
    ] = 256,
    method: Annotated[str, typer.Option("--method", help="sobol, or lhs for a Latin hypercube.")] = "sobol",
    studies: Annotated[
        bool, typer.Option(help="What-ifs, throttling over area, years from launch, trade with mass.")
    ] = True,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of the sizing; out/NAME-size unless given.", show_default=False),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a value; may be given several times."),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            help="Address of a Dask scheduler; a local cluster unless given.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=0, help="Processes of the local cluster; 0: this process.", show_default=False
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a sizing of this folder that was ended.")
    ] = False,
    pictures: Annotated[bool, typer.Option(help="Draw the plots.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the tables as JSON.")] = False,
) -> None:
    r"""Size the radiators of every sub-center: worst orbit, area needed, margins, uncertainty, trade.

    \b
    Examples:
        twin size cases/gigawatt.yaml
        twin size cases/gigawatt.yaml --samples 1000 --set sizing.margin.policy=ecss
        twin size cases/constellation-200kw.yaml --samples 0 --no-studies
        twin size cases/gigawatt.yaml --resume
    """
    from twin.case import Case
    from twin.errors import BadInput
    from twin.memory import refuse_sizing
    from twin.sizing import SizingOptions
    from twin.sizing import size as size_case
    from twin.sizing.dataset import write_sizing
    from twin.sizing.kept import kept_tasks
    from twin.sizing.size import STUDIES
    from twin.stop_request import ends_at_once
    from twin.sweep_cluster import workers as cluster

    if method not in ("sobol", "lhs"):
        raise BadInput(f"--method {method}: expected sobol or lhs")
    loaded = Case.load(case, set_ or ())
    folder = out if out is not None else Path("out") / f"{loaded.name}-size"
    options = SizingOptions(samples, method, STUDIES if studies else ())  # type: ignore[arg-type]
    here = (os.process_cpu_count() or 1) if workers is None else workers
    refuse_sizing(loaded, here if scheduler is None else 0)
    kept = kept_tasks(folder, loaded, resume)
    with (
        ends_at_once(f"finished parts are kept in {folder}, and the same command with --resume goes on"),
        progress(f"sizing {loaded.name}", 1.0) as bar,
        cluster(scheduler, workers) as at,
    ):
        at.kept = kept
        sizing = size_case(loaded, options, at, watch=lambda what, share: bar.update(share, what))
    target = write_sizing(sizing, folder)
    kept.discard()
    if as_json:
        print_json(summary(sizing))
    else:
        from twin.cli.size_tables import print_sizing

        print_sizing(sizing)
    _warn(sizing)
    if pictures:
        from viz.sizing_plots import write_sizing_plots

        write_sizing_plots(target, folder / "pictures")
    if not as_json:
        output_console().print(f"\nin {folder}: sizing.zarr (xarray), pictures/", markup=False)


def summary(sizing: Sizing) -> dict[str, object]:
    """Return the figures of a sizing as JSON types."""
    from twin.sizing.tables import (
        area_rows,
        closed_form_rows,
        curve_rows,
        design_rows,
        sensitivity_rows,
        what_if_rows,
    )

    return {
        "case": sizing.case.name,
        "margin": sizing.margin.name,
        "areas": area_rows(sizing),
        "closed_forms": closed_form_rows(sizing),
        "design_cases": design_rows(sizing),
        "curve": curve_rows(sizing),
        "what_if": what_if_rows(sizing),
        "sensitivity": sensitivity_rows(sizing),
    }


def _warn(sizing: Sizing) -> None:
    """Say what failed: it is kept in the dataset with its error."""
    console = error_console()
    for part in sizing.sub_centers:
        for name, error in part.failures.items():
            console.print(f"warning: {part.name}: study {name} failed: {error}", markup=False, style="yellow")
        for sampled in part.sampled:
            if sampled.errors:
                first = next(iter(sampled.errors.items()))
                console.print(
                    f"warning: {part.name}: {len(sampled.errors)} samples failed twice, such as sample {first[0]}: "
                    f"{first[1]}",
                    markup=False,
                    style="yellow",
                )
