"""A restarted operator that cannot read a namespace takes none of its aliases from a relay: their mail would be refused
for good."""

import copy
import json
from typing import Any

import pytest
from tests.support.cluster_objects import alias, provider, relay, secret
from tests.support.writable_server import Operator, WritableServer

from mailhaul_operator.plan import relay_config
from mailhaul_operator.wire.kinds import Body

CONSENT = {"aliases": {"domains": [{"name": "example.com", "namespaces": {"from": "All"}}]}}
CONFIG = ("ConfigMap", "smtp", "one-mailhaul")


async def in_force(spec: dict[str, Any] = CONSENT) -> WritableServer:
    """A relay that runs the alias `sales` of namespace `shop`."""
    account = secret("account", username="dXNlcg==", password="c2VjcmV0")
    world = WritableServer(
        provider("main", "account"), relay("one", "main", spec=spec), alias("sales", "one", namespace="shop"), account
    )
    await Operator(world).settle()
    assert entries(world) == {"sales@example.com": "shop"}
    return world


def entries(server: WritableServer) -> dict[str, str]:
    """Namespaces by the addresses that the relay takes, from wherever they are."""
    held = [body for (kind, _, _), body in sorted(server.objects.items()) if kind == "ConfigMap"]
    found = [json.loads(text) for body in held for text in body["data"].values()]
    tables = [one.get("aliases", {}).get("entries", []) if isinstance(one, dict) else one for one in found]
    return {entry["value"]: entry["namespace"] for table in tables for entry in table}


async def restarted(server: WritableServer, *more: Body, hidden: frozenset[str] = frozenset({"shop"})) -> None:
    """Begin anew without the aliases of `shop`."""
    del server.objects["MailAlias", "shop", "sales"]
    for one in more:
        server.put(one)
    operator = Operator(server)
    operator.world.gatherer.hidden = hidden
    await operator.settle()


async def test_what_it_had_in_force_stays_as_it_is_and_nothing_is_written() -> None:
    server = await in_force()
    server.written.clear()
    await restarted(server)
    assert entries(server) == {"sales@example.com": "shop"}
    assert server.written == []


async def test_it_stays_in_tables_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_config, "INLINE", 10)
    server = await in_force()
    await restarted(server)
    assert entries(server) == {"sales@example.com": "shop"}


async def test_an_alias_that_is_gone_goes_from_its_relay() -> None:
    server = await in_force()
    await restarted(server, hidden=frozenset())
    assert entries(server) == {}


async def test_a_consent_that_is_taken_back_takes_it_away() -> None:
    server = await in_force()
    own = copy.deepcopy(server.objects["SmtpRelay", "smtp", "one"])
    own["spec"]["aliases"]["domains"][0]["namespaces"] = {"from": "Same"}
    own["metadata"].update(generation=2, resourceVersion="9000")
    await restarted(server, own)
    assert entries(server) == {}


async def test_its_address_goes_to_no_other_meanwhile_and_leading_there_is_no_dead_end() -> None:
    server = await in_force()
    leads = alias("desk", "one")
    leads["spec"]["destinations"] = [{"name": "a", "mailbox": {"address": "sales@example.com"}}]
    await restarted(server, alias("sales", "one"), leads)
    assert entries(server) == {"sales@example.com": "shop", "desk@example.com": "smtp"}
    assert server.condition("MailAlias", "sales") == ("False", "AliasConflict")
    assert server.condition("MailAlias", "desk", "Accepted")[0] == "True"


async def test_a_configuration_that_cannot_be_read_stands_for_nothing() -> None:
    server = await in_force()
    server.objects[CONFIG]["data"]["relay.v1.json"] = '{"aliases": 7}'
    await restarted(server)
    assert entries(server) == {}
