"""What the environment is made of says the same everywhere: pyproject.toml, the lock, environment.yml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ONLY_CONDA = {"python", "fenics-dolfinx", "mpich", "petsc4py", "mpi4py", "pip"}
"""What Debian gives otherwise."""
LOCKED_EXTRAS = ("test", "lint", "docs", "cluster")
WITHOUT_CONDA = {"docs", "cluster", "cad", "movies"}
"""Extras that those who use conda install when they need them."""


def plain(name: str) -> str:
    """Return the name of a package as registries compare them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parts(requirement: str) -> tuple[str, str]:
    """Return name and lower bound of a requirement."""
    found = re.fullmatch(r"([\w.-]+?)(?:\[.*\])?\s*(?:>=\s*([\d.]+))?(?:\s*,.*)?", requirement.strip())
    assert found, requirement
    return plain(found[1]), found[2] or ""


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def conda() -> dict[str, str]:
    text = (ROOT / "environment.yml").read_text().partition("dependencies:")[2]
    lines = re.findall(r"^\s*- ([A-Za-z][\w.-]*(?:[>=<].*)?)$", text, re.MULTILINE)
    return {
        parts(line.replace("=3.13", ">=3.13") if line.startswith("python=") else line)[0]: line
        for line in lines
    }


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3])


def test_conda_gets_what_the_project_needs(project: dict, conda: dict[str, str]) -> None:
    needed = [*project["dependencies"]]
    for extra, packages in project["optional-dependencies"].items():
        if extra not in WITHOUT_CONDA:
            needed += packages
    missing = {parts(one)[0] for one in needed} - set(conda)
    assert not missing
    assert set(conda) - {parts(one)[0] for one in needed} == ONLY_CONDA


def test_lower_bounds_agree(project: dict, conda: dict[str, str]) -> None:
    for requirement in project["dependencies"]:
        name, least = parts(requirement)
        assert parts(conda[name])[1] == least, f"{name}: {requirement} and {conda[name]}"


def test_the_lock_holds_every_requirement(project: dict) -> None:
    locked = dict(
        re.findall(r"^([\w.-]+)==([^\s;\\]+)", (ROOT / "env/requirements.lock").read_text(), re.MULTILINE)
    )
    versions = {plain(name): version for name, version in locked.items()}
    needed = [*project["dependencies"]]
    for extra in LOCKED_EXTRAS:
        needed += project["optional-dependencies"][extra]
    for requirement in needed:
        name, least = parts(requirement)
        assert name in versions, f"{requirement} is not in the lock: make lock"
        assert not least or numbers(versions[name]) >= numbers(least), (
            f"{requirement}, locked {versions[name]}"
        )


def test_every_locked_package_has_a_hash() -> None:
    text = (ROOT / "env/requirements.lock").read_text()
    blocks = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(blocks) > 100
    assert all("--hash=sha256:" in block for block in blocks)
