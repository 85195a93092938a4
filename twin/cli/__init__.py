"""The command `twin`.

Each command is a plain function in a module of its own, imported when it is called: `twin --help` and
`twin check` must not wait for meshes and arrays. A new command is one line in `COMMANDS`.
"""

from __future__ import annotations

import errno
import functools
import importlib.util
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import typer

__all__ = ["COMMANDS", "Command", "app", "main"]


@dataclass(frozen=True)
class Command:
    """Where a command is, and what it does in one line."""

    target: str
    help: str

    @property
    def module(self) -> str:
        """Module that holds the function."""
        return self.target.partition(":")[0]

    @property
    def exists(self) -> bool:
        """Whether its module is there."""
        return importlib.util.find_spec(self.module) is not None

    def load(self) -> Any:
        """Import the function."""
        module, _, function = self.target.partition(":")
        return getattr(import_module(module), function)


COMMANDS: dict[str, Command] = {
    "check": Command("twin.cli.check:check", "Validate a case and print it with all defaults and units."),
    "run": Command("twin.cli.run:run", "Simulate a case: tables, result.zarr, report, pictures."),
    "orbit": Command("twin.cli.orbit:orbit", "Beta, eclipse season and fluxes of a case over the year."),
    "size": Command("twin.cli.size:size", "Radiator area per sub-center with margins and uncertainty."),
    "sweep": Command("twin.cli.sweep:sweep", "Vary keys of a case and run all variants."),
    "feed": Command("twin.cli.feed:feed", "A plant that sends telemetry, simulated or replayed."),
    "live": Command("twin.cli.live:live", "The live twin: state, faults and forecast from telemetry."),
    "view": Command("twin.cli.view:view", "A 3D session in the browser, or a picture."),
    "report": Command("twin.cli.report:report", "The HTML report of a result."),
    "verify": Command(
        "twin.cli.verify:verify", "Run the reference cases: expected, obtained, error, tolerance."
    ),
    "replay": Command("twin.cli.replay:replay", "Replay a recorded workload against measured power."),
    "mesh": Command("twin.cli.mesh:mesh", "The mesh of a case with its named regions, for ParaView."),
    "schema": Command("twin.cli.schema:schema", "The JSON Schema of case files, for editors."),
}

_HELP = """Thermal and power digital twin of an orbital data center.

Look at what a case says, with all defaults and units:

\b
    twin check cases/experimental-satellite.yaml

Run it, change a value, run it again:

\b
    twin run cases/experimental-satellite.yaml --out out/demo
    twin run cases/experimental-satellite.yaml --set mission.age="5 yr" --out out/aged

Exit codes: 0 success, 1 the run failed or a check is not met, 2 bad input.
"""


def app(called: str | None = None) -> typer.Typer:
    """Build the application with one command in full and the others by name and help only.

    Parameters
    ----------
    called : str, optional
        The command to import; without it none is, which is enough for `--help`.
    """
    import typer

    root = typer.Typer(
        name="twin",
        help=_HELP,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )

    @root.callback()
    def options(
        version: bool = typer.Option(False, "--version", help="Print the version and exit.", is_eager=True),
    ) -> None:
        if version:
            raise typer.Exit(_print_version())

    for name, command in COMMANDS.items():
        if name == called:
            function = command.load()
            root.command(name, help=_help_text(function))(_interruptible(function))
        elif command.exists:
            root.command(name, help=command.help)(_placeholder)
    return root


def _help_text(function: Callable[..., Any]) -> str:
    r"""Return the docstring of a command; a line `\b` keeps the lines below it as they are."""
    return (inspect.getdoc(function) or "").replace("\\b", "\b")


def _placeholder() -> None:
    """Stand for a command that is listed but not called."""


def _print_version(*, as_json: bool = False) -> int:
    """Print the version and those of what it runs on."""
    from twin import __version__
    from twin.results.writer import run_environment

    versions = {"dawndusk": __version__, **run_environment()}
    if as_json:
        from twin.cli.console import print_json

        print_json(versions)
        return 0
    print("\n".join(f"{name} {version}" for name, version in versions.items() if name != "cpu_count"))
    return 0


def _interruptible(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn an interrupt into exit code 130, which the command-line library would report as a failure."""

    @functools.wraps(function)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        import typer

        try:
            return function(*arguments, **options)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise typer.Exit(130) from None

    return wrapped


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    Expected errors become one message on standard error: bad input 2, a failed run 1, interrupted 130.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows `twin` (default: of this process).
    """
    from twin.errors import DawnduskError

    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["--version"] and set(given[1:]) <= {"--json"}:
        return _print_version(as_json="--json" in given)
    called = next((word for word in given if not word.startswith("-")), None)
    if called is not None and not (called in COMMANDS and COMMANDS[called].exists):
        print(_unknown_command(called), file=sys.stderr)
        return 2
    try:
        app(called)(args=given or ["--help"], prog_name="twin")
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (`head`, a pager) has gone; nothing is left to say, not even at interpreter exit.
        sys.stderr.close()
        return 0
    except Exception as error:
        said = error if isinstance(error, DawnduskError) else _of_the_disk(error) or error
        if not isinstance(said, DawnduskError) and not _from_solvers(said):
            _leave_nobody_waiting(said)
            raise
        code = said.exit_code if isinstance(said, DawnduskError) else 1
        _tell(said, code)
        return code
    return 0


def _of_the_disk(error: BaseException | None) -> Exception | None:
    """Return what to say where a full or broken disk is behind an error, None elsewhere."""
    from twin.errors import RunFailed

    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO):
            where = f" ({error.filename})" if error.filename else ""
            return RunFailed(
                f"{error.strerror}{where}. What was complete on the disk stays; mend that, then the same command, with "
                "--resume if it has it, goes on"
            )
        error = error.__cause__ or error.__context__
    return None


def _tell(error: Exception, code: int) -> None:
    """Print an error once: under MPI the first process speaks for all that met it, one that is alone for itself."""
    from solvers import parallel
    from twin.cli.console import print_error

    if parallel.rank() == 0:
        print_error(error)
    if parallel.end_together():
        return
    if parallel.rank() != 0:
        print(f"process {parallel.rank()}, alone:", file=sys.stderr)
        print_error(error)
    sys.stderr.flush()
    parallel.abort(code)


def _leave_nobody_waiting(error: Exception) -> None:
    """End all processes of an MPI run of which one met an error of the program."""
    parallel = sys.modules.get("solvers.parallel")
    if parallel is not None and parallel.under_mpi() and not parallel.end_together(patience=10.0):
        import traceback

        traceback.print_exception(error)
        sys.stderr.flush()
        parallel.abort(1)


def _unknown_command(name: str) -> str:
    from twin.case.nearest import suggestion

    known = [other for other, command in COMMANDS.items() if command.exists]
    hint = suggestion(name, known)
    return f"twin: there is no command '{name}'; expected one of {', '.join(known)}" + (
        f" ({hint})" if hint else ""
    )


def _from_solvers(error: Exception) -> bool:
    """Whether it is an error that the field solvers or meshes raise on purpose."""
    return any(cls.__module__.partition(".")[0] in ("solvers", "meshes") for cls in type(error).__mro__)
