"""Directions of faces."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from twin.case.base import wrong
from twin.case.nearest import suggestion

__all__ = ["ORIENTATIONS", "Orientation"]

ORIENTATIONS = (
    "sun",
    "anti_sun",
    "nadir",
    "zenith",
    "ram",
    "wake",
    "orbit_normal",
    "anti_orbit_normal",
    "edge_on",
    "anti_edge_on",
)
"""Named face normals; `edge_on` is at right angles to both the Sun and the Earth directions."""


def _orientation(value: Any) -> str | tuple[float, float, float]:
    expected = f"one of {', '.join(ORIENTATIONS)}, or [x, y, z] in LVLH axes (x ram, z nadir)"
    if isinstance(value, str):
        if value in ORIENTATIONS:
            return value
        raise wrong("is not an orientation", expected, suggestion(value, ORIENTATIONS))
    if isinstance(value, list | tuple) and len(value) == 3:
        numbers = [float(v) for v in value if isinstance(v, int | float) and not isinstance(v, bool)]
        length = sum(n * n for n in numbers) ** 0.5
        if len(numbers) == 3 and 0.0 < length < float("inf"):
            return (numbers[0] / length, numbers[1] / length, numbers[2] / length)
    raise wrong("is not an orientation", expected)


Orientation = Annotated[
    str | tuple[float, float, float],
    BeforeValidator(_orientation),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": list(ORIENTATIONS)},
                {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3},
            ]
        }
    ),
]
"""Name of a direction, or a unit vector in LVLH axes (x ram, y negative orbit normal, z nadir)."""
