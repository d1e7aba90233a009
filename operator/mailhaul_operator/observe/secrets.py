"""`SecretReader`: Secrets and ConfigMaps that resources name, read one by one, never listed in the whole cluster.

Used by `gather`. The caller says how old an answer may be: a credential that is unproved or failing is looked at again
after `FRESH` seconds, others after `KEPT`. In listed-namespace mode the watch feeds it, and no Secret is read at all.
Failures are values; while the API server cannot be asked, the last answer stands. Shows nothing of what it holds.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

from pydantic import ValidationError

from mailhaul_operator.api.inputs import ConfigMap, Secret
from mailhaul_operator.observe.references import Reference
from mailhaul_operator.wire.kinds import KINDS, Body
from mailhaul_operator.wire.objects import metadata, name_of, version_of
from mailhaul_operator.wire.refused import Reader, Refusal, Refused

FRESH: Final = 5.0
KEPT: Final = 60.0
FORGOTTEN: Final = 3600.0
"""Seconds after which what nobody asked for is dropped."""
Holder = Secret | ConfigMap
_MODELS: Mapping[str, type[Holder]] = {"Secret": Secret, "ConfigMap": ConfigMap}


@dataclass(slots=True)
class _Answer:
    """The last answer; `holder` is None when there is no such object."""

    holder: Holder | None = field(repr=False)
    version: int
    read: float
    asked: float


class SecretReader:
    """Remembers answers. `clock` gives seconds; `watched` are the namespaces whose Secrets a watch brings."""

    def __init__(self, reader: Reader, clock: Callable[[], float], watched: Iterable[str] = ()) -> None:
        """Begin with nothing read. Until `synced`, watched namespaces are read as others are."""
        self._reader, self._clock = reader, clock
        self._watched = frozenset(watched)
        self._answers: dict[Reference, _Answer] = {}
        self.synced = False
        """Set it when the watch has brought all that there is: then absence is known without asking."""
        self.closed: frozenset[str] = frozenset()
        """Watched namespaces that cannot be watched at present: there nothing is known without asking."""

    def __repr__(self) -> str:
        return f"SecretReader({len(self._answers)} objects)"

    async def read(self, reference: Reference, age: float = KEPT) -> Holder | Refused | None:
        """Give a Secret or ConfigMap that is at most `age` seconds old; None when there is none, as of `FRESH` seconds.

        Forbidden is told at once; any other failure only when there is no earlier answer.
        """
        now = self._clock()
        known = self._answers.get(reference)
        if reference.kind == "Secret" and self.knows_all(reference.namespace):
            return known.holder if known else None
        if known is not None and 0 <= now - known.read < (age if known.holder else min(age, FRESH)):
            known.asked = now
            return known.holder
        body = await self._reader.get(KINDS[reference.kind], reference.namespace, reference.name)
        if not isinstance(body, Refused):
            return self._take(reference, body)
        if body.kind is Refusal.NOT_FOUND:
            self._answers[reference] = _Answer(None, 0, self._clock(), now)
            return None
        return body if known is None or body.kind is Refusal.FORBIDDEN else known.holder

    def put(self, body: Mapping[str, Any]) -> Reference | None:
        """Take an object from the watch, or from a write of our own; gives its reference when its content changed."""
        reference = Reference(str(body.get("kind", "")), *name_of(body))
        known = self._answers.get(reference)
        if known is not None and known.version >= version_of(body) > 0:
            return None
        before = known.holder if known else None
        after = self._take(reference, body)
        return reference if _content(before) != _content(after) else None

    def remove(self, body: Mapping[str, Any]) -> Reference:
        """Take notice that an object of the watch is gone. Another one of its name, which was made since, stays."""
        reference = Reference(str(body.get("kind", "")), *name_of(body))
        known = self._answers.get(reference)
        there = known.holder.metadata.uid if known is not None and known.holder is not None else ""
        if not there or there == metadata(body).get("uid", there):
            self._answers.pop(reference, None)
        return reference

    def doubt(self, reference: Reference) -> None:
        """Read it anew when it is next asked for: somebody says that it was written."""
        known = self._answers.get(reference)
        if known is not None:
            known.read = -inf

    def heads(self, kind: str) -> tuple[Body, ...]:
        """Give kind and metadata (namespace, name, uid) of what is known of watched namespaces; of others nothing."""
        there = [
            one.holder for ref, one in self._answers.items() if ref.kind == kind and ref.namespace in self._watched
        ]
        found = [one.metadata for one in there if one is not None]
        return tuple(
            {"kind": kind, "metadata": {"namespace": one.namespace, "name": one.name, "uid": one.uid}} for one in found
        )

    def drop_unused(self) -> None:
        """Forget what nobody asked for in the last hour, but for what a watch brought. Call it now and then."""
        limit = self._clock() - FORGOTTEN
        for reference in [one for one, answer in self._answers.items() if answer.asked < limit]:
            if reference.namespace not in self._watched:
                del self._answers[reference]

    def knows_all(self, namespace: str) -> bool:
        """Whether a watch brings every Secret of a namespace."""
        return self.synced and namespace in self._watched and namespace not in self.closed

    def _take(self, reference: Reference, body: Mapping[str, Any]) -> Holder | None:
        """Remember an answer. One that does not parse (a name or key that no API server lets pass) counts as none."""
        now = self._clock()
        try:
            holder = _MODELS[reference.kind].from_json(_needed(body))
        except ValidationError:
            holder = None
        self._answers[reference] = _Answer(holder, version_of(body), now, now)
        return holder


def _needed(body: Mapping[str, Any]) -> dict[str, Any]:
    """The parts that the plan reads; a list item may lack kind and version."""
    names = ("apiVersion", "kind", "metadata", "data", "binaryData")
    return {name: body[name] for name in names if body.get(name) is not None}


def _content(holder: Holder | None) -> object:
    if holder is None:
        return None
    return dict(holder.data) if isinstance(holder, Secret) else (dict(holder.data), dict(holder.binary_data))
