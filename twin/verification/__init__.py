"""Reference cases: what books, benchmarks and closed forms say, and what this code obtains.

Each case is built from public calls that read like its statement. ``twin verify`` and tests/verification run
the same registry.
"""

from twin.verification.registry import Check, ReferenceCase, reference_cases, run_case

__all__ = ["Check", "ReferenceCase", "reference_cases", "run_case"]
