"""An edit that the API server lets pass and the operator cannot read changes nothing of what runs: neither an upstream
nor an alias goes from its relay, after a restart either."""

import copy
import json
from typing import Any

import pytest
from tests.support.cluster_objects import alias, provider, relay, secret
from tests.support.writable_server import Operator, WritableServer

from mailhaul_operator.wire.kinds import Body

MAIN, SALES = ("UpstreamProvider", "smtp", "main"), ("MailAlias", "smtp", "sales")
SPEC = {"aliases": {"domains": [{"name": "example.com"}]}}
ACCOUNT = ("Secret", "smtp", "account")


async def running() -> tuple[WritableServer, Operator]:
    account = secret("account", username="dXNlcg==", password="c2VjcmV0")
    server = WritableServer(
        provider("main", "account"), relay("one", "main", spec=SPEC), alias("sales", "one"), account
    )
    operator = Operator(server)
    await operator.settle()
    return server, operator


def edit(server: WritableServer, key: tuple[str, str, str], **spec: Any) -> Body:  # noqa: ANN401 - members of a spec
    server.version += 1
    body = copy.deepcopy(server.objects[key])
    body["spec"].update(spec)
    body["metadata"].update(generation=body["metadata"]["generation"] + 1, resourceVersion=str(server.version))
    server.put(body)
    return copy.deepcopy(body)


def runs(server: WritableServer) -> Any:  # noqa: ANN401 - JSON
    return json.loads(server.objects["ConfigMap", "smtp", "one-mailhaul"]["data"]["relay.v1.json"])


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_mistyped_time_zone_stops_no_mail_and_takes_no_credential_away(restarts: bool) -> None:
    server, operator = await running()
    before, held = runs(server), server.objects["Secret", "smtp", "one-mailhaul"]["data"]
    invalid = edit(server, MAIN, quotas=[{"period": "Day", "limit": 100, "timeZone": "Europe/Berlim"}])
    del server.objects[ACCOUNT]
    if restarts:
        operator = Operator(server)
    operator.world.seen(invalid)
    operator.now += 100
    await operator.all_again()
    assert runs(server) == before
    assert server.objects["Secret", "smtp", "one-mailhaul"]["data"] == held
    assert server.condition("UpstreamProvider", "main") == ("False", "Invalid")
    conditions = {one["type"]: one["message"] for one in server.status("SmtpRelay", "one")["conditions"]}
    assert "UpstreamProvider smtp/main is not valid; upstream main stays as it was" in conditions["UpstreamsReady"]


@pytest.mark.parametrize("restarts", [False, True])
async def test_an_alias_that_is_not_valid_keeps_its_mail_as_it_was(restarts: bool) -> None:
    server, operator = await running()
    before = runs(server)
    invalid = edit(server, SALES, colour="red")
    if restarts:
        operator = Operator(server)
    operator.world.seen(invalid)
    operator.now += 100
    await operator.all_again()
    assert server.condition("MailAlias", "sales") == ("False", "Invalid")
    assert runs(server)["aliases"] == before["aliases"]


async def test_one_that_is_valid_again_or_gone_counts_as_it_is() -> None:
    server, operator = await running()
    operator.world.seen(edit(server, SALES, colour="red"))
    operator.world.seen(edit(server, MAIN, colour="red"))
    await operator.settle()
    del server.objects[MAIN]["spec"]["colour"]
    operator.world.seen(edit(server, MAIN, host="elsewhere.example.com"))
    operator.world.gone(server.objects.pop(SALES))
    operator.now += 100
    await operator.all_again()
    assert [one["host"] for one in runs(server)["upstreams"]] == ["elsewhere.example.com"]
    assert "entries" not in runs(server)["aliases"]


async def test_nothing_that_is_to_be_captured_leaves_by_an_upstream_of_before() -> None:
    server, operator = await running()
    operator.world.seen(edit(server, MAIN, colour="red"))
    operator.world.seen(edit(server, ("SmtpRelay", "smtp", "one"), delivery={"mode": "Capture"}))
    await operator.settle()
    assert "upstreams" not in runs(server)
