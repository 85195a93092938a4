"""From what pydantic found to messages with place, value, what was expected and the nearest valid key."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from twin.case.errors import CaseError
from twin.case.nearest import nearest, nearest_few, suggestion
from twin.case.structure import Shape, child_shape, fields_by_key, shape_of, valid_keys
from twin.case.tree import KeyPath, Node, find, key_text

__all__ = ["at", "from_validation"]

# More keys than this are not listed in a message.
_MANY = 14
_PLAIN_TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of names to values",
}


def from_validation(
    error: ValidationError, tree: Node, shape: Shape, reported: Container[KeyPath]
) -> list[CaseError]:
    """Translate every problem that pydantic found, leaving out what follows from another one.

    Parameters
    ----------
    error : ValidationError
        From validating the tree's plain data.
    tree : Node
        Where the data was written.
    shape : Shape
        Of the whole case.
    reported : container of key paths
        Places about which something has been said already.
    """
    details = error.errors(include_url=False)
    unknown = {_path(tree, d) for d in details if d["type"] == "extra_forbidden"}
    problems = []
    for detail in details:
        path = _path(tree, detail)
        if any(path[:i] in reported for i in range(len(path) + 1)):
            continue
        if detail["type"] == "missing" and _misspelt(path, unknown):
            continue
        problems.append(_translated(detail, path, tree, shape))
    return problems


def _path(tree: Node, detail: ErrorDetails) -> KeyPath:
    """Key path in the file: union tags out, the place a model's own check points at in."""
    walked: list[str | int] = []
    node: Node | None = tree
    steps = list(detail["loc"])
    for i, step in enumerate(steps):
        if node is not None and node.is_mapping and step in node.children:
            node = node.children[str(step)]
        elif node is not None and node.is_list and isinstance(step, int) and step < len(node.content):
            node = node.content[step]
        elif detail["type"] == "missing" and i == len(steps) - 1:
            pass
        elif node is not None and node.is_mapping and "kind" in node.children:
            if step == node.children["kind"].content:
                continue  # the tag of a union
            node = None
        elif node is not None and not node.is_mapping and not node.is_list:
            break  # a scalar that stands for a mapping, such as a constant coating value
        else:
            node = None
        walked.append(step)
    context = detail.get("ctx") or {}
    return (*walked, *context.get("at", ()))


def _misspelt(path: KeyPath, unknown: Iterable[KeyPath]) -> bool:
    """Whether a missing key is one that was written with a typing error."""
    return any(path[:-1] == other[:-1] and nearest(str(other[-1]), [str(path[-1])]) for other in unknown)


def at(tree: Node, path: KeyPath) -> Node:
    """Return the node at a path, or the nearest above it."""
    return find(tree, path)[0]


def _shape_at(tree: Node, shape: Shape, path: KeyPath) -> tuple[Shape, Node | None]:
    node: Node | None = tree
    for step in path:
        shape = child_shape(shape, node, step)
        if node is not None and node.is_mapping:
            node = node.children.get(str(step))
        elif node is not None and node.is_list and isinstance(step, int) and step < len(node.content):
            node = node.content[step]
        else:
            node = None
    return shape, node


def _translated(detail: ErrorDetails, path: KeyPath, tree: Node, shape: Shape) -> CaseError:
    kind, context = detail["type"], detail.get("ctx") or {}
    node, walked = find(tree, path)
    value = node.content if walked == path and not (node.is_mapping or node.is_list) else None
    shown = f"'{value}' " if value is not None else ""
    place, expected, hint = node.place, "", ""
    if kind in ("quantity", "consistency"):
        problem = shown + str(context["problem"])
        expected, hint = str(context["expected"]), str(context["fix"])
        if walked != path and not shown and str(context["problem"]) == "is missing":
            place = node.key_place
    elif kind == "extra_forbidden":
        parent_shape, parent = _shape_at(tree, shape, path[:-1])
        keys = valid_keys(parent_shape, parent)
        if not path[:-1]:
            keys = [*keys, "extends"]
        problem, place = f"unknown key '{path[-1]}'", node.key_place
        expected, hint = _choices(str(path[-1]), keys), suggestion(str(path[-1]), keys)
    elif kind == "missing":
        problem, place = "is missing", node.key_place
        expected = _description(tree, shape, path)
    elif kind in ("literal_error", "union_tag_invalid"):
        if kind == "union_tag_invalid":
            path = (*path, "kind")
            node = find(tree, path)[0]
            shown, place, value = f"'{node.content}' ", node.place, node.content
        choices = re.findall(r"'([^']*)'", str(context.get("expected") or context.get("expected_tags", "")))
        problem = f"{shown}is not one of the choices"
        expected, hint = " or ".join(choices), suggestion(str(value), choices)
    elif kind == "union_tag_not_found":
        problem, expected = "is missing", "training, inference, batch or replay"
        path, place = (*path, "kind"), node.key_place
    elif kind in ("model_type", "model_attributes_type"):
        here, here_node = _shape_at(tree, shape, path)
        problem = f"{shown}is not a mapping" if shown else "is not a mapping"
        expected = f"the keys {', '.join(valid_keys(here, here_node))}"
    elif kind in _PLAIN_TYPES:
        problem = f"{shown}is not {_PLAIN_TYPES[kind]}"
        expected = f"{_PLAIN_TYPES[kind]}: {_description(tree, shape, path)}"
    elif kind in ("greater_than", "greater_than_equal"):
        bound = context.get("gt", context.get("ge"))
        word = "above" if kind == "greater_than" else "of at least"
        problem, expected = f"{shown}is out of range", f"a number {word} {bound}"
    elif kind == "too_short":
        problem, expected = "is empty", f"at least {context.get('min_length', 1)}"
    else:
        problem = f"{shown}{detail['msg'][0].lower()}{detail['msg'][1:]}"
    return CaseError(
        problem,
        file=place.file,
        line=place.line,
        column=place.column,
        key=key_text(path),
        value=value,
        expected=expected,
        hint=hint,
    )


def _description(tree: Node, shape: Shape, path: KeyPath) -> str:
    """Say what a key is for: the first words of its documentation, and how a value looks."""
    parent_shape, parent = _shape_at(tree, shape, path[:-1])
    model = parent_shape.model_for(parent) if parent_shape.kind == "model" else None
    field = fields_by_key(model).get(str(path[-1])) if model else None
    if field is None:
        return ""
    for marker in field.metadata:
        words = getattr(marker, "expected", None)
        if isinstance(words, str):
            return words
    library = shape_of(field.annotation, field.metadata).library
    if library:
        return f"the name of a component of cases/library/{library}.yaml, or its values"
    words = (field.description or "").rstrip(".").split(";")[0]
    words = words[:1].lower() + words[1:]
    structure = {"model": "a mapping: ", "list": "a list: ", "map": "a mapping: "}
    return structure.get(shape_of(field.annotation, field.metadata).kind, "") + words


def _choices(written: str, keys: list[str]) -> str:
    """All keys where they are few, else those that are closest."""
    if len(keys) <= _MANY:
        return f"one of {', '.join(keys)}"
    return f"one of {len(keys)} keys, such as {', '.join(nearest_few(written, keys, 5))}"
