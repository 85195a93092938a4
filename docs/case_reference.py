"""Write the reference of all keys of a case file from its JSON Schema: `make docs`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

HEAD = """# Case reference

Made by `make docs` from the JSON Schema of case files (`twin schema`): every key, what it holds, how it is written and
what holds when it is not given. Any mapping may also say its `source`, in words, and `extends` a component of the
library. How cases build on each other and on the library: [case files](case-files.md).

"""

type Schema = Mapping[str, Any]


def case_reference() -> str:
    """Return the page."""
    from twin.case.schema import case_schema

    schema = json.loads(json.dumps(case_schema()))
    definitions = schema["$defs"]
    lines = [HEAD.rstrip(), "", "## Case", "", *_table(schema, definitions)]
    for name in _in_order(schema, definitions):
        definition = definitions[name]
        lines += [f"({_anchor(name)})=", f"## {_title(name)}", ""]
        lines += [_plain(definition.get("description", "")), "", *_table(definition, definitions)]
    return "\n".join(lines).rstrip() + "\n"


def _in_order(schema: Schema, definitions: Mapping[str, Schema]) -> list[str]:
    """Mappings in the order in which a reader meets them."""
    found: dict[str, None] = {}

    def follow(part: Schema) -> None:
        for key in part.get("properties", {}).values():
            for name in _references(key):
                if "properties" in definitions[name] and name not in found:
                    found[name] = None
                    follow(definitions[name])

    follow(schema)
    return list(found)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].rsplit("/", 1)[-1]
        for part in value.values():
            yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)


def _table(definition: Schema, definitions: Mapping[str, Schema]) -> list[str]:
    rows = []
    for key, value in definition.get("properties", {}).items():
        if key == "source":
            continue
        # The schema leaves what is needed to `twin check`: a base may give it.
        default = _default(value) if "default" in value or key == "extends" else "**needed**"
        rows.append(
            f"| `{key}` | {_plain(value.get('description', ''))} | {_form(value, definitions)} | {default} |"
        )
    return ["| key | what it holds | how it is written | default |", "|---|---|---|---|", *rows, ""]


def _default(value: Schema) -> str:
    if "default" not in value or value["default"] in (None, "", [], {}):
        return ""
    shown = json.dumps(value["default"], ensure_ascii=False)
    if isinstance(value["default"], dict | list) and len(shown) > 60:
        return "see there"
    return f"`{value['default'] if isinstance(value['default'], str) else shown}`"


def _form(value: Schema, definitions: Mapping[str, Schema]) -> str:
    """Say how a value is written, with a link where it is a mapping of its own."""
    if "$ref" in value:
        name = value["$ref"].rsplit("/", 1)[-1]
        target = definitions[name]
        if "properties" in target:
            return f"[{_title(name)}](#{_anchor(name)})"
        return _plain(target.get("description", "")) or _form(target, definitions)
    for many in ("anyOf", "oneOf"):
        if many in value:
            forms = [_form(part, definitions) for part in value[many] if part.get("type") != "null"]
            return " or ".join(dict.fromkeys(form for form in forms if form))
    if "enum" in value:
        return ", ".join(f"`{choice}`" for choice in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    kind = value.get("type")
    if kind == "array":
        parts = value.get("prefixItems") or [value.get("items", {})]
        return "list of " + ", ".join(dict.fromkeys(_form(part, definitions) for part in parts))
    if kind == "object":
        inner = value.get("additionalProperties")
        return f"mapping of names to {_form(inner, definitions)}" if isinstance(inner, dict) else "mapping"
    words = {"integer": "whole number", "number": "number", "boolean": "`true`, `false`", "string": "text"}
    text = words.get(str(kind), "")
    if "exclusiveMinimum" in value:
        text += f" above {value['exclusiveMinimum']}"
    elif "minimum" in value:
        text += f" from {value['minimum']}"
    return text


def _title(name: str) -> str:
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()
    return words[0].upper() + words[1:]


def _anchor(name: str) -> str:
    return "case-" + _title(name).lower().replace(" ", "-")


def _plain(text: str) -> str:
    """Text that fits into a cell: docstrings say `key` and may go over lines."""
    first = text.strip().split("\n\n")[0]
    return " ".join(first.split()).replace("|", "\\|").replace("<", "&lt;")
