"""What others build on: types, versions, the examples of the pages."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import twin

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if "_build" not in page.parts]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def test_packages_say_that_they_are_typed():
    for package in ("twin", "solvers", "meshes", "viz"):
        assert (ROOT / package / "py.typed").is_file()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "py.typed" in project["tool"]["setuptools"]["package-data"]["*"]


def test_one_version_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = re.search(
        r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert citation is not None
    assert project["version"] == twin.__version__ == citation[1]
    assert f"## {twin.__version__}" in (ROOT / "docs/changelog.md").read_text(encoding="utf-8")
    assert re.fullmatch(r"\d+\.\d+\.\d+", twin.__version__)  # semantic


@pytest.mark.parametrize("name", twin.__all__)
def test_names_of_the_package_are_there(name):
    assert getattr(twin, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        twin.nothing  # noqa: B018


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_import_what_there_is(page):
    """Every Python example of the pages parses, and every name that it takes from the project exists."""
    for block in blocks(page):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module:
                if node.module.partition(".")[0] not in ("twin", "solvers", "meshes", "viz"):
                    continue
                module = importlib.import_module(node.module)
                missing = [alias.name for alias in node.names if not hasattr(module, alias.name)]
                assert not missing, f"{node.module} has no {', '.join(missing)}"


def test_the_example_of_a_run_step_by_step_runs(monkeypatch, capsys):
    page = ROOT / "docs/guide/getting-started.md"
    example = next(block for block in blocks(page) if "simulate" in block)
    monkeypatch.chdir(ROOT)
    exec(compile(example, str(page), "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 12
    assert lines[-1].split()[0] == "120"


@pytest.mark.slow
def test_the_examples_of_the_python_page_run(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    for example in blocks(ROOT / "docs/api.md"):
        exec(compile(example.replace('"out/', f'"{tmp_path}/'), "docs/api.md", "exec"), {})
    assert (tmp_path / "ten-minutes/result.zarr").is_dir()


@pytest.mark.slow
def test_the_pages_build_without_a_warning(tmp_path):
    pytest.importorskip("sphinx")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-b",
        "html",
        "docs",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "index.html").is_file()


def test_the_case_reference_is_that_of_the_schema(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    from case_reference import case_reference

    page = case_reference()
    for key in ("`altitude`", "`mesh_size`", "`thermal_step`", "`power_budget`"):
        assert key in page
    # What a page links to within itself is there.
    for anchor in set(re.findall(r"\(#(case-[\w-]+)\)", page)):
        assert f"({anchor})=" in page
