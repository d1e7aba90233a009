"""`Cache`: the world as watch events brought it, with the indexes that a pass asks for.

Filled by `handlers` (`put`, `remove`, which tell the keys that an edge is about) and by our own writes; read by
`gather`, `effects.apply` and `effects.prune`. An older version of an object never replaces a newer one, and an echo of
what is known touches no key, so that our own writes cause no further pass. No failures: what cannot be parsed is kept
with its refusals. All of one event loop; no locks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mailhaul_operator.api.mailalias import MailAlias
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.manifests.kinds import OWN
from mailhaul_operator.observe.belonging import Belonging, belonging, leads_to
from mailhaul_operator.observe.index import Index
from mailhaul_operator.observe.references import Reference
from mailhaul_operator.observe.resources import Seen, seen
from mailhaul_operator.observe.trimming import packed, unpacked
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.kinds import Body
from mailhaul_operator.wire.objects import metadata, name_of, version_of

NOTHING: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class _Object:
    """An object that was made for a resource, or a pod of one."""

    version: int
    belongs: Belonging
    text: bytes


class Cache:
    """Resources of ours by `Key`, and every other object by the same three words."""

    def __init__(self) -> None:
        self._resources: dict[Key, Seen] = {}
        self._unreadable: set[Key] = set()
        self._objects: dict[Key, _Object] = {}
        self._by_owner: Index[str, Key] = Index()
        self._by_resource: Index[Key, Key] = Index()
        self._leading: Index[Key, Key] = Index()
        self._naming: Index[Reference, Key] = Index()

    def put(self, body: Mapping[str, Any]) -> frozenset[Key]:
        """Remember an object; gives the keys that it is about, none when this version of it was known."""
        key = Key(str(body.get("kind", "")), *name_of(body))
        if key.kind in OWN:
            return self._put_resource(key, body)
        known = self._objects.get(key)
        version = version_of(body)
        if known is not None and known.version >= version > 0 and known.belongs.uid == metadata(body).get("uid", ""):
            return NOTHING
        touched = self._forget_object(key)
        one = _Object(version, belonging(body), packed(body))
        self._objects[key] = one
        self._by_owner.add(one.belongs.owners, key)
        self._by_resource.add(one.belongs.resources, key)
        return touched | self._with_relays(one.belongs.resources)

    def remove(self, body: Mapping[str, Any]) -> frozenset[Key]:
        """Forget an object that is gone, or left the watch; gives the keys that it was about.

        Another one of the same name, which was made since, stays.
        """
        key = Key(str(body.get("kind", "")), *name_of(body))
        uid = metadata(body).get("uid", "")
        if key.kind in OWN:
            known = self._resources.get(key)
            return self._forget_resource(key) if known is not None and known.uid == uid else NOTHING
        there = self._objects.get(key)
        if there is not None and there.belongs.uid != uid:
            return NOTHING
        return self._forget_object(key) | self._with_relays(belonging(body).resources)

    def get(self, kind: str, namespace: str, name: str) -> Body | None:
        """Give an object that was made for a resource, or a pod, as it was seen last; the caller's own copy."""
        found = self._objects.get(Key(kind, namespace, name))
        return unpacked(found.text) if found is not None else None

    def owned(self, uid: str) -> tuple[Body, ...]:
        """Give the objects whose controller has this uid, in a stable order."""
        return tuple(unpacked(self._objects[key].text) for key in sorted(self._by_owner.of(uid)))

    def versions(self, uid: str) -> frozenset[tuple[Key, int]]:
        """Give which objects, in which versions, have a controller with this uid."""
        return frozenset((key, self._objects[key].version) for key in self._by_owner.of(uid))

    def pods(self, relay: Key) -> tuple[Body, ...]:
        """Give the pods that carry a relay's label, by name."""
        keys = sorted(key for key in self._by_resource.of(relay) if key.kind == "Pod")
        return tuple(unpacked(self._objects[key].text) for key in keys)

    def resource(self, key: Key) -> Seen | None:
        """Give a resource of ours, parsed or with its refusals."""
        return self._resources.get(key)

    @property
    def unreadable(self) -> frozenset[Key]:
        """The resources that are there, are not going, and do not parse."""
        return frozenset(self._unreadable)

    def resources(self, kind: str) -> tuple[Key, ...]:
        """Give the keys of all resources of a kind, in a stable order."""
        return tuple(sorted(key for key in self._resources if key.kind == kind))

    def heads(self, kind: str) -> tuple[Body, ...]:
        """Give kind and metadata (namespace, name, uid) of every object of a kind, as `remove` needs them."""
        uids = {key: one.uid for key, one in self._resources.items() if key.kind == kind}
        uids |= {key: one.belongs.uid for key, one in self._objects.items() if key.kind == kind}
        return tuple(
            {"kind": kind, "metadata": {"namespace": key.namespace, "name": key.name, "uid": uid}}
            for key, uid in sorted(uids.items())
        )

    def relay(self, namespace: str, name: str) -> SmtpRelay | None:
        """Give a relay that parses."""
        found = self._resources.get(Key("SmtpRelay", namespace, name))
        return found.model if found is not None and isinstance(found.model, SmtpRelay) else None

    def providers_of(self, relay: SmtpRelay) -> tuple[UpstreamProvider, ...]:
        """Give the providers that a relay names, in its order; those that are absent or do not parse are left out."""
        namespace = relay.metadata.namespace
        names = dict.fromkeys(one.provider_ref.name for one in relay.spec.upstreams)
        found = (self._resources.get(Key("UpstreamProvider", namespace, name)) for name in names)
        return tuple(one.model for one in found if one is not None and isinstance(one.model, UpstreamProvider))

    def aliases_of(self, relay: Key) -> tuple[MailAlias, ...]:
        """Give the aliases that name a relay, by namespace and name; those that do not parse are left out."""
        keys = sorted(key for key in self._leading.of(relay) if key.kind == "MailAlias")
        models = (self._resources[key].model for key in keys)
        return tuple(one for one in models if isinstance(one, MailAlias))

    def relays_of(self, provider: Key) -> tuple[Key, ...]:
        """Give the relays that name a provider."""
        return tuple(sorted(key for key in self._leading.of(provider) if key.kind == "SmtpRelay"))

    def naming(self, reference: Reference) -> frozenset[Key]:
        """Give the resources that name a Secret or ConfigMap, and the relays for which they do."""
        found = self._naming.of(reference)
        relays = (self._resources[key].model for key in found if key.kind == "MailAlias")
        return self._with_relays(found).union(*(leads_to(one) for one in relays))

    def named_by(self, relay: SmtpRelay) -> frozenset[Reference]:
        """Give what a relay, its providers and its aliases name."""
        key = Key("SmtpRelay", *relay.metadata.key)
        providers = (Key("UpstreamProvider", *one.metadata.key) for one in self.providers_of(relay))
        aliases = (one for one in self._leading.of(key) if one.kind == "MailAlias")
        found = (self._resources.get(one) for one in (key, *providers, *aliases))
        return frozenset().union(*(one.named for one in found if one is not None))

    def __len__(self) -> int:
        """How many objects are remembered."""
        return len(self._resources) + len(self._objects)

    def _put_resource(self, key: Key, body: Mapping[str, Any]) -> frozenset[Key]:
        known = self._resources.get(key)
        version = version_of(body)
        uid = metadata(body).get("uid", "")
        if known is not None and known.uid == uid and known.version >= version > 0:
            return NOTHING
        one = seen(body, known)
        same = known is not None and (known.uid, known.generation, known.going) == (uid, one.generation, one.going)
        touched = self._forget_resource(key)
        self._resources[key] = one
        if one.model is None and not one.going:
            self._unreadable.add(key)
        self._naming.add(one.named, key)
        self._leading.add(leads_to(one.model), key)
        return frozenset({key}) if same else touched | self._around(one)

    def _forget_resource(self, key: Key) -> frozenset[Key]:
        known = self._resources.pop(key, None)
        self._unreadable.discard(key)
        if known is None:
            return NOTHING
        self._naming.remove(known.named, key)
        self._leading.remove(leads_to(known.model), key)
        return self._around(known)

    def _forget_object(self, key: Key) -> frozenset[Key]:
        known = self._objects.pop(key, None)
        if known is None:
            return NOTHING
        self._by_owner.remove(known.belongs.owners, key)
        self._by_resource.remove(known.belongs.resources, key)
        return self._with_relays(known.belongs.resources)

    def _around(self, one: Seen) -> frozenset[Key]:
        """The resource, what it leads to (a relay its providers, an alias its relay), and what leads to it."""
        return frozenset({one.key, *leads_to(one.model), *self._leading.of(one.key)})

    def _with_relays(self, keys: Iterable[Key]) -> frozenset[Key]:
        """These, and the relays of the providers among them."""
        found = frozenset(keys)
        return found.union(*(self._leading.of(key) for key in found if key.kind == "UpstreamProvider"))
