"""What the models promise beyond refusing: networks in force, handles, references, updates, and silent secrets."""

import base64
from typing import Any

import pytest
from pydantic import ValidationError

from mailhaul_contract.refusals import refusals
from mailhaul_operator.api.client_networks import PRIVATE_NETWORKS
from mailhaul_operator.api.inputs import ConfigMap, Secret
from mailhaul_operator.api.mailalias import MailAlias
from mailhaul_operator.api.part import changes
from mailhaul_operator.api.resources import Resources
from mailhaul_operator.api.smtprelay import SmtpRelay

HEAD = {"apiVersion": "mailhaul.dev/v1alpha1", "metadata": {"name": "one", "namespace": "mail"}}


def _relay(**spec: Any) -> SmtpRelay:  # noqa: ANN401 - any JSON value
    spec.setdefault("upstreams", [{"providerRef": {"name": "mailtrap"}}])
    return SmtpRelay.from_json({**HEAD, "kind": "SmtpRelay", "spec": spec})


def _alias(**reference: str) -> MailAlias:
    spec = {
        "relayRef": reference,
        "addresses": [{"value": "a@example.com"}],
        "destinations": [{"name": "a", "mailbox": {"address": "a@example.net"}}],
    }
    return MailAlias.from_json({**HEAD, "kind": "MailAlias", "spec": spec})


def _secret(**fields: Any) -> Secret:  # noqa: ANN401 - any JSON value
    return Secret.from_json({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, **fields})


@pytest.mark.parametrize(
    ("spec", "remedy"),
    [
        ({"replicas": "2"}, "write a whole number, without quotes"),
        ({"replicas": True}, "write a whole number, without quotes"),
        ({"replicas": -1}, "use 0 or more"),
        ({"replicas": 101}, "use 100 or less"),
        ({"logging": {"redactAddresses": "on"}}, "write true or false, without quotes"),
        ({"hostname": 5}, "write text; in quotes when YAML takes it for something else"),
        ({"senders": {"domains": "example.com"}}, "write a list"),
        ({"senders": "example.com"}, "write fields with values"),
        ({"aliases": {"domains": ["example.com"]}}, "write fields with values"),
        ({"upstreams": [{"providerRef": {"name": "A b"}}]}, "use a-z, 0-9 and -, with a letter or digit at both ends"),
        ({"upstreams": [{"name": "A b", "providerRef": {"name": "a"}}]}, "write it as the pattern says"),
        ({"upstreams": [{"providerRef": {"name": "a" * 64}}]}, "use at most 63 characters"),
        ({"upstreams": [{"providerRef": {"name": ""}}]}, "use at least 1 characters"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_what_to_write(spec: dict[str, Any], remedy: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _relay(**spec)
    assert [one.remedy for one in refusals(caught.value)] == [remedy]


def test_absent_networks_mean_the_private_ones_and_an_empty_list_trusts_nobody() -> None:
    assert _relay().spec.clients.trusted_networks == PRIVATE_NETWORKS
    assert _relay(clients={"allowedNetworks": []}).spec.clients.trusted_networks == ()


def test_private_networks_hold_loopback_and_both_families() -> None:
    assert {"127.0.0.0/8", "::1/128", "10.0.0.0/8", "fc00::/7"} <= set(PRIVATE_NETWORKS)


def test_an_upstream_is_called_after_its_provider_unless_it_has_a_name() -> None:
    upstreams = [{"providerRef": {"name": "ses"}}, {"name": "backup", "providerRef": {"name": "mailtrap"}}]
    assert [one.handle for one in _relay(upstreams=upstreams).spec.upstreams] == ["ses", "backup"]


def test_equal_domains_in_different_writing_count_once() -> None:
    assert _relay(senders={"domains": ["Example.com", "example.com"]}).spec.senders.domains == ("example.com",)


def test_an_alias_belongs_to_a_relay_of_its_own_namespace_unless_it_says_otherwise() -> None:
    assert _alias(name="relay").relay == ("mail", "relay")
    assert _alias(name="relay", namespace="smtp").relay == ("smtp", "relay")


def test_an_update_of_other_fields_is_no_refused_change() -> None:
    assert changes(_relay(replicas=1), _relay(replicas=2)) == ()
    assert changes(_alias(name="relay"), _alias(name="relay")) == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"mode": "Ephemeral"}, {"mode": "Persistent", "storage": {"size": "1Gi", "storageClassName": "fast"}}),
        ({"storage": {"size": "2Gi"}}, {"storage": {"size": "2Gi", "whenDeleted": "Delete"}}),
        ({}, {"storage": {"size": "2148Mi"}}),
        ({"mode": "Ephemeral"}, {"mode": "Ephemeral", "expireAfter": "1h"}),
    ],
)
def test_an_ephemeral_queue_may_become_persistent_and_a_volume_may_grow(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert changes(_relay(queue=before), _relay(queue=after)) == ()


def test_pods_are_told_in_the_words_of_kubernetes() -> None:
    toleration = {"key": "mail", "operator": "Exists", "effect": "NoSchedule"}
    anti = {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname"}]}
    template = {"tolerations": [toleration], "affinity": {"podAntiAffinity": anti}, "labels": {"team": "mail"}}
    assert _relay(podTemplate=template).spec.pod_template.to_json() == template
    resources = {"requests": {"cpu": "250m", "ephemeral-storage": "1Gi"}, "limits": {"memory": "1536Mi"}}
    assert _relay(resources=resources).spec.resources.to_json() == resources


def test_a_service_is_exposed_unless_it_is_for_the_cluster_only() -> None:
    clients: dict[str, Any] = {"allowedNetworks": []}
    assert not _relay().spec.service.exposed
    assert _relay(service={"type": "NodePort"}, clients=clients).spec.service.exposed


def test_a_refused_change_names_its_field() -> None:
    (refusal,) = changes(_alias(name="relay"), _alias(name="other"))
    assert refusal.path == "spec.relayRef"


def test_a_secret_gives_its_values_and_string_data_wins() -> None:
    secret = _secret(data={"a": base64.b64encode(b"one").decode(), "b": "dHdv"}, stringData={"a": "three"})
    assert (secret.value("a"), secret.value("b"), secret.value("c")) == (b"three", b"two", None)
    assert secret.keys == ("a", "b")


def test_a_secret_is_not_seen_in_its_repr_nor_in_a_refusal() -> None:
    assert "hunter2" not in repr(_secret(stringData={"password": "hunter2"}))
    with pytest.raises(ValidationError) as caught:
        _secret(data={"password": "hunter2!"})
    (refusal,) = refusals(caught.value)
    assert refusal.path == "data.password"
    assert "hunter2" not in f"{refusal}{caught.value}"


def test_a_config_map_gives_text_and_binary_data_as_bytes() -> None:
    fields = {"data": {"a": "ä"}, "binaryData": {"b": "/w=="}}
    found = ConfigMap.from_json({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, **fields})
    assert (found.value("a"), found.value("b"), found.value("c")) == ("ä".encode(), b"\xff", None)
    assert found.keys == ("a", "b")


def test_what_kubernetes_keeps_in_metadata_is_no_unknown_field() -> None:
    metadata = {"name": "one", "managedFields": [], "resourceVersion": "1", "creationTimestamp": "2026-11-21T00:00:00Z"}
    relay = SmtpRelay.from_json({**_relay().to_json(), "metadata": metadata})
    assert relay.metadata.creation_timestamp is not None
    assert relay.metadata.key == ("default", "one")


def test_a_status_of_a_newer_operator_is_read() -> None:
    relay = SmtpRelay.from_json({**_relay().to_json(), "status": {"replicas": 1, "later": {"field": 1}}})
    assert relay.status is not None
    assert relay.status.replicas == 1


def test_resources_are_found_by_namespace_and_name() -> None:
    secret = _secret()
    resources = Resources(secrets=(secret,))
    assert resources.secret("default", "s") is secret
    assert resources.secret("other", "s") is None
    assert resources.provider("default", "s") is None


def test_a_null_member_counts_as_absent_as_in_the_api_server() -> None:
    relay = _relay(hostname=None, queue={"retry": None}, limits={"messageSize": None}, replicas=None)
    assert relay == _relay()


@pytest.mark.parametrize("spec", [{"upstreams": None}, {"unknown": None}, {"senders": {"domains": [None]}}])
def test_null_is_refused_where_something_is_needed_or_unknown_or_an_item(spec: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _relay(**spec)
