"""What the world takes from a watch: whose a Secret is, which edges are urgent, what went while nobody looked."""

from typing import Any

import pytest
from tests.support.cluster_objects import NAMESPACE, made, provider, relay, secret
from tests.support.writable_server import Operator, WritableServer

from mailhaul_operator.api.inputs import Secret
from mailhaul_operator.observe.references import Reference
from mailhaul_operator.plan.snapshot import Facts
from mailhaul_operator.reconcile.world import Who, World
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.kinds import Body

ONE = Key("SmtpRelay", NAMESPACE, "one")
ACCOUNT = Reference("Secret", NAMESPACE, "account")


class Wishes:
    """Remembers what is wanted at once and what later."""

    def __init__(self) -> None:
        self.edges: set[Key] = set()
        self.later: set[Key] = set()

    def add(self, key: Key) -> None:
        self.edges.add(key)

    def add_after(self, key: Key, delay: float) -> None:
        assert 0 <= delay <= 1
        self.later.add(key)


def listed_world(*bodies: Body) -> tuple[World, Wishes]:
    """A world that serves one listed namespace and knows these objects."""
    world = World(WritableServer(), Facts(image="relay:test"), Who("operator-1", (NAMESPACE,)), lambda: 1000.0)  # type: ignore[arg-type]
    wishes = world.queue = Wishes()
    for one in bodies:
        world.put(one)
    world.holders.synced = True
    return world, wishes


def synced_by_external_secrets(version: int, password: str) -> Body:
    """The Secret that External Secrets made of our ExternalSecret: it copies our labels."""
    body = secret("account", version=version, password=password)
    body["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "mailhaul", "mailhaul.dev/provider": "main"}
    holder = {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "account", "uid": "e"}
    body["metadata"]["ownerReferences"] = [{**holder, "controller": True}]
    return body


async def test_a_secret_with_our_labels_that_another_made_is_a_source_and_its_rotation_an_edge() -> None:
    world, wishes = listed_world(provider("main", "account"), relay("one", "main"))
    for version, password in ((5, "b25l"), (6, "dHdv")):
        wishes.edges.clear()
        world.seen(synced_by_external_secrets(version, password))
        found: Any = await world.holders.read(ACCOUNT)
        assert found is not None
        assert ONE in wishes.edges


async def test_a_secret_that_was_ours_and_lost_its_owner_is_not_what_we_know() -> None:
    world, _ = listed_world(relay("one", "main"), made("Secret", "one-mailhaul", "one"))
    assert world.cache.get("Secret", NAMESPACE, "one-mailhaul") is not None
    stripped = made("Secret", "one-mailhaul", "one", version=9)
    del stripped["metadata"]["ownerReferences"]
    world.seen(stripped)
    assert world.cache.get("Secret", NAMESPACE, "one-mailhaul") is None


async def test_secrets_that_went_while_no_watch_ran_are_told_by_the_listing() -> None:
    world, _ = listed_world(secret("account", password="b25l"), made("Secret", "one-mailhaul", "one"))
    heads = {one["metadata"]["name"]: one for one in world.heads("Secret")}
    assert set(heads) == {"account", "one-mailhaul"}
    for one in heads.values():
        world.remove(one)
    assert world.heads("Secret") == ()
    assert await world.holders.read(ACCOUNT) is None


async def test_edits_of_people_are_edges_and_what_kubernetes_does_with_our_objects_is_not() -> None:
    world, wishes = listed_world(relay("one", "main"))
    world.seen(made("Service", "one", "one"))
    assert (wishes.edges, wishes.later) == (set(), {ONE})
    world.gone(made("Service", "one", "one"))
    assert wishes.edges == {ONE}
    wishes.edges.clear()
    edited = relay("one", "main", version=2)
    edited["metadata"]["generation"] = 2
    world.seen(edited)
    assert ONE in wishes.edges


async def test_objects_that_are_as_they_should_be_are_neither_rendered_nor_compared_again() -> None:
    server = WritableServer(provider("main", "account"), relay("one", "main"), secret("account", password="b25l"))
    operator = Operator(server)
    await operator.settle()
    operator.now += 700
    await operator.all_again()
    last = operator.world.memory.last(ONE)
    versions = operator.world.cache.versions("SmtpRelay-one")
    assert last is not None
    assert operator.world.settled.holds(ONE, last.plan, versions)
    operator.world.seen(
        {
            **server.objects["Service", NAMESPACE, "one"],
            "metadata": {**server.objects["Service", NAMESPACE, "one"]["metadata"], "resourceVersion": "9999"},
        }
    )
    assert not operator.world.settled.holds(ONE, last.plan, operator.world.cache.versions("SmtpRelay-one"))


async def test_a_sync_of_external_secrets_makes_its_secret_be_read_again_and_nothing_else_does() -> None:
    server = WritableServer()
    world = World(server, Facts(image="relay:test"), Who("operator-1"), lambda: 1000.0)  # type: ignore[arg-type]
    world.queue = wishes = Wishes()
    world.put(provider("main", "account"))
    server.put(secret("account", password="b25l"))
    assert isinstance(await world.holders.read(ACCOUNT), Secret)
    server.put(secret("account", version=9, password="dHdv"))
    before = await world.holders.read(ACCOUNT)
    for version, refreshed in ((3, "T1"), (4, "T2")):
        body = made("ExternalSecret", "account", "main", version=version)
        world.seen({**body, "status": {"refreshTime": refreshed}})
    after = await world.holders.read(ACCOUNT)
    assert isinstance(before, Secret)
    assert isinstance(after, Secret)
    assert (before.data["password"], after.data["password"]) == (b"one", b"two")
    reads = server.reads["Secret"]
    world.seen({**made("ExternalSecret", "account", "main", version=5), "status": {"refreshTime": "T2"}})
    assert await world.holders.read(ACCOUNT) == after
    assert server.reads["Secret"] == reads
    assert wishes.later


async def test_what_left_while_a_list_was_read_is_not_brought_back_by_it() -> None:
    world, _ = listed_world(relay("one"))
    listed = relay("one")
    listed["metadata"]["resourceVersion"] = "7"
    world.gone(listed | {"metadata": listed["metadata"] | {"resourceVersion": "8"}})
    assert world.put(listed) == frozenset()
    assert world.own() == ()


async def test_what_left_the_selection_and_came_back_is_known_again() -> None:
    world, _ = listed_world(relay("one"))
    labelled = relay("one")
    labelled["metadata"]["resourceVersion"] = "8"
    world.gone(labelled)
    labelled["metadata"]["resourceVersion"] = "9"
    assert world.put(labelled)
    assert world.own() == (ONE,)


async def test_only_so_much_of_what_left_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailhaul_operator.reconcile.world.DEPARTED", 2)
    world, _ = listed_world()
    for number in range(3):
        body = relay(f"relay-{number}")
        body["metadata"] |= {"uid": f"uid-{number}", "resourceVersion": "8"}
        world.gone(body)
        assert world.put(body) == frozenset()
    body = relay("relay-0")
    body["metadata"] |= {"uid": "uid-0", "resourceVersion": "8"}
    assert world.put(body)
