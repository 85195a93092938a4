"""From files and `--set` to one tree: `extends`, library components, overrides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from twin.case.errors import CaseError
from twin.case.library import SHIPPED_LIBRARY, Library, shown_path
from twin.case.nearest import suggestion
from twin.case.reading import is_file, parse_text, read_file
from twin.case.structure import Shape, child_shape
from twin.case.tree import KeyPath, Node, Place, from_plain, key_text, merge, set_value

__all__ = ["COMMAND_LINE", "Loaded", "load_tree", "tree_from_plain"]

COMMAND_LINE = "command line --set"


@dataclass(frozen=True)
class Loaded:
    """A finished tree, and the problems met on the way that do not stop its reading."""

    tree: Node
    problems: dict[KeyPath, CaseError]


def load_tree(path: Path, overrides: Sequence[str], shape: Shape) -> Loaded:
    """Read a case file with all that it builds on, and lay the overrides over it.

    Raises
    ------
    CaseError
        Where a file cannot be read, `extends` goes in a circle, or an override is malformed.
    """
    library = Library((path.resolve().parent / "library", SHIPPED_LIBRARY))
    problems: dict[KeyPath, CaseError] = {}
    tree = _with_base(path, library, shape, problems, ())
    tree = _overridden(tree, overrides, library, shape, problems)
    return Loaded(_with_inherited_classes(tree), problems)


def _with_inherited_classes(tree: Node) -> Node:
    """Lay module classes over the ones that they extend; last, so that overrides reach what they build on."""
    classes = tree.children.get("module_classes") if tree.is_mapping else None
    if classes is None or not classes.is_mapping:
        return tree

    def whole(name: str, seen: tuple[str, ...]) -> Node:
        own = classes.children[name]
        extends = own.children.get("extends") if own.is_mapping else None
        if extends is None:
            return own
        others = [key for key in classes.children if key not in (name, *seen)]
        if extends.content not in others:
            circle = extends.content in classes.children
            raise CaseError(
                "goes in a circle" if circle else f"there is no module class '{extends.content}'",
                file=extends.place.file,
                line=extends.place.line,
                column=extends.place.column,
                key=f"module_classes.{name}.extends",
                value=extends.content,
                expected="another module class of the case",
                hint="" if circle else suggestion(str(extends.content), others),
            )
        kept = own.with_children({k: v for k, v in own.children.items() if k != "extends"})
        return merge(whole(str(extends.content), (*seen, name)), kept)

    named = {name: whole(name, ()) for name in classes.children}
    return tree.with_children({**tree.children, "module_classes": classes.with_children(named)})


def tree_from_plain(data: dict[str, object], name: str, overrides: Sequence[str], shape: Shape) -> Loaded:
    """Build a tree from a mapping in memory, such as a resolved case out of a result."""
    library = Library((SHIPPED_LIBRARY,))
    problems: dict[KeyPath, CaseError] = {}
    tree = library.expand(from_plain(data, Place(name), "case"), shape, problems)
    return Loaded(_overridden(tree, overrides, library, shape, problems), problems)


def _with_base(
    path: Path, library: Library, shape: Shape, problems: dict[KeyPath, CaseError], seen: tuple[Path, ...]
) -> Node:
    shown = shown_path(path)
    tree = read_file(path, shown, "case" if not seen else f"extends {path.name}")
    extends = tree.children.get("extends")
    own = library.expand(
        tree.with_children({k: v for k, v in tree.children.items() if k != "extends"}), shape, problems
    )
    if extends is None or extends.content is None:
        return own
    if not isinstance(extends.content, str):
        raise _extends_error(extends, "is not the name of a file")
    base_path = path.parent / extends.content
    if "\0" in extends.content:
        raise _extends_error(extends, "is not the name of a file")
    chain = (*seen, path.resolve())
    if base_path.resolve() in chain:
        names = " -> ".join(p.name for p in (*chain, base_path.resolve()))
        raise _extends_error(extends, f"goes in a circle: {names}")
    if not is_file(base_path):
        names_there = [p.name for p in base_path.parent.glob("*.yaml") if p.resolve() != path.resolve()]
        raise _extends_error(extends, "is not a file", suggestion(base_path.name, names_there))
    # Components expand before merging, so that a case can change one value of its base's component.
    return merge(_with_base(base_path, library, shape, problems, chain), own)


def _extends_error(extends: Node, problem: str, hint: str = "") -> CaseError:
    return CaseError(
        f"'{extends.content}' {problem}",
        file=extends.place.file,
        line=extends.place.line,
        column=extends.place.column,
        key="extends",
        value=extends.content,
        expected="another case file, relative to this one",
        hint=hint,
    )


def _overridden(
    tree: Node, overrides: Sequence[str], library: Library, shape: Shape, problems: dict[KeyPath, CaseError]
) -> Node:
    place = Place(COMMAND_LINE)
    for text in overrides:
        key, separator, written = text.partition("=")
        steps = _steps(key)
        if not separator or not all(steps):
            raise CaseError(
                f"'{text}' is not key=value",
                file=COMMAND_LINE,
                value=text,
                expected="a key path, '=', and a value, such as orbit.altitude='750 km'",
            )
        try:
            parsed = parse_text(written, COMMAND_LINE, COMMAND_LINE)
        except CaseError as error:
            raise CaseError(
                error.problem, file=COMMAND_LINE, key=key, value=written, expected="one YAML value"
            ) from None
        node = _placed(parsed, place) if parsed is not None else Node(None, place, place, COMMAND_LINE)
        problems_here = {p: e for p, e in problems.items() if key_text(p) != key}
        problems.clear()
        problems.update(problems_here)
        _refuse_new_names(tree, steps, shape)
        tree = library.expand(set_value(tree, steps, node, place), shape, problems)
    return tree


def _refuse_new_names(tree: Node, steps: list[str], shape: Shape) -> None:
    """Refuse a path through a name that does not exist: `module_classes.satelite.bus` is a typing error."""
    node: Node | None = tree
    for i, step in enumerate(steps[:-1]):
        if node is None or not node.is_mapping:
            return
        if shape.kind == "map" and step not in node.children:
            raise CaseError(
                f"there is no '{step}'",
                file=COMMAND_LINE,
                key=".".join(steps[:i]),
                value=step,
                expected=f"one of {', '.join(node.children)}",
                hint=suggestion(step, node.children),
            )
        shape, node = child_shape(shape, node, step), node.children.get(step)


def _steps(key: str) -> list[str]:
    """`workload.jobs[0].cards` and `workload.jobs.0.cards` are the same path."""
    return key.strip().replace("[", ".").replace("]", "").split(".")


def _placed(node: Node, place: Place) -> Node:
    if node.is_mapping:
        node = node.with_children({k: _placed(v, place) for k, v in node.children.items()})
    elif node.is_list:
        node = replace(node, content=[_placed(item, place) for item in node.content])
    return replace(node, place=place, key_place=place)
