"""A changed credential: the old one is kept until the new one is proved, and the last good one is never lost."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.golden.plan.cases import HERE

from mailhaul_contract.names import (
    SECRET_REVISION,
    secret_password,
    secret_previous_password,
    secret_previous_since,
    secret_previous_username,
)
from mailhaul_operator.api.inputs import Secret
from mailhaul_operator.api.provider_tls import CaRef
from mailhaul_operator.api.resources import Resources
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.local.loading import Source, load
from mailhaul_operator.plan.findings import Reason
from mailhaul_operator.plan.previous import KEPT
from mailhaul_operator.plan.relay_config import plan
from mailhaul_operator.plan.snapshot import Facts, Fresh, Live, Plan, Snapshot

BARE = Facts()
NOW = 1_800_000_000.25
PREVIOUS = {secret_previous_username("main"), secret_previous_password("main"), secret_previous_since("main")}
BASE = load(Source((HERE / "08-secret-key-invalid" / "resources.yaml",))).resources


def resources(
    values: Mapping[str, str] | None, auth: dict[str, Any] | None = None, host: str = "smtp.example.net"
) -> Resources:
    """A relay, its provider `main` with the `auth` that is given, and the Secret of it unless that is gone."""
    (secret,), (provider,) = BASE.secrets, BASE.providers
    secrets = (secret.model_copy(update={"string_data": values}),) if values is not None else ()
    if auth is not None:
        meta = {"name": "main", "namespace": provider.metadata.namespace}
        spec = {"type": "smtp", "host": host, "auth": auth}
        provider = UpstreamProvider.from_json(
            {"apiVersion": "mailhaul.dev/v1alpha1", "kind": "UpstreamProvider", "metadata": meta, "spec": spec}
        )
    return replace(BASE, secrets=secrets, providers=(provider,))


def given(password: str) -> Resources:
    return resources({"username": "u", "password": password})


class World:
    """Plans one relay again and again, each time from the Secret of the time before."""

    def __init__(self) -> None:
        self.secret: Mapping[str, bytes] = {}
        self.count = 0

    def plan(self, what: Resources, now: float = NOW, proved: bool = False, facts: Facts = BARE) -> Plan:
        self.count += 1
        live = Live(proved=frozenset({"main"} if proved else ()))
        fresh = Fresh(f"revision-{self.count}", "token")
        result = plan(Snapshot(what.relays[0], what, fresh, self.secret, facts=facts, live=live, now=now))
        self.secret = result.secret
        return result

    @property
    def password(self) -> bytes:
        return self.secret[secret_password("main")]

    @property
    def kept(self) -> bytes | None:
        return self.secret.get(secret_previous_password("main"))

    @property
    def revision(self) -> bytes:
        return self.secret[SECRET_REVISION]


@pytest.fixture
def world() -> World:
    result = World()
    result.plan(given("first"))
    return result


def test_a_first_credential_has_none_before_it(world: World) -> None:
    assert not PREVIOUS & world.secret.keys()


def test_a_changed_credential_keeps_the_one_before_it_with_the_time(world: World) -> None:
    world.plan(given("second"))
    assert (world.password, world.kept) == (b"second", b"first")
    assert world.secret[secret_previous_username("main")] == b"u"
    assert world.secret[secret_previous_since("main")] == b"1800000000"
    assert world.revision == b"revision-2"


def test_an_equal_world_gives_equal_bytes(world: World) -> None:
    first = world.plan(given("second"))
    again = world.plan(given("second"), now=NOW + 3600)
    assert (again.secret, again.content) == (first.secret, first.content)


def test_the_previous_one_goes_on_proof_and_the_configuration_stays(world: World) -> None:
    changed = world.plan(given("second"))
    proved = world.plan(given("second"), proved=True)
    assert not PREVIOUS & proved.secret.keys()
    assert (proved.digest, world.revision) == (changed.digest, b"revision-2")


def test_the_previous_one_goes_after_a_day(world: World) -> None:
    world.plan(given("second"))
    world.plan(given("second"), now=NOW + KEPT - 1)
    assert world.kept == b"first"
    world.plan(given("second"), now=NOW + KEPT)
    assert world.kept is None


def test_a_clock_that_was_set_back_keeps_nothing_for_ever(world: World) -> None:
    world.plan(given("second"), now=NOW + 10 * KEPT)
    world.plan(given("second"), now=NOW)
    assert world.kept is None


def test_a_proof_of_the_old_one_is_none_of_the_new_one(world: World) -> None:
    """`proved` names what the pods ran with, which is what was there before this change."""
    world.plan(given("second"), proved=True)
    assert world.kept == b"first"


def test_a_second_wrong_one_does_not_push_out_the_good_one(world: World) -> None:
    world.plan(given("wrong"))
    world.plan(given("wrong too"), now=NOW + 60)
    assert (world.password, world.kept) == (b"wrong too", b"first")
    assert world.secret[secret_previous_since("main")] == b"1800000060"


def test_one_that_was_proved_is_the_one_to_keep(world: World) -> None:
    world.plan(given("second"))
    world.plan(given("third"), proved=True)
    assert world.kept == b"second"


def test_going_back_keeps_no_wrong_one(world: World) -> None:
    world.plan(given("wrong"))
    world.plan(given("first"))
    assert (world.password, world.kept) == (b"first", None)


@pytest.mark.parametrize("since", [b"", b"soon", b"-1", b"9" * 400])
def test_a_time_that_somebody_spoiled_keeps_nothing(world: World, since: bytes) -> None:
    world.plan(given("second"))
    world.secret = {**world.secret, secret_previous_since("main"): since}
    world.plan(given("second"))
    assert world.kept is None


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (None, Reason.SECRET_MISSING),
        ({"username": "u"}, Reason.SECRET_KEY_MISSING),
        ({"username": "u", "password": " "}, Reason.SECRET_KEY_EMPTY),
        ({"username": "u", "password": "a\nb"}, Reason.SECRET_KEY_INVALID),
    ],
)
def test_a_source_that_is_gone_or_spoiled_leaves_the_last_good_one_in_use(
    world: World, values: dict[str, str] | None, reason: Reason
) -> None:
    before = world.plan(given("first"))
    after = world.plan(resources(values))
    assert (after.secret, after.digest) == (before.secret, before.digest)
    (finding,) = after.findings
    assert finding.reason is reason
    assert "; the last good credential of upstream main stays in use at relay " in finding.message


def test_a_source_that_is_gone_keeps_the_previous_one_too(world: World) -> None:
    changed = world.plan(given("wrong"))
    assert world.plan(resources(None)).secret == changed.secret


def test_a_reference_that_is_removed_takes_both_credentials_with_it(world: World) -> None:
    world.plan(given("second"))
    after = world.plan(resources({"username": "u", "password": "second"}, {"mechanism": "None"}))
    assert not any(key.startswith("provider.") for key in after.secret)
    assert after.config is not None
    assert [one.auth for one in after.config.upstreams] == ["None"]


def test_a_provider_that_is_gone_takes_both_credentials_with_it(world: World) -> None:
    world.plan(given("second"))
    after = world.plan(replace(given("second"), providers=()))
    assert not any(key.startswith("provider.") for key in after.secret)


def without_authority(what: Resources) -> Resources:
    """The same, of a provider that names a certificate authority which is not there."""
    (provider,) = what.providers
    tls = provider.spec.tls.model_copy(update={"ca_ref": CaRef(name="ca")})
    spec = provider.spec.model_copy(update={"tls": tls})
    return replace(what, providers=(provider.model_copy(update={"spec": spec}),))


@pytest.mark.parametrize("gone", [False, True], ids=["source-there", "source-gone"])
def test_an_authority_that_is_gone_takes_no_credential_with_it(world: World, gone: bool) -> None:
    before = world.plan(given("second"))
    source = resources(None) if gone else given("second")
    during = world.plan(without_authority(source))
    assert during.config is not None
    assert during.config.upstreams == ()
    assert during.secret == before.secret
    after = world.plan(source)
    assert (after.secret, after.digest) == (before.secret, before.digest)


REFERENCE = {"secretRef": {"name": "main"}}


def test_no_server_is_shown_the_password_of_another(world: World) -> None:
    elsewhere = "smtp.example.org"
    world.plan(given("second"))
    after = world.plan(resources({"username": "u", "password": "third"}, REFERENCE, elsewhere))
    assert (world.password, world.kept) == (b"third", None)
    again = World()
    again.plan(given("first"))
    after = again.plan(resources(None, REFERENCE, elsewhere))
    assert not any(key.startswith("provider.") for key in after.secret)
    assert {one.reason for one in after.findings} == {Reason.SECRET_MISSING, Reason.NO_UPSTREAM}


EXTERNAL: dict[str, Any] = {
    "externalSecret": {
        "secretStoreRef": {"kind": "SecretStore", "name": "vault"},
        "data": [{"secretKey": key, "remoteRef": {"key": "mail", "property": key}} for key in ("username", "password")],
    }
}


def synced(password: str | None) -> Resources:
    what = resources(None, EXTERNAL)
    if password is None:
        return what
    metadata = {"name": "main-mailhaul-credential", "namespace": what.relays[0].metadata.namespace}
    made = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    return replace(what, secrets=(Secret.from_json({**made, "stringData": {"username": "u", "password": password}}),))


def test_the_secret_that_external_secrets_makes_is_read_like_any() -> None:
    world = World()
    assert world.plan(synced("first"), facts=Facts(external_secrets="v1")).findings == ()
    assert world.password == b"first"


def test_a_secret_that_external_secrets_did_not_make_leaves_the_last_good_one_in_use() -> None:
    world = World()
    facts = Facts(external_secrets="v1beta1")
    world.plan(synced("first"), facts=facts)
    (finding,) = world.plan(synced(None), facts=facts).findings
    assert (finding.field, finding.reason) == ("spec.auth.externalSecret", Reason.SECRET_MISSING)
    assert "kubectl" in finding.remedy
    assert world.password == b"first"


def test_without_external_secrets_one_finding_names_the_cause() -> None:
    world = World()
    world.plan(synced("first"), facts=Facts(external_secrets="v1"))
    (finding,) = world.plan(synced(None)).findings
    assert (finding.field, finding.reason) == ("spec.auth.externalSecret", Reason.EXTERNAL_SECRETS_ABSENT)
    assert finding.message.endswith(" stays in use at relay smtp/smtp-relay")
    assert world.password == b"first"
