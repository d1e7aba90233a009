"""`mailhaul queue`, `trace`, `suppression`, `replies` from outside: they find all replicas of a relay by themselves."""

import json
import subprocess
import sys
from typing import Any

import pytest
from tests.support.e2e import resources
from tests.support.e2e.stage import Mail, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def _mailhaul(stage: Stage, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "mailhaul_contract.console", *arguments, "--cluster", "-n", stage.namespace]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=dict(stage.cluster.environment)
    )
    return done.returncode, done.stdout + done.stderr


def _json(stage: Stage, *arguments: str) -> Any:  # noqa: ANN401 - any JSON value
    code, text = _mailhaul(stage, *arguments, "-o", "json")
    assert code == 0, text
    return json.loads(text)


def _waiting(stage: Stage) -> list[dict[str, Any]]:
    return list(_json(stage, "queue", "list", "--state", "queued,deferred,held")["messages"])


def test_people_act_on_mail_in_every_replica(stage: Stage) -> None:
    stage.app()
    first, second = stage.provider("first"), stage.provider("second")
    first.behave(rcpt="451 4.7.1 later")
    stage.apply(resources.provider("first", first.host))
    stage.apply(resources.provider("second", second.host, senders={"domains": ["nobody.example"]}))
    stage.apply(resources.relay(["first", "second"], replicas=2, suppression={"failures": 1}))
    stage.until(lambda: stage.get("smtprelay", "relay").get("status", {}).get("readyReplicas") == 2, 90)
    for number in range(12):
        stage.accepted(Mail(f"waits {number}"))
    stage.until(lambda: len(_waiting(stage)) == 12, 30)
    assert {one["pod"] for one in _waiting(stage)} == {"relay-0", "relay-1"}

    assert _json(stage, "queue", "hold", "--domain", "example.net", "--dry-run")["done"] == 12
    hold = ("queue", "hold", "--domain", "example.net")
    stage.until(lambda: _mailhaul(stage, *hold)[0] == 0 and _all_on_hold(stage), 30)
    stage.ask("delete", "pod", "relay-0", "--wait=true")
    stage.until(lambda: _all_on_hold(stage), 90)
    stage.apply(resources.provider("second", second.host))
    wanted = str(_waiting(stage)[0]["id"])
    assert _json(stage, "queue", "move", "--to", "second", "--state", "held")["done"] == 12
    code, text = _mailhaul(stage, "queue", "release", "--state", "held")
    assert (code, "12 messages are released" in text) == (0, True), text
    stage.until(lambda: len(second.subjects()) == 12, 60)

    stage.until(lambda: _json(stage, "trace", wanted)["state"] == "delivered", 10)
    code, text = _mailhaul(stage, "trace", wanted)
    assert code == 0, text
    for part in ("put on hold", "moved (second)", "released", "451 4.7.1 later", "delivered at end-of-data"):
        assert part in text

    said = [one for one in _json(stage, "replies")["replies"] if (one["provider"], one["text"]) == ("first", "later")]
    assert [(one["code"], one["enhanced"]) for one in said] == [(451, "4.7.1")], "replies that no rule knows"
    assert said[0]["count"] >= 2, "of both replicas, one of which was restarted"

    assert _mailhaul(stage, "suppression", "add", "gone@example.net", "--reason", "asked us")[0] == 0
    assert len(_json(stage, "suppression", "list")["recipients"]) == 2
    refused = stage.send(Mail("refused", recipients=["gone@example.net"], count=4)).answers
    assert {code for _, code, _ in refused} == {550}
    assert _mailhaul(stage, "suppression", "release", "gone@example.net")[0] == 0


def _all_on_hold(stage: Stage) -> bool:
    """Whether both replicas answer, and all mail is on hold."""
    if _mailhaul(stage, "queue", "list")[0]:
        return False
    waiting = _waiting(stage)
    return len(waiting) == 12 and all(one["onHold"] for one in waiting)
