"""The real relay under sender rules and a staging relay's reach: what the upstream gets, and what it never gets."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.mounts import Mounts
from tests.support.relay_process import relay_document, running_relay
from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.integration

MAIL = "From: Bob <bob@example.com>\nTo: b@example.net\nSubject: one\n\ntext\n"


def upstream(port: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"name": "up", "provider": "up", "host": "127.0.0.1", "port": port, "tls": {"mode": "None"}} | changes


async def test_mail_waits_while_delivery_is_suspended_and_leaves_when_it_is_not(tmp_path: Path, free_port: int) -> None:
    mounts = Mounts(tmp_path)
    async with ScriptedServer() as server:
        document = relay_document([upstream(server.port)], free_port)
        async with running_relay(tmp_path, document | {"delivery": {"suspended": True}}) as relay:
            for _ in range(5):
                await relay.submit(MAIL)
            await relay.until("/v1/report", lambda one: one["queue"].get("held") == 5)
            assert server.accepted == []
            mounts.config(document)
            await relay.until("/v1/report", lambda one: one.get("delivered") == 5)
            assert len(server.accepted) == 5


async def test_a_redirected_mail_reaches_the_team_and_names_its_recipients(tmp_path: Path, free_port: int) -> None:
    async with ScriptedServer() as server:
        delivery = {"redirectTo": "team@example.org", "allowed": ["tester@example.net"]}
        document = relay_document([upstream(server.port)], free_port, delivery=delivery)
        async with running_relay(tmp_path, document) as relay:
            await relay.submit(MAIL, to=("a@example.net", "b@example.net", "tester@example.net"))
            await relay.until("/v1/report", lambda one: one.get("delivered") == 2)
    reached = sorted(one for mail in server.accepted for one in mail.recipients)
    assert reached == ["team@example.org", "tester@example.net"]
    told = {one: mail.data for mail in server.accepted for one in mail.recipients}
    assert b"X-Original-To: a@example.net\r\nX-Original-To: b@example.net\r\n" in told["team@example.org"]
    assert b"X-Original-To" not in told["tester@example.net"]


async def test_an_archive_that_refuses_its_copy_is_told_and_still_gets_the_next_ones(
    tmp_path: Path, free_port: int
) -> None:
    refusal = "550 5.1.1 no such user"
    async with ScriptedServer({"recipients": {"archive@example.org": refusal}}) as server:
        senders = {"alwaysBcc": ["archive@example.org"]}
        rules = {"failures": 1, "within": 3600, "lasts": 3600}
        document = relay_document([upstream(server.port)], free_port, senders=senders, suppression=rules)
        async with running_relay(tmp_path, document) as relay:
            for number in (1, 2):
                await relay.submit(MAIL)
                await relay.until("/v1/report", lambda one, number=number: one.get("failed") == number)
            await relay.submit(MAIL, to=("archive@example.org",))
            await relay.until("/v1/report", lambda one: one.get("failed") == 3)
            suppressed = (await relay.get("/v1/suppression")).json()
            told = relay.events("dead-letter")
    assert suppressed == {"recipients": [], "next": ""}
    assert [one["reply"] for one in told] == [refusal] * 3
    assert sum("RCPT TO:<archive@example.org>" in one for one in server.commands) == 3


async def test_a_forced_from_and_the_archive(tmp_path: Path, free_port: int) -> None:
    async with ScriptedServer() as server:
        senders = {"forcedFrom": "app@example.org", "alwaysBcc": ["archive@example.org"]}
        document = relay_document([upstream(server.port)], free_port, senders=senders)
        async with running_relay(tmp_path, document) as relay:
            await relay.submit("DKIM-Signature: v=1; h=from; b=x\n" + MAIL)
            await relay.until("/v1/report", lambda one: one.get("delivered") == 2)
            told = relay.events("accepted")
            story = (await relay.get(f"/v1/messages/{told[0]['id']}")).json()
    (mail,) = server.accepted
    assert mail.sender == "app@example.org"
    assert sorted(mail.recipients) == ["archive@example.org", "b@example.net"]
    assert b"From: Bob <app@example.org>\r\nReply-To: Bob <bob@example.com>\r\n" in mail.data
    assert [one["signature"] for one in told] == ["broken by another From"]
    (rewritten,) = story["orders"]
    assert rewritten["verb"] == "rewrite"
    assert rewritten["detail"].startswith("From is app@example.org, was bob@example.com; ")
    assert rewritten["detail"].endswith("DKIM signature broken by another From")
