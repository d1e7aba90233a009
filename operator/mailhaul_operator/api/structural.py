"""Structural schemas (OpenAPI v3 as Kubernetes takes it) from the models: no $ref, no null, bounds and rules in full.

Walks the fields instead of rewriting pydantic's JSON schema, whose `$ref`, `anyOf` and `default: null` are not
structural. Used by `crd` and `reference`. Failures: TypeError for an annotation that has no structural form, at once.
"""

import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from inspect import getdoc
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic.fields import FieldInfo

from mailhaul_operator.api.amounts import (
    CORES_PATTERN,
    DURATION_PATTERN,
    QUANTITY_PATTERN,
    Cores,
    Duration,
    Quantity,
    format_cores,
    format_duration,
    format_quantity,
)
from mailhaul_operator.api.lists import MapBy, SetOf
from mailhaul_operator.api.part import Observed, Part
from mailhaul_operator.api.rules import Rule

Schema = dict[str, Any]
_INT32 = 2**31 - 1
_AMOUNTS = {Duration: format_duration, Quantity: format_quantity, Cores: format_cores}
_LENGTHS = {
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}


@dataclass(frozen=True, slots=True)
class Annotation:
    """A type without its wrappers: what is left, the metadata found on the way, whether it may be absent."""

    bare: Any
    metadata: tuple[Any, ...]

    @classmethod
    def of(cls, annotation: Any, metadata: Iterable[Any] = ()) -> "Annotation":  # noqa: ANN401 - any annotation
        """Unwrap `Annotated` and `| None`."""
        collected = list(_flat(metadata))
        while True:
            if get_origin(annotation) is Annotated:
                annotation, *inner = get_args(annotation)
                collected = [*_flat(inner), *collected]
            elif get_origin(annotation) in {Union, types.UnionType}:
                (annotation,) = (one for one in get_args(annotation) if one is not type(None))
            else:
                return cls(annotation, tuple(collected))

    def find(self, *kinds: type) -> Any:  # noqa: ANN401 - one of the kinds
        """Give the first metadata of these kinds, or None."""
        return next((one for one in self.metadata if isinstance(one, kinds)), None)


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    for one in metadata:
        if isinstance(one, FieldInfo):
            yield from one.metadata
        else:
            yield one


def object_schema(model: type[Part], keys: frozenset[str] = frozenset()) -> Schema:
    """Give the schema of a model; `keys` are members that a list of it merges by: each needs a default or a value."""
    schema: Schema = {"description": getdoc(model), "type": "object"}
    fields = {str(field.alias): field for field in model.model_fields.values()}
    required = [name for name, field in fields.items() if field.is_required()]
    if required:
        schema["required"] = required
    # A status says what was seen, so nothing in it has a default; but a key must have one or be required.
    seen = issubclass(model, Observed)
    schema["properties"] = {
        name: field_schema(field, is_key=name in keys, defaults=not seen) for name, field in fields.items()
    }
    rules = validations(model)
    if rules:
        schema["x-kubernetes-validations"] = rules
    return schema


def field_schema(field: FieldInfo, *, is_key: bool = False, defaults: bool = True) -> Schema:
    """Give the schema of a field with its description, and its default where `defaults` are wanted."""
    schema = type_schema(Annotation.of(field.annotation, field.metadata))
    schema = {"description": field.description or schema.get("description"), **_without_description(schema)}
    default = default_of(field) if defaults or is_key else None
    if default is not None and (is_key or default not in ("", [])):
        schema["default"] = default
    return schema


def _without_description(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "description"}


def default_of(field: FieldInfo) -> Any:  # noqa: ANN401 - any JSON value
    """Give a field's default as JSON; `{}` for objects, whose members have their own; None where there is none."""
    if field.is_required() or field.default is None:
        return None
    value = field.get_default(call_default_factory=True)
    amount = Annotation.of(field.annotation, field.metadata).find(*_AMOUNTS)
    if amount:
        return _AMOUNTS[type(amount)](value)
    if isinstance(value, tuple):
        return [_json(one) for one in value]
    return _json(value)


def _json(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, Part):
        return value.to_json()
    return value.value if isinstance(value, StrEnum) else value


def validations(model: type[Part]) -> list[Schema]:
    """Give the CEL rules of a model, those over updates last."""
    rules = [_rule(rule.cel, rule.message, rule.field) for rule in model.RULES]
    return [*rules, *(_rule(one.cel, one.message, one.field) for one in model.TRANSITIONS)]


def _rule(cel: str, message: str, field: str = "") -> Schema:
    rule = {"rule": cel, "message": message}
    # The API server knows no schema of metadata, so it takes no path into it.
    return {**rule, "fieldPath": f".{field}"} if field and not field.startswith("metadata") else rule


def type_schema(annotation: Annotation) -> Schema:
    """Give the schema of a type, without description and default."""
    amount = annotation.find(*_AMOUNTS)
    if amount:
        return _duration(amount) if isinstance(amount, Duration) else _quantity(amount)
    schema = _bare_schema(annotation)
    low, high = _LENGTHS.get(schema["type"], ("minimum", "maximum"))
    for one in annotation.metadata:
        if isinstance(one, MinLen | Ge):
            schema[low] = one.min_length if isinstance(one, MinLen) else one.ge
        elif isinstance(one, MaxLen | Le):
            schema[high] = one.max_length if isinstance(one, MaxLen) else one.le
        elif getattr(one, "pattern", None):
            schema["pattern"] = one.pattern
    if schema["type"] == "integer":
        schema["format"] = "int32" if schema.get("maximum", _INT32 + 1) <= _INT32 else "int64"
    rules = [_rule(one.cel, one.message) for one in annotation.metadata if isinstance(one, Rule)]
    return {**schema, "x-kubernetes-validations": rules} if rules else schema


def _bare_schema(annotation: Annotation) -> Schema:
    bare, origin = annotation.bare, get_origin(annotation.bare)
    if origin is tuple:
        return _list_schema(annotation)
    if origin is not None and origin is not Literal and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": type_schema(Annotation.of(get_args(bare)[1]))}
    if isinstance(bare, type) and issubclass(bare, Part):
        return object_schema(bare)
    if isinstance(bare, type) and issubclass(bare, StrEnum):
        return {"type": "string", "enum": [member.value for member in bare]}
    if bare is datetime:
        return {"type": "string", "format": "date-time", "maxLength": 64}
    simple = {str: "string", int: "integer", bool: "boolean"}
    if bare not in simple:
        raise TypeError(f"{bare!r} has no structural schema; use text, int, bool, an enum, a tuple or a Part")
    return {"type": simple[bare]}


def _list_schema(annotation: Annotation) -> Schema:
    inner = Annotation.of(get_args(annotation.bare)[0])
    by = annotation.find(MapBy, SetOf)
    if isinstance(by, MapBy):
        merge: Schema = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(by.keys)}
        return {"type": "array", "items": object_schema(inner.bare, frozenset(by.keys)), **merge}
    kind = "set" if isinstance(by, SetOf) else "atomic"
    return {"type": "array", "items": type_schema(inner), "x-kubernetes-list-type": kind}


def _duration(amount: Duration) -> Schema:
    cel = f"duration(self) >= duration('{amount.low}') && duration(self) <= duration('{amount.high}')"
    bounds = {"type": "string", "minLength": 2, "maxLength": 20, "pattern": DURATION_PATTERN}
    return {**bounds, "x-kubernetes-validations": [_rule(cel, amount.message)]}


def _quantity(amount: Quantity | Cores) -> Schema:
    text = "(type(self) == int ? string(self) : string(self))"
    cel = (
        f"quantity({text}).compareTo(quantity('{amount.low}')) >= 0"
        f" && quantity({text}).compareTo(quantity('{amount.high}')) <= 0"
    )
    pattern = CORES_PATTERN if isinstance(amount, Cores) else QUANTITY_PATTERN
    bounds = {"x-kubernetes-int-or-string": True, "maxLength": 16, "pattern": pattern}
    return {**bounds, "x-kubernetes-validations": [_rule(cel, amount.message)]}
