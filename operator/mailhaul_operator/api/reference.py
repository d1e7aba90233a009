"""The reference of a kind as a page of Markdown: every field with its type, default, bounds and rules.

Generated from the same models as the CRDs (`crd`), so that it cannot say something else. Failures: none.
"""

import json
from collections.abc import Iterator
from typing import Any

from mailhaul_contract.names import API_VERSION
from mailhaul_operator.api.definitions import Definition
from mailhaul_operator.api.structural import Schema, field_schema, validations

GENERATED = "<!-- Generated from the models by `python -m mailhaul_operator.api.crd --write`; do not edit. -->"


def kind_reference(definition: Definition) -> str:
    """Give the page of a kind."""
    short = " or ".join(f"`{name}`" for name in definition.short)
    names = f"`kubectl get {definition.plural}`, short {short}, category `mail`."
    parts = [GENERATED, f"# {definition.kind}", f"{definition.model.__doc__}", f"`{API_VERSION}`, namespaced. {names}"]
    own = validations(definition.model)
    if own:
        parts.append(_rules(own))
    for top in ("spec", "status"):
        schema = field_schema(definition.model.model_fields[top])
        parts += [f"## {top}", *_objects(top, schema)]
    return "\n\n".join(parts).rstrip() + "\n"


def _objects(path: str, schema: Schema) -> Iterator[str]:
    """Give the section of an object, then those of the objects in it."""
    yield _table(schema)
    if "x-kubernetes-validations" in schema:
        yield _rules(schema["x-kubernetes-validations"])
    for name, member in schema["properties"].items():
        inner = member.get("items", member)
        if "properties" in inner:
            yield f"### {path}.{name}{'[]' if 'items' in member else ''}"
            yield from _objects(f"{path}.{name}{'[]' if 'items' in member else ''}", inner)


def _table(schema: Schema) -> str:
    required = schema.get("required", ())
    rows = ["| field | type | default | meaning |", "|---|---|---|---|"]
    for name, member in schema["properties"].items():
        default = "**required**" if name in required else _default(member)
        rows.append(f"| `{name}` | {_type(member)} | {default} | {_meaning(member)} |")
    return "\n".join(rows)


def _default(member: Schema) -> str:
    value = member.get("default")
    if value in (None, {}, ""):
        return ""
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _type(member: Schema) -> str:
    if "enum" in member:
        return ", ".join(f"`{one}`" for one in member["enum"])
    if "items" in member:
        return f"list of {_type(member['items'])}, at most {member['maxItems']}" if "maxItems" in member else "list"
    if "x-kubernetes-int-or-string" in member:
        return "size"
    if "duration(self)" in str(member.get("x-kubernetes-validations", "")):
        return "duration"
    return _bounded(member)


def _bounded(member: Schema) -> str:
    kind = {"string": "text", "object": "object", "integer": "integer", "boolean": "boolean"}[member["type"]]
    if member.get("format") == "date-time":
        return "time"
    if "minimum" in member and "maximum" in member:
        return f"{kind}, {member['minimum']} to {member['maximum']}"
    return kind


def _meaning(member: Schema) -> str:
    told = (schema for schema in (member, member.get("items", {})) if "properties" not in schema)
    rules = [rule["message"] for schema in told for rule in schema.get("x-kubernetes-validations", [])]
    refused = [f"Refused: {message}." for message in rules]
    return " ".join([member.get("description") or "", *refused]).replace("|", "\\|")


def _rules(rules: list[dict[str, Any]]) -> str:
    lines = [f"- {rule['message']}." for rule in rules]
    return "\n".join(["Refused, with what to do:", "", *lines])
