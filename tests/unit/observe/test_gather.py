"""What a pass sees of the world, and what it does not decide on when the world cannot be read."""

import base64

import pytest
from tests.support.cluster_objects import NAMESPACE, FakeServer, alias, made, provider, relay, secret

from mailhaul_operator.observe.cache import Cache
from mailhaul_operator.observe.gather import Gathered, Gatherer, LastPass
from mailhaul_operator.observe.namespaces import Namespaces
from mailhaul_operator.observe.secrets import FRESH, KEPT, SecretReader
from mailhaul_operator.plan.snapshot import Facts
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.kinds import Body, Kind
from mailhaul_operator.wire.refused import Refusal, Refused

ONE = Key("SmtpRelay", NAMESPACE, "one")
TOKEN = base64.b64encode(b"token-of-the-relay").decode()


class Scene:
    """A relay with a provider and its Secret, and time that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.server = FakeServer(secret("account", password="b2xk"))
        self.cache = Cache()
        for one in (
            provider("main", "account"),
            provider("unused", "other"),
            relay("one", "main"),
            relay("two", "main"),
        ):
            self.cache.put(one)
        holders = SecretReader(self.server, lambda: self.now)
        self.gatherer = Gatherer(self.cache, holders, Namespaces(self.server, lambda: self.now), self.server)

    async def gather(self, last: LastPass | None = None) -> Gathered | Refused | None:
        return await self.gatherer.gather(ONE, Facts(), last or LastPass(), self.now)

    async def gathered(self, last: LastPass | None = None) -> Gathered:
        found = await self.gather(last)
        assert isinstance(found, Gathered)
        return found


def assembled(version: int = 1, uid: str = "SmtpRelay-one") -> Body:
    body = made("Secret", "one-mailhaul", "one", version, data={"api.token": TOKEN})
    body["metadata"]["ownerReferences"][0]["uid"] = uid
    return body


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_a_snapshot_holds_what_the_relay_needs_and_no_more(scene: Scene) -> None:
    for one in (alias("sales", "one"), alias("other", "two")):
        scene.cache.put(one)
    resources = (await scene.gathered()).snapshot.resources
    assert [one.metadata.name for one in resources.relays] == ["one"]
    assert [one.metadata.name for one in resources.providers] == ["main"]
    assert [one.metadata.name for one in resources.aliases] == ["sales"]
    assert [one.metadata.name for one in resources.secrets] == ["account"]


async def test_others_that_share_a_provider_s_quotas_are_counted_and_only_then(scene: Scene) -> None:
    assert (await scene.gathered()).snapshot.live.others == {}
    limited = provider("main", "account", version=2)
    limited["metadata"]["generation"] = 2
    limited["spec"]["quotas"] = [{"period": "Day", "limit": 100}]
    scene.cache.put(limited)
    two = relay("two", "main", version=2)
    two["metadata"]["generation"] = 2
    two["spec"]["replicas"] = 3
    scene.cache.put(two)
    live = (await scene.gathered()).snapshot.live
    assert (live.others, live.counted) == ({"main": (3,)}, frozenset())
    limited["metadata"]["resourceVersion"] = "3"
    limited["status"] = {"observedGeneration": 1, "quotas": [{"period": "Day", "used": 7, "limit": 100}]}
    scene.cache.put(limited)
    assert (await scene.gathered()).snapshot.live.counted == {"main"}


async def test_there_is_nothing_to_gather_of_a_relay_that_is_gone_or_going(scene: Scene) -> None:
    going = relay("one", "main", version=2)
    going["metadata"]["deletionTimestamp"] = "2026-11-21T14:00:00Z"
    scene.cache.put(going)
    assert await scene.gather() is None
    scene.cache.remove(going)
    assert await scene.gather() is None


async def test_nothing_is_decided_on_half_a_world(scene: Scene) -> None:
    scene.server.failure = Refused(Refusal.UNAVAILABLE, "down")
    assert await scene.gather() == scene.server.failure


async def test_a_secret_that_may_not_be_read_is_told_and_stops_nothing(scene: Scene) -> None:
    scene.server.forbidden.add("account")
    (obstacle,) = (await scene.gathered()).obstacles
    assert (obstacle.reason, obstacle.object) == ("Forbidden", f"Secret {NAMESPACE}/account")
    assert obstacle.remedy


@pytest.mark.parametrize(("urgent", "age"), [(True, FRESH), (False, KEPT)])
async def test_credentials_are_read_anew_sooner_while_they_are_in_doubt(scene: Scene, urgent: bool, age: float) -> None:
    await scene.gathered(LastPass(urgent=urgent))
    scene.server.put(secret("account", 2, password="bmV3"))
    scene.now += age - 1
    assert (await scene.gathered(LastPass(urgent=urgent))).snapshot.resources.secrets[0].value("password") == b"old"
    scene.now += 1
    assert (await scene.gathered(LastPass(urgent=urgent))).snapshot.resources.secrets[0].value("password") == b"new"


async def test_the_assembled_secret_is_read_and_remembered_for_a_minute(scene: Scene) -> None:
    scene.server.put(assembled())
    first = await scene.gathered()
    assert first.token == "token-of-the-relay"
    assert first.snapshot.existing["api.token"] == b"token-of-the-relay"
    reads = scene.server.reads["Secret"]
    scene.now += 1
    await scene.gathered()
    assert scene.server.reads["Secret"] == reads
    del scene.server.objects["Secret", NAMESPACE, "one-mailhaul"]
    scene.now += KEPT
    gone = await scene.gathered()
    assert gone.snapshot.existing == {}
    assert scene.cache.get("Secret", NAMESPACE, "one-mailhaul") is None


async def test_a_secret_of_another_under_our_name_is_no_source(scene: Scene) -> None:
    scene.server.put(assembled(uid="somebody"))
    found = await scene.gathered()
    assert (found.snapshot.existing, found.token) == ({}, "")


async def test_token_and_credentials_are_not_shown(scene: Scene) -> None:
    scene.server.put(assembled())
    assert "token-of-the-relay" not in repr(await scene.gathered())


async def test_labels_of_namespaces_are_read_only_for_a_selector(scene: Scene) -> None:
    labels = {"name": "shop", "labels": {"mail": "yes"}}
    scene.server.put({"apiVersion": "v1", "kind": "Namespace", "metadata": labels})
    scene.cache.put(alias("sales", "one", namespace="shop"))
    assert (await scene.gathered()).snapshot.resources.namespaces == ()
    consent = {"from": "Selector", "selector": {"matchLabels": {"mail": "yes"}}}
    spec = {"aliases": {"domains": [{"name": "example.com", "namespaces": consent}]}}
    changed = relay("one", "main", version=2, spec=spec)
    changed["metadata"]["generation"] = 2
    scene.cache.put(changed)
    (namespace,) = (await scene.gathered()).snapshot.resources.namespaces
    assert namespace.metadata.labels["mail"] == "yes"
    await scene.gathered()
    assert scene.server.reads["Namespace"] == 1


def _with_consent_by_label(scene: Scene) -> None:
    """An alias of another namespace, which has consent by that namespace's label."""
    labels = {"name": "shop", "labels": {"mail": "yes"}}
    scene.server.put({"apiVersion": "v1", "kind": "Namespace", "metadata": labels})
    scene.cache.put(alias("sales", "one", namespace="shop"))
    consent = {"from": "Selector", "selector": {"matchLabels": {"mail": "yes"}}}
    spec = {"aliases": {"domains": [{"name": "example.com", "namespaces": consent}]}}
    changed = relay("one", "main", version=2, spec=spec)
    changed["metadata"]["generation"] = 2
    scene.cache.put(changed)


async def test_no_alias_loses_consent_because_a_namespace_could_not_be_asked_for(scene: Scene) -> None:
    _with_consent_by_label(scene)
    read, down = scene.server.get, Refused(Refusal.TIMEOUT, "the API server gave no answer in 15 s")

    async def without_namespaces(kind: Kind, namespace: str, name: str) -> Body | Refused:
        return down if kind.kind == "Namespace" else await read(kind, namespace, name)

    scene.server.get = without_namespaces  # type: ignore[method-assign]
    assert await scene.gather() == down
    scene.server.get = read  # type: ignore[method-assign]
    assert (await scene.gathered()).snapshot.resources.namespaces


@pytest.mark.parametrize("refusal", [Refusal.FORBIDDEN, Refusal.TIMEOUT])
async def test_consent_that_was_read_stands_while_its_namespace_cannot_be_read(scene: Scene, refusal: Refusal) -> None:
    _with_consent_by_label(scene)
    await scene.gathered()
    scene.now += KEPT
    read = scene.server.get

    async def without_namespaces(kind: Kind, namespace: str, name: str) -> Body | Refused:
        return Refused(refusal, "no") if kind.kind == "Namespace" else await read(kind, namespace, name)

    scene.server.get = without_namespaces  # type: ignore[method-assign]
    (namespace,) = (await scene.gathered()).snapshot.resources.namespaces
    assert namespace.metadata.labels["mail"] == "yes"
    scene.server.get = read  # type: ignore[method-assign]
    del scene.server.objects["Namespace", "", "shop"]
    scene.now += KEPT
    assert (await scene.gathered()).snapshot.resources.namespaces == ()


async def test_what_runs_is_read_from_the_relays_own_workload(scene: Scene) -> None:
    template = {"spec": {"containers": [{"name": "relay", "image": "relay:2"}]}}
    workload = made("StatefulSet", "one", "one", spec={"replicas": 2, "template": template})
    scene.cache.put(workload)
    last = LastPass(holding=frozenset({1}), proved=frozenset({"main"}))
    live = (await scene.gathered(last)).snapshot.live
    assert (live.image, live.replicas, live.holding, live.proved) == ("relay:2", 2, last.holding, last.proved)
    scene.cache.remove(workload)
    workload["metadata"]["ownerReferences"] = []
    scene.cache.put(workload)
    assert not (await scene.gathered()).workload.exists


async def test_replica_sets_are_asked_for_once_a_revision(scene: Scene) -> None:
    def at(revision: str, version: int) -> Body:
        body = made("Deployment", "one", "one", version, spec={"replicas": 1, "template": {}})
        body["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": revision}
        return body

    replicas = made("ReplicaSet", "one-aaa", "one")
    replicas["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "1"}
    replicas["metadata"]["labels"]["pod-template-hash"] = "aaa"
    replicas["metadata"]["ownerReferences"] = [{"uid": "Deployment-one", "controller": True}]
    scene.server.put(replicas)
    for body, reads in ((at("1", 1), 1), (at("1", 2), 1), (at("2", 3), 2), (at("2", 4), 3)):
        scene.cache.put(body)
        await scene.gathered()
        assert scene.server.reads["ReplicaSet"] == reads
