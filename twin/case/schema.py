"""JSON Schema of case files, for completion and hints in editors.

`python -m twin.case.schema` writes `cases/schema.json`. It knows keys, quantities and library names; what is
required is left to `twin check`, because `extends` may supply any key.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from twin.case.case import Case
from twin.case.library import SHIPPED_LIBRARY, Library

__all__ = ["SCHEMA_PATH", "case_schema", "main", "schema_text"]

SCHEMA_PATH = SHIPPED_LIBRARY.parent / "schema.json"
_NUMBER = {"type": ["number", "string"]}
# Models that may be written as one number.
_AS_NUMBER = ("AgedFraction", "Converter")


def case_schema() -> dict[str, Any]:
    """Return the schema of a case file (JSON Schema 2020-12)."""
    schema = Case.model_json_schema(by_alias=True)
    library = Library((SHIPPED_LIBRARY,))
    quantities: dict[str, Any] = {}
    for definition in (schema, *schema["$defs"].values()):
        _relaxed(definition, library, quantities)
    schema["$defs"].update(sorted(quantities.items()))
    schema["$defs"]["Converter"]["properties"]["efficiency"] = {
        "anyOf": [_NUMBER, schema["$defs"]["Converter"]["properties"]["efficiency"]]
    }
    schema["$defs"]["ModuleClass"]["properties"]["extends"] = {
        "type": "string",
        "description": "Name of another module class of the case that the other keys change.",
    }
    schema["properties"] = {
        "extends": {"type": "string", "description": "Another case file that this one builds on."},
        **schema["properties"],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Dawndusk case",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def _relaxed(definition: dict[str, Any], library: Library, quantities: dict[str, Any]) -> None:
    """Allow what reading allows: library names, `extends`, `source`, one number for a pair."""
    definition.pop("required", None)
    if "properties" not in definition:
        return
    definition["properties"] = {
        key: _property(value, library, quantities) for key, value in definition["properties"].items()
    }
    definition["properties"]["source"] = {"type": "string", "description": "Where the values come from."}
    if "description" in definition["properties"]:
        definition["properties"]["extends"] = {
            "type": "string",
            "description": "Name of the library component that the other keys change.",
        }


def _property(schema: dict[str, Any], library: Library, quantities: dict[str, Any]) -> dict[str, Any]:
    schema = {key: value for key, value in schema.items() if key != "title"}
    kind = schema.pop("x-library", None)
    shared: dict[str, Any] = {key: schema.pop(key) for key in ("description", "default") if key in schema}
    if kind is not None:
        names = sorted(library.entries(kind))
        return {**shared, "anyOf": [{"enum": names}, {"type": "string"}, schema]}
    if schema.get("$ref", "").rpartition("/")[2] in _AS_NUMBER:
        return {**shared, "anyOf": [_NUMBER, schema]}
    if "$ref" in schema or "const" in schema or "enum" in schema or "items" in schema:
        return {**shared, **schema}
    optional = schema.get("anyOf")
    if isinstance(optional, list):
        return {**shared, "anyOf": [_quantity(part, quantities) for part in optional]}
    if "x-quantity" in schema:
        return {**shared, **_quantity(schema, quantities)}
    return {**shared, **schema}


def _quantity(schema: dict[str, Any], quantities: dict[str, Any]) -> dict[str, Any]:
    """Refer to a quantity, kept once, that may also be written as `{value: ..., source: ...}`."""
    if "x-quantity" not in schema:
        return schema
    expected = schema["x-quantity"]
    bare = {
        key: value for key, value in schema.items() if key not in ("x-quantity", "examples", "description")
    }
    sourced = {
        "type": "object",
        "properties": {"value": bare, "source": {"type": "string"}},
        "additionalProperties": False,
    }
    name = "".join(c if c.isalnum() else "_" for c in expected.partition(", such as")[0])
    quantities[name] = {"title": expected, "examples": schema["examples"], "anyOf": [bare, sourced]}
    return {"$ref": f"#/$defs/{name}"}


def schema_text() -> str:
    """Return the schema as it is kept in `cases/schema.json`."""
    return json.dumps(case_schema(), indent=1, ensure_ascii=False) + "\n"


def main(path: Path = SCHEMA_PATH) -> None:
    """Write the schema to a file."""
    path.write_text(schema_text(), encoding="utf-8")
    print(f"wrote {path}")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:2]))
