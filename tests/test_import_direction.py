"""Imports point one way: cli → twin → solvers → meshes, and viz reads results only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("twin", "solvers", "meshes", "viz")
FINITE_ELEMENT_LIBRARIES = {"dolfinx", "petsc4py", "mpi4py", "basix", "ufl", "ffcx"}
# What viz may know of twin: results, and the errors it tells.
RESULTS = ("twin.results", "twin.result_variables", "twin.errors")


def modules() -> list[Path]:
    return sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))


def dotted(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST, here: str, is_package: bool) -> Iterator[str]:
    """Yield the full name of everything imported, inside functions and under TYPE_CHECKING too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = here.split(".")
                parents = parents[: len(parents) - node.level + is_package]
                base = ".".join([*parents, base] if base else parents)
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "import_module":
            yield from (str(word.value) for word in node.args[:1] if isinstance(word, ast.Constant))


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def violation(here: str, name: str) -> str | None:
    """Say which arrow the import of `name` in module `here` breaks, None when it breaks none."""
    if within(name, *FINITE_ELEMENT_LIBRARIES) and not within(here, "solvers", "meshes"):
        return "only solvers and meshes import finite element libraries"
    if within(name, "viz") and not within(here, "viz", "twin.cli"):
        return "only the command line imports viz"
    if within(here, "meshes") and within(name, "solvers", "twin"):
        return "meshes imports nothing of ours"
    if within(here, "solvers") and within(name, "twin"):
        return "solvers knows nothing of plants or cases"
    if within(here, "viz") and within(name, "twin", "solvers", "meshes") and not within(name, *RESULTS):
        return "viz reads results only"
    if within(here, "twin") and within(name, "twin.cli") and not within(here, "twin.cli", "twin.__main__"):
        return "the command line stands on top"
    return None


@pytest.mark.parametrize("file", modules(), ids=dotted)
def test_imports_point_one_way(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
    here = dotted(file)
    names = imports(tree, here, is_package=file.name == "__init__.py")
    broken = [f"{here} imports {name}: {why}" for name in names if (why := violation(here, name))]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(
    ("here", "code", "broken"),
    [
        ("twin.orbit", "import dolfinx.fem", True),
        ("twin.orbit", "def f():\n    from mpi4py import MPI", True),
        ("solvers.thermal", "from mpi4py import MPI", False),
        ("solvers.thermal", "from twin.case import Case", True),
        ("meshes.panel", "from solvers import thermal", True),
        ("viz.plots", "from twin.results import open_result", False),
        ("viz.plots", "from twin import orbit", True),
        ("viz.plots", "from twin.simulation import simulate", True),
        ("twin.simulation", "from viz.report import write_report", True),
        ("twin.cli.run", "from viz.report import write_report", False),
        ("twin.simulation", "from .cli import run", True),
        ("twin.simulation", "import importlib\nimportlib.import_module('viz.plots')", True),
        ("twin.simulation", "from solvers.thermal import step", False),
        ("twin.simulation", "import vizier", False),
    ],
)
def test_the_check_sees_what_it_should(here: str, code: str, broken: bool) -> None:
    found = [violation(here, name) for name in imports(ast.parse(code), here, is_package=False)]
    assert any(found) == broken
