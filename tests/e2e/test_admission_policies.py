"""What the API server itself refuses by the chart's policies: a provider in the name of somebody who may not read its
credential. And what it warns of.
"""

import json

import pytest
from tests.support.cluster import Answer
from tests.support.e2e import resources
from tests.support.e2e.resources import Resource
from tests.support.e2e.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ANN = "ann"
HOST = "smtp.example.net"
EXTERNAL = {
    "secretStoreRef": {"name": "store"},
    "data": [
        {"secretKey": "username", "remoteRef": {"key": "a"}},
        {"secretKey": "password", "remoteRef": {"key": "b"}},
    ],
}


@pytest.fixture(scope="module")
def ann(stage: Stage) -> Stage:
    """A namespace where a user may write providers, and read one Secret of two."""
    stage.apply(resources.secret("hers", "a"), resources.secret("other", "b"))
    stage.ask("create", "role", "writer", "--verb=get,create,update,patch", "--resource=upstreamproviders.mailhaul.dev")
    stage.ask("create", "rolebinding", "writer", "--role=writer", f"--user={ANN}")
    stage.ask("create", "role", "reader", "--verb=get", "--resource=secrets", "--resource-name=hers")
    stage.ask("create", "rolebinding", "reader", "--role=reader", f"--user={ANN}")
    stage.until(lambda: _apply(stage, resources.provider("first", HOST, secret="other")).code != 0, 20)
    return stage


def _apply(stage: Stage, resource: Resource, *, user: str = ANN) -> Answer:
    return stage.kubectl("apply", f"--as={user}", "-f", "-", stdin=json.dumps(resource))


def test_nobody_names_a_secret_that_is_not_theirs_to_read(ann: Stage) -> None:
    refused = _apply(ann, resources.provider("main", HOST, secret="other"))
    assert refused.code != 0
    assert "spec.auth.secretRef.name: you may not read Secret other in namespace" in refused.err
    assert _apply(ann, resources.provider("main", HOST, secret="hers")).code == 0
    changed = _apply(ann, resources.provider("main", HOST, secret="other"))
    assert "you may not read Secret other" in changed.err


def test_what_somebody_else_named_cannot_be_sent_to_another_host(ann: Stage) -> None:
    ann.apply(resources.provider("theirs", HOST, secret="other"))
    assert (
        "you may not read Secret other" in _apply(ann, resources.provider("theirs", "mine.example", secret="other")).err
    )
    assert ann.kubectl("annotate", f"--as={ANN}", "upstreamprovider/theirs", "seen=yes").code == 0


def test_nobody_has_an_external_secret_made_that_they_may_not_make(ann: Stage) -> None:
    wanted = resources.provider("external", HOST)
    wanted["spec"]["auth"] = {"externalSecret": EXTERNAL}
    refused = _apply(ann, wanted)
    assert refused.code != 0
    assert "spec.auth.externalSecret: you may not create an ExternalSecret in namespace" in refused.err


def test_tls_that_is_not_verified_is_warned_of(ann: Stage) -> None:
    said = _apply(ann, resources.provider("unverified", HOST, secret="hers", tls={"verify": "None"}))
    assert said.code == 0
    assert "Warning:" in said.err
    assert "spec.tls.verify None lets anybody on the way read the mail and the password" in said.err
    assert "Warning:" not in _apply(ann, resources.provider("plain", HOST, secret="hers")).err
