"""A provider's Secret changes: the new credential is proved while the old one goes on, or told when it is wrong."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.support.e2e import resources
from tests.support.e2e.stage import Mail, ProviderPod, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FIRST, SECOND, WRONG = "first-9b1e", "second-4c77", "wrong-81e07d2a"
SEEN_WITHIN = 75
"""Seconds: an operator for all namespaces reads the Secret of a credential that is proved once a minute."""


@pytest.fixture(scope="module")
def provider(stage: Stage) -> ProviderPod:
    """A provider that takes the first password, and a relay that has delivered with it."""
    stage.app()
    provider = stage.provider("provider", auth=(resources.USER, FIRST))
    stage.apply(resources.secret("credential", FIRST))
    stage.apply(resources.provider("provider", provider.host, secret="credential"), resources.relay(["provider"]))
    stage.wait_condition("smtprelay/relay", "Ready", "True")
    sent = stage.accepted(Mail("at first"))
    provider.wait_subjects(sent, 10)
    return provider


def test_a_wrong_new_credential_is_told_and_mail_leaves_with_the_one_before(
    stage: Stage, provider: ProviderPod
) -> None:
    pod, known = stage.identity("relay-0"), provider.subjects()
    stage.apply(resources.secret("credential", WRONG))
    why = "NewCredentialRefused"
    took = stage.wait_condition("upstream/provider", "CredentialsReady", "False", why, seconds=SEEN_WITHIN)
    told = stage.condition("upstream/provider", "CredentialsReady")["message"]
    print(f"a wrong new credential: told after {took:.1f} s: {told}")
    assert "535 5.7.8 Authentication credentials invalid" in told
    assert "mail leaves with the one before" in told
    sent = stage.accepted(Mail("meanwhile", count=5))
    provider.wait_subjects([*known, *sent], 10)
    assert stage.condition("smtprelay/relay", "Ready")["status"] == "True"
    assert stage.condition("upstream/provider", "Ready")["status"] == "True"
    assert stage.identity("relay-0") == pod
    stage.apply(resources.secret("credential", FIRST))
    stage.wait_condition("upstream/provider", "CredentialsReady", "True", "CredentialFound", seconds=30)


def test_a_good_new_credential_is_proved_and_no_mail_waits_for_it(stage: Stage, provider: ProviderPod) -> None:
    pod, known = stage.identity("relay-0"), provider.subjects()
    with ThreadPoolExecutor() as beside:
        sending = beside.submit(stage.send, Mail("load", count=150, pause=0.05))
        provider.behave(password=SECOND)
        stage.apply(resources.secret("credential", SECOND))
        stage.until(lambda: _previous(stage) == [] and _good_since(provider), 60, lambda: str(_previous(stage)))
        sent = sending.result()
    assert len(sent.accepted) == 150
    took = provider.wait_subjects([*known, *sent.accepted], 30)
    print(f"150 mails sent over the change, the last arrived {took:.1f} s after it was sent")
    stage.wait_condition("upstream/provider", "CredentialsReady", "True", "CredentialFound", seconds=20)
    stage.wait_condition("upstream/provider", "Authenticated", "True", "LoggedIn", seconds=20)
    stage.wait_condition("smtprelay/relay", "Ready", "True", "MailLeaves", seconds=20)
    assert stage.identity("relay-0") == pod


def _previous(stage: Stage) -> list[str]:
    """Keys of the assembled Secret that keep the credential of before: dropped on proof of the new one."""
    return [key for key in stage.get("secret", "relay-mailhaul")["data"] if ".previous." in key]


def _good_since(provider: ProviderPod) -> bool:
    """Whether the provider has taken the new password since it wants it."""
    logins = provider.logins()
    return bool(logins) and bool(logins[-1]["good"])
