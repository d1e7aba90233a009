"""Item 16: examples/flux with the real kustomize-controller. A push is Ready only when mail leaves; one that breaks the
provider is not, with our words; the next mends it; what is dropped is pruned; and then nobody writes anything.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.certificates import Authority
from tests.support.e2e import addons
from tests.support.e2e.kstatus import conclusions
from tests.support.e2e.release import Release
from tests.support.e2e.stage import Mail, ProviderPod, Stage
from tests.support.e2e.written import events, grown, versions, writes
from tests.support.repository import REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

EXAMPLE = REPOSITORY / "examples" / "flux"
STORE, TOKEN = "onepassword", "token-of-the-store-4d2e"
QUIET_SECONDS = float(os.environ.get("MAILHAUL_E2E_QUIET_SECONDS", "300"))
SETTLED_SECONDS = 90.0
"""After the last mail its numbers are still to be written, at most a minute later."""
MADE = "mailtrap-mailhaul-credential"
KUSTOMIZATION = "kustomization.kustomize.toolkit.fluxcd.io/mail"


@dataclass(frozen=True)
class Repository:
    """What would be in Git: a copy of the example's folder, with the provider of this stage."""

    stage: Stage
    folder: Path
    pod: ProviderPod
    authority: str

    def push(self, **edits: str) -> str:
        """Publish the folder after edits: names of files (`provider`) with their text, an empty one to take it out."""
        for name, text in edits.items():
            path = self.folder / "mail" / f"{name}.yaml"
            path.write_text(text) if text else path.unlink()
        names = sorted(one.name for one in (self.folder / "mail").glob("*.yaml") if one.stem != "kustomization")
        index = self.folder / "mail" / "kustomization.yaml"
        index.write_text(yaml.safe_dump({**yaml.safe_load(index.read_text()), "resources": names}))
        return addons.published(self.stage.cluster, self.folder, "mail", self.stage.namespace)

    def provider(self, host: str = "") -> str:
        """The example's provider, but for where it is: its name leads nowhere here."""
        text = (EXAMPLE / "mail" / "provider.yaml").read_text()
        there = f"  type: mailtrap\n  host: {host or self.pod.host}\n  tls: {{caRef: {{name: providers}}}}\n"
        assert text.count("  type: mailtrap\n") == 1
        return text.replace("  type: mailtrap\n", there)

    def config_map(self) -> str:
        """The authority of the provider's certificate."""
        found = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "providers"}}
        return yaml.safe_dump({**found, "data": {"ca.crt": self.authority}})


def _provider(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> tuple[ProviderPod, str]:
    """A provider that demands TLS and Mailtrap's login; and its authority."""
    authority = Authority(tmp_path_factory.mktemp("authority"))
    host = f"mailtrap.{stage.namespace}.svc.cluster.local"
    pair = authority.issue("mailtrap", subject_alt_name=f"DNS:{host}")
    pod = stage.provider("mailtrap", auth=("api", TOKEN), tls=pair)
    ports = [{"name": "submission", "port": 587, "targetPort": 2525}]
    stage.ask("patch", "service", "mailtrap", "--type=merge", "-p", json.dumps({"spec": {"ports": ports}}))
    return pod, authority.pem


@pytest.fixture(scope="module")
def repository(release: Release, stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """The folder, not pushed yet. The store has no credential yet either."""
    for name in ("external-secrets", "flux"):
        addons.start(release.cluster, name)
    addons.publisher(release.cluster)
    folder = tmp_path_factory.mktemp("git") / "clone"
    shutil.copytree(EXAMPLE, folder)
    stage.app()
    try:
        yield Repository(stage, folder, *_provider(stage, tmp_path_factory))
    finally:
        stage.kubectl("delete", KUSTOMIZATION, "--ignore-not-found", "--wait=false")
        release.cluster.kubectl("delete", "clustersecretstore", STORE, "--ignore-not-found")


def test_a_push_is_ready_only_when_mail_leaves(stage: Stage, repository: Repository) -> None:
    _store(stage, "")
    repository.push(provider=repository.provider(), ca=repository.config_map())
    stage.apply(_kustomization(stage.namespace))
    stage.until(lambda: stage.kubectl("get", "smtprelay/smtp-relay").code == 0, 30, lambda: _words(stage))
    time.sleep(5)
    assert _ready(stage) != "True", _words(stage)
    print(f"without a credential: {_words(stage)}")

    _store(stage, TOKEN)
    stage.ask("annotate", "externalsecret", MADE, "force-sync=now")
    took = stage.until(lambda: _ready(stage) == "True", 120, lambda: _words(stage))
    print(f"Ready {took:.1f} s after the store had the credential")
    assert set(conclusions(stage, "smtprelay/smtp-relay", "upstream/mailtrap").values()) == {"Current"}
    _mail_leaves(stage, repository.pod, "first push")


def test_then_nobody_writes_anything(release: Release, stage: Stage, repository: Repository) -> None:
    """Flux looks every minute, External Secrets and the operator in their own time: nobody finds anything to write."""
    assert repository.pod.subjects() == ["first push 0"]
    told = "{.status.delivered.total}{.status.queue.waiting}"
    counted = ("get", "smtprelay", "smtp-relay", "-o", f"jsonpath={told}")
    took = stage.until(lambda: stage.ask(*counted) == "10", SETTLED_SECONDS, lambda: stage.ask(*counted))
    print(f"the numbers were written {took:.1f} s after the mail")
    flips = _readiness(stage)
    before, asked = _all_versions(stage), writes(release)
    time.sleep(QUIET_SECONDS)
    if _readiness(stage) != flips:
        print("a probe of the kubelet failed on this busy machine, which had to be told; once more")
        flips, before, asked = _readiness(stage), _all_versions(stage), writes(release)
        time.sleep(QUIET_SECONDS)
    after = _all_versions(stage)
    assert after == before, _writers(stage, [one for one in after if after[one] != before.get(one)])
    assert grown(asked, writes(release)) == {}
    print(f"nobody wrote any of {len(before)} objects in {QUIET_SECONDS:.0f} s, with Flux looking every minute")


def test_a_push_that_breaks_the_provider_is_told_and_the_next_mends_it(stage: Stage, repository: Repository) -> None:
    broken = repository.push(provider=repository.provider(f"nowhere.{stage.namespace}.svc.cluster.local"))
    took = stage.until(lambda: _ready(stage) == "False", 240, lambda: _words(stage))
    print(f"a push that breaks the provider: not Ready {took:.1f} s after: {_words(stage)}")
    # Flux names what it finds stalled first, the provider or the relay that it leaves without a way out.
    culprits = (f"UpstreamProvider/{stage.namespace}/mailtrap", f"SmtpRelay/{stage.namespace}/smtp-relay")
    assert any(f"{one} status: 'Failed'" in _words(stage).replace("\\", "") for one in culprits), _words(stage)
    told = stage.condition("upstream/mailtrap", "Ready")
    print(f"and the provider says: {told['message']}")
    assert (told["status"], told["reason"]) == ("False", "ConnectionFailed")
    assert "nowhere." in told["message"]
    assert "Remedy: " in told["message"]
    assert _applied(stage) != broken

    mended = repository.push(provider=repository.provider())
    took = stage.until(lambda: (_ready(stage), _applied(stage)) == ("True", mended), 120, lambda: _words(stage))
    print(f"the next push mends it: Ready {took:.1f} s after")
    _mail_leaves(stage, repository.pod, "mended")


def test_what_the_folder_drops_is_pruned(stage: Stage, repository: Repository) -> None:
    relay = stage.get("smtprelay", "smtp-relay")["metadata"]["uid"]
    assert len(_made_for(stage, relay)) > 5
    repository.push(relay="")
    took = stage.until(lambda: _made_for(stage, relay) == [], 90, lambda: str(_made_for(stage, relay)))
    print(f"what the folder drops is pruned, with what was made for it, {took:.1f} s after the push")
    stage.until(lambda: _ready(stage) == "True", 60, lambda: _words(stage))
    assert stage.condition("upstream/mailtrap", "Ready")["reason"] == "NotInUse"


def _readiness(stage: Stage) -> list[str]:
    """When the readiness of the relay's pod turned last."""
    conditions = stage.get("pod", "smtp-relay-0")["status"]["conditions"]
    return [one["lastTransitionTime"] for one in conditions if one["type"] == "Ready"]


def _writers(stage: Stage, names: list[str]) -> str:
    """Who wrote these objects, and when."""
    told = []
    for name in names:
        if name.startswith("Event/"):
            told.append(name)
            continue
        fields = stage.get(name, "--show-managed-fields")["metadata"]["managedFields"]
        told += [f"{name}: {one['manager']} {one.get('subresource', '')} at {one.get('time', '')}" for one in fields]
    return "\n".join(told)


def _all_versions(stage: Stage) -> dict[str, str]:
    """Of what the operator makes, with its own events; of the Kustomization only the spec, for Flux tells each look."""
    found, flux = stage.get("externalsecret", MADE)["metadata"], stage.get(KUSTOMIZATION)["metadata"]
    own = {f"ExternalSecret/{MADE}": found["resourceVersion"], KUSTOMIZATION: str(flux["generation"])}
    return {**versions(stage), **events(stage), **own}


def _made_for(stage: Stage, relay: str) -> list[str]:
    """The relay, and what it owns."""
    kinds = "smtprelays,statefulsets,services,configmaps,secrets,serviceaccounts,networkpolicies"
    items = stage.get(kinds)["items"]
    owners = {one["metadata"]["uid"]: one["metadata"].get("ownerReferences", []) for one in items}
    return [uid for uid, owned in owners.items() if uid == relay or any(one["uid"] == relay for one in owned)]


def _kustomization(namespace: str) -> dict[str, Any]:
    """The example's Kustomization with its sourceRef replaced, in this namespace, looking more often."""
    body: dict[str, Any] = yaml.safe_load((EXAMPLE / "kustomization.yaml").read_text())
    made = yaml.safe_load((EXAMPLE / "namespace.yaml").read_text())
    assert (made["kind"], made["metadata"]["name"]) == ("Namespace", body["spec"]["targetNamespace"])
    body["metadata"]["namespace"] = namespace
    body["spec"] |= {"targetNamespace": namespace, "interval": "1m", "retryInterval": "10s"}
    body["spec"]["sourceRef"] = {"kind": "ExternalArtifact", "name": "mail"}
    assert body["spec"]["wait"] is True
    return body


def _ready(stage: Stage) -> str:
    return stage.condition(KUSTOMIZATION, "Ready").get("status", "")


def _words(stage: Stage) -> str:
    return json.dumps(stage.condition(KUSTOMIZATION, "Ready").get("message", "no condition yet"))


def _applied(stage: Stage) -> str:
    return str(stage.get(KUSTOMIZATION)["status"].get("lastAppliedRevision", ""))


def _store(stage: Stage, token: str) -> None:
    entry = {"key": "mailtrap" if token else "other", "value": json.dumps({"password": token})}
    stage.apply(
        {
            "apiVersion": "external-secrets.io/v1",
            "kind": "ClusterSecretStore",
            "metadata": {"name": STORE},
            "spec": {"provider": {"fake": {"data": [entry]}}},
        }
    )


def _mail_leaves(stage: Stage, provider: ProviderPod, subject: str) -> None:
    stage.accepted(Mail(subject), "smtp-relay")
    stage.until(lambda: f"{subject} 0" in provider.subjects(), 20, lambda: stage.ask("get", "relays,upstreams"))
