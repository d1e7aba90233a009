"""Labels of namespaces, which decide whether a relay takes their aliases: read when needed, kept for a while.

Used by `gather`. A namespace that cannot be read has no labels but its name, so a selector that needs more says no.
"""

from collections.abc import Callable
from typing import Final

from pydantic import ValidationError

from mailhaul_operator.api.inputs import Namespace
from mailhaul_operator.wire.kinds import KINDS, Body
from mailhaul_operator.wire.objects import labels
from mailhaul_operator.wire.refused import Reader, Refused

KEPT: Final = 60.0
"""Seconds for which labels are believed."""


class Namespaces:
    """Remembers what was read. `clock` gives seconds."""

    def __init__(self, reader: Reader, clock: Callable[[], float]) -> None:
        """Begin with nothing read."""
        self._reader, self._clock = reader, clock
        self._known: dict[str, tuple[float, Namespace | None]] = {}

    async def read(self, name: str) -> Namespace | None:
        """Give a namespace, at most a minute old; None when it is absent or may not be read."""
        now = self._clock()
        when, known = self._known.get(name, (float("-inf"), None))
        if now - when < KEPT:
            return known
        body = await self._reader.get(KINDS["Namespace"], "", name)
        if isinstance(body, Refused) and body.passing:
            return known
        found = None if isinstance(body, Refused) else _parsed(name, body)
        self._known[name] = (now, found)
        return found


def _parsed(name: str, body: Body) -> Namespace | None:
    head = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels(body))}}
    try:
        return Namespace.from_json(head)
    except ValidationError:
        return None
