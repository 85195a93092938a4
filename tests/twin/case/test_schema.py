"""The JSON Schema that editors use."""

from __future__ import annotations

import json
from typing import Any

from twin.case.case import Case
from twin.case.library import SHIPPED_LIBRARY, Library
from twin.case.schema import SCHEMA_PATH, schema_text
from twin.case.structure import fields_by_key


def test_schema_is_current() -> None:
    assert SCHEMA_PATH.read_text(encoding="utf-8") == schema_text(), "run: python -m twin.case.schema"


def test_schema_knows_keys_and_library_names() -> None:
    schema = json.loads(schema_text())
    assert set(schema["properties"]) == {*fields_by_key(Case), "extends", "source"}
    card = schema["$defs"]["Racks"]["properties"]["card"]
    assert {"enum": sorted(Library((SHIPPED_LIBRARY,)).entries("cards"))} in card["anyOf"]
    assert schema["additionalProperties"] is False


def test_schema_refers_only_to_what_it_defines() -> None:
    schema = json.loads(schema_text())

    def references(node: Any) -> set[str]:
        if isinstance(node, dict):
            own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
            return own.union(*(references(child) for child in node.values()))
        return set().union(*(references(child) for child in node)) if isinstance(node, list) else set()

    assert references(schema) == {f"#/$defs/{name}" for name in schema["$defs"]}
