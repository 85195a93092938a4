"""Nothing that reads input can run code out of it: no pickles, no YAML objects, no evaluated text."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("twin", "solvers", "meshes", "viz", "cluster")
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
CALLS = {"eval", "exec", "compile", "__import__"}
METHODS = {"read_pickle", "to_pickle", "full_load", "unsafe_load"}


def offences(source: str) -> list[str]:
    """Return what could make code of data, with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Import):
            found += [f"{line}: import {a.name}" for a in node.names if a.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            found.append(f"{line}: from {node.module}")
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in CALLS:
                found.append(f"{line}: {node.func.id}()")
            if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
                found.append(f"{line}: .{node.func.attr}()")
            for keyword in node.keywords:
                on = not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
                if keyword.arg in ("allow_pickle", "shell") and on:
                    found.append(f"{line}: {keyword.arg}")
                if (
                    keyword.arg == "typ"
                    and isinstance(keyword.value, ast.Constant)
                    and keyword.value.value == "unsafe"
                ):
                    found.append(f"{line}: unsafe YAML")
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_no_code_is_made_of_data(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    found = {str(path.relative_to(ROOT)): offences(path.read_text(encoding="utf-8")) for path in files}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from joblib import load", "eval(text)", "np.load(p, allow_pickle=True)",
        "run(words, shell=True)", "pd.read_pickle(p)", "YAML(typ='unsafe')", "np.load(p, allow_pickle=given)",
    ],
)  # fmt: skip
def test_it_is_seen(source: str) -> None:
    assert offences(source)
