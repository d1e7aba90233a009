"""A look at the ExternalSecrets of providers that needs no watch.

Called by `reconcile_provider`. A watch of the kind may be missing: External Secrets may be installed after an operator
of listed namespaces has begun, and its CRD may be taken away and come back before the API server's discovery says so.
So the object is read now and then, and what a watch brings is only sooner. Failures: none; what cannot be read is read
again.
"""

from dataclasses import dataclass, field
from math import inf

from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.observe.cache import Cache
from mailhaul_operator.plan import naming
from mailhaul_operator.plan.snapshot import Facts
from mailhaul_operator.reconcile.pace import LOOKS
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.kinds import KINDS, Body
from mailhaul_operator.wire.refused import Reader, Refusal, Refused

AWAITED = 5.0
"""Seconds between two looks at one that is not synced, or was not seen so yet."""
SYNCED = 15.0
"""The same of one that is synced."""
SYNCED_AT_MOST = 60.0
"""The same, of very many."""


@dataclass(slots=True)
class ExternalSecrets:
    """Remembers when each was read last. `reader` reads, `cache` has what is known."""

    reader: Reader
    cache: Cache
    _read: dict[Key, float] = field(default_factory=dict)

    async def look(self, provider: UpstreamProvider, facts: Facts, now: float) -> Body | None:
        """Give the ExternalSecret as it is now; what is known of it is forgotten when it is not there. None when it is
        not there, cannot be read, or was read a while ago only. `now` in epoch seconds.
        """
        key = self._key(provider)
        if provider.spec.auth.external_secret is None:
            self._read.pop(key, None)
            return None
        if self.due_in(provider, now) > 0:
            return None
        self._read[key] = now
        if not facts.external_secrets:
            return None
        kind = KINDS["ExternalSecret"].in_version(facts.external_secrets)
        known = self.cache.get(*key)
        found = await self.reader.get(kind, key.namespace, key.name)
        if not isinstance(found, Refused):
            return found
        if found.kind is Refusal.NOT_FOUND and known is not None:
            self.cache.remove(known)
        return None

    def due_in(self, provider: UpstreamProvider, now: float) -> float:
        """Give the seconds until the next look; infinite for a provider that has none."""
        if provider.spec.auth.external_secret is None:
            return inf
        key = self._key(provider)
        calm = min(SYNCED_AT_MOST, max(SYNCED, len(self._read) / LOOKS))
        wait = calm if is_synced(self.cache.get(*key)) else AWAITED
        age = now - self._read.get(key, -inf)
        return wait - age if 0 <= age < wait else 0.0

    def forget(self, provider: Key) -> None:
        """Forget a provider that is gone."""
        self._read.pop(Key("ExternalSecret", provider.namespace, naming.external_secret(provider.name)), None)

    @staticmethod
    def _key(provider: UpstreamProvider) -> Key:
        return Key("ExternalSecret", provider.metadata.namespace, naming.external_secret(provider.metadata.name))


def readiness(body: Body | None) -> Body:
    """Give the condition Ready of an ExternalSecret; empty when it has none."""
    conditions = ((body or {}).get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == "Ready"), {})


def is_synced(body: Body | None) -> bool:
    """Whether an ExternalSecret says that it is."""
    return readiness(body).get("status") == "True"
