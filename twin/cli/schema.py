"""`twin schema`: the JSON Schema of case files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["schema"]


def schema(
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to write (default: standard output).", show_default=False),
    ] = None,
) -> None:
    r"""Print the JSON Schema of case files.

    An editor with a YAML language server completes keys and shows units when the first line of a case is

    \b
        # yaml-language-server: $schema=schema.json
    """
    from twin.case.schema import main, schema_text

    if out is None:
        print(schema_text(), end="")
    else:
        main(out)
