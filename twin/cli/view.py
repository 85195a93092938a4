"""`twin view`: pictures of a result, without a screen."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from twin.errors import BadInput

PICTURE_FORMATS = (".png", ".jpg", ".jpeg", ".pdf", ".svg")

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}


class Scene(StrEnum):
    """What a picture shows."""

    module = "module"


def view(
    result: Annotated[Path, typer.Argument(help="result.zarr, or the run folder that holds it.")],
    screenshot: Annotated[
        Path | None, typer.Option("--screenshot", help="Write one picture of the scene to this file.")
    ] = None,
    time: Annotated[
        str,
        typer.Option("--time", help="Moment of the scene: '90 min' since the start, a UTC time, or 'end'."),
    ] = "end",
    scene: Annotated[Scene, typer.Option("--scene", help="What the picture shows.")] = Scene.module,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the picture set; 'pictures' beside the result.")
    ] = None,
    sub_center: Annotated[
        str | None, typer.Option("--sub-center", help="Plot this sub-center, not the whole plant.")
    ] = None,
) -> None:
    """Write pictures of a result: one scene with --screenshot, else time plots and the scene."""
    from twin.results import locate_result, open_result
    from viz.fields import field_names
    from viz.picture import save_module_picture
    from viz.plots import write_plots

    if str(result).startswith(("tcp:", "udp:")):
        raise BadInput(f"{result}: viewing a live plant is not available; give the folder of a run")
    tree = open_result(result)
    start = datetime.fromisoformat(str(tree.attrs["start"]))
    seconds = parse_moment(time, start, end=_last_time(tree["plant"].to_dataset().time.values[-1], start))
    if screenshot is not None:
        if screenshot.suffix.lower() not in PICTURE_FORMATS:
            raise BadInput(
                f"--screenshot {screenshot}: expected a file that ends in {', '.join(PICTURE_FORMATS)}"
            )
        save_module_picture(result, screenshot, seconds)
        typer.echo(screenshot)
        return
    folder = out or locate_result(result).with_name("pictures")
    names = [str(name) for name in tree["sub_center"].to_dataset()["sub_center"].values]
    if sub_center is not None and sub_center not in names:
        raise BadInput(f"--sub-center {sub_center}: expected one of {', '.join(names)}")
    files = write_plots(tree, folder, sub_center)
    if field_names(result):
        files.append(folder / f"{scene.value}.png")
        save_module_picture(result, files[-1], seconds)
    typer.echo(
        f"Wrote {len(files)} pictures to {folder} (an interactive session is not part of this version):"
    )
    for file in files:
        typer.echo(f"  {file}")


def parse_moment(text: str, start: datetime, end: float) -> float:
    """Return the moment that `text` names [s since start].

    Parameters
    ----------
    text : str
        ``end``, a time since the start such as ``90 min`` or ``2.5h``, or a UTC date and time.
    start : datetime
        Start of the run, with its zone.
    end : float
        End of the run [s since start].

    Raises
    ------
    BadInput
        It is none of these, or lies outside the run.
    """
    seconds = _seconds_since_start(text.strip(), start, end)
    if seconds is None:
        raise BadInput(
            f"--time {text}: expected 'end', a time such as '90 min' or '2.5h', or a UTC date and time"
        )
    if not 0.0 <= seconds <= end * (1 + 1e-9) + 1e-3:
        raise BadInput(
            f"--time {text}: is outside the run, which lasts {end:g} s from {start:%Y-%m-%d %H:%M:%S} UTC"
        )
    return seconds


def _seconds_since_start(text: str, start: datetime, end: float) -> float | None:
    if text == "end":
        return end
    match = re.fullmatch(r"([+-]?\d+(?:\.\d*)?)\s*(s|min|h|d)", text)
    if match:
        return float(match[1]) * _SECONDS[match[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (moment - start).total_seconds()


def _last_time(stamp: object, start: datetime) -> float:
    moment = datetime.fromisoformat(str(stamp)[:26]).replace(tzinfo=UTC)
    return (moment - start).total_seconds()
