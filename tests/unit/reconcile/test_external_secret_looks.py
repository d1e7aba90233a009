"""A provider's ExternalSecret is looked at without any watch event: a store that breaks is told, a rotation is taken,
one that is deleted is made again; and a quiet one costs little.
"""

import copy
from math import inf
from typing import Any

import pytest
from tests.support.cluster_objects import NAMESPACE, relay, resource, secret
from tests.support.writable_server import Operator, WritableServer

from mailhaul_operator.reconcile.external import AWAITED, SYNCED
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.refused import Refusal, Refused

ONE, MAIN = Key("SmtpRelay", NAMESPACE, "one"), Key("UpstreamProvider", NAMESPACE, "main")
MADE = ("ExternalSecret", NAMESPACE, "main-mailhaul-credential")
GROUP = "external-secrets.io"
TOLD_WITHIN = 20.0
CREDENTIALS = "CredentialsReady"


def stored(version: str = "v1") -> WritableServer:
    store = {"kind": "SecretStore", "name": "store"}
    data = [{"secretKey": "password", "remoteRef": {"key": "mailtrap", "property": "password"}}]
    spec = {"type": "mailtrap", "auth": {"externalSecret": {"secretStoreRef": store, "data": data}}}
    server = WritableServer(resource("UpstreamProvider", "main", spec), relay("one", "main"))
    server.versions = {GROUP: (version,)}
    return server


def syncs(server: WritableServer, password: str, refreshed: str = "T1") -> None:
    """Do what External Secrets does, with nobody told."""
    server.version += 2
    server.put(secret(MADE[2], version=server.version - 1, password=password))
    status = {"refreshTime": refreshed, "conditions": [{"type": "Ready", "status": "True", "reason": "SecretSynced"}]}
    _status(server, status)


def breaks(server: WritableServer) -> None:
    """Let the store refuse."""
    server.version += 1
    ready = {"type": "Ready", "status": "False", "reason": "SecretSyncedError", "message": "could not get secret"}
    _status(server, {"refreshTime": "T1", "conditions": [ready]})


def _status(server: WritableServer, status: dict[str, Any]) -> None:
    body = copy.deepcopy(server.objects[MADE])
    body["metadata"]["resourceVersion"] = str(server.version)
    server.put({**body, "status": status})


async def passes(operator: Operator, seconds: float) -> None:
    """Let time go by: the provider has the passes that it asks for, and what these want, and no edge comes."""
    until = operator.now + seconds
    while True:
        later = operator.again[MAIN]
        assert later is not None
        if operator.now + later > until:
            operator.now = until
            return
        operator.now += later
        operator.wishes.keys = {MAIN}
        await operator.settle()


async def running(server: WritableServer) -> Operator:
    """Give an operator that knows its ExternalSecret as synced, and that has had passes for a while."""
    operator = Operator(server)
    await operator.settle()
    syncs(server, "b25l")
    await passes(operator, 300)
    assert server.condition("UpstreamProvider", "main", CREDENTIALS)[1] != "ExternalSecretNotSynced"
    return operator


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_a_store_that_breaks_is_told_soon_with_no_event_of_a_watch_and_so_is_its_mending(version: str) -> None:
    server = stored(version)
    operator = await running(server)
    breaks(server)
    await passes(operator, TOLD_WITHIN)
    assert server.condition("UpstreamProvider", "main", CREDENTIALS) == ("False", "ExternalSecretNotSynced")
    syncs(server, "b25l", "T2")
    await passes(operator, TOLD_WITHIN)
    assert server.condition("UpstreamProvider", "main", CREDENTIALS)[1] != "ExternalSecretNotSynced"


async def test_a_rotation_is_taken_with_no_event_of_a_watch() -> None:
    server = stored()
    operator = await running(server)
    before = copy.deepcopy(server.objects["Secret", NAMESPACE, "one-mailhaul"]["data"])
    syncs(server, "dHdv", "T2")
    await passes(operator, TOLD_WITHIN)
    after = server.objects["Secret", NAMESPACE, "one-mailhaul"]["data"]
    assert (before["provider.main.password"], after["provider.main.password"]) == ("b25l", "dHdv")


async def test_one_that_is_deleted_or_edited_is_made_so_again_with_no_event_of_a_watch() -> None:
    server = stored()
    operator = await running(server)
    del server.objects[MADE]
    await passes(operator, TOLD_WITHIN)
    assert MADE in server.objects
    edited = copy.deepcopy(server.objects[MADE])
    server.version += 1
    edited["metadata"]["resourceVersion"] = str(server.version)
    edited["spec"]["refreshInterval"] = "2h0m0s"
    server.put(edited)
    await passes(operator, TOLD_WITHIN)
    assert server.objects[MADE]["spec"]["refreshInterval"] == "1h0m0s"


async def test_external_secrets_may_come_later() -> None:
    server = stored()
    server.versions = {}
    operator = Operator(server)
    await operator.settle()
    await passes(operator, 1200)
    assert server.condition("UpstreamProvider", "main", CREDENTIALS)[1] == "ExternalSecretsAbsent"
    server.versions = {GROUP: ("v1beta1",)}
    await passes(operator, TOLD_WITHIN)
    assert server.objects[MADE]["apiVersion"] == f"{GROUP}/v1beta1"


async def test_a_quiet_one_is_read_a_few_times_a_minute_and_nothing_is_written() -> None:
    server = stored()
    operator = await running(server)
    reads, server.written[:] = server.reads["ExternalSecret"], []
    await passes(operator, 600)
    assert server.reads["ExternalSecret"] - reads <= 600 / SYNCED + 1
    assert server.written == []


async def test_while_it_cannot_be_read_what_was_known_stands() -> None:
    server = stored()
    operator = await running(server)
    provider: Any = operator.world.cache.resource(MAIN)
    server.failure = Refused(Refusal.UNAVAILABLE, "not now")
    later = operator.now + SYNCED
    assert await operator.world.externals.look(provider.model, operator.world.facts.now, later) is None
    assert operator.world.cache.get(*MADE) is not None
    assert operator.world.externals.due_in(provider.model, later) == SYNCED


async def test_one_that_is_not_synced_is_looked_at_sooner_and_a_provider_without_one_never() -> None:
    server = stored()
    operator = Operator(server)
    await operator.settle()
    provider: Any = operator.world.cache.resource(MAIN)
    assert operator.world.externals.due_in(provider.model, operator.now) <= AWAITED
    plain = resource("UpstreamProvider", "plain", {"type": "mailtrap", "auth": {"secretRef": {"name": "account"}}})
    operator.world.put(plain)
    other: Any = operator.world.cache.resource(Key("UpstreamProvider", NAMESPACE, "plain"))
    assert operator.world.externals.due_in(other.model, operator.now) == inf
