"""`twin sweep`: vary keys of a case and run all variants."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twin.cli.console import error_console, output_console, print_json, print_table, progress

if TYPE_CHECKING:
    import xarray as xr

    from twin.sweep_cluster import Done

__all__ = ["sweep"]

SHOWN = {
    "radiator_area": ("radiator [m²]", 1.0, 0.0),
    "radiator_margin_min": ("radiator margin, least [%]", 100.0, 0.0),
    "junction_temperature_max": ("hottest junction [°C]", 1.0, -273.15),
    "throttled_fraction_thermal": ("throttled by heat [%]", 100.0, 0.0),
    "throttled_fraction_power": ("by power [%]", 100.0, 0.0),
    "throughput_fraction": ("throughput [%]", 100.0, 0.0),
    "battery_soc_min": ("lowest charge [%]", 100.0, 0.0),
    "radiator_area_needed": ("needed [m²]", 1.0, 0.0),
    "radiator_area_required": ("with margin [m²]", 1.0, 0.0),
    "radiator_area_closed_form": ("closed form [m²]", 1.0, 0.0),
    "radiator_area_design": ("design [m²]", 1.0, 0.0),
}
"""Figures of the table: heading, factor and shift; all are in the dataset."""


def sweep(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="Case file (YAML).", show_default=False)],
    vary: Annotated[
        list[str],
        typer.Option(
            "--vary",
            metavar="KEY=LOW:HIGH:COUNT",
            help="What to vary; also KEY=A,B,C; may be given several times.",
        ),
    ],
    measure: Annotated[
        str, typer.Option("--measure", help="run: simulate each variant; size: the radiator it needs.")
    ] = "run",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of the sweep; out/NAME-sweep unless given.", show_default=False),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a value in all variants."),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler", help="Address of a Dask scheduler; else a local cluster.", show_default=False
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=0, help="Processes of the local cluster; 0: this process.", show_default=False
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Do only what is missing or failed.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the result of every run.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    r"""Vary keys of a case and run all variants on Dask; one dataset with a dimension per key.

    \b
    Examples:
        twin sweep cases/experimental-satellite.yaml --vary mission.age="0:5:6 yr" --set mission.duration="1 orbit"
        twin sweep cases/gigawatt.yaml --measure size \
            --vary module_classes.interior.radiator.thickness="0.5:2:4 mm" --vary environment=nominal,hot
        twin sweep CASE --vary KEY=A,B --scheduler tcp://head:8786 --resume
    """
    from twin.case import Case
    from twin.errors import BadInput, RunFailed
    from twin.stop_request import ends_at_once
    from twin.sweep import parse_axis
    from twin.sweep import sweep as sweep_case
    from twin.sweep_cluster import workers as cluster

    if measure not in ("run", "size"):
        raise BadInput(f"--measure {measure}: expected run or size")
    axes = [parse_axis(text) for text in vary]
    folder = out if out is not None else Path("out") / f"{Case.load(case, set_ or ()).name}-sweep"
    then = f"variants that have ended are kept in {folder}, and the same command with --resume goes on"
    with ends_at_once(then), cluster(scheduler, workers) as at, progress("sweep", 1.0) as bar:

        def watch(done: int, total: int, last: Done | None) -> None:
            note = f"{done} of {total} variants"
            bar.update(done / total, note + (", one failed" if last is not None and last.error else ""))

        found = sweep_case(
            case, axes, folder, set_ or (), measure, at, resume, keep, watch  # type: ignore[arg-type]
        )  # fmt: skip
    _print(found.data, as_json)
    if not as_json:
        output_console().print(f"\nin {folder}: sweep.zarr (xarray), points/", markup=False)
    if found.failed:
        total = found.data["error"].size
        first = next(str(e) for e in found.data["error"].values.ravel() if str(e))
        error_console().print(
            f"warning: {found.failed} of {total} variants failed twice and are kept with their error: {first}",
            markup=False,
            style="yellow",
        )
        if found.failed == total:
            raise RunFailed("sweep: all variants failed")


def _print(data: xr.Dataset, as_json: bool) -> None:
    dims = [str(d) for d in data["error"].dims]
    shown = [name for name in SHOWN if name in data]
    rows = []
    for point in data[[*shown, "error"]].stack(point=dims).transpose("point")["point"].values:
        at = (
            dict(zip(dims, point))
            if len(dims) > 1
            else {dims[0]: point[0] if isinstance(point, tuple) else point}
        )
        one = data.sel(at)
        values = [float(one[name]) for name in shown]
        error = str(one["error"].values)
        if as_json:
            numbers: list[object] = [v if v == v else None for v in values]
        else:
            # The table says that a variant failed; the dataset and JSON say why.
            numbers = [_figure(v, name) for v, name in zip(values, shown)]
            error = error.partition(":")[0]
        rows.append((*(_plain(at[d]) for d in dims), *numbers, error))
    varied = [
        f"{d} [{data[d].attrs['units']}]" if data[d].attrs.get("units", "1") != "1" else d for d in dims
    ]
    if as_json:
        heads = [*varied, *(f"{name} [{data[name].attrs['units']}]" for name in shown), "error"]
        print_json([dict(zip(heads, row, strict=True)) for row in rows])
        return
    if not any(row[-1] for row in rows):
        print_table("sweep", [*varied, *(SHOWN[name][0] for name in shown)], [row[:-1] for row in rows])
        return
    print_table("sweep", [*varied, *(SHOWN[name][0] for name in shown), "error"], rows)


def _figure(value: float, name: str) -> str:
    """A figure in the unit that people read."""
    _, factor, shift = SHOWN[name]
    number = factor * value + shift
    if number != number:
        return "–"
    return f"{number:,.2f}" if abs(number) < 1e3 else f"{number:,.0f}"


def _plain(value: object) -> object:
    return value.item() if hasattr(value, "item") else value
