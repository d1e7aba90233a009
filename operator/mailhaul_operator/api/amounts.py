"""Durations, sizes and processors as people write them (`1h30m`, `25Mi`, `250m`), and as numbers in the models
(seconds, bytes, thousandths of a processor).

Used as annotations of the resources' fields; `structural` makes patterns and CEL bounds of them.
Failures: RuleBroken that names the form and the bounds.
"""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from mailhaul_operator.api.rules import RuleBroken

DURATION_PATTERN = r"^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,7}s)?$"
CORES_PATTERN = r"^([0-9]{1,4}(\.[0-9]{1,3})?|[0-9]{1,7}m)$"
QUANTITY_PATTERN = r"^[0-9]{1,13}(k|M|G|T|Ki|Mi|Gi|Ti)?$"
_FACTORS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_FACTORS["Ti"] = 2**40
# Bounded repetitions of disjoint classes: these cannot backtrack.
_DURATION = re.compile(r"(?:([0-9]{1,5})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,7})s)?", re.ASCII)
_QUANTITY = re.compile(r"([0-9]{1,13})(k|M|G|T|Ki|Mi|Gi|Ti)?", re.ASCII)
_CORES = re.compile(r"([0-9]{1,4})(?:\.([0-9]{1,3}))?|([0-9]{1,7})m", re.ASCII)


def parse_duration(text: str) -> int:
    """Give the seconds of a duration such as `1h30m`; raises ValueError."""
    found = _DURATION.fullmatch(text)
    if not found or not text:
        raise ValueError("not a duration; write it like 30s, 15m or 1h30m")
    hours, minutes, seconds = (int(group or 0) for group in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def format_duration(seconds: int) -> str:
    """Give the shortest text of a number of seconds, such as `1h30m`."""
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "m"), (left, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


def parse_quantity(text: str) -> int:
    """Give the number of a quantity such as `25Mi` (binary) or `500k` (decimal); raises ValueError."""
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise ValueError("not a size; write it like 25Mi, 500k or 1048576")
    return int(found[1]) * _FACTORS[found[2] or ""]


def format_quantity(number: int) -> str:
    """Give the shortest text of a number of bytes, such as `25Mi`."""
    for unit in ("Ti", "T", "Gi", "G", "Mi", "M", "Ki", "k"):
        if number and number % _FACTORS[unit] == 0:
            return f"{number // _FACTORS[unit]}{unit}"
    return str(number)


def parse_cores(text: str) -> int:
    """Give the thousandths of a processor that `250m`, `0.5` or `2` mean; raises ValueError."""
    found = _CORES.fullmatch(text)
    if not found:
        raise ValueError("no number of processors; write it like 250m, 0.5 or 2")
    whole, part, thousandths = found.groups()
    return int(thousandths) if thousandths else int(whole) * 1000 + int((part or "").ljust(3, "0"))


def format_cores(thousandths: int) -> str:
    """Give the shortest text of a number of thousandths of a processor, such as `2` or `250m`."""
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"


@dataclass(frozen=True, slots=True)
class Duration:
    """Annotation of an int in seconds that is written as text; `low` and `high` are texts too, both allowed."""

    low: str
    high: str

    @property
    def message(self) -> str:
        """What is told of a duration outside of the bounds."""
        return f"not between {self.low} and {self.high}; write a duration like 30s, 15m or 1h30m"

    def parse(self, value: object) -> int:
        """Give the seconds; raises RuleBroken. A number of seconds is taken from code, never from JSON text."""
        if not isinstance(value, str):
            raise RuleBroken("a duration is text; write it like 30s, 15m or 1h30m", "")
        seconds = parse_duration(value)
        if not parse_duration(self.low) <= seconds <= parse_duration(self.high):
            raise RuleBroken(self.message, "")
        return seconds

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        """Hook of pydantic."""
        return _text_of_number(self.parse, format_duration, handler)


@dataclass(frozen=True, slots=True)
class Quantity:
    """Annotation of an int in bytes that is written as a quantity, or as a plain number; both bounds are allowed."""

    low: str
    high: str

    @property
    def message(self) -> str:
        """What is told of a size outside of the bounds."""
        return f"not between {self.low} and {self.high}; write a size like 25Mi, 500k or 1048576"

    def parse(self, value: object) -> int:
        """Give the bytes; raises RuleBroken."""
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise RuleBroken("a size is text or a number; write it like 25Mi, 500k or 1048576", "")
        number = parse_quantity(value) if isinstance(value, str) else value
        if not parse_quantity(self.low) <= number <= parse_quantity(self.high):
            raise RuleBroken(self.message, "")
        return number

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        """Hook of pydantic."""
        return _text_of_number(self.parse, format_quantity, handler)


@dataclass(frozen=True, slots=True)
class Cores:
    """Annotation of an int in thousandths of a processor, written as Kubernetes does; both bounds are allowed."""

    low: str
    high: str

    @property
    def message(self) -> str:
        """What is told of a number outside of the bounds."""
        return f'not between {self.low} and {self.high}; write processors like 250m, "0.5" or 2'

    def parse(self, value: object) -> int:
        """Give the thousandths; raises RuleBroken."""
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise RuleBroken('processors are text or a whole number; write them like 250m, "0.5" or 2', "")
        number = parse_cores(value) if isinstance(value, str) else value * 1000
        if not parse_cores(self.low) <= number <= parse_cores(self.high):
            raise RuleBroken(self.message, "")
        return number

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        """Hook of pydantic."""
        return _text_of_number(self.parse, format_cores, handler)


def _text_of_number(parse: Any, write: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
    schema = core_schema.no_info_before_validator_function(parse, handler(int))
    schema["serialization"] = core_schema.plain_serializer_function_ser_schema(write, when_used="json")
    return schema
