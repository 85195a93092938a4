"""`twin run`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twin.cli.console import error_console, output_console, print_json, print_table
from twin.cli.run_progress import RunProgress
from twin.errors import BadInput

if TYPE_CHECKING:
    import xarray as xr

    from twin.results import SummaryRow

__all__ = ["run"]

MOST_COLUMNS = 4
"""Sub-centers up to which the table has one column each; beyond, one row each with the key figures."""

MOST_ALARMS = 5

SCALED = {"W": "W", "J": "J", "bit s-1": "bit/s"}
"""Units that take a prefix, as people write them."""

KEY_FIGURES = (
    "card_count", "load_power_mean", "battery_margin_min", "heat_rejected_mean", "radiator_margin_min",
    "radiator_temperature_margin_min", "junction_temperature_max", "throttled_fraction_thermal",
    "throttled_fraction_power", "throughput_fraction", "energy_per_card_hour",
)  # fmt: skip


def run(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="Case file (YAML).", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of the run; out/NAME unless given.", show_default=False),
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--duration", help="Length of the run: 24h, '3 orbits'.", show_default=False)
    ] = None,
    thermal: Annotated[
        str | None, typer.Option("--thermal", help="full: finite elements; reduced: a model made from them.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a value; may be given several times."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint in the folder.")
    ] = False,
    fields_every: Annotated[
        str, typer.Option("--fields-every", help="Simulated time between finite-element fields in files.")
    ] = "5 min",
    checkpoint_every: Annotated[
        str, typer.Option("--checkpoint-every", help="Time on the clock between checkpoints.")
    ] = "30 s",
    pictures: Annotated[bool, typer.Option(help="Draw plots, the 3D picture and the report.")] = True,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Write run.log as JSON lines, one event a line.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    r"""Simulate a case: tables per sub-center, result.zarr, fields for ParaView, report, pictures.

    \b
    Examples:
        twin run cases/experimental-satellite.yaml
        twin run cases/experimental-satellite.yaml --duration 24h --set mission.age="5 yr" --out out/aged
        mpirun -n 2 twin run cases/experimental-satellite.yaml --set module_classes.satellite.radiator.mesh_size="5 mm"
    """
    from solvers import parallel
    from twin.case import Case
    from twin.run import RunOptions
    from twin.run import run as run_case

    changes = list(set_ or ())
    if duration is not None:
        changes.append(f"mission.duration={duration}")
    if thermal is not None:
        changes.append(f"numerics.thermal={thermal}")
    loaded = Case.load(case, changes)
    folder = out if out is not None else Path("out") / loaded.name
    options = RunOptions(
        resume=resume,
        field_interval=seconds("--fields-every", fields_every),
        checkpoint_interval=seconds("--checkpoint-every", checkpoint_every),
        log="json" if log_json else "text",
    )
    if parallel.rank() != 0:
        run_case(loaded, folder, options)
        return
    with RunProgress(loaded.name) as shown:
        result = run_case(loaded, folder, options, shown.watch, shown.train)
    _print_result(result, as_json)
    _print_alarms(result)
    if pictures:
        _draw(folder, result)
    if not as_json:
        _print_files(folder, pictures, float(result.attrs["wall_time"]))


def seconds(option: str, text: str) -> float:
    """Return a positive duration given on the command line [s].

    Raises
    ------
    BadInput
        If it is not one.
    """
    from pydantic_core import PydanticCustomError

    from twin.case.types import DURATION

    try:
        return float(DURATION.above("0 s").parse(text))
    except PydanticCustomError as error:
        context = error.context or {}
        raise BadInput(
            f"{option} {text}: {error.message()}; expected {context.get('expected', 'a duration')}"
        ) from None


def _print_result(result: xr.DataTree, as_json: bool) -> None:
    from twin.results import energy_balance, summary

    rows = summary(result)
    centers = list(rows[0].sub_center)
    if as_json:
        balance = [{"what": w, "energy": e, "share": s} for w, e, s in energy_balance(result)]
        print_json({"summary": [row.as_dict() for row in rows], "energy_balance": balance})
        return
    start = str(result.attrs["start"])[:16].replace("T", " ")
    hours = float(result["plant"]["tick_duration"].sum()) / 3600.0
    title = f"{result.attrs['case_name']}: {hours:.2f} h from {start} UTC"
    if len(centers) <= MOST_COLUMNS:
        heads = centers if len(centers) == 1 else [*centers, "plant"]
        table = [(row.label, *(_value(row, head) for head in heads)) for row in rows]
        print_table(title, ("", *heads), table)
    else:
        chosen = [row for row in rows if row.name in KEY_FIGURES]
        table = [(name, *(_value(row, name) for row in chosen)) for name in [*centers, "plant"]]
        print_table(title, ("", *(row.label for row in chosen)), table)
    print_table(
        "energy",
        ("", "MJ", "share"),
        [
            (what, f"{energy / 1e6:,.4f}", f"{share:.2e}" if abs(share) < 1e-4 else f"{100 * share:.2f} %")
            for what, energy, share in energy_balance(result)
        ],
    )


def _print_alarms(result: xr.DataTree) -> None:
    from twin.results import run_alarms

    alarms = run_alarms(result)
    console = error_console()
    for alarm in alarms[:MOST_ALARMS]:
        console.print(f"warning: {alarm}", markup=False, style="yellow")
    if len(alarms) > MOST_ALARMS:
        console.print(
            f"warning: and {len(alarms) - MOST_ALARMS} more; see the attribute alarms of the result"
        )


def _value(row: SummaryRow, subject: str) -> str:
    value = row.sub_center.get(subject, row.plant)
    kinds = {"_count": "count", "_margin_min": "delta K" if row.units == "K" else row.units}
    units = next((kind for end, kind in kinds.items() if row.name.endswith(end)), row.units)
    return readable(value, units)


def readable(value: float, units: str) -> str:
    """Return a value with a unit that people read: kW, °C, %."""
    if value != value:
        return "–"
    if units == "delta K":
        return f"{value:.1f} K"
    if units == "K":
        return f"{value - 273.15:.1f} °C"
    if units in SCALED:
        unit = SCALED[units]
        for scale, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
            if abs(value) >= scale:
                return f"{value / scale:.3f} {prefix}{unit}"
        return f"{value:.1f} {unit}"
    if units == "m2":
        return f"{value:,.2f} m²"
    if units == "count":
        return f"{value:,.0f}"
    if units == "1":
        return f"{100 * value:.1f} %"
    return f"{value:.4g} {units}"


def _draw(folder: Path, result: xr.DataTree) -> None:
    from viz.pictures import write_pictures
    from viz.report import write_report

    target = folder / "result.zarr"
    write_pictures(target, folder / "pictures")
    write_report(target)


def _print_files(folder: Path, pictures: bool, wall_time: float) -> None:
    console = output_console()
    console.print(f"\ncomputed in {wall_time:.1f} s; in {folder}:", markup=False)
    files = {
        "result.zarr": "everything, for xarray: xarray.open_datatree(…, engine='zarr')",
        "fields/": "panel temperatures over time, for ParaView and pyvista",
    }
    if pictures:
        files |= {
            "report.html": "the page to read first",
            "pictures/": "plots and the 3D picture of the panel",
        }
    for name, what in files.items():
        if (folder / name).exists():
            console.print(f"  {name:<14} {what}", markup=False)
