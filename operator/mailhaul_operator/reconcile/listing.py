"""Lists everything that is watched: before the first pass, and again now and then, so that no edge is missed for long.

A pass that began before all kinds are known would plan without providers that exist. Watches lose deletions when they
begin anew; what is remembered and no longer listed is forgotten here. Called by `serve.watching`. Failures:
`ListingError`; but of several listed namespaces one that is closed to the operator is told of itself (`closed`), and
the others are listed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mailhaul_operator.reconcile.scope import Watched
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.kinds import KINDS, Body
from mailhaul_operator.wire.objects import name_of
from mailhaul_operator.wire.refused import Reader, Refusal, Refused


class ListingError(Exception):
    """A kind could not be listed, and `refused` says why."""

    def __init__(self, kind: str, refused: Refused) -> None:
        self.refused = refused
        remedy = "install the chart's CRDs" if refused.kind is Refusal.NOT_FOUND else "see the chart's rbac.yaml"
        super().__init__(f"{kind} cannot be listed: {refused.message}" + ("" if refused.passing else f"; {remedy}"))


class Memory(Protocol):
    """Where objects are remembered; `reconcile.world.World` is one."""

    def put(self, body: dict[str, Any]) -> frozenset[Key]:
        """Remember an object; gives the keys that it is about."""

    def remove(self, body: dict[str, Any]) -> frozenset[Key]:
        """Forget an object; gives the keys that it was about."""

    def heads(self, kind: str) -> tuple[Body, ...]:
        """Give kind and metadata (namespace, name, uid) of all objects of a kind."""


class Listing:
    """Lists the kinds of a scope in these namespaces; none are all. `closed` are those of them that cannot be listed,
    with the reason and the remedy; `hidden` are the closed ones that are there.
    """

    def __init__(self, reader: Reader, memory: Memory, scope: Sequence[Watched], namespaces: Sequence[str]) -> None:
        self._reader, self._memory = reader, memory
        self.scope, self.namespaces = tuple(scope), tuple(namespaces)
        self.closed: Mapping[str, str] = {}
        self.hidden: frozenset[str] = frozenset()
        self._untold: set[Key] = set()

    @property
    def open(self) -> tuple[str, ...]:
        """The listed namespaces that could be listed last."""
        return tuple(one for one in self.namespaces if one not in self.closed)

    async def refresh(self, only: Sequence[str] = ()) -> frozenset[Key]:
        """Make the memory what the API server has, in all or only in some of the listed namespaces; gives the keys that
        changed. Raises ListingError.
        """
        if not self.namespaces:
            return await self._refresh_all()
        found = [await self._refresh_one(one) for one in only or self.namespaces]
        return frozenset().union(*found)

    async def _refresh_all(self) -> frozenset[Key]:
        """List a whole cluster, of which no more than a page is held at once. What was taken before a page was refused
        is told with the next listing.
        """
        for one in self.scope:
            await self._refresh_kind(one)
        touched, self._untold = frozenset(self._untold), set()
        return touched

    async def _refresh_kind(self, watched: Watched) -> None:
        before, there = self._memory.heads(watched.kind.kind), set()
        refused: Refused | None = None
        async for page in self._reader.pages(watched.kind, selector=watched.selector):
            if isinstance(page, Refused):
                refused = page  # the last that comes; whoever leaves a generator early leaves it open
                continue
            for one in page:
                there.add(_identity(one))
                self._untold |= self._memory.put(one)
        if refused is not None and not _is_absent(watched, refused):
            raise ListingError(watched.kind.kind, refused)
        for one in () if refused else before:
            if _identity(one) not in there:
                self._untold |= self._memory.remove(one)

    async def _refresh_one(self, namespace: str) -> frozenset[Key]:
        """List a namespace wholly, or close it: over half of what it holds nothing may be decided."""
        others = {name: words for name, words in self.closed.items() if name != namespace}
        hidden = self.hidden - {namespace}
        try:
            touched = await self._refresh(namespace, self.scope)
        except ListingError as error:
            if error.refused.kind is not Refusal.FORBIDDEN:
                raise
            is_there = await self._is_there(namespace)
            touched, others[namespace] = self._close(namespace, error, is_there=is_there)
            hidden |= frozenset({namespace} if is_there else ())
        self.closed, self.hidden = others, hidden
        return touched

    async def _is_there(self, namespace: str) -> bool:
        there = await self._reader.get(KINDS["Namespace"], "", namespace)
        return not isinstance(there, Refused) or there.kind is not Refusal.NOT_FOUND

    def _close(self, namespace: str, error: ListingError, *, is_there: bool) -> tuple[frozenset[Key], str]:
        """Give the keys that are forgotten, and what is to be told. While the namespace is there, all stays remembered:
        a right that is lost for a moment takes no alias from a relay.
        """
        if is_there:
            remedy = "run `helm upgrade`, which makes the operator's Role and RoleBinding there again"
            words = f"namespace {namespace} is not served: {error}; its statuses stay as they were; {remedy}"
            return frozenset(), words
        heads = (one for watched in self.scope for one in self._memory.heads(watched.kind.kind))
        gone = [one for one in heads if name_of(one)[0] == namespace]
        remedy = "create it and run `helm upgrade`, or take it out of the chart's `namespaces`"
        words = f"namespace {namespace} is not served: it is not there; {remedy}"
        return frozenset().union(*(self._memory.remove(one) for one in gone)), words

    async def _refresh(self, namespace: str, kinds: Sequence[Watched]) -> frozenset[Key]:
        # Only what was remembered before the list was asked for can be missing from it because it is gone.
        pages = [_Page(self._memory.heads(one.kind.kind), await self._list(one, namespace)) for one in kinds]
        return frozenset().union(*(self._take(page, namespace) for page in pages))

    def _take(self, page: "_Page", namespace: str) -> frozenset[Key]:
        if page.found is None:
            return frozenset()
        there = {_identity(one) for one in page.found}
        touched = [self._memory.put(one) for one in page.found]
        gone = [one for one in page.before if namespace == name_of(one)[0] and _identity(one) not in there]
        return frozenset().union(*touched, *(self._memory.remove(one) for one in gone))

    async def _list(self, watched: Watched, namespace: str) -> tuple[Body, ...] | None:
        """Give all of a kind; None when it is not served."""
        page = await self._reader.list_all(watched.kind, namespace, watched.selector)
        if not isinstance(page, Refused):
            return page
        if _is_absent(watched, page):
            return None
        raise ListingError(watched.kind.kind, page)


@dataclass(frozen=True, slots=True)
class _Page:
    """What was remembered of a kind, and what was listed then; None when it is not served."""

    before: tuple[Body, ...]
    found: tuple[Body, ...] | None = field(repr=False)


def _is_absent(watched: Watched, refused: Refused) -> bool:
    """Whether a kind is not served in this version; it may be watched in another by now."""
    return watched.optional and refused.kind is Refusal.NOT_FOUND


def _identity(body: Body) -> tuple[str, str, str]:
    return (*name_of(body), str(body.get("metadata", {}).get("uid", "")))
