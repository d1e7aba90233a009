"""Lists everything that is watched: before the first pass, and again now and then, so that no edge is missed for long.

A pass that began before all kinds are known would plan without providers that exist. Watches lose deletions when they
begin anew; what is remembered and no longer listed is forgotten here. Called by `serve`. Failures: `ListingError`.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from mailhaul_operator.reconcile.scope import Watched
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.kinds import Body
from mailhaul_operator.wire.objects import name_of
from mailhaul_operator.wire.refused import Reader, Refusal, Refused


class ListingError(Exception):
    """A kind could not be listed. `passing` tells that it may well succeed in a moment."""

    def __init__(self, kind: str, refused: Refused) -> None:
        self.passing = refused.passing or refused.kind is Refusal.NOT_FOUND
        remedy = "install the chart's CRDs" if refused.kind is Refusal.NOT_FOUND else "see the chart's rbac.yaml"
        super().__init__(f"{kind} cannot be listed: {refused.message}" + ("" if refused.passing else f"; {remedy}"))


class Memory(Protocol):
    """Where objects are remembered; `observe.cache.Cache` is one."""

    def put(self, body: dict[str, Any]) -> frozenset[Key]:
        """Remember an object; gives the keys that it is about."""

    def remove(self, body: dict[str, Any]) -> frozenset[Key]:
        """Forget an object; gives the keys that it was about."""

    def heads(self, kind: str) -> tuple[Body, ...]:
        """Give kind and metadata (namespace, name, uid) of all objects of a kind."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Lists these kinds in these namespaces; none are all."""

    reader: Reader
    memory: Memory
    scope: tuple[Watched, ...]
    namespaces: tuple[str, ...]

    async def refresh(self) -> frozenset[Key]:
        """Make the memory what the API server has; gives the keys that changed. Raises ListingError."""
        touched: set[Key] = set()
        for one in self.scope:
            touched |= await self._refresh(one)
        return frozenset(touched)

    async def _refresh(self, watched: Watched) -> set[Key]:
        # Only what was remembered before the list was asked for can be missing from it because it is gone.
        before = self.memory.heads(watched.kind.kind)
        found = await self._list(watched)
        if found is None:
            return set()
        there = {_identity(one) for one in found}
        touched = {key for one in found for key in self.memory.put(one)}
        return touched | {key for one in before if self._covers(one, there) for key in self.memory.remove(one)}

    def _covers(self, head: Body, there: set[tuple[str, str, str]]) -> bool:
        """Whether an object would have been listed were it still there."""
        return (not self.namespaces or name_of(head)[0] in self.namespaces) and _identity(head) not in there

    async def _list(self, watched: Watched) -> list[Body] | None:
        """Give all of a kind; None when it is not served in this version, which may be watched in another by now."""
        found: list[Body] = []
        for namespace in self.namespaces or ("",):
            page = await self.reader.list_all(watched.kind, namespace, watched.selector)
            if not isinstance(page, Refused):
                found += page
            elif watched.optional and page.kind is Refusal.NOT_FOUND:
                return None
            else:
                raise ListingError(watched.kind.kind, page)
        return found


def _identity(body: Body) -> tuple[str, str, str]:
    return (*name_of(body), str(body.get("metadata", {}).get("uid", "")))
