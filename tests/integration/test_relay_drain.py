"""A replica that is to go away: no new mail, what it has leaves, and it can be taken back."""

import asyncio
import json
import smtplib
from pathlib import Path
from typing import Any

import pytest
from tests.integration.test_listener_life import GREETED, MESSAGE, client_of
from tests.support.http_exchange import ask
from tests.support.listening import Bench
from tests.support.mounts import Mounts
from tests.support.relay_process import RelayProcess, relay_document, running_relay
from tests.support.scripted_server import ScriptedServer
from tests.support.smtp_script import Script

from mailhaul_relay.smtpin.listener import Listener

pytestmark = pytest.mark.integration

MAIL = "From: app@example.com\nTo: b@example.net\nSubject: x\n\nhello\n"


async def _drain(relay: RelayProcess, draining: bool) -> None:
    answer = await relay.post("/v1/drain", json.dumps({"draining": draining}).encode())
    assert (answer.status, answer.json()) == (200, {"draining": draining})


def _upstream(port: int) -> dict[str, Any]:
    return {"name": "up", "provider": "up", "host": "127.0.0.1", "port": port, "tls": {"mode": "None"}}


async def _refused(relay: RelayProcess) -> smtplib.SMTPConnectError:
    with pytest.raises(smtplib.SMTPConnectError) as caught:
        await relay.submit(MAIL)
    return caught.value


async def test_a_transaction_under_way_is_taken_and_then_the_session_ends() -> None:
    bench = Bench()
    listener = await bench.listen()
    async with client_of(listener.port) as busy, client_of(listener.port) as idle:
        busy.send(GREETED)
        assert await busy.until(b"354")
        listener.drain(draining=True)
        assert (await idle.until(b"421")).startswith(b"421 4.3.2 This replica is draining, try another replica")
        busy.send(MESSAGE + b"MAIL FROM:<app@example.com>\r\n")
        assert b"queued as" in await busy.until(b"250")
        assert b"draining" in await busy.until(b"421")
        assert await busy.reader.read() == b""
    assert len(bench.accepted) == 1
    await listener.stop(1)


async def test_a_new_connection_hears_421_and_counts_as_refused_until_the_drain_ends() -> None:
    bench = Bench()
    listener = await bench.listen()
    listener.drain(draining=True)
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    assert (await reader.read()).startswith(b"421 4.3.2 ")
    writer.close()
    assert bench.tally.sessions_refused == {"draining": 1}
    listener.drain(draining=False)
    async with client_of(listener.port) as client:
        client.send(GREETED)
        assert await client.until(b"354")
        client.send(MESSAGE)
        assert b"queued as" in await client.until(b"250")
    await listener.stop(1)


async def test_a_listener_that_stops_is_not_opened_again_by_the_end_of_a_drain() -> None:
    listener: Listener = await Bench().listen()
    async with client_of(listener.port) as client:
        client.send(GREETED)
        assert await client.until(b"354")
        listener.close()
        listener.drain(draining=False)
        client.send(MESSAGE)
        assert b"stopping" in await client.until(b"421")
    await listener.stop(1)


async def test_a_draining_relay_refuses_new_mail_says_so_and_delivers_what_it_has(
    tmp_path: Path, free_port: int
) -> None:
    mounts = Mounts(tmp_path)
    async with ScriptedServer({"steps": {"mail": "451 4.3.0 later"}}) as server:
        document = relay_document([_upstream(server.port)], free_port, queue={"retry": {"initial": 1, "max": 1}})
        async with running_relay(tmp_path, document) as relay:
            await relay.submit(MAIL)
            await relay.until("/v1/report", lambda one: one["queue"]["deferred"] == 1)
            await _drain(relay, draining=True)
            ready = await relay.get("/readyz", token=False)
            assert (ready.status, b"draining" in ready.body) == (503, True)
            assert (await relay.get("/healthz", token=False)).status == 200
            refused = await _refused(relay)
            assert (refused.smtp_code, "draining" in str(refused)) == (421, True)
            server.script = Script()
            report = await relay.until("/v1/report", lambda one: one["delivered"] == 1)
            assert (report["draining"], report["accepting"]) == (True, False)
            assert "draining" in report["notAcceptingReason"]
            assert b"mailhaul_draining 1.0" in (await relay.get("/metrics", token=False)).body

            digest = report["digest"]
            listeners = [{"name": "smtp", "port": free_port, "lineEndings": "Normalise"}]
            mounts.config(document | {"listeners": listeners})
            await relay.until("/v1/report", lambda one: one["digest"] != digest)
            assert (await _refused(relay)).smtp_code == 421

            await _drain(relay, draining=False)
            await relay.submit(MAIL)
            assert (await relay.get("/readyz", token=False)).status == 200
            assert [len(relay.events(one)) for one in ("draining", "drain-ended")] == [1, 1]


async def test_draining_is_asked_for_with_the_token_and_forgotten_at_a_restart(tmp_path: Path, free_port: int) -> None:
    document = relay_document([{"name": "catch", "provider": "inbox", "kind": "Capture"}], free_port)
    async with running_relay(tmp_path, document) as relay:
        assert (await ask(relay.http, "POST", "/v1/drain", b'{"draining": true}')).status == 401
        for body in (b"", b"{}", b'{"draining": "yes"}', b'{"draining": 1}', b'{"draining": true, "x": 1}', b"[]"):
            assert (await relay.post("/v1/drain", body)).status == 400
        assert (await relay.get("/readyz", token=False)).status == 200
        await _drain(relay, draining=True)
    async with running_relay(tmp_path, document) as relay:
        await relay.submit(MAIL)
