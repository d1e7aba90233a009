"""Item 13: no credential of any test of this session is told anywhere. Each stage was searched when its module ended
(`tests/support/e2e/canaries.py`); this comes after them all.
"""

import base64
import json

import pytest
from tests.support.e2e import resources
from tests.support.e2e.canaries import SEARCHED, forms, leaks, search
from tests.support.e2e.release import Release
from tests.support.e2e.stage import Mail, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

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


def test_what_was_searched_is_much(release: Release) -> None:
    assert SEARCHED.values
    sought, through = len(SEARCHED.values), len(SEARCHED.namespaces)
    print(f"{sought} secrets in {len(forms(CANARY))} forms; {through} namespaces; {SEARCHED.characters} characters")
