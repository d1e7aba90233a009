"""What the cache remembers, and which keys an edge is about."""

import pytest
from tests.support.cluster_objects import NAMESPACE, alias, made, provider, relay, resource

from mailhaul_operator.observe.belonging import is_made
from mailhaul_operator.observe.cache import Cache
from mailhaul_operator.observe.references import Reference
from mailhaul_operator.plan.naming import external_secret
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.kinds import Body

RELAY, OTHER = Key("SmtpRelay", NAMESPACE, "one"), Key("SmtpRelay", NAMESPACE, "two")
PROVIDER = Key("UpstreamProvider", NAMESPACE, "main")
ALIAS = Key("MailAlias", NAMESPACE, "sales")


@pytest.fixture
def cache() -> Cache:
    """Two relays that share a provider, an alias of the first, a Service of the first."""
    filled = Cache()
    service = made("Service", "one", "one")
    for one in (
        provider("main", "account"),
        relay("one", "main"),
        relay("two", "main"),
        alias("sales", "one"),
        service,
    ):
        filled.put(one)
    return filled


def test_an_edge_is_about_all_that_reads_the_object(cache: Cache) -> None:
    changed = {"generation": 2}
    spec = {"upstreams": [{"providerRef": {"name": "main"}}], "replicas": 2}
    assert cache.put(resource("SmtpRelay", "one", spec, 2, **changed)) == {RELAY, PROVIDER, ALIAS}
    spec = {"type": "mailtrap", "auth": {"secretRef": {"name": "other"}}}
    assert cache.put(resource("UpstreamProvider", "main", spec, 2, **changed)) == {PROVIDER, RELAY, OTHER}
    assert cache.put({**alias("sales", "one", 2), "metadata": {**alias("sales", "one", 2)["metadata"], **changed}}) == {
        ALIAS,
        RELAY,
    }
    assert cache.put(made("Service", "one", "one", 2)) == {RELAY}
    assert cache.put(made("Pod", "one-0", "one")) == {RELAY}


def test_an_echo_of_what_is_known_touches_nothing(cache: Cache) -> None:
    for body in (relay("one", "main"), alias("sales", "one"), made("Service", "one", "one")):
        assert cache.put(body) == frozenset()


def test_an_older_version_never_replaces_a_newer_one(cache: Cache) -> None:
    cache.put(made("ConfigMap", "c", "one", 9, data={"a": "new"}))
    assert cache.put(made("ConfigMap", "c", "one", 8, data={"a": "old"})) == frozenset()
    found = cache.get("ConfigMap", NAMESPACE, "c")
    assert found is not None
    assert found["data"] == {"a": "new"}


def test_a_change_of_status_alone_is_about_the_resource_alone(cache: Cache) -> None:
    body = {**relay("one", "main", version=2), "status": {"replicas": 1}}
    assert cache.put(body) == {RELAY}
    seen = cache.resource(RELAY)
    assert seen is not None
    assert seen.status == {"replicas": 1}


def test_the_status_of_what_nobody_has_assessed_yet_is_none(cache: Cache) -> None:
    cache.put({**relay("one", "main", version=2), "status": {"observedGeneration": -1}})
    seen = cache.resource(RELAY)
    assert seen is not None
    assert seen.version == 2
    assert seen.status == {}


def test_what_is_gone_is_forgotten_everywhere(cache: Cache) -> None:
    assert cache.remove(made("Service", "one", "one")) == {RELAY}
    assert cache.owned("SmtpRelay-one") == ()
    assert cache.remove(alias("sales", "one")) == {ALIAS, RELAY}
    assert cache.aliases_of(RELAY) == ()
    assert cache.remove(relay("two", "main")) == {OTHER, PROVIDER}
    assert cache.relays_of(PROVIDER) == (RELAY,)


def test_an_end_that_comes_late_leaves_the_next_object_of_the_name(cache: Cache) -> None:
    def of(uid: str, version: int) -> Body:
        body = made("Service", "one", "one", version)
        return {**body, "metadata": {**body["metadata"], "uid": uid}}

    cache.put(of("second", 5))
    assert cache.remove(of("first", 4)) == frozenset()
    assert cache.get("Service", NAMESPACE, "one") is not None


def test_a_stripped_label_still_leads_to_the_owner(cache: Cache) -> None:
    body = made("Service", "one", "one", 2)
    body["metadata"]["labels"] = {}
    assert cache.remove(body) == {RELAY}


def test_a_secret_leads_to_those_that_name_it_and_their_relays(cache: Cache) -> None:
    assert cache.naming(Reference("Secret", NAMESPACE, "account")) == {PROVIDER, RELAY, OTHER}
    assert cache.naming(Reference("ConfigMap", NAMESPACE, "account")) == frozenset()
    assert cache.naming(Reference("Secret", "elsewhere", "account")) == frozenset()


def test_a_resource_that_does_not_parse_is_kept_with_its_refusals(cache: Cache) -> None:
    cache.put(resource("SmtpRelay", "one", {"upstreams": [], "surprise": 1}, 2, generation=2))
    seen = cache.resource(RELAY)
    assert seen is not None
    assert seen.model is None
    assert {one.path for one in seen.refused} == {"spec.upstreams", "spec.surprise"}
    assert cache.relay(*RELAY[1:]) is None
    assert cache.relays_of(PROVIDER) == (OTHER,)


def test_managed_fields_are_not_kept_and_copies_are_the_callers_own(cache: Cache) -> None:
    body = made("ConfigMap", "c", "one", data={"a": "b"})
    body["metadata"]["managedFields"] = [{"manager": "x"}]
    body["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "kept": "yes"}
    cache.put(body)
    found = cache.get("ConfigMap", NAMESPACE, "c")
    assert found is not None
    assert "managedFields" not in found["metadata"]
    assert found["metadata"]["annotations"] == {"kept": "yes"}
    found["data"]["a"] = "changed"
    again = cache.get("ConfigMap", NAMESPACE, "c")
    assert again is not None
    assert again["data"] == {"a": "b"}


def test_every_reference_of_a_resource_is_followed(cache: Cache) -> None:
    tls = {"mode": "StartTLS", "secretRef": {"name": "cert"}}
    spec = {
        "listeners": [{"name": "smtp", "port": 25, "tls": tls}],
        "aliases": {"srs": {"domain": "example.com", "secretRef": {"name": "srs", "key": "secret"}}},
    }
    cache.put(relay("three", "own", spec=spec))
    authority = {"kind": "ConfigMap", "name": "ca", "key": "ca.crt"}
    auth = {
        "externalSecret": {
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": "store"},
            "data": [{"secretKey": "password", "remoteRef": {"key": "a"}}],
        }
    }
    cache.put(resource("UpstreamProvider", "own", {"type": "mailtrap", "tls": {"caRef": authority}, "auth": auth}))
    model = cache.relay(NAMESPACE, "three")
    assert model is not None
    assert {(one.kind, one.name) for one in cache.named_by(model)} == {
        ("Secret", "cert"),
        ("Secret", "srs"),
        ("Secret", external_secret("own")),
        ("ConfigMap", "ca"),
    }


def test_a_secret_that_external_secrets_made_with_our_labels_is_not_our_own() -> None:
    body = made("Secret", external_secret("main"), "one")
    assert is_made(body)
    body["metadata"]["ownerReferences"] = [{"kind": "ExternalSecret", "name": "main", "uid": "1", "controller": True}]
    assert not is_made(body)
