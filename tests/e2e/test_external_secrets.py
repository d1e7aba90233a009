"""Item 10: a credential that the real External Secrets operator fetches: rotated at its source, its store broken and
mended, External Secrets absent before and after, and a cluster that serves nothing newer than v1beta1.
"""

import json
import time
from collections.abc import Iterator

import pytest
from tests.support.e2e import addons, resources
from tests.support.e2e.kstatus import concluded
from tests.support.e2e.release import Release
from tests.support.e2e.secret_store import Store
from tests.support.e2e.stage import Mail, ProviderPod, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

BOTH = ("v1", "v1beta1")
FIRST, SECOND = "first-2b7d61", "second-90ce4f"
UPSTREAM, RELAY = "upstream/provider", "smtprelay/relay"
MADE = "provider-mailhaul-credential"
ROTATED_WITHIN = 25.0
"""Seconds. External Secrets looks at its store every 5, and its status is an edge: nobody waits for the next look."""

AWAY = 3.0
"""Seconds for which the kind is not served: time for the watch to end, not for External Secrets to give up."""
TOLD_WITHIN = 60.0
"""Seconds. External Secrets itself watches again ever later; then its look at the store and ours at the outcome."""


@pytest.fixture(scope="module")
def store(release: Release, stage: Stage) -> Iterator[Store]:
    """A store, with an app beside it."""
    addons.start(release.cluster, "external-secrets")
    stage.app()
    found = Store(stage)
    found.holds(username=resources.USER, password=FIRST)
    with addons.served(release.cluster, *BOTH):
        yield found


@pytest.fixture(scope="module")
def provider(stage: Stage, store: Store) -> ProviderPod:
    """A provider that demands the credential."""
    return stage.provider("provider", auth=(resources.USER, FIRST))


def test_external_secrets_may_come_after_the_relay(stage: Stage, store: Store, provider: ProviderPod) -> None:
    with addons.served(stage.cluster):
        spec = resources.provider("provider", provider.host)
        spec["spec"]["auth"] = store.auth("username", "password")
        stage.apply(spec, resources.relay(["provider"]))
        took = stage.wait_condition(UPSTREAM, "CredentialsReady", "False", "ExternalSecretsAbsent", seconds=45)
        words = stage.condition(UPSTREAM, "CredentialsReady")["message"]
        assert "not installed" in words
        assert "Remedy: install External Secrets" in words
        stage.wait_condition(RELAY, "Ready", "False", seconds=10)
        assert concluded(stage, UPSTREAM, RELAY) == "InProgress"
        print(f"absent: told {took:.1f} s after the apply: {words}")
    took = stage.wait_condition(UPSTREAM, "Ready", "True", seconds=120)
    print(f"Ready {took:.1f} s after External Secrets came")
    assert _made_in(stage, "v1", MADE) == "external-secrets.io/v1"
    _mail_leaves(stage, provider, "after it came")
    stage.until(lambda: concluded(stage, UPSTREAM, RELAY) == "Current", 10)


def test_a_credential_is_rotated_at_its_source(stage: Stage, store: Store, provider: ProviderPod) -> None:
    pod = stage.get("pod", "relay-0")["metadata"]["uid"]
    began, since = time.monotonic(), time.time()
    provider.behave(password=SECOND)
    store.holds(username=resources.USER, password=SECOND)
    # A connection that was logged in before goes on; only a new login shows the new password.
    stage.until(lambda: any(one["good"] and one["time"] > since for one in provider.logins()), ROTATED_WITHIN)
    _mail_leaves(stage, provider, "after the rotation")
    print(f"a mail left with the new password {time.monotonic() - began:.1f} s after the rotation, refresh 5 s")
    stage.wait_condition(UPSTREAM, "Authenticated", "True", seconds=30)
    assert stage.get("pod", "relay-0")["metadata"]["uid"] == pod


def test_a_store_that_breaks_is_told_and_mail_goes_on_leaving(
    stage: Stage, store: Store, provider: ProviderPod
) -> None:
    store.holds()
    took = stage.wait_condition(UPSTREAM, "CredentialsReady", "False", "ExternalSecretNotSynced", seconds=45)
    words = stage.condition(UPSTREAM, "CredentialsReady")["message"]
    assert f"ExternalSecret {stage.namespace}/{MADE} is not synced: SecretSyncedError" in words
    assert "the last good credential stays in use" in words
    print(f"broken: told {took:.1f} s after: {words}")
    _mail_leaves(stage, provider, "with a broken store")
    assert stage.condition(RELAY, "Ready")["status"] == "True"
    store.holds(username=resources.USER, password=SECOND)
    took = stage.wait_condition(UPSTREAM, "CredentialsReady", "True", seconds=90)
    print(f"mended: told {took:.1f} s after")


def test_external_secrets_may_go_and_the_last_good_credential_stays(
    stage: Stage, store: Store, provider: ProviderPod
) -> None:
    with addons.served(stage.cluster):
        stage.ask("delete", "secret", MADE)
        took = stage.wait_condition(UPSTREAM, "CredentialsReady", "False", "ExternalSecretsAbsent", seconds=60)
        words = stage.condition(UPSTREAM, "CredentialsReady")["message"]
        assert "the last good credential stays in use" in words
        print(f"gone: told {took:.1f} s after: {words}")
        stage.ask("delete", "pod", "relay-0", "--wait=true")
        _mail_leaves(stage, provider, "without External Secrets", seconds=60)
    took = stage.wait_condition(UPSTREAM, "CredentialsReady", "True", seconds=120)
    print(f"back: CredentialsReady {took:.1f} s after {store.name} could be read")


def test_a_store_that_breaks_after_the_kind_was_away_is_told_each_time(
    stage: Stage, store: Store, provider: ProviderPod
) -> None:
    """Whether the watch of the kind begins again depends on the moment at which the API server's discovery has it."""
    for _ in range(3):
        with addons.served(stage.cluster):
            time.sleep(AWAY)
        store.holds()
        took = stage.wait_condition(
            UPSTREAM, "CredentialsReady", "False", "ExternalSecretNotSynced", seconds=TOLD_WITHIN
        )
        print(f"broken after the kind was away: told {took:.1f} s after")
        store.holds(username=resources.USER, password=SECOND)
        stage.wait_condition(UPSTREAM, "CredentialsReady", "True", seconds=90)


def test_a_cluster_that_serves_only_v1beta1(stage: Stage, store: Store, provider: ProviderPod) -> None:
    with addons.served(stage.cluster, "v1beta1"):
        spec = resources.provider("older", provider.host)
        spec["spec"]["auth"] = store.auth("username", "password")
        stage.apply(spec, resources.relay(["older"], name="second"))
        made = "older-mailhaul-credential"
        path = _path(stage, "v1beta1", made)
        took = stage.until(lambda: stage.cluster.kubectl("get", "--raw", path).code == 0, 60)
        assert _made_in(stage, "v1beta1", made) == "external-secrets.io/v1beta1"
        print(f"v1beta1: the ExternalSecret is there {took:.1f} s after the apply")
    # The controller of this release reads v1, and finds what was written in v1beta1.
    took = stage.wait_condition("upstream/older", "Ready", "True", seconds=120)
    before = provider.subjects()
    stage.accepted(Mail("by v1beta1"), "second")
    provider.wait_subjects([*before, "by v1beta1 0"])
    print(f"v1beta1: Ready {took:.1f} s after the controller could read it")


def _path(stage: Stage, version: str, name: str) -> str:
    return f"/apis/external-secrets.io/{version}/namespaces/{stage.namespace}/externalsecrets/{name}"


def _made_in(stage: Stage, version: str, name: str) -> str:
    """The version in which the operator applied an ExternalSecret, which is read in one that is served."""
    found = json.loads(stage.cluster.ask("get", "--raw", _path(stage, version, name)))
    return next(str(one["apiVersion"]) for one in found["metadata"]["managedFields"] if one["manager"] == "mailhaul")


def _mail_leaves(stage: Stage, provider: ProviderPod, subject: str, seconds: float = 20) -> None:
    stage.accepted(Mail(subject))
    stage.until(lambda: f"{subject} 0" in provider.subjects(), seconds, lambda: stage.ask("get", "relays,upstreams"))
