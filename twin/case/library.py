"""The component library: `cases/library/KIND.yaml`, one mapping of name to component per kind."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from twin.case.errors import CaseError
from twin.case.nearest import suggestion
from twin.case.reading import read_file
from twin.case.structure import Shape, child_shape
from twin.case.tree import KeyPath, Node, key_text, merge

__all__ = ["KINDS", "SHIPPED_LIBRARY", "Library", "shown_path"]

SHIPPED_LIBRARY = Path(__file__).resolve().parents[2] / "cases" / "library"
KINDS = ("batteries", "cards", "cells", "coatings", "coolants", "environments", "materials", "terminals")
_SINGULAR = {
    "batteries": "battery cell",
    "cards": "card",
    "cells": "solar cell",
    "coatings": "coating",
    "coolants": "coolant",
    "environments": "environment set",
    "materials": "material",
    "terminals": "terminal",
}


def shown_path(path: Path) -> str:
    """Path as shown in messages: relative to the working folder where it lies below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


@dataclass
class Library:
    """Named components from folders, the first folder that has a name wins."""

    folders: tuple[Path, ...]
    _loaded: dict[str, dict[str, Node]] = field(default_factory=dict)

    def entries(self, kind: str) -> dict[str, Node]:
        """All components of a kind by name."""
        if kind not in self._loaded:
            found: dict[str, Node] = {}
            for folder in reversed(self.folders):
                path = folder / f"{kind}.yaml"
                if path.is_file():
                    state = path.stat()
                    found.update(_read_kind(path, shown_path(path), kind, state.st_mtime_ns, state.st_size))
            self._loaded[kind] = found
        return self._loaded[kind]

    def component(self, kind: str, name: str, seen: tuple[str, ...] = ()) -> Node | None:
        """Return a component, or None where the library has none of the name."""
        entry = self.entries(kind).get(name)
        if entry is None:
            return None
        base_node = entry.children.get("extends")
        if base_node is None:
            return replace(entry, whole=True)
        base_name = str(base_node.content)
        base = None if base_name in seen else self.component(kind, base_name, (*seen, name))
        if base is None:
            place = base_node.place
            raise CaseError(
                "extends itself"
                if base_name in seen
                else f"extends '{base_name}', which the library does not have",
                file=place.file,
                line=place.line,
                column=place.column,
                key=f"{name}.extends",
                value=base_name,
                expected=f"another {_SINGULAR[kind]} of the library",
            )
        own = entry.with_children({k: v for k, v in entry.children.items() if k != "extends"})
        return replace(merge(base, own), whole=True)

    def expand(
        self, node: Node, shape: Shape, problems: dict[KeyPath, CaseError], path: KeyPath = ()
    ) -> Node:
        """Put components in the place of their names everywhere below a node.

        Names that the library does not have are added to `problems`, and stay.
        """
        if shape.library is not None:
            node = self._component_at(node, shape.library, problems, path)
        if node.is_mapping:
            children = {
                key: self.expand(child, child_shape(shape, node, key), problems, (*path, key))
                for key, child in node.children.items()
            }
            return node.with_children(children)
        if node.is_list:
            items = [
                self.expand(child, child_shape(shape, node, i), problems, (*path, i))
                for i, child in enumerate(node.content)
            ]
            return replace(node, content=items)
        return node

    def _component_at(self, node: Node, kind: str, problems: dict[KeyPath, CaseError], path: KeyPath) -> Node:
        named = node if isinstance(node.content, str) else node.children.get("extends")
        if named is None:
            return node
        component = self.component(kind, named.content) if isinstance(named.content, str) else None
        if component is None:
            problems[path] = self._unknown(named, kind, path)
            return node
        component = replace(component, key_place=node.key_place, place=node.place)
        if named is node:
            return component
        own = node.with_children({k: v for k, v in node.children.items() if k != "extends"})
        return replace(merge(component, own), whole=True)

    def _unknown(self, named: Node, kind: str, path: KeyPath) -> CaseError:
        names = sorted(self.entries(kind))
        return CaseError(
            f"the library has no {_SINGULAR[kind]} '{named.content}'",
            file=named.place.file,
            line=named.place.line,
            column=named.place.column,
            key=key_text(path),
            value=named.content,
            expected=f"one of {', '.join(names)}, or a mapping with its values",
            hint=suggestion(str(named.content), names),
        )


@lru_cache(maxsize=64)
def _read_kind(path: Path, shown: str, kind: str, changed: int, size: int) -> dict[str, Node]:
    """Components of a file, read once while it does not change: a sweep loads a thousand cases."""
    del changed, size  # they tell one state of the file from another
    children = read_file(path, shown, f"library {kind}").children
    return {name: _originating(node, f"library {kind}/{name}") for name, node in children.items()}


def _originating(node: Node, origin: str) -> Node:
    if node.is_mapping:
        return node.with_children(
            {k: _originating(v, origin) for k, v in node.children.items()}, origin=origin
        )
    if node.is_list:
        return replace(node, content=[_originating(item, origin) for item in node.content], origin=origin)
    return replace(node, origin=origin)
