"""`mailhaul status` tells on one screen whether mail leaves, with the provider's words and the remedy."""

import json
from pathlib import Path

import pytest

from mailhaul_contract.names import SECRET_API_TOKEN
from mailhaul_contract.report import BreakerState, QueueReport, RelayReport, ReplyReport, UpstreamReport
from mailhaul_operator.local.mount import Mount
from mailhaul_operator.local.reports import Endpoint, Unreachable
from mailhaul_operator.local.state import relay_place
from mailhaul_operator.local.status import Asked, NoRelayError, known_relays, screen

NOW = 1_700_000_000.0
WRONG = ReplyReport(
    time=NOW,
    code=535,
    enhanced="5.7.8",
    text="authentication failed",
    stage="auth",
    fault="auth",
    remedy="Check the Secret.",
)
REPORT = RelayReport(
    namespace="smtp",
    name="relay",
    pid=1,
    started=NOW - 60,
    time=NOW,
    digest="sha256:1",
    accepting=True,
    accepted=3,
    queue=QueueReport(held=3, oldest=NOW - 30),
    upstreams=(
        UpstreamReport(
            name="main",
            provider="main",
            endpoint="mail.example:587",
            breaker=BreakerState.OPEN,
            breaker_fault="auth",
            next_attempt=NOW + 300,
            last_reply=WRONG,
        ),
    ),
    last_error=WRONG,
    last_error_upstream="main",
)
ENDPOINT = Endpoint("127.0.0.1", 9090, "a-token")


def test_mail_that_does_not_leave_is_told_first_with_cause_and_remedy() -> None:
    lines = screen(Asked("smtp/relay", ENDPOINT, REPORT), NOW).splitlines()
    assert lines[:3] == [
        "smtp/relay: mail does not leave",
        "  ! upstream main (mail.example:587) is out, auth: 535 5.7.8 authentication failed (at auth)",
        "    remedy: Check the Secret; next try in 5 min",
    ]
    assert "  - 3 messages are held" in lines
    assert any(line.startswith("  queue: 0 queued, 0 deferred, 3 held, 0 dead, oldest from 2023-") for line in lines)
    assert any("last error" in line and "by main: 535 5.7.8" in line for line in lines)


def test_a_relay_that_cannot_be_asked_has_two_lines() -> None:
    asked = Asked("smtp/relay", ENDPOINT, Unreachable("nothing listens there", "start the relay"))
    assert screen(asked, NOW) == "smtp/relay: nothing listens there\n  remedy: start the relay\n"
    assert asked.verdict(NOW) is None


def test_the_relays_of_a_running_up_are_found_with_their_tokens(tmp_path: Path) -> None:
    Mount(relay_place(tmp_path, "smtp", "relay").secrets).write({SECRET_API_TOKEN: b"the-token"})
    relay = {"namespace": "smtp", "name": "relay", "http": "http://127.0.0.1:9091"}
    (tmp_path / "up.json").write_text(json.dumps({"relays": [relay], "stateDir": str(tmp_path)}))
    assert known_relays(tmp_path / "up.json") == (("smtp/relay", Endpoint("127.0.0.1", 9091, "the-token")),)


@pytest.mark.parametrize("text", ["", "{}", '{"relays": [{}], "stateDir": "/"}', '{"relays": [], "stateDir": 5}'])
def test_a_file_that_up_did_not_write_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "up.json").write_text(text)
    with pytest.raises(NoRelayError, match="not what `mailhaul up` writes"):
        known_relays(tmp_path / "up.json")
