"""The plant and how it runs: case files, orbit, power, compute, coupling and results."""

from __future__ import annotations

from typing import Any

__all__ = ["Case", "__version__", "open_result", "simulate"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Looked up on demand: `twin --help` must not pay for pydantic and pint.
    if name == "Case":
        from twin.case import Case

        return Case
    if name == "simulate":
        from twin.simulation import simulate

        return simulate
    if name == "open_result":
        from twin.results import open_result

        return open_result
    raise AttributeError(f"module 'twin' has no attribute {name!r}")
