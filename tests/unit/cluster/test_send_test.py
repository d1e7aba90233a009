"""`mailhaul send-test` follows one mail to the provider's reply."""

from typing import Any, cast

import pytest

from mailhaul_operator.cluster import send_test as module
from mailhaul_operator.cluster.commands import send_test
from mailhaul_operator.cluster.kube import Kube, KubeError
from mailhaul_operator.cluster.send_test import Follower, Order

SENT = {"id": "abc", "accepted": True, "transcript": [{"from": "server", "line": "250 2.0.0 abc"}]}
TO = "a@example.net"
TRIED = {
    "upstream": "main",
    "outcomes": [{"address": TO, "verdict": "hold", "reply": "535 5.7.8 no", "remedy": "correct the Secret"}],
}
GOOD = {"upstream": "main", "outcomes": [{"address": TO, "verdict": "delivered", "reply": "250 2.0.0 Ok"}]}


class Pod:
    """A relay's HTTP port: what it answers, call by call."""

    def __init__(self, *answers: dict[str, Any] | KubeError) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, object]] = []

    def pod(self, namespace: str, pod: str, path: str, token: str, body: object = None) -> dict[str, Any]:
        assert (namespace, pod, token) == ("smtp", "relay-0", "secret")
        self.asked.append((path, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, KubeError):
            raise answer
        return answer


def _run(pod: Pod, order: Order, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], list[str]]:
    monkeypatch.setattr(module, "INTERVAL", 0)
    said: list[str] = []
    return Follower(cast("Kube", pod), "smtp", "relay-0", "secret").run(order, said.append), said


def test_it_ends_with_the_providers_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    line = {"from": "server", "line": "250 2.0.0 Ok: taken"}
    done = {"state": "delivered", "attempts": [GOOD], "transcript": [line]}
    pod = Pod(SENT, {"state": "queued", "attempts": []}, done)
    result, said = _run(pod, Order("smtp/relay", ("a@example.net",)), monkeypatch)
    assert result["state"] == "delivered"
    assert said[-2:] == ["    server: 250 2.0.0 Ok: taken", "delivered by main: a@example.net delivered, 250 2.0.0 Ok"]
    assert pod.asked[0] == ("/v1/send-test", {"to": ["a@example.net"]})


def test_mail_that_waits_is_told_with_the_remedy_when_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {"state": "held", "attempts": [TRIED], "nextAttempt": 1_800_000_000}
    result, said = _run(Pod(SENT, held), Order("relay", ("a@example.net",), seconds=0), monkeypatch)
    assert result["state"] == "held"
    words = (
        "held by main: a@example.net hold, 535 5.7.8 no (correct the Secret); next attempt 2027-01-15T08:00:00+00:00"
    )
    assert said[-1] == words


def test_mail_that_was_not_tried_says_what_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = {"state": "held", "attempts": [], "recipients": [{"address": TO, "text": "upstream main is out, auth"}]}
    _, said = _run(Pod(SENT, waiting), Order("relay", (TO,), seconds=0), monkeypatch)
    assert said[-1] == "held, not tried yet: upstream main is out, auth"


def test_a_relay_that_refuses_it_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = {"id": "", "accepted": False, "transcript": [{"from": "server", "line": "550 5.7.1 no"}]}
    pod = Pod(refused)
    result, said = _run(pod, Order("relay", ("a@example.net",)), monkeypatch)
    assert (result["state"], said[-1], len(pod.asked)) == ("refused", "the relay did not take it", 1)


def test_a_pod_that_is_away_for_a_moment_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pod = Pod(SENT, KubeError("no answer"), {"state": "delivered", "attempts": [GOOD]})
    assert _run(pod, Order("smtp/relay", (TO,)), monkeypatch)[0]["state"] == "delivered"


def test_a_pod_that_stays_away_is_told_with_the_id_of_the_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KubeError, match="accepted as abc, and not followed to its end: no answer"):
        _run(Pod(SENT, KubeError("no answer")), Order("smtp/relay", (TO,), seconds=0), monkeypatch)


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "soon"])
def test_a_mail_is_followed_for_a_bounded_time(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        send_test(["--relay", "relay", "--to", TO, "--timeout", seconds])
    assert "takes seconds, from 0 to 86400" in capsys.readouterr().err
