"""The generated schemas keep Kubernetes' rules for structural schemas, and bound everything that a user may write."""

from collections.abc import Iterator
from typing import Any

import pytest

from mailhaul_operator.api.crd import custom_resource_definition
from mailhaul_operator.api.definitions import DEFINITIONS, Definition
from mailhaul_operator.api.structural import Annotation, Schema, type_schema


def _version(definition: Definition) -> dict[str, Any]:
    (version,) = custom_resource_definition(definition)["spec"]["versions"]
    return dict(version)


def _spec(definition: Definition) -> Schema:
    return dict(_version(definition)["schema"]["openAPIV3Schema"]["properties"]["spec"])


def _nodes(schema: Schema, path: str = "spec") -> Iterator[tuple[str, Schema]]:
    yield path, schema
    for name, member in schema.get("properties", {}).items():
        yield from _nodes(member, f"{path}.{name}")
    for inner in ("items", "additionalProperties"):
        if inner in schema:
            yield from _nodes(schema[inner], f"{path}[]")


NODES = [pair for definition in DEFINITIONS for pair in _nodes(_spec(definition), definition.kind)]


def test_every_node_has_a_type_and_nothing_that_is_not_structural() -> None:
    for path, node in NODES:
        assert "type" in node or node.get("x-kubernetes-int-or-string"), path
        assert not {"$ref", "anyOf", "allOf", "oneOf", "nullable"} & node.keys(), path
        assert node.get("default", "") is not None, path


def test_every_text_list_map_and_number_of_a_spec_is_bounded() -> None:
    bound = {"string": "maxLength", "array": "maxItems", "integer": "maximum"}
    for path, node in NODES:
        needed = bound.get(node.get("type", "string"))
        if node.get("type") == "object" and "additionalProperties" in node:
            needed = "maxProperties"
        assert needed is None or needed in node or "enum" in node, path


def test_every_field_is_described() -> None:
    for path, node in NODES:
        assert node.get("description") or path.endswith("[]"), path


def test_every_list_says_how_it_merges_and_its_keys_cannot_be_absent() -> None:
    for path, node in NODES:
        if node.get("type") != "array":
            continue
        kind = node["x-kubernetes-list-type"]
        items = node["items"]
        for key in node.get("x-kubernetes-list-map-keys", []):
            assert key in items.get("required", []) or "default" in items["properties"][key], path
        assert kind in {"map", "set", "atomic"}, path


def test_every_object_without_required_members_has_an_empty_default_or_stands_for_a_choice() -> None:
    # A transition rule is skipped while its parent is absent: parents must always be there.
    choices = {"secretRef", "caRef", "rateLimit", "srs", "selector", "affinity", "nodeAffinity", "podAffinity"}
    choices |= {"podAntiAffinity", "labelSelector", "namespaceSelector", "suppression"}
    for path, node in NODES:
        if node.get("type") == "object" and "properties" in node and not path.endswith("[]"):
            name = path.rpartition(".")[2]
            assert node.get("default") == {} or name in choices or node.get("required"), path


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda one: one.kind)
def test_every_rule_tells_the_reason_and_the_remedy(definition: Definition) -> None:
    root = _version(definition)["schema"]["openAPIV3Schema"]
    rules = [rule for _, node in _nodes(root) for rule in node.get("x-kubernetes-validations", [])]
    assert rules
    for rule in rules:
        reason, _, remedy = rule["message"].partition("; ")
        assert reason, rule
        assert remedy, rule
        assert "\n" not in rule["rule"]


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda one: one.kind)
def test_columns_and_selectable_fields_lead_to_fields(definition: Definition) -> None:
    root = _version(definition)["schema"]["openAPIV3Schema"]
    paths = {path for path, _ in _nodes(root, "")}
    conditions = '.status.conditions[?(@.type=="Ready")]'
    for column in definition.columns:
        path = column.path.replace(conditions, ".status.conditions[]").replace("[0]", "[]")
        assert path in paths or path.startswith(".metadata"), column
    assert set(definition.selectable) <= paths


def test_only_a_relay_scales() -> None:
    scaling = [one.kind for one in DEFINITIONS if "scale" in _version(one)["subresources"]]
    assert scaling == ["SmtpRelay"]


def test_a_status_has_no_default_but_that_nobody_has_looked_yet() -> None:
    for definition in DEFINITIONS:
        status = _version(definition)["schema"]["openAPIV3Schema"]["properties"]["status"]
        assert [path for path, node in _nodes(status, "status") if "default" in node] == ["status"]
        assert status["default"] == {"observedGeneration": -1}


def test_a_type_without_structural_form_is_told_at_once() -> None:
    with pytest.raises(TypeError, match="has no structural schema"):
        type_schema(Annotation.of(float))
