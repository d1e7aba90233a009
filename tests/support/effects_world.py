"""A relay in a real API server, made by the operator's own observe, plan and effects, without its handlers.

In place of watches everything that carries our label is listed anew before each pass, so a test sees at once what an
event would bring.
"""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.cluster import Cluster

from mailhaul_operator.effects.api import Api
from mailhaul_operator.effects.apply import Applied, Applier
from mailhaul_operator.effects.prune import prune
from mailhaul_operator.observe.cache import Cache
from mailhaul_operator.observe.gather import Gathered, Gatherer, LastPass
from mailhaul_operator.observe.namespaces import Namespaces
from mailhaul_operator.observe.secrets import SecretReader
from mailhaul_operator.plan.naming import SELECTOR
from mailhaul_operator.plan.objects import objects
from mailhaul_operator.plan.relay_config import plan
from mailhaul_operator.plan.snapshot import Facts, Manifest
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.kinds import KINDS, Body
from mailhaul_operator.wire.refused import Refused

IMAGE = "localhost/mailhaul-absent:none"
"""Is in no cluster: these pods exist and never run."""
WATCHED = (
    "ConfigMap",
    "Service",
    "ServiceAccount",
    "Pod",
    "StatefulSet",
    "Deployment",
    "NetworkPolicy",
    "PodDisruptionBudget",
)
PROVIDER: Body = {
    "apiVersion": "mailhaul.dev/v1alpha1",
    "kind": "UpstreamProvider",
    "spec": {"type": "mailtrap", "auth": {"secretRef": {"name": "account"}}},
}
ACCOUNT = {"apiVersion": "v1", "kind": "Secret", "stringData": {"username": "someone", "password": "canary-of-effects"}}


@dataclass
class World:
    """One relay of one namespace."""

    api: Api
    namespace: str
    name: str
    cache: Cache = field(default_factory=Cache)

    def __post_init__(self) -> None:
        """Begin with nothing read."""
        self.key = Key("SmtpRelay", self.namespace, self.name)
        self.secrets = SecretReader(self.api, time.time)
        self.gatherer = Gatherer(self.cache, self.secrets, Namespaces(self.api, time.time), self.api)
        self.applier = Applier(self.api, self.cache, time.time)

    async def create(self, **spec: Any) -> None:  # noqa: ANN401 - any part of a spec
        """Create the relay with its provider and the provider's Secret; what is there already stays."""
        relay = {"upstreams": [{"providerRef": {"name": "main"}}], **spec}
        head = {"apiVersion": "mailhaul.dev/v1alpha1", "kind": "SmtpRelay", "spec": relay}
        for body, name in ((ACCOUNT, "account"), (PROVIDER, "main"), (head, self.name)):
            await self.api.create({**body, "metadata": {"name": name, "namespace": self.namespace}})

    async def set(self, spec: Mapping[str, Any]) -> None:
        """Change the relay's spec."""
        answer = await self.api.patch(KINDS["SmtpRelay"], self.key[1:], {"spec": dict(spec)})
        assert not isinstance(answer, Refused), answer

    async def observe(self) -> None:
        """Bring the cache to what watches would have brought by now."""
        for kind in ("SmtpRelay", "UpstreamProvider", "MailAlias"):
            for one in await self.listed(kind, ""):
                self.cache.put(one)
        present = [one for kind in WATCHED for one in await self.listed(kind, SELECTOR)]
        names = {(one["kind"], one["metadata"]["name"]) for one in present}
        for one in present:
            self.cache.put(one)
        seen = self.cache.resource(self.key)
        assert seen is not None
        for known in (*self.cache.owned(seen.uid), *self.cache.pods(self.key)):
            if known["kind"] != "Secret" and (known["kind"], known["metadata"]["name"]) not in names:
                self.cache.remove(known)

    async def listed(self, kind: str, selector: str) -> tuple[Body, ...]:
        """Give the objects of a kind in the namespace."""
        found = await self.api.list_all(KINDS[kind], self.namespace, selector)
        assert not isinstance(found, Refused), found
        return found

    async def gather(self) -> Gathered:
        """Gather as a pass does."""
        gathered = await self.gatherer.gather(self.key, Facts(image=IMAGE), LastPass(), time.time())
        assert isinstance(gathered, Gathered), gathered
        return gathered

    async def desired(self) -> tuple[Manifest, ...]:
        """Give what should be now."""
        snapshot = (await self.gather()).snapshot
        return objects(snapshot, plan(snapshot))

    async def reconcile(self) -> Applied:
        """Observe, gather, plan, apply and prune once."""
        await self.observe()
        owner = (await self.gather()).owner
        desired = await self.desired()
        applied = await self.applier.apply(desired, owner)
        pruned, refused = await prune(self.api, self.cache, desired, owner)
        assert not refused
        applied.changed += pruned
        return applied

    async def get(self, kind: str, name: str = "") -> Body:
        """Read an object that must be there; the relay's own name is the default."""
        body = await self.api.get(KINDS[kind], self.namespace, name or self.name)
        assert not isinstance(body, Refused), body
        return body

    async def patch(self, kind: str, patch: Mapping[str, Any], name: str = "") -> Body:
        """Change an object behind the operator's back."""
        body = await self.api.patch(KINDS[kind], (self.namespace, name or self.name), patch)
        assert not isinstance(body, Refused), body
        return body


@asynccontextmanager
async def world(cluster: Cluster, namespace: str, name: str) -> AsyncIterator[World]:
    """Give a world with an open connection."""
    api = await Api.open(Path(cluster.environment["KUBECONFIG"]))
    try:
        yield World(api, namespace, name)
    finally:
        await api.close()
