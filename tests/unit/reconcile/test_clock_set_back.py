"""A clock that was set back (by NTP after a start, by a person) keeps nothing as it was for as long as it went back."""

from typing import Any

from tests.support.cluster_objects import NAMESPACE, FakeServer, made, provider, relay, secret
from tests.support.writable_server import Operator, WritableServer

from mailhaul_operator.api.inputs import Secret
from mailhaul_operator.api.relay_status import QueueStatus, SmtpRelayStatus
from mailhaul_operator.assess.patch import due_in
from mailhaul_operator.observe.assembled import AssembledSecrets, Existing
from mailhaul_operator.observe.cache import Cache
from mailhaul_operator.observe.namespaces import Namespaces
from mailhaul_operator.observe.references import Reference
from mailhaul_operator.observe.secrets import SecretReader
from mailhaul_operator.plan.snapshot import Facts
from mailhaul_operator.reconcile.external import ExternalSecrets
from mailhaul_operator.reconcile.facts import ClusterFacts
from mailhaul_operator.wire.objects import Owner

ACCOUNT = Reference("Secret", NAMESPACE, "account")
DAY = 86_400.0


class Clock:
    """Time that a test sets."""

    now = 1_795_262_400.0

    def __call__(self) -> float:
        return self.now


async def test_a_rotated_credential_is_read() -> None:
    clock, server = Clock(), FakeServer(secret("account", password="b2xk"))
    reader = SecretReader(server, clock)
    await reader.read(ACCOUNT)
    server.put(secret("account", 2, password="bmV3"))
    clock.now -= DAY
    found = await reader.read(ACCOUNT)
    assert isinstance(found, Secret)
    assert found.value("password") == b"new"


async def test_the_assembled_secret_that_was_deleted_is_missed() -> None:
    clock, server = Clock(), FakeServer(made("Secret", "one-mailhaul", "one", data={"secret.revision": "cg=="}))
    assembled = AssembledSecrets(Cache(), SecretReader(server, clock), server)
    owner = Owner("SmtpRelay", NAMESPACE, "one", "SmtpRelay-one")
    await assembled.read(owner, {}, clock.now)
    server.objects.clear()
    assert await assembled.read(owner, {}, clock.now - DAY) == Existing({})


async def test_labels_of_a_namespace_are_read_anew() -> None:
    clock, server = Clock(), FakeServer()
    namespaces = Namespaces(server, clock)
    assert await namespaces.read("shop") is None
    server.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"mail": "yes"}}})
    clock.now -= DAY
    assert await namespaces.read("shop") is not None


async def test_what_the_cluster_serves_is_looked_up_anew() -> None:
    clock, server = Clock(), WritableServer()
    facts = ClusterFacts(server, Facts(), clock)
    await facts.look()
    server.versions = {"external-secrets.io": ("v1",)}
    clock.now -= DAY
    assert (await facts.wanted(wants=True)).external_secrets == "v1"


async def test_an_external_secret_is_looked_at() -> None:
    body = provider("main", "account")
    store = {"secretStoreRef": {"kind": "SecretStore", "name": "store"}}
    data = [{"secretKey": "password", "remoteRef": {"key": "mailtrap"}}]
    body["spec"]["auth"] = {"externalSecret": {**store, "data": data}}
    cache = Cache()
    cache.put(body)
    (key,) = cache.resources("UpstreamProvider")
    seen = cache.resource(key)
    assert seen is not None
    model: Any = seen.model
    externals, clock = ExternalSecrets(FakeServer(), cache), Clock()
    await externals.look(model, Facts(external_secrets="v1"), clock.now)
    assert externals.due_in(model, clock.now) > 0
    assert externals.due_in(model, clock.now - DAY) == 0


async def test_numbers_of_a_status_are_written() -> None:
    old, new = (SmtpRelayStatus(queue=QueueStatus(queued=count)) for count in (1, 2))
    now = Clock.now
    assert due_in(old, new, now, written=now + DAY) == 0


async def test_providers_are_told_of_though_a_relay_has_no_pass() -> None:
    server = WritableServer(provider("main", "account"), relay("one", "main"))
    operator = Operator(server)
    server.forbidden.add("one-mailhaul")
    operator.world.memory.knows = lambda relays: not list(relays)  # type: ignore[method-assign]
    operator.now -= DAY
    await operator.settle()
    assert server.condition("UpstreamProvider", "main")[0] == "False"
