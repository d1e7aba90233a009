"""What a provider's status proves to relays that do not probe it: that it answers, or why it does not."""

import pytest
from tests.golden.assess.worlds import T0, provider_view

from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.assess.provider import assess_provider, proves, refutes

STAGES = ("Connect", "EHLO", "TLS", "Auth", "Sender")
REFUSED = {"time": 9, "code": 554, "text": "From is not verified", "stage": "end-of-data", "fault": "sender"}


def assessed(*, fails: str = "", generation: int = 1, **pod: object) -> UpstreamProvider:
    """A provider as a probe left it that failed at a stage, in a later generation perhaps."""
    passed = STAGES[: STAGES.index(fails)] if fails else STAGES
    stages = [{"stage": one, "passed": True} for one in passed]
    stages += [{"stage": fails, "passed": False}] if fails else []
    view = provider_view({"usedBy": [{"pods": [{"probe": {"time": 10, "stages": stages}, **pod}]}]}, T0 + 11, None)
    meta = view.provider.metadata.model_copy(update={"generation": generation})
    return view.provider.model_copy(update={"status": assess_provider(view), "metadata": meta})


@pytest.mark.parametrize(
    ("fails", "reason"),
    [("Connect", "ConnectionFailed"), ("TLS", "TLSFailed"), ("Auth", "CredentialRefused"), ("Sender", "SenderRefused")],
)
def test_a_failed_probe_refutes_with_the_providers_own_condition(fails: str, reason: str) -> None:
    provider = assessed(fails=fails)
    found = refutes(provider, "r1")
    assert found is not None
    assert (found.type, found.status.value, found.reason) == ("Ready", "False", reason)
    assert not proves(provider, "r1")


def test_a_passed_probe_proves_and_refutes_nothing() -> None:
    provider = assessed(credential="Proved")
    assert proves(provider, "r1")
    assert refutes(provider, "r1") is None


def test_another_generation_or_revision_is_neither_proved_nor_refuted() -> None:
    assert refutes(assessed(fails="Auth", generation=2), "r1") is None
    assert refutes(assessed(fails="Auth"), "r2") is None
    assert not proves(assessed(credential="Proved"), "r2")


def test_one_relays_refused_mail_is_no_fault_for_another_and_a_spent_quota_each_meets_itself() -> None:
    answers = assessed(credential="Proved", refusedSenders=["wrong.example"], lastReply=REFUSED)
    assert refutes(answers, "r1") is None
    assert proves(answers, "r1")
    spent = assessed(credential="Proved", breaker="Open", breakerFault="quota", breakerSince=11)
    assert refutes(spent, "r1") is None
    assert not proves(spent, "r1")
