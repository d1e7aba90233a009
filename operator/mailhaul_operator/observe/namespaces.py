"""Labels of namespaces, which decide whether a relay takes their aliases: read when needed, kept for a while.

Used by `gather`. A namespace that may not be read has no labels but its name, so a selector that needs more says no;
but consent that was read stands while it cannot be asked for, for whoever loses it has mail refused for good. Failures
are values: `Refused` when the API server cannot be asked for one that was never read.
"""

from collections.abc import Callable
from math import inf
from typing import Final

from pydantic import ValidationError

from mailhaul_operator.api.inputs import Namespace
from mailhaul_operator.wire.kinds import KINDS, Body
from mailhaul_operator.wire.objects import labels
from mailhaul_operator.wire.refused import Reader, Refusal, Refused

KEPT: Final = 60.0
"""Seconds for which labels are believed."""


class Namespaces:
    """Remembers what was read. `clock` gives seconds."""

    def __init__(self, reader: Reader, clock: Callable[[], float]) -> None:
        """Begin with nothing read."""
        self._reader, self._clock = reader, clock
        self._known: dict[str, tuple[float, Namespace | None]] = {}

    async def read(self, name: str) -> Namespace | Refused | None:
        """Give a namespace, at most a minute old; None when it is absent or may not be read."""
        now = self._clock()
        when, known = self._known.get(name, (-inf, None))
        if 0 <= now - when < KEPT:
            return known
        body = await self._reader.get(KINDS["Namespace"], "", name)
        if isinstance(body, Refused) and body.passing:
            return known if name in self._known else body
        if not isinstance(body, Refused):
            known = _parsed(name, body)
        elif body.kind is Refusal.NOT_FOUND:
            known = None
        self._known[name] = (now, known)
        return known


def _parsed(name: str, body: Body) -> Namespace | None:
    head = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels(body))}}
    try:
        return Namespace.from_json(head)
    except ValidationError:
        return None
