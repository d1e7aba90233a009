"""Rules that the API server and pydantic enforce alike: each is written once, as a CEL expression and as a check.

The models (`smtprelay`, `upstreamprovider`, `mailalias`) and the scalar types carry them; `structural` writes their CEL
into the CRDs. A message reads `reason; remedy`. Failures: `RuleBroken`, which pydantic turns into a ValidationError.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class RuleBroken(ValueError):  # noqa: N818 - the name of the fact; pydantic turns it into a ValidationError
    """A rule does not hold. `field` is where, relative to the value that the rule is about."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value must be. `cel` and `check` say the same of it; `field` is the member at fault, named as in JSON.

    As annotation of a type it is checked after the type's own bounds; in `Part.RULES` once the object is built.
    """

    message: str
    cel: str
    check: Callable[[Any], bool]
    field: str = ""

    def enforce(self, value: Any) -> Any:  # noqa: ANN401 - the type is the annotated one's
        """Give the value back, or raise RuleBroken."""
        if not self.check(value):
            raise RuleBroken(self.message, self.field)
        return value

    def or_empty(self) -> "Rule":
        """The same rule for text that may also be empty, which means: not set."""
        return Rule(self.message, f"self == '' || ({self.cel})", lambda value: value == "" or self.check(value))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        """Hook of pydantic: check after everything that stands to the left in the annotation."""
        return core_schema.no_info_after_validator_function(self.enforce, handler(source))


@dataclass(frozen=True, slots=True)
class Transition:
    """What an update must leave as it is. It stands on the parent of the field, whose removal it then sees too."""

    message: str
    cel: str
    same: Callable[[Any, Any], bool]
    field: str = ""


def accepted_by(parse: Callable[[str], object]) -> Callable[[Any], bool]:
    """Make a check of a parser that raises ValueError on what it does not accept."""

    def check(value: Any) -> bool:  # noqa: ANN401 - the annotated type's value
        try:
            parse(value)
        except ValueError:
            return False
        return True

    return check
