"""`twin view` and `twin report` as a user types them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from twin.cli.report import report
from twin.cli.view import parse_moment, view
from twin.errors import BadInput

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


def test_picture_set_says_that_it_is_no_session(run_folder: Path, tmp_path: Path) -> None:
    done = runner.invoke(app, ["view", str(run_folder), "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "interactive session is not part of this version" in done.output
    assert {"overview.png", "overview.svg", "module.png"} <= {file.name for file in tmp_path.iterdir()}


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
        (["tcp://localhost:5000"], "live plant is not available"),
    ],
)
def test_bad_input_is_told(run_folder: Path, arguments: list[str], message: str) -> None:
    done = runner.invoke(app, ["view", *[text.format(run=run_folder) for text in arguments]])
    assert isinstance(done.exception, BadInput) and done.exception.exit_code == 2
    assert message in str(done.exception)


def test_scenes_to_come_are_refused(run_folder: Path) -> None:
    done = runner.invoke(app, ["view", str(run_folder), "--scene", "plant"])
    assert done.exit_code == 2
