"""`twin size`: radiator area per sub-center."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twin.cli.console import output_console, print_json, print_table, progress

if TYPE_CHECKING:
    from twin.sizing import Sizing

__all__ = ["size"]

YEAR = 365.25 * 86400.0


def size(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="Case file (YAML).", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of the sizing; out/NAME-size unless given.", show_default=False),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a value; may be given several times."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the tables as JSON.")] = False,
) -> None:
    r"""Size the radiators of every sub-center: worst orbit, area needed, margins, closed forms.

    \b
    Examples:
        twin size cases/gigawatt.yaml
        twin size cases/gigawatt.yaml --set sizing.margin.policy=ecss
    """
    from twin.case import Case
    from twin.sizing import size as size_case

    loaded = Case.load(case, set_ or ())
    with progress(f"sizing {loaded.name}", 1.0) as bar:
        sizing = size_case(loaded, watch=lambda what, share: bar.update(share, what))
    if as_json:
        print_json(summary(sizing))
    else:
        print_sizing(sizing)


def summary(sizing: Sizing) -> dict[str, object]:
    """Return the figures of a sizing as JSON types."""
    return {
        "case": sizing.case.name,
        "margin": sizing.margin.name,
        "sub_centers": [
            {
                "name": part.name,
                "design_area": part.design_area,
                "design_case": {
                    "start": part.design_case.start.isoformat(),
                    "environment": part.design_case.environment,
                    "orientation": str(part.design_case.orientation),
                    "load_time": part.design_case.load_time,
                },
                "areas": [
                    {
                        "age": float(part.nominal.ages[k]),
                        "closed_form": part.closed_area(k),
                        "needed": float(part.nominal.needed[k]) * part.design_area,
                        "required": float(part.nominal.required[k]) * part.design_area,
                        "binding": part.nominal.binding[k],
                        "at_least": bool(part.nominal.at_least[k]),
                    }
                    for k in range(part.nominal.ages.size)
                ],
            }
            for part in sizing.sub_centers
        ],
    }


def print_sizing(sizing: Sizing) -> None:
    """Print the tables of a sizing."""
    rows = []
    for part in sizing.sub_centers:
        for k, age in enumerate(part.nominal.ages):
            nominal = part.nominal
            less = "≤ " if nominal.at_least[k] else ""
            rows.append(
                (
                    part.name,
                    f"{age / YEAR:g}",
                    f"{part.design_area:,.1f}",
                    f"{part.closed_area(k):,.1f}",
                    f"{less}{nominal.needed[k] * part.design_area:,.1f}",
                    f"{less}{nominal.required[k] * part.design_area:,.1f}",
                    f"{100.0 * (1.0 / nominal.required[k] - 1.0):+.1f} %",
                    nominal.binding[k],
                )
            )
    heads = (
        "sub-center", "age [yr]", "design [m²]", "closed form [m²]", "needed [m²]",
        f"with margin ({sizing.margin.name}) [m²]", "design over that", "decided by",
    )  # fmt: skip
    print_table(f"{sizing.case.name}: radiator area, one face", heads, rows)
    console = output_console()
    for part in sizing.sub_centers:
        found = part.design_case
        hour = found.load_time / 3600.0
        console.print(
            f"{part.name}: worst orbit starts {found.start:%Y-%m-%d %H:%M} UTC, environment {found.environment}, "
            f"radiator {found.orientation} leaning {57.29578 * found.pointing:.1f}°, load of {hour:.0f} h after the "
            f"start; coldest panel {found.panel_min - 273.15:.1f} °C on {found.coldest:%Y-%m-%d}",
            markup=False,
        )
