"""The base of every model of the resources: strict JSON in, frozen, with the rules that both sides enforce.

`Part` is what users write, `Observed` what the operator reports. Failures: pydantic's ValidationError, which
`mailhaul_contract.refusals` turns into words; `changes` gives refused updates as values.
"""

import json
from collections.abc import Iterator
from typing import Any, ClassVar, Self

from pydantic import ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from mailhaul_contract.base import Frozen
from mailhaul_contract.refusals import Refusal
from mailhaul_operator.api.rules import Rule, Transition


class Part(Frozen):
    """A part of a resource. Unknown fields are refused; `RULES` and `TRANSITIONS` hold on both sides."""

    model_config = ConfigDict(use_attribute_docstrings=True, hide_input_in_errors=True)

    RULES: ClassVar[tuple[Rule, ...]] = ()
    TRANSITIONS: ClassVar[tuple[Transition, ...]] = ()

    @classmethod
    def from_json(cls, data: Any) -> Self:  # noqa: ANN401 - parsed JSON or YAML of unknown shape
        """Build from parsed JSON, as strict about types as the API server: `"25"` is no number.

        A null member counts as absent, as it does there. Raises pydantic.ValidationError (see `refusals`).
        """
        try:
            return cls._from_strict_json(data)
        except ValidationError as error:
            nulls = [one["loc"] for one in error.errors() if _is_null_member(one)]
            if not nulls:
                raise
            return cls._from_strict_json(_without(data, nulls))

    @classmethod
    def _from_strict_json(cls, data: Any) -> Self:  # noqa: ANN401 - as above
        return cls.model_validate_json(json.dumps(data), strict=True, by_alias=True, by_name=False)

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        for rule in self.RULES:
            rule.enforce(self)
        return self


def _is_null_member(error: ErrorDetails) -> bool:
    """Whether a member that is known was refused for being null; null items of lists stay refused."""
    member = bool(error["loc"]) and isinstance(error["loc"][-1], str)
    return error["input"] is None and member and error["type"] != "extra_forbidden"


def _without(data: Any, locations: list[tuple[int | str, ...]]) -> Any:  # noqa: ANN401 - any JSON value
    pruned = json.loads(json.dumps(data))
    for *path, last in locations:
        place = pruned
        for step in path:
            place = place[step]
        place.pop(last, None)
    return pruned


class Observed(Part):
    """A part of a status. A newer operator may have written fields that this one does not know."""

    model_config = ConfigDict(extra="ignore")


def changes(old: Part, new: Part, path: str = "") -> tuple[Refusal, ...]:
    """Give what the API server would refuse in this update of one resource; empty when it may be made."""
    return tuple(_changes(old, new, path))


def _changes(old: Part, new: Part, path: str) -> Iterator[Refusal]:
    for transition in new.TRANSITIONS:
        if not transition.same(old, new):
            reason, _, remedy = transition.message.partition("; ")
            yield Refusal(_join(path, transition.field), reason, remedy)
    for name, field in type(new).model_fields.items():
        before, after = getattr(old, name), getattr(new, name)
        if isinstance(before, Part) and isinstance(after, Part):
            yield from _changes(before, after, _join(path, field.alias or to_camel(name)))


def _join(path: str, field: str) -> str:
    return ".".join(part for part in (path, field) if part)
