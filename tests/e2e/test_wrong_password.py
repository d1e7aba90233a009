"""Item 4: a wrong password, and behind it a From that the provider refuses after the final dot. Both are told in
`kubectl get` in time with the provider's own words, and 94 mails that were accepted meanwhile arrive once each.
"""

import time

import pytest
from tests.support.e2e import resources
from tests.support.e2e.kstatus import concluded
from tests.support.e2e.stage import Mail, ProviderPod, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TOLD_WITHIN = 15.0
MAILS = 94
PASSWORD, WRONG = "right-7f3a9c", "wrong-5d0c3a1b"
VERIFIED = "verified.example.net"
REFUSED = "554 Message rejected: Email address is not verified"


def test_a_wrong_password_and_the_fault_behind_it_are_told_and_no_mail_is_lost(stage: Stage) -> None:
    stage.app()
    provider = stage.provider("provider", auth=(resources.USER, PASSWORD))
    provider.behave(verified=VERIFIED)
    began = time.monotonic()
    spec = resources.provider("provider", provider.host, secret="credential")
    stage.apply(resources.secret("credential", WRONG), spec, resources.relay(["provider"]))
    _wait_words(stage, "535", TOLD_WITHIN, began, "wrong password")
    assert concluded(stage, "smtprelay/relay") == "InProgress"

    sent = _accepted_over_a_deleted_pod(stage)
    assert provider.mails() == []
    pod = stage.identity("relay-0")
    stage.until(lambda: concluded(stage, "smtprelay/relay") == "Failed", 150, lambda: _table(stage))
    print(f"kstatus says Failed {time.monotonic() - began:.0f} s after the apply")

    began = time.monotonic()
    stage.apply(resources.secret("credential", PASSWORD))
    _wait_words(stage, REFUSED, TOLD_WITHIN, began, "the From behind it")
    assert concluded(stage, "smtprelay/relay") != "Current"

    began = time.monotonic()
    spec["spec"]["senders"] = {"domains": [VERIFIED], "rewriteFrom": f"app@{VERIFIED}"}
    stage.apply(spec)
    provider.wait_subjects(sent)
    print(f"all {len(sent)} arrived {time.monotonic() - began:.1f} s after the From was mended")
    stage.wait_condition("smtprelay/relay", "Ready", "True", "MailLeaves", seconds=20)
    assert concluded(stage, "smtprelay/relay", "upstream/provider") == "Current"
    assert stage.identity("relay-0") == pod
    _stays_so(provider, sent)


def _accepted_over_a_deleted_pod(stage: Stage) -> list[str]:
    """Subjects of the mails that were answered 250, half of them by a pod that is deleted then."""
    first = stage.accepted(Mail("before the deletion", count=MAILS // 2))
    stage.delete_pod("relay-0", "--wait=true")
    back = stage.accepted(Mail("is it back"))
    return [*first, *back, *stage.accepted(Mail("after the deletion", count=MAILS // 2 - 1))]


def _wait_words(stage: Stage, words: str, seconds: float, began: float, what: str) -> None:
    left = seconds - (time.monotonic() - began)
    stage.until(lambda: words in _table(stage), left, lambda: _table(stage))
    print(f"{what}: told after {time.monotonic() - began:.1f} s")
    print(_table(stage))


def _table(stage: Stage) -> str:
    return stage.ask("get", "smtprelays,upstreams")


def _stays_so(provider: ProviderPod, sent: list[str]) -> None:
    """A double would come with the next retry, which is at most 5 s away."""
    time.sleep(6)
    assert provider.subjects() == sorted(sent)
