"""Pods and workloads as the API server shows them, as values."""

from typing import Any

import pytest
from tests.support.cluster_objects import NAMESPACE, made

from mailhaul_operator.observe.workload import image_of, newest_hash, pod_views, replicas_left, workload_view
from mailhaul_operator.wire.kinds import Body


def stateful_set(**status: Any) -> Body:  # noqa: ANN401 - members of a status
    template = {"spec": {"containers": [{"name": "relay", "image": "relay:2"}]}}
    body = made("StatefulSet", "one", "one", spec={"replicas": 2, "template": template}, status=status)
    body["metadata"]["generation"] = 4
    return body


def pod(name: str, controller: dict[str, Any] | None = None, status: dict[str, Any] | None = None) -> Body:
    body = made("Pod", name, "one", status=status or {})
    body["metadata"]["labels"]["controller-revision-hash"] = "one-new"
    body["metadata"]["creationTimestamp"] = "2026-11-21T14:00:00Z"
    holder = {"kind": "StatefulSet", "name": "one"} if controller is None else controller
    body["metadata"]["ownerReferences"] = [{**holder, "controller": True}] if holder else []
    return body


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - members of a status
    state = {"waiting": {"reason": reason, "message": message}}
    return {"containerStatuses": [{"name": "relay", "state": state, **more}]}


def test_a_workload_that_is_not_there_has_no_numbers() -> None:
    assert not workload_view(None).exists
    assert image_of(None) == ""
    assert pod_views(None, [pod("one-0")]) == ()


@pytest.mark.parametrize(("observed", "expected"), [(3, False), (4, True)])
def test_a_workload_is_observed_when_its_controller_has_seen_it(observed: int, expected: bool) -> None:
    view = workload_view(stateful_set(observedGeneration=observed, readyReplicas=1, replicas=2))
    assert (view.wanted, view.replicas, view.ready, view.observed) == (2, 2, 1, expected)
    assert image_of(stateful_set()) == "relay:2"


def test_pods_that_were_left_tell_how_many_replicas_there_were() -> None:
    names = ["one-0", "one-2", "one-x", "other-7", "one-7f9-abcde", "one-99999999999", "one-"]
    assert replicas_left("one", [pod(name) for name in names]) == 3
    assert replicas_left("one", []) == 0


def test_pods_are_in_the_order_of_their_ordinals() -> None:
    views = pod_views(stateful_set(updateRevision="one-new"), [pod("one-10"), pod("one-2")])
    assert [one.ordinal for one in views] == [2, 10]
    assert all(one.current for one in views)


@pytest.mark.parametrize("revision", ["one-old", None])
def test_a_pod_of_another_revision_is_not_current(revision: str | None) -> None:
    (view,) = pod_views(stateful_set(updateRevision=revision), [pod("one-0")])
    assert not view.current


@pytest.mark.parametrize(
    ("name", "controller", "counted"),
    [
        ("one-0", {"kind": "StatefulSet", "name": "one"}, True),
        ("one-0", {}, True),
        ("debug", {}, False),
        ("one-x", {}, False),
        ("one-0", {"kind": "StatefulSet", "name": "other"}, False),
        ("one-0", {"kind": "Job", "name": "one"}, False),
    ],
)
def test_only_the_workloads_own_pods_get_its_token(name: str, controller: dict[str, Any], counted: bool) -> None:
    assert len(pod_views(stateful_set(), [pod(name, controller)])) == counted


def test_pods_of_a_deployment_are_current_by_the_hash_of_its_newest_replica_set() -> None:
    deployment = made("Deployment", "one", "one")
    deployment["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "7"}
    sets = []
    for revision, hashed in (("6", "aaa"), ("7", "bbb")):
        one = made("ReplicaSet", f"one-{hashed}", "one")
        one["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": revision}
        one["metadata"]["labels"]["pod-template-hash"] = hashed
        one["metadata"]["ownerReferences"] = [{"uid": "Deployment-one", "controller": True}]
        sets.append(one)
    newest = newest_hash(deployment, sets)
    assert newest == "bbb"
    pods = []
    for hashed in ("aaa", "bbb"):
        one = pod(f"one-{hashed}-x", {"kind": "ReplicaSet", "name": f"one-{hashed}"})
        one["metadata"]["labels"]["pod-template-hash"] = hashed
        pods.append(one)
    assert [(one.current, one.ordinal) for one in pod_views(deployment, pods, newest)] == [(False, None), (True, None)]
    assert not any(one.current for one in pod_views(deployment, pods, ""))


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        ({"containerStatuses": [{"name": "relay", "state": {"running": {}}}]}, ""),
        (waiting("ContainerCreating"), ""),
        (waiting("ErrImagePull", "no such image"), "ErrImagePull: no such image"),
        (
            waiting("CrashLoopBackOff", lastState={"terminated": {"reason": "OOMKilled", "exitCode": 137}}),
            "CrashLoopBackOff; OOMKilled (exit code 137)",
        ),
        ({"phase": "Failed", "reason": "Evicted", "message": "disk"}, "Evicted: disk"),
        (
            {
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no cpu"}
                ]
            },
            "Unschedulable: no cpu",
        ),
        ({}, ""),
    ],
)
def test_trouble_is_why_a_container_does_not_run(status: dict[str, Any], trouble: str) -> None:
    (view,) = pod_views(stateful_set(), [pod("one-0", status=status)])
    assert view.trouble == trouble
    assert view.created == 1795269600
    assert not view.ready
    assert NAMESPACE


def test_a_sidecar_before_the_relay_hides_nothing_of_it() -> None:
    proxy = {"name": "istio-proxy", "state": {"running": {}}, "restartCount": 0}
    crashing = waiting("CrashLoopBackOff", restartCount=7)["containerStatuses"]
    (view,) = pod_views(stateful_set(), [pod("one-0", status={"containerStatuses": [proxy, *crashing]})])
    assert (view.trouble, view.restarts) == ("CrashLoopBackOff", 7)
    template = {
        "spec": {"containers": [{"name": "istio-proxy", "image": "proxy:1"}, {"name": "relay", "image": "r:2"}]}
    }
    assert image_of(made("StatefulSet", "one", "one", spec={"template": template})) == "r:2"
