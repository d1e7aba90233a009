"""Whole passes on a server that is a dictionary: what is written, when nothing is, and what is told of what."""

import copy

import pytest
from tests.support.cluster_objects import alias, provider, relay, resource, secret
from tests.support.writable_server import Operator, WritableServer

from mailhaul_operator.reconcile.pace import FAILED
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.refused import Refusal, Refused

ONE = Key("SmtpRelay", "smtp", "one")
MAIN = Key("UpstreamProvider", "smtp", "main")


def server() -> WritableServer:
    account = secret("account", username="dXNlcg==", password="c2VjcmV0")
    return WritableServer(provider("main", "account"), relay("one", "main"), alias("sales", "one"), account)


async def test_a_relay_gets_its_objects_in_order_and_everything_a_status() -> None:
    world = server()
    await Operator(world).settle()
    applied = [one.split()[1] for one in world.written if one.startswith("apply")]
    assert applied == ["ServiceAccount", "Secret", "ConfigMap", "NetworkPolicy", "Service", "Service", "StatefulSet"]
    assert world.condition("SmtpRelay", "one")[0] == "Unknown"
    assert world.condition("UpstreamProvider", "main")[0] == "Unknown"
    assert world.condition("MailAlias", "sales") == ("False", "AliasDomainNotOwn")


async def test_a_second_pass_over_an_unchanged_world_writes_nothing() -> None:
    world = server()
    operator = Operator(world)
    await operator.settle()
    world.written.clear()
    world.events.clear()
    operator.now += 7
    await operator.all_again()
    assert (world.written, world.events) == ([], [])


async def test_a_restarted_operator_writes_nothing() -> None:
    world = server()
    await Operator(world).settle()
    before = copy.deepcopy(world.objects)
    world.written.clear()
    world.events.clear()
    await Operator(world).settle()
    assert (world.written, world.events) == ([], [])
    assert world.objects == before


async def test_drift_is_undone_and_only_it() -> None:
    world = server()
    operator = Operator(world)
    await operator.settle()
    world.written.clear()
    edited = copy.deepcopy(world.objects["Service", "smtp", "one"])
    edited["spec"]["ports"][0]["port"] = 26
    edited["metadata"]["resourceVersion"] = "5000"
    operator.world.seen(edited)
    gone = copy.deepcopy(world.objects.pop(("NetworkPolicy", "smtp", "one")))
    operator.world.gone(gone)
    await operator.settle()
    assert world.written == ["apply NetworkPolicy one", "apply Service one"]


async def test_what_a_relay_wants_no_more_is_pruned() -> None:
    world = server()
    operator = Operator(world)
    await operator.settle()
    without = relay("one", "main", version=6000, spec={"networkPolicy": {"enabled": False}})
    without["metadata"]["generation"] = 2
    world.put({**without, "status": world.status("SmtpRelay", "one")})
    operator.world.seen(copy.deepcopy(world.objects["SmtpRelay", "smtp", "one"]))
    await operator.settle()
    assert "delete NetworkPolicy one" in world.written
    assert world.status("SmtpRelay", "one")["observedGeneration"] == 2


async def test_a_relay_that_does_not_parse_is_told_so_and_left_as_it_is() -> None:
    world = WritableServer(resource("SmtpRelay", "one", {"upstreams": [], "colour": "red"}))
    operator = Operator(world)
    await operator.settle()
    assert world.written == ["status SmtpRelay one"]
    assert world.condition("SmtpRelay", "one") == ("False", "Invalid")
    assert world.condition("SmtpRelay", "one", "Stalled") == ("True", "Invalid")
    assert "colour" in world.status("SmtpRelay", "one")["conditions"][0]["message"]
    world.written.clear()
    await operator.all_again()
    assert world.written == []


@pytest.mark.parametrize("kind", [Refusal.UNAVAILABLE, Refusal.CONFLICT, Refusal.TIMEOUT])
async def test_a_refusal_that_passes_brings_the_pass_back_soon_and_tells_nobody(kind: Refusal) -> None:
    world = server()
    operator = Operator(world)
    world.refusal = Refused(kind, "not now")
    await operator.settle()
    assert operator.again[ONE] == FAILED
    assert world.events == []
    world.refusal = None
    await operator.all_again()
    assert "apply StatefulSet one" in world.written


async def test_nothing_is_decided_while_a_secret_cannot_be_read() -> None:
    world = server()
    world.failure = Refused(Refusal.UNAVAILABLE, "not now")
    operator = Operator(world)
    await operator.settle()
    assert operator.again[ONE] == FAILED
    assert not [one for one in world.written if "SmtpRelay" in one or one.startswith("apply")]


async def test_after_a_restart_a_provider_says_nothing_new_before_its_relays_were_looked_at() -> None:
    world = server()
    await Operator(world).settle()
    world.written.clear()
    operator = Operator(world)
    operator.wishes.keys = {MAIN}
    await operator.settle()
    assert world.written == []
    assert operator.again[MAIN] == pytest.approx(1.0)


async def test_a_relay_that_is_gone_is_forgotten_and_its_provider_and_aliases_told() -> None:
    world = server()
    operator = Operator(world)
    await operator.settle()
    operator.world.gone(world.objects.pop(("SmtpRelay", "smtp", "one")))
    await operator.settle()
    assert operator.again[ONE] is None
    assert operator.world.memory.last(ONE) is None
    assert world.condition("UpstreamProvider", "main") == ("True", "NotInUse")
    assert world.condition("MailAlias", "sales") == ("False", "RelayUnknown")


async def test_a_secret_that_comes_later_is_taken_without_being_told() -> None:
    world = server()
    account = world.objects.pop(("Secret", "smtp", "account"))
    operator = Operator(world)
    await operator.settle()
    before = world.objects["ConfigMap", "smtp", "one-mailhaul"]["data"]
    world.put(account)
    operator.now += 6
    await operator.all_again()
    assert world.objects["ConfigMap", "smtp", "one-mailhaul"]["data"] != before


async def test_no_secret_is_in_anything_that_is_written_but_secrets() -> None:
    world = server()
    await Operator(world).settle()
    others = [one for key, one in world.objects.items() if key[0] != "Secret"]
    assert "c2VjcmV0" not in str(others)
