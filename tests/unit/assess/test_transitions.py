"""Events tell of turns, in the words of the status, once, and within the API server's bound."""

import pytest
from tests.golden.assess.worlds import T0, alias_view, relay_view

from mailhaul_operator.assess.alias import assess_alias
from mailhaul_operator.assess.events import MOST, transitions
from mailhaul_operator.assess.relay import assess_relay

PROVED = {"pods": [{"report": {"upstreams": {"main": {"credential": "Proved"}}}}]}
REFUSED = {
    "pods": [
        {
            "report": {
                "upstreams": {
                    "main": {
                        "credential": "Refused",
                        "credentialReply": {"time": 1, "code": 535, "text": "No", "fault": "auth", "stage": "auth"},
                    }
                }
            }
        }
    ]
}


def test_nothing_is_told_when_nothing_turns() -> None:
    first = assess_relay(relay_view(PROVED, T0, None))
    second = assess_relay(relay_view(PROVED, T0 + 60, first))
    assert transitions(first, second) == ()


def test_conditions_that_turn_for_one_reason_make_one_event_with_the_providers_words() -> None:
    first = assess_relay(relay_view(PROVED, T0, None))
    (event,) = transitions(first, assess_relay(relay_view(REFUSED, T0 + 60, first)))
    assert (event.type, event.reason) == ("Warning", "CredentialRefused")
    assert "535 No" in event.message
    assert event.message == assess_relay(relay_view(REFUSED, T0 + 60, first)).conditions[0].message


def test_an_alias_whose_relay_is_to_blame_tells_nothing() -> None:
    ready = assess_alias(alias_view({}, T0, None))
    assert transitions(ready, assess_alias(alias_view({"relayReady": False}, T0 + 1, ready))) == ()


@pytest.mark.parametrize("letter", ["x", "é", "𝒳"])
def test_an_event_fits_into_the_servers_bound(letter: str) -> None:
    obstacle = {"object": "a", "reason": "Forbidden", "message": letter * 5000, "remedy": "wait"}
    events = transitions(None, assess_relay(relay_view({**PROVED, "obstacles": [obstacle]}, T0, None)))
    assert 0 < len(events) <= MOST
    assert all(len(one.message.encode()) <= 1024 for one in events)
