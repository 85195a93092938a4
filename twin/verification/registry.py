"""The table of reference cases and how one is run."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from twin.errors import BadInput

MODULES = ("conduction", "networks", "fins", "exchange", "orbits", "convergence")
"""Modules of this package that declare cases, in the order of the table."""


@dataclass(frozen=True)
class Check:
    """One number of a case.

    Attributes
    ----------
    quantity : str
        What it is, with its unit.
    expected, obtained : float
    tolerance : float
        Allowed difference.
    relative : bool
        Whether the tolerance is relative to the expected value.
    """

    quantity: str
    expected: float
    obtained: float
    tolerance: float
    relative: bool = False

    @property
    def error(self) -> float:
        """Difference, in the sense of the tolerance."""
        difference = abs(self.obtained - self.expected)
        return difference / abs(self.expected) if self.relative else difference

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance (never for NaN)."""
        return self.error <= self.tolerance


@dataclass(frozen=True)
class ReferenceCase:
    """A reference case.

    Attributes
    ----------
    name : str
    statement : str
        What is computed, in a line.
    source : str
        Book, benchmark or closed form.
    run : callable
        Returns the checks.
    """

    name: str
    statement: str
    source: str
    run: Callable[[], Iterable[Check]]


def reference_cases() -> dict[str, ReferenceCase]:
    """Return all cases by name."""
    cases: dict[str, ReferenceCase] = {}
    for module in MODULES:
        for case in importlib.import_module(f"twin.verification.{module}").CASES:
            if case.name in cases:
                raise RuntimeError(f"reference case {case.name!r} is declared twice")
            cases[case.name] = case
    return cases


def select(names: Iterable[str]) -> list[ReferenceCase]:
    """Return the named cases, or all.

    Raises
    ------
    BadInput
        For an unknown name, with the nearest one.
    """
    from rapidfuzz import process

    cases = reference_cases()
    chosen = []
    for name in names:
        if name not in cases:
            best = process.extractOne(name, cases.keys())
            near = f"; did you mean '{best[0]}'?" if best else ""
            raise BadInput(f"no reference case '{name}'{near} All: {', '.join(cases)}")
        chosen.append(cases[name])
    return chosen or list(cases.values())


def run_case(case: ReferenceCase) -> list[Check]:
    """Run a case and return its checks."""
    return list(case.run())
