"""A YAML file as a tree in which every value knows where it was written.

The tree is what `extends`, the component library and `--set` work on; only the finished tree becomes
models, so that any message can name the file and line that a value came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from twin.case.errors import CaseError
from twin.case.nearest import suggestion

__all__ = [
    "KeyPath",
    "Node",
    "Place",
    "find",
    "from_plain",
    "key_text",
    "merge",
    "plain",
    "set_value",
]

KeyPath = tuple[str | int, ...]
# Keys by which the items of a list are told apart when a case builds on another.
_IDENTITY_KEYS = ("name", "class")


@dataclass(frozen=True)
class Place:
    """Where something was written; line and column are counted from 1."""

    file: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True)
class Node:
    """A value of a case and where it came from.

    `content` is a scalar, a dict of nodes, or a list of nodes. `whole` marks a mapping that replaces what
    it is merged over, as a library component replaces another.
    """

    content: Any
    place: Place
    key_place: Place
    origin: str
    source: str = ""
    whole: bool = False

    @property
    def children(self) -> dict[str, Node]:
        """The values of a mapping by key; nothing for a scalar or a list."""
        return self.content if isinstance(self.content, dict) else {}

    @property
    def is_mapping(self) -> bool:
        """Whether this is a mapping."""
        return isinstance(self.content, dict)

    @property
    def is_list(self) -> bool:
        """Whether this is a list."""
        return isinstance(self.content, list)

    def with_children(self, children: Mapping[str, Node], **changes: Any) -> Node:
        """Return this mapping with other content."""
        return replace(self, content=dict(children), **changes)


def from_plain(data: Any, place: Place, origin: str) -> Node:
    """Build a tree from Python objects; every node has the same place."""
    content: Any = data
    if isinstance(data, Mapping):
        content = {str(key): from_plain(value, place, origin) for key, value in data.items()}
    elif isinstance(data, list | tuple):
        content = [from_plain(value, place, origin) for value in data]
    return Node(content, place, place, origin)


def plain(node: Node) -> Any:
    """Return the tree as Python objects, without places."""
    if node.is_mapping:
        # A key without a value is a key that is not given: its default holds, or it is missing.
        return {key: plain(child) for key, child in node.children.items() if child.content is not None}
    if node.is_list:
        return [plain(child) for child in node.content]
    return node.content


def find(root: Node, path: Iterable[str | int]) -> tuple[Node, KeyPath]:
    """Walk down as far as the path leads; return the last node and the path to it."""
    node: Node = root
    walked: KeyPath = ()
    for step in path:
        if node.is_mapping and step in node.children:
            node = node.children[str(step)]
        elif node.is_list and isinstance(step, int) and step < len(node.content):
            node = node.content[step]
        else:
            continue  # a union tag or an absent key: pydantic names it, the file does not
        walked = (*walked, step)
    return node, walked


def key_text(path: Iterable[str | int]) -> str:
    """Write a path as in messages and in `--set`: `sub_centers[0].modules`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else (f".{step}" if text else step)
    return text


def identity(node: Node) -> str | None:
    """Return the name by which an item of a list is known."""
    for key in _IDENTITY_KEYS:
        child = node.children.get(key)
        if child is not None and isinstance(child.content, str):
            return child.content
    return None


def _same_kind(base: Node, over: Node) -> bool:
    """Whether two mappings describe the same kind of thing: one that says no kind keeps that of the other."""
    kinds = [node.children["kind"].content for node in (base, over) if "kind" in node.children]
    return len(kinds) < 2 or kinds[0] == kinds[1]


def merge(base: Node, over: Node) -> Node:
    """Lay one tree over another: mappings key by key, lists by name, `null` removes a key.

    A list whose items have no name or class replaces the list below it; so does one that begins with `null`, and a
    mapping of another `kind`.
    """
    if base.is_mapping and over.is_mapping and not over.whole and _same_kind(base, over):
        children = dict(base.children)
        for key, child in over.children.items():
            if child.content is None:
                children.pop(key, None)
            else:
                children[key] = merge(children[key], child) if key in children else child
        return base.with_children(
            children,
            place=over.place,
            key_place=over.key_place,
            whole=base.whole,
            source=over.source or base.source,
        )
    if base.is_list and over.is_list:
        if over.content and over.content[0].content is None:
            return replace(over, content=over.content[1:])
        names = [identity(item) for item in over.content]
        if names and all(names) and len(set(names)) == len(names):
            merged = {identity(item) or index: item for index, item in enumerate(base.content)}
            for name, item in zip(names, over.content, strict=True):
                merged[name] = merge(merged[name], item) if name in merged else item  # type: ignore[index]
            return replace(over, content=list(merged.values()))
    return over


def set_value(root: Node, path: Sequence[str], value: Node, where: Place, above: KeyPath = ()) -> Node:
    """Return the tree with the value at the path replaced; list items are named or numbered."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if root.is_list:
        index = _list_index(root, step, where, above)
        items = list(root.content)
        items[index] = set_value(items[index], rest, value, where, (*above, index))
        return replace(root, content=items)
    children = dict(root.children)
    if not rest and value.content is None:
        children.pop(step, None)
        return root.with_children(children)
    empty = Node({}, where, where, value.origin)
    below = children.get(step, empty)
    if rest and not (below.is_mapping or below.is_list):
        below = empty
    children[step] = set_value(below, rest, value, where, (*above, step))
    return root.with_children(children)


def _list_index(node: Node, step: str, where: Place, above: KeyPath) -> int:
    names = [identity(item) for item in node.content]
    if step in names:
        return names.index(step)
    if step.isdecimal() and int(step) < len(names):
        return int(step)
    known = [name for name in names if name] or [f"0 to {len(names) - 1}"]
    raise CaseError(
        f"there is no item '{step}' in this list",
        file=where.file,
        key=key_text(above),
        value=step,
        expected=f"one of {', '.join(known)}",
        hint=suggestion(step, known),
    )
