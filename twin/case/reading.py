"""Read YAML text into a tree that remembers lines and columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLStreamError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from twin.case.errors import CaseError
from twin.case.nearest import nearest
from twin.case.tree import KeyPath, Node, Place, key_text

__all__ = ["is_file", "parse_text", "read_file"]

# Far above any case that somebody writes, and read within seconds.
_MAXIMUM_BYTES = 1_000_000
_MAXIMUM_NODES = 200_000
_MAXIMUM_DEPTH = 50


def read_file(path: Path, shown: str, origin: str) -> Node:
    """Read a YAML file into a tree.

    Raises
    ------
    CaseError
        For a file that is missing, a folder, empty, not UTF-8, not YAML, or not a mapping.
    """
    try:
        raw = _read_bytes(path, shown)
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


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a zero byte
        return False


def _read_bytes(path: Path, shown: str) -> bytes:
    """Content of a file, if it is one and no larger than a case can be (devices and pipes have no end)."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise CaseError("this is a device or a pipe", file=shown, expected="a case file")
    with path.open("rb") as file:
        raw = file.read(_MAXIMUM_BYTES + 1)
    if len(raw) > _MAXIMUM_BYTES:
        raise CaseError(
            f"the file is larger than {_MAXIMUM_BYTES / 1e6:g} MB",
            file=shown,
            expected="a case file",
            hint="tables of jobs or activity belong into files that the case names",
        )
    return raw


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
    yaml.Composer = _ShallowComposer
    try:
        root = yaml.compose(text)
    except MarkedYAMLError as error:
        raise _syntax_error(error, text, shown) from None
    except (YAMLError, YAMLStreamError) as error:
        raise CaseError(f"not valid YAML: {_first_line(error)}", file=shown) from None
    except _TooDeepError as error:
        raise _too_deep(shown, error.line) from None
    if root is None:
        return None
    builder = _Builder(shown, origin)
    node = builder.build(root, None, ())
    if node.content is None:
        return None
    return node


def _too_deep(shown: str, line: int | None) -> CaseError:
    return CaseError(
        "values are nested too deeply",
        file=shown,
        line=line,
        expected=f"at most {_MAXIMUM_DEPTH} levels",
        hint="look for brackets or braces that are not closed",
    )


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


class _TooDeepError(Exception):
    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


class _ShallowComposer(Composer):
    """Stops at the first value that lies too deep: what follows would take the parser quadratic time."""

    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._depth += 1
        if self._depth > _MAXIMUM_DEPTH:
            raise _TooDeepError(self.parser.peek_event().start_mark.line + 1)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


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
        if len(self.open) >= _MAXIMUM_DEPTH:
            raise _too_deep(self.shown, place.line)
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
            number = int(digits, 0 if digits[:2].lower() in ("0o", "0x") else 10)
            return number if abs(number) < 2**63 else text
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
