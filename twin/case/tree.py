"""A YAML file as a tree in which every value knows where it was written.

The tree is what `extends`, the component library and `--set` work on; only the finished tree becomes
models, so that any message can name the file and line that a value came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLStreamError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from twin.case.errors import CaseError
from twin.case.nearest import nearest, suggestion

__all__ = [
    "KeyPath",
    "Node",
    "Place",
    "find",
    "from_plain",
    "merge",
    "parse_text",
    "plain",
    "read_file",
    "set_value",
]

KeyPath = tuple[str | int, ...]
_MAXIMUM_NODES = 200_000
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


def read_file(path: Path, shown: str, origin: str) -> Node:
    """Read a YAML file into a tree.

    Raises
    ------
    CaseError
        For a file that is missing, a folder, empty, not UTF-8, not YAML, or not a mapping.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise CaseError(
            "no such file", file=shown, expected="a case file", hint=_nearest_file(path)
        ) from None
    except IsADirectoryError:
        files = sorted(p.name for p in path.glob("*.yaml"))
        hint = f"it holds {', '.join(files[:5])}" if files else ""
        raise CaseError("this is a folder", file=shown, expected="a case file", hint=hint) from None
    except OSError as error:
        raise CaseError(f"cannot be read: {error.strerror}", file=shown) from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise CaseError(
            f"byte 0x{raw[error.start]:02x} is not UTF-8",
            file=shown,
            line=line,
            expected="a text file in UTF-8",
            hint="save the file as UTF-8",
        ) from None
    node = parse_text(text, shown, origin)
    if node is None:
        raise CaseError("the file is empty", file=shown, expected="a mapping with the keys of a case")
    if not node.is_mapping:
        raise CaseError(
            f"the file holds {_kind_of(node)}",
            file=shown,
            line=node.place.line,
            expected="a mapping: keys with values, such as 'orbit:'",
        )
    return node


def _kind_of(node: Node) -> str:
    return "a list" if node.is_list else f"only '{node.content}'"


def _nearest_file(path: Path) -> str:
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist"
    best = nearest(path.name, [p.name for p in path.parent.glob("*.yaml")])
    return f"did you mean '{path.parent / best}'?" if best else ""


def parse_text(text: str, shown: str, origin: str) -> Node | None:
    """Parse YAML text into a tree; None where there is nothing but comments."""
    yaml = YAML(typ="rt")
    try:
        root = yaml.compose(text)
    except MarkedYAMLError as error:
        raise _syntax_error(error, text, shown) from None
    except (YAMLStreamError, ReaderError, YAMLError) as error:
        raise CaseError(f"not valid YAML: {_first_line(error)}", file=shown) from None
    if root is None:
        return None
    builder = _Builder(shown, origin)
    node = builder.build(root, None, ())
    if node.content is None:
        return None
    return node


def _first_line(error: object) -> str:
    return str(error).strip().splitlines()[0]


def _syntax_error(error: MarkedYAMLError, text: str, shown: str) -> CaseError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else None
    column = mark.column + 1 if mark else None
    lines = text.splitlines()
    problem = (error.problem or error.context or "syntax error").strip()
    written = lines[mark.line] if mark and mark.line < len(lines) else ""
    if "\\t" in problem or "\t" in written[: len(written) - len(written.lstrip())]:
        return CaseError(
            "a tab is used for indentation",
            file=shown,
            line=line,
            column=column,
            expected="spaces",
            hint="replace each tab by two spaces",
        )
    return CaseError(
        f"not valid YAML: {problem}",
        file=shown,
        line=line,
        column=column,
        value=written.strip() or None,
        expected="'key: value' lines, indented with spaces",
        hint=f"the line reads '{written.strip()}'" if written.strip() else "",
    )


class _Builder:
    """Turn composed YAML nodes into a tree, counting them so that aliases cannot explode."""

    def __init__(self, shown: str, origin: str) -> None:
        self.shown = shown
        self.origin = origin
        self.count = 0
        self.open: list[int] = []

    def place(self, node: Any) -> Place:
        return Place(self.shown, node.start_mark.line + 1, node.start_mark.column + 1)

    def build(self, node: Any, key_place: Place | None, path: KeyPath) -> Node:
        self.count += 1
        place = self.place(node)
        if self.count > _MAXIMUM_NODES or id(node) in self.open:
            raise CaseError(
                "the file refers to itself or grows without end through aliases",
                file=self.shown,
                line=place.line,
                key=key_text(path),
            )
        self.open.append(id(node))
        if isinstance(node, ScalarNode):
            content: Any = _scalar(node)
        elif isinstance(node, SequenceNode):
            content = [self.build(item, None, (*path, i)) for i, item in enumerate(node.value)]
        else:
            content = self.mapping(node, path)
        self.open.pop()
        built = Node(content, place, key_place or place, self.origin)
        return _take_source(built)

    def mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Node]:
        inherited: dict[str, Node] = {}
        own: dict[str, Node] = {}
        for key_node, value_node in node.value:
            place = self.place(key_node)
            if not isinstance(key_node, ScalarNode):
                raise CaseError(
                    "a key must be plain text", file=self.shown, line=place.line, key=key_text(path)
                )
            key = str(key_node.value)
            if key == "<<":
                merged = value_node.value if isinstance(value_node, SequenceNode) else [value_node]
                for part in merged:
                    inherited = {**self.build(part, place, path).children, **inherited}
                continue
            if key in own:
                raise CaseError(
                    "this key is given twice",
                    file=self.shown,
                    line=place.line,
                    column=place.column,
                    key=key_text((*path, key)),
                    value=getattr(value_node, "value", None),
                    expected="each key once",
                    hint=f"the first is on line {own[key].key_place.line}",
                )
            own[key] = self.build(value_node, place, (*path, key))
        return {**inherited, **own}


def _scalar(node: ScalarNode) -> Any:
    """Scalars that are plain numbers, booleans or null by YAML 1.2; everything else stays text."""
    text = node.value
    if node.style in ("'", '"', "|", ">"):
        return text
    tag = str(node.ctag) if node.ctag is not None else ""
    if tag.endswith(":null"):
        return None
    if tag.endswith(":bool"):
        return text.lower() == "true"
    if tag.endswith(":int"):
        try:
            digits = text.replace("_", "")
            return int(digits, 0 if digits[:2].lower() in ("0o", "0x") else 10)
        except ValueError:
            return text
    if tag.endswith(":float"):
        try:
            return float(text.replace("_", ""))
        except ValueError:
            return text
    return text


def _take_source(node: Node) -> Node:
    """Move `source:` out of a mapping; `{value: 700 W, source: datasheet}` becomes the value itself."""
    if not node.is_mapping or "source" not in node.children:
        return node
    source = node.children["source"].content
    if not isinstance(source, str):
        return node
    rest = {key: child for key, child in node.children.items() if key != "source"}
    if set(rest) == {"value"}:
        return replace(rest["value"], key_place=node.key_place, source=source)
    return node.with_children(rest, source=source)


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
        return {key: plain(child) for key, child in node.children.items()}
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


def merge(base: Node, over: Node) -> Node:
    """Lay one tree over another: mappings key by key, lists by name, `null` removes a key.

    A list whose items have no name or class replaces the list below it.
    """
    if base.is_mapping and over.is_mapping and not over.whole:
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
