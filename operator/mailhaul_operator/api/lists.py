"""How lists of the resources merge: sets, and maps by key (`x-kubernetes-list-type`), with duplicates refused here too.

Used as annotations of fields; `structural` writes them into the CRDs. Failures: RuleBroken.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic.alias_generators import to_snake
from pydantic_core import CoreSchema, core_schema

from mailhaul_operator.api.rules import RuleBroken


class SetOf:
    """A list of texts of which each may appear once."""

    def refuse_duplicates(self, values: Any) -> Any:  # noqa: ANN401 - as it was read, of any shape
        """Give the list back, or raise RuleBroken; as written, which is what the API server compares."""
        if not isinstance(values, list):
            return values
        _refuse((value for value in values if isinstance(value, str)), "value")
        return tuple(values)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        """Hook of pydantic: compare as written, then drop what is equal in normal form."""
        normal = core_schema.no_info_after_validator_function(
            lambda items: tuple(dict.fromkeys(items)), handler(source)
        )
        return core_schema.no_info_before_validator_function(self.refuse_duplicates, normal)


@dataclass(frozen=True, slots=True)
class MapBy:
    """A list of objects of which each has its own `keys` (as in JSON), so that two writers can own an item each."""

    keys: tuple[str, ...]

    def refuse_duplicates(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        """Give the list back, or raise RuleBroken."""
        names = _attributes(self.keys)
        found = (tuple(str(getattr(item, name)) for name in names) for item in items)
        _refuse((key if any(key) else () for key in found), " and ".join(self.keys))
        return items

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        """Hook of pydantic."""
        return core_schema.no_info_after_validator_function(self.refuse_duplicates, handler(source))


@cache
def _attributes(keys: tuple[str, ...]) -> tuple[str, ...]:
    """The names of keys in the models."""
    return tuple(map(to_snake, keys))


def _refuse(keys: Iterable[Hashable], what: str) -> None:
    """Begins as the API server does; `()` is the key of an item that leaves it empty."""
    seen: dict[Hashable, int] = {}
    for index, key in enumerate(keys):
        first = seen.setdefault(key, index)
        if first != index and key == ():
            raise RuleBroken(f"Duplicate value: items {first} and {index} both have no {what}; give each its own", "")
        if first != index:
            raise RuleBroken(f"Duplicate value: item {index} has the {what} of item {first}; change or remove one", "")
