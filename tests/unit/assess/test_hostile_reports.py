"""Whatever a pod reports, a status is made of it that the API server takes, and no message is more than one line."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.golden.assess.worlds import T0, provider_view, relay_view

from mailhaul_operator.api.part import Observed
from mailhaul_operator.assess.events import transitions
from mailhaul_operator.assess.provider import assess_provider
from mailhaul_operator.assess.relay import assess_relay

times = st.sampled_from([0.0, -1.0, 1e300, float("inf"), float("nan"), -1e300, 5.0, T0])
words = st.sampled_from(
    ["", "x" * 2500, "\x1b[31m", "a\nReady=True", "😀" * 600, "{{ }}", "auth", "tls", "sender", "none"]
)
counts = st.sampled_from([0, -1, 5, 10**30])
replies = st.fixed_dictionaries(
    {"time": times, "code": counts, "enhanced": words, "text": words, "stage": words, "fault": words, "remedy": words}
)
stages = st.fixed_dictionaries(
    {"stage": st.sampled_from(["Connect", "TLS", "EHLO", "Auth", "Sender"]), "passed": st.booleans(), "reply": replies}
)
upstreams = st.fixed_dictionaries(
    {
        "endpoint": words,
        "breaker": st.sampled_from(["Closed", "Open", "HalfOpen"]),
        "breakerFault": words,
        "breakerSince": times,
        "nextAttempt": times,
        "refusedSenders": st.lists(words, max_size=2),
        "lastDelivery": times,
        "lastReply": replies,
        "credential": st.sampled_from(["Unproved", "Proved", "Refused", "Previous"]),
        "credentialReply": replies,
        "probe": st.fixed_dictionaries({"time": times, "stages": st.lists(stages, max_size=3)}),
    }
)
reports = st.fixed_dictionaries(
    {
        "accepting": st.booleans(),
        "notAcceptingReason": words,
        "queue": st.fixed_dictionaries({"queued": counts, "held": counts, "dead": counts, "oldest": times}),
        "delivered": counts,
        "deliveredLastDay": counts,
        "clientIdentityLost": counts,
        "lastDelivery": times,
        "lastDeliveryUpstream": words,
        "lastError": replies,
        "lastErrorUpstream": words,
        "upstreams": st.fixed_dictionaries({"main": upstreams}),
    }
)
QUIET = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def is_writable(status: Observed) -> bool:
    """Whether it is what the kind's own model takes back, with messages of one bounded line."""
    body: Any = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    messages = [one["message"] for one in body["conditions"]]
    told = all(one.isprintable() and len(one) <= 1000 for one in messages)
    return told and type(status).from_json(body) == status


@QUIET
@given(reports)
def test_a_hostile_report_makes_a_status_of_a_relay(said: dict[str, Any]) -> None:
    status = assess_relay(relay_view({"pods": [{"report": said}]}, T0, None))
    assert is_writable(status)
    assert all(len(one.message.encode()) <= 1024 for one in transitions(None, status))


@QUIET
@given(upstreams)
def test_a_hostile_report_makes_a_status_of_a_provider(said: dict[str, Any]) -> None:
    status = assess_provider(provider_view({"usedBy": [{"pods": [said]}]}, T0, None))
    assert is_writable(status)
