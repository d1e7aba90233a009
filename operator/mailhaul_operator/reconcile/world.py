"""`World`: everything that a pass works with, put together once. It decides nothing.

`serve` makes it; `handlers` hand it what was seen; the passes use its parts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import random
from typing import Any, Protocol

from mailhaul_operator.effects.api import Api
from mailhaul_operator.effects.apply import Applier
from mailhaul_operator.observe.belonging import is_made
from mailhaul_operator.observe.cache import Cache
from mailhaul_operator.observe.gather import Gatherer
from mailhaul_operator.observe.namespaces import Namespaces
from mailhaul_operator.observe.references import Reference
from mailhaul_operator.observe.reports import Reporters
from mailhaul_operator.observe.secrets import SecretReader
from mailhaul_operator.plan.snapshot import Facts
from mailhaul_operator.reconcile.external import ExternalSecrets
from mailhaul_operator.reconcile.facts import ClusterFacts
from mailhaul_operator.reconcile.memory import Memory
from mailhaul_operator.reconcile.nudging import Nudges
from mailhaul_operator.reconcile.probes import Probes
from mailhaul_operator.reconcile.scope import OWN
from mailhaul_operator.reconcile.settled import Settled
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.kinds import Body
from mailhaul_operator.wire.objects import metadata, name_of, version_of

DEPARTED = 10_000
"""Objects of which it is remembered that they have left: more than leave while a list is read page by page."""
SETTLE = 0.05
"""Seconds that a change of an object waits for those that come with it."""


class Wishes(Protocol):
    """Takes keys that want a pass; `workqueue.WorkQueue` is one."""

    def add(self, key: Key) -> None:
        """Want a pass now."""

    def add_after(self, key: Key, delay: float) -> None:
        """Want a pass after so many seconds at the latest."""


@dataclass(frozen=True, slots=True)
class Who:
    """This operator: the name under which it posts events, and the namespaces that it serves; none are all."""

    identity: str
    namespaces: tuple[str, ...] = ()


class World:
    """`clock` gives seconds since the epoch; `began` is when this was made, `written` when each status was, `refused`
    of which uid, and when, one was not taken. Set `queue` before the first edge.
    """

    queue: Wishes

    def __init__(self, api: Api, facts: Facts, who: Who, clock: Callable[[], float]) -> None:
        self.api, self.who, self.clock, self.began = api, who, clock, clock()
        self.chance = random
        self.cache = Cache()
        self.holders = SecretReader(api, clock, who.namespaces)
        self.gatherer = Gatherer(self.cache, self.holders, Namespaces(api, clock), api)
        self.applier = Applier(api, self.cache, clock)
        self.reporters = Reporters()
        self.memory = Memory()
        self.settled = Settled()
        self.probes = Probes(self.memory)
        self.written: dict[Key, float] = {}
        self.refused: dict[Key, tuple[str, float]] = {}
        self.nudges = Nudges(api, clock)
        self.facts = ClusterFacts(api, facts, clock)
        self.externals = ExternalSecrets(api, self.cache)
        self._departed: dict[str, int] = {}

    def seen(self, body: dict[str, Any]) -> None:
        """Take an object as it is now: remember it, and want a pass for whatever it is about.

        Most of what happens to objects that were made is Kubernetes at work on them, and nobody waits for an answer.
        """
        keys = self.put(body)
        if body.get("kind") in OWN or _is_foreign(body):
            self.want(keys)
            return
        for key in keys:
            self.queue.add_after(key, SETTLE)

    def gone(self, body: dict[str, Any]) -> None:
        """Take notice that an object was deleted, or left the selection."""
        self._departed[metadata(body).get("uid", "")] = version_of(body)
        if len(self._departed) > DEPARTED:
            del self._departed[next(iter(self._departed))]
        self.want(self.remove(body))

    def put(self, body: dict[str, Any]) -> frozenset[Key]:
        """Remember an object; gives the keys that it is about. One that has left since is forgotten, whatever a list
        that was begun before says of it.
        """
        if 0 < version_of(body) <= self._departed.get(metadata(body).get("uid", ""), 0):
            return frozenset()
        if _is_foreign(body):
            changed = self.holders.put(body)
            return self._lost(body) | (self.cache.naming(changed) if changed else frozenset())
        if body.get("kind") == "ExternalSecret":
            self._synced(body)
        return self.cache.put(body)

    def remove(self, body: dict[str, Any]) -> frozenset[Key]:
        """Forget an object; gives the keys that it was about."""
        if _is_foreign(body):
            return self._lost(body) | self.cache.naming(self.holders.remove(body))
        return self.cache.remove(body)

    def heads(self, kind: str) -> tuple[Body, ...]:
        """Give kind and metadata of every object of a kind that is remembered."""
        return self.cache.heads(kind) + self.holders.heads(kind)

    def want(self, keys: frozenset[Key]) -> None:
        """Want a pass for each of these."""
        for key in keys:
            self.queue.add(key)

    def forget(self, key: Key) -> None:
        """Forget when the status of a resource that is gone was written."""
        self.written.pop(key, None)
        self.refused.pop(key, None)

    def _synced(self, body: dict[str, Any]) -> None:
        """External Secrets has read its store again: the Secret that it makes, of the same name, may be another now.
        No watch brings that one in a cluster-wide installation.
        """
        known = self.cache.get("ExternalSecret", *name_of(body)) or {}
        if _refreshed(known) != _refreshed(body):
            self.holders.doubt(Reference("Secret", *name_of(body)))

    def _lost(self, body: dict[str, Any]) -> frozenset[Key]:
        """Forget a Secret that was ours: it has lost its ownerReference, or all that is known of it now is its name."""
        known = self.cache.get("Secret", *name_of(body))
        return self.cache.remove(body) if known is not None else frozenset()

    def own(self) -> tuple[Key, ...]:
        """Give every resource of ours."""
        return tuple(key for kind in OWN for key in self.cache.resources(kind))


def _is_foreign(body: dict[str, Any]) -> bool:
    """Whether it is a Secret that somebody else made."""
    return body.get("kind") == "Secret" and not is_made(body)


def _refreshed(body: dict[str, Any]) -> tuple[object, object]:
    """When an ExternalSecret was synced last, and as what."""
    status = body.get("status") or {}
    return status.get("refreshTime"), status.get("syncedResourceVersion")
