"""`python -m tests.support.e2e.demo`, called by `make demo-cluster`: from nothing to a delivered mail in a cluster.

Takes the cluster as the e2e tests do (tests/support/cluster.py). Does what a user does, step by step, and shows the
commands and what they print; then takes away what it made but the definitions. Exit code 0 when the mail arrived, 1
with words when not.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.cluster import Cluster, running_cluster
from tests.support.e2e.release import CHART, Release, build_images
from tests.support.e2e.stage import Mail, Stage
from tests.support.repository import REPOSITORY

NAMESPACE = "smtp"
EXAMPLE = REPOSITORY / "examples" / "quickstart"
CLUSTER = REPOSITORY.parent / "shared" / "cluster" / "cluster"
"""Used when no variable names a cluster and this command is there."""


def main() -> int:
    """Play the demo; exit code."""
    if not {"MAILHAUL_E2E_CLUSTER", "MAILHAUL_E2E_KUBECONFIG"} & set(os.environ) and CLUSTER.exists():
        os.environ["MAILHAUL_E2E_CLUSTER"] = str(CLUSTER)
    begun = time.monotonic()
    try:
        with ExitStack() as stack:
            _say("Looking for a cluster (the first start on a machine may take ten minutes)")
            _play(stack, stack.enter_context(running_cluster()))
    except (pytest.fail.Exception, pytest.skip.Exception, AssertionError) as error:
        _say(f"The demo failed: {error}")
        return 1
    _say(f"Done in {time.monotonic() - begun:.0f} s; what the demo made is gone again but for Mailhaul's definitions,")
    _say("which stay as after any uninstall. To remove them, and every resource of these kinds with them:")
    _say("$ kubectl delete crd smtprelays.mailhaul.dev upstreamproviders.mailhaul.dev mailaliases.mailhaul.dev")
    return 0


def _play(stack: ExitStack, cluster: Cluster) -> None:
    if cluster.kubectl("get", "namespace", NAMESPACE).code == 0:
        pytest.fail(f"this cluster has a namespace {NAMESPACE} already; the demo makes and deletes its own")
    _say("1. Both images of this tree, into the cluster")
    release = Release(cluster, build_images(cluster))
    _say(f"2. $ helm upgrade --install mailhaul {CHART.relative_to(REPOSITORY)} --namespace {release.namespace} ...")
    stack.callback(cluster.kubectl, "delete", "namespace", release.namespace, "--wait=false")
    stack.callback(release.uninstall)
    release.install()
    _show(cluster.ask("get", "pods", "-n", release.namespace))
    stage = Stage(cluster, NAMESPACE, release.images.relay)
    stack.callback(cluster.kubectl, "delete", "namespace", NAMESPACE, "--timeout=60s")
    _relay(cluster, stage)
    _mail(stage)


def _relay(cluster: Cluster, stage: Stage) -> None:
    _say(f"3. $ kubectl create namespace {NAMESPACE}; kubectl apply -f {EXAMPLE.relative_to(REPOSITORY)}")
    cluster.ask("create", "namespace", NAMESPACE)
    _show(stage.ask("apply", "-f", str(EXAMPLE)))
    took = stage.wait_condition("smtprelay/smtp-relay", "Ready", "True")
    _say(
        f"   The relay is Ready after {took:.1f} s. Its first provider does not exist (127.0.0.1:2600): status says so,"
    )
    _say("   and its second, the relay's own inbox, takes the mail meanwhile.")
    _show(stage.ask("get", "relays,upstreams,aliases"))


def _mail(stage: Stage) -> None:
    _say("4. A pod sends to smtp-relay.smtp.svc.cluster.local:25, with no credentials, as any app would")
    stage.app()
    for mail in (
        Mail("An order", recipients=("carol@example.net",)),
        Mail("To sales", recipients=("sales@example.com",)),
    ):
        stage.wait_door("smtp-relay")
        for subject, code, words in stage.send(mail, relay="smtp-relay").answers:
            _say(f"   {subject!r} to {', '.join(mail.recipients)}: {code} {words}")
    _say("5. $ mailhaul send-test -n smtp --relay smtp-relay --to user@example.net")
    _show(_mailhaul(stage, "send-test", "-n", NAMESPACE, "--relay", "smtp-relay", "--to", "user@example.net"))
    stage.until(lambda: _delivered(stage) > 0, 30, lambda: "the status tells of no delivery")
    _say("6. $ mailhaul status -n smtp")
    _show(_mailhaul(stage, "status", "-n", NAMESPACE))


def _delivered(stage: Stage) -> int:
    relay = json.loads(stage.ask("get", "smtprelay", "smtp-relay", "-o", "json"))
    return int(relay["status"].get("delivered", {}).get("total", 0))


def _mailhaul(stage: Stage, *arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("mailhaul")), *arguments]
    done = subprocess.run(
        command, env=stage.cluster.environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _show(text: str) -> None:
    sys.stdout.write("".join(f"     {line}\n" for line in text.splitlines()))
    sys.stdout.flush()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
