"""Case files: YAML with units in, frozen typed models in SI units out."""

from __future__ import annotations

from twin.case.case import Case
from twin.case.errors import CaseError

__all__ = ["Case", "CaseError"]
