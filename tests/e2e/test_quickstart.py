"""Item 1: the chart, examples/quickstart, an app's pod; the mail arrives at the capture upstream in the cluster."""

import base64
import json

import pytest
from tests.support.e2e.canaries import search
from tests.support.e2e.release import Release
from tests.support.e2e.stage import Mail, Stage
from tests.support.repository import REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NAMESPACE = "smtp"
INBOX = """
import sys, urllib.request
asked = urllib.request.Request(sys.argv[1], headers={"X-Mailhaul-Token": sys.argv[2]})
print(urllib.request.urlopen(asked, timeout=10).read().decode())
"""


def test_the_quick_start_leads_to_a_delivered_mail(release: Release) -> None:
    stage = Stage(release.cluster, NAMESPACE, release.images.relay)
    release.cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=60s")
    release.cluster.ask("create", "namespace", NAMESPACE)
    release.serve(NAMESPACE)
    try:
        stage.ask("apply", "-f", str(REPOSITORY / "examples" / "quickstart"))
        stage.app()
        took = stage.wait_condition("smtprelay/smtp-relay", "Ready", "True")
        stage.accepted(Mail("quick start", recipients=("user@example.net",)), "smtp-relay")
        stage.until(lambda: "quick start 0" in _inbox(stage), 20, lambda: _inbox(stage))
        print(f"Ready {took:.1f} s after the apply")
        print(stage.ask("get", "smtprelays,upstreams,aliases"))
        assert search(release.cluster, NAMESPACE, release.namespace) == []
    finally:
        release.cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def _inbox(stage: Stage) -> str:
    """What the relay's inbox lists, read from the app's pod."""
    secret = stage.get("secret", "smtp-relay-mailhaul")["data"]["api.token"]
    pod = stage.get("pod", "smtp-relay-0")["status"]["podIP"]
    url = f"http://{pod}:9090/inbox/messages.json"
    found = stage.kubectl(
        "exec", "app", "--", "/opt/mailhaul/bin/python", "-c", INBOX, url, base64.b64decode(secret).decode()
    )
    return json.dumps(json.loads(found.out)) if found.code == 0 else found.err
