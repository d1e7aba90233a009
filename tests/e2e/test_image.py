"""The relay's image: builds from this tree, and runs as a restricted pod with a read-only root."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.cluster import Cluster
from tests.support.e2e.lanes import one_at_a_time
from tests.support.repository import REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

IMAGE = "localhost/mailhaul-relay:e2e"
BUILD_SECONDS = 900
CONFIG = {
    "contractVersion": 1,
    "relay": {"namespace": "e2e", "name": "relay"},
    "hostname": "relay.example.com",
    "listeners": [{"name": "smtp", "port": 2525}],
    "clients": {"allowedNetworks": ["0.0.0.0/0"]},
    "upstreams": [{"name": "inbox", "provider": "inbox", "profile": "capture", "kind": "Capture"}],
}
SEND = """
import smtplib, sys
with smtplib.SMTP(sys.argv[1], 2525, timeout=10) as relay:
    print(relay.sendmail("app@example.com", ["a@example.net"], "From: app@example.com\\nSubject: from a pod\\n\\nx\\n"))
"""
FETCH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).status)"
WRITE = """
import os, sys
for folder in ("/", "/tmp", "/etc/mailhaul", "/opt/mailhaul"):
    try:
        open(os.path.join(folder, "x"), "w")
        sys.exit(f"{folder} can be written")
    except OSError:
        pass
print(os.getuid(), os.getgid())
"""


def _pod(name: str, **container: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a container
    restricted = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            # No runAsUser: the kubelet must see by the image's own number that it is not root.
            "securityContext": {"runAsNonRoot": True, "fsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "automountServiceAccountToken": False,
            "containers": [
                {
                    "name": "main",
                    "image": IMAGE,
                    "imagePullPolicy": "Never",
                    "securityContext": restricted,
                    **container,
                }
            ],
            "volumes": [
                {"name": "spool", "emptyDir": {}},
                {"name": "config", "configMap": {"name": "relay"}},
                {"name": "secrets", "secret": {"secretName": "relay"}},
            ],
        },
    }


RELAY_POD = _pod(
    "relay",
    volumeMounts=[
        {"name": "spool", "mountPath": "/var/spool/mailhaul"},
        {"name": "config", "mountPath": "/etc/mailhaul/config"},
        {"name": "secrets", "mountPath": "/etc/mailhaul/secrets"},
    ],
    ports=[{"containerPort": 2525}, {"containerPort": 9090}],
    readinessProbe={"httpGet": {"path": "/readyz", "port": 9090}, "periodSeconds": 1},
    livenessProbe={"httpGet": {"path": "/healthz", "port": 9090}},
)
CLIENT_POD = _pod("client", command=["/opt/mailhaul/bin/python", "-c", "import time; time.sleep(600)"])


@pytest.fixture(scope="module")
def image(cluster: Cluster) -> str:
    if not cluster.command:
        pytest.skip("needs MAILHAUL_E2E_CLUSTER: a cluster that is only a kubeconfig takes no image of this tree")
    command = [*cluster.command, "build", str(REPOSITORY), "-t", IMAGE, "--target", "relay"]
    with one_at_a_time():
        done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return IMAGE


@pytest.fixture(scope="module")
def relay(cluster: Cluster, namespace: str, image: str) -> Iterator[str]:
    """The address of the relay's pod."""
    cluster.ask("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    objects = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "relay"},
            "data": {"relay.v1.json": json.dumps(CONFIG)},
        },
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "relay"}, "stringData": {"revision": "1"}},
        RELAY_POD,
        CLIENT_POD,
    ]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    cluster.ask("apply", "-n", namespace, "-f", "-", stdin=text)
    waited = cluster.kubectl(
        "wait", "-n", namespace, "--for=condition=Ready", "pod/relay", "pod/client", "--timeout=50s"
    )
    if waited.code != 0:
        pytest.fail(f"{waited.err}\n{cluster.kubectl('describe', '-n', namespace, 'pod/relay').out[-2000:]}")
    yield cluster.get("pod/relay", "-n", namespace)["status"]["podIP"]
    cluster.kubectl("delete", "pod", "relay", "client", "-n", namespace, "--grace-period=1", "--wait=false")


def _python(cluster: Cluster, namespace: str, pod: str, script: str, *arguments: str) -> str:
    words = ["exec", "-n", namespace, pod, "--", "/opt/mailhaul/bin/python", "-c", script, *arguments]
    return cluster.ask(*words).strip()


def test_another_pod_sends_mail_and_the_relay_takes_it(cluster: Cluster, namespace: str, relay: str) -> None:
    assert _python(cluster, namespace, "client", SEND, relay) == "{}"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_health_and_metrics_answer(cluster: Cluster, namespace: str, relay: str, path: str) -> None:
    assert _python(cluster, namespace, "client", FETCH, f"http://{relay}:9090{path}") == "200"


def test_it_runs_as_a_number_and_writes_nothing_but_its_spool(cluster: Cluster, namespace: str, relay: str) -> None:
    assert _python(cluster, namespace, "relay", WRITE) == "65532 65532"


def test_nothing_is_compiled_at_run_time(cluster: Cluster, namespace: str, relay: str) -> None:
    script = (
        "import sys, mailhaul_relay.app.process as m, json, asyncio, ssl\n"
        "print([one for one in (m, json, asyncio, ssl) if not __import__('os').path.exists(one.__cached__)])"
    )
    assert _python(cluster, namespace, "relay", script) == "[]"


def test_it_logs_json_and_stops_on_sigterm_with_exit_code_0(cluster: Cluster, namespace: str, relay: str) -> None:
    lines = cluster.ask("logs", "-n", namespace, "relay").splitlines()
    assert {"started", "accepted"} <= {json.loads(line)["event"] for line in lines}
    # PID 1 gets no default action for a signal: the relay must handle it.
    cluster.ask("delete", "pod", "relay", "-n", namespace, "--grace-period=25", "--timeout=20s")
