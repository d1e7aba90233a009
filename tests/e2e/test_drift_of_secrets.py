"""Item 8 for a relay's own Secret, which may be the last that knows a credential: edited, deleted or taken from its
owner it is repaired within a minute, or told, and the credential is kept.

Each drift has a relay of its own, so that one minute is waited for and not three.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from tests.support.e2e import resources
from tests.support.e2e.stage import Mail, ProviderPod, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SECRET_WITHIN = 75.0
"""Without the right to list Secrets they are read again after a minute."""
WITHIN = 15.0
PASSWORD = "drift-5e20"
RELAYS = ("edited", "deleted", "disowned")


@dataclass(frozen=True)
class Drifted:
    """A provider whose Secret is gone, and what was in the relays' own Secrets before these drifted too."""

    provider: ProviderPod
    kept: Mapping[str, Mapping[str, str]]
    uid: str


@pytest.fixture(scope="module")
def drifted(stage: Stage) -> Drifted:
    """Relays that deliver; then the credential is in their own Secrets only, and these drift, all at once."""
    stage.app()
    provider = stage.provider("provider", auth=(resources.USER, PASSWORD))
    stage.apply(
        resources.secret("credential", PASSWORD), resources.provider("provider", provider.host, secret="credential")
    )
    stage.apply(*(resources.relay(["provider"], name) for name in RELAYS))
    for name in RELAYS:
        stage.wait_condition(f"smtprelay/{name}", "Ready", "True")
    stage.ask("delete", "secret/credential")
    stage.wait_condition("upstream/provider", "CredentialsReady", "False", "SecretMissing", seconds=SECRET_WITHIN)
    made = Drifted(provider, {name: _kept(stage, name) for name in RELAYS}, _uid(stage))
    assert all("provider.provider.password" in one for one in made.kept.values())
    stage.ask("patch", _secret("edited"), "--type=merge", "-p", '{"data":{"stranger":"eA=="}}')
    stage.ask("patch", _secret("disowned"), "--type=merge", "-p", '{"metadata":{"ownerReferences":null}}')
    stage.ask("delete", _secret("deleted"))
    return made


def test_an_edited_secret_is_repaired_and_keeps_its_credential(stage: Stage, drifted: Drifted) -> None:
    took = stage.until(lambda: _value(stage, _secret("edited"), "{.data.stranger}") == "", SECRET_WITHIN)
    print(f"Secret, a key more: {took:.1f} s")
    assert _kept(stage, "edited") == drifted.kept["edited"]


def test_a_deleted_secret_comes_back_with_the_last_good_credential(stage: Stage, drifted: Drifted) -> None:
    took = stage.until(lambda: _uid(stage) not in {"", drifted.uid}, SECRET_WITHIN)
    print(f"Secret, deleted: {took:.1f} s")
    assert _kept(stage, "deleted") == drifted.kept["deleted"]
    (sent,) = stage.accepted(Mail("after a Secret was deleted"), "deleted")
    stage.until(lambda: sent in drifted.provider.subjects(), 20)


def test_a_secret_that_lost_its_owner_is_taken_back_with_the_last_good_credential(
    stage: Stage, drifted: Drifted
) -> None:
    secret, before = _secret("disowned"), drifted.kept["disowned"]
    took = stage.until(lambda: "NameTaken" in _told(stage), SECRET_WITHIN, lambda: _told(stage))
    print(f"told after {took:.1f} s:\n{_told(stage)}")
    assert _kept(stage, "disowned") == before
    stage.ask("annotate", secret, "mailhaul.dev/adopt=disowned")
    stage.until(lambda: _value(stage, secret, "{.metadata.ownerReferences[0].name}") == "disowned", WITHIN)
    stage.until(lambda: "NameTaken" not in _told(stage), WITHIN, lambda: _told(stage))
    assert _kept(stage, "disowned") == before
    (sent,) = stage.accepted(Mail("after a Secret was taken back"), "disowned")
    stage.until(lambda: sent in drifted.provider.subjects(), 20)


@pytest.mark.usefixtures("drifted")
def test_a_credential_that_is_back_is_found(stage: Stage) -> None:
    stage.apply(resources.secret("credential", PASSWORD))
    stage.wait_condition("upstream/provider", "CredentialsReady", "True", "CredentialFound", seconds=30)


def _secret(relay: str) -> str:
    return f"secret/{relay}-mailhaul"


def _uid(stage: Stage) -> str:
    return _value(stage, _secret("deleted"), "{.metadata.uid}")


def _value(stage: Stage, what: str, path: str) -> str:
    return stage.kubectl("get", what, "-o", f"jsonpath={path}").out


def _kept(stage: Stage, relay: str) -> dict[str, str]:
    """A relay's own Secret but for its revision, which a repair may change."""
    found: dict[str, str] = stage.get(_secret(relay))["data"]
    return {key: value for key, value in found.items() if key != "revision"}


def _told(stage: Stage) -> str:
    conditions = stage.get("smtprelay/disowned")["status"]["conditions"]
    return "\n".join(f"{one['type']} {one['reason']}: {one['message']}" for one in conditions)
