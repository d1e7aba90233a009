"""Credentials for token servers and client certificates over changes: kept as passwords are, shown to nobody else."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.golden.plan.cases import HERE

from mailhaul_contract.names import SECRET_REVISION, secret_credential, secret_previous_credential
from mailhaul_operator.api.inputs import Secret
from mailhaul_operator.api.resources import Resources
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.local.loading import Source, load
from mailhaul_operator.plan.findings import Reason
from mailhaul_operator.plan.relay_config import plan
from mailhaul_operator.plan.snapshot import Fresh, Plan, Snapshot

BASE = load(Source((HERE / "08-secret-key-invalid" / "resources.yaml",))).resources
REFERENCE: dict[str, Any] = {"secretRef": {"name": "main"}}
HERE_URL, OTHER_URL = "https://login.example.net/token", "https://login.example.org/token"
CHAIN = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n"


def secret(name: str, values: Mapping[str, str]) -> Secret:
    meta = {"name": name, "namespace": BASE.providers[0].metadata.namespace}
    return Secret.from_json({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": dict(values)})


def resources(spec: dict[str, Any], *secrets: Secret) -> Resources:
    (provider,) = BASE.providers
    meta = {"name": "main", "namespace": provider.metadata.namespace}
    said = {"type": "smtp", "host": "smtp.example.net", **spec}
    made = UpstreamProvider.from_json(
        {"apiVersion": "mailhaul.dev/v1alpha1", "kind": "UpstreamProvider", "metadata": meta, "spec": said}
    )
    return replace(BASE, secrets=secrets, providers=(made,))


def tokens(secret_value: str, url: str = HERE_URL, grant: str = "ClientCredentials") -> Resources:
    auth = {"mechanism": "XOAuth2", "oauth": {"grant": grant, "tokenUrl": url}, **REFERENCE}
    values = {"username": "u", "clientId": "id", "clientSecret": secret_value, "refreshToken": "refresh"}
    return resources({"auth": auth}, secret("main", values))


def shown(chain: str, key: str = "one") -> Resources:
    spec = {"auth": {"mechanism": "None"}, "tls": {"clientCertificateRef": {"name": "relay-tls"}}}
    return resources(spec, secret("relay-tls", {"tls.crt": CHAIN.format(chain), "tls.key": KEY.format(key)}))


class World:
    """Plans one relay again and again, each time from the Secret of the time before."""

    def __init__(self) -> None:
        self.secret: Mapping[str, bytes] = {}
        self.count = 0

    def plan(self, what: Resources) -> Plan:
        self.count += 1
        result = plan(Snapshot(what.relays[0], what, Fresh(f"revision-{self.count}", "token"), self.secret, now=1.8e9))
        self.secret = result.secret
        return result

    def kept(self, part: str) -> bytes | None:
        return self.secret.get(secret_previous_credential("main", part))


def test_a_changed_client_secret_keeps_the_whole_credential_before_it() -> None:
    world = World()
    world.plan(tokens("first"))
    world.plan(tokens("second"))
    assert world.secret[secret_credential("main", "clientSecret")] == b"second"
    assert [world.kept(part) for part in ("username", "clientId", "clientSecret")] == [b"u", b"id", b"first"]
    assert world.kept("refreshToken") is None  # this grant has none


@pytest.mark.parametrize(
    "after",
    [
        tokens("second", OTHER_URL),
        tokens("second", grant="RefreshToken"),
        resources({"auth": REFERENCE}, secret("main", {"username": "u", "password": "p"})),
    ],
    ids=["another token server", "another grant", "a password"],
)
def test_no_token_server_is_shown_the_secret_of_another(after: Resources) -> None:
    world = World()
    world.plan(tokens("first"))
    world.plan(after)
    assert not [key for key in world.secret if ".previous." in key]
    before = World()
    before.plan(after)
    before.plan(tokens("first"))
    assert not [key for key in before.secret if ".previous." in key]


def test_a_secret_that_is_gone_leaves_the_last_good_client_in_use_at_its_own_token_server_only() -> None:
    world = World()
    first = world.plan(tokens("first"))
    gone = world.plan(replace(tokens("first"), secrets=()))
    assert (gone.secret, gone.digest) == (first.secret, first.digest)
    assert gone.findings[0].reason is Reason.SECRET_MISSING
    moved = world.plan(replace(tokens("first", OTHER_URL), secrets=()))
    assert not [key for key in moved.secret if key.startswith("provider.")]


def test_a_renewed_certificate_is_a_new_revision_and_leaves_no_previous_one() -> None:
    world = World()
    before = world.plan(shown("one"))
    assert world.plan(shown("one")).secret == before.secret
    after = world.plan(shown("two"))
    assert after.secret[SECRET_REVISION] != before.secret[SECRET_REVISION]
    assert after.secret["provider.main.tls.crt"] == CHAIN.format("two").encode()
    assert not [key for key in after.secret if ".previous." in key]


def test_a_certificate_that_is_gone_or_spoiled_stays_in_use_with_a_finding() -> None:
    world = World()
    first = world.plan(shown("one"))
    for what in (replace(shown("one"), secrets=()), resources_with_bad_key()):
        gone = world.plan(what)
        assert (gone.secret, gone.digest) == (first.secret, first.digest)
        assert "the last good certificate of upstream main stays in use" in gone.findings[0].message


def test_a_certificate_reference_that_is_removed_takes_it_along() -> None:
    world = World()
    world.plan(shown("one"))
    after = world.plan(resources({"auth": {"mechanism": "None"}}))
    assert not [key for key in after.secret if key.startswith("provider.")]
    assert after.config is not None
    assert not after.config.upstreams[0].tls.client_certificate


def resources_with_bad_key() -> Resources:
    spec = {"auth": {"mechanism": "None"}, "tls": {"clientCertificateRef": {"name": "relay-tls"}}}
    return resources(spec, secret("relay-tls", {"tls.crt": CHAIN.format("one"), "tls.key": "no key"}))
