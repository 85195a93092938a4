"""Walk models and trees side by side: which model, list or component stands at a key."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from twin.case.base import FromLibrary, Model
from twin.case.tree import Node

__all__ = ["Shape", "child_shape", "fields_by_key", "shape_of", "valid_keys"]


@dataclass(frozen=True)
class Shape:
    """What an annotation allows: one of several models, a list or a mapping of something, or a value."""

    kind: Literal["model", "list", "map", "value"]
    models: tuple[type[Model], ...] = ()
    item: Any = None
    library: str | None = None

    def model_for(self, node: Node | None) -> type[Model] | None:
        """Return the model that the node means; among several it is told by `kind`."""
        if len(self.models) == 1:
            return self.models[0]
        if node is None or "kind" not in node.children:
            return None
        kind = node.children["kind"].content
        for model in self.models:
            if kind in get_args(model.model_fields["kind"].annotation):
                return model
        return None


def shape_of(annotation: Any, metadata: Iterable[Any] = ()) -> Shape:
    """Classify a type annotation."""
    library = next((m.kind for m in metadata if isinstance(m, FromLibrary)), None)
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return shape_of(args[0], (*metadata, *args[1:]))
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return Shape("model", (annotation,), library=library)
    if origin in (typing.Union, types.UnionType):
        shapes = [shape_of(arg, metadata) for arg in args if arg is not type(None)]
        models = tuple(model for shape in shapes for model in shape.models)
        if models:
            return Shape("model", models, library=library)
        return shapes[0] if len(shapes) == 1 else Shape("value")
    if origin is tuple:
        return Shape("list", item=args[0])
    if origin is dict:
        return Shape("map", item=args[1])
    return Shape("value")


def fields_by_key(model: type[Model]) -> dict[str, FieldInfo]:
    """Fields of a model by the key that a case file uses."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def child_shape(shape: Shape, node: Node | None, step: str | int) -> Shape:
    """Shape below a key or an index."""
    if shape.kind in ("list", "map"):
        return shape_of(shape.item)
    if shape.kind == "model":
        model = shape.model_for(node)
        field = fields_by_key(model).get(str(step)) if model else None
        if field is not None:
            return shape_of(field.annotation, field.metadata)
    return Shape("value")


def valid_keys(shape: Shape, node: Node | None) -> list[str]:
    """Keys that a mapping of this shape knows; empty where any name will do."""
    model = shape.model_for(node) if shape.kind == "model" else None
    if model is None:
        return []
    keys = list(fields_by_key(model))
    return [*keys, "extends"] if shape.library else keys
