"""Orders of people on a real relay: a hold outlives restarts and changes, the story of mail outlives the mail, and a
recipient that failed is refused before anything is sent.
"""

import asyncio
import json
import smtplib
from pathlib import Path
from typing import Any

import pytest
from tests.support.relay_process import RelayProcess, relay_document, running_relay
from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.integration

MAIL = "From: app@example.com\nTo: b@example.net\nSubject: one\n\n.\nhello\n"
PASSWORD = "pw-canary-77a1"
SECRETS = {"provider.primary.username": "relay-user", "provider.primary.password": PASSWORD}


def _primary(port: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "name": "primary",
        "provider": "primary",
        "host": "127.0.0.1",
        "port": port,
        "tls": {"mode": "None"},
    } | changes


def _catch(priority: int = 900) -> dict[str, Any]:
    return {"name": "catch", "provider": "inbox", "kind": "Capture", "priority": priority}


async def _order(relay: RelayProcess, path: str, **body: Any) -> Any:  # noqa: ANN401
    answer = await relay.post(path, json.dumps(body).encode())
    assert answer.status == 200, answer.body
    return answer.json()


async def _first(relay: RelayProcess, state: str) -> str:
    page = await relay.until(f"/v1/queue?state={state}", lambda one: one["messages"])
    return str(page["messages"][0]["id"])


async def test_a_hold_outlives_a_restart_a_reload_and_an_upstream_that_comes_back(
    tmp_path: Path, free_port: int
) -> None:
    async with ScriptedServer({"steps": {"auth": "535 5.7.8 no"}, "accounts": {"relay-user": PASSWORD}}) as server:
        document = relay_document([_primary(server.port, auth="Plain")], free_port)
        async with running_relay(tmp_path, document, SECRETS) as relay:
            await relay.submit(MAIL)
            await relay.submit(MAIL)
            await relay.until("/v1/queue?state=held", lambda one: len(one["messages"]) == 2)
            kept = await _first(relay, "held")
            assert await _order(relay, f"/v1/queue/{kept}/hold") == {"result": "done"}
            report = (await relay.get("/v1/report")).json()
            assert (report["queue"]["held"], report["queue"]["onHold"]) == (2, 1)
        server.play({"accounts": {"relay-user": PASSWORD}})
        changed = relay_document([_primary(server.port, auth="Plain", priority=3)], free_port)
        async with running_relay(tmp_path, changed, {**SECRETS, "revision": "another"}) as relay:
            config = tmp_path / "relay.v1.json"
            await relay.submit(MAIL)
            await relay.until("/v1/report", lambda one: one["delivered"] >= 1)
            config.write_text(json.dumps({**changed, "upstreams": [_primary(server.port, auth="Plain", priority=4)]}))
            await relay.until("/v1/report", lambda one: one["delivered"] >= 2)
            assert [one["id"] for one in (await relay.get("/v1/queue")).json()["messages"]] == [kept]
            shown = (await relay.get(f"/v1/queue/{kept}")).json()
            assert (shown["onHold"], shown["fault"]) == (True, "operator")
            await _order(relay, f"/v1/queue/{kept}/release")
            told = await relay.until(f"/v1/messages/{kept}", lambda one: one["state"] == "delivered")
    assert [one["verb"] for one in told["orders"]] == ["hold", "release"]
    assert {one["outcomes"][0]["verdict"] for one in told["attempts"]} >= {"hold", "delivered"}


async def test_the_story_of_mail_that_has_left_outlives_a_restart(tmp_path: Path, free_port: int) -> None:
    async with ScriptedServer({"steps": {"rcpt": "451 4.7.1 later"}}) as server:
        document = relay_document([_primary(server.port), _catch()], free_port)
        async with running_relay(tmp_path, document) as relay:
            await relay.submit(MAIL)
            listing = await relay.until("/inbox/messages.json", lambda one: one["messages"])
            wanted = listing["messages"][0]["id"]
            told = await relay.until(f"/v1/messages/{wanted}", lambda one: one["state"] == "delivered")
        async with running_relay(tmp_path, document) as relay:
            assert (await relay.get(f"/v1/messages/{wanted}")).json() == told
    assert (told["sender"], told["client"], bool(told["helo"])) == ("app@example.com", "127.0.0.1", True)
    first, second = told["attempts"]
    assert (first["upstream"], first["outcomes"][0]["reply"]) == ("primary", "451 4.7.1 later")
    assert (second["upstream"], second["outcomes"][0]["verdict"]) == ("catch", "delivered")


async def test_after_a_kill_the_story_is_there_but_for_the_last_seconds(tmp_path: Path, free_port: int) -> None:
    document = relay_document([_catch()], free_port)
    async with running_relay(tmp_path, document) as relay:
        await relay.submit(MAIL)
        wanted = (await relay.until("/inbox/messages.json", lambda one: one["messages"]))["messages"][0]["id"]
        await asyncio.sleep(3)
        await relay.kill()
    async with running_relay(tmp_path, document) as relay:
        assert (await relay.get(f"/v1/messages/{wanted}")).json()["state"] == "delivered"


async def test_mail_is_given_up_with_a_report_to_its_sender_and_moved_to_another_upstream(
    tmp_path: Path, free_port: int
) -> None:
    async with ScriptedServer({"steps": {"rcpt": "451 4.7.1 later"}}) as server:
        upstreams = [_primary(server.port), _catch()]
        document = relay_document([upstreams[0]], free_port, bounces={"mode": "Send"})
        async with running_relay(tmp_path, document) as relay:
            await relay.submit(MAIL, to=("b@gone.example",))
            await relay.submit(MAIL, to=("c@fine.example",))
            await relay.until("/v1/queue?state=deferred", lambda one: len(one["messages"]) == 2)
            order = {"states": ["deferred"], "domain": "gone.example"}
            assert (await _order(relay, "/v1/queue/bounce", **order, dryRun=True))["done"] == 1
            assert (await _order(relay, "/v1/queue/bounce", **order))["done"] == 1
            (relay.directory / "relay.v1.json").write_text(
                json.dumps({**document, "upstreams": [{**upstreams[0], "priority": 1}, upstreams[1]]})
            )
            await relay.until("/v1/report", lambda one: len(one["upstreams"]) == 2)
            await _order(relay, "/v1/queue/move", states=["queued", "deferred", "held"], upstream="catch")
            listing = await relay.until("/inbox/messages.json", lambda one: len(one["messages"]) >= 2)
            dead = (await relay.get("/v1/queue?state=dead")).json()["messages"]
    assert {tuple(one["recipients"]) for one in listing["messages"]} == {("app@example.com",), ("c@fine.example",)}
    assert [one["text"] for one in dead] == ["given up by an operator; last: 451 4.7.1 later"]


async def test_a_recipient_that_failed_is_refused_before_anything_is_sent_until_it_is_released(
    tmp_path: Path, free_port: int
) -> None:
    async with ScriptedServer({"steps": {"rcpt": "550 5.1.1 no such user"}}) as server:
        document = relay_document([_primary(server.port)], free_port, suppression={"failures": 2})
        async with running_relay(tmp_path, document) as relay:
            for count in (1, 2):
                await relay.submit(MAIL)
                await relay.until("/v1/report", lambda one, count=count: one["failed"] == count)
            await relay.until("/v1/report", lambda one: one["suppressed"] == 1)
            with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                await relay.submit(MAIL)
            (code, words) = refused.value.recipients["b@example.net"]
            assert (code, b"last at primary: 550 5.1.1 no such user" in words) == (550, True)
        async with running_relay(tmp_path, document) as relay:
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                await relay.submit(MAIL)
            await _order(relay, "/v1/suppression/release", addresses=["b@example.net"])
            await relay.submit(MAIL)
            refusals = relay.events("refused")
    assert [(one["recipient"], one["code"]) for one in refusals] == [("b@example.net", 550)]
