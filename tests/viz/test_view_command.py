"""`twin view` and `twin report` as a user types them."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from twin.cli.report import report
from twin.cli.view import parse_moment, view
from twin.errors import BadInput
from viz.movie import _ffmpeg

START = datetime(2026, 11, 10, 12, 0, tzinfo=UTC)

app = typer.Typer()
app.command()(view)
app.command()(report)
runner = CliRunner()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("end", 18_000.0),
        ("90 min", 5_400.0),
        ("2.5h", 9_000.0),
        ("0 s", 0.0),
        ("0.1d", 8_640.0),
        ("2026-11-10T13:00:00", 3_600.0),
        ("2026-11-10 14:00:00+01:00", 3_600.0),
    ],
)
def test_moments(text: str, seconds: float) -> None:
    assert parse_moment(text, START, 18_000.0) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("noon", "expected 'end'"),
        ("90", "expected 'end'"),
        ("9 h", "outside the run"),
        ("2025-01-01", "outside the run"),
    ],
)
def test_wrong_moments(text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        parse_moment(text, START, 18_000.0)


def test_screenshot(run_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    done = runner.invoke(app, ["view", str(run_folder), "--screenshot", str(file), "--time", "1 h"])
    assert done.exit_code == 0, done.output
    assert file.read_bytes()[:4] == b"\x89PNG"


def test_picture_set(run_folder: Path, tmp_path: Path) -> None:
    done = runner.invoke(app, ["view", str(run_folder), "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    names = {file.name for file in tmp_path.iterdir()}
    assert {"overview.png", "overview.svg", "module.png", "plant.png", "sub_center.png", "cards.png"} <= names


@pytest.mark.parametrize("scene", ["plant", "sub_center", "module", "cards"])
def test_every_scene_makes_a_picture(run_folder: Path, tmp_path: Path, scene: str) -> None:
    file = tmp_path / f"{scene}.png"
    done = runner.invoke(app, ["view", str(run_folder), "--screenshot", str(file), "--scene", scene])
    assert done.exit_code == 0, done.output
    assert file.read_bytes()[:4] == b"\x89PNG"


def test_movie(run_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.gif"
    done = runner.invoke(app, ["view", str(run_folder), "--movie", str(file), "--frames", "4"])
    assert done.exit_code == 0, done.output
    with Image.open(file) as movie:
        assert movie.n_frames == 4 and movie.size == (960, 606)  # type: ignore[attr-defined]
    assert [item.name for item in tmp_path.iterdir()] == ["run.gif"]


@pytest.mark.skipif(_ffmpeg() is None, reason="no ffmpeg on PATH, and no package imageio-ffmpeg")
def test_mp4(run_folder: Path, tmp_path: Path) -> None:
    """A real one, read back by the program that wrote it."""
    file = tmp_path / "run.mp4"
    done = runner.invoke(app, ["view", str(run_folder), "--movie", str(file), "--frames", "4"])
    assert done.exit_code == 0, done.output
    assert file.read_bytes()[4:8] == b"ftyp"
    program = str(_ffmpeg())
    told = subprocess.run(
        [program, "-hide_banner", "-i", str(file), "-f", "null", "-"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Video: h264" in told.stderr and "960x606" in told.stderr and "frame=    4" in told.stderr


def test_mp4_frames_as_the_encoder_gets_them(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is handed to ffmpeg: whole frames of the size that it is told, moving, and a file that is put in place."""
    program = tmp_path / "ffmpeg"
    program.write_text('#!/bin/sh\necho "$@" >"$0.arguments"\nfor last; do :; done\ncat >"$last"\n')
    program.chmod(0o755)
    monkeypatch.setattr("viz.movie._ffmpeg", lambda: str(program))
    file = tmp_path / "run.mp4"
    done = runner.invoke(app, ["view", str(run_folder), "--movie", str(file), "--frames", "3"])
    assert done.exit_code == 0, done.output
    words = (tmp_path / "ffmpeg.arguments").read_text().split()
    width, height = (int(number) for number in words[words.index("-s") + 1].split("x"))
    assert width % 2 == height % 2 == 0 and words[words.index("-pix_fmt") + 1] == "rgb24"
    frames = np.frombuffer(file.read_bytes(), np.uint8).reshape(3, height, width, 3).astype(int)
    assert all(np.abs(a - b).max() > 100 for a, b in pairwise(frames))
    assert not list(tmp_path.glob("*.partial*"))


def test_mp4_needs_ffmpeg(run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("viz.movie._ffmpeg", lambda: None)
    done = runner.invoke(app, ["view", str(run_folder), "--movie", str(tmp_path / "a.mp4")])
    assert isinstance(done.exception, BadInput) and "ffmpeg" in str(done.exception)


def test_report_command(run_folder: Path, tmp_path: Path) -> None:
    done = runner.invoke(app, ["report", str(run_folder / "result.zarr"), "--out", str(tmp_path / "r.html")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "r.html").stat().st_size > 1e6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{run}", "--screenshot", "a.gif"], "expected a file that ends in .png"),
        (["{run}", "--sub-center", "Cassiopeia"], "expected one of Aurora, Borealis"),
        (["{run}/nothing"], "no such result"),
        (["{run}", "--movie", "a.avi"], "expected a file that ends in .gif or .mp4"),
        (["{run}", "--screenshot", "a.png", "--scene", "module", "--module", "7"], "has the modules 0…1"),
        (
            ["{run}", "--screenshot", "a.png", "--colour-by", "beauty"],
            "expected one of panel_temperature_mean",
        ),
        (
            ["{run}", "--screenshot", "a.png", "--scene", "plant", "--camera", "moon"],
            "has orbit, sun, shadow",
        ),
        (["http://127.0.0.1:9", "--screenshot", "a.png"], "give the folder of a run"),
    ],
)
def test_bad_input_is_told(run_folder: Path, arguments: list[str], message: str) -> None:
    done = runner.invoke(app, ["view", *[text.format(run=run_folder) for text in arguments]])
    assert isinstance(done.exception, BadInput) and done.exception.exit_code == 2
    assert message in str(done.exception)
