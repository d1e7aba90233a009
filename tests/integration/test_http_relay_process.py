"""What a real relay process shows over HTTP and does on request, from outside; and what it never shows."""

import asyncio
import base64
import contextlib
import json
import smtplib
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.support.http_exchange import ask
from tests.support.relay_process import RelayProcess, relay_document, running_relay
from tests.support.scripted_server import ScriptedServer

from mailhaul_contract.report import RelayReport

pytestmark = pytest.mark.integration

PASSWORD = "pw-canary-7c3e"
SRS = "srs-canary-1f9a"
MAIL = "From: app@example.com\nTo: b@example.net\nSubject: held mail\n\nbody-canary-52aa\n"


def _smtp(port: int, name: str = "primary") -> dict[str, Any]:
    return {"name": name, "provider": name, "host": "127.0.0.1", "port": port, "tls": {"mode": "None"}, "auth": "Plain"}


def _secrets(*providers: str) -> dict[str, str]:
    secrets = {"srs.secret": SRS}
    for provider in providers:
        secrets |= {f"provider.{provider}.username": "relay-user", f"provider.{provider}.password": PASSWORD}
    return secrets


async def _queue(relay: RelayProcess, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mailhaul_contract.console", "queue", *arguments),
        *("--url", f"http://127.0.0.1:{relay.http}", "--token-file", str(relay.token_file)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode or 0, output.decode()


async def _metric(relay: RelayProcess, name: str, **labels: str) -> float:
    text = (await relay.get("/metrics", token=False)).body.decode()
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    return next(one.value for one in samples if one.name == name and one.labels == labels)


async def test_captured_mail_is_seen_in_inbox_report_and_metrics(tmp_path: Path, free_port: int) -> None:
    upstreams = [{"name": "catch", "provider": "inbox", "kind": "Capture"}]
    async with running_relay(tmp_path, relay_document(upstreams, free_port)) as relay:
        assert (await relay.get("/healthz", token=False)).status == 200
        assert (await relay.get("/readyz", token=False)).status == 200
        await relay.submit(MAIL.replace("body", ".\n..\nbody"))
        listing = await relay.until("/inbox/messages.json", lambda one: one["messages"])
        (row,) = listing["messages"]
        raw = (await relay.get(f"/inbox/{row['key']}/raw")).body
        assert raw.endswith(b"\r\n.\r\n..\r\nbody-canary-52aa\r\n")
        report = RelayReport.model_validate_json((await relay.get("/v1/report")).body, by_alias=True, by_name=False)
        assert (report.accepted, report.delivered, report.upstreams[0].delivered) == (1, 1, 1)
        assert await _metric(relay, "mailhaul_recipients_total", upstream="catch", outcome="delivered") == 1
        assert relay.events("delivered")[0]["id"] == row["id"]


async def test_a_dead_letter_is_listed_shown_retried_elsewhere_and_dropped(tmp_path: Path, free_port: int) -> None:
    async with ScriptedServer(
        {"steps": {"rcpt": "550 5.1.1 no such user"}, "accounts": {"relay-user": PASSWORD}}
    ) as server:
        upstreams = [_smtp(server.port), {"name": "catch", "provider": "inbox", "kind": "Capture", "priority": 900}]
        async with running_relay(tmp_path, relay_document(upstreams, free_port), _secrets("primary")) as relay:
            await relay.submit(MAIL)
            await relay.submit(MAIL)
            page = await relay.until("/v1/queue?state=dead", lambda one: len(one["messages"]) == 2)
            first, second = (one["id"] for one in page["messages"])
            code, text = await _queue(relay, "list", "--state", "dead")
            assert (code, first in text, "550" in text) == (0, True, True)
            code, text = await _queue(relay, "show", first)
            assert (code, "no such user" in text, "body-canary" in text) == (0, True, False)
            code, text = await _queue(relay, "retry", first, "--upstream", "catch")
            assert code == 0, text
            await relay.until("/inbox/messages.json", lambda one: [row["id"] for row in one["messages"]] == [first])
            assert (await _queue(relay, "drop", "--state", "dead"))[0] == 1
            code, text = await _queue(relay, "drop", "--state", "dead", "--yes")
            assert (code, "1 message is dropped" in text) == (0, True)
            assert (await relay.get(f"/v1/queue/{second}")).status == 404
            assert [one["id"] for one in relay.events("queue-dropped")] == [second]


async def test_no_secret_is_ever_shown_even_when_the_upstream_repeats_it(tmp_path: Path, free_port: int) -> None:
    blob = base64.b64encode(f"\0relay-user\0{PASSWORD}".encode()).decode()
    echo = f"535 5.7.8 rejected {PASSWORD} given as AUTH PLAIN {blob}"
    async with ScriptedServer({"steps": {"auth": echo}, "accounts": {"x": "y"}}) as server:
        document = relay_document([_smtp(server.port)], free_port)
        async with running_relay(tmp_path, document, _secrets("primary")) as relay:
            await relay.submit(MAIL)
            page = await relay.until("/v1/queue?state=held", lambda one: one["messages"])
            shown = [await relay.get(path) for path in ("/v1/report", "/metrics", "/v1/queue", "/nothing")]
            shown.append(await relay.get(f"/v1/queue/{page['messages'][0]['id']}"))
            _, listed = await _queue(relay, "list", "-o", "json")
        everything = relay.log() + listed + "".join(one.body.decode() for one in shown)
    for canary in (PASSWORD, blob, SRS, "api-canary"):
        assert canary not in everything


async def test_a_flood_of_slow_clients_keeps_no_probe_out_and_costs_no_memory(tmp_path: Path, free_port: int) -> None:
    upstreams = [{"name": "catch", "provider": "inbox", "kind": "Capture"}]
    async with running_relay(tmp_path, relay_document(upstreams, free_port)) as relay:
        await relay.get("/metrics")
        before = relay.pss()
        slow = [asyncio.create_task(_slow_client(relay.http)) for _ in range(300)]
        for _ in range(10):
            answer = await asyncio.wait_for(ask(relay.http, "GET", "/healthz"), 5)
            assert answer.status == 200
        growth = relay.pss() - before
        for one in slow:
            one.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        assert growth < 8 * 1024
        await relay.submit(MAIL)


async def _slow_client(port: int) -> None:
    """Connects, sends a head bit by bit, and comes again when it is thrown out."""
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"POST /v1/queue/retry HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 8000)
                for _ in range(20):
                    await writer.drain()
                    await asyncio.sleep(0.5)
                    writer.write(b"a")
            finally:
                writer.transport.abort()
        await asyncio.sleep(0.1)


async def test_a_stopped_reader_of_the_log_stops_no_mail(tmp_path: Path, free_port: int) -> None:
    # Standard error is a pipe that nobody reads: the lines of 300 mails are more than its 64 KiB.
    upstreams = [{"name": "catch", "provider": "inbox", "kind": "Capture"}]
    document = relay_document(upstreams, free_port)
    config, secrets, ready = tmp_path / "relay.v1.json", tmp_path / "secrets", tmp_path / "ready.json"
    config.write_text(json.dumps(document), encoding="utf-8")
    secrets.mkdir()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mailhaul_contract.console", "relay", "serve", "--config", str(config)),
        *("--secrets", str(secrets), "--spool", str(tmp_path / "spool"), "--ready-file", str(ready)),
        *("--bind", "127.0.0.1", "--http-bind", "127.0.0.1:0"),
        stderr=asyncio.subprocess.PIPE,
        limit=1024,
    )
    try:
        relay = RelayProcess(process, tmp_path, 0, 0)
        await relay.wait_ready(ready)
        async with asyncio.timeout(60):
            await asyncio.to_thread(_many_mails, free_port, 300)
            await relay.submit(MAIL)
        assert (await ask(relay.http, "GET", "/healthz")).status == 200
    finally:
        process.terminate()
        await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0


def _many_mails(port: int, count: int) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        client.ehlo()
        for _ in range(count):
            client.sendmail("app@example.com", ["b@example.net"], MAIL.replace("\n", "\r\n"))
