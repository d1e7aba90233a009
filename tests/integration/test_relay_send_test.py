"""A send-test through the real relay: the way of an application's mail, written down up to the provider's reply."""

import asyncio
import base64
import json
import smtplib
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import Authority
from tests.support.http_exchange import Answer, ask
from tests.support.relay_process import TOKEN, RelayProcess, relay_document, running_relay
from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.integration

USER, PASSWORD = "smtp-user-7d1c", "pass-canary-93ab"
CREDENTIAL = {"provider.up.username": USER, "provider.up.password": PASSWORD}
ACCOUNT = {"accounts": {USER: PASSWORD}}
STRANGERS_ONLY = {"clients": {"allowedNetworks": ["192.0.2.0/24"]}}


def _upstream(port: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    usual = {"name": "up", "provider": "up", "host": "127.0.0.1", "port": port, "tls": {"mode": "None"}}
    return usual | changes


async def _send(relay: RelayProcess, **order: Any) -> dict[str, Any]:  # noqa: ANN401
    answer = await relay.post("/v1/send-test", json.dumps({"to": ["b@example.net"], **order}).encode())
    assert answer.status == 200, answer.body
    said: dict[str, Any] = answer.json()
    return said


async def _follow(relay: RelayProcess, message_id: str, state: str) -> dict[str, Any]:
    found: dict[str, Any] = await relay.until(
        f"/v1/messages/{message_id}", lambda one: one.get("state") == state and one["attempts"]
    )
    return found


def _said(view: dict[str, Any], side: str) -> list[str]:
    return [one["line"] for one in view["transcript"] if one["from"] == side]


async def test_a_test_is_followed_to_the_providers_reply_and_no_credential_is_in_it(
    tmp_path: Path, free_port: int
) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("up", subject_alt_name="IP:127.0.0.1")
    secured = {**ACCOUNT, "tls": "starttls", "steps": {"dot": "250 2.0.0 taken as 4711"}}
    async with ScriptedServer(secured, pair.context()) as server:
        up = _upstream(server.port, auth="Plain", tls={"mode": "StartTLS", "ca": authority.pem})
        async with running_relay(tmp_path, relay_document([up], free_port, **STRANGERS_ONLY), CREDENTIAL) as relay:
            sent = await _send(relay)
            assert sent["accepted"]
            heard, told = _said(sent, "client"), _said(sent, "server")
            assert heard[0] == "EHLO relay.example.com"
            assert "MAIL FROM:<postmaster@relay.example.com>" in heard
            assert f"250 2.0.0 Ok: queued as {sent['id']}" in told

            view = await _follow(relay, sent["id"], "delivered")
            (attempt,) = view["attempts"]
            (outcome,) = attempt["outcomes"]
            assert (attempt["upstream"], outcome["verdict"]) == ("up", "delivered")
            assert outcome["reply"] == "250 2.0.0 taken as 4711"
            heard = _said(view, "client")
            ehlo = "EHLO relay.example.com"
            expected = [ehlo, "STARTTLS", ehlo, "AUTH ...", "DATA", "QUIT"]
            assert [line for line in heard if line in expected] == expected
            assert any(line.startswith("(TLS for 127.0.0.1: TLSv1.") for line in heard)
            assert any(line.startswith("(the message, ") for line in heard)
            assert "250 2.0.0 taken as 4711" in _said(view, "server")
            shown = json.dumps([sent, view]) + relay.log()
            for secret in (PASSWORD, base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode(), TOKEN):
                assert secret not in shown
        assert f"Subject: Mailhaul test {sent['id']}".encode() in server.accepted[0].data


@pytest.mark.parametrize("mechanism", ["Plain", "Login"])
async def test_a_refused_password_is_shown_in_the_providers_words_without_the_password(
    tmp_path: Path, free_port: int, mechanism: str
) -> None:
    leaky = f"535 5.7.8 {PASSWORD} is wrong, and so is {base64.b64encode(PASSWORD.encode()).decode()}"
    async with ScriptedServer({**ACCOUNT, "steps": {"auth": leaky}}) as server:
        document = relay_document([_upstream(server.port, auth=mechanism)], free_port)
        async with running_relay(tmp_path, document, CREDENTIAL) as relay:
            sent = await _send(relay)
            view = await _follow(relay, sent["id"], "held")
            (outcome,) = view["attempts"][0]["outcomes"]
            assert (outcome["verdict"], outcome["fault"], outcome["stage"]) == ("hold", "auth", "auth")
            assert outcome["remedy"]
            assert view["nextAttempt"] > view["accepted"]
            assert "535 5.7.8 *** is wrong, and so is ***" in _said(view, "server")
            assert PASSWORD not in json.dumps(view)
            assert base64.b64encode(PASSWORD.encode()).decode() not in json.dumps(view)


async def test_a_stranger_on_loopback_gets_nothing_while_a_test_is_under_way(tmp_path: Path, free_port: int) -> None:
    async with ScriptedServer({"steps": {"banner": {"delay": 1.0}}}) as server:
        document = relay_document([_upstream(server.port)], free_port, **STRANGERS_ONLY)
        async with running_relay(tmp_path, document) as relay:

            def attempt() -> int:
                with smtplib.SMTP("127.0.0.1", relay.smtp, "relay.example.com", timeout=10) as client:
                    client.ehlo("relay.example.com")
                    client.mail("postmaster@relay.example.com")
                    return client.rcpt("b@example.net")[0]

            results = await asyncio.gather(
                _send(relay), *(asyncio.to_thread(attempt) for _ in range(20)), return_exceptions=False
            )
            assert isinstance(results[0], dict)
            assert results[0]["accepted"]
            assert set(results[1:]) == {550}
        await asyncio.sleep(0)
        assert len(server.accepted) == 1


async def test_what_the_listener_refuses_is_the_answer(tmp_path: Path, free_port: int) -> None:
    up = {"name": "catch", "provider": "inbox", "kind": "Capture", "senders": {"domains": ["pay.example"]}}
    async with running_relay(tmp_path, relay_document([up], free_port)) as relay:
        sent = await _send(relay, **{"from": "me@elsewhere.example"})
        assert not sent["accepted"]
        assert "no upstream may send From domain elsewhere.example" in _said(sent, "server")[-2]
        assert (await relay.get(f"/v1/messages/{sent['id']}")).status == 404
        await asyncio.sleep(1)
        assert "MAIL FROM:<postmaster@pay.example>" in _said(await _send(relay), "client")


async def test_a_draining_relay_answers_the_test_too(tmp_path: Path, free_port: int) -> None:
    up = {"name": "catch", "provider": "inbox", "kind": "Capture"}
    async with running_relay(tmp_path, relay_document([up], free_port)) as relay:
        await relay.post("/v1/drain", b'{"draining": true}')
        sent = await _send(relay)
        assert (sent["id"], sent["accepted"]) == ("", False)
        assert _said(sent, "server")[0].startswith("421 4.3.2 ")


async def _order(relay: RelayProcess, body: bytes) -> Answer:
    return await relay.post("/v1/send-test", body)


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({}, "to"),
        ({"to": []}, "to"),
        ({"to": ["b@example.net"] * 11}, "to"),
        ({"to": ["b@example.net\r\nRCPT TO:<c@example.net>"]}, "to[0]"),
        ({"to": ["b@example.net> NOTIFY=NEVER"]}, "to[0]"),
        ({"to": ["b@example.net"], "from": "x"}, "from"),
        ({"to": ["b@example.net"], "subject": "a\r\nBcc: c@example.net"}, "subject"),
        ({"to": ["b@example.net"], "subject": "x" * 201}, "subject"),
        ({"to": ["b@example.net"], "subjekt": "x"}, "subjekt"),
        ([], "JSON object"),
    ],
)
async def test_an_order_is_checked_before_anything_is_sent(order: object, words: str, shared: RelayProcess) -> None:
    answer = await _order(shared, json.dumps(order).encode())
    assert (answer.status, words in answer.json()["error"]) == (400, True), answer.body
    assert not shared.events("accepted")


@pytest.fixture
async def shared(tmp_path: Path, free_port: int) -> Any:  # noqa: ANN401 - an async fixture's generator
    up = {"name": "catch", "provider": "inbox", "kind": "Capture"}
    async with running_relay(tmp_path, relay_document([up], free_port)) as relay:
        yield relay


async def test_tests_are_one_a_second_and_for_the_holder_of_the_token(shared: RelayProcess) -> None:
    order = b'{"to": ["b@example.net"]}'
    assert (await ask(shared.http, "POST", "/v1/send-test", order)).status == 401
    assert (await ask(shared.http, "GET", "/v1/messages/0123456789abcdef")).status == 401
    answers = await asyncio.gather(*(_order(shared, order) for _ in range(5)))
    assert sorted(one.status for one in answers) == [200, 429, 429, 429, 429]
    assert {one.headers["retry-after"] for one in answers if one.status == 429} == {"1"}


async def test_any_mail_can_be_followed_and_only_tests_have_a_transcript(shared: RelayProcess) -> None:
    await shared.submit("From: app@example.com\nTo: b@example.net\n\nhello\n", to=("b@example.net", "c@example.net"))
    (accepted,) = shared.events("accepted")
    view = await _follow(shared, accepted["id"], "delivered")
    assert "transcript" not in view
    assert [one["address"] for one in view["recipients"]] == ["b@example.net", "c@example.net"]
    assert {one["state"] for one in view["recipients"]} == {"delivered"}
    assert (await shared.get("/v1/messages/0000000000000000")).status == 404
