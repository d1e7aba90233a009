"""Item 2 with a server that is not ours: Debian's Postfix in a pod demands TLS of an own authority, and a login."""

from pathlib import Path

import pytest
from tests.support.certificates import Authority, Pair
from tests.support.cluster import Cluster
from tests.support.e2e import resources
from tests.support.e2e.images import built
from tests.support.e2e.stage import Mail, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PASSWORD = "right-e8d3b1"


@pytest.fixture(scope="module")
def postfix(cluster: Cluster) -> str:
    """The image of a Postfix."""
    return built(cluster, Path(__file__).parents[1] / "support" / "e2e" / "postfix", "localhost/mailhaul-e2e-postfix")


def test_postfix_takes_mail_by_tls_and_login(open_stage: Stage, postfix: str, tmp_path: Path) -> None:
    stage = open_stage  # Postfix has to start as root: not restricted
    host = f"postfix.{stage.namespace}.svc.cluster.local"
    authority = Authority(tmp_path)
    stage.apply(*_postfix(postfix, authority.issue("postfix", subject_alt_name=f"DNS:{host}")))
    stage.ask("wait", "--for=condition=Ready", "pod/postfix", "--timeout=60s")
    tls = {"mode": "StartTLS", "caRef": {"name": "authority"}}
    stage.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "authority"}, "data": {"ca.crt": authority.pem}},
        resources.secret("credential", PASSWORD),
        resources.provider("postfix", host, secret="credential", tls=tls),
        resources.relay(["postfix"]),
    )
    stage.app()
    took = stage.wait_condition("smtprelay/relay", "Ready", "True", "UpstreamAnswers", seconds=60)
    sent = stage.accepted(Mail("by Postfix", count=3))
    stage.until(lambda: sorted(_box(stage)) == sorted(sent), 20, lambda: stage.ask("logs", "postfix"))
    log = stage.ask("logs", "postfix")
    print(f"Ready {took:.1f} s after the apply; {len(sent)} mails by TLS and login")
    assert "sasl_method=PLAIN, sasl_username=mailer" in log
    for one in ("TLSVerified", "Authenticated", "SenderAccepted"):
        stage.wait_condition("upstream/postfix", one, "True", seconds=20)


def _box(stage: Stage) -> list[str]:
    """Subjects of what lies in the mailbox."""
    text = stage.kubectl("exec", "postfix", "--", "cat", "/var/box/box").out
    return [line.removeprefix("Subject: ") for line in text.splitlines() if line.startswith("Subject: ")]


def _postfix(image: str, pair: Pair) -> list[resources.Resource]:
    files = {"tls.crt": pair.chain.read_text(), "tls.key": pair.key.read_text()}
    account = {"USERNAME": resources.USER, "PASSWORD": PASSWORD}
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": name, "value": value} for name, value in account.items()],
        "readinessProbe": {"tcpSocket": {"port": 2525}, "periodSeconds": 1},
        "volumeMounts": [{"name": "tls", "mountPath": "/tls"}],
    }
    spec = {
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "containers": [container],
        "volumes": [{"name": "tls", "secret": {"secretName": "postfix-tls"}}],
    }
    ports = [{"port": 25, "targetPort": 2525}]
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "postfix-tls"}, "stringData": files},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "postfix"},
            "spec": {"selector": {"app": "postfix"}, "ports": ports},
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "postfix", "labels": {"app": "postfix"}},
            "spec": spec,
        },
    ]
