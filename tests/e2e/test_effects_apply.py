"""What the operator writes to a real API server, and what it leaves alone."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from tests.support.cluster import Cluster
from tests.support.effects_world import World, world

from mailhaul_operator.effects.api import Api
from mailhaul_operator.effects.prune import prune
from mailhaul_operator.wire.kinds import KINDS
from mailhaul_operator.wire.objects import Owner
from mailhaul_operator.wire.refused import Refusal, Refused

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("definitions")]
PATIENCE = 20.0
_names = iter(range(1000))


@pytest.fixture
async def relay(cluster: Cluster, namespace: str) -> AsyncIterator[World]:
    """A relay of the test's own, applied once."""
    async with world(cluster, namespace, f"relay-{next(_names)}") as made:
        await made.create()
        assert (await made.reconcile()).changed > 0
        yield made


async def eventually(attempt: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for what other programs of the cluster do."""
    deadline = time.monotonic() + PATIENCE
    while not await attempt():
        assert time.monotonic() < deadline, f"not within {PATIENCE:g} s: {what}"
        await asyncio.sleep(0.2)


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"queue": {"mode": "Ephemeral"}, "replicas": 2},
        {
            "replicas": 3,
            "service": {"type": "NodePort", "externalTrafficPolicy": "Local", "annotations": {"a": "b"}},
            "clients": {"allowedNetworks": ["10.0.0.0/8", "fd00::/8"]},
            "listeners": [{"name": "smtp", "port": 25}, {"name": "other", "port": 2626}],
            "queue": {"storage": {"size": "1024Mi", "whenDeleted": "Delete"}},
            "resources": {"requests": {"cpu": "0.1", "memory": "65536Ki"}, "limits": {"memory": "1024Mi"}},
            "podTemplate": {
                "tolerations": [{"key": "a", "operator": "Exists"}],
                "nodeSelector": {"kubernetes.io/os": "linux"},
                "annotations": {"example.com/a": "b"},
                "topologySpreadConstraints": [
                    {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
                ],
            },
        },
    ],
    ids=["smallest", "ephemeral", "much"],
)
async def test_a_second_pass_writes_nothing(cluster: Cluster, namespace: str, spec: dict[str, Any]) -> None:
    async with world(cluster, namespace, f"twice-{next(_names)}") as made:
        await made.create(**spec)
        first = await made.reconcile()
        assert first.complete, first
        before = made.api.writes
        second = await made.reconcile()
        assert (second.changed, second.complete) == (0, True)
        restarted = World(made.api, namespace, made.name)
        third = await restarted.reconcile()
        assert (third.changed, third.complete, made.api.writes) == (0, True, before)


@pytest.mark.parametrize(
    ("kind", "suffix", "patch"),
    [
        ("StatefulSet", "", {"spec": {"replicas": 3}}),
        ("Service", "", {"spec": {"selector": {"app": "other"}}}),
        ("ConfigMap", "-mailhaul", {"data": {"relay.v1.json": "{}"}}),
        ("ConfigMap", "-mailhaul", {"data": {"stranger": "x"}}),
        ("NetworkPolicy", "", {"spec": {"egress": [{}]}}),
        ("ServiceAccount", "-mailhaul", {"automountServiceAccountToken": True}),
        ("StatefulSet", "", {"metadata": {"annotations": {"mailhaul.dev/spec": "forged"}}}),
        ("Service", "", {"metadata": {"labels": {"mailhaul.dev/relay": None}}}),
    ],
)
async def test_drift_is_undone(relay: World, kind: str, suffix: str, patch: dict[str, Any]) -> None:
    before = await relay.get(kind, relay.name + suffix)
    drifted = await relay.patch(kind, patch, relay.name + suffix)
    assert drifted["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
    assert (await relay.reconcile()).changed == 1
    after = await relay.get(kind, relay.name + suffix)
    assert after.get("spec") == before.get("spec")
    assert after.get("data") == before.get("data")
    assert after["metadata"]["labels"] == before["metadata"]["labels"]
    assert after["metadata"]["annotations"] == before["metadata"]["annotations"]
    assert (await relay.reconcile()).changed == 0


async def test_an_object_that_was_deleted_or_lost_its_labels_is_made_good(relay: World) -> None:
    for body in (await relay.get("Service"), await relay.get("ConfigMap", f"{relay.name}-mailhaul")):
        await relay.api.delete(body)
    await relay.patch("NetworkPolicy", {"metadata": {"labels": None}})
    applied = await relay.reconcile()
    assert (applied.changed, applied.complete) == (3, True)
    assert (await relay.get("NetworkPolicy"))["metadata"]["labels"]["mailhaul.dev/relay"] == relay.name
    assert (await relay.reconcile()).changed == 0


async def test_drift_of_the_assembled_secret_is_seen_when_it_is_read_again(relay: World) -> None:
    name = f"{relay.name}-mailhaul"
    before = await relay.get("Secret", name)
    await relay.patch("Secret", {"data": {"api.token": "c3RvbGVu", "provider.main.password": None}}, name)
    restarted = World(relay.api, relay.namespace, relay.name)
    assert (await restarted.reconcile()).changed == 2  # with the configuration, which names the Secret's new revision
    after = await relay.get("Secret", name)
    assert after["data"]["provider.main.password"] == before["data"]["provider.main.password"]


async def test_fields_of_others_are_left_alone(relay: World) -> None:
    foreign = {"metadata": {"labels": {"team": "mail"}, "annotations": {"example.com/seen": "yes"}}}
    for kind in ("StatefulSet", "Service"):
        await relay.patch(kind, foreign)
    sidecar = {"name": "mesh", "image": "localhost/mesh:none"}
    template = (await relay.get("StatefulSet"))["spec"]["template"]["spec"]
    await relay.patch(
        "StatefulSet", {"spec": {"template": {"spec": {"containers": [*template["containers"], sidecar]}}}}
    )
    assert (await relay.reconcile()).changed == 0
    await relay.set({"replicas": 2})
    assert (await relay.reconcile()).changed == 2  # with a PodDisruptionBudget
    workload = await relay.get("StatefulSet")
    assert workload["metadata"]["labels"]["team"] == "mail"
    assert [one["name"] for one in workload["spec"]["template"]["spec"]["containers"]] == ["relay", "mesh"]


async def test_replicas_are_ours_whoever_sets_them(relay: World) -> None:
    patch = {"spec": {"replicas": 5}}
    answer = await relay.api.patch(KINDS["StatefulSet"], (relay.namespace, relay.name), patch, "scale")
    assert not isinstance(answer, Refused)
    assert (await relay.reconcile()).changed == 1
    assert (await relay.get("StatefulSet"))["spec"]["replicas"] == 1


async def test_an_object_of_another_is_never_applied_to(cluster: Cluster, namespace: str) -> None:
    async with world(cluster, namespace, f"taken-{next(_names)}") as made:
        spec = {"selector": {"app": "postfix"}, "ports": [{"port": 25}]}
        head = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": made.name, "namespace": namespace}}
        foreign = await made.api.create({**head, "spec": spec})
        assert not isinstance(foreign, Refused)
        await made.create()
        applied = await made.reconcile()
        assert [(one.reason, one.object) for one in applied.obstacles] == [
            ("NameTaken", f"Service {namespace}/{made.name}")
        ]
        assert f"mailhaul.dev/adopt={made.name}" in applied.obstacles[0].remedy
        assert await made.get("Service") == foreign
        await made.patch("Service", {"metadata": {"annotations": {"mailhaul.dev/adopt": made.name}}})
        assert (await made.reconcile()).complete
        adopted = await made.get("Service")
        assert adopted["spec"]["clusterIP"] == foreign["spec"]["clusterIP"]
        assert adopted["spec"]["selector"] == {"mailhaul.dev/relay": made.name}
        assert adopted["metadata"]["ownerReferences"][0]["name"] == made.name
        assert (await made.reconcile()).changed == 0


async def test_a_new_statefulset_takes_over_pods_and_volumes(relay: World) -> None:
    async def has_pod() -> bool:
        return len(await relay.listed("Pod", f"mailhaul.dev/relay={relay.name}")) == 1

    await eventually(has_pod, "a pod of the StatefulSet")
    (pod,) = await relay.listed("Pod", f"mailhaul.dev/relay={relay.name}")
    (claim,) = await relay.listed("PersistentVolumeClaim", f"mailhaul.dev/relay={relay.name}")
    old = await relay.get("StatefulSet")
    await relay.observe()
    owner = (await relay.gather()).owner
    desired = [dict(one) for one in await relay.desired()]
    workload = desired[-1]
    workload["spec"] = {**workload["spec"], "serviceName": f"{relay.name}-other"}

    async def is_new() -> bool:
        await relay.observe()
        applied = await relay.applier.apply([workload], owner)
        assert not applied.obstacles
        return not applied.waiting and (await relay.get("StatefulSet"))["metadata"]["uid"] != old["metadata"]["uid"]

    await eventually(is_new, "a new StatefulSet")
    uid = (await relay.get("StatefulSet"))["metadata"]["uid"]

    async def is_taken_over() -> bool:
        (found,) = await relay.listed("Pod", f"mailhaul.dev/relay={relay.name}")
        assert found["metadata"]["uid"] == pod["metadata"]["uid"]
        return [one["uid"] for one in found["metadata"].get("ownerReferences", ())] == [uid]

    await eventually(is_taken_over, "the pod under the new StatefulSet")
    (kept,) = await relay.listed("PersistentVolumeClaim", f"mailhaul.dev/relay={relay.name}")
    assert kept["metadata"]["uid"] == claim["metadata"]["uid"]
    await relay.observe()
    assert (await relay.applier.apply([workload], owner)).changed == 0


async def test_a_volume_that_cannot_grow_stops_nothing_else(relay: World) -> None:
    async def has_claim() -> bool:
        return bool(await relay.listed("PersistentVolumeClaim", f"mailhaul.dev/relay={relay.name}"))

    await eventually(has_claim, "a claim of the StatefulSet")
    before = await relay.get("StatefulSet")
    await relay.set({"queue": {"storage": {"size": "3Gi"}}, "podTemplate": {"annotations": {"example.com/a": "b"}}})
    applied = await relay.reconcile()
    assert [one.reason for one in applied.obstacles] == ["VolumeCannotGrow"]
    after = await relay.get("StatefulSet")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"]["template"]["metadata"]["annotations"] == {"example.com/a": "b"}
    assert (await relay.reconcile()).changed == 0


async def test_volumes_grow_where_their_class_allows_it(cluster: Cluster, namespace: str) -> None:
    async with world(cluster, namespace, f"grows-{next(_names)}") as made:
        (default,) = [one for one in await made.listed("StorageClass", "") if one["metadata"]["name"] == "standard"]
        name = f"growing-{namespace}"
        wanted = {"provisioner": default["provisioner"], "allowVolumeExpansion": True}
        head = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
        storage_class = await made.api.create({**head, **wanted})
        assert not isinstance(storage_class, Refused), storage_class
        try:
            await _grown(made, name)
        finally:
            await made.api.delete(storage_class)


async def _grown(made: World, storage_class: str) -> None:
    await made.create(queue={"storage": {"size": "1Gi", "storageClassName": storage_class}})
    await made.reconcile()

    async def is_bound() -> bool:
        claims = await made.listed("PersistentVolumeClaim", f"mailhaul.dev/relay={made.name}")
        return [one["status"]["phase"] for one in claims] == ["Bound"]

    await eventually(is_bound, "a bound claim")
    (pod,) = await made.listed("Pod", f"mailhaul.dev/relay={made.name}")
    await made.set({"queue": {"storage": {"size": "2Gi"}}})

    async def is_settled() -> bool:
        applied = await made.reconcile()
        assert not applied.obstacles, applied
        return not applied.changed and applied.complete

    await eventually(is_settled, "a StatefulSet with larger claims")
    (claim,) = await made.listed("PersistentVolumeClaim", f"mailhaul.dev/relay={made.name}")
    assert claim["spec"]["resources"]["requests"]["storage"] == "2Gi"
    (template,) = (await made.get("StatefulSet"))["spec"]["volumeClaimTemplates"]
    assert template["spec"]["resources"]["requests"]["storage"] == "2Gi"
    (kept,) = await made.listed("Pod", f"mailhaul.dev/relay={made.name}")
    assert kept["metadata"]["uid"] == pod["metadata"]["uid"]


async def test_what_is_wanted_no_more_is_pruned_and_nothing_else(relay: World) -> None:
    await relay.set({"replicas": 2})
    await relay.reconcile()
    await relay.get("PodDisruptionBudget")
    head = {"apiVersion": "v1", "kind": "ConfigMap"}
    labels = (await relay.get("Service"))["metadata"]["labels"]
    stranger = await relay.api.create(
        {**head, "metadata": {"name": f"{relay.name}-not-owned", "namespace": relay.namespace, "labels": labels}}
    )
    assert not isinstance(stranger, Refused)
    await relay.set({"replicas": 1, "networkPolicy": {"enabled": False}})
    await relay.reconcile()
    for kind in ("PodDisruptionBudget", "NetworkPolicy"):
        answer = await relay.api.get(KINDS[kind], relay.namespace, relay.name)
        assert isinstance(answer, Refused)
        assert answer.kind is Refusal.NOT_FOUND
    assert await relay.get("ConfigMap", f"{relay.name}-not-owned") == stranger
    assert (await relay.reconcile()).changed == 0


async def test_nothing_is_pruned_while_nothing_is_desired(relay: World) -> None:
    await relay.observe()
    owner = (await relay.gather()).owner
    assert await prune(relay.api, relay.cache, (), owner) == (0, ())


async def test_a_finalizer_that_keeps_a_deleted_object_is_told(relay: World) -> None:
    body = await relay.patch("Service", {"metadata": {"finalizers": ["example.com/hold"]}})
    await relay.api.delete(body)
    applied = await relay.reconcile()
    assert [one.reason for one in applied.obstacles] == ["TerminationBlocked"]
    assert "example.com/hold" in applied.obstacles[0].message
    await relay.patch("Service", {"metadata": {"finalizers": None}})
    assert (await relay.reconcile()).complete


async def test_what_the_api_server_refuses_is_told_in_its_words(relay: World) -> None:
    await relay.observe()
    owner = (await relay.gather()).owner
    desired = [dict(one) for one in await relay.desired()]
    service = next(one for one in desired if one["kind"] == "Service" and one["metadata"]["name"] == relay.name)
    service["spec"] = {**service["spec"], "ports": [{"port": 99999, "protocol": "TCP"}]}
    absent = {**service, "apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "spec": {}}
    applied = await relay.applier.apply([service, absent], owner)
    assert [one.reason for one in applied.obstacles] == ["Invalid", "KindNotServed"]
    assert "99999" in applied.obstacles[0].message


async def test_an_owner_of_another_time_is_waited_for(relay: World) -> None:
    await relay.observe()
    again = Owner("SmtpRelay", relay.namespace, relay.name, "00000000-0000-0000-0000-000000000000")
    applied = await relay.applier.apply(await relay.desired(), again)
    assert (applied.changed, applied.obstacles) == (0, [])
    assert applied.waiting > 0


async def test_a_frozen_server_is_a_value() -> None:
    from kubernetes.aio.client import ApiClient, Configuration
    from kubernetes.aio.dynamic import DynamicClient

    client = ApiClient(Configuration(host="http://127.0.0.1:9"))
    api = Api(client, DynamicClient(client))
    answer = await api.get(KINDS["ConfigMap"], "default", "any")
    await api.close()
    assert isinstance(answer, Refused)
    assert answer.passing
