"""The command line: exit codes, lazy imports, tables, progress."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import twin
from solvers.errors import ConvergenceError, ModelError
from twin import cli
from twin.cli import COMMANDS, Command, main
from twin.cli.console import print_table, progress
from twin.errors import BadInput, RunFailed

ROOT = Path(__file__).resolve().parents[3]
SATELLITE = ROOT / "cases" / "experimental-satellite.yaml"


def _raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail() -> None:
        """Fail."""
        raise error

    monkeypatch.setattr(Command, "load", lambda self: fail)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (BadInput("bad [thing]"), 2, "bad [thing]"),
        (RunFailed("no end"), 1, "no end"),
        (ModelError("zero emissivity"), 1, "zero emissivity"),
        (ConvergenceError("step 3"), 1, "step 3"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_expected_errors_become_exit_codes(
    error: BaseException,
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _raising(monkeypatch, error)
    assert main(["check"]) == code
    assert words in capsys.readouterr().err


def test_a_full_disk_is_told_wherever_it_is_met(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deep = ValueError("cannot encode")
    deep.__cause__ = OSError(errno.ENOSPC, "No space left on device", "/data/points/00001.json")
    _raising(monkeypatch, deep)
    assert main(["check"]) == 1
    assert "No space left on device (/data/points/00001.json). What was complete" in capsys.readouterr().err
    _raising(monkeypatch, OSError(errno.ENOENT, "No such file"))
    with pytest.raises(OSError, match="No such file"):
        main(["check"])


def test_unexpected_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    _raising(monkeypatch, ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        main(["check"])


def test_help_lists_what_exists_and_teaches(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(COMMANDS, "later", Command("twin.cli.not_written_yet:later", "Not there."))
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert "twin check cases/experimental-satellite.yaml" in printed
    assert "Validate a case" in printed
    assert "later" not in printed
    assert main([]) == 0
    assert main(["later"]) == 2


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if command.exists])
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert f"twin {name}" in capsys.readouterr().out


def test_unknown_command_and_missing_argument(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chek"]) == 2
    assert "did you mean 'check'?" in capsys.readouterr().err
    assert main(["check"]) == 2
    assert "CASE" in capsys.readouterr().err


def test_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"dawndusk {twin.__version__}"
    assert any(line.startswith("numpy ") for line in lines)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == twin.__version__


def test_check_and_help_import_no_heavy_package() -> None:
    """A command that reads one file must not wait for meshes, arrays or pictures."""
    heavy = ("dolfinx", "pyvista", "xarray", "matplotlib", "numba", "CoolProp", "pandas", "zarr")
    for arguments in (["--help"], ["check", str(SATELLITE)]):
        program = (
            f"import sys; from twin.cli import main; code = main({arguments!r}); "
            f"print(code, [m for m in {heavy!r} if m in sys.modules], file=sys.stderr)"
        )
        ran = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert ran.stderr.strip() == "0 []"


def test_check_prints_values_with_units_and_origins(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(SATELLITE), "--set", "mission.age=5 yr"]) == 0
    lines = capsys.readouterr().out.splitlines()

    def line(start: str) -> str:
        return next(text for text in lines if text.strip().startswith(start))

    assert line("age:").split() == ["age:", "5", "yr", "command", "line", "--set"]
    assert line("phase:").split() == ["phase:", "0", "deg", "default"]
    assert line("width:").split() == ["width:", "1.6", "m"]
    assert line("power_limit:").split() == ["power_limit:", "700", "W", "library", "cards/h100-sxm"]
    assert "is valid" in lines[-1]


def test_check_as_json_is_the_resolved_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(SATELLITE), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["case"]["module_classes"]["satellite"]["battery"]["energy"] == "7 kWh"
    assert printed["origins"]["numerics.thermal_step"] == "case"
    assert printed["sources"]["module_classes.satellite.racks.card.power_limit"] == "datasheet: 700 W"
    assert printed["summary"]["cards"] == "8"


def test_schema_command_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert capsys.readouterr().out == (ROOT / "cases" / "schema.json").read_text(encoding="utf-8")


def test_tables_print_as_text_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("a [x]", 1.23456789, 3), ("b", 2.0, None)]
    print_table("title", ("name", "power [kW]", "count"), rows)
    text = capsys.readouterr().out
    assert "a [x]" in text
    assert "power [kW]" in text
    assert "1.23457" in text
    print_table("title", ("name", "power [kW]", "count"), rows, as_json=True)
    assert json.loads(capsys.readouterr().out)[1] == {"name": "b", "power [kW]": 2.0, "count": None}
    with pytest.raises(ValueError, match="2 cells, expected 3"):
        print_table("title", ("a", "b", "c"), [(1, 2)])


def test_progress_prints_a_line_every_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("simulating", 1000.0) as shown:
        for time in range(0, 1001, 5):
            shown.update(float(time), note="soc 0.9")
    printed = capsys.readouterr()
    lines = printed.err.splitlines()
    assert printed.out == ""
    assert len(lines) == 10
    assert lines[0].startswith("simulating:  10 %")
    assert lines[-1].startswith("simulating: 100 %")
    assert "soc 0.9" in lines[0]


def test_progress_of_nothing_and_beyond_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("nothing", 0.0) as shown:
        shown.advance()
    with progress("beyond", 2.0) as shown:
        for _ in range(5):
            shown.advance()
    assert [line.split()[:2] for line in capsys.readouterr().err.splitlines()] == [
        ["nothing:", "100"],
        ["beyond:", "50"],
        ["beyond:", "100"],
    ]


def test_output_into_a_closed_pipe_is_silent() -> None:
    program = f"{sys.executable} -m twin check {SATELLITE} | head -1"
    ran = subprocess.run(["sh", "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("name:")
    assert ran.stderr == ""


def test_module_is_the_command() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "twin", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("dawndusk ")
    assert cli.main is main
