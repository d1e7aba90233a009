"""Item 12, seed 002: a hand-written Postfix relay with its own manifests, taken over by Mailhaul as
docs/migrate-from-postfix-relay.md tells. The Service keeps its address, two applications keep their settings.
"""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.certificates import Authority
from tests.support.e2e import addons
from tests.support.e2e.canaries import search
from tests.support.e2e.images import built
from tests.support.e2e.load import doubled, load, lost
from tests.support.e2e.reader import Reader
from tests.support.e2e.release import Release
from tests.support.e2e.stage import PYTHON, ProviderPod, Stage
from tests.support.readme import Block, blocks
from tests.support.repository import REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NAMESPACE = "smtp"
SUPPORT = REPOSITORY / "tests" / "support" / "e2e"
SEED = SUPPORT / "seed002"
GUIDE = blocks(REPOSITORY / "docs" / "migrate-from-postfix-relay.md")
PROGRAM = (SUPPORT / "app_program.py").read_text()
IMAGE, HOST = "docker-mailserver/docker-mailserver:latest", "live.smtp.mailtrap.io"
LOGINS = {"mailtrap": ("api", "token-of-mailtrap-51c8"), "resend": ("resend", "key-of-resend-e07b")}
SWITCHED_WITHIN = 5.0


@dataclass(frozen=True)
class Scene:
    """The seed's namespace, and one with the applications and the providers."""

    smtp: Stage
    outside: Stage
    mailtrap: ProviderPod
    resend: ProviderPod
    authority: str

    def adapted(self, block: Block) -> str:
        """A file of the guide, but for where the providers are: their names lead nowhere here."""
        text = block.text
        for name, pod in (("mailtrap", self.mailtrap), ("resend", self.resend)):
            there = f"\n  host: {pod.host}\n  tls: {{caRef: {{name: providers}}}}"
            assert text.count(f"\n  type: {name}\n") == 1
            text = text.replace(f"\n  type: {name}\n", f"\n  type: {name}{there}\n")
        return text

    def address(self) -> str:
        """The Service's cluster IP."""
        return str(self.smtp.get("service", "smtp-relay")["spec"]["clusterIP"])


@pytest.fixture(scope="module")
def scene(release: Release, stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The seed as it runs before anybody heard of Mailhaul, with its providers and its secret store."""
    addons.start(release.cluster, "external-secrets")
    image = built(release.cluster, SUPPORT / "mailserver", "localhost/mailhaul-mailserver-test")
    release.cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=60s")
    smtp = Stage(release.cluster, NAMESPACE, release.images.relay)
    authority = Authority(tmp_path_factory.mktemp("authority"))
    stage.app()
    mailtrap, resend = (_provider(stage, name, authority) for name in ("mailtrap", "resend"))
    manifests = (SEED / "manifests.yaml").read_text()
    assert manifests.count(IMAGE) == 1
    try:
        _store(stage)
        _apply(smtp, manifests.replace(IMAGE, image).replace(HOST, mailtrap.host))
        smtp.apply(_config_map("providers", {"ca.crt": authority.pem}))
        smtp.ask("rollout", "status", "deployment/smtp-relay", "--timeout=120s")
        release.serve(NAMESPACE)
        yield Scene(smtp, stage, mailtrap, resend, authority.pem)
        assert search(release.cluster, NAMESPACE, release.namespace) == []
    finally:
        release.cluster.kubectl("delete", "clustersecretstore", "onepassword-connect", "--ignore-not-found")
        release.cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def test_the_seed_is_taken_over_with_its_address_and_settings(scene: Scene, release: Release, tmp_path: Path) -> None:
    address = scene.address()
    # The seed's own pod has no readiness probe: it is "available" before its Postfix listens.
    scene.outside.until(lambda: _sent(scene, {**_grafana(), "subject": "is it there"}) == "sent", 60)
    _both_send(scene, "by postfix", scene.mailtrap)
    reader = Reader(tmp_path, release, scene.adapted)
    *guide, switch = GUIDE
    began = time.monotonic()
    with _applications(scene) as sent:
        reader.follow(guide)
    print(f"the guide took {time.monotonic() - began:.0f} s; {len(sent)} mails meanwhile, none refused")
    scene.outside.until(lambda: set(sent) <= set(scene.mailtrap.subjects()), 60)
    assert doubled([one for one in scene.mailtrap.subjects() if one in sent]) == 0

    assert scene.address() == address
    _both_send(scene, "by mailhaul", scene.mailtrap)
    _relayed_by_mailhaul(scene)
    _switched(scene, reader, switch)
    assert scene.address() == address


def test_a_client_that_uses_tls_when_offered_and_verifies_it_would_notice_a_bad_one(scene: Scene) -> None:
    bad = _sent(scene, {**_grafana(), "host": scene.mailtrap.host, "port": 25, "subject": "verified"})
    assert "CERTIFICATE_VERIFY_FAILED" in bad


@contextmanager
def _applications(scene: Scene) -> Iterator[list[str]]:
    """Applications that send one mail after the other, each over a connection of its own; gives the subjects. What is
    not taken fails the test: nobody may notice the migration.
    """
    sent: list[str] = []
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            subject = f"during {len(sent)}"
            said = _sent(scene, {**_grafana(), "subject": subject})
            assert said == "sent", said
            sent.append(subject)

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        try:
            yield sent
        finally:
            stopped.set()
        working.result(timeout=60)


def _switched(scene: Scene, reader: Reader, line: Block) -> None:
    """The guide's last step: one line, no restart, and the next mail takes the other way."""
    pod = scene.smtp.get("pod", "smtp-relay-0")["metadata"]["uid"]
    scene.smtp.app()
    with load(scene.smtp, "switch", relay="smtp-relay", pause=0.1) as running:
        scene.outside.until(lambda: any("switch" in one for one in scene.mailtrap.subjects()), 20)
        began = time.time()
        reader.follow([line])
        scene.outside.until(lambda: scene.resend.mails() != [], 20)
        sent = running.stop()
    first = min(one["time"] for one in scene.resend.mails())
    print(f"the first mail through the new provider came {first - began:.1f} s after the change of the line")
    assert first - began <= SWITCHED_WITHIN
    scene.outside.until(lambda: not lost(sent, [*scene.mailtrap.subjects(), *scene.resend.subjects()]), 60)
    arrived = [one for one in (*scene.mailtrap.subjects(), *scene.resend.subjects()) if one.startswith("switch")]
    assert doubled(arrived) == 0
    assert {one["user"] for one in scene.resend.mails()} == {"resend"}
    assert scene.smtp.get("pod", "smtp-relay-0")["metadata"]["uid"] == pod
    _both_send(scene, "by resend", scene.resend)


def _relayed_by_mailhaul(scene: Scene) -> None:
    """Nothing of the old relay is left, and the credential comes from the store by our ExternalSecret."""
    assert scene.smtp.kubectl("get", "deployment", "smtp-relay").code != 0
    service = scene.smtp.get("service", "smtp-relay")
    assert service["spec"]["selector"] == {"mailhaul.dev/relay": "smtp-relay"}
    assert service["metadata"]["ownerReferences"][0]["kind"] == "SmtpRelay"
    last = scene.mailtrap.mails()[-1]
    assert "by mailhaul" in last["subject"]
    assert (last["user"], last["tls"]) == ("api", True)
    made = scene.smtp.get("externalsecret", "mailtrap-mailhaul-credential")
    assert made["status"]["conditions"][0]["status"] == "True"


def _both_send(scene: Scene, subject: str, provider: ProviderPod) -> None:
    """Authentik and Grafana send with their settings as the seed has them."""
    wanted = []
    for name, job in (("authentik", _authentik()), ("grafana", _grafana())):
        text = f"{subject} from {name}"
        assert _sent(scene, {**job, "subject": text}) == "sent"
        wanted.append(text)
    scene.outside.until(lambda: set(wanted) <= set(provider.subjects()), 60, lambda: str(provider.subjects()[-5:]))


def _sent(scene: Scene, job: dict[str, Any]) -> str:
    return scene.outside.ask("exec", "-i", "app", "--", PYTHON, "-c", PROGRAM, stdin=json.dumps(job))


def _settings(name: str) -> Any:  # noqa: ANN401 - YAML
    return yaml.safe_load((SEED / f"{name}.yaml").read_text().replace("<your-domain>", "example.com"))


def _authentik() -> dict[str, Any]:
    email = _settings("authentik")["email"]
    return {**email, "opportunistic": False}


def _grafana() -> dict[str, Any]:
    smtp = _settings("grafana")["smtp"]
    host, _, port = smtp["host"].partition(":")
    return {"host": host, "port": int(port), "from": smtp["from_address"], "use_tls": False, "opportunistic": True}


def _provider(stage: Stage, name: str, authority: Authority) -> ProviderPod:
    """A provider that demands TLS and a login, on port 587 too."""
    host = f"{name}.{stage.namespace}.svc.cluster.local"
    pod = stage.provider(name, auth=LOGINS[name], tls=authority.issue(name, subject_alt_name=f"DNS:{host}"))
    ports = [{"name": "submission", "port": 587, "targetPort": 2525}, {"name": "smtp", "port": 25, "targetPort": 2525}]
    ports.append({"name": "door", "port": 8025, "targetPort": 8025})
    patch = json.dumps({"spec": {"ports": ports}})
    stage.ask("patch", "service", name, "--type=merge", "-p", patch)
    return pod


def _store(stage: Stage) -> None:
    data = [
        {"key": name, "value": json.dumps({"username": user, "password": password})}
        for name, (user, password) in LOGINS.items()
    ]
    stage.apply(
        {
            "apiVersion": "external-secrets.io/v1",
            "kind": "ClusterSecretStore",
            "metadata": {"name": "onepassword-connect"},
            "spec": {"provider": {"fake": {"data": data}}},
        }
    )


def _apply(stage: Stage, manifests: str) -> None:
    """`kubectl apply -f` of the seed's file: it names its namespace itself."""
    stage.cluster.ask("apply", "-f", "-", stdin=manifests)


def _config_map(name: str, data: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
