"""What every model of a case file shares."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from twin.case.types import Fraction

__all__ = ["AgedFraction", "Component", "FromLibrary", "Model", "as_written", "increasing", "wrong"]


class Model(BaseModel):
    """Frozen, and a key that it does not know is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class Component(Model):
    """A thing with a name that people know it by."""

    description: str = ""
    """What it is, in words."""


@dataclass(frozen=True)
class FromLibrary:
    """Annotation of a field that may name a component of `cases/library/KIND.yaml`.

    In a case the field holds a name (`h100-sxm`), a component changed in place
    (`{extends: h100-sxm, idle_power: 70 W}`), or a whole component written out.
    """

    kind: str

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "x-library": self.kind}


class AgedFraction(Model):
    """A surface property that changes over life: one number, or `{bol: 0.15, eol: 0.24}`."""

    bol: Fraction
    """Beginning of life."""
    eol: Fraction
    """End of life."""

    @model_validator(mode="before")
    @classmethod
    def _constant(cls, data: Any) -> Any:
        return data if isinstance(data, dict | AgedFraction) else {"bol": data, "eol": data}

    def at(self, life: float) -> float:
        """Value after a share of life (0 at the beginning, 1 at the end or later)."""
        return self.bol + (self.eol - self.bol) * min(max(life, 0.0), 1.0)


def as_written(default: str | float) -> Any:
    """Return a field's default in the words of a case file; it is parsed like one."""
    return Field(default=default)


def wrong(
    problem: str, expected: str, fix: str = "", *, at: tuple[str | int, ...] = ()
) -> PydanticCustomError:
    """Build the error of a model's own check; `at` points below the model."""
    return PydanticCustomError(
        "consistency", "{problem}", {"problem": problem, "expected": expected, "fix": fix, "at": at}
    )


def increasing[Point: tuple[float, float]](points: tuple[Point, ...]) -> tuple[Point, ...]:
    """Refuse a table whose first column does not grow."""
    for i, (below, above) in enumerate(pairwise(points), start=1):
        if not above[0] > below[0]:
            raise wrong("does not grow from row to row", "a table sorted by its first column", at=(i,))
    return points
