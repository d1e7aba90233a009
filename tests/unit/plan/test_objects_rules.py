"""What the objects of a relay promise, whatever the case: owner, labels, order, and what restarts a pod."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.golden.plan_objects.cases import CASES, manifests, snapshot

from mailhaul_contract.names import SECRET_REVISION, secret_previous_password
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.plan.marking import marked_secret
from mailhaul_operator.plan.naming import SPEC
from mailhaul_operator.plan.objects import objects
from mailhaul_operator.plan.relay_config import plan
from mailhaul_operator.plan.snapshot import Live, Manifest, Snapshot

WORKLOADS = ("StatefulSet", "Deployment")
SMALLEST = "01-smallest"


def made(world: Snapshot) -> tuple[Manifest, ...]:
    return objects(world, plan(world))


def one_of(kind: str, found: tuple[Manifest, ...]) -> Any:  # noqa: ANN401 - an object of Kubernetes
    (found_one,) = (one for one in found if one["kind"] == kind)
    return found_one


def with_spec(world: Snapshot, **fields: Mapping[str, Any] | list[Any] | int) -> Snapshot:
    """The world with other fields in the relay's spec, as a user writes them."""
    relay = world.relay.model_dump(mode="json", by_alias=True, exclude_unset=True)
    metadata = {**relay["metadata"], "uid": world.relay.metadata.uid}
    return replace(
        world, relay=SmtpRelay.from_json({**relay, "metadata": metadata, "spec": {**relay["spec"], **fields}})
    )


@pytest.mark.parametrize("case", CASES)
def test_every_object_is_owned_and_labelled_and_marked(case: str) -> None:
    for one in manifests(case):
        metadata = one["metadata"]
        (owner,) = metadata["ownerReferences"]
        assert (owner["controller"], owner["blockOwnerDeletion"]) == (True, False)
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "mailhaul"
        assert metadata["annotations"][SPEC]


@pytest.mark.parametrize("case", CASES)
def test_what_a_pod_needs_is_applied_before_the_workload(case: str) -> None:
    kinds = [one["kind"] for one in manifests(case)]
    assert kinds[-1] in WORKLOADS
    assert kinds.index("ServiceAccount") < kinds.index("Secret") < kinds.index("ConfigMap")


@pytest.mark.parametrize("case", CASES)
def test_the_pods_are_restricted_and_their_root_is_read_only(case: str) -> None:
    pod = manifests(case)[-1]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not pod["automountServiceAccountToken"]
    grace = int(container["args"][container["args"].index("--grace") + 1])
    assert grace < pod["terminationGracePeriodSeconds"]


@pytest.mark.parametrize(
    "fields",
    [
        {"hostname": "other.example.com"},
        {"queue": {"expireAfter": "1h"}},
        {"limits": {"recipients": 7}},
        {"senders": {"domains": ["example.com"]}},
        {"service": {"annotations": {"a": "b"}}},
        {"clients": {"allowedNetworks": ["10.1.0.0/16"]}},
    ],
)
def test_a_change_of_the_configuration_restarts_no_pod(fields: dict[str, Any]) -> None:
    world = snapshot(SMALLEST)
    changed = with_spec(world, **fields)
    before, after = made(world), made(changed)
    assert before != after
    assert one_of("StatefulSet", before)["spec"]["template"] == one_of("StatefulSet", after)["spec"]["template"]


def test_a_user_s_metadata_is_not_copied() -> None:
    world = snapshot(SMALLEST)
    metadata = world.relay.metadata.model_copy(
        update={"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}, "annotations": {"argocd": "y"}}
    )
    labelled = replace(world, relay=world.relay.model_copy(update={"metadata": metadata}))
    assert made(labelled) == made(world)


def test_without_a_configuration_there_is_nothing_to_apply() -> None:
    world = snapshot("04-two-listeners")
    submission = [{"name": "s", "port": 587, "tls": {"mode": "StartTLS", "secretRef": {"name": "gone"}}}]
    assert made(with_spec(world, listeners=submission)) == ()


@pytest.mark.parametrize(
    ("wanted", "holding", "replicas"),
    [(1, (), 1), (1, (0,), 1), (1, (1,), 2), (1, (3, 1), 4), (3, (2,), 3), (0, (0,), 1), (0, (), 0)],
)
def test_a_replica_that_holds_mail_and_those_below_it_stay(
    wanted: int, holding: tuple[int, ...], replicas: int
) -> None:
    world = replace(snapshot(SMALLEST), live=Live(replicas=4, holding=frozenset(holding)))
    assert one_of("StatefulSet", made(with_spec(world, replicas=wanted)))["spec"]["replicas"] == replicas


def test_nobody_is_let_in_when_nobody_is_trusted_and_there_is_no_alias() -> None:
    """An empty `from` would mean everybody."""
    world = with_spec(snapshot(SMALLEST), clients={"allowedNetworks": []})
    ingress = one_of("NetworkPolicy", made(world))["spec"]["ingress"]
    assert [[port["port"] for port in one["ports"]] for one in ingress] == [[9090]]


def test_everybody_is_let_in_where_aliases_take_mail() -> None:
    ingress = one_of("NetworkPolicy", made(snapshot("04-two-listeners")))["spec"]["ingress"]
    assert ingress[0] == {"ports": [{"protocol": "TCP", "port": 2525}, {"protocol": "TCP", "port": 2587}]}


def test_a_closed_listener_keeps_its_port() -> None:
    """Its certificate is missing in this case; the port must not come and go with it, for that restarts pods."""
    container = one_of("StatefulSet", manifests("04-two-listeners"))["spec"]["template"]["spec"]["containers"][0]
    assert [one["containerPort"] for one in container["ports"]] == [2525, 2587, 9090]


def test_the_mark_of_the_secret_is_its_revision_and_its_keys_and_no_digest_of_a_value() -> None:
    manifest = one_of("Secret", manifests(SMALLEST))
    other = {**manifest, "data": {**manifest["data"], "provider.main.password": "b3RoZXI="}}
    keys = sorted(manifest["data"])
    mark = marked_secret(manifest, "r", keys)["metadata"]["annotations"][SPEC]
    assert mark.startswith("r.")
    assert marked_secret(other, "r", keys)["metadata"]["annotations"][SPEC] == mark
    more = [*keys, secret_previous_password("main")]
    assert marked_secret(manifest, "r", more)["metadata"]["annotations"][SPEC] != mark
    assert SECRET_REVISION in keys
