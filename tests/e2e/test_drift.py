"""Item 8: a child edited, deleted, stripped of its label or kept by a finalizer is repaired within 5 s, or told; what
others may set is left alone; `kubectl scale` and autoscalers speak to the relay, not to its workload. Secrets have a
module of their own.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.e2e import resources
from tests.support.e2e.stage import Mail, ProviderPod, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WITHIN = 5.0
RELAY = "smtprelay/relay"
PASSWORD = "drift-5e20"
EDITS: dict[str, tuple[str, dict[str, Any], str]] = {
    "ConfigMap": ("configmap/relay-mailhaul", {"data": {"relay.v1.json": "{}"}}, "{.data.relay\\.v1\\.json}"),
    "ConfigMap, a key more": ("configmap/relay-mailhaul", {"data": {"stranger": "1"}}, "{.data.stranger}"),
    "Service, its port": (
        "service/relay",
        {"spec": {"ports": [{"name": "smtp", "port": 2599, "targetPort": 2525}]}},
        "{.spec.ports[*].port}",
    ),
    "Service, its selector": ("service/relay", {"spec": {"selector": {"more": "x"}}}, "{.spec.selector}"),
    "StatefulSet, volumes go with it": (
        "statefulset/relay",
        {"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}},
        "{.spec.persistentVolumeClaimRetentionPolicy.whenDeleted}",
    ),
    "NetworkPolicy": ("networkpolicy/relay", {"spec": {"ingress": []}}, "{.spec.ingress}"),
    "ServiceAccount": (
        "serviceaccount/relay-mailhaul",
        {"automountServiceAccountToken": True},
        "{.automountServiceAccountToken}",
    ),
}
CHILDREN = (
    "configmap/relay-mailhaul",
    "service/relay",
    "service/relay-pods",
    "networkpolicy/relay",
    "serviceaccount/relay-mailhaul",
    "statefulset/relay",
)
LABEL = "app.kubernetes.io/managed-by"


@pytest.fixture(scope="module")
def provider(stage: Stage) -> Iterator[ProviderPod]:
    """A relay that delivers."""
    stage.app()
    made = stage.provider("provider", auth=(resources.USER, PASSWORD))
    stage.apply(resources.secret("credential", PASSWORD))
    stage.apply(resources.provider("provider", made.host, secret="credential"), resources.relay(["provider"]))
    stage.wait_condition(RELAY, "Ready", "True")
    yield made
    assert stage.accepted(Mail("at the end")) == ["at the end 0"]
    stage.until(lambda: "at the end 0" in made.subjects(), 20)


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize("case", EDITS)
def test_an_edited_child_is_repaired(stage: Stage, case: str) -> None:
    what, patch, path = EDITS[case]
    before = _value(stage, what, path)
    stage.ask("patch", what, "--type=merge", "-p", json.dumps(patch))
    took = stage.until(lambda: _value(stage, what, path) == before, WITHIN, lambda: _value(stage, what, path))
    print(f"{case}: {took:.1f} s")


@pytest.mark.usefixtures("provider")
def test_replicas_that_were_added_to_the_workload_go_when_they_are_known_to_be_empty(stage: Stage) -> None:
    stage.ask("scale", "statefulset/relay", "--replicas=2")
    took = stage.until(lambda: _value(stage, "statefulset/relay", "{.spec.replicas}") == "1", 30)
    print(f"StatefulSet, a replica more: {took:.1f} s")


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize("what", CHILDREN)
def test_a_deleted_child_is_made_again(stage: Stage, what: str) -> None:
    before = _value(stage, what, "{.metadata.uid}")
    stage.ask("delete", what, "--wait=false")
    took = stage.until(lambda: _value(stage, what, "{.metadata.uid}") not in {"", before}, WITHIN)
    print(f"{what}: {took:.1f} s")
    stage.wait_condition(RELAY, "ConfigApplied", "True")


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize("what", CHILDREN)
def test_a_stripped_label_is_put_back(stage: Stage, what: str) -> None:
    path = "{.metadata.labels.app\\.kubernetes\\.io/managed-by}"
    stage.ask("label", what, f"{LABEL}-", "mailhaul.dev/relay-")
    took = stage.until(lambda: _value(stage, what, path) == "mailhaul", WITHIN, lambda: _value(stage, what, path))
    print(f"{what}: {took:.1f} s")


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize("label", [LABEL, "mailhaul.dev/relay"])
def test_a_pod_without_its_label_is_mended_or_told(stage: Stage, label: str) -> None:
    """Its controller lets go of it and cannot make another of the name; the Service leads nowhere."""
    stage.ask("label", "pod/relay-0", f"{label}-")
    path = f"{{.metadata.labels.{label.replace('.', chr(92) + '.')}}}"

    def is_so() -> bool:
        said = " ".join(one["message"] for one in stage.get(RELAY)["status"]["conditions"])
        return _value(stage, "pod/relay-0", path) != "" or label in said

    try:
        took = stage.until(is_so, 15, lambda: json.dumps(stage.get(RELAY)["status"]["conditions"], indent=1))
        print(f"pod without {label}: {took:.1f} s")
    finally:
        owner = {"app.kubernetes.io/managed-by": "mailhaul", "mailhaul.dev/relay": "relay"}[label]
        stage.ask("label", "--overwrite", "pod/relay-0", f"{label}={owner}")
        stage.wait_condition(RELAY, "Ready", "True")
        stage.wait_condition(RELAY, "ConfigApplied", "True")


@pytest.mark.usefixtures("provider")
def test_a_finalizer_that_keeps_a_deleted_child_is_told(stage: Stage) -> None:
    stage.ask("patch", "service/relay-pods", "--type=merge", "-p", '{"metadata":{"finalizers":["example.com/hold"]}}')
    stage.ask("delete", "service/relay-pods", "--wait=false")
    try:
        took = stage.until(lambda: "example.com/hold" in _told(stage), WITHIN, lambda: _told(stage))
        print(f"told after {took:.1f} s:\n{_told(stage)}")
        assert "TerminationBlocked" in _told(stage)
    finally:
        stage.ask("patch", "service/relay-pods", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    took = stage.until(lambda: _value(stage, "service/relay-pods", "{.metadata.deletionTimestamp}") == "", WITHIN)
    stage.until(lambda: "example.com/hold" not in _told(stage), WITHIN, lambda: _told(stage))


@pytest.mark.usefixtures("provider")
def test_a_child_that_lost_its_owner_is_told_and_taken_back_by_the_remedy(stage: Stage) -> None:
    stage.ask("patch", "service/relay-pods", "--type=merge", "-p", '{"metadata":{"ownerReferences":null}}')
    took = stage.until(lambda: "NameTaken" in _told(stage), WITHIN, lambda: _told(stage))
    print(f"told after {took:.1f} s:\n{_told(stage)}")
    assert "mailhaul.dev/adopt=relay" in _told(stage)
    stage.ask("annotate", "service/relay-pods", "mailhaul.dev/adopt=relay")
    stage.until(lambda: _value(stage, "service/relay-pods", "{.metadata.ownerReferences[0].name}") == "relay", WITHIN)
    stage.until(lambda: "NameTaken" not in _told(stage), WITHIN, lambda: _told(stage))


@pytest.mark.usefixtures("provider")
def test_labels_and_annotations_of_others_stay(stage: Stage) -> None:
    marks = {"labels": {"others.example.com/team": "mail"}, "annotations": {"others.example.com/note": "kept"}}
    for what in CHILDREN:
        stage.ask("patch", what, "--type=merge", "--field-manager=others", "-p", json.dumps({"metadata": marks}))
    stage.ask("patch", RELAY, "--type=merge", "-p", '{"spec":{"limits":{"recipients":77}}}')
    stage.until(lambda: "77" in _value(stage, "configmap/relay-mailhaul", "{.data.relay\\.v1\\.json}"), WITHIN)
    time.sleep(2)
    for what in CHILDREN:
        assert _value(stage, what, "{.metadata.labels.others\\.example\\.com/team}") == "mail", what
        assert _value(stage, what, "{.metadata.annotations.others\\.example\\.com/note}") == "kept", what


def test_kubectl_scale_speaks_to_the_relay(stage: Stage, provider: ProviderPod) -> None:
    """The scale subresource is what an autoscaler sets, and whose selector it counts pods by."""
    stage.ask("scale", RELAY, "--replicas=2")
    took = stage.until(lambda: _value(stage, RELAY, "{.status.readyReplicas}") == "2", 40)
    print(f"two replicas ready {took:.1f} s after `kubectl scale`")
    scale = json.loads(
        stage.ask("get", "--raw", f"/apis/mailhaul.dev/v1alpha1/namespaces/{stage.namespace}/smtprelays/relay/scale")
    )
    assert scale["spec"]["replicas"] == scale["status"]["replicas"] == 2
    pods = json.loads(stage.ask("get", "pods", "-l", scale["status"]["selector"], "-o", "json"))["items"]
    assert sorted(one["metadata"]["name"] for one in pods) == ["relay-0", "relay-1"]
    stage.ask("scale", RELAY, "--replicas=1")
    took = stage.until(lambda: _value(stage, RELAY, "{.status.replicas}") == "1", 40)
    print(f"one replica {took:.1f} s after the way back")


def _value(stage: Stage, what: str, path: str) -> str:
    return stage.kubectl("get", what, "-o", f"jsonpath={path}").out


def _told(stage: Stage) -> str:
    return "\n".join(
        f"{one['type']} {one['reason']}: {one['message']}" for one in stage.get(RELAY)["status"]["conditions"]
    )
