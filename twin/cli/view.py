"""`twin view`: a 3D session in the browser, or pictures and animations without a screen."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twin.errors import BadInput

if TYPE_CHECKING:
    from viz.plant_data import PlantData

PICTURE_FORMATS = (".png", ".jpg", ".jpeg", ".pdf", ".svg")

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}


class SceneName(StrEnum):
    """What a picture shows."""

    plant = "plant"
    sub_center = "sub_center"
    module = "module"
    cards = "cards"
    racks = "racks"


def view(
    result: Annotated[
        str,
        typer.Argument(help="result.zarr, the run folder that holds it, or http://HOST:PORT of a live twin."),
    ],
    screenshot: Annotated[
        Path | None, typer.Option("--screenshot", help="Write one picture of the scene to this file.")
    ] = None,
    movie: Annotated[
        Path | None,
        typer.Option("--movie", help="Write an animation over the run: .gif, or .mp4 with ffmpeg."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the set of time plots and scenes to this folder.")
    ] = None,
    time: Annotated[
        str,
        typer.Option("--time", help="Moment of the scene: '90 min' since the start, a UTC time, or 'end'."),
    ] = "end",
    scene: Annotated[
        SceneName | None,
        typer.Option("--scene", help="What to show (default: the plant; of one satellite the module)."),
    ] = None,
    sub_center: Annotated[str | None, typer.Option("--sub-center", help="Show this sub-center.")] = None,
    module: Annotated[
        int | None, typer.Option("--module", help="Show this module of the sub-center.")
    ] = None,
    colour_by: Annotated[
        str | None, typer.Option("--colour-by", help="Variable of the modules that gives the colours.")
    ] = None,
    camera: Annotated[str | None, typer.Option("--camera", help="Camera preset of the scene.")] = None,
    compare: Annotated[
        Path | None, typer.Option("--compare", help="Another result: show the first minus this one.")
    ] = None,
    frames: Annotated[int, typer.Option("--frames", min=2, help="Most frames of an animation.")] = 60,
    host: Annotated[
        str, typer.Option("--host", help="Address of the session; other than this machine needs its token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, help="Port of the session; 0 takes a free one.")] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the session in the browser.")
    ] = True,
) -> None:
    r"""Look at a result: in the browser, or as pictures.

    \b
    twin view out/gigawatt                                  # a session: turn, pick, play
    twin view out/gigawatt --screenshot plant.png --time "6 h"
    twin view out/gigawatt --screenshot cards.png --scene cards --colour-by throttled_fraction_thermal
    twin view out/gigawatt --screenshot racks.png --scene racks --sub-center second --module 713
    twin view out/gigawatt --movie day.gif --scene sub_center --sub-center second
    twin view out/new --compare out/old --screenshot difference.png
    twin view http://127.0.0.1:8080                         # a live twin

    The session renders on this machine and listens on this machine only. With --host it can be reached from
    others, by the link with a token that is printed.
    """
    if re.match(r"(https?|tcp|udp|wss?)://", result):
        if screenshot or movie or out or compare:
            raise BadInput(f"{result}: pictures are made of results; give the folder of a run")
        from viz.session.serve import serve_live

        serve_live(result, host, port, browser, typer.echo)
        return
    if screenshot is not None and screenshot.suffix.lower() not in PICTURE_FORMATS:
        raise BadInput(
            f"--screenshot {screenshot}: expected a file that ends in {', '.join(PICTURE_FORMATS)}"
        )
    if movie is not None:
        from viz.movie import check_movie_file

        check_movie_file(movie)
    from viz.scenes import sub_center_index

    data = _open(Path(result), compare)
    seconds = parse_moment(time, data.start, end=float(data.times[-1]))
    sub_center_index(data, sub_center)
    if screenshot is None and movie is None and out is None:
        from viz.session.serve import serve_result

        serve_result(data, host, port, browser, typer.echo, seconds, scene, sub_center)
        return
    if screenshot is not None:
        _picture(data, screenshot, seconds, scene, sub_center, module, colour_by, camera)
    if movie is not None:
        _movie(data, movie, scene, sub_center, module, colour_by, camera, frames)
    if out is not None:
        from viz.pictures import write_pictures

        files = write_pictures(Path(result), out, sub_center)
        typer.echo(f"Wrote {len(files)} pictures to {out}:")
        for file in files:
            typer.echo(f"  {file}")


def _open(result: Path, compare: Path | None) -> PlantData:
    from viz.plant_data import Comparison, PlantData

    data = PlantData.open(result)
    return data if compare is None else Comparison(data, PlantData.open(compare))


def _picture(
    data: PlantData,
    file: Path,
    seconds: float,
    scene: SceneName | None,
    sub_center: str | None,
    module: int | None,
    colour_by: str | None,
    camera: str | None,
) -> None:
    from viz.module_view import field_of_class
    from viz.picture import save_module_picture
    from viz.pictures import save_choice
    from viz.plant_data import Comparison
    from viz.scenes import Choice, sub_center_index, usual_paint, usual_scene

    center = sub_center_index(data, sub_center)
    name = scene.value if scene else "module" if module is not None else usual_scene(data)
    if name == "plant" and sub_center is not None and scene is None:
        name = "sub_center"
    special = colour_by or camera or isinstance(data, Comparison) or module or center
    field = None if special or name != "module" else field_of_class(data.path, data.class_of(0, 0))
    if field is not None and data.path is not None:
        save_module_picture(data.path, file, seconds, field)
    else:
        paint = data.paint(colour_by) if colour_by else usual_paint(data, name)
        save_choice(data, Choice(name, center, module or 0), file, data.index_at(seconds), paint, camera)
    typer.echo(file)


def _movie(
    data: PlantData,
    file: Path,
    scene: SceneName | None,
    sub_center: str | None,
    module: int | None,
    colour_by: str | None,
    camera: str | None,
    frames: int,
) -> None:
    from twin.cli.console import progress
    from viz.movie import save_movie
    from viz.scenes import Choice, make_scene, sub_center_index, usual_paint, usual_scene

    name = scene.value if scene else usual_scene(data)
    paint = data.paint(colour_by) if colour_by else usual_paint(data, name)
    shown = make_scene(data, Choice(name, sub_center_index(data, sub_center), module or 0))
    with progress("frames", min(frames, data.times.size)) as bar:
        save_movie(
            data, shown, file, paint, shown.limits(paint), camera, frames,
            advance=lambda done, total: bar.update(done),
        )  # fmt: skip
    typer.echo(file)


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
