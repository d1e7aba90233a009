"""Item 13: no credential of any test is told anywhere. Each stage was searched when its module ended
(`tests/support/e2e/canaries.py`); this comes after them all, and looks at those that the same process has run.
"""

import base64
import json
from typing import Any

import pytest
from tests.support.e2e import resources
from tests.support.e2e.canaries import SEARCHED, forms, leaks, search
from tests.support.e2e.release import Release
from tests.support.e2e.stage import PYTHON, Mail, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TELL = "import base64, sys, time; print(base64.b64decode(sys.argv[1]).decode()); time.sleep(600)"
PLACES_EACH = 5
CANARY = 'canary "7f\\3a" <&é> 9c2e'


@pytest.mark.parametrize(
    "text",
    [
        CANARY,
        json.dumps({"password": CANARY}),
        base64.b64encode(CANARY.encode()).decode(),
        base64.b64encode(f"\0mailer\0{CANARY}".encode()).decode(),
        base64.b64encode(f"a{CANARY}b".encode()).decode(),
        repr(CANARY.encode()),
        CANARY.encode().hex(),
    ],
    ids=["plain", "JSON", "base64", "AUTH PLAIN", "base64 within", "bytes", "hex"],
)
def test_a_secret_is_found_in_each_form(text: str) -> None:
    assert list(leaks(f"before {text} after", [CANARY]))
    assert not [one for one in leaks(f"before {text} after", [CANARY]) if CANARY in one]
    assert not list(leaks("before and after", [CANARY]))


def test_a_credential_that_is_refused_is_told_of_but_not_told(stage: Stage, release: Release) -> None:
    """The worst moment: the provider says no, everything is told, and the operator looks again and again."""
    stage.app()
    provider = stage.provider("provider", auth=(resources.USER, "another-9d1f"))
    made = resources.provider("provider", provider.host, secret="credential")
    stage.apply(resources.secret("credential", CANARY), made, resources.relay(["provider"]))
    stage.accepted(Mail("held"))
    stage.until(lambda: "535" in stage.ask("get", "smtprelays,upstreams"), 20)
    assert any(one["good"] is False for one in provider.logins())
    assert search(stage.cluster, stage.namespace, release.namespace) == []
    assert CANARY in SEARCHED.values


def test_a_leak_would_be_found(stage: Stage, release: Release) -> None:
    leaked = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "leak"}}
    stage.apply({**leaked, "data": {"text": f"AUTH LOGIN {forms(CANARY)['base64 at 0']}"}})
    found = search(stage.cluster, stage.namespace, release.namespace)
    stage.ask("delete", "configmap", "leak")
    assert [one.split(":")[0] for one in found] == [f"{stage.namespace} ConfigMap/leak"]


def test_what_is_said_by_a_pod_that_is_gone_is_searched_too(stage: Stage, release: Release) -> None:
    stage.apply(_talkative(stage.image))
    stage.until(lambda: CANARY in stage.kubectl("logs", "talkative").out, 60)
    stage.delete_pod("talkative", "--wait=true")
    found = search(stage.cluster, stage.namespace, release.namespace)
    assert [one.split(":")[0] for one in found] == ["log of talkative"]
    assert search(stage.cluster, stage.namespace, release.namespace) == []


def test_what_was_searched_is_much(stage: Stage) -> None:
    """Every stage of before, each with its secrets, its objects and with programs that said something."""
    through, before = SEARCHED.namespaces, len(SEARCHED.modules) - 1
    assert SEARCHED.staged <= through | {stage.namespace}
    assert SEARCHED.places >= PLACES_EACH * len(through)
    assert min(len(through), len(SEARCHED.values), SEARCHED.logs) >= before
    what = f"{SEARCHED.places} objects, logs and pages of {len(through)} namespaces; {SEARCHED.characters} characters"
    print(f"{len(SEARCHED.values)} secrets in {len(forms(CANARY))} forms, sought in {what}; {SEARCHED.logs} logs")


def _talkative(image: str) -> dict[str, Any]:
    """A pod that tells the secret, as no pod of ours may."""
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [PYTHON, "-uc", TELL],
        "args": [base64.b64encode(CANARY.encode()).decode()],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "talkative"}, "spec": spec}
