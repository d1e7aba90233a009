"""The CRDs in a real API server: structural, and as people and controllers use them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.cluster import Cluster
from tests.support.repository import REPOSITORY

from mailhaul_operator.api.definitions import DEFINITIONS, Definition
from mailhaul_operator.manifests.kinds import OWN
from mailhaul_operator.manifests.yaml_tree import documents

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("definitions")]

ACCEPTED = sorted((REPOSITORY / "tests" / "golden" / "accepted").glob("*.yaml"))
RELAY: dict[str, Any] = {
    "apiVersion": "mailhaul.dev/v1alpha1",
    "kind": "SmtpRelay",
    "spec": {"upstreams": [{"providerRef": {"name": "mailtrap"}}]},
}


def _create(cluster: Cluster, namespace: str, document: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    text = json.dumps(document)
    return json.loads(cluster.ask("create", "-n", namespace, "-f", "-", "-o", "json", stdin=text))


def _relay(cluster: Cluster, namespace: str, name: str) -> Any:  # noqa: ANN401 - any JSON value
    return _create(cluster, namespace, {**RELAY, "metadata": {"name": name}})


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _report(cluster: Cluster, namespace: str, resource: str, status: dict[str, Any]) -> None:
    patch = json.dumps({"status": status})
    cluster.ask("patch", resource, "-n", namespace, "--subresource=status", "--type=merge", "-p", patch)


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda one: one.kind)
def test_a_crd_is_established_and_structural(cluster: Cluster, definition: Definition) -> None:
    crd = cluster.get("crd", f"{definition.plural}.mailhaul.dev")
    conditions = {one["type"]: one["status"] for one in crd["status"]["conditions"]}
    assert conditions["Established"] == "True"
    assert conditions["NamesAccepted"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"


@pytest.mark.parametrize("path", ACCEPTED, ids=lambda one: one.stem)
def test_a_good_manifest_is_accepted_with_the_defaults_that_the_models_have(
    cluster: Cluster, namespace: str, path: Path
) -> None:
    (document,) = documents(path.read_text())
    stored = _create(cluster, namespace, document.value)
    model = OWN[document.value["kind"]]
    told, kept = model.from_json(document.value), model.from_json(stored)
    assert vars(told)["spec"] == vars(kept)["spec"]


def test_defaults_are_written_into_the_stored_object(cluster: Cluster, namespace: str) -> None:
    spec = _relay(cluster, namespace, "defaults")["spec"]
    listener = {"name": "smtp", "port": 25, "auth": {"mode": "None"}, "lineEndings": "Strict"}
    assert spec["listeners"] == [{**listener, "tls": {"mode": "None", "required": False}}]
    assert spec["queue"]["retry"] == {"initial": "1m", "max": "1h"}
    assert spec["limits"]["messageSize"] == "25Mi"
    assert spec["queue"]["mode"] == "Persistent"
    assert spec["queue"]["storage"] == {"size": "2Gi", "whenDeleted": "Retain"}
    assert spec["service"] == {"type": "ClusterIP", "externalTrafficPolicy": "Local", "annotations": {}}
    assert spec["resources"] == {"requests": {}, "limits": {}}
    assert spec["replicas"] == 1
    assert "allowedNetworks" not in spec["clients"]


def test_columns_tell_whether_mail_leaves_and_why_not(cluster: Cluster, namespace: str) -> None:
    _relay(cluster, namespace, "columns")
    ready = {
        "type": "Ready",
        "status": "False",
        "reason": "CredentialsRefused",
        "message": "correct the password",
        "lastTransitionTime": _now(),
    }
    status = {"conditions": [ready], "queue": {"waiting": 94, "held": 94}, "upstream": "mailtrap"}
    _report(cluster, namespace, "relay/columns", {**status, "delivered": {"total": 3}})
    header, row = cluster.ask("get", "smtprelays", "columns", "-n", namespace).splitlines()
    assert header.split() == ["NAME", "READY", "REASON", "UPSTREAM", "QUEUED", "DELIVERED", "AGE", "MESSAGE"]
    assert row.split()[:6] == ["columns", "False", "CredentialsRefused", "mailtrap", "94", "3"]
    assert row.endswith("correct the password")
    assert "DEAD" in cluster.ask("get", "relay", "columns", "-n", namespace, "-o", "wide")


def test_all_kinds_are_in_the_category_mail_and_have_short_names(cluster: Cluster, namespace: str) -> None:
    _relay(cluster, namespace, "listed")
    assert "smtprelay.mailhaul.dev/listed" in cluster.ask("get", "mail", "-n", namespace, "-o", "name")
    for definition in DEFINITIONS:
        for short in definition.short:
            cluster.ask("get", short, "-n", namespace)


def test_a_relay_scales_by_its_subresource(cluster: Cluster, namespace: str) -> None:
    _relay(cluster, namespace, "scaled")
    cluster.ask("scale", "smtprelay/scaled", "--replicas=3", "-n", namespace)
    assert cluster.get("relay", "scaled", "-n", namespace)["spec"]["replicas"] == 3
    _report(cluster, namespace, "relay/scaled", {"replicas": 3, "selector": "mailhaul.dev/relay=scaled"})
    path = f"/apis/mailhaul.dev/v1alpha1/namespaces/{namespace}/smtprelays/scaled/scale"
    scale = json.loads(cluster.ask("get", "--raw", path))
    assert scale["status"] == {"replicas": 3, "selector": "mailhaul.dev/relay=scaled"}


def test_aliases_are_found_by_their_relay_and_providers_by_their_type(cluster: Cluster, namespace: str) -> None:
    for name, relay in (("one", "smtp-relay"), ("two", "other")):
        spec = {
            "relayRef": {"name": relay},
            "addresses": [{"value": f"{name}@example.com"}],
            "destinations": [{"name": "a", "mailbox": {"address": "a@example.net"}}],
        }
        metadata = {"name": f"found-{name}"}
        alias = {"apiVersion": "mailhaul.dev/v1alpha1", "kind": "MailAlias", "metadata": metadata, "spec": spec}
        _create(cluster, namespace, alias)
    found = cluster.ask("get", "alias", "-n", namespace, "-o", "name", "--field-selector", "spec.relayRef.name=other")
    assert found.split() == ["mailalias.mailhaul.dev/found-two"]
    cluster.ask("get", "upstream", "-A", "--field-selector", "spec.type=capture")


def test_conditions_merge_by_their_type(cluster: Cluster, namespace: str) -> None:
    _relay(cluster, namespace, "merged")
    for kind, owner in (("Ready", "first"), ("Delivering", "second")):
        condition = {"type": kind, "status": "True", "reason": "Proved", "lastTransitionTime": _now(), "message": ""}
        body = {**RELAY, "metadata": {"name": "merged"}, "status": {"conditions": [condition]}}
        arguments = ("apply", "--server-side", "--subresource=status", f"--field-manager={owner}", "-n", namespace)
        cluster.ask(*arguments, "-f", "-", stdin=json.dumps({key: body[key] for key in body if key != "spec"}))
    conditions = cluster.get("relay", "merged", "-n", namespace)["status"]["conditions"]
    assert {one["type"] for one in conditions} == {"Ready", "Delivering"}


def test_explain_tells_what_a_field_means(cluster: Cluster) -> None:
    told = cluster.ask("explain", "smtprelay.spec.clients.allowedNetworks")
    assert "an empty list trusts nobody" in " ".join(told.split())


def _patched(cluster: Cluster, namespace: str, name: str, spec: dict[str, Any]) -> None:
    patch = json.dumps({"spec": spec})
    cluster.ask("patch", "relay", name, "-n", namespace, "--type=merge", "-p", patch)


def test_an_ephemeral_queue_may_become_persistent_with_any_storage(cluster: Cluster, namespace: str) -> None:
    spec = {**RELAY["spec"], "queue": {"mode": "Ephemeral"}}
    _create(cluster, namespace, {**RELAY, "metadata": {"name": "tried-out"}, "spec": spec})
    storage = {"size": "1Gi", "storageClassName": "fast"}
    _patched(cluster, namespace, "tried-out", {"queue": {"mode": "Persistent", "storage": storage}})


def test_a_volume_may_grow_and_its_fate_may_change(cluster: Cluster, namespace: str) -> None:
    _relay(cluster, namespace, "growing")
    _patched(cluster, namespace, "growing", {"queue": {"storage": {"size": "3Gi", "whenDeleted": "Delete"}}})


def test_an_immutable_field_stays_through_a_removal_of_its_parent(cluster: Cluster, namespace: str) -> None:
    provider = {"type": "mailtrap", "auth": {"secretRef": {"name": "account"}}}
    metadata = {"name": "kept"}
    head = {"apiVersion": "mailhaul.dev/v1alpha1", "kind": "UpstreamProvider", "metadata": metadata}
    _create(cluster, namespace, {**head, "spec": provider})
    for patch in ('[{"op": "remove", "path": "/spec"}]', '[{"op": "remove", "path": "/spec/type"}]'):
        answer = cluster.kubectl("patch", "upstream", "kept", "-n", namespace, "--type=json", "-p", patch)
        assert answer.code != 0
        assert "Required value" in answer.err
