"""Item 14 for listed namespaces, and the release's life: upgraded, it leaves pods alone; another release, which may act
in two namespaces only, takes over what it finds there without a write to it, and touches nothing else. It needs no
watch to see a store that breaks, and one of its namespaces that is deleted stops none of the others.

It takes the release of all the others away, and brings it back.
"""

import base64
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.support.e2e import addons, resources
from tests.support.e2e.canaries import OURS, search
from tests.support.e2e.load import doubled, load, lost
from tests.support.e2e.release import Release
from tests.support.e2e.secret_store import Store
from tests.support.e2e.stage import Mail, ProviderPod, Stage
from tests.support.e2e.written import leads, versions, writes

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FIRST, SECOND = "password-first-51c0", "password-second-88e2"
LIVE_WITHIN = 5.0
"""Seconds. The change itself takes about one; a pod's kubelet and a loaded machine take the rest."""
QUIET = 6.0
"""Seconds in which an operator that has taken over would have written what it wants to write."""
TOLD_WITHIN = 40.0
"""Seconds. The store is looked at every 5, and what came of it every 15 at most; a loaded machine takes the rest."""
REOPENED_WITHIN = 60.0
"""Seconds. A namespace that is closed is tried every 30, and all watches begin anew then."""
ITS_OWN = ("Lease", "NetworkPolicy", "Event", "SmtpRelay", "UpstreamProvider")
"""What a new operator may write: its lease, the policy that lets its own namespace in, and news of the traffic."""


@pytest.fixture(scope="module")
def provider(stage: Stage) -> ProviderPod:
    """A relay that the release of all namespaces made, and that has delivered."""
    stage.app()
    made = stage.provider("provider", auth=(resources.USER, FIRST))
    upstream = resources.provider("provider", made.host, secret="credential")
    stage.apply(resources.secret("credential", FIRST), upstream, resources.relay(["provider"]))
    stage.wait_condition("smtprelay/relay", "ConfigApplied", "True")
    stage.accepted(Mail("works"))
    stage.wait_condition("smtprelay/relay", "Ready", "True", "MailLeaves")
    return made


@pytest.fixture(scope="module")
def served(release: Release) -> Iterator[Stage]:
    """A namespace that the narrow release serves too."""
    with release.cluster.namespace() as name:
        yield Stage(release.cluster, name, release.images.relay)


@pytest.fixture(scope="module")
def elsewhere(release: Release) -> Iterator[Stage]:
    """A namespace that the narrow release does not serve."""
    with release.cluster.namespace() as name:
        yield Stage(release.cluster, name, release.images.relay)


@pytest.fixture(scope="module")
def narrow(release: Release, stage: Stage, served: Stage, provider: ProviderPod) -> Iterator[Release]:
    """A release of another name and place, for two namespaces, in place of the first."""
    namespaces = (stage.namespace, served.namespace)
    second = replace(release, name="team", namespace="mailhaul-team", namespaces=namespaces)
    release.uninstall()
    try:
        second.install("--set-json", "crds.install=false")
        yield second
    finally:
        second.uninstall()
        release.cluster.kubectl("delete", "namespace", second.namespace, "--wait=false")
        release.install()


def test_an_upgrade_leaves_relays_and_their_mail_alone(release: Release, stage: Stage, provider: ProviderPod) -> None:
    before, operator = _identity(stage), release.pod()
    with load(stage, "upgrade") as app:
        release.install("--set-json", 'operator.podAnnotations={"upgraded":"yes"}')
        sending = app.stop()
    assert release.pod() != operator
    provider_has = stage.until(lambda: not lost(sending, provider.subjects()), 20)
    assert _identity(stage) == before
    assert sending.refused == 0
    assert doubled(provider.subjects()) == 0
    print(f"upgrade: {len(sending.accepted)} mails meanwhile, none refused; the last after {provider_has:.1f} s")


def test_a_release_of_listed_namespaces_takes_over_without_a_write(
    stage: Stage, provider: ProviderPod, request: pytest.FixtureRequest
) -> None:
    before, objects = _identity(stage), _versions(stage)
    with load(stage, "take over", pause=0.1) as app:
        narrow: Release = request.getfixturevalue("narrow")
        stage.until(lambda: leads(narrow, narrow.pod()), 30)
        time.sleep(QUIET)
        sending = app.stop()
    assert _identity(stage) == before
    assert _versions(stage) == objects
    assert not {key: count for key, count in writes(narrow).items() if key[1] not in ITS_OWN}
    stage.until(lambda: not lost(sending, provider.subjects()), 20)
    assert sending.refused == 0
    assert stage.cluster.kubectl("get", "crd", "smtprelays.mailhaul.dev").code == 0
    assert stage.kubectl("get", "pvc/spool-relay-0", "smtprelay/relay", "upstream/provider").code == 0
    print(f"take-over: {len(sending.accepted)} mails meanwhile, none refused; nothing of the relay written")


def test_it_serves_its_namespaces_and_touches_no_other(narrow: Release, served: Stage, elsewhere: Stage) -> None:
    for one in (served, elsewhere):
        one.apply({**resources.provider("inbox", ""), "spec": {"type": "capture"}}, resources.relay(["inbox"]))
    took = served.wait_condition("smtprelay/relay", "Ready", "True")
    print(f"served: Ready after {took:.1f} s")
    made = elsewhere.ask("get", "statefulsets,services,configmaps,secrets", "-l", OURS, "-o", "name")
    assert made == ""
    conditions = elsewhere.get("smtprelay/relay").get("status", {}).get("conditions", [])
    assert not [one for one in conditions if one["status"] != "Unknown"], conditions
    assert search(narrow.cluster, served.namespace, narrow.namespace) == []


def test_a_changed_credential_is_live_in_a_second(narrow: Release, stage: Stage, provider: ProviderPod) -> None:
    provider.behave(password=SECOND)
    logins = len(provider.logins())
    began = time.monotonic()
    stage.apply(resources.secret("credential", SECOND))
    stage.until(lambda: _assembled(stage) == SECOND, 10)
    took = time.monotonic() - began
    stage.accepted(Mail("rotated"))
    stage.until(lambda: any(one["good"] for one in provider.logins()[logins:]), 20, lambda: str(provider.logins()[-3:]))
    live = time.monotonic() - began
    print(f"a changed credential: in the relay's Secret after {took:.1f} s, a login with it after {live:.1f} s")
    assert took < LIVE_WITHIN


def test_its_rights_end_at_its_namespaces(narrow: Release, stage: Stage, elsewhere: Stage) -> None:
    account = f"--as=system:serviceaccount:{narrow.namespace}:team-mailhaul"
    inside = ("list secrets", "watch secrets", "create configmaps", "patch pods/status")
    assert [_may(stage, account, words) for words in inside] == [True] * len(inside)
    assert [_may(elsewhere, account, words) for words in (*inside, "get secrets")] == [False] * (len(inside) + 1)
    never = (
        "patch pods",
        "create pods",
        "create pods/exec",
        "delete secrets",
        "create rolebindings",
        "delete namespaces",
    )
    assert not [words for words in never if _may(stage, account, words)]
    cluster = narrow.cluster.kubectl("auth", "can-i", "list", "secrets", "-A", account)
    assert cluster.code != 0
    told = [line for line in narrow.log().splitlines() if "forbidden" in line.lower() or "permission" in line.lower()]
    assert not told, told[:3]


def test_external_secrets_that_come_after_it_serve_and_a_store_that_breaks_is_told(
    narrow: Release, served: Stage, provider: ProviderPod
) -> None:
    addons.start(narrow.cluster, "external-secrets")
    upstream, spec = "upstream/external", resources.provider("external", provider.host)
    store = Store(served)
    with addons.served(narrow.cluster, "v1", "v1beta1"):
        store.holds(username=resources.USER, password=SECOND)
        spec["spec"]["auth"] = store.auth("username", "password")
        with addons.served(narrow.cluster):
            _restart(narrow, served)
            served.apply(spec, resources.relay(["external"], "second"))
            served.wait_condition(upstream, "CredentialsReady", "False", "ExternalSecretsAbsent", seconds=45)
        served.wait_condition(upstream, "CredentialsReady", "True", seconds=120)
        store.holds()
        took = served.wait_condition(
            upstream, "CredentialsReady", "False", "ExternalSecretNotSynced", seconds=TOLD_WITHIN
        )
        store.holds(username=resources.USER, password=SECOND)
        served.wait_condition(upstream, "CredentialsReady", "True", seconds=90)
        served.ask("delete", "externalsecret", "external-mailhaul-credential")
        again = served.until(lambda: _there(served, "externalsecret/external-mailhaul-credential"), TOLD_WITHIN)
    print(
        f"External Secrets after the operator: a broken store told after {took:.1f} s, deleted, made in {again:.1f} s"
    )


def test_a_listed_namespace_that_is_deleted_stops_no_other(narrow: Release, stage: Stage, served: Stage) -> None:
    narrow.hear()
    narrow.cluster.ask("delete", "namespace", served.namespace, "--timeout=90s")
    _restart(narrow, stage)
    stage.apply(resources.relay(["provider"], "later"))
    took = stage.wait_condition("smtprelay/later", "ConfigApplied", "True", seconds=60)
    told = [line for line in narrow.log().splitlines() if f"namespace {served.namespace} is not served" in line]
    assert len(told) == 1, told
    assert "helm upgrade" in told[0]
    print(f"with a namespace deleted: a relay in the other after {took:.1f} s")
    narrow.cluster.ask("create", "namespace", served.namespace)
    pod = narrow.pod()
    narrow.install("--set-json", "crds.install=false")
    assert narrow.pod() == pod
    served.apply({**resources.provider("inbox", ""), "spec": {"type": "capture"}}, resources.relay(["inbox"]))
    took = served.wait_condition("smtprelay/relay", "Ready", "True", seconds=REOPENED_WITHIN + 60)
    print(f"made again: Ready {took:.1f} s after the upgrade")


def _restart(release: Release, stage: Stage) -> None:
    release.hear()
    release.cluster.ask("delete", "pod", release.pod(), "-n", release.namespace, "--wait=true")
    stage.until(lambda: leads(release, release.pod()), 60, release.log)


def _there(stage: Stage, name: str) -> bool:
    return stage.kubectl("get", name).code == 0


def _identity(stage: Stage) -> tuple[str, int]:
    pod = stage.get("pod", "relay-0")
    return str(pod["metadata"]["uid"]), int(pod["status"]["containerStatuses"][0]["restartCount"])


def _versions(stage: Stage) -> dict[str, str]:
    return {name: version for name, version in versions(stage).items() if name.split("/")[0] not in ITS_OWN}


def _assembled(stage: Stage) -> str:
    return base64.b64decode(stage.get("secret", "relay-mailhaul")["data"]["provider.provider.password"]).decode()


def _may(stage: Stage, account: str, words: str) -> bool:
    verb, resource = words.split()
    resource, _, sub = resource.partition("/")
    return stage.kubectl("auth", "can-i", verb, resource, account, *([f"--subresource={sub}"] if sub else [])).code == 0
