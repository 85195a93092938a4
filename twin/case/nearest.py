"""The nearest valid name to one that is not."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["nearest", "nearest_few", "suggestion"]


def nearest(written: str, names: Iterable[str]) -> str | None:
    """Return the name that was probably meant, or None where none is close.

    Typing errors count first (Damerau-Levenshtein: swapped letters are one error), then parts of names.
    """
    best = nearest_few(written, names, 1)
    return best[0] if best and _score(written, best[0]) >= 0.5 else None


def nearest_few(written: str, names: Iterable[str], count: int) -> list[str]:
    """Return the closest names, best first."""
    return sorted(names, key=lambda name: -_score(written, name))[:count]


def suggestion(written: str, names: Iterable[str]) -> str:
    """Return `did you mean 'NAME'?`, or nothing."""
    best = nearest(written, names)
    return f"did you mean '{best}'?" if best else ""


def _score(written: str, name: str) -> float:
    from rapidfuzz import fuzz
    from rapidfuzz.distance import DamerauLevenshtein

    a, b = written.lower(), name.lower()
    typing = DamerauLevenshtein.normalized_similarity(a, b)
    part = fuzz.partial_ratio(a, b) / 100.0 if min(len(a), len(b)) >= 4 else 0.0
    return max(typing, 0.6 * part if part >= 0.85 else 0.0)
