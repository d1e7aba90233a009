"""Reads the world of one relay at one moment: a `Snapshot` for the plan, and what runs of it.

Called by `reconcile` at the begin of each pass. Everything comes from the cache but what it must not watch: Secrets,
ConfigMaps that are not ours, labels of namespaces, ReplicaSets. Failures are values: `Refused` when the API server
cannot be asked, so that nothing is decided on half a world.
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from mailhaul_contract.names import SECRET_API_TOKEN
from mailhaul_operator.api.inputs import ConfigMap, Namespace, Secret
from mailhaul_operator.api.relay_aliases import From
from mailhaul_operator.api.resources import Resources
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.assess.view import Obstacle, PodView, WorkloadView
from mailhaul_operator.observe.assembled import AssembledSecrets, unreadable
from mailhaul_operator.observe.cache import Cache
from mailhaul_operator.observe.in_force import invalid_providers, unseen
from mailhaul_operator.observe.namespaces import Namespaces
from mailhaul_operator.observe.secrets import FRESH, KEPT, Holder, SecretReader
from mailhaul_operator.observe.workload import REVISION, image_of, newest_hash, pod_views, workload_view
from mailhaul_operator.plan import naming
from mailhaul_operator.plan.snapshot import Facts, Fresh, Live, Snapshot
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.kinds import KINDS, Body
from mailhaul_operator.wire.objects import Owner, annotations, controller, metadata, name_of
from mailhaul_operator.wire.refused import Reader, Refused

MAX_HASHES = 4096


@dataclass(frozen=True, slots=True)
class LastPass:
    """What the reports of the last pass said. `urgent` tells that a credential of this relay is unproved or failing,
    so that its Secrets are read anew sooner; `holding`, `proved` and `settled` are those of `Live`; `secret` is the
    assembled Secret as it was planned; `image` is what ran, for while there is no workload.
    """

    holding: frozenset[int] = frozenset()
    proved: frozenset[str] = frozenset()
    urgent: bool = True
    settled: Mapping[str, Mapping[str, tuple[float, int]]] = field(default_factory=dict)
    secret: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    image: str = ""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The world of a relay. `token` opens its pods' HTTP ("" before the first apply); `obstacles` are Secrets that the
    operator may not read; `blind` when its own is among them.
    """

    owner: Owner
    snapshot: Snapshot
    workload: WorkloadView
    pods: tuple[PodView, ...]
    token: str = field(repr=False)
    obstacles: tuple[Obstacle, ...] = ()
    blind: bool = False


@dataclass(slots=True)
class _Named:
    """Secrets and ConfigMaps that were named and are there, and what stood in the way of reading others."""

    secrets: tuple[Secret, ...] = field(default=(), repr=False)
    config_maps: tuple[ConfigMap, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()

    def take(self, holder: Holder | None) -> None:
        """Sort one in; None is absent."""
        if isinstance(holder, Secret):
            self.secrets += (holder,)
        elif holder is not None:
            self.config_maps += (holder,)


class Gatherer:
    """Gathers relay by relay."""

    def __init__(self, cache: Cache, holders: SecretReader, namespaces: Namespaces, reader: Reader) -> None:
        """All of these are the operator's own; nothing is read yet."""
        self._cache, self._holders, self._namespaces, self._reader = cache, holders, namespaces, reader
        self._hashes: dict[str, tuple[str, str]] = {}
        self._assembled = AssembledSecrets(cache, holders, reader)
        self.hidden: frozenset[str] = frozenset()
        """Namespaces that are there and cannot be listed: aliases there may be unknown that a relay has in force."""

    async def gather(self, key: Key, facts: Facts, last: LastPass, now: float) -> Gathered | Refused | None:
        """Give the world of a relay; None when it is gone, is going, or does not parse (ask the cache which).

        `now` in epoch seconds.
        """
        seen = self._cache.resource(key)
        if seen is None or seen.going or not isinstance(seen.model, SmtpRelay):
            return None
        named = await self._named(seen.model, FRESH if last.urgent else KEPT)
        if isinstance(named, Refused):
            return named
        existing = await self._assembled.read(seen.owner, last.secret, now)
        if isinstance(existing, Refused):
            return existing
        in_force = unseen(self._cache, seen.owner, self.hidden, self._cache.aliases_of(key))
        resources = await self._resources(seen.model, named, {one.namespace for one in in_force})
        if isinstance(resources, Refused):
            return resources
        workload = self._workload(seen.owner)
        pods = pod_views(workload, self._cache.pods(key), await self._newest_hash(workload))
        view = workload_view(workload)
        snapshot = Snapshot(
            relay=seen.model,
            resources=resources,
            fresh=Fresh(secrets.token_hex(8), secrets.token_urlsafe(24)),
            existing=existing.content,
            facts=facts,
            live=self._live(seen.model, workload, view, last),
            now=now,
            unseen=in_force,
            unreadable=invalid_providers(self._cache, seen.owner, seen.model),
        )
        token = existing.content.get(SECRET_API_TOKEN, b"").decode(errors="replace")
        obstacles = (*named.obstacles, *existing.obstacles)
        return Gathered(seen.owner, snapshot, view, pods, token, obstacles, blind=bool(existing.obstacles))

    def _live(self, relay: SmtpRelay, workload: Body | None, view: WorkloadView, last: LastPass) -> Live:
        """Give what runs; others' replicas and what is counted are asked only of providers that have quotas."""
        limited = [one.metadata.key for one in self._cache.providers_of(relay) if one.spec.quotas]
        keys = {name: Key("UpstreamProvider", namespace, name) for namespace, name in limited}
        others = {name: self._replicas(key, relay.metadata.key) for name, key in keys.items()}
        counted = frozenset(
            name for name, key in keys.items() if (seen := self._cache.resource(key)) and seen.status.get("quotas")
        )
        image = image_of(workload) or last.image
        return Live(image, view.wanted, last.holding, last.proved, others, counted, last.settled)

    def _replicas(self, provider: Key, but: tuple[str, str]) -> tuple[int, ...]:
        """The replicas of each relay but one that sends through a provider."""
        seen = (self._cache.resource(key) for key in self._cache.relays_of(provider))
        relays = (one.model for one in seen if one and isinstance(one.model, SmtpRelay))
        return tuple(one.spec.replicas for one in relays if one.metadata.key != but)

    def forget(self, key: Key) -> None:
        """Forget a relay that is gone."""
        self._assembled.forget(key)

    async def _named(self, relay: SmtpRelay, age: float) -> _Named | Refused:
        """Read what the relay, its providers and its aliases name."""
        wanted = sorted(self._cache.named_by(relay))
        answers = await asyncio.gather(*(self._holders.read(one, age) for one in wanted))
        named = _Named()
        for reference, answer in zip(wanted, answers, strict=True):
            if not isinstance(answer, Refused):
                named.take(answer)
            elif answer.passing:
                return answer
            else:
                named.obstacles += (unreadable(reference, answer),)
        return named

    def _workload(self, owner: Owner) -> Body | None:
        """Give the relay's workload; for a moment, after a change of the queue's mode, it has two."""
        for kind in ("StatefulSet", "Deployment"):
            body = self._cache.get(kind, owner.namespace, owner.name)
            if body is not None and controller(body).get("uid") == owner.uid:
                return body
        return None

    async def _newest_hash(self, workload: Body | None) -> str:
        """Ask for the newest ReplicaSet of a Deployment once a revision."""
        if workload is None or workload["kind"] != "Deployment":
            return ""
        uid, revision = metadata(workload)["uid"], annotations(workload).get(REVISION, "")
        known, found = self._hashes.get(uid, ("", ""))
        if found and known == revision:
            return found
        namespace, name = name_of(workload)
        answer = await self._reader.list_all(KINDS["ReplicaSet"], namespace, f"{naming.RELAY}={name}")
        newest = "" if isinstance(answer, Refused) else newest_hash(workload, answer)
        if len(self._hashes) >= MAX_HASHES:
            self._hashes.clear()
        self._hashes[uid] = (revision, newest)
        return newest

    async def _resources(self, relay: SmtpRelay, named: _Named, more: set[str]) -> Resources | Refused:
        """Give what the plan reads; the labels of namespaces are those of aliases and of some `more`."""
        aliases = self._cache.aliases_of(Key("SmtpRelay", *relay.metadata.key))
        selects = any(one.namespaces.from_ is From.SELECTOR for one in relay.spec.aliases.domains)
        others = (
            sorted(({one.metadata.namespace for one in aliases} | more) - {relay.metadata.namespace}) if selects else []
        )
        namespaces = await asyncio.gather(*(self._namespaces.read(name) for name in others))
        refused = next((one for one in namespaces if isinstance(one, Refused)), None)
        return refused or Resources(
            relays=(relay,),
            providers=self._cache.providers_of(relay),
            aliases=aliases,
            secrets=named.secrets,
            config_maps=named.config_maps,
            namespaces=tuple(one for one in namespaces if isinstance(one, Namespace)),
        )
