"""Whole passes on a server that is a dictionary: what is written, when nothing is, and what is told of what."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from tests.support.cluster_objects import alias, provider, relay, resource, secret
from tests.support.writable_server import Operator, WritableServer

from mailhaul_operator.api.relay_status import SmtpRelayStatus
from mailhaul_operator.assess.relay import assess_relay
from mailhaul_operator.assess.view import RelayView
from mailhaul_operator.reconcile import relay as passes_of_relays
from mailhaul_operator.reconcile.pace import FAILED
from mailhaul_operator.reconcile.telling import REFUSED, tell
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.kinds import Body, Kind
from mailhaul_operator.wire.refused import Refusal, Refused

ONE = Key("SmtpRelay", "smtp", "one")
MAIN = Key("UpstreamProvider", "smtp", "main")
SALES = Key("MailAlias", "smtp", "sales")


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


class Meddled(WritableServer):
    """While a Service is applied somebody else is at work, and the watch tells of it before the pass ends."""

    def __init__(self, *objects: Body) -> None:
        super().__init__(*objects)
        self.meddle: Callable[[], None] = lambda: None

    async def apply(self, body: Mapping[str, Any]) -> Body | Refused:
        if body["kind"] == "Service":
            self.meddle()
        return await super().apply(body)


async def test_drift_that_comes_while_a_pass_undoes_another_is_undone_by_the_next() -> None:
    world = Meddled(*server().objects.values())
    operator = Operator(world)
    await operator.settle()

    def drift(kind: str, name: str, **change: Any) -> None:  # noqa: ANN401 - any field
        world.version += 1
        edited = {**copy.deepcopy(world.objects[kind, "smtp", name]), **change}
        edited["metadata"]["resourceVersion"] = str(world.version)
        world.put(edited)
        operator.world.seen(copy.deepcopy(edited))

    def meddle() -> None:
        world.meddle = lambda: None
        drift("ConfigMap", "one-mailhaul", data={"relay.v1.json": "{}"})

    world.meddle = meddle
    drift("Service", "one", spec={})
    await operator.settle()
    assert world.objects["ConfigMap", "smtp", "one-mailhaul"]["data"] != {"relay.v1.json": "{}"}


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


async def test_a_status_that_is_not_taken_is_told_in_the_log_and_not_written_without_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = server()
    operator, tried = Operator(world), list[str]()

    async def refuse(kind: Kind, key: tuple[str, str], *_: object) -> Body | Refused:
        tried.append(f"{kind.kind} {key[1]}")
        return Refused(Refusal.FORBIDDEN, "smtprelays.mailhaul.dev is forbidden: no right to patch smtprelays/status")

    with monkeypatch.context() as patched:
        patched.setattr(world, "patch_steps", refuse)
        for _ in range(50):
            await operator.all_again()
            operator.now += 1
    assert tried.count("SmtpRelay one") == 1
    (told,) = [one.getMessage() for one in caplog.records if "SmtpRelay smtp/one" in one.getMessage()]
    assert "no right to patch smtprelays/status; see the chart's rbac.yaml" in told
    operator.now += REFUSED
    await operator.all_again()
    assert world.condition("SmtpRelay", "one")[0] == "Unknown"


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


async def test_a_resource_that_is_gone_without_an_event_is_forgotten_when_its_status_finds_nothing() -> None:
    world = server()
    operator = Operator(world)
    del world.objects["MailAlias", "smtp", "sales"]  # listed, and deleted before anything was watched
    await operator.settle()
    assert operator.world.own() == (ONE, MAIN)
    assert "sales" not in str([one for one in world.objects.values() if one["kind"] == "ConfigMap"])


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


async def test_an_edited_alias_is_not_current_before_its_relay_has_planned_it() -> None:
    world = WritableServer(
        relay("one", "main", spec={"aliases": {"domains": [{"name": "example.com"}]}}), alias("sales", "one")
    )
    operator = Operator(world)
    await operator.settle()
    known = world.status("MailAlias", "sales")
    assert known["resolved"] == ["a@example.net"]
    edited = copy.deepcopy(world.objects["MailAlias", "smtp", "sales"])
    edited["metadata"] |= {"generation": 2, "resourceVersion": "7000"}
    edited["spec"]["destinations"][0]["mailbox"]["address"] = "b@example.net"
    world.put(edited)
    operator.world.seen(copy.deepcopy(edited))
    operator.wishes.keys = {SALES}
    await operator.settle()
    told = world.status("MailAlias", "sales")
    assert (told["observedGeneration"], told["resolved"]) == (2, ["a@example.net"])
    assert world.condition("MailAlias", "sales", "Accepted") == ("Unknown", "ConfigPending")
    assert world.condition("MailAlias", "sales", "Reconciling")[0] == "True"
    await operator.all_again()
    assert world.status("MailAlias", "sales")["resolved"] == ["b@example.net"]
    assert world.condition("MailAlias", "sales", "Accepted")[0] == "True"


async def test_a_relay_that_is_held_in_its_deletion_holds_up_no_provider() -> None:
    world = server()
    world.put(relay("two", "main"))
    operator = Operator(world)
    await operator.settle()
    held = copy.deepcopy(world.objects["SmtpRelay", "smtp", "two"])
    held["metadata"] |= {"deletionTimestamp": "2026-11-21T12:00:00Z", "finalizers": ["a/b"], "resourceVersion": "8000"}
    world.put(held)
    operator.world.seen(copy.deepcopy(held))
    changed = copy.deepcopy(world.objects["UpstreamProvider", "smtp", "main"])
    changed["metadata"] |= {"generation": 2, "resourceVersion": "8001"}
    changed["spec"]["port"] = 2525
    world.put(changed)
    operator.world.seen(copy.deepcopy(changed))
    await operator.settle()
    assert world.status("UpstreamProvider", "main")["observedGeneration"] == 2


async def test_a_relay_whose_passes_fail_holds_up_no_provider_for_long() -> None:
    world = server()
    world.put(relay("two", "main"))
    operator = Operator(world)
    await operator.settle()
    operator.world.memory.forget(Key("SmtpRelay", "smtp", "two"))
    operator.now += 61
    operator.wishes.keys = {MAIN}
    await operator.settle()
    assert operator.again[MAIN] != pytest.approx(1.0)


async def test_an_edit_that_comes_between_a_pass_and_its_status_is_no_lost_edge() -> None:
    world = server()
    operator = Operator(world)
    await operator.settle()
    edited = copy.deepcopy(world.objects["SmtpRelay", "smtp", "one"])
    edited["metadata"] |= {"generation": 2, "resourceVersion": "9000"}
    edited["spec"]["hostname"] = "other.example.com"
    world.put(edited)
    # The pass knows generation 1 only; something else in its status has changed.
    seen = operator.world.cache.resource(ONE)
    assert seen is not None
    await tell(operator.world, seen, None, SmtpRelayStatus(observed_generation=1, ready_replicas=3))
    assert ONE in operator.wishes.keys
    await operator.settle()
    assert world.status("SmtpRelay", "one")["observedGeneration"] == 2


async def test_a_pass_that_changed_the_workload_knows_it_as_not_rolled_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    views: list[RelayView] = []

    def assessed(view: RelayView) -> SmtpRelayStatus:
        views.append(view)
        return assess_relay(view)

    monkeypatch.setattr(passes_of_relays, "assess_relay", assessed)
    world = server()
    operator = Operator(world)
    await operator.settle()
    rolled = copy.deepcopy(world.objects["StatefulSet", "smtp", "one"])
    rolled["metadata"] |= {"generation": 1, "resourceVersion": "9000"}
    rolled["status"] = {"observedGeneration": 1, "replicas": 1}
    world.put(rolled)
    operator.world.seen(copy.deepcopy(rolled))
    await operator.settle()
    assert views[-1].workload.observed
    edited = copy.deepcopy(world.objects["SmtpRelay", "smtp", "one"])
    edited["metadata"] |= {"generation": 2, "resourceVersion": "9001"}
    edited["spec"]["resources"] = {"limits": {"memory": "256Mi"}}
    world.put(edited)
    operator.world.seen(copy.deepcopy(edited))
    views.clear()
    await operator.settle()
    assert not views[0].workload.observed


async def test_a_name_that_is_taken_is_looked_at_and_no_write_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = server()
    taken = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "one", "namespace": "smtp", "uid": "foreign"}}
    world.put(taken)
    operator = Operator(world)
    await operator.settle()
    assert "Service smtp/one" in str(world.status("SmtpRelay", "one")["conditions"])
    monkeypatch.setattr(world, "apply_absent", _never)
    for again in (operator, Operator(world)):
        again.world.cache.remove(taken)  # no watch of ours brings what is somebody else's
        await again.all_again()


async def _never(body: Body) -> None:
    pytest.fail(f"a write was tried: {body['kind']} {body['metadata']['name']}")
