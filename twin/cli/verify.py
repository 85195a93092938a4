"""`twin verify`: the reference cases."""

from __future__ import annotations

from typing import Annotated

import typer

from twin.cli.console import output_console, print_json, print_table, progress

__all__ = ["verify"]


def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Cases to run; all unless given.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    r"""Run the reference cases and print expected, obtained, error and tolerance; exit 1 if one fails.

    \b
    Examples:
        twin verify
        twin verify nafems-t2 radiating-fin
    """
    from twin.verification import run_case
    from twin.verification.registry import select

    chosen = select(names or ())
    rows, failed = [], 0
    with progress("verifying", len(chosen)) as bar:
        for case in chosen:
            for check in run_case(case):
                failed += not check.passed
                rows.append((case, check))
            bar.advance(note=case.name)
    if as_json:
        print_json(
            [
                {
                    "case": case.name,
                    "source": case.source,
                    "quantity": check.quantity,
                    "expected": check.expected,
                    "obtained": check.obtained,
                    "error": check.error,
                    "tolerance": check.tolerance,
                    "relative": check.relative,
                    "passed": check.passed,
                }
                for case, check in rows
            ]
        )
    else:
        table, last = [], ""
        for case, check in rows:
            suffix = " rel." if check.relative else ""
            table.append(
                (
                    "" if case.name == last else case.name,
                    check.quantity,
                    f"{check.expected:.8g}",
                    f"{check.obtained:.8g}",
                    f"{check.error:.1e}{suffix}",
                    f"{check.tolerance:.0e}{suffix}",
                    "ok" if check.passed else "FAILED",
                )
            )
            last = case.name
        print_table(
            "reference cases", ("case", "quantity", "expected", "obtained", "error", "tolerance", ""), table
        )
        output_console().print(
            f"{len(rows) - failed} of {len(rows)} numbers of {len(chosen)} cases within tolerance"
        )
    if failed:
        raise typer.Exit(1)
