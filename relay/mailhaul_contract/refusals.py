"""A refused value told to a person: where it stands, what is wrong, what to do.

The one place where pydantic's errors become words; used for resources, relay configuration and HTTP bodies.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from mailhaul_contract.base import NAME_PATTERN, OBJECT_NAME_PATTERN

_FORMS = {
    NAME_PATTERN: "use a-z, 0-9 and -, with a letter or digit at both ends",
    OBJECT_NAME_PATTERN: "use a-z, 0-9, - and dots, with a letter or digit at both ends of each part",
}
_SHAPES = {
    "int": "write a whole number, without quotes",
    "float": "write a number, without quotes",
    "bool": "write true or false, without quotes",
    "string": "write text; in quotes when YAML takes it for something else",
    "tuple": "write a list",
    "list": "write a list",
    "mapping": "write fields with values",
    "dict": "write fields with values",
    "model": "write fields with values",
}
"""What to write where the kind of the value is wrong, by the beginning of pydantic's type of error."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing wrong with a document. `path` is like `spec.upstreams[0].providerRef`."""

    path: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path or 'document'}: {self.reason}; {self.remedy}"


def refusals(error: ValidationError) -> tuple[Refusal, ...]:
    """Give every refusal in a validation error, in the document's order. The value itself is never repeated."""
    errors = [dict(one) for one in error.errors(include_url=False, include_context=True)]
    return tuple(_refusal(one) for one in errors if not _follows(one, errors))


def _follows(error: dict[str, Any], errors: list[dict[str, Any]]) -> bool:
    """Whether a list is too short only because its refused items were not counted."""
    location = error["loc"]
    inside = (one["loc"] for one in errors if len(one["loc"]) > len(location))
    return error["type"] == "too_short" and any(one[: len(location)] == location for one in inside)


def _refusal(error: dict[str, Any]) -> Refusal:
    path = _path(error["loc"])
    field = str(error["loc"][-1]) if error["loc"] else "document"
    kind, context = error["type"], error.get("ctx", {})
    match kind:
        case "extra_forbidden":
            return Refusal(
                path, f"unknown field `{field}`", "remove it, or see docs/reference for the name of the field"
            )
        case "missing":
            return Refusal(path, "required, but absent", f"add `{field}`")
        case "enum" | "literal_error":
            return Refusal(path, f"not one of the allowed values, given {_kind(error)}", f"use {context['expected']}")
        case "too_short":
            return Refusal(path, f"at least {context['min_length']} needed", "add what is missing")
        case "too_long":
            return Refusal(path, f"more than {context['max_length']}", "remove some")
        case "value_error":
            cause = context.get("error")
            at_fault = str(getattr(cause, "field", ""))  # a rule of an object may name the member that breaks it
            return Refusal(_join(path, at_fault), *_split(str(cause or error["msg"])))
        case _:
            return Refusal(path, f"{_lower(error['msg'])}, given {_kind(error)}", _remedy(kind, context))


def _remedy(kind: str, context: dict[str, Any]) -> str:
    """What to write, for the checks that are pydantic's own."""
    match kind:
        case "string_pattern_mismatch":
            return _FORMS.get(context["pattern"], "write it as the pattern says")
        case "greater_than_equal":
            return f"use {context['ge']} or more"
        case "less_than_equal":
            return f"use {context['le']} or less"
        case "string_too_short":
            return f"use at least {context['min_length']} characters"
        case "string_too_long":
            return f"use at most {context['max_length']} characters"
        case _:
            return next((remedy for of, remedy in _SHAPES.items() if kind.startswith(of)), "correct the value")


def _join(path: str, field: str) -> str:
    return f"{path}.{field}" if path and field else path or field


def _split(text: str) -> tuple[str, str]:
    """Our own validators write `reason; remedy`."""
    reason, _, remedy = text.partition("; ")
    return reason, remedy or "correct the value"


def _kind(error: dict[str, Any]) -> str:
    value = error.get("input")
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list"}
    return names.get(type(value), "an object")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path
