"""YAML text to plain values with the line of every field, from the parser's events, so that nothing is unbounded.

Aliases, tags and repeated keys are refused: none of them has a use here, and each has hidden something somewhere.
Failures: `YamlRefused`, which never repeats a scalar, for it may be a secret.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from mailhaul_operator.manifests.positions import Positions, child, item
from mailhaul_operator.manifests.scalars import plain

MAX_DEPTH = 64
MAX_NODES = 500_000
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OWN_TAGS = {
    yaml.ScalarEvent: {None, "!", "tag:yaml.org,2002:str"},
    yaml.MappingStartEvent: {None, "tag:yaml.org,2002:map"},
    yaml.SequenceStartEvent: {None, "tag:yaml.org,2002:seq"},
}


class YamlRefused(ValueError):  # noqa: N818 - the name of the fact
    """The text cannot be read from `line` on."""

    def __init__(self, line: int, reason: str, remedy: str) -> None:
        super().__init__(f"line {line}: {reason}; {remedy}")
        self.line, self.reason, self.remedy = line, reason, remedy


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: its value as JSON has it, and where everything stands."""

    value: Any
    positions: Positions


def documents(text: str) -> Iterator[Document]:
    """Give the documents of a text one by one, without empty ones; raises YamlRefused where it cannot go on."""
    try:
        events = _Events(yaml.parse(text, Loader=_LOADER))
        while not isinstance(event := events.next(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                builder = _Builder(events)
                value = builder.node(events.next(), "", 0)
                if value is not None:
                    yield Document(value, Positions(builder.lines))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlRefused(mark.line + 1 if mark else 1, f"not YAML: {error.problem}", "correct the syntax") from None
    except yaml.YAMLError:
        raise YamlRefused(1, "not YAML: it has characters that YAML does not allow", "save it as UTF-8 text") from None


class _Events:
    """The parser's events, counted over all documents of a text."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._count = 0

    def next(self) -> Any:  # noqa: ANN401 - PyYAML has no common type of events with marks
        event = next(self._events)
        self._count += 1
        if self._count > MAX_NODES:
            raise YamlRefused(_line(event), f"more than {MAX_NODES} fields and items", "split the file")
        return event


@dataclass(slots=True)
class _Builder:
    """Builds the value of one document and notes the line of each path."""

    events: _Events
    lines: dict[str, int] = field(default_factory=dict)

    def node(self, event: Any, path: str, depth: int) -> Any:  # noqa: ANN401 - any JSON value
        """Give the value of the node that begins with this event."""
        self.lines.setdefault(path, _line(event))
        if isinstance(event, yaml.AliasEvent):
            raise YamlRefused(_line(event), "an alias (*) is not read", "write the value out")
        if depth > MAX_DEPTH:
            raise YamlRefused(_line(event), f"nested deeper than {MAX_DEPTH}", "flatten it")
        if event.tag not in _OWN_TAGS[type(event)]:
            raise YamlRefused(_line(event), "a tag (!) is not read", "remove it, and quote text")
        if isinstance(event, yaml.ScalarEvent):
            return plain(event.value) if event.implicit[0] else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(path, depth)
        return self._object(path, depth)

    def _list(self, path: str, depth: int) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := self.events.next(), yaml.SequenceEndEvent):
            values.append(self.node(event, item(path, len(values)), depth + 1))
        return values

    def _object(self, path: str, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := self.events.next(), yaml.MappingEndEvent):
            key = self._key(event)
            if key in values:
                raise YamlRefused(_line(event), f"the key `{key}` is given twice", "remove one of them")
            self.lines[child(path, key)] = _line(event)
            values[key] = self.node(self.events.next(), child(path, key), depth + 1)
        return values

    @staticmethod
    def _key(event: Any) -> str:  # noqa: ANN401 - an event
        key = event.value if isinstance(event, yaml.ScalarEvent) else None
        if key is None or event.tag not in _OWN_TAGS[yaml.ScalarEvent]:
            raise YamlRefused(_line(event), "a key is not text", "quote it, or correct the indentation")
        if event.implicit[0] and not isinstance(plain(key), str):
            raise YamlRefused(_line(event), "a key is not text", "quote it")
        return str(key)


def _line(event: Any) -> int:  # noqa: ANN401 - an event
    return int(event.start_mark.line) + 1
