"""Animations of a scene: GIF always, MP4 where the machine has ffmpeg."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from twin.errors import BadInput, RunFailed
from viz.compose import take_aim
from viz.paints import Paint
from viz.plant_data import PlantData
from viz.stage import Scene, new_plotter

MOVIE_FORMATS = (".gif", ".mp4")
BAND = 66
"""Height of the line under the picture [pixel]."""


def check_movie_file(file: Path) -> None:
    """Check before any work that a movie can be written to `file`.

    Raises
    ------
    BadInput
        It is neither GIF nor MP4, or MP4 needs an ffmpeg that is not there.
    """
    kind = file.suffix.lower()
    if kind not in MOVIE_FORMATS:
        raise BadInput(f"--movie {file}: expected a file that ends in {' or '.join(MOVIE_FORMATS)}")
    if kind == ".mp4" and _ffmpeg() is None:
        raise BadInput(
            f"--movie {file}: MP4 needs the program ffmpeg, which is not on PATH here; "
            "install it, or write a .gif"
        )


def save_movie(
    data: PlantData,
    scene: Scene,
    file: Path,
    paint: Paint,
    limits: tuple[float, float],
    camera: str | None = None,
    frames: int = 60,
    rate: float = 12.0,
    size: tuple[int, int] = (960, 540),
    advance: Callable[[int, int], None] | None = None,
) -> None:
    """Write an animation over the whole run.

    Parameters
    ----------
    data : PlantData
    scene : Scene
    file : Path
        GIF or MP4 by its suffix.
    paint, limits
        Quantity, and SI values at the ends of its colour map.
    camera : str, optional
        Camera preset.
    frames : int
        At most so many, evenly over the time stamps.
    rate : float
        Frames per second.
    size : (int, int)
        Width and height of the scene [pixel].
    advance : callable, optional
        Called with (frames done, frames in all).

    Raises
    ------
    BadInput
        See `check_movie_file`.
    """
    import imageio.v3 as iio

    check_movie_file(file)
    count = min(frames, data.times.size)
    indices = np.unique(np.linspace(0, data.times.size - 1, count).round().astype(int))
    plotter = new_plotter(size)
    pictures = []
    try:
        scene.build(plotter)
        for number, index in enumerate(indices.tolist()):
            scene.update(index, paint, limits)
            if number == 0:
                take_aim(plotter, scene, camera)
            image = np.asarray(plotter.screenshot(return_img=True))
            pictures.append(_with_caption(image, data, index, paint, limits))
            if advance is not None:
                advance(number + 1, indices.size)
    finally:
        plotter.close()
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f"{file.stem}.partial{file.suffix}")
    if file.suffix.lower() == ".gif":
        # One palette for all frames: colours keep their meaning, and the file stays small.
        ramp = paint.colours(np.linspace(*limits, 128), limits)
        iio.imwrite(aside, _one_palette(pictures, ramp), extension=".gif", duration=1000.0 / rate, loop=0)
    else:
        _write_mp4(aside, pictures, rate)
    aside.replace(file)


def _one_palette(pictures: list[NDArray[np.uint8]], ramp: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return frames in 256 colours: those of the scale first, so that they keep their meaning."""
    chosen = np.concatenate(pictures[:: max(1, len(pictures) // 8)])
    others = Image.fromarray(chosen).quantize(256 - len(ramp)).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*ramp.ravel().tolist(), *others[: 3 * (256 - len(ramp))]])
    quantized = [
        np.asarray(
            Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE).convert("RGB")
        )
        for picture in pictures
    ]
    return np.stack(quantized)


def _with_caption(
    image: NDArray[np.uint8], data: PlantData, index: int, paint: Paint, limits: tuple[float, float]
) -> NDArray[np.uint8]:
    """Add a line with time, scale and progress below a frame."""
    height, width = image.shape[:2]
    canvas = Image.new("RGB", (width, height + BAND), "#10141d")
    canvas.paste(Image.fromarray(image), (0, 0))
    draw = ImageDraw.Draw(canvas)
    large, small = ImageFont.load_default(18), ImageFont.load_default(14)
    draw.text((14, height + 8), f"{data.utc(index):%Y-%m-%d %H:%M} UTC", fill="white", font=large)
    draw.text((14, height + 34), f"{data.name} · {paint.label}", fill="#aab4c2", font=small)
    low, high = (float(paint.shown(np.array(value))) for value in limits)
    bar = 260
    left, top = width - bar - 20, height + 12
    ramp = np.linspace(*limits, bar)
    canvas.paste(Image.fromarray(np.repeat(paint.colours(ramp, limits)[None], 14, axis=0)), (left, top))
    draw.text((left, top + 18), f"{low:.1f}", fill="white", font=small)
    draw.text((left + bar // 2, top + 18), f"[{paint.unit}]", fill="#aab4c2", font=small, anchor="ma")
    draw.text((left + bar, top + 18), f"{high:.1f}", fill="white", font=small, anchor="ra")
    share = (data.times[index] - data.times[0]) / max(1e-9, data.times[-1] - data.times[0])
    draw.rectangle((0, height, round(width * share), height + 3), fill="#d55e00")
    # Encoders want even sizes.
    return np.asarray(canvas)[: (height + BAND) // 2 * 2, : width // 2 * 2]


def _write_mp4(file: Path, pictures: list[NDArray[np.uint8]], rate: float) -> None:
    program = _ffmpeg()
    assert program is not None, "checked before"
    height, width = pictures[0].shape[:2]
    command = [
        program, "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}",
        "-r", f"{rate:g}", "-i", "-", "-pix_fmt", "yuv420p", "-crf", "18", str(file),
    ]  # fmt: skip
    done = subprocess.run(
        command, input=b"".join(p.tobytes() for p in pictures), stderr=subprocess.PIPE, check=False
    )
    if done.returncode != 0:
        raise RunFailed(f"{file}: ffmpeg failed: {done.stderr.decode(errors='replace').strip()}")


def _ffmpeg() -> str | None:
    """Return the program ffmpeg: on PATH, or the one that the package imageio-ffmpeg brings."""
    found = shutil.which("ffmpeg")
    if found:
        return found
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return None
