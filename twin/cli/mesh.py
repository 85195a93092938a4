"""`twin mesh`: the mesh of a case with its named regions, for ParaView."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twin.cli.console import output_console, print_json
from twin.errors import BadInput

if TYPE_CHECKING:
    from meshes import Mesh

__all__ = ["mesh"]


def mesh(
    case: Annotated[
        Path,
        typer.Argument(
            metavar="CASE", help="Case file (YAML), or a mesh or CAD file to check.", show_default=False
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder of the .vtu files; out/NAME/mesh unless given.", show_default=False
        ),
    ] = None,
    size: Annotated[
        float | None, typer.Option("--size", help="Largest cell for a CAD file [m].", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print size and quality as JSON.")] = False,
) -> None:
    r"""Write the mesh of each module class with its named regions, and print its size and quality.

    Radiator panels are those of the finite-element model. The body is drawn as a cube with the mean
    area of its faces, the solar array as two wings of its area: a case says no more about them.

    \b
    Examples:
        twin mesh cases/experimental-satellite.yaml --out out/mesh
        twin mesh panel.msh
        twin mesh bracket.step --size 0.01
    """
    from meshes import MeshError, check, module_mesh, read_mesh
    from twin.module_geometry import module_geometry

    meshes: dict[str, Mesh] = {}
    try:
        if case.suffix.lower() in (".yaml", ".yml"):
            from twin.case import Case

            loaded = Case.load(case)
            folder = out or Path("out") / loaded.name / "mesh"
            for name, design in loaded.module_classes.items():
                meshes[name] = check(module_mesh(module_geometry(design)))
        else:
            folder = out or Path("out") / case.stem / "mesh"
            meshes[case.stem] = read_mesh(case, size)
    except MeshError as error:
        raise BadInput(str(error)) from error
    _write(meshes, folder, as_json)


def _write(meshes: dict[str, Mesh], folder: Path, as_json: bool) -> None:
    from meshes import summarize, write_vtu

    folder.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {}
    console = output_console()
    for name, shape in meshes.items():
        path = folder / f"{name}.vtu"
        names = write_vtu(shape, path)
        summary = summarize(shape)
        if as_json:
            report[name] = {"file": str(path), "regions": names, **summary.as_dict()}
        else:
            console.print(f"{name}: {path}", style="bold", markup=False)
            console.print(str(summary), markup=False)
    if as_json:
        print_json(report)
